"""A value typed into a workbook, and every formula computed anew: what a spreadsheet does, from the command line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from sheetgpt.engines import get
from sheetgpt.errors import SheetGPTError
from sheetgpt.models.prompt import MAX_TEXT
from sheetgpt.sheet.a1 import parse_ref
from sheetgpt.sheet.blueprint import CARD_NAME
from sheetgpt.sheet.book import Book
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.grid import Area, Value
from sheetgpt.sheet.readback import read
from sheetgpt.sheet.sheetxml import number
from sheetgpt.sheet.xlsx import whole_file

TOLD = ("prompt.text", "next.text", "prompt.problem")  # names whose cells are worth a line

Typed = dict[str, dict[tuple[int, int], Value]]


class Recalculated(NamedTuple):
    """What was computed, and by whom."""

    engine: str  # name and version
    cells: int  # that formulas compute
    told: dict[str, Value]  # of the names `TOLD` that the workbook has: what their cells hold


def recalc(path: Path, settings: Mapping[str, str], out: Path, engine: str) -> Recalculated:
    """Write to `out` the workbook `path` with other values in given cells and every formula computed by `engine`.

    `settings`: defined name -> what is typed into its cell. Only those cells and what formulas remember differ from
    `path`, which may be `out`. Raises `SheetGPTError` for a name that is no cell to type into or a value that does
    not fit it, and `WorkbookError`, `EngineError` and `OutputError` as their names say; then nothing is written.
    """
    program = get(engine)
    with whole_file(out) as temporary:
        book = _opened(path, [*settings, *TOLD])
        typed = _typed(book, settings)
        with tempfile.TemporaryDirectory(prefix="sheetgpt-") as folder:
            copy = Path(folder, path.name)
            edit(path, copy, typed, {})
            computed = program.recalculate(copy)
        with temporary.open("wb") as file:
            edit(path, file, typed, computed)
    stands = {tab: {**s.values, **typed.get(tab, {}), **computed.get(tab, {})} for tab, s in book.sheets.items()}
    told = {name: stands[tab].get(cell) for name, (tab, cell) in _places(book, TOLD).items()}
    return Recalculated(f"{program.name} {program.version()}", sum(map(len, computed.values())), told)


def _opened(path: Path, names: Iterable[str]) -> Book:
    """The workbook with those tabs that the names' cells stand on."""
    book = read(path, ())
    return read(path, {tab for tab, _ in _places(book, names).values()})


def _places(book: Book, names: Iterable[str]) -> dict[str, tuple[str, tuple[int, int]]]:
    """Tab and cell of those names that are one cell."""
    found = {name: _cell(book, name) for name in names}
    return {name: place for name, place in found.items() if place}


def _cell(book: Book, name: str) -> tuple[str, tuple[int, int]] | None:
    """Tab and cell that a defined name is; None if it is not one cell."""
    try:
        tab, area = parse_ref(book.reference(name))
    except ValueError:
        return None
    known = {other.casefold(): other for other in book.tabs}
    if area[:2] != area[2:] or tab.casefold() not in known:
        return None
    return known[tab.casefold()], area[:2]


def _typed(book: Book, settings: Mapping[str, str]) -> Typed:
    """What is typed where; raises `SheetGPTError`."""
    typed: Typed = {}
    for name, text in settings.items():
        tab, cell = _constant(book, name)
        held = book.sheets[tab].values.get(cell)
        typed.setdefault(tab, {})[cell] = (
            _number(name, text) if isinstance(held, float) and not _is_prompt(name) else _text(name, text)
        )
    return typed


def _is_prompt(name: str) -> bool:
    """Whether a name is the prompt, which is text whatever somebody has put there."""
    return name.casefold() == "prompt.text"


def _constant(book: Book, name: str) -> tuple[str, tuple[int, int]]:
    """Tab and cell that a name is, if one can type into it."""
    hint = "; a prompt is typed into prompt.text" if book.reference("prompt.text") else ""
    if not book.reference(name):
        raise SheetGPTError(f"the workbook has no place called {name}{hint}")
    place = _cell(book, name)
    if name.casefold() == CARD_NAME:
        raise SheetGPTError(f"{name} says what the workbook is and cannot be typed over{hint}")
    if place is None:
        raise SheetGPTError(f"{name} is not one cell but {book.reference(name)}{hint}")
    tab, cell = place
    if any(_within(cell, area) for area in book.sheets[tab].areas()):
        raise SheetGPTError(f"{name} is computed by a formula{hint}")
    return place


def _within(cell: tuple[int, int], area: Area) -> bool:
    return area[0] <= cell[0] <= area[2] and area[1] <= cell[1] <= area[3]


def _number(name: str, text: str) -> float:
    try:
        return number(text)
    except ValueError:
        raise SheetGPTError(f"{name} holds a number, and {text[:40]!r} is not one") from None


def _text(name: str, text: str) -> str | None:
    """Text as a cell holds it; where nothing is typed the cell is empty."""
    try:
        units = len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise SheetGPTError(f"{name}: the text is not valid Unicode") from None
    if units > MAX_TEXT:
        raise SheetGPTError(f"{name}: a cell takes {MAX_TEXT:,} characters, not {units:,}")
    return text or None
