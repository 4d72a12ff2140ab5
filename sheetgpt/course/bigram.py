"""Pairs of words: what comes after a word, by counting alone; and how much better a model guesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.heard import chances
from sheetgpt.models.weights import Weights
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band
from sheetgpt.sheet.lower import number

TEXT = (
    "ultimately the dog came home and ultimately the cat forgave him . the boy thought that ultimately nothing was "
    "lost . ultimately we all go home , said the old man , and the dog slept . the cat looked at the dog and "
    "ultimately the cat slept too ."
)
READ = (
    "Once upon a time, there was a little dog. The dog loved to play in the park. One day, the dog saw a big red ball. "
    "The ball was under a tree. The dog wanted to play with the ball, but a cat sat on it. The cat did not want to "
    'move. The dog was sad. Then a little girl came to the park. Her name was Lily. Lily saw the dog and the cat. "Can '
    'we play?" she asked. The cat looked at Lily and jumped off the ball. The dog was happy. They played in the park '
    "all day. At the end of the day, the dog and the cat were friends. They went home and slept."
)
TOLD = (
    "One day, Lily and the dog went to the park. They saw the cat under the big tree. The cat was sad. "
    "Lily wanted to play with the cat."
)
WORDS = TEXT.split()
N, TOP, KNOWN, TEST, V = len(WORDS), 5, 150, 33, 1024
NAMES = ("uniform", "bigram", "GPT")
LEAST = 1e-6  # how much the even spread counts at least, so that no chance is 0
Numbers = NDArray[np.float64]
Texts = NDArray[np.object_]


def add(p: Plan) -> Sequence[Band]:
    """The words that followed a word, and the surprise of three guessers at the same text."""
    first, *words = _counted(p)
    second, *tokens = _compared(p)
    lights = light(p, "bigram", *_laws(p))
    return [first, second, *words, *tokens, lights, Band(("bigram.counted", "bigram.hesitates"))]


def starts(model: Weights) -> Mapping[str, object]:
    """Tokens of both passages, and the chances that the model gives to those of the second."""
    tokenizer = model.tokenizer()
    read, told = tokenizer.encode(READ)[:KNOWN], tokenizer.encode(TOLD)[: TEST + 1]
    return {
        "bigram.read": [[float(i)] for i in read],
        "bigram.before": [[float(i)] for i in told[:-1]],
        "bigram.id": [[float(i)] for i in told[1:]],
        "bigram.token": [[tokenizer.visible(i)] for i in told[1:]],
        "bigram.gpt": [[chance] for chance in chances(model, told, 1)],
    }


def _counted(p: Plan) -> list[Band]:
    """Which words came after the word that is asked for, the most frequent first."""
    asked = p.knob("bigram.asked", "ultimately")
    words = p.knob("bigram.words", [[word] for word in WORDS], (N, 1))
    row = p.counted("bigram.row", range(N))
    at = p("bigram.at", apply("exactly", words, words))
    p("bigram.wanted", apply("exactly", asked, words))
    follows = own(_follows, _following, at, p["bigram.wanted"], shape=(N, 1), said="at[row - 1] == wanted")
    follows = p("bigram.follows", follows)
    formula = "IF({0:at}={1:at},SUMPRODUCT(({0}={1:at})*{2}),-1)"
    count = own(formula, _counts, at, row, follows, shape=(N, 1), said="follows[at == row].sum(), or -1 for a repeat")
    count = p("bigram.count", count)
    p("bigram.total", apply("sum", follows))
    order = p.counted("bigram.order", range(1, TOP + 1))
    often = p("bigram.often", apply("largest", count, order))
    which = p("bigram.which", apply("whereis", often, count, row))
    formula = 'IF({0:at}>0,INDEX({1},{2:at}+1,1)&"","-")'
    text = own(formula, _followers, often, words, which, shape=(TOP, 1), said="words[which]", text=True)
    p("bigram.next", text)
    share = own("MAX(0,{0:at})/MAX(1,{1})", _share, often, p["bigram.total"], shape=(TOP, 1), said="often / total")
    p("bigram.share", share)
    return [
        Band(tuple(f"bigram.{name}" for name in ("asked", "order", "next", "often", "share", "which")), room=14),
        Band(tuple(f"bigram.{name}" for name in ("words", "row", "at", "follows", "count", "total", "wanted"))),
    ]


def _compared(p: Plan) -> list[Band]:
    """The surprise of somebody who knows nothing, of pairs that were counted, and of the bundled model."""
    read = p.data("bigram.read", (KNOWN, 1))
    p.data("bigram.token", (TEST, 1), text=True)
    before, token, gpt = (p.data(f"bigram.{name}", (TEST, 1)) for name in ("before", "id", "gpt"))
    even = p.knob("bigram.even", 20.0)
    seen = own(_SEEN, _seen, read, before, shape=(TEST, 1), said="(read[:-1] == before).sum()")
    seen = p("bigram.seen", seen)
    pairs = own(
        _PAIRS, _pairs, read, before, token, shape=(TEST, 1), said="((read[:-1] == before) & (read[1:] == id)).sum()"
    )
    pairs = p("bigram.pairs", pairs)
    table = own(_guess, _chance, seen, pairs, gpt, even, shape=(TEST, 3), said=_CHANCE_SAID)
    table = p("bigram.chance", table)
    loss = p("bigram.loss", own("-LN({0:at})", lambda x: -np.log(x), table, shape=(TEST, 3), said="-log(chance)"))
    p.constant("bigram.who", [[name] for name in NAMES], (3, 1))
    mean = own(lambda r, c: f"AVERAGE({{0:col {r}}})", _means, loss, shape=(3, 1), said="loss.mean(axis=0).T")
    mean = p("bigram.mean", mean)
    p("bigram.perplexity", apply("exp", mean))
    names = ("token", "before", "id", "seen", "pairs", "gpt", "chance", "loss")
    return [
        Band(tuple(f"bigram.{name}" for name in ("even", "who", "mean", "perplexity")), room=14),
        Band(tuple(f"bigram.{name}" for name in names)),
        Band(("bigram.read",)),
    ]


def _laws(p: Plan) -> tuple[Expr, ...]:
    """All followers are counted, once each; and who spreads his guess evenly hesitates between all tokens."""
    counts = own(
        'SUMIF({0},">0")', lambda x: x[x > 0].sum(), p["bigram.count"], shape=(1, 1), said="count[count > 0].sum()"
    )
    counts = p("bigram.counted", counts)
    even = own("INDEX({0},1,1)", lambda x: x[:1], p["bigram.perplexity"], shape=(1, 1), said="perplexity[0]")
    even = p("bigram.hesitates", even)
    return counts - p["bigram.total"], even / float(V) - 1.0


_SEEN = f"COUNTIF({{0:cell 0,0}}:{{0:cell {KNOWN - 2},0}},{{1:at}})"
_PAIRS = (
    f"SUMPRODUCT(({{0:cell 0,0}}:{{0:cell {KNOWN - 2},0}}={{1:at}})*({{0:cell 1,0}}:{{0:cell {KNOWN - 1},0}}={{2:at}}))"
)
_CHANCE_SAID = "1/1024; (pairs + even/1024) / (seen + even); gpt"


def _follows(r: int, c: int) -> str:
    return f"IF({{0:cell {r - 1},0}}={{1}},1,0)" if r else "0"


def _following(at: Numbers, wanted: Numbers) -> Any:
    return np.vstack([[[False]], at[:-1] == wanted]) * 1.0


def _counts(at: Numbers, row: Numbers, follows: Numbers) -> Any:
    return np.where(at == row, (at.T == row) @ follows, -1)


def _followers(often: Numbers, words: Texts, which: Numbers) -> Any:
    rows = zip(often[:, 0], which[:, 0], strict=True)
    return np.array([[str(words[int(at), 0]) if n > 0 else "-"] for n, at in rows], object)


def _share(often: Numbers, total: Numbers) -> Any:
    return np.maximum(0, often) / np.maximum(1, total)


def _seen(read: Numbers, before: Numbers) -> Any:
    return (read[:-1].T == before).sum(axis=1, keepdims=True) * 1.0


def _pairs(read: Numbers, before: Numbers, token: Numbers) -> Any:
    return ((read[:-1].T == before) & (read[1:].T == token)).sum(axis=1, keepdims=True) * 1.0


def _guess(r: int, c: int) -> str:
    even = f"MAX({number(LEAST)},{{3}})"
    mixed = f"({{1:cell {r},0}}+{even}/{V})/({{0:cell {r},0}}+{even})"
    return (f"1/{V}", mixed, f"{{2:cell {r},0}}")[c]


def _chance(seen: Numbers, pairs: Numbers, gpt: Numbers, even: Numbers) -> Any:
    spread = np.maximum(LEAST, even)
    return np.hstack([np.full(gpt.shape, 1 / V), (pairs + spread / V) / (seen + spread), gpt])


def _means(loss: Numbers) -> Any:
    return loss.mean(axis=0)[:, None]


BIGRAM = Demo(
    "bigram",
    "Pairs of words",
    "From predictor to assistant",
    (0, 6),
    add,
    plots=(
        Plot(
            "bar", "What comes next", "bigram.which", (Line("share", "bigram.share", "bigram.next"),), size=(420, 260)
        ),
        Plot(
            "column",
            "Mean surprise at each token",
            "bigram.perplexity",
            (Line("cross-entropy", "bigram.mean", "bigram.who"),),
            size=(420, 260),
            shares=False,
        ),
    ),
    styles={
        "bigram.even": Style.KNOB,
        "bigram.asked": Style.WORD,
        "bigram.words": Style.WORD,
        **dict.fromkeys((f"bigram.{name}" for name in ("share", "gpt", "chance")), Style.SHARE),
        **dict.fromkeys(
            (
                f"bigram.{name}"
                for name in ("at", "wanted", "follows", "count", "total", "often", "which", "seen", "pairs")
            ),
            Style.WHOLE,
        ),
    },
    starts=starts,
)
