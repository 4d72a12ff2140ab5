"""The idea: a blank in a sentence is filled as a blank in a sum is, once words are numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

PROMPT = [["Mike"], ["is"], ["quick"], ["He"], ["moves"]]
CODES = {
    "Mike": 89,
    "is": 9,
    "quick": 74,
    "He": 12,
    "moves": 47,
    "quickly": 232,
    "fast": 240,
    "slowly": 190,
    "blue": 17,
}
T, N = len(PROMPT), len(CODES)
SHARPEST = 0.01  # least softness, so that nothing is divided by 0


def add(p: Plan) -> Sequence[Band]:
    """A sum with a blank; a sentence as numbers, their sum, the words nearest to it, and how likely that makes them."""
    p("idea.sum", p.knob("idea.a", 2.0) + p.knob("idea.b", 2.0))
    word = p.constant("idea.word", [[w] for w in CODES], (N, 1))
    code = p.knob("idea.code", [[float(n)] for n in CODES.values()], (N, 1))
    prompt = p.knob("idea.prompt", PROMPT, (T, 1))
    at = p("idea.at", apply("exactly", prompt, word))
    number = p("idea.number", apply("where", at < 0, 0, apply("gather", code, at)))
    product = p("idea.product", number * p.knob("idea.weight", 1.0, (T, 1)))
    result = p("idea.result", apply("sum", product) + p.knob("idea.shift", 0.0))
    distance = own("ABS({0:at}-{1})", lambda x, y: np.abs(x - y), code, result, shape=(N, 1), said="abs(code - result)")
    distance = p("idea.distance", distance)
    order = p.counted("idea.order", range(1, N + 1))
    near = p("idea.near", apply("smallest", distance, order))
    p.knob("idea.softness", 5.0)
    scale = own(f"MAX({{0}},{SHARPEST})", lambda x: np.maximum(x, SHARPEST), p["idea.softness"], shape=(1, 1),
                said=f"maximum(softness, {SHARPEST})")  # fmt: skip
    scale = p("idea.scale", scale)
    least = p("idea.least", apply("item", near, 0, 0))
    score = p("idea.score", apply("exp", (least - distance) / scale))
    chance = p("idea.chance", score / apply("sum", score))
    which = p("idea.which", apply("whereis", near, distance, p.counted("idea.row", range(N))))
    p("idea.text", apply("gather", word, which))
    share, most = p("idea.share", apply("gather", chance, which)), p("idea.most", apply("max", chance))
    bands = [
        Band(("idea.a", "idea.b", "idea.sum")),
        Band(("idea.prompt", "idea.at", "idea.number", "idea.weight", "idea.product")),
        Band(("idea.shift", "idea.result", "idea.softness", "idea.scale")),
        Band(("idea.word", "idea.code", "idea.distance")),
        Band(("idea.order", "idea.text", "idea.near", "idea.share", "idea.which"), room=14),
        Band(("idea.row", "idea.least", "idea.score", "idea.chance", "idea.most")),
    ]
    likeliest = apply("item", share, 0, 0) - most
    return [*bands, light(p, "idea", apply("sum", chance) - 1, near - apply("gather", distance, which), likeliest)]


IDEA = Demo(
    "idea",
    "Idea",
    "Words to numbers",
    (4, 12),
    add,
    plots=(
        Plot(
            "column",
            "How likely each word is, the nearest first",
            "idea.which",
            (Line("chance", "idea.share", "idea.text"),),
        ),
    ),
    styles={
        **dict.fromkeys(("idea.a", "idea.b", "idea.shift", "idea.softness"), Style.KNOB),
        **dict.fromkeys(("idea.code", "idea.weight"), Style.SWITCH),
        **dict.fromkeys(("idea.sum", "idea.result"), Style.ANSWER),
        **dict.fromkeys(("idea.chance", "idea.share"), Style.SHARE),
        **dict.fromkeys(("idea.at", "idea.which"), Style.WHOLE),
    },
)
