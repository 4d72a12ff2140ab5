"""A prompt for a model: its tokens, and the values that a plan takes as given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.errors import PromptError
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.tokenizer import Tokenizer
from sheetgpt.models.weights import Weights

MAX_TEXT = 32_767  # characters that a cell takes


def encode(prompt: str, model: Weights, tokenizer: Tokenizer) -> list[int]:
    """The prompt's token ids; raises `PromptError` for an empty one or one longer than the model's context."""
    if not prompt:
        raise PromptError("the prompt is empty: give at least one character")
    if len(prompt.encode("utf-16-le", "surrogatepass")) // 2 > MAX_TEXT:
        raise PromptError(f"the prompt is longer than the {MAX_TEXT:,} characters that a cell takes")
    ids = tokenizer.encode(prompt)
    if len(ids) > model.config.n_ctx:
        raise PromptError(
            f"the prompt has {len(ids):,} tokens, {model.name} takes at most {model.config.n_ctx}: shorten it"
        )
    return ids


def rows_for(ids: list[int], wanted: int | None, config: ModelConfig) -> int:
    """How many token rows to build: `wanted`, or one per token; raises `PromptError` where that cannot be."""
    n_rows = len(ids) if wanted is None else wanted
    if n_rows > config.n_ctx:
        raise PromptError(f"{n_rows} token rows are more than the {config.n_ctx} that the model takes")
    if n_rows < len(ids):
        raise PromptError(f"the prompt has {len(ids)} tokens and cannot stand in {n_rows} token rows")
    return n_rows


def given(prompt: str, ids: list[int], n_rows: int, n_top: int, tokenizer: Tokenizer) -> dict[str, NDArray[Any]]:
    """Values of the plan's inputs, float64 or object (text), two-dimensional; rows after the prompt hold id 0."""
    padded = ids + [0] * (n_rows - len(ids))
    return {
        "prompt.text": _text([prompt]),
        "prompt.n": _numbers([len(ids)]),
        "prompt.pos": _numbers(list(range(n_rows))),
        "prompt.ids": _numbers(padded),
        "vocab.id": _numbers(list(range(tokenizer.n_vocab))),
        "vocab.text": _text([tokenizer.visible(i) for i in range(tokenizer.n_vocab)]),
        "top.rank": _numbers(list(range(1, n_top + 1))),
    }


def _numbers(column: list[int]) -> NDArray[Any]:
    return np.array(column, dtype=np.float64)[:, None]


def _text(column: list[str]) -> NDArray[Any]:
    return np.array(column, dtype=object)[:, None]
