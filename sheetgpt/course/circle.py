"""Circle: positions told by sine and cosine, as in the first transformer (Vaswani et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.nearness import Numbers, lengths, row_picked
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

T, D = 16, 8  # positions, columns
BASE, TOKEN = 10_000.0, [[3, 2]]
PAIRS = D // 2


def add(p: Plan) -> Sequence[Band]:
    """A table of sines and cosines; one pair of its columns around a token's point: a circle."""
    base = p.knob("circle.base", BASE)
    pos = p.counted("circle.pos", range(T))
    rate = p("circle.rate", own(_rate_formula, _rate, base, shape=(1, D), said="base ** -(2 * (c // 2) / 8)"))
    wave = own(_wave_formula, _wave, pos, rate, shape=(T, D), said="sin(pos * rate), cos(pos * rate), ...")
    table = p("circle.table", wave)
    pair = row_picked(p, "circle.pair", p.knob("circle.pick", 0.0), PAIRS)
    token = p.knob("circle.token", TOKEN, (1, 2))
    chosen = own(_chosen_formula, _chosen, table, pair, shape=(T, 2), said="table[:, [2 * pair + 1, 2 * pair]]")
    offset = p("circle.offset", chosen)
    p("circle.point", token + offset)
    radius = p("circle.radius", lengths(offset, "sqrt((offset**2).sum(axis=1))"))
    bands = [
        Band(("circle.pick", "circle.token", "circle.base", "circle.pair"), touching=True),
        Band(("circle.pos", "circle.offset", "circle.point", "circle.radius"), touching=True),
        Band(("circle.rate",)),
        Band(("circle.table",)),
    ]
    return [*bands, light(p, "circle", apply("worst", radius - 1))]


def _rate_formula(_: int, c: int) -> str:
    """By how much the angle grows with each position; a base that is none counts as 1."""
    return f"IF({{0}}>0,{{0}},1)^(-{2 * (c // 2)}/{D})"


def _rate(base: Numbers) -> Numbers:
    pairs = np.arange(D) // 2
    return np.where(base > 0, base, 1.0) ** (-2.0 * pairs / D)


def _wave_formula(_: int, c: int) -> str:
    return f"{'COS' if c % 2 else 'SIN'}({{0:at}}*{{1:at}})"


def _wave(pos: Numbers, rate: Numbers) -> Numbers:
    angle = pos * rate
    return np.where(np.arange(D) % 2, np.cos(angle), np.sin(angle))


def _chosen_formula(_: int, c: int) -> str:
    return f"INDEX({{0:row}},1,2*{{1}}+{2 - c})"


def _chosen(table: Numbers, pair: Numbers) -> Numbers:
    at = 2 * int(pair[0, 0])
    return table[:, [at + 1, at]]


CIRCLE = Demo(
    "circle",
    "Circle",
    "Positions",
    (0, 12),
    add,
    plots=(
        Plot(
            "scatter",
            "The token's point at 16 positions",
            "circle.radius",
            (
                Line("positions", "circle.point[,1]", "circle.point[,0]"),
                Line("in order", "circle.point[,1]", "circle.point[,0]", joined=True),
                Line("the token", "circle.token[,1]", "circle.token[,0]"),
            ),
            "across",
            "up",
            size=(400, 380),
        ),
    ),
    styles={
        **dict.fromkeys(("circle.pick", "circle.base"), Style.KNOB),
        "circle.pair": Style.WHOLE,
    },
)
