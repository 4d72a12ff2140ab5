"""`sheetgpt export`."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sheetgpt.cli.options import ENGINES, progress
from sheetgpt.errors import one_line

if TYPE_CHECKING:
    from sheetgpt.check.tour import Tour


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="OUT.html", help="One page of HTML, needing nothing else."
)
@click.option("--pdf", type=click.Path(path_type=Path), metavar="OUT.pdf", help="A PDF, by LibreOffice.")
@click.option(
    "--engine", type=click.Choice([*ENGINES, "cached"]), default="ironcalc", show_default=True, help="Who computes."
)
@click.option("--model", metavar="NAME|DIR", help="Where the weights came from, if the model is not a bundled one.")
def export(file: Path, html: Path | None, pdf: Path | None, engine: str, model: str | None) -> None:
    """Write a handout of FILE, a workbook that sheetgpt made: what each tab says, its formulas, excerpts of values.

    sheetgpt export book.xlsx --html handout.html --pdf handout.pdf

    A tab is a page on paper. Values are as the engine computes them, beside numpy's. The handout is written whatever
    verify says of the workbook; its first page says it too. Exit codes: 0 written and every cell equal, 1 written but
    something differs, 2 wrong call, 3 not a readable workbook of ours, 4 written but not everything was checked.
    """
    if html is None and pdf is None:
        raise click.UsageError("say what to write: --html OUT.html, --pdf OUT.pdf, or both")
    from sheetgpt.check.tour import Tour
    from sheetgpt.sheet.xlsx import whole_file

    with ExitStack() as stack:  # a file that cannot be written is told before the work begins
        page = stack.enter_context(whole_file(html, ".html")) if html else None
        paper = stack.enter_context(whole_file(pdf, ".pdf")) if pdf else None
        if paper:
            _require_libreoffice()
        progress(f"computing with {engine}")
        try:
            found = Tour.of(file, engine, model)
            if page:
                from sheetgpt.check.handout import to_html

                page.write_text(to_html(found), encoding="utf-8", newline="\n")
            if paper:
                progress("printing with libreoffice")
                paper.write_bytes(_printed(found))
        finally:
            progress("")
    for out in filter(None, (html, pdf)):
        click.echo(f"{one_line(out)}  ({len(found.tabs)} pages)")
    sys.exit(found.report.exit_code)


def _require_libreoffice() -> None:
    from sheetgpt.engines import get

    get("libreoffice")


def _printed(found: Tour) -> bytes:
    from sheetgpt.check.handout_print import write_pages
    from sheetgpt.engines.libreoffice import to_pdf

    with tempfile.TemporaryDirectory(prefix="sheetgpt-") as folder:
        pages = Path(folder, "pages.xlsx")
        write_pages(found, pages)
        return to_pdf(pages)
