"""`sheetgpt build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sheetgpt.cli.options import default_path, model_option, progress
from sheetgpt.errors import one_line

if TYPE_CHECKING:
    from sheetgpt.build import Built


@click.command()
@click.argument("prompt")
@model_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write.  [default: in outputs/]")
@click.option("--tokens", type=click.IntRange(min=1), help="Room for tokens.  [default: 16, or as the prompt has]")
@click.option("--characters", type=click.IntRange(min=1), help="Room for characters.  [default: 4 for each token]")
@click.option("--word-bytes", type=click.IntRange(min=2), help="Room for a word's bytes.  [default: 20]")
@click.option("--fixed", is_flag=True, help="For this prompt alone: its token ids are data.")
@click.option("--check/--no-check", default=True, help="Recalculate it with ironcalc before handing it over.")
def build(
    prompt: str,
    model: str,
    output: Path | None,
    tokens: int | None,
    characters: int | None,
    word_bytes: int | None,
    fixed: bool,
    check: bool,
) -> None:
    """Write the workbook of PROMPT: GPT-2's forward pass as formulas, one tab per stage.

    Another prompt can be typed into it, as long as there is room. Exit code 2 for anything wrong with the call;
    nothing is left half-written.
    """
    from sheetgpt.build import Room
    from sheetgpt.build import build as build_workbook
    from sheetgpt.models.weights import find_model

    if fixed and (characters or word_bytes):
        raise click.UsageError(
            "--characters and --word-bytes are of a workbook that takes other prompts, not of --fixed"
        )
    weights = find_model(model)
    room = Room(tokens, characters, word_bytes, fixed)
    path = output or default_path(prompt, weights.name)
    make_parent = output is None
    try:
        built = build_workbook(weights, prompt, path, room, check=check, make_parent=make_parent, progress=progress)
    finally:
        progress("")
    _tell(built, path, model)


def _tell(built: Built, path: Path, model: str) -> None:
    from sheetgpt.models.weights import bundled

    env = built.env
    plan = built.blueprint.plan
    formulas = sum(e.shape[0] * e.shape[1] for name, e in plan.items() if e.args and not plan.is_view(name))
    shown = one_line(path)
    click.echo(f"{shown}  ({path.stat().st_size / 1e6:.1f} MB, {formulas:,} computed cells)")
    click.echo(f"next token  {env['next.text'][0, 0]}  (id {int(env['next.id'][0, 0])}, {env['top.prob'][0, 0]:.1%})")
    if built.engine:
        where = "" if model in bundled() else f" --model {one_line(model)}"
        click.echo(
            f"recalculated by {built.engine}, equal to numpy; `sheetgpt verify {shown}{where}` checks everything"
        )
    else:
        click.echo("not recalculated; its cached values are numpy's")
