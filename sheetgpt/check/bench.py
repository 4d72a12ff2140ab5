"""A workbook to try things on: copies in which places hold other values, and what an engine computes of them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.found import Found, FoundValues, named
from sheetgpt.engines import get
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.grid import Value

Numbers = NDArray[np.float64]
Changes = Mapping[str, Numbers]


class Bench:
    """A workbook as it was found and computed, its user's file untouched."""

    def __init__(self, found: Found, engine: str) -> None:
        self.book, self.card = found.book, found.blueprint.card
        self.plan, self.ranges = found.blueprint.plan, found.blueprint.layout.ranges
        self.values = found.values
        self._blueprint, self._engine = found.blueprint, engine

    def numbers(self, name: str) -> Numbers | None:
        """A place's numbers; None where the workbook has no such place, or something in it is no number."""
        if name not in self.plan or named(self.book, self.ranges[name]) is None:
            return None
        found = self.values[name]
        return found if found.dtype != object and np.isfinite(found).all() else None

    def changed(self, changes: Changes) -> FoundValues:
        """What the engine computes where `changes` stand, also in place of formulas.

        The places changed are not among the values: they hold what was put there.
        """
        typed: dict[str, dict[tuple[int, int], Value]] = {}
        for name, numbers in changes.items():
            box = named(self.book, self.ranges[name])
            assert box is not None
            cells = {(box.row + r, box.col + c): float(numbers[r, c]) for r, c in np.ndindex(numbers.shape)}
            typed.setdefault(box.tab, {}).update(cells)
        with tempfile.TemporaryDirectory(prefix="sheetgpt-") as folder:
            copy = Path(folder, "copy.xlsx")
            edit(self.book.path, copy, typed, {}, over=True)
            return FoundValues(self.book, self._blueprint, get(self._engine).recalculate(copy))
