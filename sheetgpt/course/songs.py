"""A recommender: listeners and songs as rows of numbers, and their products as guesses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

PEOPLE = ["Ann", "Ben", "Cleo", "Dan"]
TASTE = [[0.9, -0.2], [-0.7, 0.6], [0.4, 0.9], [-0.3, -0.8]]
TITLES = ["Night Train", "Old Lullaby", "Dance Floor", "Rain Again", "Brass Parade", "Slow River"]
STYLE = [[0.8, -0.5], [-0.9, 0.1], [1.0, 0.4], [-0.5, 0.9], [0.6, 0.8], [-0.6, -0.7]]
HEARD = [[1, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1]]
N, M, D = len(PEOPLE), len(TITLES), 2
NONE = -1e9  # the score of a song that was heard already
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Four listeners, six songs, two numbers each; the best song for each that is new; chances for one of them."""
    people = p.constant("songs.people", [[name] for name in PEOPLE], (N, 1))
    names = p.constant("songs.names", [[name] for name in TITLES], (M, 1))
    taste, style = p.knob("songs.taste", TASTE, (N, D)), p.knob("songs.style", STYLE, (M, D))
    heard = p.knob("songs.heard", [[float(x) for x in row] for row in HEARD], (N, M))
    score = p("songs.score", taste @ style.T)
    fresh = own(f"IF({{1:at}}=0,{{0:at}},{NONE:.0f})", _fresh, score, heard, shape=(N, M), said=_FRESH)
    fresh = p("songs.fresh", fresh)
    formula = f'IF(MAX({{0:row}})={NONE:.0f},"nothing left",INDEX({{1}},MATCH(MAX({{0:row}}),{{0:row}},0),1))'
    next_ = own(formula, _next, fresh, names, shape=(N, 1), said="names[fresh.argmax(axis=1)]", text=True)
    p("songs.next", next_)
    pick = p.knob("songs.pick", 0.0)
    who = own(f"MAX(0,MIN({N - 1},INT({{0}})))", _clip, pick, shape=(1, 1), said="clip(floor(pick), 0, 3)")
    who = p("songs.row", who)
    p("songs.who", apply("gather", people, who))
    chosen = p("songs.chosen", apply("gather", score, who))
    best = p("songs.best", apply("max", chosen))
    exp = p("songs.exp", apply("exp", chosen.T - best))
    p("songs.chance", exp / p("songs.sum", apply("sum", exp)))
    total = own(_TOTAL, _total, taste, style, shape=(1, 1), said="taste.sum(axis=0) @ style.sum(axis=0)")
    check = p("songs.total", total)
    return [*_bands(), light(p, "songs", apply("sum", score) - check, apply("sum", p["songs.chance"]) - 1.0)]


def _bands() -> list[Band]:
    return [
        Band(("songs.people", "songs.taste", "songs.next"), room=16),
        Band(("songs.names", "songs.style")),
        Band(("songs.score",)),
        Band(("songs.heard",)),
        Band(("songs.pick", "songs.who")),
        Band(("songs.chance", "songs.exp", "songs.sum", "songs.best")),
        Band(("songs.fresh",)),
        Band(("songs.chosen", "songs.row", "songs.total")),
    ]


_FRESH = "where(heard == 0, score, -1e9)"
_TOTAL = "SUM({0:col 0})*SUM({1:col 0})+SUM({0:col 1})*SUM({1:col 1})"


def _fresh(score: Numbers, heard: Numbers) -> Any:
    return np.where(heard == 0, score, NONE)


def _next(fresh: Numbers, names: NDArray[np.object_]) -> Any:
    return np.array([["nothing left" if row.max() == NONE else names[row.argmax(), 0]] for row in fresh], object)


def _clip(pick: Numbers) -> Any:
    return np.clip(np.floor(pick), 0, N - 1)


def _total(taste: Numbers, style: Numbers) -> Any:
    return taste.sum(axis=0) @ style.sum(axis=0)


def _points(names: str, table: str, count: int) -> tuple[Line, ...]:
    return tuple(Line(f"=songs.{names}[{i},0]", f"songs.{table}[{i},1]", f"songs.{table}[{i},0]") for i in range(count))


SONGS = Demo(
    "songs",
    "Songs",
    "From predictor to assistant",
    (0, 2),
    add,
    plots=(
        Plot(
            "scatter",
            "Listeners and songs in one picture",
            "songs.next",
            (*_points("people", "taste", N), *_points("names", "style", M)),
            "calm - wild",
            "old - new",
            (520, 320),
        ),
    ),
    styles={
        "songs.pick": Style.KNOB,
        "songs.heard": Style.INPUT,
        "songs.row": Style.WHOLE,
        "songs.chance": Style.SHARE,
        "songs.who": Style.SHOWN,
    },
)
