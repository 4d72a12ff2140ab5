"""Writes a model folder, the one way there is: a file per weight, and a manifest that names, measures and seals them.

Needs no PyTorch; whoever has float32 arrays can make a bundle. A weight comes and goes a few rows at a time.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from sheetgpt.errors import OutputError, WeightError
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.decimals import decimals
from sheetgpt.models.stored import Numbers, Stored, file_digest
from sheetgpt.models.tokenizer import MERGES_FILE, TOKENS_FILE
from sheetgpt.models.weights import file_name

MANIFEST_FILE = "manifest.json"
FORMAT = 1


def to_csv(array: Numbers) -> bytes:
    """A matrix `[rows, columns]` as CSV; each number is the shortest text that reads back as the same number.

    >>> to_csv(np.array([[0.1, 1], [1e-9, -2.5]], np.float32))
    b'0.1,1.0\\n1e-9,-2.5\\n'
    """
    rows = np.ascontiguousarray(array)
    return b"".join([orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1] + b"\n" for row in rows])


def write_model(
    folder: Path,
    name: str,
    config: ModelConfig,
    arrays: Mapping[str, NDArray[np.float32]],
    *,
    description: str = "",
    licence: str = "",
    training: Mapping[str, object] | None = None,
) -> None:
    """Writes every weight of `config` and `manifest.json` into `folder`, which holds the tokenizer's two files.

    Nothing is written unless every array has the shape `config.shapes()` asks for (a vector may be
    1-D) and only finite numbers: `WeightError` otherwise. Each file is replaced in one step, the
    manifest last. Raises `OutputError` where nothing can be written.
    """
    facts = {"description": description, "licence": licence, "training": dict(training or {})}
    write_stored(folder, name, config, _checked(config, arrays), "csv", facts)


def write_stored(
    folder: Path,
    name: str,
    config: ModelConfig,
    stored: Mapping[str, Stored],
    form: str,
    facts: Mapping[str, object],
    *,
    widened: bool = False,
) -> None:
    """Writes weights from wherever they lie into `folder`, which holds the tokenizer's two files, as `csv` or `npy`.

    Where float32 can hold all that a weight has, it is written as float32: numbers that are the shortest decimals of
    float32 numbers, and with `widened` those that a program wrote with more digits too. `facts` go into the manifest.
    Each file is replaced in one step, the manifest last. Raises `WeightError`, and `OutputError` where nothing can be
    written.
    """
    vocabulary = {file: _vocabulary(folder / file) for file in (MERGES_FILE, TOKENS_FILE)}
    weights = {}
    for weight, matrix in stored.items():
        path = (folder / file_name(weight)).with_suffix(f".{form}")
        sha256 = _write_weight(path, matrix, widened)
        weights[weight] = {"file": path.name, "shape": list(matrix.shape), "sha256": sha256}
    said = {"config": config.to_dict(), "weights": weights, "vocabulary": vocabulary}
    manifest = {"format": FORMAT, "name": name, **facts, **said}
    replace_file(folder / MANIFEST_FILE, orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")


def replace_file(path: Path, data: bytes) -> None:
    """Writes `data` beside `path` and moves it there: a reader sees the old file or the new one."""
    with _replaced(path) as file:
        file.write(data)


def check_free(target: Path) -> None:
    """Raises `OutputError` unless there is nothing at `target` yet, or an empty folder."""
    try:
        free = not any(target.iterdir()) if target.is_dir() else not target.exists()
    except OSError as error:
        raise OutputError(f"{target}: cannot be read ({error.strerror}); choose another folder") from None
    if not free:
        raise OutputError(f"{target}: is there already; choose another folder, or remove it")


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its name only if all goes well; raises `OutputError`.

    There must be nothing yet at `target`, or an empty folder.
    """
    check_free(target)
    target = target.resolve()
    temporary = target.with_name(f".sheetgpt-{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
    except OSError as error:
        raise OutputError(f"{target}: cannot be made ({error.strerror}); choose another folder") from None
    try:
        yield temporary
        try:
            if target.exists():
                target.rmdir()
            temporary.rename(target)
        except OSError as error:
            raise OutputError(f"{target}: cannot be made ({error.strerror}); choose another folder") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            yield file
        os.replace(part, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
    finally:
        part.unlink(missing_ok=True)


class _NotFloat32Error(Exception):
    """A number that float32 does not have."""


def _write_weight(path: Path, stored: Stored, widened: bool) -> str:
    """Writes one weight and gives the SHA-256 of its file; as float32 unless that turns out not to hold it."""
    try:
        return _write_pieces(path, stored, (_narrowed(piece, widened) for piece in stored.pieces()), "<f4")
    except _NotFloat32Error:
        return _write_pieces(path, stored, stored.rows(), "<f8")


def _write_pieces(path: Path, stored: Stored, pieces: Iterator[Numbers], dtype: str) -> str:
    sha = hashlib.sha256()
    with _replaced(path) as file:
        for data in _npy(stored, pieces, dtype) if path.suffix == ".npy" else map(to_csv, pieces):
            sha.update(data)
            file.write(data)
    return sha.hexdigest()


def _npy(stored: Stored, pieces: Iterator[Numbers], dtype: str) -> Iterator[bytes]:
    header = io.BytesIO()
    said = {"descr": dtype, "fortran_order": False, "shape": stored.shape}
    np.lib.format.write_array_header_1_0(header, said)
    yield header.getvalue()
    yield from (np.ascontiguousarray(piece, dtype).tobytes() for piece in pieces)


def _narrowed(piece: Numbers, widened: bool) -> NDArray[np.float32]:
    """The same numbers in float32; raises `_NotFloat32Error` where they are not the same."""
    with np.errstate(over="ignore", under="ignore"):
        narrow = piece.astype(np.float32)
    if piece.dtype == np.float32:
        return narrow
    if not np.isfinite(narrow).all():
        raise _NotFloat32Error
    same = decimals(narrow) == piece
    if not (same | (narrow == piece) if widened else same).all():
        raise _NotFloat32Error
    return narrow


@dataclass(frozen=True)
class _Held(Stored):
    """A matrix that is in memory."""

    array: NDArray[np.float32]

    def pieces(self) -> Iterator[Numbers]:
        """The whole matrix."""
        yield self.array


def _checked(config: ModelConfig, arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Stored]:
    shapes = config.shapes()
    if unknown := sorted(set(arrays) - set(shapes)):
        raise WeightError(f"{unknown[0]}: this config has no such weight")
    if missing := [name for name in shapes if name not in arrays]:
        raise WeightError(f"{missing[0]}: missing; the config asks for {len(shapes)} weights")
    return {name: _Held(Path(name), shape, _checked_array(name, arrays[name], shape)) for name, shape in shapes.items()}


def _checked_array(name: str, array: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    matrix = array[None, :] if array.ndim == 1 else array
    if matrix.shape != shape:
        raise WeightError(f"{name}: has shape {list(array.shape)}, the config asks for {list(shape)}")
    if matrix.dtype != np.float32:
        raise WeightError(f"{name}: is {matrix.dtype}; convert it to float32")
    if not np.isfinite(matrix).all():
        raise WeightError(f"{name}: has NaN or infinite numbers; train again with a lower learning rate")
    return matrix


def _vocabulary(path: Path) -> str:
    """SHA-256 of one of the tokenizer's files."""
    if not path.is_file():
        raise WeightError(f"{path}: cannot be read; write the tokenizer's files first")
    return file_digest(path)
