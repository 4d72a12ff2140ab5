"""What the bundled model says to a text, by the plan that its workbooks are made from: given to lessons as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.evaluate import run
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.prompt import given_ids
from sheetgpt.models.weights import Weights
from sheetgpt.plan.model import gpt2
from sheetgpt.plan.plan import Plan
from sheetgpt.plan.stages import Stages

_ROOM = 16
DIGITS = 6  # of a chance: the last bits of a product are not the same each time it is computed


def chances(model: Weights, ids: Sequence[int], start: int) -> list[float]:
    """The chance that the model gives to each token from number `start` on, having read all before it."""
    logits = _logits(model, ids)[start - 1 : -1]  # [T - start, V]
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs = exp / exp.sum(axis=1, keepdims=True)
    return [float(f"{row[token]:.{DIGITS}g}") for row, token in zip(probs, ids[start:], strict=True)]


def goes_on(model: Weights, text: str, count: int) -> list[int]:
    """The likeliest next token, `count` times, past any end of a text."""
    ids = model.tokenizer().encode(text)
    for _ in range(count):
        ids.append(int(_logits(model, ids)[-1].argmax()))
    return ids[-count:]


def _logits(model: Weights, ids: Sequence[int]) -> NDArray[Any]:
    """The scores of the next token after each of these [T, V]."""
    rows = len(ids) + -len(ids) % _ROOM  # a plan for each length would take longer
    given = given_ids(list(ids), rows) | {"prompt.pos": np.arange(rows, dtype=float)[:, None]}
    given |= {name: np.full((size, 1), "", object) for name, size in (("prompt.text", 1), ("prompt.tokens", rows))}
    stream = run(_plan(model.config, rows), given, model)["ln_f.out"][: len(ids)]  # [T, d]
    return np.asarray(stream @ model[model.config.head_name].T)


@cache
def _plan(config: ModelConfig, rows: int) -> Plan:
    return gpt2(config, rows, stages=Stages("embed", "ln_f"))
