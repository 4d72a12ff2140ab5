"""`sheetgpt tour`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sheetgpt.cli.options import ENGINES, progress
from sheetgpt.errors import SheetGPTError, one_line

if TYPE_CHECKING:
    from sheetgpt.check.tour import Tour
    from sheetgpt.sheet.layout import Tab


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--stage", "stages", multiple=True, metavar="S", help="Only this tab: its name or number, or a place.")
@click.option(
    "--engine", type=click.Choice([*ENGINES, "cached"]), default="ironcalc", show_default=True, help="Who computes."
)
@click.option("--model", metavar="NAME|DIR", help="Where the weights came from, if the model is not a bundled one.")
@click.option("--no-pause", is_flag=True, help="Do not wait for Enter between the stages.")
def tour(file: Path, stages: tuple[str, ...], engine: str, model: str | None, no_pause: bool) -> None:
    """Walk through FILE, a workbook that sheetgpt made, stage by stage: the lesson, in the terminal.

    Each stage tells what it does and why, and of each of its places the formula, an excerpt of what the sheet computes,
    and what numpy computes from the same inputs; ! marks what differs. Tabs of weights are shown if they are asked for.

    On a terminal Enter goes on, q ends, a number or a name jumps there. The whole workbook is checked, and exit codes
    are those of verify: 0 every cell equal, 1 something differs, 2 wrong call, 3 not a readable workbook of ours,
    4 nothing differs but not everything was independently checked (always so with --engine cached).
    """
    from sheetgpt.check.tour import Tour
    from sheetgpt.check.tour_report import foot, head

    progress(f"computing with {engine}")
    try:
        found = Tour.of(file, engine, model)
    finally:
        progress("")
    chosen = [found.tab(stage) for stage in stages] or found.stages
    click.echo(head(found))
    _print(found, chosen) if no_pause or not _on_terminal() else _walk(found, chosen)
    click.echo("\n" + foot(found))
    sys.exit(found.report.exit_code)


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _print(found: Tour, tabs: list[Tab]) -> None:
    for tab in tabs:
        _show(found, tab)


def _walk(found: Tour, tabs: list[Tab]) -> None:
    """Show a tab, wait, go where the reader says."""
    at = 0
    while at < len(tabs):
        _show(found, tabs[at])
        asked = _asked(f"Enter: {tabs[at + 1].name if at + 1 < len(tabs) else 'the end'}, b: back, q: quit, or a stage")
        if asked in ("q", None):
            return
        if asked == "b":
            at = max(at - 1, 0)
        elif not asked:
            at += 1
        elif there := _meant(found, asked):
            tabs = tabs if there in tabs else sorted([*tabs, there], key=found.tabs.index)
            at = tabs.index(there)


def _show(found: Tour, tab: Tab) -> None:
    from sheetgpt.check.tour_report import WIDTH, to_text

    width = min(shutil.get_terminal_size((WIDTH, 24)).columns, 120) if sys.stdout.isatty() else WIDTH
    title, _, rest = to_text(found, found.step(tab), max(width, 40)).partition("\n")
    click.echo("\n" + click.style(title, bold=True) + "\n" + rest)


def _asked(question: str) -> str | None:
    """What the reader types; None at the end of what there is to read."""
    try:
        return click.prompt(f"\n({question})", default="", show_default=False, prompt_suffix=" ").strip()
    except click.Abort:
        click.echo()
        return None


def _meant(found: Tour, text: str) -> Tab | None:
    try:
        return found.tab(text)
    except SheetGPTError as error:
        click.echo(one_line(error), err=True)
        return None
