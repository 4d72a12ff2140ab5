"""`sheetgpt audit`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sheetgpt.cli.options import progress


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--map", "chart", required=True, metavar="NAME|FILE", help="A map that comes with sheetgpt, or a TOML file."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--cells", is_flag=True, help="List every faulty cell, not only the first of each stage.")
def audit(file: Path, chart: str, form: str, cells: bool) -> None:
    """Check FILE, a GPT workbook that others made, stage by stage.

    The map says which cells hold which place or weight. The specification is run on the workbook's own weights and
    tokens: the own gap of a stage compares it with numpy on the workbook's own inputs of that stage, the total gap
    with numpy from the tokens on. Values are those cached in the file; nothing is recalculated.

    Exit codes: 0 every mapped cell equal, 1 something differs, 2 wrong call or a map that does not fit,
    3 not a readable workbook.
    """
    from sheetgpt.check.audit import audit as check
    from sheetgpt.check.audit_report import to_json, to_text
    from sheetgpt.check.mapping import read_map

    progress("auditing")
    try:
        found = check(file, read_map(chart), each_cell=cells)
    finally:
        progress("")
    click.echo(to_text(found) if form == "text" else to_json(found))
    sys.exit(found.exit_code)
