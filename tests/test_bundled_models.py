"""The bundled models' files are what their manifests say, and the sorter sorts."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import orjson
import pytest

from sheetgpt.errors import WeightError
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.export import to_csv, write_model
from sheetgpt.models.tokenizer import Tokenizer

WEIGHTS = Path(__file__).parents[1] / "weights"
SIZES = {"fable": 269_696, "sorter": 85_728}


@pytest.fixture(params=sorted(SIZES))
def folder(request):
    return WEIGHTS / request.param


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_files_are_sealed(folder):
    said = manifest(folder)
    for entry in said["weights"].values():
        assert sha256(folder / entry["file"]) == entry["sha256"], entry["file"]
    for name, digest in said["vocabulary"].items():
        assert sha256(folder / name) == digest, name


def test_shapes_are_those_of_the_config(folder):
    said = manifest(folder)
    config = ModelConfig.from_dict(said["config"])
    assert {name: tuple(entry["shape"]) for name, entry in said["weights"].items()} == config.shapes()
    assert sum(rows * columns for rows, columns in config.shapes().values()) == SIZES[folder.name]
    assert Tokenizer.load(folder).n_vocab == config.n_vocab


def test_no_stray_files(folder):
    said = manifest(folder)
    known = {entry["file"] for entry in said["weights"].values()} | set(said["vocabulary"])
    known |= {"manifest.json", "training.log", "samples.txt"}
    assert {path.name for path in folder.iterdir()} <= known


def test_every_number_is_the_shortest_float32_text(folder):
    for entry in manifest(folder)["weights"].values():
        text = (folder / entry["file"]).read_bytes()
        rows = np.array([orjson.loads(b"[" + line + b"]") for line in text.splitlines()])
        assert list(rows.shape) == entry["shape"]
        assert to_csv(rows.astype(np.float32)) == text
        first = text.splitlines()[0].decode().split(",")
        assert [float(cell) for cell in first] == [float(str(np.float32(cell))) for cell in first]  # numpy agrees


def test_fable_is_final():
    training = manifest(WEIGHTS / "fable")["training"]
    assert "interim" not in training
    assert training["held_out"]["sliding"]["bits_per_byte"] < 1.19


def test_sorter_sorts_all_729_words_from_its_csv_files():
    """Greedy, six tokens, recomputed here from the text of the weights in float64."""
    ids = np.array(list(itertools.product(range(3), repeat=6)))
    wanted = np.sort(ids, axis=1)
    model = read_all(WEIGHTS / "sorter")
    margin = np.inf
    for _ in range(6):
        scores = np.sort(forward(*model, ids)[:, -1], axis=-1)
        margin = min(margin, (scores[:, -1] - scores[:, -2]).min())
        ids = np.concatenate([ids, forward(*model, ids)[:, -1].argmax(axis=-1)[:, None]], axis=1)
    assert (ids[:, 6:] == wanted).all()
    assert margin > 5


def read_all(folder):
    said = manifest(folder)
    weights = {
        name: np.loadtxt(folder / entry["file"], delimiter=",", ndmin=2) for name, entry in said["weights"].items()
    }
    return said["config"], weights


def forward(config, w, ids):
    n, d_head = ids.shape[1], config["n_embd"] // config["n_head"]
    x = w["wte"][ids] + w["wpe"][:n]
    mask = np.where(np.tril(np.ones((n, n))) > 0, 0, -np.inf)
    for i in range(config["n_layer"]):
        p = {name.split(".", 1)[1]: a for name, a in w.items() if name.startswith(f"h{i}.")}
        a = norm(x, p["ln_1.g"], p["ln_1.b"]) @ p["attn.c_attn.w"] + p["attn.c_attn.b"]
        q, k, v = a.reshape(len(ids), n, 3, -1, d_head).transpose(2, 0, 3, 1, 4)
        e = np.exp(q @ k.transpose(0, 1, 3, 2) / np.sqrt(d_head) + mask)
        mixed = (e / e.sum(axis=-1, keepdims=True) @ v).transpose(0, 2, 1, 3).reshape(x.shape)
        x = x + mixed @ p["attn.c_proj.w"] + p["attn.c_proj.b"]
        h = norm(x, p["ln_2.g"], p["ln_2.b"]) @ p["mlp.c_fc.w"] + p["mlp.c_fc.b"]
        h = h / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))
        x = x + h @ p["mlp.c_proj.w"] + p["mlp.c_proj.b"]
    return norm(x, w["ln_f.g"], w["ln_f.b"]) @ w["lm_head.w"].T


def norm(x, gain, bias):
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5) * gain + bias


TINY = ModelConfig(n_vocab=3, n_ctx=2, n_embd=2, n_head=1, n_layer=1)


def tiny_arrays():
    return {name: np.full(shape, 0.1, np.float32) for name, shape in TINY.shapes().items()}


def vocabulary_in(folder):
    (folder / "vocab.bpe").write_text("#version: 0.2\n")
    (folder / "encoder.json").write_text('{"A":0,"B":1,"C":2}\n')


def test_export_writes_what_it_says(tmp_path):
    vocabulary_in(tmp_path)
    write_model(tmp_path, "tiny", TINY, tiny_arrays() | {"ln_f.g": np.ones(2, np.float32)}, training={"steps": 0})
    test_files_are_sealed(tmp_path)
    test_no_stray_files(tmp_path)
    assert (tmp_path / "model_ln_f_g.csv").read_bytes() == b"1.0,1.0\n"


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("wte", np.full((3, 2), np.nan, np.float32), "NaN"),
        ("wpe", np.full((2, 2), -np.inf, np.float32), "NaN or infinite"),
        ("wte", np.zeros((2, 3), np.float32), r"shape \[2, 3\]"),
        ("wte", np.zeros((3, 2)), "float64"),
        ("lm_head.w", np.zeros((3, 2), np.float32), "no such weight"),
    ],
)
def test_export_refuses_and_writes_nothing(tmp_path, name, array, said):
    vocabulary_in(tmp_path)
    with pytest.raises(WeightError, match=said):
        write_model(tmp_path, "tiny", TINY, tiny_arrays() | {name: array})
    assert len(list(tmp_path.iterdir())) == 2


def test_export_wants_every_weight_and_the_vocabulary(tmp_path):
    with pytest.raises(WeightError, match=r"vocab\.bpe: cannot be read"):
        write_model(tmp_path, "tiny", TINY, tiny_arrays())
    arrays = tiny_arrays()
    del arrays["h0.ln_1.g"]
    with pytest.raises(WeightError, match=r"h0\.ln_1\.g: missing"):
        write_model(tmp_path, "tiny", TINY, arrays)
