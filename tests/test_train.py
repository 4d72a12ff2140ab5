"""Training: the parts that can be checked in seconds."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from sheetgpt.errors import SheetGPTError, WeightError
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.train import (
    FABLE_RECIPE,
    SORTER_RECIPE,
    _total_nats,
    sorting_task,
    story_batches,
    train_fable,
    train_sorter,
)

TINY = ModelConfig(n_vocab=11, n_ctx=8, n_embd=8, n_head=2, n_layer=2)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def test_without_torch_one_line_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SheetGPTError, match=r"pip install 'sheetgpt\[train\]'"):
        train_sorter(tmp_path)
    with pytest.raises(SheetGPTError, match="needs PyTorch"):
        train_fable(tmp_path / "corpus.txt", tmp_path)


def test_sorting_task():
    words = sorting_task()
    assert words.shape == (729, 12)
    assert len({tuple(row[:6]) for row in words}) == 729
    assert words[5].tolist() == [0, 0, 0, 0, 1, 2] * 2


def test_story_batches_cover_the_stream_and_begin_stories():
    rng = np.random.default_rng(0)
    stream = rng.integers(1, 9, 20_000)
    stream[::50] = 0
    recipe = replace(FABLE_RECIPE, batch=8)
    batches = story_batches(stream, 0, recipe)
    rows = np.concatenate([next(batches) for _ in range(30)])
    assert rows.shape == (240, 65)
    text = stream.tobytes()
    assert all(row.tobytes() in text for row in rows)


@pytest.mark.torch
def test_forward_pass_is_transformers_gpt2(torch):
    transformers = pytest.importorskip("transformers")
    from sheetgpt.models.gpt2_torch import initial, logits

    config = transformers.GPT2Config(
        vocab_size=11, n_positions=8, n_embd=8, n_head=2, n_layer=2, activation_function="gelu_new"
    )
    theirs = transformers.GPT2LMHeadModel(config).eval()
    p = initial(TINY, seed=0)
    state = {_their_name(name): (w if w.shape[0] > 1 else w[0]).detach() for name, w in p.items()}
    missing = theirs.load_state_dict(state, strict=False)
    assert set(missing.missing_keys) <= {"lm_head.weight"}
    assert not missing.unexpected_keys
    theirs.tie_weights()
    ids = torch.randint(0, 11, (3, 8), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(logits(p, TINY, ids), theirs(ids).logits, atol=1e-6)


def _their_name(name):
    kind = {"w": "weight", "b": "bias", "g": "weight"}
    head, _, last = name.rpartition(".")
    named = f"{head}.{kind[last]}" if head else f"{name}.weight"
    return "transformer." + (f"h.{named[1:]}" if name.startswith("h") else named)


@pytest.mark.parametrize("n_tokens", [2, 8, 9, 10, 30])
@pytest.mark.parametrize("stride", [4, 8])
def test_every_held_out_token_is_counted_once(torch, n_tokens, stride):
    """With all parameters zero each token costs exactly log(n_vocab)."""
    p = {name: torch.zeros(shape) for name, shape in TINY.shapes().items()}
    held = np.arange(n_tokens) % 11
    assert _total_nats(p, TINY, held, stride) == pytest.approx((n_tokens - 1) * np.log(11), rel=1e-6)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("first", [0, 3])
def test_gradients_by_hand_are_autograds(torch, tied, first):
    from sheetgpt.models.gpt2_torch import backward, initial, logits

    config = replace(TINY, tied=tied)
    p, q = initial(config, seed=0), initial(config, seed=0)
    ids = torch.randint(0, 11, (3, 9), generator=torch.Generator().manual_seed(0))
    out = logits(p, config, ids[:, :-1])[:, first:]
    wanted = torch.nn.functional.cross_entropy(out.flatten(0, 1), ids[:, first + 1 :].flatten())
    wanted.backward()
    assert backward(q, config, ids, first) == pytest.approx(wanted.item(), rel=1e-6)
    for name in p:
        assert torch.allclose(p[name].grad, q[name].grad, atol=1e-6), name


def test_orthogonal_steps(torch):
    from sheetgpt.models.gpt2_torch import orthogonal

    for rows, columns in [(8, 8), (8, 32), (32, 8)]:
        x = torch.randn(3, rows, columns, generator=torch.Generator().manual_seed(0))
        values = torch.linalg.svdvals(orthogonal(x)) / max(1, columns / rows) ** 0.5
        assert values.min() > 0.4
        assert values.max() < 1.4


def test_a_short_run_learns_and_is_repeatable(torch, tmp_path, capsys):
    words, rng = ["the", "cat", "sat", "on", "a", "mat", "dog", "ran"], np.random.default_rng(0)
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("<|endoftext|>".join([" ".join(rng.choice(words, 60)) for _ in range(120)]))
    recipe = replace(FABLE_RECIPE, minutes=None, steps=30, batch=8, threads=1, log_every=10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sheetgpt.models.train.FABLE", ModelConfig(270, 64, 16, 2, 1))
        for name in ("one", "two"):
            train_fable(corpus, tmp_path / name, recipe)
    manifests = [json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("one", "two")]
    assert manifests[0]["weights"] == manifests[1]["weights"]
    assert manifests[0]["training"]["held_out"]["blocks"]["nats_per_token"] < 3
    assert "interim" not in manifests[0]["training"]
    assert "step     30" in capsys.readouterr().out
    assert str(tmp_path) not in (tmp_path / "one/training.log").read_text()


def test_a_sorter_that_does_not_sort_is_not_written(torch, tmp_path):
    with pytest.raises(SheetGPTError, match="train for more steps"):
        train_sorter(tmp_path, replace(SORTER_RECIPE, steps=2))
    assert not (tmp_path / "manifest.json").exists()


def test_a_corpus_that_is_none(torch, tmp_path):
    with pytest.raises(WeightError, match="cannot be read"):
        train_fable(tmp_path / "nothing.txt", tmp_path)
    (tmp_path / "one.txt").write_text("one story")
    with pytest.raises(WeightError, match="100 are needed"):
        train_fable(tmp_path / "one.txt", tmp_path)


def test_minutes_or_steps(torch, tmp_path):
    with pytest.raises(SheetGPTError, match="either"):
        train_sorter(tmp_path, replace(SORTER_RECIPE, minutes=1))
