"""The sky was blue: a row of an embedding matrix, picked by look-up and by a product with a one-hot vector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sheetgpt.course.demo import Demo, light
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

WORDS = [["the"], ["sky"], ["was"], ["blue"], ["sea"]]
W_E = [[1.0, 0.0, 2.0], [4.0, 6.0, 1.0], [0.0, 3.0, 3.0], [5.0, 6.0, 7.0], [4.0, 7.0, 2.0]]
SENTENCE = WORDS[:4]
V, D, T = len(WORDS), len(W_E[0]), len(SENTENCE)


def add(p: Plan) -> Sequence[Band]:
    """Five words of three numbers: a sentence embedded by look-up, by rows and by columns."""
    word = p.constant("sky.word", WORDS, (V, 1))
    rows = p.knob("sky.w_e", W_E, (V, D))
    columns = p("sky.columns", rows.T)
    pick = p.knob("sky.pick", "blue")
    at = p("sky.at", apply("exactly", pick, word))
    looked = p("sky.looked", apply("where", at < 0, 0, apply("gather", rows, at)))
    number = p.counted("sky.id", range(V))
    hot = p("sky.hot", apply("where", apply("eq", number, at), 1, 0))
    multiplied = p("sky.multiplied", hot.T @ rows)
    column = p("sky.column", columns @ hot)
    sentence = p.knob("sky.sentence", SENTENCE, (T, 1))
    where = p("sky.where", apply("exactly", sentence, word))
    one_hot = own("IF({0:at}={here:c},1,0)", lambda x: np.where(x == np.arange(V), 1.0, 0.0), where, shape=(T, V),
                  said="where(where == arange(V), 1, 0)")  # fmt: skip
    one_hot = p("sky.one_hot", one_hot)
    embedded = p("sky.embedded", one_hot @ rows)
    found = p("sky.found", apply("where", where < 0, 0, apply("gather", rows, where)))
    bands = [
        Band(("sky.word", "sky.w_e", "sky.id", "sky.hot")),
        Band(("sky.pick", "sky.at")),
        Band(("sky.looked", "sky.multiplied")),
        Band(("sky.columns", "sky.column")),
        Band(("sky.sentence", "sky.where", "sky.found")),
        Band(("sky.one_hot", "sky.embedded")),
    ]
    return [*bands, light(p, "sky", looked - multiplied, looked - column.T, found - embedded)]


SKY = Demo(
    "sky",
    "The sky was blue",
    "Words to numbers",
    (4, 12),
    add,
    styles={
        "sky.w_e": Style.SWITCH,
        **dict.fromkeys(("sky.at", "sky.where", "sky.hot", "sky.one_hot"), Style.WHOLE),
    },
)
