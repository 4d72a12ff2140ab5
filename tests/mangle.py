"""Workbooks that somebody or something has mangled: each kind has a name, each file comes from a seed.

A mangler gets a generator and the parts of a good workbook, and gives parts, or the bytes of a whole file. `KINDS`
holds those that mean harm, by what they harm; `RANDOM` those that only roll dice.
"""

# ruff: noqa: E501  # XML by hand is read best on one line
from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from sheetgpt.sheet.a1 import column

Parts = dict[str, bytes]
Mangler = Callable[[Random, Parts], Parts | bytes]

BOOK, STRINGS, STYLES = "xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml"
TYPES, RELS, BOOK_RELS = "[Content_Types].xml", "_rels/.rels", "xl/_rels/workbook.xml.rels"
_CELL = re.compile(rb'<c r="[A-Z]+[0-9]+"[^>]*>.*?</c>')
_VALUE = re.compile(rb"<v>[^<]*</v>")
_PLAIN = re.compile(rb'<c r="([A-Z]+[0-9]+)"[^>]*><f>')

KINDS: dict[str, Mangler] = {}
RANDOM: dict[str, Mangler] = {}


class Mangled(NamedTuple):
    """A file: of what kind, from which workbook, and its bytes."""

    kind: str
    base: str
    data: bytes


_EPOCH = (1980, 1, 1, 0, 0, 0)  # so that a seed gives the same bytes


def parts_of(path: Path) -> Parts:
    """A workbook's parts, in its order."""
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(parts: Parts) -> bytes:
    """A valid zip of parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, data in parts.items():
            file.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def mangled(bases: dict[str, Parts], each: int, dice: int, seed: int = 0) -> Iterator[Mangled]:
    """`each` files of every kind that means harm, and `dice` of every random one, of the workbooks in turn."""
    for kinds, count in ((KINDS, each), (RANDOM, dice)):
        for number, (kind, mangler) in enumerate(kinds.items()):
            for i in range(count):
                base = list(bases)[(number + i) % len(bases)]
                yield mangle(kind, mangler, base, bases[base], f"{seed} {kind} {i}")


def mangle(kind: str, mangler: Mangler, base: str, parts: Parts, seed: str) -> Mangled:
    """One file."""
    made = mangler(Random(seed), dict(parts))
    return Mangled(kind, base, made if isinstance(made, bytes) else zipped(made))


def _kind(name: str) -> Callable[[Mangler], Mangler]:
    def add(mangler: Mangler) -> Mangler:
        assert name not in KINDS
        KINDS[name] = mangler
        return mangler

    return add


def _some_sheet(rng: Random, parts: Parts, holding: bytes = b"<c ") -> str:
    names = [name for name in parts if name.startswith("xl/worksheets/sheet") and holding in parts[name]]
    return rng.choice(names)


def _one(rng: Random, pattern: re.Pattern[bytes], xml: bytes, new: Callable[[re.Match[bytes]], bytes]) -> bytes:
    """The XML with one match of a pattern, drawn from the first thousand, changed."""
    found = []
    for match in pattern.finditer(xml):
        found.append(match)
        if len(found) == 1000:
            break
    match = rng.choice(found)
    return xml[: match.start()] + new(match) + xml[match.end() :]


# ---- the zip ---------------------------------------------------------------------------------------------------------


def _in_directory(offset: int, form: str, value: int) -> Mangler:
    """A field of one entry of the central directory, changed."""

    def change(rng: Random, parts: Parts) -> bytes:
        data = bytearray(zipped(parts))
        entries = [m.start() for m in re.finditer(b"PK\x01\x02", data)]
        struct.pack_into(form, data, rng.choice(entries) + offset, value)
        return bytes(data)

    return change


def _in_header(offset: int, form: str, value: int) -> Mangler:
    """A field of one entry's own header, changed."""

    def change(rng: Random, parts: Parts) -> bytes:
        data = bytearray(zipped(parts))
        struct.pack_into(form, data, rng.choice([m.start() for m in re.finditer(b"PK\x03\x04", data)]) + offset, value)
        return bytes(data)

    return change


KINDS |= {
    "zip: encrypted flag": _in_directory(8, "<H", 1),
    "zip: encrypted flag in the header only": _in_header(6, "<H", 1),
    "zip: data descriptor flag, none there": _in_header(6, "<H", 8),
    "zip: unknown method": _in_directory(10, "<H", 99),
    "zip: stored, though deflated": _in_directory(10, "<H", 0),
    "zip: another checksum": _in_directory(16, "<I", 12345),
    "zip: compressed size lies": _in_directory(20, "<I", 7),
    "zip: size says little": _in_directory(24, "<I", 10),
    "zip: size says 4 GB": _in_directory(24, "<I", 0xFFFFFFFE),
    "zip: size says zip64, nothing there": _in_directory(24, "<I", 0xFFFFFFFF),
    "zip: an entry somewhere else": _in_directory(42, "<I", 5),
    "zip: an entry beyond the end": _in_directory(42, "<I", 0x7FFFFFFF),
    "zip: a symbolic link": _in_directory(38, "<I", 0o120777 << 16),
    "zip: a long name that is not there": _in_directory(28, "<H", 0xFFFF),
    "zip: made by another system": _in_directory(4, "<H", 0x0A14),
    "zip: needs version 99": _in_directory(6, "<H", 99),
    "zip: extra field that is not there": _in_directory(30, "<H", 40),
    "zip: date out of range": _in_directory(12, "<I", 0xFFFFFFFF),
}


def _appended(name: str, data: bytes) -> Mangler:
    def append(_: Random, parts: Parts) -> Parts:
        return {**parts, name: data}

    return append


@_kind("zip: cut short")
def _cut(rng: Random, parts: Parts) -> bytes:
    data = zipped(parts)
    return data[: rng.randrange(1, len(data))]


@_kind("zip: bytes before it")
def _before(_: Random, parts: Parts) -> bytes:
    return b"PK nonsense" * 50 + zipped(parts)


@_kind("zip: bytes after it")
def _after(_: Random, parts: Parts) -> bytes:
    return zipped(parts) + b"\0" * 70_000


@_kind("zip: two zips, one after the other")
def _two(rng: Random, parts: Parts) -> bytes:
    sheet = _some_sheet(rng, parts)
    other = {**parts, sheet: _one(rng, _VALUE, parts[sheet], lambda _: b"<v>77</v>")}
    return zipped(parts) + zipped(other)


@_kind("zip: an entry twice")
def _twice(rng: Random, parts: Parts) -> bytes:
    name = rng.choice(list(parts))
    data = zipped({**parts, name[:-1] + "~": b"<x/>"})
    return data.replace((name[:-1] + "~").encode(), name.encode())


@_kind("zip: an entry twice but for capitals")
def _capitals(rng: Random, parts: Parts) -> Parts:
    name = rng.choice(list(parts))
    return {**parts, name.upper() if name.upper() != name else name.lower(): parts[name]}


@_kind("zip: 20,000 entries")
def _entries(_: Random, parts: Parts) -> Parts:
    return parts | {f"x/{i}": b"" for i in range(20_000)}


@_kind("zip: end of directory lies")
def _end(rng: Random, parts: Parts) -> bytes:
    data = bytearray(zipped(parts))
    at = data.rfind(b"PK\x05\x06")
    struct.pack_into("<HHII", data, at + 8, *rng.choice([(1, 1, 9, 9), (65535, 65535, 2**32 - 1, 2**32 - 1)]))
    return bytes(data)


@_kind("zip: nothing but a directory")
def _empty_zip(_: Random, parts: Parts) -> bytes:
    return zipped(dict.fromkeys(parts, b""))


def _bomb(head: bytes, unit: bytes, tail: bytes, times: int) -> bytes:
    return head + unit * times + tail


_MAIN = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def _sheet_bomb(unit: bytes, times: int) -> Mangler:
    """A sheet of which one piece is there over and over."""

    def blow(rng: Random, parts: Parts) -> Parts:
        sheet = _some_sheet(rng, parts)
        head = b'<worksheet xmlns="%s"><sheetData>' % _MAIN
        return {**parts, sheet: _bomb(head, unit, b"</sheetData></worksheet>", times)}

    return blow


def _string_bomb(unit: bytes, times: int, tail: bytes = b"</sst>") -> Mangler:
    def blow(_: Random, parts: Parts) -> Parts:
        return {**parts, STRINGS: _bomb(b'<sst xmlns="%s">' % _MAIN, unit, tail, times)}

    return blow


_ROW = b"<row>" + b"<c><v>1</v></c>" * 1000 + b"</row>"
KINDS |= {
    "bomb: a sheet of spaces": _sheet_bomb(b" ", 200 << 20),
    "bomb: a sheet of empty cells": _sheet_bomb(b"<row>" + b"<c/>" * 1000 + b"</row>", 20_000),
    "bomb: a sheet of numbers": _sheet_bomb(_ROW, 12_000),
    "bomb: a sheet of empty rows": _sheet_bomb(b"<row/>", 2_000_000),
    "bomb: a sheet of short formulas": _sheet_bomb(b"<row>" + b"<c><f>1</f></c>" * 1000 + b"</row>", 5_000),
    "bomb: a row of 2 M foreign elements": _sheet_bomb(b"<row><x/></row>", 900_000),
    "bomb: empty shared strings": _string_bomb(b"<si/>", 30_000_000),
    "bomb: short shared strings": _string_bomb(b"<si><t>a</t></si>", 5_000_000),
    "bomb: one shared string": _string_bomb(b"x", 100 << 20, b"</t></si></sst>"),
    "bomb: a shared string of runs": _string_bomb(b"<r><t>a</t></r>", 5_000_000, b"</si></sst>"),
    "mild bomb: a sheet of spaces": _sheet_bomb(b" ", 18 << 20),
    "mild bomb: a sheet of empty cells": _sheet_bomb(b"<row>" + b"<c/>" * 1000 + b"</row>", 4_500),
    "mild bomb: a sheet of numbers": _sheet_bomb(_ROW, 1_200),
    "mild bomb: a sheet of foreign elements": _sheet_bomb(b"<row>" + b"<x/>" * 1000 + b"</row>", 4_500),
    "mild bomb: a sheet of short formulas": _sheet_bomb(b"<row>" + b"<c><f>1</f></c>" * 1000 + b"</row>", 1_200),
    "mild bomb: empty shared strings": _string_bomb(b"<si/>", 3_600_000),
    "mild bomb: short shared strings": _string_bomb(b"<si><t>a</t></si>", 1_000_000),
    "mild bomb: a shared string of runs": _string_bomb(b"<si>" + b"<r><t>a</t></r>" * 1_200_000, 1, b"</si></sst>"),
    "mild bomb: relationships": lambda _, p: {
        **p,
        BOOK_RELS: p[BOOK_RELS].replace(
            b"</Relationships>", b'<Relationship Id="x" Type="y" Target="z"/>' * 90_000 + b"</Relationships>"
        ),
    },
    "mild bomb: elements of the workbook part": lambda _, p: {
        **p,
        BOOK: p[BOOK].replace(b"</workbook>", b"<x/>" * 950_000 + b"</workbook>"),
    },
    "mild bomb: deep in the workbook part": lambda _, p: {
        **p,
        BOOK: p[BOOK].replace(b"</workbook>", b"<x>" * 550_000 + b"</x>" * 550_000 + b"</workbook>"),
    },
    "bomb: styles": lambda _, p: {
        **p,
        STYLES: _bomb(
            b'<styleSheet xmlns="%s"><cellXfs>' % _MAIN, b'<xf numFmtId="0"/>', b"</cellXfs></styleSheet>", 2_000_000
        ),
    },
    "bomb: a part nobody asks for": _appended("xl/media/image1.png", b"\0" * (300 << 20)),
    "bomb: the workbook part": lambda _, p: {**p, BOOK: p[BOOK] + b" " * (100 << 20)},
    "bomb: relationships": lambda _, p: {
        **p,
        BOOK_RELS: p[BOOK_RELS].replace(
            b"</Relationships>", b'<Relationship Id="x" Type="y" Target="z"/>' * 500_000 + b"</Relationships>"
        ),
    },
}


# ---- the package -----------------------------------------------------------------------------------------------------


def _missing(name: str) -> Mangler:
    return lambda _, parts: {key: data for key, data in parts.items() if key != name}


def _replaced(name: str, old: bytes, new: bytes, count: int = 1) -> Mangler:
    """A part with one piece of its text replaced; `old` must be there."""

    def replace(_: Random, parts: Parts) -> Parts:
        if name not in parts or old not in parts[name]:
            return parts
        return {**parts, name: parts[name].replace(old, new, count)}

    return replace


def _whole(name: str, data: bytes) -> Mangler:
    return lambda _, parts: {**parts, name: data}


KINDS |= {
    **{f"package: without {name}": _missing(name) for name in (BOOK, STRINGS, STYLES, TYPES, RELS, BOOK_RELS)},
    "package: without a sheet": lambda rng, p: _missing(_some_sheet(rng, p))(rng, p),
    "package: a sheet of nothing": lambda rng, p: {**p, _some_sheet(rng, p): b""},
    "package: two sheets swapped": lambda rng, p: _swapped(rng, p),
    "package: a sheet is the workbook": lambda rng, p: {**p, _some_sheet(rng, p): p[BOOK]},
    "package: the workbook is a sheet": lambda rng, p: {**p, BOOK: p[_some_sheet(rng, p)]},
    "package: a sheet leads outside": _replaced(
        BOOK_RELS, b'Target="worksheets/sheet2.xml"', b'Target="../../../etc/passwd"'
    ),
    "package: a sheet from the web": _replaced(
        BOOK_RELS, b'Target="worksheets/sheet2.xml"', b'Target="http://x.invalid/s.xml" TargetMode="External"'
    ),
    "package: two tabs of one sheet": _replaced(BOOK_RELS, b"sheet2.xml", b"sheet3.xml"),
    "package: the workbook leads to itself": _replaced(BOOK_RELS, b"worksheets/sheet2.xml", b"workbook.xml"),
    "package: macros": _appended("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0"),
    "package: another content type": _replaced(
        TYPES, b"spreadsheetml.sheet.main+xml", b"wordprocessingml.document.main+xml"
    ),
    "package: a sheet's target escaped": _replaced(BOOK_RELS, b"sheet2.xml", b"sheet%32.xml"),
    "package: nul in a target": _replaced(BOOK_RELS, b"sheet2.xml", b"sheet2.xml&#0;"),
    "package: a string table in UTF-16": lambda _, p: {
        **p,
        STRINGS: p[STRINGS].decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    },
}


def _swapped(rng: Random, parts: Parts) -> Parts:
    first, second = _some_sheet(rng, parts), _some_sheet(rng, parts)
    return {**parts, first: parts[second], second: parts[first]}


# ---- the XML ---------------------------------------------------------------------------------------------------------


def _anywhere(change: Callable[[Random, bytes], bytes]) -> Mangler:
    """A change to a sheet, the workbook part or the shared strings."""

    def mangler(rng: Random, parts: Parts) -> Parts:
        name = rng.choice([_some_sheet(rng, parts), BOOK, STRINGS, BOOK_RELS])
        return {**parts, name: change(rng, parts[name])}

    return mangler


def _at_root(more: bytes) -> Callable[[Random, bytes], bytes]:
    """Something right behind the start tag of the root."""
    return lambda _, xml: re.sub(rb"(<(?!\?)[^>]*[^/]>)", lambda m: m[1] + more, xml, count=1)


def _in_root(more: Callable[[], bytes]) -> Callable[[Random, bytes], bytes]:
    return lambda _, xml: re.sub(rb"(<(?!\?)[^>]*[^/])>", lambda m: m[1] + more() + b">", xml, count=1)


def _doctype(inside: bytes) -> Callable[[Random, bytes], bytes]:
    return lambda _, xml: xml.replace(b"?>", b"?><!DOCTYPE x [" + inside + b"]>", 1)


_LAUGHS = b'<!ENTITY a0 "ha">' + b"".join(b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 10))
KINDS |= {
    "xml: billion laughs": _anywhere(lambda r, x: _at_root(b"&a9;")(r, _doctype(_LAUGHS)(r, x))),
    "xml: external entity": _anywhere(
        lambda r, x: _at_root(b"&e;")(r, _doctype(b'<!ENTITY e SYSTEM "file:///etc/passwd">')(r, x))
    ),
    "xml: parameter entity": _anywhere(_doctype(b'<!ENTITY % p SYSTEM "http://x.invalid/"> %p;')),
    "xml: unknown entity": _anywhere(_at_root(b"&what;")),
    "xml: 300,000 attributes": _anywhere(_in_root(lambda: b"".join(b' a%d=""' % i for i in range(300_000)))),
    "xml: an attribute of 20 MB": _anywhere(_in_root(lambda: b' a="' + b"x" * (20 << 20) + b'"')),
    "xml: 100,000 namespaces": _anywhere(
        _in_root(lambda: b"".join(b' xmlns:n%d="u%d"' % (i, i) for i in range(100_000)))
    ),
    "xml: 200,000 deep": _anywhere(_at_root(b"<a>" * 200_000 + b"</a>" * 200_000)),
    "xml: 200,000 deep, never closed": _anywhere(_at_root(b"<a>" * 200_000)),
    "xml: 100,000 different elements": _anywhere(_at_root(b"".join(b"<e%d/>" % i for i in range(100_000)))),
    "xml: a comment of 20 MB": _anywhere(_at_root(b"<!--" + b"x" * (20 << 20) + b"-->")),
    "xml: a processing instruction of 20 MB": _anywhere(_at_root(b"<?p " + b"x" * (20 << 20) + b"?>")),
    "xml: bad UTF-8": _anywhere(lambda r, x: x[: (at := r.randrange(len(x)))] + b"\xff\xfe\xc0\x80" + x[at:]),
    "xml: a surrogate in UTF-8": _anywhere(_at_root(b"\xed\xa0\x80")),
    "xml: a nul": _anywhere(lambda r, x: x[: (at := r.randrange(len(x)))] + b"\0" + x[at:]),
    "xml: says UTF-7": _anywhere(lambda _, x: x.replace(b"UTF-8", b"UTF-7", 1)),
    "xml: a tag never closed": _anywhere(lambda r, x: x[: x.rfind(b"</")]),
    "xml: cut short": _anywhere(lambda r, x: x[: r.randrange(len(x))]),
    "xml: more after the end": _anywhere(lambda r, x: x + b"<more/>"),
    "xml: the root twice": _anywhere(lambda r, x: x + x),
    "xml: another namespace": _anywhere(lambda r, x: x.replace(_MAIN, b"urn:another")),
    "xml: no namespace": _anywhere(lambda r, x: x.replace(b' xmlns="%s"' % _MAIN, b"")),
    "xml: a byte order mark": _anywhere(lambda r, x: b"\xef\xbb\xbf" + x),
    "xml: xml:space": _anywhere(_in_root(lambda: b' xml:space="preserve"')),
}


# ---- cells -----------------------------------------------------------------------------------------------------------


def _cell(change: Callable[[bytes], bytes], pattern: re.Pattern[bytes] = _CELL) -> Mangler:
    """One cell of a sheet, changed."""

    def mangler(rng: Random, parts: Parts) -> Parts:
        sheet = _some_sheet(rng, parts, b"<v>")
        return {**parts, sheet: _one(rng, pattern, parts[sheet], lambda m: change(m[0]))}

    return mangler


def _valued(value: bytes) -> Mangler:
    return _cell(lambda _: b"<v>" + value + b"</v>", _VALUE)


def _typed(kind: bytes, rest: bytes = b"") -> Mangler:
    def change(cell: bytes) -> bytes:
        head = re.sub(rb' t="\w+"', b"", cell).replace(b" ", b' t="' + kind + b'" ', 1)
        return re.sub(rb"<v>.*</v>", rest, head) if rest else head

    return _cell(change)


def _more_rows(xml: bytes) -> Mangler:
    """Rows at the end of a sheet."""

    def mangler(rng: Random, parts: Parts) -> Parts:
        sheet = _some_sheet(rng, parts, b"</sheetData>")
        return {**parts, sheet: parts[sheet].replace(b"</sheetData>", xml + b"</sheetData>")}

    return mangler


_LIES = (b"nan", b"inf", b"-Infinity", b"1E999", b"-1E999", b"1e-999", b"0x10", b"1_000", b" 1 ", b"1,5", b"\xd9\xa1")
KINDS |= {
    **{f"cell: the value {lie.decode()}": _valued(lie) for lie in _LIES},
    "cell: a value of 2 MB": _valued(b"1" * (2 << 20)),
    "cell: a value with a comment": _cell(lambda v: v[:4] + b"<!-- 1 -->" + v[4:], _VALUE),
    "cell: a value as CDATA": _cell(lambda v: b"<v><![CDATA[" + v[3:-4] + b"]]></v>", _VALUE),
    "cell: a value with an instruction": _cell(lambda v: v[:4] + b"<?x 1?>" + v[4:], _VALUE),
    "cell: a value with references": _cell(
        lambda v: b"<v>" + b"".join(b"&#%d;" % c for c in v[3:-4]) + b"</v>", _VALUE
    ),
    "cell: an element in a value": _cell(lambda v: v[:4] + b"<x>1</x>" + v[4:], _VALUE),
    "cell: two values": _cell(lambda v: v + b"<v>5</v>", _VALUE),
    "cell: a value of another namespace": _cell(lambda v: b'<v xmlns="urn:x">5</v>' + v, _VALUE),
    "cell: no such type": _typed(b"zz"),
    "cell: a shared string that is not there": _typed(b"s", b"<v>99999999</v>"),
    "cell: a shared string below none": _typed(b"s", b"<v>-1</v>"),
    "cell: a shared string's number is huge": _typed(b"s", b"<v>" + b"9" * 5000 + b"</v>"),
    "cell: a date": _typed(b"d", b"<v>2024-02-30T25:00</v>"),
    "cell: a good date": _typed(b"d", b"<v>2024-02-28</v>"),
    "cell: true or false": _typed(b"b", b"<v>7</v>"),
    "cell: an error": _typed(b"e", b"<v>#BOOM!</v>"),
    "cell: an error without end": _typed(b"e", b"<v>" + b"#" * 100_000 + b"</v>"),
    "cell: a number is text": _typed(b"str"),
    "cell: inline text": _typed(b"inlineStr", b"<is><r><t>a</t></r><r><t xml:space='preserve'> b</t></r></is>"),
    "cell: inline and a value": _typed(b"inlineStr", b"<is><t>a</t></is><v>1</v>"),
    "cell: inline text of 3 MB": _typed(b"inlineStr", b"<is><t>" + b"x" * (3 << 20) + b"</t></is>"),
    "cell: escaped surrogate": _typed(b"inlineStr", b"<is><t>_xD800__x0000__xFFFF_</t></is>"),
    "cell: there twice": _cell(lambda c: c + c),
    "cell: outside the grid": _more_rows(b'<row r="1048577"><c r="A1048577"><v>1</v></c></row>'),
    "cell: beyond the last column": _more_rows(b'<row r="5000"><c r="XFE5000"><v>1</v></c></row>'),
    "cell: the far corner": _more_rows(b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
    "cell: row zero": _more_rows(b'<row r="0"><c r="A0"><v>1</v></c></row>'),
    "cell: row of many digits": _more_rows(b'<row r="' + b"9" * 10_000 + b'"/>'),
    "cell: rows backwards": _more_rows(b'<row r="1"><c r="A1"><v>1</v></c></row>'),
    "cell: an address of another row": _more_rows(b'<row r="9000"><c r="B8"><v>1</v></c></row>'),
    "cell: without an address": _cell(lambda c: re.sub(rb' r="\w+"', b"", c, count=1)),
    "cell: a style that is not there": _cell(
        lambda c: re.sub(rb'( s="\d+")?([ >])', rb' s="4000000000"\2', c, count=1)
    ),
    "cell: outside sheetData": _replaced(
        "xl/worksheets/sheet2.xml", b"<sheetData>", b'<c r="A1"><v>1</v></c><sheetData>'
    ),
    "cell: sheetData twice": _replaced("xl/worksheets/sheet2.xml", b"<sheetData>", b"<sheetData/><sheetData>"),
    "cell: lying dimension": lambda rng, p: {
        **p,
        (s := _some_sheet(rng, p)): re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:XFD1048576"', p[s]),
    },
    "cell: a merge over everything": _replaced(
        "xl/worksheets/sheet3.xml",
        b"</sheetData>",
        b'</sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>',
    ),
    "cell: a million cells far apart": _more_rows(
        b"".join(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (r, r) for r in range(500_000, 540_000))
    ),
    "cell: columns without end": _replaced(
        "xl/worksheets/sheet3.xml",
        b"<sheetData>",
        b'<cols><col min="1" max="4000000000" width="1e99"/></cols><sheetData>',
    ),
}


# ---- formulas --------------------------------------------------------------------------------------------------------


def _formula(text: bytes, attributes: bytes = b"") -> Mangler:
    """One formula of a sheet replaced; in `attributes`, @ is its cell."""

    def mangler(rng: Random, parts: Parts) -> Parts:
        sheet = _some_sheet(rng, parts, b"<f>")
        pattern = re.compile(rb'<c r="([A-Z]+[0-9]+)"([^>]*)><f>[^<]*</f>')
        head = b'<c r="%s"%s><f%s>%s</f>'
        return {
            **parts,
            sheet: _one(
                rng, pattern, parts[sheet], lambda m: head % (m[1], m[2], attributes.replace(b"@", m[1]), text)
            ),
        }

    return mangler


def _strange_formula(text: bytes, attributes: bytes = b"") -> Mangler:
    """A formula in a cell that nobody has planned."""
    return _more_rows(b'<row r="9000"><c r="A9000"><f%s>%s</f><v>1</v></c></row>' % (attributes, text))


def _doubling(rows: int) -> bytes:
    """Cells each of which has twice the text of the one above."""
    cells = [b'<row r="9000"><c r="A9000" t="str"><f>"x"&amp;"y"</f><v/></c></row>']
    cells += [
        b'<row r="%d"><c r="A%d" t="str"><f>A%d&amp;A%d</f><v/></c></row>' % (r, r, r - 1, r - 1)
        for r in range(9001, 9000 + rows)
    ]
    return b"".join(cells)


def _towers(rows: int) -> bytes:
    """Cells each of which asks for all of those above, many times."""
    return b"".join(
        b'<row r="%d"><c r="A%d"><f>SUMPRODUCT(A$8999:A%d*TRANSPOSE(A$8999:A%d))</f><v/></c></row>'
        % (r, r, r - 1, r - 1)
        for r in range(9000, 9000 + rows)
    )


_BOMBS = {
    "REPT of a billion": b'REPT("x",1E9)',
    "REPT in REPT": b'LEN(REPT(REPT("xxxxxxxx",32767),32767))',
    "REPT below zero": b'REPT("x",-1)',
    "MMULT of columns": b"SUM(MMULT(A:A,TRANSPOSE(A:A)))",
    "MMULT of the grid": b"SUM(MMULT(A:XFD,A:XFD))",
    "SUM of the grid": b"SUM(A:XFD)",
    "SUM of all rows": b"SUM(1:1048576)",
    "SUMPRODUCT of the grid": b"SUMPRODUCT(A:XFD*A:XFD)",
    "ROW of columns": b"SUM(ROW(A:XFD)*COLUMN(A:XFD))",
    "TRANSPOSE of the grid": b"SUM(TRANSPOSE(B:XFD))",
    "COUNTIF of columns in columns": b"SUM(COUNTIF(A:A,B:B))",
    "INDIRECT": b'SUM(INDIRECT("A1:XFD1048576"))',
    "ROW of INDIRECT": b'SUM(ROW(INDIRECT("1:1048576")))',
    "OFFSET": b"SUM(OFFSET(A1,0,0,1048576,16384))",
    "FACT": b"FACT(1E9)",
    "COMBIN": b"COMBIN(1E9,5E8)",
    "SERIESSUM": b"SERIESSUM(2,0,1,A:XFD)",
    "MINVERSE": b"SUM(MINVERSE(A1:ALL1000))",
    "MDETERM": b"MDETERM(A1:ALL1000)",
    "GCD": b"GCD(A:XFD)",
    "SUBSTITUTE": b'LEN(SUBSTITUTE(REPT("a",32767),"a",REPT("b",32767)))',
    "TEXT": b'TEXT(1,REPT("0",32767))',
    "BASE": b"BASE(1E300,2,1000000000)",
    "ROUND": b"ROUND(1,2147483647)+ROUND(1,-2147483648)",
    "BINOM.DIST": b"_xlfn.BINOM.DIST(5E8,1E9,0.5,TRUE)",
    "RANDARRAY": b"SUM(_xlfn.RANDARRAY(1048576,16384))",
    "SEQUENCE": b"SUM(_xlfn.SEQUENCE(1048576,16384))",
    "LAMBDA that calls itself": b"_xlfn.LET(_xlpm.f,_xlfn.LAMBDA(_xlpm.g,_xlpm.g(_xlpm.g)),_xlpm.f(_xlpm.f))",
    "REDUCE": b"_xlfn.REDUCE(0,_xlfn.SEQUENCE(1E6),_xlfn.LAMBDA(_xlpm.a,_xlpm.b,_xlpm.a+1))",
    "power of powers": b"9^9^9^9^9^9^9",
    "WEBSERVICE": b'_xlfn.WEBSERVICE("http://x.invalid/")',
    "DDE": b"cmd|' /C calc'!A0",
    "another file": b"'[other.xlsx]Sheet1'!A1",
    "a name that is not there": b"no.such.name+1",
    "a tab that is not there": b"'no such tab'!A1",
    "a function that is not there": b"NOSUCH(1,2,3)",
    "NETWORKDAYS": b"NETWORKDAYS(1,2958465)+WORKDAY(1,100000000)",
    "RATE": b"RATE(1E9,-1E9,1E9)+IRR(A:A)",
    "LARGE of the grid": b"LARGE(A:XFD,5)",
    "FREQUENCY": b"SUM(FREQUENCY(A:A,A:A))",
    "MATCH in columns": b"SUM(MATCH(A:A,B:B,0))",
    "SUMIFS": b"SUM(SUMIFS(A:A,B:B,C:C))",
    "itself": b"A9000+1",
    "parentheses": b"(" * 4000 + b"1" + b")" * 4000,
    "parentheses never closed": b"(" * 8000,
    "minus signs": b"-" * 8000 + b"1",
    "percent signs": b"1" + b"%" * 8000,
    "IF in IF": b"IF(1," * 1300 + b"1" + b")" * 1300,
    "braces": b"SUM(" + b"{" * 4000 + b"1" + b"}" * 4000 + b")",
    "a constant array": b"SUM({" + b"1," * 4000 + b"1})",
    "8,192 characters": b"1" + b"+1" * 4095 + b"&amp;",
    "20,000 characters": b"1+" * 10_000 + b"1",
    "sums of sums": b"SUM(" * 1000 + b"1" + b")" * 1000,
    "quotes never closed": b'"' * 8001,
    "brackets": b"[" * 4000,
    "unions": b"SUM((" + b"A1," * 2000 + b"A1))",
    "text in formulas": b"&#1;\xf0\x9f\x98\x80&lt;",
    "empty": b"",
}
KINDS |= {f"formula: {name}": _formula(text) for name, text in _BOMBS.items()}
KINDS |= {f"stray formula: {name}": _strange_formula(text) for name, text in _BOMBS.items()}
KINDS |= {
    f"array of {ref}: {name}": _strange_formula(_BOMBS.get(name, name.encode()), b' t="array" ref="%s"' % ref.encode())
    for ref, name in [
        ("A9000:A9000", "MMULT of columns"),
        ("A9000:A9000", "ROW of columns"),
        ("A9000:A9000", "SUMPRODUCT of the grid"),
        ("A9000:A9000", "FREQUENCY"),
        ("A9000:J9099", "ROW of INDIRECT"),
        ("A9000:XFD1048576", "1"),
        ("A9000:A1048576", "ROW(A:A)"),
        ("A9000:XFD9000", "COLUMN(1:1)"),
        ("A9000:AZ9100", "A1:XFD1048576"),
        ("A1:XFD1048576", "1"),
        ("nonsense", "1"),
        ("A9000", "MMULT(A1:ZZ700,A1:ZZ702)"),
    ]
}
KINDS |= {
    "formula: doubling texts": _more_rows(_doubling(40)),
    "formula: towers": _more_rows(_towers(700)),
    "formula: a ring": _more_rows(
        b"".join(
            b'<row r="%d"><c r="A%d"><f>A%d+1</f><v>1</v></c></row>' % (r, r, 9000 + (r - 8999) % 2000)
            for r in range(9000, 11000)
        )
    ),
    "formula: a chain of 20,000": _more_rows(
        b"".join(b'<row r="%d"><c r="A%d"><f>A%d+1</f></c></row>' % (r, r, r + 1) for r in range(9000, 29000))
    ),
    "formula: a doubling chain of numbers": _more_rows(
        b"".join(b'<row r="%d"><c r="A%d"><f>A%d+A%d</f></c></row>' % (r, r, r + 1, r + 1) for r in range(9000, 9060))
    ),
    "formula: shared by nobody": _formula(b"", b' t="shared" si="4000"'),
    "formula: shared by 5,000, long": _more_rows(
        b'<row r="9000"><c r="A9000"><f t="shared" si="7" ref="A9000:A14000">%s</f></c></row>' % (b"B1+" * 2700 + b"1")
        + b"".join(b'<row r="%d"><c r="A%d"><f t="shared" si="7"/></c></row>' % (r, r) for r in range(9001, 14001))
    ),
    "formula: a data table": _formula(b"", b' t="dataTable" ref="@" dt2D="1" r1="A1" r2="B1"'),
    "formula: of no kind": _formula(b"1", b' t="zz"'),
    "formula: twice": lambda rng, p: {
        **p,
        (s := _some_sheet(rng, p, b"<f>")): p[s].replace(b"</f>", b"</f><f>2</f>", 1),
    },
    "formula: an array over the sheet": _formula(b"1", b' t="array" ref="@:XFD1048576"'),
    "formula: arrays over each other": _more_rows(
        b'<row r="9000"><c r="A9000"><f t="array" ref="A9000:C9002">1</f></c></row>'
        b'<row r="9001"><c r="B9001"><f t="array" ref="B9001:D9003">1</f></c></row>'
    ),
    "formula: 100,000 arrays": _more_rows(
        b"".join(
            b'<row r="%d">' % r
            + b"".join(
                b'<c r="%s%d"><f t="array" ref="%s%d">1</f></c>' % ((column(c).encode(), r) * 2) for c in range(100)
            )
            + b"</row>"
            for r in range(9000, 10_000)
        )
    ),
}


# ---- names, tabs, settings, the card ---------------------------------------------------------------------------------


def _names(xml: bytes) -> Mangler:
    return _replaced(BOOK, b"</definedNames>", xml + b"</definedNames>")


def _pointing(text: bytes) -> Mangler:
    """One of our names that points elsewhere."""

    def mangler(rng: Random, parts: Parts) -> Parts:
        pattern = re.compile(rb'(<definedName name="[^"]*">)[^<]*')
        return {**parts, BOOK: _one(rng, pattern, parts[BOOK], lambda m: m[1] + text)}

    return mangler


def _card(old: str, new: str) -> Mangler:
    """The card, which is a shared string of JSON, with one piece of its text changed."""

    def mangler(_: Random, parts: Parts) -> Parts:
        xml = parts[STRINGS].decode()
        quoted = next((q for q in ('"', "&quot;") if f"{q}format{q}" in xml), '"')
        return {**parts, STRINGS: re.sub(old.replace('"', quoted), new.replace('"', quoted), xml, count=1).encode()}

    return mangler


_POINTERS = (
    b"#REF!",
    b"",
    b"A1",
    b"Nowhere!$A$1",
    b"1",
    b"'a'b'!$A$1",
    b"Prompt!$A$1:$XFD$1048576",
    b"Prompt!$B$9:$A$1",
)
KINDS |= {f"name: points to {text.decode() or 'nothing'}": _pointing(text) for text in _POINTERS}
KINDS |= {
    "name: itself": _names(b'<definedName name="a.loop">a.loop+1</definedName>'),
    "name: a ring, and used": lambda rng, p: _strange_formula(b"a.one")(
        rng,
        _names(b'<definedName name="a.one">a.two</definedName><definedName name="a.two">a.one</definedName>')(rng, p),
    ),
    "name: itself, and used": lambda rng, p: _strange_formula(b"a.loop")(
        rng, _names(b'<definedName name="a.loop">a.loop+a.loop</definedName>')(rng, p)
    ),
    "name: doubling, and used": lambda rng, p: _strange_formula(b"a.n59")(
        rng,
        _names(
            b'<definedName name="a.n0">1</definedName>'
            + b"".join(b'<definedName name="a.n%d">a.n%d+a.n%d</definedName>' % (i, i - 1, i - 1) for i in range(1, 60))
        )(rng, p),
    ),
    "name: 100,000 of them": _names(
        b"".join(b'<definedName name="n.%d">Prompt!$A$1</definedName>' % i for i in range(100_000))
    ),
    "name: twice": _names(b'<definedName name="logits">A1</definedName>'),
    "name: of a tab that is not there": _names(b'<definedName name="x.y" localSheetId="4000">1</definedName>'),
    "name: of tab minus one": _names(b'<definedName name="x.y" localSheetId="-1">1</definedName>'),
    "name: of tab \u00b2": _names(b'<definedName name="x.y" localSheetId="\xc2\xb2">1</definedName>'),
    "name: of a tab of 10,000 digits": _names(
        b'<definedName name="x.y" localSheetId="' + b"9" * 10_000 + b'">1</definedName>'
    ),
    "name: without a name": _names(b"<definedName>1</definedName>"),
    "name: a long one": _names(b'<definedName name="' + b"x" * 1_000_000 + b'">1</definedName>'),
    "name: controls in it": _names(b'<definedName name="a&#10;b&#x202e;">Prompt!$A$1</definedName>'),
    "name: a print area": _names(b'<definedName name="_xlnm.Print_Area" localSheetId="0">A:XFD</definedName>'),
    "tab: 9,000 more": lambda _, p: _tabs(p, 9_000),
    "tab: a name of 10,000 characters": _replaced(BOOK, b'<sheet name="', b'<sheet name="' + b"x" * 10_000),
    "tab: a name with controls": _replaced(BOOK, b'<sheet name="', b'<sheet name="&#10;&#x202e;'),
    "tab: no name": lambda _, p: {**p, BOOK: re.sub(rb'<sheet name="[^"]*"', b"<sheet", p[BOOK], count=1)},
    "tab: no relationship": lambda _, p: {**p, BOOK: re.sub(rb'r:id="rId2"', b'r:id="rId999"', p[BOOK])},
    "tab: hidden": _replaced(BOOK, b'<sheet name="', b'<sheet state="veryHidden" name="'),
    "tab: none at all": lambda _, p: {**p, BOOK: re.sub(rb"<sheets>.*</sheets>", b"<sheets/>", p[BOOK])},
    "setting: 2^31 iterations": lambda rng, p: _strange_formula(b"A9000+1")(
        rng,
        {**p, BOOK: re.sub(rb"<calcPr", b'<calcPr iterate="1" iterateCount="2147483647" iterateDelta="0"', p[BOOK])},
    ),
    "setting: as displayed": lambda _, p: {**p, BOOK: re.sub(rb"<calcPr", b'<calcPr fullPrecision="0"', p[BOOK])},
    "setting: another calendar": lambda _, p: {**p, BOOK: p[BOOK].replace(b"<workbookPr", b'<workbookPr date1904="1"')},
    "card: format 99": _card(r'"format": \d+', '"format": 99'),
    "card: format of text": _card(r'"format": \d+', '"format": "x"'),
    "card: a billion tokens": _card(r'"tokens": \d+', '"tokens": 1000000000'),
    "card: minus one token": _card(r'"tokens": \d+', '"tokens": -1'),
    "card: another number of tokens": _card(r'"tokens": \d+', '"tokens": 3'),
    "card: tokens are true": _card(r'"tokens": \d+', '"tokens": true'),
    "card: a thousand blocks": _card(r'"n_layer": \d+', '"n_layer": 1000'),
    "card: a billion blocks": _card(r'"n_layer": \d+', '"n_layer": 1000000000'),
    "card: 10^400 blocks": _card(r'"n_layer": \d+', '"n_layer": 1' + "0" * 400),
    "card: digits without end": _card(r'"n_layer": \d+', '"n_layer": ' + "9" * 10_000),
    "card: wide": _card(r'"n_embd": \d+', '"n_embd": 1000000000'),
    "card: width zero": _card(r'"n_embd": \d+', '"n_embd": 0'),
    "card: heads that do not fit": _card(r'"n_head": \d+', '"n_head": 7'),
    "card: a great vocabulary": _card(r'"n_vocab": \d+', '"n_vocab": 1000000'),
    "card: eps is not a number": _card(r'"(eps|layer_norm_epsilon)": [\d.e-]+', r'"\1": NaN'),
    "card: eps is infinite": _card(r'"(eps|layer_norm_epsilon)": [\d.e-]+', r'"\1": 1e999'),
    "card: another model": _card(r'"model": "[^"&]*', r'"model": "../../../etc/passwd'),
    "card: a bundled model": _card(r'"model": "[^"&]*', r'"model": "sorter'),
    "card: no JSON": _card(r'\{"format"', '{{"format"'),
    "card: deep JSON": _card(r'\{"format"', "[" * 100_000 + '{"format"'),
    "card: JSON of 900 KB": _card(r'\{"format"', '{"x": [' + "1," * 450_000 + '1], "format"'),
    "card: stages that are none": _card(r'"live"', '"stages": "h99..h0", "live"'),
    "card: stages without end": _card(r'"live"', '"stages": "' + ".." * 100_000 + '", "live"'),
    "card: live without sizes": _card(r'"live": (null|\{[^}]*\})', '"live": {}'),
    "card: live with great sizes": _card(r'"n_chars": \d+', '"n_chars": 1000000'),
    "card: live with many bytes": _card(r'"n_bytes": \d+', '"n_bytes": 30000'),
    "card: live with many merges": _card(r'"n_merges": \d+', '"n_merges": 1000000'),
    "card: another activation": _card(r'"gelu_new"', '"relu"'),
    "card: config of nothing": _card(r'"config": \{', '"config": {}, "y": {'),
}


def _tabs(parts: Parts, more: int) -> Parts:
    """Tabs that all have a sheet of their own, empty."""
    empty = b'<worksheet xmlns="%s"><sheetData/></worksheet>' % _MAIN
    listed = b"".join(b'<sheet name="t%d" sheetId="%d" r:id="x%d"/>' % (i, i + 1000, i) for i in range(more))
    link = b'<Relationship Id="x%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/t%d.xml"/>'
    links = b"".join(link % (i, i) for i in range(more))
    return {
        **parts,
        BOOK: parts[BOOK].replace(b"</sheets>", listed + b"</sheets>"),
        BOOK_RELS: parts[BOOK_RELS].replace(b"</Relationships>", links + b"</Relationships>"),
        **{f"xl/worksheets/t{i}.xml": empty for i in range(more)},
    }


# ---- dice ------------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(rb'<[^<>]*>|[\w.+-]+|"[^"]*"')
_NASTY = (b"<", b"&", b'"', b"]]>", b"-1", b"1e999", b"A1:XFD1048576", b"=", b"\0", b"999999999999", b"true", b"$")


def _some_part(rng: Random, parts: Parts) -> str:
    """A part, sheets and others alike."""
    sheet = rng.random() < 0.6
    return rng.choice([n for n in parts if n.startswith("xl/worksheets/sheet") == sheet and parts[n]])


def _bytes_changed(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 50))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _stretch(rng: Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 4, 20, 200, 5000)))


def _stretch_lost(rng: Random, data: bytes) -> bytes:
    start, end = _stretch(rng, data)
    return data[:start] + data[end:]


def _stretch_doubled(rng: Random, data: bytes) -> bytes:
    start, end = _stretch(rng, data)
    return data[:end] + data[start:end] + data[end:]


def _digit_changed(rng: Random, data: bytes) -> bytes:
    found = [m.start() for m in re.finditer(rb"\d", data)] or [0]
    at = rng.choice(found)
    return data[:at] + b"%d" % rng.randrange(10) + data[at + 1 :]


def _tokens(rng: Random, xml: bytes, change: Callable[[list[bytes], int, int], None]) -> bytes:
    """The XML cut into tags and words, some of these changed, and joined again."""
    at, pieces = 0, []
    for match in _TOKEN.finditer(xml):
        pieces += xml[at : match.start()], match[0]
        at = match.end()
    pieces.append(xml[at:])
    for _ in range(rng.choice((1, 1, 2, 5))):
        change(pieces, rng.randrange(len(pieces)), rng.randrange(len(pieces)))
    return b"".join(pieces)


def _swap(pieces: list[bytes], i: int, j: int) -> None:
    pieces[i], pieces[j] = pieces[j], pieces[i]


def _copy(pieces: list[bytes], i: int, j: int) -> None:
    pieces[i] = pieces[j]


def _drop(pieces: list[bytes], i: int, _: int) -> None:
    pieces[i] = b""


def _nasty(pieces: list[bytes], i: int, j: int) -> None:
    pieces[i] = _NASTY[j % len(_NASTY)]


def _of_part(change: Callable[[Random, bytes], bytes]) -> Mangler:
    def mangler(rng: Random, parts: Parts) -> Parts:
        name = _some_part(rng, parts)
        return {**parts, name: change(rng, parts[name])}

    return mangler


def _of_tokens(change: Callable[[list[bytes], int, int], None]) -> Mangler:
    return _of_part(lambda rng, xml: _tokens(rng, xml, change))


RANDOM |= {
    "dice: bytes of the zip": lambda rng, p: _bytes_changed(rng, zipped(p)),
    "dice: bytes of the directory": lambda rng, p: (
        (z := zipped(p))[: (at := z.find(b"PK\x01\x02"))] + _bytes_changed(rng, z[at:])
    ),
    "dice: a stretch of the zip lost": lambda rng, p: _stretch_lost(rng, zipped(p)),
    "dice: a stretch of the zip doubled": lambda rng, p: _stretch_doubled(rng, zipped(p)),
    "dice: bytes of a part": _of_part(_bytes_changed),
    "dice: a stretch of a part lost": _of_part(_stretch_lost),
    "dice: a stretch of a part doubled": _of_part(_stretch_doubled),
    "dice: a digit": _of_part(_digit_changed),
    "dice: words swapped": _of_tokens(_swap),
    "dice: words copied": _of_tokens(_copy),
    "dice: words dropped": _of_tokens(_drop),
    "dice: nasty words": _of_tokens(_nasty),
}
