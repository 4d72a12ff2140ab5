"""Formulas as text: what each op lowers to, shown beside the expression; and what no formula may contain."""

from __future__ import annotations

from pathlib import Path

import pytest

from sheetgpt.check.evaluate import NUMPY
from sheetgpt.errors import PlanError
from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.live import Live
from sheetgpt.plan.ops import READS_CELLS, SHAPE, VIEWS, Expr, apply, lit
from sheetgpt.sheet.blueprint import Blueprint, Card
from sheetgpt.sheet.classic import CLASSIC, check_formula
from sheetgpt.sheet.lower import ARRAY, FILL, OF_MANY, formula_text, lower, number

GOLDEN = Path(__file__).parent / "golden"
LIVE = Live(n_chars=6, n_bytes=4, n_merges=2, n_ranges=9)
X, Y, COLUMN, CELL = (Expr("data", shape=s, name=n) for n, s in
                      (("x.a", (4, 3)), ("y.b", (4, 3)), ("col.c", (4, 1)), ("one.d", (1, 1))))  # fmt: skip


def test_every_op_has_a_shape_a_numpy_and_a_formula_rule() -> None:
    assert set(SHAPE) == set(ARRAY) | set(FILL) | OF_MANY
    assert set(FILL) | {"stack", "colmax", "colsum", "own"} == set(READS_CELLS)  # `own` carries its formula
    assert set(NUMPY) == set(SHAPE) | (VIEWS - {"columns"})
    assert not set(ARRAY) & set(FILL)


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (X + Y, "x.a+y.b"),
        (X - (Y - X), "x.a-(y.b-x.a)"),
        (X - Y - X, "x.a-y.b-x.a"),
        (X / (Y * X), "x.a/(y.b*x.a)"),
        ((X + Y) * X, "(x.a+y.b)*x.a"),
        (X * (Y + X), "x.a*(y.b+x.a)"),
        (X**3, "x.a^3"),
        ((X + 1) ** 3, "(x.a+1)^3"),
        (apply("pow", -2.0, X), "(-2)^x.a"),  # -2^x would be read as (-2)^x or -(2^x)
        (X * -1.0, "x.a*(-1)"),
        (X @ Y.T + CELL, "MMULT(x.a,TRANSPOSE(y.b))+one.d"),
        (apply("where", COLUMN.T <= COLUMN, lit(1), -1e10), "IF(TRANSPOSE(col.c)<=col.c,1,-10000000000)"),
        (apply("sqrt", COLUMN + 1e-5), "SQRT(col.c+1E-05)"),
        (apply("exp", X) / apply("sum", X), "EXP(x.a)/SUM(x.a)"),
        (apply("argmax", COLUMN), "MATCH(MAX(col.c),col.c,0)-1"),
        (apply("argmax", COLUMN) * 2, "(MATCH(MAX(col.c),col.c,0)-1)*2"),
        (apply("where", CELL <= lit(1), lit('say "hi"'), lit("")), 'IF(one.d<=1,"say ""hi""","")'),
    ],
)
def test_array_formulas(expr: Expr, text: str) -> None:
    assert formula_text(expr) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.044715, "0.044715"), (1e-5, "1E-05"), (-1e10, "-10000000000"), (16, "16")]
)
def test_numbers_are_the_shortest_text_of_the_double(value: float, text: str) -> None:
    assert number(value) == text
    assert float(text) == value


def test_a_lookup_has_no_array_formula() -> None:
    with pytest.raises(PlanError, match="name it"):
        formula_text(X + apply("rowmean", X))


@pytest.mark.parametrize(
    ("live", "dialect", "golden_name"),
    [
        (None, "arrays", "formulas.txt"),
        (LIVE, "arrays", "formulas_live.txt"),
        (LIVE, "cells", "formulas_cells.txt"),
    ],
)
def test_formulas_of_a_small_model_are_the_golden_text(
    live: Live | None, dialect: str, golden_name: str, request: pytest.FixtureRequest
) -> None:
    config = ModelConfig(n_vocab=5, n_ctx=8, n_embd=4, n_head=2, n_layer=1, tied=False)
    book = Blueprint.of(Card("small", config, 2, live, dialect=dialect))
    lines = []
    for name, box in book.layout.ranges.items():
        formulas = book.formulas(name)
        firsts = formulas[: 2 * box.cols] if name == "merges.ladder" else formulas[:2]
        shown = [f"  {'{=' if f.area else '='}{f.text}{'}' if f.area else ''}" for f in firsts]
        lines += [f"{name} {box.ref} {len(formulas)}", *shown]
    text = "\n".join(lines) + "\n"
    golden = GOLDEN / golden_name
    if request.config.getoption("--update-golden"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("config", [ModelConfig(1024, 64, 64, 4, 4), ModelConfig(3, 11, 48, 3, 3, tied=False)])
def test_every_formula_of_the_bundled_shapes_is_classic(config: ModelConfig) -> None:
    from formulas import Parser  # another hand's grammar

    book = Blueprint.of(Card("m", config, config.n_ctx, Live(64, 24, 767, 1500)))
    formulas = [f.text for name in book.plan for f in lower(book.plan, name, book.layout.ranges)]
    assert len(formulas) > 1000
    for text in formulas:
        check_formula(text, "any")
    for text in {f.text for n in book.plan for f in lower(book.plan, n, book.layout.ranges)[:1]}:
        Parser().ast("=" + text)


@pytest.mark.parametrize(
    "text",
    ["LET(x,1,x)", "LAMBDA(x,x)(1)", "_xlfn.XLOOKUP(1,a,b)", "SEQUENCE(3)", "FILTER(a,b)", "RAND()", "INDIRECT(a)",
     "[other.xlsx]Tab!A1", "A1#", "@a", "{1,2}", "SUM(1)+now()", "x" * 8193],
)  # fmt: skip
def test_what_is_not_classic_is_refused(text: str) -> None:
    with pytest.raises(PlanError):
        check_formula(text, "here")


@pytest.mark.parametrize("text", ['IF(a,"LET(x)","[x]")', "SUM('h0 attention'!A1:B2)", "INDEX('a[b'!A1,1)"])
def test_text_and_tab_names_are_not_taken_for_functions(text: str) -> None:
    assert check_formula(text, "here") == text


def test_the_whitelist_holds_nothing_of_excel_365() -> None:
    new = "LET LAMBDA XLOOKUP FILTER SEQUENCE SORT UNIQUE BYROW HSTACK TEXTJOIN CONCAT IFS SWITCH"
    volatile = "RAND NOW OFFSET INDIRECT"
    assert not CLASSIC & {*new.split(), *volatile.split()}
