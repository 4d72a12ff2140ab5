"""Tokens that a learner types: what is exactly one token of the model is found, anything else is said to be none.

As on the tab Playground of a workbook, capitals and the space before a word count, and a space may be typed as ␣.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan

NO_TOKEN = "not one token"


def tokens(p: Plan, at: str, start: list[list[str]]) -> Expr:
    """Typed tokens as `at`.word, how they are looked up as .seen, their ids as .id, -1 for none, and .said of a row."""
    shape = len(start), len(start[0])
    seen = p(f"{at}.seen", apply("visible", p.knob(f"{at}.word", start, shape)))
    ids = p(f"{at}.id", apply("exactly", seen, p["vocab.text"]))
    formula, said = f'IF(MIN({{0:row}})<0,"{NO_TOKEN}","")', f"where(id.min(axis=1) < 0, '{NO_TOKEN}', '')"
    p(f"{at}.said", own(formula, _said, ids, shape=(shape[0], 1), said=said, text=True))
    return ids


def _said(ids: NDArray[Any]) -> NDArray[np.object_]:
    return np.where(ids.min(axis=1, keepdims=True) < 0, NO_TOKEN, "").astype(object)


def rows_of(p: Plan, name: str, table: Expr, ids: Expr, column: int) -> Expr:
    """The rows of a table whose numbers stand in a column of `ids`; zeros for a number below 0."""

    def formula(r: int, c: int) -> str:
        at = f"{{1:cell {r},{column}}}"
        return f"IF({at}<0,0,INDEX({{0}},{at}+1,{c + 1}))"

    def value(x: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
        wanted = rows[:, [column]]
        return np.where(wanted < 0, 0, x[wanted[:, 0].astype(int)])

    said = f"{table.name}[{ids.name}[:, {column}]], or 0"
    return p(name, own(formula, value, table, ids, shape=(ids.shape[0], table.shape[1]), said=said))
