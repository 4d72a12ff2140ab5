"""IronCalc: a spreadsheet engine in Rust, from PyPI. The default engine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sheetgpt.engines.base import Areas
from sheetgpt.errors import EngineError
from sheetgpt.sheet.grid import Area, CellError, Value, cells

if TYPE_CHECKING:
    import ironcalc


_MOST_PASSES = 50
_WAVE = 4  # passes: if as many cells change in these as in those before them, they always will


def compute(file: Path, areas: Areas) -> dict[str, list[Value]]:
    """Values of the areas' cells, by tab; raises `EngineError`."""
    import ironcalc

    try:
        model = loaded(file)
    except ironcalc.WorkbookError as error:
        if 'Missing "r"' in str(error):
            raise EngineError("a --compact workbook is not for it: choose --engine libreoffice") from None
        raise EngineError(f"cannot load the workbook ({error})") from None
    return recalculated(model, areas)


def loaded(file: Path) -> ironcalc.Model:
    """A workbook; raises `ironcalc.WorkbookError`."""
    import ironcalc

    with _silent():
        return ironcalc.load_from_xlsx(str(file), "en", "UTC")


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing goes to standard output, where IronCalc tells of each cell without a value: 100,000 lines a workbook."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def recalculated(model: ironcalc.Model, areas: Areas) -> dict[str, list[Value]]:
    """Values of the areas' cells, by tab, of a workbook that is loaded."""
    order = {sheet["name"]: i for i, sheet in enumerate(model.get_worksheets_properties())}
    return _settled(model, lambda: {tab: list(_values(model, order[tab], found)) for tab, found in areas.items()})


def _settled(model: ironcalc.Model, read: Callable[[], dict[str, list[Value]]]) -> dict[str, list[Value]]:
    """Evaluate until nothing changes any more.

    IronCalc computes a cell on demand when a formula further up needs it, but not the array formula that a
    cell belongs to: a formula that stands before such an array sees its cells empty in the first pass. When two
    passes agree, every formula has seen the final value of all that it reads. What follows from a volatile
    function, such as RAND, is another each time: then the last pass counts.
    """
    before: dict[str, list[Value]] = {}
    changes: list[int] = []
    for _ in range(_MOST_PASSES):
        model.evaluate()
        values = read()
        if values == before:
            return values
        changes.append(_changed(before, values))
        if len(changes) > 2 * _WAVE and min(changes[-_WAVE:]) >= min(changes[-2 * _WAVE : -_WAVE]):
            return values
        before = values
    raise EngineError(f"its values still change after {_MOST_PASSES} passes")


def _changed(before: dict[str, list[Value]], values: dict[str, list[Value]]) -> int:
    """How many cells hold something else; all of them in the first pass."""
    pairs = (zip(before.get(tab, [None] * len(now)), now, strict=True) for tab, now in values.items())
    return sum(was != is_ for pair in pairs for was, is_ in pair)


def _values(model: ironcalc.Model, sheet: int, areas: list[Area]) -> Iterator[Value]:
    from ironcalc import CellType

    for area in areas:
        for r, c in cells(area):
            value = model.get_cell_value(sheet, r + 1, c + 1)
            error = type(value) is str and value.startswith("#")
            if error and model.get_cell_type(sheet, r + 1, c + 1) == CellType.ErrorValue:
                value = CellError(value)
            yield value
