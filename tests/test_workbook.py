"""The workbook of many prompts, recalculated by engines of three other hands: every place equals numpy."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from sheetgpt.build import Built, Form, Room, build
from sheetgpt.check.verify import verify
from sheetgpt.engines import ENGINES
from sheetgpt.models.prompt import encode
from sheetgpt.models.weights import Weights
from sheetgpt.sheet.classic import check_formula
from tests.conftest import CORE, TINY, make_model

PROMPTS = [
    "Mike is quick. He moves",
    "Once upon a time",
    "a",  # one token
    " ",
    "     ",
    "0123456789 42 3.14159",
    "=1+1",
    "@x",
    "+5",
    "-SUM(A1:A9)",
    "🙂",
    "👩‍👩‍👧 ok",
    "中文字符",
    "Ünïcödé ça va",
    "line one\nline two",
    "\ttab\r\n",
    '"quoted" & <tagged> \'s',
    "_x0041_ is not A",
    "TRUE",
    "<r><t>x</t></r>",
    "<r>&</r>",
    "#N/A",
    "ﷺ\u0000\u0007",
    "full context",
]
FULL = "full context"
TRAINED = ("Mike is quick. He moves", "👩‍👩‍👧 ok", FULL)  # by the bundled model; others by a small one
BY_ALL = ("a", "=1+1", "👩‍👩‍👧 ok", "\ttab\r\n", "<r>&</r>", "#N/A")  # the others: by ironcalc
WITH_ALL = ("a", "👩‍👩‍👧 ok", "#N/A")  # also what stands beside the pipeline


def text_of(prompt: str, model: Weights) -> str:
    """The prompt itself, or one that fills the model's context to the last token."""
    if prompt != FULL:
        return prompt
    tokenizer = model.tokenizer()
    ids = tokenizer.encode("One day, a little girl named Lily saw a big red ball in the park. " * 9)
    return tokenizer.decode(ids[: model.config.n_ctx])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """As `tiny`, with room for long prompts."""
    return make_model(tmp_path_factory.mktemp("models") / "small", replace(TINY, n_ctx=64))


@pytest.fixture(scope="module")
def prompt_book(
    request: pytest.FixtureRequest, fable: Weights, small: Weights, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A workbook and its model; with what stands beside the pipeline for some, the pipeline alone for the others."""
    model = fable if request.param in TRAINED else small
    text, form = text_of(request.param, model), Form(core=request.param not in WITH_ALL)
    path = tmp_path_factory.mktemp("prompt") / "book.xlsx"
    return build(model, text, path, Room(fixed=True), form=form, check=False).path, str(model.folder)


@pytest.mark.parametrize(
    ("prompt_book", "engine"),
    [(prompt, engine) for prompt in PROMPTS for engine in ENGINES if engine == "ironcalc" or prompt in BY_ALL],
    indirect=["prompt_book"],
    ids=lambda value: repr(value)[:24],
)
def test_every_engine_agrees_with_numpy_on_every_place(prompt_book: tuple[Path, str], engine: str) -> None:
    if ENGINES[engine].version() is None:
        pytest.skip(f"{engine} is not installed: {ENGINES[engine].hint()}")
    path, model = prompt_book
    report = verify(path, engine, model)
    assert report.faults == []
    assert report.exit_code == 0
    assert max(row.total_gap for row in report.rows) <= 1e-9
    assert report.cells_checked == report.cells_present


@pytest.fixture(scope="module")
def padded(small: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("padded") / "book.xlsx"
    return build(small, "the cat sat", path, Room(tokens=12, fixed=True), form=CORE, check=False).path


@pytest.mark.parametrize("engine", list(ENGINES))
def test_rows_after_the_prompt(padded: Path, engine: str, small: Weights) -> None:
    if ENGINES[engine].version() is None:
        pytest.skip(f"{engine} is not installed: {ENGINES[engine].hint()}")
    assert verify(padded, engine, str(small.folder)).exit_code == 0


def test_rows_after_the_prompt_beside_the_pipeline(tiny_lesson: Built, tiny: Weights) -> None:
    assert verify(tiny_lesson.path, "ironcalc", str(tiny.folder)).exit_code == 0


def test_the_full_context_is_tested(fable: Weights) -> None:
    assert len(encode(text_of(FULL, fable), fable, fable.tokenizer())) == fable.config.n_ctx == 64


def test_attention_looks_back_only_and_adds_up_to_one(fable: Weights, tmp_path: Path) -> None:
    """As IronCalc computes it, not numpy."""
    built = build(fable, "Once upon a time, there was", tmp_path / "book.xlsx", form=CORE, check=False)
    values = ENGINES["ironcalc"].recalculate(built.path)
    patterns = [name for name in built.blueprint.plan if name.endswith(".pattern")]
    assert len(patterns) == 16
    for name in patterns:
        box = built.blueprint.layout.ranges[name]
        block = np.array(
            [[values[box.tab][box.row + r, box.col + c] for c in range(box.cols)] for r in range(box.rows)], float
        )
        assert (block[np.triu_indices(box.rows, 1)] == 0).all()
        assert np.abs(block.sum(axis=1) - 1).max() < 1e-15 * box.rows


def test_the_sorter_sorts_in_its_workbook(sorter: Weights, tmp_path: Path) -> None:
    text = "CABBAC"
    for wanted in "AABBCC":
        build(sorter, text, tmp_path / "sort.xlsx", Room(fixed=True), form=CORE, check=False)
        values = ENGINES["ironcalc"].recalculate(tmp_path / "sort.xlsx")
        box = verify_range(sorter, text)
        assert values[box[0]][box[1], box[2]] == wanted
        text += wanted


def verify_range(model: Weights, text: str) -> tuple[str, int, int]:
    from sheetgpt.build import evaluated

    box = evaluated(model, text, Room(fixed=True))[0].layout.ranges["prompt.next"]
    return box.tab, box.row, box.col


# ---- the file, as another hand reads it -----------------------------------------------------------------


def test_openpyxl_finds_formulas_caches_names_and_weights(tiny_book: Built, tiny: Weights) -> None:
    formulas = openpyxl.load_workbook(tiny_book.path)
    cached = openpyxl.load_workbook(tiny_book.path, data_only=True)
    book = tiny_book.blueprint
    assert formulas.sheetnames == [tab.name for tab in book.layout.tabs]
    for name, box in book.layout.ranges.items():
        assert formulas.defined_names[name].attr_text == box.ref
        want = tiny_book.env[name]
        for r, c in np.ndindex(box.rows, box.cols):
            value = cached[box.tab].cell(box.row + r + 1, box.col + c + 1).value
            if isinstance(want[r, c], str):
                assert (value or "") == want[r, c]
            else:
                assert value == pytest.approx(want[r, c], rel=1e-15, abs=1e-300)
        if book.plan.roles[name] == "value" and not book.plan.is_view(name):
            first = formulas[box.tab].cell(box.row + 1, box.col + 1).value
            text = first if isinstance(first, str) else first.text
            assert text.startswith("=")
            check_formula(text[1:], name)


def test_parameter_tabs_mirror_the_csv_files_to_the_digit(tiny_book: Built, tiny: Weights) -> None:
    sheet = openpyxl.load_workbook(tiny_book.path)["h0.mlp.c_fc.w"]
    lines = (tiny.folder / "model_h0_mlp_c_fc_w.csv").read_text().splitlines()
    for r, line in enumerate(lines):
        assert [sheet.cell(r + 7, c + 2).value for c in range(tiny.config.d_mlp)] == [float(x) for x in line.split(",")]


@pytest.mark.parametrize("prompt", ["=1+1", "+1", "-1", "@SUM", "=cmd|'/c'!A1"])
def test_text_is_data(prompt: str, tiny: Weights, tmp_path: Path) -> None:
    built = build(tiny, prompt, tmp_path / "text.xlsx", form=Form(core=prompt != "=1+1"))
    book = openpyxl.load_workbook(built.path)
    box = built.blueprint.layout.ranges["prompt.text"]
    cell = book[box.tab].cell(box.row + 1, box.col + 1)
    assert (cell.value, cell.data_type, cell.quotePrefix) == (prompt, "s", True)
    for sheet in book:
        for row in sheet.iter_rows():
            for other in row:
                if other.data_type == "f":
                    text = other.value if isinstance(other.value, str) else other.value.text
                    check_formula(text[1:], other.coordinate)


def test_the_same_prompt_gives_the_same_bytes(tiny: Weights, tmp_path: Path) -> None:
    for name in ("a", "b"):
        build(tiny, "the cat", tmp_path / f"{name}.xlsx", check=False)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_no_macros_no_links_no_surprises_in_the_package(tiny_book: Built) -> None:
    with zipfile.ZipFile(tiny_book.path) as package:
        names = package.namelist()
        assert not [n for n in names if "vba" in n.casefold() or "external" in n.casefold()]
        for name in names:
            assert b'TargetMode="External"' not in package.read(name)
