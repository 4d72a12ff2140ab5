"""What a formula reads, as it stands in the file: for a cell of an array formula its own row and column of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from math import isfinite
from typing import NamedTuple

from openpyxl.formula.tokenizer import Token

from sheetgpt.check.faults import Precedent, shown
from sheetgpt.check.formula import plain_tab, reads, tokens
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.a1 import parse_area, parse_ref
from sheetgpt.sheet.book import Book, Formula
from sheetgpt.sheet.grid import Area, At, Value, cells, size

MOST = 8
_SHOWN = 4  # values of a range
_CELL_BY_CELL = frozenset(
    {"ABS", "CHIDIST", "EXACT", "EXP", "IF", "IFERROR", "INT", "ISTEXT", "LEFT", "LEN", "LN", "MID", "MOD", "POWER"}
    | {"SQRT", "TANH", "_XLFN.UNICHAR", "_XLFN.UNICODE"}
)
Read = Callable[[str, At], Value]  # what stands in a cell of a tab
Spot = tuple[int | None, int | None]  # the row and the column of an array that matter; None for all


class Operand(NamedTuple):
    """What a formula reads: a defined name (empty for a reference), and the cells of it that matter to one cell."""

    text: str  # as the formula says it
    name: str
    tab: str  # empty where it leads nowhere
    area: Area


def operands(book: Book, tab: str, at: At, formula: Formula) -> Iterator[Operand]:
    """What `formula` reads to compute the cell `at`: first found first, each once."""
    first = formula.area[:2] if formula.area else at
    spot = (at[0] - first[0], at[1] - first[1]) if formula.area else (None, None)
    for text, here in dict.fromkeys(_reads(formula.text, spot)):
        name, found = _resolved(book, tab, text)
        yield Operand(text, name, found[0], _narrowed(found[1], here)) if found else Operand(text, "", "", (0, 0, 0, 0))


def chosen(book: Book, tab: str, at: At, formula: Formula, read: Read) -> dict[str, Area]:
    """Of tables from which `INDEX(table,row,column)` takes one cell: which, where the numbers can be had at once.

    They can where each is a number, or one cell plus or minus a number. By the text that names the table.
    """
    found: dict[str, Area] = {}
    parts = tokens(formula.text)
    for i, token in enumerate(parts[:-2]):
        if token.value.upper() == "INDEX(" and reads(parts[i + 1]) and parts[i + 2].type == "SEP":
            _, table = _resolved(book, tab, parts[i + 1].value)
            numbers = [_number(book, tab, at, formula, arg, read) for arg in _arguments(parts[i + 3 :])]
            if table and 1 <= len(numbers) <= 2 and None not in numbers:
                row, col = (int(n or 0) - 1 for n in (*numbers, 1)[:2])
                r, c = table[1][0] + row, table[1][1] + col
                if row >= 0 and col >= 0 and r <= table[1][2] and c <= table[1][3]:
                    found[parts[i + 1].value] = (r, c, r, c) if parts[i + 1].value not in found else table[1]
    return found


def _arguments(parts: Sequence[Token]) -> list[list[Token]]:
    """The arguments up to the bracket that closes the call; those with calls of their own are left whole."""
    out: list[list[Token]] = [[]]
    depth = 0
    for token in parts:
        depth += (token.subtype == "OPEN") - (token.subtype == "CLOSE")
        if depth < 0:
            break
        if token.type == "SEP" and depth == 0:
            out.append([])
        else:
            out[-1].append(token)
    return out


def _number(book: Book, tab: str, at: At, formula: Formula, arg: Sequence[Token], read: Read) -> float | None:
    """The value of `3`, `C5`, `C5+1`, `next.id+1`; None for anything else."""
    if len(arg) not in (1, 3) or (len(arg) == 3 and (arg[1].value not in ("+", "-") or arg[2].subtype != "NUMBER")):
        return None
    value: Value = float(arg[0].value) if arg[0].subtype == "NUMBER" else None
    if reads(arg[0]):
        _, there = _resolved(book, tab, arg[0].value)
        if there is None:
            return None
        first = formula.area[:2] if formula.area else at
        area = _narrowed(there[1], (at[0] - first[0], at[1] - first[1]) if formula.area else (None, None))
        value = read(there[0], area[:2]) if size(area) == 1 else None
    if type(value) is not float or not isfinite(value):
        return None
    more = float(arg[2].value) if len(arg) == 3 else 0.0
    return value + (more if len(arg) == 1 or arg[1].value == "+" else -more)


def precedents(book: Book, tab: str, at: At, formula: Formula, read: Read) -> tuple[Precedent, ...]:
    """The cells, or ranges, that `formula` reads to compute `at`: names first found first, `MOST` at most."""
    said = (_said(operand, read) for operand in operands(book, tab, at, formula))
    return tuple(islice(dict.fromkeys(said), MOST))


def _reads(text: str, spot: Spot) -> Iterator[tuple[str, Spot]]:
    """References and names of a formula, each with what of it matters to one cell."""
    calls: list[tuple[str, int, Spot]] = []  # function, which of its arguments, what matters of the whole
    for token in tokens(text):
        if token.subtype == "OPEN":
            name = token.value.rstrip("(").upper() if token.type == "FUNC" else "IF"  # a bracket changes nothing
            calls.append((name, 0, _inside(calls, spot)))
        elif token.subtype == "CLOSE" and calls:
            calls.pop()
        elif token.type == "SEP" and calls:
            name, nth, whole = calls[-1]
            calls[-1] = name, nth + 1, whole
        elif reads(token):
            yield token.value, _inside(calls, spot)


def _inside(calls: list[tuple[str, int, Spot]], spot: Spot) -> Spot:
    """What matters of the next operand."""
    if not calls:
        return spot
    name, nth, (row, col) = calls[-1]
    if name in _CELL_BY_CELL:
        return row, col
    if name == "MMULT":
        return (row, None) if nth == 0 else (None, col)
    return (col, row) if name == "TRANSPOSE" else (None, None)


def _said(operand: Operand, read: Read) -> Precedent:
    text, name, there, area = operand
    if not there:
        return Precedent(text, "", "no such place")
    ref = f"{there}!{a1(*area[:2])}" + (f":{a1(*area[2:])}" if size(area) > 1 else "")
    values = [shown(read(there, at)) for at in islice(cells(area), _SHOWN)]
    return Precedent(name, ref, ", ".join(values) + (" ..." if size(area) > _SHOWN else ""))


def _resolved(book: Book, tab: str, text: str) -> tuple[str, tuple[str, Area] | None]:
    """A name (empty for a reference), and where it leads, if that is a tab that was read."""
    quoted, sign, area = text.rpartition("!")
    there = plain_tab(quoted) if sign else tab
    try:
        return "", (there, parse_area(area)) if there in book.sheets else None
    except ValueError:
        pass
    try:
        there, box = parse_ref(book.reference(text))
    except ValueError:
        return text, None
    return text, (there, box) if there in book.sheets else None


def _narrowed(area: Area, spot: Spot) -> Area:
    """The part of an area that matters; what is one row or column wide is laid over all."""
    r0, c0, r1, c1 = area
    row, col = spot
    if row is not None:
        r0 = r1 = r0 + row if 0 <= row <= r1 - r0 else r0 if r0 == r1 else r1
    if col is not None:
        c0 = c1 = c0 + col if 0 <= col <= c1 - c0 else c0 if c0 == c1 else c1
    return r0, c0, r1, c1
