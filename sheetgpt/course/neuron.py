"""One neuron: numbers times weights, added up, a threshold, and what comes out. Then four that read the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.bends import relu
from sheetgpt.course.demo import Demo, Line, Plot, band, light
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

AT = "neuron"
INPUTS = [["sun"], ["friends"], ["homework"]]
X = [[1.0], [1.0], [0.5]]
W = [[0.6], [0.8], [-1.0]]
WEIGHTS = [[0.6, -0.5, 0.2, 0.3], [0.8, 0.4, -0.6, 0.1], [-1.0, 0.9, 0.5, -0.2]]
BIASES = [[-0.5, 0.1, 0.0, -0.3]]
AXIS = [[step / 4] for step in range(-8, 13)]
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Shall we go out? Three inputs, three weights, a threshold."""
    p.constant(f"{AT}.input", INPUTS, (3, 1))
    x, w, threshold = p.knob(f"{AT}.x", X, (3, 1)), p.knob(f"{AT}.w", W, (3, 1)), p.knob(f"{AT}.threshold", 0.5)
    product = p(f"{AT}.product", x * w)
    total = p(f"{AT}.sum", own("SUMPRODUCT({0},{1})", np.vdot, x, w, shape=(1, 1), said="vdot(x, w)"))
    added = p(f"{AT}.added", apply("sum", product))
    bias = p(f"{AT}.bias", 0 - threshold)
    z = p(f"{AT}.z", total + bias)
    fires = p(f"{AT}.fires", apply("where", threshold < total, 1, 0))
    out = p(f"{AT}.out", relu(z))
    axis = p.constant(f"{AT}.axis", AXIS, (len(AXIS), 1))
    p(f"{AT}.step", apply("where", threshold < axis, 1, 0))
    p(f"{AT}.curve", own("MAX(0,{0:at}+{1})", _bent, axis, bias, shape=axis.shape, said="maximum(axis + bias, 0)"))
    sums, each = _layer(p, x)
    bands = [
        band(AT, "input", "x", "w", "product", "threshold"),
        band(AT, "sum", "bias", "z", "fires", "out", room=16),
        band(AT, "weights", "count"),
        band(AT, "biases"),
        band(AT, "sums", "outs"),
        band(AT, "each", "added"),
        band(AT, "axis", "step", "curve"),
    ]
    ways = [apply("apart", total, added), apply("apart", sums, each)]
    return [*bands, light(p, AT, *ways, out * (1 - fires))]


def _layer(p: Plan, x: Expr) -> tuple[Expr, Expr]:
    """The sums of four neurons [1, 4], by matrix product and one by one."""
    weights, biases = p.knob(f"{AT}.weights", WEIGHTS, (3, 4)), p.knob(f"{AT}.biases", BIASES, (1, 4))
    p(f"{AT}.count", own("ROWS({0})*COLUMNS({0})", np.size, weights, shape=(1, 1), said="weights.size"))
    sums = p(f"{AT}.sums", x.T @ weights + biases)
    p(f"{AT}.outs", relu(sums))
    rule, said = "SUMPRODUCT({0},{1:col})+{2:at}", "(x * weights).sum(axis=0) + biases"
    return sums, p(f"{AT}.each", own(rule, _one_by_one, x, weights, biases, shape=(1, 4), said=said))


def _bent(axis: Numbers, bias: Numbers) -> Numbers:
    return np.maximum(axis + bias, 0)


def _one_by_one(x: Numbers, weights: Numbers, biases: Numbers) -> Numbers:
    return np.asarray((x * weights).sum(axis=0) + biases)


NEURON = Demo(
    AT,
    "Neuron",
    "Perceptron and learning",
    (5, 10),
    add,
    plots=(
        Plot(
            "scatter",
            "What comes out",
            f"{AT}.out",
            (
                Line("all or nothing", f"{AT}.step", f"{AT}.axis", joined=True),
                Line("ReLU", f"{AT}.curve", f"{AT}.axis", joined=True),
                Line("now", f"{AT}.out", f"{AT}.sum"),
            ),
            "weighted sum",
            "output",
        ),
    ),
    styles={
        f"{AT}.axis": Style.FOUND,
        **dict.fromkeys((f"{AT}.x", f"{AT}.w", f"{AT}.weights", f"{AT}.biases"), Style.TYPED),
        f"{AT}.threshold": Style.KNOB,
        **dict.fromkeys((f"{AT}.fires", f"{AT}.step", f"{AT}.count"), Style.WHOLE),
    },
)
