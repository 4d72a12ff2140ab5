"""Hugging Face's file format for weights, read by us: 8 bytes, a JSON header, and the numbers.

The format is described in github.com/huggingface/safetensors. Everything that the header says is checked before a
number is read, and numbers are read, not mapped: a file that shrinks meanwhile is an error, not the end of the process.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sheetgpt.errors import WeightError
from sheetgpt.models.config import Shape
from sheetgpt.models.files import json_object, opened
from sheetgpt.models.npy import BF16, take
from sheetgpt.models.stored import Numbers, Stored, read_numbers

_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BF16}
_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 8),
}
_LARGEST_HEADER = 8 << 20  # the format allows 100 MB; the largest GPT-2 needs less than 1
_MOST_AXES = 8


@dataclass(frozen=True)
class Entry:
    """What a header says of one tensor."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    start: int  # of its bytes in the file
    stop: int

    def stored(self, name: str, shape: Shape) -> Tensor:
        """As the matrix that it is, of as many numbers; raises `WeightError` unless it is of floats."""
        if self.dtype not in _FLOATS:
            raise WeightError(f"{self.path.name}: {name} is {self.dtype}; weights are {', '.join(_FLOATS)}")
        return Tensor(self.path, shape, name, _FLOATS[self.dtype], self.start)


@dataclass(frozen=True)
class Tensor(Stored):
    """A matrix inside a .safetensors file."""

    tensor: str
    form: str
    start: int

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.path.name}: {self.tensor}"

    def pieces(self) -> Iterator[Numbers]:
        """As `Stored.pieces`."""
        with opened(self.path) as file:
            file.seek(self.start)
            yield from read_numbers(file, self.form, self)


def read_header(path: Path) -> dict[str, Entry]:
    """Every tensor of a file by name; raises `WeightError` unless they fill it without gap or overlap."""
    with opened(path) as file:
        size = path.stat().st_size - 8
        length = int.from_bytes(take(file, 8, path.name), "little")
        if not 2 <= length <= min(size, _LARGEST_HEADER):
            raise WeightError(f"{path.name}: a header of {length:,} bytes in a file of {size + 8:,}; copy it again")
        said = json_object(take(file, length, path.name), path.name)
    metadata = said.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise WeightError(f"{path.name}: its __metadata__ must be an object of texts")
    found = {name: _entry(path, name, value, 8 + length) for name, value in said.items()}
    _check_filled(path, found, 8 + length, 8 + size)
    return found


def _entry(path: Path, name: str, said: object, first: int) -> Entry:
    where = f"{path.name}: {name:.80}"
    if not isinstance(said, Mapping) or said.keys() != {"dtype", "shape", "data_offsets"}:
        raise WeightError(f"{where}: must have dtype, shape and data_offsets")
    dtype, shape, offsets = said["dtype"], said["shape"], said["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BYTES:
        raise WeightError(f"{where}: dtype {str(dtype)[:20]!r} is unknown; weights are {', '.join(_FLOATS)}")
    if not _are_sizes(shape) or len(shape) > _MOST_AXES:
        raise WeightError(f"{where}: shape {str(shape)[:40]} is none")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise WeightError(f"{where}: data_offsets {str(offsets)[:40]} must be two whole numbers")
    start, stop = offsets
    if stop - start != (wanted := math.prod(shape) * _BYTES[dtype]):
        raise WeightError(f"{where}: {dtype} of shape {shape} takes {wanted} bytes, its offsets say {stop - start}")
    return Entry(path, dtype, tuple(shape), first + start, first + stop)


def _are_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 63 for n in value)


def _check_filled(path: Path, found: Mapping[str, Entry], first: int, end: int) -> None:
    at = first
    for name, entry in sorted(found.items(), key=lambda item: (item[1].start, item[1].stop)):
        if entry.start != at:
            fault = "overlaps the one before it" if entry.start < at else "leaves a gap before it"
            raise WeightError(f"{path.name}: {name:.80} {fault}; the header lies")
        at = entry.stop
    if at != end:
        fault = f"ends too early, by {at - end:,} bytes" if at > end else f"has {end - at:,} bytes more than it names"
        raise WeightError(f"{path.name}: {fault}; copy it again")
