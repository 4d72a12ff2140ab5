"""`sheetgpt verify`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sheetgpt.cli.options import ENGINES, progress

OFFERED = [*ENGINES, "cached"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--engine", type=click.Choice(OFFERED), default="ironcalc", show_default=True, help="Who recalculates.")
@click.option("--format", "form", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True)
@click.option("--places", is_flag=True, help="A line for each place, not for each tab.")
@click.option("--model", metavar="NAME|DIR", help="Where the weights came from, if the model is not a bundled one.")
def verify(file: Path, engine: str, form: str, places: bool, model: str | None) -> None:
    """Check FILE, a workbook that sheetgpt made.

    Every place is recomputed by numpy and compared with what the engine computes from a copy without cached
    values; formulas, weights, names and labels are compared with the plan and the CSV files.

    Exit codes: 0 every cell equal, 1 something differs, 2 wrong call, 3 not a readable workbook of ours,
    4 nothing differs but not everything was independently checked (always so with --engine cached).
    """
    from sheetgpt.check.report import to_csv, to_json, to_text
    from sheetgpt.check.verify import verify as check

    progress(f"verifying with {engine}")
    try:
        report = check(file, engine, model)
    finally:
        progress("")
    if form == "text":
        click.echo(to_text(report, places=places))
    else:
        click.echo((to_json if form == "json" else to_csv)(report), nl=form == "json")
    sys.exit(report.exit_code)
