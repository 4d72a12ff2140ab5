"""A matrix product, one cell of it picked: its row, its column, their products one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, band, light
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

AT = "product"
LEFT = [[2, 0, 1, 3], [1, 4, 0, 2], [0, 1, 5, 1]]
RIGHT = [[1, 2, 0], [3, 0, 1], [2, 1, 1], [0, 1, 4]]
N, K, M = len(LEFT), len(RIGHT), len(RIGHT[0])
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Left [3, 4] times right [4, 3]; a picked row and column of it by hand."""
    left, right = p.knob(f"{AT}.left", LEFT, (N, K)), p.knob(f"{AT}.right", RIGHT, (K, M))
    product = p(f"{AT}.whole", left @ right)  # [3, 3]
    i, j = _inside(p, "row", "i", 1.0, N), _inside(p, "column", "j", 2.0, M)
    p.counted(f"{AT}.place", range(1, K + 1))
    a = own(
        "INDEX({0},{1}+1,{here:r}+1)", lambda x, at: x[int(at[0, 0])][:, None], left, i, shape=(K, 1), said="left[i]"
    )
    b = own(
        "INDEX({0},{here:r}+1,{1}+1)", lambda x, at: x[:, [int(at[0, 0])]], right, j, shape=(K, 1), said="right[:, j]"
    )
    times = p(f"{AT}.times", p(f"{AT}.a", a) * p(f"{AT}.b", b))
    p(f"{AT}.upto", apply("cumsum", times))
    total = p(f"{AT}.sum", apply("sum", times))
    entry = p(f"{AT}.entry", apply("item", product, i, j))
    rows = p(f"{AT}.rows", apply("rowsum", product))
    bill = p(f"{AT}.bill", left @ p(f"{AT}.prices", apply("rowsum", right)))
    bands = [
        band(AT, "left", "right", "whole"),
        band(AT, "row", "column", "i", "j"),
        band(AT, "place", "a", "b", "times", "upto"),
        band(AT, "sum", "entry"),
        band(AT, "prices", "bill", "rows"),
    ]
    return [*bands, light(p, AT, apply("apart", total, entry), apply("apart", rows, bill))]


def _inside(p: Plan, knob: str, name: str, start: float, size: int) -> Expr:
    """A row or column that there is, from 0, whatever is typed."""
    rule, said = f"MAX(0,MIN({size - 1},INT({{0}})))", f"clip(floor({knob}), 0, {size - 1})"
    typed = p.knob(f"{AT}.{knob}", start)
    return p(f"{AT}.{name}", own(rule, lambda x: np.clip(np.floor(x), 0, size - 1), typed, shape=(1, 1), said=said))


PRODUCT = Demo(
    AT,
    "Matrix product",
    "Perceptron and learning",
    (3, 8),
    add,
    styles={
        **dict.fromkeys((f"{AT}.left", f"{AT}.right"), Style.TYPED),
        **dict.fromkeys((f"{AT}.{name}" for name in ("whole", "a", "b", "times", "upto", "sum", "entry")), Style.FOUND),
        **dict.fromkeys((f"{AT}.row", f"{AT}.column"), Style.KNOB),
        **dict.fromkeys((f"{AT}.i", f"{AT}.j"), Style.WHOLE),
    },
    marks={
        f"{AT}.left": f"{{r}}={AT}.i",
        f"{AT}.right": f"{{c}}={AT}.j",
        f"{AT}.whole": f"AND({{r}}={AT}.i,{{c}}={AT}.j)",
    },
)
