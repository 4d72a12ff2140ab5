"""Backpropagation on a tiny net: the slope of the loss for every weight, by formula and by trying."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, band, light
from sheetgpt.plan.ops import Expr
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

AT = "backprop"
# Weights from input 1 and 2 to hidden neuron 1 and 2, the biases of these, then what they count for, and a last bias.
NAMES = [["w11"], ["w12"], ["w21"], ["w22"], ["b1"], ["b2"], ["v1"], ["v2"], ["c"]]
THETA = [[0.5], [-0.4], [0.3], [0.8], [0.1], [-0.2], [0.7], [-0.6], [0.2]]
N = len(NAMES)
NUDGE = 1e-4
FAIR = 1e-5  # a slope from two losses is right to some digits: a gap of 1e-4 is tested as one of 1e-9
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Two inputs, two hidden neurons (tanh), one output; forwards, backwards, once more by trying, and a step."""
    typed, target = p.knob(f"{AT}.typed", [[1.0, 0.5]], (1, 2)), p.knob(f"{AT}.target", 1.0)
    p.constant(f"{AT}.name", NAMES, (N, 1))
    theta = p.knob(f"{AT}.theta", THETA, (N, 1))
    rate = p.knob(f"{AT}.rate", 0.5)
    x = own("MAX(-10,MIN(10,{0:at}))", lambda x: np.clip(x, -10, 10), typed, shape=(1, 2), said="clip(typed, -10, 10)")
    x = p(f"{AT}.x", x)
    hidden, out, loss = _forwards(p, x, p(f"{AT}.row", theta.T), target, "")
    gradient = _backwards(p, x, theta, hidden, out, target)
    numeric = _by_trying(p, x, theta, target)
    learned = p(f"{AT}.learned", theta - rate * gradient)
    _forwards(p, x, p(f"{AT}.moved", learned.T), target, "_then")
    gap = p(f"{AT}.apart", numeric - gradient)
    bands = [
        band(AT, "typed", "target", "rate", "loss", "loss_then"),
        band(AT, "name", "theta", "gradient", "numeric", room=16),
        band(AT, "learned", "apart"),
        band(AT, "x", "hidden", "out"),
        band(AT, "dout", "dhidden", "dz"),
        band(AT, "row"),
        band(AT, "moved", "hidden_then", "out_then"),
        band(AT, "nudged", "hidden_try", "out_try", "loss_try"),
    ]
    return [*bands, light(p, AT, gap * FAIR / (1 + loss))]


def _forwards(p: Plan, x: Expr, rows: Expr, target: Expr, at: str) -> tuple[Expr, Expr, Expr]:
    """Hidden neurons, output and loss for each row of nine weights."""
    n = rows.shape[0]
    said = f"tanh(x[0] * {rows.name}[:, 0:2] + x[1] * {rows.name}[:, 2:4] + {rows.name}[:, 4:6])"
    hidden = p(f"{AT}.hidden{at}", own(_neuron, _neurons, x, rows, shape=(n, 2), said=said))
    said = f"({hidden.name} * {rows.name}[:, 6:8]).sum(axis=1) + {rows.name}[:, 8]"
    out = p(f"{AT}.out{at}", own(_sum, _sums, hidden, rows, shape=(n, 1), said=said))
    return hidden, out, p(f"{AT}.loss{at}", (out - target) ** 2 / 2)


def _neuron(r: int, c: int) -> str:
    return f"TANH({{0:cell 0,0}}*{{1:cell {r},{c}}}+{{0:cell 0,1}}*{{1:cell {r},{2 + c}}}+{{1:cell {r},{4 + c}}})"


def _neurons(x: Numbers, rows: Numbers) -> Numbers:
    return np.asarray(np.tanh(x[0, 0] * rows[:, 0:2] + x[0, 1] * rows[:, 2:4] + rows[:, 4:6]))


def _sum(r: int, _: int) -> str:
    return f"{{0:cell {r},0}}*{{1:cell {r},6}}+{{0:cell {r},1}}*{{1:cell {r},7}}+{{1:cell {r},8}}"


def _sums(hidden: Numbers, rows: Numbers) -> Numbers:
    return np.asarray((hidden * rows[:, 6:8]).sum(axis=1, keepdims=True) + rows[:, 8:])


def _backwards(p: Plan, x: Expr, theta: Expr, hidden: Expr, out: Expr, target: Expr) -> Expr:
    """The chain rule from the loss back to each weight [9, 1]."""
    dout = p(f"{AT}.dout", out - target)
    rule, said = "{0}*{1:cell %d,0}", "dout * theta[6:8].T"
    dhidden = own(lambda _, c: rule % (6 + c), lambda d, t: d * t[6:8].T, dout, theta, shape=(1, 2), said=said)
    dhidden = p(f"{AT}.dhidden", dhidden)
    dz = p(f"{AT}.dz", dhidden * (1 - hidden**2))
    said = "[x[0] * dz, x[1] * dz, dz, dout * hidden, dout]"
    return p(f"{AT}.gradient", own(_slope, _slopes, x, dz, dout, hidden, shape=(N, 1), said=said))


def _slope(r: int, _: int) -> str:
    """What reaches a weight from behind, times what it multiplies."""
    if r < 4:
        return f"{{0:cell 0,{r // 2}}}*{{1:cell 0,{r % 2}}}"
    if r < 6:
        return f"{{1:cell 0,{r - 4}}}"
    return f"{{2}}*{{3:cell 0,{r - 6}}}" if r < 8 else "{2}"


def _slopes(x: Numbers, dz: Numbers, dout: Numbers, hidden: Numbers) -> Numbers:
    return np.concatenate([*(x.T @ dz), *dz, *(dout * hidden), *dout])[:, None]


def _by_trying(p: Plan, x: Expr, theta: Expr, target: Expr) -> Expr:
    """The same slopes [9, 1] without any rule: each weight a little up, a little down, and what the loss does."""
    said = f"vstack([theta.T + {NUDGE} * eye(9), theta.T - {NUDGE} * eye(9)])"
    nudged = p(f"{AT}.nudged", own(_nudge, _nudges, theta, shape=(2 * N, N), said=said))
    _, _, loss = _forwards(p, x, nudged, target, "_try")

    def rule(r: int, _: int) -> str:
        return f"({{0:cell {r},0}}-{{0:cell {r + N},0}})/0.0002"

    said = f"(loss_try[:9] - loss_try[9:]) / {2 * NUDGE}"
    return p(f"{AT}.numeric", own(rule, lambda y: (y[:N] - y[N:]) / (2 * NUDGE), loss, shape=(N, 1), said=said))


def _nudge(r: int, c: int) -> str:
    return f"{{0:cell {c},0}}" + ("+0.0001" if r == c else "-0.0001" if r - N == c else "")


def _nudges(theta: Numbers) -> Numbers:
    return np.vstack([theta.T + NUDGE * np.eye(N), theta.T - NUDGE * np.eye(N)])


BACKPROP = Demo(
    AT,
    "Backpropagation",
    "Perceptron and learning",
    (0, 14),
    add,
    plots=(
        Plot(
            "column",
            "The slope of the loss for each weight",
            f"{AT}.numeric",
            (
                Line("by formula", f"{AT}.gradient", f"{AT}.name"),
                Line("by trying", f"{AT}.numeric", f"{AT}.name"),
            ),
            shares=False,
        ),
    ),
    styles={
        **dict.fromkeys((f"{AT}.target", f"{AT}.rate"), Style.KNOB),
        **dict.fromkeys((f"{AT}.loss", f"{AT}.loss_then"), Style.FOUND),
        **dict.fromkeys((f"{AT}.typed", f"{AT}.theta"), Style.TYPED),
        f"{AT}.apart": Style.GAP,
    },
)
