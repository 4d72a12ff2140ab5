"""`sheetgpt diff`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sheetgpt.cli.options import ENGINES, progress

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("a", type=_FILE)
@click.argument("b", type=_FILE)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="How far numbers may differ, relative to them. Weights may not.",
)
@click.option("--engine", type=click.Choice(ENGINES), help="Recalculate both first.  [default: compare cached values]")
@click.option("--places", is_flag=True, help="A line for each place, not for each tab.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def diff(a: Path, b: Path, tolerance: float, engine: str | None, places: bool, form: str) -> None:
    """Compare two workbooks: formulas, weights, inputs, texts, values, names, settings, tabs.

    Two workbooks that sheetgpt made are compared in the order of the pipeline, any other two tab by tab.

    Exit codes: 0 equal, 1 something differs, 2 wrong call, 3 not a readable workbook.
    """
    from sheetgpt.check.diff import diff as compare
    from sheetgpt.check.diff_report import to_json, to_text
    from sheetgpt.check.result import CACHED

    progress(f"comparing by {engine}" if engine else "comparing")
    try:
        found = compare(a, b, tolerance, engine or CACHED)
    finally:
        progress("")
    click.echo(to_json(found) if form == "json" else to_text(found, places=places))
    sys.exit(found.exit_code)
