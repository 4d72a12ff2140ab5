"""Context: drop a word, and the probabilities of the next one change. A toy table stands for the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, band, light
from sheetgpt.course.softmax import softmax
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

AT = "context"
WORDS = [["Mike"], ["is"], ["quick"], ["He"]]
NEXT = [["moves"], ["sleeps"], ["is"], ["brown"]]
BIAS = [[0, 0, 1, -1]]
TABLE = [[0.5, 0.5, 0.5, -1], [0, 0, -1, 0.5], [1.5, -1, 0, 1], [1.5, 1, 1, -2]]
N, M = len(WORDS), len(NEXT)
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Each word speaks for and against each next word; a switch drops a word, a table drops each once."""
    p.constant(f"{AT}.word", WORDS, (N, 1))
    p.constant(f"{AT}.next", NEXT, (M, 1))
    table, bias = p.knob(f"{AT}.table", TABLE, (N, M)), p.knob(f"{AT}.bias", BIAS, (1, M))
    keep = p.knob(f"{AT}.keep", 1.0, (N, 1))
    on = own("IF({0:at}=0,0,1)", lambda x: (x != 0) * 1.0, keep, shape=(N, 1), said="keep != 0")
    on = p(f"{AT}.on", on)
    full = own("{0:at}+SUM({1:col})", _full, bias, table, shape=(1, M), said="bias + table.sum(axis=0)")
    full = p(f"{AT}.full", full)
    kept = p(f"{AT}.kept", bias + on.T @ table)
    said = "vstack([full, full - table, kept])"
    logits = p(f"{AT}.logits", own(_logits, _stacked, full, table, kept, shape=(N + 2, M), said=said))
    share = softmax(p, AT, logits, "prob")
    p(
        f"{AT}.now",
        own(lambda r, _: f"{{0:cell {N + 1},{r}}}", lambda x: x[-1:].T, share, shape=(M, 1), said="prob[-1].T"),
    )
    p(f"{AT}.before", own(lambda r, _: f"{{0:cell 0,{r}}}", lambda x: x[:1].T, share, shape=(M, 1), said="prob[0].T"))
    p(f"{AT}.change", p[f"{AT}.now"] - p[f"{AT}.before"])
    less = p(f"{AT}.less", full - (1 - on).T @ table)
    bands = [
        band(AT, "word", "keep", "table"),
        band(AT, "next", "before", "now", "change", room=16),
        band(AT, "bias", "on"),
        band(AT, "prob"),
        band(AT, "logits", "max", "exp", "sum"),
        band(AT, "full", "kept", "less"),
    ]
    return [*bands, light(p, AT, apply("rowsum", share) - 1, apply("apart", kept, less))]


def _full(bias: Numbers, table: Numbers) -> Numbers:
    return np.asarray(bias + table.sum(axis=0))


def _logits(r: int, c: int) -> str:
    if r == 0:
        return f"{{0:cell 0,{c}}}"
    return f"{{0:cell 0,{c}}}-{{1:cell {r - 1},{c}}}" if r <= N else f"{{2:cell 0,{c}}}"


def _stacked(full: Numbers, table: Numbers, kept: Numbers) -> Numbers:
    return np.vstack([full, full - table, kept])


CONTEXT = Demo(
    AT,
    "Context",
    "Attention",
    (0, 8),
    add,
    plots=(
        Plot(
            "column",
            "The next word",
            f"{AT}.change",
            (Line("all words", f"{AT}.before", f"{AT}.next"), Line("as switched", f"{AT}.now", f"{AT}.next")),
        ),
    ),
    styles={
        f"{AT}.keep": Style.SWITCH,
        **dict.fromkeys((f"{AT}.table", f"{AT}.bias"), Style.TYPED),
        f"{AT}.on": Style.WHOLE,
        f"{AT}.change": Style.CHANGE,
        **dict.fromkeys((f"{AT}.prob", f"{AT}.before", f"{AT}.now"), Style.SHARE),
    },
    heat=(f"{AT}.prob",),
)
