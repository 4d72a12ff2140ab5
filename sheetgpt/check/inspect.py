"""The text of a workbook against its plan: every formula, constant, label, name and tab, without computing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from sheetgpt.check.faults import Fault, FaultKind, several, shown
from sheetgpt.check.formula import canonical
from sheetgpt.check.places import Places
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.a1 import parse_ref
from sheetgpt.sheet.book import AUTOMATIC, Book
from sheetgpt.sheet.book import Sheet as Found
from sheetgpt.sheet.cells import COMPUTED, Cell, Kind, Sheet
from sheetgpt.sheet.grid import Area, cells, overlap


def inspect_names(book: Book, wanted: dict[str, str]) -> Iterator[Fault]:
    """Defined names that are missing, lead elsewhere than planned, or are hidden by a tab's own name."""
    planned = {name.casefold(): name for name in wanted}
    for (tab, name), ref in book.local_names.items():
        if name.casefold() in planned:
            there = f"on {tab} alone: {ref}"
            yield Fault(FaultKind.NAME, planned[name.casefold()], tab, "", there, "one name for the whole workbook")
    for name, ref in wanted.items():
        leads = book.reference(name)
        if _place(leads) != _place(ref):
            yield Fault(FaultKind.NAME, name, parse_ref(ref)[0], "", leads or "no such name", ref)


def _place(ref: str) -> tuple[str, tuple[int, int, int, int]] | None:
    """Tab and area that a reference fixes; None if it does not."""
    try:
        tab, area = parse_ref(ref)
    except ValueError:
        return None
    return tab.casefold(), area


def inspect_tabs(book: Book, sheets: Iterable[Sheet]) -> Iterator[Fault]:
    """Tabs that are missing."""
    for sheet in sheets:
        if sheet.tab.name not in book.sheets:
            yield Fault(FaultKind.TAB, "", sheet.tab.name, "", "no such tab", sheet.tab.name)


def inspect_settings(book: Book) -> Iterator[Fault]:
    """Settings that make a spreadsheet compute otherwise: rounding to what is shown, circles, another calendar."""
    for setting in sorted(book.settings):
        yield Fault(FaultKind.SETTING, "", "the workbook", "", setting, "not set")


def unplanned(book: Book, tabs: list[str], names: dict[str, str]) -> Iterator[str]:
    """What stands in a workbook, or is hidden there, though the plan knows nothing of it."""
    planned = {name.casefold() for name in names}
    strange = [name for name in book.names if name.casefold() not in planned]
    strange += [name for _, name in book.local_names if name.casefold() not in planned]
    if strange:
        yield _told(strange, "defined name", "that the plan does not know")
    if others := [tab for tab in book.tabs if tab not in tabs]:
        yield _told(others, "tab", "that the plan does not know")
    if book.charts:
        yield _told(book.charts, "tab", "without cells, for a chart or the like")
    if [tab for tab in book.tabs if tab in tabs] != [tab for tab in tabs if tab in book.tabs]:
        yield "the tabs stand in another order"
    if book.hidden:
        yield _told(sorted(book.hidden), "tab", "that is hidden" if len(book.hidden) == 1 else "that are hidden")
    if book.calculates != AUTOMATIC:
        yield f"calcMode={book.calculates[:20]}: spreadsheets compute this file only when asked and may show old values"
    if book.has_macros:
        yield "the file has macros, which sheetgpt never writes"
    if book.has_external_links:
        yield "the file leads to other files or data, which sheetgpt never does"


def _told(names: Sequence[str], thing: str, rest: str) -> str:
    return several(len(names), thing, rest, names[0][:60])


def inspect_cells(book: Book, sheet: Sheet, places: Places) -> Iterator[Fault]:
    """Formulas and constants of one tab that are not what the plan lowers to."""
    found = book.sheets[sheet.tab.name]
    yield from _inspect_strange(found, sheet, places)
    for cell in (cell for cell in sheet.cells if cell.kind is not Kind.BLANK):
        computed = cell.kind in COMPUTED
        area = (cell.row, cell.col) * 2 if cell.kind is Kind.ARRAY else None
        fault = _inspect_formula(found, cell.row, cell.col, str(cell.body), area) if computed else _inspect(found, cell)
        if fault:
            yield _fault(*fault, sheet, places, cell.row, cell.col, str(cell.body) if computed else "")
    yield from _inspect_rulers(found, sheet, places)
    for box, text in ((mass.box, mass.formula) for mass in sheet.masses if mass.formula):
        if fault := _inspect_formula(found, box.row, box.col, text, box.area):
            yield _fault(*fault, sheet, places, box.row, box.col, text)


def _fault(
    kind: FaultKind, was: str, wanted: str, sheet: Sheet, places: Places, row: int, col: int, formula: str = ""
) -> Fault:
    tab = sheet.tab.name
    return Fault(kind, places.at(tab, row, col), tab, a1(row, col), was, wanted, formula=formula)


def _inspect_strange(found: Found, sheet: Sheet, places: Places) -> Iterator[Fault]:
    """Cells that a formula computes where the plan has a constant, or a part of an array formula."""
    arrays = [mass.box.area for mass in sheet.masses if mass.formula]
    free = {*COMPUTED, Kind.BLANK}  # where formulas may stand
    starts = {(c.row, c.col) for c in sheet.cells if c.kind in free} | {area[:2] for area in arrays}
    planned = {(c.row, c.col) for c in sheet.cells}
    plain = [mass.box.area for mass in sheet.masses if not mass.formula]
    for at, formula in found.formulas.items():
        area = formula.area or at + at
        if at in starts and (area == at + at or area in arrays):
            continue
        for cell in cells(area):
            inside = any(overlap(array, cell + cell) for array in arrays)
            text = f"={formula.text}" if cell == at else "part of an array formula"
            constant = cell in planned or any(overlap(area, cell + cell) for area in plain)
            if inside and cell == at and cell not in starts:
                yield _fault(FaultKind.FORMULA, text, "part of the array formula above it", sheet, places, *cell)
            elif cell not in starts and not inside and (constant or places.at(sheet.tab.name, *cell)):
                yield _fault(FaultKind.FORMULA, text, "a constant", sheet, places, *cell)


def _inspect_rulers(found: Found, sheet: Sheet, places: Places) -> Iterator[Fault]:
    """Numbers that belong to no place and are not those planned."""
    for mass in (mass for mass in sheet.masses if not mass.box.name):
        wanted = np.concatenate(list(mass.rows()))
        for r, c in np.argwhere(found.values.numbers(mass.box.area) != wanted).tolist():
            row, col = mass.box.row + r, mass.box.col + c
            was = found.values.get((row, col))
            yield _fault(FaultKind.INPUT, shown(was), shown(float(wanted[r, c])), sheet, places, row, col)


def _inspect(found: Found, cell: Cell) -> tuple[FaultKind, str, str] | None:
    if (cell.row, cell.col) in found.formulas:
        return None  # which is told already
    value = found.values.get((cell.row, cell.col), "" if cell.body == "" else None)  # cleared: an empty text
    if value == cell.body and type(value) is type(cell.body):
        return None
    kind = FaultKind.TEXT if isinstance(cell.body, str) else FaultKind.INPUT
    return kind, shown(value), shown(cell.body)


def _inspect_formula(
    found: Found, row: int, col: int, text: str, area: Area | None
) -> tuple[FaultKind, str, str] | None:
    """What is wrong with the formula of a cell; `area` is that of an array formula."""
    there = found.formulas.get((row, col))
    if there is None:
        return FaultKind.CONSTANT, shown(found.values.get((row, col))), f"={text}"
    if there.text != text and canonical(there.text) != canonical(text):
        return FaultKind.FORMULA, f"={there.text}", f"={text}"
    if there.area != area:
        return FaultKind.FORMULA, f"entered over {_said(there.area)}", f"entered over {_said(area)}"
    return None


def _said(area: Area | None) -> str:
    return f"{a1(*area[:2])}:{a1(*area[2:])}" if area else "one cell"
