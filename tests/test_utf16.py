"""Excel's counting of text, on a small workbook, beside that of `formulas` itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import xlsxwriter

from sheetgpt.engines import formulas_
from sheetgpt.sheet.grid import CellError, Value
from sheetgpt.sheet.strip import strip_caches
from tests.utf16 import excel_text, from_units, to_units

SMILE = "😀"  # U+1F600, in UTF-16 the two halves D83D DE00
VALUE, NA = CellError("#VALUE!"), CellError("#N/A")
REST = "MID({0},LEN(_xlfn.UNICHAR(_xlfn.UNICODE({0})))+1,LEN({0}))"  # a text without its first character

CASES = [  # formula, in Excel, by characters
    ('LEN("😀")', 2, 1),
    ('LEN("aé中")', 3, 3),
    ("LEN(A1)", 4, 3),  # A1 is a😀b
    ("LEN(B1)", 0, 0),
    ("LEN(12.5)", 4, 4),
    ("MID(A1,2,2)", SMILE, f"{SMILE}b"),
    ("MID(A1,2,1)", "\ud83d", SMILE),
    ("LEFT(A1,2)", "a\ud83d", f"a{SMILE}"),
    ("LEFT(A1)", "a", "a"),
    ("RIGHT(A1,2)", "\ude00b", f"{SMILE}b"),
    ("RIGHT(A1,3)", f"{SMILE}b", f"a{SMILE}b"),
    ('FIND("b",A1)', 4, 3),
    ('FIND("x",A1)', VALUE, VALUE),
    ("MID(A1,0,1)", VALUE, VALUE),
    ("MID(A1,9,1)", "", ""),
    ("_xlfn.UNICODE(MID(A1,2,2))", 128512, 128512),
    ("_xlfn.UNICODE(MID(A1,2,1))", VALUE, 128512),
    ("_xlfn.UNICODE(MID(A1,3,1))", VALUE, 98),
    ("_xlfn.UNICODE(A1)", 97, 97),
    ('_xlfn.UNICODE("7")', 55, 55),
    ('_xlfn.UNICODE("")', VALUE, VALUE),
    ("_xlfn.UNICHAR(128512)", SMILE, SMILE),
    ("LEN(_xlfn.UNICHAR(128512))", 2, 1),
    ("_xlfn.UNICHAR(55357)", NA, "\ud83d"),
    ("_xlfn.UNICHAR(0)", VALUE, VALUE),
    ("_xlfn.UNICHAR(1114112)", VALUE, VALUE),
    ("_xlfn.UNICODE(MID(A1,2,1)&MID(A1,3,1))", 128512, 128512),
    ("MID(A1,2,1)&MID(A1,3,1)", SMILE, f"{SMILE}b"),
    ('MID(A1,2,1)&MID(A1,3,1)="😀"', True, False),
    ("CONCATENATE(MID(A1,2,1),MID(A1,3,1))", SMILE, f"{SMILE}b"),
    ("LEN(A1&A1)", 8, 6),
    ("LEN(1/0)", CellError("#DIV/0!"), CellError("#DIV/0!")),
    (REST.format("A1"), f"{SMILE}b", f"{SMILE}b"),
    (REST.format(REST.format("A1")), "b", "b"),
    (REST.format(REST.format(REST.format("A1"))), "", ""),
]


def by_formulas(folder: Path, formulas: list[str], array: bool = False) -> list[Value]:
    """What the engine gives for each formula; A1 is a😀b, A2 is 😀😀, B1 is empty."""
    source, stripped = folder / "source.xlsx", folder / "stripped.xlsx"
    with xlsxwriter.Workbook(source) as book:
        sheet = book.add_worksheet()
        sheet.write_string("A1", f"a{SMILE}b")
        sheet.write_string("A2", SMILE * 2)
        for row, formula in enumerate(formulas):
            if array:
                sheet.write_array_formula(row, 2, row + 1, 2, formula)
            else:
                sheet.write_formula(row, 2, formula)
    areas = strip_caches(source, stripped)
    values = formulas_.compute(stripped, areas)["Sheet1"]
    source.unlink()
    stripped.unlink()
    return values


def test_both_worlds_and_nothing_leaks(tmp_path: Path) -> None:
    texts = [f"={formula}" for formula, _, _ in CASES]
    plain = [value for _, _, value in CASES]
    assert by_formulas(tmp_path, texts) == plain
    with excel_text():
        assert by_formulas(tmp_path, texts) == [value for _, value, _ in CASES]
    assert by_formulas(tmp_path, texts) == plain


def test_an_error_inside_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), excel_text():
        raise ZeroDivisionError
    assert by_formulas(tmp_path, ["=LEN(A1)"]) == [3]


def test_array_formulas(tmp_path: Path) -> None:
    with excel_text():
        assert by_formulas(tmp_path, ["{=LEN(A1:A2)}"], array=True) == [4, 4]
        assert by_formulas(tmp_path, ["{=_xlfn.UNICODE(MID(A1:A2,{2;2},2))}"], array=True) == [128512, VALUE]


@pytest.mark.parametrize("text", ["", "abc", "a😀b", "\ud83d", "\ude00\ud83d", "x\ud83d"])
def test_units_and_back(text: str) -> None:
    assert from_units(to_units(text)) == text
    assert len(to_units(text)) == sum(1 + (c > "\uffff") for c in text)


def test_two_halves_join() -> None:
    assert from_units("\ud83d" + "\ude00") == SMILE
