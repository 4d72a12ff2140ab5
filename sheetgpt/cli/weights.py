"""`sheetgpt weights`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sheetgpt.models.weights import Weights


@click.group()
def weights() -> None:
    """Look at models."""


@weights.command()
@click.argument("model", required=False)
def info(model: str | None) -> None:
    """List the bundled models, or the matrices of MODEL (a bundled name or a folder) with shape and SHA-256.

    Every CSV file is read; exit code 2 where one is missing, of the wrong shape, or not all numbers.
    """
    from sheetgpt.models.weights import bundled, find_model

    if model is None:
        for name in bundled():
            click.echo(_summary(find_model(name)))
        return
    found = find_model(model)
    click.echo(_summary(found))
    for name, matrix in found.items():
        sha, recorded = found.file_digest(name), found.recorded_digest(name)
        note = "" if sha == recorded else "  not the file that the manifest names"
        click.echo(f"  {name:<18} {matrix.shape[0]:>6} x {matrix.shape[1]:<5} {sha[:16]}{note}")


def _summary(model: Weights) -> str:
    c = model.config
    sizes = f"{c.n_layer} blocks, {c.n_head} heads, width {c.n_embd}, context {c.n_ctx}, vocabulary {c.n_vocab}"
    return f"{model.name}: {c.n_weights:,} numbers; {sizes}; head {'tied' if c.tied else 'of its own'}"
