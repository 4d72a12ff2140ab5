"""The MLP's bend in each of its forms: plan, reference, workbook in three engines, and Hugging Face's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheetgpt.build import Form, Room, build
from sheetgpt.check.evaluate import evaluate, run
from sheetgpt.check.verify import verify
from sheetgpt.engines import ENGINES
from sheetgpt.models.config import ACTIVATIONS, ModelConfig
from sheetgpt.models.huggingface import config_from
from sheetgpt.models.reference import GELUS, forward
from sheetgpt.models.weights import Weights
from sheetgpt.plan.model import gelu, gpt2
from sheetgpt.plan.ops import Expr
from tests.conftest import TINY, make_model, random_arrays
from tests.foreign import CONFIG, hf_folder

THEIRS = ["gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu", "quick_gelu", "relu"]
IDS = [5, 0, 200, 3, 259, 3]


@pytest.fixture(scope="module", params=ACTIVATIONS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Weights:
    config = replace(TINY, activation=request.param, n_inner=20)
    return make_model(tmp_path_factory.mktemp("models") / request.param, config, seed=3)


def weights(config: ModelConfig) -> dict[str, np.ndarray]:
    return {name: array.astype(np.float64) for name, array in random_arrays(config, 3).items()}


def test_every_activation_has_a_reference_and_a_name() -> None:
    assert set(GELUS) == set(ACTIVATIONS)
    assert {config_from(CONFIG | {"activation_function": name}).activation for name in THEIRS} == set(ACTIVATIONS)


@pytest.mark.parametrize("engine", list(ENGINES))
def test_a_workbook_of_each(model: Weights, engine: str, tmp_path: Path) -> None:
    if ENGINES[engine].version() is None:
        pytest.skip(f"{engine} is not installed: {ENGINES[engine].hint()}")
    form = Form(core=engine != "ironcalc")  # what stands beside the pipeline by one engine, to save time
    built = build(model, "the cat sat", tmp_path / "book.xlsx", Room(fixed=True), form=form)
    report = verify(built.path, engine, str(model.folder))
    assert report.exit_code == 0, report.faults
    assert max(row.own_gap for row in report.rows) <= 1e-12


def test_a_workbook_for_any_prompt(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", replace(TINY, activation="gelu", n_layer=1))
    built = build(model, "the cat", tmp_path / "book.xlsx", Room(tokens=6, characters=12, word_bytes=4))
    assert built.engine == "ironcalc"
    assert verify(built.path, "ironcalc", str(model.folder)).exit_code == 0


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_plan_equals_reference(activation: str) -> None:
    config = replace(TINY, activation=activation, n_inner=20)
    w = weights(config)
    given_ = {
        "prompt.ids": np.array(IDS, float)[:, None], "prompt.n": np.array([[float(len(IDS))]]),
        "prompt.pos": np.arange(float(len(IDS)))[:, None], "prompt.text": np.array([["x"]], object),
        "vocab.id": np.arange(float(config.n_vocab))[:, None], "top.rank": np.arange(1.0, 11)[:, None],
        **dict.fromkeys(("vocab.text", "vocab.bytes"), np.array(["t"] * config.n_vocab, object)[:, None]),
    }  # fmt: skip
    found = run(gpt2(config, len(IDS)), given_, w)
    want = forward(w, IDS, n_layer=config.n_layer, n_head=config.n_head, gelu=activation)
    for name in ("h0.mlp.post", "h1.mlp.post", "h1.resid_post", "logits", "probs"):
        assert np.abs(found[name] - want[name]).max() < 1e-12
    others = [
        forward(w, IDS, n_layer=2, n_head=2, gelu=other)["logits"] for other in ACTIVATIONS if other != activation
    ]
    assert min(np.abs(want["logits"] - other).max() for other in others) > 1e-4


@given(st.lists(st.floats(-400, 400), min_size=1, max_size=9), st.sampled_from(ACTIVATIONS))
def test_every_number_as_the_reference_has_it(numbers: list[float], activation: str) -> None:
    x = np.array([numbers])
    place = Expr("data", shape=x.shape, name="x.x")
    found, want = evaluate(gelu(place, activation), {"x.x": x}), GELUS[activation](x)
    assert np.allclose(found, want, rtol=1e-13, atol=1e-13)


# ---- Hugging Face's own ---------------------------------------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")  # torch and transformers warn of their own affairs
@pytest.mark.parametrize("activation", THEIRS)
def test_transformers_computes_the_same(activation: str, tmp_path: Path) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    folder = hf_folder(tmp_path / "theirs", activation_function=activation)
    ours = Weights.open(folder)
    theirs = transformers.GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").double().eval()
    with torch.no_grad():
        want = theirs(torch.tensor([IDS])).logits[0, -1].numpy()
    w = {name: array.astype(np.float32).astype(np.float64) for name, array in ours.items()}
    c = ours.config
    got = forward(w, IDS, n_layer=c.n_layer, n_head=c.n_head, eps=c.eps, gelu=c.activation)["logits"][:, 0]
    assert np.abs(got - want).max() < (1e-9 if activation == "gelu_fast" else 1e-12)  # whose constant has ten digits


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("tied", [True, False])
def test_what_transformers_saves_is_read(dtype: str, tied: bool, tmp_path: Path) -> None:
    """Its own file, in shards; every parameter to the bit."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        vocab_size=300, n_positions=8, n_embd=64, n_head=4, n_layer=2, n_inner=96, tie_word_embeddings=tied
    )
    model = transformers.GPT2LMHeadModel(config).to(getattr(torch, dtype))
    model.save_pretrained(tmp_path / "theirs", max_shard_size="60KB")
    assert len(list((tmp_path / "theirs").glob("model-*.safetensors"))) > 1
    ours = Weights.open(tmp_path / "theirs")
    assert (ours.config.tied, ours.config.d_mlp) == (tied, 96)
    state = {name.removeprefix("transformer."): value for name, value in model.state_dict().items()}
    for name, array in ours.items():
        spelt = name.replace("h0.", "h.0.").replace("h1.", "h.1.")
        spelt = spelt.removesuffix(".w").removesuffix(".g") + ".weight" if spelt[-2:] != ".b" else spelt[:-2] + ".bias"
        want = state[spelt].double().numpy().reshape(array.shape)
        kind = np.float64 if dtype == "float64" else np.float32
        assert array.astype(kind).tobytes() == want.astype(kind).tobytes()
    assert json.loads((tmp_path / "theirs/config.json").read_text())["model_type"] == "gpt2"
