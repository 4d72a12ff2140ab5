"""`sheetgpt verify`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sheetgpt.cli.options import ENGINES, progress

if TYPE_CHECKING:
    from sheetgpt.check.result import Report

OFFERED = [*ENGINES, "cached"]
# The ending of a file -> the form of a report in it; named here, since importing them takes time.
FORMS = {
    ".txt": "text",
    ".json": "json",
    ".csv": "csv",
    ".xml": "junit",
    ".sarif": "sarif",
    ".md": "markdown",
    ".html": "html",
}


def _reports(_: click.Context, option: click.Parameter, given: tuple[Path, ...]) -> tuple[Path, ...]:
    for path in given:
        if path.suffix.lower() not in FORMS:
            raise click.BadParameter(f"{str(path)!r} does not end in one of {' '.join(FORMS)}", param=option)
    if len({path.absolute() for path in given}) < len(given):
        raise click.BadParameter("each file is given once", param=option)
    return given


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--engine", type=click.Choice(OFFERED), default="ironcalc", show_default=True, help="Who recalculates.")
@click.option("--format", "form", type=click.Choice([*FORMS.values()]), default="text", show_default=True)
@click.option(
    "-o",
    "--report",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    callback=_reports,
    help=f"Write a report there too, in the form of the ending: {' '.join(FORMS)}. May be given several times.",
)
@click.option("--places", is_flag=True, help="A line for each place, not for each tab (text only).")
@click.option("--laws", is_flag=True, help="Try the laws too that hold whatever the weights are.")
@click.option("--model", metavar="NAME|DIR", help="Where the weights came from, if the model is not a bundled one.")
def verify(
    file: Path, engine: str, form: str, files: tuple[Path, ...], places: bool, laws: bool, model: str | None
) -> None:
    """Check FILE, a workbook that sheetgpt made.

    Every place is recomputed by numpy and compared with what the engine computes from a copy without cached
    values; formulas, weights, names and labels are compared with the plan and the CSV files.

    Exit codes: 0 every cell equal, 1 something differs, 2 wrong call, 3 not a readable workbook of ours,
    4 nothing differs but not everything was independently checked (always so with --engine cached).
    """
    if laws and engine == "cached":
        raise click.UsageError("laws are tried by recalculating: choose an engine, not cached values")
    from sheetgpt.check.reports import render
    from sheetgpt.sheet.xlsx import whole_file

    with ExitStack() as stack:  # a file that cannot be written is told before the work begins
        targets = [(path, stack.enter_context(whole_file(path, path.suffix.lower()))) for path in files]
        report = _checked(file, engine, laws, model)
        for path, temporary in targets:
            told = render(report, FORMS[path.suffix.lower()], places=places)
            temporary.write_text(told, encoding="utf-8", newline="\n")
    click.echo(render(report, form, places=places), nl=False)
    sys.exit(report.exit_code)


def _checked(file: Path, engine: str, laws: bool, model: str | None) -> Report:
    from sheetgpt.check.verify import look
    from sheetgpt.course.card import is_course

    progress(f"verifying with {engine}")
    try:
        if is_course(file):
            if laws or model:
                unfit = "the laws of a course are its lights: leave out --laws"
                raise click.UsageError(unfit if laws else "a course has its own model: leave out --model")
            from sheetgpt.course.verify import verify_course

            return verify_course(file, engine)
        found, report = look(file, engine, model)
        if laws and report.engine != engine:
            report.unchecked.append("laws: no engine computes the file")
        elif laws:
            from sheetgpt.check.laws import laws_of

            progress(f"trying laws with {engine}")
            report.laws = laws_of(found, engine)
    finally:
        progress("")
    return report
