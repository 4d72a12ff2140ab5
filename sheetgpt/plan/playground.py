"""A playground on the model's own embedding `wte`: nearest tokens, an analogy, a table of cosines; words are typed.

A word counts only where it is exactly one token, capitals and the space before it included; a typed space stands for
the visible one. V is the vocabulary, d the width.
"""

from __future__ import annotations

from collections.abc import Sequence

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.plan import Choice, Plan

SPACE = "␣"  # as the vocabulary's texts show it
NEAREST = 11  # tokens listed by nearness: the word itself and ten others
CANDIDATES = 8  # tokens listed for an analogy: the three that are given and five others
WORDS = 6  # of the table of cosines
NONE = -1.0  # no token, no distance
NO_COSINE = -2.0  # of a word that is no token, or a row of zeros

# What stands in the cells at first, as far as the model has such tokens.
_NEAR = ("␣girl", "␣dog", "␣king")
_ANALOGIES = (("␣man", "␣woman", "␣king"), ("␣boy", "␣girl", "␣he"))
_TABLE = ("␣girl", "␣boy", "␣mom", "␣dad", "␣happy", "␣sad")


def add_playground(p: Plan, config: ModelConfig, asked: Asked, live: bool) -> None:
    """Add the playground to a plan of the whole pipeline."""
    table, one = p["wte"], p["ln_f.b"] * 0 + 1  # [V, d], [1, d]
    norm = p("near.norm", apply("sqrt", (table * table) @ one.T))  # [V, 1]
    near(p, table, norm, one)
    analogy(p, table, norm, one)
    cosines(p, table, one)


def near(p: Plan, table: Expr, norm: Expr, one: Expr) -> None:
    """The tokens nearest to one of them, by the angle between their rows and by the distance."""
    word = words(p, "near", nearest_word, 1)  # [1, 1]
    vector = p("near.vector", apply("where", word < 0, 0, apply("gather", table, word)))  # [1, d]
    cosine = p("near.cosine", cosine_to(table, norm, vector))  # [V, 1]
    distance = p("near.distance", distance_to(table, vector, one))  # [V, 1]
    rank = p.counted("near.rank", range(min(NEAREST, table.shape[0])))  # the token itself comes first
    for at, how, column, none in (
        ("near.alike", "largest", cosine, NO_COSINE),
        ("near.close", "smallest", distance, NONE),
    ):
        value = p(f"{at}.value", apply("where", word < 0, none, apply(how, column, rank + 1)))
        ids = p(f"{at}.id", apply("where", word < 0, NONE, apply("whereis", value, column, p["vocab.id"])))
        p(f"{at}.text", apply("where", word < 0, "", apply("gather", p["vocab.text"], ids)))


def analogy(p: Plan, table: Expr, norm: Expr, one: Expr) -> None:
    """a is to b as c is to which token? The tokens nearest to b - a + c (Mikolov et al. 2013), the three among them."""
    given = words(p, "analogy", analogy_words, 3)  # [3, 1]: a, b, c
    lacking = p("analogy.lacking", apply("sum", apply("where", given < 0, 1, 0)))  # [1, 1]
    vector = p("analogy.vector", apply("where", given < 0, 0, apply("gather", table, given)))  # [3, d]
    a, b, c = (apply("pick", vector, n) for n in (1, 2, 3))
    target = p("analogy.target", b - a + c)  # [1, d]
    cosine = p("analogy.cosine", cosine_to(table, norm, target))  # [V, 1]
    rank = p.counted("analogy.rank", range(1, 1 + min(CANDIDATES, table.shape[0])))
    gone = 0 < lacking
    value = p("analogy.best.value", apply("where", gone, NO_COSINE, apply("largest", cosine, rank)))
    ids = p("analogy.best.id", apply("where", gone, NONE, apply("whereis", value, cosine, p["vocab.id"])))
    p("analogy.best.text", apply("where", gone, "", apply("gather", p["vocab.text"], ids)))
    which = apply("usable", apply("find", ids, given), NONE)
    p("analogy.best.given", apply("where", gone, "", apply("where", which < 0, "", "given")))
    rows = p("analogy.best.vector", apply("where", gone, 0, apply("gather", table, ids)))  # [CANDIDATES, d]
    p("analogy.best.distance", apply("where", gone, NONE, distance_to(rows, target, one)))


def cosines(p: Plan, table: Expr, one: Expr) -> None:
    """How alike some words are, each with each [WORDS, WORDS]."""
    given = words(p, "cosines", table_words, WORDS)
    vector = p("cosines.vector", apply("where", given < 0, 0, apply("gather", table, given)))  # [WORDS, d]
    norm = p("cosines.norm", apply("sqrt", (vector * vector) @ one.T))  # [WORDS, 1]
    both = norm * norm.T
    p("cosines.table", apply("where", both <= 0, NO_COSINE, vector @ vector.T / both))


def cosine_to(table: Expr, norm: Expr, vector: Expr) -> Expr:
    """The cosine of the angle between each row of a table and a vector [1, d]."""
    both = norm * apply("sqrt", apply("sum", vector * vector))
    return apply("where", both <= 0, NO_COSINE, table @ vector.T / both)


def distance_to(table: Expr, vector: Expr, one: Expr) -> Expr:
    """How far each row of a table is from a vector, in a straight line."""
    return apply("sqrt", (table - vector) ** 2 @ one.T)


def words(p: Plan, at: str, choice: Choice, size: int) -> Expr:
    """Typed words, one below the other, as numbers of tokens [size, 1]; what is wrong with one is said beside it."""
    vocab = p["vocab.text"]
    seen = p(f"{at}.seen", apply("visible", p.knob(f"{at}.word", choice, (size, 1))))
    ids = p(f"{at}.id", apply("exactly", seen, vocab))
    spaced = 0 <= apply("exactly", apply("join", SPACE, seen), vocab)
    hint = apply(
        "where", spaced, apply("join", f"Not one token: try {SPACE}", seen), "Not one token: see tab Vocabulary."
    )
    hint = apply("where", apply("length", seen) <= 0, "Type a token.", hint)
    p(f"{at}.said", apply("where", 0 <= ids, "", hint))
    return ids


# ---- what stands there at first ----------------------------------------------------------------------------


def nearest_word(vocabulary: Sequence[str]) -> list[str]:
    """A word to begin with."""
    return _some(_NEAR, vocabulary, 1)


def analogy_words(vocabulary: Sequence[str]) -> list[str]:
    """The first of our analogies whose words are all tokens, or any three words."""
    known = set(vocabulary)
    return next((list(three) for three in _ANALOGIES if known.issuperset(three)), _some((), vocabulary, 3))


def table_words(vocabulary: Sequence[str]) -> list[str]:
    """Words that make a table worth looking at."""
    return _some(_TABLE, vocabulary, WORDS)


def _some(wanted: Sequence[str], vocabulary: Sequence[str], size: int) -> list[str]:
    """Those of the wanted words that are tokens, then the last tokens that are words; empty where there are no more."""
    known = set(vocabulary)
    found = [word for word in wanted if word in known]
    found += [text for text in reversed(vocabulary) if text.lstrip(SPACE).isalpha() and text not in found]
    return [*found[:size], *[""] * (size - len(found))]
