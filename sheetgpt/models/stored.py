"""Where a matrix lies and how its numbers come from there, a few rows at a time: a CSV or a .npy file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from sheetgpt.errors import WeightError
from sheetgpt.models.config import Shape
from sheetgpt.models.decimals import decimals

Matrix = NDArray[np.float64]
_CHUNK = 1 << 19  # numbers that are handed on at a time
_BOM = b"\xef\xbb\xbf"  # which some programs put before CSV
_LARGEST_NUMBER = 64  # bytes of text for one number, its comma included


class Stored(Protocol):
    """A matrix on disk: two-dimensional, a vector being one row."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def shape(self) -> Shape:
        """Rows and columns."""
        ...

    def rows(self) -> Iterator[Matrix]:
        """All rows in order, in pieces: float64, finite. Raises `WeightError` that names the file and what is wrong."""
        ...


@dataclass(frozen=True)
class CsvFile:
    """One matrix row per line, a vector on one line, no header. The decimal text is the weight."""

    path: Path
    shape: Shape

    def rows(self) -> Iterator[Matrix]:
        """As `Stored.rows`; an error names line and column."""
        n_rows, cols = self.shape
        n = 0
        piece: list[Matrix] = []
        try:
            with self.path.open("rb") as file:
                while line := file.readline(cols * _LARGEST_NUMBER + 2):
                    line = line.removeprefix(_BOM) if n == 0 else line
                    if not line.strip():
                        continue
                    if n == n_rows:
                        raise WeightError(f"{self.path.name}: more than {n_rows} rows; {self._wanted()}")
                    n += 1
                    piece.append(self._numbers(n, line, cols))
                    if len(piece) * cols >= _CHUNK:
                        yield np.array(piece)
                        piece = []
        except OSError as error:
            raise WeightError(f"{self.path}: cannot be read ({error.strerror})") from None
        if n != n_rows:
            raise WeightError(f"{self.path.name}: {n} rows; {self._wanted()}")
        if piece:
            yield np.array(piece)

    def _wanted(self) -> str:
        return f"the config wants {self.shape[0]} x {self.shape[1]}"

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
            raise WeightError(
                f"{self.path.name}: line {line_number} has {len(numbers)} numbers, the config wants {cols}"
            )
        return np.array(numbers, np.float64)

    def _number(self, line: int, column: int, cell: bytes) -> float:
        try:
            value = float("nan") if b"_" in cell else float(cell)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            shown = cell.decode("utf-8", "replace").strip()[:20]
            raise WeightError(f"{self.path.name}: line {line}, column {column} is {shown!r}, not a finite number")
        return value


@dataclass(frozen=True)
class NpyFile:
    """One array of float32 (see `decimals`) or float64 in numpy's own format; read where it lies, not into memory."""

    path: Path
    shape: Shape

    def rows(self) -> Iterator[Matrix]:
        """As `Stored.rows`."""
        try:
            array = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise WeightError(f"{self.path}: not an array that numpy can read ({error})") from None
        if array.shape != self.shape or array.dtype not in (np.float32, np.float64):
            raise WeightError(
                f"{self.path.name}: {array.dtype} of shape {list(array.shape)}; the config wants "
                f"float32 or float64 of shape {list(self.shape)}"
            )
        yield from pieces(self.path.name, array)


def pieces(name: str, array: NDArray[np.float32] | NDArray[np.float64]) -> Iterator[Matrix]:
    """Rows of an array that may lie on disk, as float64; raises `WeightError` for a number that is not finite."""
    step = max(1, _CHUNK // array.shape[1])
    for start in range(0, array.shape[0], step):
        piece = np.ascontiguousarray(array[start : start + step])
        if not np.isfinite(piece).all():
            row, col = np.argwhere(~np.isfinite(piece))[0]
            raise WeightError(f"{name}: row {start + row + 1}, column {col + 1} is not a finite number")
        yield piece.astype(np.float64) if piece.itemsize == 8 else decimals(piece.astype(np.float32))


def file_digest(path: Path) -> str:
    """SHA-256 of a file as it lies there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightError(f"{path}: cannot be read ({error.strerror})") from None
