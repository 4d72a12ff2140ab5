"""Prompts: how the bundled model goes on, what please and misspelling do to it, and what happens without a stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.heard import chances, goes_on
from sheetgpt.models.weights import Weights
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

ASKED = ["First Name:", "class Foo { public static", "What is the capital of France?"]
TYPICAL = ["Last Name: Email: Password:", "void main(String[] args) {", "What is the capital of Spain?"]
IDS = [2061.0, 318.0, 262.0, 3139.0, 286.0, 4881.0, 30.0]  # of the question, in GPT-2's vocabulary
PARTS = ["What", "␣is", "␣the", "␣capital", "␣of", "␣France", "?"]
POLITE = ("Tell me a story.", "Please tell me a story."), " Once upon a time, there was a little girl.", 12
NOISE = (
    ("One day, the dog wanted to play in the park.", "One dya, teh dog watned to paly in hte prak."),
    " He saw a big red ball.",
    7,
)
PAIRS = {"polite": POLITE, "noise": NOISE}
MORAL = "The moral of the story is"
LONG, SAID = 24, 12  # tokens
END = "<|endoftext|>"
Numbers = NDArray[np.float64]
Texts = NDArray[np.object_]


def add(p: Plan) -> Sequence[Band]:
    """Three prompts, two comparisons, one story with and without an end."""
    asked = p.constant("prompts.asked", [[text] for text in ASKED], (len(ASKED), 1))
    p.constant("prompts.typical", [[text] for text in TYPICAL], asked.shape)
    p.data("prompts.says", asked.shape, text=True)
    p.constant("prompts.parts", [PARTS], (1, len(PARTS)))
    ids = p.constant("prompts.ids", [IDS], (1, len(IDS)))
    p("prompts.count", apply("numbers", ids))
    written, counted = _story(p)
    pairs = [band for name in PAIRS for band in _pair(p, name)]
    return [
        Band(("prompts.stop", "prompts.text")),
        Band(("prompts.asked", "prompts.typical"), room=len(ASKED)),
        Band(("prompts.says",)),
        *pairs,
        Band(("prompts.parts",)),
        Band(("prompts.ids", "prompts.count")),
        Band(("prompts.token", "prompts.going", "prompts.line")),
        light(p, "prompts", written - counted),
        Band(("prompts.length", "prompts.letters")),
    ]


def starts(model: Weights) -> Mapping[str, object]:
    """What the model says, and the chances that it gives to texts that were chosen."""
    tokenizer = model.tokenizer()

    def said(text: str) -> str:
        return "".join(" " if c == "\n" else c for c in tokenizer.decode(goes_on(model, text, SAID)))

    given: dict[str, object] = {"prompts.says": [[said(text)] for text in ASKED]}
    for name, (prompts, answer, _) in PAIRS.items():
        told = tokenizer.encode(answer)
        columns = [chances(model, [*(ids := tokenizer.encode(text)), *told], len(ids)) for text in prompts]
        given[f"prompts.{name}.token"] = [[tokenizer.visible(i)] for i in told]
        given[f"prompts.{name}.p"] = np.array(columns).T.tolist()
    given["prompts.token"] = [[tokenizer.visible(i)] for i in goes_on(model, MORAL, LONG)]
    return given


def _pair(p: Plan, name: str) -> list[Band]:
    """The surprise at one answer after two prompts."""
    at, (prompts, _, size) = f"prompts.{name}", PAIRS[name]
    p.constant(f"{at}.prompt", [[text] for text in prompts], (2, 1))
    p.data(f"{at}.token", (size, 1), text=True)
    prob = p.data(f"{at}.p", (size, 2))
    loss = p(f"{at}.loss", own("-LN({0:at})", lambda x: -np.log(x), prob, shape=prob.shape, said="-log(p)"))
    mean = own(lambda r, c: f"AVERAGE({{0:col {r}}})", _means, loss, shape=(2, 1), said="loss.mean(axis=0).T")
    p(f"{at}.mean", mean)
    return [Band((f"{at}.prompt", f"{at}.mean")), Band((f"{at}.token", f"{at}.p", f"{at}.loss"), room=size)]


def _story(p: Plan) -> tuple[Expr, Expr]:
    """One token after the other; with a stop, until the token that ends a text. How many letters there are, twice."""
    stop = p.knob("prompts.stop", 1.0)
    token = p.data("prompts.token", (LONG, 1), text=True)
    going = own(_going, _goes, stop, token, shape=(LONG, 1), said="1 until the end token, if stop != 0")
    going = p("prompts.going", going)
    line = own(_line, _lines, token, going, shape=(LONG, 1), said="line above + token, while going", text=True)
    line = p("prompts.line", line)
    text = own(f"{{0:cell {LONG - 1},0}}", lambda x: x[-1:], line, shape=(1, 1), said="line[-1]", text=True)
    text = p("prompts.text", text)
    length = p("prompts.length", apply("length", text))
    letters = own(
        f"{len(MORAL)}+SUMPRODUCT(LEN({{0}})*{{1}})",
        _letters,
        token,
        going,
        shape=(1, 1),
        said=f"{len(MORAL)} + sum(len(token) * going)",
    )
    return length, p("prompts.letters", letters)


def _going(r: int, c: int) -> str:
    ends = f'EXACT({{1:at}},"{END}")'
    return f"IF({{0}}=0,1,IF({ends},0,{'{here:up}' if r else '1'}))"


def _line(r: int, c: int) -> str:
    before = "{here:up}" if r else f'"{MORAL}"'
    return before + '&IF({1:at}=1,SUBSTITUTE({0:at},"␣"," "),"")'


def _goes(stop: Numbers, token: Texts) -> Any:
    ended = np.cumsum(token[:, 0] == END)[:, None]
    return ((ended == 0) | (stop == 0)) * 1.0


def _lines(token: Texts, going: Numbers) -> Any:
    text, lines = MORAL, []
    for word, goes in zip(token[:, 0], going[:, 0], strict=True):
        text += word.replace("␣", " ") if goes else ""
        lines.append([text])
    return np.array(lines, object)


def _letters(token: Texts, going: Numbers) -> float:
    return len(MORAL) + float(sum(len(word) * goes for word, goes in zip(token[:, 0], going[:, 0], strict=True)))


def _means(loss: Numbers) -> Any:
    return loss.mean(axis=0)[:, None]


def _surprise(name: str, title: str, first: str, second: str) -> Plot:
    lines = (Line(who, f"prompts.{name}.loss[,{i}]", f"prompts.{name}.token") for i, who in enumerate((first, second)))
    return Plot("column", title, f"prompts.{name}.loss", tuple(lines), size=(460, 250), shares=False)


PROMPTS = Demo(
    "prompts",
    "Prompts",
    "From predictor to assistant",
    (0, 6),
    add,
    plots=(
        _surprise("polite", "Surprise at each token", "plain", "with please"),
        _surprise("noise", "Surprise at each token", "well spelt", "misspelt"),
    ),
    styles={
        "prompts.stop": Style.KNOB,
        "prompts.text": Style.SHOWN,
        **dict.fromkeys(("prompts.ids", "prompts.count", "prompts.going"), Style.WHOLE),
        **dict.fromkeys(("prompts.length", "prompts.letters"), Style.WHOLE),
        **dict.fromkeys((f"prompts.{name}.p" for name in PAIRS), Style.SHARE),
    },
    starts=starts,
)
