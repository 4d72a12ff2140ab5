"""`sheetgpt grade`."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sheetgpt.cli.options import ENGINES, listed, progress
from sheetgpt.errors import SheetGPTError, one_line

if TYPE_CHECKING:
    from sheetgpt.check.marks import Marked

_WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})  # what students hand in; all but .xlsx get a line
_path = click.Path(path_type=Path)


def _points(_: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    pairs = [text.partition("=") for text in listed(given)]
    try:
        points = {name.strip(): float(value) for name, _, value in pairs}
    except ValueError:
        points = {"": -1.0}
    if not all(name and math.isfinite(worth) and worth >= 0 for name, worth in points.items()):
        raise click.BadParameter("write PLACE=NUMBER, with commas between several", param=option)
    return points


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="STUDENT.xlsx|DIR...", type=_path)
@click.option("--engine", type=click.Choice(ENGINES), default="ironcalc", show_default=True, help="Who recalculates.")
@click.option("--exercise", type=_path, help="The workbook as it was handed out: its card says which places to mark.")
@click.option("--blank", multiple=True, metavar="PLACE,...", help="The places to mark, as `sheetgpt build --blank`.")
@click.option("--points", multiple=True, metavar="PLACE=N,...", callback=_points, help="What places are worth; else 1.")
@click.option("--accept-values", is_flag=True, help="Right numbers without formulas count.")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="Another prompt to try formulas with.")
@click.option("--model", metavar="NAME|DIR", help="Where the weights came from, if the model is not a bundled one.")
@click.option("--format", "form", type=click.Choice(["text", "json", "csv"]), help="[default: text; csv with -o *.csv]")
@click.option("-o", "--output", type=_path, help="The file to write, such as marks.csv.")
def grade(
    files: tuple[Path, ...],
    engine: str,
    exercise: Path | None,
    blank: tuple[str, ...],
    points: dict[str, float],
    accept_values: bool,
    prompts: tuple[str, ...],
    model: str | None,
    form: str | None,
    output: Path | None,
) -> None:
    """Mark workbooks of `sheetgpt build --blank` that students have filled in, place by place.

    Formulas are judged by what they compute, with the workbook's prompt and with another one; a step that is right on
    wrong inputs of the student's own is right. Without --exercise or --blank a student's own file says which places
    were blank.

    Exit codes: 0 every file is marked, 2 wrong call, 3 some file could not be marked; its line says why.
    """
    from sheetgpt.check.grade import Terms, card_of
    from sheetgpt.check.grade import grade as marks_of
    from sheetgpt.check.marksheet import to_csv, to_json, to_text
    from sheetgpt.engines import get
    from sheetgpt.models.weights import find_model

    get(engine)
    if model is not None:
        find_model(model)
    card = card_of(exercise) if exercise else None
    terms = Terms(engine, model, card, tuple(listed(blank)), points, accept_values, prompts)
    marked = []
    try:
        for path in _handed_in(files, exercise):
            progress(f"marking {one_line(path.name)}")
            marked.append(marks_of(path, terms))
    finally:
        progress("")
    _check_points(points, marked)
    form = form or ("csv" if output and output.suffix.lower() == ".csv" else "text")
    text = {"text": to_text, "json": to_json, "csv": to_csv}[form](marked)
    if output:
        _write(output, text)
    else:
        click.echo(text, nl=form != "csv")
    sys.exit(3 if any(one.problem for one in marked) else 0)


def _handed_in(files: tuple[Path, ...], exercise: Path | None) -> Iterator[Path]:
    """The files as they were named, and the workbooks of folders; raises `SheetGPTError` for a name of nothing."""
    for path in files:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in _WORKBOOKS and p.name[0] not in "~.")
            found = [p for p in inside if not (exercise and exercise.exists() and p.samefile(exercise))]
            if not found:
                raise SheetGPTError(f"no workbook in the folder {path}")
            yield from found
        elif path.exists():
            yield path
        else:
            raise SheetGPTError(f"no such file: {path}")


def _check_points(points: dict[str, float], marked: list[Marked]) -> None:
    """Raise `SheetGPTError` for points of a place that nobody had to fill in."""
    from fnmatch import fnmatchcase

    places = list(dict.fromkeys(mark.place for one in marked for mark in one.marks))
    for pattern in points if places else ():
        if not any(fnmatchcase(place.casefold(), pattern.casefold()) for place in places):
            near = difflib.get_close_matches(pattern, places, 3) or places[:3]
            raise SheetGPTError(f"points for {pattern[:60]!r}, which was not left blank: {', '.join(near)} were")


def _write(path: Path, text: str) -> None:
    """Write the marks whole or not at all; raises `OutputError`."""
    from sheetgpt.sheet.xlsx import whole_file

    with whole_file(path, path.suffix.lower()) as temporary:
        temporary.write_text(text, "utf-8", newline="")
    click.echo(one_line(path))
