"""Marks for a workbook with blank places that a student has filled in: by values, not by the text of formulas.

An engine computes the student's formulas; numpy says what each place should be on the workbook's own inputs (is the
step right?) and from the prompt on (is the answer?). Then other inputs are typed in and all is computed again, so that
numbers in the guise of formulas are found. What the student left out is typed in for the places that read it, and so is
what else was changed: only errors in places that were left blank go through what follows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.answers import (
    Mask,
    covered,
    depends,
    formula_at,
    formulas_of,
    odd,
    unknown_names,
    unsure_functions,
)
from sheetgpt.check.evaluate import Env, Layers, attempt, run
from sheetgpt.check.faults import Fault, FaultKind, many, shown
from sheetgpt.check.found import Found, blank_cells, find, named
from sheetgpt.check.gaps import TOTAL_TOLERANCE, failed, gaps
from sheetgpt.check.inputs import starts, turned
from sheetgpt.check.marks import FULL, Mark, Marked, Status, worth
from sheetgpt.check.others import Given, Prompts, other_numbers, typed_prompt
from sheetgpt.check.source import expected
from sheetgpt.check.verify import examine
from sheetgpt.errors import SheetGPTError, WorkbookError
from sheetgpt.models.weights import Weights
from sheetgpt.plan.model import MASKED
from sheetgpt.plan.plan import Plan, Role
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.blueprint import Card
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.grid import At, CellError, Value, overlap
from sheetgpt.sheet.layout import Range

_WHOLE_FILE = frozenset({FaultKind.NAME, FaultKind.TAB, FaultKind.SETTING})
_STANDS = frozenset({FaultKind.STALE, FaultKind.ENGINE})  # faults of a place that holds what it should


@dataclass(frozen=True)
class Terms:
    """How to mark."""

    engine: str = "ironcalc"
    model: str | None = None  # a bundled name or a folder, where the card's model is not bundled
    card: Card | None = None  # of the exercise as it was handed out; else the student's own file says what was blank
    blank: tuple[str, ...] = ()  # patterns of the places to mark, in place of the card's
    points: Mapping[str, float] = field(default_factory=dict)  # pattern -> points
    accept_values: bool = False  # right numbers without formulas count
    prompts: tuple[str, ...] = ()  # other prompts to try


def grade(path: Path, terms: Terms) -> Marked:
    """The marks of one file; `problem` says why where it cannot be marked. Raises nothing for a bad file."""
    try:
        return _graded(path, terms)
    except SheetGPTError as error:
        return Marked(str(path), problem=str(error))
    except OSError as error:
        return Marked(str(path), problem=f"cannot be read ({error.strerror or type(error).__name__})")


def card_of(path: Path) -> Card:
    """The card of an exercise; raises `WorkbookError` for a file that has none."""
    return find(path, "cached", None).blueprint.card


def _graded(path: Path, terms: Terms) -> Marked:
    found = find(path, terms.engine, terms.model, card=terms.card)
    if terms.model is None and found.source.weights is None:
        found = find(path, terms.engine, found.blueprint.card.model, card=terms.card)  # says why the model is not here
    weights = found.source.weights
    if weights is None:
        raise WorkbookError(f"{path.name}: {found.source.note}")
    blank = found.blueprint.with_blank(terms.blank).card.blank if terms.blank else found.blueprint.card.blank
    if not blank:
        raise WorkbookError(f"{path.name}: no place of it was left blank; --blank names the places to mark")
    marked = Marked(str(path))
    report = examine(found, terms.engine)
    marked.changed = [_told(fault) for fault in report.faults if _is_change(fault, blank)]
    marked.notes += [why for why in report.unchecked if "the student" not in why]
    if not terms.blank and terms.card is None:
        marked.notes.append("the student's own file says which places were blank; --exercise or --blank is surer")
    marker = _Marker(path, found, weights, blank, terms, report.faults)
    marked.marks = [marker.mark(name) for name in blank]
    marked.notes += marker.notes
    return marked


def _is_change(fault: Fault, blank: Iterable[str]) -> bool:
    """Whether a fault is something that was not the student's to change."""
    return fault.kind is not FaultKind.STALE and (fault.place not in set(blank) or fault.kind in _WHOLE_FILE)


def _told(fault: Fault) -> str:
    where = f"{fault.tab}!{fault.cell}" if fault.cell else fault.tab
    more = f" and {many(fault.more, 'more cell')}" if fault.more else ""
    return f"{fault.kind}{f' at {fault.place}' if fault.place else ''} ({where}{more}): {fault.found[:80]}"


class _Marker:
    """One student's file, computed with what it lacks, and with other inputs."""

    def __init__(
        self,
        path: Path,
        found: Found,
        weights: Weights,
        blank: tuple[str, ...],
        terms: Terms,
        faults: Iterable[Fault],
    ) -> None:
        self.path, self.handed_in, self.weights, self.terms = path, found, weights, terms
        self.faults = list(faults)
        self.plan = found.blueprint.plan
        self.notes: list[str] = []
        self.empty = {name: blank_cells(found, name) for name in blank}
        self.begun = {n: v for n, v in starts(self.plan, found.values).items() if self.plan.roles[n] is Role.KNOB}
        self.wanted, _ = expected(found.blueprint, found.source, Layers(self.begun, found.values))
        self.changed = self._changed()
        self.lost = {name for name in self.changed if self._astray(name)}  # places that cannot be put right
        self.first = self._computed({}, self.wanted) if self._lacks or self.changed else found
        self.telling = {name: np.zeros(self.plan[name].shape, bool) for name in blank}
        self.tried = {name: np.zeros(self.plan[name].shape, bool) for name in blank}
        self.others = list(self._others())
        self.beyond = self.plan.after(self.lost)
        if put_right := [name for name in self.changed if name not in self.lost]:
            more = f" and {len(put_right) - 3} more" if len(put_right) > 3 else ""
            self.notes.append(f"marked with the exercise's own {', '.join(put_right[:3])}{more}, not as changed")

    @cached_property
    def _lacks(self) -> bool:
        return any(empty.any() for empty in self.empty.values())

    def _changed(self) -> list[str]:
        """Places that were not left blank and do not hold what was handed out, also knobs that were turned."""
        wrong = {fault.place for fault in self.faults if fault.kind not in _STANDS} - {"prompt.text"}
        found = self.handed_in.values
        for name, begun in self.begun.items():
            if any(turned(a, b) for a, b in zip(found[name].ravel().tolist(), begun.ravel().tolist(), strict=True)):
                wrong.add(name)
        return [name for name in self.plan if name in wrong and name not in self.empty]

    def _astray(self, name: str) -> bool:
        """Whether a place's name leads into another place, so that none of both can be put right."""
        there, planned = self._boxes[name], self.handed_in.blueprint.layout.ranges
        if there is None or there == planned[name]:
            return False
        into = (n for n, box in self._boxes.items() if box and n != name and _meet(box, there))
        return any(not _meet(planned[n], planned[name]) for n in into)

    @cached_property
    def _boxes(self) -> dict[str, Range | None]:
        """Where the names of all places lead."""
        return {name: named(self.handed_in.book, box) for name, box in self.handed_in.blueprint.layout.ranges.items()}

    # ---- the same workbook with other inputs

    def _others(self) -> Iterator[Found]:
        """The workbook computed with other inputs of ours, and with each prompt of the teacher's that fits."""
        for inputs in self._ours():
            wanted = self._run(inputs)
            for name, telling in self.telling.items():
                telling |= wanted[name] != self.wanted[name]
        live = self.handed_in.blueprint.card.live
        given = [typed_prompt(text) for text in self._prompts] if live else [self._numbers]
        if not any(given):
            self.notes.append("no other prompt fits, so formulas were tried with this one alone")
        for inputs in filter(None, given):
            try:
                wanted = self._run(inputs)
                yield self._computed(inputs, wanted)
            except WorkbookError:  # a cell that is to hold another input was removed
                self.notes.append("other inputs cannot be typed into it, so formulas were tried with these alone")
                return
            for name, tried in self.tried.items():
                tried |= wanted[name] != self.wanted[name]

    @cached_property
    def _numbers(self) -> Given:
        return other_numbers(self.handed_in.blueprint, self.wanted)

    @cached_property
    def _prompts(self) -> list[str]:
        """Ours, that tells most, then the teacher's."""
        prompts = Prompts(self.handed_in.blueprint, self.weights, str(self.wanted["prompt.text"][0, 0]))
        fitting = [text for text in self.terms.prompts if prompts.ids(text)]
        self.notes += [f"the prompt {shown(text)} does not fit" for text in self.terms.prompts if text not in fitting]
        return list(dict.fromkeys(text for text in (prompts.best(), *fitting) if text is not None))

    def _ours(self) -> Iterator[Given]:
        """Inputs that say which cells tell anything: the same whatever prompt the teacher chose."""
        if self._numbers:
            yield self._numbers
        if self.handed_in.blueprint.card.live:
            yield from (typed_prompt(text) for text in self._prompts if text not in self.terms.prompts)

    def _run(self, given: Given) -> Env:
        data = {name: self.wanted[name] for name, expr in self.plan.items() if expr.op == "data" and name not in given}
        return run(self.plan, given, self.weights, data)

    def _computed(self, given: Given, wanted: Env) -> Found:
        """The workbook with `given` typed in, and with what is `wanted` in cells left empty and places changed."""
        with suppress(WorkbookError):
            if mended := [name for name in self.changed if name not in self.lost]:
                found = self._edited(given, wanted, mended)
                self.lost |= {name for name in self.changed if not _close(found.values[name], wanted[name]).all()}
                return found
        self.lost |= set(self.changed)
        return self._edited(given, wanted, ())

    def _edited(self, given: Given, wanted: Env, changed: Iterable[str]) -> Found:
        typed: dict[str, dict[At, Value]] = {}
        for name in changed:
            self._type(typed, name, wanted[name], self._to_type(name, wanted[name]))
        for name, values in given.items():
            self._type(typed, name, values, np.ones(values.shape, bool))
        for name, empty in self.empty.items():
            self._type(typed, name, wanted[name], empty)
        with tempfile.TemporaryDirectory(prefix="sheetgpt-") as folder:
            copy = Path(folder, "book.xlsx")
            edit(self.path, copy, typed, {}, over=True)
            card = self.handed_in.blueprint.card
            return find(copy, self.terms.engine, self.terms.model or card.model, card=card)

    def _to_type(self, name: str, wanted: NDArray[Any]) -> Mask:
        """Cells of a changed place to put right: all, or of weights, which may be many, those that are wrong."""
        if self.plan.roles[name] is not Role.PARAMETER:
            return np.ones(wanted.shape, bool)
        formulas = covered(self.handed_in, name, formulas_of(self.handed_in, name))
        return np.asarray(formulas | (self.handed_in.values[name] != wanted))

    def _type(self, typed: dict[str, dict[At, Value]], name: str, values: NDArray[Any], where: Mask) -> None:
        planned = self.handed_in.blueprint.layout.ranges[name]
        box = named(self.handed_in.book, planned) or planned
        for r, c in np.argwhere(where).tolist():
            value = values[r, c]
            if isinstance(value, str) or np.isfinite(value):
                typed.setdefault(box.tab, {})[box.row + r, box.col + c] = (
                    value if isinstance(value, str) else float(value)
                )

    # ---- a mark

    def mark(self, name: str) -> Mark:
        """What became of a place."""
        empty, found = self.empty[name], self.first.values[name]
        formulas = list(formulas_of(self.handed_in, name))
        computed = covered(self.handed_in, name, [f for f in formulas if depends(f.text)])
        own, known = self._own(self.first, name)
        values, telling = own & ~empty, self._telling(name)
        steady = values & (self._steady(name) | ~computed)
        right = steady & (computed | self.terms.accept_values)
        if (values & ~steady).any():  # numbers hidden in formulas: then what was not tried is no merit
            right &= self.tried[name]
        right |= values & _hides(self.plan, name, found, self.wanted[name])
        status = _status(empty, values, computed & telling, steady, right & telling, failed(found), known)
        if right.all():
            total = _close(found, self.wanted[name]) | _hides(self.plan, name, found, self.wanted[name])
            status = Status.RIGHT if total.all() else Status.BY_OWN_INPUTS
        of, counted = worth(name, self.terms.points), telling | ~right
        share = 1.0 if status in FULL else float(right[counted].mean()) if status is Status.PARTLY else 0.0
        notes = [*self._why(name, status, ~values & ~empty, known), *odd(formulas)]
        if share and name in self.beyond:
            status, share = Status.NOT_JUDGED, 0.0
            notes = [f"it follows from {', '.join(sorted(self.lost)[:3])}, changed and not to be put right", *notes]
        return Mark(name, status, int(right[counted].sum()), int(counted.sum()), of * share, of, "; ".join(notes))

    def _own(self, book: Found, name: str) -> tuple[Mask, Mask]:
        """Which cells are right on the workbook's own inputs, and of which that can be told."""
        own, found = attempt(self.plan, name, book.values), book.values[name]
        unknown = np.array([v is None or v != v for v in own.ravel()], dtype=bool).reshape(own.shape)
        right = _close(found, own) | _hides(self.plan, name, found, own)
        return right & ~unknown & ~failed(found), ~unknown

    def _steady(self, name: str) -> Mask:
        """Which cells are right with other inputs, too, or cannot be told to be wrong."""
        steady = np.ones(self.plan[name].shape, bool)
        for book in self.others:
            own, known = self._own(book, name)
            steady &= own | ~known
        return steady

    def _telling(self, name: str) -> Mask:
        """The cells that tell a right formula from a wrong one: not those that hold the same whatever is typed."""
        telling = self.telling[name]
        return telling if telling.any() else np.ones(telling.shape, bool)

    # ---- why

    def _why(self, name: str, status: Status, wrong: Mask, known: Mask) -> Iterator[str]:
        """What is blank, the first cell that is not right on its own inputs, and what may have gone wrong."""
        if status in FULL or status is Status.BLANK:
            return
        if blank := int(self.empty[name].sum()):
            yield f"{blank:,} {'cell is' if blank == 1 else 'cells are'} blank"
        if (wrong & ~known).any() and not (wrong & known).any():
            yield self._came_in(name)
        for r, c in np.argwhere(wrong & known).tolist()[:1]:
            yield from self._of_cell(name, (r, c))

    def _of_cell(self, name: str, at: At) -> Iterator[str]:
        """What a wrong cell shows, what it should, and why that may be."""
        box = named(self.handed_in.book, self.handed_in.blueprint.layout.ranges[name])
        if box is None:
            yield f"the name {name} leads elsewhere"
            return
        cell = box.row + at[0], box.col + at[1]
        stands = _raw(self.first, box.tab, cell)
        own = attempt(self.plan, name, self.first.values)[at]
        yield f"{box.tab}!{a1(*cell)} is {shown(stands)}, not {shown(_plain(own))}"
        if cause := self._causes.get(name):
            yield cause
        if isinstance(stands, CellError) and stands in ("#NAME?", "#N/IMPL!", "#ERROR!"):
            text = formula_at(formulas_of(self.handed_in, name), cell)
            if names := unknown_names(self.handed_in.book, box.tab, text):
                yield f"no such name in the workbook: {', '.join(names)[:80]}"
            elif functions := unsure_functions(text):
                yield f"perhaps {', '.join(functions)[:80]}, if {self.terms.engine} lacks it: try another --engine"

    @cached_property
    def _causes(self) -> Mapping[str, str]:
        """Likely causes by place, from the workbook that is marked."""
        same = self.first is self.handed_in
        faults = self.faults if same else examine(self.first, self.terms.engine).faults
        return {fault.place: fault.cause for fault in reversed(faults) if fault.kind is FaultKind.VALUE}

    def _came_in(self, name: str) -> str:
        """Which input of a place shows no value that it could be judged by, and where that began."""
        trail = [name]
        while failing := [i for i in self.plan.inputs(trail[-1]) if self._fails(i)]:
            trail.append(failing[0])
        if len(trail) == 1:
            return "its inputs make no sense"
        box = named(self.handed_in.book, self.handed_in.blueprint.layout.ranges[trail[-1]])
        began = f", where it began at {trail[-1]}" if len(trail) > 2 else ""
        if box is None:
            return f"an error came in with {trail[1]}{began}"
        r, c = np.argwhere(failed(self.first.values[trail[-1]])).tolist()[0]
        cell = box.row + r, box.col + c
        told = f"{box.tab}!{a1(*cell)} is {shown(_raw(self.first, box.tab, cell))}"
        return f"an error came in with {trail[1]}{began}: {told}"

    def _fails(self, name: str) -> bool:
        return name not in self.first.same and bool(failed(self.first.values[name]).any())


def _meet(a: Range, b: Range) -> bool:
    return a.tab == b.tab and overlap(a.area, b.area) is not None


def _close(found: NDArray[Any], wanted: NDArray[Any]) -> Mask:
    return np.asarray(gaps(found, wanted) <= TOTAL_TOLERANCE)


def _hides(plan: Plan, name: str, found: NDArray[Any], wanted: NDArray[Any]) -> Mask:
    """Masked scores that hide as they should: whatever their number, softmax makes exactly 0 of it."""
    masked = np.zeros(wanted.shape, bool) if name in plan.text else wanted == MASKED
    if not masked.any():
        return masked
    with np.errstate(all="ignore"):
        most = np.where(masked, -np.inf, wanted).max(axis=1, keepdims=True)
        return np.asarray(masked & np.isfinite(found) & (np.exp(found - most) == 0))


def _status(empty: Mask, values: Mask, computed: Mask, steady: Mask, right: Mask, errors: Mask, known: Mask) -> Status:
    """What became of a place that is not right as a whole, from what became of its cells."""
    if empty.all():
        return Status.BLANK
    if values.all() and computed.any() and not steady.all():
        return Status.THIS_PROMPT
    if right.any():
        return Status.PARTLY
    if values[~empty].all():  # and yet none of it counts
        return Status.THIS_PROMPT if computed.any() else Status.CONSTANT
    if not known[~empty].any():
        return Status.NOT_JUDGED
    return Status.ERROR if errors[~empty].all() else Status.WRONG


def _plain(value: Any) -> object:
    return float(value) if isinstance(value, (np.floating, float)) else value


def _raw(found: Found, tab: str, at: At) -> Value:
    computed = found.computed.get(tab)
    return computed[at] if computed and at in computed else found.book.sheets[tab].values.get(at)
