"""The text of a workbook against its plan: every formula, constant, label, name and tab, without computing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from openpyxl.formula import Tokenizer as FormulaTokenizer
from openpyxl.formula.tokenizer import Token, TokenizerError

from sheetgpt.check.faults import Fault, FaultKind, shown
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.a1 import parse_ref, tab_ref
from sheetgpt.sheet.book import Book
from sheetgpt.sheet.book import Sheet as Found
from sheetgpt.sheet.cells import COMPUTED, Cell, Kind, Sheet

Places = dict[tuple[str, int, int], str]  # tab, row, column -> place


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
        yield f"{len(strange):,} defined names that the plan does not know, the first {strange[0][:60]}"
    if others := [tab for tab in book.tabs if tab not in tabs]:
        yield f"{len(others):,} tabs that the plan does not know, the first {others[0]}"
    if [tab for tab in book.tabs if tab in tabs] != [tab for tab in tabs if tab in book.tabs]:
        yield "the tabs stand in another order"
    if book.hidden:
        yield f"{len(book.hidden):,} tabs are hidden, among them {min(book.hidden)}"
    if book.has_macros or book.has_external_links:
        yield "the file has macros or leads to other files, which sheetgpt never writes"


def inspect_cells(book: Book, sheet: Sheet, places: Places) -> Iterator[Fault]:
    """Formulas and constants of one tab that are not what the plan lowers to."""
    found = book.sheets[sheet.tab.name]
    yield from _inspect_constants(found, sheet, places)
    for cell in sheet.cells:
        if fault := _inspect(found, cell):
            kind, was, wanted = fault
            place = places.get((sheet.tab.name, cell.row, cell.col), "")
            formula = str(cell.body) if cell.kind in (Kind.FORMULA, Kind.ARRAY) else ""
            yield Fault(kind, place, sheet.tab.name, a1(cell.row, cell.col), was, wanted, formula=formula)


def _inspect_constants(found: Found, sheet: Sheet, places: Places) -> Iterator[Fault]:
    """Cells that a formula computes where the plan has a constant: text, a number, an entry of a matrix."""
    planned = {(cell.row, cell.col): cell.kind for cell in sheet.cells}
    for at in sorted(cell for cell in found.formula_cells() if planned.get(cell) not in COMPUTED):
        place = places.get((sheet.tab.name, *at), "")
        if at in planned or place:
            there = found.formulas.get(at)
            formula = f"={there.text}" if there else "part of an array formula"
            yield Fault(FaultKind.FORMULA, place, sheet.tab.name, a1(*at), formula, "a constant")


def _inspect(found: Found, cell: Cell) -> tuple[FaultKind, str, str] | None:
    at = (cell.row, cell.col)
    if cell.kind is Kind.SPILL:
        there = found.formulas.get(at)
        return (FaultKind.FORMULA, f"={there.text}", "part of the array formula above it") if there else None
    if cell.kind in (Kind.FORMULA, Kind.ARRAY):
        return _inspect_formula(found, cell)
    value = found.values.get(at, "" if cell.body == "" else None)  # a cell that was cleared is an empty text
    if value == cell.body and type(value) is type(cell.body):
        return None
    kind = FaultKind.TEXT if isinstance(cell.body, str) else FaultKind.INPUT
    return kind, shown(value), shown(cell.body)


def _inspect_formula(found: Found, cell: Cell) -> tuple[FaultKind, str, str] | None:
    at, wanted = (cell.row, cell.col), f"={cell.body}"
    there = found.formulas.get(at)
    if there is None:
        return FaultKind.CONSTANT, shown(found.values.get(at)), wanted
    if there.text != cell.body and canonical(there.text) != canonical(str(cell.body)):
        return FaultKind.FORMULA, f"={there.text}", wanted
    rows, cols = cell.area or (1, 1)
    area = (cell.row, cell.col, cell.row + rows - 1, cell.col + cols - 1)
    if (there.area is None) != (cell.area is None) or there.area not in (None, area):
        over = "one cell" if there.area is None else f"{a1(*there.area[:2])}:{a1(*there.area[2:])}"
        return FaultKind.FORMULA, f"entered over {over}", f"entered over {a1(*area[:2])}:{a1(*area[2:])}"
    return None


@cache
def canonical(formula: str) -> tuple[str, ...]:
    """A formula's tokens in one spelling: programs differ in spaces, capitals, quotes, and how they write numbers."""
    try:
        tokens = FormulaTokenizer("=" + formula).items
    except TokenizerError:
        return (formula,)  # not a formula: like nothing but itself
    return tuple(_spelling(t) for t in tokens if t.type != Token.WSPACE)


def _spelling(token: Token) -> str:
    if token.subtype == Token.NUMBER:
        return f"{float(token.value):.15g}"  # LibreOffice saves 15 digits; the values are compared apart
    if token.subtype == Token.TEXT:
        return str(token.value)
    tab, sign, rest = token.value.rpartition("!")
    return (
        (tab_ref(tab.strip("'").replace("''", "'")) + sign + rest).casefold() if sign else str(token.value).casefold()
    )
