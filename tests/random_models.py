"""Models of GPT-2's shapes, and a third as wide, with random weights, and GPT-2's vocabulary where it is at hand."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sheetgpt.models import bpe
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.export import write_stored
from sheetgpt.models.stored import Stored
from sheetgpt.models.tokenizer import MERGES_FILE, TOKENS_FILE, byte_letters
from sheetgpt.models.weights import Weights
from tests.oracles import GPT2

N_VOCAB = 50_257
SIZES = {"narrow": (1, 4, 256), "small": (12, 12, 768), "medium": (24, 16, 1024)}  # blocks, heads, width


@dataclass(frozen=True)
class Drawn(Stored):
    """A matrix that lies nowhere."""

    seed: int

    def pieces(self) -> Iterator[np.ndarray]:
        """As `Stored.pieces`."""
        rng = np.random.default_rng([self.seed, zlib.crc32(self.name.encode())])
        for start in range(0, self.shape[0], 1000):
            numbers = rng.standard_normal((min(1000, self.shape[0] - start), self.shape[1]), np.float32)
            yield numbers * np.float32(0.02) + np.float32(self.name.endswith(".g"))


def make(folder: Path, size: str = "small", blocks: int | None = None, seed: int = 0) -> Weights:
    """N(0, 0.02) as GPT-2 is before training; gains about 1. float32 in .npy files."""
    n_layer, n_head, width = SIZES[size]
    config = ModelConfig(N_VOCAB, 1024, width, n_head, blocks or n_layer)
    folder.mkdir(parents=True)
    vocabulary(folder)
    stored = {name: Drawn(Path(name), shape, seed) for name, shape in config.shapes().items()}
    write_stored(folder, folder.name, config, stored, "npy", {})
    return Weights.open(folder)


def vocabulary(folder: Path) -> None:
    """GPT-2's own files, or as many tokens that nobody learned: all pairs of bytes."""
    if GPT2.is_dir():
        for file in (MERGES_FILE, TOKENS_FILE):
            shutil.copy(GPT2 / file, folder / file)
        return
    letters = list(byte_letters().values())
    pairs = [(a, b) for a in letters for b in letters]
    bpe.save(folder, pairs[: N_VOCAB - len(letters) - 1])
