"""The course as a workbook: the plan of all its demonstrations, their tabs, and what the cells hold at first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt import __version__
from sheetgpt.check.evaluate import run
from sheetgpt.course.card import FORMAT
from sheetgpt.course.demo import Demo
from sheetgpt.errors import LayoutError, PlanError
from sheetgpt.models.weights import Weights
from sheetgpt.plan.plan import Plan, Role
from sheetgpt.sheet.layout import HEAD, LEFT, Band, Layout, Range, Tab
from sheetgpt.sheet.lessons import Lesson, lesson, tables
from sheetgpt.sheet.lower import Formula, examples, lowered
from sheetgpt.sheet.slots import Slots

ABOVE = 6  # rows of text above a band: names, meanings, formulas, numpy lines, headings, ruler
CHARS = 12  # of a text that a column has room for
CONTENTS = Tab("Contents", "course/contents")
ANSWERS = Tab("Answers", "course/answers")
Env = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Course:
    """Demonstrations with their plan and layout; an exercise leaves the formulas of some places to the learner."""

    demos: tuple[Demo, ...]
    plan: Plan
    layout: Layout
    model: Weights
    exercise: bool = False

    @classmethod
    def of(cls, demos: Sequence[Demo], model: Weights, *, exercise: bool = False) -> Course:
        """Plan and lay out; raises `LayoutError` or `PlanError` for a demonstration that is not well-formed."""
        plan = Plan()
        read = dict.fromkeys(name for demo in demos for name in demo.reads)
        for name in read:
            plan.data(name, _shape(model, name), Role.PARAMETER, text=name == "vocab.text")
        tabs = [CONTENTS, *(_tab(demo, demo.add(plan), plan) for demo in demos)]
        tabs += [] if exercise else [ANSWERS]
        tabs += [Tab(name, "course/weights", (Band((name,)),), group="parameters") for name in read]
        ranges = {box.name: box for tab in tabs for box in _placed(tab, plan)}
        if lost := [name for name in plan if name not in ranges]:
            raise LayoutError(f"no band of the course shows {lost[0]}")
        return cls(tuple(demos), plan, Layout(tuple(tabs), ranges), model, exercise)

    def formulas(self, name: str) -> list[Formula]:
        """The formulas of a place, by rows."""
        return list(lowered(self.plan, name, self.layout.ranges))

    def examples(self, name: str) -> list[Formula]:
        """Those of them that tell the place's rule."""
        return examples(self.plan[name], lowered(self.plan, name, self.layout.ranges))

    def words(self, tab: Tab) -> Lesson:
        """The words of a tab, every slot filled."""
        return lesson(tab.lesson).fill(Slots(self, {"model": self.model.name, "name": tab.name}))

    @cached_property
    def blank(self) -> frozenset[str]:
        """Places that the learner fills in."""
        if not self.exercise:
            return frozenset()
        return frozenset(n for d in self.demos for n in _table(f"course/{d.name}", "exercise").get("blank", []))

    @cached_property
    def after_blank(self) -> frozenset[str]:
        """Those, and all that follows from them."""
        return self.plan.after(self.blank)

    def given(self) -> Env:
        """What the cells hold that no formula computes."""
        own = {k: v for demo in self.demos if demo.starts for k, v in demo.starts(self.model).items()}
        return {name: self._start(name, own) for name, expr in self.plan.items() if expr.op == "data"}

    def _start(self, name: str, own: dict[str, object]) -> NDArray[Any]:
        if name == "vocab.text":
            tokenizer = self.model.tokenizer()
            return np.array([[tokenizer.visible(i)] for i in range(tokenizer.n_vocab)], object)
        if self.plan.roles[name] is Role.PARAMETER:
            return self.model[name]
        start = own.get(name, self.plan.starts.get(name))
        if start is None or callable(start):
            raise PlanError(f"nobody says what {name} holds at first")
        values = np.array(start, object if name in self.plan.text else np.float64)
        return np.broadcast_to(values, self.plan[name].shape).copy()

    def evaluated(self, given: Env) -> Env:
        """Every place by numpy."""
        return dict(run(self.plan, given))

    def to_json(self) -> str:
        """The card: which lessons these are."""
        names = [demo.name for demo in self.demos]
        data = {"format": FORMAT, "sheetgpt": __version__, "model": self.model.name, "lessons": names}
        return json.dumps(data | ({"exercise": True} if self.exercise else {}))


def _placed(tab: Tab, plan: Plan) -> Iterator[Range]:
    """Where the places of a tab stand, band below band."""
    top = HEAD
    for band in tab.bands:
        top, col = top + ABOVE, LEFT
        for name in band.names:
            rows, cols = plan[name].shape
            yield Range(name, tab.name, top, col, rows, cols)
            col += cols - 1 + _width(plan, name) + (not band.touching)  # names are short
        top += max(band.room, *(plan[name].shape[0] for name in band.names)) + 1


def _width(plan: Plan, name: str) -> int:
    """How many columns a place's last column reaches over: texts that are given may be long."""
    start = plan.starts.get(name)
    if name not in plan.text or not isinstance(start, Sequence) or isinstance(start, str):
        return 1
    return max(1, *(-(-len(str(row[-1])) // CHARS) for row in start))


def _tab(demo: Demo, found: Sequence[Band], plan: Plan) -> Tab:
    names = [name for band in found for name in band.names]
    if strange := [name for name in names if not name.startswith(f"{demo.name}.") or name not in plan]:
        raise LayoutError(f"{strange[0]} is no place of the lesson {demo.name}")
    return Tab(demo.tab, f"course/{demo.name}", tuple(found))


def _shape(model: Weights, name: str) -> tuple[int, int]:
    return (model.config.n_vocab, 1) if name == "vocab.text" else model.config.shapes()[name]


def _table(stem: str, key: str) -> dict[str, Any]:
    found: Any = tables(stem).get(key, {})
    return dict(found)


def headings(tab: Tab, kind: str) -> dict[str, Any]:
    """What stands above the columns or beside the rows of a tab's places: `columns` or `rows` of its lesson."""
    return _table(tab.lesson, kind)
