"""Models of other hands: what their weights are called, and what may be concluded from names and shapes alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from sheetgpt.errors import WeightError
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.npy import as_matrix
from sheetgpt.models.stored import Stored

T = TypeVar("T")
_HEAD_WIDTH = 64  # of every GPT-2 that OpenAI published
_BLOCK = re.compile(r"h\.?(0|[1-9]\d{0,2})\.(.+)", re.ASCII)
_BUFFERS = re.compile(r"(?:transformer\.)?h\.\d+\.attn\.(?:masked_)?bias", re.ASCII)  # of older transformers: the mask
_LAST = {"weight": "w", "bias": "b"}


def our_name(name: str) -> str:
    """A weight's name as we say it, from Hugging Face's spelling, OpenAI's, or ours; of anything else, something else.

    >>> our_name("transformer.h.0.attn.c_attn.weight"), our_name("model/h0/ln_1/g"), our_name("wte.weight")
    ('h0.attn.c_attn.w', 'h0.ln_1.g', 'wte')
    """
    said = name.removeprefix("transformer.").removeprefix("model/").removesuffix(":0").replace("/", ".")
    if said in ("wte.weight", "wpe.weight"):
        return said[:3]
    block = _BLOCK.fullmatch(said)
    place, _, last = (block[2] if block else said).rpartition(".")
    if last in _LAST:
        last = "g" if last == "weight" and place.startswith("ln_") else _LAST[last]
    short = f"{place}.{last}".removeprefix(".")
    return f"h{block[1]}.{short}" if block else short


def by_our_names(found: Mapping[str, T], where: str, rename: Callable[[str], str] = our_name) -> dict[str, T]:
    """What is found by foreign names, by ours; masks are left out. Raises `WeightError` for two of one name."""
    out: dict[str, T] = {}
    for name, value in found.items():
        if _BUFFERS.fullmatch(name):
            continue
        if (ours := rename(name)) in out:
            raise WeightError(f"{where}: {name:.80} stands there twice, under different names")
        out[ours] = value
    return out


def config_of_shapes(where: str, shapes: Mapping[str, tuple[int, ...]], heads: int | None) -> ModelConfig:
    """The sizes that weights by our names have; heads cannot be seen, so they are 64 wide unless said.

    Raises `WeightError` where one that decides is missing.
    """
    wte, wpe, wide = (_matrix(where, shapes, name) for name in ("wte", "wpe", "h0.mlp.c_fc.w"))
    blocks = {int(m[1]) for name in shapes if (m := _BLOCK.fullmatch(name))}
    if heads is None and wte[1] % _HEAD_WIDTH:
        raise WeightError(f"{where}: no config, and width {wte[1]} is not a multiple of {_HEAD_WIDTH}: give --heads")
    return ModelConfig(
        n_vocab=wte[0],
        n_ctx=wpe[0],
        n_embd=wte[1],
        n_head=heads or wte[1] // _HEAD_WIDTH,
        n_layer=1 + max(blocks),
        tied="lm_head.w" not in shapes,
        n_inner=wide[1],
    )


def _matrix(where: str, shapes: Mapping[str, tuple[int, ...]], name: str) -> tuple[int, int]:
    if name not in shapes:
        raise WeightError(f"{where}: {name} is missing; not the weights of a GPT-2")
    if (shape := as_matrix(shapes[name])) is None:
        raise WeightError(f"{where}: {name} has shape {list(shapes[name])}, a matrix is wanted")
    return shape


def check_names(where: str, config: ModelConfig, found: Iterable[str], spelt: Mapping[str, str]) -> None:
    """Raises `WeightError` unless there is what the config asks for, and besides only a head.

    `spelt`: a weight's foreign name by ours, for the message.
    """
    wanted = config.shapes()
    if unknown := [name for name in found if name not in wanted and name != "lm_head.w"]:
        raise WeightError(f"{where}: {spelt.get(unknown[0], unknown[0]):.80} is no weight of this GPT-2")
    if missing := [name for name in wanted if name not in set(found)]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise WeightError(f"{where}: {missing[0]}{more} is missing; the config asks for {len(wanted)} weights")


def check_shape(where: str, shape: tuple[int, ...], wanted: tuple[int, int]) -> tuple[int, int]:
    """`wanted`, which `shape` is as a matrix; raises `WeightError` otherwise."""
    if as_matrix(shape) != wanted:
        raise WeightError(f"{where}: shape {list(shape)}; the config wants {list(wanted)}")
    return wanted


def settle_head(
    where: str, config: ModelConfig, stored: Mapping[str, Stored], said: bool
) -> tuple[ModelConfig, dict[str, Stored]]:
    """A head that is `wte` again is tied, and left out. Raises `WeightError` where it is not, and a config said so.

    `said`: whether a config said that the head is tied.
    """
    rest = {name: matrix for name, matrix in stored.items() if name != "lm_head.w"}
    if len(rest) == len(stored):
        return config, rest
    if _equal(stored["wte"], stored["lm_head.w"]):
        return replace(config, tied=True), rest
    if said:
        raise WeightError(
            f"{where}: the config says that the head is wte again, and lm_head is another matrix; "
            'write "tie_word_embeddings": false into it if that one is meant'
        )
    return replace(config, tied=False), dict(stored)


def _equal(a: Stored, b: Stored) -> bool:
    return a.shape == b.shape and all(np.array_equal(x, y) for x, y in zip(a.pieces(), b.pieces(), strict=True))
