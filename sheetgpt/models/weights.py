"""A model's weights: a folder with a file per matrix and a `manifest.json` beside them.

Files are named as GPT-2's weights circulate for spreadsheets (`model_h0_attn_c_attn_w.csv`), or the same with .npy.
The decimal text *is* the weight: it is read as float64, and the workbook holds the same float64. A folder of Hugging
Face's is read where it lies. A matrix comes a few rows at a time (`rows`) or whole (`[name]`); only those of small
models are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sheetgpt.errors import WeightError
from sheetgpt.models import huggingface, vocabulary
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.files import Files
from sheetgpt.models.stored import CsvFile, Matrix, NpyFile, Stored, file_digest
from sheetgpt.models.tokenizer import Tokenizer
from sheetgpt.resources import weights_dir

MANIFEST_FILE = "manifest.json"
_KEPT = 32 << 20  # numbers of a model whose matrices stay in memory once they are read


def file_name(weight: str) -> str:
    """The CSV file of a weight: `h0.attn.c_attn.w` -> `model_h0_attn_c_attn_w.csv`."""
    return f"model_{weight.replace('.', '_')}.csv"


def digest(pieces: Iterable[Matrix]) -> str:
    """SHA-256 of the numbers (float64, little-endian, by rows), however their text is written."""
    sha = hashlib.sha256()
    for piece in pieces:
        sha.update(np.ascontiguousarray(piece + 0.0, dtype="<f8").data)  # -0 is 0 to a spreadsheet
    return sha.hexdigest()


@dataclass
class Weights(Mapping[str, Matrix]):
    """Weights by OpenAI name, each read when asked for: float64, two-dimensional, a vector one row."""

    folder: Path
    name: str
    config: ModelConfig
    stored: Mapping[str, Stored]
    manifest: Mapping[str, object]
    _loaded: dict[str, Matrix] = field(default_factory=dict, repr=False)
    _digests: dict[str, str] = field(default_factory=dict, repr=False)
    _file_digests: dict[Path, str] = field(default_factory=dict, repr=False)
    _tokenizer: Tokenizer | None = field(default=None, repr=False)

    @classmethod
    def open(cls, folder: Path) -> Weights:
        """The model in `folder`, ours or Hugging Face's; raises `WeightError` unless it is whole."""
        files = Files.in_folder(folder)
        if MANIFEST_FILE not in files.members and huggingface.CONFIG in files.members:
            return cls(folder, checked_name(folder.resolve().name), *huggingface.open_folder(folder), {})
        if MANIFEST_FILE not in files.members:
            raise WeightError(f"{folder}: no manifest.json here, so not a model folder; see `sheetgpt weights import`")
        manifest = files.json(MANIFEST_FILE)
        raw = manifest.get("config")
        if not isinstance(raw, dict):
            raise WeightError(f'{folder / "manifest.json"}: has no "config"')
        config = ModelConfig.from_dict(raw)
        name = checked_name(manifest.get("name", folder.name))
        return cls(folder, name, config, _find_files(folder, config), manifest)

    @property
    def about(self) -> tuple[str, ...]:
        """What the manifest says of the model, a line each: what it is, its licence and what it was trained on."""
        said = (self.manifest.get(key) for key in ("description", "licence"))
        return tuple(" ".join(line.split()) for line in said if isinstance(line, str) and line.strip())

    def tokenizer(self) -> Tokenizer:
        """The vocabulary beside the weights, read once; raises `WeightError` if its size is not the config's."""
        if self._tokenizer is None:
            tokenizer = Tokenizer.load(self.folder) if self.manifest else self._foreign_tokenizer()
            if tokenizer.n_vocab != self.config.n_vocab:
                raise WeightError(
                    f"{self.folder}: the vocabulary has {tokenizer.n_vocab} tokens, the weights {self.config.n_vocab}"
                )
            self._tokenizer = tokenizer
        return self._tokenizer

    def _foreign_tokenizer(self) -> Tokenizer:
        found = vocabulary.read(Files.in_folder(self.folder), self.config.n_vocab)
        if found is None:
            raise WeightError(f"{self.folder}: no vocabulary here; it is {vocabulary.WANTED}")
        return found[0]

    def rows(self, name: str) -> Iterator[Matrix]:
        """A matrix in pieces of whole rows, from its first row on; raises `WeightError`."""
        return iter([self[name]]) if self._keeps else self.stored[name].rows()

    @property
    def _keeps(self) -> bool:
        """Whether matrices stay in memory once they are read."""
        return self.config.n_weights <= _KEPT

    def __getitem__(self, name: str) -> Matrix:
        if name in self._loaded:
            return self._loaded[name]
        matrix = np.empty(self.stored[name].shape)
        at = 0
        for piece in self.stored[name].rows():
            matrix[at : at + len(piece)] = piece
            at += len(piece)
        if self._keeps:
            self._loaded[name] = matrix
        return matrix

    def __contains__(self, name: object) -> bool:
        return name in self.stored  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)

    def path(self, name: str) -> Path:
        """The file in which a weight lies."""
        return self.stored[name].path

    def digest(self, name: str) -> str:
        """SHA-256 of a weight's numbers; see `digest`."""
        if name not in self._digests:
            self._digests[name] = digest(self.rows(name))
        return self._digests[name]

    def file_digest(self, name: str) -> str:
        """SHA-256 of the file in which a weight lies, as it is when it is first asked for."""
        path = self.path(name)
        if path not in self._file_digests:
            self._file_digests[path] = file_digest(path)
        return self._file_digests[path]

    def recorded_digest(self, name: str) -> str | None:
        """SHA-256 of a weight's file when the model was made, as its manifest says."""
        entry = self.manifest.get("weights", {})
        entry = entry.get(name) if isinstance(entry, dict) else None
        value = entry.get("sha256") if isinstance(entry, dict) else None
        return value if isinstance(value, str) else None


def _find_files(folder: Path, config: ModelConfig) -> dict[str, Stored]:
    """The file of every weight; raises `WeightError` naming one that is missing."""
    found: dict[str, Stored] = {}
    missing = []
    for name, shape in config.shapes().items():
        csv = folder / file_name(name)
        npy = csv.with_suffix(".npy")
        if csv.is_file():
            found[name] = CsvFile(csv, shape)
        elif npy.is_file():
            found[name] = NpyFile(npy, shape)
        else:
            missing.append(csv.name)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise WeightError(f"{folder}: {missing[0]}{more} is missing; restore it from the model's source")
    return found


def checked_name(name: object) -> str:
    """`name` if a model may have it; raises `WeightError`."""
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 60 or set(name) & set("/\\"):
        raise WeightError(f"the model's name {str(name)[:40]!r} is not plain text of 1 to 60 characters")
    return name


def bundled() -> list[str]:
    """Names of the models that come with sheetgpt."""
    return sorted(p.parent.name for p in weights_dir().glob("*/manifest.json"))


def find_model(name_or_folder: str) -> Weights:
    """A bundled model by name, or any model by its folder; raises `WeightError` naming those there are."""
    if name_or_folder in bundled():
        return Weights.open(weights_dir() / name_or_folder)
    if Path(name_or_folder).is_dir():
        return Weights.open(Path(name_or_folder))
    raise WeightError(f"no model {name_or_folder!r}: choose {', '.join(bundled())}, or give a model's folder")
