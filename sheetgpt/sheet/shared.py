"""Formulas that are one rule, written once: shared formulas (ECMA-376 part 1, 18.3.1.40).

The first cell says the formula; those below it and to the right point to it, and a program moves the references as if
it had been copied there. IronCalc loads a workbook of many formulas and names four times as fast so.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sheetgpt.sheet.cells import Cell, Kind
from sheetgpt.sheet.r1c1 import r1c1

_NOT_SHARED = ("!", "_xlfn.")  # [MS-XLSB] 2.5.98.98: Excel shares nothing that reads another tab


def moved(text: str, origin: str, to: str) -> str:
    """A formula (without `=`) as it reads in another cell: `A1+$B$1` in C1 is `A2+$B$1` in C2.

    Raises `ValueError` for what cannot be moved.
    """
    from openpyxl.formula.tokenizer import TokenizerError

    try:
        return str(_mover(text, origin).translate_formula(to))[1:]
    except (TokenizerError, IndexError) as error:
        raise ValueError(str(error)) from None


@lru_cache(maxsize=64)  # rows of cells share some formulas in turn
def _mover(text: str, origin: str) -> Any:
    """A formula cut into tokens once, to be moved to many cells."""
    from openpyxl.formula.translate import Translator

    return Translator(f"={text}", origin)


def shared(cells: Iterable[Cell]) -> list[Cell]:
    """The cells of a place, by rows, those of one rule with the area that it holds in."""
    out = list(cells)
    groups: dict[str, list[int]] = {}
    for i, cell in enumerate(out):
        if cell.kind is Kind.FORMULA and not any(mark in str(cell.body) for mark in _NOT_SHARED):
            groups.setdefault(r1c1(str(cell.body), cell.row, cell.col), []).append(i)
    for group in groups.values():
        first = out[group[0]]
        group = [i for i in group if out[i].col >= first.col]
        if len(group) > 1:
            area = first.row, first.col, out[group[-1]].row, max(out[i].col for i in group)
            for i in group:
                out[i] = out[i]._replace(shared=area)
    return out
