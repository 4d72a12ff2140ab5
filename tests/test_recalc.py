"""A value is typed, an engine computes, the file is saved: with all three engines, and as other programs see it."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from sheetgpt.build import Built
from sheetgpt.check.verify import verify
from sheetgpt.cli.options import ENGINES as OFFERED
from sheetgpt.engines import ENGINES
from sheetgpt.engines.libreoffice import find
from sheetgpt.errors import SheetGPTError
from sheetgpt.models.prompt import MAX_TEXT
from sheetgpt.models.weights import Weights
from sheetgpt.recalc import recalc
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.grid import CellError, Value
from sheetgpt.sheet.readback import read
from sheetgpt.sheet.strip import strip_caches
from tests.test_cli import refused, run
from tests.test_edit import SHEET, parts, with_parts
from tests.test_engines import param

WRONG = 12345.678
FORMULAS = {
    "LEN(prompt.text)": lambda text, count: float(len(text)),
    "_xlfn.UNICODE(prompt.text)": lambda text, count: float(ord(text[0])),
    '"  "&prompt.text&" "': lambda text, count: f"  {text} ",
    'MATCH("none",A1:A3,0)': lambda text, count: CellError("#N/A"),
    "1/(prompt.count-7)": lambda text, count: CellError("#DIV/0!") if count == 7 else 1 / (count - 7),
    "prompt.count>4": lambda text, count: count > 4,
    "prompt.count/4": lambda text, count: count / 4,
    'IF(prompt.count=7,"seven","")': lambda text, count: "seven" if count == 7 else "",
}
ANSWER, PROBLEM = 2, 7  # rows of the formulas called next.text and prompt.problem


def expected(text: str, count: float) -> dict[tuple[int, int], Value]:
    """What the formulas of the desk say: a column of its own each, then an array."""
    single = {(row, 1): say(text, count) for row, say in enumerate(FORMULAS.values())}
    return single | {(row, col): count * (10 * row + col) for row in range(3) for col in (3, 4)}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook whose every cached value is wrong: text and number in column A, formulas in B, an array in D:E."""
    path = tmp_path_factory.mktemp("desk") / "desk.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet, bold = book.add_worksheet("my desk"), book.add_format({"bold": True})
        sheet.write_string("A1", "old & old", bold)
        sheet.write_number("A2", 3, book.add_format({"num_format": "0.00"}))
        sheet.write_string("A3", "beside")
        for row, formula in enumerate(FORMULAS):
            sheet.write_formula(row, 1, f"={formula}", bold, WRONG)
        sheet.write_array_formula("D1:E3", "{=prompt.count*(10*(ROW(D1:E3)-1)+COLUMN(D1:E3)-1)}", bold, WRONG)
        cells = {"prompt.text": "$A$1", "prompt.count": "$A$2", "next.text": "$B$3", "prompt.problem": "$B$8"}
        odd = {"both": "$A$1:$A$2", "body": "$E$2", "moving": "A1", "empty": "$Z$99"}
        for name, cell in (cells | odd).items():
            book.define_name(name, f"='my desk'!{cell}")
        book.define_name("five", "=5")
    return path


engines = pytest.mark.parametrize("engine", [param(name) for name in ENGINES])


@engines
def test_every_formula_holds_what_the_engine_says(engine, desk: Path, tmp_path: Path) -> None:
    out, text = tmp_path / "out.xlsx", "=1+1 é<☃"
    done = recalc(desk, {"PROMPT.text": text, "prompt.count": "7"}, out, engine.name)
    want = expected(text, 7.0)
    assert done.engine == f"{engine.name} {engine.version()}"
    assert done.cells == len(want)
    assert done.told == {"prompt.text": text, "next.text": want[ANSWER, 1], "prompt.problem": "seven"}
    typed = {(0, 0): text, (1, 0): 7.0, (2, 0): "beside"}
    found = read(out).sheets["my desk"].values
    assert found == typed | want
    assert {cell: type(value) for cell, value in found.items()} == {c: type(v) for c, v in (typed | want).items()}
    values, formulas = (openpyxl.load_workbook(out, data_only=only).active for only in (True, False))
    assert {(r, c): values.cell(r + 1, c + 1).value for r, c in typed | want} == typed | want
    assert [formulas.cell(row, 2).value for row in range(1, 9)] == [f"={formula}" for formula in FORMULAS]
    assert (formulas["D1"].value.ref, formulas["B3"].font.b, formulas["A1"].font.b) == ("D1:E3", True, True)
    assert formulas["A2"].number_format == "0.00"


@engines
def test_texts_reach_the_formulas(engine, tmp_path: Path) -> None:
    """What is typed is what formulas see, and what engines find when they open the result again."""
    texts = [
        " a ",
        "007",
        "+1",
        "@x",
        "-",
        "'q",
        "TRUE",
        "#N/A",
        "1e5",
        '"',
        "é中😀",
        "a\tb",
        "a\nb",
        "a\rb",
        "_x0041_",
    ]
    texts += ['"', "\x01", "_", "_x005F_", "\x7f\x85\u2028\ufeff", "\ufffe\uffff", "]]>&amp;", "x" * MAX_TEXT]
    src, out = tmp_path / "src.xlsx", tmp_path / "out.xlsx"
    with xlsxwriter.Workbook(src) as book:
        sheet = book.add_worksheet("one")
        for row in range(len(texts)):
            sheet.write_string(row, 0, "old")
            sheet.write_formula(row, 1, f"=A{row + 1}", None, WRONG)
            book.define_name(f"text.n{row}", f"=one!$A${row + 1}")
    recalc(src, {f"text.n{row}": text for row, text in enumerate(texts)}, out, engine.name)
    values = read(out).sheets["one"].values
    assert [values[row, 0] for row in range(len(texts))] == texts
    assert [values[row, 1] for row in range(len(texts))] == texts
    again = engine.recalculate(out)["one"]
    assert [again[row, 1] for row in range(len(texts))] == texts


@engines
def test_nothing_typed_is_an_empty_cell(engine, tmp_path: Path) -> None:
    src, out = tmp_path / "src.xlsx", tmp_path / "out.xlsx"
    with xlsxwriter.Workbook(src) as book:
        sheet = book.add_worksheet("one")
        sheet.write_string(0, 0, "old", book.add_format({"bold": True}))
        for col, formula in enumerate(("LEN(A1)", 'A1&"x"', "ISBLANK(A1)"), 1):
            sheet.write_formula(0, col, f"={formula}", None, WRONG)
        book.define_name("prompt.text", "=one!$A$1")
    done = recalc(src, {"prompt.text": ""}, out, engine.name)
    assert read(out).sheets["one"].values == {(0, 1): 0.0, (0, 2): "x", (0, 3): True}
    assert done.told == {"prompt.text": None}
    assert recalc(out, {"prompt.text": "new"}, out, engine.name).told == {"prompt.text": "new"}


@engines
def test_a_workbook_of_ours_stays_what_it_was(engine, tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    """Recalculated without a change: still equal to numpy, as cached too, and no byte differs beside the results."""
    out = tmp_path / "out.xlsx"
    edit(tiny_book.path, tmp_path / "bare.xlsx", {}, {})
    done = recalc(tmp_path / "bare.xlsx", {}, out, engine.name)
    assert done.told["next.text"] == tiny_book.env["next.text"][0, 0]
    assert verify(out, "ironcalc", str(tiny.folder)).exit_code == 0
    assert verify(out, "cached", str(tiny.folder)).faults == []
    assert without_results(out, tmp_path / "again.xlsx") == parts(tmp_path / "bare.xlsx")


def without_results(path: Path, copy: Path) -> dict[str, bytes]:
    """The parts of a workbook in which no formula remembers its result."""
    strip_caches(path, copy)
    return parts(copy)


def test_only_the_cell_and_the_results_change(desk: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.xlsx"
    recalc(desk, {"prompt.text": "new"}, out, "ironcalc")
    before, after = without_results(desk, tmp_path / "1.xlsx"), without_results(out, tmp_path / "2.xlsx")
    new = b'<c r="A1" s="1" t="inlineStr"><is><t>new</t></is></c>'
    before[SHEET] = before[SHEET].replace(b'<c r="A1" s="1" t="s"><v>0</v></c>', new)
    assert after == before


def test_the_file_itself_may_be_written(desk: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(desk, tmp_path / "book.xlsx"))
    for text in ("once", "\x01", "twice"):
        assert recalc(path, {"prompt.text": text}, path, "ironcalc").told["next.text"] == f"  {text} "
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(find() is None, reason=ENGINES["libreoffice"].hint())
def test_libreoffice_shows_what_the_file_remembers(desk: Path, tmp_path: Path) -> None:
    """Opened as a user opens it, without recalculation; no formula there gives these values.

    LibreOffice computes errors, booleans and arrays anew whatever the file says: they are not here.
    """
    cached: dict[int, Value] = {0: -2.5, 1: " x ", 2: "a<b", 4: "line\nline", 6: 1e300}
    path = tmp_path / "book.xlsx"
    edit(desk, path, {}, {"my desk": {(row, 1): value for row, value in cached.items()}})
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    words = [str(find()), profile, "--headless", "--convert-to", "csv", "--outdir", str(tmp_path), str(path)]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    with (tmp_path / "book.csv").open(encoding="utf-8", newline="") as file:
        shown = [row[1] for row in csv.reader(file)]
    assert [shown[row] for row in cached] == ["-2.5", " x ", "a<b", "line\nline", "1E+300"]


# ---- the command line ----------------------------------------------------------------------------------


def test_the_engines_that_are_offered_are_those_there_are() -> None:
    assert list(ENGINES) == OFFERED


def test_says_what_it_did(desk: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.xlsx"
    words = "recalc", desk, "--engine", "ironcalc", "-o", out
    first = f"{out}  (14 cells computed by ironcalc {ENGINES['ironcalc'].version()})"
    result = run(*words, "--set", "prompt.text=a=b", "--set", "prompt.count=7")
    told = [first, "prompt.text     'a=b'", "next.text       '  a=b '", "prompt.problem  'seven'"]
    assert (result.exit_code, result.output.splitlines()) == (0, told)
    result = run(*words, "--set", "prompt.text=")
    assert result.output.splitlines() == [first, "prompt.text     ''", "next.text       '   '"]


def test_an_error_is_not_shown_as_text(desk: Path, tmp_path: Path) -> None:
    with_error = with_parts(
        Path(shutil.copy(desk, tmp_path / "book.xlsx")),
        {"xl/workbook.xml": parts(desk)["xl/workbook.xml"].decode().replace("$B$3<", "$B$4<")},
    )
    result = run("recalc", with_error, "--engine", "ironcalc", "-o", tmp_path / "out.xlsx")
    assert "next.text       #N/A" in result.output.splitlines()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("nowhere=x", ["no place called nowhere", "typed into prompt.text"]),
        ("next.text=x", ["next.text is computed by a formula", "typed into prompt.text"]),
        ("body=1", ["body is computed by a formula"]),
        ("both=x", ["both is not one cell but 'my desk'!$A$1:$A$2"]),
        ("moving=x", ["moving is not one cell"]),
        ("five=6", ["five is not one cell but 5"]),
        ("prompt.count=seven", ["prompt.count holds a number", "'seven'"]),
        ("prompt.count=", ["prompt.count holds a number"]),
        ("prompt.count=nan", ["prompt.count holds a number"]),
        ("prompt.count=1e999", ["prompt.count holds a number"]),
        ("prompt.text=" + "x" * (MAX_TEXT + 1), ["takes 32,767 characters, not 32,768"]),
        ("prompt.text=" + "x" * (MAX_TEXT - 1) + "😀", ["takes 32,767 characters, not 32,768"]),
        ("prompt.text=\ud800", ["not valid Unicode"]),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_refuses_what_cannot_be_typed(desk: Path, tmp_path: Path, setting: str, says: list[str]) -> None:
    out = tmp_path / "out.xlsx"
    refused(run("recalc", desk, "--set", setting, "--engine", "ironcalc", "-o", out), 2, *says)
    assert list(tmp_path.iterdir()) == []


def test_a_setting_needs_its_sign(desk: Path, tmp_path: Path) -> None:
    result = run("recalc", desk, "--set", "prompt.text", "-o", tmp_path / "out.xlsx")
    assert result.exit_code == 2
    assert "'prompt.text' is not NAME=VALUE" in result.stderr


def test_a_cell_that_does_not_stand_in_the_file(desk: Path, tmp_path: Path) -> None:
    result = run("recalc", desk, "--set", "empty=x", "--engine", "ironcalc", "-o", tmp_path / "out.xlsx")
    refused(result, 3, "the cell Z99 does not stand in the file")
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_is_not_there(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEETGPT_SOFFICE", str(tmp_path / "nothing"))
    refused(run("recalc", desk, "-o", tmp_path / "out.xlsx"), 2, "libreoffice is not installed")
    with pytest.raises(SheetGPTError, match="no engine is called 'excel'"):
        recalc(desk, {}, tmp_path / "out.xlsx", "excel")


@pytest.mark.parametrize("engine", OFFERED)
def test_refuses_what_is_no_workbook(engine: str, desk: Path, tmp_path: Path) -> None:
    text, hostile = tmp_path / "book.csv", Path(shutil.copy(desk, tmp_path / "hostile.xlsx"))
    text.write_text("a,b\n1,2\n")
    sheet = parts(desk)[SHEET].decode().replace("<worksheet", "<!DOCTYPE worksheet><worksheet", 1)
    with_parts(hostile, {SHEET: sheet})
    for path, says in ((text, "CSV"), (tmp_path / "missing.xlsx", "no such file"), (hostile, "document type")):
        before = sorted(tmp_path.iterdir())
        refused(run("recalc", path, "--engine", engine, "-o", tmp_path / "out.xlsx"), 3, path.name, says)
        assert sorted(tmp_path.iterdir()) == before


def test_refuses_a_place_where_nothing_can_be_written(desk: Path, tmp_path: Path) -> None:
    refused(run("recalc", desk, "-o", tmp_path), 2, "is a folder")
    refused(run("recalc", desk, "-o", tmp_path / "out.ods"), 2, "does not end in .xlsx")
