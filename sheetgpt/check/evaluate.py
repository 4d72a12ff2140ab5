"""The numpy meaning of a plan. This table never reads the formula table, nor that one this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.plan.ops import Expr, span
from sheetgpt.plan.plan import Plan

Array = NDArray[Any]  # float64, or object for text
Env = Mapping[str, Array]


def _rows(ids: Array) -> NDArray[np.intp]:
    """Row numbers as integers; raises `IndexError` where one is no number."""
    numbers = np.asarray(ids[:, 0], dtype=float)
    if not np.isfinite(numbers).all():
        raise IndexError("a row number is not a number")
    return numbers.astype(np.intp)


def _gather(table: Array, ids: Array) -> Array:
    return np.asarray(table[_rows(ids)])


def _matmul(a: Array, b: Array) -> Array:
    """Matrix product; times a column it is summed row by row in one order, so that equal rows give equal numbers."""
    return (a * b[:, 0]).sum(axis=1, keepdims=True) if b.shape[1] == 1 else np.asarray(a @ b)


def _label(table: Array, ids: Array, pos: Array, n: Array) -> Array:
    return np.where(pos < n, _gather(table, ids), "").astype(object)


def _largest(column: Array, k: Array) -> Array:
    return np.asarray(np.sort(column, axis=0)[::-1][_rows(k) - 1] + 0 * column.sum())  # NaN if any is


def _whereis(wanted: Array, column: Array, ids: Array) -> Array:
    """For the j-th occurrence of a value in `wanted`, the j-th place where `column` has it."""
    out = np.empty_like(wanted, dtype=float)
    for row, value in enumerate(wanted[:, 0]):
        nth = int((wanted[: row + 1, 0] == value).sum())
        out[row, 0] = ids[column[:, 0] == value][nth - 1, 0]
    return out


NUMPY: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "le": np.less_equal,
    "where": np.where,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "matmul": _matmul,
    "transpose": np.transpose,
    "max": lambda x: x.max(keepdims=True),
    "sum": lambda x: x.sum(keepdims=True),
    "argmax": lambda x: np.array([[np.nan if np.isnan(x).any() else float(x.argmax())]]),
    "same": lambda x: x,
    "rowmean": lambda x: x.mean(axis=1, keepdims=True),
    "rowvar": lambda x: x.var(axis=1, keepdims=True),
    "rowmax": lambda x: x.max(axis=1, keepdims=True),
    "rowsum": lambda x: x.sum(axis=1, keepdims=True),
    "gather": _gather,
    "label": _label,
    "pick": lambda x, n: x[_rows(n) - 1],
    "largest": _largest,
    "whereis": _whereis,
    "concat": lambda *parts: np.hstack(parts),
}


def evaluate(expr: Expr, env: Env) -> Array:
    """Value of `expr`, two-dimensional; every named input is taken from `env`, whoever computed it."""
    args = (env[a.name] if a.name is not None else _value(a, env) for a in expr.args)
    if expr.op == "columns":
        start, stop = span(expr)
        return np.asarray(next(iter(args))[:, start:stop])
    return np.asarray(NUMPY[expr.op](*args))


def _value(expr: Expr, env: Env) -> Array:
    if expr.op == "lit":
        return np.asarray(expr.value)
    return evaluate(expr, env)


def run(plan: Plan, given: Env) -> dict[str, Array]:
    """Every place of the plan in order: `given` for parameters and inputs, the rest computed in float64.

    Numbers may overflow silently. Where a place cannot be computed at all (an id that is no row) it is NaN, or
    empty text.
    """
    env: dict[str, Array] = {}
    with np.errstate(all="ignore"):
        for name, expr in plan.items():
            try:
                env[name] = given[name] if expr.op == "data" else evaluate(expr, env)
            except (IndexError, ValueError, TypeError):
                blank, kind = ("", object) if name in plan.text else (np.nan, float)
                env[name] = np.full(expr.shape, blank, kind)
    return env
