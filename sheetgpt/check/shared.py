"""What a check does that checks of many copies of one workbook can share. `ALONE` shares nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sheetgpt.check.evaluate import Layers
from sheetgpt.check.source import Env, Source, expected
from sheetgpt.engines import Values, get
from sheetgpt.models.weights import Weights
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.book import Sheet as Found
from sheetgpt.sheet.cells import Sheet
from sheetgpt.sheet.head import ParameterFact
from sheetgpt.sheet.readback import BookFile, open_book
from sheetgpt.sheet.sheets import sheets

Compared = tuple[Found, set[str]]
Compare = Callable[[Found, Weights, Blueprint], Compared]


class Shared:
    """Each step is a pure function of what it is given; a subclass may keep what it gave before for the same."""

    def open(self, path: Path) -> AbstractContextManager[BookFile]:
        """A workbook file; raises `WorkbookError`."""
        return open_book(path)

    def recalculate(self, engine: str, file: BookFile) -> Values:
        """Every cell that a formula of the file computes, by tab."""
        return get(engine).recalculate(file.package.path)

    def weights(self, sheet: Found, weights: Weights, book: Blueprint, compare: Compare) -> Compared:
        """A tab of weights compared with their source."""
        return compare(sheet, weights, book)

    def expected(self, book: Blueprint, source: Source, own: Env) -> tuple[Env, str]:
        """As `source.expected`."""
        return expected(book, source, own)

    def sheets(
        self, book: Blueprint, labels: Mapping[str, NDArray[Any]], wanted: Env, claimed: list[ParameterFact]
    ) -> list[Sheet]:
        """What should stand in the workbook; `labels` are those that stand there."""
        return list(sheets(book, Layers(labels, wanted), claimed))


ALONE = Shared()
