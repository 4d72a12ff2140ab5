"""Mangled workbooks through the command line: whatever a file is, there is an exit code, a reason, and an end.

`benchmarks/fuzz.py` runs thousands, and measures; here are a few of every sort.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import pytest

from sheetgpt.build import Room, build
from sheetgpt.plan.stages import Stages
from tests import mangle as mangling
from tests.conftest import TINY, make_model
from tests.hostile import Outcome, Server
from tests.mangle import KINDS, RANDOM, Parts, mangle, mangled, parts_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits and forks as Linux has them")
BASES = ("fixed", "live", "slice")
MODEL = "models/tiny"
COMPUTED = [kind for kind in KINDS if kind.partition(":")[0] in ("stray formula", "formula", "name", "setting")]
READ = [kind for kind in KINDS if kind not in COMPUTED]


def make_bases(folder: Path, wanted: Iterable[str] = BASES) -> dict[str, Path]:
    """Workbooks that are right: for one prompt, for any, of one block."""
    model = make_model(folder / MODEL, TINY)
    made = {}
    for name in wanted:
        path = made[name] = folder / f"{name}.xlsx"
        if name == "fixed":
            build(model, "the cat sat", path, Room(tokens=len(model.tokenizer().encode("the cat sat")) + 2, fixed=True))
        elif name == "live":
            build(model, "the cat's  hat", path, Room(tokens=14, characters=16, word_bytes=6))
        elif name == "slice":
            build(model, "the cat sat", path, Room(), Stages.parse("h1", model.config))
    return made


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def bases(folder: Path) -> dict[str, Path]:
    return make_bases(folder, ("slice", "fixed"))


def verified(server: Server, path: Path, engine: str = "cached") -> Outcome:
    return server.run("verify", path, "--engine", engine, "--model", path.parent / MODEL, timeout=300)


def test_the_good_ones_are_good(server: Server, bases: dict[str, Path]) -> None:
    for path in bases.values():
        found = verified(server, path, "ironcalc")
        assert (found.code, found.err, found.fault(0)) == (0, "", "")
        assert not server.differs(path, path)


@pytest.mark.parametrize("kind", Random(1).sample(READ, 90))
def test_read(kind: str, server: Server, bases: dict[str, Path], folder: Path) -> None:
    file = mangle(kind, KINDS[kind], "slice", parts_of(bases["slice"]), "read")
    path = folder / "mangled.xlsx"
    path.write_bytes(file.data)
    assert not verified(server, path).fault(0)


@pytest.mark.parametrize("kind", Random(2).sample(COMPUTED, 12))
def test_computed(kind: str, server: Server, bases: dict[str, Path], folder: Path) -> None:
    file = mangle(kind, KINDS[kind], "slice", parts_of(bases["slice"]), "computed")
    path = folder / "mangled.xlsx"
    path.write_bytes(file.data)
    assert not verified(server, path, "ironcalc").fault(0)


@pytest.mark.parametrize("kind", RANDOM)
def test_dice(kind: str, server: Server, bases: dict[str, Path], folder: Path) -> None:
    path = folder / "mangled.xlsx"
    for seed in range(6):
        path.write_bytes(mangle(kind, RANDOM[kind], "fixed", parts_of(bases["fixed"]), str(seed)).data)
        assert not verified(server, path).fault(0), seed


@pytest.mark.parametrize("kind", ["dice: a digit", "dice: words swapped", "dice: bytes of the zip"])
def test_what_is_taken_for_equal_is_equal(kind: str, server: Server, bases: dict[str, Path], folder: Path) -> None:
    path = folder / "mangled.xlsx"
    for seed in range(4):
        path.write_bytes(mangle(kind, RANDOM[kind], "slice", parts_of(bases["slice"]), str(seed)).data)
        found = verified(server, path, "ironcalc")
        assert not found.fault(0)
        assert found.code or not server.differs(bases["slice"], path)


def test_recalc_writes_whole_files_or_none(server: Server, bases: dict[str, Path], folder: Path) -> None:
    path, out = folder / "mangled.xlsx", folder / "out.xlsx"
    for kind in Random(3).sample([*KINDS], 15):
        path.write_bytes(mangle(kind, KINDS[kind], "slice", parts_of(bases["slice"]), "recalc").data)
        found = server.run("recalc", path, "--engine", "ironcalc", "-o", out, timeout=300)
        assert not found.fault(0), kind
        assert out.exists() == (found.code == 0), kind
        out.unlink(missing_ok=True)


def test_a_seed_gives_the_same_file(bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    parts: dict[str, Parts] = {"slice": parts_of(bases["slice"])}
    few = {"formula: itself", "cell: two values", "dice: words copied"}
    for kinds in ("KINDS", "RANDOM"):  # the others need not be made
        monkeypatch.setattr(
            mangling, kinds, {kind: how for kind, how in getattr(mangling, kinds).items() if kind in few}
        )
    first, second = ([f.data for f in mangled(parts, 1, 1, 5)] for _ in range(2))
    assert len(first) == len(few)
    assert first == second
    assert len(set(first)) == len(first)
