"""The next token by chance: temperature, top-k, top-p and a draw that a seed decides.

Temperature divides the logits; top-k keeps the k largest; top-p keeps, of these, the most likely until their share
reaches p (Holtzman et al. 2020, "The curious case of neural text degeneration"). That is the order of Hugging Face's
logits warpers. All three come down to one number, the least logit that is kept, so tokens of equal logits are kept or
cut together. A sum that misses p by less than `SLACK` is enough, so that rounding decides nothing.

Chance is Park and Miller's minimal standard generator (1988, "Random number generators: good ones are hard to find"):
a state, times 16807, modulo 2^31 - 1. A prompt of n tokens gets the n-th number of its seed's sequence, so that a
longer prompt gets the next one. The first state is the seed after four rounds that are not linear: without them the
sequences of neighbouring seeds would be multiples of each other. Every product is below 2^53, so all is exact.

V is the size of the vocabulary, T the number of token rows.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.live import NONE, answered
from sheetgpt.plan.ops import MODULUS, Expr, Scalar, apply
from sheetgpt.plan.plan import Plan

AT = "sample"
COLDEST = 1e-3  # a temperature below it is 0: the most likely token, whatever chance says
LAST_SEED = MODULUS - 2
SLACK = 1e-9
_ROUNDS = ("once", "twice", "thrice", "mixed")
_HALF = 46341  # the least whole number whose square is above the modulus
CUT, KEPT, DRAWN = "cut", "kept", "drawn"


class Knobs(NamedTuple):
    """What decides how a token is drawn; as they stand here every draw is greedy."""

    temperature: float = 0.0
    top_k: int = 0  # 0: off
    top_p: float = 1.0  # 1: off
    seed: int = 0


START = Knobs(0.8, 10, 0.9, 1)  # in a new workbook


def add_sampling(p: Plan, config: ModelConfig, asked: Asked, live: bool) -> None:
    """The draw, to a plan that ends with logits, and the candidates of `top` as they fare in it."""
    used = knobs(p, config.n_vocab)
    probs = filtered(p, used)
    draw(p, used.seed, probs, live)
    listed(p, live)


class Used(NamedTuple):
    """The knobs as they count, each [1, 1]."""

    temperature: Expr
    top_k: Expr
    top_p: Expr
    seed: Expr


def knobs(p: Plan, n_vocab: int) -> Used:
    """What a reader may change, and what counts of it: what is no number counts as at first, what is too far as near.

    At temperature 0 one token is kept.
    """
    heat, k, share, seed = (p.knob(f"{AT}.{name}", start) for name, start in START._asdict().items())
    heat = p(f"{AT}.temperature.used", _number(heat, START.temperature, apply("where", heat < COLDEST, 0, heat)))
    k_or_all = apply("where", k < 1, n_vocab, apply("where", n_vocab <= k, n_vocab, apply("floor", k)))
    k_used = apply("where", heat <= 0, 1, _number(k, min(START.top_k, n_vocab), k_or_all))
    share_used = apply("where", share <= 0, 0, apply("where", 1 <= share, 1, share))
    seed_used = apply("where", seed < 0, 0, apply("where", LAST_SEED <= seed, LAST_SEED, apply("floor", seed)))
    return Used(
        heat,
        p(f"{AT}.top_k.used", k_used),
        p(f"{AT}.top_p.used", _number(share, START.top_p, share_used)),
        p(f"{AT}.seed.used", _number(seed, START.seed, seed_used)),
    )


def _number(cell: Expr, start: Scalar, value: Expr) -> Expr:
    """`value`, or where the cell holds no number what stands there at first."""
    return apply("where", apply("isnumber", cell), value, start)


def filtered(p: Plan, used: Used) -> Expr:
    """The probability of each token to be drawn [V, 1]."""
    logits, ids, heat = p["logits"], p["vocab.id"], used.temperature
    best = p(f"{AT}.best", apply("argmax", logits))  # [1, 1]
    only = apply("where", apply("eq", ids, best), 1, 0)
    warm = apply("exp", (logits - p["next.logit"]) / apply("where", heat <= 0, 1, heat))
    exp = p(f"{AT}.exp", apply("where", heat <= 0, only, warm))  # [V, 1]
    p(f"{AT}.sum", apply("sum", exp))
    by_k = p(f"{AT}.least_k", apply("largest", logits, used.top_k))  # [1, 1]
    mass = p(f"{AT}.sum_k", apply("sum", apply("where", by_k <= logits, exp, 0)))
    wanted = p(f"{AT}.wanted", (used.top_p - SLACK) * mass)
    search = p(f"{AT}.search", apply("nucleus", logits, exp, wanted))  # [log2 V, 4]
    short = apply("item", search, search.shape[0] - 1, 3)
    enough = p(f"{AT}.enough", apply("where", logits.shape[0] <= short, short, short + 1))
    by_p = p(f"{AT}.least_p", apply("largest", logits, enough))
    off = 1 <= used.top_p
    least = p(f"{AT}.least", apply("where", off, by_k, apply("where", by_p <= by_k, by_k, by_p)))
    kept = p(f"{AT}.sum_kept", apply("sum", apply("where", least <= logits, exp, 0)))
    return p(f"{AT}.probs", apply("where", least <= logits, exp, 0) / kept)


def draw(p: Plan, seed: Expr, probs: Expr, live: bool) -> None:
    """The first token whose running sum passes the random number of this prompt's length."""
    n = p["prompt.n"]
    random = p(f"{AT}.random", answered(live, n, apply("gather", states(p, seed), n - 1), 0) / MODULUS)
    upto = p(f"{AT}.upto", apply("cumsum", probs))  # [V, 1]
    token = p(f"{AT}.id", answered(live, n, apply("sum", apply("where", upto <= random, 1, 0)), NONE))
    p(f"{AT}.row", token + 1)
    p(f"{AT}.text", answered(live, n, apply("gather", p["vocab.text"], token), ""))
    p(f"{AT}.share", answered(live, n, apply("gather", probs, token), 0))


def states(p: Plan, seed: Expr) -> Expr:
    """The seed's sequence, a state for each length of the prompt [T, 1]."""
    x = seed + 1
    for name in _ROUNDS:
        high, low = apply("floor", x / _HALF), apply("mod", x, _HALF)
        x = p(f"{AT}.seed.{name}", 1 + apply("mod", 16807 * x + high * low, MODULUS - 1))
    return p(f"{AT}.state", apply("lehmer", x, p["prompt.pos"]))


def listed(p: Plan, live: bool) -> None:
    """The most likely tokens: how likely before, at this temperature, and once the others are cut."""
    ids, answer = p["top.id"], partial(answered, live, p["prompt.n"])
    p(f"{AT}.top.text", apply("gather", p["top.text"], p["top.rank"] - 1))
    p(f"{AT}.top.before", p["top.prob"])
    p(f"{AT}.top.after", answer(apply("gather", p[f"{AT}.exp"], ids) / p[f"{AT}.sum"], 0))
    kept = apply("where", p[f"{AT}.least"] <= apply("gather", p["logits"], ids), KEPT, CUT)
    p(f"{AT}.top.fate", answer(apply("where", apply("eq", ids, p[f"{AT}.id"]), DRAWN, kept), ""))
    prob = p(f"{AT}.top.prob", answer(apply("gather", p[f"{AT}.probs"], ids), 0))
    p(f"{AT}.top.upto", apply("cumsum", prob))
