"""Mutants: each is what its operator says and no more, verify finds them all, and the score can tell if not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sheetgpt.build import Built
from sheetgpt.check import mutate as scoring
from sheetgpt.check.kept import changed
from sheetgpt.check.mutate import Judge, Outcome, Score, by_values, draw
from sheetgpt.check.mutation_report import to_json, to_text
from sheetgpt.check.operators import OPERATORS, Mutation, Operator, Original, same_references, tokens
from sheetgpt.check.verify import verify
from sheetgpt.cli import main
from sheetgpt.engines import get
from sheetgpt.engines.session import Session, takes
from sheetgpt.errors import WorkbookError
from sheetgpt.models.weights import Weights
from sheetgpt.sheet.a1 import parse_cell
from sheetgpt.sheet.book import Formula
from sheetgpt.sheet.grid import Area, At, CellError, Value, cells
from sheetgpt.sheet.readback import read
from sheetgpt.sheet.rewrite import Written, rewrite

NAMES = [operator.name for operator in OPERATORS]


@pytest.fixture(scope="module")
def original(live_book: Built) -> Original:
    return Original(read(live_book.path), live_book.blueprint)


@pytest.fixture(scope="module")
def judge(live_book: Built, tiny: Weights) -> Judge:
    return Judge(live_book.path, "ironcalc", str(tiny.folder))


@pytest.mark.parametrize("operator", OPERATORS, ids=NAMES)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_a_mutant_differs_in_what_it_says_and_in_nothing_else(
    operator: Operator, original: Original, tmp_path: Path, seed: int
) -> None:
    mutation = operator.pick(original, np.random.default_rng(seed))
    if mutation is None:
        return  # by chance no cell of its kind was met: the run below shows that each operator has some
    path = tmp_path / f"{seed}.xlsx"
    path.unlink(missing_ok=True)
    rewrite(original.book.path, path, mutation.tab, mutation.cells, mutation.names)
    book = read(path, [mutation.tab])
    assert mutation.operator == operator.name
    assert book.names == {**original.book.names, **mutation.names}
    assert book.tabs == original.book.tabs
    for tab, sheet in book.sheets.items():
        values, formulas = dict(original.book.sheets[tab].values), dict(original.book.sheets[tab].formulas)
        if tab == mutation.tab:
            for at, written in mutation.cells.items():
                values.pop(at, None)
                formulas.pop(at, None)
                if written.value is not None:
                    values[at] = written.value
                if written.formula:
                    formulas[at] = written.formula
        assert dict(sheet.values) == values
        assert dict(sheet.formulas) == formulas
    assert mutation.names or any(
        original.value(mutation.tab, at) != written.value
        or original.book.sheets[mutation.tab].formulas.get(at) != written.formula
        for at, written in mutation.cells.items()
    ), "it changes nothing"
    path.unlink()


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_true_place_is_that_of_the_cell(original: Original, seed: int) -> None:
    for mutation in draw(original, len(OPERATORS), seed):
        if mutation.names:
            assert [mutation.place] == list(mutation.names)
        else:
            at = parse_cell(mutation.cell)
            assert at in mutation.cells
            assert mutation.place == original.places.at(mutation.tab, *at)


def test_the_same_seed_gives_the_same_mutants(original: Original) -> None:
    one, again, other = (list(draw(original, 80, seed)) for seed in (3, 3, 4))
    assert one == again
    assert one != other
    assert len({m.key for m in one}) == 80
    assert {m.operator for m in one} == set(NAMES), "some operator found no place at all"


def test_both_forms_of_a_formula_are_made(original: Original) -> None:
    formulas = [m for m in draw(original, 120, 1) if m.cells and any(w.formula for w in m.cells.values())]
    assert {m.stripped for m in formulas} == {True, False}
    for mutation in formulas:
        remembered = {written.value for written in mutation.cells.values()}
        assert (remembered == {None}) == mutation.stripped


def test_operators_end_when_there_is_nothing_left(original: Original) -> None:
    """Two slips in all the workbook: the scale of two heads of two blocks, with or without its cache."""
    scale = [operator for operator in OPERATORS if operator.name == "scale"]
    assert len(list(draw(original, 50, 1, scale))) == 2 * 2 * 2


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("SUM(A1:B2)", "SUM($A1:B$2)", True),
        ("'h0 mlp'!A1+wte", "'h0 mlp'!$A$1+wte", True),
        ("SUM(A1:B2)", "SUM(A1:B2)", False),  # no mutant
        ("SUM(A1:B2)", "SUM($A2:B2)", False),
        ('IF(A1="$5",1,2)', 'IF(A1="5",1,2)', False),
        ("A1", "Prompt!$A$1", False),
    ],
)
def test_only_a_dollar_is_no_difference(one: str, other: str, alike: bool) -> None:
    assert same_references(one, other) == alike


def test_what_is_called_equivalent_has_equal_values(original: Original, judge: Judge) -> None:
    frozen = [operator for operator in OPERATORS if operator.name == "frozen"]
    for number, mutation in enumerate(draw(original, 4, 2, frozen)):
        assert mutation.equivalent
        outcome = judge.outcome(number, mutation)
        assert outcome.verdict == "located"
        assert not outcome.by_values


def test_every_mutant_is_caught_and_located(original: Original, judge: Judge) -> None:
    """One of each operator, on a workbook for any prompt."""
    outcomes = [judge.outcome(i, m) for i, m in enumerate(draw(original, len(OPERATORS), 1))]
    score = Score("tiny", "tiny", "ironcalc", 1, outcomes)
    assert [(o.mutation.operator, o.verdict, o.blamed, o.why) for o in outcomes if o.verdict != "located"] == []
    assert score.total.mutants == score.total.killed == score.total.located == len(OPERATORS)
    assert 0 < score.total.by_values < len(OPERATORS), "a stale cache cannot be told by what is computed"
    assert score.compared > 0
    assert score.survivors() == []
    assert {o.mutation.operator for o in score.survivors("values")} >= {"stale", "label"}


# ---- the score itself can fail


def nothing(original: Original) -> Mutation:
    """A formula written as it was."""
    tab, at = original.formulas["h0.ln_1.var"][0]
    written = {at: Written(original.value(tab, at), original.formula(tab, at))}
    return Mutation("nothing", "h0.ln_1.var", tab, "F11", "", "", written, {})


def test_a_mutant_that_is_none_survives(original: Original, judge: Judge) -> None:
    outcome = judge.outcome(0, nothing(original))
    assert (outcome.verdict, outcome.blamed, outcome.by_values) == ("survived", "", False)


def scored(judge: Judge, mutation: Mutation) -> tuple[Outcome, Score]:
    outcome = judge.outcome(0, mutation)
    return outcome, Score("book", "tiny", "ironcalc", 1, [outcome])


def test_a_verifier_that_sees_nothing_lets_all_survive(
    original: Original, judge: Judge, live_book: Built, tiny: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = verify(live_book.path, "ironcalc", str(tiny.folder))
    monkeypatch.setattr(scoring, "verify", lambda *_: blind)
    outcome, score = scored(judge, next(draw(original, 1, 1)))
    assert outcome.verdict == "survived"
    assert score.survivors() == [outcome]
    assert "NOT CAUGHT: #0 reference" in to_text(score)
    assert json.loads(to_json(score))["survived"] == [0]


def test_a_verifier_that_blames_another_place_has_not_located(
    original: Original, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def confused(*args: object) -> object:
        report = verify(*args)  # type: ignore[arg-type]
        report.faults[0] = report.faults[0]._replace(place="logits")
        return report

    monkeypatch.setattr(scoring, "verify", confused)
    outcome, score = scored(judge, next(draw(original, 1, 1)))
    assert (outcome.verdict, score.total.killed, score.total.located) == ("killed", 1, 0)
    assert "BLAMED ELSEWHERE" in to_text(score)
    assert score.survivors() == []


def test_a_verifier_that_refuses_has_not_caught(
    original: Original, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> object:
        raise WorkbookError("no workbook of ours")

    monkeypatch.setattr(scoring, "verify", refuses)
    outcome, score = scored(judge, next(draw(original, 1, 1)))
    assert (outcome.verdict, outcome.why, score.total.refused) == ("refused", "no workbook of ours", 1)
    assert score.survivors() == [outcome]


def test_by_values_asks_no_text(live_book: Built, tiny: Weights, original: Original, tmp_path: Path) -> None:
    tab, at = original.formulas["h0.ln_1.var"][0]
    text = original.formula(tab, at).text
    for wrong, told in ((text + "+0", False), (text + "+1", True)):
        path = tmp_path / f"{told}.xlsx"
        rewrite(live_book.path, path, tab, {at: Written(None, Formula(wrong))}, {})
        report = verify(path, "ironcalc", str(tiny.folder))
        assert report.exit_code == 1
        assert by_values(report) == told


# ---- what is shared is what would be computed alone


def whole(values: object) -> dict[str, dict[At, Value]]:
    return {tab: dict(grid) for tab, grid in values.items()}  # type: ignore[attr-defined]


def test_a_judged_mutant_has_the_report_that_verify_gives_alone(
    original: Original, judge: Judge, tiny: Weights, tmp_path: Path
) -> None:
    some = [
        operator for operator in OPERATORS if operator.name in ("row", "scale", "stale", "weight ulp", "label", "name")
    ]
    for number, mutation in enumerate(draw(original, len(some), 9, some)):
        path = tmp_path / f"{number}.xlsx"
        rewrite(original.book.path, path, mutation.tab, mutation.cells, mutation.names)
        shared = verify(path, "ironcalc", str(tiny.folder), judge.kept)
        assert shared == verify(path, "ironcalc", str(tiny.folder)), mutation.operator


def test_a_session_computes_what_the_file_gives(original: Original) -> None:
    """Every formula entered anew, tab by tab."""
    session, wanted = Session(original.book.path), whole(get("ironcalc").recalculate(original.book.path))
    assert whole(session.values({})) == wanted
    for tab, sheet in original.book.sheets.items():
        if sheet.formulas:
            assert whole(session.values({tab: dict(sheet.formulas)})) == wanted, tab


@pytest.mark.parametrize(
    ("what", "taken"),
    [
        (1.0, True),
        ("text", True),
        (None, False),
        (CellError("#N/A"), False),
        (Formula("VAR(B1:C1)+A1"), True),
        (Formula("INDEX(A1,1,0)"), False),  # a row, where it is typed; one value, where it is read from a file
        (Formula("A1:B2"), False),
        (Formula("wte"), False),
        (Formula("wte", (0, 0, 1, 1)), True),
    ],
)
def test_what_could_spill_is_not_typed(what: Formula | Value, taken: bool) -> None:
    assert takes(what) == taken


def test_what_changed_is_what_must_be_entered(original: Original) -> None:
    tab, at = original.formulas["h0.attn.out"][0]
    sheet = original.book.sheets[tab]
    area = sheet.formulas[at].area
    assert area is not None
    smaller: Area = (*area[:2], area[2] - 1, area[3])
    shrunk = type(sheet)(tab, sheet.values, {**sheet.formulas, at: Formula("1+1", smaller)})
    entered = changed(sheet, shrunk)
    assert entered.pop(at) == Formula("1+1", smaller)
    assert entered == {cell: sheet.values.get(cell) for cell in cells((area[2], area[1], area[2], area[3]))}
    assert changed(sheet, sheet) == {}


# ---- rules and command


def test_tokens_of_what_is_no_formula() -> None:
    assert tokens("(((") is not None
    assert [t.value for t in tokens("A1+2")] == ["A1", "+", "2"]


def test_an_error_is_written_as_an_error(original: Original, tmp_path: Path) -> None:
    box = original.blueprint.layout.ranges["wte"]
    path = tmp_path / "error.xlsx"
    rewrite(original.book.path, path, box.tab, {(box.row, box.col): Written(CellError("#N/A"))}, {})
    found = read(path, [box.tab]).sheets[box.tab].values[box.row, box.col]
    assert isinstance(found, CellError)


def test_a_cell_that_is_not_there_cannot_be_rewritten(original: Original, tmp_path: Path) -> None:
    with pytest.raises(WorkbookError, match="ZZ999"):
        rewrite(original.book.path, tmp_path / "x.xlsx", "Prompt", {(998, 701): Written(1.0)}, {})


def test_the_command(live_book: Built, tiny: Weights, tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    arguments = ["mutate", str(live_book.path), "-n", "2", "--seed", "5", "--jobs", "1", "--format", "json"]
    done = CliRunner().invoke(main, [*arguments, "--model", str(tiny.folder), "--keep", str(keep)])
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data["total"]["killed"] == data["total"]["mutants"] == len(data["mutants"]) == 2
    assert sorted(os.listdir(keep)) == ["mutant-0000.xlsx", "mutant-0001.xlsx"]
    assert verify(keep / "mutant-0001.xlsx", "ironcalc", str(tiny.folder)).exit_code == 1

    again = CliRunner().invoke(
        main, ["mutate", str(keep / "mutant-0000.xlsx"), "-n", "1", "--jobs", "1", "--model", str(tiny.folder)]
    )
    assert again.exit_code == 3
    assert "wrong already" in again.stderr
