"""Models of other hands: the same numbers come out of whatever they come in, and out of every copy of a copy."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tokenizers

from sheetgpt.build import Room, build
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.convert import export_model, import_model
from sheetgpt.models.export import write_model
from sheetgpt.models.foreign import our_name
from sheetgpt.models.huggingface import config_from
from sheetgpt.models.weights import Weights, find_model
from sheetgpt.sheet.blueprint import Card
from tests.conftest import TINY, UNTIED, random_arrays
from tests.foreign import (
    CONFIG,
    bfloat16,
    csv_folder,
    flat,
    hf_folder,
    npz,
    sharded,
    tensors,
    theirs,
    vocabulary_in,
    write_safetensors,
    zipped,
)
from tests.oracles import GPT2, needs_gpt2
from tests.test_cli import refused
from tests.test_cli import run as sheetgpt

Make = Callable[[Path], Path]


def digests(model: Weights) -> dict[str, str]:
    return {name: model.digest(name) for name in model}


def bits(model: Weights) -> dict[str, bytes]:
    return {name: model[name].astype(np.float32).tobytes() for name in model}


@pytest.fixture(scope="module")
def wanted(tiny: Weights) -> dict[str, str]:
    assert bits(tiny) == {name: array.tobytes() for name, array in random_arrays(TINY).items()}
    return digests(tiny)


SOURCES: dict[str, Make] = {
    "hf": hf_folder,
    "prefix": lambda p: hf_folder(p, tensors(prefix="transformer.")),
    "one file": lambda p: hf_folder(p) / "model.safetensors",
    "widened": lambda p: hf_folder(p, dtype="float64"),
    "head saved twice": lambda p: hf_folder(p, tensors() | {"lm_head.weight": tensors()["wte.weight"]}),
    "masks": lambda p: hf_folder(
        p,
        tensors()
        | {f"h.{i}.attn.bias": np.tri(16, dtype=np.float32)[None, None] for i in range(2)}
        | {f"h.{i}.attn.masked_bias": np.float32(-1e4).reshape(()) for i in range(2)},
    ),
    "shards": lambda p: sharded(p, tensors()),
    "csv": lambda p: csv_folder(p),
    "csv by columns": lambda p: csv_folder(p, columns=True),
    "csv of 18 digits": lambda p: csv_folder(p, columns=True, form="%.18e"),
    "zip": lambda p: zipped(csv_folder(p), p.with_suffix(".zip")),
    "zip with a folder": lambda p: zipped(csv_folder(p), p.with_suffix(".zip"), "some folder/gpt/"),
    "npz": lambda p: npz(p / "w.npz"),
    "npz by our names": lambda p: npz(p / "w.npz", "ours"),
    "npz by theirs, packed": lambda p: npz(p / "w.npz", "hf", packed=True),
    "npz by columns": lambda p: npz(p / "w.npz", fortran=True),
}


@pytest.mark.parametrize("form", ["npy", "csv"])
@pytest.mark.parametrize("source", SOURCES)
def test_the_same_model_whatever_it_comes_in(
    source: str, form: str, tmp_path: Path, tiny: Weights, wanted: dict[str, str]
) -> None:
    made = SOURCES[source](tmp_path / "source")
    heads = None if source.startswith(("hf", "prefix", "one", "wid", "head", "masks", "shards")) else TINY.n_head
    done = import_model(made, tmp_path / "model", heads=heads, form=form)
    assert done.weights.config == TINY
    assert digests(done.weights) == wanted
    assert {done.weights.path(name).suffix for name in wanted} == {f".{form}"}
    assert all(done.weights.recorded_digest(name) == done.weights.file_digest(name) for name in wanted)
    assert done.weights.tokenizer().encode("the cat sat") == tiny.tokenizer().encode("the cat sat")
    assert [note for note in done.notes if "no config" not in note] == []
    assert not list(tmp_path.glob(".sheetgpt-*"))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("form", ["npy", "csv"])
def test_sixteen_bits_are_the_float32_that_they_are(dtype: str, form: str, tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "source", dtype=dtype)
    model = import_model(folder, tmp_path / "model", form=form).weights
    for name, array in random_arrays(TINY).items():
        want = array.astype(np.float16).astype(np.float32) if dtype == "float16" else bfloat16(array)
        assert model[name].astype(np.float32).tobytes() == want.tobytes()
    assert digests(model) == digests(Weights.open(folder))


@pytest.mark.parametrize("form", ["npy", "csv"])
def test_float64_stays_float64(form: str, tmp_path: Path) -> None:
    fine = {name: array + np.pi * 1e-9 for name, array in tensors().items()}
    fine = {name: array.astype(np.float64) + 1e-12 / 3 for name, array in fine.items()}
    folder = hf_folder(tmp_path / "source", fine, "float64")
    model = import_model(folder, tmp_path / "model", form=form).weights
    for name in TINY.shapes():
        assert model[name].tobytes() == np.atleast_2d(fine[theirs(name)]).tobytes()
    assert digests(model) == digests(Weights.open(folder))
    assert digests(export_model(model, tmp_path / "copy", "csv" if form == "npy" else "npy")) == digests(model)


def test_a_copy_of_a_copy(tmp_path: Path, wanted: dict[str, str]) -> None:
    """safetensors -> npy -> csv -> npz -> csv -> npy, and the numbers are the same, to the bit."""
    npy = import_model(hf_folder(tmp_path / "hf"), tmp_path / "a").weights
    csv = export_model(npy, tmp_path / "b")
    again = export_model(csv, tmp_path / "c", "npy")
    assert all(npy.path(n).read_bytes() == again.path(n).read_bytes() for n in npy)
    np.savez(tmp_path / "b" / "w.npz", **{name: csv[name] for name in csv})  # float64, as a user would
    back = import_model(tmp_path / "b" / "w.npz", tmp_path / "d", form="csv").weights
    last = import_model(back.folder, tmp_path / "e").weights
    assert digests(npy) == digests(csv) == digests(again) == digests(back) == digests(last) == wanted
    assert all(back.path(n).read_bytes() == csv.path(n).read_bytes() for n in csv)
    assert bits(last) == {name: array.tobytes() for name, array in random_arrays(TINY).items()}


def test_export_changes_no_number(tmp_path: Path, tiny: Weights) -> None:
    """Not even one that a hand wrote with more digits than float32 has; `import` takes it for what was meant."""
    folder = Path(shutil.copytree(tiny.folder, tmp_path / "edited"))
    row = ",".join(["0.10000000149011612"] * TINY.n_embd)
    (folder / "model_ln_f_g.csv").write_text(row + "\n")
    model = Weights.open(folder)
    copy = export_model(model, tmp_path / "copy", "npy")
    assert digests(copy) == digests(model)
    assert np.load(copy.path("ln_f.g")).dtype == np.float64
    assert np.load(copy.path("wte")).dtype == np.float32
    assert import_model(folder, tmp_path / "meant").weights["ln_f.g"][0, 0] == 0.1


# ---- read where they lie --------------------------------------------------------------------------------------------


def test_build_takes_a_hugging_face_folder(tmp_path: Path, wanted: dict[str, str]) -> None:
    folder = hf_folder(tmp_path / "theirs")
    assert digests(find_model(str(folder))) == wanted
    result = sheetgpt("build", "the cat", "--model", folder, "-o", tmp_path / "book.xlsx", "--core")
    assert "recalculated by ironcalc, equal to numpy" in result.output
    assert sheetgpt("verify", tmp_path / "book.xlsx", "--model", folder).exit_code == 0
    info = sheetgpt("weights", "info", folder)
    assert "h1.mlp.c_proj.w" in info.output
    assert "manifest" not in info.output


def test_a_relative_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(hf_folder(tmp_path / "theirs"))
    assert find_model(".").name == "theirs"


def test_info_of_npy(tmp_path: Path) -> None:
    import_model(hf_folder(tmp_path / "theirs"), tmp_path / "model")
    before = sheetgpt("weights", "info", tmp_path / "model")
    assert before.exit_code == 0
    assert "not the file" not in before.output
    array = np.load(tmp_path / "model/model_wpe.npy")
    np.save(tmp_path / "model/model_wpe.npy", array + 1)
    assert "not the file the manifest names" in sheetgpt("weights", "info", tmp_path / "model").output
    array[3, 2] = np.nan
    np.save(tmp_path / "model/model_wpe.npy", array)
    refused(sheetgpt("weights", "info", tmp_path / "model"), 2, "model_wpe.npy: row 4, column 3 is not a finite number")


# ---- heads and tied heads -------------------------------------------------------------------------------------------


def test_a_head_of_its_own(tmp_path: Path) -> None:
    arrays = random_arrays(replace(TINY, tied=False))
    found = {theirs(name): flat(array) for name, array in arrays.items()}
    folder = hf_folder(tmp_path / "untied", found, tie_word_embeddings=False)
    model = Weights.open(folder)
    assert not model.config.tied
    assert model["lm_head.w"].astype(np.float32).tobytes() == arrays["lm_head.w"].tobytes()
    both = hf_folder(
        tmp_path / "both", tensors() | {"lm_head.weight": tensors()["wte.weight"]}, tie_word_embeddings=False
    )
    assert Weights.open(both).config.tied
    lying = hf_folder(tmp_path / "lying", found)
    refused(sheetgpt("weights", "import", lying, tmp_path / "x"), 2, "lm_head is another matrix", "tie_word_embeddings")


def test_a_head_in_csv(tmp_path: Path, untied: Weights) -> None:
    folder = tmp_path / "csv"
    shutil.copytree(untied.folder, folder)
    (folder / "manifest.json").unlink()
    model = import_model(folder, tmp_path / "model", heads=3).weights
    assert model.config == replace(UNTIED, eps=1e-5)  # which nothing but a config can say
    assert digests(model) == digests(untied)
    shutil.copy(folder / "model_wte.csv", folder / "model_lm_head_w.csv")
    assert import_model(folder, tmp_path / "tied", heads=3).weights.config.tied


def test_heads_where_nobody_says(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "csv")
    refused(sheetgpt("weights", "import", folder, tmp_path / "x"), 2, "width 8 is not a multiple of 64", "--heads")
    refused(sheetgpt("weights", "import", folder, tmp_path / "x", "--heads", 3), 2, "n_embd 8 is not a multiple of")
    result = sheetgpt("weights", "import", folder, tmp_path / "x", "--heads", 2, "--name", "mine")
    assert "mine: " in result.output
    assert "note: no config: sizes as the weights have them, 2 heads, as --heads says" in result.output
    hf = hf_folder(tmp_path / "hf")
    refused(sheetgpt("weights", "import", hf, tmp_path / "y", "--heads", 4), 2, "has 2 heads as its config says, not 4")


def test_heads_are_64_wide(tmp_path: Path) -> None:
    config = ModelConfig(n_vocab=260, n_ctx=4, n_embd=128, n_head=2, n_layer=1, n_inner=24)
    (tmp_path / "source").mkdir()
    vocabulary_in(tmp_path / "source", "encoder.json")
    np.savez(tmp_path / "source" / "w.npz", **random_arrays(config))
    done = import_model(tmp_path / "source" / "w.npz", tmp_path / "model")
    assert done.weights.config == config
    assert done.notes == [
        "no config: sizes as the weights have them, 2 heads, 64 wide each, as in every GPT-2 of OpenAI"
    ]


@pytest.mark.parametrize("name", ["hparams.json", "config.json", "manifest.json"])
def test_a_config_beside_the_weights(name: str, tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "csv")
    said = {"hparams.json": TINY.to_dict(), "config.json": CONFIG, "manifest.json": {"config": TINY.to_dict()}}
    (folder / name).write_text(json.dumps(said[name]))
    assert import_model(folder, tmp_path / "a").weights.config == TINY
    packed = zipped(folder, tmp_path / "csv.zip")
    assert import_model(packed, tmp_path / "b").notes == []


# ---- config.json ----------------------------------------------------------------------------------------------------


def test_sizes_by_either_name() -> None:
    long = {"hidden_size": 8, "max_position_embeddings": 16, "num_attention_heads": 2, "num_hidden_layers": 2}
    assert config_from({"model_type": "gpt2", "vocab_size": 260, **long}) == config_from(CONFIG) == TINY
    assert config_from({"model_type": "gpt2"}) == ModelConfig(50257, 1024, 768, 12, 12)
    assert config_from(CONFIG | {"n_inner": None}) == config_from(CONFIG | {"n_inner": 32}) == TINY
    assert config_from(CONFIG | {"n_inner": 24}).d_mlp == 24
    assert config_from(CONFIG | {"layer_norm_epsilon": 1e-3}).eps == 1e-3
    assert config_from(CONFIG | {"reorder_and_upcast_attn": True, "attn_pdrop": 0.5, "n_ctx": 99}) == TINY


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("model_type", "gpt_neo"), ("model_type", None), ("scale_attn_weights", False),
        ("scale_attn_by_inverse_layer_idx", True), ("add_cross_attention", True), ("activation_function", "silu"),
        ("activation_function", ["gelu"]), ("pruned_heads", {"0": [1]}), ("n_inner", 2.5), ("n_layer", "2"),
        ("layer_norm_epsilon", "small"), ("tie_word_embeddings", "yes"), ("vocab_size", 10**9),
    ],
)  # fmt: skip
def test_what_we_cannot_do_is_refused_by_name(entry: str, value: object, tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "theirs", **{entry: value})
    short = {"layer_norm_epsilon": "eps", "tie_word_embeddings": "tied", "vocab_size": "n_vocab"}.get(entry, entry)
    refused(sheetgpt("weights", "import", folder, tmp_path / "model"), 2, short)
    assert not (tmp_path / "model").exists()


def test_old_cards_and_manifests_stay_as_they_are() -> None:
    assert list(TINY.to_dict()) == ["n_vocab", "n_ctx", "n_embd", "n_head", "n_layer", "eps", "tied"]
    for config in (TINY, replace(TINY, n_inner=12), replace(TINY, activation="relu")):
        card = Card("m", config, 4)
        assert Card.from_json(card.to_json()) == card
        assert ModelConfig.from_dict(config.to_dict()) == config
    assert replace(TINY, n_inner=32) == TINY


def test_another_width_of_the_mlp(tmp_path: Path) -> None:
    config = replace(TINY, n_inner=12)
    arrays = {theirs(name): flat(array) for name, array in random_arrays(config).items()}
    folder = hf_folder(tmp_path / "theirs", arrays, n_inner=12)
    model = import_model(folder, tmp_path / "model").weights
    assert model.config == config
    assert build(model, "the cat", tmp_path / "book.xlsx", Room(fixed=True)).engine == "ironcalc"


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("transformer.h.11.attn.c_attn.weight", "h11.attn.c_attn.w"), ("h.0.ln_2.bias", "h0.ln_2.b"),
        ("model/h3/mlp/c_proj/b", "h3.mlp.c_proj.b"), ("model/wpe:0", "wpe"), ("ln_f.weight", "ln_f.g"),
        ("lm_head.weight", "lm_head.w"), ("h0.ln_1.g", "h0.ln_1.g"), ("wte", "wte"),
        ("h.01.ln_1.g", "h.01.ln_1.g"), ("h.٣.ln_1.g", "h.٣.ln_1.g"), ("", ""),
    ],
)  # fmt: skip
def test_names(name: str, ours: str) -> None:
    assert our_name(name) == ours


# ---- the vocabulary -------------------------------------------------------------------------------------------------


def tokenizer_json(folder: Path, kind: str = "list") -> dict[str, object]:
    """The folder's vocabulary as `tokenizers` saves it, and its two files gone."""
    model = tokenizers.models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink()
    said: dict[str, object] = json.loads((folder / "tokenizer.json").read_text())
    if kind == "text":
        said["model"]["merges"] = [" ".join(pair) for pair in said["model"]["merges"]]  # type: ignore[index]
    (folder / "tokenizer.json").write_text(json.dumps(said))
    return said


@pytest.mark.parametrize("kind", ["list", "text"])
def test_a_tokenizer_json(kind: str, tmp_path: Path, tiny: Weights) -> None:
    folder = hf_folder(tmp_path / "theirs")
    tokenizer_json(folder, kind)
    model = import_model(folder, tmp_path / "model").weights
    oracle = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    for text in ("the cat sat on the mat", "naïve  café\n", "🙂 =1+1"):
        assert model.tokenizer().encode(text) == tiny.tokenizer().encode(text) == oracle.encode(text).ids
        assert Weights.open(folder).tokenizer().encode(text) == oracle.encode(text).ids


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("model.type", "WordPiece", "WordPiece"), ("model.type", "Unigram", "Unigram"),
        ("model.byte_fallback", True, "byte_fallback"), ("model.end_of_word_suffix", "</w>", "end_of_word_suffix"),
        ("model.dropout", 0.1, "dropout"), ("normalizer", {"type": "NFKC"}, "normalizer NFKC"),
        ("pre_tokenizer", {"type": "Whitespace"}, "Whitespace"), ("pre_tokenizer", None, "none"),
        ("pre_tokenizer", {"type": "Sequence", "pretokenizers": [{"type": "Split"}, {}]}, "Sequence"),
        ("pre_tokenizer", {"type": "ByteLevel", "add_prefix_space": True}, "add_prefix_space"),
        ("pre_tokenizer", {"type": "ByteLevel", "use_regex": False}, "use_regex"),
        ("post_processor", {"type": "TemplateProcessing", "special_tokens": {"[CLS]": {}}}, "post_processor"),
        ("model.merges", [["a"]], "two symbols"), ("model.vocab", [], "vocab and merges"), ("model", 5, "no model"),
        ("added_tokens", [{"id": 1}], "added_tokens"), ("added_tokens", [{"content": "x"}], "must have a number"),
        ("added_tokens", [{"content": "the", "id": 0}], "added token"),
        ("model.vocab.the", "x", "must have a number"), ("model.vocab.zebra", 10**9, "tokens, the weights 260"),
    ],
)  # fmt: skip
def test_a_tokenizer_of_another_kind(path: str, value: object, says: str, tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "theirs")
    said = at = tokenizer_json(folder)
    *outer, last = path.split(".")
    for key in outer:
        at = at[key]  # type: ignore[assignment]
    at[last] = value
    (folder / "tokenizer.json").write_text(json.dumps(said))
    refused(sheetgpt("weights", "import", folder, tmp_path / "model"), 2, says)
    assert not (tmp_path / "model").exists()


def test_no_vocabulary_or_one_from_elsewhere(tmp_path: Path, tiny: Weights, wanted: dict[str, str]) -> None:
    folder = hf_folder(tmp_path / "theirs")
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink()
    refused(sheetgpt("weights", "import", folder, tmp_path / "x"), 2, "no vocabulary", "--vocabulary", "tokenizer.json")
    refused(sheetgpt("build", "a", "--model", folder, "-o", tmp_path / "b.xlsx"), 2, "no vocabulary here")
    done = import_model(folder, tmp_path / "model", vocabulary_from=tiny.folder)
    assert digests(done.weights) == wanted
    assert done.weights.tokenizer().merges == tiny.tokenizer().merges


def test_more_rows_than_tokens(tmp_path: Path, tiny: Weights) -> None:
    config = replace(TINY, n_vocab=264)
    found = {theirs(name): flat(array) for name, array in random_arrays(config).items()}
    folder = hf_folder(tmp_path / "theirs", found, vocab_size=264)
    (folder / "added_tokens.json").write_text('{"<pad>": 261}')
    result = sheetgpt("weights", "import", folder, tmp_path / "model")
    assert "note: 3 rows of wte have no token: they are called <|unused_N|>" in result.output
    tokenizer = Weights.open(tmp_path / "model").tokenizer()
    assert [tokenizer.visible(i) for i in (260, 261, 263)] == ["<|unused_260|>", "<pad>", "<|unused_263|>"]
    assert tokenizer.encode("<|unused_260|> the") == tiny.tokenizer().encode("<|unused_260|> the")
    assert Weights.open(folder).tokenizer().n_vocab == 264
    assert build(Weights.open(folder), "the cat", tmp_path / "b.xlsx", Room(fixed=True)).engine == "ironcalc"


def test_fewer_rows_than_tokens(tmp_path: Path) -> None:
    found = {theirs(name): flat(array) for name, array in random_arrays(replace(TINY, n_vocab=250)).items()}
    folder = hf_folder(tmp_path / "theirs", found, vocab_size=250)
    refused(sheetgpt("weights", "import", folder, tmp_path / "x"), 2, "the vocabulary has 260 tokens, the weights 250")


@needs_gpt2
def test_gpt2s_own_vocabulary_comes_out_as_it_went_in(tmp_path: Path) -> None:
    config = ModelConfig(n_vocab=50257, n_ctx=2, n_embd=2, n_head=1, n_layer=1)
    np.savez(tmp_path / "w.npz", **random_arrays(config))
    import_model(tmp_path / "w.npz", tmp_path / "model", heads=1, vocabulary_from=GPT2)
    for name in ("vocab.bpe", "encoder.json"):
        assert (tmp_path / "model" / name).read_bytes() == (GPT2 / name).read_bytes()


@pytest.mark.parametrize("command", ["info", "import", "fetch", "export"])
def test_help(command: str) -> None:
    result = sheetgpt("weights", command, "--help")
    assert result.exit_code == 0
    assert command in sheetgpt("weights", "--help").output
    assert all(len(line) < 82 for line in result.output.splitlines())


# ---- where it is written --------------------------------------------------------------------------------------------


def test_the_manifest_says_where_it_came_from(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "theirs")
    model = import_model(folder, tmp_path / "model", origin={"revision": "abc"}).weights
    said = model.manifest["source"]
    assert said == {
        "name": "theirs",
        "files": {"model.safetensors": Weights.open(folder).file_digest("wte")},
        "revision": "abc",
    }
    assert json.loads((tmp_path / "model/manifest.json").read_text())["format"] == 1
    assert export_model(model, tmp_path / "copy").manifest["source"] == said


def test_only_a_new_or_an_empty_folder(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "theirs")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").write_text("mine")
    assert sheetgpt("weights", "import", folder, tmp_path / "empty").exit_code == 0
    assert sheetgpt("weights", "import", folder, tmp_path / "a/b/c").exit_code == 0
    for place in (tmp_path / "full", tmp_path / "full/x", tmp_path / "empty"):
        refused(sheetgpt("weights", "import", folder, place), 2, "is there already")
        refused(sheetgpt("weights", "export", "sorter", place), 2, "is there already")
    assert (tmp_path / "full/x").read_text() == "mine"
    refused(sheetgpt("weights", "import", folder, tmp_path / "full/x/y"), 2, "cannot be made")
    assert os.stat(tmp_path / "empty").st_mode == os.stat(tmp_path / "full").st_mode


def test_export_of_a_bundled_model(tmp_path: Path, sorter: Weights) -> None:
    result = sheetgpt("weights", "export", "sorter", tmp_path / "copy")
    assert "head of its own" in result.output
    copy = Weights.open(tmp_path / "copy")
    assert all(copy.path(n).read_bytes() == sorter.path(n).read_bytes() for n in sorter)
    assert copy.manifest["training"] == sorter.manifest["training"]
    assert copy.tokenizer().tokens == sorter.tokenizer().tokens


def test_write_model_and_import_write_alike(tmp_path: Path, tiny: Weights) -> None:
    imported = import_model(tiny.folder, tmp_path / "model", form="csv").weights
    assert all(imported.path(n).read_bytes() == tiny.path(n).read_bytes() for n in tiny)
    assert imported.manifest["weights"] == tiny.manifest["weights"]
    write_model(tmp_path / "model", "tiny", TINY, random_arrays(TINY))
    assert Weights.open(tmp_path / "model").manifest["weights"] == tiny.manifest["weights"]


def test_bf16_by_the_package_is_bf16_here(tmp_path: Path) -> None:
    """Every number that bfloat16 has, but NaN and infinity."""
    every = (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32)
    finite = every[np.isfinite(every)][: 254 * 256].reshape(254, 256)
    from sheetgpt.models.safetensors import read_header

    write_safetensors(tmp_path / "x.safetensors", {"t": finite}, "bfloat16")
    stored = read_header(tmp_path / "x.safetensors")["t"].stored("t", (254, 256))
    assert np.concatenate(list(stored.pieces())).tobytes() == finite.tobytes()
