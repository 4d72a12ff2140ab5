"""What is wrong with a workbook, as data: a kind, a place, a cell, found and wanted."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class FaultKind(StrEnum):
    """Classes of fault."""

    SETTING = "wrong setting"
    TAB = "missing tab"
    NAME = "wrong name"
    WEIGHT = "wrong weight"
    INPUT = "wrong input"
    CONSTANT = "constant instead of a formula"
    FORMULA = "wrong formula"
    VALUE = "wrong value"
    TEXT = "wrong text"
    STALE = "stale cached value"


class Fault(NamedTuple):
    """One thing that is wrong. `place` is empty for cells that belong to none, such as labels."""

    kind: FaultKind
    place: str
    tab: str
    cell: str  # A1, or empty where the whole tab or name is meant
    found: str
    wanted: str
    token: str = ""  # whose row it is
    formula: str = ""
    gap: float | None = None
    more: int = 0  # further cells of the same place with the same kind of fault


def shown(value: object) -> str:
    """A cell's value as a report writes it: numbers in full, text quoted and cut."""
    if value is None:
        return "nothing"
    if isinstance(value, float):
        return repr(value)
    text = str(value)
    return repr(text if len(text) <= 200 else text[:200] + "...")
