"""Files that lie: each is one clear line and exit code 2, and no folder is left."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import pickle
import resource
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sheetgpt.errors import SheetGPTError, WeightError
from sheetgpt.models.convert import import_model, open_source
from sheetgpt.models.npy import read_header as read_npy_header
from sheetgpt.models.safetensors import read_header
from sheetgpt.models.weights import Weights
from tests.conftest import TINY
from tests.foreign import csv_folder, hf_folder, npz, sharded, tensors, write_safetensors, zipped
from tests.test_cli import refused
from tests.test_cli import run as sheetgpt

Change = Callable[[Path], object]
SMALL = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float16([1, 2])}


def nothing_written(source: Path, *says: str) -> None:
    """`import` says why not, in one line, and leaves nothing behind."""
    target = source.parent / "target"
    refused(sheetgpt("weights", "import", source, target, "--heads", 2), 2, *says)
    assert not target.exists()
    assert not list(source.parent.glob(".sheetgpt-*"))


# ---- safetensors ----------------------------------------------------------------------------------------------------


def header(said: object, data: bytes = b"") -> bytes:
    text = said if isinstance(said, bytes) else json.dumps(said).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(start: int, stop: int, dtype: str = "F32", shape: list[object] | None = None) -> dict[str, object]:
    return {"dtype": dtype, "shape": [(stop - start) // 4] if shape is None else shape, "data_offsets": [start, stop]}


BROKEN_HEADERS = {
    "empty": (b"", "ends too early"),
    "seven bytes": (b"\0" * 7, "ends too early"),
    "no header": (struct.pack("<Q", 0), "a header of 0 bytes"),
    "longer than the file": (struct.pack("<Q", 1000) + b"{}", "a header of 1,000 bytes in a file of 10"),
    "a giant header": (struct.pack("<Q", 1 << 63) + b"{}", "a header of 9,223,372,036,854,775,808"),
    "not JSON": (header(b"{nonsense"), "cannot be read as JSON"),
    "not UTF-8": (header(b"{\xff\xff}"), "cannot be read as JSON"),
    "deep JSON": (header(b'{"a":' + b"[" * 100_000), "cannot be read as JSON"),
    "a list": (header([]), "must hold a JSON object"),
    "a name twice": (header(b'{"a": 1, "a": 2}'), "cannot be read as JSON"),
    "a tensor that is none": (header({"a": 5}), "a: must have dtype"),
    "an entry more": (header({"a": tensor(0, 4) | {"x": 1}}, b"0000"), "must have dtype"),
    "an unknown dtype": (header({"a": tensor(0, 4, "F8_X")}, b"0000"), "dtype 'F8_X' is unknown"),
    "a dtype that is no text": (header({"a": tensor(0, 4) | {"dtype": [1]}}, b"0000"), "is unknown"),
    "a negative size": (header({"a": tensor(0, 4, shape=[-1])}, b"0000"), "shape [-1] is none"),
    "a true size": (header({"a": tensor(0, 4, shape=[True])}, b"0000"), "shape [True] is none"),
    "a size of 1.0": (header({"a": tensor(0, 4, shape=[1.0])}, b"0000"), "shape [1.0] is none"),
    "a giant shape": (header({"a": tensor(0, 4, shape=[1 << 62] * 8)}, b"0000"), "takes"),
    "many axes": (header({"a": tensor(0, 4, shape=[1] * 9)}, b"0000"), "is none"),
    "wrong bytes": (header({"a": tensor(0, 8, shape=[1])}, b"0" * 8), "F32 of shape [1] takes 4 bytes"),
    "backwards": (header({"a": tensor(4, 0, shape=[])}, b"0000"), "its offsets say -4"),
    "three offsets": (header({"a": tensor(0, 4) | {"data_offsets": [0, 4, 8]}}), "must be two whole numbers"),
    "truncated": (header({"a": tensor(0, 40)}, b"0" * 39), "ends too early, by 1 bytes"),
    "too long": (header({"a": tensor(0, 4)}, b"0" * 5), "has 1 bytes more than it names"),
    "a gap": (header({"a": tensor(0, 4), "b": tensor(8, 12)}, b"0" * 12), "b leaves a gap"),
    "an overlap": (header({"a": tensor(0, 8), "b": tensor(4, 12)}, b"0" * 12), "b overlaps"),
    "the same place twice": (header({"a": tensor(0, 4), "b": tensor(0, 4)}, b"0" * 4), "overlaps"),
    "metadata that is none": (header({"__metadata__": {"a": 1}}), "__metadata__"),
}


@pytest.mark.parametrize("name", BROKEN_HEADERS)
def test_a_header_that_lies(name: str, tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "theirs")
    data, says = BROKEN_HEADERS[name]
    (folder / "model.safetensors").write_bytes(data)
    nothing_written(folder, "model.safetensors", says)
    refused(sheetgpt("weights", "info", folder), 2, says)
    if name not in {"a name twice", "an entry more", "many axes"}:  # where we are stricter than the package
        with pytest.raises(safetensors.SafetensorError):
            safetensors.numpy.load_file(folder / "model.safetensors")


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_bytes_are_a_header_or_a_weight_error(archives: dict[str, Path], data: st.DataObject) -> None:
    """A good file with bytes changed, cut or added; what still opens, the package opens too, with the same numbers."""
    path = archives["zip"].with_name("fuzz.safetensors")
    good = bytearray(safetensors.numpy.save(SMALL, {"format": "np"}))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(good) - 1))
        if data.draw(st.booleans()):
            good[at] = data.draw(st.integers(0, 255))
        else:
            good[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    path.write_bytes(good)
    try:
        full = {name: entry for name, entry in read_header(path).items() if entry.stop > entry.start}
        arrays = {n: list(e.stored(n, (1, int(np.prod(e.shape)))).pieces()) for n, e in full.items()}
    except WeightError:
        return
    want = safetensors.numpy.load_file(path)
    for name, pieces in arrays.items():
        assert np.concatenate(pieces).tobytes() == want[name].astype(np.float32).tobytes()


def test_a_header_of_megabytes(tmp_path: Path) -> None:
    """8 MB of it are read and refused; more are not read."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(header(b'{"a":"' + b" " * (9 << 20) + b'"}'))
    tracemalloc.start()
    with pytest.raises(WeightError, match="a header of 9,437"):
        read_header(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop("ln_f.bias"), "ln_f.b is missing; the config asks for 28"),
        (lambda t: [t.pop(name) for name in list(t) if name.startswith("h.1.")], "h1.ln_1.g and 11 more is missing"),
        (lambda t: t.update(score=np.ones(3, np.float32)), "score is no weight of this GPT-2"),
        (lambda t: t.update({"h.2.ln_1.bias": t["ln_f.bias"]}), "h.2.ln_1.bias is no weight"),
        (lambda t: t.update({"transformer.wte.weight": t["wte.weight"]}), "stands there twice"),
        (lambda t: t.update({"wpe.weight": t["wpe.weight"].T.copy()}), "wpe.weight: shape [8, 16]; the config wants"),
        (lambda t: t.update({"wpe.weight": t["wpe.weight"].astype(np.int8)}), "wpe.weight is I8; weights are F64"),
        (lambda t: t["wpe.weight"].__setitem__((3, 5), np.nan), "wpe.weight: row 4, column 6 is not a finite"),
        (lambda t: t["h.1.mlp.c_fc.bias"].__setitem__(7, -np.inf), "h.1.mlp.c_fc.bias: row 1, column 8 is not a"),
    ],
)  # fmt: skip
def test_tensors_that_are_no_gpt2(change: Callable[[dict[str, np.ndarray]], object], says: str, tmp_path: Path) -> None:
    found = tensors()
    change(found)
    folder = hf_folder(tmp_path / "theirs")
    safetensors.numpy.save_file(found, folder / "model.safetensors")
    nothing_written(folder, "model.safetensors", says)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update({"wte.weight": "../wte.safetensors"}), "is no .safetensors file beside it"),
        (lambda m: m.update({"wte.weight": "/etc/passwd"}), "is no .safetensors file beside it"),
        (lambda m: m.update({"wte.weight": ["x"]}), "is no .safetensors file beside it"),
        (lambda m: m.update({"wte.weight": "model-3.safetensors"}), "model-3.safetensors, which is missing"),
        (lambda m: m.update({"x": "model-00001-of-00002.safetensors"}), "says that x is in model-00001"),
        (lambda m: m.clear(), "has no weight_map"),
    ],
)
def test_an_index_that_lies(change: Callable[[dict[str, object]], object], says: str, tmp_path: Path) -> None:
    folder = sharded(tmp_path / "theirs", tensors())
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    change(index["weight_map"])
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    nothing_written(folder, says)


def test_a_tensor_in_two_shards(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "theirs", tensors())
    write_safetensors(folder / "model-00002-of-00002.safetensors", tensors())
    nothing_written(folder, "stands in two files")


@pytest.mark.parametrize("text", ["", "[]", "{", "\xff", '{"model_type": "gpt2", "model_type": "gpt2"}', "[" * 100_000])
def test_a_config_that_is_none(text: str, tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "theirs")
    (folder / "config.json").write_text(text, "latin-1")
    nothing_written(folder, "config.json")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "tf_model.h5"])
def test_pickles_are_never_read(name: str, tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "theirs")
    (folder / "model.safetensors").rename(folder / name)
    nothing_written(folder, name, "save the model as safetensors")
    if not name.endswith(".h5"):
        nothing_written(folder / name, "it may run code")


@pytest.mark.parametrize("name", ["nowhere", "nowhere.npz", "notes.txt", "empty", "lonely.safetensors"])
def test_nothing_to_import(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    write_safetensors(tmp_path / "lonely.safetensors", tensors())
    nothing_written(tmp_path / name, name)


# ---- zip and npz ----------------------------------------------------------------------------------------------------


def rezip(path: Path, change: Callable[[zipfile.ZipInfo, bytes], tuple[zipfile.ZipInfo, bytes] | None]) -> None:
    with zipfile.ZipFile(path) as old:
        parts = [(info, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for part in parts:
            if changed := change(*part):
                new.writestr(*changed, compress_type=zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize("name", ["../evil.csv", "/etc/evil.csv", "a/../../evil", "C:\\evil.csv", "a\\..\\evil", ".."])
@pytest.mark.parametrize("kind", ["zip", "npz"])
def test_a_name_that_leads_out(name: str, kind: str, tmp_path: Path) -> None:
    source = zipped(csv_folder(tmp_path / "csv"), tmp_path / "x.zip") if kind == "zip" else npz(tmp_path / "x.npz")
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr(name, "x")
    before = sorted(tmp_path.parent.iterdir())
    nothing_written(source, "leads out of it")
    assert sorted(tmp_path.parent.iterdir()) == before


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name(tmp_path: Path) -> None:
    source = zipped(csv_folder(tmp_path / "csv"), tmp_path / "x.zip")
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("model_wte.csv", "1")
    nothing_written(source, "two files of one name")


def test_two_models_in_one_zip(tmp_path: Path) -> None:
    source = zipped(csv_folder(tmp_path / "csv"), tmp_path / "x.zip", "a/")
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("b/model_wte.csv", "1")
        archive.writestr("__MACOSX/a/._model_wte.csv", "1")
    nothing_written(source, "2 folders with model_wte.csv")


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").write_text("x")
    nothing_written(zipped(tmp_path / "notes", tmp_path / "x.zip"), "no folders with model_wte.csv")
    (tmp_path / "y.zip").write_bytes(b"PK\3\4 and nothing")
    nothing_written(tmp_path / "y.zip", "not a zip that can be read")


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_without_bounds(packing: int, tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "csv")
    with zipfile.ZipFile(tmp_path / "x.zip", "w", packing) as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    nothing_written(tmp_path / "x.zip", "not packed by deflate")


BOMB = 200 << 20


@pytest.mark.parametrize("inside", [b"\n", b" ", b"0", b"1,", b"0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5\n"])
@pytest.mark.parametrize("name", ["model_wpe.csv", "model_ln_f_g.csv"])
def test_a_zip_bomb(name: str, inside: bytes, tmp_path: Path) -> None:
    """200 MB of a file in 200 kB: read as far as a matrix of its shape can go, and not kept."""
    source = zipped(csv_folder(tmp_path / "csv"), tmp_path / "x.zip")
    rezip(source, lambda info, data: (info, inside * (BOMB // len(inside)) if info.filename == name else data))
    assert source.stat().st_size < 2 << 20
    tracemalloc.start()
    nothing_written(source)
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()


def test_a_member_of_another_size_than_declared(tmp_path: Path) -> None:
    source = zipped(csv_folder(tmp_path / "csv"), tmp_path / "x.zip")
    data = bytearray(source.read_bytes())
    at = data.rindex(b"PK\1\2", 0, data.rindex(b"model_wte.csv"))
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    source.write_bytes(data)
    nothing_written(source, "model_wte.csv is damaged")


def test_a_member_without_a_name(tmp_path: Path) -> None:
    """`zipfile` itself stumbles over it."""
    source = zipped(csv_folder(tmp_path / "csv"), tmp_path / "x.zip")
    source.write_bytes(source.read_bytes().replace(b"model_wte.csv", b"\0odel_wte.csv"))
    nothing_written(source, "leads out of it")


def test_a_giant_directory(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for k in range(8000):
            archive.writestr(f"{k}.csv", "")
    nothing_written(tmp_path / "x.zip", "8,000 files in it")
    data = (tmp_path / "x.zip").read_bytes()
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 30 << 20, len(data), 0)
    (tmp_path / "y.zip").write_bytes(data + b"\0" * (30 << 20) + end)
    nothing_written(tmp_path / "y.zip", "its directory takes")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("kind", ["zip", "npz"])
def test_any_zip_is_a_model_or_an_error_of_ours(kind: str, data: st.DataObject, archives: dict[str, Path]) -> None:
    good = bytearray(archives[kind].read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        near = data.draw(st.sampled_from([0, len(good) // 2, len(good) - 300, len(good) - 40]))
        at = min(len(good) - 1, near + data.draw(st.integers(0, 300)))
        good[at] = data.draw(st.integers(0, 255))
    path = archives[kind].with_name(f"fuzz.{kind}")
    path.write_bytes(good)
    try:
        for stored in open_source(path, 2).found.stored.values():
            for piece in stored.pieces():
                assert np.isfinite(piece).all()
    except SheetGPTError:
        pass


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("archives")
    return {"zip": zipped(csv_folder(folder / "csv"), folder / "x.zip"), "npz": npz(folder / "x.npz", "ours")}


class Evil:
    """Pickled, this makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


def npy(header_text: bytes, data: bytes = b"", version: int = 1, length: int | None = None) -> bytes:
    size = struct.pack("<H" if version == 1 else "<I", len(header_text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + header_text + data


def evil_npy(folder: Path) -> bytes:
    return npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (16, 8), }", pickle.dumps(Evil(folder / "ran")))


def said(shape: str = "(16, 8)", descr: str = "'<f4'", order: str = "False") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()


BROKEN_ARRAYS: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "a pickle": (evil_npy, "holds Python objects (a pickle)"),
    "only a pickle": (lambda p: pickle.dumps(Evil(p / "ran")), "not an array in numpy's format"),
    "a huge header": (lambda p: npy(b" " * 20_000 + said(), version=2), "a header of 20,0"),
    "a header of 4 GB": (lambda p: npy(said(), version=2, length=0xFFFFFFFF), "a header of 4,294,967,295"),
    "a truncated header": (lambda p: npy(said(), length=900), "ends too early"),
    "no dictionary": (lambda p: npy(b"[1, 2]"), "its header cannot be read"),
    "code": (lambda p: npy(b"__import__('os').mkdir('ran')"), "its header cannot be read"),
    "brackets": (lambda p: npy(b"(" * 9_000), "its header cannot be read"),
    "minus signs": (lambda p: npy(b"-" * 9_000 + b"1"), "its header cannot be read"),
    "records": (lambda p: npy(said(descr="[('a', '<f4')]"), b"0" * 512), "weights are float16, float32 or float64"),
    "whole numbers": (lambda p: npy(said(descr="'<i4'"), b"0" * 512), "holds <i4"),
    "text": (lambda p: npy(said(descr="'<U9'"), b"0" * 512), "holds <U9"),
    "long doubles": (lambda p: npy(said(descr="'<f16'"), b"0" * 2048), "holds <f16"),
    "negative": (lambda p: npy(said("(-16, 8)"), b"0" * 512), "its header cannot be read"),
    "true": (lambda p: npy(said("(True, 8)"), b"0" * 512), "its header cannot be read"),
    "order 2": (lambda p: npy(said(order="2"), b"0" * 512), "its header cannot be read"),
    "a giant shape": (
        lambda p: npy(said("(10**40, 8)".replace("10**40", "9" * 40)), b"0"),
        "its header cannot be read",
    ),
    "another shape": (lambda p: npy(said("(8, 16)"), b"0" * 512), "shape [8, 16]"),
    "three axes": (lambda p: npy(said("(2, 8, 8)"), b"0" * 512), "shape [2, 8, 8]"),
    "truncated": (lambda p: npy(said(), b"0" * 511), "ends too early, by 1 bytes"),
    "truncated, by columns": (lambda p: npy(said(order="True"), b"0" * 511), "ends too early, by 1 bytes"),
    "too long": (lambda p: npy(said(), b"0" * 513), "longer than its header says"),
    "NaN": (lambda p: npy(said(), b"\xff" * 512), "row 1, column 1 is not a finite number"),
    "version 9": (lambda p: npy(said(), b"0" * 512, version=9), "not an array in numpy's format"),
}


@pytest.mark.parametrize("name", BROKEN_ARRAYS)
@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_an_array_that_lies(name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make, says = BROKEN_ARRAYS[name]
    if kind == "npz":
        source = npz(tmp_path / "x.npz", "ours")
        (tmp_path / "hparams.json").write_text(json.dumps(TINY.to_dict()))
        rezip(source, lambda info, data: (info, make(tmp_path) if info.filename == "wpe.npy" else data))
        nothing_written(source, "wpe", says)
    else:
        folder = import_model(hf_folder(tmp_path / "hf"), tmp_path / "model").weights.folder
        (folder / "model_wpe.npy").write_bytes(make(tmp_path))
        nothing_written(folder, "model_wpe.npy", says)
    assert not (tmp_path / "ran").exists()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_are_an_npy_header_or_a_weight_error(data: bytes, real: bool) -> None:
    with contextlib.suppress(WeightError):
        read_npy_header(io.BytesIO(npy(data) if real else data), "x")


@pytest.mark.parametrize("member", ["readme.txt", "odd.npy"])
def test_an_npz_with_something_else(member: str, tmp_path: Path) -> None:
    source = npz(tmp_path / "x.npz")
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr(member, npy(said("(2,)"), b"0" * 8))
    nothing_written(source, member.removesuffix(".npy"))


# ---- CSV ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("wpe", "1,2\n", "line 1 has 2 numbers, the config wants 8"),
        ("wpe", "1,2,3,4,5,6,7,nan\n" * 16, "line 1, column 8 is 'nan', not a finite number"),
        ("wpe", "1,2,3,4,5,6,7,8\n" * 15 + "1,2,3,4,5,6,7,-inf\n", "line 16, column 8 is '-inf'"),
        ("wpe", "1,2,3,4,5,6,7,1e999\n" * 16, "line 1, column 8 is '1e999'"),
        ("ln_f_g", "1,2,3\n", "line 1 has 3 numbers"),
        ("ln_f_g", "1\n2\n3\n", "3 rows"),
        ("ln_f_g", "1\n" * 9, "more than 8 rows"),
        ("h0_ln_1_g", "", "0 rows"),
        ("h1_mlp_c_fc_w", "[1],2\n" * 8, "is '[1]'"),
        ("h1_mlp_c_fc_w", '"1","2"\n' * 8, "is '\"1\"'"),
        ("h1_mlp_c_fc_w", "\0" * 5000, "not a finite number"),
    ],
)
def test_a_csv_that_is_no_matrix(name: str, text: str, says: str, tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "csv")
    (folder / "hparams.json").write_text(json.dumps(TINY.to_dict()))
    (folder / f"model_{name}.csv").write_text(text)
    nothing_written(folder, f"model_{name}.csv", says)


def test_files_too_many_and_too_few(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "csv")
    (folder / "model_h0_attn_bias.csv").write_text("1")
    nothing_written(folder, "model_h0_attn_bias is no weight of this GPT-2")
    (folder / "model_h0_attn_bias.csv").rename(folder / "model_wte.npy")
    nothing_written(folder, "model_wte.npy: ends too early")
    np.save(folder / "model_wte.npy", np.zeros((2, 2)))
    nothing_written(folder, "has model_wte twice")
    (folder / "model_wte.npy").unlink()
    (folder / "model_h1_ln_2_b.csv").unlink()
    nothing_written(folder, "h1.ln_2.b is missing")
    os.mkfifo(folder / "model_h1_ln_2_b.csv")
    nothing_written(folder, "not a file")


# ---- where there is no room -----------------------------------------------------------------------------------------


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full after one kilobyte of one file."""
    opened = Path.open

    def open_(path: Path, mode: str = "r", *args: object, **more: object) -> object:
        file = opened(path, mode, *args, **more)  # type: ignore[arg-type, call-overload]
        if "w" in mode and path.name.startswith("model_h1"):
            write, left = file.write, [1000]

            class Full:
                def __enter__(self) -> Full:
                    return self

                def __exit__(self, *_: object) -> None:
                    file.close()

                def write(self, data: bytes) -> int:
                    left[0] -= len(data)
                    if left[0] < 0:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    return int(write(data))

            return Full()
        return file

    monkeypatch.setattr(Path, "open", open_)


@pytest.mark.parametrize("form", ["npy", "csv"])
def test_a_full_disk(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = hf_folder(tmp_path / "theirs")
    fill_disk(monkeypatch)
    result = sheetgpt("weights", "import", folder, tmp_path / "model", "--format", form)
    refused(result, 2, "cannot be written (No space left on device)")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["theirs"]


def test_a_disk_that_the_system_says_is_full(tmp_path: Path) -> None:
    """The same from the kernel: no file may be larger than five kilobytes."""
    hf_folder(tmp_path / "theirs")
    command = [sys.executable, "-m", "sheetgpt", "weights", "import", "theirs", "model"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("sheetgpt: ")
    assert "cannot be written (File too large)" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["theirs"]


def test_a_file_that_shrinks_meanwhile(tmp_path: Path) -> None:
    """A mapped file would end the process; a read one is an error."""
    folder = hf_folder(tmp_path / "theirs")
    model = Weights.open(folder)
    os.truncate(folder / "model.safetensors", 9000)
    with pytest.raises(WeightError, match="ends too early"):
        [model[name] for name in model]
