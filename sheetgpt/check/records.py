"""What the records of a workbook should hold: numpy's answers for the prompt that it was built for.

A record is no formula: it is there to be compared with what the formulas say after somebody has changed something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.models.weights import Weights
from sheetgpt.sheet.blueprint import Blueprint

BUILT = "prompt.built"
Values = Mapping[str, NDArray[Any]]
Rule = Callable[[Blueprint, Weights, str], Values]
_RULES: dict[str, Rule] = {}  # extra -> the values of its records


def records(book: Blueprint, model: Weights, prompt: str) -> Values:
    """Values of all places of `Role.RECORD`, for `prompt`; raises `PromptError` for one that cannot be."""
    if BUILT not in book.plan:
        return {}
    values: dict[str, NDArray[Any]] = {BUILT: np.array([[prompt]], dtype=object)}
    for extra in book.card.asked.extras:
        if extra in _RULES:
            values |= _RULES[extra](book, model, prompt)
    return values
