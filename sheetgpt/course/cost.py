"""What a vocabulary costs: parameters for every entry, and rows for every piece of text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

# name, entries, tokens for each word of English: the last are rough
KINDS = [("words", 170_000, 1.0), ("GPT-2's BPE", 50_257, 1.3), ("bytes", 256, 6.0)]
N = len(KINDS)
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Three vocabularies: parameters of the embedding matrix, rows of a text, cells of its attention pattern."""
    p.constant("cost.name", [[name] for name, _, _ in KINDS], (N, 1))
    entries = p.knob("cost.entries", [[float(n)] for _, n, _ in KINDS], (N, 1))
    per_word = p.knob("cost.per_word", [[x] for _, _, x in KINDS], (N, 1))
    width, words = p.knob("cost.width", 768.0), p.knob("cost.words", 750.0)
    parameters = p("cost.parameters", entries * width)
    p("cost.megabytes", parameters * 4 / 1e6)
    tokens = p("cost.tokens", per_word * words)
    pattern = p("cost.pattern", tokens * tokens)
    more = p("cost.more", (entries + 1) * width)
    longer = p("cost.longer", (2 * tokens) ** 2)
    bands = [
        Band(("cost.width", "cost.words")),
        Band(("cost.name", "cost.entries", "cost.parameters", "cost.megabytes"), room=15),
        Band(("cost.per_word", "cost.tokens", "cost.pattern"), room=15),
        Band(("cost.more", "cost.longer")),
    ]
    step = own("({0:at}-{1:at}-{2})/(1+ABS({0:at}))", _step, more, parameters, width, shape=(N, 1),
               said="(more - parameters - width) / (1 + abs(more))")  # fmt: skip
    fourfold = (longer - 4 * pattern) / (1 + longer)
    return [*bands, light(p, "cost", step, fourfold)]


def _step(more: Numbers, parameters: Numbers, width: Numbers) -> Numbers:
    return np.asarray((more - parameters - width) / (1 + np.abs(more)))


COST = Demo(
    "cost",
    "Vocabulary cost",
    "Tokenization",
    (3, 10),
    add,
    plots=(
        Plot(
            "column",
            "Parameters of the embedding matrix",
            "cost.megabytes",
            (Line("parameters", "cost.parameters", "cost.name"),),
            shares=False,
        ),
        Plot(
            "column",
            "Rows that the text takes",
            "cost.pattern",
            (Line("rows", "cost.tokens", "cost.name"),),
            shares=False,
        ),
    ),
    styles={
        **dict.fromkeys(("cost.width", "cost.words"), Style.KNOB),
        **dict.fromkeys(("cost.entries", "cost.per_word"), Style.SWITCH),
        **dict.fromkeys(("cost.parameters", "cost.pattern", "cost.tokens", "cost.more", "cost.longer"), Style.COUNT),
    },
)
