"""`sheetgpt lessons`."""

from __future__ import annotations

from pathlib import Path

import click

from sheetgpt.cli.options import progress


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write.  [default: in outputs/]")
@click.option("--list", "listed", is_flag=True, help="Tell the lessons and what each shows.")
@click.option("--pace", type=click.Choice(["2h", "8h"]), help="A plan for a course of so many hours.")
@click.option("--blank", is_flag=True, help="An exercise: the most telling formulas are left to the learner.")
def lessons(names: tuple[str, ...], output: Path | None, listed: bool, pace: str | None, blank: bool) -> None:
    """Write the course: each demonstration as a tab with live formulas, or only those of these NAMEs.

    Every tab has inputs to change, a question, something to try and a light that is green while its laws hold. The
    answers stand on the last tab; an exercise has none.
    """
    from sheetgpt.course.build import build_course
    from sheetgpt.course.catalog import chosen
    from sheetgpt.course.pace import plan_of, table_of
    from sheetgpt.models.weights import find_model

    if (listed or pace) and (output or blank or (listed and pace)):
        raise click.UsageError("--list and --pace only tell: give one of them, without -o and --blank")
    demos = chosen(names)
    if listed or pace:
        click.echo(plan_of(demos, pace) if pace else table_of(demos))
        return
    path = output or Path("outputs", "exercise.xlsx" if blank else "course.xlsx")
    try:
        done = build_course(
            demos, find_model("fable"), path, exercise=blank, make_parent=output is None, progress=progress
        )
    finally:
        progress("")
    size = path.stat().st_size / 1e6
    cells = sum(box.rows * box.cols for name, box in done.course.layout.ranges.items() if done.course.plan[name].args)
    click.echo(f"{path}  ({size:.1f} MB, {len(demos)} lessons, {cells:,} computed cells)")
    click.echo("recalculated by ironcalc, equal to numpy")
