"""A model from the Hugging Face hub, or from a mirror of it: downloaded, which `huggingface_hub` does, and imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sheetgpt.errors import WeightError
from sheetgpt.models import huggingface, vocabulary
from sheetgpt.models.convert import Imported, Progress, import_model
from sheetgpt.models.export import check_free

# What a model of GPT-2's kind needs. Repositories hold much else: the same weights for other programs, and pickles.
WANTED = [
    huggingface.CONFIG,
    huggingface.WEIGHTS,
    huggingface.INDEX,
    "model-*-of-*.safetensors",
    *vocabulary.SPELLINGS[1],
    vocabulary.ONE_FILE,
    vocabulary.ADDED_FILE,
]


def fetch_model(
    repository: str,
    target: Path | None = None,
    revision: str = "main",
    form: str = "npy",
    progress: Progress = lambda _: None,
) -> Imported:
    """Downloads `repository` into the hub's own cache and imports it to `target`, or else to `models/` and its name.

    HF_ENDPOINT, HF_HOME and HF_TOKEN are heeded. What is in the cache is not downloaded again. Raises `WeightError`
    where the hub says no or cannot be reached, and as `import_model`.
    """
    name = repository.rpartition("/")[2]
    target = target or Path("models") / name
    check_free(target)
    snapshot = _download(repository, revision)
    origin = {"repository": repository, "revision": snapshot.name}
    return import_model(snapshot, target, name=name, form=form, origin=origin, progress=progress)


def _download(repository: str, revision: str) -> Path:
    """The folder in the hub's cache where the files lie."""
    try:
        import huggingface_hub
        from huggingface_hub.utils import disable_progress_bars, logging
    except ImportError:
        raise WeightError("fetching needs huggingface_hub: pip install 'sheetgpt[hub]'") from None
    logging.set_verbosity_error()
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        folder = huggingface_hub.snapshot_download(
            repository, revision=revision, allow_patterns=WANTED, endpoint=os.environ.get("HF_ENDPOINT")
        )
    except Exception as error:  # of whatever kind: the hub's, its HTTP library's, the system's
        said = " ".join(str(error).split())[:300]
        raise WeightError(f"{repository}: cannot be fetched ({type(error).__name__}: {said})") from None
    return Path(folder)
