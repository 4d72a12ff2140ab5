"""Words on a map: those of one meaning are neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.nearness import Numbers, nearest_first, row_picked
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

WORDS = [["happy"], ["glad"], ["sad"], ["dog"], ["cat"]]
EAST, NORTH = [[2], [3], [4], [8], [9]], [[7], [8], [5], [2], [3]]
N, SAD = len(WORDS), 2


def add(p: Plan) -> Sequence[Band]:
    """Five words as points, the distance of each pair, and the neighbours of one of them."""
    word = p.knob("island.word", WORDS, (N, 1))
    x, y = p.knob("island.x", EAST, (N, 1)), p.knob("island.y", NORTH, (N, 1))
    at = row_picked(p, "island.at", p.knob("island.pick", float(SAD)), N)
    distance = p("island.distance", apply("sqrt", (x - x.T) ** 2 + (y - y.T) ** 2))  # [N, N]
    chosen = p("island.chosen", apply("gather", distance, at))  # [1, N]
    far = p("island.far", chosen.T)  # [N, 1]
    listed, gap = nearest_first(p, "island", word, far)
    detour = own("MAX(0,{0:at}-{1}-{2:row})", _saved, far, chosen, distance, shape=(N, 1), said=_SAVED, kind="cse")
    bands = [
        Band(("island.word", "island.x", "island.y", "island.row"), touching=True, room=15),
        Band(("island.pick", "island.at")),
        listed,
        Band(("island.distance", "island.far")),
        Band(("island.chosen",)),
    ]
    return [*bands, light(p, "island", gap, detour)]


_SAVED = "maximum(0, (far - chosen - distance).max(axis=1))"


def _saved(far: Numbers, chosen: Numbers, distance: Numbers) -> Numbers:
    """By how much a way over a third word is shorter than the straight one: never."""
    return np.asarray(np.maximum(0, (far - chosen - distance).max(axis=1, keepdims=True)))


ISLAND = Demo(
    "island",
    "Word island",
    "Embeddings",
    (4, 10),
    add,
    plots=(
        Plot(
            "scatter",
            "An island of words",
            "island.row",
            tuple(Line(f"=island.word[{r},0]", f"island.y[{r},0]", f"island.x[{r},0]") for r in range(N)),
            "east",
            "north",
        ),
    ),
    styles={"island.pick": Style.KNOB, "island.at": Style.WHOLE, "island.which": Style.WHOLE},
)
