"""The mass of cells: computed ones and matrices, streamed as XML rows into a sheet that XlsxWriter has written.

XlsxWriter writes everything that has a face; one cell at a time it would take most of a build. Here the
cells of a row are put between those that stand there already. A row of a matrix is one template filled with
the text that orjson made of it. Every number is the shortest text that reads back as the same float64.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from heapq import merge
from itertools import chain, groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from sheetgpt.errors import OutputError
from sheetgpt.models.prompt import MAX_TEXT
from sheetgpt.sheet.a1 import MAX_COLS, MAX_ROWS, column, parse_area, parse_cell
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.cells import COMPUTED, Cell, Kind, Mass, Sheet, Style
from sheetgpt.sheet.cellxml import computed_xml, markup
from sheetgpt.sheet.grid import At
from sheetgpt.sheet.layout import Range
from sheetgpt.sheet.zipped import LARGEST, Deflated, Zipper, deflate

Looks = Mapping[Style, int]  # the number by which a cell names its style
Piece = tuple[int, int, bytes]  # cells side by side: first column, column after the last, XML
Row = tuple[int, list[Piece]]

_MOST = 60  # bytes of a number's cell
LARGE_TAB = 200_000  # numbers of weights; smaller tabs are always deflated harder
LARGE_COMPACT_TAB = 1_000_000  # the same where size is what counts
_DATA = re.compile(rb"<sheetData(?:/>|>(.*)</sheetData>)", re.DOTALL)
_ROW = re.compile(rb'<row r="(\d+)"(?: spans="[^"]*")?([^>]*?)(?:/>|>(.*?)</row>)', re.DOTALL)
_CELL = re.compile(rb'<c r="([A-Z]+\d+)"[^>]*?(?:/>|>.*?</c>)', re.DOTALL)
_DIMENSION = re.compile(rb'(?<=<dimension ref=")[^"]*')


def splice(
    written: BinaryIO,
    path: Path,
    sheets: Mapping[str, Sheet],
    looks: Looks,
    *,
    compact: bool = False,
) -> None:
    """Copy a package to `path` with the computed cells and matrices of `sheets` (by part name) put into it.

    With `compact` only the first cell in a row of a matrix says where it stands. Where there are several large
    matrices, each is made by a process of its own, as many at a time as there are cores.
    """
    small = harder(sum(mass.box.rows * mass.box.cols for sheet in sheets.values() for mass in sheet.masses), compact)
    limit = LARGE_COMPACT_TAB if compact else LARGE_TAB
    large = sorted((name for name in sheets if _learned(sheets[name]) > limit), key=lambda n: -_learned(sheets[n]))
    with zipfile.ZipFile(written) as source, Zipper(path) as target, ExitStack() as stack:
        apart: dict[str, tuple[Path, Future[Deflated]]] = {}
        if len(large) > 1:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".sheetgpt-", dir=path.parent)))
            workers = min(len(large), os.cpu_count() or 1)
            pool = ProcessPoolExecutor(workers, initializer=_end_with, initargs=(os.getpid(),))
            stack.callback(pool.shutdown, cancel_futures=True)
            for name in large:
                out = folder / Path(name).name
                job = pool.submit(_apart, out, source.read(name), _bare(sheets[name]), looks, compact, small)
                apart[name] = out, job
        for name in source.namelist():
            if name in apart:
                out, job = apart[name]
                target.add_deflated(name, out, _result(job))
                out.unlink()
            elif sheet := sheets.get(name):
                xml = sheet_xml(source.read(name), sheet, looks, compact=compact)
                learned = _learned(sheet)
                target.add(name, xml, huge=learned * _MOST > LARGEST, small=small or learned <= limit)
            else:
                target.add(name, [source.read(name)])


def harder(numbers: int, compact: bool) -> bool:
    """Whether a file of so many numbers is more than LibreOffice opens, unless it is deflated harder."""
    quick, slow = (6.3, 5.8) if compact else (9.3, 8.6)  # bytes of a number
    return slow * numbers < LARGEST < quick * numbers


def _learned(sheet: Sheet) -> int:
    """Numbers of a sheet's matrices that no formula computes."""
    return sum(mass.box.rows * mass.box.cols for mass in sheet.masses if not mass.formula)


def _bare(sheet: Sheet) -> Sheet:
    """A sheet without its faces, which have been written."""
    return Sheet(sheet.tab, [cell for cell in sheet.cells if cell.kind in COMPUTED], sheet.masses, {})


def _apart(out: Path, xml: bytes, sheet: Sheet, looks: Looks, compact: bool, small: bool) -> Deflated:
    with out.open("xb") as file:
        return deflate(sheet_xml(xml, sheet, looks, compact=compact), file, small=small)


def _end_with(parent: int) -> None:
    """Let this process end when its parent has been killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _result(job: Future[Deflated]) -> Deflated:
    try:
        return job.result()
    except BrokenProcessPool:
        raise OutputError("a process that wrote a part of the workbook was ended: is there memory enough?") from None


# ---- rows ------------------------------------------------------------------------------------------------


def sheet_xml(xml: bytes, sheet: Sheet, looks: Looks, *, compact: bool = False) -> Iterator[bytes]:
    """A sheet's XML, which has the faces, with the computed cells and the matrices in it."""
    data = _DATA.search(xml)
    assert data is not None
    faces = {int(row[1]) - 1: row for row in _ROW.finditer(data[1] or b"")}
    computed = sorted((c for c in sheet.cells if c.kind in COMPUTED), key=itemgetter(0))
    matrices = (_matrix(sheet, mass, looks[mass.style], compact) for mass in sheet.masses)
    rows = merge(_faces(faces), _atoms(sheet, computed, looks), *matrices, key=itemgetter(0))

    yield _with_dimension(xml[: data.start()], computed, sheet.masses)
    yield b"<sheetData>"
    for r, parts in groupby(rows, key=itemgetter(0)):
        attributes = faces[r][2] if r in faces else b""
        yield b'<row r="%d"%s>' % (r + 1, attributes)
        yield from _in_order(sheet, r, parts)
        yield b"</row>"
    yield b"</sheetData>" + xml[data.end() :]


def _in_order(sheet: Sheet, r: int, parts: Iterable[Row]) -> list[bytes]:
    pieces = sorted(chain.from_iterable(pieces for _, pieces in parts))
    for (_, after, _), (first, _, _) in pairwise(pieces):
        if first < after:
            raise OutputError(f"{sheet.tab.name}!{a1(r, first)} is there twice: the sheet was laid out wrongly")
    return [xml for _, _, xml in pieces]


def _faces(rows: Mapping[int, re.Match[bytes]]) -> Iterator[Row]:
    """What XlsxWriter has written."""
    for r, row in rows.items():
        cells = ((parse_cell(match[1].decode())[1], match[0]) for match in _CELL.finditer(row[3] or b""))
        yield r, [(col, col + 1, xml) for col, xml in cells]


def _atoms(sheet: Sheet, computed: list[Cell], looks: Looks) -> Iterator[Row]:
    firsts = (cell.shared[:2] for cell in computed if cell.shared)
    numbers = {first: i for i, first in enumerate(dict.fromkeys(firsts))}  # of shared formulas
    for r, cells in groupby(computed, key=itemgetter(0)):
        yield r, [(cell.col, cell.col + 1, _cell(sheet, cell, looks[cell.style], numbers)) for cell in cells]


def _with_dimension(head: bytes, computed: Sequence[Cell], masses: Sequence[Mass]) -> bytes:
    found = _DIMENSION.search(head)
    assert found is not None
    _, _, row, col = parse_area(found[0].decode())
    boxes = [mass.box for mass in masses]
    row = max(chain([row], (c.row for c in computed), (box.row + box.rows - 1 for box in boxes)))
    col = max(chain([col], (c.col for c in computed), (box.col + box.cols - 1 for box in boxes)))
    return _DIMENSION.sub(b"A1:" + a1(row, col).encode(), head)


# ---- a row of a matrix -----------------------------------------------------------------------------------


def _matrix(sheet: Sheet, mass: Mass, look: int, compact: bool) -> Iterator[Row]:
    box = mass.box
    if box.row + box.rows > MAX_ROWS or box.col + box.cols > MAX_COLS:
        raise OutputError(f"{sheet.tab.name}!{a1(box.row, box.col)} is outside the grid")
    if not mass.cached:
        yield from _forgotten(mass, look)
        return
    row = (_CompactRow if compact else _FullRow)(box, look)
    for r, numbers in enumerate(_texts(mass), box.row):
        xml = row.xml(r, numbers)
        if mass.formula and r == box.row:
            xml = xml.replace(b"<v>", _array(mass) + b"<v>", 1)
        yield r, [(box.col, box.col + box.cols, xml)]


def _forgotten(mass: Mass, look: int) -> Iterator[Row]:
    """An array formula whose results are not in the file: programs compute what they find without a value."""
    box = mass.box
    columns = [column(box.col + c) for c in range(box.cols)]
    for r in range(box.row, box.row + box.rows):
        xml = "".join(f'<c r="{letters}{r + 1}" s="{look}"/>' for letters in columns).encode()
        if r == box.row:
            xml = xml.replace(b"/>", b">" + _array(mass) + b"</c>", 1)
        yield r, [(box.col, box.col + box.cols, xml)]


class _FullRow:
    """Cells that all say where they stand. From row to row only digits of the row's own number change."""

    def __init__(self, box: Range, look: int) -> None:
        letters = (column(box.col + c).encode() for c in range(box.cols))
        self._plain = b"".join(b'<c r="%s\0" s="%d"><v>%%s</v></c>' % (c, look) for c in letters)
        self._number, self._text = b"", np.empty(0, np.uint8)
        self._places: list[NDArray[np.intp]] = []  # of each digit

    def xml(self, r: int, numbers: bytes) -> bytes:
        """The row `r`, counted from 0, with numbers that commas part."""
        number = b"%d" % (r + 1)
        if len(number) != len(self._number):
            self._number = b"\0" * len(number)
            self._text = np.frombuffer(bytearray(self._plain.replace(b"\0", self._number)), np.uint8)
            self._places = list(np.flatnonzero(self._text == 0).reshape(-1, len(number)).T.copy())
        for places, old, new in zip(self._places, self._number, number, strict=True):
            if old != new:
                self._text[places] = new
        self._number = number
        return self._text.tobytes() % tuple(numbers.split(b","))


class _CompactRow:
    """Cells of which only the first says where it stands."""

    def __init__(self, box: Range, look: int) -> None:
        self._first = b'<c r="%s%%d" s="%d"><v>' % (column(box.col).encode(), look)
        self._next = b'</v></c><c s="%d"><v>' % look

    def xml(self, r: int, numbers: bytes) -> bytes:
        """As that of `_FullRow`."""
        return self._first % (r + 1) + numbers.replace(b",", self._next) + b"</v></c>"


def _array(mass: Mass) -> bytes:
    box, formula = mass.box, markup(str(mass.formula))
    area = f"{a1(box.row, box.col)}:{a1(box.row + box.rows - 1, box.col + box.cols - 1)}"
    return f'<f t="array" ref="{area}">{formula}</f>'.encode()


def _texts(mass: Mass) -> Iterator[bytes]:
    """The numbers of each row as text, parted by commas."""
    rows = 0
    for piece in mass.rows():
        if piece.shape[1:] != (mass.box.cols,) or not np.isfinite(piece).all():  # orjson would write null
            raise OutputError(f"{mass.box.name} holds a number that is not finite, or has not {mass.box.cols} columns")
        rows += len(piece)
        for row in np.ascontiguousarray(piece, dtype=np.float64):
            yield orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    if rows != mass.box.rows:
        raise OutputError(f"{mass.box.name} has {rows} rows, not {mass.box.rows}")


# ---- a computed cell -------------------------------------------------------------------------------------


def _cell(sheet: Sheet, cell: Cell, look: int, numbers: Mapping[At, int]) -> bytes:
    try:
        if cell.row >= MAX_ROWS or cell.col >= MAX_COLS:
            raise ValueError("is outside the grid")
        if isinstance(cell.cached, str) and len(cell.cached) > MAX_TEXT:
            raise ValueError("does not fit a cell")
        kind, result = computed_xml(cell.cached)
        ref, typed = f"{column(cell.col)}{cell.row + 1}", f' t="{kind}"' if kind else ""
        return f'<c r="{ref}" s="{look}"{typed}>{_formula(cell, numbers)}{result}</c>'.encode()
    except ValueError as error:
        raise OutputError(f"{sheet.tab.name}!{a1(cell.row, cell.col)} {error}") from None


def _formula(cell: Cell, numbers: Mapping[At, int]) -> str:
    """What a computed cell says: its formula, or which one it shares."""
    kind = ""
    if cell.kind is Kind.ARRAY:
        kind = f' t="array" ref="{a1(cell.row, cell.col)}"'
    elif cell.shared:
        r0, c0, r1, c1 = cell.shared
        if (cell.row, cell.col) != (r0, c0):
            return f'<f t="shared" si="{numbers[r0, c0]}"/>'
        kind = f' t="shared" ref="{a1(r0, c0)}:{a1(r1, c1)}" si="{numbers[r0, c0]}"'
    return f"<f{kind}>{markup(str(cell.body))}</f>"
