"""King - man + woman: a difference is a direction, and can be added to another word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.nearness import Numbers, Texts, distances, nearest_first
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

WORDS = [["man"], ["woman"], ["king"], ["queen"], ["prince"], ["princess"]]
TABLE: list[list[float]] = [[1, 1], [1, 2], [2, 1], [2, 2], [1.6, 1], [1.6, 2]]  # authority, gender
ASKED = [["man"], ["woman"], ["king"]]
N = len(WORDS)


def add(p: Plan) -> Sequence[Band]:
    """A table of two columns; a is to b as c is to which word?"""
    word, table = p.knob("king.word", WORDS, (N, 1)), p.knob("king.table", TABLE, (N, 2))
    row = p("king.found", apply("exactly", p.knob("king.asked", ASKED, (3, 1)), word))  # [3, 1]
    p("king.said", own('IF({0:at}<0,"not in the table","")', _said, row, shape=(3, 1), said=_SAID, text=True))
    vector = p("king.vector", apply("where", row < 0, 0, apply("gather", table, row)))  # [3, 2]
    first, second, third = (apply("pick", vector, n) for n in (1, 2, 3))
    target = p("king.target", third - first + second)  # [1, 2]
    listed, gap = nearest_first(p, "king", word, distances(p, "king.distance", table, target))
    lacking = p("king.lacking", apply("sum", apply("where", row < 0, 1, 0)))
    p("king.answer", apply("where", 0 < lacking, "no answer", apply("pick", p["king.text"], 1)))
    bands = [
        Band(("king.asked", "king.vector", "king.said", "king.answer"), touching=True),
        Band(("king.word", "king.table", "king.distance", "king.row"), touching=True, room=15),
        Band(("king.target", "king.found", "king.lacking")),
        listed,
        Band(("king.path",)),
    ]
    corners = _path(p, vector, target)
    opposite = apply("pick", corners, 2) - apply("pick", corners, 1)
    sides = p("king.sides", opposite - (apply("pick", corners, 3) - apply("pick", corners, 4)))
    return [*bands, Band(("king.sides",)), light(p, "king", gap, sides)]


_SAID = "where(found < 0, 'not in the table', '')"


def _said(row: Numbers) -> Texts:
    return np.where(row < 0, "not in the table", "").astype(object)


def _path(p: Plan, vector: Expr, target: Expr) -> Expr:
    """The corners a, b, the answer, c, and a again: a parallelogram."""
    cells = ("{0:cell 0,%d}", "{0:cell 1,%d}", "{1:cell 0,%d}", "{0:cell 2,%d}", "{0:cell 0,%d}")
    return p(
        "king.path",
        own(
            lambda r, c: cells[r] % c,
            lambda v, t: [v[0], v[1], t[0], v[2], v[0]],
            vector,
            target,
            shape=(5, 2),
            said="[a, b, target, c, a]",
        ),
    )


_POINTS = tuple(Line(f"=king.word[{r},0]", f"king.table[{r},1]", f"king.table[{r},0]") for r in range(N))
KING = Demo(
    "king",
    "King and queen",
    "Embeddings",
    (6, 15),
    add,
    plots=(
        Plot(
            "scatter",
            "A difference is a direction",
            "king.row",
            (*_POINTS, Line("a, b, answer, c", "king.path[,1]", "king.path[,0]", joined=True)),
            "authority",
            "gender",
        ),
    ),
    styles={
        "king.found": Style.WHOLE,
        "king.lacking": Style.WHOLE,
        "king.which": Style.WHOLE,
        "king.answer": Style.ANSWER,
    },
)
