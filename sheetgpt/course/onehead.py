"""One attention head by hand: what four words ask, offer and hand over, and how one of them changes by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, band, light
from sheetgpt.course.softmax import HIDDEN, softmax
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

AT = "onehead"
WORDS = [["Mike"], ["quick"], ["He"], ["moves"]]
Table = list[list[float]]
X: Table = [[0.9, 0.1, 0.1, 0], [0, 0, 1, 0.1], [0.3, 0.9, 0, 0], [0, 0, 0.1, 0.9]]  # name, pronoun, quick, act
W_Q: Table = [[0, 0], [2.5, 0], [0, 0], [1.5, 2]]  # asks who, asks how
W_K: Table = [[3, 0], [0, 0], [0, 3], [0, 0]]
W_V: Table = [[0.8, 0, 0, 0], [0, 0.3, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
OTHERS = [["moves"], ["dashes"], ["creeps"], ["Mike"], ["quick"]]
VECTORS: Table = [[0, 0, 0.1, 0.9], [0.1, 0, 0.8, 0.9], [0.1, 0, -0.8, 0.9], [0.9, 0.1, 0.1, 0], [0, 0, 1, 0.1]]
N, D, WIDTH = len(X), len(X[0]), len(W_Q[0])
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """The head as matrices, then for one picked word by hand, then where that word is afterwards."""
    p.constant(f"{AT}.word", WORDS, (N, 1))
    x = p.knob(f"{AT}.x", X, (N, D))
    q, k, v = (x @ p.knob(f"{AT}.w{n}", w, (D, len(w[0]))) for n, w in (("q", W_Q), ("k", W_K), ("v", W_V)))
    q, k, v = p(f"{AT}.q", q), p(f"{AT}.k", k), p(f"{AT}.v", v)
    scores = p(f"{AT}.scores", q @ k.T / apply("sqrt", WIDTH))  # [4, 4]
    seen = p.constant(f"{AT}.seen", np.tri(N).tolist(), (N, N))
    masked = p(f"{AT}.masked", apply("where", seen, scores, HIDDEN))
    pattern = softmax(p, AT, masked, "pattern")
    out = p(f"{AT}.out", x + p(f"{AT}.z", pattern @ v))
    moved = _by_hand(p, x, q, k, v)
    _nearest(p, moved)
    wanted = p(f"{AT}.wanted", apply("gather", out, p[f"{AT}.row"]))
    bands = [
        band(AT, "word", "x", "pick", "row"),
        band(AT, "wq", "wk", "wv"),
        band(AT, "q", "k", "v"),
        band(AT, "scores", "seen", "masked"),
        band(AT, "max", "exp", "sum"),
        band(AT, "pattern", "z", "out"),
        band(AT, "query"),
        band(AT, "number", "fit", "heard", "weight", "share", touching=True),
        band(AT, "before", "read", "after", "wanted"),
        band(AT, "other", "vector", "was", "now", room=15),
        band(AT, "nearest", "nearer", "shift"),
    ]
    return [*bands, light(p, AT, apply("rowsum", pattern) - 1, apply("apart", moved, wanted))]


def _by_hand(p: Plan, x: Expr, q: Expr, k: Expr, v: Expr) -> Expr:
    """The picked word [1, 4] after it has read from the others, by one formula after the other."""
    pick = p.knob(f"{AT}.pick", 3.0)
    inside = own(f"MAX(0,MIN({N - 1},INT({{0}})))", _inside, pick, shape=(1, 1), said="clip(floor(pick), 0, 3)")
    row = p(f"{AT}.row", inside)
    query = p(f"{AT}.query", apply("gather", q, row))
    number = p.counted(f"{AT}.number", range(N))
    text = f"SUMPRODUCT({{0:row}},{{1}})/SQRT({WIDTH})"
    fit = own(text, _fit, k, query, shape=(N, 1), said="k @ query / sqrt(2)")
    fit = p(f"{AT}.fit", fit)
    heard = p(f"{AT}.heard", apply("where", number <= row, fit, HIDDEN))
    weight = p(f"{AT}.weight", apply("exp", heard - apply("max", heard)))
    share = p(f"{AT}.share", weight / apply("sum", weight))
    read = own("SUMPRODUCT({0},{1:col})", lambda s, v: s.T @ v, share, v, shape=(1, D), said="share @ v")
    before = p(f"{AT}.before", apply("gather", x, row))
    return p(f"{AT}.after", before + p(f"{AT}.read", read))


def _inside(pick: Numbers) -> Numbers:
    return np.clip(np.floor(pick), 0, N - 1)


def _fit(k: Numbers, query: Numbers) -> Numbers:
    return np.asarray((k * query).sum(axis=1, keepdims=True) / np.sqrt(WIDTH))


def _nearest(p: Plan, moved: Expr) -> None:
    """Which word is nearest to the picked one, before and after."""
    other = p.constant(f"{AT}.other", OTHERS, (len(OTHERS), 1))
    vector = p.knob(f"{AT}.vector", VECTORS, (len(OTHERS), D))
    before = p[f"{AT}.before"]
    for name, place, text in (("was", before, "nearest"), ("now", moved, "nearer")):
        far = p(f"{AT}.{name}", _far(vector, place, len(OTHERS)))
        said = f"other[argmin({name})]"
        least = own("INDEX({0},MATCH(MIN({1}),{1},0),1)", _least, other, far, shape=(1, 1), said=said, text=True)
        p(f"{AT}.{text}", least)
    p(f"{AT}.shift", _far(before, moved, 1))


def _far(vectors: Expr, place: Expr, rows: int) -> Expr:
    rule, said = "SQRT(SUMPRODUCT(({0:row}-{1})*({0:row}-{1})))", "sqrt(((vector - place)**2).sum(axis=1))"
    return own(rule, _distance, vectors, place, shape=(rows, 1), said=said)


def _distance(x: Numbers, y: Numbers) -> Numbers:
    return np.asarray(np.linalg.norm(x - y, axis=1)[:, None])


def _least(other: Numbers, far: Numbers) -> Numbers:
    return other[[far[:, 0].argmin()]]


ONEHEAD = Demo(
    AT,
    "One head by hand",
    "Attention",
    (6, 16),
    add,
    plots=(
        Plot(
            "column",
            "How far each word is from the picked one",
            f"{AT}.now",
            (
                Line("before", f"{AT}.was", f"{AT}.other"),
                Line("after", f"{AT}.now", f"{AT}.other"),
            ),
            up="distance",
            shares=False,
        ),
    ),
    styles={
        f"{AT}.pick": Style.KNOB,
        **dict.fromkeys((f"{AT}.{name}" for name in ("x", "wq", "wk", "wv", "vector")), Style.TYPED),
        f"{AT}.row": Style.WHOLE,
        f"{AT}.pattern": Style.SHARE,
        f"{AT}.share": Style.SHARE,
    },
    marks={f"{AT}.pattern": "AND({r}=2,{c}=0)"},
    heat=(f"{AT}.pattern",),
    masked=(f"{AT}.masked", f"{AT}.heard"),
)
