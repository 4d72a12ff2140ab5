"""`sheetgpt recalc`."""

from __future__ import annotations

from pathlib import Path

import click

from sheetgpt.cli.options import ENGINES, progress
from sheetgpt.errors import one_line


def _pairs(_: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    if lone := [text for text in given if "=" not in text]:
        raise click.BadParameter(f"{lone[0]!r} is not NAME=VALUE", param=option)
    pairs = [text.partition("=") for text in given]
    names = [name.strip().casefold() for name, _, _ in pairs]
    if not all(names) or len(set(names)) < len(names):
        raise click.BadParameter("each NAME is given once", param=option)
    return {name: value for name, _, value in pairs}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", callback=_pairs, help="Type VALUE into the cell NAME."
)
@click.option("--engine", type=click.Choice(ENGINES), default="libreoffice", show_default=True, help="Who computes.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The file to write; may be FILE.")
def recalc(file: Path, settings: dict[str, str], engine: str, output: Path) -> None:
    """Type values into cells of FILE and compute every formula anew, as a spreadsheet would.

    sheetgpt recalc book.xlsx --set prompt.text="Once upon a time" -o other.xlsx

    NAME is a defined name of one cell that is no formula. Text stays text, also "=1+1". What is written is FILE with
    those cells and the formulas' results changed, and nothing else.
    """
    from sheetgpt.recalc import recalc as recalculate

    progress(f"recalculating with {engine}")
    try:
        done = recalculate(file, settings, output, engine)
    finally:
        progress("")
    click.echo(f"{one_line(output)}  ({done.cells:,} cells computed by {done.engine})")
    for name, value in done.told.items():
        if value or name != "prompt.problem":
            click.echo(f"{name:<14}  {repr(value or '') if type(value) in (str, type(None)) else value}")
