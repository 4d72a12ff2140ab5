"""Co-occurrence: how often each word stands near each other word, counted by formulas."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.nearness import Numbers, Texts
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

PASSAGES = (
    "cold wind made ice on the lake",
    "the ice was cold and hard",
    "cold water turned to ice",
    "hot water turned to steam",
    "hot steam rose from the pot",
    "the hot steam burned her hand",
    "ice cold milk tastes good",
    "the cold ice is not steam",
    "so cold that ice covered everything",
)
WORDS = [["ice"], ["steam"], ["cold"], ["hot"], ["water"], ["the"]]
ROWS, LENGTH, V = len(PASSAGES), max(len(passage.split()) for passage in PASSAGES), len(WORDS)
SLOTS = ROWS * LENGTH
WINDOW = 3.0


def add(p: Plan) -> Sequence[Band]:
    """Passages word by word; which words stand within the window of which; the table of counts and its row sums."""
    grid = [[*words, *[""] * (LENGTH - len(words))] for words in map(str.split, PASSAGES)]
    passages, word = p.knob("cooccur.passage", grid, (ROWS, LENGTH)), p.knob("cooccur.word", WORDS, (V, 1))
    window = p.knob("cooccur.window", WINDOW)
    count = p("cooccur.count", _counts(p, passages, word, window))  # [V, V]
    p("cooccur.total", apply("rowsum", count))
    bands = [
        Band(("cooccur.passage",)),
        Band(("cooccur.window",)),
        Band(("cooccur.word", "cooccur.count", "cooccur.total"), touching=True, room=15),
        Band(("cooccur.row", "cooccur.place", "cooccur.token", "cooccur.is", "cooccur.near"), touching=True),
    ]
    return [*bands, light(p, "cooccur", count - count.T)]


def _counts(p: Plan, passages: Expr, word: Expr, window: Expr) -> Expr:
    """Each word of the text in a row of its own: which word it is, and what stands near it; then both multiplied."""
    row = p.counted("cooccur.row", (slot // LENGTH for slot in range(SLOTS)))
    place = p.counted("cooccur.place", (slot % LENGTH for slot in range(SLOTS)))
    at = (passages, row, place)
    token = p("cooccur.token", own(_TOKEN, _tokens, *at, shape=(SLOTS, 1), said="passage[row, place]", text=True))
    one = p("cooccur.is", own(_is_formula, _is, token, word, shape=(SLOTS, V), said="token == word.T"))
    seen = (token, row, place, window, word)
    near = p("cooccur.near", own(_near_formula, _near, *seen, shape=(SLOTS, V), said="how many of each within window"))
    return one.T @ near


_TOKEN = 'INDEX({0},{1:at}+1,{2:at}+1)&""'  # an empty cell would be 0


def _tokens(passages: Texts, row: Numbers, place: Numbers) -> Texts:
    return np.asarray(passages[row[:, 0].astype(int), place[:, 0].astype(int)][:, None])


def _is_formula(_: int, c: int) -> str:
    return f"EXACT({{0:at}},{{1:cell {c},0}})*(LEN({{0:at}})>0)"


def _is(token: Texts, word: Texts) -> Numbers:
    return np.where((token == word.T) & (token != ""), 1.0, 0.0)


def _near_formula(_: int, c: int) -> str:
    """Same passage, not too far, not itself, and the word that this column is about."""
    word = f"{{4:cell {c},0}}"
    near = "({1}={1:at})*(ABS({2}-{2:at})<={3})*({2}<>{2:at})"
    return f"SUMPRODUCT({near}*EXACT({{0}},{word})*(LEN({word})>0))"


def _near(token: Texts, row: Numbers, place: Numbers, window: Numbers, word: Texts) -> Numbers:
    far = np.abs(place - place.T)
    near = (row == row.T) & (far <= window) & (far > 0)  # [SLOTS, SLOTS]
    return np.asarray(near @ _is(token, word))


COOCCUR = Demo(
    "cooccur",
    "Company",
    "Embeddings",
    (0, 12),
    add,
    plots=(
        Plot(
            "column",
            "The company of ice and of steam",
            "cooccur.total",
            (
                Line("=cooccur.word[0,0]", "cooccur.count[,0]", "cooccur.word"),
                Line("=cooccur.word[1,0]", "cooccur.count[,1]", "cooccur.word"),
            ),
            up="times",
            shares=False,
        ),
    ),
    styles={
        "cooccur.window": Style.KNOB,
        "cooccur.count": Style.WHOLE,
        "cooccur.total": Style.TOTAL,
        "cooccur.is": Style.BYTES,
        "cooccur.near": Style.BYTES,
    },
)
