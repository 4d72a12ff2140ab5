"""The mass of numbers: matrices streamed as XML rows into a sheet that XlsxWriter has written.

XlsxWriter writes everything that has a face; one number at a time it would take most of a build. Here a
row of numbers is one template filled with the text that orjson made of it: shortest decimals that read
back as the same float64.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from sheetgpt.errors import OutputError
from sheetgpt.sheet.a1 import cell, column
from sheetgpt.sheet.cells import Mass

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes every time
_ROW = re.compile(rb'<row r="(\d+)"[^>]*?(?:/>|>(.*?)</row>)', re.DOTALL)
_FIRST = rb'<c r="%s" s="(\d+)"/>'  # the blank cell that holds a matrix's place and style
_CHUNK = 1 << 20


def splice(written: BinaryIO, path: Path, masses: dict[str, Sequence[Mass]]) -> None:
    """Copy a package to `path` with `masses` (part name -> matrices) put into their sheets."""
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            xml = source.read(name)
            pieces = sheet_xml(xml, masses[name]) if masses.get(name) else iter([xml])
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


def sheet_xml(xml: bytes, masses: Sequence[Mass]) -> Iterator[bytes]:
    """A sheet's XML with the matrices in it; each of their rows has a cell to its left already."""
    rows = dict(_mass_rows(xml, masses))
    end = xml.index(b"</sheetData>")
    at = xml.index(b"<sheetData>")
    yield _with_dimension(xml[:at], masses)
    yield b"<sheetData>"
    for match in _ROW.finditer(xml, at, end):
        r = int(match[1]) - 1
        yield b'<row r="%d">%s%s</row>' % (r + 1, *rows.pop(r)) if r in rows else match[0]
    if rows:
        raise OutputError(f"row {min(rows) + 1} of a matrix has no label: the sheet was laid out wrongly")
    yield xml[end:]


def _mass_rows(xml: bytes, masses: Sequence[Mass]) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
    """Row number -> (what stands to the left, the numbers)."""
    left = {int(m[1]) - 1: m[2] or b"" for m in _ROW.finditer(xml)}
    for box, values in masses:
        blank = re.search(_FIRST % cell(box.row, box.col).encode(), left[box.row])
        if blank is None:
            raise OutputError(f"{box.name} has no first cell: the sheet was laid out wrongly")
        left[box.row] = left[box.row].replace(blank[0], b"")
        template = _template(box.col, box.cols, blank[1])
        for r, numbers in enumerate(_texts(values), box.row):
            yield r, (left.get(r, b""), template.replace(b"@", b"%d" % (r + 1)) % numbers)


def _template(col: int, cols: int, style: bytes) -> bytes:
    letters = (column(col + c).encode() for c in range(cols))
    return b"".join(b'<c r="%s@" s="%s"><v>%%s</v></c>' % (c, style) for c in letters)


def _texts(values: NDArray[Any]) -> Iterator[tuple[bytes, ...]]:
    if not np.isfinite(values).all():
        raise OutputError("a matrix holds a number that is not finite")  # orjson would write null
    for row in np.ascontiguousarray(values, dtype=np.float64):
        yield tuple(orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b","))


def _with_dimension(head: bytes, masses: Sequence[Mass]) -> bytes:
    last_row = max(box.row + box.rows for box, _ in masses)
    last_col = max(box.col + box.cols for box, _ in masses)
    used = f"A1:{column(last_col - 1)}{last_row}"
    return re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="%s"' % used.encode(), head)
