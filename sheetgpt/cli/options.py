"""What several commands share."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

ENGINES = ["ironcalc", "libreoffice", "formulas"]  # named here, since importing them takes time

model_option = click.option(
    "--model",
    default="fable",
    show_default=True,
    metavar="NAME|DIR",
    help="A bundled model, or a model's folder.",
)


def progress(step: str) -> None:
    """Say on a terminal what is going on; say nothing to a pipe."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{step} ..." if step else "\r\033[K", err=True, nl=False)


def default_path(prompt: str, model: str, part: str = "") -> Path:
    """`outputs/` with a name made of prompt, model and part: `mike-is-quick-he-moves.fable.h3.xlsx`."""
    words, name = (re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:40].strip("-") for text in (prompt, model))
    stem = f"{words or 'prompt'}.{name or 'model'}"
    return Path("outputs") / f"{stem}.{part.replace('..', '-')}.xlsx" if part else Path("outputs") / f"{stem}.xlsx"
