"""A tree of continuations, the best of n by a reward, and a policy that is nudged towards what has a high score."""

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

WORDS = [["a", "your"], ["angry", "helpful"], ["robot", "friend"]]
VOTES = [[[7.0, 3.0]], [[6.0, 4.0], [2.0, 8.0]], [[8.0, 2.0], [7.0, 3.0], [5.0, 5.0], [6.0, 4.0]]]
SCORES = [[0.0, 0.5], [-2.0, 1.5], [0.0, 0.4]]
N = 8  # paths of three steps, two ways each
MOST = 1000  # paths drawn
Numbers = NDArray[np.float64]
Paths = list[tuple[int, int, int]]
PATHS: Paths = [(i, j, k) for i in range(2) for j in range(2) for k in range(2)]


def add(p: Plan) -> Sequence[Band]:
    """Eight sentences with chance and score; how often each is the best of n; and chances that follow the score."""
    n, push = p.knob("bestof.n", 4.0), p.knob("bestof.push", 1.0)
    words = p.constant("bestof.words", WORDS, (3, 2))
    scores = p.knob("bestof.scores", SCORES, (3, 2))
    shares = [_share(p, i) for i in range(3)]
    row = p.counted("bestof.row", range(1, N + 1))
    text = p("bestof.text", own(_sentence, _sentences, words, shape=(N, 1), said=_TEXT, text=True))
    prob = p("bestof.prob", own(_product, _products, *shares, shape=(N, 1), said="product of the three shares"))
    score = p("bestof.score", own(_sum, _sums, scores, shape=(N, 1), said="sum of the three scores"))
    best = _best(p, prob, score, row, n)
    nudged = _nudged(p, prob, score, push)
    for name, chance in (("before", prob), ("chosen", best), ("after", nudged)):
        p(f"bestof.{name}", apply("sum", chance * score))
    rank = own(_RANK, _ranks, score, row, shape=(N, 1), said=_RANK_SAID)
    rank = p("bestof.rank", rank)
    at = p("bestof.at", apply("find", row, rank))
    p("bestof.ranked", apply("gather", text, at))
    p("bestof.ranked.score", apply("gather", score, at))
    sums = (apply("sum", chance) - 1.0 for chance in (prob, best, nudged))
    return [*_bands(), light(p, "bestof", *sums)]


def _bands() -> list[Band]:
    table = ("prob", "score", "best", "nudged", "rank", "row", "text")
    return [
        Band(tuple(f"bestof.{name}" for name in ("n", "push", "before", "chosen", "after"))),
        Band(tuple(f"bestof.{name}" for name in table), touching=True, room=15),
        Band(("bestof.words", "bestof.scores", "bestof.ranked", "bestof.ranked.score", "bestof.at")),
        Band(tuple(f"bestof.votes{i}" for i in range(1, 4))),
        Band(tuple(f"bestof.share{i}" for i in range(1, 4))),
        Band(tuple(f"bestof.{name}" for name in ("count", "below", "atmost", "part", "total"))),
    ]


def _share(p: Plan, i: int) -> Expr:
    """The model's votes for the two ways on, as shares of 1; half and half where there are none."""
    votes = p.knob(f"bestof.votes{i + 1}", VOTES[i], (len(VOTES[i]), 2))
    formula = 'IF(COUNTIF({0:row},">0")>0,MAX(0,{0:at})/SUMIF({0:row},">0"),0.5)'
    said = "where(total > 0, maximum(votes, 0) / total, 0.5)"
    return p(f"bestof.share{i + 1}", own(formula, _shares, votes, shape=votes.shape, said=said))


def _best(p: Plan, prob: Expr, score: Expr, row: Expr, n: Expr) -> Expr:
    """The chance that a path is the best of n drawn: all n are no better than it, less all n are worse."""
    used = own(f"MAX(1,MIN({MOST},INT({{0}})))", _used, n, shape=(1, 1), said=f"clip(floor(n), 1, {MOST})")
    count = p("bestof.count", used)
    below = own(_BELOW, _below, score, row, prob, shape=(N, 1), said="prob[worse than this].sum()")
    below = p("bestof.below", below)
    atmost = p("bestof.atmost", below + prob)
    formula = "IFERROR({0:at}^{2},0)-IFERROR({1:at}^{2},0)"  # LibreOffice has an error for what is nearly 0
    said = "atmost**count - below**count"
    return p("bestof.best", own(formula, lambda a, b, k: a**k - b**k, atmost, below, count, shape=(N, 1), said=said))


def _nudged(p: Plan, prob: Expr, score: Expr, push: Expr) -> Expr:
    """Chances times e to the power of the score: what is good becomes likelier, and what was likely stays so."""
    formula = "{0:at}*EXP(MAX(0,{2})*({1:at}-MAX({1})))"
    part = own(
        formula, _parts, prob, score, push, shape=(N, 1), said="prob * exp(max(0, push) * (score - score.max()))"
    )
    part = p("bestof.part", part)
    total = p("bestof.total", apply("sum", part))
    return p("bestof.nudged", apply("where", 0 < total, part / apply("where", 0 < total, total, 1.0), prob))


_TEXT = '"I am " + the three words'
_BELOW = "SUMPRODUCT((({0}<{0:at})+({0}={0:at})*({1}>{1:at}))*{2})"
_RANK = "1+SUMPRODUCT(({0}>{0:at})+({0}={0:at})*({1}<{1:at}))"
_RANK_SAID = "1 + sum of those with a higher score, or the same in an earlier row"


def _sentence(r: int, c: int) -> str:
    return '"I am "&' + '&" "&'.join(f"{{0:cell {step},{way}}}" for step, way in enumerate(PATHS[r]))


def _sentences(words: NDArray[np.object_]) -> Any:
    return np.array(
        [["I am " + " ".join(str(words[step, way]) for step, way in enumerate(path))] for path in PATHS], object
    )


def _product(r: int, c: int) -> str:
    i, j, k = PATHS[r]
    return f"{{0:cell 0,{i}}}*{{1:cell {i},{j}}}*{{2:cell {2 * i + j},{k}}}"


def _products(one: Numbers, two: Numbers, three: Numbers) -> Any:
    joint = one.reshape(2, 1, 1) * two.reshape(2, 2, 1) * three.reshape(2, 2, 2)
    return joint.reshape(N, 1)


def _sum(r: int, c: int) -> str:
    return "+".join(f"{{0:cell {step},{way}}}" for step, way in enumerate(PATHS[r]))


def _sums(scores: Numbers) -> Any:
    return np.array([[sum(scores[step, way] for step, way in enumerate(path))] for path in PATHS])


def _shares(votes: Numbers) -> Any:
    counted = np.maximum(votes, 0)
    total = counted.sum(axis=1, keepdims=True)
    return np.where(total > 0, counted / np.where(total > 0, total, 1), 0.5)


def _used(n: Numbers) -> Any:
    return np.clip(np.floor(n), 1, MOST)


def _ranks(score: Numbers, row: Numbers) -> Any:
    rank = np.empty_like(score)
    rank[np.argsort(-score[:, 0], kind="stable"), 0] = np.arange(1, len(row) + 1)
    return rank


def _below(score: Numbers, row: Numbers, prob: Numbers) -> Any:
    rank = _ranks(score, row)
    return (rank.T > rank) @ prob


def _parts(prob: Numbers, score: Numbers, push: Numbers) -> Any:
    return prob * np.exp(np.maximum(push, 0) * (score - score.max()))


BESTOF = Demo(
    "bestof",
    "Best of n",
    "From predictor to assistant",
    (0, 6),
    add,
    plots=(
        Plot(
            "column",
            "How likely each sentence is",
            "bestof.text",
            (
                Line("as the model says", "bestof.prob", "bestof.text"),
                Line("best of n", "bestof.best", "bestof.text"),
                Line("after a nudge", "bestof.nudged", "bestof.text"),
            ),
            size=(620, 300),
        ),
    ),
    styles={
        **dict.fromkeys(("bestof.n", "bestof.push"), Style.KNOB),
        **dict.fromkeys((f"bestof.{name}" for name in ("prob", "best", "nudged", "below", "atmost")), Style.SHARE),
        **dict.fromkeys((f"bestof.share{i}" for i in (1, 2, 3)), Style.SHARE),
        **dict.fromkeys((f"bestof.votes{i}" for i in (1, 2, 3)), Style.INPUT),
        **dict.fromkeys(("bestof.rank", "bestof.at", "bestof.count"), Style.WHOLE),
    },
)
