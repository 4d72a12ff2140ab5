"""A copy of a workbook in which no formula remembers its result.

Whatever an engine then reports for such a cell it has computed. Only cached results go, at the byte
positions where expat saw them; everything else stays as it was, byte for byte.
"""

from __future__ import annotations

import copy
import re
import struct
import zipfile
from bisect import bisect_right, insort
from pathlib import Path
from typing import IO

from sheetgpt.sheet import a1
from sheetgpt.sheet.book import Area
from sheetgpt.sheet.package import LIMITS, Limits, Package, open_package, xml_parser
from sheetgpt.sheet.readback import Outline
from sheetgpt.sheet.sheetxml import Cursor, anchored, check_areas, deeper, sheet_tags

_ATTRIBUTE = re.compile(rb"\s+([^\s=]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_TAG_NAME = re.compile(rb"<[^\s/>]+")
_MAYBE = (b"<f", b":f", b"<!", b"\0")  # no formula, document type or UTF-16 can be without one of these


def strip_caches(src: str | Path, dst: str | Path, limits: Limits = LIMITS) -> dict[str, list[Area]]:
    """Write to `dst` a copy of the workbook `src` without any formula's cached result.

    Returns the areas (inclusive, from 0) that formulas compute, by tab, for the tabs that have any.
    `dst` must be a new file in a folder of the caller's own. Raises `WorkbookError`.
    """
    with open_package(src, limits) as package:
        tabs = {package.entry(part).filename: tab for tab, part in Outline.of(package).parts.items()}
        found: dict[str, list[Area]] = {}
        with zipfile.ZipFile(dst, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
            for part, info in package.entries.items():
                if part in tabs and _may_compute(package, part):
                    found[tabs[part]] = _copy_stripped(package, part, out)
                else:
                    _copy_raw(package, info, out)
        return {tab: found[tab] for tab in tabs.values() if found.get(tab)}


def _may_compute(package: Package, part: str) -> bool:
    """Whether a sheet may hold a formula: false only if no <f> can be in its bytes."""
    last = b""
    for piece in package.stream(part):
        if any(mark in piece for mark in _MAYBE) or last + piece[:1] in _MAYBE:
            return True
        last = piece[-1:]
    return False


def _copy_stripped(package: Package, part: str, out: zipfile.ZipFile) -> list[Area]:
    info = zipfile.ZipInfo(part)
    info.compress_type = zipfile.ZIP_DEFLATED
    big = package.entry(part).file_size > 1 << 30
    stripper = Stripper()
    with out.open(info, "w", force_zip64=big) as target:
        for piece in package.parse(part, stripper.parser):
            target.write(stripper.take(piece))
        target.write(stripper.rest())
    try:
        check_areas(stripper.areas, package.limits.cells)
    except ValueError as error:
        package.fail(f"{part}: {error}")
    return stripper.areas


def _copy_raw(package: Package, info: zipfile.ZipInfo, out: zipfile.ZipFile) -> None:
    """Copy an entry as it is compressed; its bytes were or will be checked by whoever reads them."""
    source, target = package.file.fp, out.fp
    assert source is not None
    assert target is not None
    source.seek(info.header_offset)
    name, extra = struct.unpack("<26xHH", source.read(30))
    source.seek(name + extra, 1)
    entry = copy.copy(info)
    entry.header_offset, entry.extra, entry.flag_bits = target.tell(), b"", info.flag_bits & ~0x08
    target.write(entry.FileHeader())
    _copy_bytes(source, target, info.compress_size)
    out.filelist.append(entry)
    out.NameToInfo[entry.filename] = entry
    out.start_dir = target.tell()
    out._didModify = True  # type: ignore[attr-defined]


def _copy_bytes(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size > 0 and (piece := source.read(min(size, 1 << 20))):
        target.write(piece)
        size -= len(piece)


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


class Stripper:
    """Follows a sheet with expat and cuts <v> and <is> out of the cells that formulas compute.

    Before `parser` is fed a piece, `take` must have it; what `take` returns lags by about a cell.
    """

    def __init__(self) -> None:
        self.parser = xml_parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.DefaultHandler = self._mark
        self.areas: list[Area] = []
        self._cursor, self._bodies = Cursor(), Bodies()
        self._tags: dict[str, str] = {}
        self._skip, self._inside, self._computed, self._typed = 0, False, False, False
        self._cell = self._head = self._value = -1  # where the open cell, its content, its <v> start
        self._ended = False  # <v> has ended; the next event tells where
        self._found: list[tuple[int, int]] = []  # values of the open cell
        self._cuts: list[tuple[int, int]] = []  # to be cut, in order
        self._buffer, self._base, self._safe = b"", 0, 0

    def take(self, piece: bytes) -> bytes:
        """Keep a piece that will be parsed next; returns what is certain of the pieces before it."""
        ready = self._emit(self._safe)
        self._buffer += piece
        return ready

    def rest(self) -> bytes:
        """What is left once all is parsed."""
        return self._emit(self._base + len(self._buffer))

    def _emit(self, upto: int) -> bytes:
        kept, at = [], self._base
        for start, end in self._cuts:
            kept.append(self._buffer[at - self._base : start - self._base])
            at = end
        kept.append(self._buffer[at - self._base : upto - self._base])
        self._buffer, self._base = self._buffer[upto - self._base :], upto
        self._cuts.clear()
        return b"".join(kept)

    def _mark(self, _: str = "") -> int:
        """The position of the present event, which is where the one before it ended."""
        at = self.parser.CurrentByteIndex
        if self._cell < 0:
            self._safe = at
        elif self._head < 0:
            self._head = at
        if self._ended:
            self._found.append((self._value, at))
            self._ended, self._value = False, -1
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
        self._cell, self._head, self._typed = at, -1, "t" in attrs
        self._found.clear()

    def _content(self, at: int, tag: str | None, attrs: dict[str, str]) -> None:
        if tag in ("v", "is"):
            self._value = at
        elif tag == "f":
            row, col = self._cursor.row, self._cursor.col
            area = row, col, row, col
            if attrs.get("t") in ("array", "dataTable"):
                area = anchored(attrs.get("ref"), (row, col))
            if area[:2] != area[2:]:
                self._bodies.add(area)
            self.areas.append(area)
            self._computed = True

    def _end(self, name: str) -> None:
        at = self._mark()
        if self._skip:
            self._skip -= 1
            self._ended = not self._skip and self._value >= 0
        elif self._tags.get(name) == "c":
            self._close(at)
        elif self._tags.get(name) == "sheetData":
            self._inside = False

    def _close(self, at: int) -> None:
        """At </c>: cut what the open cell remembers, if a formula computes it."""
        if self._computed:
            if self._typed and self._head > self._cell:
                self._cuts.append(self._type_attribute())
            self._cuts.extend(self._found)
        self._cell, self._safe = -1, at

    def _type_attribute(self) -> tuple[int, int]:
        """Where ' t="..."' stands in the open cell's start tag, which expat has found well-formed."""
        start = self._cell - self._base
        head = self._buffer[start : self._head - self._base]
        name = _TAG_NAME.match(head)
        at = name.end() if name else 0
        while attribute := _ATTRIBUTE.match(head, at):
            if attribute[1] == b"t":
                return self._cell + attribute.start(), self._cell + attribute.end()
            at = attribute.end()
        raise ValueError(f"the cell {self._cursor.address} cannot be stripped")
