"""Cells take other values, and every other byte stays: sheets by hand, before and after."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import openpyxl
import pytest
import xlsxwriter
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from sheetgpt.errors import WorkbookError
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.grid import CellError, Value
from sheetgpt.sheet.package import Limits
from sheetgpt.sheet.readback import read
from tests.test_readback import MAIN, REL, sheet_file

SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def with_parts(path: Path, other: dict[str, str | None]) -> Path:
    """A workbook with some parts otherwise, or left out."""
    kept = parts(path) | other
    with zipfile.ZipFile(path, "w") as out:
        for name, data in kept.items():
            if data is not None:
                out.writestr(name, data)
    return path


def edited(tmp_path: Path, cell: str, typed: Value = None, computed: Value = None) -> str:
    """What becomes of the cell B1 when it gets a value."""
    src, dst = sheet_file(tmp_path / "src.xlsx", f'<row r="1">{cell}</row>'), tmp_path / "dst.xlsx"
    edit(
        src, dst, {"one": {(0, 1): typed}} if computed is None else {}, {"one": {(0, 1): computed}} if computed else {}
    )
    text = parts(dst)[SHEET].decode()
    return text.partition('<row r="1">')[2].partition("</row>")[0]


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ('<c r="B1"><v>1</v></c>', 2.5, '<c r="B1"><v>2.5</v></c>'),
        ('<c r="B1" s="3"/>', 1e-300, '<c r="B1" s="3"><v>1e-300</v></c>'),
        ('<c r="B1" s="3" />', "a", '<c r="B1" s="3" t="inlineStr" ><is><t>a</t></is></c>'),
        ('<c r="B1"></c>', "=1+1", '<c r="B1" t="inlineStr"><is><t>=1+1</t></is></c>'),
        (
            '<c r="B1" t="s" s="3"><v>0</v></c>',
            "&<>",
            '<c r="B1" t="inlineStr" s="3"><is><t>&amp;&lt;&gt;</t></is></c>',
        ),
        ("<c r='B1' t = 's'><v>0</v></c>", None, "<c r='B1'></c>"),
        ('<c r="B1" t="n"/>', None, '<c r="B1"/>'),
        ('<c r="B1" t="d"><v>2020-01-01</v></c>', 7.0, '<c r="B1"><v>7.0</v></c>'),
        (
            '<c r="B1" t="inlineStr"><is><r><t>o</t></r><r><t>ld</t></r></is><extLst/></c>',
            " a\rb\n",
            '<c r="B1" t="inlineStr"><is><t xml:space="preserve"> a&#13;b\n</t></is><extLst/></c>',
        ),
    ],
)
def test_typed(tmp_path: Path, before: str, value: Value, after: str) -> None:
    assert edited(tmp_path, before, typed=value) == after


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ('<c r="B1"><f>1</f><v>1</v></c>', -0.1, '<c r="B1"><f>1</f><v>-0.1</v></c>'),
        ('<c r="B1" s="3"><f>1</f></c>', "a", '<c r="B1" s="3" t="str"><f>1</f><v>a</v></c>'),
        (
            '<c r="B1" t="str" s="3"><f/><v>x</v></c>',
            " ",
            '<c r="B1" t="str" s="3"><f/><v xml:space="preserve"> </v></c>',
        ),
        ('<c r="B1" t="str"><f>1</f><v/></c>', True, '<c r="B1" t="b"><f>1</f><v>1</v></c>'),
        ('<c r="B1"><v>5</v><f>1</f></c>', 6.0, '<c r="B1"><f>1</f><v>6.0</v></c>'),
        ('<c r="B1"><f>1</f> <v>5</v><v>6</v></c>', 7.0, '<c r="B1"><f>1</f><v>7.0</v> </c>'),
        ('<c r="B1"><f>1</f><extLst/></c>', 7.0, '<c r="B1"><f>1</f><v>7.0</v><extLst/></c>'),
        ('<c r="B1"><f>1</f></c>', CellError("#N/A"), '<c r="B1" t="e"><f>1</f><v>#N/A</v></c>'),
        (
            '<c r="B1"><f>1</f></c>',
            "a\x01\ufffe_x0041_x",
            '<c r="B1" t="str"><f>1</f><v>a_x0001__xFFFE__x005F_x0041_x</v></c>',
        ),
        (
            f'<y:c xmlns:y="{MAIN}" r="B1"><y:f>1</y:f></y:c>',
            2.0,
            f'<y:c xmlns:y="{MAIN}" r="B1"><y:f>1</y:f><y:v>2.0</y:v></y:c>',
        ),
    ],
)
def test_computed(tmp_path: Path, before: str, value: Value, after: str) -> None:
    assert edited(tmp_path, before, computed=value) == after


def test_false_and_empty_text_are_values(tmp_path: Path) -> None:
    src, dst = sheet_file(tmp_path / "src.xlsx", "<row><c><f>1</f></c><c><f>1</f></c></row>"), tmp_path / "dst.xlsx"
    edit(src, dst, {}, {"one": {(0, 0): False, (0, 1): ""}})
    assert read(dst).sheets["one"].values == {(0, 0): False, (0, 1): ""}


def test_array_bodies_and_prefixes(tmp_path: Path) -> None:
    """Cells of an array have no <f> of their own; a sheet may spell its tags with a prefix."""
    row = '<x:row r="{0}"><x:c r="A{0}"><x:v>1</x:v></x:c>{1}</x:row>'
    first = '<x:c r="B1"><x:f t="array" ref="B1:C2">x</x:f></x:c><x:c r="C1"/>'
    rows = row.format(1, first) + row.format(2, '<x:c r="B2" s="1"/><x:c r="C2" t="str"><x:v>9</x:v></x:c>')
    xml = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{rows}</x:sheetData></x:worksheet>'
    src, dst = with_parts(sheet_file(tmp_path / "src.xlsx", ""), {SHEET: xml}), tmp_path / "dst.xlsx"
    edit(src, dst, {"one": {(1, 0): "t"}}, {"one": {(0, 1): 1.0, (0, 2): "b", (1, 1): CellError("#REF!")}})
    want = {(0, 0): 1.0, (0, 1): 1.0, (0, 2): "b", (1, 0): "t", (1, 1): CellError("#REF!")}
    assert read(dst).sheets["one"].values == want
    assert type(read(dst).sheets["one"].values[1, 1]) is CellError


def test_only_the_parts_that_change_are_touched(tmp_path: Path) -> None:
    src, dst = tmp_path / "src.xlsx", tmp_path / "dst.xlsx"
    with xlsxwriter.Workbook(src) as book:
        one, two = book.add_worksheet("one"), book.add_worksheet("two")
        one.write_string(0, 0, "old", book.add_format({"bold": True}))
        two.write_row(0, 0, list(range(1000)))
    edit(src, dst, {"one": {(0, 0): "new"}}, {})
    before, after = parts(src), parts(dst)
    assert list(after) == list(before)
    assert {name for name in before if before[name] != after[name]} == {SHEET}
    cell = b'<c r="A1" s="1" t="%s">%s</c>'
    new = cell % (b"inlineStr", b"<is><t>new</t></is>")
    assert after[SHEET] == before[SHEET].replace(cell % (b"s", b"<v>0</v>"), new)


@pytest.mark.parametrize("values", [({(5, 5): 1.0}, {}), ({}, {(0, 2): 1.0}), ({(0, 1): "a formula"}, {})])
def test_refuses_values_without_a_cell(tmp_path: Path, values: tuple[dict, dict]) -> None:
    src = sheet_file(tmp_path / "src.xlsx", '<row r="1"><c r="A1"/><c r="B1"><f t="array" ref="B1:C1">x</f></c></row>')
    typed, computed = values
    with pytest.raises(WorkbookError, match=r"src\.xlsx: .*the cell (F6|C1|B1) does not stand in the file"):
        edit(src, tmp_path / "dst.xlsx", {"one": typed}, {"one": computed})


def test_refuses_an_endless_cell(tmp_path: Path) -> None:
    src = sheet_file(tmp_path / "src.xlsx", f'<row><c t="str"><f>1</f><v>{"z" * (3 << 20)}</v></c></row>')
    with pytest.raises(WorkbookError, match="holds too much"):
        edit(src, tmp_path / "dst.xlsx", {}, {}, Limits(whole=1 << 20))


# ---- texts -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("desk") / "desk.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("one")
        sheet.write_string(0, 0, "old")
        sheet.write_formula(0, 1, "=A1", None, "old")
    return path


_PIECES = st.sampled_from(
    ["_", "x", "_x0041", "_x0041_", "0041_", "_x005F_", "_xD83D_", "\x01", "\r", "\n", " ", "]]>"]
)
TEXTS = st.lists(_PIECES | st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=1, max_size=8)


@given(text=TEXTS.map("".join).filter(bool))
@example(text="_x0041\x01")
@example(text="\r\n\t _x000D_ \ufffe\uffff\0")
@settings(deadline=None)
def test_any_text_reads_back(desk: Path, text: str) -> None:
    out = io.BytesIO()
    edit(desk, out, {"one": {(0, 0): text}}, {"one": {(0, 1): text}})
    path = desk.with_name("out.xlsx")
    path.write_bytes(out.getvalue())
    values = read(path).sheets["one"].values
    assert (values[0, 0], values[0, 1]) == (text, text)
    sheet = openpyxl.load_workbook(path, data_only=True).active
    assert unescape(sheet["B1"].value) == text
    assert typed_text(path, sheet["A1"].value) == text


def typed_text(path: Path, seen: str) -> str:
    """The text of A1 by other hands. openpyxl knows no escapes, and of a shared string it makes something else."""
    cell = ElementTree.fromstring(parts(path)[SHEET]).find(f".//{{{MAIN}}}c")
    if cell.get("t") == "inlineStr":
        return seen
    strings = list(ElementTree.fromstring(parts(path)[STRINGS]))
    return unescape(strings[int(cell[0].text)][0].text)


def test_texts_with_escapes_join_the_shared_strings(tmp_path: Path, desk: Path) -> None:
    dst = tmp_path / "dst.xlsx"
    edit(desk, dst, {"one": {(0, 0): "\x01 "}}, {})
    added = b'<si><t xml:space="preserve">_x0001_ </t></si></sst>'
    assert parts(dst)[STRINGS] == parts(desk)[STRINGS].replace(b"</sst>", added)
    assert b'<c r="A1" t="s"><v>1</v></c>' in parts(dst)[SHEET]
    third = tmp_path / "third.xlsx"
    edit(dst, third, {"one": {(0, 0): "_x0041_"}}, {})
    assert read(third).sheets["one"].values[0, 0] == "_x0041_"


def test_shared_strings_across_pieces(tmp_path: Path) -> None:
    """The new string lands before the end wherever the 256 KiB boundary falls."""
    for shift in range(-3, 9):
        dst = tmp_path / f"dst{shift}.xlsx"
        head = f'<sst xmlns="{MAIN}"><si><t>'
        pad = "z" * ((1 << 18) - len(head) - len("</t></si></sst>") + shift)
        src = sheet_file(tmp_path / "src.xlsx", "<row><c/></row>", strings=f"<si><t>{pad}</t></si>")
        edit(src, dst, {"one": {(0, 0): "\x01"}}, {})
        assert read(dst).sheets["one"].values == {(0, 0): "\x01"}
        assert parts(dst)[STRINGS].endswith(b"z</t></si><si><t>_x0001_</t></si></sst>")


NO_STRINGS = {STRINGS: None, "xl/_rels/workbook.xml.rels": f'''<Relationships><Relationship Id="r1"
    Type="{REL}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'''}  # fmt: skip


@pytest.mark.parametrize("other", [NO_STRINGS, {STRINGS: f'<sst xmlns="{MAIN}"/>'}], ids=["none", "empty"])
def test_no_shared_strings_to_join(tmp_path: Path, other: dict[str, str | None]) -> None:
    src = with_parts(sheet_file(tmp_path / "src.xlsx", "<row><c/></row>"), other)
    with pytest.raises(WorkbookError, match="no shared strings"):
        edit(src, tmp_path / "dst.xlsx", {"one": {(0, 0): "\x01"}}, {})
    edit(src, tmp_path / "plain.xlsx", {"one": {(0, 0): "plain"}}, {})
    assert read(tmp_path / "plain.xlsx").sheets["one"].values == {(0, 0): "plain"}


# ---- shared formulas -------------------------------------------------------------------------------------

SHARING = (
    '<row r="1"><c r="A1"><f t="shared" ref="A1:A3" si="4">B1&amp;"A1"&amp;$C$1</f><v>1</v></c><c r="B1"/></row>'
    '<row r="2"><c r="A2" s="1"><f t="shared" si="4"/><v>2</v></c></row>'
    '<row r="3"><c r="A3" t="str"><f t="shared" si="4"></f><v>3</v></c></row>'
)


def test_a_shared_formula_stays_with_the_cells_that_nothing_is_typed_over(tmp_path: Path) -> None:
    src, dst = sheet_file(tmp_path / "src.xlsx", SHARING), tmp_path / "dst.xlsx"
    edit(src, dst, {"one": {(0, 0): 7.0}}, {"one": {(2, 0): 5.0}}, over=True)
    assert parts(dst)[SHEET].decode().partition("<sheetData>")[2].partition("</sheetData>")[0] == (
        '<row r="1"><c r="A1"><v>7.0</v></c><c r="B1"/></row>'
        '<row r="2"><c r="A2" s="1"><f>B2&amp;"A1"&amp;$C$1</f></c></row>'
        '<row r="3"><c r="A3"><f>B3&amp;"A1"&amp;$C$1</f><v>5.0</v></c></row>'
    )


def sharer(at: str, text: str = "", ref: str = "") -> str:
    area = f' ref="{ref}"' if ref else ""
    return f'<row r="{at[1:]}"><c r="{at}"><f t="shared"{area} si="4">{text}</f></c></row>'


@pytest.mark.parametrize(
    ("rows", "typed", "left"),
    [
        (("C3*2", "A3:A4"), {0}, {1: "B2", 2: "C3*2", 3: "C4*2"}),  # the number is given anew
        (("C3*2", "A3:A4"), {0, 2}, {1: "B2", 3: "C4*2"}),
        (("B3", ""), {0}, {1: "B2", 2: "B3", 3: "B4"}),  # a follower says its formula, too
        (("B3", ""), {0, 2}, {1: "B2", 3: "B4"}),
    ],
)
def test_a_shared_formula_that_is_said_twice_is_the_later_from_there_on(
    rows: tuple[str, str], typed: set[int], left: dict[int, str], tmp_path: Path
) -> None:
    text = sharer("A1", "B1", "A1:A2") + sharer("A2") + sharer("A3", *rows) + sharer("A4")
    src, dst = sheet_file(tmp_path / "src.xlsx", text), tmp_path / "dst.xlsx"
    edit(src, dst, {"one": {(row, 0): 7.0 for row in typed}}, {}, over=True)
    assert {row: f.text for (row, _), f in read(dst).sheets["one"].formulas.items()} == left


def test_a_shared_formula_stays_shared_where_its_first_cell_stays(tmp_path: Path) -> None:
    src, dst = sheet_file(tmp_path / "src.xlsx", SHARING), tmp_path / "dst.xlsx"
    edit(src, dst, {"one": {(1, 0): "x"}}, {}, over=True)
    assert {at: f.text for at, f in read(dst).sheets["one"].formulas.items()} == {
        (0, 0): 'B1&"A1"&$C$1',
        (2, 0): 'B3&"A1"&$C$1',
    }
    assert read(dst).sheets["one"].values[1, 0] == "x"
