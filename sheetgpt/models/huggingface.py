"""A model as Hugging Face keeps it: `config.json`, and `model.safetensors` or its shards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sheetgpt.errors import WeightError
from sheetgpt.models import foreign, safetensors
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.files import Files
from sheetgpt.models.stored import Stored

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
_TANH = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast")  # one formula under three names
_ACTIVATIONS = {**dict.fromkeys(_TANH, "gelu_new"), "gelu": "gelu", "quick_gelu": "quick_gelu", "relu": "relu"}
# What GPT2Config calls a size, what others call it (both are read), and what it is where nothing is said.
_SIZES: dict[str, tuple[tuple[str, ...], int]] = {
    "n_vocab": (("vocab_size",), 50_257),
    "n_ctx": (("n_positions", "max_position_embeddings", "n_ctx"), 1024),
    "n_embd": (("n_embd", "hidden_size"), 768),
    "n_head": (("n_head", "num_attention_heads"), 12),
    "n_layer": (("n_layer", "num_hidden_layers"), 12),
}
# What changes the computation in a way that no workbook of ours has: (entry, the value that we can do)
_FIXED = {
    "model_type": "gpt2",
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
}
_SHARD = re.compile(r"[\w.-]{1,200}\.safetensors", re.ASCII)


def config_from(said: Mapping[str, object], where: str = CONFIG) -> ModelConfig:
    """GPT2Config's entries as ours; raises `WeightError` that names one which we cannot do."""
    for entry, wanted in _FIXED.items():
        if (value := said.get(entry, None if entry == "model_type" else wanted)) != wanted:
            raise WeightError(f"{where}: {entry} is {value!r:.40}; sheetgpt can do {wanted!r} only")
    if said.get("pruned_heads"):
        raise WeightError(f"{where}: has pruned_heads; sheetgpt needs all of them")
    activation = said.get("activation_function", "gelu_new")
    if not isinstance(activation, str) or activation not in _ACTIVATIONS:
        raise WeightError(
            f"{where}: activation_function is {activation!r:.40}; sheetgpt can do {', '.join(_ACTIVATIONS)}"
        )
    sizes = {ours: next((said[n] for n in names if n in said), usual) for ours, (names, usual) in _SIZES.items()}
    eps = said.get("layer_norm_epsilon", 1e-5)
    return ModelConfig.from_dict(
        {
            **sizes,
            "eps": eps,
            "tied": said.get("tie_word_embeddings", True),
            "n_inner": said.get("n_inner"),
            "activation": _ACTIVATIONS[activation],
        }
    )


def is_folder(files: Files) -> bool:
    """Whether there is a config and something that may be weights."""
    return CONFIG in files.members and bool({WEIGHTS, INDEX} & set(files.members))


def open_folder(folder: Path) -> tuple[ModelConfig, dict[str, Stored]]:
    """Sizes and weights of a folder; raises `WeightError` unless they fit each other and nothing is missing."""
    files = Files.in_folder(folder)
    if not is_folder(files):
        pickles = [name for name in files.members if name.endswith((".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack"))]
        hint = f"; {pickles[0]} is not read, it may run code: save the model as safetensors" if pickles else ""
        raise WeightError(f"{folder}: no {CONFIG} with {WEIGHTS} here{hint}")
    config = config_from(files.json(CONFIG), str(folder / CONFIG))
    index = {} if WEIGHTS in files.members else _index(files)
    return open_files(config, [folder / name for name in sorted(set(index.values())) or [WEIGHTS]], index)


def open_files(
    config: ModelConfig, paths: list[Path], index: Mapping[str, str] | None = None
) -> tuple[ModelConfig, dict[str, Stored]]:
    """The weights of a config in one file or several; raises `WeightError` as `open_folder`.

    `index`: the name of the file that a tensor should be in.
    """
    where = paths[0].name
    found: dict[str, safetensors.Entry] = {}
    for path in paths:
        entries = safetensors.read_header(path)
        if both := sorted(set(entries) & set(found)):
            raise WeightError(f"{path.name}: {both[0]:.80} stands in two files")
        found |= entries
    for name, file in (index or {}).items():
        if name not in found or found[name].path.name != file:
            raise WeightError(f"{INDEX}: says that {name:.80} is in {file}, which has no such tensor")
    spelt = foreign.by_our_names({name: name for name in found}, where)
    foreign.check_names(where, config, spelt, spelt)
    shapes = config.shapes() | {"lm_head.w": (config.n_vocab, config.n_embd)}
    stored = {ours: _stored(theirs, found[theirs], shapes[ours]) for ours, theirs in spelt.items()}
    return foreign.settle_head(where, config, {name: stored[name] for name in shapes if name in stored}, config.tied)


def _stored(name: str, entry: safetensors.Entry, wanted: tuple[int, int]) -> Stored:
    return entry.stored(name, foreign.check_shape(f"{entry.path.name}: {name}", entry.shape, wanted))


def _index(files: Files) -> dict[str, str]:
    """Which file a tensor is in, as the index says; raises `WeightError` for a file that is not beside it."""
    where = files.path / INDEX
    named = files.json(INDEX).get("weight_map")
    if not isinstance(named, dict) or not named:
        raise WeightError(f"{where}: has no weight_map")
    index = {name: str(file) for name, file in named.items()}
    shards = sorted(set(index.values()))
    if strange := [name for name in shards if not _SHARD.fullmatch(name)]:
        raise WeightError(f"{where}: names {strange[0]!r:.80}, which is no .safetensors file beside it")
    if missing := [name for name in shards if name not in files.members]:
        raise WeightError(f"{where}: names {missing[0]}, which is missing; copy it again")
    return index
