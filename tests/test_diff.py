"""Two workbooks compared: equal to itself, the same both ways, and one edit is one difference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sheetgpt.build import Built, Room, build
from sheetgpt.check.diff import CONSTANT, FORMULA, INPUT, TEXT, VALUE, WEIGHT, Difference, diff
from sheetgpt.check.diff_report import to_json, to_text
from sheetgpt.errors import WorkbookError
from sheetgpt.models.weights import Weights
from sheetgpt.plan.checks import RECORDED
from sheetgpt.recalc import recalc
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.readback import read
from tests.conftest import CORE, make_model
from tests.mutants import MUTANTS, Mutant, formula, make
from tests.test_adversary import edited
from tests.test_cli import run

QUICK = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def only(found: Difference) -> tuple[str, str, int, str]:
    """Place, kind, cells and address of the one row."""
    assert found.told == []
    (row,) = found.rows
    return row.place, row.kind, row.cells, row.cell_a


def mirrored(found: Difference) -> list[tuple[object, ...]]:
    rows = [(r.place, r.tab, r.kind, r.cells, r.cell_b, r.cell_a, r.b, r.a, r.gap) for r in found.rows]
    return [*((t.kind, t.what, t.b, t.a) for t in found.told), *rows]


def plain(found: Difference) -> list[tuple[object, ...]]:
    return [*map(tuple, found.told), *map(tuple, found.rows)]


def test_a_workbook_equals_itself(tiny_book: Built, live_book: Built) -> None:
    for book in (tiny_book, live_book):
        found = diff(book.path, book.path)
        assert (plain(found), found.uncompared, found.exit_code) == ([], [], 0)
        assert found.cells > 10_000
    assert to_text(found).endswith(f"EQUAL: {found.cells:,} cells compared")


@QUICK
@given(data=st.data())
def test_one_edited_cell_is_found_and_only_that(data: st.DataObject, tiny_book: Built, tmp_path: Path) -> None:
    plan, ranges = tiny_book.blueprint.plan, tiny_book.blueprint.layout.ranges
    name = data.draw(st.sampled_from([n for n in plan if not plan.is_view(n)]))
    box = ranges[name]
    r, c = data.draw(st.tuples(st.integers(0, box.rows - 1), st.integers(0, box.cols - 1)))
    at, value = (box.row + r, box.col + c), "another" if name in plan.text else 1234.5
    given = plan[name].op == "data"
    typed = {box.tab: {at: value}}
    copy = tmp_path / f"{name}.{r}.{c}.xlsx"
    copy.unlink(missing_ok=True)
    if given:
        edit(tiny_book.path, copy, typed, {})
        kind = WEIGHT if plan.roles[name] == "parameter" else TEXT if name in plan.text else INPUT
        found = diff(tiny_book.path, copy)
        computed = [row for row in found.rows if row.kind == VALUE]
        assert {row.a == "nothing" or row.b == "nothing" for row in computed} <= {
            True
        }  # edit cuts what formulas cached
        assert [(r.place, r.kind, r.cells, r.cell_a) for r in found.rows if r.kind != VALUE] == [
            (name, kind, 1, a1(*at))
        ]
    else:
        mine, yours = tmp_path / "mine.xlsx", copy
        mine.unlink(missing_ok=True)
        stands = {box.tab: {at: "x" if name in plan.text else 0.5}}
        edit(tiny_book.path, mine, {}, stands)
        edit(tiny_book.path, yours, {}, typed)
        assert only(diff(mine, yours)) == (name, VALUE, 1, a1(*at))
        assert mirrored(diff(mine, yours)) == plain(diff(yours, mine))


@pytest.mark.parametrize("mutant", MUTANTS[::5], ids=lambda m: m.name)
def test_each_mutant_differs_from_its_original(mutant: Mutant, tiny_book: Built, tmp_path: Path) -> None:
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "mutant.xlsx")
    found = diff(tiny_book.path, tmp_path / "mutant.xlsx")
    assert found.exit_code == 1
    assert mirrored(found) == plain(diff(tmp_path / "mutant.xlsx", tiny_book.path))
    places = {row.place for row in found.rows} | {told.what for told in found.told}
    assert places == {mutant.place}


def test_a_formula_in_another_spelling_is_the_same(tiny_book: Built, tmp_path: Path) -> None:
    make(formula("h1.ln_1.mean", "AVERAGE(", "average( "), tiny_book.blueprint, tiny_book.path, tmp_path / "b.xlsx")
    assert diff(tiny_book.path, tmp_path / "b.xlsx").exit_code == 0


def test_another_prompt_in_a_live_workbook(live_book: Built, tmp_path: Path) -> None:
    recalc(live_book.path, {"prompt.text": "the cat's  mat"}, tmp_path / "b.xlsx", "ironcalc")
    found = diff(live_book.path, tmp_path / "b.xlsx", 1e-9)
    assert {row.kind for row in found.rows} == {TEXT, VALUE}
    assert [(row.place, row.a, row.b) for row in found.rows if row.kind == TEXT] == [
        ("prompt.text", '"the cat\'s  hat"', '"the cat\'s  mat"')
    ]
    assert found.first is not None
    assert found.first.place == "prompt.text"
    computed = diff(live_book.path, tmp_path / "b.xlsx", 1e-9, "ironcalc")
    assert [row[:4] for row in computed.rows] == [row[:4] for row in found.rows]


def test_the_tolerance_is_for_all_numbers_but_weights(tiny_book: Built, tmp_path: Path) -> None:
    box = tiny_book.blueprint.layout.ranges["h0.ln_1.mean"]
    for name, value in (("a", 0.5), ("b", 0.5 + 1e-12)):
        edit(tiny_book.path, tmp_path / f"{name}.xlsx", {}, {box.tab: {(box.row, box.col): value}})
    pair = tmp_path / "a.xlsx", tmp_path / "b.xlsx"
    assert only(diff(*pair))[:2] == ("h0.ln_1.mean", VALUE)
    assert diff(*pair, 1e-9).exit_code == 0
    make(MUTANTS[0], tiny_book.blueprint, tiny_book.path, tmp_path / "weight.xlsx")  # a digit more on a weight
    assert only(diff(tiny_book.path, tmp_path / "weight.xlsx", 1.0))[:2] == (MUTANTS[0].place, WEIGHT)


def test_rounding_is_called_so(live_lesson: Built, tmp_path: Path) -> None:
    """LibreOffice saves 15 digits, also of numbers that no formula computes."""
    name = next(name for name in live_lesson.blueprint.plan if name.endswith(RECORDED))
    box = live_lesson.blueprint.layout.ranges[name]
    at = box.row, box.col
    was = read(live_lesson.path).sheets[box.tab].values[at]
    assert isinstance(was, float)
    for copy, values in (("a", {}), ("b", {at: was + 1e-13}), ("c", {at: was + 1e-13, (at[0], at[1] + 1): "text"})):
        edit(live_lesson.path, tmp_path / f"{copy}.xlsx", {box.tab: values}, {})
    pair = tmp_path / "a.xlsx", tmp_path / "b.xlsx"
    found = diff(*pair)
    assert only(found)[:3] == (name, CONSTANT, 1)
    assert "FIRST: another number at" in to_text(found)
    assert "--tolerance 1e-09 takes such for equal" in to_text(found)
    assert diff(*pair, 1e-9).exit_code == 0
    worse = diff(pair[0], tmp_path / "c.xlsx")
    assert {row.kind for row in worse.rows} == {TEXT, CONSTANT}
    assert "takes such" not in to_text(worse)


def test_a_text_among_numbers_that_nearly_agree_is_no_rounding(tiny_book: Built, tmp_path: Path) -> None:
    box = tiny_book.blueprint.layout.ranges["h0.ln_1.mean"]
    for name, values in (("a", (0.5, 0.25)), ("b", (0.5 + 1e-12, "x"))):
        cells = {(box.row + r, box.col): value for r, value in enumerate(values)}
        edit(tiny_book.path, tmp_path / f"{name}.xlsx", {}, {box.tab: cells})
    found = diff(tmp_path / "a.xlsx", tmp_path / "b.xlsx")
    assert only(found)[1:3] == (VALUE, 2)
    assert found.rows[0].gap is None
    assert "takes such" not in to_text(found)


def test_workbooks_of_other_sizes_are_compared_as_far_as_they_agree(
    tiny: Weights, tiny_book: Built, tmp_path: Path
) -> None:
    other = build(tiny, "the cat sat", tmp_path / "more.xlsx", Room(tokens=12, fixed=True), form=CORE, check=False)
    found = diff(tiny_book.path, other.path, 1e-9)
    assert ("card", "tokens", "9", "12") in found.told
    assert any("of another shape, the first prompt.pos (9 x 1, 12 x 1)" in reason for reason in found.uncompared)
    places = {
        row.place for row in found.rows if not row.place.startswith("check.")
    }  # which say how many rows there are
    assert not places - {""}, "the same prompt gives the same answer"
    assert {told.kind for told in found.told} == {"card", "name"}


def test_other_weights_are_counted_one_by_one(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    model = make_model(folder, tiny.config, seed=7)
    other = build(model, "the cat sat", tmp_path / "other.xlsx", Room(tokens=9, fixed=True), form=CORE, check=False)
    rows = {row.place: row for row in diff(tiny_book.path, other.path).rows if row.kind == WEIGHT}
    for name in tiny:
        unlike = tiny[name] != model[name]
        assert rows[name].cells == unlike.sum()
        gap = abs(tiny[name] - model[name]) / np.maximum(1, np.minimum(abs(tiny[name]), abs(model[name])))
        assert rows[name].gap == gap.max()


def test_any_other_workbooks(tmp_path: Path) -> None:
    for name, number, text in (("a", 1.5, "=A1*2"), ("b", 2.5, "=A1*3")):
        with xlsxwriter.Workbook(tmp_path / f"{name}.xlsx") as book:
            sheet = book.add_worksheet("desk")
            sheet.write_number("A1", number)
            sheet.write_formula("B1", text, None, 3)
            sheet.write_string("C1", "same")
            book.add_worksheet(f"only {name}")
            book.define_name("here", f"=desk!$A${1 + (name == 'b')}")
    found = diff(tmp_path / "a.xlsx", tmp_path / "b.xlsx")
    assert [(row.tab, row.kind, row.cell_a, row.a, row.b) for row in found.rows] == [
        ("desk", FORMULA, "B1", "=A1*2", "=A1*3"),
        ("desk", CONSTANT, "A1", "1.5", "2.5"),
    ]
    assert [(told.kind, told.what) for told in found.told] == [("tab", "only a"), ("tab", "only b"), ("name", "here")]
    assert diff(tmp_path / "a.xlsx", tmp_path / "a.xlsx").exit_code == 0
    computed = diff(tmp_path / "a.xlsx", tmp_path / "b.xlsx", 0.0, "ironcalc")
    assert ("desk", VALUE, "B1", "3.0", "7.5") in [(r.tab, r.kind, r.cell_a, r.a, r.b) for r in computed.rows]


def test_settings_are_told(tiny_book: Built, tmp_path: Path) -> None:
    """Also when the file is computed: its values may be stale."""
    said = '<calcPr calcMode="manual" iterate="1" '
    other = edited(tiny_book, tmp_path / "manual.xlsx", workbook=lambda xml: xml.replace("<calcPr ", said))
    found = [(told.kind, told.what, told.a, told.b) for told in diff(tiny_book.path, other).told]
    assert found == [("setting", what, "nothing", "set") for what in ("calcMode=manual", "iterate=1")]


def test_the_command(tiny_book: Built, tmp_path: Path) -> None:
    make(MUTANTS[0], tiny_book.blueprint, tiny_book.path, tmp_path / "b.xlsx")
    pair = str(tiny_book.path), str(tmp_path / "b.xlsx")
    assert run("diff", pair[0], pair[0]).exit_code == 0
    told = run("diff", *pair)
    assert told.exit_code == 1
    assert f"FIRST: another weight at {MUTANTS[0].place}" in told.output
    data = json.loads(run("diff", *pair, "--format", "json", "--places").output)
    assert (data["exit_code"], data["first"]["place"], data["first"]["cells"]) == (1, MUTANTS[0].place, 1)
    assert data == json.loads(to_json(diff(tiny_book.path, tmp_path / "b.xlsx")))


def test_what_is_no_workbook(tiny_book: Built, tmp_path: Path) -> None:
    (tmp_path / "b.xlsx").write_text("no workbook")
    with pytest.raises(WorkbookError, match=r"b\.xlsx"):
        diff(tiny_book.path, tmp_path / "b.xlsx")
    assert run("diff", str(tiny_book.path), str(tmp_path / "b.xlsx")).exit_code == 3
    assert run("diff", str(tiny_book.path)).exit_code == 2
