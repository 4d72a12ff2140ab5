"""Attention as gravity: words pull a word towards them. And where the picture slips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, band, light
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

AT = "gravity"
WORDS = [["Mike"], ["quick"], ["He"], ["chess"]]
PLACES = [[-3, 2], [4, 3], [-2, -1], [1, -4]]
FITS = [[1], [4], [1], [0]]
MASSES = [[2], [3], [3], [3]]
N = len(WORDS)
SOFT = 0.01  # added to squared distances, so that a word on the very spot does not pull without end
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """The word "moves" among four others, pulled once by fit, as attention does, and once by mass and distance."""
    word = p.constant(f"{AT}.word", WORDS, (N, 1))
    place = p.knob(f"{AT}.place", PLACES, (N, 2))
    fit, mass = p.knob(f"{AT}.fit", FITS, (N, 1)), p.knob(f"{AT}.mass", MASSES, (N, 1))
    before, strength = p.knob(f"{AT}.before", [[0, 0]], (1, 2)), p.knob(f"{AT}.strength", 0.8)
    used = own("MAX(0,MIN(1,{0}))", lambda x: np.clip(x, 0, 1), strength, shape=(1, 1), said="clip(strength, 0, 1)")
    used = p(f"{AT}.used", used)
    power = p(f"{AT}.power", apply("exp", fit - apply("max", fit)))
    share = p(f"{AT}.share", power / apply("sum", power))
    part = _by_distance(p, mass, place, before)
    laws = [apply("sum", share) - 1, apply("sum", part) - 1]
    for shares, end, mix, way, top in (
        (share, "after", "mix1", "arrow", "most"),
        (part, "fallen", "mix2", "fall", "best"),
    ):
        moved = p(f"{AT}.{end}", before + used * (shares.T @ (place - before)))
        mixed = p(f"{AT}.{mix}", (1 - used) * before + used * (shares.T @ place))
        p(
            f"{AT}.{way}",
            own(_ends, lambda a, b: np.vstack([a, b]), before, moved, shape=(2, 2), said=f"vstack([before, {end}])"),
        )
        said = f"word[argmax({shares.name})]"
        p(
            f"{AT}.{top}",
            own("INDEX({0},MATCH(MAX({1}),{1},0),1)", _top, word, shares, shape=(1, 1), said=said, text=True),
        )
        laws.append(apply("apart", moved, mixed))
    p.constant(f"{AT}.label", [["moves"], ["by fit"], ["by distance"]], (3, 1))
    bands = [
        band(AT, "word", "place", "fit", "mass"),
        band(AT, "before", "strength", "used", "most", "best"),
        band(AT, "power", "share", "squared", "force", "part", room=16),
        band(AT, "label", "after", "fallen"),
        band(AT, "arrow", "fall"),
        band(AT, "mix1", "mix2"),
    ]
    return [*bands, light(p, AT, *laws)]


def _by_distance(p: Plan, mass: Expr, place: Expr, before: Expr) -> Expr:
    """Shares of the pull [4, 1] as if words were stars: mass over squared distance."""
    rule, said = "SUMPRODUCT(({0:row}-{1})*({0:row}-{1}))", "((place - before)**2).sum(axis=1)"
    squared = p(f"{AT}.squared", own(rule, _squared, place, before, shape=(N, 1), said=said))
    said = f"maximum(mass, 0) / (squared + {SOFT})"
    force = own(f"MAX(0,{{0:at}})/({{1:at}}+{SOFT})", _force, mass, squared, shape=(N, 1), said=said)
    force = p(f"{AT}.force", force)
    said = "force / force.sum() if force.any() else 1 / 4"
    return p(f"{AT}.part", own(f"IF(SUM({{0}})=0,1/{N},{{0:at}}/SUM({{0}}))", _parts, force, shape=(N, 1), said=said))


def _ends(r: int, c: int) -> str:
    return f"{{{r}:cell 0,{c}}}"


def _squared(place: Numbers, before: Numbers) -> Numbers:
    return np.asarray(((place - before) ** 2).sum(axis=1, keepdims=True))


def _force(mass: Numbers, squared: Numbers) -> Numbers:
    return np.maximum(mass, 0) / (squared + SOFT)


def _parts(force: Numbers) -> Numbers:
    return force / force.sum() if force.any() else np.full((N, 1), 1 / N)


def _top(word: Numbers, shares: Numbers) -> Numbers:
    return word[[shares[:, 0].argmax()]]


def _points() -> tuple[Line, ...]:
    words = [Line(f"={AT}.word[{i},0]", f"{AT}.place[{i},1]", f"{AT}.place[{i},0]") for i in range(N)]
    ends = enumerate(("before", "after", "fallen"))
    moved = [Line(f"={AT}.label[{i},0]", f"{AT}.{end}[,1]", f"{AT}.{end}[,0]") for i, end in ends]
    ways = [Line(way, f"{AT}.{way}[,1]", f"{AT}.{way}[,0]", joined=True) for way in ("arrow", "fall")]
    return (*words, *moved, *ways)


GRAVITY = Demo(
    AT,
    "Gravity",
    "Attention",
    (4, 8),
    add,
    plots=(Plot("scatter", "Where moves is pulled", f"{AT}.part", _points(), size=(520, 330)),),
    styles={
        f"{AT}.strength": Style.KNOB,
        **dict.fromkeys((f"{AT}.place", f"{AT}.fit", f"{AT}.mass", f"{AT}.before"), Style.TYPED),
        **dict.fromkeys((f"{AT}.share", f"{AT}.part"), Style.SHARE),
    },
)
