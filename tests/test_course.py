"""The course: what holds for every lesson. The numbers of the source material stand in the tests of each part."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner
from openpyxl.workbook.defined_name import DefinedName

from sheetgpt.cli import main
from sheetgpt.course.book import Course
from sheetgpt.course.build import Written, build_course
from sheetgpt.course.catalog import DEMOS, chosen
from sheetgpt.course.demo import Demo
from sheetgpt.course.pace import PACES
from sheetgpt.course.verify import _Check, verify_course
from sheetgpt.engines import ENGINES, get
from sheetgpt.engines.session import Session, takes
from sheetgpt.models.weights import find_model
from sheetgpt.resources import templates_dir
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.book import Formula
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.grid import CellError
from sheetgpt.sheet.lessons import lesson, tables
from sheetgpt.sheet.readback import read
from tests.office import Change, changed
from tests.test_tries import broken, spot, watched

needs_office = pytest.mark.skipif(
    ENGINES["libreoffice"].version() is None, reason=f"libreoffice is not installed: {ENGINES['libreoffice'].hint()}"
)
NAMES = [demo.name for demo in DEMOS]
TRIES = [(name, i) for name in NAMES for i in range(len(lesson(f"course/{name}").tries))]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return build_course(DEMOS, find_model("fable"), tmp_path_factory.mktemp("course") / "course.xlsx")


# ---- every cell ------------------------------------------------------------------------------------------


@needs_office
def test_libreoffice_agrees_about_every_cell(course: Written) -> None:
    report = verify_course(course.path, "libreoffice")
    assert (report.exit_code, report.faults) == (0, [])
    assert report.cells_checked > 50 * len(DEMOS)


def test_all_lights_are_green_and_nothing_is_an_error(course: Written) -> None:
    values = get("ironcalc").recalculate(course.path)
    assert not [(tab, at) for tab, cells in values.items() for at, v in cells.items() if isinstance(v, CellError)]
    for name in NAMES:
        box = course.course.layout.ranges[f"{name}.light"]
        assert values[box.tab][box.row, box.col] == "OK", name


def test_it_is_small_and_holds_nothing_volatile(course: Written) -> None:
    assert course.path.stat().st_size < 5_000_000
    with zipfile.ZipFile(course.path) as file:
        sheets = [file.read(name).decode() for name in file.namelist() if "worksheets/sheet" in name]
    formulas = [text for xml in sheets for text in re.findall(r"<f[^>]*>([^<]*)", xml)]
    assert len(formulas) > 10 * len(DEMOS)
    assert not [text for text in formulas if re.search(r"\b(RAND\w*|NOW|TODAY|OFFSET|INDIRECT)\(", text)]


@pytest.mark.parametrize(
    "demo",
    [
        pytest.param(d, id=d.name, marks=[pytest.mark.slow] * (d.name in {"prompts", "analogies", "cosine"}))
        for d in DEMOS
    ],
)
def test_a_wrong_formula_is_caught_where_it_is(demo: Demo, tmp_path: Path) -> None:
    """The first formula of some places is changed, and the place is named; of a book of this lesson alone."""
    course = build_course((demo,), find_model("fable"), tmp_path / "course.xlsx")
    session, book, plan = Session(course.path), read(course.path), course.course.plan
    computed = [n for n in plan if n.startswith(f"{demo.name}.") and plan[n].args and not plan.is_view(n)]
    tried = 0
    for name in computed[:: max(1, len(computed) // 3)]:
        box, f = course.course.layout.ranges[name], course.course.formulas(name)[0]
        area = f.area and (box.row, box.col, box.row + f.area[0] - 1, box.col + f.area[1] - 1)
        text = f'({f.text})&"!"' if name in plan.text else f"({f.text})+1"
        if not takes(Formula(text, area)):
            text, area = (f'"{name}!"' if name in plan.text else "123456"), None
            if f.area not in (None, (1, 1)):
                continue
        values = session.values({box.tab: {(box.row + f.r, box.col + f.c): Formula(text, area)}})
        faults = _Check(book, course.course, values, "ironcalc").report().faults
        assert faults, name
        assert (faults[0].place, faults[0].cell) == (name, a1(box.row + f.r, box.col + f.c))
        tried += 1
    assert tried > 0


# ---- tries -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def done(course: Written) -> dict[tuple[str, int], Change]:
    """Every try, done in LibreOffice."""
    told = {(demo.name, i): t for demo, words in _words(course) for i, t in enumerate(words.tries)}
    rounds = [({spot(k): v for k, v in one.set.items()}, watched(one)) for one in told.values()]
    return dict(zip(told, changed(course.path, rounds), strict=True))


def _words(course: Written) -> list[tuple[Demo, object]]:
    tabs = {tab.name: tab for tab in course.course.layout.tabs}
    return [(demo, course.course.words(tabs[demo.tab])) for demo in DEMOS]


@needs_office
@pytest.mark.parametrize(("name", "i"), TRIES)
def test_what_is_told_happens(name: str, i: int, course: Written, done: dict[tuple[str, int], Change]) -> None:
    one = {demo.name: words for demo, words in _words(course)}[name].tries[i]
    change = done[name, i]
    assert not change.errors
    assert list(broken(one, change)) == []


# ---- words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("demo", DEMOS, ids=NAMES)
def test_a_lesson_says_all_that_it_should(demo: Demo, course: Written) -> None:
    words = lesson(f"course/{demo.name}")
    own = [name for name in course.course.plan if name.startswith(f"{demo.name}.")]
    assert [name for name in own if not words.meaning(name)] == []
    assert all((words.question, words.answer, words.words, words.tries))
    front = tables(f"course/{demo.name}")
    for table in ("columns", "rows"):
        assert set(front.get(table, {})) <= set(own), table
    assert [key for key in front["places"] if not any(f".{name}".endswith(f".{key}") for name in own)] == []
    blank = front["exercise"]["blank"]
    assert blank
    assert all(course.course.plan[name].args for name in blank)
    assert len(demo.tab) <= 20
    assert f"{demo.name}.light" in own


def test_no_lesson_is_left_over() -> None:
    stems = {path.stem for path in (templates_dir() / "course").glob("*.md")}
    assert stems == {*NAMES, "contents", "answers", "weights"}


# ---- verify ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return build_course(chosen(["houses"]), find_model("fable"), tmp_path_factory.mktemp("houses") / "houses.xlsx")


def test_verify_knows_what_a_learner_changed_and_what_is_wrong(houses: Written, tmp_path: Path) -> None:
    box = houses.course.layout.ranges["houses.pick"]
    edit(houses.path, tmp_path / "turned.xlsx", {box.tab: {(box.row, box.col): 3.0}}, {})
    assert verify_course(tmp_path / "turned.xlsx").exit_code == 0
    box = houses.course.layout.ranges["houses.name"]
    edit(houses.path, tmp_path / "wrong.xlsx", {box.tab: {(box.row, box.col): "elsewhere"}}, {})
    faults = verify_course(tmp_path / "wrong.xlsx").faults
    assert [(fault.place, fault.cell) for fault in faults] == [("houses.name", a1(box.row, box.col))]
    box = houses.course.layout.ranges["houses.distance"]
    edit(houses.path, tmp_path / "stale.xlsx", {}, {box.tab: {(box.row, box.col): 77.0}})
    faults = verify_course(tmp_path / "stale.xlsx").faults
    assert [(str(fault.kind), fault.place) for fault in faults] == [("stale cached value", "houses.distance")]


def test_verify_says_what_is_volatile_in_cells_of_nobody(houses: Written, tmp_path: Path) -> None:
    """A harmless note beside the lesson is not worth a line; a name of one tab that leads nowhere is."""
    book = openpyxl.load_workbook(houses.path)
    book["Houses"]["Z900"], book["Houses"]["Z901"] = "=NOW()", "=SUM(A1:A3)"
    book["Houses"].defined_names["lost"] = DefinedName("lost", attr_text="Houses!#REF!")
    book.save(tmp_path / "scratch.xlsx")
    report = verify_course(tmp_path / "scratch.xlsx")
    assert (report.exit_code, report.faults) == (4, [])
    said = " ".join(report.unchecked)
    assert "Houses!Z900 holds =NOW(): better no NOW: it is computed anew" in said
    assert "the name lost is on Houses alone: Houses!#REF!: better a place that is there" in said
    assert "Z901" not in said


@pytest.mark.parametrize(
    "said", ["{}", "[1]", '{"format":9,"lessons":["houses"]}', '{"format":1,"lessons":["x"]}', "["]
)
def test_a_forged_card_is_one_line(said: str, houses: Written, tmp_path: Path) -> None:
    sheet = read(houses.path).sheets["Contents"]
    at = next(at for at, v in sheet.values.items() if isinstance(v, str) and v.startswith('{"format"'))
    edit(houses.path, tmp_path / "forged.xlsx", {"Contents": {at: said}}, {})
    result = CliRunner().invoke(main, ["verify", str(tmp_path / "forged.xlsx")])
    assert (result.exit_code, result.output.count("\n")) == (3, 1)


# ---- the command -----------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["lessons", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_list_names_all(tmp_path: Path) -> None:
    lines = run("--list").splitlines()
    assert [line.split()[0] for line in lines] == NAMES


@pytest.mark.parametrize("pace", PACES)
def test_a_pace_fills_its_hours(pace: str) -> None:
    hours, minutes = map(int, run("--pace", pace).splitlines()[-1].split()[0].split(":"))
    assert 0.95 * 60 * int(pace[0]) <= 60 * hours + minutes <= 60 * int(pace[0])


@pytest.mark.parametrize(
    "arguments", [["--list", "-o", "x.xlsx"], ["--pace", "2h", "--blank"], ["--list", "--pace", "8h"]]
)
def test_what_only_tells_writes_nothing(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, ["lessons", *arguments])
    assert (result.exit_code, "only tell" in result.output) == (2, True)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["tour"], 3, "a course of lessons"),
        (["export"], 3, "a course of lessons"),
        (["mutate"], 3, "a course of lessons"),
        (["grade"], 3, "a course of lessons"),
        (["verify", "--laws"], 2, "leave out --laws"),
        (["verify", "--model", "fable"], 2, "leave out --model"),
    ],
)
def test_what_is_not_done_with_a_course_is_said(
    command: list[str], code: int, words: str, houses: Written, tmp_path: Path
) -> None:
    rest = ["--pdf", str(tmp_path / "out.pdf")] if command == ["export"] else []
    result = CliRunner().invoke(main, [command[0], str(houses.path), *command[1:], *rest])
    assert (result.exit_code, words in result.output, list(tmp_path.iterdir())) == (code, True, []), result.output


def test_some_lessons_alone_and_an_exercise(tmp_path: Path) -> None:
    path = tmp_path / "some.xlsx"
    run("houses", "-o", str(path))
    assert read(path).tabs == ("Contents", "Houses", "Answers")
    run("houses", "--blank", "-o", str(path))
    exercise = Course.of([demo for demo in DEMOS if demo.name == "houses"], find_model("fable"), exercise=True)
    assert exercise.blank == {"houses.distance"}
    box, sheet = exercise.layout.ranges["houses.distance"], read(path).sheets["Houses"]
    cells = [(box.row + r, box.col) for r in range(box.rows)]
    assert not [at for at in cells if at in sheet.formulas or sheet.values.get(at) is not None]
    report = verify_course(path)
    assert (report.exit_code, report.faults) == (4, [])
    result = CliRunner().invoke(main, ["verify", str(path), "--format", "json"])
    assert json.loads(result.output)["exit_code"] == 4


@pytest.mark.parametrize(
    ("last", "code"),
    [("=SQRT(SUMXMY2({row},{picked}))", 0), ("=SQRT(SUMXMY2({picked}))", 1), ("=1/0", 1), ("far", 1), (None, 4)],
)
def test_an_exercise_is_right_wrong_or_not_done(last: str | None, code: int, tmp_path: Path) -> None:
    """A formula of the learner's that gives an error is no cell left blank."""
    path, (houses,) = tmp_path / "exercise.xlsx", (demo for demo in DEMOS if demo.name == "houses")
    run("houses", "--blank", "-o", str(path))
    course = Course.of([houses], find_model("fable"), exercise=True)
    box, read_ = course.layout.ranges["houses.distance"], course.plan.inputs("houses.distance")
    table, picked = (course.layout.ranges[name] for name in read_)
    book = openpyxl.load_workbook(path)
    for r in range(box.rows):
        text = "=SQRT(SUMXMY2({row},{picked}))" if r < box.rows - 1 else last
        said = text and text.format(row=table.row_ref(r, box.tab), picked=picked.name)
        book[box.tab].cell(box.row + r + 1, box.col + 1).value = said
    book.save(path)
    assert verify_course(path).exit_code == code


@pytest.mark.slow
def test_the_exercise_of_the_whole_course_has_no_fault_while_nobody_touched_it(tmp_path: Path) -> None:
    """What formulas make of empty cells is not what numpy makes of them, and nobody's fault."""
    path = tmp_path / "exercise.xlsx"
    run("--blank", "-o", str(path))
    report = verify_course(path)
    assert (report.exit_code, [fault.place for fault in report.faults]) == (4, [])


def test_a_lesson_that_there_is_not(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["lessons", "huoses", "-o", str(tmp_path / "x.xlsx")])
    assert (result.exit_code, result.output) == (2, "sheetgpt: there is no lesson 'huoses': did you mean houses?\n")
    assert list(tmp_path.iterdir()) == []
