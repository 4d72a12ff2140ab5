"""What verify found, as data: a row for each place, the faults, what was and was not looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sheetgpt.check.faults import Fault
from sheetgpt.sheet.grid import Value

CACHED = "cached"  # the engine that is none


class Row(NamedTuple):
    """One place: how far from numpy on the workbook's own inputs, and from the whole pipeline."""

    name: str
    tab: str
    op: str
    cells: int
    own_gap: float
    total_gap: float
    worst_cell: str  # of the own gap, or of the total gap where the own gap is 0
    status: str  # ok, follows (wrong only because an input is), blank (for a student), or the kind of its first fault
    first_cell: str = ""  # the first whose total gap is beyond tolerance
    cache_gap: float = 0.0  # of the cached values to those recalculated


class Law(NamedTuple):
    """One law that holds whatever the weights are, tried on the workbook by an engine."""

    law: str  # rows sum to 1, causality ...
    place: str
    tab: str
    cell: str  # the worst
    gap: float
    status: str  # ok, broken, or why it could not be tried
    detail: str = ""  # what was changed, found and wanted


class Knob(NamedTuple):
    """A cell that is meant to be changed, and does not hold what stood there at first."""

    name: str  # of the place, with [row,column] from 0 where it has several cells
    tab: str
    cell: str
    value: Value  # as it stands; None for an empty cell
    start: Value


@dataclass
class Report:
    """All that verify found."""

    workbook: str
    made_by: str
    model: str
    prompt: str
    n_rows: int
    engine: str
    engine_version: str
    source: str
    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    cells_present: int = 0
    cells_checked: int = 0
    unchecked: list[str] = field(default_factory=list)  # why not everything was independently checked
    knobs: list[Knob] = field(default_factory=list)  # those that somebody has turned
    laws: list[Law] = field(default_factory=list)  # empty where none was asked for

    @property
    def exit_code(self) -> int:
        """0 equal, 1 mismatch, 4 nothing wrong found but not everything independently checked."""
        return 1 if self.faults or any(law.status == "broken" for law in self.laws) else 4 if self.unchecked else 0

    @property
    def divergence(self) -> Row | None:
        """The place at which values first differ from those of the whole pipeline in numpy."""
        return next((row for row in self.rows if row.first_cell), None)

    @property
    def first_fault(self) -> Fault | None:
        """The fault that stands first in the pipeline."""
        return self.faults[0] if self.faults else None
