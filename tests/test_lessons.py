"""The words of lessons: nothing typed by hand that could go stale, short, and each head in its rows."""

from __future__ import annotations

import re

import openpyxl
import pytest

from sheetgpt.build import Built
from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.extras import EXTRAS, Asked
from sheetgpt.plan.live import Live
from sheetgpt.plan.names import STEPS, step_of
from sheetgpt.resources import templates_dir
from sheetgpt.sheet.blueprint import Blueprint, Card
from sheetgpt.sheet.head import address, shapes, where
from sheetgpt.sheet.layout import head_rows
from sheetgpt.sheet.lessons import Lesson, lesson
from sheetgpt.sheet.slots import tab_lesson

LIVE = Live(n_chars=9, n_bytes=4, n_merges=2, n_ranges=5)
STEMS = sorted(path.stem for path in templates_dir().glob("*.md"))
TABLES = {"bytes", "matrix", "merge_table", "parameters", "unicode", "vectors"}  # no formula, nothing to say in words
MAPS = {"contents", "contents_slice", "glossary", "prompt_fixed", "prompt_slice"}
ADDRESS = re.compile(r"\$?\b[A-Z]{1,3}\$?[1-9]\d*\b(?!\.)")
SHAPE = re.compile(r"\d+ ?x ?\d")
BLOCK = {"ln_1", "attention", "ln_2", "mlp"}
STEP = re.compile(r"\bsteps? \d", re.IGNORECASE)
SIZES = [(1, 1, 4), (2, 2, 4), (3, 1, 9), (2, 12, 24)]  # blocks, heads, width


def texts(words: Lesson) -> list[str]:
    told = [text for one in words.tries for text in (one.do, one.see)]
    return [words.title, words.what, words.why, words.words, *words.places.values(), *told]


@pytest.mark.parametrize("stem", STEMS)
def test_no_shape_address_or_step_is_typed_by_hand(stem: str) -> None:
    for text in texts(lesson(stem)):
        assert not ADDRESS.search(text), text
        assert not SHAPE.search(text), text
        assert stem not in BLOCK or not STEP.search(text), text


@pytest.mark.parametrize("stem", STEMS)
def test_a_lesson_is_short_and_says_its_formula_in_words(stem: str) -> None:
    words = lesson(stem)
    assert sum(len(text.split()) for text in (words.title, words.what, words.why, words.words)) <= 180
    assert all(len(text.split()) <= 60 for text in words.places.values())
    assert bool(words.words) == (stem not in TABLES | MAPS)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("live", [None, LIVE])
def test_every_slot_is_filled_for_models_of_all_sizes(sizes: tuple[int, int, int], live: Live | None) -> None:
    n_layer, n_head, width = sizes
    config = ModelConfig(7, 8, width, n_head, n_layer, tied=n_head > 1)
    book = Blueprint.of(Card("small", config, 6, live, asked=Asked(EXTRAS)))
    for tab in book.layout.tabs:
        words = tab_lesson(book, tab)
        assert not any("$" in text for text in texts(words)), tab.name
        assert len(words.tries) == len(lesson(tab.lesson).tries) or not live


@pytest.mark.parametrize("rows", [1, 2])
def test_a_model_of_few_tokens_is_told_nothing_of_others(rows: int) -> None:
    """What a try sets or watches is there; with a row more there is more to try."""
    fewer, more = (
        [one for tab in book.layout.tabs for one in tab_lesson(book, tab).tries]
        for book in (Blueprint.of(Card("small", ModelConfig(7, n, 4, 2, 1), n)) for n in (rows, rows + 1))
    )
    assert 0 < len(fewer) < len(more)
    spots = {spot for one in fewer for spot in one.spots}
    assert any(spot.endswith("[0,0]") for spot in spots)
    late = re.compile(rf"(wpe|.*(pattern|resid_mid|\.out))\[([{rows}-9]),")
    assert not any(late.match(spot) for spot in spots)


def test_where_we_are_and_what_goes_in_and_out() -> None:
    book = Blueprint.of(Card("small", ModelConfig(7, 8, 4, 2, 2), 3, LIVE))
    tabs = {tab.name: tab for tab in book.layout.tabs}
    assert where(book, tabs["h1 attention"]) == (
        "Part 3 of 4: the numbers are worked on · block 2 of 2 (h1 in names, which count from 0) · steps 4 to 10 of 16"
        f" · tab {list(tabs).index('h1 attention') + 1} of {sum(t.group != 'parameters' for t in book.layout.tabs)}"
    )
    assert shapes(book, tabs["h1 ln_1"]) == (
        "in: h0.resid_post [3 tokens x 4]   weights: h1.ln_1.g [1 x 4], h1.ln_1.b [1 x 4]   out: h1.ln_1.out [3 tokens"
        " x 4]"
    )
    assert address(book, "h0.ln_1.g") == "B7:E7 on the tab h0 vectors"
    assert address(book, "wpe[2,1]") == "C9 on the tab wpe"
    with pytest.raises(KeyError):
        address(book, "wpe[8,0]")


def test_every_step_of_a_block_has_its_number() -> None:
    book = Blueprint.of(Card("small", ModelConfig(7, 8, 4, 2, 2), 3))
    for step, parts in STEPS.items():
        assert {step_of(f"h1.{part}") for part in parts} == {step}
    told = [step_of(name) for name, role in book.plan.items() if name.startswith("h1.") and role.args]
    assert set(told) == set(STEPS)
    firsts = list(dict.fromkeys(told))
    assert firsts == sorted(STEPS)
    assert step_of("embed.out") is None


def test_merged_cells_cover_no_place_and_stand_where_the_head_is_or_above_a_band(live_lesson: Built) -> None:
    book = openpyxl.load_workbook(live_lesson.path)  # another hand
    taken = {
        (box.tab, row, col)
        for box in live_lesson.blueprint.layout.ranges.values()
        for row in range(box.row, box.row + box.rows)
        for col in range(box.col, box.col + box.cols)
    }
    merged = 0
    for tab in live_lesson.blueprint.layout.tabs:
        for area in book[tab.name].merged_cells.ranges:
            merged += 1
            cells = {(tab.name, row - 1, col - 1) for row, col in area.cells}
            assert not cells & taken, f"{tab.name}!{area}"
            assert area.min_row == area.max_row
    assert merged > 3 * len(live_lesson.blueprint.layout.tabs)


def test_the_head_has_its_lines_and_every_matrix_its_source(live_lesson: Built) -> None:
    book = openpyxl.load_workbook(live_lesson.path)
    sources = 0
    for tab in live_lesson.blueprint.layout.tabs:
        sheet = book[tab.name]
        lines = {sheet.cell(r, 1).value: sheet.cell(r, 2).value for r in range(3, head_rows(tab) + 1)}
        words = tab_lesson(live_lesson.blueprint, tab)
        assert sheet["A1"].value == words.title
        assert lines["What"] == words.what
        assert lines["Why"] == words.why
        assert lines.get("In words") == (words.words or None) or tab.group == "parameters"
        if tab.group == "parameters" and tab.lesson == "matrix":
            facts = {book["Parameters"].cell(r, 1).value: r for r in range(1, 200)}
            digests = [cell.value for cell in book["Parameters"][facts[tab.name]]]
            assert any(isinstance(d, str) and len(d) == 64 and d in lines["Source"] for d in digests)
            sources += 1
    assert sources == sum(t.lesson == "matrix" for t in live_lesson.blueprint.layout.tabs)
