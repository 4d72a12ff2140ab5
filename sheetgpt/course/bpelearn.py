"""Byte pair encoding learned: ten passes over four words, each gluing the pair that occurs most often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.dots import DOT, Texts, dotted, each, glued, letters, symbols, without_dots
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

CORPUS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
MARKER = "_"
N, LETTERS, PASSES, ALPHABET = len(CORPUS), 7, 10, 27
SYMBOLS = LETTERS + 1  # with the marker
PAIRS = SYMBOLS - 1
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Words and how often each occurs; ten passes; the tokens that were learned."""
    marked = _corpus(p)
    spelled = p("bpelearn.start", dotted(p("bpelearn.letter", letters(marked, SYMBOLS))))
    order = p.constant("bpelearn.order", np.arange(float(N * PAIRS)).reshape(N, PAIRS).tolist(), (N, PAIRS))
    bands = []
    for k in range(1, PASSES + 1):
        band, spelled = _one_pass(p, f"bpelearn.pass{k}", spelled, order)
        bands.append(band)
    _learned(p, spelled)
    first = [
        Band(("bpelearn.word", "bpelearn.times", "bpelearn.marker")),
        Band(tuple(f"bpelearn.{x}" for x in ("pass", "learned", "count", "whole", "tokens", "length")), room=13),
        Band(("bpelearn.done", "bpelearn.left", "bpelearn.right")),
        Band(("bpelearn.marked", "bpelearn.weight", "bpelearn.letter", "bpelearn.start")),
    ]
    count = p["bpelearn.count"]
    rises = own(_rise, lambda x: np.maximum(np.diff(x, axis=0, append=x[-1:]), 0), count, shape=(PASSES, 1),
                said="maximum(diff(count), 0)")  # fmt: skip
    back = p("bpelearn.back", without_dots(p["bpelearn.done"]))
    lost = apply("where", apply("exact", back, marked), 0, 1)
    return [*first, *bands, Band(("bpelearn.order", "bpelearn.back")), light(p, "bpelearn", lost, rises)]


def _corpus(p: Plan) -> Expr:
    """The words with their marker. Returns them."""
    word = p.knob("bpelearn.word", [[w] for w in CORPUS], (N, 1))
    times = p.knob("bpelearn.times", [[float(n)] for n in CORPUS.values()], (N, 1))
    marker = p.knob("bpelearn.marker", 1.0)
    clean = f'LEFT(SUBSTITUTE(SUBSTITUTE({{0:at}}," ",""),"{DOT}",""),{LETTERS})'
    marked = own(f'IF({{1}}=1,{clean}&"{MARKER}","{MARKER}"&{clean})', _marked, word, marker, shape=(N, 1),
                 said="word + '_' if marker == 1 else '_' + word", text=True)  # fmt: skip
    p(
        "bpelearn.weight",
        own("MAX({0:at},0)", lambda x: np.maximum(x, 0), times, shape=(N, 1), said="maximum(times, 0)"),
    )
    return p("bpelearn.marked", marked)


def _marked(words: Texts, marker: Numbers) -> Texts:
    def one(word: str) -> str:
        clean = word.replace(" ", "").replace(DOT, "")[:LETTERS]
        return clean + MARKER if marker[0, 0] == 1 else MARKER + clean

    return each(one, words)


def _one_pass(p: Plan, at: str, spelled: Expr, order: Expr) -> tuple[Band, Expr]:
    """Count all pairs, take the most frequent, glue it. Returns the band, and the words after the pass."""
    weight = p["bpelearn.weight"]
    row = p(f"{at}.symbols", symbols(spelled, SYMBOLS, SYMBOLS))
    left_of, right_of = (f"{{0:cell 0,{c}}}:{{0:cell {N - 1},{c + PAIRS - 1}}}" for c in (0, 1))
    formula = f'IF({{0:right}}="",0,SUMPRODUCT(EXACT({left_of},{{0:at}})*EXACT({right_of},{{0:right}})*{{1}}))'
    pairs = p(f"{at}.pairs", own(formula, _pairs, row, weight, shape=(N, PAIRS), kind="cse", said="counts of pairs"))
    most = p(f"{at}.most", apply("max", pairs))
    first = own("MIN(IF({0}={1},{2}))", lambda x, m, o: [[o[x == m].min()]], pairs, most, order, shape=(1, 1),
                kind="cse", said="order[pairs == most].min()")  # fmt: skip
    first = p(f"{at}.first", first)
    ends = []
    for side, shift in (("left", 1), ("right", 2)):
        formula = f'IF({{1}}>0,INDEX({{0}},INT({{2}}/{PAIRS})+1,MOD({{2}},{PAIRS})+{shift}),"")'
        numpy = _end(shift - 1)
        ends.append(p(f"{at}.{side}", own(formula, numpy, row, most, first, shape=(1, 1), text=True,
                                          said=f"the {side} symbol of the first pair with this count")))  # fmt: skip
    p(f"{at}.length", own("SUMPRODUCT((LEN({0})>0)*{1})", _length, row, weight, shape=(1, 1), kind="cse",
                          said="((symbols != '') * weight).sum()"))  # fmt: skip
    after = p(f"{at}.spelled", glued(spelled, *ends))
    names = ("symbols", "most", "left", "right", "pairs", "first", "length", "spelled")
    return Band(tuple(f"{at}.{name}" for name in names)), after


def _pairs(row: Texts, weight: Numbers) -> Numbers:
    seen = [(r, (a, b)) for r, line in enumerate(row) for a, b in pairwise(line)]
    counts: dict[tuple[str, str], float] = {}
    for r, pair in seen:
        counts[pair] = counts.get(pair, 0.0) + weight[r, 0]
    return np.array([counts[pair] if pair[1] else 0.0 for _, pair in seen]).reshape(N, PAIRS)


def _end(shift: int) -> Any:
    def one(row: Texts, most: Numbers, first: Numbers) -> Texts:
        r, c = divmod(int(first[0, 0]), PAIRS)
        return np.array([[row[r, c + shift] if most[0, 0] > 0 else ""]], object)

    return one


def _length(row: Texts, weight: Numbers) -> Any:
    return [[((row != "") * weight).sum()]]


def _learned(p: Plan, spelled: Expr) -> None:
    """The list of merges: what each made, how often its pair occurred, and what it saved."""
    p.counted("bpelearn.pass", range(1, PASSES + 1))
    ends = [_listed(p, side) for side in ("left", "right")]
    learned = own("{0:at}&{1:at}", lambda a, b: a + b, *ends, shape=(PASSES, 1), said="left + right", text=True)
    learned = p("bpelearn.learned", learned)
    p("bpelearn.count", apply("stack", *(p[f"bpelearn.pass{k}.most"] for k in range(1, PASSES + 1))))
    whole = own('IF(SUMPRODUCT(EXACT({1},{0:at})*1)>0,"a whole word","")', _whole, learned, p["bpelearn.marked"],
                shape=(PASSES, 1), kind="cse", said="'a whole word' where learned in marked", text=True)  # fmt: skip
    p("bpelearn.whole", whole)
    tokens = own(lambda r, _: "IF(LEN({0:at})>0,1,0)+" + ("{here:up}" if r else str(ALPHABET)), _tokens, learned,
                 shape=(PASSES, 1), said=f"{ALPHABET} + cumsum(learned != '')")  # fmt: skip
    p("bpelearn.tokens", tokens)
    p("bpelearn.length", apply("stack", *(p[f"bpelearn.pass{k}.length"] for k in range(1, PASSES + 1))))
    p("bpelearn.done", own('{0:at}&""', lambda x: x, spelled, shape=(N, 1), said=f"{spelled.name}", text=True))


def _listed(p: Plan, side: str) -> Expr:
    sources = [p[f"bpelearn.pass{k}.{side}"] for k in range(1, PASSES + 1)]
    formula = own(lambda r, _: f'{{{r}}}&""', lambda *x: np.vstack(x), *sources, shape=(PASSES, 1), text=True,
                  said=f"vstack of each pass' {side}")  # fmt: skip
    return p(f"bpelearn.{side}", formula)


def _whole(learned: Texts, marked: Texts) -> Texts:
    return each(lambda token: "a whole word" if token in marked[:, 0].tolist() else "", learned)


def _tokens(learned: Texts) -> Any:
    return ALPHABET + np.cumsum(learned != "", axis=0)


def _rise(r: int, _: int) -> str:
    return "MAX({0:down}-{0:at},0)" if r < PASSES - 1 else "0*{0:at}"


def _whole_numbers() -> Iterator[str]:
    for k in range(1, PASSES + 1):
        yield from (f"bpelearn.pass{k}.{name}" for name in ("pairs", "most", "first", "length"))
    yield from ("bpelearn.count", "bpelearn.tokens", "bpelearn.length", "bpelearn.weight")


BPELEARN = Demo(
    "bpelearn",
    "BPE learn",
    "Tokenization",
    (8, 16),
    add,
    plots=(
        Plot(
            "scatter",
            "Symbols in the corpus before each pass",
            "bpelearn.length",
            (Line("symbols", "bpelearn.length", "bpelearn.pass", joined=True),),
            "pass",
            "symbols",
        ),
    ),
    styles={
        "bpelearn.times": Style.SWITCH,
        "bpelearn.marker": Style.KNOB,
        **dict.fromkeys(_whole_numbers(), Style.WHOLE),
    },
    marks={f"bpelearn.pass{k}.pairs": f"({{r}})*{PAIRS}+{{c}}=bpelearn.pass{k}.first" for k in range(1, PASSES + 1)},
)
