"""Formulas that are one rule, written once: shared formulas (ECMA-376 part 1, 18.3.1.40).

The first cell says the formula; those below it and to the right point to it, and a program moves the references as if
it had been copied there. IronCalc loads a workbook of many formulas and names four times as fast so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sheetgpt.sheet.cells import Cell, Kind
from sheetgpt.sheet.r1c1 import r1c1

# Excel shares nothing that reads another tab ([MS-XLSB] 2.5.98.98); whole columns and rows have no form in R1C1 here.
_NOT_SHARED = re.compile(r"!|_xlfn\.|(?<![\w.$])\$?(?:[A-Z]{1,3}:\$?[A-Z]{1,3}|[0-9]+:\$?[0-9]+)(?![\w.(])")


def shared(cells: Iterable[Cell]) -> list[Cell]:
    """The cells of a place, by rows, those of one rule with the area that it holds in."""
    out = list(cells)
    groups: dict[str, list[int]] = {}
    for i, cell in enumerate(out):
        if cell.kind is Kind.FORMULA and not _NOT_SHARED.search(str(cell.body)):
            groups.setdefault(r1c1(str(cell.body), cell.row, cell.col), []).append(i)
    for group in groups.values():
        first = out[group[0]]
        group = [i for i in group if out[i].col >= first.col]
        if len(group) > 1:
            area = first.row, first.col, out[group[-1]].row, max(out[i].col for i in group)
            for i in group:
                out[i] = out[i]._replace(shared=area)
    return out
