"""Writes a model as text: one CSV a weight, and a manifest that names, measures and seals them.

Needs no PyTorch; whoever has float32 arrays can make a bundle.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from sheetgpt.errors import OutputError, WeightError
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.tokenizer import MERGES_FILE, TOKENS_FILE
from sheetgpt.models.weights import file_name

MANIFEST_FILE = "manifest.json"
FORMAT = 1


def to_csv(array: NDArray[np.float32]) -> bytes:
    """A matrix `[rows, columns]` as CSV; each number is the shortest text that reads back as the same float32.

    >>> to_csv(np.array([[0.1, 1], [1e-9, -2.5]], np.float32))
    b'0.1,1.0\\n1e-9,-2.5\\n'
    """
    rows = np.ascontiguousarray(array, np.float32)
    return b"".join([orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1] + b"\n" for row in rows])


def write_model(
    folder: Path,
    name: str,
    config: ModelConfig,
    arrays: Mapping[str, NDArray[np.float32]],
    *,
    description: str = "",
    licence: str = "",
    training: Mapping[str, object] | None = None,
) -> None:
    """Writes every weight of `config` and `manifest.json` into `folder`, which holds the tokenizer's two files.

    Nothing is written unless every array has the shape `config.shapes()` asks for (a vector may be
    1-D) and only finite numbers: `WeightError` otherwise. Each file is replaced in one step, the
    manifest last. Raises `OutputError` where nothing can be written.
    """
    texts = {weight: to_csv(array) for weight, array in _checked(config, arrays).items()}
    manifest = {
        "format": FORMAT,
        "name": name,
        "description": description,
        "licence": licence,
        "config": config.to_dict(),
        "weights": {
            weight: {"file": file_name(weight), "shape": list(shape), "sha256": _sha256(texts[weight])}
            for weight, shape in config.shapes().items()
        },
        "vocabulary": {file: _sha256(_vocabulary(folder / file)) for file in (MERGES_FILE, TOKENS_FILE)},
        "training": dict(training or {}),
    }
    for weight, text in texts.items():
        replace_file(folder / file_name(weight), text)
    replace_file(folder / MANIFEST_FILE, orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")


def replace_file(path: Path, data: bytes) -> None:
    """Writes `data` beside `path` and moves it there: a reader sees the old file or the new one."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error


def _checked(config: ModelConfig, arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    shapes = config.shapes()
    if unknown := sorted(set(arrays) - set(shapes)):
        raise WeightError(f"{unknown[0]}: this config has no such weight")
    if missing := [name for name in shapes if name not in arrays]:
        raise WeightError(f"{missing[0]}: missing; the config asks for {len(shapes)} weights")
    return {name: _checked_array(name, arrays[name], shape) for name, shape in shapes.items()}


def _checked_array(name: str, array: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    matrix = array[None, :] if array.ndim == 1 else array
    if matrix.shape != shape:
        raise WeightError(f"{name}: has shape {list(array.shape)}, the config asks for {list(shape)}")
    if matrix.dtype != np.float32:
        raise WeightError(f"{name}: is {matrix.dtype}; convert it to float32")
    if not np.isfinite(matrix).all():
        raise WeightError(f"{name}: has NaN or infinite numbers; train again with a lower learning rate")
    return matrix


def _vocabulary(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightError(f"{path}: cannot be read ({error.strerror}); write the tokenizer's files first") from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
