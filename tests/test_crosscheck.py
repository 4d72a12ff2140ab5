"""`sheetgpt crosscheck`: logits of the oracle agree, everything else is told; hostile references are refused."""

from __future__ import annotations

import importlib
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from sheetgpt.build import Built, Room, build
from sheetgpt.check.faults import FaultKind
from sheetgpt.cli import main
from sheetgpt.crosscheck import crosscheck, their_name
from sheetgpt.errors import EngineMissingError, WeightError, WorkbookError
from sheetgpt.models.foreign import our_name
from sheetgpt.models.reference import forward
from sheetgpt.models.weights import Weights
from sheetgpt.plan.stages import Stages
from sheetgpt.recalc import recalc
from tests import mutants
from tests.conftest import CORE

PROMPT = "Mike is quick. He moves"
Save = Callable[..., Path]


def oracle(model: Weights, ids: list[int]) -> NDArray[np.float64]:
    c = model.config
    return forward(dict(model), ids, n_layer=c.n_layer, n_head=c.n_head, eps=c.eps)["logits"][:, 0]


@pytest.fixture(scope="module")
def story(fable: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A workbook of fable for one prompt."""
    path = tmp_path_factory.mktemp("books") / "story.xlsx"
    return build(fable, PROMPT, path, Room(fixed=True), form=CORE, check=False)


@pytest.fixture(scope="module")
def ids(fable: Weights) -> list[int]:
    return fable.tokenizer().encode(PROMPT)


@pytest.fixture(scope="module")
def logits(fable: Weights, ids: list[int]) -> NDArray[np.float64]:
    return oracle(fable, ids)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(**arrays: Any) -> Path:
        np.savez(tmp_path / "reference.npz", **arrays)
        return tmp_path / "reference.npz"

    return write


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["crosscheck", *map(str, words)], catch_exceptions=False)


def refused(result: Result, code: int, says: str) -> None:
    assert result.exit_code == code, result.output
    assert len(result.stderr.splitlines()) == 1
    assert says in result.stderr


# ---- agreement -------------------------------------------------------------------------------------------


def test_the_oracle_agrees(story: Built, ids: list[int], logits: NDArray[np.float64], save: Save) -> None:
    found = crosscheck(story.path, str(save(logits=logits, ids=np.array(ids))))
    assert found.exit_code == 0
    assert found.relative <= 1e-12
    assert found.gap < 1e-11
    assert found.divergence < 1e-12
    assert found.best == (int(logits.argmax()),) * 2
    assert (found.same_top, found.n_top, found.n_vocab) == (10, 10, 1024)
    assert (found.engine, found.ids) == ("ironcalc", tuple(ids))


def test_all_shapes_are_the_row_of_the_last_token(
    story: Built, ids: list[int], logits: NDArray[np.float64], save: Save
) -> None:
    every = np.vstack([np.zeros((len(ids) - 1, len(logits))), logits])
    for array in (logits, every, every[None], logits.astype(">f8"), np.asfortranarray(every)):
        assert crosscheck(story.path, str(save(logits=array)), "cached").relative <= 1e-12
    rounded = crosscheck(story.path, str(save(logits=logits.astype(np.float32), ids=np.array([ids]))), "cached")
    assert 1e-9 < rounded.relative < 1e-6


def test_a_typed_prompt(sorter: Weights, save: Save, tmp_path: Path) -> None:
    """Of the ids that the formulas cut; what another prompt gives is refused by its ids, and differs without them."""
    book, other = tmp_path / "book.xlsx", tmp_path / "other.xlsx"
    build(sorter, "CABBAC", book, form=CORE, check=False)
    recalc(book, {"prompt.text": "BBACCA"}, other, "ironcalc")
    before, after = (sorter.tokenizer().encode(text) for text in ("CABBAC", "BBACCA"))
    typed = save(logits=oracle(sorter, after), ids=np.array(after))
    for engine in ("ironcalc", "libreoffice") if libreoffice_is_here() else ("ironcalc",):
        assert run(other, "--reference", typed, "--engine", engine).exit_code == 0
    refused(run(book, "--reference", typed), 2, f"its ids are {after}, the workbook's prompt is {before}")
    without = run(book, "--reference", save(logits=oracle(sorter, after)))
    assert without.exit_code == 1
    assert without.output.endswith("DIFFERS\n")


def libreoffice_is_here() -> bool:
    from sheetgpt.engines import ENGINES

    return ENGINES["libreoffice"].version() is not None


def test_cached_values_prove_nothing(story: Built, logits: NDArray[np.float64], save: Save) -> None:
    result = run(story.path, "--reference", save(logits=logits), "--engine", "cached")
    assert result.exit_code == 4
    assert "nothing was recalculated" in result.output
    assert run(story.path, "--reference", save(logits=logits + 1), "--engine", "cached").exit_code == 1


def test_the_report(story: Built, ids: list[int], logits: NDArray[np.float64], save: Save) -> None:
    reference = save(logits=logits)
    text = run(story.path, "--reference", reference).output
    assert "recalculated by ironcalc" in text
    assert text.endswith("AGREES: no logit is off by more than the tolerance\n")
    data = json.loads(run(story.path, "--reference", reference, "--format", "json").output)
    assert (data["exit_code"], data["ids"], data["reference"]) == (0, ids, str(reference))


# ---- difference ------------------------------------------------------------------------------------------


def test_one_logit_off(story: Built, logits: NDArray[np.float64], save: Save, fable: Weights) -> None:
    changed = logits.copy()
    changed[77] += 0.001
    found = crosscheck(story.path, str(save(logits=changed)))
    assert (found.exit_code, found.token) == (1, 77)
    assert found.text == fable.tokenizer().visible(77)
    assert found.gap == pytest.approx(0.001)
    p, q = (np.exp(x) / np.exp(x).sum() for x in (changed, logits))
    assert found.divergence == pytest.approx(float((p * np.log(p / q)).sum()), rel=1e-3)
    assert crosscheck(story.path, str(save(logits=changed)), tolerance=0.001).exit_code == 0


def test_another_likeliest_token_differs_however_small_the_gap(
    story: Built, logits: NDArray[np.float64], save: Save
) -> None:
    first, second = np.argsort(-logits)[:2]
    changed = logits.copy()
    changed[[first, second]] = changed[[second, first]]
    found = crosscheck(story.path, str(save(logits=changed)), tolerance=1e9)
    assert found.exit_code == 1
    assert found.best == (first, second)


FAULTS = [
    mutants.formula("h1.mlp.post", "0.044715", "0.0447"),
    mutants.formula("h0.ln_1.var", "VARP", "VAR"),
    mutants.cell("wte", 10, 3, "><v>{v}1</v></c>", FaultKind.WEIGHT, "a digit more"),
    mutants.cell("ln_f.g", 0, 5, "><v>-{v}</v></c>", FaultKind.WEIGHT, "a sign"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_faulty_workbook_differs(
    fault: mutants.Mutant, story: Built, logits: NDArray[np.float64], save: Save, tmp_path: Path
) -> None:
    mutants.make(fault, story.blueprint, story.path, tmp_path / "faulty.xlsx")
    found = crosscheck(tmp_path / "faulty.xlsx", str(save(logits=logits)), tolerance=1e-12)
    assert found.exit_code == 1


def test_logits_that_are_no_numbers(story: Built, logits: NDArray[np.float64], save: Save, tmp_path: Path) -> None:
    fault = mutants.formula("logits", "MMULT(wte,", "MMULT(wpe,")
    mutants.make(fault, story.blueprint, story.path, tmp_path / "faulty.xlsx")
    result = run(tmp_path / "faulty.xlsx", "--reference", save(logits=logits), "--format", "json")
    assert result.exit_code == 1
    assert json.loads(result.output)["gap"] is None


# ---- refused ---------------------------------------------------------------------------------------------


def test_a_part_without_logits(fable: Weights, logits: NDArray[np.float64], save: Save, tmp_path: Path) -> None:
    build(fable, PROMPT, tmp_path / "h1.xlsx", stages=Stages("h1", "h1"), check=False)
    refused(run(tmp_path / "h1.xlsx", "--reference", save(logits=logits)), 3, "h1.xlsx: a workbook of h1 has no logits")


def test_a_prompt_without_an_answer(sorter: Weights, save: Save, tmp_path: Path) -> None:
    build(sorter, "CAB", tmp_path / "book.xlsx", form=CORE, check=False)
    recalc(tmp_path / "book.xlsx", {"prompt.text": "A" * 99}, tmp_path / "long.xlsx", "ironcalc")
    with pytest.raises(WorkbookError, match="no answer to compare: "):
        crosscheck(tmp_path / "long.xlsx", str(save(logits=np.zeros(sorter.config.n_vocab))))


def test_a_moved_name(story: Built, logits: NDArray[np.float64], save: Save, tmp_path: Path) -> None:
    ref = story.blueprint.layout.ranges["probs"].ref
    mutants.make(mutants.renamed("logits", ref), story.blueprint, story.path, tmp_path / "moved.xlsx")
    with pytest.raises(WorkbookError, match="logits is not where the card says"):
        crosscheck(tmp_path / "moved.xlsx", str(save(logits=logits)))


def test_no_workbook(tmp_path: Path, save: Save) -> None:
    (tmp_path / "none.xlsx").write_bytes(b"none")
    refused(run(tmp_path / "none.xlsx", "--reference", save(logits=np.zeros(3))), 3, "none.xlsx: ")


def with_member(path: Path, name: str, data: bytes) -> Path:
    """A reference whose member `name` has these bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return path


def array_file(header: str, data: bytes = b"") -> bytes:
    """A .npy file with a header of one's own."""
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}"
ODD = {
    "too large": (HEADER.format("<f8", (10**12, 1024)), "shape"),
    "negative": (HEADER.format("<f8", (-1, 1024)), "shape"),
    "other size": (HEADER.format("<f8", (1023,)), "shape"),
    "four axes": (HEADER.format("<f8", (1, 1, 1, 1024)), "shape"),
    "pickle": (HEADER.format("|O", (1024,)), "holds object, not floats"),
    "whole numbers": (HEADER.format("<i8", (1024,)), "holds int64, not floats"),
    "complex": (HEADER.format("<c16", (1024,)), "not floats"),
    "cut off": (HEADER.format("<f8", (1024,)), "cannot be read"),
    "no header": ("{", "cannot be read"),
    "deep": ("(" * 100, "cannot be read"),
    "a call": ("__import__('os').getcwd()", "cannot be read"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_arrays(case: str, story: Built, tmp_path: Path) -> None:
    header, says = ODD[case]
    path = with_member(tmp_path / "odd.npz", "logits.npy", array_file(header))
    refused(run(story.path, "--reference", path, "--engine", "cached"), 2, says)


def test_odd_references(story: Built, ids: list[int], logits: NDArray[np.float64], save: Save, tmp_path: Path) -> None:
    def check(path: Path, says: str) -> None:
        refused(run(story.path, "--reference", path, "--engine", "cached"), 2, says)

    check(tmp_path / "missing.npz", "cannot be read")
    (tmp_path / "plain.npz").write_bytes(b"no zip")
    check(tmp_path / "plain.npz", "not a zip")
    check(save(probs=logits), "has no array called logits")
    check(save(logits=np.where(np.arange(1024) == 5, np.nan, logits)), "logit 5 is not a finite number")
    check(save(logits=np.full(1024, np.inf)), "logit 0 is not a finite number")
    check(save(logits=logits, ids=np.array(ids, float)), "ids holds float64, not whole numbers")
    check(save(logits=logits, ids=np.array(ids[1:])), "ids has shape")
    check(save(logits=np.zeros((len(ids) + 1, 1024))), "logits has shape")
    check(with_member(tmp_path / "out.npz", "../logits.npy", b""), "leads out of it")
    check(with_member(tmp_path / "empty.npz", "logits.npy", b""), "cannot be read")


def test_a_bomb_is_not_unpacked(story: Built, tmp_path: Path) -> None:
    """Far more bytes than the array has: only the array's are read."""
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(1024))
    bomb = with_member(tmp_path / "bomb.npz", "logits.npy", buffer.getvalue() + bytes(300_000_000))
    assert bomb.stat().st_size < 1_000_000
    assert run(story.path, "--reference", bomb, "--engine", "cached").exit_code == 1


# ---- transformers ----------------------------------------------------------------------------------------


def test_without_transformers_one_line_says_how_to_get_it(story: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EngineMissingError, match="torch is not installed: pip install torch transformers"):
        crosscheck(story.path, "transformers", "cached")


def test_another_models_weights_are_refused(story: Built) -> None:
    with pytest.raises(WeightError, match=r"sorter has another n_vocab, .* than the workbook's model 'fable'"):
        crosscheck(story.path, "transformers", "cached", "sorter")


def test_names_go_there_and_back(untied: Weights) -> None:
    assert [our_name(their_name(name)) for name in untied] == list(untied)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")  # torch and transformers warn of their own affairs
@pytest.mark.parametrize("name", ["fable", "untied"])
def test_transformers_agrees(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    for library in ("torch", "transformers"):
        pytest.importorskip(library)
    model = request.getfixturevalue(name)
    path = build(model, "the cat", tmp_path / "book.xlsx", check=False).path
    found = crosscheck(path, "transformers", "ironcalc", str(model.folder), tolerance=1e-10)
    assert found.exit_code == 0, found
    assert importlib.import_module("transformers").__version__ in found.reference
