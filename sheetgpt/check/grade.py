"""Marks for a workbook with blank places that a student has filled in: by values, not by the text of formulas.

An engine computes the student's formulas; numpy says what each place should be on the workbook's own inputs (is the
step right?) and from the prompt on (is the answer?). Then other inputs are typed in and all is computed again, so that
numbers in the guise of formulas are found. What the student left out is typed in for the places that read it.
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
from openpyxl.formula import Tokenizer as FormulaTokenizer
from openpyxl.formula.tokenizer import Token, TokenizerError
from openpyxl.utils import FORMULAE

from sheetgpt.check.evaluate import Env, attempt, run
from sheetgpt.check.faults import Fault, FaultKind, shown
from sheetgpt.check.found import Found, blank_cells, find, named
from sheetgpt.check.gaps import TOTAL_TOLERANCE, failed, gaps
from sheetgpt.check.marks import FULL, Mark, Marked, Status, worth
from sheetgpt.check.source import expected, fitting
from sheetgpt.check.verify import examine
from sheetgpt.errors import SheetGPTError, WorkbookError
from sheetgpt.models.weights import Weights
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.blueprint import Card
from sheetgpt.sheet.book import Formula
from sheetgpt.sheet.classic import CLASSIC
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.grid import CellError, Value, overlap

Mask = NDArray[np.bool_]

_VOLATILE = frozenset(["CELL", "INDIRECT", "INFO", "NOW", "OFFSET", "RAND", "RANDBETWEEN", "RANDARRAY", "TODAY"])
_GENERIC = ("the cat sat on the mat", "what is this", "to be", "a b", "a")
_WHOLE_FILE = frozenset({FaultKind.NAME, FaultKind.TAB, FaultKind.SETTING})


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
    causes = {fault.place: fault.cause for fault in reversed(report.faults) if fault.kind is FaultKind.VALUE}
    marked.changed = [_told(fault) for fault in report.faults if _is_change(fault, blank)]
    marked.notes += [why for why in report.unchecked if "the student" not in why]
    if not terms.blank and terms.card is None:
        marked.notes.append("the student's own file says which places were blank; --exercise or --blank is surer")
    marker = _Marker(path, found, weights, blank, terms, causes)
    marked.marks = [marker.mark(name) for name in blank]
    marked.notes += marker.notes
    return marked


def _is_change(fault: Fault, blank: Iterable[str]) -> bool:
    """Whether a fault is something that was not the student's to change."""
    return fault.kind is not FaultKind.STALE and (fault.place not in set(blank) or fault.kind in _WHOLE_FILE)


def _told(fault: Fault) -> str:
    where = f"{fault.tab}!{fault.cell}" if fault.cell else fault.tab
    more = f" and {fault.more:,} more cells" if fault.more else ""
    return f"{fault.kind}{f' at {fault.place}' if fault.place else ''} ({where}{more}): {fault.found[:80]}"


class _Marker:
    """One student's file, computed as it is and with other inputs."""

    def __init__(
        self,
        path: Path,
        found: Found,
        weights: Weights,
        blank: tuple[str, ...],
        terms: Terms,
        causes: Mapping[str, str],
    ) -> None:
        self.path, self.handed_in, self.weights, self.terms, self.causes = path, found, weights, terms, causes
        self.plan = found.blueprint.plan
        self.notes: list[str] = []
        self.empty = {name: blank_cells(found, name) for name in blank}
        self.wanted, _ = expected(found.blueprint, found.source, found.values)
        self.first = self._computed({}, self.wanted) if self._lacks else found
        self.second = self._second()

    @cached_property
    def _lacks(self) -> bool:
        return any(empty.any() for empty in self.empty.values())

    # ---- the same workbook with other inputs

    def _second(self) -> Found | None:
        """The workbook computed with other inputs; None where there are none."""
        given = _others(self.handed_in, self.weights, self.terms.prompts)
        if not given:
            self.notes.append("no other prompt fits, so formulas were tried with this one alone")
            return None
        data = {name: self.handed_in.values[name] for name, expr in self.plan.items() if expr.op == "data"}
        wanted = run(self.plan, given, self.weights, data)
        with suppress(WorkbookError):  # a cell that is to hold another input was removed
            return self._computed(given, wanted)
        self.notes.append("other inputs cannot be typed into it, so formulas were tried with these alone")
        return None

    def _computed(self, given: Env, wanted: Env) -> Found:
        """The workbook with `given` typed in, and with what is `wanted` in the cells that the student left empty."""
        typed: dict[str, dict[tuple[int, int], Value]] = {}
        for name, values in given.items():
            self._type(typed, name, values, np.ones(values.shape, bool))
        for name, empty in self.empty.items():
            self._type(typed, name, wanted[name], empty)
        with tempfile.TemporaryDirectory(prefix="sheetgpt-") as folder:
            copy = Path(folder, "book.xlsx")
            edit(self.path, copy, typed, {})
            card = self.handed_in.blueprint.card
            return find(copy, self.terms.engine, self.terms.model or card.model, card=card)

    def _type(
        self, typed: dict[str, dict[tuple[int, int], Value]], name: str, values: NDArray[Any], where: Mask
    ) -> None:
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
        formulas = list(_formulas(self.handed_in, name))
        computed = _covered(self.handed_in, name, [f for f in formulas if _reads(f.text)])
        own, known = self._own(self.first, name)
        values = own & ~empty
        steady = values & (self._steady(name) | ~computed)
        right = steady & (computed | self.terms.accept_values)
        status = _status(empty, values, computed, steady, right & self._telling(name), failed(found), known)
        if right.all():
            status = Status.RIGHT
        if status in FULL:
            total = gaps(found, self.wanted[name]) <= TOTAL_TOLERANCE
            status = Status.RIGHT if total.all() else Status.BY_OWN_INPUTS
        of = worth(name, self.terms.points)
        telling = self._telling(name) | (~right & ~empty)
        share = 1.0 if status in FULL else float(right[telling].mean()) if status is Status.PARTLY else 0.0
        notes = [*self._why(name, status, values & ~empty, found), *_odd(formulas)]
        return Mark(name, status, int(right[telling].sum()), int(telling.sum()), of * share, of, "; ".join(notes))

    def _own(self, book: Found, name: str) -> tuple[Mask, Mask]:
        """Which cells are right on the workbook's own inputs, and of which that can be told."""
        own, found = attempt(self.plan, name, book.values), book.values[name]
        unknown = np.array([v is None or v != v for v in own.ravel()], dtype=bool).reshape(own.shape)
        return (gaps(found, own) <= TOTAL_TOLERANCE) & ~unknown & ~failed(found), ~unknown

    def _steady(self, name: str) -> Mask:
        """Which cells are right with other inputs, too, or cannot be told to be wrong."""
        if self.second is None:
            return np.ones(self.plan[name].shape, bool)
        own, known = self._own(self.second, name)
        return own | ~known

    def _telling(self, name: str) -> Mask:
        """The cells that tell a right formula from a wrong one: not those that hide what comes later, nor padding."""
        if self.second is not None:
            differ = attempt(self.plan, name, self.first.values) != attempt(self.plan, name, self.second.values)
            if differ.any():
                return np.asarray(differ, dtype=bool)
        return np.ones(self.plan[name].shape, bool)

    def _why(self, name: str, status: Status, values: Mask, found: NDArray[Any]) -> Iterator[str]:
        """The first cell that is not right on its own inputs, and what may have gone wrong."""
        wrong = np.argwhere(~values & ~self.empty[name]).tolist()
        if not wrong or status in FULL:
            return
        own = attempt(self.plan, name, self.first.values)
        r, c = wrong[0]
        box = named(self.handed_in.book, self.handed_in.blueprint.layout.ranges[name])
        if box is None:
            yield f"the name {name} leads elsewhere"
            return
        stands = _raw(self.first, box.tab, (box.row + r, box.col + c))
        yield f"{box.tab}!{a1(box.row + r, box.col + c)} is {shown(stands)}, not {shown(_plain(own[r, c]))}"
        if cause := self.causes.get(name):
            yield cause
        if isinstance(stands, CellError) and stands in ("#NAME?", "#N/IMPL!", "#ERROR!"):
            yield f"perhaps a function that {self.terms.engine} lacks: try another --engine"


def _status(empty: Mask, values: Mask, computed: Mask, steady: Mask, right: Mask, errors: Mask, known: Mask) -> Status:
    """What became of a place that is not right as a whole, from what became of its cells."""
    if empty.all():
        return Status.BLANK
    if values.all():
        if not computed.any():
            return Status.CONSTANT
        return Status.PARTLY if steady.all() else Status.THIS_PROMPT
    if right.any():
        return Status.PARTLY
    if not known[~empty].any():
        return Status.NOT_JUDGED
    return Status.ERROR if errors[~empty].all() else Status.WRONG


def _plain(value: Any) -> object:
    return float(value) if isinstance(value, (np.floating, float)) else value


def _raw(found: Found, tab: str, at: tuple[int, int]) -> Value:
    computed = found.computed.get(tab)
    return computed[at] if computed and at in computed else found.book.sheets[tab].values.get(at)


# ---- formulas of a student -------------------------------------------------------------------------------


def _formulas(found: Found, name: str) -> Iterator[Formula]:
    """Formulas that compute a cell of a place; each with its area, also an ordinary one."""
    box = named(found.book, found.blueprint.layout.ranges[name])
    for at, formula in found.book.sheets[box.tab].formulas.items() if box else ():
        area = formula.area or at + at
        if box and overlap(area, box.area):
            yield Formula(formula.text, area)


def _covered(found: Found, name: str, formulas: Iterable[Formula]) -> Mask:
    """The cells of a place that some formulas compute."""
    box = named(found.book, found.blueprint.layout.ranges[name])
    covered = np.zeros(found.blueprint.plan[name].shape, bool)
    for formula in formulas if box else ():
        both = formula.area and box and overlap(formula.area, box.area)
        if both and box:
            covered[both[0] - box.row : both[2] - box.row + 1, both[1] - box.col : both[3] - box.col + 1] = True
    return covered


def _tokens(text: str) -> list[Token]:
    try:
        return list(FormulaTokenizer("=" + text).items)
    except TokenizerError:
        return []


def _reads(text: str) -> bool:
    """Whether a formula depends on anything: `=0.25` is a number in disguise."""
    return any(t.subtype == Token.RANGE or t.type == Token.FUNC for t in _tokens(text))


def _odd(formulas: Iterable[Formula]) -> Iterator[str]:
    """What not every program computes, or not twice alike."""
    tokens = [token for text in dict.fromkeys(f.text for f in formulas) for token in _tokens(text)]
    called = {t.value[:-1].strip().upper() for t in tokens if t.type == Token.FUNC and t.subtype == Token.OPEN}
    names = {name: name.removeprefix("_XLFN.").removeprefix("_XLWS.") for name in sorted(called)}
    if volatile := [short for short in names.values() if short in _VOLATILE]:
        yield f"volatile: {', '.join(volatile)[:80]}"
    ours = {name.upper() for name in CLASSIC} | FORMULAE
    if new := [short for name, short in names.items() if name not in ours and short not in _VOLATILE]:
        yield f"not in every program: {', '.join(new)[:80]}"
    if any(t.subtype == Token.RANGE and "[" in t.value for t in tokens):
        yield "reads another file"


# ---- other inputs ----------------------------------------------------------------------------------------


def _others(found: Found, weights: Weights, prompts: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Given places with other values than the workbook's: another prompt, or other ids and numbers."""
    if found.blueprint.card.live:
        text = _other_prompt(found, weights, prompts)
        return {} if text is None else {"prompt.text": np.array([[text]], dtype=object)}
    plan, values = found.blueprint.plan, found.values
    given = {name: -0.5 * values[name][::-1, ::-1] for name, role in plan.roles.items() if role is Role.UPSTREAM}
    if "prompt.ids" in plan:
        given["prompt.ids"] = (values["prompt.ids"] * 7 + 3) % weights.config.n_vocab
        given["prompt.n"] = np.maximum(1.0, values["prompt.n"] - 1)
    return {name: numbers for name, numbers in given.items() if np.isfinite(numbers).all()}


def _other_prompt(found: Found, weights: Weights, prompts: Iterable[str]) -> str | None:
    """The first other prompt that there is room for: of those given, of the words of this one, of any."""
    tokenizer, card = weights.tokenizer(), found.blueprint.card
    own = str(found.values["prompt.text"][0, 0])
    words = own.split()
    for text in [*prompts, " ".join(words[::-1]), own[::-1], " ".join(words[1:]), own[1:], *_GENERIC]:
        with suppress(SheetGPTError):
            if text and text != own and fitting(card, weights, tokenizer, text):
                return text
    return None
