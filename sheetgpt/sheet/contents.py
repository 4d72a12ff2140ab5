"""The Contents tab: a map of the pipeline that one can click, what the model says, and a line for every tab.

A row of the map is a stage: its name, its light, a box for each of its tabs, and a link for each of its heads. Models
of many blocks have many rows, and nothing else changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, NamedTuple

from numpy.typing import NDArray

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.checks import ALL, AT
from sheetgpt.plan.live import NO_ANSWER
from sheetgpt.plan.names import STEPS
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.atoms import formula, known, link, text
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.cells import Cell, Style
from sheetgpt.sheet.layout import HEAD, Range, Tab
from sheetgpt.sheet.lessons import tables

Env = Mapping[str, NDArray[Any]]
NAME, LIGHT, FIRST, PITCH = 0, 1, 2, 2  # columns: a stage, its light, its first box, from one box to the next
BOXES = 5  # at most, in a row
HEADS = FIRST + PITCH * BOXES  # column of the first head
BANNER = HEADS - LIGHT - 1  # columns over which the light of all checks is coloured
_TOP = 6  # rows from the answer to the map
_FAR = 20  # rows from the last line for readers to that for the program
_STAGES = {  # which stage a tab belongs to, by its lesson; the tabs of blocks say it themselves
    **dict.fromkeys(("prompt", "prompt_fixed", "characters", "words", "merges", "tokens", "tokens_fixed"), "prompt"),
    **dict.fromkeys(("prompt_slice", "tokens_slice", "input"), "given"),
    **{"embedding": "embed", "ln_f": "ln_f", "logits": "logits", "next": "next"},
}
_SAID = {
    "given": "what goes in",
    "prompt": "text to tokens",
    "embed": "tokens to numbers",
    "ln_f": "the last row",
    "logits": "numbers to scores",
    "next": "scores to text",
}
_COLOURS = {
    Style.PARAMETER: "learned",
    Style.INPUT: "given, or typed",
    Style.STEP: "worked out on the way",
    Style.VALUE: "handed on",
}
_KINDS = {
    "core": "The model, step by step",
    "bonus": "More to see and to play with",
    "help": "Checks and words",
    "data": "Weights and tables",
}


class Row(NamedTuple):
    """A row of the map; without a stage it is an arrow to the next one."""

    stage: str = ""
    tabs: tuple[Tab, ...] = ()


def stage_of(tab: Tab) -> str:
    """The stage that a tab shows; empty for tabs that belong to none."""
    in_block = tab.block is not None and tab.group == "stage"
    return f"h{tab.block}" if in_block else _STAGES.get(tab.lesson, "")


def kind_of(tab: Tab) -> str:
    """Whether a tab is core, bonus, help or data."""
    if tab.group == "parameters":
        return "data"
    return "core" if stage_of(tab) else "help" if tab.lesson in ("check", "glossary") else "bonus"


def shown(plan: Plan) -> set[str]:
    """Places whose values stand on the map."""
    names = {ALL, "prompt.text", "prompt.n", "next.text", "top.prob"}
    lights = {name for name in plan if name.startswith(f"{AT}.") and name.endswith(".light") and name.count(".") == 2}
    return (names | lights) & set(plan)


class _Rows(NamedTuple):
    """Where the tables below the map begin, their headings included."""

    legend: int
    facts: int
    reading: int
    tabs: int
    card: int


def _rows(book: Blueprint) -> _Rows:
    legend = HEAD + _TOP + len(_map(book)) + 1
    reading = legend + 2 + len(_facts(book)) + 1
    tabs = reading + len(tables("contents")["reading"]) + 2
    kinds = Counter(kind_of(tab) for tab in book.layout.tabs[1:])
    return _Rows(legend, legend + 2, reading, tabs, tabs + sum(kinds.values()) + 2 * len(kinds) + _FAR)


def card_row(book: Blueprint) -> int:
    """The row in which the card stands."""
    return _rows(book).card


class Contents(NamedTuple):
    """The body of the tab."""

    cells: list[Cell]
    lights: list[Range]


def contents(book: Blueprint, env: Env, title: Callable[[Tab], str]) -> Contents:
    """What stands below the head; `title` says what a tab shows."""
    tab = book.layout.tabs[0].name
    lights = [Range("", tab, HEAD - 1, LIGHT, 1, BANNER)]
    cells = [text(HEAD - 1, NAME, "Checks", Style.HEADING), _shows(book, env, HEAD - 1, LIGHT, ALL, ALL, Style.LIGHT)]
    cells += _answer(book, env, HEAD)
    for r, row in enumerate(_map(book), HEAD + _TOP):
        cells += _drawn(book, env, r, row)
        lights += [Range("", tab, r, LIGHT, 1, 1)] if f"{AT}.{row.stage}.light" in book.plan else []
    rows = _rows(book)
    cells += _legend(rows.legend)
    for r, fact in enumerate(_facts(book), rows.facts):
        cells += [text(r, c, words) for c, words in zip((NAME, LIGHT), fact, strict=True)]
    cells += _reading(book, rows.reading)
    cells += _list(book, rows.tabs, title)
    card = (
        text(rows.card, NAME, "For sheetgpt verify", Style.FINE),
        text(rows.card, LIGHT, book.card.to_json(), Style.FINE),
    )
    return Contents([*cells, *card], lights)


# ---- what goes in and what comes out -----------------------------------------------------------------------


def _answer(book: Blueprint, env: Env, row: int) -> Iterator[Cell]:
    """The prompt and the next token; below them the whole model in four boxes."""
    yield text(row, NAME, "Prompt", Style.HEADING)
    yield _prompt(book, env, row, LIGHT, Style.SHOWN)
    if "next.text" in book.plan:
        yield text(row + 1, NAME, "Next token", Style.HEADING)
        yield _or_none(book, env, row + 1, LIGHT, NO_ANSWER, "next.text", Style.ANSWER)
        best = book.layout.ranges["top.prob"].cell(0, 0, "Contents")
        yield _shows(book, env, row + 1, FIRST, "top.prob", best, Style.CHANCE)
        yield _or_none(book, env, row + 1, FIRST + 1, "see the tab Prompt", "", Style.NOTE, "is its probability")
    yield text(row + 3, NAME, "In short", Style.HEADING)
    for k, (words, name, body, value) in enumerate(_short(book, env)):
        col = FIRST + PITCH * k
        yield link(row + 3, col, words, book.layout.tab_of(name), Style.BOX)
        note = formula(row + 4, col, body, Style.BOX_NOTE, value)
        note = _or_none(book, env, row + 4, col, NO_ANSWER, name, Style.BOX_NOTE) if name == "next.text" else note
        yield _prompt(book, env, row + 4, col, Style.BOX_NOTE) if name == "prompt.text" else note
        if k:
            yield text(row + 3, col - 1, "→", Style.ARROW)


def _prompt(book: Blueprint, env: Env, row: int, col: int, style: Style) -> Cell:
    """The prompt; where no other can be typed a text, since LibreOffice's formulas change some tabs in texts."""
    if book.card.live is None:
        return text(row, col, str(env["prompt.text"][0, 0]), style)
    return _shows(book, env, row, col, "prompt.text", 'prompt.text&""', style)


def _short(book: Blueprint, env: Env) -> Iterator[tuple[str, str, str, object]]:
    """The boxes of the model in short: what it is then, a place of it, a formula that shows some of it, its value."""
    plan, n = book.plan, _value(book, env, "prompt.n")
    yield "text", "prompt.text", 'prompt.text&""', _value(book, env, "prompt.text")
    yield "tokens", "prompt.tokens", 'prompt.n&" tokens"', None if n is None else f"{n:.0f} tokens"
    if stream := [name for name in plan if name in ("embed.out", "ln_f.out") or name.endswith(".resid_post")]:
        rows, cols = plan[stream[0]].shape
        body = f'ROWS({stream[0]})&" rows of "&COLUMNS({stream[0]})'
        yield "numbers", stream[0], body, f"{rows} rows of {cols}"
    if "next.text" in plan:
        yield "text", "next.text", 'next.text&""', _value(book, env, "next.text")


def _or_none(
    book: Blueprint, env: Env, row: int, col: int, none: str, name: str, style: Style, words: str = ""
) -> Cell:
    """A cell that shows a place, or `words`, where the prompt has an answer, else `none`."""
    value = _value(book, env, name) if name else words
    if book.card.live is None:
        return _shows(book, env, row, col, name, name, style) if name else text(row, col, words, style)
    n = _value(book, env, "prompt.n")
    shown = f'{name}&""' if name else f'"{words}"'
    return formula(row, col, f'IF(prompt.n<1,"{none}",{shown})', style, None if n is None else none if n < 1 else value)


def _shows(book: Blueprint, env: Env, row: int, col: int, name: str, body: str, style: Style) -> Cell:
    """A cell that shows the first value of a place."""
    return formula(row, col, body, style, _value(book, env, name))


def _value(book: Blueprint, env: Env, name: str) -> Any:
    """The first value of a place; None where nobody knows it, or it is an error."""
    value = known(book, name, env[name][0, 0])
    right = isinstance(value, str) if name in book.plan.text else isinstance(value, float) and isfinite(value)
    return value if right else None


# ---- the map -----------------------------------------------------------------------------------------------


def _map(book: Blueprint) -> list[Row]:
    """The rows of the map, headings first; arrows between all but the blocks, which follow each other."""
    tabs: dict[str, list[Tab]] = {}
    for tab in book.layout.tabs:
        tabs.setdefault(stage_of(tab), []).append(tab)
    stages = [stage for stage in ("given", *book.card.stages.among(book.card.config)) if stage in tabs]
    rows = [Row()]
    for k, stage in enumerate(stages):
        between = tabs[stages[k - 1]][0].block is None or tabs[stage][0].block is None
        rows += [Row()] * (k > 0 and between) + [Row(stage, tuple(tabs[stage]))]
    return rows


def _drawn(book: Blueprint, env: Env, row: int, drawn: Row) -> Iterator[Cell]:
    """The cells of one row."""
    if not drawn.stage:
        first = row == HEAD + _TOP
        yield from _headings(book, row) if first else [text(row, NAME, "↓", Style.ARROW)]
        return
    yield link(row, NAME, f"{drawn.stage}: {_said(drawn.stage, book.card.config)}", drawn.tabs[0], Style.STAGE)
    light = f"{AT}.{drawn.stage}.light"
    if light in book.plan:
        yield _shows(book, env, row, LIGHT, light, light, Style.LIGHT)
    for k, tab in enumerate(drawn.tabs):
        col = FIRST + PITCH * k
        yield link(row, col, f"{tab.name}{_steps(book, tab)}", tab, Style.BOX)
        if k:
            yield text(row, col - 1, "→", Style.ARROW)
    for j in range(book.card.config.n_head):
        if (pattern := f"{drawn.stage}.attn.head{j}.pattern") in book.plan:
            box = book.layout.ranges[pattern]
            to = book.layout.tab_of(pattern)
            yield link(row, HEADS + j, str(j), to, Style.BOX, a1(box.row, box.col))


def _legend(row: int) -> Iterator[Cell]:
    """What the colours mean."""
    yield text(row, NAME, "Colours of numbers", Style.HEADING)
    for k, (style, words) in enumerate(_COLOURS.items()):
        yield text(row, FIRST + PITCH * k, words, style)


def _headings(book: Blueprint, row: int) -> Iterator[Cell]:
    yield text(row, NAME, "Stage", Style.HEADING)
    yield text(row, LIGHT, "Light", Style.HEADING)
    yield text(row, FIRST, "Click a box: it leads to its tab", Style.HEADING)
    if any(name.endswith(".head0.pattern") for name in book.plan):
        yield text(row, HEADS, "Heads", Style.HEADING)


def _said(stage: str, config: ModelConfig) -> str:
    return _SAID.get(stage) or f"block {int(stage[1:]) + 1} of {config.n_layer}"


def _steps(book: Blueprint, tab: Tab) -> str:
    """Which of a block's sixteen steps a tab shows, in brackets."""
    on = {name for band in tab.bands for name in band.names}
    steps = [step for step, parts in STEPS.items() if any(f"h{tab.block}.{part}" in on for part in parts)]
    return f" ({steps[0]}-{steps[-1]})" if steps and stage_of(tab) else ""


# ---- below the map -----------------------------------------------------------------------------------------


def _facts(book: Blueprint) -> list[tuple[str, str]]:
    c = book.card.config
    told = [(("Model", "From its folder")[r > 0], line) for r, line in enumerate(book.card.about)]
    return [
        *told,
        ("Blocks", f"{c.n_layer} blocks of {c.n_head} heads, {c.d_head} numbers wide each"),
        ("Width", f"{c.n_embd} numbers for each token; {c.d_mlp} inside the MLP"),
        ("Vocabulary", f"{c.n_vocab} tokens; the model sees at most {c.n_ctx} at once"),
        ("Learned", f"{c.n_weights:,} numbers; the head is {'wte again' if c.tied else 'a matrix of its own'}"),
        *_blank_facts(book),
    ]


def _reading(book: Blueprint, row: int) -> Iterator[Cell]:
    """How to read a tab: names, formulas and shapes."""
    yield text(row, NAME, "How to read a tab", Style.HEADING)
    yield link(row, LIGHT, "Glossary", next(tab for tab in book.layout.tabs if tab.lesson == "glossary"))
    for r, entry in enumerate(tables("contents")["reading"], row + 1):
        yield text(r, NAME, entry["name"])
        yield text(r, LIGHT, entry["means"])


def _blank_facts(book: Blueprint) -> list[tuple[str, str]]:
    """What a student is to do, where places are blank."""
    if not book.card.blank:
        return []
    boxes = [book.layout.ranges[name] for name in book.card.blank]
    todo = [("", f"{box.name} on the tab {box.tab}, from {a1(box.row, box.col)} on") for box in boxes]
    return [("To fill in", f"yellow cells with a border: formulas for {len(boxes)} places"), *todo]


def _list(book: Blueprint, row: int, title: Callable[[Tab], str]) -> Iterator[Cell]:
    """Every tab and what it shows, by what it is to the reader."""
    for kind, words in _KINDS.items():
        tabs = [tab for tab in book.layout.tabs[1:] if kind_of(tab) == kind]
        if not tabs:
            continue
        yield text(row, NAME, words, Style.HEADING)
        for r, tab in enumerate(tabs, row + 1):
            yield link(r, NAME, tab.name, tab)
            yield text(r, LIGHT, kind)
            yield text(r, FIRST, title(tab))
        row += len(tabs) + 2
