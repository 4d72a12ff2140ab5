"""A workbook as a lesson: tab by tab what it says, and of each place an excerpt, the sheet's value beside numpy's."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.evaluate import attempt
from sheetgpt.check.found import Found, find, named
from sheetgpt.check.gaps import OWN_TOLERANCE, gaps
from sheetgpt.check.result import Report, Row
from sheetgpt.check.verify import examine
from sheetgpt.errors import SheetGPTError
from sheetgpt.plan.plan import Role, say
from sheetgpt.sheet.a1 import parse_cell
from sheetgpt.sheet.classic import as_read
from sheetgpt.sheet.grid import Grid, Value
from sheetgpt.sheet.labels import labels_of
from sheetgpt.sheet.layout import HEAD, Range, Tab
from sheetgpt.sheet.lessons import Lesson
from sheetgpt.sheet.slots import tab_lesson

_ROWS, _COLS, _WHOLE = 10, 7, 12  # of an excerpt; of a table of who looks at whom
_FEW = 4  # rows of what is not about tokens
_LINES = 80  # of a tab that has no places
_HEADS = re.compile(r".*\.head\d+\.\w+")
_LOOKS = re.compile(r".*\.head\d+\.(scores|exp)|.*\.pattern")
_LATER_HEAD = re.compile(r"\.head[1-9]\d*\.")
_SHARES = re.compile(r".*\.pattern|.*prob(s|)")
_OF_VOCABULARY = re.compile(r"logits|probs|probs\.exp|vocab\..*|wte|lm_head\.w")


class Item(NamedTuple):
    """A cell of an excerpt. `wanted` is None where it is given, not computed; `off` where the two differ."""

    found: Any
    wanted: Any
    off: bool = False
    share: bool = False  # of a whole: shown in percent


class Table(NamedTuple):
    """An excerpt: a label for each column and each row. `looks` where rows and columns are tokens."""

    title: str
    head: list[str]
    rows: list[tuple[str, list[Item]]]
    looks: bool = False


class Told(NamedTuple):
    """What is said of a place."""

    name: str
    shape: tuple[int, int]
    at: str  # 'h0 mlp'!B11:IW26
    meaning: str
    formulas: tuple[str, ...]  # as they stand in the file, each after its cell; none where it is given
    numpy: str
    row: Row
    views: tuple[tuple[str, str, str], ...] = ()  # names of some of its columns: name, cells, meaning


class Part(NamedTuple):
    """Places that stand side by side, and their excerpts."""

    places: list[Told]
    tables: list[Table]
    alike: list[Row] = []  # noqa: RUF012  # places of other heads, of which nothing else need be said


class Step(NamedTuple):
    """One tab."""

    number: int  # from 1
    tab: Tab
    lesson: Lesson
    parts: list[Part]
    texts: list[list[str]]  # of a tab without places: its cells, row by row


@dataclass(frozen=True)
class Tour:
    """A workbook that was checked, and its tabs in reading order."""

    found: Found
    report: Report

    @classmethod
    def of(cls, path: Path, engine: str, model: str | None = None) -> Tour:
        """Read, compute and check a workbook; raises as `verify`."""
        found = find(path, engine, model)
        return cls(found, examine(found, engine))

    @property
    def tabs(self) -> tuple[Tab, ...]:
        """All tabs, in reading order."""
        return self.found.blueprint.layout.tabs

    @cached_property
    def stages(self) -> list[Tab]:
        """The tabs of the lesson: those of weights and tables are left out."""
        return [tab for tab in self.tabs if tab.group == "stage"]

    @cached_property
    def _rows(self) -> dict[str, Row]:
        return {row.name: row for row in self.report.rows}

    def tab(self, wanted: str) -> Tab:
        """The tab that is meant: by number, by name or the beginning of it, or by a place on it.

        Raises `SheetGPTError`.
        """
        text, ranges = wanted.strip().casefold(), self.found.blueprint.layout.ranges
        if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= len(self.tabs):
            return self.tabs[int(text) - 1]
        names = {tab.name.casefold(): tab for tab in self.tabs}
        if text in names:
            return names[text]
        if place := next((name for name in ranges if name.casefold() == text), None):
            return self.found.blueprint.layout.tab_of(place)
        begins = [tab for name, tab in names.items() if name.startswith(text)]
        if text and begins:
            return begins[0]
        near = difflib.get_close_matches(text, list(names), 3)
        hint = f": did you mean {', '.join(names[n].name for n in near)}?" if near else ""
        raise SheetGPTError(f"no stage {wanted[:60]!r}{hint or f' (1 to {len(self.tabs)}, or a tab of the workbook)'}")

    def step(self, tab: Tab) -> Step:
        """What there is to say of a tab."""
        book = self.found.blueprint
        lesson = tab_lesson(book, tab)
        checks = tab.lesson == "check"
        parts = list(self._checks(tab)) if checks else [self._part(names, lesson) for names in self._groups(tab)]
        texts = [] if parts else list(self._texts(tab))
        return Step(self.tabs.index(tab) + 1, tab, lesson, parts, texts)

    # ---- places

    def _groups(self, tab: Tab) -> list[list[str]]:
        """The bands of a tab; numbers that stand alone, one below the other, are one group."""
        plan = self.found.blueprint.plan
        groups: list[list[str]] = []
        before = False
        for band in tab.bands:
            alone = all(plan[name].shape == (1, 1) and name not in plan.text for name in band.names)
            if alone and before and len(groups[-1]) < _COLS:
                groups[-1] += band.names
            else:
                groups.append(list(band.names))
            before = alone
        return groups

    def _part(self, names: Sequence[str], lesson: Lesson) -> Part:
        if all(_HEADS.fullmatch(name) for name in names):
            return self._heads(names, lesson)
        said: set[str] = set()
        shown: list[str] = []
        for name in names:  # what says no more than one beside it is told together with it
            meaning, small = re.sub(r"\d+", "#", lesson.meaning(name)), 1 in self.found.blueprint.plan[name].shape
            if small or self._wrong(name) or (meaning and meaning not in said) or not shown:
                shown.append(name)
            said.add(meaning)
        alike = [self._rows[name] for name in names if name not in shown]
        return Part([self._told(name, lesson) for name in shown], list(self._tables(shown)), alike)

    def _heads(self, names: Sequence[str], lesson: Lesson) -> Part:
        """Of the first head all is told, of the others their patterns, and whatever is wrong."""
        shown = [n for n in names if n == names[0] or n.endswith(".pattern") or self._wrong(n)]
        alike = [self._rows[name] for name in names if name not in shown]
        told = [self._told(n, lesson) for n in shown if n == names[0] or self._wrong(n)]
        return Part(told, [table for name in shown for table in self._tables([name])], alike)

    def _wrong(self, name: str) -> bool:
        return self._rows[name].status not in ("ok", "follows", "blank")

    def _told(self, name: str, lesson: Lesson) -> Told:
        plan, box = self.found.blueprint.plan, self._box(name)
        numpy = say(plan[name]) if plan[name].args else ""
        formulas = tuple(self._formulas(name, box)) if numpy else ()
        return Told(
            name, plan[name].shape, box.ref.replace("$", ""), lesson.meaning(name), formulas, numpy, self._rows[name]
        )

    def _box(self, name: str) -> Range:
        planned = self.found.blueprint.layout.ranges[name]
        return named(self.found.book, planned) or planned

    def _formulas(self, name: str, box: Range) -> Iterator[str]:
        """Formulas of a place as they stand in the file: those that tell its rule, and one that is wrong."""
        sheet, planned = self.found.book.sheets.get(box.tab), self.found.blueprint
        cells = [(f.r, f.c) for f in planned.examples(name)]
        if self._wrong(name):
            cells += [_within(parse_cell(f.cell), box) for f in self.report.faults if f.place == name and f.cell]
        for r, c in dict.fromkeys(cells):
            formula = sheet.formulas.get((box.row + r, box.col + c)) if sheet else None
            said = as_read(formula.text, formula.area is not None) if formula else "no formula stands here"
            yield f"{box.cell(r, c, box.tab)}: {said}"

    # ---- excerpts

    def _tables(self, names: Sequence[str]) -> Iterator[Table]:
        """Columns of one height stand in one table, so do single rows; else a table for each place."""
        shapes = [self.found.blueprint.plan[name].shape for name in names]
        if {cols for _, cols in shapes} == {1} and len({rows for rows, _ in shapes}) == 1:
            yield self._columns(names)
        elif {rows for rows, _ in shapes} == {1} and len(names) > 1:
            yield self._stacked(names)
        else:
            columns = [n for n, (rows, cols) in zip(names, shapes, strict=True) if cols == 1 and rows == shapes[0][0]]
            if len(columns) > 1:
                yield self._columns(columns)
            for name in names:
                if name not in columns or len(columns) == 1:
                    yield self._one(name)

    def _columns(self, names: Sequence[str]) -> Table:
        """Places of one column each, side by side; one alone lies on its side."""
        rows = self._rows_of(names[0], _ROWS)
        single = self.found.blueprint.plan[names[0]].shape == (1, 1)
        for name in names:
            if self._wrong(name) and (worst := self._worst(name)[0]) not in rows:
                rows = [*rows, worst]
        values = [self._values(name) for name in names]
        if len(names) == 1 and not single:
            lying = [self._item(*values[0], r, 0) for r in rows]
            return Table(names[0], [self._label(names[0], r) for r in rows], [("", lying)])
        labels = ["" if single else self._label(names[0], r) for r in rows]
        lines = [(text, [self._item(*each, r, 0) for each in values]) for text, r in zip(labels, rows, strict=True)]
        return Table("", _short(names), lines)

    def _stacked(self, names: Sequence[str]) -> Table:
        cols = list(range(min(_COLS, min(self.found.blueprint.plan[name].shape[1] for name in names))))
        lines = [(name, [self._item(*self._values(name), 0, c) for c in cols]) for name in names]
        return Table("", [str(c) for c in cols], lines)

    def _one(self, name: str) -> Table:
        """A place alone: all of a pattern, of a matrix the last token's row."""
        n_rows, n_cols = self.found.blueprint.plan[name].shape
        looks = n_rows == n_cols and _LOOKS.fullmatch(name) is not None
        rows = self._rows_of(name, _WHOLE if looks else 1)
        cols = rows if looks else list(range(min(_COLS, n_cols)))
        if self._wrong(name):
            row, col = self._worst(name)
            rows = rows if row in rows else [*rows, row]
            cols = cols if col in cols else [*cols, col]
        values = self._values(name)
        labels = [self._label(name, r) if n_rows > 1 else "" for r in rows]
        lines = [(text, [self._item(*values, r, c) for c in cols]) for text, r in zip(labels, rows, strict=True)]
        head = [self._label(name, c) if looks else str(c) for c in cols]
        return Table(name, head, lines, looks)

    def _values(self, name: str) -> tuple[str, NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]:
        """What the sheet has; what numpy computes from the same inputs, and how far apart they are."""
        found = self.found.values[name]
        if not self.found.blueprint.plan[name].args:
            return name, found, None, None
        wanted = attempt(self.found.blueprint.plan, name, self.found.values)
        return name, found, wanted, gaps(found, wanted)

    def _item(
        self, name: str, found: NDArray[Any], wanted: NDArray[Any] | None, gap: NDArray[Any] | None, r: int, c: int
    ) -> Item:
        share = bool(_SHARES.fullmatch(name))
        if wanted is None or gap is None:
            return Item(_plain(found[r, c]), None, self._wrong(name) and self._worst(name) == (r, c), share)
        off = bool(gap[r, c] > OWN_TOLERANCE) and self._wrong(name)
        return Item(_plain(found[r, c]), _plain(wanted[r, c]), off, share)

    def _worst(self, name: str) -> tuple[int, int]:
        """The cell of a place that is furthest off."""
        return _within(parse_cell(self._rows[name].worst_cell), self.found.blueprint.layout.ranges[name])

    def _rows_of(self, name: str, most: int) -> list[int]:
        """Rows of a place that tell most: of tokens the last ones, of the vocabulary the likeliest, else the first."""
        n_rows = self.found.blueprint.plan[name].shape[0]
        source = labels_of(name)
        if source == "prompt.tokens" and self.found.blueprint.plan.roles[name] is not Role.PARAMETER:
            n = min(max(self._tokens, 1), n_rows)
            return list(range(n)) if n <= most else [0, *range(n - most + 1, n)] if most > 1 else [n - 1]
        if _OF_VOCABULARY.fullmatch(name) and "probs" in self.found.values and name not in ("wte", "lm_head.w"):
            likely = np.nan_to_num(self.found.values["probs"][:, 0], nan=-1.0)
            return [int(row) for row in np.argsort(-likely, kind="stable")[:most]]
        rows = range(min(n_rows, max(most, _FEW)))
        return [r for r in rows if source in ("", "prompt.tokens") or self._label(name, r) != str(r)] or [0]

    @cached_property
    def _tokens(self) -> int:
        """Tokens of the prompt, as the workbook says; 0 where that is no number."""
        n = self.found.values["prompt.n"][0, 0] if "prompt.n" in self.found.values else 0
        return int(n) if isinstance(n, float) and np.isfinite(n) and n >= 0 else 0

    def _label(self, name: str, row: int) -> str:
        """What a row is about: a token, a word, an entry of the vocabulary, or its number."""
        values = self.found.values
        source = "vocab.text" if _OF_VOCABULARY.fullmatch(name) and "vocab.text" in values else labels_of(name)
        named_rows = self.found.blueprint.plan.row_names.get(name.rpartition(".")[0], [])
        if row < len(named_rows):
            return named_rows[row]
        if source in values and row < len(values[source]) and source != name:
            return str(values[source][row, 0]) or str(row)
        return str(row)

    # ---- tabs of their own kind

    def _checks(self, tab: Tab) -> Iterator[Part]:
        """The lights of all and of each stage; what stands behind them is told as one."""
        names = [name for band in tab.bands for name in band.names]
        lesson, rows = tab_lesson(self.found.blueprint, tab), []
        for name in names:
            at = name.split(".")
            if len(at) == 2:
                yield Part([self._told(name, lesson)], [self._columns([name])])
            elif len(at) == 3 and at[2] == "light":
                items = [self._item(*self._values(n), 0, 0) for n in (name, f"{at[0]}.{at[1]}.wrong")]
                rows.append((at[1], items))
        behind = [self._rows[name] for name in names if name.count(".") > 2]
        told = [self._told(name, lesson) for name in names if name.count(".") > 2 and self._wrong(name)]
        yield Part(told, [Table("", ["light", "wrong"], rows)], behind)

    def _texts(self, tab: Tab) -> Iterator[list[str]]:
        """The cells of a tab that has no places, below its head."""
        sheet = self.found.book.sheets.get(tab.name)
        stands = sheet.values.single if sheet else {}
        computed = self.found.computed.get(tab.name, Grid({}))
        rows: dict[int, dict[int, Value]] = {}
        for r, c in sorted({*stands, *computed.single}):
            if r >= HEAD and len(rows) <= _LINES:
                rows.setdefault(r, {})[c] = computed.get((r, c), stands.get((r, c)))
        for line in list(rows.values())[:_LINES]:
            yield [_text(value) for value in list(line.values())[:_COLS] if value is not None]


def _within(at: tuple[int, int], box: Range) -> tuple[int, int]:
    return min(max(at[0] - box.row, 0), box.rows - 1), min(max(at[1] - box.col, 0), box.cols - 1)


def _short(names: Sequence[str]) -> list[str]:
    """Names without the parts that all of them begin with."""
    parts = [name.split(".") for name in names]
    same = len(list(takewhile(lambda at: len(set(at)) == 1, zip(*(p[:-1] for p in parts), strict=False))))
    return [".".join(p[same:]) for p in parts]


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, float | np.floating) else value


def _text(value: Value) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
