"""What stands in a workbook, by place: weights tab by tab, so that those of a large model need not all be in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.claims import read_card, read_facts
from sheetgpt.check.gaps import as_text
from sheetgpt.check.result import CACHED
from sheetgpt.check.shared import ALONE, Shared
from sheetgpt.check.source import Source
from sheetgpt.engines import Values
from sheetgpt.errors import LayoutError, WorkbookError
from sheetgpt.models.weights import Weights
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.a1 import parse_ref
from sheetgpt.sheet.blueprint import CARD_NAME, Blueprint, Card, Planned
from sheetgpt.sheet.book import Book, Sheet
from sheetgpt.sheet.grid import Area, Block, Grid, overlap, size
from sheetgpt.sheet.head import ParameterFact
from sheetgpt.sheet.layout import Range
from sheetgpt.sheet.readback import BookFile
from sheetgpt.sheet.sheetxml import LEAST_CELL


@dataclass(frozen=True)
class Found:
    """A workbook as it was found, what an engine made of it, and where its weights came from."""

    book: Book
    blueprint: Blueprint
    computed: Values  # what formulas compute, by the engine; every value of the file where no engine ran
    values: FoundValues
    facts: list[ParameterFact]
    source: Source
    same: frozenset[str]  # weights that are, number for number, those of the model here


class FoundValues(Mapping[str, NDArray[Any]]):
    """Every place's values: computed ones from the engine, the rest as they stand; text as objects, else float64.

    Those of a weight are read anew each time, all others once.
    """

    def __init__(self, book: Book, blueprint: Planned, values: Values) -> None:
        self._book, self._blueprint, self._values = book, blueprint, values
        self._kept: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._kept:
            found = self._read(name)
            if self._blueprint.plan.roles[name] is Role.PARAMETER:
                return found
            self._kept[name] = found
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._blueprint.plan)

    def __len__(self) -> int:
        return len(self._blueprint.plan)

    def _read(self, name: str) -> NDArray[Any]:
        plan = self._blueprint.plan
        box = named(self._book, self._blueprint.layout.ranges[name])
        if box is None:
            blank, kind = ("", object) if name in plan.text else (np.nan, float)
            return np.full(plan[name].shape, blank, kind)
        stands, computed = self._book.sheets[box.tab].values, self._values.get(box.tab)
        if name not in plan.text:
            numbers = stands.numbers(box.area)
            return computed.numbers(box.area, numbers) if computed else numbers
        texts = stands.values_of(box.area)
        if computed:
            for r, c in np.ndindex(texts.shape):
                texts[r, c] = computed.get((box.row + r, box.col + c), texts[r, c])
        return as_text(texts)


def named(book: Book, box: Range) -> Range | None:
    """Where the workbook's defined name says that a place is; None if that is nowhere, or of another shape."""
    try:
        tab, (r0, c0, r1, c1) = parse_ref(book.reference(box.name))
    except ValueError:
        return None
    same = tab in book.sheets and (r1 - r0 + 1, c1 - c0 + 1) == (box.rows, box.cols)
    return Range(box.name, tab, r0, c0, box.rows, box.cols) if same else None


def blank_cells(found: Found, name: str) -> NDArray[np.bool_]:
    """Cells of a place that hold neither a formula nor a value; those of a view are the cells that it shows."""
    return unfilled(found.book, found.blueprint.layout.ranges[name])


def unfilled(book: Book, place: Range) -> NDArray[np.bool_]:
    """As `blank_cells`, of a place that the plan has here."""
    box = named(book, place) or place
    sheet = book.sheets.get(box.tab)
    if sheet is None:
        return np.ones((box.rows, box.cols), bool)
    values = sheet.values.values_of(box.area)
    empty = np.array([value is None for value in values.ravel()], dtype=bool).reshape(values.shape)
    for area in sheet.areas():
        if both := overlap(area, box.area):
            empty[both[0] - box.row : both[2] - box.row + 1, both[1] - box.col : both[3] - box.col + 1] = False
    return empty


def find(path: Path, engine: str, model: str | None, shared: Shared = ALONE, card: Card | None = None) -> Found:
    """Read a workbook and let `engine` compute it; see `verify` for what is raised. `card` overrules the file's."""
    with shared.open(path) as file:
        blueprint = planned(file, card)
        weights = {tab.name for tab in blueprint.layout.tabs if tab.lesson in {"matrix", "vectors"}}
        areas = matrices_of(blueprint)
        file.expect(2 * (blueprint.cells - blueprint.card.n_weights))
        book = file.book([tab for tab in file.outline.parts if tab not in weights], areas)
        _check_formulas(book, blueprint)
        for tab in weights & file.outline.parts.keys():
            file.look_over(tab)
        computed: Values = shared.recalculate(engine, file) if engine != CACHED else {}
        source = Source.find(blueprint.card, model)
        same: set[str] = set()
        sheets = dict(book.sheets)
        for tab in weights & file.outline.parts.keys():
            sheets[tab] = file.sheet(tab, areas.get(tab, ()))
            if source.weights is not None and not sheets[tab].formulas and not computed.get(tab):
                sheets[tab], equal = shared.weights(sheets[tab], source.weights, blueprint, _shared)
                same |= equal
    book = replace(book, sheets={tab: sheets[tab] for tab in book.tabs})
    same -= {name for name in same if named(book, blueprint.layout.ranges[name]) != blueprint.layout.ranges[name]}
    values = FoundValues(book, blueprint, computed)
    facts = read_facts(book, blueprint)
    if model is None:
        source = source.unless_others(values, {fact.name: fact.numbers_sha256 for fact in facts})
    if engine == CACHED:
        computed = {tab: sheet.values for tab, sheet in book.sheets.items()}
    return Found(book, blueprint, computed, values, facts, source, frozenset(same if source.weights else ()))


def card_of(file: BookFile) -> Card:
    """The card, from the one tab on which it stands; raises `WorkbookError` where there is none."""
    try:
        tab = parse_ref(file.book([], {}).reference(CARD_NAME))[0]
    except ValueError:
        tab = ""
    return read_card(file.book([tab] if tab in file.outline.parts else [], {}))


def planned(file: BookFile, card: Card | None = None) -> Blueprint:
    """The plan that a workbook's card (or `card`) stands for, once it is sure that the file is large enough to hold it.

    Raises `WorkbookError`.
    """
    package, card = file.package, card or card_of(file)
    most = sum(package.entry(part).file_size for part in file.outline.parts.values()) // LEAST_CELL
    try:
        if card.n_heads > len(file.outline.names):
            raise LayoutError("its card names more heads than the file has names")
        blueprint = Blueprint.of(card)
        if card.n_weights > most:
            raise LayoutError(f"its card names {card.n_weights:,} weights, the file has room for {most:,} cells")
        if blueprint.cells - card.n_weights > 4 * most:
            raise LayoutError(f"its card plans {blueprint.cells:,} cells, the file has room for {most:,} at most")
    except LayoutError as error:
        raise WorkbookError(f"{package.path.name}: {error}") from None
    return blueprint


def matrices_of(blueprint: Blueprint) -> dict[str, list[Area]]:
    """By tab: what should be numbers side by side."""
    areas: dict[str, list[Area]] = {}
    for name, box in blueprint.layout.ranges.items():
        if not blueprint.plan.is_view(name) and name not in blueprint.plan.text:
            areas.setdefault(box.tab, []).append(box.area)
    return {tab: sorted(found) for tab, found in areas.items()}


def _check_formulas(book: Book, blueprint: Blueprint) -> None:
    """Refuse a file that computes far more than its card plans, or far less."""
    wanted = blueprint.cells - blueprint.card.n_weights
    present = sum(len(sheet.values) for sheet in book.sheets.values())
    computed = sum(size(area) for sheet in book.sheets.values() for area in sheet.areas())
    if computed > 2 * wanted or wanted > 2 * (present + computed):
        raise WorkbookError(f"{book.path.name}: its card plans {wanted:,} cells, formulas compute {computed:,}")


def _shared(sheet: Sheet, weights: Weights, blueprint: Blueprint) -> tuple[Sheet, set[str]]:
    """The sheet, without numbers that can be read from the model here as well, and the names of these."""
    same: set[str] = set()
    boxes = [box for name, box in blueprint.layout.ranges.items() if box.tab == sheet.name and name in weights]
    known = {box.area: box.name for box in boxes}
    blocks = []
    for block in sheet.values.blocks:
        name = known.get(block.area)
        if name and _equal(block.numbers(), weights, name):
            same.add(name)
            blocks.append(Block(block.area, partial(weights.__getitem__, name)))
        else:
            blocks.append(block)
    return replace(sheet, values=Grid(sheet.values.single, blocks)), same


def _equal(numbers: NDArray[np.float64], weights: Weights, name: str) -> bool:
    at = 0
    for piece in weights.rows(name):
        if not np.array_equal(numbers[at : at + len(piece)], piece):
            return False
        at += len(piece)
    return True
