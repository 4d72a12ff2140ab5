"""`sheetgpt plan`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sheetgpt.cli.options import progress, workbook_options
from sheetgpt.errors import WeightError, one_line

if TYPE_CHECKING:
    from sheetgpt.build import Form, Room
    from sheetgpt.estimate import Estimate
    from sheetgpt.models.weights import Weights
    from sheetgpt.plan.live import Live
    from sheetgpt.sheet.blueprint import Card

SCHEMA = 1


@click.command()
@click.argument("prompt", required=False)
@click.option(
    "--model",
    default="fable",
    show_default=True,
    metavar="NAME|DIR",
    help="A bundled model, a model's folder, or gpt2, gpt2-medium, gpt2-large, gpt2-xl, distilgpt2 without weights.",
)
@workbook_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def plan(
    prompt: str | None,
    model: str,
    tokens: int | None,
    characters: int | None,
    word_bytes: int | None,
    fixed: bool,
    stages: str,
    core: bool,
    steps: int | None,
    dialect: str,
    compact: bool,
    form: str,
) -> None:
    """Tell what `sheetgpt build PROMPT` would give with the same options, in a few seconds and without building it.

    Cells and formulas are counted, the file's size is that of a sample scaled up, time and memory are those of two
    cores. Which programs can open it is a forecast. Exit code 2 where the file format has no room for it.
    """
    from sheetgpt.build import Form, Room
    from sheetgpt.estimate import estimate

    weights = _weights(model)
    room, parts = Room(tokens, characters, word_bytes, fixed), Form(core, steps, dialect)
    card = _card(model, weights, prompt, room, stages, parts)
    progress("estimating")
    try:
        found = estimate(card, weights, compact=compact)
    finally:
        progress("")
    if form == "json":
        click.echo(_to_json(card, found))
    else:
        click.echo("\n".join(map(one_line, _told(card, found, weights is None))))


def _weights(model: str) -> Weights | None:
    """A model's weights; None for one that is known without them. Raises `WeightError` naming those there are."""
    from sheetgpt.estimate import KNOWN
    from sheetgpt.models.weights import bundled, find_model

    if model in bundled() or Path(model).is_dir():
        return find_model(model)
    if model not in KNOWN:
        raise WeightError(f"no model {model!r}: choose {', '.join([*bundled(), *KNOWN])}, or give a model's folder")
    return None


def _card(model: str, weights: Weights | None, prompt: str | None, room: Room, stages: str, form: Form) -> Card:
    """The card of the workbook that `build` would make; raises what it raises."""
    from sheetgpt.check.inputs import CHARS_A_TOKEN, LEAST_TOKENS
    from sheetgpt.check.source import told_of
    from sheetgpt.estimate import KNOWN
    from sheetgpt.models.prompt import encode, rows_for
    from sheetgpt.plan.stages import Stages
    from sheetgpt.sheet.blueprint import Card

    config = weights.config if weights else KNOWN[model]
    part = Stages.parse(stages, config)
    fixed = room.fixed or "prompt" not in part
    if (room.characters or room.word_bytes) and fixed:
        raise click.UsageError("--characters and --word-bytes are of a workbook that takes other prompts")
    if prompt is None:
        ids = []
    elif weights:
        ids = encode(prompt, weights, weights.tokenizer())
    else:
        ids = [0] * -(-len(prompt) // CHARS_A_TOKEN)
    n_rows = rows_for(ids, room.tokens, config, 1 if fixed and prompt is not None else LEAST_TOKENS)
    live = None if fixed else _live(weights, prompt or "", n_rows, room)
    name = weights.name if weights else model
    asked, about = form.asked(part, config), told_of(weights) if weights else ()
    return Card(name, config, n_rows, live, stages=part, asked=asked, dialect=form.dialect, about=about)


def _live(weights: Weights | None, prompt: str, n_rows: int, room: Room) -> Live:
    """Room for a typed prompt."""
    from sheetgpt.check.inputs import CHARS_A_TOKEN, LEAST_BYTES, live_for
    from sheetgpt.estimate import MERGES
    from sheetgpt.models.unicode import class_ranges
    from sheetgpt.plan.live import Live

    if weights:
        return live_for(prompt, n_rows, room.characters, room.word_bytes, weights.tokenizer())
    characters = room.characters or max(len(prompt), CHARS_A_TOKEN * n_rows)
    return Live(characters, room.word_bytes or LEAST_BYTES, MERGES, len(class_ranges()))


def _to_json(card: Card, found: Estimate) -> str:
    from sheetgpt.estimate import programs

    data = {"schema": SCHEMA, "card": json.loads(card.to_json()), "cells": found.cells, **asdict(found)}
    return json.dumps(data | {"programs": [verdict._asdict() for verdict in programs(found)]}, indent=1)


def _told(card: Card, found: Estimate, drawn: bool) -> Iterator[str]:
    from sheetgpt.estimate import programs
    from sheetgpt.plan.stages import WHOLE

    live = card.live
    room = f", room for {live.n_chars} characters and words of {live.n_bytes} bytes" if live else ", for one prompt"
    part = "" if card.stages == WHOLE else f", stages {card.stages}"
    yield f"{card.model}, {card.n_rows} token rows{room}{part}"
    if drawn:
        yield "its weights are not here: sizes are those of numbers drawn at random"
    yield ""
    yield f"tabs         {found.tabs:>15,}"
    yield f"weights      {found.weights:>15,} cells"
    yield f"computed     {found.computed:>15,} cells, by {found.formulas:,} formulas"
    yield f"others       {found.others:>15,} cells"
    largest = f"{found.largest_xml / 1e6:,.1f} MB the XML of its largest tab, {found.largest_tab}"
    yield f"file         {found.size / 1e6:>15,.1f} MB, {largest}"
    yield f"build        {found.seconds:>15,.0f} s and {found.memory / 1e9:.2f} GB of memory"
    if not found.compact:
        yield f"ironcalc     {found.check_seconds:>15,.0f} s to recalculate it"
    yield ""
    for program, expected, reason in programs(found):
        yield f"{program:<14}{expected:<14}{reason}"
