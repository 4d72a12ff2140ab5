"""The other dialect: every place as one plain formula for each cell, over references instead of names.

What one clicks on is what was computed: Trace Precedents leads to the cells themselves, and nothing needs
Ctrl+Shift+Enter. A row times a column is `MMULT`, a row times a row `SUMPRODUCT`: both give one value in an ordinary
cell. A `$` stands where filling down or across needs one, and nowhere else, so that a place has one formula, filled.

A place that reads another one turned on its side (scores: a row of queries times a *row* of keys) has a formula for
each column, filled down: no reference moves down when it is filled to the right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import NamedTuple

from sheetgpt.plan.ops import FINGERPRINT, READS_CELLS, Expr, apply
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.a1 import column, tab_ref
from sheetgpt.sheet.classic import check_formula
from sheetgpt.sheet.layout import Range
from sheetgpt.sheet.lower import (
    ARE_SUMS,
    ARRAY,
    FILL,
    ONE_CELL,
    REDUCES,
    SUM,
    Arg,
    Formula,
    Here,
    array_text,
    literal,
    lowered,
)

_PRODUCT = 4  # how tightly a product binds
# Ops of FILL whose formula is the same in each cell, filled; those of the others depend on where the cell stands.
_ALIKE = frozenset(
    {"rowmean", "rowvar", "rowmax", "rowsum", "rowcount", "gather", "item", "pick", "largest", "whereis", "find"}
    | {"locate", "length", "istext", "code", "char", "without", "normal", "contraction", "usable"}
    | {"exact", "typed", "isnumber", "visible", "smallest"}
)
_COMPARES = frozenset({"le", "lt", "eq"})
_ARITHMETIC = frozenset({"add", "sub", "mul", "where"}) | _COMPARES  # of many cells in SUMPRODUCT; no IF, nor 0/0
_FIRST_MARK = 0xE000  # private use: no formula of ours has such characters


def lowered_cells(plan: Plan, name: str, ranges: Mapping[str, Range]) -> Iterator[Formula]:
    """As `lower.lowered`, in this dialect. What no plain formula can say remains an array formula."""
    expr, box = replace(plan[name], name=None), ranges[name]
    if expr.op == "data" or plan.is_view(name):
        return
    if not _by_cells(expr):
        yield from lowered(plan, name, ranges)
    elif _alike(expr):
        yield from _filled(expr, box, ranges)
    else:
        for r, c in product(range(box.rows), range(box.cols)):
            text = check_formula(_said(expr, Spot(box, r, c), ranges, 0), name)
            yield Formula(r, c, text, (1, 1) if _is_array(expr, r, c) else None)


def _by_cells(expr: Expr) -> bool:
    """Whether each cell can be said apart: whole matrices are read only where they are places."""
    if expr.op in ("stack", "fingerprints"):
        return True
    if expr.op in ("colmax", "colsum", "exactly") or (expr.op == "whereis" and expr.args[1].shape[1] > 1):
        return False
    if expr.op == "matmul":
        return all(a.name is not None or (a.op == "transpose" and a.args[0].name is not None) for a in expr.args)
    if expr.op in REDUCES:
        (whole,) = expr.args
        return whole.name is not None or (expr.op == "sum" and _arithmetic(whole) is not None)
    if expr.op == "worst" and any(a.shape != (1, 1) for a in expr.args):
        return False
    return all(a.name is not None or _by_cells(a) for a in expr.args)


def _alike(expr: Expr) -> bool:
    """Whether one formula, filled, says all cells."""
    own = expr.op not in READS_CELLS or expr.op in _ALIKE
    return own and all(a.name is not None or _alike(a) for a in expr.args)


def _is_array(expr: Expr, r: int, c: int) -> bool:
    """Whether a cell of a check is an array formula: it looks at whole matrices, number by number."""
    if expr.op == "stack":
        return not _by_cells(expr.args[r])
    return expr.op == "fingerprints" and c == FINGERPRINT - 1


# ---- what a cell says ------------------------------------------------------------------------------------


def _said(expr: Expr, here: Spot, ranges: Mapping[str, Range], needs: int) -> str:
    """The formula of an expression in one cell, bracketed where it binds less tightly than its user needs."""
    if expr.name is not None:
        return here.at(ranges[expr.name])
    if expr.op == "lit":
        return literal(expr.value, needs)
    if expr.op == "stack":
        row = expr.args[here.r]
        return _said(row, here, ranges, needs) if _by_cells(row) else array_text(row, needs)
    if expr.op == "transpose":
        return _said(expr.args[0], here.turn(), ranges, needs)
    if expr.op == "matmul":
        text, binds = _product(expr, here, ranges)
    elif expr.op == "worst":
        text, binds = f"MAX({','.join(f'ABS({_said(a, here, ranges, 0)})' for a in expr.args)})", 9
    elif expr.op in READS_CELLS:
        args: list[Arg] = [ranges[a.name] if a.name else _said(a, here, ranges, SUM) for a in expr.args]
        text = _whereis(here, *args) if expr.op == "whereis" else FILL[expr.op](here, *args)  # type: ignore[arg-type]
        binds = SUM if expr.op in ARE_SUMS else 9
    elif expr.op == "sum" and expr.args[0].name is None:
        terms = _arithmetic(expr.args[0])
        assert terms is not None
        text, binds = f"SUMPRODUCT({_over_all(1 * terms if terms.op in _COMPARES else terms, here, ranges, 0)})", 9
    elif expr.op in REDUCES:
        box = ranges[str(expr.args[0].name)]
        template, binds, _ = (ONE_CELL if expr.op in ONE_CELL and box.rows * box.cols == 1 else ARRAY)[expr.op]
        text = template.format(here.whole(box))
    else:
        template, binds, wanted = ARRAY[expr.op]
        text = template.format(*(_said(a, here, ranges, n) for a, n in zip(expr.args, wanted, strict=True)))
    return text if binds >= needs else f"({text})"


def _product(expr: Expr, here: Spot, ranges: Mapping[str, Range]) -> tuple[str, int]:
    """A row times a column, and how tightly the text binds. Either may stand the other way on its sheet."""
    left, right = expr.args
    if left.shape[1] == 1:
        return f"{_said(left, here, ranges, _PRODUCT)}*{_said(right, here, ranges, _PRODUCT + 1)}", _PRODUCT
    down = left.op == "transpose" and left.name is None
    across = right.op == "transpose" and right.name is None
    row = here.turn().column_of(_box(left, ranges)) if down else here.row(_box(left, ranges))
    col = here.turn().row(_box(right, ranges)) if across else here.column_of(_box(right, ranges))
    if down is not across:
        return f"SUMPRODUCT({row},{col})", 9
    return f"MMULT({col},{row})" if down else f"MMULT({row},{col})", 9


def _box(operand: Expr, ranges: Mapping[str, Range]) -> Range:
    """Where a place, or a place turned on its side, stands."""
    return ranges[str(operand.name or operand.args[0].name)]


def _arithmetic(expr: Expr) -> Expr | None:
    """The same numbers by arithmetic alone, as SUMPRODUCT takes it in an ordinary cell; None where that cannot be."""
    if expr.name is not None or expr.op == "lit":
        return expr if expr.name is not None or not isinstance(expr.value, str) else None
    if expr.op not in _ARITHMETIC:
        return None
    args = [_arithmetic(a) for a in expr.args]
    if any(a is None or a.shape not in ((1, 1), expr.shape) for a in args):
        return None
    known = [a for a in args if a is not None]
    return _chosen(*known) if expr.op == "where" else apply(expr.op, *known)


def _chosen(yes: Expr, then: Expr, other: Expr) -> Expr:
    """`then` where `yes`, which is 1 or 0, else `other`."""
    first = None if _is(then, 0) else yes if _is(then, 1) else yes * then
    second = None if _is(other, 0) else 1 - yes if _is(other, 1) else (1 - yes) * other
    return first + second if first and second else first or second or yes * 0


def _is(expr: Expr, value: float) -> bool:
    return expr.op == "lit" and expr.value == value


def _over_all(expr: Expr, here: Spot, ranges: Mapping[str, Range], needs: int) -> str:
    """An expression over whole places."""
    if expr.name is not None:
        return here.whole(ranges[expr.name])
    if expr.op == "lit":
        return literal(expr.value, needs)
    template, binds, wanted = ARRAY[expr.op]
    text = template.format(*(_over_all(a, here, ranges, n) for a, n in zip(expr.args, wanted, strict=True)))
    return text if binds >= needs else f"({text})"


def _whereis(here: Here, wanted: Range, among: Range, ids: Range) -> str:
    """Without IF, which would need an array formula: what is not looked for gets a number beyond all others."""
    value, column_ = here.at(wanted), here.whole(among)
    so_far = f"{wanted.anchor}:{value}"
    where = f"({column_}={value})*{here.whole(ids)}+({column_}<>{value})*1E+300"
    return f"SUMPRODUCT(SMALL({where},COUNTIF({so_far},{value})))"


# ---- references ------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """A row or a column of a sheet: `start`, or as far from there as the formula's cell is `along` its place."""

    start: int
    along: str = ""  # down, across, or neither


@dataclass(frozen=True)
class Spot(Here):
    """The cell that a formula is written for; with `turned` what it reads is seen with rows as columns."""

    turned: bool = False

    def at(self, other: Arg, down: int = 0) -> str:
        if isinstance(other, str):
            return other
        return self._prefix(other) + self._cell(self._row(other, down), self._column(other))

    def cell(self, other: Range, r: int, c: int) -> str:
        row = self._fixed_unless("down", other.rows > 1, other.row + r)
        return self._prefix(other) + self._cell(row, self._fixed_unless("across", other.cols > 1, other.col + c))

    def row(self, other: Range) -> str:
        row = self._row(other, 0)
        return self._area(other, (row, Line(other.col)), (row, Line(other.col + other.cols - 1)))

    def column_of(self, other: Range) -> str:
        """The column of another place that belongs to this cell's column."""
        col = self._column(other)
        return self._area(other, (Line(other.row), col), (Line(other.row + other.rows - 1), col))

    def whole(self, other: Range) -> str:
        r0, c0, r1, c1 = other.area
        return self._area(other, (Line(r0), Line(c0)), (Line(r1), Line(c1)))

    @property
    def column(self) -> str:
        return self._cell(Line(self.box.row - 1), Line(self.box.col, "across"))

    def edge(self, c: int, down: int = 0) -> str:
        return self._cell(Line(self.box.row + down, "down"), Line(self.box.col + c))

    def turn(self) -> Spot:
        """The same cell, to which rows are columns."""
        return replace(self, turned=not self.turned)

    def _row(self, other: Range, down: int) -> Line:
        along = "across" if self.turned else "down"
        return Line(other.row + down, along) if other.rows > 1 else Line(other.row)

    def _column(self, other: Range) -> Line:
        along = "down" if self.turned else "across"
        return Line(other.col, along) if other.cols > 1 else Line(other.col)

    def _fixed_unless(self, along: str, moves: bool, at: int) -> Line:
        """The line `at`, which is as far from its start as this cell is where it moves with it."""
        return Line(at - (self.r if along == "down" else self.c), along) if moves else Line(at)

    def _area(self, other: Range, first: tuple[Line, Line], last: tuple[Line, Line]) -> str:
        text = self._cell(*first)
        return self._prefix(other) + (text if first == last else f"{text}:{self._cell(*last)}")

    def _prefix(self, other: Range) -> str:
        return "" if other.tab == self.box.tab else tab_ref(other.tab) + "!"

    def _cell(self, row: Line, col: Line) -> str:
        return self._column_text(col) + self._row_text(row)

    def _row_text(self, line: Line) -> str:
        return f"{self._dollar_row(line)}{line.start + self._step(line) + 1}"

    def _column_text(self, line: Line) -> str:
        return f"{self._dollar_column(line)}{column(line.start + self._step(line))}"

    def _dollar_row(self, line: Line) -> str:
        return "$" * (line.along != "down" and self.box.rows > 1)

    def _dollar_column(self, line: Line) -> str:
        return "$" * (line.along != "across" and self.box.cols > 1)

    def _step(self, line: Line) -> int:
        return {"down": self.r, "across": self.c}.get(line.along, 0)


class Mark(NamedTuple):
    """What a character of a pattern stands for."""

    sign: str  # $ or nothing
    letters: bool  # a column's, or a row's number
    line: Line

    def text(self, step: int) -> str:
        """The same for the cell that is `step` cells along."""
        at = self.line.start + step
        return f"{self.sign}{column(at) if self.letters else at + 1}"


@dataclass(frozen=True)
class Pattern(Spot):
    """Any cell of a place: what differs from cell to cell is a mark in the text."""

    marks: dict[Mark, str] = field(default_factory=dict)

    def _row_text(self, line: Line) -> str:
        return self._mark(Mark(self._dollar_row(line), False, line)) if line.along else super()._row_text(line)

    def _column_text(self, line: Line) -> str:
        return self._mark(Mark(self._dollar_column(line), True, line)) if line.along else super()._column_text(line)

    def _mark(self, mark: Mark) -> str:
        return self.marks.setdefault(mark, chr(_FIRST_MARK + len(self.marks)))


def _filled(expr: Expr, box: Range, ranges: Mapping[str, Range]) -> Iterator[Formula]:
    """The formulas of a place that are one, filled: row by row, and in each row from left to right."""
    here = Pattern(box, 0, 0)
    text = _said(expr, here, ranges, 0).replace("%", "%%")
    down = {ord(char): mark for mark, char in here.marks.items() if mark.line.along == "down"}
    across = {char: mark for mark, char in here.marks.items() if mark.line.along == "across"}
    order = [across[char] for char in text if char in across]
    text = text.translate({ord(char): "%s" for char in across})
    columns = [tuple(mark.text(c) for mark in order) for c in range(box.cols)]
    for r in range(box.rows):
        line = text.translate({char: mark.text(r) for char, mark in down.items()})
        if r in (0, box.rows - 1):  # the rows between have the same functions, and are no longer
            check_formula(line % columns[-1], box.name)
        yield from (Formula(r, c, line % names, None) for c, names in enumerate(columns))
