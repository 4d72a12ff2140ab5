"""What the Check tab says beside its numbers: a label and a sentence for each row, headings above each table."""

from __future__ import annotations

from collections.abc import Iterator

from sheetgpt.plan.checks import AT
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.cells import Cell, Kind, Style
from sheetgpt.sheet.layout import CHECK_COLUMNS, CHECK_WORDS, Range, Tab
from sheetgpt.sheet.lessons import Lesson

_MARKS = ("rows", "columns", "numbers", "sum", "squares", "in order")
_SINGLE = {f"{AT}.all": "All checks", f"{AT}.wrong": "Checks that fail", f"{AT}.limit": "Limit"}
_ROWS = {"weights": "Weights of {}", "law": "Laws of {}"}


def told(book: Blueprint, tab: Tab, words: Lesson) -> Iterator[Cell]:
    """The words around the places of the tab."""
    stages = book.card.stages.among(book.card.config)
    for band in tab.bands:
        box = book.layout.ranges[band.names[0]]
        _, *at, _ = box.name.split(".")
        if not at:
            yield from _line(box.row, _SINGLE[box.name], "" if box.name == f"{AT}.all" else words.meaning(box.name))
        elif len(at) == 1:
            if at[0] == stages[0]:
                yield from _headings(box, "Stage", "Light", "Wrong")
            yield from _line(box.row, at[0], _sizes(book, at[0]))
        else:
            yield from _table(book, box, at[0], at[1], words)


def _table(book: Blueprint, box: Range, stage: str, kind: str, words: Lesson) -> Iterator[Cell]:
    """The rows of a stage's laws, or of its weights."""
    yield from _headings(box, _ROWS[kind].format(stage), "Light", "Value")
    if kind == "weights":
        for start, whose in ((CHECK_COLUMNS["found"], "now"), (CHECK_COLUMNS["recorded"], "as recorded")):
            yield _text(box.row - 2, start, whose, Style.NAME)
            for c, mark in enumerate(_MARKS, start):
                yield _text(box.row - 1, c, mark, Style.RULER)
    names = rows_of(book, stage, kind)
    for r in range(box.rows):
        yield from _line(box.row + r, names[r], words.meaning(kind if kind == "weights" else names[r]))


def rows_of(book: Blueprint, stage: str, kind: str) -> list[str]:
    """What each row of a table is about: the names of laws, or of weights."""
    return book.plan.row_names.get(f"{AT}.{stage}.{kind}", [])


def _sizes(book: Blueprint, stage: str) -> str:
    laws, weights = (len(rows_of(book, stage, kind)) for kind in ("law", "weights"))
    return f"{laws} laws" + (f", {weights} matrices of weights" if weights else "")


def _headings(box: Range, *texts: str) -> Iterator[Cell]:
    for c, text in enumerate((*texts, "What is checked")):
        yield _text(box.row - 1, c, text, Style.HEADING)


def _line(row: int, label: str, words: str) -> Iterator[Cell]:
    yield _text(row, 0, label, Style.NAME)
    if words:
        yield _text(row, CHECK_WORDS, words, Style.NOTE)


def _text(row: int, col: int, text: str, style: Style) -> Cell:
    return Cell(row, col, Kind.TEXT, text, style)
