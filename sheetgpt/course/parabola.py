"""A curve made of bends: a parabola from 2, 8 or 200 ReLUs, and two of them to be set by hand."""

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

AT = "parabola"
LEFT, WIDE = -2, 4  # the stretch of x that is drawn: from -2 to 2
AXIS = [[round(LEFT + step / 20, 2)] for step in range(20 * WIDE + 1)]
MOST = 200  # neurons
SIZES = (2, 8, 200)
HAND: list[list[float]] = [[1, 0, 2], [-1, 0, 2]]  # weight, bias, how much it counts; the second is flipped
N, S = len(AXIS), 1 + len(SIZES)
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Two neurons by hand; n neurons by a rule, one at each knot; the errors of n, 2, 8 and 200 pieces."""
    x = p.constant(f"{AT}.x", AXIS, (N, 1))
    y = p(f"{AT}.y", x**2)
    pick = p.knob(f"{AT}.pick", 2.0)
    n = own(f"MAX(1,MIN({MOST},INT({{0}})))", _count, pick, shape=(1, 1), said=f"clip(floor(pick), 1, {MOST})")
    n = p(f"{AT}.n", n)
    curve = _neurons(p, x, n)
    mse = p(f"{AT}.mse", _error(curve, y))
    pieces, errors = _pieces(p, x, y, n)
    again = _corner(p, errors)
    _by_hand(p, x, y)
    p(f"{AT}.curve_off", curve - y)
    bands = [
        band(AT, "pick", "n", "mse", "sizes", "errors", room=16),
        band(AT, "hand", "offset", "hand_mse", room=16),
        band(AT, "x", "y", "one", "two", "both", "curve", "curve_off"),
        band(AT, "starts", "pieces"),
        band(AT, "step", "base", "again"),
        band(AT, "number", "knot", "slope", "bend"),
    ]
    return [*bands, light(p, AT, _first(curve, pieces), mse - again)]


def _count(pick: Numbers) -> Numbers:
    return np.clip(np.floor(pick), 1, MOST)


def _neurons(p: Plan, x: Expr, n: Expr) -> Expr:
    """The curve [81, 1] of n neurons: each begins at a knot, and bends the line to the slope of the piece after it."""
    step = p(f"{AT}.step", own(f"{WIDE}/{{0}}", lambda n: WIDE / n, n, shape=(1, 1), said=f"{WIDE} / n"))
    number = p.counted(f"{AT}.number", range(1, MOST + 1))
    knot = p(f"{AT}.knot", (number - 1) * step + LEFT)
    slope = p(f"{AT}.slope", ((knot + step) ** 2 - knot**2) / step)
    said = "where(number > n, 0, diff(slope, prepend=0))"
    bend = p(f"{AT}.bend", own(_bend, _bends, number, n, slope, shape=(MOST, 1), said=said))
    base = p(
        f"{AT}.base", own("{0:cell 0,0}*{0:cell 0,0}", lambda k: k[:1] ** 2, knot, shape=(1, 1), said="knot[0]**2")
    )
    rule = "{3}+SUMPRODUCT({0}*({2:at}-{1})*({2:at}>{1}))"
    said = "base + (bend * maximum(x - knot.T, 0)).sum(axis=1)"
    return p(f"{AT}.curve", own(rule, _sum, bend, knot, x, base, shape=(N, 1), said=said))


def _bend(r: int, _: int) -> str:
    return "IF({0:at}>{1},0,{2:at}-{2:up})" if r else "{2:at}"


def _bends(number: Numbers, n: Numbers, slope: Numbers) -> Numbers:
    return np.where(number > n, 0, np.diff(slope, axis=0, prepend=0))


def _sum(bend: Numbers, knot: Numbers, x: Numbers, base: Numbers) -> Numbers:
    return np.asarray(base + np.maximum(x - knot.T, 0) @ bend)


def _error(curve: Expr, y: Expr) -> Expr:
    """Mean squared error."""
    said = f"(({curve.name} - y)**2).mean()"
    return own("SUMPRODUCT(({0}-{1})*({0}-{1}))/ROWS({1})", _mean, curve, y, shape=(1, 1), said=said)


def _mean(curve: Numbers, y: Numbers) -> Numbers:
    return np.asarray(((curve - y) ** 2).mean(axis=0, keepdims=True))


def _pieces(p: Plan, x: Expr, y: Expr, n: Expr) -> tuple[Expr, Expr]:
    """Straight pieces from point to point of the parabola [81, 4], without any neuron, and their errors [4, 1].

    Programs round differently where x is a knot; a billionth more decides it for all of them.
    """
    sizes = own(lambda r, _: f"{SIZES[r - 1]}" if r else "{0}", _sizes, n, shape=(S, 1), said=f"[n, *{SIZES}]")
    sizes = p(f"{AT}.sizes", sizes)
    said = f"{WIDE} / sizes.T * minimum(sizes.T - 1, floor((x - {LEFT}) / ({WIDE} / sizes.T) + 1e-9)) + {LEFT}"
    starts = p(f"{AT}.starts", own(_start, _starts, x, sizes, shape=(N, S), said=said))
    said = f"starts**2 + (x - starts) * (2 * starts + {WIDE} / sizes.T)"
    pieces = p(f"{AT}.pieces", own(_piece, _straight, x, starts, sizes, shape=(N, S), said=said))
    said = "((pieces - y)**2).mean(axis=0)"
    return pieces, p(f"{AT}.errors", own(_squares, lambda a, b: _mean(a, b).T, pieces, y, shape=(S, 1), said=said))


def _start(_: int, c: int) -> str:
    n = f"{{1:cell {c},0}}"
    return f"{WIDE}/{n}*MIN({n}-1,INT(({{0:at}}-({LEFT}))/({WIDE}/{n})+1E-9))+({LEFT})"


def _piece(_: int, c: int) -> str:
    return f"{{1:at}}*{{1:at}}+({{0:at}}-{{1:at}})*(2*{{1:at}}+{WIDE}/{{2:cell {c},0}})"


def _squares(r: int, _: int) -> str:
    return f"SUMPRODUCT(({{0:col {r}}}-{{1}})*({{0:col {r}}}-{{1}}))/ROWS({{1}})"


def _sizes(n: Numbers) -> Numbers:
    return np.array([[n[0, 0]], *([size] for size in SIZES)])


def _starts(x: Numbers, sizes: Numbers) -> Numbers:
    step = WIDE / sizes.T
    return np.asarray(step * np.minimum(sizes.T - 1, np.floor((x - LEFT) / step + 1e-9)) + LEFT)


def _straight(x: Numbers, starts: Numbers, sizes: Numbers) -> Numbers:
    return np.asarray(starts**2 + (x - starts) * (2 * starts + WIDE / sizes.T))


def _by_hand(p: Plan, x: Expr, y: Expr) -> None:
    """Two neurons, each with a weight, a bias, and how much it counts."""
    hand, offset = p.knob(f"{AT}.hand", HAND, (2, 3)), p.knob(f"{AT}.offset", 0.0)
    one, two = (p(f"{AT}.{name}", _neuron(x, hand, row)) for row, name in enumerate(("one", "two")))
    p(f"{AT}.hand_mse", _error(p(f"{AT}.both", offset + one + two), y))


def _neuron(x: Expr, hand: Expr, row: int) -> Expr:
    def outputs(x: Numbers, hand: Numbers) -> Numbers:
        weight, bias, counts = hand[row]
        return np.asarray(counts * np.maximum(weight * x + bias, 0))

    rule = f"{{1:cell {row},2}}*MAX(0,{{1:cell {row},0}}*{{0:at}}+{{1:cell {row},1}})"
    said = f"hand[{row}, 2] * maximum(hand[{row}, 0] * x + hand[{row}, 1], 0)"
    return own(rule, outputs, x, hand, shape=(N, 1), said=said)


def _first(curve: Expr, pieces: Expr) -> Expr:
    """How far the neurons' curve is from the pieces of the same number."""

    def rule(r: int, _: int) -> str:
        return f"{{0:at}}-{{1:cell {r},0}}"

    return own(rule, lambda a, b: a - b[:, :1], curve, pieces, shape=(N, 1), said="curve - pieces[:, :1]")


def _corner(p: Plan, errors: Expr) -> Expr:
    """The error of the n pieces."""
    return p(f"{AT}.again", own("{0:cell 0,0}", lambda e: e[:1], errors, shape=(1, 1), said="errors[:1]"))


def _curve(title: str, beside: str, *lines: Line) -> Plot:
    true = Line("parabola", f"{AT}.y", f"{AT}.x", joined=True)
    return Plot("scatter", title, f"{AT}.{beside}", (true, *lines), "x", "y", (520, 320))


def _line(name: str, place: str) -> Line:
    return Line(name, f"{AT}.{place}", f"{AT}.x", joined=True)


PARABOLA = Demo(
    AT,
    "Parabola",
    "Perceptron and learning",
    (5, 10),
    add,
    plots=(
        _curve("n neurons by the rule", "errors", _line("n neurons", "curve")),
        _curve(
            "Two neurons by hand", "hand_mse", _line("neuron 1", "one"), _line("neuron 2", "two"), _line("both", "both")
        ),
    ),
    styles={
        **dict.fromkeys((f"{AT}.pick", f"{AT}.offset"), Style.KNOB),
        **dict.fromkeys((f"{AT}.n", f"{AT}.sizes"), Style.WHOLE),
        f"{AT}.hand": Style.TYPED,
        f"{AT}.x": Style.FOUND,
        **dict.fromkeys((f"{AT}.mse", f"{AT}.errors", f"{AT}.hand_mse"), Style.FOUND),
    },
)
