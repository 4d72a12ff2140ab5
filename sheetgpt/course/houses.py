"""Houses: an address tells which house, a row of numbers what it is like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

NAMES = [["47 Ivy Lane"], ["58 Sun Avenue"], ["15 Luna Lane"], ["3 Oak Street"], ["220 Hill Road"], ["9 Mill Court"]]
TABLE = [
    [2400, 4, 3, 610],
    [2400, 4, 2, 590],
    [2400, 3, 3, 600],
    [900, 2, 1, 240],
    [1100, 2, 1, 280],
    [4200, 6, 5, 1150],
]
N, D = len(TABLE), len(TABLE[0])
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Six houses of four numbers each, squeezed to a like size; which two are most alike."""
    name = p.constant("houses.name", NAMES, (N, 1))
    table = p.knob("houses.table", TABLE, (N, D))
    p.knob("houses.pick", 0.0)
    most = own("MAX({0:col})", lambda x: x.max(axis=0, keepdims=True), table, shape=(1, D), said="table.max(axis=0)")
    most = p("houses.most", most)
    scaled = p("houses.scaled", table / most)
    chosen = p("houses.chosen", apply("gather", scaled, p["houses.pick"]))
    said = "sqrt(((scaled - chosen)**2).sum(axis=1))"
    distance = own("SQRT(SUMPRODUCT(({0:row}-{1})*({0:row}-{1})))", _distance, scaled, chosen, shape=(N, 1), said=said)
    distance = p("houses.distance", distance)
    order = p.counted("houses.order", range(1, N + 1))
    nearest = p("houses.nearest", apply("smallest", distance, order))
    p("houses.which", apply("whereis", nearest, distance, p.counted("houses.row", range(N))))
    p("houses.text", apply("gather", name, p["houses.which"]))
    bands = [
        Band(("houses.name", "houses.table", "houses.row"), room=15),
        Band(("houses.pick",)),
        Band(("houses.most",)),
        Band(("houses.scaled", "houses.distance")),
        Band(("houses.chosen",)),
        Band(("houses.order", "houses.text", "houses.nearest", "houses.which")),
    ]
    return [*bands, light(p, "houses", p["houses.nearest"] - apply("gather", distance, p["houses.which"]))]


def _distance(x: Numbers, y: Numbers) -> Numbers:
    return np.asarray(np.sqrt(((x - y) ** 2).sum(axis=1, keepdims=True)))


HOUSES = Demo(
    "houses",
    "Houses",
    "Embeddings",
    (4, 15),
    add,
    plots=(
        Plot(
            "scatter",
            "Houses as points",
            "houses.row",
            (Line("houses", "houses.table[,3]", "houses.table[,0]"),),
            "square feet",
            "price",
        ),
    ),
    styles={"houses.pick": Style.KNOB, "houses.table": Style.INPUT, "houses.which": Style.WHOLE},
)
