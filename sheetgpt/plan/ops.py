"""Expressions: what can be said. An op is a name with a shape rule here, a numpy rule in
`check/evaluate.py` and a formula rule in `sheet/lower.py`; no table reads another.

Everything is two-dimensional, as a sheet is. Shapes broadcast as in numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

from sheetgpt.errors import PlanError

Shape = tuple[int, int]
Scalar = float | int | str
FINGERPRINT = 6  # numbers by which a matrix is known again: see `fingerprints`
MODULUS = 2**31 - 1  # of `lehmer`, a prime


@dataclass(frozen=True, eq=False)
class Expr:
    """A node: an op over arguments. With a name it is a place in the workbook; without, part of its user's formula."""

    op: str
    args: tuple[Expr, ...] = ()
    shape: Shape = (1, 1)
    name: str | None = None
    value: Any = None  # of a literal, the columns of a view, or how an operation of its own is computed

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

    def __rsub__(self, other: Scalar) -> Expr:
        return apply("sub", other, self)

    def __truediv__(self, other: Expr | Scalar) -> Expr:
        return apply("div", self, other)

    def __pow__(self, other: Scalar) -> Expr:
        return apply("pow", self, other)

    def __matmul__(self, other: Expr) -> Expr:
        return apply("matmul", self, other)

    def __le__(self, other: Expr | Scalar) -> Expr:
        return apply("le", self, other)

    def __ge__(self, other: Expr | Scalar) -> Expr:
        return apply("le", other, self)

    def __gt__(self, other: Expr | Scalar) -> Expr:
        return apply("lt", other, self)

    def __lt__(self, other: Expr | Scalar) -> Expr:
        return apply("lt", self, other)

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


def added(parts: Iterable[Expr]) -> Expr:
    """The sum of several expressions."""
    return reduce(add, parts)


def leaders(x: Expr, size: int) -> Expr:
    """The largest numbers of each column, in order: a row for each column, `size` of them."""
    return replace(apply("leaders", x, size), shape=(x.shape[1], size))


def spell(offset: Expr, size: Expr, offsets: Expr, data: Expr, width: int) -> Expr:
    """The bytes of each word in `width` columns, 0 after its end.

    `offset` and `size` say of each word where its bytes begin and how many they are, `offsets` and `data` (four
    columns) the same of each character.
    """
    return replace(apply("spell", offset, size, offsets, data, width), shape=(offset.shape[0], width))


def apply(op: str, *args: Expr | Scalar) -> Expr:
    """`op` over `args`, its shape checked now, before there is any file; raises `PlanError`."""
    nodes = tuple(a if isinstance(a, Expr) else lit(a) for a in args)
    if unnamed := [nodes[i].op for i in READS_CELLS.get(op, ()) if nodes[i].name is None]:
        raise PlanError(f"{op} reads rows of cells, which an unnamed {unnamed[0]} has not: name its inputs first")
    return Expr(op, nodes, SHAPE[op](*(a.shape for a in nodes)))


def per_cell(expr: Expr) -> bool:
    """Whether the formula of `expr` is written once per cell: it, or an unnamed part of it, reads single cells."""
    return expr.op in READS_CELLS or any(a.name is None and per_cell(a) for a in expr.args)


def _broadcast(*shapes: Shape) -> Shape:
    rows, cols = ({n for n in axis if n != 1} for axis in zip(*shapes, strict=True))
    if len(rows) > 1 or len(cols) > 1:
        raise PlanError(f"shapes {' and '.join(map(str, shapes))} do not broadcast")
    return (rows.pop() if rows else 1, cols.pop() if cols else 1)


def _matmul(a: Shape, b: Shape) -> Shape:
    if a[1] != b[0]:
        raise PlanError(f"matmul of {a} and {b}: inner sizes differ")
    return a[0], b[1]


def _rows_of(table: Shape, ids: Shape) -> Shape:
    if 1 not in (ids[1], table[1]):
        raise PlanError(f"row numbers come as one column, not {ids}, where the table has several columns")
    return ids[0], max(ids[1], table[1])


def _apart(a: Shape, b: Shape) -> Shape:
    if a != b:
        raise PlanError(f"rows of {a} and {b} cannot be compared")
    return a[0], 1


def _column(*shapes: Shape) -> Shape:
    if wide := [s for s in shapes if s[1] != 1]:
        raise PlanError(f"one column is wanted, not {wide[0]}")
    return shapes[-1]


def _nucleus(logits: Shape, weights: Shape, wanted: Shape) -> Shape:
    return max(1, (_apart(logits, weights)[0] - 1).bit_length()), 4


def _ladder(symbols: Shape, pairs: Shape, ranks: Shape, made: Shape, n_vocab: Shape) -> Shape:
    words, length = symbols
    return 2 * words * length, length + 1


SHAPE: dict[str, Callable[..., Shape]] = {
    # cell by cell
    "add": _broadcast,  # x + y
    "sub": _broadcast,  # x - y
    "mul": _broadcast,  # x * y
    "div": _broadcast,  # x / y
    "pow": _broadcast,  # x ^ y
    "le": _broadcast,  # x <= y
    "lt": _broadcast,  # x < y
    "eq": _broadcast,  # x = y; of texts only where case does not matter
    "where": _broadcast,  # y where x, else z
    "floor": _broadcast,  # the whole number below x
    "mod": _broadcast,  # what is left of x divided by y
    "exp": _broadcast,
    "sqrt": _broadcast,
    "tanh": _broadcast,
    "normal": _broadcast,  # how much of the normal distribution lies below x
    # whole matrices
    "matmul": _matmul,
    "transpose": lambda a: (a[1], a[0]),
    "max": lambda a: (1, 1),
    "sum": lambda a: (1, 1),
    "argmax": lambda a: (1, 1),  # of a column; from 0; the first of equals
    "same": lambda a: a,  # the same value at another place
    "worst": lambda *parts: (1, 1),  # the largest size, sign aside, of all numbers of one or several
    "numbers": lambda a: (1, 1),  # how many cells hold a number
    "unlit": lambda lights: (1, 1),  # how many lights say neither "OK" nor "no answer"
    # along a row
    "rowmean": lambda a: (a[0], 1),
    "rowvar": lambda a: (a[0], 1),  # population variance
    "rowmax": lambda a: (a[0], 1),
    "rowsum": lambda a: (a[0], 1),
    "rowcount": lambda a: (a[0], 1),  # how many are 0 or more
    "apart": _apart,  # the largest gap to a row of the same length, relative to 1 + its number
    # of each column, one below the other: what is computed there may be an expression
    "colmax": lambda a: (a[1], 1),
    "colsum": lambda a: (a[1], 1),
    "leaders": lambda a, size: (a[1], 1),  # the largest numbers, in order: see `leaders`
    # a formula of its own for each row
    "stack": lambda *parts: (len(parts), 1),  # numbers one below the other
    # rows, columns, numbers, sum, sum of squares, and the sum of each number times sin(row) cos(column), from 1
    "fingerprints": lambda *parts: (len(parts), FINGERPRINT),
    # down a column
    "above": _column,  # above(first, x): the row above; `first` where there is none
    "below": _column,  # below(last, x): the row below; `last` where there is none
    "cumsum": _column,  # the sum of all rows down to this one
    "runs": _column,  # how many equal texts follow each other from this row on; 0 for an empty one
    "countdown": _column,  # x, x-1 ... 1, and then the x of the row that comes next
    # 16807 x modulo `MODULUS`: of x in the first row, of the row above in the others, as many as y has rows
    "lehmer": lambda x, y: y,
    # look-ups
    "gather": _rows_of,  # rows of a table by number from 0; of a table of one column, an entry for each number
    "item": lambda table, row, col: _broadcast(row, col),  # one entry of a table, both numbers from 0
    "pick": lambda a, n: (1, a[1]),  # row n, from 1
    "picks": lambda n, *tables: (len(tables), tables[0][1]),  # row n, from 1, of several tables
    "largest": lambda a, k: k,  # the k-th largest of a column, for a column of k
    "smallest": lambda a, k: k,
    # i where a equals v; the j-th such i for the j-th equal v; a row of v belongs to each of several columns of a
    "whereis": lambda v, a, i: v,
    "find": lambda v, a: v,  # the first row, from 0, at which a equals v
    # how many of the largest numbers of a column have weights that add up to less than is wanted, bit by bit from the
    # highest: so many tried, the least number among them, what those from it on weigh, how many are too few for sure
    "nucleus": _nucleus,
    "locate": lambda v, a: v,  # the last row, from 0, at which the rising column a is not above v
    # texts
    "length": _broadcast,  # in whatever unit the program counts
    "code": _broadcast,  # code point of the first character
    "char": _broadcast,  # the character of a code point
    "without": _broadcast,  # x without the text y that it ends with
    "suffixes": lambda text, rows: rows,  # the text from each character on; empty after its end
    "contraction": _column,  # 2 or 3 where the text begins with 's 't 're 've 'm 'll 'd, else 0
    "utf8": lambda code, size: (code[0], 4),  # the bytes of a character; 0 where it has fewer
    "visible": _broadcast,  # a text with ␣ for each space
    "exactly": lambda x, texts: x,  # the first row, from 0, of a column of texts that is x to the letter; -1 if none
    "join": _broadcast,  # one text, or whole number, and then the other
    "exact": _broadcast,  # whether two texts are equal, capitals and all
    "typed": lambda a: a,  # a token as it is typed: spaces, line feeds and tabs for the signs that show them
    "istext": _broadcast,  # whether a cell holds text, not a number
    "isnumber": _broadcast,  # whether it holds a number
    "usable": _broadcast,  # x, or the text y where x cannot be computed
    # byte pair encoding
    "spell": lambda words, *_: words,  # the bytes of each word, side by side: see `spell`
    "ladder": _ladder,  # for each word two rows a merge: its symbols, and below them the ranks of their pairs
    "drawn": lambda ladder, table: (ladder[0], ladder[1] - 1),  # a ladder as text
    "rung": lambda ladder, words: words,  # the symbols that each word's ladder ends with
}

# Ops whose formula reads single cells or rows, and is written once per cell (classic Excel has no BYROW, and text
# functions differ over arrays): which of their arguments must be places.
READS_CELLS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("rowmean", "rowvar", "rowmax", "rowsum", "rowcount"), (0,)),
    **dict.fromkeys(("cumsum", "runs", "countdown", "contraction"), (0,)),
    **dict.fromkeys(("above", "below", "find", "locate"), (1,)),
    **dict.fromkeys(("gather", "item", "pick", "largest", "smallest", "leaders"), (0,)),
    "lehmer": (1,),
    "nucleus": (0, 1),
    **dict.fromkeys(("exact", "typed", "isnumber"), ()),
    **dict.fromkeys(("length", "istext", "code", "char", "without", "usable", "normal", "visible"), ()),
    **dict.fromkeys(("colmax", "colsum"), ()),
    **dict.fromkeys(("picks", "exactly"), (1,)),
    "whereis": (0, 1, 2),
    "suffixes": (0, 1),
    "apart": (0, 1),
    **dict.fromkeys(("stack", "fingerprints", "own"), ()),
    "utf8": (0, 1),
    "spell": (0, 1, 2, 3),
    "ladder": (0, 1, 2, 3),
    "drawn": (0, 1),
    "rung": (0, 1),
}

# Ops that make no cells: a name over cells that are there already.
VIEWS = frozenset({"columns", "concat"})

# Ops whose value is text whatever their arguments are.
TEXTS = frozenset({"char", "without", "suffixes", "drawn", "join", "typed", "visible"})
