"""`sheetgpt weights`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sheetgpt.cli.options import progress
from sheetgpt.errors import one_line

if TYPE_CHECKING:
    from sheetgpt.models.weights import Weights

_path = click.Path(path_type=Path)
_formats = click.Choice(["npy", "csv"])
_HELP = "npy: float32, exact, quickly read. csv: decimal text, for people; three times the size."
npy_option = click.option("--format", "form", type=_formats, default="npy", show_default=True, help=_HELP)
csv_option = click.option("--format", "form", type=_formats, default="csv", show_default=True, help=_HELP)


@click.group()
def weights() -> None:
    """Import, fetch, export models, and look at them."""


@weights.command()
@click.argument("model", required=False)
def info(model: str | None) -> None:
    """List the bundled models, or the matrices of MODEL (a bundled name or a folder) with shape and SHA-256.

    The SHA-256 is that of the file in which a matrix lies. Every number is read; exit code 2 where a file is missing,
    of the wrong shape, or not all numbers.
    """
    from sheetgpt.models.weights import bundled, find_model

    if model is None:
        for name in bundled():
            click.echo(_summary(find_model(name)))
        return
    found = find_model(model)
    click.echo(_summary(found))
    for name, stored in found.stored.items():
        for _ in stored.pieces():
            pass  # each is checked as it is read
        sha = found.file_digest(name)
        note = "" if not found.manifest or sha == found.recorded_digest(name) else "  not the file the manifest names"
        click.echo(f"  {name:<18} {stored.shape[0]:>6} x {stored.shape[1]:<5} {sha[:16]}{note}")


@weights.command("import")
@click.argument("source", type=_path)
@click.argument("folder", metavar="DIR", type=_path)
@click.option("--name", help="What the model is called.  [default: as SOURCE]")
@click.option("--heads", type=click.IntRange(min=1), help="Attention heads, where no config says.  [default: width/64]")
@click.option("--vocabulary", metavar="DIR", type=_path, help="A folder with the vocabulary, where SOURCE has none.")
@npy_option
def import_(
    source: Path, folder: Path, name: str | None, heads: int | None, vocabulary: Path | None, form: str
) -> None:
    """Make the model folder DIR from SOURCE, which --model then takes.

    SOURCE is a Hugging Face folder (config.json with model.safetensors, whole or in shards) or a .safetensors file
    with its config.json beside it; a folder or .zip of CSV files as GPT-2's weights circulate for spreadsheets
    (model_wte.csv, model_h0_attn_c_attn_w.csv ...); an .npz by OpenAI's names (model/h0/attn/c_attn/w); or a model
    folder. The vocabulary beside it is vocab.bpe and encoder.json, merges.txt and vocab.json, or tokenizer.json.

    Numbers that float32 can hold become float32. DIR must not exist yet; it is written whole or not at all. Exit code 2
    for anything amiss in SOURCE. Pickles (.bin, .pt) are never read.
    """
    from sheetgpt.models.convert import import_model

    try:
        done = import_model(
            source, folder, name=name, heads=heads, form=form, vocabulary_from=vocabulary, progress=progress
        )
    finally:
        progress("")
    _tell(done.weights, done.notes)


@weights.command()
@click.argument("repository", metavar="NAME")
@click.argument("folder", metavar="[DIR]", type=_path, required=False)
@click.option("--revision", default="main", show_default=True, help="Branch, tag or commit.")
@npy_option
def fetch(repository: str, folder: Path | None, revision: str, form: str) -> None:
    """Download the model NAME (gpt2, distilgpt2, someone/some-gpt2) and import it to DIR, or else to models/NAME.

    It comes from huggingface.co, or from the mirror that HF_ENDPOINT names, and needs `pip install 'sheetgpt[hub]'`.
    Only the config, the safetensors and the vocabulary are downloaded, into the hub's own cache (HF_HOME), where they
    stay: a line that breaks is taken up again, and a file that is there whole is not downloaded twice.
    """
    from sheetgpt.models.fetch import fetch_model

    try:
        done = fetch_model(repository, folder, revision, form, progress)
    finally:
        progress("")
    _tell(done.weights, done.notes)


@weights.command()
@click.argument("model")
@click.argument("folder", metavar="DIR", type=_path)
@csv_option
def export(model: str, folder: Path, form: str) -> None:
    """Write MODEL (a bundled name or a folder) to the model folder DIR as CSV or .npy, every number as it is.

    A number's text is the shortest that reads back as the same number. DIR must not exist yet; it is written whole or
    not at all.
    """
    from sheetgpt.models.convert import export_model
    from sheetgpt.models.weights import find_model

    try:
        written = export_model(find_model(model), folder, form, progress)
    finally:
        progress("")
    _tell(written, [])


def _tell(model: Weights, notes: list[str]) -> None:
    click.echo(_summary(model))
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f'written to {one_line(model.folder)}; `sheetgpt build "..." --model {one_line(model.folder)}` uses it')


def _summary(model: Weights) -> str:
    c = model.config
    sizes = f"{c.n_layer} blocks, {c.n_head} heads, width {c.n_embd}, context {c.n_ctx}, vocabulary {c.n_vocab}"
    odd = [f"MLP {c.d_mlp} wide"] * (c.n_inner is not None) + [c.activation] * (c.activation != "gelu_new")
    rest = "; ".join([sizes, *odd, f"head {'tied' if c.tied else 'of its own'}"])
    return f"{model.name}: {c.n_weights:,} numbers; {rest}"
