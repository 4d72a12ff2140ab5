"""Cloud: one token at every position of the real model, as a shadow on the plane through three words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sheetgpt.course.demo import Demo, Line, Plot, light, stack
from sheetgpt.course.nearness import Numbers, lengths
from sheetgpt.course.typed import rows_of, tokens
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

TOKENS = [["␣happy"], ["␣sad"], ["␣girl"], ["␣proud"]]  # the cloud's token, two that span the plane, and one more
W = len(TOKENS)


def add(p: Plan) -> Sequence[Band]:
    """A token's row plus the row of each position, projected; how far it is then from some words."""
    places = p["wpe"]  # [T, d]
    words = rows_of(p, "cloud.vector", p["wte"], tokens(p, "cloud.token", TOKENS), 0)  # [W, d]
    away = p("cloud.away", words - p("cloud.home", apply("pick", words, 1)))  # [W, d]
    across, up = _plane(p, away)
    for name, axis in (("x", across), ("y", up)):
        p(f"cloud.{name}", places @ axis.T)  # [T, 1]: the token itself stands at 0
        p(f"cloud.word.{name}", away @ axis.T)  # [W, 1]
    offset = _distances(p, places, away)
    bands = [
        Band(("cloud.token.word", "cloud.word.x", "cloud.word.y", "cloud.token.said"), touching=True, room=18),
        Band(("cloud.share", "cloud.size"), touching=True),
        Band(("cloud.pos", "cloud.x", "cloud.y", "cloud.offset", "cloud.mine", "cloud.far"), touching=True),
        Band(("cloud.token.seen", "cloud.token.id", "cloud.long.one", "cloud.long.two"), touching=True),
        *stack("cloud.vector", "cloud.home", "cloud.away", "cloud.one", "cloud.across"),
        *stack("cloud.three", "cloud.two", "cloud.up"),
    ]
    shadow = p["cloud.x"] ** 2 + p["cloud.y"] ** 2 - offset**2
    longer = apply("worst", apply("where", shadow <= 0, 0, shadow))
    return [*bands, light(p, "cloud", apply("sum", across * up), longer)]


def _plane(p: Plan, away: Expr) -> tuple[Expr, Expr]:
    """Two directions of length 1 at right angles [1, d]: to the second word, and from that line to the third."""
    one = p("cloud.one", apply("pick", away, 2))
    across = p("cloud.across", _unit(one, p("cloud.long.one", _long(one))))
    three = p("cloud.three", apply("pick", away, 3))
    two = p("cloud.two", three - apply("sum", three * across) * across)
    return across, p("cloud.up", _unit(two, p("cloud.long.two", _long(two))))


def _long(x: Expr) -> Expr:
    return apply("sqrt", apply("sum", x * x))


def _unit(x: Expr, length: Expr) -> Expr:
    """A row at length 1; zeros for one so short that only rounding is left of it."""
    return apply("where", length <= 1e-9, 0, x / length)


def _distances(p: Plan, places: Expr, away: Expr) -> Expr:
    """How long each position's row is; how far the token is from each word then, and whether from itself the least."""
    t = p.counted("cloud.pos", range(places.shape[0])).shape[0]
    offset = p("cloud.offset", lengths(places))
    far = p("cloud.far", own(_far_formula, _far, places, away, shape=(t, W), said="|token + wpe - word|"))
    mine = own(_mine_formula, _mine, far, shape=(t, 1), said="far[:, 0] <= far.min(axis=1)")
    p("cloud.share", apply("sum", p("cloud.mine", mine)) / t)
    p("cloud.size", apply("sum", offset) / t)
    return offset


def _far_formula(_: int, c: int) -> str:
    gap = f"({{0:row}}-{{1:row {c}}})"
    return f"SQRT(SUMPRODUCT({gap}*{gap}))"


def _far(places: Numbers, away: Numbers) -> Numbers:
    return np.asarray(np.sqrt(((places[:, None] - away) ** 2).sum(axis=2)))


def _mine_formula(r: int, _: int) -> str:
    return f"IF({{0:cell {r},0}}<=MIN({{0:row}}),1,0)"


def _mine(far: Numbers) -> Numbers:
    return np.where(far[:, :1] <= far.min(axis=1, keepdims=True), 1.0, 0.0)


_WORDS = tuple(Line(f"=cloud.token.word[{r},0]", f"cloud.word.y[{r},0]", f"cloud.word.x[{r},0]") for r in range(W))
CLOUD = Demo(
    "cloud",
    "Cloud",
    "Positions",
    (4, 12),
    add,
    plots=(
        Plot(
            "scatter",
            "One token at all positions",
            "cloud.token.said",
            (Line("with its position", "cloud.y", "cloud.x"), *_WORDS),
            "towards the second word",
            "towards the third",
            size=(560, 360),
        ),
    ),
    styles={"cloud.token.id": Style.WHOLE, "cloud.mine": Style.WHOLE, "cloud.share": Style.SHARE},
    reads=("wte", "wpe", "vocab.text"),
)
