"""`sheetgpt train`."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def train() -> None:
    """Train the bundled models anew; needs PyTorch (pip install 'sheetgpt[train]')."""


_out = click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write.")
_seed = click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True)


@train.command()
@click.option("--corpus", type=click.Path(path_type=Path), required=True, help="Stories, <|endoftext|> between them.")
@_out
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Time to train.  [default: 60]")
@click.option("--steps", type=click.IntRange(min=1), help="Steps to train, in place of --minutes; repeatable.")
@_seed
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
def fable(corpus: Path, out: Path, minutes: float | None, steps: int | None, seed: int, threads: int) -> None:
    """The story-teller: vocabulary and weights from a file of stories."""
    from dataclasses import replace

    from sheetgpt.models.train import FABLE_RECIPE, train_fable

    if minutes is None and steps is None:
        minutes = FABLE_RECIPE.minutes
    train_fable(corpus, out, replace(FABLE_RECIPE, minutes=minutes, steps=steps, seed=seed, threads=threads))


@train.command()
@_out
@_seed
def sorter(out: Path, seed: int) -> None:
    """The sorter of six letters, from all 729 words; half a minute."""
    from dataclasses import replace

    from sheetgpt.models.train import SORTER_RECIPE, train_sorter

    train_sorter(out, replace(SORTER_RECIPE, seed=seed))
