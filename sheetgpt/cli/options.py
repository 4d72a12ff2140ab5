"""What several commands share."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

ENGINES = ["ironcalc", "libreoffice", "formulas"]  # named here, since importing them takes time

model_option = click.option(
    "--model",
    default="fable",
    show_default=True,
    metavar="NAME|DIR",
    help="A bundled model, or a model's folder.",
)

dialect_option = click.option(
    "--dialect",
    type=click.Choice(["arrays", "cells"]),
    default="arrays",
    show_default=True,
    help="One array formula for a step, or a plain formula for each cell, which can be traced by clicking.",
)
_WORKBOOK = (
    click.option("--tokens", type=click.IntRange(min=1), help="Room for tokens.  [default: 16, or as the prompt has]"),
    click.option("--characters", type=click.IntRange(min=1), help="Room for characters.  [default: 4 for each token]"),
    click.option("--word-bytes", type=click.IntRange(min=2), help="Room for a word's bytes.  [default: 20]"),
    click.option("--fixed", is_flag=True, help="For this prompt alone: its token ids are data."),
    click.option(
        "--stages", metavar="A..B", default="..", help="A part of the pipeline: h3, embed..h0, ln_f.. or ..h1."
    ),
    click.option("--core", is_flag=True, help="The pipeline alone, without the tabs to play with that follow it."),
    click.option(
        "--generate",
        "steps",
        type=click.IntRange(0, 1000),
        metavar="N",
        help="Steps of the loop that the tab Generate shows.  [default: 8; 1 of a large model]",
    ),
    dialect_option,
    click.option(
        "--compact", is_flag=True, help="A third smaller; LibreOffice and openpyxl read it, IronCalc does not."
    ),
)
Command = TypeVar("Command", bound=Callable[..., Any])


def workbook_options(command: Command) -> Command:
    """What decides how a workbook is built."""
    for option in reversed(_WORKBOOK):
        command = option(command)
    return command


def listed(given: Iterable[str]) -> list[str]:
    """What an option says that may be given several times and takes several words, with commas between them."""
    return [word.strip() for text in given for word in text.split(",") if word.strip()]


def progress(step: str) -> None:
    """Say on a terminal what is going on; say nothing to a pipe."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{step} ..." if step else "\r\033[K", err=True, nl=False)


def default_path(prompt: str, model: str, part: str = "") -> Path:
    """`outputs/` with a name made of prompt, model and part: `mike-is-quick-he-moves.fable.h3.xlsx`."""
    words, name = (re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:40].strip("-") for text in (prompt, model))
    stem = f"{words or 'prompt'}.{name or 'model'}"
    return Path("outputs") / f"{stem}.{part.replace('..', '-')}.xlsx" if part else Path("outputs") / f"{stem}.xlsx"
