"""What a cell is computed from, and what that is computed from: a tree of precedents with their values.

Of any workbook: what places there are is read from its defined names. Where it has a card of ours, places are told by
their role too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sheetgpt.check.formula import plain_tab
from sheetgpt.check.found import matrices_of, planned
from sheetgpt.check.precedents import Operand, chosen, operands
from sheetgpt.check.result import CACHED
from sheetgpt.engines import Values, get
from sheetgpt.errors import SheetGPTError, WorkbookError
from sheetgpt.plan.names import from_transformer_lens
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.a1 import parse_cell, parse_ref, tab_ref
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.book import Book, Formula, Sheet
from sheetgpt.sheet.classic import as_read
from sheetgpt.sheet.grid import Area, At, CellError, Grid, Value, cells, overlap, size
from sheetgpt.sheet.readback import BookFile, open_book

DEEPEST = 50
_SHOWN = 4  # values of a range
_MOST = 24  # operands of one formula that are followed
_MOST_NODES = 5_000
_WITHIN = re.compile(r"(.+)\[(\d{1,7}),\s*(\d{1,5})\]")
_ROLES = {
    Role.PARAMETER: "learned",
    Role.INPUT: "given",
    Role.UPSTREAM: "given: what the stages before compute",
    Role.KNOB: "a cell to play with",
    Role.RECORD: "recorded when the workbook was built",
}


class Node(NamedTuple):
    """A cell, or several that one formula reads, with what their first cell is computed from."""

    ref: str  # 'h0 mlp'!B12, or 'h0 mlp'!B12:IW12
    place: str  # h0.mlp.pre[1,0], h0.mlp.pre[1,0:255]; empty where no name covers the cell
    shape: tuple[int, int] | None  # of the place
    cells: int
    values: tuple[Value, ...]  # the first ones
    formula: str  # of the first cell, as a reader knows it; empty where there is none
    array: str  # the area of its array formula, if it is one
    what: str  # in words: computed, learned, given, text, empty ...
    note: str  # why its formula is not followed further; empty where it is
    reads: tuple[Node, ...] = ()


class Trace(NamedTuple):
    """A tree, and who computed its values."""

    workbook: str
    engine: str  # name and version, or `cached`
    root: Node


def trace(path: Path, cell: str, engine: str = "ironcalc", depth: int = 2) -> Trace:
    """What `cell` of a workbook is computed from, `depth` formulas deep.

    `cell` is a tab and an address ('h0 mlp'!B12), or a place and a cell of it, counted from 0 (h0.mlp.pre[1,0]).
    Raises `SheetGPTError` where there is no such cell, `WorkbookError`, `EngineError`.
    """
    with _opened(path) as (book, blueprint):
        at = _Names(book).find(cell)  # before an engine works for nothing
        computed = get(engine).recalculate(path) if engine != CACHED else {}
        root = _Tracer(book, blueprint, computed).node(Operand(cell, "", at[0], at[1] + at[1]), depth, ())
    version = get(engine).version() if engine != CACHED else ""
    return Trace(str(path), f"{engine} {version}".rstrip(), root)


# ---- the workbook ------------------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Book, Blueprint | None]]:
    """A workbook whose tabs are read when they are asked for, and its blueprint if it is one of ours."""
    with open_book(path) as file:
        try:
            blueprint = planned(file)
        except WorkbookError:
            blueprint = None
        areas = matrices_of(blueprint) if blueprint else {}
        sheets = _Sheets(file, areas)
        yield Book(file.package.path, tuple(file.outline.parts), sheets, **file.outline.facts(file.package)), blueprint


class _Sheets(Mapping[str, Sheet]):
    """The tabs of an open file, each read when it is first asked for."""

    def __init__(self, file: BookFile, matrices: Mapping[str, list[Area]]) -> None:
        self._file, self._matrices = file, matrices
        self._read: dict[str, Sheet] = {}

    def __getitem__(self, tab: str) -> Sheet:
        if tab not in self._read:
            if tab not in self._file.outline.parts:
                raise KeyError(tab)
            self._read[tab] = self._file.sheet(tab, self._matrices.get(tab, ()))
        return self._read[tab]

    def __contains__(self, tab: object) -> bool:
        return tab in self._file.outline.parts

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.outline.parts)

    def __len__(self) -> int:
        return len(self._file.outline.parts)


class _Names:
    """The places of a workbook, as its defined names say."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._areas: dict[str, list[tuple[Area, str]]] = {}
        for name, ref in book.names.items():
            try:
                tab, area = parse_ref(ref)
            except ValueError:
                continue
            self._areas.setdefault(tab, []).append((area, name))

    def of(self, tab: str, area: Area, whole: Area | None) -> tuple[str, Area] | None:
        """The name whose cells those of `area` are: that of the array formula `whole`, else the smallest."""
        around = [(box, name) for box, name in self._areas.get(tab, ()) if overlap(box, area) == area]
        best = min(around, key=lambda found: (found[0] != whole, size(found[0])), default=None)
        return (best[1], best[0]) if best else None

    def find(self, text: str) -> tuple[str, At]:
        """Tab and cell that a text means; raises `SheetGPTError`."""
        quoted, sign, address = text.strip().rpartition("!")
        if sign:
            return self._tab(plain_tab(quoted.strip())), _address(address)
        match = _WITHIN.fullmatch(text.strip())
        name = from_transformer_lens(match[1] if match else text.strip())
        tab, area = self._area(name, text)
        rows, cols = area[2] - area[0] + 1, area[3] - area[1] + 1
        if match is None and size(area) > 1:
            raise SheetGPTError(
                f"{name} is {rows} x {cols} cells: say which, such as {name}[0,0], rows and columns counted from 0"
            )
        row, col = (int(match[2]), int(match[3])) if match else (0, 0)
        if row >= rows or col >= cols:
            raise SheetGPTError(f"{name} is {rows} x {cols} cells, counted from 0: there is no [{row},{col}]")
        return tab, (area[0] + row, area[1] + col)

    def _tab(self, wanted: str) -> str:
        known = {tab.casefold(): tab for tab in self._book.tabs}
        if wanted.casefold() in known:
            return known[wanted.casefold()]
        near = [known[tab] for tab in difflib.get_close_matches(wanted.casefold(), list(known), 3)]
        raise SheetGPTError(f"the workbook has no tab {wanted[:60]!r}{_meant(near)}")

    def _area(self, name: str, text: str) -> tuple[str, Area]:
        try:
            tab, area = parse_ref(self._book.reference(name))
            return self._tab(tab), area
        except ValueError:
            pass
        near = difflib.get_close_matches(name, list(self._book.names), 3)
        hint = _meant(near) or ": name a cell, such as 'h0 mlp'!B12, or a place, such as h0.mlp.pre[5,0]"
        raise SheetGPTError(f"the workbook has no place {text[:60]!r}{hint}")


def _meant(near: list[str]) -> str:
    return f": did you mean {', '.join(near)}?" if near else ""


def _address(text: str) -> At:
    try:
        return parse_cell(text.strip())
    except ValueError as error:
        raise SheetGPTError(f"{error}; one cell is written as B12") from None


# ---- the tree ----------------------------------------------------------------------------------------------


@dataclass
class _Tracer:
    """Follows formulas from cell to cell."""

    book: Book
    blueprint: Blueprint | None
    computed: Values
    _arrays: dict[str, list[tuple[Area, Formula]]] = field(default_factory=dict)
    _nodes: int = 0

    @cached_property
    def _names(self) -> _Names:
        return _Names(self.book)

    def node(self, operand: Operand, depth: int, trail: tuple[tuple[str, At], ...]) -> Node:
        """A cell or a range, and below it what its first cell's formula reads, unless `trail` came through it."""
        self._nodes += 1
        tab, area = operand.tab, operand.area
        if not tab:
            return Node(operand.text, "", None, 0, (), "", "", "leads nowhere: no such name or tab", "")
        first = area[:2]
        formula = self._formula(tab, first)
        place, shape = self._place(tab, area, formula)
        here = Node(
            _ref(tab, area),
            place,
            shape,
            size(area),
            tuple(self._value(tab, at) for at in islice(cells(area), _SHOWN)),
            as_read(formula.text, formula.area is not None) if formula else "",
            _span(formula.area) if formula and formula.area and size(formula.area) > 1 else "",
            self._what(tab, area, formula),
            "",
        )
        if formula is None:
            return here
        if (tab, first) in trail or self._reads_itself(tab, first, formula):
            return here._replace(note="a circle: it is computed from itself")
        if depth <= 0 or self._nodes > _MOST_NODES:
            return here._replace(note="not followed further")
        taken = chosen(self.book, tab, first, formula, self._value)
        every = operands(self.book, tab, first, formula)
        found = [each._replace(area=taken.get(each.text, each.area)) for each in every]
        reads = (self.node(each, depth - 1, (*trail, (tab, first))) for each in found[:_MOST])
        note = f"{len(found) - _MOST} more that it reads are not shown" if len(found) > _MOST else ""
        return here._replace(reads=tuple(reads), note=note)

    def _reads_itself(self, tab: str, at: At, formula: Formula) -> bool:
        return any(
            each.tab == tab and overlap(each.area, at + at) is not None
            for each in operands(self.book, tab, at, formula)
        )

    def _formula(self, tab: str, at: At) -> Formula | None:
        """The formula that computes a cell: its own, or that of the array around it."""
        sheet = self.book.sheets[tab]
        if at in sheet.formulas:
            return sheet.formulas[at]
        if tab not in self._arrays:
            self._arrays[tab] = [(f.area, f) for f in sheet.formulas.values() if f.area and size(f.area) > 1]
        return next((formula for area, formula in self._arrays[tab] if overlap(area, at + at)), None)

    def _value(self, tab: str, at: At) -> Value:
        computed = self.computed.get(tab, Grid({}))
        return computed[at] if at in computed else self.book.sheets[tab].values.get(at)

    def _place(self, tab: str, area: Area, formula: Formula | None) -> tuple[str, tuple[int, int] | None]:
        found = self._names.of(tab, area, formula.area if formula else None)
        if found is None:
            return "", None
        name, box = found
        shape = (box[2] - box[0] + 1, box[3] - box[1] + 1)
        if shape == (1, 1):
            return name, shape
        rows, cols = ((area[i] - box[i], area[i + 2] - box[i]) for i in (0, 1))
        part = ",".join(str(a) if a == b else f"{a}:{b}" for a, b in (rows, cols))
        return f"{name}[{part}]", shape

    def _what(self, tab: str, area: Area, formula: Formula | None) -> str:
        """What stands in the cells, in words."""
        if formula is not None:
            return "computed"
        found = self._names.of(tab, area, None)
        role = self.blueprint.plan.roles.get(found[0]) if self.blueprint and found else None
        if role in _ROLES:
            return _ROLES[role]
        value = self.book.sheets[tab].values.get(area[:2])
        if value is None:
            return "empty: nothing stands there"
        return "text, not computed" if isinstance(value, str) else "a constant, not computed"


def _ref(tab: str, area: Area) -> str:
    return f"{tab_ref(tab)}!{_span(area)}"


def _span(area: Area) -> str:
    return a1(*area[:2]) + (f":{a1(*area[2:])}" if size(area) > 1 else "")


def plain(value: Value) -> object:
    """A value as JSON has it: an error is an object of its own."""
    return {"error": str(value)} if isinstance(value, CellError) else value
