"""Formulas by their form, without a plan: regions, the one among its neighbours, heads and blocks, what to avoid."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.formula.translate import Translator
from openpyxl.workbook.defined_name import DefinedName

from sheetgpt.build import Built
from sheetgpt.check.faults import FaultKind
from sheetgpt.check.fingerprints import fingerprints, lone
from sheetgpt.check.lint import lint
from sheetgpt.check.siblings import Siblings
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.book import Book
from sheetgpt.sheet.grid import size
from sheetgpt.sheet.r1c1 import r1c1
from sheetgpt.sheet.readback import read
from tests.mutants import MUTANTS, make

Fill = Callable[[openpyxl.Workbook], None]


def book_of(path: Path, fill: Fill) -> Book:
    """A workbook as openpyxl writes it: nothing of ours."""
    book = openpyxl.Workbook()
    fill(book)
    book.save(path)
    return read(path)


def column(book: openpyxl.Workbook, formulas: list[str | float]) -> None:
    for row, formula in enumerate(formulas, 1):
        book.active[f"A{row}"] = row
        book.active[f"B{row}"] = formula


# ---- forms ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("B6+C$1", "RC[-2]+R1C[-1]"),
        ("SUM($A$1:D5)", "SUM(R1C1:R[-1]C)"),
        ('LEN("A1")', 'LEN("A1")'),
        ("LOG10(h0.mlp.x)+Tokens!D6", "LOG10(h0.mlp.x)+tokens!RC"),
        ("'it''s A1'!A1", "'it''s a1'!R[-5]C[-3]"),
    ],
)
def test_a_form_tells_what_moves(text: str, form: str) -> None:
    assert r1c1(text, 5, 3) == form


@given(
    st.sampled_from(["B6+C$1", "SUM($A10:D12)*2", "IF(E9<$F$9,'a b'!G9,\"C3\")", "INDEX(wte,B20+1,B$10+1)"]),
    st.integers(20, 60),
    st.integers(3, 30),
)
def test_a_copied_formula_keeps_its_form(text: str, row: int, col: int) -> None:
    """The oracle of copying is openpyxl's translator."""
    moved = Translator("=" + text, a1(15, 3)).translate_formula(a1(row, col))[1:]
    assert r1c1(moved, row, col) == r1c1(text, 15, 3)


def test_a_region_is_a_rectangle_of_one_form(tmp_path: Path) -> None:
    def fill(book: openpyxl.Workbook) -> None:
        for row in range(1, 6):
            for letter in "BCD":
                book.active[f"{letter}{row}"] = f"=$A{row}*2"
        book.active["D5"] = "=$A5*3"

    found = fingerprints(book_of(tmp_path / "b.xlsx", fill))
    assert {(r.area, r.form) for r in found} == {
        ((0, 1, 3, 3), "RC1*2"),
        ((4, 1, 4, 2), "RC1*2"),
        ((4, 3, 4, 3), "RC1*3"),
    }


def test_regions_hold_each_formula_once(tiny_book: Built) -> None:
    book = read(tiny_book.path)
    cells = sum(1 for sheet in book.sheets.values() for _ in sheet.formula_cells())
    assert sum(size(region.area) for region in fingerprints(book)) == cells


# ---- the one among its neighbours -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("odd", "kind"), [("=A3*3", FaultKind.FORMULA), ("=A2*2", FaultKind.FORMULA), (6.0, FaultKind.CONSTANT)]
)
def test_a_lone_cell_in_a_column_is_suspicious(odd: str | float, kind: FaultKind, tmp_path: Path) -> None:
    formulas = [f"=A{row}*2" for row in range(1, 7)]
    book = book_of(tmp_path / "b.xlsx", lambda b: column(b, [*formulas[:2], odd, *formulas[3:]]))
    assert [(f.kind, f.cell) for f in lone(book)] == [(kind, "B3")]
    assert "above and below" in lone(book)[0].cause


def test_a_heading_between_two_tables_is_not(tmp_path: Path) -> None:
    formulas = [f"=A{row}*2" for row in range(1, 8)]
    book = book_of(tmp_path / "b.xlsx", lambda b: column(b, [*formulas[:3], "Total", *formulas[4:]]))
    assert lone(book) == []


# ---- heads and blocks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tiny_book", "live_lesson"])
def test_our_own_workbooks_raise_no_alarm(kind: str, request: pytest.FixtureRequest) -> None:
    book = read(request.getfixturevalue(kind).path)
    siblings = Siblings(book)
    assert (lone(book), lint(book)) == ([], [])
    assert [name for name in book.names if siblings.differ_from(name)] == []


@pytest.mark.parametrize(
    "mutant", [m for m in MUTANTS if m.kind is FaultKind.FORMULA and re.match(r"h\d\.(attn|mlp)", m.place)],
    ids=lambda m: m.name,
)  # fmt: skip
def test_the_head_or_block_that_differs_is_found_without_a_plan(mutant, tiny_book: Built, tmp_path: Path) -> None:
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "mutant.xlsx")
    book = read(tmp_path / "mutant.xlsx")
    others = Siblings(book).differ_from(mutant.place)
    assert others
    if "head" in mutant.place:  # three others: the majority is right, and only one is suspicious
        siblings = Siblings(book)
        assert [name for name in book.names if "head" in name and siblings.differ_from(name)] == [mutant.place]


# ---- what to avoid --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("=NOW()", "no NOW: it is computed anew each time"),
        ("=SUM(OFFSET(A1,1,0))", "no OFFSET"),
        ("=[1]Sheet1!A1", "nothing from other files"),
        ("=SECRET(A1)", "no SECRET: not every spreadsheet program has it"),
        ("=SUM(#REF!)", "no #REF!"),
    ],
)
def test_lint_of_a_formula(formula: str, says: str, tmp_path: Path) -> None:
    book = book_of(tmp_path / "b.xlsx", lambda b: column(b, [formula, formula, '=LEN("NOW()")', "=VLOOKUP(1,A1:B2,1)"]))
    [fault] = lint(book)
    assert (fault.cell, fault.more) == ("B1", 1)
    assert fault.wanted.startswith(says)


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("Sheet!A1", "absolute"),
        ("Sheet!#REF!", "is there"),
        ("Gone!$A$1", "tab that is there"),
        ("[1]Sheet!$A$1", "this file"),
        ("OFFSET(Sheet!$A$1,1,0)", "no OFFSET"),
    ],
)
def test_lint_of_a_name(ref: str, says: str, tmp_path: Path) -> None:
    def fill(book: openpyxl.Workbook) -> None:
        for name, text in (("odd", ref), ("good", "Sheet!$A$1"), ("constant", "3.5")):
            book.defined_names[name] = DefinedName(name, attr_text=text)

    [fault] = lint(book_of(tmp_path / "b.xlsx", fill))
    assert (fault.kind, fault.place) == (FaultKind.NAME, "odd")
    assert says in fault.wanted


def test_a_chart_tab_is_no_tab_of_cells(tmp_path: Path) -> None:
    def fill(book: openpyxl.Workbook) -> None:
        book.active["A1"] = 1
        chart = openpyxl.chart.BarChart()
        chart.add_data(openpyxl.chart.Reference(book.active, min_col=1, min_row=1))
        book.create_chartsheet("Picture").add_chart(chart)

    book = book_of(tmp_path / "b.xlsx", fill)
    assert (book.tabs, book.charts) == (("Sheet",), ("Picture",))


def test_formulas_that_read_nothing_make_no_rule(tmp_path: Path) -> None:
    path = tmp_path / "zeros.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row in range(7):
            sheet.write_formula(row, 0, "=B1*2" if row == 3 else "=0")
            sheet.write_formula(row, 3, "=E1" if row == 3 else f"=B{row + 1}")
    assert [fault.cell for fault in lone(read(path))] == ["D4"]
