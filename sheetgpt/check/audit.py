"""The audit of a foreign workbook: the specification is run on its own weights and tokens, stage by stage.

The *own gap* of a stage compares it with the plan on the workbook's own values of the stages before: a stage with one
is wrong itself. The *total gap* compares it with the plan run from the workbook's tokens on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.evaluate import evaluate, run
from sheetgpt.check.faults import Fault, FaultKind, shown
from sheetgpt.check.gaps import TOTAL_TOLERANCE, first_over, gaps, worst
from sheetgpt.check.lint import lint
from sheetgpt.check.mapping import Mapped, Spot, WorkbookMap
from sheetgpt.check.symptoms import Cause, diagnose, general
from sheetgpt.errors import MapError
from sheetgpt.plan.ops import span
from sheetgpt.plan.plan import Plan, say
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.book import Book
from sheetgpt.sheet.grid import Area, cells
from sheetgpt.sheet.readback import read

Array = NDArray[Any]
TOLERANCE = TOTAL_TOLERANCE
_DRAWN = re.compile(r"\b(RANDBETWEEN|RAND|RANDARRAY|NOW|TODAY)\(", re.IGNORECASE)


class StageRow(NamedTuple):
    """One mapped place: where it is, and how far from the specification."""

    kind: str  # stage, part (a step inside a stage) or copy (cells that repeat a stage)
    name: str
    tab: str
    ref: str
    cells: int  # that are not blank
    faulty: int  # cells whose own gap is too large
    own_gap: float
    total_gap: float
    worst_cell: str
    status: str  # ok, follows (wrong only because a stage before is), wrong


class Family(NamedTuple):
    """Faults of stages with the same symptom."""

    cause: str
    stages: list[str]
    tabs: list[str]
    cells: int
    first: Fault


class CellFault(NamedTuple):
    """One faulty cell."""

    place: str
    tab: str
    cell: str
    formula: str
    found: str
    wanted: str
    gap: float


@dataclass
class Audit:
    """All that an audit found."""

    workbook: str
    map: str
    values: str  # whose numbers they are
    weights: str
    rows: list[StageRow] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)  # one for each faulty stage, part and copy, in the plan's order
    families: list[Family] = field(default_factory=list)  # of stages alone
    formulas: dict[str, int] = field(default_factory=dict)  # formula cells by what they are to the map
    outside: list[str] = field(default_factory=list)  # which formulas are in no stage, and why
    cells: list[CellFault] = field(default_factory=list)
    remarks: list[Fault] = field(default_factory=list)  # what a workbook is better without, which is no fault

    def of(self, kind: str) -> list[StageRow]:
        """The rows of stages, parts or copies."""
        return [row for row in self.rows if row.kind == kind]

    @property
    def exit_code(self) -> int:
        """0 equal, 1 something differs."""
        return 1 if any(row.status != "ok" for row in self.rows) else 0


def audit(path: Path, chart: WorkbookMap, *, each_cell: bool = False) -> Audit:
    """Check a workbook by its map, on the values that the file remembers; with `each_cell` every faulty one is listed.

    Raises `WorkbookError` for a file that cannot be read, `MapError` where the map does not fit it.
    """
    book = read(path)
    if missing := sorted(chart.tabs - book.sheets.keys()):
        raise MapError(f"the map speaks of a tab {missing[0][:40]!r}, which {path.name} does not have")
    present = sum(len(sheet.values) for sheet in book.sheets.values())
    if chart.size > 2 * present:
        raise MapError(f"the map speaks of {chart.size:,} cells, {path.name} has {present:,}")
    return Auditor(book, chart).audit(each_cell)


class Own(Mapping[str, Array]):
    """The workbook's own values; places that it does not have are computed from these, when asked for."""

    def __init__(self, plan: Plan, found: Mapping[str, Array]) -> None:
        self.plan, self.found = plan, found
        self._computed: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name in self.found:
            return self.found[name]
        if name not in self._computed:
            self._computed[name] = self.wanted(name)
        return self._computed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plan)

    def __len__(self) -> int:
        return len(self.plan)

    def wanted(self, name: str) -> Array:
        """The place recomputed from its inputs."""
        with np.errstate(all="ignore"):
            return evaluate(self.plan[name], self)


class Auditor:
    """One workbook under one map."""

    def __init__(self, book: Book, chart: WorkbookMap) -> None:
        self.book, self.chart, self.plan = book, chart, chart.plan
        self.given = {name: np.full(self.plan[name].shape, number) for name, number in chart.constants.items()}
        self.given |= {m.name: self._numbers(m) for m in (*chart.inputs, *chart.weights)}
        self.given.setdefault("prompt.pos", np.arange(float(self.plan["prompt.pos"].shape[0]))[:, None])
        self._check_rows("prompt.ids", chart.config.n_vocab)
        self._check_rows("prompt.pos", chart.config.n_ctx)
        self.stages = {m.name: self._read(m) for m in chart.stages}
        self.own = Own(self.plan, {**self.given, **self.stages})
        self.total = run(self.plan, self.given)
        self.order = {name: i for i, name in enumerate(self.plan)}

    # ---- what stands in the workbook

    def _read(self, mapped: Mapped) -> Array:
        return np.hstack([self._spot(spot) for spot in mapped.spots])

    def _spot(self, spot: Spot) -> Array:
        """The cells of an area as the place has them; blank ones as the map says, what is no number as NaN."""
        r0, c0, r1, c1 = spot.area
        blank = np.full((r1 - r0 + 1, c1 - c0 + 1), np.nan if spot.blank is None else spot.blank)
        numbers = self.book.sheets[spot.tab].values.numbers(spot.area, blank)
        return numbers.T if spot.transposed else numbers

    def _numbers(self, mapped: Mapped) -> Array:
        """What must be numbers, since everything is computed from it."""
        values = self._read(mapped)
        if bad := first_over(np.where(np.isfinite(values), 0.0, 1.0), 0.0):
            tab, cell = _cell(mapped, bad)
            raise MapError(f"{mapped.name}: {tab}!{cell} holds no number, and nothing can be computed without it")
        return values

    def _check_rows(self, name: str, n: int) -> None:
        if not np.isin(self.given[name], np.arange(n)).all():
            raise MapError(f"{name}: the workbook's are not whole numbers from 0 to {n - 1}")

    def _blank(self, mapped: Mapped) -> NDArray[np.bool_]:
        """Cells that are not there, where the map allows that."""
        parts = []
        for spot in mapped.spots:
            stands = self.book.sheets[spot.tab].values
            empty = np.zeros(spot.shape, bool)
            if spot.blank is not None:
                empty = np.reshape([at not in stands for at in cells(spot.area)], _size(spot.area))
                empty = empty.T if spot.transposed else empty
            parts.append(empty)
        return np.hstack(parts)

    # ---- what is wrong

    def audit(self, each_cell: bool) -> Audit:
        """Every stage, part and copy."""
        out = Audit(str(self.book.path), self.chart.title, self._provenance(), self._about_weights())
        kinds = {"stage": self.chart.stages, "part": self.chart.parts, "copy": self.chart.copies}
        causes: list[tuple[Fault, Cause | None, StageRow]] = []
        for kind, mapped in ((kind, m) for kind, group in kinds.items() for m in group):
            found = self.stages[mapped.name] if kind == "stage" else self._read(mapped)
            wanted = self.own[mapped.name] if kind == "copy" else self.own.wanted(mapped.name)
            gap = gaps(found, wanted)
            row = self._row(kind, mapped, gap, gaps(found, self.total[mapped.name]))
            out.rows.append(row)
            if row.faulty:
                cause = diagnose(self._told(mapped, found), wanted, self._operands(mapped.name))
                fault = self._fault(kind, mapped, found, wanted, gap, cause)
                causes.append((fault, cause, row))
                out.cells += self._cells(mapped, found, wanted, gap) if each_cell else ()
        causes.sort(key=lambda c: self.order[c[0].place])
        out.faults = [fault for fault, _, _ in causes]
        out.families = _families([c for c in causes if c[2].kind == "stage"])
        self._coverage(out)
        out.remarks = lint(self.book)
        return out

    def _row(self, kind: str, mapped: Mapped, own: NDArray[np.float64], total: NDArray[np.float64]) -> StageRow:
        faulty = int((own > TOLERANCE).sum())
        present = ~self._blank(mapped) | (own > TOLERANCE)
        own_gap, total_gap = worst(own)[0], worst(total)[0]
        tab, cell = _cell(mapped, worst(own if faulty else total)[1])
        status = "wrong" if faulty else "follows" if total_gap > TOLERANCE else "ok"
        ref = ", ".join(_ref(spot.area) for spot in mapped.spots)
        return StageRow(kind, mapped.name, tab, ref, int(present.sum()), faulty, own_gap, total_gap, cell, status)

    def _fault(
        self, kind: str, mapped: Mapped, found: Array, wanted: Array, gap: NDArray[np.float64], cause: Cause | None
    ) -> Fault:
        at = first_over(gap, TOLERANCE) or (0, 0)
        tab, cell = _cell(mapped, at)
        absolute = float(abs(found[at] - wanted[at]))
        block, head = (re.search(rf"\b{part}(\d+)\.", mapped.name) for part in ("h", "head"))
        says = f"a copy of {mapped.name}" if kind == "copy" else self._means(mapped.name)
        return Fault(
            FaultKind.VALUE,
            mapped.name,
            tab,
            cell,
            self._shown(mapped, at),
            f"{shown(float(wanted[at]))}, {says}",
            f"position {at[0]}",
            self._formula(mapped, at),
            float(gap[at]),
            int((gap > TOLERANCE).sum()) - 1,
            at[1],
            int(block[1]) if block else None,
            int(head[1]) if head else None,
            absolute if np.isfinite(absolute) else None,
            absolute / abs(float(wanted[at])) if np.isfinite(absolute) and wanted[at] else None,
            absolute / float(np.spacing(abs(wanted[at]))) if np.isfinite(absolute) else None,
            cause=cause.text if cause else "",
        )

    def _means(self, name: str) -> str:
        """The place's line of the plan; of a view that of what it views."""
        expr = self.plan[name]
        if expr.op != "columns":
            return say(expr)
        start, stop = span(expr)
        return f"({say(expr.args[0])})[:, {start}:{stop}]"

    def _cells(self, mapped: Mapped, found: Array, wanted: Array, gap: NDArray[np.float64]) -> Iterator[CellFault]:
        for row, col in np.argwhere(gap > TOLERANCE).tolist():
            at = (row, col)
            tab, cell = _cell(mapped, at)
            told = self._formula(mapped, at), self._shown(mapped, at), shown(float(wanted[at]))
            yield CellFault(mapped.name, tab, cell, *told, float(gap[at]))

    def _formula(self, mapped: Mapped, at: tuple[int, int]) -> str:
        tab, row, col = _place(mapped, at)
        formula = self.book.sheets[tab].formulas.get((row, col))
        return formula.text if formula else ""

    def _shown(self, mapped: Mapped, at: tuple[int, int]) -> str:
        tab, row, col = _place(mapped, at)
        return shown(self.book.sheets[tab].values.get((row, col)))

    def _told(self, mapped: Mapped, found: Array) -> Array:
        """The cells of a place; as they are, texts and errors, where some are no number."""
        if np.isfinite(found).all():
            return found
        parts = []
        for spot in mapped.spots:
            values = self.book.sheets[spot.tab].values.values_of(spot.area)
            parts.append(values.T if spot.transposed else values)
        return np.hstack(parts)

    # ---- what may have been read instead

    def _operands(self, name: str) -> dict[str, Array]:
        """Vectors and earlier stages, what the place itself reads first, then its block's."""
        mine = list(self._inputs(name))
        earlier = [n for n in self.stages if self.order[n] < self.order[name]]
        block = name.partition(".")[0] + "."
        known = {**self._vectors, **{n: self.stages[n] for n in earlier}}
        names = sorted(known, key=lambda n: (n not in mine, not n.startswith(block)))
        return {n: known[n] for n in names}

    def _inputs(self, name: str) -> Iterator[str]:
        """What a place reads; of a view, its part of what the viewed place reads."""
        yield from (f"{name}.b",) if self.plan[name].op == "columns" else self.plan.inputs(name)

    @cached_property
    def _vectors(self) -> dict[str, Array]:
        """Biases and gains; those of queries, keys and values for each head by themselves."""
        out = {n: v for n, v in self.given.items() if v.shape[0] == 1}
        for name, expr in ((n, e) for n, e in self.plan.items() if e.op == "columns"):
            start, stop = span(expr)
            biases = (n for n in self.plan.inputs(str(expr.args[0].name)) if n.endswith(".b"))
            out |= {f"{name}.b": self.given[bias][:, start:stop] for bias in biases}
        return out

    # ---- what was looked at

    def _provenance(self) -> str:
        by = self.book.application or "a program that the file does not name"
        return f"cached in the file, as {by} left them; nothing was recalculated"

    def _about_weights(self) -> str:
        """How many weights, and whether another recalculation would give others."""
        drawn: Counter[str] = Counter()
        for spot in (spot for m in self.chart.weights for spot in m.spots):
            formulas = self.book.sheets[spot.tab].formulas
            drawn.update(formulas[at].text for at in cells(spot.area) if at in formulas)
        by: Counter[str] = Counter()
        for text, n in drawn.items():
            by.update({match[1].upper(): n} if (match := _DRAWN.search(text)) else {})
        size = sum(self.given[name].size for name in self.plan.parameters)
        told = ", ".join(f"{n:,} by {function}" for function, n in by.items())
        note = f"; {told}: a recalculation draws others, so the cached ones are used" if by else ""
        return f"the workbook's own, {size:,} numbers{note}"

    def _coverage(self, out: Audit) -> None:
        """Every formula cell of the file by what it is to the map."""
        chart = self.chart
        groups = {"inputs": chart.inputs, "weights": chart.weights, "stages": chart.stages}
        groups |= {"parts": chart.parts, "copies": chart.copies}
        areas: dict[str, list[tuple[str, Area]]] = {}
        for kind, mapped in groups.items():
            for spot in (spot for m in mapped for spot in m.spots):
                areas.setdefault(spot.tab, []).append((kind, spot.area))
        for e in chart.elsewhere:
            areas.setdefault(e.tab, []).append((f"elsewhere: {e.why}", e.area))
        counts: Counter[str] = Counter()
        first = ""
        for tab, sheet in self.book.sheets.items():
            here = np.array(list(sheet.formula_cells())).reshape(-1, 2)  # [cell, row and column]
            for kind, area in areas.get(tab, ()):
                inside = (here >= area[:2]).all(axis=1) & (here <= area[2:]).all(axis=1)
                counts[kind] += int(inside.sum())
                here = here[~inside]
            counts[""] += len(here)
            first = first or (f"{tab}!{a1(*min(here.tolist()))}" if len(here) else "")
        out.formulas = {kind: counts[kind] for kind in groups}
        out.outside = [f"{n:,} {kind}" for kind, n in counts.items() if kind.startswith("elsewhere")]
        if first:
            out.outside.append(f"{counts['']:,} unknown to the map, the first {first}")


def _families(causes: list[tuple[Fault, Cause | None, StageRow]]) -> list[Family]:
    """Faults with the same symptom together; those without a known cause by the kind of place."""
    groups: dict[str, list[tuple[Fault, StageRow]]] = {}
    for fault, cause, row in causes:
        said = cause.family if cause else f"no known cause: {general(fault.place)}"
        groups.setdefault(said, []).append((fault, row))
    return [
        Family(
            said,
            [row.name for _, row in group],
            list(dict.fromkeys(row.tab for _, row in group)),
            sum(row.faulty for _, row in group),
            group[0][0],
        )
        for said, group in groups.items()
    ]


def _place(mapped: Mapped, at: tuple[int, int]) -> tuple[str, int, int]:
    """Tab, row and column of an entry of a place."""
    row, col = at
    for spot in mapped.spots:
        if col < spot.shape[1]:
            down, right = (col, row) if spot.transposed else (row, col)
            return spot.tab, spot.area[0] + down, spot.area[1] + right
        col -= spot.shape[1]
    raise IndexError(f"{mapped.name} has no column {at[1]}")


def _cell(mapped: Mapped, at: tuple[int, int]) -> tuple[str, str]:
    tab, row, col = _place(mapped, at)
    return tab, a1(row, col)


def _size(area: Area) -> tuple[int, int]:
    return area[2] - area[0] + 1, area[3] - area[1] + 1


def _ref(area: Area) -> str:
    return f"{a1(*area[:2])}:{a1(*area[2:])}"
