"""A hiker in fog who wants to get down: gradient descent, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, band, light
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

AT = "hiker"
STEPS = 20
EDGE = 4  # the map ends at -4 and at 4
NUDGE = 0.01
FAIR = 1e-5  # a slope from two heights is right to four digits, not to nine: a gap of 1e-4 is tested as one of 1e-9
AXIS = [[step / 5] for step in range(-5 * EDGE, 5 * EDGE + 1)]
HEIGHT = "0.05*{0}^4-0.4*{0}^2+0.1*{0}+1"
SLOPE = "0.2*{0}^3-0.8*{0}+0.1"
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """A mountain with two valleys, twenty steps downhill, and the ground at one of them."""
    start, rate, stop = p.knob(f"{AT}.start", 3.5), p.knob(f"{AT}.rate", 0.3), p.knob(f"{AT}.stop", 0.01)
    p.counted(f"{AT}.step", range(STEPS + 1))
    said = f"x[0] = start; x[k + 1] = clip(x[k] - rate * slope(x[k]), -{EDGE}, {EDGE})"
    walk = p(f"{AT}.walk", own(_pace, _paces, start, rate, shape=(STEPS + 1, 3), said=said))
    _ending(p, walk, stop)
    numeric = _numeric(p, walk)
    _ground(p, walk)
    place = p.constant(f"{AT}.place", AXIS, (len(AXIS), 1))
    rule, said = HEIGHT.format("{0:at}"), "0.05 * place**4 - 0.4 * place**2 + 0.1 * place + 1"
    p(f"{AT}.height", own(rule, _height, place, shape=place.shape, said=said))
    bands = [
        band(AT, "start", "rate", "stop", "status", "arrived"),
        band(AT, "step", "walk"),
        band(AT, "pick", "at", "ground", "tangent"),
        band(AT, "place", "height", "up", "down", "numeric"),
    ]
    return [*bands, light(p, AT, _off(numeric, walk))]


def _height(x: Numbers) -> Numbers:
    return np.asarray(0.05 * x**4 - 0.4 * x**2 + 0.1 * x + 1)


def _slope(x: Numbers) -> Numbers:
    return np.asarray(0.2 * x**3 - 0.8 * x + 0.1)


def _pace(r: int, c: int) -> str:
    """Where he stands, the slope there, how high that is."""
    if c == 0:
        to = f"{{here:up}}-{{1}}*{{here:cell {r - 1},1}}" if r else "{0}"
        return f"MAX(-{EDGE},MIN({EDGE},{to}))"
    return (SLOPE if c == 1 else HEIGHT).format(f"{{here:cell {r},0}}")


def _paces(start: Numbers, rate: Numbers) -> Numbers:
    x = np.clip(start[0, 0], -EDGE, EDGE)
    rows = []
    for _ in range(STEPS + 1):
        rows.append((x, _slope(x), _height(x)))
        x = np.clip(x - rate[0, 0] * _slope(x), -EDGE, EDGE)
    return np.array(rows, np.float64)


def _ending(p: Plan, walk: Expr, stop: Expr) -> None:
    """The first step at which the ground is flat enough, and what became of him."""
    rule, said = "IFERROR(MATCH(1,(ABS({0:col 1})<{1})*1,0)-1,-1)", "first step with abs(slope) < stop, else -1"
    arrived = p(f"{AT}.arrived", own(rule, _first, walk, stop, shape=(1, 1), said=said, kind="cse"))
    lost = f'IF(ABS({{1:cell {STEPS},0}})>={EDGE},"lost at the edge","still walking")'
    said = f"'arrived' if arrived >= 0 else 'lost at the edge' if abs(walk[-1, 0]) >= {EDGE} else 'still walking'"
    status = own(f'IF({{0}}>=0,"arrived",{lost})', _status, arrived, walk, shape=(1, 1), said=said, text=True)
    p(f"{AT}.status", status)


def _first(walk: Numbers, stop: Numbers) -> Numbers:
    flat = np.abs(walk[:, 1]) < stop[0, 0]
    return np.array([[flat.argmax() if flat.any() else -1]], np.float64)


def _status(arrived: Numbers, walk: Numbers) -> NDArray[np.object_]:
    said = "lost at the edge" if abs(walk[-1, 0]) >= EDGE else "still walking"
    return np.array([["arrived" if arrived[0, 0] >= 0 else said]], object)


def _numeric(p: Plan, walk: Expr) -> Expr:
    """The slope at each step [21, 1] by feeling the ground a little to the right and to the left."""
    sides = []
    for name, sign, nudge in (("up", "+", NUDGE), ("down", "-", -NUDGE)):
        rule = partial(_beside, sign)
        said = f"height(x {sign} {NUDGE})"
        sides.append(p(f"{AT}.{name}", own(rule, partial(_felt, nudge), walk, shape=(STEPS + 1, 1), said=said)))
    return p(f"{AT}.numeric", (sides[0] - sides[1]) / (2 * NUDGE))


def _beside(sign: str, r: int, _: int) -> str:
    return HEIGHT.format(f"({{0:cell {r},0}}{sign}0.01)")


def _felt(nudge: float, walk: Numbers) -> Numbers:
    return _height(walk[:, :1] + nudge)


def _off(numeric: Expr, walk: Expr) -> Expr:
    def rule(r: int, _: int) -> str:
        return f"{FAIR}*({{0:at}}-{{1:cell {r},1}})/(1+ABS({{0:at}}))"

    def far(numeric: Numbers, walk: Numbers) -> Numbers:
        return np.asarray(FAIR * (numeric - walk[:, 1:2]) / (1 + np.abs(numeric)))

    said = f"{FAIR} * (numeric - slope) / (1 + abs(numeric))"
    return own(rule, far, numeric, walk, shape=(STEPS + 1, 1), said=said)


def _ground(p: Plan, walk: Expr) -> None:
    """What he feels at one step: where, how steep, how high; and the slope drawn as a line."""
    pick = p.knob(f"{AT}.pick", 0.0)
    rule, said = f"MAX(0,MIN({STEPS},INT({{0}})))", f"clip(floor(pick), 0, {STEPS})"
    at = p(f"{AT}.at", own(rule, lambda x: np.clip(np.floor(x), 0, STEPS), pick, shape=(1, 1), said=said))
    ground = p(f"{AT}.ground", apply("gather", walk, at))
    said = "[[x - 1, height - slope], [x + 1, height + slope]]"
    p(f"{AT}.tangent", own(_touching, _tangent, ground, shape=(2, 2), said=said))


def _touching(r: int, c: int) -> str:
    sign = "+" if r else "-"
    return f"{{0:cell 0,2}}{sign}{{0:cell 0,1}}" if c else f"{{0:cell 0,0}}{sign}1"


def _tangent(ground: Numbers) -> Numbers:
    x, slope, height = ground[0]
    return np.array([[x - 1, height - slope], [x + 1, height + slope]])


HIKER = Demo(
    AT,
    "Foggy hiker",
    "Perceptron and learning",
    (5, 12),
    add,
    plots=(
        Plot(
            "scatter",
            "The mountain and his steps",
            f"{AT}.walk",
            (
                Line("mountain", f"{AT}.height", f"{AT}.place", joined=True),
                Line("slope at the picked step", f"{AT}.tangent[,1]", f"{AT}.tangent[,0]", joined=True),
                Line("steps", f"{AT}.walk[,2]", f"{AT}.walk[,0]"),
            ),
            "where he stands (a weight)",
            "how high (the error)",
            (560, 380),
        ),
    ),
    styles={
        **dict.fromkeys((f"{AT}.start", f"{AT}.rate", f"{AT}.stop", f"{AT}.pick"), Style.KNOB),
        f"{AT}.arrived": Style.SPARSE,
        f"{AT}.place": Style.FOUND,
        f"{AT}.at": Style.WHOLE,
        f"{AT}.status": Style.SENTENCE,
    },
)
