"""A copy of a workbook in which some cells hold other values.

Only values change, at the byte positions where expat saw them; everything else stays as it was, byte for byte.
"""

from __future__ import annotations

import copy
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO

from sheetgpt.sheet import a1
from sheetgpt.sheet.editor import Cells, Editor
from sheetgpt.sheet.grid import Area
from sheetgpt.sheet.package import LIMITS, Limits, Package, open_package
from sheetgpt.sheet.plain import stripped
from sheetgpt.sheet.readback import Outline
from sheetgpt.sheet.sheetxml import check_areas
from sheetgpt.sheet.strings import Strings

_MAYBE = (b"<f", b":f", b"<!", b"\0")  # no formula, document type or UTF-16 can be without one of these


def edit(
    src: str | Path,
    dst: str | Path | IO[bytes],
    typed: Mapping[str, Cells],
    computed: Mapping[str, Cells],
    limits: Limits = LIMITS,
    *,
    over: bool = False,
) -> dict[str, list[Area]]:
    """Write to `dst` a copy of the workbook `src` in which cells hold other values, by tab and (row, column).

    `typed` is for cells without a formula: those not in it keep theirs. `computed` is what the cells that formulas
    compute remember: those not in it remember nothing. Every cell that gets a value must stand in the file. With `over`
    formulas in `typed` cells give way: an array formula only as a whole, a shared one stays with cells not typed.

    Returns the areas (inclusive, from 0) that formulas compute, by tab, for the tabs that have any. `dst` is a new
    file, or one open for writing. Raises `WorkbookError`.
    """
    with open_package(src, limits) as package:
        outline = Outline.of(package)
        tabs = {package.entry(part).filename: tab for tab, part in outline.parts.items()}
        strings = Strings.of(package, outline, chain.from_iterable(cells.values() for cells in typed.values()))
        found: dict[str, list[Area]] = {}
        with zipfile.ZipFile(dst, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
            for part, info in package.entries.items():
                tab = tabs.get(part, "")
                changed = bool(typed.get(tab) or computed.get(tab))
                computes = part in tabs and (changed or _may_compute(package, part))
                if computes and not changed and (quick := _stripped(package, part)):
                    _write(out, info, quick[:1])
                    found[tab] = quick[1]
                elif computes:
                    editor = Editor(typed.get(tab, {}), computed.get(tab, {}), strings.numbers, over=over)
                    _write(out, info, _edited(package, part, editor))
                    found[tab] = editor.areas
                elif part == strings.part:
                    _write(out, info, strings.extended(package))
                else:
                    copy_raw(package, info, out)
        return {tab: found[tab] for tab in tabs.values() if found.get(tab)}


def _stripped(package: Package, part: str) -> tuple[bytes, list[Area]] | None:
    """A sheet without what its formulas remember; None where only a parser can tell."""
    if package.entry(part).file_size > package.limits.whole:
        return None
    quick = stripped(b"".join(package.stream(part)))
    try:
        check_areas(quick[1] if quick else [], package.limits.cells)
    except ValueError:
        return None
    return quick


def _may_compute(package: Package, part: str) -> bool:
    """Whether a sheet may hold a formula: false only if no <f> can be in its bytes."""
    last = b""
    for piece in package.stream(part):
        if any(mark in piece for mark in _MAYBE) or last + piece[:1] in _MAYBE:
            return True
        last = piece[-1:]
    return False


def _edited(package: Package, part: str, editor: Editor) -> Iterator[bytes]:
    """The pieces of a sheet as `editor` wants them."""
    for piece in package.parse(part, editor.parser):
        yield editor.take(piece)
        if editor.held > package.limits.whole:
            package.fail(f"{part}: a cell holds too much")
    yield editor.rest()
    try:
        check_areas(editor.areas, package.limits.cells)
    except ValueError as error:
        package.fail(f"{part}: {error}")
    if absent := editor.absent():
        package.fail(f"{part}: the cell {a1.cell(*min(absent))} does not stand in the file, so it cannot hold a value")


def _write(out: zipfile.ZipFile, old: zipfile.ZipInfo, pieces: Iterable[bytes]) -> None:
    info = zipfile.ZipInfo(old.filename)
    info.compress_type = zipfile.ZIP_DEFLATED
    with out.open(info, "w", force_zip64=old.file_size > 1 << 30) as target:
        for piece in pieces:
            target.write(piece)


def copy_raw(package: Package, info: zipfile.ZipInfo, out: zipfile.ZipFile) -> None:
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
