"""`sheetgpt explain` and `sheetgpt engines`."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import click

from sheetgpt.cli.options import dialect_option, model_option
from sheetgpt.errors import SheetGPTError

if TYPE_CHECKING:
    from sheetgpt.sheet.blueprint import Blueprint


@click.command()
@click.argument("name")
@model_option
@click.option("--tokens", type=click.IntRange(min=1), default=6, show_default=True, help="Token rows.")
@dialect_option
def explain(name: str, model: str, tokens: int, dialect: str) -> None:
    """Tell of the place NAME, such as h0.attn.head0.pattern: shape, formula, meaning, inputs.

    TransformerLens' names (blocks.0.mlp.hook_pre) are understood too, and the number of a step, 1 to 16: its places
    in the first block.
    """
    from sheetgpt.check.inputs import live_for
    from sheetgpt.models.weights import find_model
    from sheetgpt.plan.names import STEPS
    from sheetgpt.sheet.blueprint import Blueprint, Card

    weights = find_model(model)
    n_rows = min(tokens, weights.config.n_ctx)
    live = live_for("", n_rows, None, None, weights.tokenizer()) if n_rows > 1 else None
    book = Blueprint.of(Card(weights.name, weights.config, n_rows, live, dialect=dialect))
    step = STEPS.get(int(name)) if name.isascii() and name.isdigit() else None
    for place in [f"h0.{part}" for part in step] if step else [_found(book, name)]:
        _tell(book, place)


def _found(book: Blueprint, name: str) -> str:
    """The place that is meant; raises `SheetGPTError` with those that are near."""
    from sheetgpt.plan.names import from_transformer_lens

    wanted = from_transformer_lens(name).casefold()
    if match := next((place for place in book.plan if place.casefold() == wanted), None):
        return match
    near = difflib.get_close_matches(wanted, list(book.plan), 3)
    raise SheetGPTError(f"no place {name!r}" + (f": did you mean {', '.join(near)}?" if near else ""))


def _tell(book: Blueprint, name: str) -> None:
    from sheetgpt.plan.plan import say
    from sheetgpt.sheet.slots import tab_lesson

    expr, box = book.plan[name], book.layout.ranges[name]
    formulas = book.formulas(name)
    click.echo(f"{name}  [{expr.shape[0]} x {expr.shape[1]}]  {book.plan.roles[name]}, at {box.ref}")
    words = tab_lesson(book, book.layout.tab_of(name))
    click.echo(f"  meaning  {words.meaning(name)}")
    if words.words:
        click.echo(f"  in words {words.words}")
    for shown in book.examples(name):
        each = f", one of {len(formulas):,}" if len(formulas) > 1 else ""
        click.echo(f"  formula  {shown}{each}")
    if expr.args:
        click.echo(f"  numpy    {say(expr)}")
        click.echo(f"  inputs   {', '.join(book.plan.inputs(name))}")
    readers = [other for other in book.plan if name in book.plan.inputs(other)]
    click.echo(f"  read by  {', '.join(readers) or 'nothing'}")


@click.command()
def engines() -> None:
    """List the programs that can recalculate a workbook, and how to get those that are missing."""
    from sheetgpt.engines import ENGINES

    for name, engine in ENGINES.items():
        version = engine.version()
        click.echo(f"{name:<12} {version}" if version else f"{name:<12} missing: {engine.hint()}")
