"""Exercises and their marks: each status by a file that a student could hand in."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from openpyxl.worksheet.formula import ArrayFormula

from sheetgpt.build import Built, Room, build
from sheetgpt.check.answers import unknown_names
from sheetgpt.check.grade import Terms, card_of, grade
from sheetgpt.check.marks import Mark, Marked, Status
from sheetgpt.check.marksheet import to_csv, to_json, to_text
from sheetgpt.check.verify import verify
from sheetgpt.engines import ENGINES
from sheetgpt.engines.libreoffice import find
from sheetgpt.errors import LayoutError, WorkbookError
from sheetgpt.models.weights import Weights, find_model
from sheetgpt.plan.stages import Stages
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.blueprint import Card
from sheetgpt.sheet.contents import card_row
from sheetgpt.sheet.layout import Range
from sheetgpt.sheet.lower import lower
from sheetgpt.sheet.readback import read
from tests.conftest import CORE
from tests.test_cli import run

BLANK = ("h0.ln_1.var", "h0.ln_1.normalized", "h0.attn.head*.scores", "h0.mlp.post", "next.text")
PLACES = (
    "h0.ln_1.var",
    "h0.ln_1.normalized",
    "h0.attn.head0.scores",
    "h0.attn.head1.scores",
    "h0.mlp.post",
    "next.text",
)
Answer = Callable[[Built, Range, int, int], object] | str  # a cell's content, or one array formula


@pytest.fixture(scope="module")
def exercise(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    path = tmp_path_factory.mktemp("exercise") / "exercise.xlsx"
    return build(tiny, "the cat sat", path, Room(tokens=8, characters=16, word_bytes=6), form=CORE, blank=BLANK)


@pytest.fixture(scope="module")
def terms(tiny: Weights, exercise: Built) -> Terms:
    return Terms(model=str(tiny.folder), card=card_of(exercise.path))


def planned(built: Built, box: Range, r: int, c: int) -> object:
    """The formula of the plan, for places that have one for each cell."""
    return "=" + next(f.text for f in lower(built.blueprint.plan, box.name, built.blueprint.layout.ranges)
                      if (f.r, f.c) == (r, c))  # fmt: skip


def typed(built: Built, box: Range, r: int, c: int) -> object:
    """The right number, without a formula."""
    return built.env[box.name][r, c]


def disguised(built: Built, box: Range, r: int, c: int) -> object:
    """The right number as a formula that reads nothing."""
    return f"={float(built.env[box.name][r, c])!r}+0"


def hard_coded(built: Built, box: Range, r: int, c: int) -> object:
    """The right number, and a cell read for show."""
    return f"={float(built.env[box.name][r, c])!r}+0*prompt.n"


def cellwise(text: str) -> Answer:
    """A formula for each cell, over the row and column of other places: {mean}, {x} ... as cells."""

    def answer(built: Built, box: Range, r: int, c: int) -> object:
        ranges = built.blueprint.layout.ranges
        boxes = {key: ranges[f"h0.ln_1.{key}"] for key in ("mean", "var", "normalized")}
        cells = {key: b.cell(r, c if b.cols > 1 else 0, box.tab) for key, b in boxes.items()}
        x = ranges["embed.out"]
        return text.format(**cells, x=x.cell(r, c, box.tab), row=x.row_ref(r, box.tab), n=x.cols)

    return answer


def scores(j: int, scale: str) -> str:
    """One array formula, the mask the other way round."""
    q, k = (f"h0.attn.head{j}.{s}" for s in "qk")
    return f"IF(TRANSPOSE(prompt.pos)>prompt.pos,-1E10,MMULT({q},TRANSPOSE({k})){scale})"


RIGHT: dict[str, Answer] = {
    "h0.ln_1.var": cellwise("=SUMSQ({row})/{n}-SUM({row})^2/{n}^2"),
    "h0.ln_1.normalized": cellwise("=({x}-{mean})*({var}+0.00001)^-0.5"),
    "h0.attn.head0.scores": scores(0, "*0.5"),
    "h0.attn.head1.scores": scores(1, "/2"),
    "h0.mlp.post": "h0.mlp.pre/(1+EXP(-2*SQRT(2/PI())*(h0.mlp.pre+0.044715*h0.mlp.pre^3)))",
    "next.text": planned,
}


def fill(built: Built, path: Path, answers: Mapping[str, Answer]) -> Path:
    """A student's copy, saved by openpyxl; a cell whose answer is None stays as it is."""
    book = openpyxl.load_workbook(built.path)
    for name, answer in answers.items():
        box = built.blueprint.layout.ranges[name]
        sheet = book[box.tab]
        if isinstance(answer, str):
            first = a1(box.row, box.col)
            last = a1(box.row + box.rows - 1, box.col + box.cols - 1)
            sheet[first] = ArrayFormula(f"{first}:{last}", f"={answer}")
            continue
        for r, c in np.ndindex(box.rows, box.cols):
            if (content := answer(built, box, r, c)) is not None:
                sheet.cell(box.row + r + 1, box.col + c + 1).value = content
    book.save(path)
    return path


def marks(marked: Marked) -> dict[str, Mark]:
    assert marked.problem == ""
    return {mark.place: mark for mark in marked.marks}


def refused(*words: object) -> str:
    """What is said of a wrong call."""
    result = run(*words)
    assert result.exit_code == 2, result.output
    return result.output


def statuses(marked: Marked) -> list[Status]:
    return [mark.status for mark in marks(marked).values()]


# ---- the exercise ----------------------------------------------------------------------------------------


def test_blank_cells_are_empty_and_marked_and_the_rest_is_there(exercise: Built) -> None:
    book = openpyxl.load_workbook(exercise.path)
    plain = {f.text for name in PLACES for f in lower(exercise.blueprint.plan, name, exercise.blueprint.layout.ranges)}
    for name in PLACES:
        box = exercise.blueprint.layout.ranges[name]
        cells = [book[box.tab].cell(box.row + r + 1, box.col + c + 1) for r, c in np.ndindex(box.rows, box.cols)]
        assert {cell.value for cell in cells} == {None}
        assert {(cell.fill.fgColor.rgb, cell.border.left.style) for cell in cells} == {("FFFFFF99", "thin")}
        assert book.defined_names[name].attr_text == box.ref
    texts = {str(cell.value) for sheet in book for row in sheet for cell in row if type(cell.value) is str}
    assert not any(formula in text for text in texts for formula in plain if len(formula) > 12), "the answer is there"
    assert any("To fill in" in text for text in texts)


def test_what_follows_remembers_nothing_and_what_does_not_remembers_all(exercise: Built) -> None:
    book = read(exercise.path)
    after = exercise.blueprint.after_blank
    assert "h1.mlp.out" in after
    assert "h0.ln_1.mean" not in after
    for name, box in exercise.blueprint.layout.ranges.items():
        if exercise.blueprint.plan.is_view(name):
            continue
        values = [v for v in book.sheets[box.tab].values.values_of(box.area).ravel() if v is not None]
        assert len(values) == (0 if name in after else box.rows * box.cols), name


def test_the_card_says_what_is_blank(exercise: Built, live_book: Built) -> None:
    card = exercise.blueprint.card
    assert card.blank == PLACES
    assert Card.from_json(card.to_json()) == card == card_of(exercise.path)
    assert "blank" not in live_book.blueprint.card.to_json()


@pytest.mark.parametrize("blank", ["[]", '"h0.ln_1.var"', "[1]", "{}", '["a", "a"]', "0", "[null]"])
def test_a_card_with_another_list_is_refused(blank: str, exercise: Built) -> None:
    data = json.loads(exercise.blueprint.card.to_json()) | {"blank": json.loads(blank)}
    with pytest.raises(WorkbookError, match="blank place"):
        Card.from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("h0.ln_1.vra", "no place 'h0.ln_1.vra' to leave blank: did you mean h0.ln_1.var"),
        ("h9.*", "no place"),
        ("h0.attn.head0.q", "shows cells of other places and cannot be left blank: try h0.attn.qkv"),
        ("h0.ln_1.g", "is given, not computed"),
        ("prompt.text", "is given, not computed"),
    ],
)
def test_a_place_that_cannot_be_blank_is_refused(pattern: str, says: str, exercise: Built) -> None:
    with pytest.raises(LayoutError, match=says):
        exercise.blueprint.with_blank(["h0.ln_1.var", pattern])


def test_the_command_line_refuses_before_it_writes(tiny: Weights, tmp_path: Path) -> None:
    out = tmp_path / "x.xlsx"
    assert "did you mean" in refused(
        "build", "a", "--model", str(tiny.folder), "-o", str(out), "--blank", "h0.ln_1.vra"
    )
    assert not out.exists()


def test_an_exercise_as_handed_out_has_no_fault(exercise: Built, tiny: Weights) -> None:
    report = verify(exercise.path, "ironcalc", str(tiny.folder))
    assert (report.faults, report.exit_code) == ([], 4)
    assert any(f"left blank for the student: {', '.join(PLACES)}" in why for why in report.unchecked)
    assert {row.name for row in report.rows if row.status == "blank"} == set(PLACES)


@pytest.mark.parametrize("engine", ["ironcalc", "cached"])
def test_nor_has_one_with_all_that_stands_beside_the_pipeline(engine: str, tiny: Weights, tmp_path: Path) -> None:
    """Texts, counts and lights follow from the blank cells: what the file does not remember, nobody can judge."""
    room, blank = Room(tokens=8, fixed=True), ["h0.attn.head0.scores"]
    built = build(tiny, "the cat sat", tmp_path / "book.xlsx", room, blank=blank, check=False)
    report = verify(built.path, engine, str(tiny.folder))
    assert (report.faults, report.exit_code) == ([], 4)


# ---- marks -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def right(exercise: Built, terms: Terms, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(exercise, tmp_path_factory.mktemp("students") / "right.xlsx", RIGHT)


def test_formulas_by_another_route_are_right(right: Path, terms: Terms, tiny: Weights) -> None:
    marked = grade(right, terms)
    assert statuses(marked) == [Status.RIGHT] * len(PLACES)
    assert (marked.total, marked.of, marked.changed, marked.notes) == (6.0, 6.0, [], [])
    report = verify(right, "ironcalc", str(tiny.folder))
    assert (report.faults, report.exit_code) == ([], 4)
    assert any("filled in by the student" in why for why in report.unchecked)


def test_untouched_is_blank(exercise: Built, terms: Terms) -> None:
    marked = grade(exercise.path, terms)
    assert statuses(marked) == [Status.BLANK] * len(PLACES)
    assert (marked.total, marked.changed) == (0.0, [])


def test_an_error_is_counted_once(exercise: Built, terms: Terms, tmp_path: Path) -> None:
    """The sample variance for the population's; what reads it is right by its own inputs."""
    answers = RIGHT | {"h0.ln_1.var": cellwise("=VAR({row})")}
    got = grade(fill(exercise, tmp_path / "own.xlsx", answers), terms)
    found = marks(got)
    assert found["h0.ln_1.var"].status is Status.WRONG
    assert found["h0.ln_1.var"].points == 0
    assert "F15 is " in found["h0.ln_1.var"].note
    assert {found[name].status for name in PLACES[1:5]} == {Status.BY_OWN_INPUTS}
    assert {found[name].points for name in PLACES[1:5]} == {1.0}
    assert got.changed == []


def test_what_was_left_out_does_not_spoil_what_follows(exercise: Built, terms: Terms, tmp_path: Path) -> None:
    answers = {name: answer for name, answer in RIGHT.items() if name != "h0.ln_1.var"}
    got = grade(fill(exercise, tmp_path / "gap.xlsx", answers), terms)
    assert statuses(got) == [Status.BLANK] + [Status.RIGHT] * 5


def test_numbers_are_no_formulas(exercise: Built, terms: Terms, tmp_path: Path) -> None:
    """Typed, in the guise of a formula, and with a cell read for show."""
    answers = RIGHT | {"h0.ln_1.var": typed, "h0.ln_1.normalized": disguised, "h0.mlp.post": hard_coded}
    path = fill(exercise, tmp_path / "numbers.xlsx", answers)
    found = marks(grade(path, terms))
    assert [found[name].status for name in ("h0.ln_1.var", "h0.ln_1.normalized", "h0.mlp.post")] == [
        Status.CONSTANT, Status.CONSTANT, Status.THIS_PROMPT,
    ]  # fmt: skip
    assert {found[name].points for name in ("h0.ln_1.var", "h0.ln_1.normalized", "h0.mlp.post")} == {0.0}
    lenient = marks(grade(path, Terms(model=terms.model, card=terms.card, accept_values=True)))
    assert [lenient[name].status for name in ("h0.ln_1.var", "h0.mlp.post")] == [Status.RIGHT, Status.THIS_PROMPT]


def test_partly_error_and_not_judged(exercise: Built, terms: Terms, tmp_path: Path) -> None:
    half = RIGHT["h0.ln_1.normalized"]
    assert callable(half)
    answers: dict[str, Answer] = RIGHT | {
        "h0.ln_1.normalized": lambda b, box, r, c: half(b, box, r, c) if c < 4 else None,
        "h0.attn.head0.scores": "MMULT(h0.attn.head0.q,h0.attn.head0.q)",  # shapes that do not fit
        "h0.attn.head1.scores": scores(1, ""),
        "next.text": lambda *_: "=INDEX(vocab.text,next.id+1,1)",
    }
    found = marks(grade(fill(exercise, tmp_path / "partly.xlsx", answers), terms))
    partly = found["h0.ln_1.normalized"]
    assert partly.status is Status.PARTLY
    assert partly.points == partly.right / partly.cells == 0.5
    assert found["h0.attn.head0.scores"].status is Status.ERROR
    assert found["h0.attn.head1.scores"].status is Status.WRONG, "cells that hide what comes later are no merit"
    assert found["h0.mlp.post"].status is Status.NOT_JUDGED
    assert found["h0.ln_1.var"].status is Status.RIGHT


@pytest.mark.parametrize(
    "prompts", [(), pytest.param(("the cat sit",), marks=pytest.mark.slow), ("a", "the cat sat on")]
)
def test_a_blank_cell_counts_whatever_the_prompt(
    prompts: tuple[str, ...], exercise: Built, terms: Terms, tmp_path: Path
) -> None:
    """Half of the rows, those of the prompt, and of the other half none: the rows after its end count like any other.

    As numbers in disguise they are worth nothing, also where the teacher's prompt has the same tokens there.
    """
    for answer, status, points in ((RIGHT["h0.ln_1.var"], Status.PARTLY, 0.5), (hard_coded, Status.THIS_PROMPT, 0)):
        assert callable(answer)
        half: Answer = lambda b, box, r, c, whole=answer: whole(b, box, r, c) if r < 4 else None  # noqa: E731
        path = fill(exercise, tmp_path / f"{status}.xlsx", {"h0.ln_1.var": half})
        mark = marks(grade(path, replace(terms, prompts=prompts)))["h0.ln_1.var"]
        assert (mark.status, mark.points) == (status, points)
        assert "4 cells are blank" in mark.note
        if points:
            assert mark.told == "partly 4/8"


@pytest.mark.parametrize(
    ("mask", "status"),
    [("-1E30", Status.RIGHT), ("-5000", Status.RIGHT), ("-5", Status.PARTLY)],
)
def test_a_mask_may_be_any_number_that_hides(
    mask: str, status: Status, exercise: Built, terms: Terms, tmp_path: Path
) -> None:
    answers = RIGHT | {"h0.attn.head0.scores": scores(0, "*0.5").replace("-1E10", mask)}
    found = marks(grade(fill(exercise, tmp_path / "mask.xlsx", answers), terms))
    mark = found["h0.attn.head0.scores"]
    assert mark.status is status
    if status is Status.PARTLY:
        assert (mark.right, mark.cells) == (36, 64)
        assert "the causal mask is missing" in mark.note
    assert found["h0.mlp.post"].points == 1


@pytest.mark.parametrize(("answer", "status"), [("=0*{x}", Status.WRONG), ("=VARP({row})", Status.RIGHT)])
def test_nobody_is_right_by_inputs_that_were_falsified(
    answer: str, status: Status, exercise: Built, terms: Terms, tmp_path: Path
) -> None:
    """What was not left blank is put right before marking: zeros for the embeddings make a variance of 0."""
    path = fill(exercise, tmp_path / "zeros.xlsx", RIGHT | {"h0.ln_1.var": cellwise(answer), "embed.out": lambda *_: 0})
    marked = grade(path, terms)
    assert statuses(marked)[0] is status
    assert {mark.points for mark in marked.marks[1:]} == {1}
    assert any("embed.out" in told for told in marked.changed)
    assert marked.notes == ["marked with the exercise's own embed.out, not as changed"]


def test_what_cannot_be_put_right_is_not_judged(exercise: Built, terms: Terms, tmp_path: Path) -> None:
    """A cell of the embeddings does not even stand in the file."""
    zeros: dict[str, Answer] = {"h0.ln_1.var": cellwise("=0*{x}"), "embed.out": lambda *_: 0}
    book = openpyxl.load_workbook(fill(exercise, tmp_path / "zeros.xlsx", zeros))
    box = exercise.blueprint.layout.ranges["embed.out"]
    del book[box.tab]._cells[box.row + 1, box.col + 1]
    book.save(tmp_path / "gone.xlsx")
    mark = marks(grade(tmp_path / "gone.xlsx", terms))["h0.ln_1.var"]
    assert (mark.status, mark.points) == (Status.NOT_JUDGED, 0)
    assert "it follows from embed.out, changed and not to be put right" in mark.note


def test_a_name_that_leads_into_another_place_makes_no_answer_right(
    exercise: Built, terms: Terms, tmp_path: Path
) -> None:
    """With queries for keys, scores of the queries alone would be right by own inputs."""
    answers = RIGHT | {"h0.attn.head0.scores": scores(0, "*0.5").replace("head0.k", "head0.q")}
    book = openpyxl.load_workbook(fill(exercise, tmp_path / "own.xlsx", answers))
    book.defined_names["h0.attn.head0.k"].attr_text = book.defined_names["h0.attn.head0.q"].attr_text
    book.save(tmp_path / "name.xlsx")
    found = marks(grade(tmp_path / "name.xlsx", terms))
    assert found["h0.attn.head0.scores"].status is Status.NOT_JUDGED
    assert "it follows from h0.attn.head0.k" in found["h0.attn.head0.scores"].note
    assert found["h0.attn.head1.scores"].points == 1


def test_a_switch_that_was_turned_makes_no_answer_right(tiny: Weights, tmp_path: Path) -> None:
    room = Room(tokens=8, fixed=True)
    built = build(tiny, "the cat sat", tmp_path / "e.xlsx", room, blank=["h0.attn.head0.z"], check=False)
    answers: dict[str, Answer] = {"h0.attn.head0.z": lambda *_: "=0*h0.attn.head0.on", "h0.attn.head0.on": lambda *_: 0}
    marked = grade(fill(built, tmp_path / "s.xlsx", answers), Terms(model=str(tiny.folder)))
    assert statuses(marked) == [Status.WRONG]
    assert "marked with the exercise's own h0.attn.head0.on, not as changed" in marked.notes


def test_a_small_vocabulary_has_other_ids_too(tmp_path: Path) -> None:
    built = build(
        find_model("sorter"), "CBAABC", tmp_path / "e.xlsx", Room(fixed=True), blank=["h0.ln_1.var"], form=CORE
    )
    answers: dict[str, Answer] = {"h0.ln_1.var": hard_coded}
    assert statuses(grade(fill(built, tmp_path / "s.xlsx", answers), Terms())) == [Status.THIS_PROMPT]


@pytest.mark.parametrize(
    ("formula", "says", "never"),
    [
        ("=VARP({row})*no.such.name", "no such name in the workbook: no.such.name", "--engine"),
        ("=NOSUCH({row})", "perhaps NOSUCH, if ironcalc lacks it: try another --engine", "no such name"),
    ],
)
def test_what_has_no_name_is_named(
    formula: str, says: str, never: str, exercise: Built, terms: Terms, tmp_path: Path
) -> None:
    got = marks(grade(fill(exercise, tmp_path / "n.xlsx", RIGHT | {"h0.ln_1.var": cellwise(formula)}), terms))
    assert got["h0.ln_1.var"].status is Status.ERROR
    assert says in got["h0.ln_1.var"].note
    assert never not in got["h0.ln_1.var"].note
    box = exercise.blueprint.layout.ranges["h0.ln_1.var"]
    cell = f"{box.tab}!{a1(box.row, box.col)}"
    for name, inputs in (("h0.ln_1.normalized", ""), ("h0.mlp.post", ", where it began at h0.ln_1.var")):
        assert got[name].status is Status.NOT_JUDGED
        assert "an error came in with " in got[name].note
        assert inputs in got[name].note
        assert f"{cell} is '#NAME?'" in got[name].note
        assert "nan" not in got[name].note


@pytest.mark.parametrize(
    ("formula", "unknown"),
    [
        ("SUM(A1:B$2,$C:$D,3:4,PROMPT.N,Other!X1,TRUE)+x.y*SQRT(rate)", ["x.y", "rate"]),
        ("LET(a,1,a+b)", []),
        ("'no tab'!name+[1]Sheet!A1", []),
        ("=(", []),
    ],
)
def test_unknown_names(formula: str, unknown: list[str], right: Path) -> None:
    assert unknown_names(read(right), "Prompt", formula) == unknown


def test_what_else_was_changed_is_told(right: Path, exercise: Built, terms: Terms, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(right)
    ranges = exercise.blueprint.layout.ranges
    weight, mean = ranges["h0.ln_1.g"], ranges["h0.ln_1.mean"]
    book[weight.tab].cell(weight.row + 1, weight.col + 1).value = 1.0
    book[mean.tab].cell(mean.row + 2, mean.col + 1).value = "=AVERAGE(1,2)"
    card = book["Contents"].cell(card_row(exercise.blueprint) + 1, 2)
    card.value = card.value.replace('"h0.ln_1.var", ', "")
    book.save(tmp_path / "changed.xlsx")
    marked = grade(tmp_path / "changed.xlsx", terms)
    told = " ".join(marked.changed)
    assert "wrong weight at h0.ln_1.g" in told
    assert "wrong formula at h0.ln_1.mean" in told
    assert f"Contents!{card.coordinate}" in told
    assert [mark.place for mark in marked.marks] == list(PLACES), "the exercise's card decides"
    own = grade(tmp_path / "changed.xlsx", Terms(model=terms.model))
    assert [mark.place for mark in own.marks] == list(PLACES[1:])
    assert any("--exercise or --blank is surer" in note for note in own.notes)
    chosen = grade(tmp_path / "changed.xlsx", Terms(model=terms.model, blank=("h0.ln_1.v*",)))
    assert [mark.place for mark in chosen.marks] == ["h0.ln_1.var"]


def test_odd_functions_are_told(exercise: Built, terms: Terms, tmp_path: Path) -> None:
    answers: dict[str, Answer] = {"h0.ln_1.var": cellwise("=_xlfn.VAR.P({row})+0*NOW()")}
    note = marks(grade(fill(exercise, tmp_path / "odd.xlsx", answers), terms))["h0.ln_1.var"].note
    assert "volatile: NOW" in note
    assert "not in every program: VAR.P" in note


def test_points(right: Path, terms: Terms) -> None:
    worth = {"h0.ln_1.*": 2.0, "H0.ln_1.normalized": 0.5}
    marked = grade(right, Terms(model=terms.model, card=terms.card, points=worth))
    assert [mark.of for mark in marked.marks] == [2, 0.5, 1, 1, 1, 1]
    assert marked.total == marked.of == 6.5


@pytest.mark.parametrize("stages", [None, "h0"])
def test_workbooks_for_one_prompt_are_tried_with_other_ids(stages: str | None, tiny: Weights, tmp_path: Path) -> None:
    part = Stages.parse(stages or "..", tiny.config)
    room = Room(tokens=8, fixed=True)
    built = build(tiny, "the cat sat", tmp_path / "e.xlsx", room, part, blank=["h0.mlp.post", "h0.ln_1.var"])
    answers: dict[str, Answer] = {"h0.mlp.post": hard_coded, "h0.ln_1.var": planned}
    found = marks(grade(fill(built, tmp_path / "s.xlsx", answers), Terms(model=str(tiny.folder))))
    assert [found[name].status for name in ("h0.ln_1.var", "h0.mlp.post")] == [Status.RIGHT, Status.THIS_PROMPT]


@pytest.mark.skipif(ENGINES["libreoffice"].version() is None, reason="libreoffice is not installed")
def test_a_file_that_libreoffice_saved(right: Path, exercise: Built, terms: Terms, tmp_path: Path) -> None:
    """The student's program writes styles, shared formulas and strings anew, and its own cached values."""
    program = find()
    assert program is not None
    (tmp_path / "out").mkdir()
    for source in (right, exercise.path):
        command = [program, "--headless", f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"]
        command += ["--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", str(tmp_path / "out"), str(source)]
        subprocess.run(command, check=True, capture_output=True, timeout=170)
    marked = grade(tmp_path / "out" / right.name, terms)
    assert statuses(marked) == [Status.RIGHT] * len(PLACES)
    assert marked.changed == []
    untouched = grade(tmp_path / "out" / exercise.path.name, terms)
    assert statuses(untouched) == [Status.BLANK] * len(PLACES)
    assert untouched.changed == []


# ---- a class ---------------------------------------------------------------------------------------------


def test_a_folder_of_files_good_and_bad(right: Path, exercise: Built, tiny: Weights, tmp_path: Path) -> None:
    folder = tmp_path / "class"
    folder.mkdir()
    shutil.copy(right, folder / "anna.xlsx")
    shutil.copy(exercise.path, folder / "exercise.xlsx")
    (folder / "=1+1.xlsx").write_bytes(b"PK\x03\x04 not a zip")
    (folder / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    openpyxl.Workbook().save(folder / "theirs.xlsx")
    (folder / "bomb.xlsx").write_bytes(b"")
    (folder / "notes.txt").write_text("no workbook")
    (folder / "~$anna.xlsx").write_text("a lock")
    out = tmp_path / "marks.csv"
    result = run("grade", str(folder), "--exercise", str(exercise.path), "--model", str(tiny.folder), "-o", str(out),
                 "--points", "h0.ln_1.var=2")  # fmt: skip
    assert result.exit_code == 3, result.output
    head, *lines = list(csv.reader(out.read_text().splitlines()))
    assert head == ["file", *PLACES, "points", "of", "changed elsewhere", "problem"]
    found = {Path(line[0]).name: line for line in lines}
    assert sorted(found) == ["=1+1.xlsx", "anna.xlsx", "bomb.xlsx", "exercise.xlsx", "old.xls", "theirs.xlsx"]
    assert found["anna.xlsx"][1:] == ["right"] * len(PLACES) + ["7", "7", "", ""]
    assert found["exercise.xlsx"][1:] == ["blank"] * len(PLACES) + ["0", "7", "", ""]
    for name in ("=1+1.xlsx", "old.xls", "theirs.xlsx", "bomb.xlsx"):
        assert found[name][1:-1] == [""] * (len(PLACES) + 3)
        assert name in found[name][-1]
    assert not [cell for line in lines for cell in line if cell[:1] in "=+-@" and cell]


def test_text_that_a_spreadsheet_takes_for_a_formula_is_guarded() -> None:
    bad = [Marked(name, problem=f"{name}: no\nworkbook") for name in ("=cmd|' /C calc'!A0", "+1", "-x", "@SUM(1)", "a")]
    lines = list(csv.reader(to_csv(bad).splitlines()))
    assert [line[0] for line in lines[1:]] == ["'=cmd|' /C calc'!A0", "'+1", "'-x", "'@SUM(1)", "a"]
    assert [line[-1][:2] for line in lines[1:]] == ["'=", "'+", "'-", "'@", "a:"]
    assert len(lines) == 6


def test_the_text_and_the_json_say_the_same() -> None:
    mark = Mark("h0.ln_1.var", Status.PARTLY, 3, 4, 1.5, 2.0, "F11 is 1")
    marked = [Marked("a.xlsx", [mark], ["wrong weight at wte"], ["a note"])]
    text = to_text(marked)
    for part in (
        "a.xlsx  1.5 of 2 points",
        "partly 3/4",
        "F11 is 1",
        "changed elsewhere: wrong weight at wte",
        "a note",
    ):
        assert part in text
    data = json.loads(to_json(marked))
    assert (data["schema"], data["files"][0]["total"], data["files"][0]["marks"][0]["status"]) == (1, 1.5, "partly")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.xlsx"], "no such file"),
        (["{empty}"], "no workbook in the folder"),
        (["{book}", "--points", "h0.ln_1.var"], "PLACE=NUMBER"),
        (["{book}", "--points", "h0.ln_1.var=-1"], "PLACE=NUMBER"),
        (["{book}", "--points", "h0.ln_1.var=nan"], "PLACE=NUMBER"),
        (["{book}", "--model", "nowhere"], "no model"),
    ],
)
def test_wrong_calls(arguments: list[str], says: str, exercise: Built, tmp_path: Path) -> None:
    filled = [text.format(empty=tmp_path, book=exercise.path) for text in arguments]
    assert says in refused("grade", *filled)


def test_points_for_a_place_that_was_not_blank(exercise: Built, tiny: Weights) -> None:
    told = refused("grade", str(exercise.path), "--model", str(tiny.folder), "--points", "h0.ln_2.var=2")
    assert "was not left blank" in told


def test_a_file_with_nothing_blank_cannot_be_marked(live_book: Built, tiny: Weights) -> None:
    assert "no place of it was left blank" in grade(live_book.path, Terms(model=str(tiny.folder))).problem


def test_without_its_model_a_file_cannot_be_marked(exercise: Built) -> None:
    assert "tiny" in grade(exercise.path, Terms()).problem
