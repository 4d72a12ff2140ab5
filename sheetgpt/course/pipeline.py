"""The four steps from a predictor to an assistant, with four ways to answer one question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

ANSWERS = [
    ("more questions", "What is the capital of Spain? What is the capital of Italy?"),
    ("one word", "Paris"),
    ("a sentence", "The capital of France is Paris. Is there more that you would like to know?"),
    ("rude", "Are you serious? Look it up."),
]
STEPS = [
    "1 Pretraining: read the web, guess each next word (hundreds of billions of words)",
    "2 Fine-tuning: imitate examples of prompt and response (10,000 to 100,000 of them)",
    "3 Reward model: learn from people which of two answers is better (tens of thousands of pairs)",
    "4 Reinforcement learning: try answers, and do more of what the reward model likes",
]
WEB, SHOWN, WON, LOST = [60.0, 10.0, 18.0, 12.0], [0.0, 4.0, 8.0, 0.0], [1.0, 6.0, 14.0, 1.0], [9.0, 5.0, 1.0, 7.0]
N = len(ANSWERS)
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """What the web says, what examples show, what people prefer, and what comes of it."""
    p.constant("pipeline.steps", [[step] for step in STEPS], (len(STEPS), 1))
    p.constant("pipeline.kind", [[kind] for kind, _ in ANSWERS], (N, 1))
    text = p.constant("pipeline.text", [[text] for _, text in ANSWERS], (N, 1))
    web, shown, won, lost = (
        p.knob(f"pipeline.{name}", [[n] for n in numbers], (N, 1))
        for name, numbers in (("web", WEB), ("shown", SHOWN), ("won", WON), ("lost", LOST))
    )
    weight, push = p.knob("pipeline.weight", 20.0), p.knob("pipeline.push", 1.0)
    base = p("pipeline.base", own(_SHARE, _share, web, shape=(N, 1), said=_SHARE_SAID))
    both = own("MAX(0,{0:at})+MAX(0,{2})*MAX(0,{1:at})", _both, web, shown, weight, shape=(N, 1), said=_BOTH)
    counts = p("pipeline.counts", both)
    tuned = p("pipeline.tuned", own(_SHARE, _share, counts, shape=(N, 1), said=_SHARE_SAID))
    reward = own("LN((MAX(0,{0:at})+1)/(MAX(0,{1:at})+1))", _reward, won, lost, shape=(N, 1), said=_REWARD)
    reward = p("pipeline.reward", reward)
    formula = "{0:at}*EXP(MAX(0,MIN(20,{2}))*{1:at})"
    part = p("pipeline.part", own(formula, _part, tuned, reward, push, shape=(N, 1), said=_PART))
    final = p("pipeline.final", part / p("pipeline.total", apply("sum", part)))
    for name, chance in (("base", base), ("tuned", tuned), ("final", final)):
        at = p(f"pipeline.{name}.at", apply("argmax", chance))
        p(f"pipeline.{name}.says", apply("gather", text, at))
        p(f"pipeline.{name}.mean", apply("sum", chance * reward))
    return [*_bands(), light(p, "pipeline", *_laws(p, base, tuned, final))]


def _laws(p: Plan, *chances: Expr) -> list[Expr]:
    """Chances sum to 1, and what follows the reward is never worse for it."""
    before, after = p["pipeline.tuned.mean"], p["pipeline.final.mean"]
    return [*(apply("sum", x) - 1.0 for x in chances), apply("where", before <= after, 0.0, before - after)]


def _bands() -> list[Band]:
    table = ("kind", "web", "base", "shown", "tuned", "won", "lost", "reward", "final")
    return [
        Band(("pipeline.steps",)),
        Band(("pipeline.weight", "pipeline.push")),
        Band(tuple(f"pipeline.{name}" for name in table), touching=True, room=15),
        *(
            Band(tuple(f"pipeline.{name}.{part}" for part in ("at", "mean", "says")))
            for name in ("base", "tuned", "final")
        ),
        Band(tuple(f"pipeline.{name}" for name in ("counts", "part", "total", "text"))),
    ]


_SHARE = 'IF(COUNTIF({0},">0")>0,MAX(0,{0:at})/SUMIF({0},">0"),1/ROWS({0}))'
_SHARE_SAID = "where(total > 0, maximum(x, 0) / total, 1/4)"
_BOTH = "maximum(web, 0) + max(weight, 0) * maximum(shown, 0)"
_REWARD = "log((won + 1) / (lost + 1))"
_PART = "tuned * exp(clip(push, 0, 20) * reward)"


def _share(x: Numbers) -> Any:
    counted = np.maximum(x, 0)
    return counted / counted.sum() if counted.sum() > 0 else np.full(x.shape, 1 / len(x))


def _both(web: Numbers, shown: Numbers, weight: Numbers) -> Any:
    return np.maximum(web, 0) + np.maximum(weight, 0) * np.maximum(shown, 0)


def _reward(won: Numbers, lost: Numbers) -> Any:
    return np.log((np.maximum(won, 0) + 1) / (np.maximum(lost, 0) + 1))


def _part(tuned: Numbers, reward: Numbers, push: Numbers) -> Any:
    return tuned * np.exp(np.clip(push, 0, 20) * reward)


PIPELINE = Demo(
    "pipeline",
    "Four steps",
    "From predictor to assistant",
    (2, 4),
    add,
    plots=(
        Plot(
            "column",
            "What is the capital of France? Chance of each kind of answer",
            "pipeline.final",
            (
                Line("pretrained", "pipeline.base", "pipeline.kind"),
                Line("fine-tuned", "pipeline.tuned", "pipeline.kind"),
                Line("after reinforcement", "pipeline.final", "pipeline.kind"),
            ),
            size=(560, 300),
        ),
    ),
    styles={
        **dict.fromkeys(("pipeline.weight", "pipeline.push"), Style.KNOB),
        **dict.fromkeys((f"pipeline.{name}" for name in ("web", "shown", "won", "lost")), Style.INPUT),
        **dict.fromkeys((f"pipeline.{name}" for name in ("base", "tuned", "final")), Style.SHARE),
        **dict.fromkeys((f"pipeline.{name}.at" for name in ("base", "tuned", "final")), Style.WHOLE),
        "pipeline.counts": Style.WHOLE,
        **dict.fromkeys((f"pipeline.{name}.says" for name in ("base", "tuned", "final")), Style.SHOWN),
    },
)
