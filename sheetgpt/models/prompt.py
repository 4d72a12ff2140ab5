"""A prompt for a model: its tokens, and the values that a plan takes as given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.errors import PromptError
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.tokenizer import Tokenizer
from sheetgpt.models.unicode import class_ranges
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


def rows_for(ids: list[int], wanted: int | None, config: ModelConfig, least: int = 1) -> int:
    """How many token rows to build: `wanted`, or one per token but `least`; raises `PromptError` where it cannot be."""
    n_rows = max(len(ids), min(least, config.n_ctx)) if wanted is None else wanted
    if n_rows > config.n_ctx:
        raise PromptError(f"{n_rows} token rows are more than the {config.n_ctx} that the model takes")
    if n_rows < len(ids):
        raise PromptError(f"the prompt has {len(ids)} tokens and cannot stand in {n_rows} token rows")
    return n_rows


def longest_word(prompt: str, tokenizer: Tokenizer) -> int:
    """Bytes of the longest of the pieces that are merged one by one; 0 for an empty prompt."""
    return max((len(word.encode()) for word in tokenizer.words(prompt)), default=0)


def given(prompt: str, n_rows: int, n_top: int, tokenizer: Tokenizer) -> dict[str, NDArray[Any]]:
    """Values of the inputs that every plan has, float64 or object (text), two-dimensional."""
    vocabulary = range(tokenizer.n_vocab)
    return {
        "prompt.text": _text([prompt]),
        "prompt.pos": _numbers(range(n_rows)),
        "vocab.id": _numbers(vocabulary),
        "vocab.text": _text([tokenizer.visible(i) for i in vocabulary]),
        "vocab.bytes": _text([tokenizer.decode_bytes([i]).hex(" ").upper() for i in vocabulary]),
        "top.rank": _numbers(range(1, n_top + 1)),
    }


def given_kinds(tokenizer: Tokenizer) -> NDArray[Any]:
    """What kind of text each token is [V, 1]."""
    return _text([tokenizer.kind(i) for i in range(tokenizer.n_vocab)])


def given_ids(ids: list[int], n_rows: int) -> dict[str, NDArray[Any]]:
    """The prompt's tokens and how many they are; rows after the prompt's end hold id 0."""
    return {"prompt.n": _numbers([len(ids)]), "prompt.ids": _numbers(ids + [0] * (n_rows - len(ids)))}


def given_tables(n_rows: int, n_chars: int, tokenizer: Tokenizer) -> dict[str, NDArray[Any]]:
    """What a plan that cuts its prompt itself takes as given: row numbers, and the tokenizer's tables.

    The table of merges is sorted by pair (left * vocabulary + right) and begins with two rows that no pair has;
    `bpe.token` and `bpe.parts` are in the order of ranks, and their last two rows are nobody's.
    """
    merges = tokenizer.merge_ids()
    pairs = sorted((a * tokenizer.n_vocab + b, rank) for rank, (a, b, _) in enumerate(merges))
    firsts, classes = zip(*class_ranges(), strict=True)
    return {
        "unicode.first": _numbers(firsts),
        "unicode.class": _text(classes),
        "chars.pos": _numbers(range(n_chars + 1)),
        "words.pos": _numbers(range(n_rows)),
        "bpe.byte": _numbers(tokenizer.byte_ids()),
        "bpe.pair": _numbers([-2, -1, *(pair for pair, _ in pairs)]),
        "bpe.rank": _numbers([-1, -1, *(rank for _, rank in pairs)]),
        "bpe.token": _numbers([*(made for _, _, made in merges), -1, -1]),
        "bpe.parts": _text([*(f"{tokenizer.visible(a)} {tokenizer.visible(b)}" for a, b, _ in merges), "", ""]),
    }


def _numbers(column: Sequence[int]) -> NDArray[Any]:
    return np.array(column, dtype=np.float64)[:, None]


def _text(column: Sequence[str]) -> NDArray[Any]:
    return np.array(column, dtype=object)[:, None]
