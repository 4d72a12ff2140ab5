"""One demonstration: what it computes, how it is laid out and drawn. Its words stand in `templates/course/NAME.md`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sheetgpt.models.weights import Weights
from sheetgpt.plan.checks import OK, WRONG
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

TOLERANCE = 1e-9  # of a law that holds but for rounding


@dataclass(frozen=True)
class Line:
    """What a chart draws: a row of bars, points or a line.

    `values` and `along` are spots: a place that is one column, or a column of one: `houses.table[,2]`. Of a place that
    is one row, `cosines.row[1,]`.
    """

    name: str  # in the legend; or the spot of a cell that holds it, `=houses.name[0,0]`, which then labels the point
    values: str
    along: str
    joined: bool = False  # points of a scatter chart as a line


@dataclass(frozen=True)
class Plot:
    """A chart beside a band: to the right of the place `beside`."""

    kind: str  # bar, column, line or scatter
    title: str
    beside: str
    lines: tuple[Line, ...]
    across: str = ""
    up: str = ""
    size: tuple[int, int] = (480, 300)  # pixels
    shares: bool = True  # whether bars, columns and lines are shares of 1


@dataclass(frozen=True)
class Demo:
    """A tab of the course. All its places are named `NAME.something`."""

    name: str  # of the lesson, on the command line and in `templates/course/`
    tab: str  # as the sheet is called
    part: str  # of the course
    minutes: tuple[int, int]  # in a course of two hours (0: left out), in one of eight
    add: Callable[[Plan], Sequence[Band]]  # names its places, and says how they stand on the tab
    plots: tuple[Plot, ...] = ()
    styles: Mapping[str, Style] = field(default_factory=dict)  # of places that do not look as their role does
    marks: Mapping[str, str] = field(default_factory=dict)  # place -> which of its cells stand out: `{r}=houses.pick`
    heat: tuple[str, ...] = ()  # places that carry a colour scale
    masked: tuple[str, ...] = ()  # places whose hidden scores are shown as such
    reads: tuple[str, ...] = ()  # weights of the bundled model, which are in the plan before `add`
    starts: Callable[[Weights], Mapping[str, object]] | None = None  # of inputs that come from the model


def light(p: Plan, at: str, *gaps: Expr) -> Band:
    """The check light of a demonstration: OK while every number of `gaps` is 0 but for rounding."""
    names = [f"{at}.off" if len(gaps) == 1 else f"{at}.off{i}" for i in range(1, len(gaps) + 1)]
    gap = p(f"{at}.gap", apply("worst", *(p(name, off) for name, off in zip(names, gaps, strict=True))))
    p(f"{at}.light", apply("where", gap <= TOLERANCE, OK, WRONG))
    return Band((f"{at}.light", f"{at}.gap", *names))


def band(at: str, *names: str, touching: bool = False, room: int = 0) -> Band:
    """Places of one demonstration side by side."""
    return Band(tuple(f"{at}.{name}" for name in names), touching, room=room)


def stack(*names: str) -> tuple[Band, ...]:
    """Places one below the other."""
    return tuple(Band((name,)) for name in names)
