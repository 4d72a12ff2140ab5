"""Likely causes: what a place's numbers look like when a certain mistake was made. Arrays only, no workbook.

Each symptom is a small function from what was found and wanted to a sentence, or nothing where it does not fit. A
cause is a conjecture: it reproduces the found numbers, which does not say how they came about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sheetgpt.sheet.grid import CellError

Numbers = NDArray[np.float64]
_CLOSE = 1e-9
_LOOSE = 1e-5  # where an epsilon under a root keeps a ratio from being quite constant
_MASKED = -1e9  # a score that is wanted below this is a mask
_HIDES = -1e4  # one below this hides as well, as in models of old
_MOST_SUMMED = 4096  # beyond this n, n and n - 1 are too close to be told apart loosely
_SAMPLE = 16  # faulty cells that a pair of operands must explain before all cells are compared
_MOST_HEADS = 6


class Cause(NamedTuple):
    """A symptom's name, the sentence, and the sentence without what changes from place to place."""

    symptom: str
    text: str
    family: str


@dataclass(frozen=True)
class Case:
    """Found and wanted [rows, cols], candidate operands by name, and where the two differ."""

    found: Numbers
    wanted: Numbers
    others: Mapping[str, Numbers]
    lengths: Collection[int] = ()

    @cached_property
    def wrong(self) -> NDArray[np.bool_]:
        """Cells that differ."""
        return ~_close(self.found, self.wanted)

    @cached_property
    def part(self) -> tuple[NDArray[Any], ...]:
        """Index of the rows and columns in which some cell differs."""
        return np.ix_(self.wrong.any(axis=1), self.wrong.any(axis=0))

    @cached_property
    def difference(self) -> Numbers:
        """Found minus wanted, in those rows and columns."""
        return np.asarray((self.found - self.wanted)[self.part])

    @cached_property
    def scale(self) -> float:
        """How large the numbers are that were added: differences are exact to this."""
        return max(1.0, float(np.abs(self.wanted[self.part]).max()))

    @cached_property
    def operands(self) -> dict[str, Numbers]:
        """The candidates that fit the shape, in those rows and columns."""
        fitting = {}
        for name, values in self.others.items():
            if values.ndim == 2 and all(a in (1, b) for a, b in zip(values.shape, self.found.shape, strict=True)):
                fitting[name] = np.broadcast_to(values, self.found.shape)[self.part]
        return fitting

    @cached_property
    def sizes(self) -> list[int]:
        """Lengths over which something may have been summed: of what is read and of the place before all others."""
        ours = [*self.lengths, self.found.shape[1], self.found.shape[0]]
        return [n for n in dict.fromkeys([*ours, *(n for v in self.others.values() for n in v.shape)]) if n > 1]

    def explains(self, difference: Numbers) -> bool:
        """Whether this is the difference that was found."""
        return bool((np.abs(difference - self.difference) <= _CLOSE * self.scale).all())


def likely_cause(
    found: NDArray[Any], wanted: NDArray[Any], others: Mapping[str, NDArray[Any]], lengths: Collection[int] = ()
) -> str:
    """Why `found` [rows, cols] may differ from `wanted`, by its symptoms; '' where nothing fits.

    `others` are the places and weights that may have been read instead, or not at all, by name; `lengths` the
    numbers of rows and columns of what the place reads.
    """
    cause = diagnose(found, wanted, others, lengths)
    return cause.text if cause else ""


def diagnose(
    found: NDArray[Any], wanted: NDArray[Any], others: Mapping[str, NDArray[Any]], lengths: Collection[int] = ()
) -> Cause | None:
    """The first symptom of the table that fits."""
    if found.shape != wanted.shape or found.ndim != 2:
        return None
    if text := _no_number(found):
        return Cause("no number", text, text)
    if not _numeric(wanted):
        return None
    numeric = {name: np.asarray(v, np.float64) for name, v in others.items() if _numeric(v)}
    case = Case(np.asarray(found, np.float64), np.asarray(wanted, np.float64), numeric, lengths)
    if not case.wrong.any():
        return None
    hidden = (case.wanted <= _MASKED) & (case.found <= _HIDES)  # so large that it would hide what the others are off by
    if not case.wrong[~hidden].any():
        text = "another large negative number hides later tokens: the softmax makes 0 of either"
        return Cause("another mask", text, text)
    case = replace(case, found=np.where(hidden, 0.0, case.found), wanted=np.where(hidden, 0.0, case.wanted))
    with np.errstate(all="ignore"):
        for symptom, fits in SYMPTOMS.items():
            if told := fits(case):
                return Cause(symptom, *((told, told) if isinstance(told, str) else told))
    return None


Told = str | tuple[str, str] | None  # a sentence, or a sentence and its family


def _close(a: NDArray[Any], b: NDArray[Any], tolerance: float = _CLOSE) -> NDArray[np.bool_]:
    return np.asarray(np.abs(a - b) <= tolerance * np.maximum(1.0, np.abs(b)))


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return a.shape == b.shape and bool(_close(a, b).all())


def _numeric(values: NDArray[Any]) -> bool:
    return values.dtype != object and values.dtype.kind in "fiu" and bool(np.isfinite(values).all())


def _no_number(found: NDArray[Any]) -> str:
    cells = found.ravel().tolist()
    if error := next((cell for cell in cells if isinstance(cell, CellError)), None):
        return f"a cell shows the error {error}"
    if any(isinstance(cell, str) for cell in cells):
        return "text stands where a number should be"
    if any(cell is None for cell in cells):
        return "a cell is empty"
    return "" if _numeric(found) else "a cell holds no number"


# ---- the wrong cells of the right array -----------------------------------------------------------------


def _frozen(case: Case, axis: str) -> Told:
    """Every row shows what one row should show: a reference that does not move along."""
    found, wanted, wrong = case.found, case.wanted, case.wrong
    if axis == "column":
        found, wanted, wrong = found.T, wanted.T, wrong.T
    if len(found) == 1 or bool(_close(wanted, wanted[:1]).all()):
        return None
    rows = found[wrong.any(axis=1)]
    for k in range(len(wanted)):
        if bool(_close(rows, wanted[k]).all()):
            return f"each faulty {axis} shows what {axis} {k} should show: the reference does not move with the {axis}"
    return None


def _shifted(case: Case, axis: str) -> Told:
    """One row too high or too low."""
    found, wanted = (case.found, case.wanted) if axis == "row" else (case.found.T, case.wanted.T)
    faulty = int(case.wrong.any(axis=1 if axis == "row" else 0).sum())
    if len(found) < 3 or 2 * faulty < len(found):  # rows may be equal to begin with
        return None
    if _same(found[1:], wanted[:-1]):
        return f"each {axis} shows what the {axis} before should show: off by one"
    if _same(found[:-1], wanted[1:]):
        return f"each {axis} shows what the {axis} after should show: off by one"
    return None


def _transposed(case: Case) -> Told:
    rows, cols = case.found.shape
    return "rows and columns are exchanged" if rows == cols > 1 and _same(case.found, case.wanted.T) else None


def _swapped(case: Case) -> Told:
    """Column blocks of equal width in another order, as heads are."""
    width = case.found.shape[1]
    for n in (n for n in range(2, _MOST_HEADS + 1) if width % n == 0):
        found, wanted = np.split(case.found, n, axis=1), np.split(case.wanted, n, axis=1)
        fits = [[_same(f, w) for w in wanted] for f in found]
        for order in permutations(range(n)):
            if all(fits[i][j] for i, j in enumerate(order)):
                return f"{n} blocks of {width // n} columns (heads) stand in the order {', '.join(map(str, order))}"
    return None


def _unmasked(case: Case) -> Told:
    """Something stands above the diagonal, where the causal mask should leave nothing."""
    if case.found.shape[0] != case.found.shape[1]:
        return None
    above = np.triu(np.ones(case.found.shape, bool), 1)
    hidden = case.wanted[above]
    masked = bool(((hidden == 0) | (hidden <= _MASKED)).all())
    return "the causal mask is missing above the diagonal" if masked and case.wrong[above].any() else None


# ---- the right terms, scaled ----------------------------------------------------------------------------


def _sign(case: Case) -> Told:
    return "the sign is changed" if _same(case.found[case.part], -case.wanted[case.part]) else None


def _sample_variance(case: Case) -> Told:
    """Scaled as if a sum of squares had been divided by n - 1, before or after a bias was added."""
    found, wanted = case.found[case.part], case.wanted[case.part]
    nothing = np.zeros_like(found)
    for n in (n for n in case.sizes if n <= _MOST_SUMMED):
        ratios = sqrt((n - 1) / n), sqrt(n / (n - 1)), n / (n - 1)
        for ratio in ratios:
            for offset in (nothing, *case.operands.values()):
                gap = np.abs((found - offset) - ratio * (wanted - offset))
                if (gap <= _LOOSE * np.abs(wanted - offset) + _CLOSE).all():
                    return f"divides by the sample variance (n - 1), not the population's (n), n = {n}"
    return None


def _scaled(case: Case) -> Told:
    """All cells times one number; a root of a width is told as such."""
    found, wanted = case.found[case.part], case.wanted[case.part]
    at = np.unravel_index(int(np.abs(wanted).argmax()), wanted.shape)
    ratio = float(found[at] / wanted[at]) if wanted[at] else 0.0
    if ratio == 0.0 or found.size < 2 or not _same(found, ratio * wanted):
        return None
    for n in case.sizes:
        for factor, text in ((sqrt(n), f"the factor 1/sqrt({n}) is missing"), (1 / sqrt(n), f"1/sqrt({n}) too often")):
            if abs(ratio / factor - 1) <= _CLOSE:
                return text
    for n, m in permutations(case.sizes, 2):
        if abs(ratio / sqrt(n / m) - 1) <= _CLOSE:
            return f"1/sqrt({m}) for 1/sqrt({n})"
    return f"every number is {ratio:.9g} times what it should be", "every number is scaled by a constant"


# ---- the wrong terms ------------------------------------------------------------------------------------


def _one_term(case: Case) -> Told:
    """A term left out, or added twice."""
    for name, values in case.operands.items():
        if case.explains(-values):
            return f"{name} is not added", f"{general(name)} is not added"
        if case.explains(values):
            return f"{name} is added once too often", f"{general(name)} is added once too often"
    return None


def _wrong_term(case: Case) -> Told:
    """One operand in the place of another."""
    for added, right in _pairs(case):
        if case.explains(case.operands[added] - case.operands[right]):
            return f"adds {added} instead of {right}", f"adds {general(added)}, the wrong operand"
    return None


def _pairs(case: Case) -> Iterator[tuple[str, str]]:
    """Pairs of operands whose difference is the one found, on a sample of the faulty cells."""
    names, rows = list(case.operands), np.argwhere(case.wrong[case.part])
    if not names:
        return
    some = tuple(rows[np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(int)].T)
    samples = np.array([case.operands[name][some] for name in names])  # [operand, cell]
    for j, right in enumerate(names):
        fits = np.abs(samples - samples[j] - case.difference[some]).max(axis=1) <= _CLOSE * case.scale
        yield from ((names[i], right) for i in np.flatnonzero(fits))


def _one_entry(case: Case) -> Told:
    """One entry of an operand added everywhere: its reference does not move."""
    for name, values in case.operands.items():
        entry = case.difference + values  # the same number everywhere, and one of the operand's
        whole = np.asarray(case.others[name]).ravel()
        k = int(np.abs(whole - entry.flat[0]).argmin())
        if whole.size > 1 and case.explains(whole[k] - values):
            of = f"entry {k} of {name} is added everywhere: its reference does not move"
            return of, f"entry {k} of {general(name)} is added everywhere"
    return None


def _same_everywhere(case: Case) -> Told:
    """A difference that is one number, or one for each row or column."""
    difference = case.difference
    if difference.size < 2:
        return None
    if case.explains(difference[:1, :1]):
        return f"{difference[0, 0]:.9g} is added to every cell", "one number is added to every cell"
    if len(difference) > 1 and case.explains(difference[:1]):
        return "the same row is added to every row"
    if difference.shape[1] > 1 and case.explains(difference[:, :1]):
        return "the same column is added to every column"
    return None


def general(name: str) -> str:
    """A name without its numbers: h0.attn.head1.q.b is h*.attn.head*.q.b."""
    return re.sub(r"\d+", "*", name)


SYMPTOMS: dict[str, Callable[[Case], Told]] = {
    "frozen row": lambda case: _frozen(case, "row"),
    "frozen column": lambda case: _frozen(case, "column"),
    "shifted rows": lambda case: _shifted(case, "row"),
    "shifted columns": lambda case: _shifted(case, "column"),
    "transposed": _transposed,
    "heads swapped": _swapped,
    "no mask": _unmasked,
    "sign": _sign,
    "sample variance": _sample_variance,
    "scaled": _scaled,
    "a term": _one_term,
    "wrong operand": _wrong_term,
    "frozen operand": _one_entry,
    "constant difference": _same_everywhere,
}
