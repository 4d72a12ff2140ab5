"""What the Compute tab says beside its numbers: names of sizes, of steps and of stages, headings above each table."""

from __future__ import annotations

from collections.abc import Iterator

from sheetgpt.plan.count import KINDS
from sheetgpt.plan.names import STEPS
from sheetgpt.sheet.atoms import text
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.cells import Cell, Style
from sheetgpt.sheet.layout import COMPUTE_COLUMNS, Tab
from sheetgpt.sheet.lessons import Lesson
from sheetgpt.sheet.lower import lower

_TABLES = {"block": "One block, step by step", "stages": "The whole model"}
_LINES = {"total": "All", "counted": "Counted in the plan"}
_WHOSE = {"one": "for one token more: the last one", "all": "for all rows of tokens, empty ones too"}
_WORDS = COMPUTE_COLUMNS["one"] + 2  # column of what a size means
_FORMULAS = COMPUTE_COLUMNS["all"] + len(KINDS) + 2  # column of how multiplications are counted


def told(book: Blueprint, tab: Tab, words: Lesson) -> Iterator[Cell]:
    """The words around the places of the tab."""
    for band in tab.bands:
        box = book.layout.ranges[band.names[0]]
        _, *at, last = box.name.split(".")
        table = at[-1] if at else ""
        if table in _TABLES:
            yield from _headings(book, box.row, table)
            names = book.plan.row_names[f"compute.{table}"]
            formulas = lower(book.plan, box.name, book.layout.ranges)
            for r, (name, written) in enumerate(zip(names, formulas, strict=True)):
                yield text(box.row + r, 0, f"{name}{_step(name)}", Style.NAME)
                yield text(box.row + r, _FORMULAS, str(written).strip("{}"), Style.CODE)
        elif at:
            yield text(box.row, 0, _LINES.get(table) or _LINES[last], Style.NAME)
        else:
            yield text(box.row, 0, last, Style.NAME)
            yield text(box.row, _WORDS, words.meaning(box.name))


def _headings(book: Blueprint, row: int, table: str) -> Iterator[Cell]:
    yield text(row - 1, _FORMULAS, "multiplications for one token, by formula", Style.HEADING)
    yield text(row - 2, 0, _TABLES[table], Style.HEADING)
    for whose, words in _WHOSE.items():
        yield text(row - 2, COMPUTE_COLUMNS[whose], words, Style.NAME)
        for col, kind in enumerate(KINDS, COMPUTE_COLUMNS[whose]):
            yield text(row - 1, col, _said(book, kind), Style.COLUMN)
    if table == "stages":
        yield text(row - 1, COMPUTE_COLUMNS["all"] + len(KINDS), "tokens", Style.COLUMN)


def _said(book: Blueprint, kind: str) -> str:
    """A heading: functions as spreadsheets call them; the bend of the MLP by its own name."""
    if kind == "tanh" and book.card.config.activation == "gelu":
        return "normal"
    return kind if kind.endswith("s") else kind.upper()


def _step(name: str) -> str:
    """Which of the sixteen steps of a block it is, in brackets; head 0 stands for all heads."""
    own = (name, name.replace("attn.", "attn.head0."))
    steps = [step for step, places in STEPS.items() if any(p in own or p.startswith(f"{name}.") for p in places)]
    return f" ({'-'.join(map(str, dict.fromkeys((steps[0], steps[-1]))))})" if steps else ""
