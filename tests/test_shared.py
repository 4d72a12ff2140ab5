"""Formulas that are one rule are written once, and every reader sees in each cell what the plan says."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.formula.translate import Translator, TranslatorError

from sheetgpt.build import Built, Form, build
from sheetgpt.models.weights import Weights
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.cells import Cell, Kind, Style
from sheetgpt.sheet.moved import moved
from sheetgpt.sheet.rewrite import Written, rewritten, unshared
from sheetgpt.sheet.shared import shared
from tests.conftest import LIVE

_FIRST = re.compile(r'<f t="shared" ref="([A-Z0-9:]+)" si="([0-9]+)">([^<]*)</f>')


def formulas(*texts: tuple[str, str]) -> list[Cell]:
    """Cells by address and formula."""
    cells = []
    for at, text in texts:
        col, row = re.fullmatch("([A-Z])([0-9]+)", at).groups()
        cells.append(Cell(int(row) - 1, ord(col) - 65, Kind.FORMULA, text, Style.VALUE))
    return cells


def groups(cells: list[Cell]) -> dict[str, str]:
    """Where a cell's rule begins, by the cell's address; of those that share one."""
    return {a1(c.row, c.col): a1(*c.shared[:2]) for c in shared(cells) if c.shared}


def test_one_rule_is_what_is_one_formula_copied() -> None:
    cells = formulas(("B1", "A1+$D$1"), ("B2", "A2+$D$1"), ("C2", "B2+$D$1"), ("B3", "A2+$D$1"), ("B4", "A4+$D$2"))
    assert groups(cells) == dict.fromkeys(("B1", "B2", "C2"), "B1")


@pytest.mark.parametrize(
    "texts",
    [
        (("B1", "Tokens!A1"), ("B2", "Tokens!A2")),  # Excel shares nothing that reads another tab
        (("B1", "'a b'!A1"), ("B2", "'a b'!A2")),
        (("B1", "_xlfn.UNICODE(A1)"), ("B2", "_xlfn.UNICODE(A2)")),
        (("B1", '"A1"&A1'), ("B2", '"A2"&A2')),  # a text is no reference
        (("B1", "x.1+A1"), ("B2", "x.2+A2")),  # nor is a name
        (("B1", "SUM(D:D)"), ("C1", "SUM(D:D)")),  # which a program would move
        (("B1", "SUM($2:$3)"), ("B2", "SUM($2:$3)")),
        (("B1", "A1"), ("A2", "#REF!")),
        (("C1", "D1"), ("B2", "C2")),  # to the left of where the rule begins
    ],
)
def test_what_is_not_shared(texts: tuple[tuple[str, str], ...]) -> None:
    assert groups(formulas(*texts)) == {}


def test_an_array_formula_is_not_shared() -> None:
    cells = [c._replace(kind=Kind.ARRAY) for c in formulas(("B1", "A1"), ("B2", "A2"))]
    assert groups(cells) == {}


TEXTS = ["A1", "$A1", "A$1", "$A$1", 'IF(B2>0,"A1",x.y)']


ODD = [
    *TEXTS,
    "SUM(B6:$E6)+Tokens!C3*log10.x",
    "b3:C$9",
    "C:D+$C:D+C:$D",
    "3:4+$3:4+3:$4",
    "'a ''b'!C3:E5+'x:y'!C3",
    "C3:D4:E5+name:C3+C3:name",
    '"A1:B2"&"say ""A1"""&C3',
    "{1,2;3,4}+C3%-.5E+3",
    "x1.y+A1B+_A3+LOG10(C3)+#REF!+TRUE",
    "INDEX((C3,D4),1) C3:D9",
    "",
]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("to", ["C3", "C4", "D3", "ZZ99", "A1"])
def test_a_formula_moves_as_another_hand_moves_it(text: str, to: str) -> None:
    try:
        wanted = Translator(f"={text}", "C3").translate_formula(to)[1:]
    except TranslatorError:
        with pytest.raises(ValueError, match="beyond the grid"):
            moved(text, "C3", to)
    else:
        assert moved(text, "C3", to) == wanted


@pytest.mark.parametrize(
    ("text", "to"), [("A1", "B1"), ("A1", "C2"), ("A:A", "B3"), ("XFD3", "D3"), ("A1048576", "C4")]
)
def test_what_would_leave_the_grid_is_refused(text: str, to: str) -> None:
    """One hand raises an error of its own, another shows #REF!, a third comes in on the other side."""
    with pytest.raises(ValueError, match="beyond the grid"):
        moved(text, "C3", to)


def test_a_name_that_lies_beyond_the_grid_is_no_cell() -> None:
    """Whose file is not ours may have such a name."""
    assert moved("ZZZ1+$xfe7+A1048577+ABC1:ZZZ1+A1", "A1", "B2") == "ZZZ1+$xfe7+A1048577+ABD2:ZZZ1+B2"


@given(rows=st.lists(st.lists(st.sampled_from(TEXTS), max_size=4), max_size=6))
def test_every_cell_reads_as_it_was(rows: list[list[str]]) -> None:
    """Another hand copies the rule of a cell's group into the cell, and its own formula stands there."""
    cells = [
        Cell(
            r + 3,
            c + 3,
            Kind.FORMULA,
            Translator(f"={text}", "A1").translate_formula(a1(r + 3, c + 3))[1:],
            Style.VALUE,
        )
        for r, row in enumerate(rows)
        for c, text in enumerate(row)
    ]
    by_cell = {(c.row, c.col): c for c in shared(cells)}
    assert [c._replace(shared=None) for c in by_cell.values()] == cells
    for cell in by_cell.values():
        if cell.shared:
            r0, c0, r1, c1 = cell.shared
            assert r0 <= cell.row <= r1
            assert c0 <= cell.col <= c1
            first = by_cell[r0, c0]
            moved = Translator(f"={first.body}", a1(r0, c0)).translate_formula(a1(cell.row, cell.col))
            assert moved == f"={cell.body}"


@pytest.mark.parametrize("dialect", ["arrays", "cells"])
def test_openpyxl_reads_the_plans_formulas(dialect: str, tiny: Weights, tmp_path: Path) -> None:
    book = build(tiny, "the cat's  hat", tmp_path / "book.xlsx", LIVE, form=Form(dialect=dialect))
    read = openpyxl.load_workbook(book.path)
    seen = 0
    for name, box in book.blueprint.layout.ranges.items():
        for f in book.blueprint.formulas(name):
            if f.area is None:
                assert read[box.tab].cell(box.row + f.r + 1, box.col + f.c + 1).value == f"={f.text}"
                seen += 1
    assert seen > 1000


def test_a_rule_stands_once_in_the_file(live_lesson: Built) -> None:
    with zipfile.ZipFile(live_lesson.path) as file:
        tabs = [tab.name for tab in live_lesson.blueprint.layout.tabs]
        xml = file.read(f"xl/worksheets/sheet{tabs.index('Merges') + 1}.xml").decode()
    firsts = _FIRST.findall(xml)
    assert len({number for _, number, _ in firsts}) == len(firsts) > 5
    assert not [text for *_, text in firsts if "!" in text or "_xlfn" in text]
    assert xml.count('<f t="shared" si=') > 4 * len(firsts)
    assert "shared" not in unshared(xml)


@pytest.mark.parametrize(
    "first", ['t="shared" ref="A1:A2" si="7"', 'si="7" ref="A1:A2" t="shared"', 't="shared" ca="1" si="7"']
)
def test_a_rewritten_cell_leaves_its_rule_to_the_others(first: str) -> None:
    """Also where another program has saved the file, whose attributes stand in another order."""
    xml = f'<c r="A1"><f {first}>B1+$C$1</f><v>1</v></c><c r="A2"><f ca="1" si="7" t="shared"/><v>2</v></c>'
    assert rewritten(xml, {(0, 0): Written(5.0)}).endswith('<c r="A2"><f>B2+$C$1</f><v>2</v></c>')
