"""A formula as it reads in another cell: its references move with it, but for those with a $."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from sheetgpt.sheet.a1 import MAX_COLS, MAX_ROWS, column, is_cell, parse_cell

_ROW, _COLUMN = re.compile(r"\$?[1-9][0-9]{0,6}"), re.compile(r"\$?[A-Za-z]{1,3}")
_CELL = re.compile(f"({_COLUMN.pattern})({_ROW.pattern})")


class _Piece(NamedTuple):
    """Of a formula: some text, then a row (axis 0) or a column (1) so many from the cell, or neither (-1)."""

    text: str
    axis: int = -1
    steps: int = 0


def moved(text: str, origin: str, to: str) -> str:
    """A formula (without `=`) as it reads in another cell: `A1+$B$1` in C1 is `A2+$B$1` in C2.

    Raises `ValueError` for what cannot be moved.
    """
    here = parse_cell(to)
    return "".join([said if axis < 0 else said + _end(axis, here[axis] + by) for said, axis, by in _cut(text, origin)])


def _end(axis: int, number: int) -> str:
    """A row or column of a reference."""
    if not 0 <= number < (MAX_ROWS, MAX_COLS)[axis]:
        raise ValueError("it would read beyond the grid")
    return column(number) if axis else str(number + 1)


@lru_cache(maxsize=64)  # rows of cells share some formulas in turn
def _cut(text: str, origin: str) -> list[_Piece]:
    """A formula cut once, to be moved to many cells."""
    from openpyxl.formula.tokenizer import Token, Tokenizer, TokenizerError

    try:
        tokens = Tokenizer(f"={text}").items
    except (TokenizerError, IndexError) as error:
        raise ValueError(str(error)) from None
    here, pieces = parse_cell(origin), []
    for token in tokens:
        if (token.type, token.subtype) == (Token.OPERAND, Token.RANGE):
            tab, mark, range_ = token.value.rpartition("!")
            pieces += [_Piece(tab + mark), *_range(range_, here)]
        else:
            pieces.append(_Piece(token.value))
    return pieces


def _range(text: str, here: tuple[int, int]) -> list[_Piece]:
    """A1, A1:B2, A:B or 1:2 in pieces; a name is text."""
    ends = text.split(":")
    for axis, line in enumerate((_ROW, _COLUMN)):
        if len(ends) == 2 and all(map(line.fullmatch, ends)):
            return [_line(axis, ends[0], here), _Piece(":"), _line(axis, ends[1], here)]
    pieces: list[_Piece] = []
    for end in ends:
        cell = _CELL.fullmatch(end)
        pieces += [_line(1, cell[1], here), _line(0, cell[2], here)] if cell and is_cell(end) else [_Piece(end)]
        pieces.append(_Piece(":"))
    return pieces[:-1]


def _line(axis: int, text: str, here: tuple[int, int]) -> _Piece:
    """A row or a column of a reference: with a $ it stays where it is."""
    if text.startswith("$"):
        return _Piece(text)
    return _Piece("", axis, parse_cell(f"{text}1" if axis else f"A{text}")[axis] - here[axis])
