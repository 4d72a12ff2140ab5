"""The header of numpy's own file format (NEP 1), read without numpy: never a pickle, never over 10,000 bytes."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import BinaryIO

from sheetgpt.errors import WeightError
from sheetgpt.models.config import Shape

BF16 = "bf16"  # bfloat16, for which numpy has no name
_MAGIC = b"\x93NUMPY"
_LARGEST_HEADER = 10_000  # as numpy's own
_FLOAT = re.compile(r"[<>=]f[248]")


@dataclass(frozen=True)
class Header:
    """What a .npy file says of its array."""

    form: str  # numpy's name of the type, such as <f4
    by_columns: bool
    shape: tuple[int, ...]

    @property
    def matrix(self) -> Shape | None:
        """Its shape as a matrix: see `as_matrix`."""
        return as_matrix(self.shape)


def as_matrix(shape: tuple[int, ...]) -> Shape | None:
    """Any shape as a matrix, without leading axes of size 1, a vector being one row; None for what has more axes.

    >>> as_matrix((1, 768, 2304)), as_matrix((768,)), as_matrix((1, 1, 768)), as_matrix((2, 3, 4))
    ((768, 2304), (1, 768), (1, 768), None)
    """
    *leading, rows, cols = (1, 1, *shape)
    return (rows, cols) if set(leading) == {1} or not leading else None


def take(file: BinaryIO, size: int, name: str) -> bytes:
    """Exactly `size` bytes; raises `WeightError` where the file ends before."""
    data = file.read(size)
    if len(data) != size:
        raise WeightError(f"{name}: ends too early, by {size - len(data):,} bytes or more; copy it again")
    return data


def read_header(file: BinaryIO, name: str) -> Header:
    """The header, after which `file` stands at the first number; raises `WeightError` for anything but floats."""
    magic = take(file, 8, name)
    if magic[:6] != _MAGIC or magic[6] not in (1, 2, 3):
        raise WeightError(f"{name}: not an array in numpy's format; save it with numpy.save or numpy.savez")
    size = int.from_bytes(take(file, 2 if magic[6] == 1 else 4, name), "little")
    if size > _LARGEST_HEADER:
        raise WeightError(f"{name}: a header of {size:,} bytes is no array's")
    try:
        said = ast.literal_eval(take(file, size, name).decode("latin-1").strip())
        form, by_columns, shape = said["descr"], said["fortran_order"], said["shape"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise WeightError(f"{name}: its header cannot be read; save it with numpy.save or numpy.savez") from None
    if isinstance(form, str) and "O" in form:
        raise WeightError(f"{name}: holds Python objects (a pickle), which are never read; save it as float32")
    if not isinstance(form, str) or not _FLOAT.fullmatch(form):
        raise WeightError(f"{name}: holds {str(form)[:40]}; weights are float16, float32 or float64")
    if type(by_columns) is not bool or not _is_shape(shape):
        raise WeightError(f"{name}: its header cannot be read; save it with numpy.save or numpy.savez")
    return Header(form, by_columns, shape)


def _is_shape(shape: object) -> bool:
    return isinstance(shape, tuple) and len(shape) <= 8 and all(type(n) is int and 0 <= n <= 1 << 40 for n in shape)
