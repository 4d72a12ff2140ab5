"""The tabs of the extras, in reading order, after those of the pipeline; what a plan lacks is left out later."""

from __future__ import annotations

from collections.abc import Iterator

from sheetgpt.models.config import ModelConfig
from sheetgpt.sheet.layout import Band, Tab


def extra_tabs(config: ModelConfig) -> Iterator[Tab]:
    """Every tab that some extra has."""
    yield Tab("Matrix product", "matmul", tuple(_matmul()))
    logit = (Band(("hand.id", "hand.logit")), *_stack("hand.w", "hand.product"))
    yield Tab("One logit", "hand", (*logit, Band(("hand.columns",))))


def _matmul() -> Iterator[Band]:
    yield Band(("matmul.left", "matmul.right", "matmul.product"))
    yield Band(("matmul.turned",))
    yield Band(("matmul.row", "matmul.column", "matmul.lefts", "matmul.rights", "matmul.products", "matmul.sums"))


def _stack(*names: str) -> tuple[Band, ...]:
    return tuple(Band((name,)) for name in names)
