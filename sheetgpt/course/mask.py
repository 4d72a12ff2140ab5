"""The mask: what the upper triangle of an attention pattern is for, with a switch that takes it away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, band, light
from sheetgpt.course.softmax import HIDDEN, softmax
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

AT = "mask"
WORDS = [["Mike"], ["is"], ["quick"], ["He"], ["moves"]]
NEXT = [["is"], ["quick"], ["He"], ["moves"], ["?"]]
SCORES = [[1, 3, 0, 2, 0], [2, 1, 3, 0, 1], [1, 2, 1, 3, 2], [3, 0, 1, 1, 3], [1, 1, 3, 2, 1]]
N = len(WORDS)
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Scores, the mask over them, the shares, and how much each word reads from words that come after it."""
    p.constant(f"{AT}.word", WORDS, (N, 1))
    p.constant(f"{AT}.guess", NEXT, (N, 1))
    scores, on = p.knob(f"{AT}.scores", SCORES, (N, N)), p.knob(f"{AT}.on", 1.0)
    allowed = own("IF(OR({0}=0,{here:c}<={here:r}),1,0)", _allowed, on, shape=(N, N), said="tril(ones) if on else ones")
    allowed = p(f"{AT}.allowed", allowed)
    masked = p(f"{AT}.masked", apply("where", allowed, scores, HIDDEN))
    pattern = softmax(p, AT, masked, "pattern")
    total = p(f"{AT}.total", apply("rowsum", pattern))
    peek = p(f"{AT}.peek", own(_next, _diagonal, pattern, shape=(N, 1), said="pattern[i, i + 1]"))
    ahead = p(f"{AT}.ahead", own(_later, _above, pattern, shape=(N, 1), said="triu(pattern, 1).sum(axis=1)"))
    bands = [
        band(AT, "word", "scores", "on"),
        band(AT, "allowed", "masked"),
        band(AT, "max", "exp", "sum"),
        band(AT, "pattern", "total"),
        band(AT, "guess", "peek", "ahead", room=15),
    ]
    hidden = apply("where", apply("eq", on, 0), 0, ahead)
    return [*bands, light(p, AT, total - 1, hidden, apply("where", apply("lt", ahead, peek), 1, 0))]


def _allowed(on: Numbers) -> Numbers:
    return np.ones((N, N)) if on == 0 else np.tri(N)


def _next(r: int, _: int) -> str:
    return f"{{0:cell {r},{r + 1}}}" if r < N - 1 else "0"


def _diagonal(pattern: Numbers) -> Numbers:
    return np.append(pattern.diagonal(1), 0.0)[:, None]


def _later(r: int, _: int) -> str:
    return f"SUM({{0:cell {r},{r + 1}}}:{{0:cell {r},{N - 1}}})" if r < N - 1 else "0"


def _above(pattern: Numbers) -> Numbers:
    return np.asarray(np.triu(pattern, 1).sum(axis=1, keepdims=True))


MASK = Demo(
    AT,
    "Mask",
    "Attention",
    (4, 10),
    add,
    plots=(
        Plot(
            "column",
            "Share read from words that come later",
            f"{AT}.ahead",
            (
                Line("from the word to be guessed", f"{AT}.peek", f"{AT}.word"),
                Line("from all later words", f"{AT}.ahead", f"{AT}.word"),
            ),
        ),
    ),
    styles={
        f"{AT}.on": Style.KNOB,
        f"{AT}.scores": Style.TYPED,
        f"{AT}.allowed": Style.WHOLE,
        **dict.fromkeys((f"{AT}.pattern", f"{AT}.total", f"{AT}.peek", f"{AT}.ahead"), Style.SHARE),
    },
    heat=(f"{AT}.pattern",),
    masked=(f"{AT}.masked",),
)
