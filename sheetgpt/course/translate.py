"""Encoder and decoder with cross-attention as a toy: the same sentence translated with attention and without."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, band, light
from sheetgpt.course.softmax import softmax
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

AT = "translate"
SOURCE = [["black"], ["cat"], ["sees"], ["white"], ["dog"]]
TARGET = [["chat"], ["noir"], ["voit"], ["chien"], ["blanc"]]
NOUN, ADJECTIVE, VERB = [1.0, 0, 0], [0.0, 1, 0], [0.0, 0, 1]
EARLY, LATE, MIDDLE = [1.0, 0], [0.0, 1], [0.0, 0]
MEANING = np.eye(5)[[1, 0, 2, 4, 3]].tolist()  # of the French words, in the order of the English ones
N = len(SOURCE)
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Five English words into five French ones; each step of the decoder asks, each word of the encoder answers."""
    p.constant(f"{AT}.source", SOURCE, (N, 1))
    target = p.constant(f"{AT}.target", TARGET, (N, 1))
    kind = p.knob(f"{AT}.kind", [ADJECTIVE, NOUN, VERB, ADJECTIVE, NOUN], (N, 3))
    half = p.knob(f"{AT}.half", [EARLY, EARLY, MIDDLE, LATE, LATE], (N, 2))
    values = p.knob(f"{AT}.values", np.eye(N).tolist(), (N, N))
    wants = p.knob(f"{AT}.wants", [NOUN, ADJECTIVE, VERB, NOUN, ADJECTIVE], (N, 3))
    where = p.knob(f"{AT}.where", [EARLY, EARLY, MIDDLE, LATE, LATE], (N, 2))
    sharp = p.knob(f"{AT}.sharp", 3.0)
    scores = p(f"{AT}.scores", sharp * (wants @ kind.T + where @ half.T))  # [5 steps, 5 words]
    pattern = softmax(p, AT, scores, "pattern")
    total = p(f"{AT}.total", apply("rowsum", pattern))
    read = p(f"{AT}.read", pattern @ values)
    said = "values.mean(axis=0)"
    mean = own("AVERAGE({0:col})", lambda v: v.mean(axis=0, keepdims=True), values, shape=(1, N), said=said)
    mean = p(f"{AT}.mean", mean)
    meaning = p.constant(f"{AT}.meaning", MEANING, (N, N))
    fits = p(f"{AT}.fits", wants @ p.constant(f"{AT}.sort", [NOUN, ADJECTIVE, VERB, NOUN, ADJECTIVE], (N, 3)).T)
    _say(p, "with", target, p(f"{AT}.scored", read @ meaning.T + fits))
    _say(p, "without", target, p(f"{AT}.blurred", mean @ meaning.T + fits))
    taken = p(f"{AT}.taken", apply("colsum", pattern))
    got, given = p(f"{AT}.got", apply("colsum", read)), p(f"{AT}.given", values.T @ taken)
    p.counted(f"{AT}.step", range(1, N + 1))
    bands = [
        band(AT, "source", "kind", "half", "values"),
        band(AT, "step", "wants", "where", "sharp"),
        band(AT, "pattern", "total", "with", "without", room=16),
        band(AT, "scores", "max", "exp", "sum"),
        band(AT, "read", "mean"),
        band(AT, "target", "meaning", "sort"),
        band(AT, "fits", "scored", "blurred"),
        band(AT, "taken", "got", "given"),
    ]
    return [*bands, light(p, AT, total - 1, apply("apart", got, given))]


def _say(p: Plan, name: str, target: Expr, scores: Expr) -> None:
    """The French word of each step that scores best; of equals the first."""
    rule, said = "INDEX({0},MATCH(MAX({1:row}),{1:row},0),1)", f"target[{scores.name}.argmax(axis=1)]"
    p(f"{AT}.{name}", own(rule, _best, target, scores, shape=(N, 1), said=said, text=True))


def _best(target: NDArray[np.object_], scores: Numbers) -> NDArray[np.object_]:
    return np.asarray(target[scores.argmax(axis=1)])


TRANSLATE = Demo(
    AT,
    "Translate",
    "Attention",
    (0, 10),
    add,
    plots=(
        Plot(
            "column",
            "Which English word each step reads from",
            f"{AT}.without",
            tuple(Line(f"{i + 1} {word}", f"{AT}.pattern[{i},]", f"{AT}.source") for i, (word,) in enumerate(TARGET)),
        ),
    ),
    styles={
        **dict.fromkeys((f"{AT}.kind", f"{AT}.half", f"{AT}.values", f"{AT}.wants", f"{AT}.where"), Style.TYPED),
        **dict.fromkeys((f"{AT}.pattern", f"{AT}.total"), Style.SHARE),
        f"{AT}.sharp": Style.KNOB,
    },
    heat=(f"{AT}.pattern",),
)
