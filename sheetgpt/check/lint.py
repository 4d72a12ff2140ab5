"""Formulas and names that a workbook is better without, whoever made it: no plan is needed for this."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from openpyxl.utils import FORMULAE

from sheetgpt.check.faults import Fault, FaultKind, many
from sheetgpt.check.inspect import inspect_settings
from sheetgpt.check.places import Places
from sheetgpt.check.reports.words import further
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.a1 import parse_ref
from sheetgpt.sheet.book import AUTOMATIC, Book, Sheet
from sheetgpt.sheet.cells import Sheet as Page
from sheetgpt.sheet.classic import CLASSIC, calls_of, plain_name
from sheetgpt.sheet.grid import overlap
from sheetgpt.sheet.layout import Range

VOLATILE = frozenset({"CELL", "INDIRECT", "INFO", "NOW", "OFFSET", "RAND", "RANDARRAY", "RANDBETWEEN", "TODAY"})
_REACHING = frozenset(
    {"CALL", "DDE", "GOOGLEFINANCE", "IMAGE", "IMPORTDATA", "IMPORTFEED", "IMPORTHTML", "IMPORTRANGE", "IMPORTXML"}
    | {"REGISTER.ID", "RTD", "SQL.REQUEST", "STOCKHISTORY", "WEBSERVICE"}
)
KNOWN = frozenset(name.upper() for name in (*CLASSIC, *FORMULAE)) | VOLATILE  # to every spreadsheet program
_EXTERNAL = re.compile(r"\[[^\]]*\][^!\[\]]*!")
_MOVES = "an absolute reference: without $ it moves with the cell that uses it"
_SHOWN = 200  # characters of a formula
_MOST = 40  # remarks on one workbook


def lint(book: Book) -> list[Fault]:
    """Volatile and little known functions, what reaches outside the file, names that move or lead nowhere, settings.

    For each tab and reason one fault, at the first such cell.
    """
    found = [*inspect_settings(book), *_outside(book), *_names(book)]
    return found + [fault for sheet in book.sheets.values() for fault in _formulas(sheet)]


def unplanned_lint(book: Book, pages: Iterable[Page], places: Places, names: Collection[str]) -> Iterator[str]:
    """The same of what no plan knows: names beside the planned `names`, formulas where no page has a cell."""
    known, planned = {name.casefold() for name in names}, {page.tab.name: page for page in pages}
    found = [fault for fault in _names(book) if fault.place.casefold() not in known]
    for tab, sheet in book.sheets.items():
        found += _formulas(_strange(sheet, planned.get(tab), places.on(tab)))
    yield from map(remark, found[:_MOST])
    if len(found) > _MOST:
        yield f"{many(len(found) - _MOST, 'more remark')} of this sort on formulas and names"


def _strange(found: Sheet, page: Page | None, boxes: Sequence[Range]) -> Sheet:
    """The tab with only those formulas that begin where the plan has nothing."""
    areas = [box.area for box in (*boxes, *(mass.box for mass in (page.masses if page else ())))]
    known = {(cell.row, cell.col) for cell in page.cells} if page else set()
    others = ((at, formula) for at, formula in found.formulas.items() if at not in known)
    formulas = {at: formula for at, formula in others if not any(overlap(area, at + at) for area in areas)}
    return replace(found, formulas=formulas)


def remark(fault: Fault, tabs: int = 1) -> str:
    """What was found in one line; its further cells may stand on several tabs."""
    if fault.kind is FaultKind.NAME:
        return f"the name {fault.place[:60]} is {fault.found}: better {fault.wanted}"
    on = f" on {tabs} tabs" if tabs > 1 else ""
    there = f"{fault.tab}!{fault.cell} holds " if fault.cell else ""
    return f"{there}{fault.found}{further(fault)}{on}: better {fault.wanted}"


def _outside(book: Book) -> Iterator[Fault]:
    if book.calculates != AUTOMATIC:
        yield Fault(FaultKind.SETTING, "", "the workbook", "", f"calcMode={book.calculates[:20]}", "automatic")
    if book.has_macros:
        yield Fault(FaultKind.SETTING, "", "the workbook", "", "macros", "formulas alone")
    if book.has_external_links:
        yield Fault(FaultKind.SETTING, "", "the workbook", "", "links to other files or data", "one file")


def _names(book: Book) -> Iterator[Fault]:
    for name, ref in book.names.items():
        if wanted := _wanted(book, ref):
            yield Fault(FaultKind.NAME, name, "the workbook", "", ref[:_SHOWN], wanted)
    for (tab, name), ref in book.local_names.items():
        if book.reference(name) and book.reference(name) != ref:
            yield Fault(FaultKind.NAME, name, tab, "", f"on {tab} alone: {ref[:_SHOWN]}", "one meaning for one name")
        elif wanted := _wanted(book, ref):
            yield Fault(FaultKind.NAME, name, tab, "", f"on {tab} alone: {ref[:_SHOWN]}", wanted)


def _wanted(book: Book, ref: str) -> str:
    """What a name should be, empty if it is: one that holds a constant or a formula is left alone."""
    if "#REF!" in ref:
        return "a place that is there"
    if _EXTERNAL.search(ref):
        return "a place in this file"
    try:
        tab, _ = parse_ref(ref)
    except ValueError:
        moves = re.fullmatch(r"(?:'(?:[^']|'')+'|[\w.]+)!\$?[A-Za-z]{1,3}\$?[0-9]+(?::\$?[A-Za-z]{1,3}\$?[0-9]+)?", ref)
        return _MOVES if moves else next(_reasons(ref), "")
    return "" if tab.casefold() in {name.casefold() for name in book.tabs} else "a tab that is there"


def _formulas(sheet: Sheet) -> Iterator[Fault]:
    reasons: dict[str, Fault] = {}
    for at, formula in sorted(sheet.formulas.items()):
        for wanted in _reasons(formula.text):
            told = reasons.get(wanted)
            first = Fault(FaultKind.FORMULA, "", sheet.name, a1(*at), f"={formula.text[:_SHOWN]}", wanted)
            reasons[wanted] = told._replace(more=told.more + 1) if told else first
    yield from reasons.values()


def _reasons(text: str) -> Iterator[str]:
    for call in sorted({name.upper() for name in calls_of(text)}):
        bare = plain_name(call)
        if bare in _REACHING:
            yield f"no {bare}: it reaches outside the file"
        elif bare in VOLATILE:
            yield f"no {bare}: it is computed anew each time, whatever has changed"
        elif call not in KNOWN:
            yield f"no {bare}: not every spreadsheet program has it"
    if _EXTERNAL.search(text):
        yield "nothing from other files"
    if "#REF!" in text:
        yield "no #REF!: what it read is gone"
