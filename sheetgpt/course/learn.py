"""Learn: the last word of a passage is chopped off, a random table guesses it, and every miss nudges the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.nearness import Numbers, Texts
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

PASSAGES = (
    "Mike is quick he moves quickly",
    "the capital of France is Paris",
    "the opposite of hot is cold",
    "the puddle had turned to ice",
)
WORDS = [["moves"], ["is"], ["to"], ["quickly"], ["Paris"], ["cold"], ["ice"], ["haircut"]]
# Drawn at random, and the last column of the first row the largest: a model that has learned nothing.
TABLE = [
    [0.3, -0.6, 0.1, -0.4, 0.2, 0.5, -0.1, 1.2],
    [-0.2, 0.4, 0.9, 0.0, -0.5, -0.7, 0.6, 0.1],
    [0.8, -0.3, 0.2, 0.5, 0.4, -0.1, -0.6, 0.0],
    [0.1, 0.7, -0.4, 0.3, -0.2, 0.6, 0.2, -0.5],
    [-0.8, 0.2, 0.5, -0.1, 0.7, 0.0, -0.3, 0.4],
    [0.6, -0.1, -0.7, 0.2, 0.3, -0.4, 0.8, 0.1],
    [-0.3, 0.5, 0.1, 0.9, -0.6, 0.2, 0.0, -0.2],
    [0.4, 0.0, -0.5, 0.6, 0.1, -0.2, 0.3, 0.7],
]
N, LENGTH, V = len(PASSAGES), 6, len(WORDS)
STEPS = ("none", "one", "two", "three", "four", "five")  # how many nudges


def add(p: Plan) -> Sequence[Band]:
    """Examples from passages; a table of scores, nudged a few times; how sure it is of the words chopped off."""
    known = _examples(p)
    table, rate = p.knob("learn.table.none", TABLE, (V, V)), p.knob("learn.rate", 2.0)
    for before, step in zip(("", *STEPS), STEPS, strict=False):
        if before:
            miss = p[f"learn.share.{before}"] * p["learn.times"] - p["learn.count"]
            table = p(f"learn.table.{step}", table - rate * miss)  # [V, V]
        share = p(f"learn.share.{step}", own(_SHARE, _share, table, shape=(V, V), said="softmax(table) of each row"))
        own_chance = own(_CHANCE, _chance, share, *known, shape=(N, 1), said="share[seen, wanted]")
        p(f"learn.chance.{step}", own_chance)
    chances = [p[f"learn.chance.{step}"] for step in STEPS]
    p("learn.loss", own(_loss_formula, _loss, *known, *chances, shape=(len(STEPS), 1), said="-log(chance).mean()"))
    p.counted("learn.step", range(len(STEPS)))
    for at, step in (("before", "none"), ("after", STEPS[-1])):
        _guess(p, at, p[f"learn.share.{step}"])
    last = STEPS[-1]
    sums = [p(f"learn.sum.{step}", apply("rowsum", p[f"learn.table.{step}"])) for step in ("none", last)]
    size = 1 + apply("worst", p["learn.table.none"], table)
    ones = p("learn.sum.shares", apply("rowsum", p[f"learn.share.{last}"]))
    return [*_bands(), light(p, "learn", (sums[1] - sums[0]) / size, ones - 1)]


def _examples(p: Plan) -> tuple[Expr, Expr]:
    """The last word of each passage, and the one before it, as row numbers; how often which follows which."""
    passage = p.knob("learn.passage", [sentence.split() for sentence in PASSAGES], (N, LENGTH))
    word = p.knob("learn.word", WORDS, (V, 1))
    size = own('SUMPRODUCT(({0:row}<>"")*1)', _size, passage, shape=(N, 1), said="(passage != '').sum(axis=1)")
    size = p("learn.size", size)
    found = []
    for name, back, ids in (("context", 1, "seen"), ("target", 0, "wanted")):
        formula = f'IF({{1:at}}<={back},"",INDEX({{0:row}},1,MAX(1,{{1:at}}-{back}))&"")'
        said = f"passage[size - {back + 1}]"
        text = p(f"learn.{name}", own(formula, _ending(back), passage, size, shape=(N, 1), said=said, text=True))
        found.append(p(f"learn.{ids}", apply("exactly", text, word)))
    seen, wanted = found
    formula = "SUMPRODUCT(({0}={here:r})*({1}={here:c}))"
    said = "how often the column's word follows the row's"
    p("learn.times", apply("rowsum", p("learn.count", own(formula, _count, seen, wanted, shape=(V, V), said=said))))
    return seen, wanted


def _size(passage: Texts) -> Numbers:
    return np.asarray((passage != "").sum(axis=1, keepdims=True).astype(float))


def _ending(back: int) -> Callable[[Texts, Numbers], Texts]:
    def word(passage: Texts, size: Numbers) -> Texts:
        ends = size[:, 0].astype(int)
        texts = ["" if end <= back else row[end - back - 1] for row, end in zip(passage, ends, strict=True)]
        return np.array(texts, object)[:, None]

    return word


def _count(seen: Numbers, wanted: Numbers) -> Numbers:
    numbers = np.arange(V)
    return np.asarray((seen == numbers).T.astype(float) @ (wanted == numbers))


_SHARE = "EXP({0:at}-MAX({0:row}))/SUMPRODUCT(EXP({0:row}-MAX({0:row})))"


def _share(table: Numbers) -> Numbers:
    raised = np.exp(table - table.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


_CHANCE = "IF(MIN({1:at},{2:at})<0,0,INDEX({0},MAX(0,{1:at})+1,MAX(0,{2:at})+1))"


def _chance(share: Numbers, seen: Numbers, wanted: Numbers) -> Numbers:
    rows, columns = seen.astype(int), wanted.astype(int)
    return np.where((rows < 0) | (columns < 0), 0.0, share[rows, columns])


def _loss_formula(r: int, _: int) -> str:
    known = "({0}>=0)*({1}>=0)"
    return f"-SUMPRODUCT({known}*LN({{{r + 2}}}+1E-300))/MAX(1,SUMPRODUCT({known}))"


def _loss(seen: Numbers, wanted: Numbers, *chances: Numbers) -> Numbers:
    known = (seen >= 0) & (wanted >= 0)
    return np.array([[-np.log(x[known] + 1e-300).sum() / max(1, known.sum())] for x in chances])


def _guess(p: Plan, at: str, share: Expr) -> None:
    """The likeliest word after each passage's last but one; nothing where that is not in the list."""
    seen = p["learn.seen"]
    row = p(f"learn.row.{at}", apply("where", seen < 0, 0, apply("gather", share, seen)))  # [N, V]
    formula, said = 'IF({2:at}<0,"",INDEX({1},MATCH(MAX({0:row}),{0:row},0),1)&"")', "word[row.argmax(axis=1)]"
    p(f"learn.{at}", own(formula, _likeliest, row, p["learn.word"], seen, shape=(N, 1), said=said, text=True))


def _likeliest(row: Numbers, word: Texts, seen: Numbers) -> Texts:
    return np.where(seen < 0, "", word[row.argmax(axis=1)]).astype(object)


def _bands() -> list[Band]:
    steps = [(f"learn.table.{step}", f"learn.share.{step}") for step in STEPS]
    return [
        Band(tuple(f"learn.{at}" for at in ("passage", "context", "target", "before", "after")), touching=True),
        Band(("learn.rate", "learn.step", "learn.loss"), touching=True, room=15),
        Band(tuple(f"learn.chance.{step}" for step in STEPS), touching=True),
        Band(("learn.word", "learn.count", "learn.times"), touching=True),
        *map(Band, steps),
        Band(("learn.size", "learn.seen", "learn.wanted"), touching=True),
        Band(("learn.row.before", "learn.row.after")),
        Band(("learn.sum.none", "learn.sum.five", "learn.sum.shares"), touching=True),
    ]


LEARN = Demo(
    "learn",
    "Learning idea",
    "Embeddings",
    (4, 12),
    add,
    plots=(
        Plot(
            "line",
            "The loss falls with every nudge",
            "learn.loss",
            (Line("loss", "learn.loss", "learn.step"),),
            "nudges",
            "loss",
            shares=False,
        ),
    ),
    styles={
        "learn.rate": Style.KNOB,
        **dict.fromkeys((f"learn.chance.{step}" for step in STEPS), Style.SHARE),
        **dict.fromkeys((f"learn.{at}" for at in ("count", "times", "size", "seen", "wanted")), Style.WHOLE),
    },
)
