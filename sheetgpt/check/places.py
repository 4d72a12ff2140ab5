"""Which place a cell belongs to."""

from __future__ import annotations

from sheetgpt.sheet.blueprint import Planned
from sheetgpt.sheet.layout import Range


class Places:
    """The ranges of a workbook by tab; views share the cells of others and are left out."""

    def __init__(self, blueprint: Planned) -> None:
        self._by_tab: dict[str, list[Range]] = {}
        for name, box in blueprint.layout.ranges.items():
            if not blueprint.plan.is_view(name):
                self._by_tab.setdefault(box.tab, []).append(box)

    def on(self, tab: str) -> list[Range]:
        """The ranges of a tab."""
        return self._by_tab.get(tab, [])

    def at(self, tab: str, row: int, col: int) -> str:
        """The place of a cell; empty if it belongs to none."""
        inside = (b.name for b in self.on(tab) if 0 <= row - b.row < b.rows and 0 <= col - b.col < b.cols)
        return next(inside, "")
