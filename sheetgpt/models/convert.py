"""Models from other hands into model folders, and model folders into CSV or .npy: whole, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from sheetgpt.errors import OutputError, WeightError
from sheetgpt.models import archive, huggingface, vocabulary
from sheetgpt.models.archive import Found
from sheetgpt.models.export import whole_folder, write_stored
from sheetgpt.models.files import Files
from sheetgpt.models.stored import Stored, file_digest
from sheetgpt.models.tokenizer import Tokenizer
from sheetgpt.models.weights import MANIFEST_FILE, Weights, checked_name

_MARKS = ("model_wte.csv", "model_wte.npy")
_KNOWN = "a Hugging Face folder, a .safetensors file, a folder or .zip of model_*.csv, an .npz, or a model folder"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_CARRIED = ("description", "licence", "training")  # what a manifest says that stays true of a copy
Progress = Callable[[str], None]


class Source(NamedTuple):
    """A model to import: what is known of it, the files that may be its vocabulary, and its usual name."""

    found: Found
    files: Files
    name: str
    facts: dict[str, object]


class Imported(NamedTuple):
    """A model folder that was written, and what there is to say about how."""

    weights: Weights
    notes: list[str]


def import_model(
    source: Path,
    target: Path,
    *,
    name: str | None = None,
    heads: int | None = None,
    form: str = "npy",
    vocabulary_from: Path | None = None,
    origin: Mapping[str, object] | None = None,
    progress: Progress = lambda _: None,
) -> Imported:
    """Writes `source` to the new folder `target` as a model folder; `origin` is what else its manifest says of it.

    Raises `WeightError` for anything amiss in the source, `OutputError` where nothing can be written; then there is no
    `target`.
    """
    progress("looking at the weights")
    found, files, usual, facts = open_source(source, heads)
    if heads not in (None, found.config.n_head):
        raise WeightError(f"{source}: has {found.config.n_head} heads as its config says, not {heads}")
    checked = checked_name(name or usual)
    tokenizer, notes = _tokenizer(Files.in_folder(vocabulary_from) if vocabulary_from else files, found.config.n_vocab)
    said = {"name": source.resolve().name, "files": _digests(found.stored)}
    facts = {**facts, "source": {**said, **(origin or {})}}
    _write(target, checked, found, tokenizer, form, facts, progress, widened=True)
    return Imported(Weights.open(target), [*found.notes, *notes])


def export_model(model: Weights, target: Path, form: str = "csv", progress: Progress = lambda _: None) -> Weights:
    """Writes a model to the new folder `target`, every number as it is; raises as `import_model`."""
    facts = {key: value for key, value in model.manifest.items() if key in (*_CARRIED, "source")}
    found = Found(model.config, dict(model.stored), [])
    _write(target, model.name, found, model.tokenizer(), form, facts, progress)
    return Weights.open(target)


def open_source(source: Path, heads: int | None = None) -> Source:
    """What there is at `source`, without having read its numbers; raises `WeightError`."""
    if source.is_dir():
        return _open_folder(source, heads)
    if not source.is_file():
        raise WeightError(f"{source}: not there; give {_KNOWN}")
    kind, beside = source.suffix.lower(), Files.in_folder(source.parent)
    if kind == ".zip":
        files = Files.in_zip(source, _MARKS)
        return Source(archive.open_tables(files, heads), files, source.stem, {})
    if kind == ".npz":
        return Source(archive.open_npz(source, heads), beside, source.stem, {})
    if kind == ".safetensors":
        if huggingface.CONFIG not in beside.members:
            raise WeightError(f"{source}: needs its {huggingface.CONFIG} beside it")
        config = huggingface.config_from(beside.json(huggingface.CONFIG), str(source.parent / huggingface.CONFIG))
        return Source(Found(*huggingface.open_files(config, [source]), []), beside, source.stem, {})
    hint = "is not read, it may run code: save the model as safetensors" if kind in _PICKLES else "is nothing I know"
    raise WeightError(f"{source}: {hint}; give {_KNOWN}")


def _open_folder(folder: Path, heads: int | None) -> Source:
    files = Files.in_folder(folder)
    name = folder.resolve().name
    if MANIFEST_FILE in files.members:
        ours = Weights.open(folder)
        facts = {key: value for key, value in ours.manifest.items() if key in _CARRIED}
        return Source(Found(ours.config, dict(ours.stored), []), files, ours.name, facts)
    if set(_MARKS) & files.members.keys() and not huggingface.is_folder(files):
        return Source(archive.open_tables(files, heads), files, name, {})
    if huggingface.CONFIG in files.members:
        return Source(Found(*huggingface.open_folder(folder), []), files, name, {})
    raise WeightError(f"{folder}: no model in it; give {_KNOWN}")


def _tokenizer(files: Files, n_vocab: int) -> tuple[Tokenizer, list[str]]:
    found = vocabulary.read(files, n_vocab)
    if found is None:
        raise WeightError(
            f"{files.path}: no vocabulary with it; say with --vocabulary where it is: a folder with {vocabulary.WANTED}"
        )
    tokenizer, unused = found
    note = f"{unused:,} rows of wte have no token: they are called <|unused_N|>, and no text is cut into them"
    return tokenizer, [note] if unused else []


def _digests(stored: Mapping[str, Stored]) -> dict[str, str]:
    return {path.name: file_digest(path) for path in sorted({matrix.path for matrix in stored.values()})}


def _write(
    target: Path,
    name: str,
    found: Found,
    tokenizer: Tokenizer,
    form: str,
    facts: Mapping[str, object],
    progress: Progress,
    *,
    widened: bool = False,
) -> None:
    with whole_folder(target) as folder:
        progress("writing")
        try:
            vocabulary.save(folder, tokenizer)
        except OSError as error:
            raise OutputError(f"{target}: cannot be written ({error.strerror}); choose another folder") from None
        write_stored(folder, name, found.config, found.stored, form, facts, widened=widened)
