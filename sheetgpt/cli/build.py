"""`sheetgpt build`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sheetgpt.cli.options import default_path, listed, model_option, progress, workbook_options
from sheetgpt.errors import one_line

if TYPE_CHECKING:
    from sheetgpt.build import Built


@click.command()
@click.argument("prompt")
@model_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write.  [default: in outputs/]")
@workbook_options
@click.option(
    "--blank",
    multiple=True,
    metavar="PLACE,...",
    help="Leave these places to a student, such as h0.ln_1.var or h0.attn.head*.scores; `sheetgpt grade` marks them.",
)
@click.option(
    "--check/--no-check",
    default=None,
    help="Recalculate it with ironcalc before handing it over.  [default: up to 3 million cells]",
)
def build(
    prompt: str,
    model: str,
    output: Path | None,
    tokens: int | None,
    characters: int | None,
    word_bytes: int | None,
    fixed: bool,
    stages: str,
    core: bool,
    steps: int | None,
    dialect: str,
    compact: bool,
    blank: tuple[str, ...],
    check: bool | None,
) -> None:
    """Write the workbook of PROMPT: GPT-2's forward pass as formulas, one tab per stage.

    Another prompt can be typed into it, as long as there is room. --stages makes the workbook of a part: of the stages
    prompt, embed, a block each (h0, h1 ...), ln_f, logits and next. What goes into it numpy computes, unless it begins
    with the prompt. Exit code 2 for anything wrong with the call; nothing is left half-written.
    """
    from sheetgpt.build import Form, Room
    from sheetgpt.build import build as build_workbook
    from sheetgpt.models.weights import find_model
    from sheetgpt.plan.stages import WHOLE, Stages

    weights = find_model(model)
    part = Stages.parse(stages, weights.config)
    if (characters or word_bytes) and (fixed or "prompt" not in part):
        other = "--fixed" if fixed else f"--stages {part}"
        raise click.UsageError(
            f"--characters and --word-bytes are of a workbook that takes other prompts, not of {other}"
        )
    if compact and check:
        raise click.UsageError("ironcalc does not read --compact files: leave out --check and verify with libreoffice")
    room = Room(tokens, characters, word_bytes, fixed)
    words = [str(part)] * (part != WHOLE) + ["exercise"] * bool(blank)
    path = output or default_path(prompt, weights.name, ".".join(words))
    ask = partial(
        build_workbook,
        weights,
        prompt,
        path,
        room,
        part,
        Form(core, steps, dialect),
        blank=listed(blank),
        progress=progress,
    )
    try:
        built = ask(compact=compact, check=check, make_parent=output is None)
    finally:
        progress("")
    _tell(built, path, model, compact)


def _tell(built: Built, path: Path, model: str, compact: bool) -> None:
    from sheetgpt.models.weights import bundled
    from sheetgpt.plan.stages import WHOLE
    from sheetgpt.sheet.zipped import LARGEST

    env = built.env
    plan = built.blueprint.plan
    formulas = sum(e.shape[0] * e.shape[1] for name, e in plan.items() if e.args and not plan.is_view(name))
    shown, size = one_line(path), path.stat().st_size
    click.echo(f"{shown}  ({size / 1e6:.1f} MB, {formulas:,} computed cells)")
    if size > LARGEST:
        click.echo("LibreOffice opens no file of more than 2 GiB; --compact makes it a third smaller")
    if built.blueprint.card.stages != WHOLE:
        click.echo(f"stages      {built.blueprint.card.stages}")
    if built.blueprint.card.blank:
        click.echo(f"left blank  {', '.join(built.blueprint.card.blank)}")
    if "next.id" in plan:
        text, token, share = (env[name][0, 0] for name in ("next.text", "next.id", "top.prob"))
        click.echo(f"next token  {text}  (id {int(token)}, {share:.1%})")
    where = "" if model in bundled() else f" --model {one_line(model)}"
    where += " --engine libreoffice" if compact else ""
    done = f"recalculated by {built.engine}, equal to numpy" if built.engine else "not recalculated yet"
    click.echo(f"{done}; `sheetgpt verify {shown}{where}` checks everything")
