"""Single cells as most tabs need them: texts, numbers, formulas and links."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from numpy.typing import NDArray

from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.blueprint import Blueprint, Planned
from sheetgpt.sheet.cells import Cell, Kind, Mass, Style, Value
from sheetgpt.sheet.layout import Range, Tab
from sheetgpt.sheet.lower import Formula
from sheetgpt.sheet.shared import shared


def text(row: int, col: int, words: str, style: Style = Style.NOTE) -> Cell:
    """A text as it is."""
    return Cell(row, col, Kind.TEXT, words, style)


def number(row: int, col: int, value: float, style: Style = Style.WHOLE) -> Cell:
    """A number as it is."""
    return Cell(row, col, Kind.NUMBER, float(value), style)


def formula(row: int, col: int, body: str, style: Style, value: Any) -> Cell:
    """A formula, without `=`, and what numpy says that it gives; None where nobody knows."""
    return Cell(row, col, Kind.FORMULA, body, style, value if value is None else plain(value))


def link(row: int, col: int, words: str, to: Tab, style: Style = Style.LINK, at: str = "A1") -> Cell:
    """Words that lead to a cell of a tab."""
    return Cell(row, col, Kind.LINK, words, style, target=to.name, at=at)


def given(row: int, col: int, value: Any, style: Style) -> Cell:
    """A text or a number that no formula computes."""
    return Cell(row, col, Kind.TEXT if isinstance(value, str) else Kind.NUMBER, plain(value), style)


def formula_shown(book: Planned, box: Range, longest: int) -> str:
    """The formulas that tell a place's rule, with the cells that they stand in."""
    if box.name in book.blank:
        return f"{a1(box.row, box.col)}: YOUR FORMULA (fill in the yellow cells)"
    return "    ".join(short(f"{a1(box.row + f.r, box.col + f.c)}: {f}", longest) for f in book.examples(box.name))


def short(code: str, longest: int) -> str:
    """A line that can be read; the whole formula stands in its cell, and `sheetgpt explain` tells both."""
    return code if len(code) <= longest else code[: longest - 2] + " …"


def computed(
    formulas: Iterable[Formula], box: Range, values: NDArray[Any], style: Style, *, known: bool = True
) -> Iterator[Cell | Mass]:
    """A formula for each cell of a place, or one array formula for all; what numpy says they give, if that is known."""
    cells = []
    for f in formulas:
        if f.area == (box.rows, box.cols) != (1, 1):
            yield Mass(box, partial(whole, values), style, f.text, known)
        else:
            kind = Kind.FORMULA if f.area is None else Kind.ARRAY
            cached = plain(values[f.r, f.c]) if known else None
            cells.append(Cell(box.row + f.r, box.col + f.c, kind, f.text, style, cached))
    yield from shared(cells)


def whole(values: NDArray[Any]) -> list[NDArray[Any]]:
    """A matrix as the one piece that it is."""
    return [values]


def plain(value: Any) -> Value:
    """A value of an array as a cell holds it."""
    return value if isinstance(value, str) else float(value)


def known(book: Blueprint, name: str, value: Any) -> Any:
    """The value of a place that some cell shows; None where it follows from what a student has to fill in."""
    return None if name in book.after_blank else value
