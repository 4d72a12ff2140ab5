"""What the records of a workbook should hold: numpy's answers for the prompt that it was built for.

A record is no formula: it is there to be compared with what the formulas say after somebody has changed something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.ablation import surgery_records
from sheetgpt.check.loop import steps
from sheetgpt.models.weights import Weights
from sheetgpt.plan.live import NONE
from sheetgpt.plan.loop import AT as LOOP
from sheetgpt.plan.loop import ENDED
from sheetgpt.sheet.blueprint import Blueprint

BUILT = "prompt.built"
Values = Mapping[str, NDArray[Any]]
Rule = Callable[[Blueprint, Weights, str], Values]


def _loop(book: Blueprint, model: Weights, prompt: str) -> Values:
    """The greedy loop; rows after its end hold nothing."""
    n_steps = book.card.asked.steps
    if n_steps == 0:
        return {}
    tokenizer = model.tokenizer()
    passes = list(steps(model, prompt, n_steps))
    texts = [tokenizer.decode(step.ids) for step in passes]
    last = passes[-1]
    ends = last.token == tokenizer.eot
    texts.append(texts[-1] if ends else tokenizer.decode([*last.ids, last.token]))
    full = len(last.ids) == model.config.n_ctx
    why = ENDED if ends else f"The model sees at most {model.config.n_ctx} tokens: the context is full." * full
    return {
        f"{LOOP}.prompt": _column(texts[:-1], n_steps, ""),
        f"{LOOP}.text": _column([tokenizer.visible(step.token) for step in passes], n_steps, ""),
        f"{LOOP}.id": _column([float(step.token) for step in passes], n_steps, NONE),
        f"{LOOP}.prob": _column([step.prob for step in passes], n_steps, 0.0),
        f"{LOOP}.after": _column(texts[1:], n_steps, ""),
        f"{LOOP}.end": _column([why], 1, ""),
    }


def _column(values: list[Any], rows: int, none: float | str) -> NDArray[Any]:
    filled = [*values, *[none] * (rows - len(values))]
    return np.array(filled, dtype=object if isinstance(none, str) else np.float64)[:, None]


_RULES: dict[str, Rule] = {"surgery": surgery_records, "generate": _loop}  # extra -> the values of its records


def records(book: Blueprint, model: Weights, prompt: str) -> Values:
    """Values of all places of `Role.RECORD`, for `prompt`; raises `PromptError` for one that cannot be."""
    if BUILT not in book.plan:
        return {}
    values: dict[str, NDArray[Any]] = {BUILT: np.array([[prompt]], dtype=object)}
    for extra in book.card.asked.extras:
        if extra in _RULES:
            values |= _RULES[extra](book, model, prompt)
    return values
