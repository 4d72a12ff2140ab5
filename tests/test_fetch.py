"""Fetching from a hub on this machine, which cuts the line when it is told to."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sheetgpt.models.weights import Weights
from tests.conftest import TINY
from tests.foreign import hf_folder, sharded, tensors

COMMIT = "1234567890abcdef1234567890abcdef12345678"
CUT = 11_000_000  # bytes after which the line is cut; the hub's library keeps whole pieces of 10 MiB
OTHERS = ("README.md", "pytorch_model.bin", "onnx/model.onnx", "model.fp16.safetensors", "64.tflite")


class Hub(ThreadingHTTPServer):
    """Serves the files of one repository, `someone/tiny`, as huggingface.co does, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        self.asked: list[tuple[str, str, str]] = []  # method, file, range
        self.cuts = 0  # how many answers are still to be cut in the middle
        self.dead = False  # no file of weights is given out any more

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def etag(name: str, data: bytes) -> str:
    """Large files are told by their SHA-256, others by git's hash."""
    return (hashlib.sha256 if name.endswith(".safetensors") else hashlib.sha1)(data).hexdigest()


def entry(name: str, data: bytes) -> dict[str, object]:
    """A line of the hub's list of files."""
    said = {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
    if not name.endswith(".safetensors"):
        return said
    return said | {"lfs": {"oid": etag(name, data), "size": len(data), "pointerSize": 134}}


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def answer(self) -> None:
        if re.fullmatch(rf"/api/models/someone/tiny/revision/(main|{COMMIT})", self.path.partition("?")[0]):
            siblings = [{"rfilename": name} for name in self.server.files]
            return self.give(json.dumps({"id": "someone/tiny", "sha": COMMIT, "siblings": siblings}).encode())
        if re.fullmatch(rf"/api/models/someone/tiny/tree/{COMMIT}", self.path.partition("?")[0]):
            return self.give(json.dumps([entry(name, data) for name, data in self.server.files.items()]).encode())
        found = re.fullmatch(rf"/someone/tiny/resolve/(?:main|{COMMIT})/(.+)", self.path)
        if found is None or found[1] not in self.server.files:
            return self.give(b"{}", 404, {"X-Error-Code": "EntryNotFound" if found else "RepoNotFound"})
        data, wanted = self.server.files[found[1]], self.headers.get("Range", "")
        self.server.asked.append((self.command, found[1], wanted))
        if self.server.dead and found[1].endswith(".safetensors") and self.command == "GET":
            return self.give(b"", 500)
        start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        more = {"ETag": f'"{etag(found[1], data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if wanted:
            more["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self.give(data[start:], 206 if wanted else 200, more)

    def give(self, data: bytes, status: int = 200, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(data)),
            "Content-Type": "application/json",
            **(more or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.server.cuts and len(data) > CUT:
            self.server.cuts -= 1
            self.wfile.write(data[:CUT])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(data)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = hf_folder(tmp_path / "theirs")
    for name in OTHERS:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x" * 10_000)
    return folder


@pytest.fixture
def hub(theirs: Path) -> Iterator[Hub]:
    pytest.importorskip("huggingface_hub")
    yield from serving(theirs)


def serving(folder: Path) -> Iterator[Hub]:
    server = Hub(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def fetch(url: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`sheetgpt weights fetch` in a process of its own, since the hub's library reads its settings only once."""
    mine = {name: value for name, value in os.environ.items() if not name.lower().endswith("proxy")}
    settings = {"HF_ENDPOINT": url, "HF_HOME": str(folder / "cache"), "HF_HUB_DOWNLOAD_TIMEOUT": "10"}
    command = [sys.executable, "-m", "sheetgpt", "weights", "fetch", *words]
    return subprocess.run(command, cwd=folder, env=mine | settings, capture_output=True, text=True, timeout=120)


def one_line(done: subprocess.CompletedProcess[str], *says: str) -> None:
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("sheetgpt: ")
    for text in says:
        assert text in done.stderr


def same(folder: Path, theirs: Path) -> bool:
    ours, wanted = Weights.open(folder), Weights.open(theirs)
    return {n: ours.digest(n) for n in ours} == {n: wanted.digest(n) for n in wanted}


def test_fetch_and_import(hub: Hub, theirs: Path, tmp_path: Path) -> None:
    done = fetch(hub.url, tmp_path, "someone/tiny")
    assert (done.returncode, done.stderr) == (0, "")
    assert "written to models/tiny; `sheetgpt build" in done.stdout
    assert same(tmp_path / "models/tiny", theirs)
    model = Weights.open(tmp_path / "models/tiny")
    assert model.name == "tiny"
    assert model.manifest["source"] == {
        "name": COMMIT,
        "files": {"model.safetensors": Weights.open(theirs).file_digest("wte")},
        "repository": "someone/tiny",
        "revision": COMMIT,
    }
    assert {name for _, name, _ in hub.asked} == {"config.json", "model.safetensors", "vocab.json", "merges.txt"}


def test_a_line_that_is_cut(tmp_path: Path) -> None:
    """Twice, in the middle of a file of 29 MB."""
    pytest.importorskip("huggingface_hub")
    theirs = hf_folder(tmp_path / "theirs", tensors(replace(TINY, n_ctx=900_000)), n_positions=900_000)
    for hub in serving(theirs):
        hub.cuts = 2
        done = fetch(hub.url, tmp_path, "someone/tiny", "mine", "--revision", COMMIT)
    assert (done.returncode, done.stderr, hub.cuts) == (0, "", 0)
    assert [asked for _, name, asked in hub.asked if name == "model.safetensors" and asked] == [
        "bytes=10485760-",
        "bytes=20971520-",
    ]
    assert same(tmp_path / "mine", theirs)


def test_a_fetch_that_fails_and_one_that_goes_on(hub: Hub, theirs: Path, tmp_path: Path) -> None:
    hub.dead = True
    one_line(fetch(hub.url, tmp_path, "someone/tiny"), "someone/tiny: cannot be fetched")
    assert not (tmp_path / "models").exists()
    hub.dead = False
    hub.asked.clear()
    assert fetch(hub.url, tmp_path, "someone/tiny").returncode == 0
    assert ("GET", "model.safetensors", "") in hub.asked
    assert same(tmp_path / "models/tiny", theirs)
    hub.asked.clear()
    assert fetch(hub.url, tmp_path, "someone/tiny", "again").returncode == 0
    assert [name for method, name, _ in hub.asked if method == "GET"] == []  # all of it was there
    assert same(tmp_path / "again", theirs)
    hub.asked.clear()
    one_line(fetch(hub.url, tmp_path, "someone/tiny"), "models/tiny: is there already")
    assert hub.asked == []


def test_shards(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    folder = sharded(tmp_path / "theirs", tensors())
    for hub in serving(folder):
        assert fetch(hub.url, tmp_path, "someone/tiny").returncode == 0
        assert same(tmp_path / "models/tiny", folder)


@pytest.mark.parametrize("name", ["someone/else", "a/b/c", "../tiny", "some one", ""])
def test_what_is_not_there(name: str, hub: Hub, tmp_path: Path) -> None:
    one_line(fetch(hub.url, tmp_path, name), "cannot be fetched")
    assert not (tmp_path / "models").exists()


def test_nobody_answers(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    one_line(fetch("http://127.0.0.1:9", tmp_path, "someone/tiny"), "cannot be fetched")


def test_without_the_library(tmp_path: Path) -> None:
    """As after a plain `pip install sheetgpt`."""
    code = "import sys; sys.modules['huggingface_hub'] = None; from sheetgpt.cli import main; main()"
    command = [sys.executable, "-c", code, "weights", "fetch", "gpt2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    one_line(done, "pip install 'sheetgpt[hub]'")
    assert list(tmp_path.iterdir()) == []
