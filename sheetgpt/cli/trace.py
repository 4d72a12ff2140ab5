"""`sheetgpt trace`."""

from __future__ import annotations

from pathlib import Path

import click

from sheetgpt.cli.options import ENGINES, progress


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("cell")
@click.option("--depth", type=click.IntRange(0, 50), default=2, show_default=True, help="Formulas that are followed.")
@click.option(
    "--engine", type=click.Choice([*ENGINES, "cached"]), default="ironcalc", show_default=True, help="Who computes."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def trace(file: Path, cell: str, depth: int, engine: str, form: str) -> None:
    """Tell what CELL of FILE is computed from, with values, and what that is computed from.

    sheetgpt trace book.xlsx "'h0 mlp'!B12"

    sheetgpt trace book.xlsx "h0.attn.head1.pattern[5,0]" --depth 3

    A place's cells are counted from 0. Of several cells that a formula reads the first values are told, and how the
    first one is computed. Works on any .xlsx workbook. Exit codes: 0 told, 2 no such cell, 3 not a readable workbook.
    """
    from sheetgpt.check import trace_report
    from sheetgpt.check.trace import trace as traced

    progress(f"computing with {engine}")
    try:
        found = traced(file, cell, engine, depth)
    finally:
        progress("")
    click.echo(trace_report.to_json(found) if form == "json" else trace_report.to_text(found))
