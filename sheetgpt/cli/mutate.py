"""`sheetgpt mutate`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sheetgpt.cli.options import ENGINES, progress


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-n", "count", type=click.IntRange(min=1), default=500, show_default=True, help="Mutants to make.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same mutants.")
@click.option("--engine", type=click.Choice(ENGINES), default="ironcalc", show_default=True, help="Who recalculates.")
@click.option("--oracle", type=click.Choice(["all", "values"]), default="all", show_default=True,
              help="What must catch them: verify, or the recalculated values alone.")  # fmt: skip
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR", help="A folder for the mutants.")
@click.option("--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--model", metavar="NAME|DIR", help="Where the weights came from, if the model is not a bundled one.")
def mutate(
    file: Path, count: int, seed: int, engine: str, oracle: str, keep: Path | None, jobs: int, form: str,
    model: str | None,
) -> None:  # fmt: skip
    """Make faulty copies of FILE, one fault each, and tell how many verify catches and puts in the right place.

    Exit codes: 0 all are caught, 1 some are not, 2 wrong call, 3 not a readable workbook of ours, or a faulty one.
    """
    from sheetgpt.check.mutate import Outcome
    from sheetgpt.check.mutate import mutate as run
    from sheetgpt.check.mutation_report import to_json, to_text

    done = 0

    def told(_: Outcome) -> None:
        nonlocal done
        done += 1
        progress(f"{done:,} of {count:,} mutants")

    progress("checking the workbook itself")
    try:
        score = run(file, count, seed, engine, model, keep, jobs, told)
    finally:
        progress("")
    click.echo((to_text if form == "text" else to_json)(score, oracle))
    sys.exit(1 if score.survivors(oracle) else 0)
