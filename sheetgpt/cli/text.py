"""`sheetgpt generate` and `sheetgpt tokens`."""

from __future__ import annotations

from math import isfinite
from typing import Any

import click

from sheetgpt.cli.options import model_option
from sheetgpt.plan.sampling import LAST_SEED


class _Finite(click.FloatRange):
    """A range of numbers; `nan` and `inf`, which click takes, are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not isfinite(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


@click.command()
@click.argument("prompt")
@click.option("-n", "count", type=click.IntRange(min=1), default=20, show_default=True, help="Tokens to add.")
@model_option
@click.option("--temperature", type=_Finite(0), default=0.0, show_default=True, help="0: greedy.")
@click.option("--top-k", type=click.IntRange(min=0), default=0, help="Keep the K most likely tokens.  [default: all]")
@click.option(
    "--top-p",
    type=_Finite(0, 1, min_open=True),
    default=1.0,
    help="Keep the most likely tokens until their share reaches P.  [default: all]",
)
@click.option("--seed", type=click.IntRange(0, LAST_SEED), default=0, show_default=True, help="Of the random numbers.")
def generate(prompt: str, count: int, model: str, temperature: float, top_k: int, top_p: float, seed: int) -> None:
    """Continue PROMPT by up to N tokens, each time the most likely one (greedy), or one drawn by chance.

    Stops at the end of text, or when the model's context is full. The same plan that a workbook is made from,
    computed by numpy: with the same knobs its tab Sampling draws the same tokens.
    """
    from sheetgpt.generate import generate as continue_prompt
    from sheetgpt.models.weights import find_model
    from sheetgpt.plan.sampling import Knobs

    pieces = continue_prompt(find_model(model), prompt, count, Knobs(temperature, top_k, top_p, seed))
    first = next(pieces)  # a prompt that is refused is refused before anything is printed
    click.echo(prompt + first, nl=False)
    for piece in pieces:
        click.echo(piece, nl=False)
    click.echo()


@click.command()
@click.argument("prompt")
@model_option
def tokens(prompt: str, model: str) -> None:
    """Cut PROMPT into tokens: position, id from 0, id from 1 (as rows count in a spreadsheet), text, bytes."""
    from sheetgpt.models.prompt import encode
    from sheetgpt.models.weights import find_model

    weights = find_model(model)
    tokenizer = weights.tokenizer()
    ids = encode(prompt, weights, tokenizer)
    click.echo(f"{'pos':>4} {'id':>6} {'row':>6}  {'text':<14} bytes")
    for pos, token in enumerate(ids):
        data = tokenizer.decode_bytes([token]).hex(" ")
        click.echo(f"{pos:>4} {token:>6} {token + 1:>6}  {tokenizer.visible(token):<14} {data}")
