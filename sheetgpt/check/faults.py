"""What is wrong with a workbook, as data: a kind, a place, a cell, found and wanted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from sheetgpt.sheet.a1 import parse_cell
from sheetgpt.sheet.r1c1 import r1c1

_RULES = 8  # wrong formulas of a place that are told one by one


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
    CACHED = "wrong cached value"  # where no engine ran
    ENGINE = "engine difference"

    @property
    def between(self) -> str:
        """Which two of the oracles disagree: they are never mixed."""
        return _BETWEEN[self]


_BETWEEN = {
    FaultKind.SETTING: "file and plan",
    FaultKind.TAB: "file and plan",
    FaultKind.NAME: "file and plan",
    FaultKind.WEIGHT: "file and weight source",
    FaultKind.INPUT: "file and plan",
    FaultKind.CONSTANT: "file and plan",
    FaultKind.FORMULA: "file and plan",
    FaultKind.TEXT: "file and plan",
    FaultKind.VALUE: "recalculation and numpy",
    FaultKind.STALE: "cached value and recalculation",
    FaultKind.CACHED: "cached value and numpy",
    FaultKind.ENGINE: "recalculation and numpy, though cached value and numpy agree",
}


class Precedent(NamedTuple):
    """A cell that a faulty formula reads, and what stands there."""

    place: str
    ref: str  # Tab!A1, or Tab!A1:B2 where the formula reads several
    value: str  # of one cell; of several the first ones


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
    more: int = 0  # further cells of the same place with the same kind of fault; of formulas, with the same rule
    feature: int | None = None  # column of the place, from 0
    block: int | None = None
    head: int | None = None
    absolute: float | None = None  # |found - wanted|; `relative` of it to |wanted|, `ulp` in units of its last place
    relative: float | None = None
    ulp: float | None = None
    precedents: tuple[Precedent, ...] = ()
    cause: str = ""  # the likely one, by its symptoms; empty where none fits


def distances(found: str, wanted: str) -> tuple[float, float | None, float | None] | None:
    """How far apart two values are that a report shows: absolute, relative to `wanted`, in units of its last place.

    None unless both are numbers; to 0 nothing is relative.

    >>> distances("1.0000000000000002", "1.0")
    (2.220446049250313e-16, 2.220446049250313e-16, 1.0)
    """
    try:
        a, b = float(found), float(wanted)
    except ValueError:
        return None
    if not math.isfinite(a - b):
        return None
    gap = abs(a - b)
    return (gap, gap / abs(b), gap / math.ulp(b)) if b else (gap, None, None)


def shown(value: object) -> str:
    """A cell's value as a report writes it: numbers in full, text quoted and cut."""
    if value is None:
        return "nothing"
    if isinstance(value, float):
        return repr(value)
    text = str(value)
    return repr(text if len(text) <= 200 else text[:200] + "...")


def many(count: int, thing: str) -> str:
    """A count with its word: `1 fault`, `2,000 faults`."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def several(count: int, thing: str, rest: str, first: str) -> str:
    """How many there are, and one of them: `1 tab that is hidden: X`."""
    return f"{many(count, thing)} {rest}" + (f": {first}" if count == 1 else f", the first {first}")


def by_place(faults: Iterable[Fault]) -> dict[str, list[Fault]]:
    """Faults by the place that they are about, in their order."""
    out: dict[str, list[Fault]] = {}
    for fault in faults:
        out.setdefault(fault.place, []).append(fault)
    return out


def merged(faults: Iterable[Fault]) -> list[Fault]:
    """One fault for each place and kind, and for each wrong rule or setting: the first, and how many more.

    A place with very many wrong formulas, each another, has one fault for all beyond the first few.
    """
    out: dict[tuple[str, ...], Fault] = {}
    rules: Counter[tuple[str, ...]] = Counter()
    for fault in faults:
        group: tuple[str, ...] = (fault.place, fault.tab, fault.kind)
        key: tuple[str, ...] = (*group, _rule(fault))
        if key not in out:
            rules[group] += 1
        if rules[group] > _RULES and key not in out:
            key = group
        first = out.get(key)
        out[key] = fault if first is None else first._replace(more=first.more + 1 + fault.more)
        if first and key == group:
            out[key] = out[key]._replace(cause=f"wrong in further ways: only {_RULES} of a place are told one by one")
    return list(out.values())


def _rule(fault: Fault) -> str:
    """What makes two faults of a place the same: of formulas the form that was found, whatever the cell."""
    if fault.kind is FaultKind.SETTING:
        return fault.found
    if fault.kind is FaultKind.FORMULA and fault.cell:
        return r1c1(fault.found, *parse_cell(fault.cell))
    return ""
