"""`sheetgpt generate` and `sheetgpt tokens`."""

from __future__ import annotations

import click

from sheetgpt.cli.options import model_option


@click.command()
@click.argument("prompt")
@click.option("-n", "count", type=click.IntRange(min=1), default=20, show_default=True, help="Tokens to add.")
@model_option
def generate(prompt: str, count: int, model: str) -> None:
    """Continue PROMPT by up to N tokens, each time the most likely one (greedy).

    Stops at the end of text, or when the model's context is full. The same plan that a workbook is made from,
    computed by numpy.
    """
    from sheetgpt.generate import generate as continue_prompt
    from sheetgpt.models.weights import find_model

    pieces = continue_prompt(find_model(model), prompt, count)
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
