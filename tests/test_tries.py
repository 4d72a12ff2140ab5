"""What lessons tell their readers to try is done in LibreOffice, and does what they promise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from sheetgpt.build import Form, Room, build
from sheetgpt.engines import ENGINES
from sheetgpt.models.weights import Weights
from sheetgpt.plan.ops import Scalar
from sheetgpt.plan.plan import Role
from sheetgpt.resources import templates_dir
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.grid import CellError
from sheetgpt.sheet.head import told as says
from sheetgpt.sheet.layout import Tab
from sheetgpt.sheet.lessons import Try, lesson
from sheetgpt.sheet.slots import tab_lesson
from tests.office import Change, Rows, Spot, changed

pytestmark = pytest.mark.skipif(
    ENGINES["libreoffice"].version() is None, reason=f"libreoffice is not installed: {ENGINES['libreoffice'].hint()}"
)

WITHOUT = {  # lessons of stages that ask for nothing to be tried, and why
    "contents": "a map: its links are for clicking, its numbers are those of other tabs",
    "contents_slice": "as contents",
    "prompt_fixed": "made for one prompt: nothing that can be changed",
    "prompt_slice": "as prompt_fixed",
    "tokens_slice": "texts that label rows",
    "glossary": "a list of words: nothing on it is computed from what somebody types",
    "input": "which numbers stand here depends on the stages",
}
STEMS = sorted(path.stem for path in templates_dir().glob("*.md"))
TRIES = [(stem, i) for stem in STEMS for i in range(len(lesson(stem).tries))]


class Done(NamedTuple):
    """A try, and what came of it."""

    book: Blueprint
    tab: Tab
    told: Try
    change: Change


def spot(key: str) -> Spot:
    """Of a place, or of a cell of one: `wpe[0,3]`."""
    match = re.fullmatch(r"([^\[]+)(?:\[(\d+),(\d+)\])?", key)
    assert match, key
    name, row, col = match.groups()
    return Spot(name, int(row), int(col)) if row else Spot(name)


def told(book: Blueprint) -> Iterator[tuple[Tab, int, Try]]:
    """The tries of a workbook, those of each lesson once."""
    seen: set[str] = set()
    for tab in book.layout.tabs:
        if tab.lesson not in seen:
            for i, one in enumerate(tab_lesson(book, tab).tries):
                yield tab, i, one
        seen.add(tab.lesson)


@pytest.fixture(scope="module")
def done(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Done]:
    """Every try of a workbook that has all there is, and of one for a prompt whose tokens are given."""
    out: dict[tuple[str, int], Done] = {}
    for fixed in (False, True):
        path = tmp_path_factory.mktemp("tries") / "book.xlsx"
        book = build(tiny, "the cat sat", path, Room(fixed=fixed), form=Form(core=fixed), check=False).blueprint
        tries = [(tab, i, one) for tab, i, one in told(book) if (tab.lesson, i) not in out]
        rounds = [({spot(k): v for k, v in one.set.items()}, watched(one)) for _, _, one in tries]
        for (tab, i, one), change in zip(tries, changed(path, rounds), strict=True):
            out[tab.lesson, i] = Done(book, tab, one, change)
    return out


def watched(one: Try) -> list[Spot]:
    return [
        spot(key)
        for key in dict.fromkeys(
            (*one.moves, *one.keeps, *one.rises, *one.falls, *one.shows, *one.same, *one.same.values())
        )
    ]


@pytest.mark.parametrize(("stem", "i"), TRIES)
def test_what_is_told_happens(stem: str, i: int, done: dict[tuple[str, int], Done]) -> None:
    assert (stem, i) in done, "this try can be done in no workbook"
    _, _, one, change = done[stem, i]
    assert not change.errors
    assert list(broken(one, change)) == []


def test_the_opposite_would_be_noticed(done: dict[tuple[str, int], Done]) -> None:
    for _, _, one, change in done.values():
        other = one._replace(
            moves=one.keeps,
            keeps=one.moves + one.rises,
            rises=one.falls,
            falls=one.rises,
            shows={key: "?" if isinstance(value, str) else value + 1 for key, value in one.shows.items()},
            same={},
        )
        promises = len(one.keeps) + len(one.moves) + 2 * len(one.rises) + len(one.falls) + len(one.shows)
        assert len(list(broken(other, change))) == promises


def broken(one: Try, change: Change) -> Iterator[str]:
    """The promises that were not kept."""
    before, after = change.before, change.after
    yield from (f"{key} stays" for key in one.moves if after[spot(key)] == before[spot(key)])
    yield from (f"{key} moves" for key in one.keeps if after[spot(key)] != before[spot(key)])
    for key, sign in [*((key, 1) for key in one.rises), *((key, -1) for key in one.falls)]:
        pairs = zip(numbers(before[spot(key)]), numbers(after[spot(key)]), strict=True)
        if not all(sign * (new - old) > 0 for old, new in pairs):
            yield f"{key} goes the other way"
    for key, wanted in one.shows.items():
        if not shown(after[spot(key)], wanted):
            yield f"{key} shows {after[spot(key)]}"
    for key, other in one.same.items():
        if not alike(after[spot(key)], after[spot(other)]):
            yield f"{key} is not {other}"


def numbers(rows: Rows) -> list[float]:
    flat = [value for row in rows for value in row]
    assert all(isinstance(value, float) for value in flat)
    return [value for value in flat if isinstance(value, float)]


def shown(rows: Rows, wanted: Scalar) -> bool:
    if isinstance(wanted, str):
        return all((value or "") == wanted and not isinstance(value, CellError) for row in rows for value in row)
    flat = [value for row in rows for value in row]
    if not all(isinstance(value, float) for value in flat):
        return False
    return flat == pytest.approx([wanted] * len(flat), rel=1e-9, abs=1e-9)


def alike(one: Rows, other: Rows) -> bool:
    if any(isinstance(value, str) for row in one for value in row):
        return one == other
    return numbers(one) == pytest.approx(numbers(other), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("stem", STEMS)
def test_a_try_says_where_and_what_and_promises_something(stem: str, done: dict[tuple[str, int], Done]) -> None:
    for (lesson_of, _), (book, _, one, _) in done.items():
        if lesson_of == stem:
            assert one.moves or one.rises or one.falls or one.shows or one.same, f"{stem}: {one.do}"
            assert all(book.plan.roles[spot(key).place] is not Role.VALUE for key in one.set)
            first = spot(next(iter(one.set)))
            box = book.layout.ranges[first.place]
            assert box.cell(max(first.row, 0), max(first.col, 0), box.tab) in says(book, one)
            assert box.tab in says(book, one)


def test_every_stage_has_something_to_try(done: dict[tuple[str, int], Done]) -> None:
    stages = {tab.lesson for made in done.values() for tab in made.book.layout.tabs if tab.group != "parameters"}
    assert {stem for stem in stages if not lesson(stem).tries} <= set(WITHOUT)
    assert not {stem for stem in WITHOUT if lesson(stem).tries}
    assert all(len(lesson(stem).tries) <= 4 for stem in stages)
