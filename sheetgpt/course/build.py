"""Lessons become a workbook: planned, computed by numpy, written, and recalculated before it takes its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from sheetgpt.check.verify import recalculated_differs
from sheetgpt.course.book import Course, Env
from sheetgpt.course.demo import Demo
from sheetgpt.course.sheets import names_of, sheets
from sheetgpt.engines import get
from sheetgpt.errors import BuildError
from sheetgpt.models.weights import Weights
from sheetgpt.sheet.xlsx import whole_file, write

ENGINE = "ironcalc"


class Written(NamedTuple):
    """A course that was written."""

    path: Path
    course: Course
    env: Env  # every place's value by numpy


def build_course(
    demos: Sequence[Demo],
    model: Weights,
    path: Path,
    *,
    exercise: bool = False,
    make_parent: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Written:
    """Write the course to `path`, whole or not at all; in an `exercise` formulas are left to the learner.

    Raises `BuildError` where IronCalc disagrees with numpy about a cell, and `OutputError`.
    """
    progress("computing with numpy")
    course = Course.of(demos, model, exercise=exercise)
    env = course.evaluated(course.given())
    with whole_file(path, make_parent=make_parent) as temporary:
        progress("writing")
        pages = list(sheets(course, env))
        write(temporary, pages, names_of(course))
        progress(f"recalculating with {ENGINE}")
        values = get(ENGINE).recalculate(temporary)
        if difference := recalculated_differs([*pages[1:], pages[0]], values):
            raise BuildError(f"not written: {ENGINE} disagrees with numpy at {difference}")
    return Written(path, course, env)
