"""Where a matrix lies and how its numbers come from there, a few rows at a time: a CSV or a .npy file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from sheetgpt.errors import WeightError
from sheetgpt.models.config import Shape
from sheetgpt.models.decimals import decimals
from sheetgpt.models.files import opened
from sheetgpt.models.npy import BF16, Header, read_header, take

Matrix = NDArray[np.float64]
Numbers = NDArray[np.float32] | NDArray[np.float64]
_CHUNK = 1 << 19  # numbers that are handed on at a time
_BOM = b"\xef\xbb\xbf"  # which some programs put before CSV
_BLANK_LINES = 100  # that a file may have, and one more for each row
_LARGEST_NUMBER = 64  # bytes of text for one number, its comma included


@dataclass(frozen=True)
class Stored:
    """A matrix on disk: two-dimensional, a vector being one row."""

    path: Path
    shape: Shape
    member: str = field(default="", kw_only=True)  # the file's name in `path`, if that is a zip

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.member or self.path.name

    def pieces(self) -> Iterator[Numbers]:
        """All rows in order, a few at a time, as they lie: float32 or float64, finite.

        Raises `WeightError` that names the file and what is wrong.
        """
        raise NotImplementedError

    def rows(self) -> Iterator[Matrix]:
        """The same as float64: of a float32 the number that its shortest decimal text stands for."""
        return (exact(piece) for piece in self.pieces())


@dataclass(frozen=True)
class CsvFile(Stored):
    """One matrix row per line, no header; of a vector also one number per line. The decimal text is the weight."""

    def pieces(self) -> Iterator[Numbers]:
        """As `Stored.pieces`; an error names line and column."""
        rows, cols = self.shape
        if rows == 1 < cols and self.width() == 1:
            yield np.concatenate(list(self._lines(cols, 1))).reshape(1, cols)
        else:
            yield from self._lines(rows, cols)

    def width(self) -> int:
        """How many numbers its first line has; 0 where it begins with nothing but blank lines."""
        most = self.shape[1] * _LARGEST_NUMBER + 2
        with opened(self.path, self.member) as file:
            lines = islice(iter(lambda: file.readline(most), b""), _BLANK_LINES)
            return next((line.count(b",") + 1 for line in lines if line.strip()), 0)

    def _lines(self, n_rows: int, cols: int) -> Iterator[Matrix]:
        n = blank = 0
        piece: list[Matrix] = []
        with opened(self.path, self.member) as file:
            while line := file.readline(cols * _LARGEST_NUMBER + 2):
                line = line.removeprefix(_BOM) if n == 0 else line
                if not line.strip() and (blank := blank + 1) <= n_rows + _BLANK_LINES:
                    continue
                if n == n_rows or not line.strip():
                    raise WeightError(f"{self.name}: more than {n_rows} rows; {_wanted(n_rows, cols)}")
                n += 1
                piece.append(self._numbers(n, line, cols))
                if len(piece) == _rows_at_a_time(cols):
                    yield np.array(piece)
                    piece = []
        if n != n_rows:
            raise WeightError(f"{self.name}: {n} rows; {_wanted(n_rows, cols)}")
        if piece:
            yield np.array(piece)

    def _numbers(self, line_number: int, line: bytes, cols: int) -> Matrix:
        numbers: list[float] | None
        try:
            numbers = orjson.loads(b"[" + line + b"]")
        except ValueError:
            numbers = None  # not plain decimals: say where
        if numbers is not None and set(map(type, numbers)) <= {int, float}:
            found = np.array(numbers, np.float64)
            if len(numbers) == cols and np.isfinite(found).all():
                return found
        numbers = [self._number(line_number, k + 1, cell) for k, cell in enumerate(line.split(b","))]
        if len(numbers) != cols:
            raise WeightError(f"{self.name}: line {line_number} has {len(numbers)} numbers, the config wants {cols}")
        return np.array(numbers, np.float64)

    def _number(self, line: int, column: int, cell: bytes) -> float:
        try:
            value = float("nan") if b"_" in cell else float(cell)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            shown = cell.decode("utf-8", "replace").strip()[:20]
            raise WeightError(f"{self.name}: line {line}, column {column} is {shown!r}, not a finite number")
        return value


def _wanted(rows: int, cols: int) -> str:
    return f"the config wants {rows} x {cols}"


@dataclass(frozen=True)
class NpyFile(Stored):
    """One array in numpy's own format: float16 or float32 (see `decimals`), or float64; leading axes of size 1 drop."""

    def pieces(self) -> Iterator[Numbers]:
        """As `Stored.pieces`."""
        with opened(self.path, self.member) as file:
            header = read_header(file, self.name)
            if header.matrix != self.shape:
                raise WeightError(f"{self.name}: shape {list(header.shape)}; {_wanted(*self.shape)}")
            yield from self._by_columns(file, header) if header.by_columns else read_numbers(file, header.form, self)
            if file.read(1):
                raise WeightError(f"{self.name}: longer than its header says; copy it again")

    def _by_columns(self, file: BinaryIO, header: Header) -> Iterator[Numbers]:
        """Written column after column (Fortran order), so that it must be read whole."""
        rows, cols = self.shape
        turned = NpyFile(self.path, (cols, rows), member=self.member)
        whole = np.concatenate(list(read_numbers(file, header.form, turned)))  # [cols, rows]
        for start in range(0, rows, step := _rows_at_a_time(cols)):
            yield np.ascontiguousarray(whole[:, start : start + step].T)


def read_numbers(file: BinaryIO, form: str, stored: Stored) -> Iterator[Numbers]:
    """The rows of `stored` from where `file` stands: `form` is numpy's name of the type, or `BF16`.

    Raises `WeightError` for a file that ends too early, and for a number that is not finite.
    """
    rows, cols = stored.shape
    size = 2 if form == BF16 else np.dtype(form).itemsize
    for start in range(0, rows, step := _rows_at_a_time(cols)):
        piece = _numbers(take(file, min(step, rows - start) * cols * size, stored.name), form).reshape(-1, cols)
        if not np.isfinite(piece).all():
            row, col = np.argwhere(~np.isfinite(piece))[0]
            raise WeightError(f"{stored.name}: row {start + row + 1}, column {col + 1} is not a finite number")
        yield piece


def _numbers(data: bytes, form: str) -> Numbers:
    if form == BF16:  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    found = np.frombuffer(data, form)
    return found.astype(np.float64) if found.itemsize == 8 else found.astype(np.float32)


def exact(piece: Numbers) -> Matrix:
    """Numbers as they lie -> the float64 that a cell holds."""
    return piece.astype(np.float64) if piece.dtype == np.float64 else decimals(piece.astype(np.float32))


def _rows_at_a_time(cols: int) -> int:
    return max(1, _CHUNK // cols)


def file_digest(path: Path) -> str:
    """SHA-256 of a file as it lies there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightError(f"{path}: cannot be read ({error.strerror})") from None
