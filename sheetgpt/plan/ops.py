"""Expressions: what can be said. An op is a name with a shape rule here, a numpy rule in
`check/evaluate.py` and a formula rule in `sheet/lower.py`; no table reads another.

Everything is two-dimensional, as a sheet is. Shapes broadcast as in numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sheetgpt.errors import PlanError

Shape = tuple[int, int]
Scalar = float | int | str


@dataclass(frozen=True, eq=False)
class Expr:
    """A node: an op over arguments. With a name it is a place in the workbook; without, part of its user's formula."""

    op: str
    args: tuple[Expr, ...] = ()
    shape: Shape = (1, 1)
    name: str | None = None
    value: Scalar | tuple[int, int] | None = None  # of a literal, or the columns of a view

    def __add__(self, other: Expr | Scalar) -> Expr:
        return apply("add", self, other)

    def __sub__(self, other: Expr | Scalar) -> Expr:
        return apply("sub", self, other)

    def __mul__(self, other: Expr | Scalar) -> Expr:
        return apply("mul", self, other)

    def __rmul__(self, other: Scalar) -> Expr:
        return apply("mul", other, self)

    def __radd__(self, other: Scalar) -> Expr:
        return apply("add", other, self)

    def __truediv__(self, other: Expr | Scalar) -> Expr:
        return apply("div", self, other)

    def __pow__(self, other: Scalar) -> Expr:
        return apply("pow", self, other)

    def __matmul__(self, other: Expr) -> Expr:
        return apply("matmul", self, other)

    def __le__(self, other: Expr | Scalar) -> Expr:
        return apply("le", self, other)

    @property
    def T(self) -> Expr:  # noqa: N802
        """Rows as columns."""
        return apply("transpose", self)


def lit(value: Scalar) -> Expr:
    """A constant written into the formula."""
    return Expr("lit", value=value)


def columns(x: Expr, start: int, stop: int) -> Expr:
    """View of columns `start` to `stop` of a place: a second name for cells that exist already."""
    if not 0 <= start < stop <= x.shape[1]:
        raise PlanError(f"columns {start}:{stop} of {x.name} with {x.shape[1]} columns")
    return Expr("columns", (x,), (x.shape[0], stop - start), value=(start, stop))


def span(view: Expr) -> tuple[int, int]:
    """First column of a `columns` view, and the one after its last."""
    if not isinstance(view.value, tuple):
        raise PlanError(f"{view.op} is not a view of columns")
    return view.value


def concat(*parts: Expr) -> Expr:
    """View over places that stand side by side."""
    rows = {p.shape[0] for p in parts}
    if len(rows) != 1:
        raise PlanError(f"concat of {[p.shape for p in parts]}: rows differ")
    return Expr("concat", parts, (rows.pop(), sum(p.shape[1] for p in parts)))


def apply(op: str, *args: Expr | Scalar) -> Expr:
    """`op` over `args`, its shape checked now, before there is any file; raises `PlanError`."""
    nodes = tuple(a if isinstance(a, Expr) else lit(a) for a in args)
    if op in READS_CELLS and (unnamed := [a for a in nodes if a.name is None]):
        raise PlanError(f"{op} reads rows of cells, which an unnamed {unnamed[0].op} has not: name its inputs first")
    return Expr(op, nodes, SHAPE[op](*(a.shape for a in nodes)))


def _broadcast(*shapes: Shape) -> Shape:
    rows, cols = ({n for n in axis if n != 1} for axis in zip(*shapes, strict=True))
    if len(rows) > 1 or len(cols) > 1:
        raise PlanError(f"shapes {' and '.join(map(str, shapes))} do not broadcast")
    return (rows.pop() if rows else 1, cols.pop() if cols else 1)


def _matmul(a: Shape, b: Shape) -> Shape:
    if a[1] != b[0]:
        raise PlanError(f"matmul of {a} and {b}: inner sizes differ")
    return a[0], b[1]


def _rows_of(table: Shape, ids: Shape, *_: Shape) -> Shape:
    if ids[1] != 1:
        raise PlanError(f"row numbers come as one column, not {ids}")
    return ids[0], table[1]


SHAPE: dict[str, Callable[..., Shape]] = {
    # cell by cell
    "add": _broadcast,  # x + y
    "sub": _broadcast,  # x - y
    "mul": _broadcast,  # x * y
    "div": _broadcast,  # x / y
    "pow": _broadcast,  # x ^ y
    "le": _broadcast,  # x <= y
    "where": _broadcast,  # y where x, else z
    "exp": _broadcast,
    "sqrt": _broadcast,
    "tanh": _broadcast,
    # whole matrices
    "matmul": _matmul,
    "transpose": lambda a: (a[1], a[0]),
    "max": lambda a: (1, 1),
    "sum": lambda a: (1, 1),
    "argmax": lambda a: (1, 1),  # of a column; from 0; the first of equals
    "same": lambda a: a,  # the same value at another place
    # along a row
    "rowmean": lambda a: (a[0], 1),
    "rowvar": lambda a: (a[0], 1),  # population variance
    "rowmax": lambda a: (a[0], 1),
    "rowsum": lambda a: (a[0], 1),
    # look-ups
    "gather": _rows_of,  # rows of a table by number from 0
    "label": _rows_of,  # the same, blank from position n on: label(table, ids, pos, n)
    "pick": lambda a, n: (1, a[1]),  # row n, from 1
    "largest": lambda a, k: k,  # the k-th largest of a column, for a column of k
    "whereis": lambda v, a, i: v,  # i where a equals v; the j-th such i for the j-th equal v
}

# Ops whose formula reads single cells or rows, and is written once per cell (classic Excel has no BYROW).
READS_CELLS = frozenset({"rowmean", "rowvar", "rowmax", "rowsum", "gather", "label", "pick", "largest", "whereis"})

# Ops that make no cells: a name over cells that are there already.
VIEWS = frozenset({"columns", "concat"})
