"""The pipeline in stages, and a range of them: what a workbook of a part of the pipeline is a part of.

In order: `prompt` (the text, its tokens, the vocabulary), `embed`, a stage for each block (`h0`, `h1` ...), `ln_f`,
`logits`, `next`. Each stage reads what the one before it hands over, so a workbook can begin at any of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sheetgpt.errors import PlanError
from sheetgpt.models.config import ModelConfig, Shape

_ORDER = ("prompt", "embed", "h", "ln_f", "logits", "next")


@dataclass(frozen=True)
class Stages:
    """The stages from `first` to `last`, both included. Example: `"h1" in Stages("embed", "h2")`."""

    first: str = _ORDER[0]
    last: str = _ORDER[-1]

    @classmethod
    def parse(cls, text: str, config: ModelConfig) -> Stages:
        """Of `h3`, `embed..h0`, `ln_f..` or `..h1`; raises `PlanError` for an unknown stage or an empty range."""
        first, dots, last = text.partition("..")
        stages = cls(first or _ORDER[0], last or _ORDER[-1]) if dots else cls(first, first)
        known = pipeline(config)
        for stage in (stages.first, stages.last):
            if stage not in known:
                raise PlanError(f"no stage {stage[:40]!r}: there are {told(config)}")
        if _rank(stages.last) < _rank(stages.first):
            raise PlanError(f"no stage from {stages.first} to {stages.last}: in order they are {told(config)}")
        return stages

    def __contains__(self, stage: str) -> bool:
        return _rank(self.first) <= _rank(stage) <= _rank(self.last)

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first}..{self.last}"

    def among(self, config: ModelConfig) -> list[str]:
        """The stages by name."""
        return [stage for stage in pipeline(config) if stage in self]

    def before(self, config: ModelConfig) -> list[str]:
        """The stages from `embed` on that come before these."""
        return [stage for stage in pipeline(config)[1:] if _rank(stage) < _rank(self.first)]

    def weights(self, config: ModelConfig) -> dict[str, Shape]:
        """Name and shape of the weights that these stages read, in pipeline order."""
        read = {"wte", "wpe"} if "embed" in self else set()
        read |= {config.head_name} if "logits" in self else set()
        blocks = {stage for stage in self.among(config) if stage not in {"embed", "logits"}}
        return {w: shape for w, shape in config.shapes().items() if w in read or w.partition(".")[0] in blocks}


WHOLE = Stages()


def pipeline(config: ModelConfig) -> list[str]:
    """Every stage of a model, in order."""
    at = _ORDER.index("h")
    return [*_ORDER[:at], *(f"h{i}" for i in range(config.n_layer)), *_ORDER[at + 1 :]]


def told(config: ModelConfig) -> str:
    """The stages as one reads them out: `prompt, embed, h0 to h11, ln_f, logits, next`."""
    blocks = f"h0 to h{config.n_layer - 1}" if config.n_layer > 1 else "h0"
    return ", ".join(blocks if stage == "h" else stage for stage in _ORDER)


def _rank(stage: str) -> tuple[int, int]:
    block = re.fullmatch(r"h(\d+)", stage)
    return (_ORDER.index("h"), int(block[1])) if block else (_ORDER.index(stage), 0)
