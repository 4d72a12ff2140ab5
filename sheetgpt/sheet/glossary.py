"""The Glossary tab: words and where to see them, the sixteen steps, names in other tools, sizes of other models."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.names import HOOKS, STEPS, from_transformer_lens
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.atoms import formula, link, number, text
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.cells import Cell, Style
from sheetgpt.sheet.layout import HEAD
from sheetgpt.sheet.lessons import tables

TERM, MEANS, WHERE = 0, 1, 7  # columns
_SIZES = ("Model", "Blocks", "Heads", "Width", "Vocabulary", "Context", "Learned numbers")


def glossary(book: Blueprint) -> Iterator[Cell]:
    """What stands below the head: five tables, one below the other."""
    data = tables("glossary")
    at = next((f"h{i}" for i in range(book.card.config.n_layer) if f"h{i}" in book.card.stages), "h0")
    row = HEAD
    terms = [(entry["term"], entry["means"], entry.get("place", "").replace("h#", at)) for entry in data["terms"]]
    row = yield from _table(book, row, ("Word", "What it means", "See"), terms)
    steps = [(f"Step {step}", ", ".join(f"{at}.{part}" for part in parts), f"{at}.{parts[0]}") for step, parts in
             STEPS.items()]  # fmt: skip
    row = yield from _table(book, row, ("Step of a block", "Our names, in the first block that is here", "See"), steps)
    theirs = [hook.replace("#", at[1:]) for hook, _ in HOOKS]
    names = [(hook, from_transformer_lens(hook), from_transformer_lens(hook)) for hook in theirs]
    row = yield from _table(book, row, ("In TransformerLens", _HOOKS_SAID, "See"), names)
    row = yield from _sizes(book, row, data["sizes"])
    since = [(entry["part"], entry["means"], "") for entry in data["since"]]
    yield from _table(book, row, ("Since GPT-2", "What newer models do", ""), since)


_HOOKS_SAID = "Our name; head 0 stands for all. That tool changes weights as it loads them, unless told not to"


def _table(
    book: Blueprint, row: int, headings: tuple[str, str, str], lines: list[tuple[str, str, str]]
) -> Generator[Cell, None, int]:
    """Lines of a word, what is said of it, and a place to see it; returns the row of the next table."""
    yield from (text(row, col, words, Style.HEADING) for col, words in zip((TERM, MEANS, WHERE), headings, strict=True))
    for r, (word, said, place) in enumerate(lines, row + 1):
        yield text(r, TERM, word, Style.NAME)
        yield text(r, MEANS, said)
        if place in book.plan:
            box = book.layout.ranges[place]
            yield link(r, WHERE, place, book.layout.tab_of(place), at=a1(box.row, box.col))
    return row + len(lines) + 2


def _sizes(book: Blueprint, row: int, sizes: list[dict[str, Any]]) -> Generator[Cell, None, int]:
    """The sizes of models, their learned numbers by formula; this workbook's own model comes first."""
    yield from (text(row, col, words, Style.HEADING) for col, words in enumerate(_SIZES))
    own = book.card.config
    models = [(book.card.model, own)] + [(entry["name"], _config(*entry["sizes"])) for entry in sizes]
    for r, (name, c) in enumerate(models, row + 1):
        yield text(r, TERM, name, Style.NAME)
        for col, size in enumerate((c.n_layer, c.n_head, c.n_embd, c.n_vocab, c.n_ctx), MEANS):
            yield number(r, col, size, Style.COUNT)
        yield formula(r, MEANS + 5, _learned(r + 1, c), Style.TOTAL, c.n_weights)
    return row + len(models) + 2


def _config(blocks: int, heads: int, width: int, vocabulary: int, context: int) -> ModelConfig:
    return ModelConfig(vocabulary, context, width, heads, blocks)


def _learned(row: int, c: ModelConfig) -> str:
    """Tokens and positions, the matrices and vectors of each block, the last layer norm; a head of its own."""
    blocks, width, vocabulary, context = (f"{column}{row}" for column in "BDEF")
    wide = f"{c.d_mlp}" if c.n_inner else f"4*{width}"
    a_block = f"4*{width}^2+2*{width}*{wide}+9*{width}+{wide}"
    head = "" if c.tied else f"+{vocabulary}*{width}"
    return f"{vocabulary}*{width}+{context}*{width}+{blocks}*({a_block})+2*{width}{head}"
