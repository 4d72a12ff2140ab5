"""A toy mapping from words to vectors, numbers chosen at will; and back from a vector to the nearest word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import Template, own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

TABLE = {"you": (0.0, 1.0), "are": (0.7, 0.3), "cold": (0.0, -1.0)}
SENTENCE = [["you"], ["are"], ["cold"], ["warm"]]
N, T = len(TABLE), len(SENTENCE)
NO_WORD = "(no vector)"
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Three words with two numbers each; a sentence looked up, and each vector read as a word again."""
    word = p.knob("mapping.word", [[w] for w in TABLE], (N, 1))
    vector = p.knob("mapping.vector", [list(v) for v in TABLE.values()], (N, 2))
    for axis, c in (("x", 0), ("y", 1)):
        said = f"vstack([vector[:, {c}], zeros({N})])"
        p(f"mapping.{axis}", own(_tip(c), lambda v, c=c: np.vstack([v[:, c], np.zeros(N)]), vector, shape=(2, N),
                                 said=said))  # fmt: skip
    sentence = p.knob("mapping.sentence", SENTENCE, (T, 1))
    row = p("mapping.row", apply("exactly", sentence, word))
    found = p("mapping.found", apply("where", row < 0, 0, apply("gather", vector, row)))
    away = own(_apart, _distances, found, vector, shape=(T, N), said="((found[:, None] - vector)**2).sum(axis=2)")
    away = p("mapping.away", away)
    near = p("mapping.near", own("MIN({0:row})", lambda x: x.min(axis=1)[:, None], away, shape=(T, 1),
                                 said="away.min(axis=1)"))  # fmt: skip
    back = own("MATCH({0:at},{1:row},0)-1", lambda n, x: x.argmin(axis=1)[:, None], near, away, shape=(T, 1),
               said="away.argmin(axis=1)")  # fmt: skip
    back = p("mapping.back", back)
    p("mapping.text", apply("where", row < 0, NO_WORD, apply("gather", word, back)))
    bands = [
        Band(("mapping.word", "mapping.vector"), room=15),
        Band(("mapping.sentence", "mapping.row", "mapping.found", "mapping.text")),
        Band(("mapping.away", "mapping.near", "mapping.back")),
        Band(("mapping.x", "mapping.y")),
    ]
    return [*bands, light(p, "mapping", apply("where", row < 0, 0, near))]


def _tip(c: int) -> Template:
    return lambda r, n: "0" if r else f"{{0:cell {n},{c}}}"


def _apart(r: int, n: int) -> str:
    return "+".join(f"({{0:cell {r},{c}}}-{{1:cell {n},{c}}})^2" for c in (0, 1))


def _distances(found: Numbers, vector: Numbers) -> Any:
    return ((found[:, None] - vector) ** 2).sum(axis=2)


MAPPING = Demo(
    "mapping",
    "Mapping",
    "Words to numbers",
    (3, 10),
    add,
    plots=(
        Plot(
            "scatter",
            "Three words as arrows",
            "mapping.vector",
            (
                *(Line(f"=mapping.word[{i},0]", f"mapping.y[0,{i}]", f"mapping.x[0,{i}]") for i in range(N)),
                *(Line(word, f"mapping.y[,{i}]", f"mapping.x[,{i}]", joined=True) for i, word in enumerate(TABLE)),
            ),
            "first number",
            "second number",
        ),
    ),
    styles={"mapping.vector": Style.SWITCH, "mapping.row": Style.WHOLE, "mapping.back": Style.WHOLE},
)
