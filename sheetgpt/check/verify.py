"""Is a workbook right? Each place is recomputed twice in numpy: from the workbook's own inputs (where is it
wrong?) and from the prompt (how far off is it?), against values that an engine computed afresh.

Beside the numbers: every formula against what the plan lowers to, every weight against its source, every
cell of the file accounted for. Cached values are never taken for a recalculation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.details import Details
from sheetgpt.check.evaluate import Layers, attempt
from sheetgpt.check.faults import Fault, FaultKind, by_place, merged, several, shown
from sheetgpt.check.found import Found, blank_cells, find
from sheetgpt.check.gaps import OWN_TOLERANCE, TOTAL_TOLERANCE, as_text, failed, first_over, gaps, worst
from sheetgpt.check.inputs import starts, turned
from sheetgpt.check.inspect import inspect_cells, inspect_names, inspect_settings, inspect_tabs, unplanned
from sheetgpt.check.lint import unplanned_lint
from sheetgpt.check.places import Places
from sheetgpt.check.result import CACHED, Knob, Report, Row
from sheetgpt.check.shared import ALONE, Shared
from sheetgpt.check.source import facts, told_of
from sheetgpt.check.tally import tally
from sheetgpt.engines import Values, get
from sheetgpt.errors import EngineError, EngineMissingError
from sheetgpt.models.weights import digest
from sheetgpt.plan.checks import RECORDED
from sheetgpt.plan.plan import Role
from sheetgpt.plan.points import REMAINS
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.a1 import parse_cell
from sheetgpt.sheet.cells import Cell, Sheet
from sheetgpt.sheet.contents import shown as shown_on_map
from sheetgpt.sheet.grid import CellError, Grid, Value
from sheetgpt.sheet.labels import labels_of
from sheetgpt.sheet.sheets import names_of

# How far a place may be off that is not copied to the digit; numpy's last digits differ from machine to machine.
_TOLERANCES = {Role.VALUE: OWN_TOLERANCE, Role.UPSTREAM: TOTAL_TOLERANCE, Role.RECORD: TOTAL_TOLERANCE}

_CATCHES = frozenset({"usable", "stack", "fingerprints"})  # ops that may give a value where an input has failed
_LEAVES_INPUTS = frozenset({FaultKind.ENGINE, FaultKind.STALE})  # a place is compared on what the engine made of them
_OF_VALUES = frozenset({FaultKind.VALUE, FaultKind.CACHED})  # what an engine, or a program before, has computed
_TELLS_ALL = frozenset({FaultKind.NAME, FaultKind.INPUT, FaultKind.TEXT})  # its values need not be told again


def verify(path: Path, engine: str = "ironcalc", model: str | None = None, shared: Shared = ALONE) -> Report:
    """Check a workbook that sheetgpt made.

    `engine` is a name that `sheetgpt engines` lists, or `cached`; `model` a bundled name or a folder where the
    card's model is not bundled; `shared` what checks of many copies of one workbook need not do
    anew. Raises `WorkbookError` for a file that is not such a workbook, `EngineMissingError`, and `EngineError` where
    an engine fails, unless the text of the workbook alone shows a fault.
    """
    return look(path, engine, model, shared)[1]


def look(path: Path, engine: str, model: str | None = None, shared: Shared = ALONE) -> tuple[Found, Report]:
    """As `verify`, with the workbook as it was found."""
    try:
        found = find(path, engine, model, shared)
        return found, examine(found, engine, shared)
    except EngineMissingError:
        raise
    except EngineError as error:
        found = find(path, CACHED, model, shared)
        report = examine(found, CACHED, shared)
        report.faults = [fault for fault in report.faults if fault.kind not in _OF_VALUES]
        if not report.faults:
            raise
        report.unchecked.insert(0, str(error))
        return found, report


def examine(workbook: Found, engine: str, shared: Shared = ALONE) -> Report:
    """As `verify`, of what was found already."""
    return _Check(workbook, engine, shared).report()


class _Check:
    """One run of verify: what was found, what was wanted, and the faults between them."""

    def __init__(self, workbook: Found, engine: str, shared: Shared) -> None:
        self.workbook, self.engine = workbook, engine
        self.book, self.blueprint, self.computed = workbook.book, workbook.blueprint, workbook.computed
        self.found, self.facts, self.source = workbook.values, workbook.facts, workbook.source
        self.plan, self.ranges = self.blueprint.plan, self.blueprint.layout.ranges
        self.wanted, self.prompt_problem = shared.expected(self.blueprint, self.source, self.found)
        claimed = facts(self.source.weights, self.plan.parameters) if self.source.weights else self.facts
        labels = {name: self.found[name] for name in self._labels}  # a label is right if it shows what stands there
        self.sheets = shared.sheets(self.blueprint, labels, self.wanted, claimed)
        self.places = Places(self.blueprint)

    # ---- what was wanted

    def _own(self, name: str) -> NDArray[Any]:
        """The place recomputed from the workbook's own inputs; NaN where those make no sense."""
        return attempt(self.plan, name, self.found)

    @cached_property
    def _labels(self) -> set[str]:
        """Places whose cells label rows, and those that Contents shows."""
        return ({labels_of(name) for name in self.plan} & set(self.plan)) | shown_on_map(self.plan)

    @cached_property
    def _labels_differ(self) -> bool:
        """Whether other characters, words or tokens stand in the workbook: then old labels are not to blame."""
        gap = (worst(gaps(self.found[name], self.wanted[name]))[0] for name in self._labels)
        return any(size > TOTAL_TOLERANCE for size in gap)

    def _inputs_fail(self, name: str) -> bool:
        """Whether some input of the place holds an error, or text for a number."""
        inputs = (i for i in self.plan.inputs(name) if i not in self.workbook.same)
        return any(failed(self.found[i]).any() for i in inputs)

    def _knob_fails(self, name: str) -> bool:
        """Whether that is a knob: a formula makes of an emptied one, or of a word, what numpy cannot know."""
        knobs = (i for i in self.plan.inputs(name) if self.plan.roles[i] is Role.KNOB)
        return any(failed(self.found[i]).any() for i in knobs)

    def _unknown(self, name: str) -> NDArray[np.bool_] | bool:
        """Cells that nobody can judge: a student has not filled them in, or what they are computed from."""
        if name in self.blueprint.blank:
            return blank_cells(self.workbook, name)
        read = self.blueprint.after_blank.intersection(self.plan.inputs(name))
        return any(self._nothing(i).any() for i in read)

    def _nothing(self, name: str) -> NDArray[np.bool_]:
        """Cells that hold nothing; where no engine ran, also formulas of which the file remembers no value."""
        blank = blank_cells(self.workbook, name)
        return blank | self._cached(name)[1] if self.engine == CACHED else blank

    # ---- what is wrong

    def report(self) -> Report:
        """Every place, every cell, every fault, in pipeline order."""
        card = self.blueprint.card
        version = get(self.engine).version() if self.engine != CACHED else ""
        report = Report(
            workbook=str(self.book.path),
            made_by=f"sheetgpt {card.version}; the file names {self.book.application or 'no program'}",
            model=card.model,
            prompt=shown(self.found["prompt.text"][0, 0]),
            n_rows=card.n_rows,
            engine=self.engine,
            engine_version=version or "",
            source=self.source.note,
        )
        report.knobs = list(self._turned())
        told = self._told = by_place(self._text_faults())
        for name in self.plan:
            report.rows.append(self._row(name, told))
        everything = [fault for faults in told.values() for fault in faults]
        if not any(blank_cells(self.workbook, name).any() for name in self.blueprint.card.blank):
            everything = everything or list(self._drift(report.rows))
        faults = merged([self._with_token(fault) for fault in sorted(everything, key=self._order())])
        report.faults = Details(self.workbook, self.engine, self._own, faults).all()
        self._count(report)
        return report

    def _turned(self) -> Iterator[Knob]:
        """Cells that are meant to be changed, and have been."""
        at_first = starts(self.plan, self.wanted)
        for name in (name for name, role in self.plan.roles.items() if role is Role.KNOB):
            box = self.ranges[name]
            for at in np.ndindex(box.rows, box.cols):
                value, begun = self._raw(name, at), at_first[name].tolist()[at[0]][at[1]]
                if turned(value, begun):
                    where = f"{name}[{at[0]},{at[1]}]" if box.rows * box.cols > 1 else name
                    yield Knob(where, box.tab, a1(box.row + at[0], box.col + at[1]), value, begun)

    def _order(self) -> Callable[[Fault], float]:
        """Pipeline order: what concerns the whole file first, a label or a ruler just before the places of its tab."""
        order = {name: float(i) for i, name in enumerate(self.plan)}
        of_tab: dict[str, float] = {}
        for name, i in order.items():
            of_tab.setdefault(self.ranges[name].tab, i - 0.5)
        whole = {FaultKind.SETTING: -2.0, FaultKind.TAB: -1.0}
        return lambda f: whole.get(f.kind, order.get(f.place, of_tab.get(f.tab, len(order))))

    def _drift(self, rows: list[Row]) -> Iterator[Fault]:
        """No single step is wrong, yet a place is not what it should be: gaps too small to blame have added up."""
        for row in (row for row in rows if row.status == "follows"):
            found, wanted = self.found[row.name], self.wanted[row.name]
            gap, at = worst(gaps(found, wanted))
            yield self._fault(FaultKind.VALUE, row.name, at, _item(found, at), _item(wanted, at), gap, 0)
            return

    def _with_token(self, fault: Fault) -> Fault:
        if not fault.place or not fault.cell or fault.token:
            return fault
        return fault._replace(token=self._token(fault.place, parse_cell(fault.cell)[0] - self.ranges[fault.place].row))

    def _text_faults(self) -> Iterator[Fault]:
        if self.prompt_problem:
            box, text = self.ranges["prompt.text"], shown(self.found["prompt.text"][0, 0])
            cell = a1(box.row, box.col)
            yield Fault(
                FaultKind.INPUT, box.name, box.tab, cell, text, f"a prompt of these ids ({self.prompt_problem})"
            )
        yield from inspect_settings(self.book)
        yield from inspect_tabs(self.book, self.sheets)
        yield from self._overflows()
        names = list(inspect_names(self.book, names_of(self.blueprint)))
        yield from names
        for sheet in self.sheets:
            if sheet.tab.name in self.book.sheets:
                yield from inspect_cells(self.book, sheet, self.places)
                if not names:  # a name that is wrong is told once, not again wherever a label reads it
                    yield from self._label_faults(sheet)

    def _overflows(self) -> Iterator[Fault]:
        """A knob that somebody has turned so far that a result is too large for a number."""
        if not self._overflow:
            return
        numbers = (knob for knob in self._turned() if isinstance(knob.value, float))
        if knob := max(numbers, key=lambda knob: abs(cast(float, knob.value)), default=None):
            wanted = f"a number with which {self._overflow} is not too large for a cell"
            yield Fault(FaultKind.INPUT, knob.name.partition("[")[0], knob.tab, knob.cell, shown(knob.value), wanted)

    @cached_property
    def _overflow(self) -> str:
        """The first computed place that numpy finds too large, or that then is no number; empty if none is."""
        computed = (name for name, role in self.plan.roles.items() if role is Role.VALUE and name not in self.plan.text)
        return next((name for name in computed if not np.isfinite(self.wanted[name]).all()), "")

    def _label_faults(self, sheet: Sheet) -> Iterator[Fault]:
        """Values of formulas that belong to no place: labels, a total."""
        stands, computed = self.book.sheets[sheet.tab.name].values, self.computed.get(sheet.tab.name, Grid({}))
        cached = Layers(stands, computed)
        for kind, values in ((FaultKind.VALUE, computed), (FaultKind.STALE, cached)):
            for cell, found in _differing(sheet.cells, values):
                at = (cell.row, cell.col)
                if not self.places.at(sheet.tab.name, *at):
                    told = (shown(found), shown(cell.cached))
                    yield Fault(kind, "", sheet.tab.name, a1(*at), *told, formula=str(cell.body))
            if self.engine == CACHED or self._labels_differ:
                return

    def _row(self, name: str, told: dict[str, list[Fault]]) -> Row:
        expr, box = self.plan[name], self.ranges[name]
        faults = told.setdefault(name, [])
        if name in self.workbook.same:
            status = faults[0].kind.value if faults else "ok"
            return Row(name, box.tab, expr.op, box.rows * box.cols, 0.0, 0.0, a1(box.row, box.col), status)
        given = expr.op == "data"
        wanted = self.wanted[name] if given else self._own(name)
        own = gaps(self.found[name], wanted)
        if self._inputs_fail(name):
            caught = expr.op in _CATCHES or self._knob_fails(name)  # it may give something else in its stead
            own = np.where(failed(self.found[name]) | caught, 0.0, own)  # an error that came in with an input
        total = gaps(self.found[name], self.wanted[name])
        if self._overflow and name not in self.plan.text:
            own = np.where(np.isfinite(self.wanted[name]), own, 0.0)
        if name in self.blueprint.after_blank:
            own = np.where(self._unknown(name), 0.0, own)
        if not any(fault.kind in _TELLS_ALL for fault in faults):
            faults += self._value_faults(name, own, wanted)
        cache_gap = 0.0
        if given and self.plan.roles[name] is Role.PARAMETER:
            faults += self._digest_faults(name, bool(own.any()))
        if not given and not self.plan.is_view(name) and self.engine != CACHED:
            cached, missing = self._cached(name)
            cache_gap = worst(np.where(missing, 0.0, gaps(cached, self.found[name])))[0]
            faults += self._stale_faults(name, cached, missing)
        shows = own if own.any() else total
        _, at = worst(shows)
        status = faults[0].kind.value if faults else "follows" if worst(total)[0] > TOTAL_TOLERANCE else "ok"
        if name in self.blueprint.blank and blank_cells(self.workbook, name).all():
            status = "blank"
        size = 0 if self.plan.is_view(name) else box.rows * box.cols
        cell = a1(box.row + at[0], box.col + at[1])
        over = first_over(total, TOTAL_TOLERANCE)
        first = a1(box.row + over[0], box.col + over[1]) if over else ""
        return Row(name, box.tab, expr.op, size, worst(own)[0], worst(total)[0], cell, status, first, cache_gap)

    def _value_faults(self, name: str, gap: NDArray[np.float64], wanted: NDArray[Any]) -> Iterator[Fault]:
        role = self.plan.roles[name]
        tolerance = TOTAL_TOLERANCE if self._adds_up(name) else _TOLERANCES.get(role, 0.0)
        at = first_over(gap, tolerance)
        if at is None:
            return
        kind = {Role.PARAMETER: FaultKind.WEIGHT, Role.VALUE: FaultKind.VALUE}.get(role, FaultKind.INPUT)
        if kind is FaultKind.VALUE and self.engine == CACHED:
            kind = FaultKind.CACHED
        elif kind is FaultKind.VALUE and self._is_the_engines(name, gap > tolerance, wanted):
            kind = FaultKind.ENGINE
        more = int((gap > tolerance).sum()) - 1
        yield self._fault(kind, name, at, self._raw(name, at), _item(wanted, at), float(gap[at]), more)

    def _is_the_engines(self, name: str, over: NDArray[np.bool_], wanted: NDArray[Any]) -> bool:
        """Whether a wrong value is the engine's fault: what it read is right, and so is what the file remembers."""
        tab = self.ranges[name].tab
        inputs = (fault for i in self.plan.inputs(name) for fault in self._told.get(i, []))
        if self._told.get(name) or any(fault.kind not in _LEAVES_INPUTS for fault in inputs):
            return False
        if any(fault.kind is FaultKind.SETTING or fault.tab == tab for fault in self._told.get("", [])):
            return False  # a ruler that a look-up reads
        cached, missing = self._cached(name)
        gap = np.minimum(gaps(cached, wanted), gaps(cached, self.wanted[name]))
        return not bool((missing | (gap > TOTAL_TOLERANCE))[over].any())

    def _adds_up(self, name: str) -> bool:
        """Whether a place holds sums of whole matrices, which programs add up in another order, or what they leave.

        The second component of the token map is what is left when the first is taken out: rounding is a larger part.
        """
        return self.plan[name].op == "fingerprints" or name.endswith(RECORDED) or name.startswith(REMAINS)

    def _digest_faults(self, name: str, differs: bool) -> Iterator[Fault]:
        """A weight whose numbers are not those recorded, where there is no source to say which."""
        recorded = next((f.numbers_sha256 for f in self.facts if f.name == name), None)
        own = digest([self.found[name]])
        if not differs and own != recorded:
            tab = self.ranges[name].tab
            yield Fault(FaultKind.WEIGHT, name, tab, "", f"SHA-256 {own}", f"SHA-256 {recorded} (tab Parameters)")

    def _stale_faults(self, name: str, cached: NDArray[Any], missing: NDArray[np.bool_]) -> Iterator[Fault]:
        """Cached values that are neither what the engine computed nor right; cells without a cache are no fault."""
        found = self.found[name]
        right = gaps(cached, self.wanted[name]) <= TOTAL_TOLERANCE
        gap = np.where(missing | right, 0.0, gaps(cached, found))
        if at := first_over(gap, TOTAL_TOLERANCE):
            more = int((gap > TOTAL_TOLERANCE).sum()) - 1
            yield self._fault(FaultKind.STALE, name, at, cached[at], _item(found, at), float(gap[at]), more)

    def _cached(self, name: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """What the file remembers of a computed place, and which cells remember nothing."""
        area, sheet = self.ranges[name].area, self.book.sheets.get(self.ranges[name].tab)
        stands = sheet.values if sheet else Grid({})
        numbers = stands.numbers(area)
        if name not in self.plan.text and np.isfinite(numbers).all():
            return numbers, np.zeros(numbers.shape, bool)
        block = stands.values_of(area)
        empty = (None, "") if name in self.plan.text else (None,)
        missing = np.array([v in empty for v in block.ravel()], dtype=bool).reshape(block.shape)
        return (as_text(block) if name in self.plan.text else numbers), missing

    def _fault(
        self,
        kind: FaultKind,
        name: str,
        at: tuple[int, int],
        found: object,
        wanted: object,
        gap: float,
        more: int,
    ) -> Fault:
        box = self.ranges[name]
        cell = a1(box.row + at[0], box.col + at[1])
        formulas = self.blueprint.formulas(name)
        formula = next((f.text for f in reversed(formulas) if (f.r, f.c) <= at), "")
        found, wanted = (shown(float(v)) if isinstance(v, float) else shown(v) for v in (found, wanted))
        return Fault(kind, name, box.tab, cell, found, wanted, self._token(name, at[0]), formula, gap, more)

    def _token(self, name: str, row: int) -> str:
        """The token, word or character whose row it is, for places that have a row for each."""
        labels = labels_of(name) if self.plan.roles[name] in (Role.VALUE, Role.UPSTREAM) else ""
        return str(self.wanted[labels][row, 0]) if labels else ""

    def _raw(self, name: str, at: tuple[int, int]) -> Value:
        """The value as it stands, also where it is no number."""
        box = self.ranges[name]
        cell = (box.row + at[0], box.col + at[1])
        sheet = self.book.sheets.get(box.tab)
        stands = sheet.values.get(cell) if sheet else None
        return self.computed.get(box.tab, Grid({})).get(cell, stands)

    # ---- what was looked at

    def _count(self, report: Report) -> None:
        planned = {sheet.tab.name: sheet for sheet in self.sheets}
        tallies = [tally(sheet, planned.get(tab), self.places.on(tab)) for tab, sheet in self.book.sheets.items()]
        report.cells_present = sum(t.present for t in tallies)
        report.cells_checked = sum(t.planned for t in tallies)
        if self.engine == CACHED:
            computed = sum(t.computed for t in tallies)
            report.cells_checked -= sum(t.planned_computed for t in tallies)
            report.unchecked.append(f"{computed:,} formula cells: cached values are the file's own, no engine ran")
        if strays := report.cells_present - sum(t.planned for t in tallies):
            first = min(f"{tab}!{t.stray}" for tab, t in zip(self.book.sheets, tallies, strict=True) if t.stray)
            report.unchecked.append(several(strays, "cell", "that the plan does not know", first))
        tabs = [tab.name for tab in self.blueprint.layout.tabs]
        report.unchecked += self._left_blank()
        names = names_of(self.blueprint)
        report.unchecked += unplanned(self.book, tabs, names)
        report.unchecked += unplanned_lint(self.book, self.sheets, self.places, names)
        if self.source.weights and self.source.weights.name != report.model:
            others = f"the weights are those of {self.source.weights.name!r}, the card names {report.model!r}"
            report.unchecked.append(others)
        if self.source.weights and told_of(self.source.weights) != self.blueprint.card.about:
            report.unchecked.append("what Contents says of the model: its folder says something else")
        if self.source.weights is None:
            roles = self.plan.roles.values()
            what = "weights, vocabulary and the input" if Role.UPSTREAM in roles else "weights and vocabulary"
            what = "weights, vocabulary and records" if Role.RECORD in roles else what
            report.unchecked.append(f"{what} against their source: {self.source.note}")

    def _left_blank(self) -> Iterator[str]:
        """Places that a student was to fill in: whether that was done, and that their formulas are no plan's."""
        blank = [name for name in self.blueprint.card.blank if blank_cells(self.workbook, name).any()]
        filled = [name for name in self.blueprint.card.blank if name not in blank]
        if blank:
            yield f"left blank for the student: {', '.join(blank)}, and what follows from it"
        if filled:
            yield f"filled in by the student, of which values alone are compared: {', '.join(filled)}"


def recalculated_differs(pages: Iterable[Sheet], values: Values) -> str:
    """The first cell where an engine's values differ from the numbers that were written; empty if none does."""
    for sheet in pages:
        computed = values.get(sheet.tab.name, Grid({}))
        for cell, found in _differing(sheet.cells, computed):
            return f"{sheet.tab.name}!{a1(cell.row, cell.col)}: {shown(found)}, not {shown(cell.cached)}"
        for mass in (mass for mass in sheet.masses if mass.formula and mass.cached):
            wanted = np.concatenate(list(mass.rows()))
            if at := first_over(gaps(computed.numbers(mass.box.area), wanted), TOTAL_TOLERANCE):
                row, col = mass.box.row + at[0], mass.box.col + at[1]
                found = computed.get((row, col))
                return f"{sheet.tab.name}!{a1(row, col)}: {shown(found)}, not {shown(float(wanted[at]))}"
    return ""


def _differing(planned: Iterable[Cell], values: Mapping[tuple[int, int], Value]) -> Iterator[tuple[Cell, Value]]:
    for cell in planned:
        if cell.cached is not None and not isinstance(cell.cached, CellError):
            found = values.get((cell.row, cell.col))
            if not _same(found, cell.cached):
                yield cell, found


def _same(found: Value, wanted: object) -> bool:
    if isinstance(wanted, float):
        return type(found) is float and abs(found - wanted) <= TOTAL_TOLERANCE * max(1.0, abs(wanted))
    return (found or "") == wanted and not isinstance(found, CellError)


def _item(values: NDArray[Any], at: tuple[int, int]) -> object:
    value = values[at]
    return float(value) if isinstance(value, np.floating) else value
