"""Cosine: how alike two words are by direction, whatever their lengths; beside it the distance in a straight line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sheetgpt.course.demo import Demo, Line, Plot, light, stack
from sheetgpt.course.nearness import Numbers, lengths, norms
from sheetgpt.course.typed import rows_of, tokens
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.plan.playground import NO_COSINE, cosine_to
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

WORDS, TABLE = [["word 1"], ["word 2"], ["word 3"]], [[10, 10], [50, 50], [5, 20]]
LEFT, RIGHT = [[3, 4], [3, 4], [3, 4]], [[-3, -4], [-4, 3], [6, 8]]
TOKENS = [["␣happy", "␣sad"], ["␣up", "␣down"], ["␣girl", "␣went"]]
N = len(WORDS)


def add(p: Plan) -> Sequence[Band]:
    """Three words of two counts; three pairs with cosines -1, 0 and 1; pairs of tokens of a real model."""
    toy, gap = _three_words(p)
    pair = _pairs(p, "cosine.pair", p.knob("cosine.left", LEFT, (N, 2)), p.knob("cosine.right", RIGHT, (N, 2)))
    beyond = p("cosine.beyond", apply("where", apply("le", pair * pair, 1), 0, pair * pair - 1))
    bands = [
        *toy,
        Band(("cosine.left", "cosine.right", "cosine.pair"), touching=True),
        *_tokens(p),
        Band(("cosine.path", "cosine.beyond")),
    ]
    all_of_them = Band(("cosine.all", "cosine.norm"), touching=True)
    return [*bands, light(p, "cosine", gap, apply("where", pair < -1.5, 0, beyond)), all_of_them]


def _three_words(p: Plan) -> tuple[list[Band], Expr]:
    """The table of the lesson, each with each; and by how much the law of cosines is broken: 0."""
    p.constant("cosine.word", WORDS, (N, 1))
    table = p.knob("cosine.table", TABLE, (N, 2))
    length = p("cosine.length", lengths(table, "sqrt((table**2).sum(axis=1))"))
    both = length * length.T
    dots = p("cosine.dot", table @ table.T)
    alike = p("cosine.cosine", apply("where", both <= 0, NO_COSINE, dots / both))
    euclid = p("cosine.euclid", own(_far_formula, _far, table, shape=(N, N), said="sqrt(((x - y)**2).sum())"))
    p("cosine.path", own(_path_formula, _path, table, shape=(5, 2), said="[word 1, 0, word 2, 0, word 3]"))
    squares = length**2 + length.T**2
    bands = [
        Band(("cosine.word", "cosine.table", "cosine.length"), touching=True, room=15),
        Band(("cosine.cosine", "cosine.euclid", "cosine.dot")),
    ]
    return bands, (euclid**2 - (squares - 2 * both * alike)) / (squares + 1)


def _far_formula(r: int, c: int) -> str:
    gap = f"({{0:row {r}}}-{{0:row {c}}})"
    return f"SQRT(SUMPRODUCT({gap}*{gap}))"


def _far(x: Numbers) -> Numbers:
    return np.asarray(np.sqrt(((x[:, None] - x) ** 2).sum(axis=2)))


def _path_formula(r: int, c: int) -> str:
    return "0" if r % 2 else f"{{0:cell {r // 2},{c}}}"


def _path(x: Numbers) -> Numbers:
    return np.vstack([x[0], 0 * x[0], x[1], 0 * x[0], x[2]])


def _pairs(p: Plan, name: str, left: Expr, right: Expr) -> Expr:
    """The cosine of each row with the row of the same number in another table."""
    both = "(SQRT(SUMSQ({0:row}))*SQRT(SUMSQ({1:row})))"
    formula = f"IF(SUMSQ({{0:row}})*SUMSQ({{1:row}})<=0,{NO_COSINE:g},SUMPRODUCT({{0:row}},{{1:row}})/{both})"
    return p(name, own(formula, _cosine, left, right, shape=(left.shape[0], 1), said="(x * y).sum() / (|x| * |y|)"))


def _cosine(x: Numbers, y: Numbers) -> Numbers:
    both = norms(x) * norms(y)
    return np.where(both <= 0, NO_COSINE, (x * y).sum(axis=1, keepdims=True) / both)


def _tokens(p: Plan) -> list[Band]:
    """Pairs of tokens; and one of them with all tokens of the vocabulary."""
    table = p["wte"]
    ids = tokens(p, "cosine.token", TOKENS)
    left, right = rows_of(p, "cosine.one", table, ids, 0), rows_of(p, "cosine.other", table, ids, 1)  # [N, d]
    _pairs(p, "cosine.real", left, right)
    first = p("cosine.first", apply("pick", left, 1))  # [1, d]
    norm = p("cosine.norm", apply("sqrt", (table * table) @ (first * 0 + 1).T))  # [V, 1]
    every = p("cosine.all", cosine_to(table, norm, first))  # [V, 1]
    share = own("SUMPRODUCT(({0}<0)*({0}>-1.5))/ROWS({0})", _share, every, shape=(1, 1), said="(-1.5 < all < 0).mean()")
    p("cosine.share", share)
    p("cosine.least", own("MIN({0})", lambda x: x.min(keepdims=True), every, shape=(1, 1), said="all.min()"))
    return [
        Band(("cosine.token.word", "cosine.real", "cosine.token.said"), touching=True),
        Band(("cosine.share", "cosine.least")),
        Band(("cosine.token.seen", "cosine.token.id"), touching=True),
        *stack("cosine.one", "cosine.other", "cosine.first"),
    ]


def _share(x: Numbers) -> Numbers:
    return np.array([[np.mean((x < 0) & (x > -1.5))]])


_POINTS = tuple(Line(f"=cosine.word[{r},0]", f"cosine.table[{r},1]", f"cosine.table[{r},0]") for r in range(N))
_NAMES = ("cosine.cosine", "cosine.pair", "cosine.real", "cosine.all")
COSINE = Demo(
    "cosine",
    "Cosine",
    "Embeddings",
    (6, 15),
    add,
    plots=(
        Plot(
            "scatter",
            "Direction or distance?",
            "cosine.length",
            (*_POINTS, Line("from 0", "cosine.path[,1]", "cosine.path[,0]", joined=True)),
            "with word 10",
            "with word 11",
        ),
    ),
    styles={
        **dict.fromkeys(_NAMES, Style.COSINE),
        **dict.fromkeys(("cosine.table", "cosine.left", "cosine.right"), Style.INPUT),
        "cosine.token.id": Style.WHOLE,
        "cosine.share": Style.SHARE,
    },
    reads=("wte", "vocab.text"),
)
