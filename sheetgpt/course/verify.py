"""Is a course right? Every place against numpy, from the inputs in the file, on values that an engine computed.

The report is that of `check/verify.py`, so it has the same forms and exit codes. The prompt of a course is empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.evaluate import attempt
from sheetgpt.check.faults import Fault, FaultKind, by_place, shown
from sheetgpt.check.found import FoundValues, unfilled
from sheetgpt.check.gaps import TOTAL_TOLERANCE, failed, first_over, gaps, worst
from sheetgpt.check.inspect import inspect_cells, inspect_names, inspect_settings, inspect_tabs, unplanned
from sheetgpt.check.lint import unplanned_lint
from sheetgpt.check.places import Places
from sheetgpt.check.result import CACHED, Report, Row
from sheetgpt.course.book import Course, Env
from sheetgpt.course.card import FORMAT
from sheetgpt.course.catalog import chosen
from sheetgpt.course.sheets import names_of, sheets
from sheetgpt.engines import Values, get
from sheetgpt.errors import SheetGPTError, WorkbookError
from sheetgpt.models.weights import find_model
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.a1 import parse_ref
from sheetgpt.sheet.blueprint import COURSE_NAME
from sheetgpt.sheet.book import Book
from sheetgpt.sheet.readback import read

OWN_TOLERANCE = 1e-11  # sums that programs add up in another order, of numbers of any size


def course_of(book: Book) -> Course:
    """The lessons that a workbook says it has; raises `WorkbookError` for a card that this version did not write."""
    try:
        tab, (row, col, *_) = parse_ref(book.reference(COURSE_NAME))
        data = json.loads(str(book.sheets[tab].values.get((row, col))))
        if data["format"] != FORMAT:
            raise WorkbookError(f"{book.path.name}: a course in format {data['format']!r:.20}, not {FORMAT}")
        names, exercise = data["lessons"], data.get("exercise", False)
        if not isinstance(names, list) or not names or type(exercise) is not bool:
            raise WorkbookError(f"{book.path.name}: the card of its lessons is not one that sheetgpt writes")
        return Course.of(chosen(map(str, names)), find_model("fable"), exercise=exercise)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise WorkbookError(
            f"{book.path.name}: the card of its lessons cannot be read ({type(error).__name__})"
        ) from None
    except WorkbookError:
        raise
    except SheetGPTError as error:
        raise WorkbookError(f"{book.path.name}: {error}") from None


def verify_course(path: Path, engine: str = "ironcalc") -> Report:
    """Check a course; raises `WorkbookError` for a file that is none, `EngineMissingError`, `EngineError`."""
    book = read(path)
    course = course_of(book)
    computed: Values = get(engine).recalculate(path) if engine != CACHED else {}
    return _Check(book, course, computed, engine).report()


class _Check:
    """One run: what was found, what was wanted, and the faults between them."""

    def __init__(self, book: Book, course: Course, computed: Values, engine: str) -> None:
        self.book, self.course, self.computed, self.engine = book, course, computed, engine
        self.found = FoundValues(book, course, computed)
        self.cached = FoundValues(book, course, {})  # what the file remembers
        left = [name for name in course.blank if self._unfilled(name).any()]
        self.open = course.plan.after(left)  # not to be checked yet
        self.wanted: Env = course.evaluated(course.given() | self._knobs())
        self.pages, self.places = list(sheets(course, self.wanted)), Places(course)

    def _knobs(self) -> Env:
        """What stands in cells that a learner may change."""
        roles = self.course.plan.roles.items()
        return {name: self.found[name] for name, role in roles if role is Role.KNOB}

    def report(self) -> Report:
        """Every place, every fault, in the order of the tabs."""
        version = get(self.engine).version() if self.engine != CACHED else ""
        report = Report(
            workbook=str(self.book.path),
            made_by=f"sheetgpt; the file names {self.book.application or 'no program'}",
            model=f"{self.course.model.name}, a course of {len(self.course.demos)} lessons",
            prompt="",
            n_rows=0,
            engine=self.engine,
            engine_version=version or "",
            source="the course of this sheetgpt",
        )
        told = by_place(self._text_faults())
        plan = self.course.plan
        report.faults = [fault for place, faults in told.items() if place not in plan for fault in faults]
        for name in plan:
            faults = told.get(name, [])
            row, more = self._row(name, faults)
            report.rows.append(row)
            report.faults += faults + more
        self._count(report)
        return report

    def _text_faults(self) -> Iterator[Fault]:
        yield from inspect_settings(self.book)
        yield from inspect_tabs(self.book, self.pages)
        yield from inspect_names(self.book, names_of(self.course))
        for page in self.pages:
            if page.tab.name in self.book.sheets:
                yield from inspect_cells(self.book, page, self.places)

    def _row(self, name: str, told: list[Fault]) -> tuple[Row, list[Fault]]:
        expr, box = self.course.plan[name], self.course.layout.ranges[name]
        found = self.found[name]
        wanted = self.wanted[name] if expr.op == "data" else attempt(self.course.plan, name, self.found)
        own, total = gaps(found, wanted), gaps(found, self.wanted[name])
        if any(failed(self.found[i]).any() for i in self.course.plan.inputs(name)):
            own = np.where(failed(found), 0.0, own)  # an error that came in with an input
        blank = name in self.open
        if blank:
            own = np.where(self._excused(name), 0.0, own)
        faults = [] if told else list(self._value_faults(name, found, wanted, own))
        if not faults and not told and expr.op != "data" and self.engine != CACHED and not blank:
            faults = list(self._stale_faults(name, found))
        follows = "blank" if blank else "follows"
        status = (told + faults)[0].kind.value if told + faults else follows if total.any() and blank else "ok"
        size, at = worst(own)
        row = Row(name, box.tab, expr.op, box.rows * box.cols, size, worst(total)[0], self._at(name, at), status)
        return row, faults

    def _value_faults(
        self, name: str, found: NDArray[Any], wanted: NDArray[Any], own: NDArray[np.float64]
    ) -> Iterator[Fault]:
        at = first_over(own, OWN_TOLERANCE)
        if at is None:
            return
        given = self.course.plan[name].op == "data"
        value = FaultKind.CACHED if self.engine == CACHED else FaultKind.VALUE
        parameter = self.course.plan.roles[name] is Role.PARAMETER
        kind = FaultKind.WEIGHT if parameter else FaultKind.INPUT if given else value
        yield self._fault(kind, name, at, found[at], wanted[at], own)

    def _stale_faults(self, name: str, found: NDArray[Any]) -> Iterator[Fault]:
        """Values that the file remembers and an engine does not compute."""
        cached = self.cached[name]
        gap = np.where(failed(cached) | (cached == ""), 0.0, gaps(cached, found))  # nothing is no fault
        if at := first_over(gap, TOTAL_TOLERANCE):
            yield self._fault(FaultKind.STALE, name, at, cached[at], found[at], gap)

    def _excused(self, name: str) -> NDArray[np.bool_]:
        """Cells that nobody filled in, or that follow from such."""
        if self.open.intersection(self.course.plan.inputs(name)):
            return np.ones(self.course.plan[name].shape, bool)
        return self._unfilled(name)

    def _unfilled(self, name: str) -> NDArray[np.bool_]:
        return unfilled(self.book, self.course.layout.ranges[name])

    def _fault(
        self, kind: FaultKind, name: str, at: tuple[int, int], found: Any, wanted: Any, gap: NDArray[np.float64]
    ) -> Fault:
        formulas = self.course.formulas(name)
        formula = next((f.text for f in reversed(formulas) if (f.r, f.c) <= at), "")
        was, should = (shown(float(v)) if isinstance(v, float) else shown(v) for v in (found, wanted))
        more = int((gap > OWN_TOLERANCE).sum()) - 1
        tab = self.course.layout.ranges[name].tab
        return Fault(kind, name, tab, self._at(name, at), was, should, formula=formula, gap=float(gap[at]), more=more)

    def _at(self, name: str, at: tuple[int, int]) -> str:
        box = self.course.layout.ranges[name]
        return a1(box.row + at[0], box.col + at[1])

    def _count(self, report: Report) -> None:
        report.cells_present = report.cells_checked = sum(row.cells for row in report.rows)
        tabs = [tab.name for tab in self.course.layout.tabs]
        names = names_of(self.course)
        report.unchecked = list(unplanned(self.book, tabs, names))
        report.unchecked += unplanned_lint(self.book, self.pages, self.places, names)
        if self.engine == CACHED:
            report.unchecked.append("no engine ran: the values are those that the file remembers")
        if self.open:
            report.unchecked.append("an exercise: what is left blank, and what follows from it, is not checked")
