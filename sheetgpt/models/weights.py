"""A model's weights: a folder of CSV files with a `manifest.json` beside them.

One file per matrix, named as GPT-2's weights circulate for spreadsheets (`model_h0_attn_c_attn_w.csv`);
no header, one matrix row per line, a vector on one line. The decimal text *is* the weight: it is read
as float64, and the workbook holds the same float64.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from sheetgpt.errors import WeightError
from sheetgpt.models.config import ModelConfig, Shape
from sheetgpt.models.tokenizer import Tokenizer
from sheetgpt.resources import weights_dir

Matrix = NDArray[np.float64]
_LARGEST_MANIFEST = 16 << 20
_BOM = b"\xef\xbb\xbf"  # which some programs put before CSV
_LARGEST_NUMBER = 64  # bytes of text for one number, its comma included


def file_name(weight: str) -> str:
    """The CSV file of a weight: `h0.attn.c_attn.w` -> `model_h0_attn_c_attn_w.csv`."""
    return f"model_{weight.replace('.', '_')}.csv"


def digest(matrix: Matrix) -> str:
    """SHA-256 of the numbers (float64, little-endian, by rows), however their text is written."""
    canonical = np.ascontiguousarray(matrix, dtype="<f8") + 0.0  # -0 is 0 to a spreadsheet
    return hashlib.sha256(canonical.tobytes()).hexdigest()


@dataclass
class Weights(Mapping[str, Matrix]):
    """Weights by OpenAI name, each read when first asked for: float64, two-dimensional, a vector one row."""

    folder: Path
    name: str
    config: ModelConfig
    manifest: Mapping[str, object]
    _loaded: dict[str, Matrix] = field(default_factory=dict, repr=False)
    _tokenizer: Tokenizer | None = field(default=None, repr=False)

    @classmethod
    def open(cls, folder: Path) -> Weights:
        """The model in `folder`; raises `WeightError` unless its manifest is whole and every file is there."""
        manifest = _read_manifest(folder)
        raw = manifest.get("config")
        if not isinstance(raw, dict):
            raise WeightError(f'{folder / "manifest.json"}: has no "config"')
        model = cls(folder, _checked_name(manifest.get("name", folder.name)), ModelConfig.from_dict(raw), manifest)
        missing = [w for w in model if not model.path(w).is_file()]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise WeightError(f"{folder}: {file_name(missing[0])}{more} is missing; restore it from the model's source")
        return model

    def path(self, name: str) -> Path:
        """Where a weight's CSV lies."""
        return self.folder / file_name(name)

    def tokenizer(self) -> Tokenizer:
        """The vocabulary beside the weights, read once; raises `WeightError` if its size is not the config's."""
        if self._tokenizer is None:
            tokenizer = Tokenizer.load(self.folder)
            if tokenizer.n_vocab != self.config.n_vocab:
                raise WeightError(
                    f"{self.folder}: the vocabulary has {tokenizer.n_vocab} tokens, the weights {self.config.n_vocab}"
                )
            self._tokenizer = tokenizer
        return self._tokenizer

    def __getitem__(self, name: str) -> Matrix:
        if name not in self._loaded:
            self._loaded[name] = read_csv(self.path(name), self.config.shapes()[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.config.shapes())

    def __len__(self) -> int:
        return len(self.config.shapes())

    def file_digest(self, name: str) -> str:
        """SHA-256 of the CSV file as it lies there."""
        with self.path(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def recorded_digest(self, name: str) -> str | None:
        """SHA-256 of the CSV file when the model was made, as its manifest says."""
        entry = self.manifest.get("weights", {})
        entry = entry.get(name) if isinstance(entry, dict) else None
        value = entry.get("sha256") if isinstance(entry, dict) else None
        return value if isinstance(value, str) else None


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 60 or set(name) & set("/\\"):
        raise WeightError(f"manifest.json: the name {str(name)[:40]!r} is not plain text of 1 to 60 characters")
    return name


def _read_manifest(folder: Path) -> dict[str, object]:
    path = folder / "manifest.json"
    try:
        if path.exists() and not path.is_file():
            raise WeightError(f"{path}: not a file")
        if path.stat().st_size > _LARGEST_MANIFEST:
            raise WeightError(f"{path}: larger than {_LARGEST_MANIFEST >> 20} MB, so not a manifest")
        manifest = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise WeightError(f"{folder}: no manifest.json here, so not a model folder") from None
    except (OSError, ValueError, RecursionError) as error:
        raise WeightError(f"{path}: cannot be read as JSON ({type(error).__name__})") from None
    if not isinstance(manifest, dict):
        raise WeightError(f"{path}: must hold a JSON object")
    return manifest


def read_csv(path: Path, shape: Shape) -> Matrix:
    """The numbers of one CSV file as float64 [rows, columns]; raises `WeightError` naming file, line and column."""
    rows, cols = shape
    out = np.empty(shape)
    n = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(cols * _LARGEST_NUMBER + 2):
                line = line.removeprefix(_BOM) if n == 0 else line
                if not line.strip():
                    continue
                if n == rows:
                    raise WeightError(f"{path.name}: more than {rows} rows; {_wanted(shape)}")
                out[n] = _numbers(path, n + 1, line, cols)
                n += 1
    except OSError as error:
        raise WeightError(f"{path}: cannot be read ({error.strerror})") from None
    if n != rows:
        raise WeightError(f"{path.name}: {n} rows; {_wanted(shape)}")
    return out


def _wanted(shape: Shape) -> str:
    return f"the config wants {shape[0]} x {shape[1]}"


def _numbers(path: Path, line_number: int, line: bytes, cols: int) -> list[float]:
    numbers: list[float] | None
    try:
        numbers = orjson.loads(b"[" + line + b"]")
    except ValueError:
        numbers = None  # not plain decimals: say where
    if numbers is None or not set(map(type, numbers)) <= {int, float} or not np.isfinite(numbers).all():
        numbers = [_number(path, line_number, k + 1, cell) for k, cell in enumerate(line.split(b","))]
    if len(numbers) != cols:
        raise WeightError(f"{path.name}: line {line_number} has {len(numbers)} numbers, the config wants {cols}")
    return numbers


def _number(path: Path, line: int, column: int, cell: bytes) -> float:
    try:
        value = float("nan") if b"_" in cell else float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        shown = cell.decode("utf-8", "replace").strip()[:20]
        raise WeightError(f"{path.name}: line {line}, column {column} is {shown!r}, not a finite number")
    return value


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
