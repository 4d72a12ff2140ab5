"""The helper that types prompts into a workbook: what arrives in the cell, and what comes back, is exact."""

from pathlib import Path

import pytest
import xlsxwriter

from sheetgpt.engines import ENGINES
from sheetgpt.errors import EngineError
from sheetgpt.sheet.grid import CellError
from tests.office import Reading, typed

pytestmark = pytest.mark.skipif(
    ENGINES["libreoffice"].version() is None, reason=f"libreoffice is not installed: {ENGINES['libreoffice'].hint()}"
)

FORMULAS = {  # each with a cached value that is wrong
    "text.len": "=LEN(prompt.text)",
    "text.third": "=text.len/3",
    "text.first": "=_xlfn.UNICODE(prompt.text)",
    "text.mid": "=MID(prompt.text,2,3)",
    "text.is_true": '=EXACT(prompt.text,"TRUE")',
    "text.is_text": "=ISTEXT(prompt.text)",
    "text.inverse": "=1/(text.len-1)",
    "apart": "=40+2",
}
PROMPTS = [
    "a", "=1+1", "+1", "-1", "@x", "007", "1/2", "1e5", "TRUE", "#N/A", "'s", "''", '"', "{=1}", "tab\there",
    " leading and trailing ", "new\nline\n", "=1\n+2", "\x01\x1f", "😀", "👨‍👩‍👧", "\u200b", "e\u0301", "é", "日本語",
    "the " * 750, "😀" * 9000,
]  # fmt: skip
DIVISION = CellError("#DIV/0!")


def write(path: Path, calculation: str = "auto") -> Path:
    """A cell for prompts of the format Text, one of the format General, and formulas of the former."""
    with xlsxwriter.Workbook(path) as book:
        book.set_calc_mode(calculation)
        sheet = book.add_worksheet("The prompt")
        sheet.write_string("B11", "before", book.add_format({"num_format": "@"}))
        sheet.write_string("B12", "before")
        book.define_name("prompt.text", "='The prompt'!$B$11")
        for r, (name, formula) in enumerate(FORMULAS.items()):
            sheet.write_formula(r, 3, formula, None, 12345.678)
            book.define_name(name, f"='The prompt'!$D${r + 1}")
        sheet.write_row("F1", ["x", 0.1])
        sheet.write_row("F2", ["", -1e-300])
        book.define_name("area", "='The prompt'!$F$1:$G$2")
    return path


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("office") / "small.xlsx")


@pytest.fixture(scope="module")
def readings(book: Path) -> list[Reading]:
    return typed(book, "prompt.text", PROMPTS, ["prompt.text", *FORMULAS, "area", "'The prompt'!B12"])


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: ascii(prompt)[:30])
def test_every_prompt_arrives_as_text_and_is_computed(readings: list[Reading], prompt: str) -> None:
    n = len(prompt)
    got = readings[PROMPTS.index(prompt)]
    want = {
        "prompt.text": [[prompt]],
        "text.len": [[n]],
        "text.third": [[n / 3]],  # to the last bit
        "text.first": [[ord(prompt[0])]],
        "text.mid": [[prompt[1:4]]],
        "text.is_true": [[prompt == "TRUE"]],
        "text.is_text": [[1]],
        "text.inverse": [[1 / (n - 1) if n > 1 else DIVISION]],
        "apart": [[42]],
        "area": [["x", 0.1], [None, -1e-300]],
        "'The prompt'!B12": [["before"]],
    }
    assert got == want
    assert isinstance(got["text.inverse"][0][0], CellError) == (n == 1)
    assert 0 <= got.seconds < 5


def test_recalculating_everything_gives_the_same(book: Path, readings: list[Reading]) -> None:
    places = list(readings[0])
    assert typed(book, "The prompt.B11", PROMPTS, places, everything=True) == readings


def test_only_what_depends_on_the_prompt_is_recalculated_unless_told(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "dice.xlsx") as book:
        book.add_worksheet("P").write_formula("B1", "=_xlfn.ORG.LIBREOFFICE.RAND.NV()")
    for everything in (False, True):
        got = typed(tmp_path / "dice.xlsx", "P.A1", ["a", "b"], ["P.B1"], everything=everything)
        assert (got[0] != got[1]) == everything


def test_a_cell_of_the_format_general_takes_text_too(book: Path) -> None:
    got = typed(book, "'The prompt'!B12", PROMPTS, ["'The prompt'.B11:B12"])
    assert [one["'The prompt'.B11:B12"] for one in got] == [[["before"], [prompt]] for prompt in PROMPTS]


def test_what_libreoffice_itself_does_to_a_prompt(book: Path) -> None:
    """Text of several lines loses carriage returns and, in 7.4, its tabs, also when read from a file."""
    got = typed(book, "prompt.text", ["a\r\nb", "tab\tnew\nline", ""], ["prompt.text", "text.len"])
    assert got[0] == {"prompt.text": [["a\nb"]], "text.len": [[3]]}
    assert got[1]["prompt.text"] in ([["tab\tnew\nline"]], [["tab\x01new\nline"]])
    assert got[2] == {"prompt.text": [[None]], "text.len": [[0]]}


def test_nothing_is_recalculated_where_the_workbook_says_manual(tmp_path: Path) -> None:
    book = write(tmp_path / "manual.xlsx", "manual")
    assert typed(book, "prompt.text", ["a"], ["text.len"]) == [{"text.len": [[6]]}]
    assert typed(book, "prompt.text", ["a"], ["text.len"], everything=True) == [{"text.len": [[1]]}]


def test_a_place_that_is_not_there(book: Path) -> None:
    with pytest.raises(EngineError, match=r"after 0 of 1 prompts, at 'a': libreoffice failed: no\.such"):
        typed(book, "prompt.text", ["a"], ["text.len", "no.such"])


def test_out_of_time_says_where_and_leaves_nothing(book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(EngineError, match=r"after 0 of 1 prompts, at 'a': libreoffice ran out of time after 0\.2 s"):
        typed(book, "prompt.text", ["a"], ["text.len"], timeout=0.2)
    assert not list(tmp_path.iterdir())
