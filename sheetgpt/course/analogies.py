"""Analogies on the real model's embedding: what comes out, how far down the expected token is, hits and misses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light, stack
from sheetgpt.course.nearness import Numbers, Texts, lengths, norms
from sheetgpt.course.typed import NO_TOKEN, rows_of, tokens
from sheetgpt.plan.ops import Expr, apply, leaders
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.plan.playground import NO_COSINE
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

ASKED = [  # a is to b as c is to the fourth
    ["␣boy", "␣girl", "␣he", "␣she"],
    ["␣is", "␣was", "␣are", "␣were"],
    ["␣go", "␣went", "␣come", "␣came"],
    ["␣toy", "␣toys", "␣friend", "␣friends"],
    ["␣Lily", "␣girl", "␣Tim", "␣boy"],
    ["␣boy", "␣girl", "␣dad", "␣mom"],
    ["␣bird", "␣flew", "␣rabbit", "␣ran"],
    ["␣bird", "␣sky", "␣car", "␣ground"],
]
N, BEST = len(ASKED), 5
_FIRST = ("asked.word", "rank", "verdict", "after", "before")


def add(p: Plan) -> Sequence[Band]:
    """Eight analogies: b - a + c, its cosine with every token, the five best, the rank of the expected one."""
    table = p["wte"]  # [V, d]
    ids = tokens(p, "analogies.asked", ASKED)  # [N, 4]
    a, b, c, expected = (rows_of(p, f"analogies.{at}", table, ids, i) for i, at in enumerate(("a", "b", "c", "wanted")))
    target = p("analogies.target", b - a + c)  # [N, d]
    cosine = _cosines(p, table, target, ids)  # [V, N]
    value = p("analogies.value", leaders(cosine, BEST))  # [N, BEST]
    best = p("analogies.best", apply("whereis", value, cosine, p["analogies.number"]))
    p("analogies.text", apply("gather", p["vocab.text"], best))
    _marks(p, cosine, ids)
    for name, row in (("after", target), ("before", c)):
        far = own(_FAR, _far, row, expected, shape=(N, 1), said=f"|{row.name} - wanted|")
        p(f"analogies.{name}", far)
    bands = [
        Band(("analogies.leave", "analogies.hits"), touching=True),
        Band(tuple(f"analogies.{at}" for at in _FIRST), touching=True, room=16),
        Band(("analogies.text", "analogies.value")),
        Band(("analogies.asked.seen", "analogies.asked.id", "analogies.asked.said", "analogies.row"), touching=True),
        Band(("analogies.best",)),
        *stack(*(f"analogies.{at}" for at in ("a", "b", "c", "wanted", "target"))),
    ]
    gap = value - apply("item", cosine, best, p.counted("analogies.row", range(N)))
    every = Band(("analogies.number", "analogies.norm", "analogies.cosine"), touching=True)
    return [*bands, Band(("analogies.long",)), light(p, "analogies", gap), every]


def _cosines(p: Plan, table: Expr, target: Expr, ids: Expr) -> Expr:
    """The cosine of every token with each result; of the three that are given none, if they are to be left out."""
    leave, shape = p.knob("analogies.leave", 1.0), (table.shape[0], N)
    number = p.counted("analogies.number", range(shape[0]))
    norm = p("analogies.norm", lengths(table))
    long = p("analogies.long", lengths(target))
    seen = (table, target, norm, long, number, ids, leave)
    said = "table @ target.T / (norm * long.T), or nothing"
    return p("analogies.cosine", own(_COSINE, _cosine, *seen, shape=shape, said=said, kind="array"))


_GIVEN = "+".join(f"({{4}}=TRANSPOSE({{5:col {i}}}))" for i in range(3))
_BOTH = "{2}*TRANSPOSE({3})"
_COSINE = f"IF({_BOTH}<=0,{NO_COSINE:g},IF({{6}}*({_GIVEN})>0,{NO_COSINE:g},MMULT({{0}},TRANSPOSE({{1}}))/({_BOTH})))"


def _cosine(
    table: Numbers, target: Numbers, norm: Numbers, long: Numbers, number: Numbers, ids: Numbers, leave: Numbers
) -> Numbers:
    both = norm * long.T
    given = (number[:, :, None] == ids[:, :3]).any(axis=2)  # [V, N]
    return np.where((both <= 0) | (given & (leave > 0)), NO_COSINE, table @ target.T / both)


_FAR = "SQRT(SUMPRODUCT(({0:row}-{1:row})*({0:row}-{1:row})))"


def _far(x: Numbers, y: Numbers) -> Numbers:
    return norms(x - y)


def _marks(p: Plan, cosine: Expr, ids: Expr) -> None:
    """The rank of each expected token, 0 where a word is no token; what to call it; how many are hits."""
    rank = own(_rank_formula, _rank, cosine, ids, shape=(N, 1), said="1 + (cosine > that of the expected).sum()")
    rank = p("analogies.rank", rank)
    formula = f'IF({{0:at}}<1,"{NO_TOKEN}",IF({{0:at}}=1,"hit",IF({{0:at}}<={BEST},"near","miss")))'
    said = f"hit at rank 1, near up to {BEST}, or miss"
    verdict = p("analogies.verdict", own(formula, _verdict, rank, shape=(N, 1), said=said, text=True))
    hits = own('COUNTIF({0},"hit")', _hits, verdict, shape=(1, 1), said="(verdict == 'hit').sum()")
    p("analogies.hits", hits)


def _rank_formula(r: int, _: int) -> str:
    wanted = f"INDEX({{0}},{{1:cell {r},3}}+1,{r + 1})"
    return f"IF(MIN({{1:row}})<0,0,SUMPRODUCT(({{0:col {r}}}>{wanted})*1)+1)"


def _rank(cosine: Numbers, ids: Numbers) -> Numbers:
    wanted = [cosine[int(row[3]), i] for i, row in enumerate(ids)]
    ranks = (cosine > wanted).sum(axis=0)[:, None] + 1.0
    return np.where(ids.min(axis=1, keepdims=True) < 0, 0.0, ranks)


def _verdict(rank: Numbers) -> NDArray[Any]:
    texts = np.select([rank < 1, rank == 1, rank <= BEST], [NO_TOKEN, "hit", "near"], "miss")
    return texts.astype(object)


def _hits(verdict: Texts) -> Numbers:
    return np.array([[float((verdict == "hit").sum())]])


ANALOGIES = Demo(
    "analogies",
    "Real analogies",
    "Embeddings",
    (6, 15),
    add,
    plots=(
        Plot(
            "column",
            "How far the expected token is",
            "analogies.before",
            (
                Line("from c", "analogies.before", "analogies.asked.word[,3]"),
                Line("from b - a + c", "analogies.after", "analogies.asked.word[,3]"),
            ),
            up="distance",
            shares=False,
        ),
    ),
    styles={
        "analogies.leave": Style.KNOB,
        "analogies.cosine": Style.COSINE,
        "analogies.value": Style.COSINE,
        **dict.fromkeys((f"analogies.{at}" for at in ("hits", "rank", "best", "asked.id")), Style.WHOLE),
    },
    reads=("wte", "vocab.text"),
)
