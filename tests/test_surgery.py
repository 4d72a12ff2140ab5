"""Brain surgery: a switch does what cutting the part out of the model does, and verify follows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from sheetgpt.build import Built, Form, Room, build, evaluated
from sheetgpt.check import operators
from sheetgpt.check.evaluate import run
from sheetgpt.check.found import find
from sheetgpt.check.laws import laws_of
from sheetgpt.check.reports import render
from sheetgpt.check.verify import examine, verify
from sheetgpt.crosscheck import crosscheck
from sheetgpt.errors import WorkbookError
from sheetgpt.models import reference
from sheetgpt.models.weights import Weights
from sheetgpt.recalc import recalc
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.lower import lower
from sheetgpt.sheet.readback import read

PROMPT = "the cat sat"
Arrays = dict[str, np.ndarray]
Values = Mapping[str, float | str | None]


@pytest.fixture(scope="module")
def book(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """For one prompt, with a row of padding: small, so that engines are quick."""
    n = len(tiny.tokenizer().encode(PROMPT))
    path = tmp_path_factory.mktemp("surgery") / "book.xlsx"
    return build(tiny, PROMPT, path, Room(tokens=n + 1, fixed=True), check=False)


def typed(book: Built, path: Path, values: Values) -> Path:
    """A copy in which something else stands in the first cell of some places; formulas remember nothing."""
    cells: dict[str, dict[tuple[int, int], float | str | None]] = {}
    for name, value in values.items():
        box = book.blueprint.layout.ranges[name]
        cells.setdefault(box.tab, {})[box.row, box.col] = value
    path.unlink(missing_ok=True)
    edit(book.path, path, cells, {})
    return path


def cut_logits(tiny: Weights, w: Arrays) -> np.ndarray:
    config, ids = tiny.config, tiny.tokenizer().encode(PROMPT)
    return reference.forward(w, ids, n_layer=config.n_layer, n_head=config.n_head)["logits"]


def copied(tiny: Weights) -> Arrays:
    return {name: np.array(values) for name, values in tiny.items()}


# ---- the oracle: a model that was cut -----------------------------------------------------------------------


def no_head(w: Arrays) -> None:
    w["h1.attn.c_proj.w"][:4] = 0  # the rows that read head 0, of width 4


def half_head(w: Arrays) -> None:
    w["h0.attn.c_proj.w"][4:8] *= 0.5


def no_mlp(w: Arrays) -> None:
    for part in "wb":
        w[f"h0.mlp.c_proj.{part}"] *= 0


def no_positions(w: Arrays) -> None:
    w["wpe"] *= 0


def no_first_position(w: Arrays) -> None:
    w["wpe"][0] = 0


def other_scores(w: Arrays) -> None:
    for part in "wb":
        w[f"h0.attn.c_attn.{part}"][:, 4:8] *= -2  # the query of head 1


CUTS = {
    "no head": (no_head, {"h1.attn.head0.on": 0.0}),
    "half a head": (half_head, {"h0.attn.head1.on": 0.5}),
    "no MLP": (no_mlp, {"h0.mlp.on": 0.0}),
    "no positions": (no_positions, {"wpe.on": 0.0}),
    "no first position": (no_first_position, {"embed.pos.on": 0.0}),
    "other scores": (other_scores, {"h0.attn.head1.scale": -2.0}),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_switch_is_a_cut_in_the_model(name: str, tiny: Weights, book: Built) -> None:
    cut, switches = CUTS[name]
    cut(w := copied(tiny))
    turned = {place: np.array(book.env[place]) for place in switches}
    for place, value in switches.items():
        turned[place][0, 0] = value
    given = {place: book.env[place] for place, e in book.blueprint.plan.items() if e.op == "data"}
    found = run(book.blueprint.plan, turned, given)["logits"]
    assert np.abs(found - cut_logits(tiny, w)).max() < 1e-12
    assert np.abs(found - book.env["logits"]).max() > 1e-3  # it does something


def test_the_map_says_what_each_switch_does(tiny: Weights, book: Built) -> None:
    """Each cell is how far the probabilities of a cut model, by the oracle, are from those of the whole one."""

    def shares(w: Arrays) -> np.ndarray:
        exp = np.exp(cut_logits(tiny, w))[:, 0]
        return exp / exp.sum()

    whole = shares(copied(tiny))
    top = np.argsort(-whole, kind="stable")[:10]
    assert book.env["surgery.was.id"][:, 0].tolist() == top.tolist()
    assert np.abs(book.env["surgery.was.prob"][:, 0] - whole[top]).max() < 1e-14
    for i, j in np.ndindex(tiny.config.n_layer, tiny.config.n_head + 1):
        w = copied(tiny)
        if j < tiny.config.n_head:
            w[f"h{i}.attn.c_proj.w"][4 * j : 4 * j + 4] = 0
        else:
            w[f"h{i}.mlp.c_proj.w"] *= 0
            w[f"h{i}.mlp.c_proj.b"] *= 0
        now = shares(w)
        apart = np.append(now[top], 1 - now[top].sum()) - np.append(whole[top], 1 - whole[top].sum())
        assert abs(book.env["surgery.effect"][i, j] - np.abs(apart).sum() / 2) < 1e-12


# ---- the workbook ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["ironcalc", "libreoffice", "formulas"])
def test_engines_and_verify_follow_switches(engine: str, tiny: Weights, book: Built, tmp_path: Path) -> None:
    """Every cell is right, and the report names what was turned."""
    turned = {"h1.attn.head0.on": 0.0, "h0.mlp.on": -0.5, "embed.pos.on": 0.0, "h0.attn.head1.scale": 3.0}
    found = find(typed(book, tmp_path / "off.xlsx", turned), engine, str(tiny.folder))
    report = examine(found, engine)
    assert report.exit_code == 0, report.faults
    names = {knob.name.removesuffix("[0,0]"): (knob.value, knob.start) for knob in report.knobs}
    assert names == {name: (value, 1.0) for name, value in turned.items()}
    assert found.values["surgery.count"].item() == 4
    assert found.values["surgery.turned"][:, 0].tolist() == [2, 1, 1]
    assert found.values["surgery.verdict"].item().startswith("4 switches differ from 1: the answer ")
    if engine == "ironcalc":
        assert {law.status for law in laws_of(found, engine)} == {"ok"}


def test_one_switch_moves_what_the_map_says(tiny: Weights, book: Built, tmp_path: Path) -> None:
    """The engine's live number is numpy's record; verify says equal after `recalc`, and names the knob."""
    out = tmp_path / "off.xlsx"
    recalc(book.path, {"h1.attn.head1.on": "0"}, out, "ironcalc")
    found = find(out, "ironcalc", str(tiny.folder))
    assert found.values["surgery.moved"].item() == pytest.approx(book.env["surgery.effect"][1, 1], abs=1e-12)
    report = examine(found, "ironcalc")
    assert report.exit_code == 0, report.faults
    assert "  knobs    h1.attn.head1.on = 0" in render(report, "text").splitlines()
    box = book.blueprint.layout.ranges["h1.attn.head1.on"]
    knob = {"name": "h1.attn.head1.on", "tab": "Surgery", "cell": f"C{box.row + 1}", "value": 0.0, "start": 1.0}
    assert json.loads(render(report, "json"))["knobs"] == [knob]
    with pytest.raises(WorkbookError, match=r"h1\.attn\.head1\.on is 0, so its logits are not its model's: type 1"):
        crosscheck(out, "transformers")


@pytest.mark.parametrize("value", ["off", None])
def test_no_number_in_a_switch_is_said(value: str | None, tiny: Weights, book: Built, tmp_path: Path) -> None:
    """On the tab, and by verify: at the switch itself."""
    off = typed(book, tmp_path / "off.xlsx", {"h0.attn.head1.on": value})
    found = find(off, "ironcalc", str(tiny.folder))
    assert found.values["surgery.problem"].item().startswith("1 switch holds no number: type 1")
    first = examine(found, "ironcalc").first_fault
    assert first
    assert (first.place, first.kind.value) == ("h0.attn.head1.on", "wrong input")


def test_another_prompt_is_said(book: Built, tiny: Weights, tmp_path: Path) -> None:
    """Capitals count: the comparison is exact."""
    for switches, words in (({}, "its untouched answer is "), ({"h0.mlp.on": 0.0}, "set all switches to 1")):
        other = typed(book, tmp_path / "other.xlsx", {"prompt.text": "The cat sat", **switches})
        found = find(other, "ironcalc", str(tiny.folder))
        assert found.values["surgery.verdict"].item().startswith(f"Another prompt was typed: {words}")


def test_a_wrong_record_is_a_fault(book: Built, tiny: Weights, tmp_path: Path) -> None:
    wrong = dict.fromkeys(("surgery.was.prob", "surgery.was.logit", "surgery.effect"), 0.5)
    report = verify(typed(book, tmp_path / "x.xlsx", wrong), model=str(tiny.folder))
    assert {f.place for f in report.faults if f.kind.value == "wrong input"} == set(wrong)


@pytest.mark.parametrize("built", ["", None, "the cat sat " * 99])
def test_records_without_their_prompt_are_not_taken_as_they_stand(
    built: str | None, book: Built, tiny: Weights, tmp_path: Path
) -> None:
    """A workbook that no longer says what it was built for, or names what no model takes, is not equal."""
    report = verify(
        typed(book, tmp_path / "x.xlsx", {"prompt.built": built, "surgery.effect": 0.5}), model=str(tiny.folder)
    )
    assert report.exit_code == 1
    assert report.first_fault
    assert report.first_fault.place == "prompt.built"


def test_constants_are_known_without_the_model(book: Built, tmp_path: Path) -> None:
    """Its weights are not here; what the plan itself gives is compared all the same."""
    wrong: Values = {"near.rank": 2.0, "matmul.row": 1.0, "heads.name": "h7 head 9"}
    report = verify(typed(book, tmp_path / "x.xlsx", wrong))
    assert {fault.place for fault in report.faults} == set(wrong)
    assert any("records against their source" in words for words in report.unchecked)


@pytest.mark.parametrize(("knob", "value"), [("view.block", None), ("view.head", None), ("near.word", True)])
def test_a_knob_of_the_wrong_kind_is_alone_to_blame(
    knob: str, value: float | None, book: Built, tiny: Weights, tmp_path: Path
) -> None:
    """A formula takes an empty cell for 0 and TRUE for a word: it is right all the same."""
    report = verify(typed(book, tmp_path / "x.xlsx", {knob: value}), model=str(tiny.folder))
    assert [fault.place for fault in report.faults] == [knob]


@pytest.mark.parametrize("knob", ["h0.attn.head0.on", "h1.attn.head0.scale", "compute.width"])
def test_a_number_that_is_too_large_is_a_wrong_input(knob: str, book: Built, tiny: Weights, tmp_path: Path) -> None:
    """It makes results too large for a cell; no formula is to blame."""
    report = verify(typed(book, tmp_path / "x.xlsx", {knob: 1e308, "wpe.on": 0.5}), model=str(tiny.folder))
    assert [(fault.place, fault.kind.value) for fault in report.faults] == [(knob, "wrong input")]
    assert "too large for a cell" in report.faults[0].wanted


def test_a_large_switch_breaks_no_law(book: Built, tiny: Weights, tmp_path: Path) -> None:
    path = typed(book, tmp_path / "x.xlsx", {"h0.attn.head0.on": 1e7, "h1.attn.head1.on": -1e6})
    found = find(path, "ironcalc", str(tiny.folder))
    assert set(found.values["check.h0.law.light"].flat) == {"OK"}
    assert examine(found, "ironcalc").faults == []


def test_without_surgery_formulas_are_what_they_were(tiny: Weights, book: Built) -> None:
    core = evaluated(tiny, PROMPT, form=Form(core=True))[0]
    texts = {name: [f.text for f in lower(core.plan, name, core.layout.ranges)] for name in core.plan}
    assert texts["h0.attn.head0.z"] == ["MMULT(h0.attn.head0.pattern,h0.attn.head0.v)"]
    assert not any(".on" in text or ".scale" in text for place in texts.values() for text in place)
    full = book.blueprint
    said = {n: f.text for n in ("embed.out", "h1.attn.head1.z", "h1.resid_post")
            for f in lower(full.plan, n, full.layout.ranges)}  # fmt: skip
    assert said == {
        "embed.out": "embed.token+embed.pos*embed.pos.on*wpe.on",
        "h1.attn.head1.z": "MMULT(h1.attn.head1.pattern,h1.attn.head1.v)*h1.attn.head1.on",
        "h1.resid_post": "h1.resid_mid+h1.mlp.out*h1.mlp.on",
    }


@pytest.mark.parametrize(("operator", "mutants"), [("mask", 3), ("scale", 1), ("heads", 3), ("sign", 2)])
def test_slips_are_still_made_of_formulas_with_switches(operator: str, mutants: int, book: Built) -> None:
    """Of the scores of a head: the mask gone, turned round or off by one; no root; query, key or switch of another."""
    plan, ranges = book.blueprint.plan, book.blueprint.layout.ranges
    text = lower(plan, "h0.attn.head0.scores", ranges)[0].text
    rule = {name: rule for name, _, rule in operators.RULES}[operator]
    original = operators.Original(read(book.path, ()), book.blueprint)
    assert len(set(rule(text, original, "h0 attention")) - {text}) == mutants
