"""`sheetgpt bpe`."""

from __future__ import annotations

from pathlib import Path

import click

from sheetgpt.cli.options import progress
from sheetgpt.errors import one_line

_path = click.Path(path_type=Path)


@click.group()
def bpe() -> None:
    """Learn a vocabulary from a text, as GPT-2's was learned."""


@bpe.command()
@click.argument("corpus", type=_path)
@click.option("--vocab", "n_vocab", type=int, required=True, metavar="N", help="Tokens to end up with: 257 or more.")
@click.option("-o", "folder", metavar="FOLDER", type=_path, help="Where to write vocab.bpe and encoder.json.")
def learn(corpus: Path, n_vocab: int, folder: Path | None) -> None:
    """Learn the merges of a byte-level BPE from CORPUS, a UTF-8 text; print them as a vocab.bpe, or write both files.

    The vocabulary is the 256 bytes, a token for each merge, and <|endoftext|>. Each step glues the pair of neighbours
    that occurs most often inside the words of GPT-2's pattern; of equally frequent pairs the one that the text has
    first, as on the tab BPE learn. FOLDER must not exist yet; it is written whole or not at all.
    """
    from sheetgpt.models import bpe as learner
    from sheetgpt.models.corpus import pieces
    from sheetgpt.models.export import check_free, whole_folder

    if folder is not None:
        check_free(folder)
    try:
        progress(f"learning from {one_line(corpus)}")
        merges = learner.learn(pieces(corpus), n_vocab, ties="seen", most=learner.MOST_LETTERS)
    finally:
        progress("")
    if folder is None:
        click.echo(learner.merges_text(merges), nl=False)
    else:
        with whole_folder(folder) as temporary:
            learner.save(temporary, merges)
        click.echo(f"{one_line(folder)}  ({len(merges):,} merges, {len(learner.vocabulary(merges)):,} tokens)")
    if len(learner.vocabulary(merges)) < n_vocab:
        click.echo("note: no pair is left to glue, so there are fewer tokens than wanted", err=True)
