"""One sheet's XML as values and formulas, in one expat pass.

Written against the file format, not against a library, so that it can be strict: whatever two spreadsheets
might read differently (a cell twice, rows out of order, text where a number belongs) is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from functools import cache, partial
from itertools import pairwise

from sheetgpt.sheet import a1
from sheetgpt.sheet.book import Formula, Sheet
from sheetgpt.sheet.classic import MAX_FORMULA
from sheetgpt.sheet.grid import Area, CellError, Grid, Value, size
from sheetgpt.sheet.moved import moved
from sheetgpt.sheet.package import LIMITS, Package, parser_for
from sheetgpt.sheet.runs import Runs

PIECES = 4096  # of a text, 8 KiB each
MAIN = frozenset(  # the namespaces of spreadsheets, transitional and strict
    ("http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://purl.oclc.org/ooxml/spreadsheetml/main")
)
_SHEETS_OWN = frozenset(("sheetData", "row", "c"))  # which programs may look for wherever they stand
_CELLS_OWN = _SHEETS_OWN | {"f", "v", "is"}
_TEXTS = frozenset(("f", "v", "t"))  # in which nothing stands but text
_ATTRIBUTES = rb'(?: [\w:.]+="[^"<>]*")*'
_HEAD = re.compile(  # what stands in a row before a matrix, if it is nothing but cells
    rb"(?:<row%b>)?(?:<c%b(?:/>|>(?:<f%b>[^<>]*</f>|<f%b/>)?(?:<v%b>[^<>]*</v>)?</c>))*" % ((_ATTRIBUTES,) * 5)
)
_ROW_END = b"</row>"
_LONGEST_ROW = 4 << 20
LEAST_CELL = 10  # bytes of XML
_DEPTH = 256  # of elements that mean nothing here
_MOST_WRITTEN = 1 << 28  # characters of formulas, of one sheet
_MOST_FOREIGN = 200_000  # elements among the cells of one sheet
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


def unescape(text: str) -> str:
    """Text with `_xHHHH_` turned into the characters they stand for."""
    if "_x" not in text:
        return text
    plain = _ESCAPE.sub(lambda m: chr(int(m[1], 16)), text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def read_sheet(
    package: Package,
    tab: str,
    part: str,
    strings: list[str],
    room: int = LIMITS.cells,
    matrices: Sequence[Area] = (),
    formulas: int = LIMITS.cells,
) -> Sheet:
    """One sheet in one pass; at most `room` cells beside those of `matrices`, which become arrays where they can.

    At most so many `formulas`.
    """
    reader = _Cells(tab, strings, room, package.limits.text, formulas)
    length = package.entry(part).file_size  # a lie is found out while inflating
    runs = Runs([area for area in matrices if size(area) * LEAST_CELL < length])
    for _ in package.parse(part, parser_for(reader), partial(_sifted, reader, runs) if runs else None):
        if len(reader.text) > PIECES:
            package.fail(f"{part}: the cell {reader.cursor.address} holds too much text")
    if not reader.tags:
        package.fail(f"{part} is not a sheet")
    blocks = list(runs.blocks())
    try:
        areas = [f.area or (r, c, r, c) for (r, c), f in reader.formulas.items()]
        check_areas(areas, room + sum(block.size for block in blocks))
    except ValueError as error:
        package.fail(f"{part}: {error}")
    return Sheet(tab, Grid(reader.values, blocks), reader.formulas)


def _sifted(reader: _Cells, runs: Runs, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The XML of a sheet without the rows of matrices that `runs` has taken out of it.

    From a comment or the like on nothing is taken out: what looks like a row may stand in it.
    """
    buffer, last = b"", b""
    for number, piece in enumerate(pieces):
        buffer += piece
        seen = last + piece if number else piece.removeprefix(b"\xef\xbb\xbf").removeprefix(b"<?xml")
        last = piece[-1:]
        if b"<!" in seen or b"<?" in seen:
            yield buffer
            yield from pieces
            return
        at = 0
        while (start := buffer.find(b"<row ", at)) >= 0 and (end := buffer.find(_ROW_END, start)) >= 0:
            yield buffer[at:start]
            at = end + len(_ROW_END)
            yield from _sifted_row(reader, runs, buffer[start:at])
        if len(buffer) - at > _LONGEST_ROW:
            yield buffer[at:]
            at = len(buffer)
        buffer = buffer[at:]
    yield buffer


def _sifted_row(reader: _Cells, runs: Runs, xml: bytes) -> Iterator[bytes]:
    row, matrices = runs.of(xml)
    at = 0
    for matrix in matrices:
        run = matrix.run(row, xml)
        if run is None or run.start < at:
            continue
        head = xml[at : run.start]
        yield head
        at = run.start
        if not _HEAD.fullmatch(head) or not reader.expects(row, matrix.area[1]):
            break
        matrix.keep(row, run.numbers)
        reader.cursor.col = matrix.area[3]
        at = run.end
    yield xml[at:]


@cache
def _letters() -> tuple[str, ...]:
    """Of all columns; made once, for a file may have thousands of tabs."""
    return tuple(map(a1.column, range(a1.MAX_COLS)))


class Cursor:
    """Where a pass over a sheet stands. Rows and columns must go forward; both may be left out."""

    __slots__ = ("col", "label", "letters", "row")

    def __init__(self) -> None:
        self.row, self.col, self.label = -1, -1, ""
        self.letters = _letters()

    def enter_row(self, number: str | None) -> None:
        """Start a row; `number` counts from 1. Raises `ValueError` outside the grid or backwards."""
        row = self.row + 1
        if number is not None:
            if not (number.isascii() and number.isdigit() and len(number) < 8):
                raise ValueError(f"row {number[:20]!r} is no row")
            row = int(number) - 1
        if not self.row < row < a1.MAX_ROWS:
            raise ValueError(f"row {row + 1} is out of order or outside the grid")
        self.row, self.col, self.label = row, -1, str(row + 1)

    def enter_cell(self, ref: str | None) -> int:
        """Step to a cell of the row and return its column; raises `ValueError` as `enter_row` does."""
        col = self.col + 1
        if col >= a1.MAX_COLS or (ref is not None and ref != self.letters[col] + self.label):
            if ref is None:
                raise ValueError(f"a cell of row {self.label} is outside the grid")
            row, col = a1.parse_cell(ref)
            if row != self.row or col <= self.col or "$" in ref:
                raise ValueError(f"the cell {ref} is out of order or there twice")
        self.col = col
        return col

    @property
    def address(self) -> str:
        """A1 address of the present cell."""
        return a1.cell(max(self.row, 0), max(self.col, 0))


class _Cells:
    """Expat handlers that fill `values` and `formulas`; they raise `ValueError` naming the cell.

    `start` and `end` run five times per cell: they are written for speed, the rest for the eye.
    """

    def __init__(self, tab: str, strings: list[str], room: int, longest: int, most: int) -> None:
        self.values: dict[tuple[int, int], Value] = {}
        self.formulas: dict[tuple[int, int], Formula] = {}
        self.text: list[str] = []
        self.cursor = Cursor()
        self.tab, self.strings, self.room, self.longest, self.most = tab, strings, room, longest, most
        self.tags: dict[str, str] = {}  # full name -> tag, for the elements that matter
        self.skip = 0  # how deep inside a foreign element
        self.inside = False  # between <sheetData> and its end
        self.done = False  # <sheetData> was seen
        self.in_row = False
        self.kind: str | None = None  # the t= of the cell that is open, None outside cells
        self.child = ""  # which of its <f>, <v> and <is> is open, or <t> in the last
        self.raw: str | None = None
        self.attrs: dict[str, str] | None = None  # those of <f>
        self.formula = ""
        self.runs: list[str] | None = None
        self.shared: dict[str, tuple[str, str]] = {}
        self.count = 0  # cells so far, also empty ones
        self.foreign = 0  # elements among the cells that are none of ours
        self.written = 0  # characters of formulas so far

    def expects(self, row: int, col: int) -> bool:
        """Whether a cell of this row and column may come next."""
        cursor = self.cursor
        return self.in_row and not self.skip and self.kind is None and cursor.row == row and cursor.col < col

    def start(self, name: str, attrs: dict[str, str]) -> None:
        tag = self.tags.get(name)
        if self.skip or not self.inside:
            self._outside(name, tag)
        elif tag == "v" and self.kind is not None and not self.child:
            self.child = tag
            self.text.clear()
        elif tag == "c" and self.in_row and self.kind is None:
            self.kind, self.raw = attrs.get("t", "n"), None
            self.attrs = self.runs = None
            self.cursor.enter_cell(attrs.get("r"))
        else:
            self._start_other(name, tag, attrs)

    def _start_other(self, name: str, tag: str | None, attrs: dict[str, str]) -> None:
        self.text.clear()
        free = self.kind is not None and not self.child
        if self.child in _TEXTS:
            raise ValueError(f"the cell {self.cursor.address} has elements in its text, which not every program reads")
        if tag == "row" and not self.in_row:
            self.in_row = True
            self.cursor.enter_row(attrs.get("r"))
        elif tag == "f" and free:
            if self.attrs is not None:
                raise ValueError(f"the cell {self.cursor.address} has two formulas")
            self.attrs, self.child = attrs, tag
        elif tag == "is" and free:
            if self.runs is not None:
                raise ValueError(f"the cell {self.cursor.address} has two values")
            self.runs, self.child = [], tag
        elif tag == "t" and self.child == "is":
            self.child = tag
        elif tag != "r" or self.child != "is":
            self._refuse(name, _CELLS_OWN | {"AlternateContent"})
            self._skipped()
            self.skip = 1

    def _refuse(self, name: str, tags: frozenset[str]) -> None:
        """Raise `ValueError` for an element that some program may take for one of ours, where ours cannot be."""
        if name.rpartition(" ")[2] in tags:
            raise ValueError(f"has cells near {self.cursor.address} that not every program reads")

    def _skipped(self) -> None:
        """Count an element that no program writes many of among its cells: such a file only costs time."""
        self.foreign += self.inside
        if self.foreign > _MOST_FOREIGN:
            raise ValueError(f"has more than {_MOST_FOREIGN:,} elements near {self.cursor.address} that are no cells")

    def _outside(self, name: str, tag: str | None) -> None:
        """An element before or after <sheetData>, or inside something foreign."""
        self.text.clear()
        if self.skip:
            self._refuse(name, _CELLS_OWN if self.inside else _SHEETS_OWN)
            self._skipped()
            self.skip = deeper(self.skip)
        elif not self.tags:
            self.tags = sheet_tags(name)
        elif tag == "sheetData":
            if self.done:
                raise ValueError("has cells in two places")
            self.inside = self.done = True
        else:
            self._refuse(name, _SHEETS_OWN)
            self.skip = 1

    def end(self, name: str) -> None:
        tag = self.tags.get(name)
        if self.skip:
            self.skip -= 1
        elif tag == "v":
            if self.raw is not None:
                raise ValueError(f"the cell {self.cursor.address} has two values")
            self.raw, self.child = "".join(self.text), ""
        elif tag == "c":
            self._finish()
        elif tag == "f":
            self.formula, self.child = "".join(self.text), ""
        elif tag == "t" and self.runs is not None:
            self.runs.append(unescape("".join(self.text)))
            self.child = "is"
        elif tag == "is":
            self.child = ""
        elif tag == "row":
            self.in_row = False
        elif tag == "sheetData":
            self.inside = False

    def _finish(self) -> None:
        """At </c>: keep what the cell holds."""
        key = self.cursor.row, self.cursor.col
        if self.attrs is not None:
            self._keep_formula(key, self.attrs)
        try:
            value = number(self.raw) if self.raw and self.kind == "n" else self._value()
        except ValueError as error:
            raise ValueError(f"the cell {self.cursor.address} {error}") from None
        if value is not None:
            self.values[key] = value
        self.count += 1
        if self.count > self.room:
            raise ValueError(f"more than {self.room} cells are left to read")
        self.kind = None

    def _value(self) -> Value:
        if self.runs is not None and self.kind == "inlineStr":
            return self._short("".join(self.runs))
        raw = self.raw
        if raw is None or (raw == "" and self.kind != "str"):
            return None
        if self.kind == "s":
            return self._shared_string(raw.strip())
        if self.kind in ("str", "inlineStr"):
            return self._short(unescape(raw))
        return _OTHER.get(self.kind or "", _unknown)(raw.strip())

    def _short(self, text: str) -> str:
        if len(text) > self.longest:
            raise ValueError(f"holds more than {self.longest} characters")
        return text

    def _shared_string(self, raw: str) -> str:
        if not (raw.isascii() and raw.isdigit()) or len(raw) > 9 or int(raw) >= len(self.strings):
            raise ValueError(f"points to a shared string that is not there: {raw[:20]}")
        return self.strings[int(raw)]

    def _keep_formula(self, key: tuple[int, int], attrs: dict[str, str]) -> None:
        kind, area = attrs.get("t", "normal"), None
        text = self.formula.removeprefix("=")
        self.written += len(text)
        if len(text) > MAX_FORMULA or self.written > _MOST_WRITTEN:
            raise ValueError(f"the cell {self.cursor.address} has a longer formula than spreadsheets take")
        if kind == "array":
            area = anchored(attrs.get("ref"), key)
        elif kind == "shared":
            text = self._share(text, attrs.get("si", ""))
        elif kind == "dataTable":
            text, area = f"TABLE({attrs.get('r1', '')})", anchored(attrs.get("ref"), key)
        elif kind != "normal":
            raise ValueError(f"the cell {self.cursor.address} has a formula of the kind {kind[:20]!r}")
        self.formulas[key] = Formula(text, area)
        if len(self.formulas) > self.most:
            raise ValueError(f"more than {self.most:,} formulas are left to read")

    def _share(self, text: str, group: str) -> str:
        """A shared formula: the first cell says it, the followers move its references."""
        here = self.cursor.address
        if text:
            self.shared[group] = text, here
            return text
        if group not in self.shared:
            raise ValueError(f"the cell {here} shares a formula that is not there")
        text, origin = self.shared[group]
        self.written += 50 * len(text)  # moving a formula costs far more than reading one
        try:
            return moved(text, origin, here)
        except ValueError as error:
            raise ValueError(f"the cell {here} shares a formula that cannot be moved ({error})") from None


def sheet_tags(root: str) -> dict[str, str]:
    """The elements that matter in a sheet, by the full names that go with its root's namespace."""
    space, _, tag = root.rpartition(" ")
    if tag != "worksheet" or space not in MAIN:
        raise ValueError(f"is not a worksheet but <{tag[:40]}>")
    return {f"{space} {t}".strip(): t for t in ("sheetData", "row", "c", "f", "v", "is", "r", "t")}


def deeper(depth: int) -> int:
    """One level further into foreign elements; raises `ValueError` where no workbook goes."""
    if depth > _DEPTH:
        raise ValueError("is nested too deeply")
    return depth + 1


def number(raw: str) -> float:
    """A finite number as XML writes it; raises `ValueError` for anything else."""
    try:
        value = float(raw)
    except ValueError:
        raise ValueError(f"holds {raw[:20]!r}, not a number") from None
    if value - value != 0.0 or "_" in raw or not raw.isascii() or raw != raw.strip():
        raise ValueError(f"holds {raw[:20]!r}, not a finite number")
    return value


def _boolean(raw: str) -> bool:
    if raw not in ("0", "1", "true", "false"):
        raise ValueError(f"holds {raw[:20]!r}, not true or false")
    return raw in ("1", "true")


def _date(raw: str) -> float:
    """An ISO date as the number of days that spreadsheets count."""
    try:
        then = datetime.fromisoformat(raw.removesuffix("Z")).replace(tzinfo=None)
    except ValueError:
        raise ValueError(f"holds {raw[:20]!r}, not a date") from None
    return (then - datetime(1899, 12, 30)).total_seconds() / 86400


def _unknown(raw: str) -> Value:
    raise ValueError("is of a type that workbooks do not have")


_OTHER: dict[str, Callable[[str], Value]] = {"b": _boolean, "e": CellError, "d": _date}


def anchored(ref: str | None, key: tuple[int, int]) -> Area:
    """The area of an array formula that stands at `key`; raises `ValueError` if it starts elsewhere."""
    area = a1.parse_area(ref or a1.cell(*key))
    if area[:2] != key:
        raise ValueError(f"the array {ref} does not start at its formula, {a1.cell(*key)}")
    return area


def check_areas(areas: Collection[Area], most: int) -> None:
    """Raise `ValueError` if areas overlap or hold more than `most` cells together."""
    if sum(map(size, areas)) > most:
        raise ValueError(f"formulas compute more than {most} cells")
    rows: dict[int, list[tuple[int, int]]] = {}
    for r0, c0, r1, c1 in (a for a in areas if a[:2] != a[2:]):
        for r in range(r0, r1 + 1):
            rows.setdefault(r, []).append((c0, c1))
    for r0, c0, _, c1 in (a for a in areas if a[:2] == a[2:] and a[0] in rows):
        rows[r0].append((c0, c1))
    for r, spans in rows.items():
        spans.sort()
        for (_, last), (first, _) in pairwise(spans):
            if first <= last:
                raise ValueError(f"two formulas compute the cell {a1.cell(r, first)}")
