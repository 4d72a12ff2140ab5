"""What is streamed into the file says what the atoms say, in the right place, in the right order."""

import tempfile
import zipfile
from itertools import product
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sheetgpt.errors import OutputError
from sheetgpt.sheet.blocks import sheet_xml
from sheetgpt.sheet.book import Formula
from sheetgpt.sheet.book import Sheet as Read
from sheetgpt.sheet.cells import Cell, Kind, Mass, Sheet, Style, Value
from sheetgpt.sheet.layout import Range, Tab
from sheetgpt.sheet.readback import read
from sheetgpt.sheet.xlsx import write

TAB = Tab("Sheet", "prompt")
TITLE = Cell(0, 0, Kind.TEXT, "=title", Style.TITLE)
NAN, INF = float("nan"), float("inf")


def written(path: Path, *cells: Cell, masses: tuple[Mass, ...] = ()) -> Path:
    write(path, [Sheet(TAB, [TITLE, *cells], masses)], {"a.name": "Sheet!$A$1"})
    return path


def one(path: Path, *cells: Cell, masses: tuple[Mass, ...] = ()) -> Read:
    return read(written(path, *cells, masses=masses)).sheets["Sheet"]


def formula(row: int, col: int, cached: Value | None, text: str = "1+1") -> Cell:
    return Cell(row, col, Kind.FORMULA, text, Style.VALUE, cached)


def matrix(row: int, col: int, values: np.ndarray, style: Style = Style.PARAMETER, text: str | None = None) -> Mass:
    return Mass(Range("m", "Sheet", row, col, *values.shape), lambda: np.split(values, len(values)), style, text)


def mixed() -> tuple[list[Cell], tuple[Mass, Mass]]:
    """An array of one cell, one of four, a formula, a face and a matrix in the same rows, and not in their order."""
    cells = [Cell(2, 8, Kind.NUMBER, 8.0, Style.RULER), Cell(2, 27, Kind.ARRAY, '"x"', Style.LABEL, " x")]
    cells += [formula(1, 0, 2.0), formula(2, 0, "b")]
    array = matrix(1, 9, np.full((2, 2), 0.1), Style.SHARE, "A1:B2*2")
    return cells, (array, matrix(1, 2, np.array([[0.1, 2.0], [3.0, 1e-300], [5.0, 1e22]])))


# ---- values ----------------------------------------------------------------------------------------------

TEXTS = ["", " ", " lead", "trail ", "a  b", "a\nb", "\t", "\r\n", "\x00\x1f", "_x0041_x0041_", "_x0041\x01"]
TEXTS += ["_x0041\r", "\ufffe", "<&>\"'", "😀", "#N/A", "1e5", "TRUE", "]]>", "<r>x</r>", "=1+1"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=20), st.sampled_from(TEXTS)), min_size=1, max_size=5))
def test_texts_come_back(texts: list[str]) -> None:
    n = len(texts)
    cells = [formula(r, 1, text) for r, text in enumerate(texts)]
    cells += [Cell(r, 2, Kind.ARRAY, "A1:A9", Style.TOKEN, text) for r, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        got = one(Path(folder, "book.xlsx"), *cells).values
    assert [got.get((r, c)) for c in (1, 2) for r in range(n)] == texts * 2


@pytest.mark.parametrize("text", [" lead", "trail ", "a\nb", "\r\n", "a\tb", "<&>", "#N/A", "1e5", "TRUE", "]]>"])
def test_openpyxl_reads_the_same_text(tmp_path: Path, text: str) -> None:
    book = openpyxl.load_workbook(written(tmp_path / "book.xlsx", formula(1, 0, text)), data_only=True)
    assert book["Sheet"]["A2"].value == text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_numbers_come_back_bit_for_bit(numbers: list[float]) -> None:
    cells = [formula(r, 0, x) for r, x in enumerate(numbers, 1)]
    masses = matrix(1, 1, np.array([numbers]).T), matrix(1, 3, np.array([numbers]).T, text="1+1")
    with tempfile.TemporaryDirectory() as folder:
        got = one(Path(folder, "book.xlsx"), *cells, masses=masses).values
    wanted = [x.hex() for x in numbers for _ in range(3)]
    assert [got[r, c].hex() for r in range(1, len(numbers) + 1) for c in (0, 1, 3)] == wanted


def test_a_formula_without_a_value(tmp_path: Path) -> None:
    sheet = one(tmp_path / "book.xlsx", formula(1, 0, None))
    assert sheet.formulas[1, 0] == Formula("1+1")
    assert (1, 0) not in sheet.values


# ---- formulas, places, looks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ['IF(A1<2,"<&>","b""c")', '"100%s@%%"', '_xlfn.UNICODE("A")', '"a\r\nb"', '"_x0041_"', "{1}"]
)
def test_formulas_stand_as_they_are(tmp_path: Path, text: str) -> None:
    cells = formula(1, 0, 1.0, text), Cell(4, 1, Kind.ARRAY, text, Style.VALUE, 1.0)
    got = one(tmp_path / "book.xlsx", *cells, masses=(matrix(1, 1, np.ones((2, 3)), text=text),)).formulas
    assert got == {(1, 0): Formula(text), (1, 1): Formula(text, (1, 1, 2, 3)), (4, 1): Formula(text, (4, 1, 4, 1))}


def test_everything_has_its_place(tmp_path: Path) -> None:
    cells, masses = mixed()
    got = one(tmp_path / "book.xlsx", *cells, masses=masses)  # which refuses what is out of order or there twice
    wanted = {(1, 0): 2.0, (2, 0): "b", (2, 8): 8.0, (2, 27): " x"} | dict.fromkeys(product((1, 2), (9, 10)), 0.1)
    wanted |= {(1, 2): 0.1, (1, 3): 2.0, (2, 2): 3.0, (2, 3): 1e-300, (3, 2): 5.0, (3, 3): 1e22}
    assert got.values == {(0, 0): "=title"} | wanted
    assert openpyxl.load_workbook(tmp_path / "book.xlsx")["Sheet"].dimensions == "A1:AB4"


def test_looks(tmp_path: Path) -> None:
    cells, masses = mixed()
    sheet = openpyxl.load_workbook(written(tmp_path / "book.xlsx", *cells, masses=masses))["Sheet"]
    formats = {address: sheet[address].number_format for address in ("A2", "J2", "K3", "C2", "D4")}
    assert formats == {"A2": "0.000", "J2": "[=0]0;0.0%", "K3": "[=0]0;0.0%", "C2": "0.000", "D4": "0.000"}
    fills = {address: sheet[address].fill.fgColor.rgb for address in ("A2", "AB3", "C2", "D4")}
    assert fills == {"A2": "FFE2EFDA", "AB3": "FFF2F2F2", "C2": "FFDDEBF7", "D4": "FFDDEBF7"}
    assert sheet["A1"].quotePrefix
    assert sheet["A1"].font.sz == 16


def test_a_row_keeps_its_height() -> None:
    head, tail = b'<worksheet><dimension ref="A1:B2"/>', b"<cols/></worksheet>"
    rows = b'<row r="1" spans="1:2" ht="30"><c r="B1" s="1"><v>1</v></c></row><row r="2" ht="9"/>'
    xml = head + b"<sheetData>" + rows + b"</sheetData>" + tail
    got = b"".join(sheet_xml(xml, Sheet(TAB, [formula(0, 2, 0.5)]), {Style.VALUE: 7}))
    cells = b'<c r="B1" s="1"><v>1</v></c><c r="C1" s="7"><f>1+1</f><v>0.5</v></c>'
    data = b'<row r="1" ht="30">' + cells + b'</row><row r="2" ht="9"></row>'
    assert got == head.replace(b"B2", b"C2") + b"<sheetData>" + data + b"</sheetData>" + tail


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    cells, masses = mixed()
    first, second = (written(tmp_path / f"{i}.xlsx", *cells, masses=masses).read_bytes() for i in (1, 2))
    assert first == second
    with zipfile.ZipFile(tmp_path / "1.xlsx") as file:
        assert file.testzip() is None


# ---- what is not written ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        (Cell(1, 0, Kind.TEXT, "x" * 32_768, Style.NOTE), "Sheet!A2 does not fit a cell"),
        (Cell(1_048_576, 0, Kind.NUMBER, 1.0, Style.NOTE), "Sheet!A1048577 does not fit a cell"),
        (formula(1, 0, "x" * 32_768), "Sheet!A2 does not fit a cell"),
        (formula(1_048_576, 0, 1.0), "Sheet!A1048577 is outside the grid"),
        (formula(0, 16_384, 1.0), "Sheet!XFE1 is outside the grid"),
        (formula(1, 0, NAN), "Sheet!A2 holds a number that is not finite"),
        (formula(0, 0, 1.0), "Sheet!A1 is there twice"),
    ],
)
def test_refused(tmp_path: Path, cell: Cell, why: str) -> None:
    with pytest.raises(OutputError, match=why):
        written(tmp_path / "book.xlsx", cell)


@pytest.mark.parametrize(("values", "why"), [([[1.0, INF]], "not finite"), ([[1.0, 2.0]], "Sheet!C2 is there twice")])
def test_refused_matrices(tmp_path: Path, values: list[list[float]], why: str) -> None:
    with pytest.raises(OutputError, match=why):
        written(tmp_path / "book.xlsx", formula(1, 2, 1.0), masses=(matrix(1, 1, np.array(values)),))
