"""The plan against the reference, which has never seen a plan: both bundled models and random ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sheetgpt.check.evaluate import run
from sheetgpt.check.gaps import gaps
from sheetgpt.models import prompt as prompts
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.reference import forward
from sheetgpt.models.weights import Weights
from sheetgpt.plan.model import gpt2
from sheetgpt.sheet.labels import labels_of
from tests.conftest import random_arrays

NOT_IN_REFERENCE = ("prompt.", "vocab.", "top.", "next.text", "next.bytes")


def worst_gap(model: Weights | dict[str, np.ndarray], config: ModelConfig, ids: list[int], n_rows: int) -> float:
    plan = gpt2(config, n_rows)
    inputs = {
        "prompt.text": np.array([["any"]], object),
        "prompt.n": np.array([[float(len(ids))]]),
        "prompt.pos": np.arange(float(n_rows))[:, None],
        "prompt.ids": np.array([*ids, *[0] * (n_rows - len(ids))], float)[:, None],
        "vocab.id": np.arange(float(config.n_vocab))[:, None],
        **dict.fromkeys(
            ("vocab.text", "vocab.bytes"), np.array([f"t{i}" for i in range(config.n_vocab)], object)[:, None]
        ),
        "top.rank": np.arange(1.0, 1 + plan["top.rank"].shape[0])[:, None],
    }
    env = run(plan, {**model, **inputs})
    want = forward(model, ids, n_layer=config.n_layer, n_head=config.n_head, eps=config.eps)
    computed = {n for n in plan if plan[n].args and not n.startswith(NOT_IN_REFERENCE)}
    assert computed == set(want), "a place without an oracle, or the other way round"
    worst = 0.0
    for name, values in want.items():
        found = env[name][: len(ids)] if labels_of(name) == "prompt.tokens" else env[name]
        found = found[:, : values.shape[1]]
        assert found.shape == values.shape, name
        worst = max(worst, float(gaps(found, values).max()))
    return worst


@pytest.mark.parametrize("text", ["Mike is quick. He moves", "Once upon a time", "a", "=1+1 @x -y 中 🙂\n"])
@pytest.mark.parametrize("padding", [0, 3])
def test_plan_equals_reference_on_fable(fable: Weights, text: str, padding: int) -> None:
    ids = prompts.encode(text, fable, fable.tokenizer())
    assert worst_gap(fable, fable.config, ids, len(ids) + padding) < 1e-12


@pytest.mark.parametrize("text", ["CABBAC", "A", "CCCBBBAAABB"])
def test_plan_equals_reference_on_sorter(sorter: Weights, text: str) -> None:
    ids = prompts.encode(text, sorter, sorter.tokenizer())
    assert worst_gap(sorter, sorter.config, ids, len(ids)) < 1e-12


@settings(max_examples=25, deadline=None)
@given(
    st.builds(
        lambda v, h, w, n, tied, eps: ModelConfig(v, 8, h * max(w, 2 if h == 1 else 1), h, n, eps=eps, tied=tied),
        st.integers(2, 30), st.integers(1, 3), st.integers(1, 5), st.integers(1, 3), st.booleans(),
        st.sampled_from([1e-5, 1e-3]),
    ),
    st.integers(1, 8),
    st.integers(0, 1000),
)  # fmt: skip
def test_plan_equals_reference_on_any_model(config: ModelConfig, n: int, seed: int) -> None:
    weights = {name: np.atleast_2d(w).astype(float) for name, w in random_arrays(config, seed).items()}
    ids = np.random.default_rng(seed).integers(config.n_vocab, size=n).tolist()
    assert worst_gap(weights, config, ids, 8) < 1e-12
