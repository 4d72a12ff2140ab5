"""Squeeze: a wide table becomes one of two columns that keeps as much of it as two columns can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.nearness import Numbers
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

WORDS = [["ice"], ["snow"], ["rain"], ["dog"], ["cat"], ["horse"]]
TABLE = [[9, 6, 5, 0, 0], [9, 7, 8, 0, 1], [5, 9, 2, 0, 0], [1, 1, 0, 7, 5], [0, 0, 2, 7, 6], [1, 0, 1, 3, 4]]
START = [[1, 2, 3, 4, 5]]
N, D = len(TABLE), len(TABLE[0])
STEPS = 30
_NOTHING = 1e-12  # the squared length of a row of rounding errors


def add(p: Plan) -> Sequence[Band]:
    """The strongest direction of a table by power iteration; what it leaves over, and the strongest of that."""
    p.knob("squeeze.word", WORDS, (N, 1))
    table, start = p.knob("squeeze.table", TABLE, (N, D)), p.constant("squeeze.start", START, (1, D))
    first = _strongest(p, "one", table, start)  # [1, D]
    one = p("squeeze.one", table @ first.T)  # [N, 1]
    rest = p("squeeze.rest", table - one @ first)  # [N, D]
    second = _strongest(p, "two", rest, start)
    two = p("squeeze.two", rest @ second.T)
    again = p("squeeze.again", one @ first + two @ second)  # [N, D]
    error = p("squeeze.error", table - again)
    whole, lost = (p(f"squeeze.{at}", apply("sum", x * x)) for at, x in (("whole", table), ("lost", error)))
    p("squeeze.kept", apply("where", whole <= 0, 1, 1 - lost / apply("where", whole <= 0, 1, whole)))
    both = apply("sum", one * one) + apply("sum", two * two)
    bands = [
        Band(("squeeze.word", "squeeze.table", "squeeze.one", "squeeze.two"), touching=True, room=16),
        Band(("squeeze.kept", "squeeze.whole", "squeeze.lost"), touching=True),
        Band(("squeeze.again", "squeeze.error")),
        Band(("squeeze.direction.one", "squeeze.direction.two")),
        Band(("squeeze.rest", "squeeze.start")),
        Band(("squeeze.alike.one", "squeeze.alike.two")),
        Band(("squeeze.step.one", "squeeze.step.two")),
    ]
    return [*bands, light(p, "squeeze", (whole - (both + lost)) / (1 + whole))]


def _strongest(p: Plan, at: str, table: Expr, start: Expr) -> Expr:
    """The direction, of length 1, in which the rows of a table are longest: multiply, and multiply again [1, D]."""
    alike = p(f"squeeze.alike.{at}", table.T @ table)  # [D, D]
    step = own(_step_formula, _steps, alike, start, shape=(STEPS, D), said="step[i] = step[i-1] @ alike / |step[i-1]|")
    step = p(f"squeeze.step.{at}", step)
    last, short = f"{{0:row {STEPS - 1}}}", f"<={_NOTHING:.0E}"
    unit = own(
        lambda _, c: f"IF(SUMSQ({last}){short},0,{{0:cell {STEPS - 1},{c}}}/SQRT(SUMSQ({last})))",
        lambda x: _unit(x[-1:]),
        step,
        shape=(1, D),
        said=f"step[{STEPS - 1}] / |step[{STEPS - 1}]|",
    )
    return p(f"squeeze.direction.{at}", unit)


def _step_formula(r: int, c: int) -> str:
    """A row of what came before, at length 1, times a column of the table; which is symmetric, so its row."""
    before = f"{{here:row {r - 1}}}" if r else "{1}"
    return f"IF(SUMSQ({before})<={_NOTHING:.0E},0,SUMPRODUCT({before},{{0:row {c}}})/SQRT(SUMSQ({before})))"


def _steps(alike: Numbers, start: Numbers) -> Numbers:
    rows = [start]
    for _ in range(STEPS):
        rows.append(_unit(rows[-1]) @ alike)
    return np.vstack(rows[1:])


def _unit(row: Numbers) -> Numbers:
    square = float((row**2).sum())
    return np.asarray(row * 0 if square <= _NOTHING else row / np.sqrt(square))


SQUEEZE = Demo(
    "squeeze",
    "Squeeze",
    "Embeddings",
    (0, 12),
    add,
    plots=(
        Plot(
            "scatter",
            "Five columns squeezed to two",
            "squeeze.two",
            tuple(Line(f"=squeeze.word[{r},0]", f"squeeze.two[{r},0]", f"squeeze.one[{r},0]") for r in range(N)),
            "first column",
            "second column",
        ),
    ),
    styles={"squeeze.table": Style.INPUT, "squeeze.kept": Style.SHARE},
)
