"""Capitals: the step from a country to its capital is about the same for all, and so finds one that was not shown."""

from __future__ import annotations

from collections.abc import Sequence

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.nearness import distances, nearest_first
from sheetgpt.plan.ops import apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

COUNTRIES = [["France"], ["Italy"], ["Japan"]]
FROM: list[list[float]] = [[2, 3], [3, 1.2], [1, 6]]
CITIES = [["Paris"], ["Rome"], ["Tokyo"], ["Ottawa"], ["Toronto"], ["Milan"]]  # first the capitals, in that order
TO: list[list[float]] = [[6.1, 4.2], [7, 2.2], [5.2, 6.9], [6.5, 6.1], [4.6, 7.8], [5.6, 0.9]]
NEW, CANADA = [["Canada"]], [[2.5, 5.0]]
N, CITY, D = len(FROM), len(TO), len(FROM[0])


def add(p: Plan) -> Sequence[Band]:
    """Three countries with their capitals, the mean step, and where it leads from a fourth country."""
    p.constant("capitals.country", COUNTRIES, (N, 1))
    start, city = p.knob("capitals.from", FROM, (N, D)), p.constant("capitals.city", CITIES, (CITY, 1))
    end = p.knob("capitals.to", TO, (CITY, D))
    way = own("{0:at}-{1:at}", lambda x, y: x[:N] - y, end, start, shape=(N, D), said=f"to[:{N}] - from")
    step = p("capitals.step", way)
    said = "step.mean(axis=0)"
    middle = own("AVERAGE({0:col})", lambda x: x.mean(axis=0, keepdims=True), step, shape=(1, D), said=said)
    mean = p("capitals.mean", middle)
    off = distances(p, "capitals.off", step, mean)  # [N, 1]
    p("capitals.spread", apply("sqrt", apply("sum", off * off) / N))
    p("capitals.length", apply("sqrt", apply("sum", mean * mean)))
    p.constant("capitals.new", NEW, (1, 1))
    target = p("capitals.target", p.knob("capitals.start", CANADA, (1, D)) + mean)  # [1, D]
    listed, gap = nearest_first(p, "capitals", city, distances(p, "capitals.distance", end, target))
    p("capitals.answer", apply("pick", p["capitals.text"], 1))
    bands = [
        Band(("capitals.city", "capitals.to", "capitals.distance", "capitals.row"), touching=True, room=15),
        Band(("capitals.country", "capitals.from", "capitals.step", "capitals.off"), touching=True),
        Band(("capitals.mean", "capitals.length", "capitals.spread"), touching=True),
        Band(("capitals.new", "capitals.start", "capitals.target", "capitals.answer"), touching=True),
        listed,
    ]
    return [*bands, light(p, "capitals", gap, apply("colsum", step - mean))]


def _labelled(names: str, points: str, n: int) -> tuple[Line, ...]:
    return tuple(Line(f"={names}[{r},0]", f"{points}[{r},1]", f"{points}[{r},0]") for r in range(n))


_POINTS = (
    *_labelled("capitals.country", "capitals.from", N),
    *_labelled("capitals.city", "capitals.to", CITY),
    *_labelled("capitals.new", "capitals.start", 1),
    Line("computed", "capitals.target[0,1]", "capitals.target[0,0]"),
)
CAPITALS = Demo(
    "capitals",
    "Capitals",
    "Embeddings",
    (0, 15),
    add,
    plots=(Plot("scatter", "Countries on the left, cities on the right", "capitals.row", _POINTS, size=(560, 300)),),
    styles={"capitals.which": Style.WHOLE, "capitals.answer": Style.ANSWER},
)
