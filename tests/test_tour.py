"""`sheetgpt tour` and `sheetgpt export`: what they say of a workbook, beside plain numpy and openpyxl's values."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import filterfalse
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from click.testing import CliRunner, Result

from sheetgpt.build import Built, Form, Room, build
from sheetgpt.check.tour import Tour
from sheetgpt.check.tour_report import to_text
from sheetgpt.cli import main
from sheetgpt.models.weights import Weights
from sheetgpt.sheet.lessons import Lesson
from tests.mutants import formula, make

GOLDEN = Path(__file__).parent / "golden/tour.txt"
needs_office = pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")


def run(*words: object, input: str | None = None) -> Result:
    return CliRunner().invoke(main, [*map(str, words)], input=input, catch_exceptions=False)


@pytest.fixture(scope="module")
def tour(tiny_lesson: Built, tiny: Weights) -> Tour:
    return Tour.of(tiny_lesson.path, "cached", str(tiny.folder))


@pytest.fixture(scope="module")
def wrong(tiny_lesson: Built, tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Tour:
    """A copy in which the variance of one row is that of a sample, as IronCalc computes it."""
    path = tmp_path_factory.mktemp("wrong") / "wrong.xlsx"
    make(formula("h0.ln_1.var", "VARP", "VAR", nth=1), tiny_lesson.blueprint, tiny_lesson.path, path)
    return Tour.of(path, "ironcalc", str(tiny.folder))


@pytest.fixture
def checked(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workbook of `tour`, which commands take as it was checked already."""
    return _given(tour, monkeypatch)


@pytest.fixture
def checked_wrong(wrong: Tour, monkeypatch: pytest.MonkeyPatch) -> Path:
    return _given(wrong, monkeypatch)


def _given(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> Path:
    def of(path: Path, engine: str, model: str | None) -> Tour:
        assert str(path) == tour.report.workbook
        return tour

    monkeypatch.setattr(Tour, "of", of)
    return Path(tour.report.workbook)


def test_a_stage_is_the_golden_text(tour: Tour, request: pytest.FixtureRequest) -> None:
    """Of what the tour itself writes: the words of lessons are theirs, and addresses those of the layout."""
    step = tour.step(tour.tab("h0 ln_1"))
    parts = [part._replace(places=[p._replace(meaning="Meaning.") for p in part.places]) for part in step.parts]
    lesson = Lesson("Title", "What.", "Why.", "a plus b", {})
    text = to_text(tour, step._replace(lesson=lesson, parts=parts, number=8), 80)
    text = re.sub(r"\b[A-Z]{1,2}\d+\b", "#", text)
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(text + "\n")
    assert text + "\n" == GOLDEN.read_text()


def test_the_sheets_numbers_are_shown_beside_plain_numpys(tiny_lesson: Built, tour: Tour) -> None:
    x = tiny_lesson.env["embed.out"]
    last = int(tiny_lesson.env["prompt.n"][0, 0]) - 1
    normalized = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    line = "  ".join(f"{v:.4g}" for v in normalized[last, :7])
    text = re.sub(" +", "  ", to_text(tour, tour.step(tour.tab("h0 ln_1"))))
    assert f"sheet  {line}\n" in text
    assert f"numpy  {line}\n" in text


def test_every_tab_of_the_lesson_is_walked_through(tiny_lesson: Built, tiny: Weights) -> None:
    result = run("tour", tiny_lesson.path, "--engine", "cached", "--model", tiny.folder)
    assert result.exit_code == 4  # cached values prove nothing
    for tab in tiny_lesson.blueprint.layout.tabs:
        assert (f"] {tab.name}" in result.output) == (tab.group == "stage"), tab.name
    for name in filterfalse(tiny_lesson.blueprint.plan.is_view, tiny_lesson.blueprint.plan):
        tab = tiny_lesson.blueprint.layout.tab_of(name)
        if tab.lesson in {"embedding", "ln_1", "attention", "ln_2", "mlp", "logits"} and ".head1." not in name:
            assert f"\n{name}  [" in result.output, name


@pytest.mark.parametrize("stage", ["h1 mlp", "H1 MLP", "h1.mlp.post", "h1 m"])
def test_a_stage_is_found_by_name_or_place(tour: Tour, stage: str) -> None:
    assert tour.tab(stage).name == "h1 mlp"
    assert tour.tab(str(tour.tabs.index(tour.tab(stage)) + 1)).name == "h1 mlp"


def test_a_stage_that_is_not_there(checked: Path) -> None:
    result = run("tour", checked, "--stage", "h1 mpl")
    assert result.exit_code == 2
    assert result.stderr.startswith("sheetgpt: no stage 'h1 mpl': did you mean h1 mlp")


def test_what_differs_is_marked(tiny_lesson: Built, checked_wrong: Path) -> None:
    """The row that is wrong, sheet and numpy; what follows from it is not blamed; nothing else is marked."""
    result = run("tour", checked_wrong, "--stage", "h0 ln_1", "--stage", "embedding")
    assert result.exit_code == 1
    sample = f"{np.var(tiny_lesson.env['embed.out'][1], ddof=1):.4g}!"
    assert [line.split()[-1] for line in result.output.splitlines() if re.search(r"  sheet .*\d!", line)] == [sample]
    assert re.findall(r"^  ! (.*) at (\S+),", result.output, re.MULTILINE) == [
        ("wrong formula", "h0.ln_1.var"),
        ("wrong value", "h0.ln_1.var"),
    ]
    assert "{=(embed.out-h0.ln_1.mean)/SQRT(h0.ln_1.var+1E-05)}" in result.output
    assert "right for what it reads, which is wrong" in result.output
    assert result.output.splitlines()[-2] == "WRONG: 2 faults"
    assert "=VAR(" in result.output


def test_on_a_terminal_the_reader_leads(checked: Path, tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sheetgpt.cli.tour._on_terminal", lambda: True)

    def seen(typed: str) -> list[str]:
        return re.findall(r"^\[\d+\] (\w+)", run("tour", checked, input=typed).output, re.MULTILINE)

    assert seen("q\n") == ["Contents"]
    assert seen("\n\nb\nwte\nq\n") == ["Contents", "Prompt", "Tokens", "Prompt", "wte"]
    assert seen("nowhere\n") == ["Contents", "Contents"]  # and the end of what is typed
    assert len(seen("\n" * 99)) == len(tour.stages)


def test_a_file_that_is_not_ours(tmp_path: Path) -> None:
    openpyxl.Workbook().save(path := tmp_path / "x.xlsx")
    for words in (("tour", path), ("export", path, "--html", tmp_path / "x.html")):
        result = run(*words)
        assert (result.exit_code, len(result.stderr.splitlines())) == (3, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["x.xlsx"]


# ---- export --------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Numbers that stand in the tables of each section, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sections: list[list[str]] = []
        self.scripts = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "!doctype"):
            self.open.append(tag)
        self.scripts += tag in ("script", "img", "link", "iframe") or any(name.startswith("on") for name, _ in attrs)
        if tag == "section":
            self.sections.append([])
        title = dict(attrs).get("title")
        if tag == "td" and title is not None and dict(attrs).get("class") != "text":
            self.sections[-1].append(title)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def html(tour: Tour, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("html") / "out.html"
    with pytest.MonkeyPatch.context() as patch:
        assert run("export", _given(tour, patch), "--html", path).exit_code == 4
    return path.read_text("utf-8")


def numbers(sheet: object) -> Iterator[float]:
    for row in sheet.iter_rows(values_only=True):  # type: ignore[attr-defined]
        yield from (float(v) for v in row if isinstance(v, int | float))


def test_every_number_of_the_html_stands_on_its_tab(tiny_lesson: Built, html: str) -> None:
    page, book = Page(html), openpyxl.load_workbook(tiny_lesson.path, data_only=True)
    assert (page.open, page.scripts) == ([], 0)
    assert len(page.sections) == len(tiny_lesson.blueprint.layout.tabs)
    shown = 0
    for sheet, titles in zip(book.worksheets, page.sections, strict=True):
        there = set(numbers(sheet))
        for title in titles:
            try:
                value = float(title)
            except ValueError:
                continue
            assert value in there, (sheet.title, title)
            shown += 1
    assert shown > 500


def test_text_of_a_file_is_text_in_the_html(tiny: Weights, tmp_path: Path) -> None:
    prompt = "<script>&\u202e"
    book = build(tiny, prompt, tmp_path / "x.xlsx", Room(fixed=True), form=Form(core=True), check=False)
    run("export", book.path, "--html", tmp_path / "x.html", "--engine", "cached", "--model", tiny.folder)
    html = (tmp_path / "x.html").read_text("utf-8")
    assert Page(html).scripts == 0
    assert "\u202e" not in html
    assert "&lt;script&gt;" in html


def test_what_differs_is_marked_in_the_html(checked_wrong: Path, tmp_path: Path) -> None:
    result = run("export", checked_wrong, "--html", tmp_path / "x.html")
    assert result.exit_code == 1
    html = (tmp_path / "x.html").read_text("utf-8")
    assert html.count('class="off"') == 1
    assert '<p class="verdict wrong">WRONG: 2 faults</p>' in html


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "say what to write"),
        (("--html", "x.pdf"), "does not end in .html"),
        (("--pdf", "x.html"), "does not end in .pdf"),
        (("--html", "nowhere/x.html"), "cannot write into"),
    ],
)
def test_a_wrong_call_writes_nothing(
    tiny_lesson: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("export", tiny_lesson.path, *words)
    assert result.exit_code == 2
    assert says in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_libreoffice_there_is_no_pdf(
    tiny_lesson: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHEETGPT_SOFFICE", "nowhere")
    result = run("export", tiny_lesson.path, "--pdf", tmp_path / "x.pdf")
    assert result.exit_code == 2
    assert result.stderr.startswith("sheetgpt: libreoffice is not installed: apt-get install libreoffice-calc")
    assert list(tmp_path.iterdir()) == []


@needs_office
def test_the_pdf_has_a_page_for_each_tab(checked: Path, tour: Tour, tmp_path: Path) -> None:
    path = tmp_path / "x.pdf"
    result = run("export", checked, "--pdf", path)
    assert result.exit_code == 4
    tabs = len(tour.tabs)
    assert result.output == f"{path}  ({tabs} pages)\n"
    data = path.read_bytes()
    assert data.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", data)) == tabs
