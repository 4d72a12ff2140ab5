"""Strawberry: letters against tokens. Who sees only ids sees no letters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.dots import Texts, each
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

# GPT-2's tokens of six spellings, and their ids
TOKENS = [
    [("st", 301), ("raw", 1831), ("berry", 8396)],
    [("␣strawberry", 41236)],
    [("St", 1273), ("raw", 1831), ("berry", 8396)],
    [("␣Strawberry", 42611)],
    [("ST", 2257), ("RAW", 20530), ("BER", 13246), ("RY", 18276)],
    [('"', 1), ("st", 301), ("raw", 1831), ("berry", 8396)],
]
N, WIDE, NOTHING = len(TOKENS), max(map(len, TOKENS)), -1.0


def add(p: Plan) -> Sequence[Band]:
    """Six spellings, their tokens and ids, and how often a letter is in each."""
    padded = [[*row, *[("", NOTHING)] * (WIDE - len(row))] for row in TOKENS]
    piece = p.constant("strawberry.piece", [[text for text, _ in row] for row in padded], (N, WIDE))
    ids = p.constant("strawberry.id", [[float(i) for _, i in row] for row in padded], (N, WIDE))
    text = own(_joined, lambda x: x.sum(axis=1)[:, None], piece, shape=(N, 1), said="piece.sum(axis=1)", text=True)
    text = p("strawberry.text", text)
    letter = p.knob("strawberry.letter", "r")
    wanted = own("UPPER(LEFT({0},1))", lambda x: each(lambda t: t[:1].upper(), x), letter, shape=(1, 1),
                 said="letter[:1].upper()", text=True)  # fmt: skip
    wanted = p("strawberry.wanted", wanted)
    seen = p("strawberry.seen", _count(text, wanted))
    p("strawberry.tokens", apply("rowcount", ids))
    p("strawberry.letters", apply("length", text))
    inside = p("strawberry.inside", _count(piece, wanted))
    together = p("strawberry.together", apply("rowsum", inside))
    bands = [
        Band(("strawberry.letter", "strawberry.wanted")),
        Band(("strawberry.text", "strawberry.letters", "strawberry.seen", "strawberry.tokens"), room=15),
        Band(("strawberry.piece", "strawberry.id")),
        Band(("strawberry.inside", "strawberry.together")),
    ]
    return [*bands, light(p, "strawberry", together - seen)]


def _joined(r: int, _: int) -> str:
    return "&".join(f"{{0:cell {r},{c}}}" for c in range(WIDE))


def _count(text: Expr, letter: Expr) -> Expr:
    """How often the letter is in each text, large or small."""
    formula = 'IF({1}="",0,LEN({0:at})-LEN(SUBSTITUTE(UPPER({0:at}),{1},"")))'
    return own(formula, _counted, text, letter, shape=text.shape, said="text.upper().count(wanted)")


def _counted(text: Texts, letter: Texts) -> NDArray[np.float64]:
    wanted = letter[0, 0]
    return np.array([[float(t.upper().count(wanted)) if wanted else 0.0 for t in row] for row in text])


STRAWBERRY = Demo(
    "strawberry",
    "Strawberry",
    "Tokenization",
    (4, 12),
    add,
    plots=(
        Plot(
            "column",
            "What you see, and what the model sees",
            "strawberry.tokens",
            (
                Line("letters", "strawberry.letters", "strawberry.text"),
                Line("tokens", "strawberry.tokens", "strawberry.text"),
            ),
            shares=False,
        ),
    ),
    styles={
        "strawberry.id": Style.SPARSE,
        **dict.fromkeys((f"strawberry.{x}" for x in ("seen", "tokens", "letters", "inside", "together")), Style.WHOLE),
    },
    marks={"strawberry.inside": "INDEX(strawberry.inside,{r}+1,{c}+1)>0"},
)
