"""The Parameters tab: how many numbers each stage and each matrix has, which are learned, and what is given instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sheetgpt.plan.checks import AT
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.atoms import formula, number, text
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.cells import Cell, Kind, Style
from sheetgpt.sheet.contents import kind_of
from sheetgpt.sheet.head import ParameterFact
from sheetgpt.sheet.layout import SHORT_HEAD, Tab
from sheetgpt.sheet.lessons import Lesson

NAME, ROWS, COLUMNS, NUMBERS, SHARE, STAGE, LEARNED, FILE, FILE_SHA256, NUMBERS_SHA256 = range(10)
_HEADINGS = ("Matrix", "Rows", "Columns", "Numbers", "Share", "Stage", "Learned?")
_SOURCE = ("File", "SHA-256 of the file", "SHA-256 of the numbers")


class _Rows(NamedTuple):
    """Where the tables begin, their headings included."""

    stages: int
    matrices: int
    given: int


def first_fact(book: Blueprint) -> int:
    """The row of the first matrix."""
    return _rows(book).matrices + 1


def parameters(book: Blueprint, facts: list[ParameterFact], words: Callable[[Tab], Lesson]) -> Iterator[Cell]:
    """What stands below the head: in all and by stage, by matrix, and what is not learned."""
    rows = _rows(book)
    last = rows.matrices + len(facts)
    numbers, stages = (f"{c}${rows.matrices + 2}:{c}${last + 1}" for c in ("D", "F"))
    yield from _stages(book, rows.stages, numbers, stages)
    yield from _headings(rows.matrices, (*_HEADINGS, *_SOURCE))
    for row, fact in enumerate(facts, rows.matrices + 1):
        yield from _matrix(book, row, fact)
    yield from _given(book, rows.given, words)


def _rows(book: Blueprint) -> _Rows:
    stages = book.card.stages.among(book.card.config)
    matrices = SHORT_HEAD + len(stages) + 3
    return _Rows(SHORT_HEAD, matrices, matrices + len(book.plan.parameters) + 2)


def _headings(row: int, words: tuple[str, ...]) -> Iterator[Cell]:
    styles = dict.fromkeys((ROWS, COLUMNS, NUMBERS, SHARE), Style.COLUMN)
    return (text(row, col, word, styles.get(col, Style.HEADING)) for col, word in enumerate(words))


def _stages(book: Blueprint, row: int, numbers: str, stages: str) -> Iterator[Cell]:
    """The sum of all, and below it those of the stages, which are parts of it."""
    yield from _headings(row, ("Stage", "", "", "Numbers", "Share"))
    total, counts = float(book.card.n_weights), _by_stage(book)
    for r, (stage, count) in enumerate(counts.items(), row + 2):
        yield text(r, NAME, stage, Style.NAME)
        yield formula(r, NUMBERS, f"SUMIF({stages},A{r + 1},{numbers})", Style.COUNT, count)
        yield formula(r, SHARE, f"D{r + 1}/D${row + 2}", Style.SHARE, count / total)
    yield text(row + 1, NAME, "All", Style.HEADING)
    yield formula(row + 1, NUMBERS, f"SUM({numbers})", Style.TOTAL, total)
    yield formula(row + 1, SHARE, f"SUM(E{row + 3}:E{row + 2 + len(counts)})", Style.SHARE, 1.0)


def _by_stage(book: Blueprint) -> dict[str, int]:
    """Learned numbers of each stage."""
    counts = dict.fromkeys(book.card.stages.among(book.card.config), 0)
    shapes = book.card.config.shapes()
    for name in book.plan.parameters:
        counts[_stage_of(book, name)] += shapes[name][0] * shapes[name][1]
    return counts


def _stage_of(book: Blueprint, name: str) -> str:
    """The stage that reads a matrix, the first where two do."""
    by_name = {"wpe": "embed", "wte": "embed" if "embed" in book.card.stages else "logits", "lm_head.w": "logits"}
    return by_name.get(name) or name.partition(".")[0]


def _matrix(book: Blueprint, row: int, fact: ParameterFact) -> Iterator[Cell]:
    rows, cols = book.card.config.shapes()[fact.name]
    yield from _size(book, row, fact.name, rows, cols)
    yield formula(row, SHARE, f"D{row + 1}/D${_rows(book).stages + 2}", Style.SHARE, rows * cols / book.card.n_weights)
    yield text(row, STAGE, _stage_of(book, fact.name))
    yield text(row, LEARNED, "learned")
    for col, words in enumerate(fact[1:], FILE):
        yield text(row, col, words)


def _size(book: Blueprint, row: int, name: str, rows: int, cols: int) -> Iterator[Cell]:
    """A place's name, which leads to it, and its sizes as formulas count them."""
    yield Cell(row, NAME, Kind.LINK, name, Style.LINK, target=book.layout.ranges[name].tab)  # also of a thin workbook
    yield formula(row, ROWS, f"ROWS({name})", Style.COUNT, rows)
    yield formula(row, COLUMNS, f"COLUMNS({name})", Style.COUNT, cols)
    yield formula(row, NUMBERS, f"B{row + 1}*C{row + 1}", Style.COUNT, rows * cols)


def _given(book: Blueprint, row: int, words: Callable[[Tab], Lesson]) -> Iterator[Cell]:
    """What the model needs and nobody trained: tables, positions, and the numbers that were chosen."""
    yield from _headings(row, ("Not learned", "Rows", "Columns", "Cells", "", "", "Learned?", "What it is"))
    names = [name for name, role in book.plan.roles.items() if role is Role.INPUT and not name.startswith(f"{AT}.")]
    names = [name for name in names if kind_of(book.layout.tab_of(name)) in ("core", "data")]
    for r, name in enumerate(names, row + 1):
        yield from _size(book, r, name, *book.plan[name].shape)
        yield text(r, LEARNED, "given")
        yield text(r, FILE, words(book.layout.tab_of(name)).meaning(name))
    own = words(next(tab for tab in book.layout.tabs if tab.lesson == "parameters"))
    for r, (name, meaning) in enumerate(own.places.items(), row + 1 + len(names)):
        yield text(r, NAME, name, Style.NAME)
        yield number(r, NUMBERS, getattr(book.card.config, name), Style.NOTE)
        yield text(r, LEARNED, "chosen")
        yield text(r, FILE, meaning)
