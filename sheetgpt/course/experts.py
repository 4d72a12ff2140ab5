"""Mixture of experts: a perceptron broken into pieces, and a router that picks one of them for each word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.softmax import at_once
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

WORDS = ["seven", "cat", "plus", "horse", "green"]
X = [[1.0, 0.1, 0.1], [0.0, 1.0, 0.2], [0.8, 0.0, 0.3], [0.1, 0.9, 0.1], [0.1, 0.2, 1.0]]
ROUTER = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]]
W_IN = [
    [1.0, 0.5, -0.3, 0.2, 0.1, -0.4],
    [0.2, -0.6, 0.9, 0.4, -0.2, 0.3],
    [-0.5, 0.3, 0.1, -0.7, 0.8, 0.6],
]
W_OUT = [[0.7, -0.2, 0.1], [0.3, 0.4, -0.5], [-0.1, 0.9, 0.2], [0.2, 0.3, -0.4], [0.5, -0.3, 0.6], [-0.2, 0.1, 0.8]]
T, D, E, H = len(WORDS), 3, 3, 2  # words, numbers of a word, experts, neurons of each
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Five words, three experts of two neurons; what it costs, here and in a large model."""
    p.constant("experts.words", [[word] for word in WORDS], (T, 1))
    x, router = p.knob("experts.x", X, (T, D)), p.knob("experts.router", ROUTER, (D, E))
    w_in, w_out = p.knob("experts.w_in", W_IN, (D, E * H)), p.knob("experts.w_out", W_OUT, (E * H, D))
    score = p("experts.score", x @ router)
    share = p("experts.share", at_once(score, "score"))
    top = p("experts.top", apply("rowmax", share))
    formula = "MATCH({1:at},{0:row},0)-1"
    pick = own(formula, lambda s, _: s.argmax(1)[:, None], share, top, shape=(T, 1), said="share.argmax(axis=1)")
    pick = p("experts.pick", pick)
    neurons = own(
        "MAX(0,{0:at})", lambda x: np.maximum(0, x), p("experts.into", x @ w_in), shape=(T, E * H), said=_RELU
    )
    neurons = p("experts.neurons", neurons)
    mask = own(_on, _mask, pick, shape=(T, E * H), said="arange(6) // 2 == pick")
    kept = p("experts.kept", neurons * p("experts.on", mask))
    out = p("experts.out", top * (kept @ w_out))
    p("experts.dense", neurons @ w_out)
    args = neurons, w_out, pick, top
    alone = p(
        "experts.alone", own(_ALONE, _alone, *args, shape=(T, D), said="top * the picked expert's neurons @ its w_out")
    )
    load = own(lambda r, c: f"COUNTIF({{0}},{r})", _load, pick, shape=(E, 1), said="bincount(pick)")
    p("experts.load", load)
    p.counted("experts.number", range(E))
    _sizes(p)
    return [*_bands(), light(p, "experts", apply("rowsum", share) - 1.0, out - alone), Band(("experts.alone",))]


def _sizes(p: Plan) -> None:
    """Weights that a layer has, and those that a word uses."""
    d, n = p.knob("experts.d", 768.0), p.knob("experts.n", 8.0)
    wide = own("MAX(1,INT({0}))", _whole, d, shape=(1, 1), said="max(1, floor(d))")
    wide = p("experts.wide", wide)
    many = p("experts.many", own("MAX(1,INT({0}))", _whole, n, shape=(1, 1), said="max(1, floor(n))"))
    one = p("experts.one", 8 * wide * wide)
    routed = wide * many
    has = p("experts.has", many * one + routed)
    uses = p("experts.uses", one + routed)
    p("experts.part", uses / has)


def _bands() -> list[Band]:
    return [
        Band(tuple(f"experts.{name}" for name in ("words", "x", "share", "pick", "top")), room=14),
        Band(("experts.d", "experts.n", "experts.has", "experts.uses", "experts.part")),
        Band(("experts.out", "experts.dense", "experts.number", "experts.load")),
        Band(("experts.router", "experts.score")),
        Band(("experts.w_in", "experts.w_out")),
        Band(("experts.into", "experts.on")),
        Band(("experts.neurons", "experts.kept")),
        Band(("experts.wide", "experts.many", "experts.one")),
    ]


_RELU = "maximum(0, into)"
_NEURON = "INDEX({{0:row}},1,2*{{2:at}}+{0})*INDEX({{1:col}},2*{{2:at}}+{0},1)"
_ALONE = f"{{3:at}}*({_NEURON.format(1)}+{_NEURON.format(2)})"


def _on(r: int, c: int) -> str:
    return f"IF({{0:cell {r},0}}={c // H},1,0)"


def _mask(pick: Numbers) -> Any:
    return (np.arange(E * H) // H == pick) * 1.0


def _alone(neurons: Numbers, w_out: Numbers, pick: Numbers, top: Numbers) -> Any:
    rows = []
    for x, expert, share in zip(neurons, pick[:, 0].astype(int), top[:, 0], strict=True):
        mine = slice(H * expert, H * expert + H)
        rows.append(share * (x[mine] @ w_out[mine]))
    return np.array(rows)


def _load(pick: Numbers) -> Any:
    return np.bincount(pick[:, 0].astype(int), minlength=E)[:, None]


def _whole(x: Numbers) -> Any:
    return np.maximum(1, np.floor(x))


EXPERTS = Demo(
    "experts",
    "Experts",
    "From predictor to assistant",
    (0, 5),
    add,
    plots=(
        Plot(
            "column",
            "Which expert the router picks",
            "experts.top",
            tuple(
                Line(name, f"experts.share[,{i}]", "experts.words")
                for i, name in enumerate(("sums", "animals", "colours"))
            ),
            size=(460, 280),
        ),
    ),
    styles={
        **dict.fromkeys(("experts.d", "experts.n"), Style.KNOB),
        **dict.fromkeys(("experts.share", "experts.top", "experts.part"), Style.SHARE),
        **dict.fromkeys(("experts.pick", "experts.load", "experts.on", "experts.wide", "experts.many"), Style.WHOLE),
        **dict.fromkeys(("experts.has", "experts.uses", "experts.one"), Style.COUNT),
    },
)
