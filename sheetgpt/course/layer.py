"""Two neurons as formulas and as one matrix product: the same numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.bends import relu
from sheetgpt.course.demo import Demo, Line, Plot, band, light
from sheetgpt.plan.ops import Expr
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

AT = "layer"
WORDS = [["Mike"], ["is"], ["quick"], ["moves"]]
X = [[1, 0, 0.5], [0.2, 1, 0], [0.3, 0.4, 2], [0, 1.5, 1]]
W: list[list[float]] = [[0.5, -1], [1, 0.2], [-0.3, 0.8]]
B = [[0.1, -0.2]]
N = len(WORDS)
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """w x + b twice by hand, then once as X @ W + B for all words at once."""
    p.constant(f"{AT}.word", WORDS, (N, 1))
    p.counted(f"{AT}.row", range(1, N + 1))
    x, w, b = p.knob(f"{AT}.x", X, (N, 3)), p.knob(f"{AT}.w", W, (3, 2)), p.knob(f"{AT}.b", B, (1, 2))
    one, two = (p(f"{AT}.{name}", _neuron(x, w, b, c)) for c, name in enumerate(("one", "two")))
    pre = p(f"{AT}.pre", x @ w + b)  # [4, 2]
    p(f"{AT}.post", relu(pre))
    p(f"{AT}.first", relu(one))
    p(f"{AT}.second", relu(two))
    bands = [
        band(AT, "word", "x", "w"),
        band(AT, "b"),
        band(AT, "row", "one", "two", "first", "second"),
        band(AT, "pre", "post", room=16),
    ]
    return [*bands, light(p, AT, _against(one, pre, 0), _against(two, pre, 1))]


def _neuron(x: Expr, w: Expr, b: Expr, c: int) -> Expr:
    """The sum of one neuron for each word [4, 1], written out."""

    def rule(r: int, _: int) -> str:
        return "+".join(f"{{0:cell {r},{i}}}*{{1:cell {i},{c}}}" for i in range(3)) + f"+{{2:cell 0,{c}}}"

    def sums(x: Numbers, w: Numbers, b: Numbers) -> Numbers:
        return np.array([[sum(n * m for n, m in zip(row, w[:, c], strict=True)) + b[0, c]] for row in x])

    said = f"x[:, 0] * w[0, {c}] + x[:, 1] * w[1, {c}] + x[:, 2] * w[2, {c}] + b[{c}]"
    return own(rule, sums, x, w, b, shape=(N, 1), said=said)


def _against(neuron: Expr, pre: Expr, c: int) -> Expr:
    """How far a neuron's sums are from a column of the product, beside their size."""

    def rule(r: int, _: int) -> str:
        return f"({{0:at}}-{{1:cell {r},{c}}})/(1+ABS({{0:at}}))"

    def far(neuron: Numbers, pre: Numbers) -> Numbers:
        return np.asarray((neuron - pre[:, [c]]) / (1 + np.abs(neuron)))

    return own(rule, far, neuron, pre, shape=(N, 1), said=f"({neuron.name} - pre[:, {c}]) / (1 + abs({neuron.name}))")


LAYER = Demo(
    AT,
    "Layer as matrix",
    "Perceptron and learning",
    (3, 6),
    add,
    plots=(
        Plot(
            "column",
            "What comes out of two neurons",
            f"{AT}.post",
            (
                Line("neuron 1", f"{AT}.post[,0]", f"{AT}.word"),
                Line("neuron 2", f"{AT}.post[,1]", f"{AT}.word"),
            ),
            shares=False,
        ),
    ),
    styles=dict.fromkeys((f"{AT}.x", f"{AT}.w", f"{AT}.b"), Style.TYPED),
)
