"""The cells dialect: one plain formula a cell over references, which is the same formula filled, and says the same."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xlsxwriter
from numpy.typing import NDArray

from sheetgpt.build import Built, Form, Room, build
from sheetgpt.check.mutate import Judge, draw
from sheetgpt.check.operators import OPERATORS, Original
from sheetgpt.check.verify import verify
from sheetgpt.engines import get
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.weights import Weights
from sheetgpt.plan.extras import EXTRAS, Asked
from sheetgpt.plan.live import Live
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.blueprint import DIALECTS, Blueprint, Card
from sheetgpt.sheet.layout import Layout, Range
from sheetgpt.sheet.lower import Formula
from sheetgpt.sheet.lower_cells import lowered_cells
from sheetgpt.sheet.r1c1 import r1c1
from sheetgpt.sheet.readback import read

ROOM = Room(tokens=9, characters=14, word_bytes=4)
Twin = tuple[Expr, NDArray[np.float64]]  # an expression, and what numpy says of it


@pytest.fixture(scope="module")
def cells_book(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    path = tmp_path_factory.mktemp("books") / "cells.xlsx"
    return build(tiny, "the cat sat", path, ROOM, form=Form(dialect="cells"))


@pytest.fixture(scope="module")
def short_book(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """For one prompt, without extras."""
    path = tmp_path_factory.mktemp("books") / "short.xlsx"
    return build(tiny, "the cat", path, Room(fixed=True), form=Form(core=True, dialect="cells"))


# ---- texts -----------------------------------------------------------------------------------------------

SHAPES = {"x.a": (4, 3), "y.b": (4, 3), "w.c": (3, 4), "col.d": (4, 1), "row.e": (1, 3), "one.f": (1, 1)}


def plan_of_data() -> tuple[Plan, dict[str, Range]]:
    """Places one below the other from B2 on, on a tab of their own."""
    p, ranges, top = Plan(), {}, 1
    for name, (rows, cols) in SHAPES.items():
        p.data(name, (rows, cols))
        ranges[name] = Range(name, "My data", top, 1, rows, cols)
        top += rows + 1
    return p, ranges  # x.a B2:D5, y.b B7:D10, w.c B12:E14, col.d B16:B19, row.e B21:D21, one.f B23


P, AT = plan_of_data()
X, Y, W, COLUMN, ROW, ONE = (P[name] for name in SHAPES)


@pytest.mark.parametrize(
    ("expr", "first", "last"),
    [
        (X - Y, "B2-B7", "D5-D10"),
        ((X - COLUMN) / apply("sqrt", COLUMN + 1e-5), "(B2-$B16)/SQRT($B16+1E-05)", "(D5-$B19)/SQRT($B19+1E-05)"),
        (X * ROW + ONE, "B2*B$21+$B$23", "D5*D$21+$B$23"),
        (COLUMN * ONE, "B16*B$23", "B19*B$23"),
        (ROW + ONE, "B21+$B23", "D21+$B23"),
        (ONE * 2, "B23*2", "B23*2"),
        (X @ W + ONE, "MMULT($B2:$D2,B$12:B$14)+$B$23", "MMULT($B5:$D5,E$12:E$14)+$B$23"),
        (X @ Y.T, "SUMPRODUCT($B2:$D2,$B$7:$D$7)", "SUMPRODUCT($B5:$D5,$B$10:$D$10)"),
        (X.T @ Y, "SUMPRODUCT($B$2:$B$5,B$7:B$10)", "SUMPRODUCT($D$2:$D$5,D$7:D$10)"),
        (W.T @ Y.T, "MMULT($B$7:$D$7,$B$12:$B$14)", "MMULT($B$10:$D$10,$E$12:$E$14)"),
        (X @ ROW.T, "SUMPRODUCT(B2:D2,B$21:D$21)", "SUMPRODUCT(B5:D5,B$21:D$21)"),
        (COLUMN @ ROW, "$B16*B$21", "$B19*D$21"),
        (apply("where", COLUMN.T <= COLUMN, 1, -1e3), "IF($B$16<=$B16,1,-1000)", "IF($B$19<=$B19,1,-1000)"),
        (apply("max", X), "MAX(B2:D5)", "MAX(B2:D5)"),
        (X / apply("sum", X), "B2/SUM($B$2:$D$5)", "D5/SUM($B$2:$D$5)"),
        (apply("sum", apply("where", COLUMN <= 0, 0, 1)), "SUMPRODUCT(1-(B16:B19<=0))", "SUMPRODUCT(1-(B16:B19<=0))"),
        (apply("sum", COLUMN <= 0), "SUMPRODUCT(1*(B16:B19<=0))", "SUMPRODUCT(1*(B16:B19<=0))"),
        (apply("rowmean", X), "AVERAGE(B2:D2)", "AVERAGE(B5:D5)"),
        (apply("gather", W, COLUMN), "INDEX($B$12:$E$14,$B16+1,B$30+1)", "INDEX($B$12:$E$14,$B19+1,E$30+1)"),
    ],
)  # fmt: skip
def test_a_cell_says_what_it_reads(expr: Expr, first: str, last: str) -> None:
    p, ranges = plan_of_data()
    p("z.z", _over(expr, p))
    ranges["z.z"] = Range("z.z", "My data", 30, 1, *expr.shape)
    formulas = list(lowered_cells(p, "z.z", ranges))
    assert len(formulas) == expr.shape[0] * expr.shape[1]
    assert [(f.text, f.area) for f in (formulas[0], formulas[-1])] == [(first, None), (last, None)]


def _over(expr: Expr, p: Plan) -> Expr:
    """The same over the places of another plan."""
    return p[expr.name] if expr.name else replace(expr, args=tuple(_over(a, p) for a in expr.args))


def test_no_tab_of_the_pipeline_has_an_array_formula() -> None:
    """Checks, and some extras, look at whole matrices number by number."""
    config = ModelConfig(260, 16, 8, 2, 2)
    book = Blueprint.of(Card("m", config, 9, Live(14, 4, 3, 1500), asked=Asked(EXTRAS, 2), dialect="cells"))
    arrays = {book.layout.ranges[name].tab for name in book.plan for f in book.formulas(name) if f.area}
    assert arrays == {"Check", "Compute", "Logit lens", "Playground"}


def forms(book: Blueprint, name: str) -> dict[int, set[str]]:
    """By column: the forms of a place's formulas."""
    box, found = book.layout.ranges[name], defaultdict(set)
    for f in book.formulas(name):
        found[f.c].add(r1c1(f.text, box.row + f.r, box.col + f.c))
    return found


def test_a_place_is_one_formula_filled() -> None:
    book = Blueprint.of(Card("m", ModelConfig(260, 16, 8, 2, 2), 9, dialect="cells"))
    for name in book.plan:
        found = forms(book, name)
        if found and not name.startswith("check."):
            assert all(len(column) == 1 for column in found.values()), name
            turned = name.endswith(".scores")  # each column reads the keys of one row
            assert len(set.union(*found.values())) == (len(found) if turned else 1), name


def test_formulas_of_gpt2s_width_are_classic_and_short_enough() -> None:
    book = Blueprint.of(Card("m", ModelConfig(50_257, 1024, 768, 12, 1), 2, dialect="cells"))
    for name in book.plan:
        assert all(len(f.text) <= 8192 for f in book.formulas(name))  # what is not classic raises `PlanError`
    at = {name: book.layout.ranges[name].row + 1 for name in ("h0.mlp.post", "h0.mlp.c_proj.b")}
    assert book.formulas("h0.mlp.out")[0].text == (
        f"MMULT($B{at['h0.mlp.post']}:$DNE{at['h0.mlp.post']},'h0.mlp.c_proj.w'!"
        f"B${(w := book.layout.ranges['h0.mlp.c_proj.w'].row) + 1}:B${w + 3072})+'h0 vectors'!B${at['h0.mlp.c_proj.b']}"
    )


# ---- random expressions ----------------------------------------------------------------------------------

RNG = np.random.default_rng(5)
DATA = {name: RNG.normal(size=shape).round(3) for name, shape in SHAPES.items()}


def operands() -> list[Twin]:
    """What expressions are made of: places, either way up, their products and sums."""
    upright = [(P[n], DATA[n]) for n in SHAPES]
    both = upright + [(P[n].T, DATA[n].T) for n in SHAPES]
    pairs = [(a, b, x, y) for a, x in both for b, y in both if x.shape[1] == y.shape[0]]
    found = both + [(a @ b, x @ y) for a, b, x, y in pairs]
    found += [(a @ (b + b), x @ (2 * y)) for a, b, x, y in pairs[:8]]  # no places: an array formula in both dialects
    for a, x in upright:
        found += [(apply("sum", a), np.array([[x.sum()]])), (apply("max", a), np.array([[x.max()]]))]
    return found


def chosen() -> list[Twin]:
    """Sums of what is chosen number by number."""
    found = []
    for a, x in ((P[n], DATA[n]) for n in SHAPES):
        cases = [(apply("where", a < 0.25, v, a), np.where(x < 0.25, v, x)) for v in (0, 1, 3)]
        cases += [(apply("where", a < 0.25, 1, 0), x < 0.25)]
        cases += [(apply("where", a < 0.25, a * a, 1), np.where(x < 0.25, x * x, 1))]
        found += [(apply("sum", b), np.array([[float(y.sum())]])) for b, y in cases]
    return found


def drawn(rng: np.random.Generator, given: list[Twin], depth: int) -> Twin:
    """An expression over them, and the same in numpy."""
    if depth == 0 or rng.random() < 0.1:
        return given[rng.integers(len(given))]
    a, x = drawn(rng, given, depth - 1)
    b, y = drawn(rng, given, depth - 1)
    if any(i != j and 1 not in (i, j) for i, j in zip(x.shape, y.shape, strict=True)):
        return (a.T, x.T) if rng.random() < 0.5 else (apply("tanh", a), np.tanh(x))
    made = [
        (a + b, x + y), (a - b, x - y), (a * b, x * y), (a / (b * b + 1), x / (y * y + 1)), (a - (b - 1), x - (y - 1)),
        (apply("where", a <= b, a, 2), np.where(x <= y, x, 2.0)), (apply("tanh", a) ** 3, np.tanh(x) ** 3),
    ]  # fmt: skip
    return made[rng.integers(len(made))]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_random_expressions_are_computed_as_numpy_does(dialect: str, tmp_path: Path) -> None:
    (p, ranges), top, expected = plan_of_data(), 2, {}
    given, rng = operands(), np.random.default_rng(11)
    twins = given + chosen() + [drawn(rng, given, 3) for _ in range(150)]
    for i, (expr, value) in enumerate(twins):
        name = f"z.r{i}x"
        p(name, _over(expr, p))
        ranges[name] = Range(name, "Results", top, 2, *expr.shape)
        top, expected[name] = top + expr.shape[0] + 1, value
    book = Blueprint(Card("m", ModelConfig(5, 8, 4, 2, 1), 3, dialect=dialect), p, Layout((), ranges))
    path = tmp_path / "random.xlsx"
    write(book, path)
    computed = get("ironcalc").recalculate(path)["Results"]
    for name, value in expected.items():
        found = computed.numbers(ranges[name].area)
        assert np.allclose(found, value, rtol=1e-10, atol=1e-10), (book.formulas(name)[0], found, value)


def write(book: Blueprint, path: Path) -> None:
    """The places of a plan by XlsxWriter alone; a formula that is not entered has no value."""
    workbook = xlsxwriter.Workbook(str(path))
    sheets = {tab: workbook.add_worksheet(tab) for tab in ("My data", "Results")}
    for name, box in book.layout.ranges.items():
        workbook.define_name(name, f"={box.ref}")
        for (r, c), value in np.ndenumerate(DATA.get(name, np.empty((0, 0)))):
            sheets[box.tab].write_number(box.row + r, box.col + c, value)
        for f in book.formulas(name):
            _enter(sheets[box.tab], box.row + f.r, box.col + f.c, f)
    workbook.close()


def _enter(sheet: xlsxwriter.worksheet.Worksheet, row: int, col: int, f: Formula) -> None:
    if f.area:
        last = (row + f.area[0] - 1, col + f.area[1] - 1)
        sheet.write_array_formula(row, col, *last, f"={f.text}", None, 0)
    else:
        sheet.write_formula(row, col, f"={f.text}", None, 0)


# ---- workbooks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["ironcalc", "libreoffice"])
def test_a_workbook_of_cells_is_equal(cells_book: Built, tiny: Weights, engine: str) -> None:
    if get(engine).version() is None:
        pytest.skip(get(engine).hint())
    report = verify(cells_book.path, engine, str(tiny.folder))
    assert (report.exit_code, report.faults) == (0, [])
    assert report.cells_checked == report.cells_present


def test_formulas_computes_it_too(short_book: Built, tiny: Weights) -> None:
    report = verify(short_book.path, "formulas", str(tiny.folder))
    assert (report.exit_code, report.faults) == (0, [])


def test_slips_in_cells_are_found_where_they_are(short_book: Built, tiny: Weights) -> None:
    wanted = {"bias dropped", "heads", "mask", "real: K, V add Q's bias", "real: MLP reads token 0"}
    operators = [operator for operator in OPERATORS if operator.name in wanted]
    original = Original(read(short_book.path), short_book.blueprint)
    judge = Judge(short_book.path, "ironcalc", str(tiny.folder))
    outcomes = [judge.outcome(i, mutation) for i, mutation in enumerate(draw(original, len(wanted), 2, operators))]
    assert {o.mutation.operator for o in outcomes} == wanted
    assert [o.verdict for o in outcomes] == ["located"] * len(wanted)
