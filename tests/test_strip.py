"""After stripping no formula remembers its result, and nothing else has changed."""

import re
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from sheetgpt.errors import WorkbookError
from sheetgpt.sheet.readback import read
from sheetgpt.sheet.strip import strip_caches
from tests.test_readback import MAIN, sheet_file

SHEET = "xl/worksheets/sheet1.xml"


def stripped(tmp_path: Path, data: str) -> str:
    """What is left of one sheet's data."""
    src, dst = sheet_file(tmp_path / "src.xlsx", data), tmp_path / "dst.xlsx"
    strip_caches(src, dst)
    with zipfile.ZipFile(dst) as file:
        assert file.testzip() is None
        text = file.read(SHEET).decode()
    return text.removeprefix(f'<worksheet xmlns="{MAIN}"><sheetData>').removesuffix("</sheetData></worksheet>")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<c r="A1"><v>1</v></c>', '<c r="A1"><v>1</v></c>'),
        ('<c r="A1"><f>1+1</f><v>2</v></c>', '<c r="A1"><f>1+1</f></c>'),
        ('<c r="A1" s="3" t="str"><f>"a"</f><v>a</v></c>', '<c r="A1" s="3"><f>"a"</f></c>'),
        ("<c r='A1'\n t = 'b' s='3' ><f>1</f><v>1</v></c>", "<c r='A1' s='3' ><f>1</f></c>"),
        ('<c r="A1" cm=" t=&quot;x&quot;" t="e"><f>1</f><v>1</v></c>', '<c r="A1" cm=" t=&quot;x&quot;"><f>1</f></c>'),
        ('<c r="A1" q=\' t="n"\' t="e"><f>1</f><v>1</v></c>', '<c r="A1" q=\' t="n"\'><f>1</f></c>'),
        ('<c r="A1"><f>A2&lt;B2</f><v/></c>', '<c r="A1"><f>A2&lt;B2</f></c>'),
        ('<c r="A1"><v>5</v><f>1</f></c>', '<c r="A1"><f>1</f></c>'),
        ('<c r="A1"><f/> <v>2</v> <!-- v --></c>', '<c r="A1"><f/>  <!-- v --></c>'),
        ('<c r="A1"><f>1</f><v a=">">2</v ></c>', '<c r="A1"><f>1</f></c>'),
        ('<c r="A1"><f>1</f><v><![CDATA[</v>]]></v></c>', '<c r="A1"><f>1</f></c>'),
        ('<c r="A1" t="inlineStr"><f>1</f><is><t>old</t></is></c>', '<c r="A1"><f>1</f></c>'),
        ('<c r="A1"><f>1</f><v>2</v><v>3</v></c>', '<c r="A1"><f>1</f></c>'),
        ('<c><f>1</f><v>2</v></c><c t="s"><v>0</v></c>', '<c><f>1</f></c><c t="s"><v>0</v></c>'),
        ('<c r="A1"><extLst><ext><f>1</f></ext></extLst><v>4</v></c>', None),
    ],
)
def test_one_row(tmp_path: Path, before: str, after: str | None) -> None:
    row = f'<row r="1">{before}</row>'
    assert stripped(tmp_path, row) == (row if after is None else f'<row r="1">{after}</row>')


def test_array_bodies(tmp_path: Path) -> None:
    before = (
        '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><f t="array" ref="B1:C3">x</f><v>9</v></c><c r="C1"><v>9</v></c>'
        '<c r="D1"><f t="array" ref="D1:D2">y</f><v>9</v></c></row>'
        '<row r="2"><c r="A2"><v>1</v></c><c r="B2" t="str"><v>9</v></c>'
        '<c r="D2"><v>9</v></c><c r="E2"><v>1</v></c></row>'
        '<row r="3"><c r="C3"><v>9</v></c><c r="D3"><v>1</v></c></row>'
        '<row r="4"><c r="B4"><v>1</v></c></row>'
    )
    after = re.sub(r"<v>9</v>", "", before).replace(' t="str"', "")
    assert stripped(tmp_path, before) == after


def test_returns_areas_by_tab(tmp_path: Path) -> None:
    src = tmp_path / "src.xlsx"
    with xlsxwriter.Workbook(src) as book:
        plain, sheet = book.add_worksheet("wte"), book.add_worksheet("it's h0")
        plain.write_number(0, 0, 1)
        sheet.write_formula(0, 0, "=1+1", None, 2)
        sheet.write_array_formula(1, 1, 4, 3, "{=wte!A1}", None, 1)
    areas = strip_caches(src, tmp_path / "dst.xlsx")
    assert areas == {"it's h0": [(0, 0, 0, 0), (1, 1, 4, 3)]}
    before, after = read(src), read(tmp_path / "dst.xlsx")
    for tab in before.tabs:
        assert after.sheets[tab].formulas == before.sheets[tab].formulas
        computed = set(before.sheets[tab].formula_cells())
        kept = {k: v for k, v in before.sheets[tab].values.items() if k not in computed}
        assert after.sheets[tab].values == kept


def test_other_parts_keep_their_compressed_bytes(tmp_path: Path) -> None:
    src, dst = tmp_path / "src.xlsx", tmp_path / "dst.xlsx"
    with xlsxwriter.Workbook(src) as book:
        book.add_worksheet().write_formula(0, 0, "=1+1", None, 2)
        book.add_worksheet().write_row(0, 0, list(range(1000)))
    strip_caches(src, dst)
    with zipfile.ZipFile(src) as old, zipfile.ZipFile(dst) as new:
        assert new.testzip() is None
        assert new.namelist() == old.namelist()
        for name in old.namelist():
            if name != SHEET:
                assert new.read(name) == old.read(name)
                assert new.getinfo(name).compress_size == old.getinfo(name).compress_size


def test_many_pieces(tmp_path: Path) -> None:
    """Cells that straddle the pieces in which a part is inflated."""
    cell = '<c t="str" s="1"><f>"{0}"&amp;"x"</f><v>{0}</v></c><c><v>{0}.5</v></c>'
    row = "<row>{}</row>".format("".join(cell.format(i) for i in range(700)))
    got = stripped(tmp_path, row * 60)
    assert got == re.sub(r' t="str"|(?<=</f>)<v>\d+</v>', "", row * 60)
    assert len(got) > 2_000_000


@pytest.mark.parametrize("prefix", ["", "x:"])
def test_formula_mark_across_pieces(tmp_path: Path, prefix: str) -> None:
    """A lone <f> is found wherever the 256 KiB boundary falls."""
    for shift in range(6):
        pad = " " * ((1 << 18) - 300 + shift * 40)
        space = f' xmlns:x="{MAIN}"' if prefix else ""
        cell = f"<c><{prefix}f{space}>1</{prefix}f><v>2</v></c>"
        (tmp_path / "dst.xlsx").unlink(missing_ok=True)
        assert "<v>2</v>" not in stripped(tmp_path, f"{pad}<row>{cell}</row>")


@pytest.mark.parametrize(
    "data",
    [
        '<row r="1"><c r="A1"><f t="array" ref="A1:XFD1048576">1</f></c></row>',
        '<row r="1"><c r="A1"><f>1</f></c><c r="A1"><v>1</v></c></row>',
        '<row r="1"><c r="B1"><f t="array" ref="A1:B2">1</f></c></row>',
        '<row r="1"><c r="A1"><f t="array" ref="A1:B2">1</f></c><c r="B1"><f>2</f></c></row>',
    ],
)
def test_refuses(tmp_path: Path, data: str) -> None:
    with pytest.raises(WorkbookError, match=r"^src\.xlsx: "):
        stripped(tmp_path, data)


def test_never_over_a_file(tmp_path: Path) -> None:
    src = sheet_file(tmp_path / "src.xlsx", "")
    with pytest.raises(FileExistsError):
        strip_caches(src, src)
