"""The Check tab: green on an untouched workbook, and the right light red, by engines alone, where one is broken."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from sheetgpt.build import Built, Room, build
from sheetgpt.check.faults import FaultKind
from sheetgpt.check.inputs import recorded
from sheetgpt.check.verify import verify
from sheetgpt.engines import get
from sheetgpt.models.weights import Weights
from sheetgpt.plan.checks import ALL, LIMIT
from sheetgpt.plan.stages import Stages
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.checktab import rows_of
from sheetgpt.sheet.contents import LIGHT
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.layout import HEAD
from sheetgpt.sheet.lessons import lesson
from tests.mutants import Mutant, cell, formula, make

needs_office = pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
ENGINES = ["ironcalc", pytest.param("libreoffice", marks=needs_office), "formulas"]
CONTENTS = (HEAD - 1, LIGHT)


def lights(book: Blueprint, path: Path, engine: str = "ironcalc") -> tuple[str, str, dict[str, object]]:
    """What Contents says, what Check says, and every light by stage, law or weight, computed by an engine."""
    values = get(engine).recalculate(path)
    tab = values["Check"]
    found: dict[str, object] = {}
    for name, box in book.layout.ranges.items():
        if name.startswith("check.") and name.endswith(".light"):
            _, stage, *kind = name.split(".")[:-1]
            rows = rows_of(book, stage, kind[0]) if kind else [stage]
            found |= {row: tab.get((box.row + r, box.col)) for r, row in enumerate(rows)}
    said = book.layout.ranges[ALL]
    return str(values["Contents"].get(CONTENTS)), str(tab.get((said.row, said.col))), found


def not_ok(found: dict[str, object]) -> set[str]:
    return {name for name, light in found.items() if light != "OK"}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("which", ["tiny_book", "live_book"])
def test_all_lights_are_green(which: str, engine: str, request: pytest.FixtureRequest) -> None:
    built: Built = request.getfixturevalue(which)
    contents, check, found = lights(built.blueprint, built.path, engine)
    assert set(found.values()) == {"OK"}
    rows = len(found) - len(built.blueprint.card.stages.among(built.blueprint.card.config))
    assert contents == check == f"All {rows} checks pass"


@pytest.mark.parametrize(
    ("model", "prompt", "stages", "fixed"),
    [
        pytest.param("fable", "Mike is quick", "..", False, marks=pytest.mark.slow),
        ("fable", "Mike is quick", "..", True),
        ("fable", "Mike is quick", "h3", True),
        ("fable", "Mike is quick", "logits..", True),
        ("sorter", "CAB", "..", False),
        ("untied", "the", "..", True),
        ("tiny", "the", "next", True),
        ("tiny", "the", "prompt", True),
    ],
)
def test_green_in_every_kind_of_workbook(
    model: str, prompt: str, stages: str, fixed: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    weights: Weights = request.getfixturevalue(model)
    part = Stages.parse(stages, weights.config)
    room = Room(tokens=None if fixed else 6, fixed=fixed)
    built = build(weights, prompt, tmp_path / "book.xlsx", room, part)
    contents, _, found = lights(built.blueprint, built.path)
    assert set(found.values()) == {"OK"}
    assert contents.startswith("All ")
    looked_at = {name for name in found if name in weights.config.shapes()}
    assert looked_at == set(part.weights(weights.config))  # each matrix once, also where two stages read it


NUMBER = "><v>{}</v></c>"


def broken(place: str, r: int, c: int, content: str, *red: str) -> tuple[Mutant, set[str]]:
    """A cell with other content, and the lights that are to turn."""
    return cell(place, r, c, content, FaultKind.VALUE, f"{place} {content}"), set(red)


def rewritten(place: str, old: str, new: str, *red: str, nth: int = 0) -> tuple[Mutant, set[str]]:
    """A formula with other text, and the lights that are to turn."""
    return formula(place, old, new, nth=nth), set(red)


BROKEN: list[tuple[Mutant, set[str]]] = [
    broken("h1.mlp.c_fc.w", 3, 2, NUMBER.format("0.5"), "h1.mlp.c_fc.w"),
    broken("wte", 255, 7, NUMBER.format("0.5"), "wte"),
    broken("check.h0.weights.recorded", 0, 3, NUMBER.format("1{v}"), "h0.ln_1.g"),
    broken("check.h0.weights.recorded", 0, 1, NUMBER.format("9"), "h0.ln_1.g"),
    rewritten("h0.attn.head1.exp", "-h0.attn.head1.max", ""),  # softmax is the same: nothing is wrong
    rewritten("h1.attn.head0.pattern", "/h1.attn.head0.sum", "/2", "h1.attn.pattern.rows"),
    rewritten("h1.attn.head0.scores", "<=", ">=", "h1.attn.pattern.mask"),
    rewritten("h0.attn.head0.z", "h0.attn.head0.v", "h0.attn.head1.v", "h0.attn.z.product"),
    rewritten("h1.attn.out", "+h1.attn.c_proj.b", "", "h1.attn.out.product"),
    rewritten("h0.attn.qkv", "+h0.attn.c_attn.b", "-h0.attn.c_attn.b", "h0.attn.qkv.product"),
    rewritten("h1.ln_2.var", "VARP(", "2*VARP(", "h1.ln_2.square"),
    rewritten("h1.ln_1.mean", "AVERAGE(", "MAX(", "h1.ln_1.mean", "h1.ln_1.square"),
    rewritten("h1.ln_1.out", "+h1.ln_1.b", "", "h1.ln_1.out"),
    rewritten("h1.resid_mid", "h0.resid_post", "embed.out", "h1.resid_mid.sum"),
    rewritten("embed.out", "+", "-", "embed.out.sum"),
    rewritten("probs", "probs.sum", "(4*probs.sum)", "probs.total"),
    rewritten("next.id", "-1", "+1000", "next.id.range"),
    rewritten("next.logit", "MAX(", "MIN(", "next.logit.most"),
    rewritten("top.logit", "LARGE(", "SMALL(", "next.logit.most", "top.prob.order"),
    rewritten("check.h0.law.value", "-1", "-2", "h0.attn.pattern.rows", nth=4),
]
FAILS = {"h0": "h0", "h1": "h1", "wte": "embed", "embed": "embed", "probs": "logits", "next": "next", "top": "next"}


@pytest.mark.parametrize(("mutant", "red"), BROKEN, ids=lambda x: x.name if isinstance(x, Mutant) else "")
def test_exactly_the_right_light_turns(mutant: Mutant, red: set[str], tiny_book: Built, tmp_path: Path) -> None:
    path = tmp_path / "broken.xlsx"
    make(mutant, tiny_book.blueprint, tiny_book.path, path)
    contents, check, found = lights(tiny_book.blueprint, path)
    assert not_ok(found) == red | {FAILS[name.partition(".")[0]] for name in red}
    rows = len(found) - len(tiny_book.blueprint.card.stages.among(tiny_book.blueprint.card.config))
    assert (
        contents == check == (f"{len(red)} of {rows} checks fail: see tab Check" if red else f"All {rows} checks pass")
    )


SPREADING = [
    broken("h0.ln_1.g", 0, 3, ' t="inlineStr"><is><t>many</t></is></c>', "h0.ln_1.g", "h0.numbers"),
    broken("h0.attn.c_proj.w", 1, 1, ' t="e"><v>#N/A</v></c>', "h0.attn.c_proj.w", "h0.attn.out.product"),
    broken("wpe", 2, 2, ' t="b"><v>1</v></c>', "wpe"),
]


@pytest.mark.parametrize("engine", ENGINES[:2])
@pytest.mark.parametrize(("mutant", "red"), SPREADING, ids=lambda x: x.name if isinstance(x, Mutant) else "")
def test_what_is_no_number_is_seen_where_it_stands(
    mutant: Mutant, red: set[str], engine: str, tiny_book: Built, tmp_path: Path
) -> None:
    path = tmp_path / "broken.xlsx"
    make(mutant, tiny_book.blueprint, tiny_book.path, path)
    contents, _, found = lights(tiny_book.blueprint, path, engine)
    assert red <= not_ok(found)
    assert {found[name] for name in not_ok(found)} == {"WRONG"}  # an error makes no light an error
    assert "fail: see tab Check" in contents
    names = tiny_book.blueprint.plan.parameters
    assert {name for name in names if found[name] != "OK"} == {mutant.place}


def test_two_numbers_that_trade_places_are_seen(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    book, path = tiny_book.blueprint, tmp_path / "swapped.xlsx"
    make(
        cell("wte", 3, 2, NUMBER.format(tiny["wte"][5, 1]), FaultKind.VALUE, ""),
        book,
        tiny_book.path,
        tmp_path / "half.xlsx",
    )
    make(cell("wte", 5, 1, NUMBER.format(tiny["wte"][3, 2]), FaultKind.VALUE, ""), book, tmp_path / "half.xlsx", path)
    assert not_ok(lights(book, path)[2]) == {"wte", "embed"}


@needs_office
def test_libreoffice_sees_a_broken_formula_and_a_weight(tiny_book: Built, tmp_path: Path) -> None:
    book = tiny_book.blueprint
    make(BROKEN[0][0], book, tiny_book.path, tmp_path / "weight.xlsx")
    make(BROKEN[5][0], book, tmp_path / "weight.xlsx", tmp_path / "both.xlsx")
    contents, _, found = lights(book, tmp_path / "both.xlsx", "libreoffice")
    assert not_ok(found) == {"h1", "h1.mlp.c_fc.w", "h1.attn.pattern.rows"}
    assert contents.startswith("2 of ")


@pytest.mark.parametrize("engine", ENGINES[:2])
@pytest.mark.parametrize("prompt", ["", "a b c d e f g h i j k"])
def test_a_prompt_without_an_answer_is_no_wrong_formula(
    prompt: str, engine: str, live_book: Built, tmp_path: Path
) -> None:
    book, path = live_book.blueprint, tmp_path / "typed.xlsx"
    box = book.layout.ranges["prompt.text"]
    edit(live_book.path, path, {box.tab: {(box.row, box.col): prompt}}, {})
    contents, _, found = lights(book, path, engine)
    assert {name for name, light in found.items() if light == "no answer"} == {"next", *rows_of(book, "next", "law")}
    assert set(found.values()) == {"OK", "no answer"}
    assert contents.startswith("All ")
    assert contents.endswith("has no answer: see tab Prompt")


def test_who_edits_the_weight_and_what_was_recorded_is_caught_by_verify(
    tiny_book: Built, tiny: Weights, tmp_path: Path
) -> None:
    """The lights are green again, verify is not fooled."""
    book, path = tiny_book.blueprint, tmp_path / "forged.xlsx"
    wanted = tiny["h0.ln_1.b"].copy()
    wanted[0, 3] = 0.25
    name, row = "check.h0.weights.recorded", rows_of(book, "h0", "weights").index("h0.ln_1.b")
    forged = recorded(book.plan, {**tiny, "h0.ln_1.b": wanted})[name]
    make(cell("h0.ln_1.b", 0, 3, NUMBER.format(0.25), FaultKind.VALUE, ""), book, tiny_book.path, tmp_path / "0.xlsx")
    for i, column in enumerate((3, 4, 5)):
        change = cell(name, row, column, NUMBER.format(float(forged[row, column])), FaultKind.VALUE, "")
        make(change, book, tmp_path / f"{i}.xlsx", tmp_path / f"{i + 1}.xlsx")
    (tmp_path / "3.xlsx").rename(path)
    assert not_ok(lights(book, path)[2]) == set()
    report = verify(path, model=str(tiny.folder))
    assert {fault.place for fault in report.faults} == {"h0.ln_1.b", name}


def test_fingerprints_by_another_hand(tiny: Weights, tiny_book: Built) -> None:
    """Added up exactly, one number at a time."""
    plan = tiny_book.blueprint.plan
    found = recorded(plan, tiny)
    assert found["check.limit"] == LIMIT
    for stage in ("embed", "h0", "h1", "ln_f"):
        for row, name in enumerate(rows_of(tiny_book.blueprint, stage, "weights")):
            matrix = tiny[name].tolist()
            cells = [(i, j, x) for i, line in enumerate(matrix, 1) for j, x in enumerate(line, 1)]
            own = [
                len(matrix),
                len(matrix[0]),
                len(cells),
                math.fsum(x for *_, x in cells),
                math.fsum(x * x for *_, x in cells),
                math.fsum(x * math.sin(i) * math.cos(j) for i, j, x in cells),
            ]
            np.testing.assert_allclose(found[f"check.{stage}.weights.recorded"][row], own, rtol=0, atol=1e-11)


def test_laws_say_what_they_are(tiny_book: Built) -> None:
    """Every row has a label and a sentence of its own."""
    book = tiny_book.blueprint
    for stage in book.card.stages.among(book.card.config):
        for name in rows_of(book, stage, "law"):
            assert lesson("check").meaning(name), name
