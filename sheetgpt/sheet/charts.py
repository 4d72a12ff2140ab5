"""Pictures of cells: which tab shows which."""

from __future__ import annotations

from collections.abc import Iterator

from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.cells import Chart, Series
from sheetgpt.sheet.layout import Tab


def charts_of(book: Blueprint, tab: Tab) -> Iterator[Chart]:
    """The charts of a tab."""
    ranges = book.layout.ranges
    if tab.lesson == "next":
        series = Series("probability", ranges["top.prob"], ranges["top.text"])
        right = ranges["top.prob"].col + 4
        yield Chart("bar", "The most likely next tokens", (series,), ranges["top.prob"].row, right)
