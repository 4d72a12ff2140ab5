"""The tabs of the extras, in reading order, after those of the pipeline; what a plan lacks is left out later."""

from __future__ import annotations

from collections.abc import Iterator

from sheetgpt.models.config import ModelConfig
from sheetgpt.sheet.layout import Tab


def extra_tabs(config: ModelConfig) -> Iterator[Tab]:
    """Every tab that some extra has."""
    yield from ()
