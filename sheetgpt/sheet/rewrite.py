"""A copy of a workbook in which cells, formulas and names are rewritten: for faulty copies of our own files.

Other values alone, in any file, are the business of `edit`. This one knows the XML that sheetgpt writes.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Container, Iterable, Mapping
from html import escape, unescape
from pathlib import Path
from typing import NamedTuple

from sheetgpt.errors import WorkbookError
from sheetgpt.sheet import a1
from sheetgpt.sheet.book import Formula
from sheetgpt.sheet.cellxml import computed_xml, markup, typed_xml
from sheetgpt.sheet.edit import copy_raw
from sheetgpt.sheet.grid import At, Value
from sheetgpt.sheet.moved import moved
from sheetgpt.sheet.package import open_package
from sheetgpt.sheet.readback import Outline

_CELL = re.compile(r'<c r="([A-Z]+[0-9]+)"([^>]*?)(?:/>|>.*?</c>)', re.DOTALL)
_SHARED = re.compile(r'<f(?=[^>]* t="shared")[^>]*? si="([0-9]+)"[^>]*?(?:/>|>([^<]*)</f>)')
_STYLE = re.compile(r' s="[0-9]+"')


class Written(NamedTuple):
    """What a cell gets: a value, or a formula and what it remembers (None: nothing)."""

    value: Value
    formula: Formula | None = None


def rewrite(src: Path, dst: Path, tab: str, cells: Mapping[At, Written], names: Mapping[str, str]) -> None:
    """Write to the new file `dst` the workbook `src` with other cells on `tab`, and names that lead elsewhere.

    Raises `WorkbookError` where a cell or name does not stand in the file as sheetgpt writes it.
    """
    with open_package(src) as package:
        outline = Outline.of(package)
        sheet = package.entry(outline.parts[tab]).filename if cells else ""
        workbook = package.entry(outline.workbook).filename if names else ""
        with zipfile.ZipFile(dst, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
            for part, info in package.entries.items():
                if part == sheet:
                    out.writestr(part, rewritten(_text(package.stream(part), src), cells))
                elif part == workbook:
                    out.writestr(part, _renamed(_text(package.stream(part), src), names))
                else:
                    copy_raw(package, info, out)


def rewritten(xml: str, cells: Mapping[At, Written]) -> str:
    """A sheet's XML with other cells; their styles are kept."""
    left = {a1.cell(*at): written for at, written in cells.items()}
    alone: set[str] = set()
    for match in _CELL.finditer(xml):
        if match[1] in left and (shared := _SHARED.search(match[0])) and shared[2]:
            alone.add(shared[1])

    def write(match: re.Match[str]) -> str:
        written = left.pop(match[1], None)
        return match[0] if written is None else _cell(match[1], match[2], written)

    xml = _CELL.sub(write, unshared(xml, alone) if alone else xml)
    if left:
        raise WorkbookError(f"the cell {min(left)} does not stand in the file as sheetgpt writes it")
    return xml


def unshared(xml: str, groups: Container[str] | None = None) -> str:
    """A sheet's XML in which each cell says its formula itself; of all shared formulas, or of those numbered so."""
    firsts: dict[str, tuple[str, str]] = {}

    def write(match: re.Match[str]) -> str:
        shared = _SHARED.search(match[0])
        if shared is None or (groups is not None and shared[1] not in groups):
            return match[0]
        if shared[2]:
            firsts[shared[1]] = unescape(shared[2]), match[1]
        text, origin = firsts[shared[1]]
        return match[0].replace(shared[0], f"<f>{markup(moved(text, origin, match[1]))}</f>")

    return _CELL.sub(write, xml)


def _cell(at: str, attributes: str, written: Written) -> str:
    kind, xml = typed_xml(written.value, {}) if written.formula is None else computed_xml(written.value)
    if written.formula:
        xml = _formula(written.formula) + xml
    style = _STYLE.search(attributes)
    head = f'<c r="{at}"{style[0] if style else ""}' + (f' t="{kind}"' if kind else "")
    return f"{head}>{xml}</c>" if xml else f"{head}/>"


def _formula(formula: Formula) -> str:
    area = formula.area
    ref = f"{a1.cell(*area[:2])}:{a1.cell(*area[2:])}" if area else ""
    return (f'<f t="array" ref="{ref}">' if ref else "<f>") + markup(formula.text) + "</f>"


def _renamed(xml: str, names: Mapping[str, str]) -> str:
    for name, ref in names.items():
        pattern = re.compile(rf'(<definedName name="{re.escape(escape(name))}">)[^<]*')
        xml, n = pattern.subn(lambda m, ref=ref: m[1] + markup(ref), xml)  # type: ignore[misc]
        if n != 1:
            raise WorkbookError(f"the name {name} does not stand in the file as sheetgpt writes it")
    return xml


def _text(pieces: Iterable[bytes], src: Path) -> str:
    try:
        return b"".join(pieces).decode()
    except UnicodeDecodeError:
        raise WorkbookError(f"{src.name}: not written as sheetgpt writes") from None
