"""Random weights: a block a third as wide as GPT-2's in every run, one with `-m slow`, GPT-2 small with `-m large`."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import openpyxl
import pytest

from sheetgpt.build import Room, build
from sheetgpt.check.verify import verify
from sheetgpt.engines import ENGINES
from sheetgpt.errors import EngineError, OutputError
from sheetgpt.models import reference
from sheetgpt.models.weights import Weights
from sheetgpt.plan.stages import Stages
from sheetgpt.sheet import zipped
from sheetgpt.sheet.readback import read
from tests.conftest import CORE
from tests.random_models import make

PROMPT = "The quick brown fox"
FIXED = Room(fixed=True)
NO_OFFICE = pytest.mark.skipif(
    ENGINES["libreoffice"].version() is None, reason=f"libreoffice: {ENGINES['libreoffice'].hint()}"
)


@pytest.fixture(scope="module")
def one_block(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """A third as wide as GPT-2: two of its matrices are still written in processes of their own."""
    return make(tmp_path_factory.mktemp("models") / "one-block", "narrow", blocks=1)


class Block(NamedTuple):
    model: Weights
    path: Path


@pytest.fixture(scope="module", params=["narrow", pytest.param("small", marks=pytest.mark.slow)])
def block(request: pytest.FixtureRequest, one_block: Weights, tmp_path_factory: pytest.TempPathFactory) -> Block:
    """The workbook of one block, also as wide as GPT-2's."""
    folder = tmp_path_factory.mktemp("block")
    model = one_block if request.param == "narrow" else make(folder / "one-block", blocks=1)
    build(model, PROMPT, folder / "h0.xlsx", Room(tokens=10), Stages.parse("h0", model.config), check=False)
    return Block(model, folder / "h0.xlsx")


def by_openpyxl(path: Path, tab: str, rows: int, cols: int) -> np.ndarray:
    """The first rows of a weight tab."""
    with closing(openpyxl.load_workbook(path, read_only=True)) as book:
        return np.array(list(book[tab].iter_rows(7, 6 + rows, 2, 1 + cols, values_only=True)), float)


@NO_OFFICE
def test_a_block_of_gpt2(block: Block) -> None:
    report = verify(block.path, "libreoffice", str(block.model.folder))
    assert report.exit_code == 0
    assert report.cells_checked == report.cells_present > 12 * block.model.config.n_embd**2  # its four matrices


def test_the_weights_of_a_block_are_read_by_another_hand(block: Block) -> None:
    width = block.model.config.n_embd
    array = np.load(block.model.folder / "model_h0_attn_c_proj_w.npy")
    assert np.array_equal(by_openpyxl(block.path, "h0.attn.c_proj.w", 3, width).astype(np.float32), array[:3])


def test_a_block_answers_to_the_reference(block: Block) -> None:
    ids, config = block.model.tokenizer().encode(PROMPT), block.model.config
    named = reference.forward(block.model, ids, n_layer=1, n_head=config.n_head)
    sheet = read(block.path, ["h0 mlp"]).sheets["h0 mlp"]
    row, col = next(at for at, formula in sheet.formulas.items() if formula.text.startswith("h0.resid_mid+"))
    got = sheet.values.numbers((row, col, row + len(ids) - 1, col + config.n_embd - 1))
    assert np.abs(got - named["h0.resid_post"]).max() < 1e-9


@pytest.fixture(scope="module")
def compact(fable: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compact") / "compact.xlsx"
    return build(fable, "Mike is quick", path, FIXED, form=CORE, compact=True).path


@pytest.mark.parametrize("engine", ["libreoffice", pytest.param("formulas", marks=pytest.mark.slow)])
def test_a_compact_workbook(engine: str, compact: Path) -> None:
    if ENGINES[engine].version() is None:
        pytest.skip(f"{engine} is not installed: {ENGINES[engine].hint()}")
    assert verify(compact, engine).exit_code == 0


def test_a_compact_workbook_is_smaller_and_read_by_others(compact: Path, fable: Weights, tmp_path: Path) -> None:
    build(fable, "Mike is quick", tmp_path / "full.xlsx", FIXED, form=CORE, check=False)
    assert compact.stat().st_size < 0.8 * (tmp_path / "full.xlsx").stat().st_size
    assert np.array_equal(by_openpyxl(compact, "wpe", 64, 64), fable["wpe"])
    with pytest.raises(EngineError, match="choose --engine libreoffice"):
        verify(compact, "ironcalc")


# ---- several processes, disks that are full ----------------------------------------------------------------


def test_the_same_bytes_however_many_cores(one_block: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = []
    for cores in (1, 3):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        path = tmp_path / f"{cores}.xlsx"
        build(one_block, PROMPT, path, Room(tokens=6), Stages.parse("h0", one_block.config), check=False)
        files.append(path.read_bytes())
    assert files[0] == files[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.xlsx", "3.xlsx"]


def test_parts_of_more_than_two_gigabytes_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "LARGEST", 1000)
    with zipped.Zipper(tmp_path / "a.zip") as out:
        out.add("large", [b"x" * 2000], huge=True)
        out.add("small", [b"x" * 500])
        with pytest.raises(OutputError, match="too large"):
            out.add("unexpected", [b"x" * 2000])
    with zipfile.ZipFile(tmp_path / "a.zip") as got:
        assert got.read("large") == b"x" * 2000
        assert got.read("small") == b"x" * 500


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from sheetgpt.build import Room, build
from sheetgpt.errors import EngineError, OutputError
from sheetgpt.models.weights import find_model
from sheetgpt.plan.stages import Stages
from sheetgpt.sheet import blocks
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
blocks.LARGE_TAB = int(sys.argv[4])
model = find_model(sys.argv[1])
try:
    build(model, "The quick", Path(sys.argv[2]), Room(tokens=4), Stages.parse("h0", model.config), check=False)
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("most", [50_000, 300_000, 1_400_000], ids=["at once", "in a process", "at the end"])
@pytest.mark.parametrize("large", [1, 1 << 40], ids=["several", "one"])
def test_a_disk_that_is_full_leaves_nothing(one_block: Weights, tmp_path: Path, most: int, large: int) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "book.xlsx").write_bytes(b"as it was")
    command = [sys.executable, "-c", FULL_DISK, str(one_block.folder), str(out / "book.xlsx"), str(most), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.count("\n") == 1, done.stderr[-2000:]
    assert os.strerror(errno.EFBIG) in done.stdout
    assert [path.name for path in out.iterdir()] == ["book.xlsx"]
    assert (out / "book.xlsx").read_bytes() == b"as it was"


# ---- all of it ---------------------------------------------------------------------------------------------


@pytest.mark.large
def test_all_of_gpt2_small(tmp_path: Path) -> None:
    model, path = make(tmp_path / "gpt2-small"), tmp_path / "book.xlsx"
    build(model, PROMPT, path, Room(tokens=10))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2_000_000  # kB
    assert path.stat().st_size < 1_200_000_000
    cached = verify(path, "cached", str(model.folder))
    assert (cached.exit_code, cached.faults) == (4, [])
    report = verify(path, "libreoffice", str(model.folder))
    assert report.exit_code == 0
    assert report.cells_checked == report.cells_present > 126_000_000
    assert max(row.total_gap for row in report.rows) < 1e-9
