"""What stands above the numbers of every tab: what it is, where we are, what it does and why, and what to try."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sheetgpt.plan.names import STEPS, step_of
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.blueprint import Blueprint, Planned
from sheetgpt.sheet.cells import Cell, Kind, Style
from sheetgpt.sheet.labels import unit_of
from sheetgpt.sheet.layout import Tab
from sheetgpt.sheet.lessons import Lesson, Try

LINKS = 1  # the row of the links
_COLUMN = 8  # characters that fit a column of the usual width
_MOST = 8  # places that a line of shapes names
SPOT = re.compile(r"([^\[]+)(?:\[(\d+),(\d+)\])?")  # a place, or a cell of one
PARTS = ("text becomes tokens", "tokens become numbers", "the numbers are worked on", "numbers become text")
_PART_OF = {
    **dict.fromkeys(("prompt", "characters", "words", "merges", "tokens"), 1),
    **dict.fromkeys(("prompt_fixed", "tokens_fixed", "prompt_slice", "tokens_slice"), 1),
    "embedding": 2,
    **dict.fromkeys(("ln_f", "logits", "next"), 4),
}
_UNITS = {"prompt.tokens": "tokens", "words.text": "words", "chars.text": "characters"}


class ParameterFact(NamedTuple):
    """Of a matrix: where it came from and how to know it again."""

    name: str
    file: str
    file_sha256: str
    numbers_sha256: str


def head(book: Blueprint, tab: Tab, words: Lesson, facts: Mapping[str, ParameterFact]) -> Iterator[Cell]:
    """The head of a tab, as long as `layout.head_rows` says."""
    lines = _parameter_lines(book, tab, words, facts) if tab.group == "parameters" else _lines(book, tab, words)
    wanted = [("weights: " + t.name, t) for t in _weights_of(book, tab)]
    wanted += [("read by: " + t.name, t) for t in _readers_of(book, tab)]
    yield from said(words.title, neighbours(book.layout.tabs, tab) + wanted, lines)


def said(title: str, wanted: Iterable[tuple[str, Tab]], lines: Iterable[tuple[str, str, Style]]) -> Iterator[Cell]:
    """A title, links with their words, and lines with what they are about; a line without text is left out."""
    yield Cell(0, 0, Kind.TEXT, title, Style.TITLE)
    yield from links(wanted)
    for row, (label, text, style) in enumerate(lines, LINKS + 1):
        if text:
            yield Cell(row, 0, Kind.TEXT, label, Style.ASIDE)
            yield Cell(row, 1, Kind.TEXT, text, style)


def _lines(book: Blueprint, tab: Tab, words: Lesson) -> Iterator[tuple[str, str, Style]]:
    yield "Where", where(book, tab), Style.WHERE
    yield "What", words.what, Style.WHAT
    yield "Why", words.why, Style.WHY
    yield "In words", words.words, Style.WORDS
    yield "Shapes", shapes(book, tab), Style.WHERE
    yield "Try this", "\n".join(f"• {told(book, one)}" for one in words.tries), Style.TRY


def _parameter_lines(
    book: Blueprint, tab: Tab, words: Lesson, facts: Mapping[str, ParameterFact]
) -> Iterator[tuple[str, str, Style]]:
    yield "What", words.what, Style.WHAT
    yield "Why", words.why, Style.WHY
    fact = facts.get(tab.name)
    yield "Source", source(book, fact) if fact else "", Style.WHERE


def told(book: Planned, one: Try) -> str:
    """A try as one line, with the cell to be changed even where its words do not name it."""
    where = address(book, next(iter(one.set)))
    return f"{one.do} → {one.see}" if where in one.do else f"{one.do} ({where}) → {one.see}"


def address(book: Planned, spot: str) -> str:
    """Where a place or a cell of one stands. Example: `wpe[0,3]` -> `E7 on the tab wpe`; raises `KeyError`."""
    match = SPOT.fullmatch(spot)
    assert match is not None
    box = book.layout.ranges[match[1]]
    if match[2] is None:
        return f"{span(*box.area)} on the tab {box.tab}"
    row, col = int(match[2]), int(match[3])
    if row >= box.rows or col >= box.cols:
        raise KeyError(spot)
    return f"{a1(box.row + row, box.col + col)} on the tab {box.tab}"


def span(r0: int, c0: int, r1: int, c1: int) -> str:
    """Example: `B7:BM22`, or `B7`."""
    return a1(r0, c0) + (f":{a1(r1, c1)}" if (r0, c0) != (r1, c1) else "")


def source(book: Blueprint, fact: ParameterFact) -> str:
    """Where a matrix came from. Example: `model_wpe.csv, 64 x 48, SHA-256 52aa...`."""
    return f"{fact.file}, {shape_of(book, fact.name)}, SHA-256 {fact.file_sha256}"


def shape_of(book: Planned, name: str) -> str:
    """Rows and columns of a place. Example: `16 x 48`."""
    rows, cols = book.plan[name].shape
    return f"{rows} x {cols}"


# ---- where we are ----------------------------------------------------------------------------------------


def where(book: Blueprint, tab: Tab) -> str:
    """Which part of the pipeline, which block, which of its steps, which tab.

    Example: `Part 3 of 4: the numbers are worked on · block 2 of 4 (h1 in names, which count from 0) · steps 4 to 10
    of 16 · tab 9 of 24`.
    """
    part = 3 if tab.block is not None else _PART_OF.get(tab.lesson)
    said = [f"Part {part} of {len(PARTS)}: {PARTS[part - 1]}"] if part else []
    if tab.block is not None:
        said.append(f"block {tab.block + 1} of {book.card.config.n_layer} (h{tab.block} in names, which count from 0)")
    said += [f"{steps} of {len(STEPS)}"] if (steps := steps_of(tab)) else []
    tabs = [other for other in book.layout.tabs if other.group != "parameters"]
    return " · ".join([*said, f"tab {tabs.index(tab) + 1} of {len(tabs)}"])


def steps_of(tab: Tab) -> str:
    """The steps of a block that a tab shows. Example: `steps 4 to 10`; empty where it shows none."""
    steps = sorted({step for band in tab.bands for name in band.names if (step := step_of(name))})
    if not steps:
        return ""
    joint = "and" if len(steps) == 2 else "to"
    return f"steps {steps[0]} {joint} {steps[-1]}" if len(steps) > 1 else f"step {steps[0]}"


# ---- what goes in and out --------------------------------------------------------------------------------


def shapes(book: Blueprint, tab: Tab) -> str:
    """The places that a tab reads from other tabs and those that it hands on, rows x columns."""
    here = [name for band in tab.bands for name in band.names]
    read = dict.fromkeys(name for place in here for name in book.plan.inputs(place))
    away = [name for name in read if book.layout.ranges[name].tab != tab.name]
    weights = [name for name in away if book.plan.roles[name] is Role.PARAMETER]
    rows = [
        ("in", [name for name in away if name not in weights]),
        ("weights", weights),
        ("out", _handed_on(book, tab, here)),
    ]
    if tab.lesson == "check":  # it reads everything
        return ""
    return "   ".join(f"{what}: {_listed(book, names)}" for what, names in rows if names)


def _handed_on(book: Blueprint, tab: Tab, here: list[str]) -> list[str]:
    elsewhere = (other for other in book.layout.tabs if other != tab and other.lesson != "check")
    wanted = {i for other in elsewhere for band in other.bands for name in band.names for i in book.plan.inputs(name)}
    return [name for name in here if name in wanted and name in book.plan]


def _listed(book: Blueprint, names: list[str]) -> str:
    said = [f"{name} [{_measured(book, name)}]" for name in names[:_MOST]]
    return ", ".join(said) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")


def _measured(book: Blueprint, name: str) -> str:
    """Example: `16 tokens x 48`."""
    rows, cols = book.plan[name].shape
    unit = unit_of(name) if rows > 1 and book.plan[name].args else ""
    return f"{rows} {unit} x {cols}" if unit else f"{rows} x {cols}"


# ---- the way to other tabs -------------------------------------------------------------------------------


def neighbours(tabs: Sequence[Tab], tab: Tab) -> list[tuple[str, Tab]]:
    """The way back to Contents, to the tab before and to the one after."""
    i = tabs.index(tab)
    wanted = [("Contents", tabs[0])] if i else []
    wanted += [("← " + tabs[i - 1].name, tabs[i - 1])] if i > 1 else []
    wanted += [("→ " + tabs[i + 1].name, tabs[i + 1])] if i + 1 < len(tabs) else []
    return wanted


def links(wanted: Iterable[tuple[str, Tab]]) -> Iterator[Cell]:
    """Links side by side, each with room for its words."""
    col = 0
    for text, to in wanted:
        yield Cell(LINKS, col, Kind.LINK, text, Style.LINK, target=to.name)
        col += 1 if col == 0 else 1 + len(text) // _COLUMN


def _weights_of(book: Blueprint, tab: Tab) -> list[Tab]:
    """Parameter tabs that the formulas of a stage tab read; the checks read all."""
    if tab.lesson == "check" or tab.group == "parameters":
        return []
    read = {i for band in tab.bands for name in band.names for i in book.plan.inputs(name)}
    return _tabs_of(book, [name for name in read if book.plan.roles[name] is Role.PARAMETER])


def _readers_of(book: Blueprint, tab: Tab) -> list[Tab]:
    """Stage tabs whose formulas read a parameter tab."""
    if tab.group != "parameters":
        return []
    here = {name for band in tab.bands for name in band.names}
    read = [name for name in book.plan if here.intersection(book.plan.inputs(name))]
    return [t for t in _tabs_of(book, read) if t.lesson != "check" and t != tab]


def _tabs_of(book: Blueprint, names: list[str]) -> list[Tab]:
    """The tabs on which places stand, each once, in order."""
    tabs = {book.layout.ranges[name].tab for name in names}
    return [t for t in book.layout.tabs if t.name in tabs]
