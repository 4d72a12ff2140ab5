"""One training step of a very small GPT: forward, loss, every gradient, new weights, and the loss again.

V = 4 words, T = 3 positions, d = 3 numbers a token, 4 neurons, one block of one head. Three layer norms without gain
and shift, no biases, the output matrix is wte (as in GPT-2). Every gradient is of the mean loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.softmax import at_once
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

WORDS = ["the", "cat", "sat", "."]
WEIGHTS: dict[str, list[list[float]]] = {
    "wte": [[0.5, -0.3, 0.2], [-0.4, 0.6, 0.1], [0.3, 0.2, -0.5], [-0.2, -0.4, 0.6]],
    "wpe": [[0.1, 0.0, -0.1], [-0.1, 0.2, 0.0], [0.0, -0.1, 0.2]],
    "wq": [[0.4, -0.2, 0.1], [0.0, 0.5, -0.3], [-0.1, 0.2, 0.3]],
    "wk": [[0.3, 0.1, -0.4], [-0.2, 0.4, 0.0], [0.1, -0.3, 0.5]],
    "wv": [[0.2, -0.5, 0.3], [0.4, 0.1, -0.2], [-0.3, 0.2, 0.4]],
    "wo": [[0.5, 0.1, -0.2], [-0.1, 0.3, 0.2], [0.2, -0.4, 0.1]],
    "w1": [[0.3, -0.4, 0.2, 0.1], [-0.2, 0.5, 0.1, -0.3], [0.4, 0.1, -0.5, 0.2]],
    "w2": [[0.2, -0.3, 0.4], [-0.4, 0.2, 0.1], [0.1, 0.5, -0.2], [0.3, -0.1, 0.2]],
}
V, T, D = len(WORDS), 3, 3
EPS = 1e-5  # keeps a layer norm from dividing by 0, as in GPT-2
BEND, CUBE = float(np.sqrt(2 / np.pi)), 0.044715  # of GELU's tanh form
FORWARD = ("x", "a", "q", "k", "v", "scores", "pattern", "z", "mid", "b", "pre", "tanh", "post", "y", "f")
BACKWARD = (
    ("logits", "f", "y"),
    ("w2", "post", "bend", "pre"),
    ("w1", "b", "norm2", "mid"),
    ("wo", "z", "v", "pattern"),
    ("scores", "q", "k"),
    ("wq", "wk", "wv", "a"),
    ("norm1", "wpe", "wte"),
)
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """One step of gradient descent on one sentence."""
    rate = p.knob("training.rate", 0.2)
    words = p.constant("training.words", [[word] for word in WORDS], (V, 1))
    tokens = p.knob("training.tokens", [[float(i)] for i in range(T + 1)], (T + 1, 1))
    ids = own(f"MAX(0,MIN({V - 1},INT({{0:at}})))", _ids, tokens, shape=(T + 1, 1), said="clip(floor(tokens), 0, 3)")
    ids = p("training.ids", ids)
    p("training.text", apply("gather", words, ids))
    p("training.input", _one_hot(ids, 0))
    p("training.target", _one_hot(ids, 1))
    p.constant("training.mask", [[1.0 if j <= i else 0.0 for j in range(T)] for i in range(T)], (T, T))
    for name, start in WEIGHTS.items():
        p.knob(f"training.{name}", start, (len(start), len(start[0])))
    before = _forward(p, "training", "before")
    squares = _backward(p)
    for name in WEIGHTS:
        p(f"training.new.{name}", p[f"training.{name}"] - rate * p[f"training.d.{name}"])
    after = _forward(p, "training.new", "after")
    p("training.fall", before - after)
    p("training.promised", rate * squares)
    return _bands(p)


def _one_hot(ids: Expr, later: int) -> Expr:
    """A row for each position: 1 in the column of its token, or of the one `later`."""
    return own(
        lambda r, c: f"IF({{0:cell {r + later},0}}={c},1,0)",
        lambda x: (x[later : later + T] == np.arange(V)) * 1.0,
        ids,
        shape=(T, V),
        said=f"ids[{later}:{later + T}] == arange(4)",
    )


def _forward(p: Plan, at: str, loss: str) -> Expr:
    """From one-hot rows to the mean loss with the weights at `at`."""
    w = {name: p[f"{at}.{name}"] for name in WEIGHTS}
    x = p(f"{at}.x", p["training.input"] @ w["wte"] + w["wpe"])
    a = p(f"{at}.a", _norm(x))
    q, k, v = (p(f"{at}.{name}", a @ w[f"w{name}"]) for name in "qkv")
    scores = apply("where", p["training.mask"], q @ k.T / apply("sqrt", float(D)), -1e10)
    pattern = p(f"{at}.pattern", at_once(p(f"{at}.scores", scores)))
    z = p(f"{at}.z", pattern @ v)
    mid = p(f"{at}.mid", x + z @ w["wo"])
    b = p(f"{at}.b", _norm(mid))
    pre = p(f"{at}.pre", b @ w["w1"])
    tanh = p(f"{at}.tanh", apply("tanh", BEND * (pre + CUBE * pre**3)))
    post = p(f"{at}.post", 0.5 * pre * (1 + tanh))
    y = p(f"{at}.y", mid + post @ w["w2"])
    f = p(f"{at}.f", _norm(y))
    logits = p(f"{at}.logits", f @ w["wte"].T)
    p(f"{at}.probs", at_once(logits))
    losses = own(
        _LOSS, _losses, logits, p["training.target"], shape=(T, 1), said="log(exp(logits).sum(1)) - logits[target]"
    )
    losses = p(f"{at}.losses", losses)
    return p(f"training.{loss}", apply("sum", losses) / float(T))


def _backward(p: Plan) -> Expr:
    """The gradient of every weight, from the loss backwards; the sum of their squares."""
    at = {name.removeprefix("training."): p[name] for name in p}
    d: dict[str, Expr] = {}

    def grad(name: str, expr: Expr) -> None:
        d[name] = p(f"training.d.{name}", expr)

    grad("logits", (at["probs"] - at["target"]) / float(T))
    grad("f", d["logits"] @ at["wte"])
    grad("y", _norm_back(d["f"], at["f"], at["y"]))
    grad("w2", at["post"].T @ d["y"])
    grad("post", d["y"] @ at["w2"].T)
    pre, tanh = at["pre"], at["tanh"]
    grad("bend", 0.5 * (1 + tanh) + 0.5 * BEND * pre * (1 - tanh**2) * (1 + 3 * CUBE * pre**2))
    grad("pre", d["post"] * d["bend"])
    grad("w1", at["b"].T @ d["pre"])
    grad("b", d["pre"] @ at["w1"].T)
    grad("norm2", _norm_back(d["b"], at["b"], at["mid"]))
    grad("mid", d["y"] + d["norm2"])
    grad("wo", at["z"].T @ d["mid"])
    grad("z", d["mid"] @ at["wo"].T)
    grad("v", at["pattern"].T @ d["z"])
    grad("pattern", d["z"] @ at["v"].T)
    scores = own(_SCORES, _scores, d["pattern"], at["pattern"], shape=(T, T), said=_SCORES_SAID)
    grad("scores", scores)
    grad("q", d["scores"] @ at["k"] / apply("sqrt", float(D)))
    grad("k", d["scores"].T @ at["q"] / apply("sqrt", float(D)))
    for name in "qkv":
        grad(f"w{name}", at["a"].T @ d[name])
    grad("a", d["q"] @ at["wq"].T + d["k"] @ at["wk"].T + d["v"] @ at["wv"].T)
    grad("norm1", _norm_back(d["a"], at["a"], at["x"]))
    grad("wpe", d["mid"] + d["norm1"])
    grad("wte", at["input"].T @ d["wpe"] + d["logits"].T @ at["f"])
    sizes = own(
        _SQUARES, _squares, *(d[name] for name in WEIGHTS), shape=(1, 1), said="sum of (d**2).sum() of all weights"
    )
    return p("training.squares", sizes)


def _norm(x: Expr) -> Expr:
    """Layer norm of each row."""
    formula = f"({{0:at}}-AVERAGE({{0:row}}))/SQRT(VARP({{0:row}})+{_EPS})"
    return own(formula, _normed, x, shape=x.shape, said=f"({x.name} - mean) / sqrt(var + 1e-05), row by row")


def _norm_back(d: Expr, normed: Expr, x: Expr) -> Expr:
    """From the gradient of a layer norm's result to that of its input."""
    formula = "({0:at}-AVERAGE({0:row})-{1:at}*SUMPRODUCT({0:row},{1:row})/%d)/SQRT(VARP({2:row})+%s)"
    said = f"(d - mean(d) - n * mean(d * n)) / sqrt(var + 1e-05), d = {d.name}, n = {normed.name}"
    return own(formula % (D, _EPS), _normed_back, d, normed, x, shape=x.shape, said=said)


def _bands(p: Plan) -> list[Band]:
    steps = FORWARD[:5], FORWARD[5:9], FORWARD[9:13], (*FORWARD[13:], "logits", "probs", "losses")
    weights = tuple(WEIGHTS)[:4], tuple(WEIGHTS)[4:]
    sums = [_inner(p, w, x) for w, x in (("w2", "post"), ("wo", "z"), ("w1", "pre"))]
    zero = apply("rowsum", p["training.d.scores"]), apply("rowsum", p["training.d.y"])
    return [
        Band(_names("rate", "before", "after", "fall", "promised")),
        Band(_names("words", "tokens", "text", "ids")),
        *(Band(_names(*names), room=12 if names is weights[0] else 0) for names in weights),
        Band(_names("input", "target", "mask")),
        *(Band(_names(*names)) for names in steps),
        *(Band(_names(*(f"d.{name}" for name in names))) for names in BACKWARD),
        Band(_names("squares")),
        *(Band(_names(*(f"new.{name}" for name in names))) for names in (*weights, *steps)),
        light(p, "training", *sums, *zero),
    ]


def _names(*names: str) -> tuple[str, ...]:
    return tuple(f"training.{name}" for name in names)


def _inner(p: Plan, w: str, x: str) -> Expr:
    """Of a product x @ w the numbers times their gradients have the same sum on both sides."""
    one, two = (p[f"training.{name}"] * p[f"training.d.{name}"] for name in (w, x))
    return apply("sum", one) - apply("sum", two)


_EPS = "1E-05"
_LOSS = "MAX({0:row})+LN(SUMPRODUCT(EXP({0:row}-MAX({0:row}))))-SUMPRODUCT({0:row},{1:row})"
_SCORES = "{1:at}*({0:at}-SUMPRODUCT({0:row},{1:row}))"
_SCORES_SAID = "pattern * (d.pattern - (d.pattern * pattern).sum(axis=1))"
_SQUARES = "+".join(f"SUMSQ({{{i}}})" for i in range(len(WEIGHTS)))


def _ids(tokens: Numbers) -> Numbers:
    return np.clip(np.floor(tokens), 0, V - 1)


def _normed(x: Numbers) -> Any:
    return (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + EPS)


def _normed_back(d: Numbers, n: Numbers, x: Numbers) -> Any:
    inner = d - d.mean(axis=1, keepdims=True) - n * (d * n).mean(axis=1, keepdims=True)
    return inner / np.sqrt(x.var(axis=1, keepdims=True) + EPS)


def _losses(logits: Numbers, target: Numbers) -> Any:
    return np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True)) + (
        logits.max(1, keepdims=True) - (logits * target).sum(1, keepdims=True)
    )


def _scores(d: Numbers, pattern: Numbers) -> Any:
    return pattern * (d - (d * pattern).sum(axis=1, keepdims=True))


def _squares(*gradients: Numbers) -> float:
    return float(sum((x**2).sum() for x in gradients))


TRAINING = Demo(
    "training",
    "Training step",
    "Perceptron and learning",
    (0, 15),
    add,
    plots=(
        Plot(
            "column",
            "Surprise after each word",
            "training.wk",
            (
                Line("before the step", "training.losses", "training.text"),
                Line("after it", "training.new.losses", "training.text"),
            ),
            size=(400, 240),
            shares=False,
        ),
    ),
    heat=("training.pattern", "training.probs", "training.new.pattern", "training.new.probs"),
    masked=("training.scores", "training.new.scores"),
    styles={
        "training.rate": Style.KNOB,
        "training.tokens": Style.INPUT,
        **dict.fromkeys(_names("ids", "input", "target", "mask"), Style.WHOLE),
    },
)
