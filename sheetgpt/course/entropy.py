"""Cross-entropy: how surprised a model was by the words that came."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band
from sheetgpt.sheet.lower import number

BEFORE = [["The cat sat on the"], ["Mike is quick. He moves"], ["The sky was"], ["Once upon a"], ["Two and two make"]]
WORDS = ["mat", "quickly", "blue", "time", "four"]
GUESSES = [[6, 0, 1, 0, 1], [1, 5, 1, 2, 1], [0, 1, 7, 1, 1], [0, 0, 0, 10, 0], [1, 1, 1, 1, 4]]
N, V = len(BEFORE), len(WORDS)
CURVE = 20
LEAST = 1e-9  # what a model may think a word's chance is: -ln 0 has no value
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Five guesses over five words; -ln of the chance of the word that came; their mean; e to that power."""
    words = p.constant("entropy.words", [WORDS], (1, V))
    p.constant("entropy.before", BEFORE, (N, 1))
    shares = p.knob("entropy.votes", GUESSES, (N, V))
    came = p.knob("entropy.came", [[float(i)] for i in range(N)], (N, 1))
    column = p("entropy.column", own(f"MAX(0,MIN({V - 1},INT({{0:at}})))", _column, came, shape=(N, 1), said=_COLUMN))
    word = own("INDEX({0},1,{1:at}+1)", _word, words, column, shape=(N, 1), said="words[0, column]", text=True)
    p("entropy.word", word)
    formula = 'IF(COUNTIF({0:row},">0")>0,MAX(0,{0:at})/SUMIF({0:row},">0"),1/COLUMNS({0:row}))'
    probs = p("entropy.probs", own(formula, _probs, shares, shape=(N, V), said=_PROBS))
    formula = f"MAX({number(LEAST)},INDEX({{0:row}},1,{{1:at}}+1))"
    chance = own(formula, _chance, probs, column, shape=(N, 1), said=_CHANCE)
    chance = p("entropy.chance", chance)
    loss = p("entropy.loss", own("-LN({0:at})", lambda x: -np.log(x), chance, shape=(N, 1), said="-log(chance)"))
    mean = p(
        "entropy.mean", own("AVERAGE({0})", lambda x: x.mean(keepdims=True), loss, shape=(1, 1), said="loss.mean()")
    )
    perplexity = p("entropy.perplexity", apply("exp", mean))
    uniform = own("LN(COLUMNS({0}))", lambda x: np.log(x.shape[1]), words, shape=(1, 1), said="log(words.shape[1])")
    p("entropy.uniform", uniform)
    curve = p.constant("entropy.p", [[round(0.05 * i, 2)] for i in range(1, CURVE + 1)], (CURVE, 1))
    p("entropy.curve", own("-LN({0:at})", lambda x: -np.log(x), curve, shape=(CURVE, 1), said="-log(p)"))
    root = own("1/EXP(SUMPRODUCT(LN({0}))/ROWS({0}))", _root, chance, shape=(1, 1), said="1 / chance.prod()**(1/n)")
    p("entropy.root", root)
    return [
        Band(("entropy.words",)),
        Band(("entropy.before", "entropy.votes", "entropy.came"), room=13),
        Band(("entropy.probs", "entropy.column", "entropy.word", "entropy.chance", "entropy.loss"), touching=True),
        Band(("entropy.mean", "entropy.perplexity", "entropy.uniform")),
        Band(("entropy.p", "entropy.curve"), touching=True),
        light(p, "entropy", p["entropy.root"] / perplexity - 1.0, apply("rowsum", probs) - 1.0),
        Band(("entropy.root",)),
    ]


_COLUMN = "clip(floor(came), 0, 4)"
_PROBS = "where(total > 0, maximum(votes, 0) / total, 1/5)"
_CHANCE = "maximum(1e-9, probs[row, column])"


def _column(came: Numbers) -> Numbers:
    return np.clip(np.floor(came), 0, V - 1)


def _word(words: NDArray[np.object_], column: Numbers) -> NDArray[np.object_]:
    return np.array([[words[0, int(c)]] for c in column[:, 0]], object)


def _probs(votes: Numbers) -> Numbers:
    counted = np.maximum(votes, 0)
    total = counted.sum(axis=1, keepdims=True)
    return np.where(total > 0, counted / np.where(total > 0, total, 1), 1 / V)


def _chance(probs: Numbers, column: Numbers) -> Numbers:
    return np.maximum(LEAST, np.take_along_axis(probs, column.astype(int), axis=1))


def _root(chance: Numbers) -> Numbers:
    return np.asarray(1 / np.prod(chance) ** (1 / len(chance)))


ENTROPY = Demo(
    "entropy",
    "Cross-entropy",
    "Perceptron and learning",
    (0, 8),
    add,
    plots=(
        Plot(
            "scatter",
            "Surprise against chance",
            "entropy.came",
            (
                Line("-ln p", "entropy.curve", "entropy.p", joined=True),
                Line("the five words", "entropy.loss", "entropy.chance"),
            ),
            "chance of the word that came",
            "surprise",
        ),
    ),
    styles={
        "entropy.votes": Style.INPUT,
        "entropy.came": Style.INPUT,
        "entropy.column": Style.WHOLE,
        "entropy.p": Style.SHARE,
        "entropy.probs": Style.SHARE,
        "entropy.chance": Style.SHARE,
    },
)
