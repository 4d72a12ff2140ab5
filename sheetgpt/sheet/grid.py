"""Values of many cells by row and column: large matrices as arrays, the rest one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Area = tuple[int, int, int, int]  # first row, first column, last row, last column, from 0, ends included
At = tuple[int, int]


class CellError(str):
    """An error that a cell shows, such as #DIV/0!: not text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"CellError({str(self)!r})"


Value = float | str | bool | CellError | None


def cells(area: Area) -> Iterator[At]:
    """The cells of an area, row by row."""
    r0, c0, r1, c1 = area
    return product(range(r0, r1 + 1), range(c0, c1 + 1))


def size(area: Area) -> int:
    """How many cells an area has."""
    r0, c0, r1, c1 = area
    return (r1 - r0 + 1) * (c1 - c0 + 1)


def overlap(a: Area, b: Area) -> Area | None:
    """The cells that two areas share."""
    both = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    return both if both[0] <= both[2] and both[1] <= both[3] else None


@dataclass(frozen=True)
class Block:
    """An area whose cells all hold finite numbers: `numbers()` is [rows, columns], float64."""

    area: Area
    numbers: Callable[[], NDArray[np.float64]]

    @property
    def size(self) -> int:
        """Cells."""
        return size(self.area)

    def part(self, area: Area) -> NDArray[np.float64]:
        """The numbers of some of its cells."""
        r0, c0 = self.area[:2]
        return self.numbers()[area[0] - r0 : area[2] - r0 + 1, area[1] - c0 : area[3] - c0 + 1]

    @classmethod
    def of(cls, row: int, col: int, numbers: NDArray[np.float64]) -> Block:
        """The block of an array that stands from (row, col) on."""
        return cls((row, col, row + numbers.shape[0] - 1, col + numbers.shape[1] - 1), lambda: numbers)


class Grid(Mapping[At, Value]):
    """Values by (row, column) from 0. `single` holds those that belong to no block; no cell is in both."""

    def __init__(self, single: Mapping[At, Value], blocks: Sequence[Block] = ()) -> None:
        self.single, self.blocks = single, blocks

    def __getitem__(self, at: At) -> Value:
        if at in self.single:
            return self.single[at]
        for block in self.blocks:
            if overlap(block.area, at + at):
                return float(block.part(at + at)[0, 0])
        raise KeyError(at)

    def __iter__(self) -> Iterator[At]:
        yield from self.single
        for block in self.blocks:
            yield from cells(block.area)

    def __len__(self) -> int:
        return len(self.single) + sum(block.size for block in self.blocks)

    def numbers(self, area: Area, under: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """The cells of an area as float64; what is no number is NaN, what is not here at all as in `under`."""
        for block in self.blocks:
            if block.area == area:
                return block.numbers()
        shape = area[2] - area[0] + 1, area[3] - area[1] + 1
        out = np.full(shape, np.nan) if under is None else under.copy()
        left = np.ones(shape, bool)
        for block in self.blocks:
            if both := overlap(block.area, area):
                here = slice(both[0] - area[0], both[2] - area[0] + 1), slice(both[1] - area[1], both[3] - area[1] + 1)
                out[here], left[here] = block.part(both), False
        for at in self._single_in(area, left):
            value = self.single[at]
            out[at[0] - area[0], at[1] - area[1]] = value if type(value) is float else np.nan
        return out

    def values_of(self, area: Area) -> NDArray[np.object_]:
        """The cells of an area as they are; None where a cell is empty. For areas of moderate size."""
        shape = area[2] - area[0] + 1, area[3] - area[1] + 1
        out = np.empty(shape, object)
        for at in cells(area):
            out[at[0] - area[0], at[1] - area[1]] = self.get(at)
        return out

    def _single_in(self, area: Area, left: NDArray[np.bool_]) -> Iterator[At]:
        """Cells of an area that have a value of their own; `left` tells which no block has."""
        if not self.single:
            return
        if len(self.single) < left.sum():
            yield from (at for at in self.single if overlap(area, at + at))
        else:
            yield from (at for r, c in np.argwhere(left).tolist() if (at := (r + area[0], c + area[1])) in self.single)
