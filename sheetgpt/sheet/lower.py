"""The formula meaning of a plan, in functions that Excel 2013+, LibreOffice 7.4+ and Google Sheets all have.

A place is either one array formula over all its cells (`ARRAY`) or one plain formula per cell
(`FILL`: classic Excel has no BYROW, so what reads along a row or looks up is written per cell).
Inputs appear by name, so the formula is the line of the model. This table never reads numpy's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sheetgpt.errors import PlanError
from sheetgpt.plan.ops import READS_CELLS, Expr
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.classic import check_formula
from sheetgpt.sheet.layout import Range

# Formula and how tightly it binds: comparison 1, sum 3, product 4, power 6, a call or a name 9.
ARRAY: dict[str, tuple[str, int, tuple[int, ...]]] = {
    # op: (text, binding of the whole, binding that each argument needs)
    "le": ("{}<={}", 1, (2, 2)),
    "add": ("{}+{}", 3, (3, 4)),
    "sub": ("{}-{}", 3, (3, 4)),
    "mul": ("{}*{}", 4, (4, 5)),
    "div": ("{}/{}", 4, (4, 5)),
    "pow": ("{}^{}", 6, (7, 7)),
    "where": ("IF({},{},{})", 9, (0, 0, 0)),
    "matmul": ("MMULT({},{})", 9, (0, 0)),
    "transpose": ("TRANSPOSE({})", 9, (0,)),
    "exp": ("EXP({})", 9, (0,)),
    "sqrt": ("SQRT({})", 9, (0,)),
    "tanh": ("TANH({})", 9, (0,)),
    "max": ("MAX({})", 9, (0,)),
    "sum": ("SUM({})", 9, (0,)),
    "argmax": ("MATCH(MAX({0}),{0},0)-1", 3, (0,)),
    "same": ("{}", 9, (9,)),
}

# Whole-range reductions give one value from many cells without array evaluation.
_REDUCES = frozenset({"max", "sum", "argmax"})


@dataclass(frozen=True)
class Here:
    """The cell that a FILL formula is written for."""

    box: Range
    r: int
    c: int

    def at(self, other: Range) -> str:
        """The first cell of this row of another place."""
        return other.cell(self.r, 0, self.box.tab)

    def row(self, other: Range) -> str:
        """This row of another place."""
        return other.row_ref(self.r, self.box.tab)

    @property
    def column(self) -> str:
        """This column's number from 1: read off the ruler where there is more than one column."""
        return f"{self.box.ruler(self.c)}+1" if self.box.cols > 1 else "1"


def _whereis(here: Here, wanted: Range, column: Range, ids: Range) -> str:
    value = here.at(wanted)
    so_far = f"{wanted.anchor}:{value}"  # grows downwards: how many equal values came before
    return f"SMALL(IF({column.name}={value},{ids.name}),COUNTIF({so_far},{value}))"


FILL: dict[str, Callable[..., str]] = {
    "rowmean": lambda here, x: f"AVERAGE({here.row(x)})",
    "rowvar": lambda here, x: f"VARP({here.row(x)})",
    "rowmax": lambda here, x: f"MAX({here.row(x)})",
    "rowsum": lambda here, x: f"SUM({here.row(x)})",
    "gather": lambda here, table, ids: f"INDEX({table.name},{here.at(ids)}+1,{here.column})",
    "label": lambda here, table, ids, pos, n: f'IF({here.at(pos)}<{n.name},INDEX({table.name},{here.at(ids)}+1,1),"")',
    "pick": lambda here, x, n: f"INDEX({x.name},{n.name},{here.column})",
    "largest": lambda here, x, k: f"LARGE({x.name},{here.at(k)})",
    "whereis": _whereis,
}

# FILL formulas that compare a whole range inside, so each must be entered as an array formula of one cell.
_ARRAY_CELLS = frozenset({"whereis"})


@dataclass(frozen=True)
class Formula:
    """What to enter: text without `=`; `area` (rows, columns) for an array formula, None for a plain one."""

    r: int
    c: int
    text: str
    area: tuple[int, int] | None


def lower(plan: Plan, name: str, ranges: Mapping[str, Range]) -> list[Formula]:
    """The formulas of one place, by rows; empty for data and views. `PlanError` for one that `classic` refuses."""
    expr = plan[name]
    if expr.op == "data" or plan.is_view(name):
        return []
    if expr.op in READS_CELLS:
        return _fill(expr, ranges[name], ranges)
    text = formula_text(expr)
    area = None if _is_plain(expr) else expr.shape
    return [Formula(0, 0, check_formula(text, name), area)]


def _fill(expr: Expr, box: Range, ranges: Mapping[str, Range]) -> list[Formula]:
    args = [ranges[str(a.name)] for a in expr.args]
    area = (1, 1) if expr.op in _ARRAY_CELLS else None
    rule = FILL[expr.op]
    return [
        Formula(r, c, check_formula(rule(Here(box, r, c), *args), box.name), area)
        for r in range(box.rows)
        for c in range(box.cols)
    ]


def _is_plain(expr: Expr) -> bool:
    """Whether an ordinary cell computes it: every part is one value, or reduces a named range to one."""
    if expr.op in _REDUCES:
        return all(a.name is not None for a in expr.args)
    return expr.shape == (1, 1) and all(a.shape == (1, 1) and (a.name is not None or _is_plain(a)) for a in expr.args)


def formula_text(expr: Expr) -> str:
    """The array formula of an expression, without `=` and without a spare bracket; inputs by name."""
    return _text(replace(expr, name=None), 0)


def _text(expr: Expr, needs: int) -> str:
    if expr.name is not None:
        return expr.name
    if expr.op == "lit":
        return _literal(expr.value, needs)
    if expr.op not in ARRAY:
        raise PlanError(f"{expr.op} has no array formula: name it, so that it gets cells of its own")
    template, binds, wanted = ARRAY[expr.op]
    text = template.format(*(_text(a, need) for a, need in zip(expr.args, wanted, strict=True)))
    return text if binds >= needs else f"({text})"


def _literal(value: object, needs: int) -> str:
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    text = number(float(value))  # type: ignore[arg-type]  # a literal is text or a number
    return f"({text})" if text.startswith("-") and needs > 3 else text


def number(value: float) -> str:
    """Shortest text of a float64 as a formula writes it: `1E-05`, `16`, `0.044715`."""
    text = repr(value).upper()
    return text.removesuffix(".0")
