"""What else can be said of a fault: where in its place it is, how far off, what its formula reads, why it may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

from numpy.typing import NDArray

from sheetgpt.check.faults import Fault, FaultKind, distances
from sheetgpt.check.fingerprints import alone
from sheetgpt.check.found import Found
from sheetgpt.check.precedents import precedents
from sheetgpt.check.siblings import Siblings, numbers
from sheetgpt.check.slips import difference
from sheetgpt.check.symptoms import likely_cause
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.a1 import parse_cell
from sheetgpt.sheet.grid import At, Grid, Value

_MOST_READ = 50  # faults whose formulas are followed: weights of a large model are read for it
_MOST_TRIED = 12  # faults whose numbers are searched for a cause
_LARGEST = 40_000  # cells of a place whose numbers are
_OPERANDS = 100
_COMPUTED = frozenset({FaultKind.VALUE, FaultKind.FORMULA})


class Details:
    """Fills the fields of faults that the comparison itself need not know."""

    def __init__(self, workbook: Found, engine: str, own: Callable[[str], NDArray[Any]], faults: Sequence[Fault]):
        self._workbook, self._engine, self._own, self._faults = workbook, engine, own, faults
        self._plan, self._ranges = workbook.blueprint.plan, workbook.blueprint.layout.ranges
        self._tried = 0

    def all(self) -> list[Fault]:
        """The faults in their order, each with what can be said of it."""
        placed = [self._placed(fault) for fault in self._faults]
        told = [self._read(fault) for fault in placed[:_MOST_READ]] + placed[_MOST_READ:]
        return [fault._replace(cause=self._cause(fault)) for fault in told]

    def _placed(self, fault: Fault) -> Fault:
        """Column, block and head of its place, and how far off its number is."""
        block, head = numbers(fault.place)
        feature = None
        if fault.place and fault.cell and self._ranges[fault.place].cols > 1:
            feature = parse_cell(fault.cell)[1] - self._ranges[fault.place].col
        absolute, relative, ulp = distances(fault.found, fault.wanted) or (None, None, None)
        return fault._replace(feature=feature, block=block, head=head, absolute=absolute, relative=relative, ulp=ulp)

    def _read(self, fault: Fault) -> Fault:
        """With what the formula reads that stands there."""
        sheet = self._workbook.book.sheets.get(fault.tab)
        if sheet is None or not fault.cell:
            return fault
        at = parse_cell(fault.cell)
        formula = sheet.formulas.get(at)
        if formula is None and fault.place:  # inside an array
            start, found = self._ranges[fault.place].area[:2], self._workbook.book.sheets[fault.tab].formulas
            formula = found.get(start)
            formula = formula if formula and formula.area and at <= formula.area[2:] else None
        if formula is None:
            return fault
        return fault._replace(precedents=precedents(self._workbook.book, fault.tab, at, formula, self._value))

    def _value(self, tab: str, at: At) -> Value:
        """What a cell shows: computed, or as it stands."""
        computed = self._workbook.computed.get(tab, Grid({}))
        return computed[at] if at in computed else self._workbook.book.sheets[tab].values.get(at)

    # ---- why

    def _cause(self, fault: Fault) -> str:
        if fault.cause:
            return fault.cause
        if fault.kind is FaultKind.CONSTANT:
            wrong = any(f.place == fault.place and f.kind is FaultKind.VALUE for f in self._faults)
            why = self._symptom(fault.place) if wrong else "right now, but it follows no input"
            return f"typed over the formula: {why}" if why else "typed over the formula"
        if fault.kind is FaultKind.ENGINE:
            return f"formula, inputs and cached value are right: {self._engine} computes it otherwise"
        if fault.kind is FaultKind.NAME and fault.found.replace("$", "") == fault.wanted.replace("$", ""):
            return "without $ a name moves with the cell that uses it"
        return self._of_formula(fault) if fault.kind in _COMPUTED else ""

    def _of_formula(self, fault: Fault) -> str:
        if fault.kind is FaultKind.VALUE:
            told = (f for f in self._faults if f.place == fault.place and f.kind is FaultKind.FORMULA)
            return "" if any(self._of_text(f) for f in told) else self._symptom(fault.place)
        return "; ".join(self._of_text(fault)) or self._symptom(fault.place)

    def _of_text(self, fault: Fault) -> list[str]:
        """What a formula's text says: against the plan, against other heads and blocks, against its neighbours."""
        if not fault.found[:1] == fault.wanted[:1] == "=":
            return []
        others = self._siblings.differ_from(fault.place) if fault.place else []
        more = f" and {len(others) - 2} more" if len(others) > 2 else ""
        siblings = f"differs from its siblings {', '.join(others[:2])}{more}" if others else ""
        told = difference(fault.found[1:], fault.wanted[1:]), siblings, self._alone(fault)
        return [text for text in told if text]

    def _symptom(self, place: str) -> str:
        """What the numbers of a place look like."""
        if not place or self._plan.roles[place] is not Role.VALUE or self._tried >= _MOST_TRIED:
            return ""
        rows, cols = self._plan[place].shape
        if rows * cols > _LARGEST or place in self._plan.text:
            return ""
        found, wanted = self._workbook.values[place], self._own(place)
        if (wanted == wanted.round()).all():
            return ""  # ids and counts: too many things are equal by chance
        self._tried += 1
        operands = islice((name for name in self._plan if self._fits(name, rows, cols) and name != place), _OPERANDS)
        others = {name: self._workbook.values[name] for name in operands}
        read = [n for name in self._plan.inputs(place) for n in self._plan[name].shape[::-1]]
        return likely_cause(found, wanted, others, [*read, self._workbook.blueprint.card.config.n_embd])

    def _fits(self, name: str, rows: int, cols: int) -> bool:
        """Whether a place may have been read in the stead of another: a bias, a residual."""
        if name in self._plan.text or self._plan[name].shape == (1, 1):
            return False
        of = self._plan[name].shape
        return of[1] == cols and of[0] in (1, rows)

    def _alone(self, fault: Fault) -> str:
        """How it differs from its neighbours on both sides, where these have one form."""
        sheet = self._workbook.book.sheets.get(fault.tab)
        return alone(sheet, parse_cell(fault.cell)) if sheet and fault.cell else ""

    @cached_property
    def _siblings(self) -> Siblings:
        return Siblings(self._workbook.book)
