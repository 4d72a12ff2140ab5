"""`sheetgpt near` and `sheetgpt analogy`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sheetgpt.cli.options import model_option

if TYPE_CHECKING:
    from sheetgpt.models.nearest import Candidate, Nearest

_format = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.command()
@click.argument("word")
@model_option
@click.option("-k", "size", type=click.IntRange(min=1), default=10, show_default=True, help="How many other tokens.")
@_format
def near(word: str, model: str, size: int, form: str) -> None:
    """Tell the tokens nearest to WORD in the model's embedding, by cosine and by distance.

    WORD is exactly one token; most begin with a space, which may be typed as ␣: `sheetgpt near ␣girl`. The token itself
    comes first, with rank 0, and of equals the one with the lower id. Exit code 2 for what is not one token.
    """
    from sheetgpt.models.nearest import near as nearest_to
    from sheetgpt.models.weights import find_model

    found = nearest_to(find_model(model), word, size)
    _tell(found, f"{found.given[0]} in the embedding of {found.model}", form)


@click.command()
@click.argument("a")
@click.argument("b")
@click.argument("c")
@model_option
@click.option("-k", "size", type=click.IntRange(min=1), default=5, show_default=True, help="How many other tokens.")
@_format
def analogy(a: str, b: str, c: str, model: str, size: int, form: str) -> None:
    """Tell which token is to C as B is to A: the nearest to B - A + C in the model's embedding.

    Each is exactly one token (␣ is a space): `sheetgpt analogy ␣boy ␣girl ␣he`. The three may be among the nearest
    themselves and are marked; three more are listed than K. Exit code 2 for what is not one token.
    """
    from sheetgpt.models.nearest import analogy as solved
    from sheetgpt.models.weights import find_model

    found = solved(find_model(model), a, b, c, size)
    one, other, third = found.given
    _tell(found, f"{one} is to {other} as {third} is to ...? in the embedding of {found.model}", form)


def _tell(found: Nearest, title: str, form: str) -> None:
    if form == "json":
        click.echo(json.dumps(asdict(found), ensure_ascii=False))
        return
    click.echo(title)
    for how, listed in (("by cosine", found.by_cosine), ("by distance", found.by_distance)):
        wide = max(len(one.text) for one in listed)
        click.echo(f"\n{how}\n{'rank':>4} {'id':>6}  {'token':{wide}}  cosine  distance")
        for one in listed:
            click.echo(_line(one, wide))
    lowest = "" if found.lowest is None else f"; the lowest is {found.lowest:.3f}"
    click.echo(f"\n{found.below_0:.1%} of all tokens have a cosine below 0{lowest}")


def _line(one: Candidate, wide: int) -> str:
    cosine = "" if one.cosine is None else f"{one.cosine:.3f}"
    line = f"{one.rank:>4} {one.id:>6}  {one.text:{wide}}  {cosine:>6}  {one.distance:>8.3f}"
    return line + "  given" * one.given
