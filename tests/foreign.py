"""One small model in every spelling that it may come in, each written by the hand that such files come from."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors
import safetensors.numpy

from sheetgpt.models.config import ModelConfig
from tests.conftest import TINY, make_model, random_arrays

Arrays = dict[str, np.ndarray]
CONFIG = {
    "model_type": "gpt2",
    "vocab_size": TINY.n_vocab,
    "n_positions": TINY.n_ctx,
    "n_embd": TINY.n_embd,
    "n_head": TINY.n_head,
    "n_layer": TINY.n_layer,
}


def theirs(name: str) -> str:
    """Hugging Face's name of a weight."""
    name = re.sub(r"^h(\d+)", r"h.\1", name)
    name = re.sub(r"\.[wg]$", ".weight", re.sub(r"\.b$", ".bias", name))
    return f"{name}.weight" if name in ("wte", "wpe") else name


def flat(array: np.ndarray) -> np.ndarray:
    """A vector as one axis, as all but we have it."""
    return array[0] if array.shape[0] == 1 else array


def bfloat16(array: np.ndarray) -> np.ndarray:
    """The float32 numbers that bfloat16 can hold, the lower half of each cut off."""
    return (array.view(np.uint32) & 0xFFFF0000).view(np.float32)


def tensors(config: ModelConfig = TINY, prefix: str = "") -> Arrays:
    return {prefix + theirs(name): flat(array) for name, array in random_arrays(config).items()}


def write_safetensors(path: Path, found: Arrays, dtype: str = "float32") -> None:
    """By the `safetensors` package; it takes bfloat16 from numpy only as an address."""
    if dtype != "bfloat16":
        safetensors.numpy.save_file({name: np.ascontiguousarray(a.astype(dtype)) for name, a in found.items()}, path)
        return
    halves = {name: (np.ascontiguousarray(a).view(np.uint32) >> 16).astype("<u2") for name, a in found.items()}
    said = {
        name: safetensors.TensorSpec(dtype=dtype, shape=list(h.shape), data_ptr=h.ctypes.data, data_len=h.nbytes)
        for name, h in halves.items()
    }
    path.write_bytes(bytes(safetensors.serialize(said)))


def vocabulary_in(folder: Path, spelling: str = "vocab.json") -> None:
    """The tiny model's vocabulary, as Hugging Face calls the two files, or as OpenAI does."""
    ours = make_model(folder / "made", TINY).folder
    names = ("vocab.json", "merges.txt") if spelling == "vocab.json" else ("encoder.json", "vocab.bpe")
    for name, copy in zip(("encoder.json", "vocab.bpe"), names, strict=True):
        shutil.copy(ours / name, folder / copy)
    shutil.rmtree(ours)


def hf_folder(folder: Path, found: Arrays | None = None, dtype: str = "float32", **config: object) -> Path:
    """A folder as transformers saves it; `config` entries that are None are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary_in(folder)
    said = {name: value for name, value in (CONFIG | config).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(said))
    write_safetensors(folder / "model.safetensors", tensors() if found is None else found, dtype)
    return folder


def sharded(folder: Path, found: Arrays) -> Path:
    """The same in two files with an index."""
    hf_folder(folder, found)
    (folder / "model.safetensors").unlink()
    names = sorted(found)
    weight_map = {}
    for k, part in enumerate((names[::2], names[1::2]), 1):
        file = f"model-0000{k}-of-00002.safetensors"
        write_safetensors(folder / file, {name: found[name] for name in part})
        weight_map |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return folder


def csv_folder(folder: Path, *, columns: bool = False, form: str | None = None) -> Path:
    """CSV files as pandas writes them, or in a `form` of numpy's; vectors on one line, or one number per line."""
    folder.mkdir(parents=True)
    vocabulary_in(folder, "encoder.json")
    for name, array in random_arrays(TINY).items():
        path = folder / f"model_{name.replace('.', '_')}.csv"
        table = flat(array) if columns else array
        if form:
            np.savetxt(path, table, delimiter=",", fmt=form)
        else:
            pd.DataFrame(table).to_csv(path, header=False, index=False)
    return folder


def zipped(folder: Path, path: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, inside + file.name)
    return path


def npz(path: Path, spelling: str = "openai", *, fortran: bool = False, packed: bool = False) -> Path:
    """An .npz with its vocabulary beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    vocabulary_in(path.parent, "encoder.json")
    found = {}
    for name, array in random_arrays(TINY).items():
        spelt = {"openai": f"model/{name.replace('.', '/')}", "ours": name, "hf": f"transformer.{theirs(name)}"}
        whole = array[None] if name.endswith(".w") and spelling == "openai" else flat(array)  # TensorFlow's conv1d
        found[spelt[spelling]] = np.asfortranarray(whole) if fortran else whole
    (np.savez_compressed if packed else np.savez)(path, **found)
    return path
