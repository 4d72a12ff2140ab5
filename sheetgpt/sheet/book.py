"""A workbook as it was found: what stands in every cell, and which cells formulas compute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from sheetgpt.sheet.grid import Area, Grid, cells

AUTOMATIC = "auto"


class Formula(NamedTuple):
    """Text without the leading '='; `area` is that of an array, ends included.

    An ordinary formula has no area.
    """

    text: str
    area: Area | None = None


@dataclass(frozen=True)
class Sheet:
    """One tab. Keys are (row, column) from 0; a formula's cached value stands in `values`."""

    name: str
    values: Grid
    formulas: Mapping[tuple[int, int], Formula]

    def areas(self) -> Iterator[Area]:
        """The areas that formulas compute, in the file's order; none overlap."""
        for (r, c), formula in self.formulas.items():
            yield formula.area or (r, c, r, c)

    def formula_cells(self) -> Iterator[tuple[int, int]]:
        """Every cell that a formula computes, the bodies of array formulas included."""
        for area in self.areas():
            yield from cells(area)


@dataclass(frozen=True)
class Book:
    """A workbook as read: `sheets` holds the tabs asked for, `tabs` names all of them in order."""

    path: Path
    tabs: tuple[str, ...]
    sheets: Mapping[str, Sheet]
    names: Mapping[str, str]  # defined name -> reference, of the whole workbook
    local_names: Mapping[tuple[str, str], str]  # (tab, defined name) -> reference
    hidden: frozenset[str] = frozenset()
    charts: tuple[str, ...] = ()  # tabs without cells: charts, dialogs
    settings: frozenset[str] = frozenset()  # those under which formulas mean something else: fullPrecision=0 ...
    calculates: str = AUTOMATIC  # otherwise (`manual`) what a spreadsheet shows may be stale
    application: str | None = None  # who wrote the file, by its own account
    creator: str | None = None
    modified: str | None = None
    has_macros: bool = False
    has_external_links: bool = False

    def reference(self, name: str) -> str:
        """What a defined name refers to, found as spreadsheets find it: ignoring case; empty if there is none."""
        return self._folded.get(name.casefold(), "")

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {name.casefold(): ref for name, ref in self.names.items()}
