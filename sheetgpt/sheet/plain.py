"""The caches of a sheet cut out without a parser's help, where its XML is as plain as sheetgpt and XlsxWriter write it.

A tab of formulas takes a third of the time so. What is not of exactly this form is left to `editor.Editor`, which gives
the same bytes, and also tells what is wrong: a sheet is plain only if nothing is.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from sheetgpt.sheet import a1
from sheetgpt.sheet.editor import Bodies, Editor
from sheetgpt.sheet.grid import Area
from sheetgpt.sheet.package import xml_parser
from sheetgpt.sheet.sheetxml import anchored

_MAIN = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_REF = rb"[A-Z]{1,3}[1-9][0-9]{0,6}"
_TEXT = rb"[^<>\0-\x08\x0b-\x1f]*+"  # `_is_text` looks after the rest of what expat would refuse
_KIND = rb' t="array" ref="@"| t="shared" ref="@" si="[0-9]{1,9}"'.replace(b"@", _REF + rb"(?::" + _REF + rb")?")
_FORMULA = rb"<f(?:" + _KIND + rb")?+>" + _TEXT + rb'</f>|<f t="shared" si="[0-9]{1,9}"/>'
_VALUE = rb'<v(?: xml:space="preserve")?+>' + _TEXT + rb"</v>"
_STRING = rb'<is><t(?: xml:space="preserve")?+>' + _TEXT + rb"</t></is>"
_CELL = re.compile(
    rb'(<c r="([A-Z]{1,3})([0-9]{1,7})"(?: s="[0-9]{1,6}")?+)(?: t="(?:str|s|n|b|e|inlineStr)")?+'
    rb"(?:/>|>(" + _FORMULA + rb")?+(?:" + _VALUE + rb")?+(" + _STRING + rb")?+</c>)"
)
_ROW = re.compile(rb'<row r="([0-9]{1,7})"[^<>]*>')
_ARRAY = re.compile(rb'<f t="array" ref="([^"]*)"')
_SPANS = re.compile(rb' spans="[0-9: ]*"')
_STRANGE = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)|\xef\xbf[\xbe\xbf]")
_SENTINEL = b'<sheetData><row r="1"><c r="A1"><f>1</f></c></row></sheetData>'


def stripped(xml: bytes) -> tuple[bytes, list[Area]] | None:
    """The sheet without its formulas' results, and the areas that they compute; None if it is not plain."""
    start, end = xml.find(b"<sheetData>"), xml.rfind(b"</sheetData>")
    if start < 0 or end < 0 or not _is_framed(xml[:start], xml[end + len("</sheetData>") :]):
        return None
    body = xml[start + len("<sheetData>") : end]
    areas: list[Area] = []
    tags: list[bytes] = []
    try:
        rows = b"".join(_rows(body, areas, tags))
    except ValueError:
        return None
    if not _is_text(body) or not _are_well_formed(tags):
        return None
    return xml[:start] + b"<sheetData>" + rows + xml[end:], areas


def _is_framed(head: bytes, tail: bytes) -> bool:
    """Whether what stands around the rows is sound, and the rows are those of a sheet."""
    if b"<!" in head + tail or head.count(b"xmlns=") != 1 or _MAIN not in head or b"xmlns=" in tail:
        return False
    editor = Editor({}, {}, {})
    document = head + _SENTINEL + tail
    try:
        editor.take(document)
        editor.parser.Parse(document, True)
    except (expat.ExpatError, ValueError):
        return False
    return editor.areas == [(0, 0, 0, 0)]


def _is_text(body: bytes) -> bool:
    if _STRANGE.search(body):
        return False
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _are_well_formed(tags: list[bytes]) -> bool:
    """Whether the start tags of the rows are XML: no attribute twice, none without quotes, no prefix, no namespace."""
    joined = b"".join(tag if tag.endswith(b"/>") else tag[:-1] + b"/>" for tag in tags)
    parser = xml_parser()
    try:
        parser.Parse(b"<x>" + joined + b"</x>", True)
    except (expat.ExpatError, ValueError):
        return False
    return b":" not in _SPANS.sub(b"", joined) and b"xmlns" not in joined


def _rows(body: bytes, areas: list[Area], tags: list[bytes]) -> list[bytes]:
    """The rows without what formulas computed; raises `ValueError` for what is out of order or of another form."""
    out: list[bytes] = []
    bodies, before, at = Bodies(), 0, 0
    while at < len(body):
        tag = _ROW.match(body, at)
        number = int(tag[1]) if tag else 0
        if tag is None or not before < number <= a1.MAX_ROWS:
            raise ValueError("a row is out of order")
        before, at = number, tag.end()
        tags.append(tag[0])
        out.append(tag[0])
        if not tag[0].endswith(b"/>"):
            end = body.index(b"</row>", at)
            bodies.enter_row(number - 1)
            out += _cells(body[at:end], tag[1], number - 1, bodies, areas)
            out.append(b"</row>")
            at = end + len(b"</row>")
    return out


def _cells(cells: bytes, label: bytes, row: int, bodies: Bodies, areas: list[Area]) -> list[bytes]:
    out: list[bytes] = []
    last, at = -1, 0
    while at < len(cells):
        cell = _CELL.match(cells, at)
        if cell is None:
            raise ValueError("a cell of another form")
        head, letters, digits, formula, string = cell.groups()
        col = _COLUMNS.get(letters) or _column(letters)
        if digits != label or col <= last:
            raise ValueError("a cell is out of order")
        last, at = col, cell.end()
        computed = bool(bodies.spans) and col in bodies
        if formula:
            areas.append(_area(formula, row, col, bodies))
        elif not computed:
            out.append(cell[0])
            continue
        if string:
            raise ValueError("a formula beside a text")
        out.append(head + (b"/>" if cell[0].endswith(b'"/>') else b">" + (formula or b"") + b"</c>"))
    return out


def _area(formula: bytes, row: int, col: int, bodies: Bodies) -> Area:
    """The cells that a formula computes."""
    if not (array := _ARRAY.match(formula)):
        return row, col, row, col
    area = anchored(array[1].decode(), (row, col))
    if area[:2] != area[2:]:
        bodies.add(area)
    return area


_COLUMNS: dict[bytes, int] = {}


def _column(letters: bytes) -> int:
    _COLUMNS[letters] = a1.parse_cell(letters.decode() + "1")[1]
    return _COLUMNS[letters]
