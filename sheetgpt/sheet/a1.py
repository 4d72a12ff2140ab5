"""Cell addresses. Rows and columns count from 0 everywhere in sheetgpt; A1 text appears only here."""

from __future__ import annotations

import re
from functools import cache

MAX_ROWS = 1_048_576
MAX_COLS = 16_384

_CELL = re.compile(r"\$?([A-Za-z]{1,3})\$?([1-9][0-9]{0,6})")


@cache
def column(c: int) -> str:
    """Letters of column `c`: 0 is A, 26 is AA."""
    c, low = divmod(c, 26)
    return (column(c - 1) if c else "") + chr(65 + low)


def cell(r: int, c: int) -> str:
    """Relative address: (0, 0) is A1."""
    return f"{column(c)}{r + 1}"


def fixed(r: int, c: int) -> str:
    """Absolute address: (0, 0) is $A$1."""
    return f"${column(c)}${r + 1}"


@cache
def _number(letters: str) -> int:
    n = 0
    for letter in letters.upper():
        n = n * 26 + ord(letter) - 64
    return n - 1


def parse_cell(text: str) -> tuple[int, int]:
    """(row, column) of an A1 address, with or without $; raises `ValueError` outside the grid."""
    match = _CELL.fullmatch(text)
    if match is None:
        raise ValueError(f"not a cell address: {text[:40]!r}")
    r, c = int(match[2]) - 1, _number(match[1])
    if r >= MAX_ROWS or c >= MAX_COLS:
        raise ValueError(f"outside the grid: {text[:40]!r}")
    return r, c


def parse_area(text: str) -> tuple[int, int, int, int]:
    """(first row, first column, last row, last column) of 'A1' or 'A1:B2'; raises `ValueError`."""
    first, _, last = text.partition(":")
    r0, c0 = parse_cell(first)
    r1, c1 = parse_cell(last or first)
    if r1 < r0 or c1 < c0:
        raise ValueError(f"not an area: {text[:40]!r}")
    return r0, c0, r1, c1


def is_cell(text: str) -> bool:
    """Whether a text is the address of a cell, and not a name such as ZZZ1, which lies beyond the grid."""
    try:
        return bool(parse_cell(text))
    except ValueError:
        return False


_FIXED = re.compile(r"\$[A-Za-z]{1,3}\$[0-9]+(:\$[A-Za-z]{1,3}\$[0-9]+)?")


def parse_ref(text: str) -> tuple[str, tuple[int, int, int, int]]:
    """(tab, area) of `'my tab'!$A$1:$B$2`; raises `ValueError` unless all of it is absolute.

    A defined name without `$` moves with the cell that uses it.
    """
    tab, _, area = text.rpartition("!")
    if not _FIXED.fullmatch(area):
        raise ValueError(f"not an absolute reference: {text[:60]!r}")
    if tab.startswith("'"):
        tab = tab[1:-1].replace("''", "'")
    return tab, parse_area(area)


def tab_ref(tab: str) -> str:
    """A tab's name as a formula writes it: quoted unless it is plainly a word."""
    return tab if re.fullmatch(r"[A-Za-z_]{4,}", tab) else "'" + tab.replace("'", "''") + "'"
