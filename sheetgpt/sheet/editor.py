"""Other values for the cells of one sheet, while its XML streams by."""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections.abc import Mapping

from sheetgpt.sheet import a1
from sheetgpt.sheet.cellxml import computed_xml, element, typed_xml
from sheetgpt.sheet.grid import Area, Value
from sheetgpt.sheet.moved import moved
from sheetgpt.sheet.package import xml_parser
from sheetgpt.sheet.sheetxml import Cursor, anchored, deeper, sheet_tags

Cells = Mapping[tuple[int, int], Value]
_ATTRIBUTE = re.compile(rb"\s+([^\s=]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_TAG_NAME = re.compile(rb"<[^\s/>]+")


class Bodies:
    """Which columns of the present row lie in an array formula's area that began above or to the left."""

    def __init__(self) -> None:
        self.open: list[Area] = []
        self.spans: list[tuple[int, int]] = []

    def enter_row(self, row: int) -> None:
        """Forget the areas that ended."""
        self.open = [area for area in self.open if area[2] >= row]
        self.spans = sorted((c0, c1) for _, c0, _, c1 in self.open)

    def add(self, area: Area) -> None:
        """Remember an area that starts in the present row."""
        self.open.append(area)
        insort(self.spans, (area[1], area[3]))

    def __contains__(self, col: int) -> bool:
        at = bisect_right(self.spans, (col, a1.MAX_COLS)) - 1
        return at >= 0 and self.spans[at][0] <= col <= self.spans[at][1]


class Editor:
    """Follows a sheet with expat and gives cells other values; see `edit`.

    Before `parser` is fed a piece, `take` must have it; what `take` returns lags by about a cell.
    """

    def __init__(self, typed: Cells, computed: Cells, shared: Mapping[str, int], *, over: bool = False) -> None:
        self.parser = xml_parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.DefaultHandler = self._mark
        self.areas: list[Area] = []
        self._typed, self._results, self._shared = dict(typed), dict(computed), shared  # what has not been met yet
        self._over = over  # whether formulas give way to what is typed
        self._cursor, self._bodies = Cursor(), Bodies()
        self._tags: dict[str, str] = {}
        self._skip, self._inside = 0, False
        self._cell = self._head = -1  # where the open cell and its content start
        self._computed = False  # whether a formula computes it
        self._kind: str | None = None  # its t=
        self._child, self._value = -1, False  # where the open <f>, <v> or <is> starts; whether it is not <f>
        self._ended = False  # that child has ended; the next event tells where
        self._formula = (-1, -1)  # where the open cell's <f> starts and ends
        self._found: list[tuple[int, int]] = []  # values of the open cell
        self._gone: dict[str, tuple[str, str]] = {}  # shared formulas whose first cell gave way: text, cell
        self._reading: str | None = None  # the shared formula whose text is being read
        self._read = ""  # what has been read of it
        self._alone: str | None = None  # the formula of the open cell, where it shared one of those
        self._edits: list[tuple[int, int, bytes]] = []  # from, to, what stands there instead; in order
        self._buffer, self._base, self._safe = b"", 0, 0

    @property
    def held(self) -> int:
        """Bytes that are not certain yet."""
        return len(self._buffer)

    def take(self, piece: bytes) -> bytes:
        """Keep a piece that will be parsed next; returns what is certain of the pieces before it."""
        ready = self._emit(self._safe)
        self._buffer += piece
        return ready

    def rest(self) -> bytes:
        """What is left once all is parsed."""
        return self._emit(self._base + len(self._buffer))

    def absent(self) -> list[tuple[int, int]]:
        """Once all is parsed: cells that should hold a value and do not stand in the sheet."""
        return [cell for cell, value in (self._typed | self._results).items() if value is not None]

    def _emit(self, upto: int) -> bytes:
        at = self._base
        kept: list[bytes] = []
        for start, end, instead in self._edits:
            kept += self._buffer[at - self._base : start - self._base], instead
            at = end
        kept.append(self._buffer[at - self._base : upto - self._base])
        self._buffer, self._base = self._buffer[upto - self._base :], upto
        self._edits.clear()
        return b"".join(kept)

    def _mark(self, _: str = "") -> int:
        """The position of the present event, which is where the one before it ended."""
        at = self.parser.CurrentByteIndex
        if self._cell < 0:
            self._safe = at
        elif self._head < 0:
            self._head = at
        if self._ended:
            if self._value:
                self._found.append((self._child, at))
            else:
                self._formula = self._child, at
            self._ended, self._child = False, -1
        return at

    def _start(self, name: str, attrs: dict[str, str]) -> None:
        at = self._mark()
        tag = self._tags.get(name)
        if self._skip:
            self._skip = deeper(self._skip)
        elif not self._tags:
            self._tags = sheet_tags(name)
        elif not self._inside:
            self._inside = tag == "sheetData"
            self._skip = int(not self._inside)  # whatever stands in it, also another <sheetData>
        elif tag == "row" and self._cell < 0:
            self._cursor.enter_row(attrs.get("r"))
            self._bodies.enter_row(self._cursor.row)
        elif tag == "c" and self._cell < 0:
            self._open(at, attrs)
        else:
            self._skip = 1
            if self._cell >= 0:
                self._content(at, tag, attrs)

    def _open(self, at: int, attrs: dict[str, str]) -> None:
        self._computed = self._cursor.enter_cell(attrs.get("r")) in self._bodies
        self._cell, self._head, self._kind = at, -1, attrs.get("t")
        self._formula = (-1, -1)
        self._found.clear()
        self._alone = None

    def _content(self, at: int, tag: str | None, attrs: dict[str, str]) -> None:
        row, col = self._cursor.row, self._cursor.col
        gone = self._over and not self._computed and (row, col) in self._typed  # a formula is cut as a value is
        if tag in ("v", "is", "f"):
            self._child, self._value = at, tag != "f" or gone
        if tag == "f" and attrs.get("t") == "shared" and (gone or self._gone):
            self._reading, self._read = attrs.get("si", ""), ""
            self.parser.CharacterDataHandler = self._text
        if tag == "f" and not gone:
            area = row, col, row, col
            if attrs.get("t") in ("array", "dataTable"):
                area = anchored(attrs.get("ref"), (row, col))
            if area[:2] != area[2:]:
                self._bodies.add(area)
            self.areas.append(area)
            self._computed = True

    def _text(self, text: str) -> None:
        """Text, once a shared formula gives way."""
        self._mark()
        if self._reading is not None:
            self._read += text

    def _said(self) -> None:
        """At the end of a shared formula: it is what its number means from here on, or points to one that gave way."""
        number, self._reading = self._reading, None
        if number is None:
            return
        here, gone = self._cursor.address, self._value
        if self._read and gone:
            self._gone[number] = self._read, here
        elif self._read:
            self._gone.pop(number, None)
        elif number in self._gone and not gone:
            text, origin = self._gone[number]
            self._alone = moved(text.removeprefix("="), origin, here)

    def _end(self, name: str) -> None:
        self._said()
        at = self._mark()
        if self._skip:
            self._skip -= 1
            self._ended = not self._skip and self._child >= 0
        elif self._tags.get(name) == "c":
            self._close()
            self._cell, self._safe = -1, at
        elif self._tags.get(name) == "sheetData":
            self._inside = False

    def _close(self) -> None:
        """At </c>: give the open cell its value, if it gets one."""
        cell = self._cursor.row, self._cursor.col
        if not (self._computed or cell in self._typed):
            return
        head = self._buffer[self._cell - self._base : self._head - self._base]
        name = head[: _name_end(head)].decode()
        prefix = name[1:-1]  # '<x:c' -> 'x:'
        if self._computed:
            kind, xml = computed_xml(self._results.pop(cell, None), prefix)
        else:
            kind, xml = typed_xml(self._typed.pop(cell), self._shared, prefix)
        edits = [(start, end, b"") for start, end in self._found]
        if self._alone is not None:
            edits.append((*self._formula, element(f"{prefix}f", self._alone).encode()))
        if kind != self._kind:
            edits.append(self._type_edit(head, kind))
        if xml and head.endswith(b"/>"):
            edits.append((self._head - 2, self._head, f">{xml}</{name[1:]}>".encode()))
        elif xml:
            at = max(self._formula[1], self._head)
            edits.append((at, at, xml.encode()))
        self._edits += sorted(edits)

    def _type_edit(self, head: bytes, kind: str | None) -> tuple[int, int, bytes]:
        """The edit that changes ' t="..."' in the open cell's start tag, which expat has found well-formed."""
        new = b' t="%s"' % kind.encode() if kind else b""
        at = _name_end(head)
        while attribute := _ATTRIBUTE.match(head, at):
            if attribute[1] == b"t":
                return self._cell + attribute.start(), self._cell + attribute.end(), new
            at = attribute.end()
        return self._cell + at, self._cell + at, new


def _name_end(head: bytes) -> int:
    """Where the name ends in a start tag."""
    match = _TAG_NAME.match(head)
    assert match is not None
    return match.end()
