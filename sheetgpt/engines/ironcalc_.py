"""IronCalc: a spreadsheet engine in Rust, from PyPI. The default engine."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from sheetgpt.engines.base import Areas, WorkerEngine
from sheetgpt.errors import EngineError
from sheetgpt.sheet.readback import Area, CellError, Value, cells

if TYPE_CHECKING:
    import ironcalc


class IronCalc(WorkerEngine):
    """Loads the whole workbook, evaluates it, answers cell by cell."""

    name = "ironcalc"

    def version(self) -> str | None:
        """Version of the package."""
        try:
            return version("ironcalc")
        except PackageNotFoundError:
            return None

    def hint(self) -> str:
        """How to install it."""
        return "pip install ironcalc"


def compute(file: Path, areas: Areas) -> dict[str, list[Value]]:
    """Values of the areas' cells, by tab; raises `EngineError`."""
    import ironcalc

    try:
        model = ironcalc.load_from_xlsx(str(file), "en", "UTC")
        model.evaluate()
    except ironcalc.WorkbookError as error:
        raise EngineError(f"cannot load the workbook ({error})") from None
    order = {sheet["name"]: i for i, sheet in enumerate(model.get_worksheets_properties())}
    return {tab: list(_values(model, order[tab], found)) for tab, found in areas.items()}


def _values(model: ironcalc.Model, sheet: int, areas: list[Area]) -> Iterator[Value]:
    from ironcalc import CellType

    for area in areas:
        for r, c in cells(area):
            value = model.get_cell_value(sheet, r + 1, c + 1)
            error = type(value) is str and value.startswith("#")
            if error and model.get_cell_type(sheet, r + 1, c + 1) == CellType.ErrorValue:
                value = CellError(value)
            yield value
