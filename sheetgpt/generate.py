"""The loop: prompt, next token, longer prompt."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from sheetgpt.check.evaluate import run
from sheetgpt.check.inputs import inputs
from sheetgpt.models.prompt import encode
from sheetgpt.models.weights import Weights
from sheetgpt.plan.model import gpt2


def generate_ids(model: Weights, prompt: str, count: int) -> Iterator[int]:
    """Up to `count` greedy token ids; stops before the end-of-text token, or when the context is full."""
    tokenizer = model.tokenizer()
    ids = encode(prompt, model, tokenizer)
    for _ in range(count):
        if len(ids) > model.config.n_ctx:
            return
        plan = gpt2(model.config, len(ids))
        env = run(plan, inputs(plan, prompt, ids, tokenizer), model)
        token = int(env["next.id"][0, 0])
        if token == tokenizer.eot:
            return
        ids.append(token)
        yield token


def generate(model: Weights, prompt: str, count: int) -> Iterator[str]:
    """The same as text, piece by piece; bytes of a character that is not complete yet are held back."""
    tokenizer = model.tokenizer()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for token in generate_ids(model, prompt, count):
        yield decoder.decode(tokenizer.decode_bytes([token]))
    yield decoder.decode(b"", final=True)
