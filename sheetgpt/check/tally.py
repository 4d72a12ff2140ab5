"""How many cells of a tab there are, and how many of them the plan knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.book import Sheet as Found
from sheetgpt.sheet.cells import Sheet
from sheetgpt.sheet.grid import Area
from sheetgpt.sheet.layout import Range


class Tally(NamedTuple):
    """Numbers of cells."""

    present: int
    computed: int  # by formulas
    planned: int  # of those present
    planned_computed: int
    stray: str  # address of the first cell that is there and not planned; empty if there is none


def tally(found: Found, sheet: Sheet | None, boxes: Sequence[Range]) -> Tally:
    """Count the cells of one tab; `sheet` is what should stand there, with the places in `boxes`."""
    areas = [box.area for box in (*boxes, *(mass.box for mass in (sheet.masses if sheet else ())))]
    single = [(cell.row, cell.col) for cell in sheet.cells] if sheet else []
    rows = max([r for r, _ in single] + [area[2] for area in areas], default=-1) + 1
    cols = max([c for _, c in single] + [area[3] for area in areas], default=-1) + 1
    planned, present, computed = (_Mask(rows, cols) for _ in range(3))
    planned.add(single, areas)
    formulas = list(found.areas())
    computed.add((), formulas)
    present.add(found.values.single, [block.area for block in found.values.blocks])
    present.add((), formulas)
    inside = np.argwhere(present.inside & ~planned.inside)[:1].tolist()
    stray = min([*present.outside, *((r, c) for r, c in inside)], default=None)
    return Tally(
        present.count(),
        computed.count(),
        int((present.inside & planned.inside).sum()),
        int((computed.inside & planned.inside).sum()),
        a1(*stray) if stray else "",
    )


class _Mask:
    """A set of cells: those of a rectangle from A1 on as an array, others one by one."""

    def __init__(self, rows: int, cols: int) -> None:
        self.inside: NDArray[np.bool_] = np.zeros((rows, cols), bool)
        self.outside: set[tuple[int, int]] = set()

    def add(self, cells: Iterable[tuple[int, int]], areas: Iterable[Area]) -> None:
        """Put cells and areas in."""
        rows, cols = self.inside.shape
        for r, c in cells:
            if r < rows and c < cols:
                self.inside[r, c] = True
            else:
                self.outside.add((r, c))
        for r0, c0, r1, c1 in areas:
            self.inside[r0 : r1 + 1, c0 : c1 + 1] = True
            if r1 >= rows or c1 >= cols:
                self.outside |= {(r, c) for r in range(r0, r1 + 1) for c in range(c0, c1 + 1) if r >= rows or c >= cols}

    def count(self) -> int:
        """Cells."""
        return int(self.inside.sum()) + len(self.outside)
