"""Small places for pictures: tokens in two principal components, whom the last token reads from, the activation.

The components are found without a library: the first one's direction is what a matrix of products keeps when it is
squared again and again (the power method, von Mises and Pollaczek-Geiringer 1929); the second one's is what is left
when the first is taken out (Hotelling 1933).
"""

from __future__ import annotations

from collections.abc import Iterator

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.live import NO_ANSWER
from sheetgpt.plan.model import gelu
from sheetgpt.plan.ops import Expr, apply, lit
from sheetgpt.plan.plan import Plan

SQUARINGS = 8  # to the power of 256
CURVE = 33  # numbers at which the activation is drawn, from -4 to 4
NEURONS = 32  # of each block, whose values are put on it
REMAINS = ("points.second.", "points.y", "points.up")  # places of what is left once the first component is taken out
NAMELESS = " "  # a point with an empty name would be labelled by its number
_TINY = 1e-300  # changes no number but 0
_NONE, _LITTLE = 1e-12, 1e-6  # spread that is none; the same of the second component, as a part of the whole
_NEARLY = 0.9  # of the farthest token: who is as far out decides which side is the right one


def add_points(p: Plan, config: ModelConfig, asked: Asked, live: bool) -> None:
    """Add the places of all three pictures."""
    _components(p)
    _drawn(p)
    for i in range(config.n_layer):
        for j in range(config.n_head):
            at = f"h{i}.attn.head{j}"
            p(f"{at}.last", _of_last(p, f"{at}.pattern", p["prompt.pos"]))  # [T, 1]
    _activation(p, config)


def last_of(config: ModelConfig, block: int) -> tuple[str, ...]:
    """The places that tell whom the last token reads from, head by head."""
    return tuple(f"h{block}.attn.head{j}.last" for j in range(config.n_head))


def powers(at: str) -> Iterator[str]:
    """Names of the matrix of a component, and of its powers."""
    return (f"{at}.power_{2**k}" for k in range(SQUARINGS + 1))


def _of_last(p: Plan, name: str, columns: Expr) -> Expr:
    """The entries of a place's last row of the prompt at some columns; 0 where the prompt has no answer."""
    n = p["prompt.n"]
    return apply("where", n <= 0, 0, apply("item", p[name], n - 1, columns))


def _activation(p: Plan, config: ModelConfig) -> None:
    """The curve, and each block's first neurons for the last token on it."""
    number = p.counted("curve.number", range(CURVE))
    x = p("curve.x", number * 0.25 - 4)
    p("curve.y", gelu(x, config.activation))
    neuron = p.counted("curve.neuron", range(min(NEURONS, config.d_mlp)))
    for i in range(config.n_layer):
        for place in ("pre", "post"):
            p(f"h{i}.mlp.{place}.last", _of_last(p, f"h{i}.mlp.{place}", neuron))


def _components(p: Plan) -> None:
    """The prompt's tokens as points: `points.x`, `points.y` [T, 1], 0 in rows after the prompt's end."""
    n, x = p["prompt.n"], p["embed.token"]
    there = p("points.there", apply("where", n <= p["prompt.pos"], 0, 1))  # [T, 1]
    count = p("points.count", apply("where", n <= 1, 1, n))
    mean = p("points.mean", there.T @ x / count)  # [1, d]
    centred = p("points.centred", there * (x - mean))  # [T, d]
    gram = p("points.gram", centred @ centred.T)  # [T, T]
    total = p("points.first.spread", apply("sum", centred * centred))
    unit, pull = _direction(p, "points.first", gram, lit(_NONE))
    p("points.x", _along(unit, pull))
    left = gram - unit * pull.T - pull * unit.T + apply("sum", unit * pull) * (unit * unit.T)
    p("points.left", left)  # [T, T]
    p("points.second.spread", total - apply("sum", unit * pull))
    p("points.y", _along(*_direction(p, "points.second", p["points.left"], total * _LITTLE + _NONE)))


def _drawn(p: Plan) -> None:
    """What the picture shows [T, 1]: rows after the prompt's end lie, without a name, on its last token.

    No program leaves out a point whose cells hold numbers, nor one whose cells hold a text.
    """
    n, pos = p["prompt.n"], p["prompt.pos"]
    last = apply("where", n <= 0, 0, n - 1)
    nobody = apply("where", n + pos <= 0, NO_ANSWER, NAMELESS)
    p("points.name", apply("where", n <= pos, nobody, apply("gather", p["prompt.tokens"], pos)))
    for name, along in (("across", "x"), ("up", "y")):
        p(f"points.{name}", apply("where", n <= pos, apply("gather", p[f"points.{along}"], last), p[f"points.{along}"]))


def _direction(p: Plan, at: str, gram: Expr, least: Expr) -> tuple[Expr, Expr]:
    """How far out each token is along the widest direction, together of length 1, and `gram` times that [T, 1].

    Each is 0 where the points spread by `least` or less. The first token that is nearly as far out as any is on the
    right side, so that no rounding mirrors the picture.
    """
    pos, spread = p["prompt.pos"], p[f"{at}.spread"]
    scale = p(f"{at}.scale", apply("where", spread <= least, 0, lit(1) / spread))
    first, *names = powers(at)
    power = p(first, gram * scale)  # [T, T]
    for name in names:
        power = p(name, power @ power / (apply("sum", power * power) + _TINY))
    out = p(f"{at}.out", apply("item", power, pos, pos))  # [T, 1]
    far = p(f"{at}.far", apply("where", apply("max", out) * _NEARLY <= out, 1, 0))  # [T, 1]
    who = p(f"{at}.who", apply("argmax", far))
    column = p(f"{at}.column", apply("item", power, pos, who))  # [T, 1]
    unit = p(f"{at}.unit", column / (apply("sqrt", apply("sum", column * column)) + _TINY))
    return unit, p(f"{at}.pull", gram @ unit)


def _along(unit: Expr, pull: Expr) -> Expr:
    """Where each token lies along a direction."""
    return pull / (apply("sqrt", apply("sum", unit * pull)) + _TINY)
