"""Formulas by their form: what is copied down or across has one form, whoever wrote it. No plan is needed for this.

A form is the formula in R1C1: `=B6+C$1` in D6 is `RC[-2]+R1C[-1]`. A cell that differs from equal neighbours on both
sides is suspicious.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from sheetgpt.check.faults import Fault, FaultKind, shown
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.book import Book, Formula, Sheet
from sheetgpt.sheet.grid import Area, At
from sheetgpt.sheet.r1c1 import r1c1

_LEAST = 3  # equal neighbours, on both sides together, that make a cell between them suspicious


class Region(NamedTuple):
    """Cells side by side whose formulas have one form."""

    tab: str
    area: Area
    form: str


def fingerprints(book: Book) -> list[Region]:
    """The regions of all tabs, by rows. An array formula is a region of its own."""
    return [region for sheet in book.sheets.values() for region in _regions(sheet)]


def _forms(sheet: Sheet) -> dict[At, str]:
    """The form of every formula of a tab that is no array of many cells."""
    plain = ((at, f) for at, f in sheet.formulas.items() if f.area is None or f.area[:2] == f.area[2:])
    return {at: _form(f, at) for at, f in plain}


def _form(formula: Formula, at: At) -> str:
    form = r1c1(formula.text, *at)
    return f"{{{form}}}" if formula.area else form


def _regions(sheet: Sheet) -> Iterator[Region]:
    """Runs along rows, joined where those of the next row are the same."""
    forms = _forms(sheet)
    open_: dict[tuple[int, int, str], Region] = {}
    for row, line in groupby(sorted(forms), key=lambda at: at[0]):
        kept: dict[tuple[int, int, str], Region] = {}
        for first, last, form in _runs(row, [col for _, col in line], forms):
            above = open_.get((first, last, form))
            top = above.area[0] if above and above.area[2] == row - 1 else row
            kept[first, last, form] = Region(sheet.name, (top, first, row, last), form)
        yield from (region for key, region in open_.items() if key not in kept or kept[key].area[0] != region.area[0])
        open_ = kept
    yield from open_.values()
    arrays = ((at, f) for at, f in sheet.formulas.items() if f.area and f.area[:2] != f.area[2:])
    yield from (Region(sheet.name, f.area or at + at, _form(f, at)) for at, f in arrays)


def _runs(row: int, cols: list[int], forms: Mapping[At, str]) -> Iterator[tuple[int, int, str]]:
    """First and last column of cells of one form that touch."""
    start = 0
    for i in range(1, len(cols) + 1):
        ends = i == len(cols) or cols[i] != cols[i - 1] + 1 or forms[row, cols[i]] != forms[row, cols[i - 1]]
        if ends:
            yield cols[start], cols[i - 1], forms[row, cols[start]]
            start = i


# ---- one among its neighbours ------------------------------------------------------------------------


def lone(book: Book) -> list[Fault]:
    """Cells, with another formula or with none, between neighbours that all have one form."""
    return [fault for sheet in book.sheets.values() for fault in _lone(sheet)]


def alone(sheet: Sheet, at: At) -> str:
    """How one cell differs from its neighbours, if it does."""
    steps = range(-_LEAST - 1, _LEAST + 2)
    near = ((at[0] + down * n, at[1] + (not down) * n) for n in steps for down in (True, False))
    cross = Sheet(sheet.name, sheet.values, {cell: sheet.formulas[cell] for cell in near if cell in sheet.formulas})
    return next((fault.cause for fault in _lone(cross) if fault.cell == a1(*at)), "")


def _lone(sheet: Sheet) -> Iterator[Fault]:
    forms = _forms(sheet)
    seen: set[At] = set()
    for down, across in ((1, 0), (0, 1)):
        for at, form in forms.items():
            between, after = (at[0] + down, at[1] + across), (at[0] + 2 * down, at[1] + 2 * across)
            if forms.get(after) != form or forms.get(between) == form or between in seen:
                continue
            if not any(letter.isalpha() for letter in form):  # `=0` reads nothing: it is no rule that is copied
                continue
            if not _stands(sheet, between) or _count(forms, at, after, (down, across)) < _LEAST:
                continue
            seen.add(between)
            yield _odd(sheet, between, at, "above and below" if down else "left and right")


def _stands(sheet: Sheet, at: At) -> bool:
    """Whether a cell holds a formula of its own or a number: text between formulas is a heading."""
    return at in sheet.formulas or isinstance(sheet.values.get(at), float)


def _count(forms: Mapping[At, str], before: At, after: At, step: At) -> int:
    """How many cells on both sides have the form, as far as it matters."""
    n = 0
    for at, sign in ((before, -1), (after, 1)):
        for i in range(_LEAST):
            if forms.get((at[0] + sign * i * step[0], at[1] + sign * i * step[1])) != forms[before]:
                break
            n += 1
    return n


def _odd(sheet: Sheet, at: At, neighbour: At, where: str) -> Fault:
    formula, theirs = sheet.formulas.get(at), sheet.formulas[neighbour].text
    wanted = f"the form of {a1(*neighbour)}, ={theirs}"
    kind = FaultKind.FORMULA if formula else FaultKind.CONSTANT
    found = f"={formula.text}" if formula else shown(sheet.values.get(at))
    cause = f"differs from its neighbours {where}"
    return Fault(kind, "", sheet.name, a1(*at), found, wanted, cause=cause)
