"""Vectors: a row of numbers is a point, an arrow, a length and an angle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import Template, own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

ROW = [[0.0, 1.0, 0.0, 0.0, 0.0, -1.0]]
NAMES = ["a", "b", "c", "d"]
POINTS = [[3.0, 4.0], [4.0, 1.0], [-2.0, 3.0], [-1.0, -2.0]]
N = len(NAMES)
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """A vector of six numbers, and four of two: as points, as arrows, and as length and angle."""
    row = p.knob("vectors.row", ROW, (1, 6))
    p("vectors.size", own("COUNT({0})", lambda x: [[x.size]], row, shape=(1, 1), said="row.size"))
    p("vectors.long", own("SQRT(SUMSQ({0}))", _norms, row, shape=(1, 1), said="norm(row)"))
    p.constant("vectors.name", [[name] for name in NAMES], (N, 1))
    xy = p.knob("vectors.xy", POINTS, (N, 2))
    length = p("vectors.length", own("SQRT(SUMSQ({0:row}))", _norms, xy, shape=(N, 1), said="norm(xy, axis=1)"))
    turn = own(_turn, lambda x: np.arctan2(x[:, 1], x[:, 0])[:, None], xy, shape=(N, 1), said="arctan2(y, x)")
    turn = p("vectors.turn", turn)
    degrees = "{0:at}*180/PI()"
    p("vectors.angle", own(degrees, np.degrees, turn, shape=(N, 1), said="degrees(turn)"))
    for axis, c in (("x", 0), ("y", 1)):
        said = f"vstack([xy[:, {c}], zeros({N})])"
        p(f"vectors.{axis}", own(_tip(c), _tips(c), xy, shape=(2, N), said=said))
    back = own(lambda _, c: "{0:at}*" + ("COS", "SIN")[c] + "({1:at})", _back, length, turn, shape=(N, 2),
               said="length * [cos(turn), sin(turn)]")  # fmt: skip
    back = p("vectors.back", back)
    bands = [
        Band(("vectors.row", "vectors.size", "vectors.long")),
        Band(("vectors.name", "vectors.xy", "vectors.length", "vectors.angle", "vectors.turn"), room=15),
        Band(("vectors.x", "vectors.y"), room=15),
        Band(("vectors.back",)),
    ]
    return [*bands, light(p, "vectors", apply("apart", back, xy))]


def _turn(r: int, _: int) -> str:
    x, y = (f"{{0:cell {r},{c}}}" for c in (0, 1))
    return f"IF(AND({x}=0,{y}=0),0,ATAN2({x},{y}))"


def _norms(x: Numbers) -> Numbers:
    return np.asarray(np.linalg.norm(x, axis=1, keepdims=True))


def _tip(c: int) -> Template:
    return lambda r, n: "0" if r else f"{{0:cell {n},{c}}}"


def _tips(c: int) -> Callable[[Numbers], Numbers]:
    return lambda x: np.vstack([x[:, c], np.zeros(len(x))])


def _back(length: Numbers, turn: Numbers) -> Numbers:
    return np.hstack([length * np.cos(turn), length * np.sin(turn)])


TIPS = tuple(Line(f"=vectors.name[{i},0]", f"vectors.y[0,{i}]", f"vectors.x[0,{i}]") for i in range(N))
VECTORS = Demo(
    "vectors",
    "Vectors",
    "Words to numbers",
    (3, 10),
    add,
    plots=(
        Plot(
            "scatter",
            "Vectors as points",
            "vectors.turn",
            TIPS,
            "first number",
            "second number",
        ),
        Plot(
            "scatter",
            "The same vectors as arrows from the origin",
            "vectors.y",
            (*TIPS, *(Line(name, f"vectors.y[,{i}]", f"vectors.x[,{i}]", joined=True) for i, name in enumerate(NAMES))),
            "first number",
            "second number",
        ),
    ),
    styles={"vectors.row": Style.SWITCH, "vectors.xy": Style.SWITCH, "vectors.size": Style.WHOLE},
)
