"""What is read is what others wrote, and what openpyxl reads."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.formula import ArrayFormula

from sheetgpt.errors import WorkbookError
from sheetgpt.sheet.book import Formula, Sheet
from sheetgpt.sheet.grid import CellError
from sheetgpt.sheet.package import Limits
from sheetgpt.sheet.readback import read
from sheetgpt.sheet.sheetxml import check_areas

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def sheet_file(path: Path, data: str, strings: str = "", tail: str = "", main: str = MAIN) -> Path:
    """A workbook by hand: one tab called 'one' with `data` in its sheetData."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("[Content_Types].xml", "<Types/>")
        out.writestr(
            "_rels/.rels",
            f'<Relationships><Relationship Id="r1" Type="{REL}/officeDocument" Target="/xl/workbook.xml"/>'
            "</Relationships>",
        )
        out.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{REL}"><sheets><sheet name="one" sheetId="1" r:id="r1"/></sheets>'
            f"{tail}</workbook>",
        )
        out.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships><Relationship Id="r1" Type="{REL}/worksheet" Target="worksheets/sheet1.xml"/>'
            f'<Relationship Id="r2" Type="{REL}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        )
        out.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}">{strings}</sst>')
        out.writestr(
            "xl/worksheets/sheet1.xml",
            f'<worksheet xmlns="{main}"><sheetData>{data}</sheetData></worksheet>',
        )
    return path


def one(path: Path, data: str, strings: str = "", main: str = MAIN) -> Sheet:
    return read(sheet_file(path, data, strings, main=main)).sheets["one"]


# ---- files by other hands ------------------------------------------------------------------------------


def test_xlsxwriter(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet, other = book.add_worksheet("h0 ln_1.x"), book.add_worksheet("it's")
        bold = book.add_format({"bold": True})
        sheet.write_number(0, 0, 0.1)
        sheet.write_string(0, 1, "=not a formula\n_x0041_ é☃😀")
        sheet.write_boolean(0, 2, True)
        sheet.write_rich_string(1, 0, "plain ", bold, "bold ", "end")
        sheet.write_formula(1, 1, "=A1*2", None, 0.2)
        sheet.write_formula(1, 2, '="a"&"b"', None, "ab")
        sheet.write_formula(1, 3, "=1/0", None, "#DIV/0!")
        sheet.write_formula(1, 4, "=A1>0", None, True)
        sheet.write_array_formula(2, 0, 3, 1, "{=A1:B2*2}", None, 7)
        sheet.write_blank(9, 9, None, bold)
        other.write_number(1048575, 16383, 1)
        other.hide()
        book.define_name("h0.attn.head0.pattern", "='h0 ln_1.x'!$A$3:$B$4")
        book.define_name("'it's'!here", "='it''s'!$A$1")
        book.set_properties({"author": "Ann"})
    book = read(path)
    sheet = book.sheets["h0 ln_1.x"]
    assert book.tabs == ("h0 ln_1.x", "it's")
    assert book.names == {"h0.attn.head0.pattern": "'h0 ln_1.x'!$A$3:$B$4"}
    assert book.local_names == {("it's", "here"): "'it''s'!$A$1"}
    assert book.hidden == {"it's"}
    assert book.creator == "Ann"
    assert book.application == "Microsoft Excel 12.0000"
    assert book.modified is not None
    assert not book.has_macros
    assert not book.has_external_links
    assert sheet.values == {
        (0, 0): 0.1,
        (0, 1): "=not a formula\n_x0041_ é☃😀",
        (0, 2): True,
        (1, 0): "plain bold end",
        (1, 1): 0.2,
        (1, 2): "ab",
        (1, 3): "#DIV/0!",
        (1, 4): True,
        (2, 0): 7.0,
        (2, 1): 0.0,  # XlsxWriter fills an array's body with zeros
        (3, 0): 0.0,
        (3, 1): 0.0,
    }
    assert type(sheet.values[1, 3]) is CellError
    assert type(sheet.values[1, 4]) is bool
    assert sheet.formulas[1, 1] == Formula("A1*2")
    assert sheet.formulas[2, 0] == Formula("A1:B2*2", (2, 0, 3, 1))
    assert list(sheet.formula_cells())[-4:] == [(2, 0), (2, 1), (3, 0), (3, 1)]
    assert len(list(sheet.formula_cells())) == 8
    block = sheet.values.values_of((0, 0, 0, 3))
    assert block.shape == (1, 4)
    assert block[0].tolist() == [0.1, "=not a formula\n_x0041_ é☃😀", True, None]
    assert book.sheets["it's"].values == {(1048575, 16383): 1.0}
    assert set(read(path, tabs=["it's", "nowhere"]).sheets) == {"it's"}


def test_openpyxl(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"], sheet["B1"], sheet["C1"] = 1.5, "text", "=A1*2"
    sheet["A2"] = ArrayFormula("A2:B3", "=A1:B1*2")
    book.defined_names["wte"] = DefinedName("wte", attr_text="Sheet!$A$1")
    book.save(path)
    got = read(path)
    assert got.names == {"wte": "Sheet!$A$1"}
    assert got.sheets["Sheet"].values == {(0, 0): 1.5, (0, 1): "text"}
    assert got.sheets["Sheet"].formulas == {(0, 2): Formula("A1*2"), (1, 0): Formula("A1:B1*2", (1, 0, 2, 1))}
    assert got.application is not None
    assert got.application.startswith("Microsoft Excel")


NUMBERS = st.floats(-1e308, 1e308)
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20).filter(
        lambda s: not ILLEGAL_CHARACTERS_RE.search(s)
    ),
    st.sampled_from(["=1+1", "_x0041_", "_x005F_x0041_", "a\nb", " lead", "trail ", "#N/A", "1e5", "TRUE", "]]>"]),
)
CELLS = st.dictionaries(
    st.tuples(st.integers(0, 30), st.integers(0, 30)), st.one_of(NUMBERS, TEXTS, st.booleans()), max_size=12
)
FORMULAS = ["A1+1", 'IF(A1<2,"<&>","b""c")', "SUM($A$1:B2)", "'it''s'!A1", "wte*2", '"\n"&"_x0041_"']


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CELLS, st.dictionaries(st.tuples(st.integers(31, 40), st.integers(0, 5)), st.sampled_from(FORMULAS)))
def test_xlsxwriter_and_openpyxl_agree(cells: dict, formulas: dict) -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("one")
        for (r, c), value in cells.items():
            if isinstance(value, str):
                sheet.write_string(r, c, value)
            else:
                sheet.write(r, c, value)
        for (r, c), text in formulas.items():
            sheet.write_formula(r, c, f"={text}", None, 1.5)
    got = compare(file)
    for key, value in cells.items():
        twice = isinstance(value, str) and value.count("_x") > 1  # XlsxWriter escapes only the first of _x0000_x0000_
        assert isinstance(value, float) or value == "" or twice or got.values[key] == value


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CELLS, st.dictionaries(st.tuples(st.integers(31, 40), st.integers(0, 5)), st.sampled_from(FORMULAS)))
def test_openpyxl_round_trip(cells: dict, formulas: dict) -> None:
    """Numbers come back as near as both libraries write them, to 16 digits."""
    book, file = openpyxl.Workbook(), io.BytesIO()
    for (r, c), value in cells.items():
        cell = book.active.cell(r + 1, c + 1, value)
        if isinstance(value, str):
            cell.data_type = "s"
    for (r, c), text in formulas.items():
        book.active.cell(r + 1, c + 1, f"={text}")
    book.save(file)
    got = compare(file)
    for key, value in cells.items():
        if not isinstance(value, str):
            assert got.values[key] == pytest.approx(value, rel=1e-15)
            assert type(got.values[key]) is type(value)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_every_finite_double(numbers: list[float]) -> None:
    """What is written with all its digits comes back bit for bit."""
    with tempfile.TemporaryDirectory() as folder:
        row = "".join(f"<c><v>{x!r}</v></c>" for x in numbers)
        sheet = one(Path(folder) / "book.xlsx", f"<row>{row}</row>")
    got = [sheet.values[0, c] for c in range(len(numbers))]
    assert [x.hex() for x in got] == [x.hex() for x in numbers]


def compare(file: io.BytesIO) -> Sheet:
    """Our reading of a file against openpyxl's two; returns ours."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.xlsx"
        path.write_bytes(file.getvalue())
        ours = next(iter(read(path).sheets.values()))
    values = openpyxl.load_workbook(file, data_only=True).worksheets[0]
    formulas = openpyxl.load_workbook(file).worksheets[0]
    for r, c in {*ours.values, *ours.formulas}:
        theirs = values.cell(r + 1, c + 1).value
        mine = ours.values.get((r, c))
        if isinstance(mine, str):
            # openpyxl leaves _xHHHH_ as it is and drops 'x005F_' wherever it stands
            assert mine == (theirs or "") or "x0" in mine + (theirs or "")
        else:
            assert mine == theirs
    for row in formulas.iter_rows():
        for cell in row:
            assert (cell.data_type == "f") == ((cell.row - 1, cell.column - 1) in ours.formulas)
            if cell.data_type == "f":
                assert ours.formulas[cell.row - 1, cell.column - 1].text == cell.value[1:]
            elif cell.value not in (None, ""):
                assert (cell.row - 1, cell.column - 1) in ours.values
    return ours


# ---- the file format -----------------------------------------------------------------------------------


@pytest.mark.parametrize("main", [MAIN, STRICT])
def test_kinds_of_cell(tmp_path: Path, main: str) -> None:
    strings = (
        "<si><t>plain</t></si>"
        '<si><r><rPr><b/></rPr><t xml:space="preserve">two </t></r><r><t>runs</t></r>'
        '<rPh sb="0" eb="1"><t>no</t></rPh></si>'
        "<si><t>_x0041_ _x005F_x0041_ _xD83D__xDE00_</t></si><si/>"
    )
    data = (
        '<row r="1"><c r="A1"><v>1.5</v></c><c r="B1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c>'
        '<c r="D1" t="s"><v>2</v></c><c r="E1" t="s"><v>3</v></c></row>'
        '<row r="3"><c r="B3" t="inlineStr"><is><t>in</t><rPh sb="0" eb="1"><t>no</t></rPh></is></c>'
        '<c r="C3" t="str"><f>"x"</f><v></v></c><c r="D3" t="b"><v>0</v></c><c r="E3" t="e"><v>#N/A</v></c>'
        '<c r="F3" s="4"/><c r="G3" t="d"><v>2020-01-01T12:00:00</v></c><c r="H3" t="n"><v/></c>'
        '<c r="I3"><v>-1.5e-300</v><extLst><ext><note>9</note></ext></extLst></c></row>'
    )
    sheet = one(tmp_path / "book.xlsx", data, strings, main)
    assert sheet.values == {
        (0, 0): 1.5,
        (0, 1): "plain",
        (0, 2): "two runs",
        (0, 3): "A _x0041_ 😀",
        (0, 4): "",
        (2, 1): "in",
        (2, 2): "",
        (2, 3): False,
        (2, 4): CellError("#N/A"),
        (2, 6): 43831.5,
        (2, 8): -1.5e-300,
    }


def test_without_references(tmp_path: Path) -> None:
    data = '<row><c><v>1</v></c><c><v>2</v></c></row><row r="5"><c/>'
    data += '<c r="C5"><v>3</v></c><c><v>4</v></c></row><row><c><v>5</v></c></row>'
    sheet = one(tmp_path / "book.xlsx", data)
    assert sheet.values == {(0, 0): 1.0, (0, 1): 2.0, (4, 2): 3.0, (4, 3): 4.0, (5, 0): 5.0}


def test_prefixed_namespace(tmp_path: Path) -> None:
    path = sheet_file(tmp_path / "book.xlsx", "")
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name).decode() for name in old.namelist()}
    parts["xl/worksheets/sheet1.xml"] = (
        f'<x:worksheet xmlns:x="{MAIN}" xmlns:y="urn:other"><x:sheetData><x:row><x:c><x:f>1+1</x:f><y:note>8</y:note>'
        "<x:v>2</x:v></x:c></x:row></x:sheetData></x:worksheet>"
    )
    with zipfile.ZipFile(path, "w") as out:
        for name, text in parts.items():
            out.writestr(name, text)
    sheet = read(path).sheets["one"]
    assert sheet.values == {(0, 0): 2.0}
    assert sheet.formulas == {(0, 0): Formula("1+1")}


def test_shared_formulas(tmp_path: Path) -> None:
    data = (
        '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><f t="shared" ref="B1:B3" si="0">A1*$A$1+wte</f><v>1</v></c></row>'
        '<row r="2"><c r="B2"><f t="shared" si="0"/><v>1</v></c></row>'
        '<row r="3"><c r="B3"><f t="shared" si="0"/></c></row>'
    )
    sheet = one(tmp_path / "book.xlsx", data)
    assert [f.text for f in sheet.formulas.values()] == ["A1*$A$1+wte", "A2*$A$1+wte", "A3*$A$1+wte"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ('<row r="1"><c r="A1"><v>NaN</v></c></row>', "A1 holds 'NaN'"),
        ('<row r="1"><c r="A1"><v>INF</v></c></row>', "not a finite number"),
        ('<row r="1"><c r="A1"><v>1e999</v></c></row>', "not a finite number"),
        ('<row r="1"><c r="A1"><v>1_0</v></c></row>', "not a finite number"),
        ('<row r="1"><c r="A1"><v>text</v></c></row>', "not a number"),
        ('<row r="1"><c r="A1"><v>١</v></c></row>', "not a finite number"),
        ('<row r="1"><c r="A1" t="s"><v>7</v></c></row>', "shared string"),
        ('<row r="1"><c r="A1" t="s"><v>-1</v></c></row>', "shared string"),
        ('<row r="1"><c r="A1" t="b"><v>2</v></c></row>', "true or false"),
        ('<row r="1"><c r="A1" t="zz"><v>2</v></c></row>', "of a type"),
        ('<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>', "A1 is out of order or there twice"),
        ('<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>2</v></c></row>', "out of order"),
        ('<row r="1"><c r="A1"><v>1</v></c></row><row r="1"><c r="B1"/></row>', "row 1 is out of order"),
        ('<row r="1"><c r="A2"><v>1</v></c></row>', "A2 is out of order"),
        ('<row r="1"><c r="A1"><v>1</v><v>2</v></c></row>', "two values"),
        ('<row r="1"><c r="A1"><f>1</f><f>2</f></c></row>', "two formulas"),
        ('<row r="1"><c r="A1"><v>1<x>2</x>3</v></c></row>', "elements in its text"),
        ('<row r="1"><c r="A1"><f>1<v>2</v></f></c></row>', "elements in its text"),
        ('<row r="1"><c r="A1" t="inlineStr"><is><t>1<t>2</t></t></is></c></row>', "elements in its text"),
        ('<row r="1"><c r="A1" t="inlineStr"><is><t>1</t></is><is><t>2</t></is></c></row>', "two values"),
        ('<row r="1"><c r="XFE1"><v>1</v></c></row>', "outside the grid"),
        ('<row r="1048577"><c><v>1</v></c></row>', "outside the grid"),
        ('<row r="0"/>', "outside the grid"),
        ('<row r="x"/>', "is no row"),
        ('<row r="1"><c r="hello"/></row>', "not a cell address"),
        ('<row r="1"><c r="A1"><f t="array" ref="A1:XFD1048576">1</f></c></row>', "formulas compute more than"),
        ('<row r="1"><c r="A1"><f t="array" ref="A1:XFE1">1</f></c></row>', "outside the grid"),
        ('<row r="1"><c r="B1"><f t="array" ref="A1:B2">1</f></c></row>', "does not start at its formula"),
        (
            '<row r="1"><c r="A1"><f t="array" ref="A1:B2">1</f></c></row><row r="2"><c r="B2"><f>1</f></c></row>',
            "two formulas compute the cell B2",
        ),
        ('<row r="1"><c r="A1"><f t="shared" si="3"/></c></row>', "shares a formula"),
        (
            '<row r="1"><c r="C1"><f t="shared" ref="A1:C2" si="3">B1</f></c></row>'
            '<row r="2"><c r="A2"><f t="shared" si="3"/></c></row>',
            "cannot be moved .it would read beyond the grid",
        ),
        ('<row r="1"><c r="A1"><f t="odd">1</f></c></row>', "formula of the kind"),
        ("</sheetData><sheetData>", "cells in two places"),
        ('<row r="1"/></sheetData><sheetData><row r="2"/>', "cells in two places"),
        pytest.param('<row r="1">' + "<x/>" * 200_001 + "</row>", "more than 200,000 elements near A1", id="foreign"),
        pytest.param('<row r="1"><x>' + "<y/>" * 200_000 + "</x></row>", "more than 200,000 elements", id="deeper"),
        ('<row r="1"><c r="A1"><a>' + "<b>" * 300 + "</b>" * 300 + "</a></c></row>", "nested too deeply"),
    ],
)
def test_strictness(tmp_path: Path, data: str, why: str) -> None:
    path = sheet_file(tmp_path / "book.xlsx", data)
    with pytest.raises(WorkbookError, match=why) as caught:
        read(path)
    assert str(caught.value).startswith("book.xlsx: xl/worksheets/sheet1.xml")


@pytest.mark.parametrize("text", ["<t>a<x>b</x>c</t>", "<r><t>a<t>b</t></t></r>"])
def test_elements_in_a_shared_string(tmp_path: Path, text: str) -> None:
    with pytest.raises(WorkbookError, match="elements in a text"):
        read(sheet_file(tmp_path / "book.xlsx", "", f"<si>{text}</si>"))


def test_cells_that_only_a_careless_reader_would_find(tmp_path: Path) -> None:
    """A second <sheetData> inside a foreign element: programs differ on whether it holds cells of the sheet."""
    hidden = (
        "</sheetData><extLst><ext><sheetData>"
        + '<row r="1"><c r="A1"><v>1</v></c></row>'
        + "</sheetData></ext></extLst>"
    )
    whole = sheet_file(tmp_path / "whole.xlsx", "")
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(tmp_path / "book.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"</sheetData>", hidden.encode()))
    with pytest.raises(WorkbookError, match="not every program reads"):
        read(tmp_path / "book.xlsx")


def test_far_corner_costs_nothing(tmp_path: Path) -> None:
    sheet = one(tmp_path / "book.xlsx", '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
    assert sheet.values == {(1048575, 16383): 1.0}


def test_too_many_cells(tmp_path: Path) -> None:
    path = sheet_file(tmp_path / "book.xlsx", "<row>" + "<c><v>1</v></c>" * 30 + "</row>")
    assert len(read(path, limits=Limits(cells=30)).sheets["one"].values) == 30
    with pytest.raises(WorkbookError, match="cells are left"):
        read(path, limits=Limits(cells=29))


def test_endless_text(tmp_path: Path) -> None:
    path = sheet_file(tmp_path / "book.xlsx", f'<row><c t="str"><v>{"x" * (2 << 20)}</v></c></row>')
    with pytest.raises(WorkbookError, match="characters"):
        read(path)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ("<definedName name='a_b'>one!A1</definedName><definedName name='A_B'>one!A2</definedName>", "defined twice"),
        ("<definedName name='a' localSheetId='4'>one!A1</definedName>", "not there"),
        (f"<definedName name='a' localSheetId='{'9' * 5000}'>one!A1</definedName>", "not there"),
    ],
)
def test_names(tmp_path: Path, names: str, why: str) -> None:
    with pytest.raises(WorkbookError, match=why):
        read(sheet_file(tmp_path / "book.xlsx", "", tail=f"<definedNames>{names}</definedNames>"))


def test_ironcalc(tmp_path: Path) -> None:
    ironcalc = pytest.importorskip("ironcalc")
    model = ironcalc.create("book", "en", "UTC")
    for c, text in enumerate(["1.5", "text", "=A1*2", '=B1&"!"', "=1/0", "=A1>1"]):
        model.set_user_input(0, 1, c + 1, text)
    model.set_user_array_formula(0, 2, 1, 2, 2, "=A1:B2*2")
    model.evaluate()
    model.save_to_xlsx(str(tmp_path / "book.xlsx"))
    sheet = read(tmp_path / "book.xlsx").sheets["Sheet1"]
    assert sheet.values.values_of((0, 0, 0, 5))[0].tolist() == [1.5, "text", 3.0, "text!", CellError("#DIV/0!"), True]
    assert sheet.formulas[1, 0].area == (1, 0, 2, 1)


def test_overlaps_are_found_by_brute_force_too() -> None:
    g = np.random.default_rng(0)
    for _ in range(300):
        areas = []
        for _ in range(3):
            r, c = g.integers(0, 6, 2).tolist()
            areas.append((r, c, r + int(g.integers(0, 3)), c + int(g.integers(0, 3))))
        if len({a[:2] for a in areas}) < 3:
            continue
        count = np.zeros((10, 10), int)
        for r0, c0, r1, c1 in areas:
            count[r0 : r1 + 1, c0 : c1 + 1] += 1
        try:
            check_areas(areas, 1000)
        except ValueError:
            assert count.max() > 1
        else:
            assert count.max() == 1
