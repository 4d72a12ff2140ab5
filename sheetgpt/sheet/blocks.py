"""The mass of cells: computed ones and matrices, streamed as XML rows into a sheet that XlsxWriter has written.

XlsxWriter writes everything that has a face; one cell at a time it would take most of a build. Here the
cells of a row are put between those that stand there already. A row of a matrix is one template filled with
the text that orjson made of it. Every number is the shortest text that reads back as the same float64.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain, groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from sheetgpt.errors import OutputError
from sheetgpt.models.prompt import MAX_TEXT
from sheetgpt.sheet.a1 import MAX_COLS, MAX_ROWS, column, parse_area, parse_cell
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.cells import COMPUTED, Cell, Kind, Mass, Sheet, Style, Value
from sheetgpt.sheet.cellxml import computed_xml, markup

Looks = Mapping[Style, int]  # the number by which a cell names its style
Piece = tuple[int, int, bytes]  # cells side by side: first column, column after the last, XML
Row = tuple[int, list[Piece]]

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes every time
_CHUNK = 1 << 20
_DATA = re.compile(rb"<sheetData(?:/>|>(.*)</sheetData>)", re.DOTALL)
_ROW = re.compile(rb'<row r="(\d+)"(?: spans="[^"]*")?([^>]*?)(?:/>|>(.*?)</row>)', re.DOTALL)
_CELL = re.compile(rb'<c r="([A-Z]+\d+)"[^>]*?(?:/>|>.*?</c>)', re.DOTALL)
_DIMENSION = re.compile(rb'(?<=<dimension ref=")[^"]*')


def splice(written: BinaryIO, path: Path, sheets: Mapping[str, Sheet], looks: Looks) -> None:
    """Copy a package to `path` with the computed cells and matrices of `sheets` (by part name) put into it."""
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            xml = source.read(name)
            pieces = sheet_xml(xml, sheets[name], looks) if name in sheets else iter([xml])
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            info._compresslevel = 1  # type: ignore[attr-defined]  # public from Python 3.13 as compress_level
            with target.open(info, "w", force_zip64=False) as out:
                for chunk in _chunks(pieces):
                    out.write(chunk)


def _chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    buffer, size = [], 0
    for piece in pieces:
        buffer.append(piece)
        size += len(piece)
        if size > _CHUNK:
            yield b"".join(buffer)
            buffer, size = [], 0
    yield b"".join(buffer)


# ---- rows ------------------------------------------------------------------------------------------------


def sheet_xml(xml: bytes, sheet: Sheet, looks: Looks) -> Iterator[bytes]:
    """A sheet's XML, which has the faces, with the computed cells and the matrices in it."""
    data = _DATA.search(xml)
    assert data is not None
    faces = {int(row[1]) - 1: row for row in _ROW.finditer(data[1] or b"")}
    computed = sorted((c for c in sheet.cells if c.kind in COMPUTED), key=itemgetter(0))
    matrices = (_matrix(mass, looks[mass.style]) for mass in sheet.masses)
    rows = merge(_faces(faces), _atoms(sheet, computed, looks), *matrices, key=itemgetter(0))

    yield _with_dimension(xml[: data.start()], computed, sheet.masses)
    yield b"<sheetData>"
    for r, parts in groupby(rows, key=itemgetter(0)):
        attributes = faces[r][2] if r in faces else b""
        yield b'<row r="%d"%s>%s</row>' % (r + 1, attributes, _joined(sheet, r, parts))
    yield b"</sheetData>" + xml[data.end() :]


def _joined(sheet: Sheet, r: int, parts: Iterable[Row]) -> bytes:
    pieces = sorted(chain.from_iterable(pieces for _, pieces in parts))
    for (_, after, _), (first, _, _) in pairwise(pieces):
        if first < after:
            raise OutputError(f"{sheet.tab.name}!{a1(r, first)} is there twice: the sheet was laid out wrongly")
    return b"".join(xml for _, _, xml in pieces)


def _faces(rows: Mapping[int, re.Match[bytes]]) -> Iterator[Row]:
    """What XlsxWriter has written."""
    for r, row in rows.items():
        cells = ((parse_cell(match[1].decode())[1], match[0]) for match in _CELL.finditer(row[3] or b""))
        yield r, [(col, col + 1, xml) for col, xml in cells]


def _atoms(sheet: Sheet, computed: list[Cell], looks: Looks) -> Iterator[Row]:
    for r, cells in groupby(computed, key=itemgetter(0)):
        yield r, [(cell.col, cell.col + 1, _cell(sheet, cell, looks[cell.style])) for cell in cells]


def _matrix(mass: Mass, look: int) -> Iterator[Row]:
    box = mass.box
    template = _template(box.col, box.cols, look)
    for r, numbers in enumerate(_texts(mass.values), box.row):
        yield r, [(box.col, box.col + box.cols, template.replace(b"@", b"%d" % (r + 1)) % numbers)]


def _with_dimension(head: bytes, computed: Sequence[Cell], masses: Sequence[Mass]) -> bytes:
    found = _DIMENSION.search(head)
    assert found is not None
    _, _, row, col = parse_area(found[0].decode())
    boxes = [mass.box for mass in masses]
    row = max(chain([row], (c.row for c in computed), (box.row + box.rows - 1 for box in boxes)))
    col = max(chain([col], (c.col for c in computed), (box.col + box.cols - 1 for box in boxes)))
    return _DIMENSION.sub(b"A1:" + a1(row, col).encode(), head)


# ---- a row of a matrix -----------------------------------------------------------------------------------


def _template(col: int, cols: int, look: int) -> bytes:
    letters = (column(col + c).encode() for c in range(cols))
    return b"".join(b'<c r="%s@" s="%d"><v>%%s</v></c>' % (c, look) for c in letters)


def _texts(values: NDArray[Any]) -> Iterator[tuple[bytes, ...]]:
    if not np.isfinite(values).all():
        raise OutputError("a matrix holds a number that is not finite")  # orjson would write null
    for row in np.ascontiguousarray(values, dtype=np.float64):
        yield tuple(orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b","))


# ---- a computed cell -------------------------------------------------------------------------------------


def _cell(sheet: Sheet, cell: Cell, look: int) -> bytes:
    try:
        rows, cols = cell.area or (1, 1)
        if cell.row + rows > MAX_ROWS or cell.col + cols > MAX_COLS:
            raise ValueError("is outside the grid")
        formula, value = _CONTENT[cell.kind](cell)
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise ValueError("does not fit a cell")
        kind, result = computed_xml(value)
        typed = f' t="{kind}"' if kind else ""
        return f'<c r="{column(cell.col)}{cell.row + 1}" s="{look}"{typed}>{formula}{result}</c>'.encode()
    except ValueError as error:
        raise OutputError(f"{sheet.tab.name}!{a1(cell.row, cell.col)} {error}") from None


def _formula(cell: Cell) -> tuple[str, Value | None]:
    return f"<f>{markup(str(cell.body))}</f>", cell.cached


def _array(cell: Cell) -> tuple[str, Value | None]:
    rows, cols = cell.area or (1, 1)
    first, last = a1(cell.row, cell.col), a1(cell.row + rows - 1, cell.col + cols - 1)
    area = first if first == last else f"{first}:{last}"
    return f'<f t="array" ref="{area}">{markup(str(cell.body))}</f>', cell.cached


def _spill(cell: Cell) -> tuple[str, Value | None]:
    return "", cell.body


_CONTENT: dict[Kind, Callable[[Cell], tuple[str, Value | None]]] = {  # formula and value
    Kind.FORMULA: _formula,
    Kind.ARRAY: _array,
    Kind.SPILL: _spill,
}
