"""Two workbooks, cell by cell: where they first differ, in the order of the pipeline.

Two workbooks that sheetgpt made are compared place by place, each cell of a place with its counterpart even where the
places stand elsewhere; any others tab by tab. One tab of each is in memory at a time, matrices as arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.faults import shown
from sheetgpt.check.formula import canonical
from sheetgpt.check.found import matrices_of, planned
from sheetgpt.check.result import CACHED
from sheetgpt.engines import Values, get
from sheetgpt.errors import WorkbookError
from sheetgpt.plan.checks import RECORDED
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.book import AUTOMATIC, Book, Formula, Sheet
from sheetgpt.sheet.grid import Area, Value
from sheetgpt.sheet.readback import BookFile, open_book

FORMULA, WEIGHT, INPUT, TEXT, CONSTANT, VALUE = "formula", "weight", "input", "text", "number", "value"
KINDS = (FORMULA, WEIGHT, INPUT, TEXT, CONSTANT, VALUE)

_GIVEN = {
    Role.PARAMETER: WEIGHT,
    **dict.fromkeys((Role.INPUT, Role.UPSTREAM, Role.KNOB), INPUT),
    Role.RECORD: CONSTANT,
}

Numbers = NDArray[np.float64]
_STRIP = 1 << 18  # numbers that are compared at once

At = tuple[int, int]


class Told(NamedTuple):
    """Something that differs and is no cell: a card's entry, a tab, a name, a setting."""

    kind: str
    what: str
    a: str
    b: str


class Row(NamedTuple):
    """The cells of one kind that differ in a place, or among the other cells of a tab; the first of them in full."""

    place: str
    tab: str
    kind: str  # one of KINDS
    cells: int
    cell_a: str
    cell_b: str
    a: str
    b: str
    gap: float | None  # the largest, relative; None where not all of them are two numbers


@dataclass
class Difference:
    """All that differs between two workbooks."""

    a: dict[str, str]  # provenance
    b: dict[str, str]
    tolerance: float
    engine: str
    told: list[Told] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)  # in pipeline order
    cells: int = 0  # compared
    uncompared: list[str] = field(default_factory=list)

    @property
    def first(self) -> Row | None:
        """What differs first: a place if any does, else a label."""
        return next((row for row in self.rows if row.place), next(iter(self.rows), None))

    @property
    def exit_code(self) -> int:
        """0 equal, 1 they differ."""
        return 1 if self.told or self.rows else 0


class _Side:
    """One of the two files, open: its outline, its plan if sheetgpt made it, its tabs one by one."""

    def __init__(self, file: BookFile, engine: str) -> None:
        self.file, self.path = file, file.package.path
        self.book: Book = file.book([], {})
        self.blueprint = _planned(file)
        self.areas = matrices_of(self.blueprint) if self.blueprint else {}
        self.computed: Values = {} if engine == CACHED else get(engine).recalculate(self.path)
        self.tabs = {tab.casefold(): tab for tab in self.book.tabs}
        self._last: Sheet | None = None

    def sheet(self, tab: str) -> Sheet:
        """One tab; the last one read is kept."""
        if self._last is None or self._last.name != tab:
            self._last = None
            self._last = self.file.sheet(tab, self.areas.get(tab, ()))
        return self._last

    def value(self, sheet: Sheet, at: At) -> Value:
        """What a cell shows: by the engine, where one has computed it."""
        computed = self.computed.get(sheet.name)
        return computed[at] if computed is not None and at in computed else sheet.values.get(at)

    def provenance(self) -> dict[str, str]:
        """What the file says of itself."""
        told = {"file": str(self.path), "application": self.book.application, "modified": self.book.modified}
        if self.blueprint:
            card = self.blueprint.card
            told |= {"made by": f"sheetgpt {card.version}", "model": card.model, "tokens": str(card.n_rows)}
            told |= {"stages": str(card.stages), "prompts": "any" if card.live else "one"}
        return {key: value for key, value in told.items() if value}


def _planned(file: BookFile) -> Blueprint | None:
    """The blueprint of a workbook that sheetgpt made; None of any other."""
    try:
        return planned(file)
    except WorkbookError:
        return None


class _Patch(NamedTuple):
    """Cells that are compared with each other: those of one place in both files."""

    name: str
    a: Area
    b: Area
    role: Role
    text: bool


class _Found(NamedTuple):
    """One cell that differs, the first of `cells` of its kind; `gap` is the largest."""

    place: str
    kind: str
    a: At
    b: At
    in_a: str
    in_b: str
    gap: float | None
    cells: int = 1


def diff(a: Path, b: Path, tolerance: float = 0.0, engine: str = CACHED) -> Difference:
    """Compare two workbooks; `tolerance` is for all numbers but weights, relative to them and never to
    less than 1; weights are equal or not: whoever saves them must keep every digit.

    With an `engine` both are recalculated, else their cached values are compared. Raises `WorkbookError` for a file
    that is no workbook, `EngineError` and `EngineMissingError`.
    """
    with ExitStack() as stack:
        sides = [_Side(stack.enter_context(open_book(path)), engine) for path in (a, b)]
        return _Comparison(sides[0], sides[1], tolerance, engine).run()


class _Comparison:
    def __init__(self, a: _Side, b: _Side, tolerance: float, engine: str) -> None:
        self.a, self.b, self.tolerance = a, b, tolerance
        self.out = Difference(a.provenance(), b.provenance(), tolerance, engine)
        self.moved = 0  # formulas that cannot be compared, since what they read stands elsewhere

    def run(self) -> Difference:
        """Everything, in order."""
        self.out.told = [*_cards(self.a, self.b), *_tabs(self.a, self.b), *_outline(self.a.book, self.b.book)]
        patches, unlike = self._patches()
        pairs = {(tab, self.b.tabs[fold]) for fold, tab in self.a.tabs.items() if fold in self.b.tabs}
        rank = {tab: i for i, tab in enumerate(self.a.book.tabs)}
        unlabelled: list[str] = []
        for pair in sorted(pairs | patches.keys(), key=lambda p: (rank.get(p[0], len(rank)), p[1])):
            of_pair = patches.get(pair, [])
            loose = pair in pairs and not (unlike & set(pair)) and all(patch.a == patch.b for patch in of_pair)
            self._tab(*pair, of_pair, loose=loose)
            if pair in pairs and not loose:
                unlabelled.append(pair[0])
        if unlabelled:
            where = f"{len(unlabelled)} tabs, the first {unlabelled[0]}, whose places stand elsewhere"
            self.out.uncompared.append(f"labels on {where} or have another shape")
        if self.moved:
            self.out.uncompared.append(f"{self.moved:,} formulas that read other cells since places stand elsewhere")
        self.out.rows.sort(key=self._order())
        return self.out

    def _patches(self) -> tuple[dict[tuple[str, str], list[_Patch]], set[str]]:
        """Places by the tabs on which they stand, and the tabs with places that have no counterpart."""
        patches: dict[tuple[str, str], list[_Patch]] = {}
        one, other = self.a.blueprint, self.b.blueprint
        if one is None or other is None:
            return patches, set()
        unlike: set[str] = set()
        for mine, yours, said in ((one, other, "only in A"), (other, one, "only in B")):
            names = [name for name in mine.plan if name not in yours.plan]
            unlike |= {mine.layout.ranges[name].tab for name in names}
            if names:
                self.out.uncompared.append(f"{len(names):,} places {said}, the first {names[0]}")
        shapes = []
        for name in (name for name in one.plan if name in other.plan and not one.plan.is_view(name)):
            x, y = one.layout.ranges[name], other.layout.ranges[name]
            if (x.rows, x.cols) != (y.rows, y.cols):
                shapes.append(f"{name} ({x.rows} x {x.cols}, {y.rows} x {y.cols})")
                unlike |= {x.tab, y.tab}
            elif x.tab in self.a.tabs.values() and y.tab in self.b.tabs.values():
                patch = _Patch(name, x.area, y.area, one.plan.roles[name], name in one.plan.text)
                patches.setdefault((x.tab, y.tab), []).append(patch)
        if shapes:
            self.out.uncompared.append(f"{len(shapes):,} places of another shape, the first {shapes[0]}")
        return patches, unlike

    def _order(self) -> Callable[[Row], tuple[float, int]]:
        order = {name: float(i) for i, name in enumerate(self.a.blueprint.plan if self.a.blueprint else ())}
        first: dict[str, float] = {}
        for name, i in order.items():
            first.setdefault(self.a.blueprint.layout.ranges[name].tab, i - 0.5)  # type: ignore[union-attr]
        tabs = {tab: 0.0 + len(order) + i for i, tab in enumerate(self.a.book.tabs)}
        kinds = {kind: i for i, kind in enumerate(KINDS)}
        return lambda row: (order[row.place] if row.place else first.get(row.tab, tabs[row.tab]), kinds[row.kind])

    # ---- one tab of each

    def _tab(self, tab_a: str, tab_b: str, patches: list[_Patch], *, loose: bool) -> None:
        x, y = self.a.sheet(tab_a), self.b.sheet(tab_b)
        found = [cell for patch in patches for cell in self._patch(x, y, patch)]
        if loose:
            found += self._loose(x, y, [patch.a for patch in patches])
        groups: dict[tuple[str, str], list[_Found]] = {}
        for cell in found:
            groups.setdefault((cell.place, cell.kind), []).append(cell)
        for (place, kind), cells in groups.items():
            first = min(cells, key=lambda cell: cell.a)
            gaps = [cell.gap for cell in cells if cell.gap is not None]
            gap = max(gaps) if len(gaps) == len(cells) else None
            at = a1(*first.a), a1(*first.b)
            n = sum(cell.cells for cell in cells)
            self.out.rows.append(Row(place, tab_a, kind, n, *at, first.in_a, first.in_b, gap))

    def _patch(self, x: Sheet, y: Sheet, patch: _Patch) -> Iterator[_Found]:
        """The cells of one place."""
        mine, yours = _formulas(x, patch.a), _formulas(y, patch.b)
        for at in sorted(mine.keys() | yours.keys()):
            if not _same_formula(mine.get(at), yours.get(at)):
                if patch.a != patch.b and at in mine and at in yours:
                    self.moved += 1
                    continue
                cells = _plus(patch.a, at), _plus(patch.b, at)
                told = self._content(self.a, x, cells[0]), self._content(self.b, y, cells[1])
                yield _Found(patch.name, FORMULA, *cells, *told, None)
        given = CONSTANT if patch.name.endswith(RECORDED) else _GIVEN.get(patch.role, VALUE)
        kind = TEXT if patch.text and given in (INPUT, CONSTANT) else given
        self.out.cells += (patch.a[2] - patch.a[0] + 1) * (patch.a[3] - patch.a[1] + 1)
        one, other = _numbers(self.a, x, patch.a), _numbers(self.b, y, patch.b)
        step = max(1, _STRIP // one.shape[1])
        for start in range(0, len(one), step):
            yield from self._strip(x, y, patch, kind, start, (one[start : start + step], other[start : start + step]))

    def _strip(
        self, x: Sheet, y: Sheet, patch: _Patch, kind: str, start: int, numbers: tuple[Numbers, Numbers]
    ) -> Iterator[_Found]:
        """Some rows of a place: one find for all numbers that differ, and one for each other cell that does."""
        one, other = numbers
        with np.errstate(invalid="ignore"):
            gaps = np.abs(one - other) / np.maximum(1.0, np.minimum(np.abs(one), np.abs(other)))
        over = gaps > self._tolerance(kind)
        if over.any():
            at = start + int(over.any(axis=1).argmax()), int(over[over.any(axis=1).argmax()].argmax())
            for cell in self._cell(x, y, _plus(patch.a, at), _plus(patch.b, at), patch.name, kind):
                yield cell._replace(gap=float(gaps[over].max()), cells=int(over.sum()))
        for r, c in np.argwhere(np.isnan(gaps)).tolist():
            yield from self._cell(
                x, y, _plus(patch.a, (start + r, c)), _plus(patch.b, (start + r, c)), patch.name, kind
            )

    def _loose(self, x: Sheet, y: Sheet, places: Iterable[Area]) -> Iterator[_Found]:
        """The cells that belong to no place."""
        spans: dict[int, list[tuple[int, int]]] = {}
        for r0, c0, r1, c1 in places:
            for r in range(r0, r1 + 1):
                spans.setdefault(r, []).append((c0, c1))

        def outside(at: At) -> bool:
            return not any(c0 <= at[1] <= c1 for c0, c1 in spans.get(at[0], ()))

        formulas = {at for at in x.formulas.keys() | y.formulas.keys() if outside(at)}
        for at in formulas:
            if not _same_formula(x.formulas.get(at), y.formulas.get(at)):
                told = self._content(self.a, x, at), self._content(self.b, y, at)
                yield _Found("", FORMULA, at, at, *told, None)
        computed = {at for sheet in (x, y) for at in sheet.formula_cells() if outside(at)}
        singles = {at for at in x.values.single.keys() | y.values.single.keys() if outside(at)}
        self.out.cells += len(singles | computed)
        for at in singles | computed:
            yield from self._cell(x, y, at, at, "", VALUE if at in computed else CONSTANT)

    def _cell(self, x: Sheet, y: Sheet, in_a: At, in_b: At, place: str, kind: str) -> Iterator[_Found]:
        """The cell if its values differ."""
        one, other = self.a.value(x, in_a), self.b.value(y, in_b)
        gap = _gap(one, other)
        if gap > self._tolerance(kind):
            kind = TEXT if kind == CONSTANT and (isinstance(one, str) or isinstance(other, str)) else kind
            yield _Found(place, kind, in_a, in_b, shown(one), shown(other), gap if np.isfinite(gap) else None)

    def _tolerance(self, kind: str) -> float:
        return 0.0 if kind == WEIGHT else self.tolerance

    def _content(self, side: _Side, sheet: Sheet, at: At) -> str:
        formula = sheet.formulas.get(at)
        return f"={formula.text}" if formula else shown(side.value(sheet, at))


def _plus(area: Area, at: At) -> At:
    return area[0] + at[0], area[1] + at[1]


def _formulas(sheet: Sheet, area: Area) -> dict[At, Formula]:
    """The formulas that begin in an area, their own areas too from its first cell on."""
    r0, c0, r1, c1 = area
    out = {}
    for (r, c), (text, of) in sheet.formulas.items():
        if r0 <= r <= r1 and c0 <= c <= c1:
            out[r - r0, c - c0] = Formula(text, of and (of[0] - r0, of[1] - c0, of[2] - r0, of[3] - c0))
    return out


def _same_formula(a: Formula | None, b: Formula | None) -> bool:
    if a is None or b is None or a.area != b.area:
        return a is b
    return a.text == b.text or canonical(a.text) == canonical(b.text)


def _numbers(side: _Side, sheet: Sheet, area: Area) -> NDArray[np.float64]:
    """The numbers of an area, computed ones by the engine."""
    stands, computed = sheet.values.numbers(area), side.computed.get(sheet.name)
    return computed.numbers(area, stands) if computed else stands


def _gap(a: Value, b: Value) -> float:
    """How far apart two cells are: of numbers relative to the smaller, never to less than 1; else 0 or infinite."""
    if type(a) is float and type(b) is float:
        return 0.0 if a == b else abs(a - b) / max(1.0, min(abs(a), abs(b)))
    a, b = ("" if value is None else value for value in (a, b))
    return 0.0 if type(a) is type(b) and a == b else np.inf


# ---- what is no cell


def _cards(a: _Side, b: _Side) -> Iterator[Told]:
    """Entries of the cards."""
    if a.blueprint is None or b.blueprint is None:
        if a.blueprint is not b.blueprint:
            said = ("made by sheetgpt" if side.blueprint else "not made by sheetgpt" for side in (a, b))
            yield Told("card", "origin", *said)
        return
    one, other = a.blueprint.card, b.blueprint.card
    for what in ("model", "version", "stages", "live"):
        x, y = getattr(one, what), getattr(other, what)
        if x != y:
            yield Told("card", what, str(x), str(y))
    if one.n_rows != other.n_rows:
        yield Told("card", "tokens", str(one.n_rows), str(other.n_rows))
    mine, yours = one.config.to_dict(), other.config.to_dict()
    for key in mine.keys() | yours.keys():
        if mine.get(key) != yours.get(key):
            yield Told("card", str(key), str(mine.get(key)), str(yours.get(key)))


def _tabs(a: _Side, b: _Side) -> Iterator[Told]:
    for fold, tab in a.tabs.items():
        if fold not in b.tabs:
            yield Told("tab", tab, "there", "not there")
    for fold, tab in b.tabs.items():
        if fold not in a.tabs:
            yield Told("tab", tab, "not there", "there")
    both = [[fold for fold in side.tabs if fold in a.tabs and fold in b.tabs] for side in (a, b)]
    if both[0] != both[1]:
        yield Told("tab", "order", ", ".join(both[0])[:200], ", ".join(both[1])[:200])


def _outline(a: Book, b: Book) -> Iterator[Told]:
    """Names and settings."""
    yield from _unequal("name", _folded(a.names), _folded(b.names))
    yield from _unequal(
        "name of one tab",
        {f"{tab}!{name}": ref for (tab, name), ref in a.local_names.items()},
        {f"{tab}!{name}": ref for (tab, name), ref in b.local_names.items()},
    )
    yield from _unequal("setting", *(dict.fromkeys(_settings(book), "set") for book in (a, b)))
    yield from _unequal("hidden tab", dict.fromkeys(a.hidden, "hidden"), dict.fromkeys(b.hidden, "hidden"))


def _settings(book: Book) -> Iterator[str]:
    yield from book.settings
    if book.calculates != AUTOMATIC:
        yield f"calcMode={book.calculates}"


def _folded(names: Mapping[str, str]) -> dict[str, str]:
    """Names and where they lead, as spreadsheets read them: ignoring case and quotes that need not be."""
    return {name.casefold(): ref for name, ref in names.items()}


def _unequal(kind: str, a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Told]:
    for what in sorted(a.keys() | b.keys()):
        x, y = a.get(what, ""), b.get(what, "")
        if x != y and (not x or not y or canonical(x) != canonical(y)):
            yield Told(kind, what, x or "nothing", y or "nothing")
