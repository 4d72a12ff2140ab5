"""Single cells as most tabs need them: texts, numbers, formulas and links."""

from __future__ import annotations

from typing import Any

from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.cells import Cell, Kind, Style, Value
from sheetgpt.sheet.layout import Tab


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


def plain(value: Any) -> Value:
    """A value of an array as a cell holds it."""
    return value if isinstance(value, str) else float(value)


def known(book: Blueprint, name: str, value: Any) -> Any:
    """The value of a place that some cell shows; None where it follows from what a student has to fill in."""
    return None if name in book.after_blank else value
