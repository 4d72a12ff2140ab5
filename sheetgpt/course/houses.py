"""Houses: an address tells which house, a row of numbers what it is like."""

from __future__ import annotations

from collections.abc import Sequence

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.nearness import distances, nearest_first, row_picked
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


def add(p: Plan) -> Sequence[Band]:
    """Six houses of four numbers each, squeezed to a like size; which two are most alike."""
    name = p.constant("houses.name", NAMES, (N, 1))
    table = p.knob("houses.table", TABLE, (N, D))
    at = row_picked(p, "houses.at", p.knob("houses.pick", 0.0), N)
    size = own("MAX({0:col})", lambda x: x.max(axis=0, keepdims=True), table, shape=(1, D), said="table.max(axis=0)")
    most = p("houses.most", size)
    scaled = p("houses.scaled", apply("where", most <= 0, 0, table / apply("where", most <= 0, 1, most)))
    chosen = p("houses.chosen", apply("gather", scaled, at))
    listed, gap = nearest_first(p, "houses", name, distances(p, "houses.distance", scaled, chosen))
    bands = [
        Band(("houses.name", "houses.table", "houses.row"), room=15),
        Band(("houses.pick", "houses.at")),
        listed,
        Band(("houses.most",)),
        Band(("houses.scaled", "houses.distance")),
        Band(("houses.chosen",)),
    ]
    return [*bands, light(p, "houses", gap)]


def _labelled() -> tuple[Line, ...]:
    return tuple(Line(f"=houses.name[{r},0]", f"houses.table[{r},3]", f"houses.table[{r},0]") for r in range(N))


HOUSES = Demo(
    "houses",
    "Houses",
    "Embeddings",
    (4, 15),
    add,
    plots=(Plot("scatter", "Houses as points", "houses.row", _labelled(), "square feet", "price"),),
    styles={
        "houses.pick": Style.KNOB,
        "houses.table": Style.INPUT,
        "houses.which": Style.WHOLE,
        "houses.at": Style.WHOLE,
    },
)
