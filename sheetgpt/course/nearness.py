"""What is near to what: lengths, distances to a point, names in that order, and a row that a learner picks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.layout import Band

Numbers = NDArray[np.float64]
Texts = NDArray[np.object_]


def row_picked(p: Plan, name: str, knob: Expr, n: int) -> Expr:
    """The row from 0 to n-1 that a typed number means, whatever number it is."""
    picked = own(
        f"MAX(0,MIN({n - 1},INT({{0}})))",
        lambda x: np.clip(np.floor(x), 0, n - 1),
        knob,
        shape=(1, 1),
        said=f"clip(floor({knob.name}), 0, {n - 1})",
    )
    return p(name, picked)


def lengths(x: Expr, said: str = "") -> Expr:
    """The length of each row [N, 1], by Pythagoras; `said` where the lesson has a shorter name for the rows."""
    said = said or f"sqrt(({x.name}**2).sum(axis=1))"
    return own("SQRT(SUMSQ({0:row}))", norms, x, shape=(x.shape[0], 1), said=said)


def norms(x: Numbers) -> Numbers:
    """The same of an array."""
    return np.asarray(np.sqrt((x**2).sum(axis=1, keepdims=True)))


def distances(p: Plan, name: str, table: Expr, point: Expr) -> Expr:
    """How far each row of a table [N, D] is from a point [1, D], by Pythagoras [N, 1]."""
    distance = own(
        "SQRT(SUMPRODUCT(({0:row}-{1})*({0:row}-{1})))",
        lambda x, y: np.sqrt(((x - y) ** 2).sum(axis=1, keepdims=True)),
        table,
        point,
        shape=(table.shape[0], 1),
        said=f"sqrt((({table.name} - {point.name})**2).sum(axis=1))",
    )
    return p(name, distance)


def nearest_first(p: Plan, at: str, names: Expr, distance: Expr) -> tuple[Band, Expr]:
    """Names in the order of their distances, as `at`.order, .text, .nearest, .which; and a gap that is always 0."""
    n = distance.shape[0]
    order = p.counted(f"{at}.order", range(1, n + 1))
    nearest = p(f"{at}.nearest", apply("smallest", distance, order))
    row = p.counted(f"{at}.row", range(n))
    which = p(f"{at}.which", apply("whereis", nearest, distance, row))
    p(f"{at}.text", apply("gather", names, which))
    band = Band(tuple(f"{at}.{part}" for part in ("order", "text", "nearest", "which")), touching=True)
    return band, nearest - apply("gather", distance, which)
