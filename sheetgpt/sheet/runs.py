"""Rows of plain numbers, taken out of a sheet's XML before an XML parser must look at every cell.

A row of a matrix is recognised by its text: the numbers are picked out, the row is written again from them, and only
if that gives the same bytes is it believed. So nothing can hide in it. Whatever looks otherwise is left to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from sheetgpt.sheet.a1 import column
from sheetgpt.sheet.grid import Area, Block, size

LEAST = 64  # numbers for which this is worth while
_ROW = re.compile(rb'<row r="([1-9][0-9]{0,6})"')
_NUMBER = re.compile(rb"<v>(-?[0-9][0-9.eE+-]*)</v>")
_CELL = re.compile(rb'<c r="[A-Z]+[0-9]+"((?: s="[0-9]+")?(?: t="n")?)><v>[^<]*</v></c>(<c r=|)')


class Run(NamedTuple):
    """Cells side by side: where they stand in the row's text, and their numbers."""

    start: int
    end: int
    numbers: NDArray[np.float64]


class Runs:
    """The matrices that a sheet is expected to have, and the rows of them that were found."""

    def __init__(self, areas: Sequence[Area]) -> None:
        self._found = [ExpectedMatrix(area) for area in areas if size(area) >= LEAST]

    def __bool__(self) -> bool:
        return bool(self._found)

    def of(self, xml: bytes) -> tuple[int, list[ExpectedMatrix]]:
        """The number (from 0) of a row's text and the matrices that cross it, from left to right."""
        match = _ROW.match(xml)
        row = int(match[1]) - 1 if match else -1
        return row, [m for m in self._found if m.area[0] <= row <= m.area[2]]

    def blocks(self) -> Iterator[Block]:
        """What was taken out, as blocks of whole rows."""
        for matrix in self._found:
            yield from matrix.blocks()


class ExpectedMatrix:
    """A matrix that should stand somewhere, and those of its rows that do."""

    def __init__(self, area: Area) -> None:
        self.area = area
        self._numbers: NDArray[np.float64] | None = None
        self._seen = np.zeros(area[2] - area[0] + 1, bool)
        self._form: tuple[bytes, bytes] | None = None
        self._template = b""

    def run(self, row: int, xml: bytes) -> Run | None:
        """The matrix's cells in the text of a row, if they stand there in one of the usual forms."""
        first, last = self.area[1], self.area[3]
        start = xml.find(b'<c r="%s%d"' % (column(first).encode(), row + 1))
        form = _CELL.match(xml, start) if start >= 0 else None
        if form is None:
            return None
        texts = tuple(_NUMBER.findall(xml, start)[: last - first + 1])
        if len(texts) != last - first + 1:
            return None
        written = self._template_for(form[1], form[2]).replace(b"@", b"%d" % (row + 1)) % texts
        numbers = _numbers(texts) if xml.startswith(written, start) else None
        return None if numbers is None else Run(start, start + len(written), numbers)

    def _template_for(self, attributes: bytes, after: bytes) -> bytes:
        if self._form != (attributes, after):
            cols = range(self.area[1], self.area[3] + 1)
            cells = [b'<c r="%s@"%s><v>%%s</v></c>' % (column(c).encode(), attributes) for c in cols]
            if not after:  # only the first cell says where it stands
                cells[1:] = [b"<c%s><v>%%s</v></c>" % attributes] * (len(cells) - 1)
            self._form, self._template = (attributes, after), b"".join(cells)
        return self._template

    def keep(self, row: int, numbers: NDArray[np.float64]) -> None:
        """Remember a row."""
        if self._numbers is None:
            self._numbers = np.empty((len(self._seen), len(numbers)))
        self._numbers[row - self.area[0]] = numbers
        self._seen[row - self.area[0]] = True

    def blocks(self) -> Iterator[Block]:
        """Stretches of rows that were taken out."""
        if self._numbers is None:
            return
        edges = np.flatnonzero(np.diff(np.concatenate([[0], self._seen.astype(np.int8), [0]])))
        for start, end in edges.reshape(-1, 2).tolist():
            yield Block.of(self.area[0] + start, self.area[1], self._numbers[start:end])


def _numbers(texts: Sequence[bytes]) -> NDArray[np.float64] | None:
    try:
        numbers = np.array(orjson.loads(b"[" + b",".join(texts) + b"]"), np.float64)
    except ValueError:
        return None  # not as JSON writes numbers
    return numbers if np.isfinite(numbers).all() else None
