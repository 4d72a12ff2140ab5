"""Order: a sum forgets who came first, and so does attention, unless each place leaves its mark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.nearness import Numbers
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

SENTENCE = [["the"], ["dog"], ["chases"], ["the"], ["cat"]]
SWAPPED = (0, 4, 2, 3, 1)  # which word of the first sentence stands where in the second
VOCAB = [["the"], ["dog"], ["chases"], ["cat"]]
TABLE = [[0.2, 0.1, 0.0], [1.0, 0.2, 0.6], [0.5, 1.0, 0.3], [0.9, 0.1, -0.7]]
PLACES = [[0.4, 0.0, 0.0], [0.0, 0.4, 0.0], [0.0, 0.0, 0.4], [-0.4, 0.0, 0.0], [0.0, -0.4, 0.0]]
T, V, D, VERB = len(SENTENCE), len(VOCAB), len(TABLE[0]), 2
_OF_SIDE = ("id", "bare", "weight.bare", "placed", "weight.placed")
_LARGEST = 500  # of what is raised by EXP, so that no program runs out of digits


def add(p: Plan) -> Sequence[Band]:
    """2 + 3 and 3 + 2; two sentences of the same words, and what their verb reads without positions and with them."""
    sums = _digits(p)
    first = p.knob("order.first", SENTENCE, (T, 1))
    second = p("order.second", apply("gather", first, p.counted("order.from", SWAPPED)))
    word, table, place = p.constant("order.vocab", VOCAB, (V, 1)), p.knob("order.table", TABLE, (V, D)), _places(p)
    for at, sentence in (("one", first), ("two", second)):
        ids = p(f"order.id.{at}", apply("exactly", sentence, word))  # [T, 1]
        bare = p(f"order.bare.{at}", apply("where", ids < 0, 0, apply("gather", table, ids)))  # [T, D]
        _read(p, at, bare, "bare")
        _read(p, at, p(f"order.placed.{at}", bare + place), "placed")
    gaps = [p(f"order.gap.{how}", _gap(p, how)) for how in ("bare", "placed")]
    p.counted("order.number", range(1, D + 1))
    bands = [
        Band(("order.first", "order.second", "order.strength"), touching=True, room=15),
        *(Band((f"order.read.{how}.one", f"order.read.{how}.two", f"order.gap.{how}")) for how in ("bare", "placed")),
        sums,
        Band(("order.vocab", "order.table", "order.number"), touching=True),
        Band(("order.place", "order.mark", "order.from")),
        Band(
            ("order.id.one", "order.bare.one", "order.weight.bare.one", "order.placed.one", "order.weight.placed.one")
        ),
        Band(
            ("order.id.two", "order.bare.two", "order.weight.bare.two", "order.placed.two", "order.weight.placed.two")
        ),
    ]
    return [*bands, light(p, "order", gaps[0], p["order.sum"] - p["order.other"])]


def _digits(p: Plan) -> Band:
    """Two numbers added both ways, and read as digits both ways."""
    left, right = p.knob("order.left", 2.0), p.knob("order.right", 3.0)
    p("order.sum", left + right)
    p("order.other", right + left)
    p("order.digits", 10 * left + right)
    p("order.turned", 10 * right + left)
    names = ("left", "right", "sum", "other", "digits", "turned")
    return Band(tuple(f"order.{name}" for name in names), touching=True)


def _places(p: Plan) -> Expr:
    """What each place adds to the word that stands there [T, D]."""
    place, strength = p.knob("order.place", PLACES, (T, D)), p.knob("order.strength", 1.0)
    return p("order.mark", place * strength)


def _read(p: Plan, at: str, rows: Expr, how: str) -> None:
    """Attention of the verb over all rows, which are their own keys and values [1, D]."""
    verb = f"{{0:row {VERB}}}"
    formula, said = f"EXP(MIN({_LARGEST},SUMPRODUCT({{0:row}},{verb})))", f"exp(minimum({_LARGEST}, x @ x[{VERB}]))"
    weight = p(f"order.weight.{how}.{at}", own(formula, _weight, rows, shape=(T, 1), said=said))
    p(f"order.read.{how}.{at}", weight.T @ rows / apply("sum", weight))


def _weight(x: Numbers) -> Numbers:
    return np.asarray(np.exp(np.minimum(_LARGEST, x @ x[VERB])))[:, None]


def _gap(p: Plan, how: str) -> Expr:
    return apply("worst", p[f"order.read.{how}.one"] - p[f"order.read.{how}.two"])


ORDER = Demo(
    "order",
    "Order",
    "Positions",
    (4, 12),
    add,
    plots=(
        Plot(
            "column",
            "What the verb reads, with positions",
            "order.strength",
            tuple(Line(f"sentence {at}", f"order.read.placed.{at}[0,]", "order.number") for at in ("one", "two")),
            "number",
            shares=False,
        ),
    ),
    styles={
        **dict.fromkeys(("order.strength", "order.left", "order.right"), Style.KNOB),
        **dict.fromkeys(("order.id.one", "order.id.two"), Style.WHOLE),
        **dict.fromkeys(("order.sum", "order.other", "order.digits", "order.turned"), Style.WHOLE),
    },
)
