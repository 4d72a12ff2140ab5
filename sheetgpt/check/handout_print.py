"""The same handout as a workbook to be printed, a sheet of one page for each tab: LibreOffice makes a PDF of it.

Calc alone can do that, and lets a sheet be printed on one page however long it is. Nothing in it is a formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import xlsxwriter

from sheetgpt.check.handout import cut, short, warmth
from sheetgpt.check.reports.words import brief, verdict
from sheetgpt.check.tour import Item, Part, Step, Table, Told, Tour
from sheetgpt.check.tour_report import alike, beside, computed_by, faults_of, standing, title
from sheetgpt.errors import visible

_COLUMNS, _NARROW, _LABEL = 24, 4.7, 12  # of the grid; their width, and that of the labels, in characters
_WIDE, _LARGE, _CODE, _FORMULA = 145, 130, 110, 240  # characters of a line: of print in three sizes, of a formula
_TITLE_HEIGHT, _LARGE_HEIGHT = 26, 17  # points
_LOOKS: dict[str, dict[str, object]] = {
    "where": {"font_color": "#5D6B7C"},
    "title": {"bold": True, "font_size": 18},
    "what": {"font_size": 12},
    "why": {"font_size": 12, "italic": True, "font_color": "#404A56"},
    "words": {"font_size": 12, "bg_color": "#FFF7EC"},
    "try": {"font_size": 12, "bg_color": "#F1F8EC"},
    "name": {"bold": True, "font_color": "#1F3864"},
    "note": {},
    "code": {"font_name": "Courier New", "font_color": "#375623"},
    "wrong": {"bold": True, "font_color": "#B3142B"},
    "head": {"font_color": "#5D6B7C", "align": "right", "bottom": 1},
    "label": {"font_color": "#1F3864", "align": "right"},
    "value": {"align": "right", "border": 1, "border_color": "#E3E8ED"},
    "text": {"border": 1, "border_color": "#E3E8ED"},
    "numpy": {"align": "right", "font_color": "#5D6B7C"},
    "off": {"align": "right", "bold": True, "bg_color": "#FBE3E6", "font_color": "#B3142B", "border": 1},
}


def write_pages(tour: Tour, path: Path) -> None:
    """Write the handout to be printed."""
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        looks = _Looks(book)
        for tab in tour.tabs:
            step = tour.step(tab)
            _Page(book.add_worksheet(f"page {step.number}"), looks).write(tour, step)


class _Looks:
    """Formats of one workbook, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._made: dict[tuple[str, tuple[int, ...] | None], Any] = {}

    def __call__(self, look: str, colour: tuple[int, ...] | None = None) -> Any:
        if (look, colour) not in self._made:
            warm = {"bg_color": "#" + "".join(f"{c:02X}" for c in colour)} if colour else {}
            self._made[look, colour] = self._book.add_format({**_LOOKS[look], **warm})
        return self._made[look, colour]


class _Page:
    """One sheet, written from the top downwards."""

    def __init__(self, sheet: Any, looks: _Looks) -> None:
        self._sheet, self._looks, self._row = sheet, looks, 0
        sheet.set_column(0, 0, _LABEL)
        sheet.set_column(1, _COLUMNS, _NARROW)
        sheet.set_paper(9)
        sheet.set_margins(0.4, 0.4, 0.4, 0.4)
        sheet.hide_gridlines(2)

    def write(self, tour: Tour, step: Step) -> None:
        """All of a tab."""
        lesson, report = step.lesson, tour.report
        where = f"{step.tab.name}, {step.number} of {len(tour.tabs)}   {report.model}, {report.prompt}"
        self._lines(where, "where", _WIDE)
        self._lines(title(step), "title", 80)
        self._lines(lesson.what, "what", _LARGE)
        self._lines(lesson.why, "why", _LARGE)
        if step.number == 1:
            self._lines(
                f"{verdict(report)}. {computed_by(report)}", "wrong" if report.exit_code == 1 else "name", _WIDE
            )
        if lesson.words:
            self._lines(f"In words: {lesson.words}", "words", _LARGE)
        for each in lesson.tries:
            self._lines(f"Try: {each.do} You see: {each.see}", "try", _LARGE)
        for part in step.parts:
            self._row += 1
            self._part(tour, part)
        for row in step.texts:
            self._text_row(row)
        self._sheet.print_area(0, 0, max(self._row, 1), _COLUMNS)
        self._sheet.fit_to_pages(1, 1)

    def _lines(self, text: str, look: str, width: int) -> None:
        height = {"title": _TITLE_HEIGHT, "what": _LARGE_HEIGHT, "why": _LARGE_HEIGHT}.get(look)
        for line in wrap(visible(text), width):
            self._sheet.set_row(self._row, height)
            self._put(0, line, look)
            self._row += 1

    def _put(self, col: int, text: str, look: str, span: int = 1, colour: tuple[int, ...] | None = None) -> None:
        shown, made = visible(text), self._looks(look, colour)
        if span > 1:
            self._sheet.merge_range(self._row, col, self._row, col + span - 1, "", made)
        self._sheet.write_string(self._row, col, shown, made)

    def _part(self, tour: Tour, part: Part) -> None:
        for place in part.places:
            self._place(tour, place)
        pairs = [part.tables[i : i + 2] for i in range(0, len(part.tables), 2)]
        if part.tables and all(table.looks and sum(_spans(table)) <= _COLUMNS // 2 - 2 for table in part.tables):
            for pair in pairs:
                self._side_by_side(pair)
        else:
            for table in part.tables:
                self._caption(table, 0, named=len(part.tables) > 1)
                self._table(table, 0)
        if part.alike:
            self._lines(alike(part.alike), "where", _WIDE)

    def _place(self, tour: Tour, place: Told) -> None:
        shape = f"[{place.shape[0]} x {place.shape[1]}]"
        self._lines(f"{place.name} {shape}  {place.meaning}", "name", _WIDE - 20)
        for formula in place.formulas:
            self._lines(cut(visible(formula), _FORMULA), "code", _CODE)
        self._lines(f"{standing(tour, place)}, at {place.at}", "where", _WIDE)
        for name, at, meaning in place.views:
            self._lines(f"{name}, {at}: {meaning}", "note", _WIDE)
        for fault in faults_of(tour, place.name):
            self._lines(brief(fault), "wrong", _WIDE)

    def _side_by_side(self, tables: Sequence[Table]) -> None:
        top, bottom = self._row, self._row
        for table, col in zip(tables, (0, _COLUMNS // 2), strict=False):
            self._row = top
            self._caption(table, col, named=True)
            self._table(table, col)
            bottom = max(bottom, self._row)
        self._row = bottom

    def _caption(self, table: Table, col: int, *, named: bool) -> None:
        if named and table.title:
            self._put(col, table.title, "where")
            self._row += 1

    def _table(self, table: Table, left: int) -> None:
        """A row of the sheet's values, numpy's below it, in as many pieces as the page is too narrow for."""
        first = left + (1 if left == 0 else 2)
        for columns in self._pieces(table, first):
            for c, (at, span) in columns.items():
                self._put(at, cut(table.head[c], 5 * span), "head", span)
            self._row += 1
            for label, row in table.rows:
                self._put(left, cut(label, 14), "label", first - left)
                for c, (at, span) in columns.items():
                    self._item(at, row[c], span, table)
                self._row += 1
                if beside(table, row):
                    self._put(left, "numpy", "numpy", first - left)
                    for c, (at, span) in columns.items():
                        wanted = "" if row[c].wanted is None else short(row[c].wanted, row[c], table)
                        self._put(at, wanted, "numpy", span)
                    self._row += 1

    def _pieces(self, table: Table, first: int) -> Iterator[dict[int, tuple[int, int]]]:
        """Columns of a table that stand side by side: where in the grid each begins, and how wide it is."""
        piece: dict[int, tuple[int, int]] = {}
        at = first
        for c, span in enumerate(_spans(table)):
            if piece and at + span > _COLUMNS + 1:
                yield piece
                piece, at = {}, first
            piece[c] = at, span
            at += span
        yield piece

    def _item(self, col: int, item: Item, span: int, table: Table) -> None:
        look = "off" if item.off else "text" if isinstance(item.found, str) else "value"
        self._put(col, short(item.found, item, table), look, span, warmth(item))

    def _text_row(self, row: Sequence[str]) -> None:
        at = 0
        for i, text in enumerate(row):
            self._put(at, cut(visible(text), 100 if i else 24), "note")
            at += 1 + (max(len(cut(text, 100)), 10) // 5 if i else 2)
            if at > _COLUMNS:
                break
        self._row += 1


def _spans(table: Table) -> list[int]:
    """How many columns of the grid each column needs; those of numbers all alike."""
    widths = [max(_width(row[c], table) for _, row in table.rows) for c in range(len(table.head))]
    if not table.looks:
        widths = [max(width, len(name)) for width, name in zip(widths, table.head, strict=True)]
    if all(isinstance(item.found, float) for _, row in table.rows for item in row):
        widths = [max(widths)] * len(widths)
    return [1 if width <= 4 else 2 if width <= 9 else 3 if width <= 15 else 5 for width in widths]


def _width(item: Item, table: Table) -> int:
    return max(len(short(value, item, table)) for value in (item.found, item.wanted))
