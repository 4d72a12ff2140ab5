"""Jumbled letters: people read on, the bundled model's tokenizer breaks the words into crumbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.dots import DOT, SPACE, Texts, codes, each, each_letter, glue, pasted
from sheetgpt.models.weights import Weights
from sheetgpt.plan.ops import MODULUS, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

TEXT = "it does not matter in what order the letters in a word are"
LETTERS, MERGES = 64, 767  # merges of the bundled model
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """A text, the same with the inner letters of every word in disorder, and both as tokens."""
    typed = p.knob("jumble.text", TEXT)
    p.knob("jumble.seed", 5.0)
    clean = own(f'LEFT(SUBSTITUTE({{0}},"{DOT}"," "),{LETTERS})', lambda x: each(_clean, x), typed, shape=(1, 1),
                said=f"text[:{LETTERS}]", text=True)  # fmt: skip
    p("jumble.clean", clean)
    _shuffled(p)
    _merged(p)
    bands = [
        _band("seed", "text"),
        _band("name", "tokens", "letters", "per_letter", room=13),
        _band("cut"),
        _band("letter", "mixed", "code", "kind", "begins", "ends", "word", "chance", "key", "sorted", "source"),
        _band("dot", "moved"),
        _band("rank", "left", "right", "after"),
        _band("row", "order", "start", "clean"),
        _band("whole", "again"),
    ]
    same = apply("sum", p["jumble.code"]) - apply("sum", p["jumble.moved"])
    fixed = own("({0:at}+{1:at})*({2:at}-{3:at})", lambda b, e, c, m: (b + e) * (c - m), p["jumble.begins"],
                p["jumble.ends"], p["jumble.code"], p["jumble.moved"], shape=(LETTERS, 1),
                said="(begins + ends) * (code - moved)")  # fmt: skip
    spelled = apply("where", apply("exact", p["jumble.again"], p["jumble.whole"]), 0, 1)
    return [*bands, light(p, "jumble", same, fixed, spelled)]


def _band(*names: str, room: int = 0) -> Band:
    return Band(tuple(f"jumble.{name}" for name in names), room=room)


def _clean(text: str) -> str:
    return text.replace(DOT, " ")[:LETTERS]


def _shuffled(p: Plan) -> None:
    """Letters sorted by word, and within a word by chance, but for the first and the last."""
    letter = own("MID({0},{here:r}+1,1)", lambda x: each_letter(x, LETTERS).T, p["jumble.clean"], shape=(LETTERS, 1),
                 said="list(text)", text=True)  # fmt: skip
    letter = p("jumble.letter", letter)
    code = p("jumble.code", codes(letter))
    both = (f"AND({{0:at}}>={a},{{0:at}}<={b})" for a, b in ((65, 90), (97, 122)))
    kind = own(f"IF(OR({','.join(both)}),1,0)", _kinds, code, shape=(LETTERS, 1), said="1 for A to Z and a to z")
    kind = p("jumble.kind", kind)
    begins = own(lambda r, _: "{0:at}*(1-{0:up})" if r else "{0:at}", lambda k: k * (1 - _above(k)), kind,
                 shape=(LETTERS, 1), said="kind * (1 - kind above)")  # fmt: skip
    begins = p("jumble.begins", begins)
    ends = own(lambda r, _: "{0:at}*(1-{0:down})" if r < LETTERS - 1 else "{0:at}", lambda k: k * (1 - _below(k)),
               kind, shape=(LETTERS, 1), said="kind * (1 - kind below)")  # fmt: skip
    ends = p("jumble.ends", ends)
    word = own(lambda r, _: "{0:at}+1-{1:at}" + ("+{here:up}" if r else ""), _words, begins, kind, shape=(LETTERS, 1),
               said="cumsum(begins + 1 - kind)")  # fmt: skip
    word = p("jumble.word", word)
    start = own(f"INT(MAX(0,MIN({{0}},{MODULUS - 1})))", lambda x: np.floor(np.clip(x, 0, MODULUS - 1)),
                p["jumble.seed"], shape=(1, 1), said=f"floor(clip(seed, 0, {MODULUS - 1}))")  # fmt: skip
    order = p.counted("jumble.order", range(1, LETTERS + 1))
    chance = p("jumble.chance", apply("lehmer", p("jumble.start", start), order))
    formula = f"{{0:at}}+IF({{2:at}}=1,0,IF({{3:at}}=1,0.9,{{1:at}}*(0.1+0.7*{{4:at}}/{MODULUS})))"
    said = "word + 0 for the first, 0.9 for the last, between them by chance"
    key = own(formula, _keys, word, kind, begins, ends, chance, shape=(LETTERS, 1), said=said)
    key = p("jumble.key", key)
    ordered = p("jumble.sorted", apply("smallest", key, order))
    source = p("jumble.source", apply("whereis", ordered, key, p.counted("jumble.row", range(LETTERS))))
    mixed = own('INDEX({0},{1:at}+1)&""', lambda x, i: x[i[:, 0].astype(int)], letter, source, shape=(LETTERS, 1),
                said="letter[source]", text=True)  # fmt: skip
    p("jumble.moved", codes(p("jumble.mixed", mixed)))


def _kinds(code: Numbers) -> Numbers:
    letters = {float(ord(c)) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"}
    return np.array([[float(c in letters)] for (c,) in code])


def _above(kind: Numbers) -> Numbers:
    return np.vstack([[[0.0]], kind[:-1]])


def _below(kind: Numbers) -> Numbers:
    return np.vstack([kind[1:], [[0.0]]])


def _words(begins: Numbers, kind: Numbers) -> Numbers:
    return np.cumsum(begins + 1 - kind, axis=0)


def _keys(word: Numbers, kind: Numbers, begins: Numbers, ends: Numbers, chance: Numbers) -> Numbers:
    between = kind * (0.1 + 0.7 * chance / MODULUS)
    return word + np.where(begins == 1, 0, np.where(ends == 1, 0.9, between))


def _merged(p: Plan) -> None:
    """Both texts through all merges, best first; what is left."""
    p.constant("jumble.name", [["as written"], ["jumbled"]], (2, 1))
    p.counted("jumble.rank", range(MERGES))
    left, right = (p.data(f"jumble.{side}", (MERGES, 1), text=True) for side in ("left", "right"))
    dot = own(lambda _, c: f'IF({{{c}:at}}="","","{DOT}"&SUBSTITUTE({{{c}:at}}," ","{SPACE}")&"{DOT}")',
              lambda *x: each(_dot, np.hstack(x)), p["jumble.letter"], p["jumble.mixed"], shape=(LETTERS, 2),
              said="'·' + letter + '·'", text=True)  # fmt: skip
    dot = p("jumble.dot", dot)
    after = own(_after, _glued, dot, left, right, shape=(MERGES + 1, 2), text=True,
                said="all dots together; then the row above, each pair glued")  # fmt: skip
    after = p("jumble.after", after)
    last = own(lambda r, _: f'SUBSTITUTE({{0:cell {MERGES},{r}}},"{DOT}{DOT}","{DOT}")', _last, after, shape=(2, 1),
               said="after[-1].T", text=True)  # fmt: skip
    cut = p("jumble.cut", last)
    tokens = own(f'MAX(0,LEN({{0:at}})-LEN(SUBSTITUTE({{0:at}},"{DOT}",""))-1)', _tokens, cut, shape=(2, 1),
                 said="number of dots - 1")  # fmt: skip
    tokens = p("jumble.tokens", tokens)
    again = p("jumble.again", own(f'SUBSTITUTE({{0:at}},"{DOT}","")', lambda x: each(_bare, x), cut, shape=(2, 1),
                                  said="cut.replace('·', '')", text=True))  # fmt: skip
    chain = "&".join(f"{{{{0:cell {r},{{c}}}}}}" for r in range(LETTERS))
    whole = own(lambda r, _: f'SUBSTITUTE({chain.format(c=r)},"{DOT}","")', _joined, dot, shape=(2, 1),
                said="all letters together", text=True)  # fmt: skip
    p("jumble.whole", whole)
    size = p("jumble.letters", apply("length", again))
    share = own("IF({0:at}>0,{1:at}/{0:at},0)", lambda n, t: np.where(n > 0, t / np.maximum(n, 1), 0), size, tokens,
                shape=(2, 1), said="tokens / letters")  # fmt: skip
    p("jumble.per_letter", share)


def _dot(letter: str) -> str:
    return f"{DOT}{letter.replace(' ', SPACE)}{DOT}" if letter else ""


def _bare(text: str) -> str:
    return text.replace(DOT, "")


def _after(r: int, c: int) -> str:
    if r == 0:
        return "&".join(f"{{0:cell {i},{c}}}" for i in range(LETTERS))
    return pasted("{here:up}", f"{{1:cell {r - 1},0}}", f"{{2:cell {r - 1},0}}")


def _glued(dot: Texts, left: Texts, right: Texts) -> Texts:
    columns = []
    for column in dot.T:
        pairs = zip(left[:, 0], right[:, 0], strict=True)
        columns.append(list(accumulate(pairs, lambda text, pair: glue(text, *pair), initial="".join(column))))
    return np.array(columns, object).T


def _last(after: Texts) -> Texts:
    return each(lambda text: text.replace(DOT + DOT, DOT), after[-1:].T)


def _tokens(cut: Texts) -> Any:
    return [[max(0.0, text.count(DOT) - 1.0)] for (text,) in cut]


def _joined(dot: Texts) -> Any:
    return [[_bare("".join(column))] for column in dot.T]


def _merges(model: Weights) -> Mapping[str, object]:
    """The model's merges as its files write them, ␣ for the space."""
    halves = [[[half.replace("Ġ", SPACE)] for half in side] for side in zip(*model.tokenizer().merges, strict=True)]
    return dict(zip(("jumble.left", "jumble.right"), halves, strict=True))


JUMBLE = Demo(
    "jumble",
    "Jumbled letters",
    "Tokenization",
    (0, 12),
    add,
    plots=(
        Plot(
            "column",
            "Tokens of the same letters",
            "jumble.per_letter",
            (Line("tokens", "jumble.tokens", "jumble.name"),),
            shares=False,
        ),
    ),
    styles={
        "jumble.seed": Style.KNOB,
        **dict.fromkeys(
            (f"jumble.{x}" for x in ("tokens", "letters", "kind", "begins", "ends", "word", "source")), Style.WHOLE
        ),
        **dict.fromkeys(("jumble.code", "jumble.moved"), Style.SPARSE),
        "jumble.chance": Style.WHOLE,
    },
    starts=_merges,
)
