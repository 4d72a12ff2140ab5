"""One workbook loaded into IronCalc once, to be computed with this or that cell changed.

Loading takes ten times as long as computing. What `Session` computes for changed cells is what the engine computes from
a file that has them: `check/mutate.py` holds a sample of its own runs to that.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sheetgpt.engines.base import Areas, Values, grid
from sheetgpt.engines.ironcalc_ import loaded, recalculated
from sheetgpt.engines.worker import pack
from sheetgpt.sheet.book import Formula
from sheetgpt.sheet.classic import as_read
from sheetgpt.sheet.grid import Area, At, CellError, Value
from sheetgpt.sheet.strip import strip_caches

if TYPE_CHECKING:
    import ironcalc

Changes = Mapping[str, Mapping[At, "Formula | Value"]]  # by tab and cell: what is entered there


class Session:
    """The workbook at `path`, without cached values; not for files from outside: it works in this very process."""

    def __init__(self, path: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="sheetgpt-") as folder:
            stripped = Path(folder, "book.xlsx")
            self.areas: Areas = strip_caches(path, stripped)
            model = loaded(stripped)
        self._bytes = model.to_bytes()
        self._order = {sheet["name"]: i for i, sheet in enumerate(model.get_worksheets_properties())}

    def values(self, changes: Changes) -> Values:
        """Every cell that a formula computes, by tab; raises `EngineError`."""
        import ironcalc

        model = ironcalc.load_from_bytes(self._bytes)
        for tab, entered in changes.items():
            for r0, c0, r1, c1 in _replaced(self.areas.get(tab, []), entered):  # it will not write into an array
                model.range_clear_contents(self._order[tab], r0 + 1, c0 + 1, r1 + 1, c1 + 1)
            for at, what in entered.items():
                _enter(model, self._order[tab], at, what)
        areas = {tab: _computed(self.areas.get(tab, []), changes.get(tab, {})) for tab in {**self.areas, **changes}}
        found = recalculated(model, areas)
        return {tab: grid(areas[tab], [pack(value) for value in values]) for tab, values in found.items()}


def takes(what: Formula | Value) -> bool:
    """Whether `Session` enters it as a file would hold it: numbers, texts, array formulas, some plain ones.

    What a user types into one cell may spill over others, which the same formula from a file does not. So a plain
    formula is entered only where it is plain to see that it gives one value: it reads single cells of its own tab, or
    reduces a range.
    """
    if not isinstance(what, Formula):
        return type(what) in (float, str)
    rest = _REDUCED.sub("0", what.text)
    return what.area is not None or not (_MAY_BE_MANY.search(rest) or "INDEX(" in rest)


_REDUCED = re.compile(r"(?:AVERAGE|VARP?|SUM|MAX|MIN)\([^()]*\)")
_MAY_BE_MANY = re.compile("[a-z:]")  # of a name, a tab, a range


def _replaced(areas: list[Area], entered: Mapping[At, Formula | Value]) -> list[Area]:
    """The array formulas of several cells that something else is entered for."""
    return [area for area in areas if area[:2] in entered and area[:2] != area[2:]]


def _computed(areas: list[Area], entered: Mapping[At, Formula | Value]) -> list[Area]:
    """The areas that formulas compute once other things are entered."""
    new = [what.area or at + at for at, what in entered.items() if isinstance(what, Formula)]
    return [area for area in areas if area[:2] not in entered] + new


def _enter(model: ironcalc.Model, sheet: int, at: At, what: Formula | Value) -> None:
    row, col = at[0] + 1, at[1] + 1
    if isinstance(what, Formula):
        text = as_read(what.text, array=False)
        if what.area:
            r0, c0, r1, c1 = what.area
            model.set_user_array_formula(sheet, row, col, c1 - c0 + 1, r1 - r0 + 1, text)
        else:
            model.update_cell_with_formula(sheet, row, col, text)
    elif isinstance(what, str) and not isinstance(what, CellError):
        model.update_cell_with_text(sheet, row, col, what)
    elif isinstance(what, float):
        model.update_cell_with_number(sheet, row, col, what)
    else:
        raise TypeError(f"cannot enter {what!r}")
