"""What tests share: a very small model with random weights, the bundled ones, the test data beside a clone."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from sheetgpt.build import Built, Form, Room, build, evaluated
from sheetgpt.check.source import facts
from sheetgpt.models import bpe
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.export import write_model
from sheetgpt.models.weights import Weights, find_model
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.sheets import sheets
from sheetgpt.sheet.xlsx import write

TINY = ModelConfig(n_vocab=260, n_ctx=16, n_embd=8, n_head=2, n_layer=2)
UNTIED = ModelConfig(n_vocab=260, n_ctx=8, n_embd=12, n_head=3, n_layer=1, eps=1e-3, tied=False)
LIVE = Room(tokens=14, characters=16, word_bytes=6)
CORE = Form(core=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden texts anew; review the diff")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "torch" in getattr(item, "fixturenames", ()):
            item.add_marker("torch")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything must be there (SHEETGPT_NO_SKIP, as in CI), a test that skips has failed."""
    report = yield
    if report.skipped and os.environ.get("SHEETGPT_NO_SKIP"):
        report.outcome = "failed"
    return report


def random_arrays(config: ModelConfig, seed: int = 0) -> dict[str, np.ndarray]:
    """float32 weights large enough that nothing is trivially small; gains about 1."""
    rng = np.random.default_rng(seed)
    out = {}
    for name, shape in config.shapes().items():
        mean = 1.0 if name.endswith(".g") else 0.0
        out[name] = rng.normal(mean, 0.4, shape).astype(np.float32)
    return out


def make_model(folder: Path, config: ModelConfig, seed: int = 0) -> Weights:
    """A model folder as any user's would be: CSVs, manifest, a byte-level vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    bpe.save(folder, bpe.learn(["the cat sat on the mat, the cat sat"], config.n_vocab))
    write_model(folder, folder.name, config, random_arrays(config, seed))
    return Weights.open(folder)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return make_model(tmp_path_factory.mktemp("models") / "tiny", TINY)


@pytest.fixture(scope="session")
def untied(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return make_model(tmp_path_factory.mktemp("models") / "untied", UNTIED, seed=1)


@pytest.fixture(scope="session")
def fable() -> Weights:
    return find_model("fable")


@pytest.fixture(scope="session")
def sorter() -> Weights:
    return find_model("sorter")


@pytest.fixture(scope="session")
def tiny_book(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The pipeline of the tiny model for one prompt, with two rows of padding."""
    return build(tiny, "the cat sat", _new(tmp_path_factory), _fixed(tiny), form=CORE)


@pytest.fixture(scope="session")
def live_book(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The pipeline of the tiny model for any prompt that fits."""
    return build(tiny, "the cat's  hat", _new(tmp_path_factory), LIVE, form=CORE)


@pytest.fixture(scope="session")
def tiny_lesson(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """As `tiny_book`, with everything beside the pipeline."""
    return build(tiny, "the cat sat", _new(tmp_path_factory), _fixed(tiny))


@pytest.fixture(scope="session")
def live_lesson(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """As `live_book`, with everything beside the pipeline."""
    return build(tiny, "the cat's  hat", _new(tmp_path_factory), LIVE)


def _new(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("books") / "book.xlsx"


def _fixed(model: Weights) -> Room:
    return Room(tokens=len(model.tokenizer().encode("the cat sat")) + 2, fixed=True)


def front_book(model: Weights, path: Path, room: Room = Room()) -> Blueprint:  # noqa: B008
    """The tabs that cut a prompt into tokens, and the tables that they read: a workbook without a model."""
    book, env = evaluated(model, "the cat sat", room, form=CORE)
    front = {"prompt", "characters", "words", "merges", "tokens", "vocabulary", "merge_table", "bytes", "unicode"}
    pages = [page for page in sheets(book, env, facts(model)) if page.tab.lesson in front]
    pages = [page._replace(cells=[c for c in page.cells if c.body != "next.text"]) for page in pages]
    tabs = {page.tab.name for page in pages}
    write(path, pages, {name: box.ref for name, box in book.layout.ranges.items() if box.tab in tabs})
    return book
