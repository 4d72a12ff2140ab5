"""The zoo of bends: five activation functions in one chart, and what each makes of one number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.bends import gelu, leaky, relu, sigmoid, tanh
from sheetgpt.course.demo import Demo, Line, Plot, band, light
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

AT = "zoo"
AXIS = [[step / 4] for step in range(-16, 17)]
BENDS = ("relu", "leaky", "sigmoid", "tanh", "gelu")
SAID = {"relu": "ReLU", "leaky": "leaky ReLU", "sigmoid": "sigmoid", "tanh": "tanh", "gelu": "GELU"}
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Each function along an axis, at the number of the slider cell and at its opposite."""
    x, slope = p.knob(f"{AT}.x", 1.5), p.knob(f"{AT}.slope", 0.1)
    axis = p.constant(f"{AT}.axis", AXIS, (len(AXIS), 1))
    rules: tuple[Callable[[Expr], Expr], ...] = (relu, lambda z: leaky(z, slope), sigmoid, tanh, gelu)
    for name, rule in zip(BENDS, rules, strict=True):
        p(f"{AT}.{name}", rule(axis))
    minus = p(f"{AT}.minus", 0 - x)
    now = [p(f"{AT}.{name}_now", rule(x)) for name, rule in zip(BENDS, rules, strict=True)]
    mirrored = [p(f"{AT}.{name}_minus", rule(minus)) for name, rule in zip(BENDS, rules, strict=True)]
    p(f"{AT}.there", own("{0}", lambda z: z, x, shape=(len(BENDS), 1), said="x"))
    p(f"{AT}.points", apply("stack", *now))
    double = p(f"{AT}.twice", own("2*{0}", lambda z: 2 * z, x, shape=(1, 1), said="2 * x"))
    stretched = p(f"{AT}.stretched", sigmoid(double))
    laws = [
        now[0] - mirrored[0] - x,
        now[1] - (now[0] - slope * mirrored[0]),
        now[2] + mirrored[2] - 1,
        now[3] - (2 * stretched - 1),
        now[4] - mirrored[4] - x,
    ]
    size = p(
        f"{AT}.size",
        own("1+ABS({0})*(1+ABS({1}))", _size, x, slope, shape=(1, 1), said="1 + abs(x) * (1 + abs(slope))"),
    )
    bands = [
        band(AT, "x", "slope"),
        band(AT, *(f"{name}_now" for name in BENDS), room=22),
        band(AT, "axis", *BENDS),
        band(AT, "minus", *(f"{name}_minus" for name in BENDS)),
        band(AT, "twice", "stretched", "size", "there", "points"),
    ]
    return [*bands, light(p, AT, *(law / size for law in laws))]


def _size(x: Numbers, slope: Numbers) -> Numbers:
    return np.asarray(1 + abs(x) * (1 + abs(slope)))


ZOO = Demo(
    AT,
    "Zoo of bends",
    "Perceptron and learning",
    (2, 6),
    add,
    plots=(
        Plot(
            "scatter",
            "Five ways to bend a number",
            f"{AT}.gelu_now",
            (
                *(Line(SAID[name], f"{AT}.{name}", f"{AT}.axis", joined=True) for name in BENDS),
                Line("at x", f"{AT}.points", f"{AT}.there"),
            ),
            "what comes in",
            "what comes out",
            (640, 420),
        ),
    ),
    styles={f"{AT}.x": Style.KNOB, f"{AT}.slope": Style.KNOB, f"{AT}.axis": Style.FOUND},
)
