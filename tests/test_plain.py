"""The quick way to cut caches out of a sheet gives what the careful one gives, or nothing."""

from __future__ import annotations

import random
import zipfile
from xml.parsers import expat

import pytest

from sheetgpt.build import Built
from sheetgpt.sheet.editor import Editor
from sheetgpt.sheet.grid import Area
from sheetgpt.sheet.plain import stripped
from sheetgpt.sheet.sheetxml import check_areas

HEAD = b'<?xml version="1.0"?>\n<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
ROWS = (
    b'<row r="1" spans="1:3" ht="15"><c r="A1" s="2"><f>1+1</f><v>2</v></c><c r="B1" t="str"><f>"a"&amp;"b"</f>'
    b'<v xml:space="preserve"> b</v></c><c r="C1" t="s"><v>0</v></c></row>'
    b'<row r="3"><c r="A3" s="1"><f t="array" ref="A3:B4">A1:B2*2</f><v>1</v></c><c r="B3" t="e"><v>#N/A</v></c>'
    b'<c r="D3" t="inlineStr"><is><t>caf\xc3\xa9</t></is></c></row><row r="4"><c r="A4"><v>1</v></c><c r="B4"/></row>'
    b'<row r="9"/>'
)
SHEET = HEAD + b"<sheetData>" + ROWS + b'</sheetData><pageMargins left="0.7"/></worksheet>'
PIECES = [
    *(b"<", b">", b"&", b'"', b"/", b"<v>1</v>", b"<v/>", b"<f>2</f>", b"<!-- -->", b"<![CDATA[x]]>", b"</sheetData>"),
    *(b"<sheetData>", b"<is><t>x</t></is>", b' t="str"', b' r="A1"', b' x:y="1"', b"&#13;", b"&foo;", b"\xff", b"\x01"),
    *(b"</c>", b"</row>", b'<row r="2">', b'<c r="ZZZ1"><f>1</f></c>', b"<x:c/>", b' xmlns="a"', b"]]>", b"<?x y?>"),
]


def careful(xml: bytes) -> tuple[bytes, list[Area]] | None:
    """What the editor makes of a sheet; None where it refuses."""
    editor = Editor({}, {}, {})
    out = editor.take(xml)
    try:
        editor.parser.Parse(xml, True)
        check_areas(editor.areas, 10**6)
    except (expat.ExpatError, ValueError):
        return None
    return out + editor.rest(), editor.areas


def refused_by_areas(areas: list[Area]) -> bool:
    """Whether the check that follows both ways refuses what formulas cover."""
    try:
        check_areas(areas, 10**6)
    except ValueError:
        return True
    return False


def test_plain_sheets_are_cut_alike() -> None:
    wanted = careful(SHEET)
    assert wanted is not None
    assert stripped(SHEET) == wanted
    assert (wanted[0].count(b"<v"), wanted[0].count(b"<f")) == (1, 3)


@pytest.mark.parametrize("book", ["live_book", "tiny_lesson"])
def test_every_tab_of_ours_is_plain(book: str, request: pytest.FixtureRequest) -> None:
    built: Built = request.getfixturevalue(book)
    with zipfile.ZipFile(built.path) as file:
        sheets = [file.read(name) for name in file.namelist() if name.startswith("xl/worksheets/sheet")]
    for xml in sheets:
        assert stripped(xml) == careful(xml)


def test_rows_of_another_namespace_are_left_to_the_editor() -> None:
    assert stripped(SHEET.replace(b'ht="15"', b'xmlns="a"')) is None


def test_what_is_changed_by_chance_is_cut_alike_or_left_to_the_editor() -> None:
    dice, quick, refused = random.Random(5), 0, 0
    for _ in range(4000):
        xml = SHEET
        for _ in range(dice.choice((1, 1, 2))):
            at, length = dice.randrange(len(HEAD) - 70, len(xml)), dice.choice((0, 0, 1, 2, 9, 40))
            piece = dice.choice([b"", dice.choice(PIECES), xml[(start := dice.randrange(len(xml))) : start + 30]])
            xml = xml[:at] + piece + xml[at + length :]
        if (found := stripped(xml)) is not None:
            quick += 1
            wanted = careful(xml)
            assert found == wanted or (wanted is None and refused_by_areas(found[1])), xml
        else:
            refused += 1
    assert quick > 200
    assert refused > 1000
