"""A prompt continued, token by token."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from sheetgpt.check.loop import GREEDY, steps
from sheetgpt.models.weights import Weights
from sheetgpt.plan.sampling import Knobs


def generate_ids(model: Weights, prompt: str, count: int, knobs: Knobs = GREEDY) -> Iterator[int]:
    """Up to `count` token ids; stops before the end-of-text token, or when the context is full."""
    eot = model.tokenizer().eot
    return (step.token for step in steps(model, prompt, count, knobs) if step.token != eot)


def generate(model: Weights, prompt: str, count: int, knobs: Knobs = GREEDY) -> Iterator[str]:
    """The same as text, piece by piece; bytes of a character that is not complete yet are held back."""
    tokenizer = model.tokenizer()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for token in generate_ids(model, prompt, count, knobs):
        yield decoder.decode(tokenizer.decode_bytes([token]))
    yield decoder.decode(b"", final=True)
