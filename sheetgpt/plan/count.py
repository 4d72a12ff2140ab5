"""How many additions, multiplications and so on an expression takes, counted by walking it.

Looking up, comparing and choosing are not counted, nor is what is worked out of constants alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sheetgpt.plan.ops import Expr

KINDS = ("multiplications", "additions", "divisions", "exp", "tanh", "sqrt")  # a subtraction is an addition
_MUL, _ADD, _DIV = KINDS[:3]

# For each op, given how many numbers come out, how long the row, column or matrix is that each is made of, and the
# literal exponent: how many operations of each kind.
_COUNTS: dict[str, Callable[[int, int, int], dict[str, int]]] = {
    "add": lambda out, n, e: {_ADD: out},
    "sub": lambda out, n, e: {_ADD: out},
    "mul": lambda out, n, e: {_MUL: out},
    "div": lambda out, n, e: {_DIV: out},
    "pow": lambda out, n, e: {_MUL: out * (e - 1)},
    "exp": lambda out, n, e: {"exp": out},
    "tanh": lambda out, n, e: {"tanh": out},
    "normal": lambda out, n, e: {"tanh": out},  # the bend of other models: one of a kind is one of a kind
    "sqrt": lambda out, n, e: {"sqrt": out},
    "matmul": lambda out, n, e: {_MUL: out * n, _ADD: out * (n - 1)},
    "sum": lambda out, n, e: {_ADD: out * (n - 1)},
    "rowsum": lambda out, n, e: {_ADD: out * (n - 1)},
    "rowmean": lambda out, n, e: {_ADD: out * (n - 1), _DIV: out},
    # the mean, each number less the mean, its square, their mean
    "rowvar": lambda out, n, e: {_ADD: out * (2 * (n - 1) + n), _MUL: out * n, _DIV: out * 2},
}


def operations(expr: Expr) -> Counter[str]:
    """Operations of a place's own formula: of `expr` and its unnamed parts."""
    found: Counter[str] = Counter()
    if not _reads(expr):
        return found
    for arg in expr.args:
        if arg.name is None:
            found += operations(arg)
    if expr.op in _COUNTS:
        (rows, cols), out = expr.args[0].shape, expr.shape[0] * expr.shape[1]
        long = rows * cols if expr.op == "sum" else cols
        exponent = expr.args[1].value if expr.op == "pow" else 0
        found += Counter(_COUNTS[expr.op](out, long, exponent if type(exponent) is int else 0))
    return found


def _reads(expr: Expr) -> bool:
    """Whether some place is read, so that there is something to compute again."""
    return any(arg.name is not None or _reads(arg) for arg in expr.args)
