"""A course whose knobs are turned: what its places hold then, as IronCalc computes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sheetgpt.course.book import Course
from sheetgpt.course.build import Written
from sheetgpt.course.demo import Demo
from sheetgpt.course.sheets import names_of, sheets
from sheetgpt.engines import ENGINES
from sheetgpt.engines.base import Values
from sheetgpt.engines.session import Session
from sheetgpt.models.weights import find_model
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.grid import CellError
from sheetgpt.sheet.layout import Range
from sheetgpt.sheet.xlsx import write
from tests.office import changed
from tests.test_tries import spot

SILLY = (0.0, -3.0, 0.5, 1e6, -1e6)

needs_office = pytest.mark.skipif(
    ENGINES["libreoffice"].version() is None, reason=f"libreoffice is not installed: {ENGINES['libreoffice'].hint()}"
)


class Knobs:
    """Demonstrations in IronCalc: `at("mask.pattern", {"mask.on": 0})` is what stands there with the mask off."""

    def __init__(self, demos: Sequence[Demo], folder: Path) -> None:
        model = find_model("fable")
        self.written = {d.name: _written(Course.of([d], model), folder / f"{d.name}.xlsx") for d in demos}
        self._sessions = {name: Session(written.path) for name, written in self.written.items()}
        self._values: dict[tuple[str, tuple[tuple[str, float], ...]], Values] = {}

    def turned(self, demo: str, knobs: Mapping[str, float]) -> Values:
        """Every computed cell, by tab, with these numbers in all cells of a place, or in one: `gravity.place[0,1]`."""
        key = demo, tuple(sorted(knobs.items()))
        if key not in self._values:
            changes: dict[str, dict[tuple[int, int], float]] = {}
            for name, value in knobs.items():
                for cell in self._cells(name):
                    changes.setdefault(self.box(name).tab, {})[cell] = float(value)
            self._values[key] = self._sessions[demo].values(changes)
        return self._values[key]

    def box(self, name: str) -> Range:
        """Where a place stands, or the place of one of its cells."""
        return self.written[_demo(name)].course.layout.ranges[spot(name).place]

    def at(self, name: str, knobs: Mapping[str, float] | None = None) -> NDArray[np.float64]:
        """The numbers of a computed place."""
        box = self.box(name)
        return self.turned(_demo(name), knobs or {})[box.tab].numbers(box.area)

    def texts(self, name: str, knobs: Mapping[str, float] | None = None) -> list[object]:
        """Its cells by rows, whatever they hold."""
        values = self.turned(_demo(name), knobs or {})[self.box(name).tab]
        return [values.get(cell) for cell in self._cells(name)]

    def given(self, name: str) -> NDArray[np.float64]:
        """What a place holds that no formula computes."""
        return np.asarray(self.written[_demo(name)].env[name], float)

    def of(self, demo: Demo) -> list[str]:
        """The knobs of a demonstration that hold numbers."""
        plan = self.written[demo.name].course.plan
        return [name for name in plan if plan.roles[name] is Role.KNOB and name not in plan.text]

    def turns(self, demo: Demo) -> list[dict[str, float]]:
        """Each knob turned to silly numbers, one cell of it alone, and all knobs at once."""
        knobs = self.of(demo)
        alone = [{f"{knob}[0,{self.box(knob).cols - 1}]": 2.5} for knob in knobs]
        at_once = [dict.fromkeys(knobs, value) for value in (0.0, -3.0)]
        return [{knob: value} for knob in knobs for value in SILLY] + alone + at_once

    def errors(self, demo: Demo) -> Iterator[str]:
        """What becomes an error by these turns in IronCalc, and lights that go out."""
        for turn in self.turns(demo):
            cells = self.turned(demo.name, turn)[demo.tab]
            yield from (f"{turn}: {at}" for at, value in cells.items() if isinstance(value, CellError))
            if self.texts(f"{demo.name}.light", turn) != ["OK"]:
                yield f"{turn}: {demo.name}.light"

    def office_errors(self, demo: Demo) -> Iterator[str]:
        """The same in LibreOffice, where what overflows is an error."""
        turns, light = self.turns(demo), spot(f"{demo.name}.light")
        rounds = [({spot(knob): value for knob, value in turn.items()}, [light]) for turn in turns]
        for turn, change in zip(turns, changed(self.written[demo.name].path, rounds), strict=True):
            if change.errors or change.after[light] != [["OK"]]:
                yield f"{turn}: {change.errors} {change.after[light]}"

    def _cells(self, name: str) -> Iterator[tuple[int, int]]:
        place, box = spot(name), self.box(name)
        whole = [(r, c) for r in range(box.rows) for c in range(box.cols)]
        for r, c in whole if place.row < 0 else [(place.row, place.col)]:
            yield box.row + r, box.col + c


def _demo(name: str) -> str:
    return name.partition(".")[0]


def _written(course: Course, path: Path) -> Written:
    """As `build_course` does it, but not recalculated: that is what these tests do."""
    env = course.evaluated(course.given())
    write(path, list(sheets(course, env)), names_of(course))
    return Written(path, course, env)
