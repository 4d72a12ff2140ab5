"""Temperature, top-k and top-p: from scores to the chances that a word is drawn by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

WORDS = ["quickly", "fast", "around", "like", "to", "on", "away", "his", "slowly", "haircut"]
SCORES = [4.1, 3.6, 3.2, 2.6, 2.4, 2.0, 1.7, 1.2, 0.9, -0.6]
V = len(WORDS)
COLDEST = 1e-3  # a temperature below it is 0: only the likeliest word is left
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Ten scores as chances: as they are, at a temperature, and after the tail was cut off."""
    p.constant("temperature.words", [[word] for word in WORDS], (V, 1))
    score = p.knob("temperature.score", [[score] for score in SCORES], (V, 1))
    heat, k, share, chance = (
        p.knob(f"temperature.{name}", start) for name, start in (("t", 0.8), ("k", 10.0), ("p", 0.9), ("u", 0.5))
    )
    row = p.counted("temperature.row", range(V))
    best = p("temperature.best", apply("max", score))
    formula = "1+SUMPRODUCT(({0}>{0:at})*1)+SUMPRODUCT(({0}={0:at})*({1}<{1:at}))"
    rank = p("temperature.rank", own(formula, _rank, score, row, shape=(V, 1), said=_RANK))
    _softmax(p, "before", apply("exp", score - best))
    formula = f"IF({{2}}<{COLDEST},IF({{3:at}}=1,1,0),EXP(({{0:at}}-{{1}})/MAX({{2}},{COLDEST})))"
    warm = p("temperature.warm", own(formula, _warm, score, best, heat, rank, shape=(V, 1), said=_WARM))
    after = _softmax(p, "after", warm)
    upto = own("SUMPRODUCT(({0}<{0:at})*{1})", _upto, rank, after, shape=(V, 1), said="sum(after[rank < this])")
    upto = p("temperature.upto", upto)
    formula = "IF(OR({0:at}=1,({0:at}<=IF({1}<1,ROWS({0}),{1}))*({2:at}<{3})),1,0)"
    kept = p("temperature.kept", own(formula, _kept, rank, k, upto, share, shape=(V, 1), said=_KEPT))
    final = _softmax(p, "final", after * kept)
    return _drawn(p, final, rank, chance)


def _softmax(p: Plan, name: str, exp: Expr) -> Expr:
    """Numbers divided by their sum."""
    parts = exp if exp.name else p(f"temperature.{name}.part", exp)
    total = p(f"temperature.{name}.sum", apply("sum", parts))
    return p(f"temperature.{name}", parts / total)


def _drawn(p: Plan, final: Expr, rank: Expr, chance: Expr) -> list[Band]:
    """The word in whose share of the line from 0 to 1 a number falls, the likeliest word first; and the layout."""
    formula = "SUMPRODUCT(({0}<={0:at})*{1})"
    line = p("temperature.line", own(formula, _line, rank, final, shape=(V, 1), said="sum(final[rank <= this])"))
    ended = own(
        "MAX(1,MIN(SUMPRODUCT(({1}>0)*1),1+SUMPRODUCT(({0}<={2})*1)))",
        lambda line, final, u: np.clip(1 + (line <= u).sum(), 1, max(1, (final > 0).sum())),
        line,
        final,
        chance,
        shape=(1, 1),
        said="1 + sum(line <= u)",
    )
    drawn = p("temperature.drawn", ended)
    at = p("temperature.at", own("MATCH({1},{0},0)-1", _where, rank, drawn, shape=(1, 1), said="argmax(rank == drawn)"))
    p("temperature.text", apply("gather", p["temperature.words"], at))
    most, last = apply("max", final), apply("max", p["temperature.before"])
    p("temperature.most", most)
    p("temperature.first", last)
    names = ("words", "score", "rank", "before", "after", "upto", "kept", "final", "line")
    sums = apply("sum", p["temperature.before"]) - 1.0, apply("sum", final) - 1.0
    return [
        Band(tuple(f"temperature.{name}" for name in ("t", "k", "p", "u", "text"))),
        Band(tuple(f"temperature.{name}" for name in names), touching=True, room=15),
        Band(tuple(f"temperature.{name}" for name in ("first", "most", "drawn", "at"))),
        light(p, "temperature", *sums),
        Band(("temperature.row", "temperature.best", "temperature.before.part", "temperature.before.sum")),
        Band(("temperature.warm", "temperature.after.sum", "temperature.final.part", "temperature.final.sum")),
    ]


_RANK = "1 + sum(score > this) + sum((score == this) & (row < this row))"
_WARM = "where(t < 0.001, rank == 1, exp((score - best) / t))"
_KEPT = "(rank == 1) | ((rank <= (k if k >= 1 else 10)) & (upto < p))"


def _rank(score: Numbers, row: Numbers) -> Numbers:
    rank = np.empty_like(score)
    rank[np.argsort(-score[:, 0], kind="stable"), 0] = np.arange(1, len(row) + 1)
    return rank


def _warm(score: Numbers, best: Numbers, heat: Numbers, rank: Numbers) -> Any:
    return (rank == 1) * 1.0 if heat[0, 0] < COLDEST else np.exp((score - best) / heat)


def _upto(rank: Numbers, after: Numbers) -> Numbers:
    return (rank.T < rank) @ after


def _line(rank: Numbers, final: Numbers) -> Numbers:
    return (rank.T <= rank) @ final


def _kept(rank: Numbers, k: Numbers, upto: Numbers, share: Numbers) -> Any:
    return ((rank == 1) | ((rank <= (k if k[0, 0] >= 1 else len(rank))) & (upto < share))) * 1.0


def _where(rank: Numbers, drawn: Numbers) -> Any:
    return float(np.flatnonzero(rank[:, 0] == drawn[0, 0])[0])


TEMPERATURE = Demo(
    "temperature",
    "Temperature",
    "Temperature",
    (4, 12),
    add,
    plots=(
        Plot(
            "column",
            "Chance of each word",
            "temperature.line",
            (
                Line("as the model says", "temperature.before", "temperature.words"),
                Line("at this temperature", "temperature.after", "temperature.words"),
                Line("after the cut", "temperature.final", "temperature.words"),
            ),
            size=(620, 300),
        ),
    ),
    styles={
        **dict.fromkeys((f"temperature.{name}" for name in "tkpu"), Style.KNOB),
        **dict.fromkeys((f"temperature.{name}" for name in ("rank", "kept", "drawn", "at")), Style.WHOLE),
        **dict.fromkeys(
            (f"temperature.{name}" for name in ("before", "after", "upto", "final", "line", "first", "most")),
            Style.SHARE,
        ),
        "temperature.text": Style.ANSWER,
    },
)
