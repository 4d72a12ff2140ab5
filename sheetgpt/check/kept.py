"""What checks of many copies of one workbook share, each thing under all that it is computed from.

A tab is read once for the same bytes. The planned tabs and numpy's values are those of the same card, prompt, labels
and source. IronCalc loads the workbook once and computes it with the cells changed in which a copy differs; every
`SAMPLE`th time it also loads the copy itself, and must compute the same to 1e-12.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.gaps import OWN_TOLERANCE
from sheetgpt.check.shared import Compare, Compared, Shared
from sheetgpt.check.source import Env, Source
from sheetgpt.engines import Values
from sheetgpt.engines.session import Changes, Session, takes
from sheetgpt.errors import SheetGPTError
from sheetgpt.models.weights import Weights
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.book import Formula
from sheetgpt.sheet.book import Sheet as Found
from sheetgpt.sheet.cells import Sheet
from sheetgpt.sheet.grid import Area, At, Grid, Value, cells, overlap
from sheetgpt.sheet.head import ParameterFact
from sheetgpt.sheet.package import Package
from sheetgpt.sheet.readback import BookFile, open_book

SAMPLE = 20
Key = tuple[object, ...]


class Kept(Shared):
    """What the check of the original gave; after `learnt` nothing more is kept."""

    def __init__(self) -> None:
        self.learning, self.compared, self._computed = True, 0, 0
        self._read: dict[Key, Found] = {}
        self._originals: dict[str, tuple[Found, Sequence[Area]]] = {}
        self._compared: dict[int, Compared] = {}
        self._expected: tuple[Key, tuple[Env, str]] | None = None
        self._planned: tuple[Mapping[str, NDArray[Any]], list[ParameterFact], list[Sheet]] | None = None
        self._values: Values = {}
        self._parts: dict[str, Key] = {}
        self._session: Session | None = None

    def learnt(self) -> None:
        """The original has been checked: what comes now are copies."""
        self.learning = False

    @contextmanager
    def open(self, path: Path) -> Iterator[BookFile]:
        with open_book(path) as file:
            yield _KeptFile(file, self)

    def sheet(self, file: _KeptFile, tab: str, matrices: Sequence[Area]) -> Found:
        """A tab, read unless its bytes have been read before."""
        key = (tab, file.part_key(tab), file.strings_key, tuple(matrices))
        if key in self._read:
            return self._read[key]
        sheet = file.fresh(tab, matrices)
        if self.learning:
            self._read[key] = sheet
            self._originals[tab] = sheet, matrices
        return sheet

    # ---- recalculation

    def recalculate(self, engine: str, file: BookFile) -> Values:
        assert isinstance(file, _KeptFile)
        if self.learning:
            self._values = super().recalculate(engine, file)
            self._parts = file.keys()
            if engine == "ironcalc":
                self._session = Session(file.package.path)
            return self._values
        changes = self._changes(file) if self._session else None
        if changes is None or self._session is None:
            return super().recalculate(engine, file)
        values = self._session.values(changes) if changes else self._values  # only caches differ: the same file
        self._computed += 1
        if self._computed % SAMPLE == 1:
            self.compared += 1
            if difference := _difference(values, super().recalculate(engine, file)):
                raise SheetGPTError(f"ironcalc computes {difference} otherwise from the file than in a loaded workbook")
        return values

    def _changes(self, file: _KeptFile) -> Changes | None:
        """The cells in which a copy differs, caches apart; None where something else differs, or cannot be entered."""
        keys, sheets = file.keys(), {part: tab for tab, part in file.outline.parts.items()}
        differ = [part for part in {**keys, **self._parts} if keys.get(part) != self._parts.get(part)]
        if any(part not in sheets for part in differ):
            return None
        changes = {}
        for tab in (sheets[part] for part in differ):
            old, matrices = self._originals[tab]
            if entered := changed(old, file.sheet(tab, matrices)):
                changes[tab] = entered
        return changes if all(takes(what) for entered in changes.values() for what in entered.values()) else None

    # ---- what is wanted

    def weights(self, sheet: Found, weights: Weights, book: Blueprint, compare: Compare) -> Compared:
        if id(sheet) in self._compared:
            return self._compared[id(sheet)]
        result = compare(sheet, weights, book)
        if self.learning:
            self._compared[id(sheet)] = result
        return result

    def expected(self, book: Blueprint, source: Source, own: Env) -> tuple[Env, str]:
        """Kept only with a source and a prompt that fits: then nothing of the workbook goes into it but the text."""
        if source.weights is None:
            return super().expected(book, source, own)
        key = (book.card.to_json(), own["prompt.text"][0, 0], str(source.weights.folder))
        if self._expected is None or self._expected[0] != key:
            result = super().expected(book, source, own)
            if not self.learning or result[1]:
                return result
            self._expected = key, result
        return self._expected[1]

    def sheets(
        self, book: Blueprint, labels: Mapping[str, NDArray[Any]], wanted: Env, claimed: list[ParameterFact]
    ) -> list[Sheet]:
        if self._planned is None or not self._as_planned(labels, wanted, claimed):
            made = super().sheets(book, labels, wanted, claimed)
            if not self.learning:
                return made
            self._planned = labels, claimed, made
        return self._planned[2]

    def _as_planned(self, labels: Mapping[str, NDArray[Any]], wanted: Env, claimed: list[ParameterFact]) -> bool:
        if self._planned is None or self._expected is None or wanted is not self._expected[1][0]:
            return False
        before, facts, _ = self._planned
        alike = labels.keys() == before.keys() and all(np.array_equal(labels[k], before[k]) for k in labels)
        return alike and claimed == facts


class _KeptFile(BookFile):
    """An open workbook whose tabs may have been read before."""

    def __init__(self, file: BookFile, kept: Kept) -> None:
        super().__init__(file.package, file.outline, file._strings)
        self._kept, self._keys = kept, {part: _key(file.package, part) for part in file.package.entries}
        text = "\0".join(self._strings).encode("utf-8", "surrogatepass")
        self.strings_key = (len(self._strings), blake2b(text).digest())

    def keys(self) -> dict[str, Key]:
        """Every part of the package, by what it holds."""
        return self._keys

    def part_key(self, tab: str) -> Key:
        """What the sheet of a tab holds."""
        return self._keys[self.package.entry(self.outline.parts[tab]).filename]

    def sheet(self, tab: str, matrices: Sequence[Area] = ()) -> Found:
        return self._kept.sheet(self, tab, matrices)

    def fresh(self, tab: str, matrices: Sequence[Area]) -> Found:
        """A tab, read now."""
        return super().sheet(tab, matrices)


def _key(package: Package, part: str) -> Key:
    """An entry's bytes as they are compressed, by their hash: the same bytes inflate to the same."""
    info, source = package.entry(part), package.file.fp
    assert source is not None
    source.seek(info.header_offset)
    name, extra = struct.unpack("<26xHH", source.read(30))
    source.seek(name + extra, 1)
    digest = blake2b(source.read(info.compress_size)).digest()
    return info.compress_type, info.file_size, info.CRC, digest


def changed(old: Found, new: Found) -> dict[At, Formula | Value]:
    """The cells that somebody would have to enter anew to make one tab of the other; caches are not entered."""
    entered: dict[At, Formula | Value] = {}
    values = _flat(new.values)
    for at in {**old.formulas, **new.formulas}:
        was, now = old.formulas.get(at), new.formulas.get(at)
        if was == now:
            continue
        if was:
            entered |= {cell: values.get(cell) for cell in cells(was.area or at + at)}
        if now:
            entered[at] = now
    areas = list(new.areas())
    if old.values is not new.values:
        before = _flat(old.values)
        entered |= {at: values.get(at) for at in before.keys() | values.keys()
                    if at not in entered and before.get(at) != values.get(at)}  # fmt: skip
    return {at: what for at, what in entered.items()
            if isinstance(what, Formula) or not any(overlap(area, at + at) for area in areas)}  # fmt: skip


def _flat(grid: Grid) -> dict[At, Value]:
    out = dict(grid.single)
    for block in grid.blocks:
        out.update(zip(cells(block.area), block.numbers().ravel().tolist(), strict=True))
    return out


def _difference(one: Values, other: Values) -> str:
    """The first cell that two computations disagree on; empty if there is none."""
    for tab in one.keys() | other.keys():
        a, b = _flat(one.get(tab, Grid({}))), _flat(other.get(tab, Grid({})))
        if differ := [at for at in a.keys() | b.keys() if not _alike(a.get(at), b.get(at))]:
            return f"{tab}!{min(differ)}"
    return ""


def _alike(a: Value, b: Value) -> bool:
    """Whether two cells are equal; IronCalc's last bit of `x^2` depends on how the formula came to be there."""
    if type(a) is float and type(b) is float:
        return a == b or abs(a - b) <= OWN_TOLERANCE * max(1.0, abs(a))
    return type(a) is type(b) and a == b
