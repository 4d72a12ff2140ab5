"""A reward model: from pairs, one answer preferred to the other, to a score for any answer (Bradley and Terry 1952)."""

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

PAIRS = [
    ("Give me a recipe for pumpkin pie.", "Mash, mix with eggs and spice, bake.", "Pies are nice."),
    ("What is the capital of France?", "It is Paris.", "What is the capital of Spain?"),
    ("My old dog died.", "I am so sorry. Tell me about him.", "Dogs live about twelve years. Get a new one."),
    ("Explain gravity to a child.", "All things pull at each other.", "See Newton, Principia, 1687."),
    ("How do I say good night in German?", "Gute Nacht!", "Who wants to know? Look it up."),
    ("Sum up this letter.", "She wants her money back.", "It is a letter of four pages that says a lot."),
]
CHOSEN = [[1.0, 0.5, 0.8], [1.0, 0.4, 0.2], [0.3, 1.0, 0.5], [0.9, 0.6, 0.4], [1.0, 0.7, 0.1], [0.9, 0.3, 0.3]]
REJECTED = [[0.1, 0.6, 0.2], [0.0, 0.5, 0.4], [0.5, 0.0, 0.6], [0.3, 0.2, 0.3], [0.0, 0.0, 0.4], [0.4, 0.3, 0.7]]
N, D, STEPS = len(PAIRS), 3, 20
LEAST = 1e-12  # added to a chance before its logarithm is taken
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Six pairs, twenty steps of gradient descent on three weights, and what the learned score says."""
    for i, name in enumerate(("question", "good", "bad")):
        p.constant(f"preference.{name}", [[pair[i]] for pair in PAIRS], (N, 1))
    chosen = p.knob("preference.chosen", CHOSEN, (N, D))
    rejected = p.knob("preference.rejected", REJECTED, (N, D))
    rate = p.knob("preference.rate", 4.0)
    start = p.knob("preference.start", 0.0, (1, D))
    p.counted("preference.step", range(STEPS + 1))
    diff = p("preference.diff", chosen - rejected)
    table = own(_formula, _fit, diff, rate, start, shape=(STEPS + 1, D + N + 1), said=_SAID)
    fit = p("preference.fit", table)
    last = own(lambda r, c: f"{{0:cell {STEPS},{c}}}", lambda x: x[-1:, :D], fit, shape=(1, D), said="fit[-1, :3]")
    learned = p("preference.learned", last)
    good, bad = (p(f"preference.score.{name}", x @ learned.T) for name, x in (("good", chosen), ("bad", rejected)))
    belief = p("preference.belief", 0.5 + 0.5 * apply("tanh", (good - bad) / 2.0))
    right = apply("where", bad < good, 1, 0)
    right = p("preference.right", right)
    p("preference.correct", apply("sum", right))
    mine = p.knob("preference.mine", [[0.8, 0.9, 0.5]], (1, D))
    p("preference.mine.score", mine @ learned.T)
    table = own(lambda r, c: f"{{0:cell {STEPS},{D + r}}}", _last, fit, shape=(N, 1), said="fit[-1, 3:9].T")
    return [*_bands(), light(p, "preference", p("preference.fitted", table) - belief), Band(("preference.fitted",))]


def _bands() -> list[Band]:
    return [
        Band(("preference.rate", "preference.start", "preference.learned", "preference.correct")),
        Band(("preference.question", "preference.good", "preference.bad")),
        Band(("preference.chosen", "preference.rejected", "preference.diff")),
        Band(("preference.step", "preference.fit"), touching=True),
        Band(tuple(f"preference.{name}" for name in ("score.good", "score.bad", "belief", "right")), touching=True),
        Band(("preference.mine", "preference.mine.score")),
    ]


def _formula(r: int, c: int) -> str:
    """Weights, then what they make of each pair, then the loss; a row for each step."""
    weights = [f"{{here:cell {r},{i}}}" for i in range(D)]
    if c < D and r == 0:
        return f"{{2:cell 0,{c}}}"
    if c < D:
        before = f"{{here:cell {r - 1},{D}}}:{{here:cell {r - 1},{D + N - 1}}}"
        return f"{{here:up}}+{{1}}*(SUM({{0:col {c}}})-SUM(MMULT({before},{{0:col {c}}})))/{N}"
    if c < D + N:
        score = "+".join(f"{w}*{{0:cell {c - D},{i}}}" for i, w in enumerate(weights))
        return f"0.5+0.5*TANH(({score})/2)"
    return f"-SUMPRODUCT(LN({{here:cell {r},{D}}}:{{here:cell {r},{D + N - 1}}}+1E-12))/{N}"


_SAID = "each row: w, p = sigmoid(diff @ w), -log(p).mean(); next w = w + rate * ((1 - p) @ diff) / 6"


def _fit(diff: Numbers, rate: Numbers, start: Numbers) -> Any:
    w, rows = start[0], []
    for _ in range(STEPS + 1):
        p = 0.5 + 0.5 * np.tanh(diff @ w / 2)
        rows.append([*w, *p, -np.log(p + LEAST).mean()])
        w = w + rate[0, 0] * (1 - p) @ diff / N
    return np.array(rows)


def _last(fit: Numbers) -> Any:
    return fit[-1:, D : D + N].T


PREFERENCE = Demo(
    "preference",
    "Preference",
    "From predictor to assistant",
    (0, 8),
    add,
    plots=(
        Plot(
            "scatter",
            "The loss falls, step by step",
            "preference.diff",
            (Line("loss", f"preference.fit[,{D + N}]", "preference.step", joined=True),),
            "step",
            "loss",
            (400, 260),
        ),
    ),
    styles={
        "preference.rate": Style.KNOB,
        "preference.belief": Style.SHARE,
        "preference.fitted": Style.SHARE,
        "preference.right": Style.WHOLE,
        "preference.correct": Style.WHOLE,
    },
)
