"""Matrices read as arrays: the same values as cell by cell, and nothing that is no plain number among them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from sheetgpt.errors import WorkbookError
from sheetgpt.sheet.book import Sheet
from sheetgpt.sheet.cells import Cell, Kind, Mass, Style
from sheetgpt.sheet.cells import Sheet as Planned
from sheetgpt.sheet.grid import Area, Block, Grid, cells
from sheetgpt.sheet.layout import Range, Tab
from sheetgpt.sheet.readback import read
from sheetgpt.sheet.xlsx import write

ROWS, COLS = 9, 12  # a matrix of 108 numbers, more than the least
AREA = (6, 1, 6 + ROWS - 1, COLS)
NUMBERS = np.arange(ROWS * COLS, dtype=float).reshape(ROWS, COLS) / 7


def matrix(path: Path, numbers: np.ndarray = NUMBERS, *, compact: bool = False, text: str | None = None) -> Path:
    mass = Mass(Range("m", "Sheet", AREA[0], AREA[1], *numbers.shape), lambda: [numbers], Style.PARAMETER, text)
    labels = [Cell(AREA[0] + r, 0, Kind.TEXT, f"row {r}", Style.LABEL) for r in range(len(numbers))]
    labels.append(Cell(AREA[0] + 1, 40, Kind.NUMBER, 5.0, Style.RULER))
    write(path, [Planned(Tab("Sheet", "matrix"), labels, [mass])], {}, compact=compact)
    return path


def both(path: Path, area: Area = AREA) -> tuple[Sheet, Sheet]:
    """The tab read cell by cell, and with `area` as an array where it can be."""
    return read(path).sheets["Sheet"], read(path, matrices={"Sheet": [area]}).sheets["Sheet"]


def edited(path: Path, old: str, new: str) -> Path:
    """A copy in which the sheet's XML says something else."""
    out = path.with_name("edited.xlsx")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "xl/worksheets/sheet1.xml":
                assert data.count(old.encode()) >= 1
                data = data.replace(old.encode(), new.encode(), 1)
            target.writestr(name, data)
    return out


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("text", [None, "1+1"])
def test_the_same_values_either_way(tmp_path: Path, compact: bool, text: str | None) -> None:
    plain, fast = both(matrix(tmp_path / "m.xlsx", compact=compact, text=text))
    assert plain.values == fast.values
    assert plain.formulas == fast.formulas
    assert [block.area for block in fast.values.blocks] == [AREA if text is None else (AREA[0] + 1, *AREA[1:])]
    assert np.array_equal(fast.values.numbers(AREA), NUMBERS)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=64, max_size=64), st.booleans())
def test_numbers_come_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, flat: list[float], wide: bool) -> None:
    numbers = np.array(flat).reshape((2, 32) if wide else (16, 4))
    path = matrix(tmp_path_factory.mktemp("bits") / "m.xlsx", numbers)
    area = (6, 1, 5 + numbers.shape[0], numbers.shape[1])
    got = both(path, area)[1].values.numbers(area)
    assert got.view(np.int64).tolist() == numbers.view(np.int64).tolist()


def test_another_hand_writes_rows_that_are_read_as_arrays(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "theirs.xlsx") as book:
        sheet = book.add_worksheet("Sheet")
        for r, row in enumerate(NUMBERS):
            sheet.write_row(AREA[0] + r, AREA[1], row)
    plain, fast = both(tmp_path / "theirs.xlsx")
    assert plain.values == fast.values
    assert [block.size for block in fast.values.blocks] == [ROWS * COLS]


CELL = '<c r="D9" s="7"><v>'
NINE = '<row r="9">'
ODD = {  # what stands there instead, and what it makes of row 9: None where the file is refused
    "a comment hides the row": (NINE, '<row r="9"><!-- ', None),
    "a comment hides a cell": ('<c r="C9"', '<!-- --><c r="C9"', "cell by cell"),
    "text": (CELL, '<c r="D9" s="7" t="str"><v>', "text"),
    "a formula": (CELL, '<c r="D9" s="7"><f>1+1</f><v>', "formula"),
    "another style": (CELL, '<c r="D9" s="8"><v>', "cell by cell"),
    "another row's cell": (CELL, '<c r="D8" s="7"><v>', None),
    "not a number": (CELL, '<c r="D9" s="7"><v>x', None),
    "infinite": (CELL, '<c r="D9" s="7"><v>1e999', None),
    "as other programs write numbers": (CELL, '<c r="D9" s="7"><v>+', "cell by cell"),
    "a leading zero": (CELL, '<c r="D9" s="7"><v>0', "cell by cell"),
    "a cell twice": (CELL, '<c r="D9" s="7"><v>1</v></c><c r="D9" s="7"><v>', None),
    "a cell missing": ('<c r="D9"', '<c r="ZZ9"', None),
    "the row twice": (NINE, '<row r="9"></row><row r="9">', None),
    "inside something foreign": (NINE, '<row r="9"><other>', None),
    "a foreign row": (NINE, '<row r="9" xmlns="urn:other">', None),
    "a row that is no row": (NINE, '<other r="8"/><row r="9">', "as an array"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_looks_otherwise(tmp_path: Path, what: str) -> None:
    old, new, outcome = ODD[what]
    path = matrix(tmp_path / "m.xlsx")
    with zipfile.ZipFile(path) as file:
        style = file.read("xl/worksheets/sheet1.xml").decode().split('<c r="D9" s="')[1].split('"')[0]
    old, new = (text.replace('s="7"', f's="{style}"').replace('s="8"', f's="{int(style) + 1}"') for text in (old, new))
    path = edited(path, old, new)
    if outcome is None:
        for matrices in (None, {"Sheet": [AREA]}):
            with pytest.raises(WorkbookError):
                read(path, matrices=matrices)
        return
    plain, fast = both(path)
    assert plain.values == fast.values
    assert plain.formulas == fast.formulas
    whole = sum(block.size for block in fast.values.blocks) == ROWS * COLS
    assert whole is (outcome == "as an array")


STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
ROW = '<row r="9">' + "".join(f'<c r="{chr(66 + c)}9"><v>{c}</v></c>' for c in range(COLS)) + "</row>"
NOT_ALL_READ = {  # what some programs take for cells and others do not
    "sheet data before": ("<sheetData>", f'<ext xmlns="urn:other"><sheetData>{ROW}</sheetData></ext><sheetData>'),
    "sheet data after": ("</sheetData>", f'</sheetData><z:sheetData xmlns:z="{STRICT}">{ROW}</z:sheetData>'),
    "sheet data in a choice": ("</sheetData>", f'</sheetData><a xmlns="urn:a"><b><sheetData>{ROW}</sheetData></b></a>'),
    "another language's cell": (
        "</row></sheetData>",
        f'<z:c xmlns:z="{STRICT}" r="B14"><z:v>9</z:v></z:c></row></sheetData>',
    ),
    "another language's value": ('<c r="D9" s="7"><v>', f'<c r="D9" s="7"><z:v xmlns:z="{STRICT}">7</z:v><v>'),
    "another language's formula": ('<c r="D9" s="7"><v>', f'<c r="D9" s="7"><z:f xmlns:z="{STRICT}">7</z:f><v>'),
    "a row in a row": (NINE, '<row r="9"><row r="10"></row>'),
    "a cell without a row": (NINE, '<c r="B9"><v>1</v></c><row r="9">'),
    "a cell in a run": (NINE, '<row r="9"><r><c r="B9"><v>1</v></c></r>'),
    "a value in a run": ('<c r="D9" s="7"><v>', '<c r="D9" s="7"><r><v>1</v></r><v>'),
    "a cell without a type": ('<c r="D9" s="7"><v>', '<c r="D9" s="7" t=""><v>'),
    "blanks around a number": ('<c r="D9" s="7"><v>', '<c r="D9" s="7"><v> '),
    "cells in an attribute": (NINE, '<row r="9"><foo x=\'>'),
}


@pytest.mark.parametrize("what", NOT_ALL_READ)
def test_what_programs_read_differently_is_refused(tmp_path: Path, what: str) -> None:
    old, new = NOT_ALL_READ[what]
    path = matrix(tmp_path / "m.xlsx")
    with zipfile.ZipFile(path) as file:
        style = file.read("xl/worksheets/sheet1.xml").decode().split('<c r="D9" s="')[1].split('"')[0]
    path = edited(path, *(text.replace('s="7"', f's="{style}"') for text in (old, new)))
    for matrices in (None, {"Sheet": [AREA]}):
        with pytest.raises(WorkbookError):
            read(path, matrices=matrices)


def test_rows_in_a_comment_are_none(tmp_path: Path) -> None:
    path = matrix(tmp_path / "m.xlsx")
    with zipfile.ZipFile(path) as file:
        xml = file.read("xl/worksheets/sheet1.xml").decode()
    ninth = xml[xml.index(NINE) : xml.index("</row>", xml.index(NINE)) + 6]
    wraps = ["<!--{}-->", "<!-- {} --> ", "<?x {}?>"]
    wraps += [f'<row r="9">{hide[0]}</row>{{}}{hide[1]}</row>' for hide in (("<!--", "-->"), ("<?x ", "?>"))]
    for wrap in wraps:
        plain, fast = both(edited(path, ninth, wrap.format(ninth)))
        assert plain.values == fast.values
        assert (8, 1) not in fast.values


# ---- grids -------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_grid_is_the_dictionary_that_it_stands_for(data: st.DataObject) -> None:
    small = st.integers(0, 3)
    blocks: list[Block] = []
    plain: dict[tuple[int, int], object] = {}
    for left in (0, 10):
        row, rows, cols = data.draw(small), 1 + data.draw(small), 1 + data.draw(small)
        if data.draw(st.booleans()):
            numbers = np.random.default_rng(left).random((rows, cols))
            blocks.append(Block.of(row, left, numbers))
            plain |= {(row + r, left + c): float(numbers[r, c]) for r, c in np.ndindex(numbers.shape)}
    free = st.tuples(st.integers(0, 8), st.integers(0, 16)).filter(lambda at: at not in plain)
    single = data.draw(st.dictionaries(free, st.one_of(st.floats(allow_nan=False), st.text(max_size=2), st.none())))
    grid = Grid(single, blocks)
    plain |= single
    assert dict(grid) == plain
    assert len(grid) == len(plain)
    r0, c0 = data.draw(small), data.draw(st.integers(0, 9))
    area = r0, c0, r0 + data.draw(small), c0 + data.draw(st.integers(0, 9))
    shape = area[2] - r0 + 1, area[3] - c0 + 1
    assert grid.values_of(area).ravel().tolist() == [plain.get(at) for at in cells(area)]
    under = np.arange(shape[0] * shape[1], dtype=float).reshape(shape)
    for below in (None, under):
        base = np.full(shape, np.nan) if below is None else below
        wanted = [plain.get(at, float(base[at[0] - r0, at[1] - c0])) for at in cells(area)]
        numbers = [x if type(x) is float else np.nan for x in wanted]
        assert np.array_equal(grid.numbers(area, below).ravel(), numbers, equal_nan=True)
