"""The map on Contents, and what Parameters, Compute and Glossary count, against other hands."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import openpyxl
import pytest

from sheetgpt.build import Built
from sheetgpt.check.evaluate import run
from sheetgpt.check.faults import FaultKind
from sheetgpt.check.inputs import starts
from sheetgpt.engines import Values, get
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.weights import Weights
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.compute import BLOCK, add_compute, stage_of
from sheetgpt.plan.count import KINDS, operations
from sheetgpt.plan.model import gpt2
from sheetgpt.plan.names import HOOKS, from_transformer_lens
from sheetgpt.plan.stages import Stages
from sheetgpt.sheet.blueprint import Blueprint, Card
from sheetgpt.sheet.cells import Kind
from sheetgpt.sheet.contents import HEADS, LIGHT, contents
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.lessons import tables
from sheetgpt.sheet.parameters import NAME, NUMBERS, SHARE
from sheetgpt.sheet.slots import tab_lesson
from tests.mutants import cell, make


@pytest.fixture(scope="module")
def computed(tiny_lesson: Built) -> Values:
    return get("ironcalc").recalculate(tiny_lesson.path)


@pytest.fixture(scope="module")
def opened(tiny_lesson: Built) -> openpyxl.Workbook:
    return openpyxl.load_workbook(tiny_lesson.path)


def rows_with(opened: openpyxl.Workbook, tab: str, column: int = 0) -> dict[str, int]:
    """Text in a column -> its row, from 0, the last of equals."""
    return {str(row[column].value): row[column].row - 1 for row in opened[tab].iter_rows() if row[column].value}


def value(built: Built, values: Values, name: str) -> float:
    box = built.blueprint.layout.ranges[name]
    return float(values[box.tab].get((box.row, box.col)))  # type: ignore[arg-type]


# ---- Contents ------------------------------------------------------------------------------------------------


def lights(opened: openpyxl.Workbook, values: Values) -> dict[str, object]:
    """What the light of each row of the map says."""
    named = {name.partition(":")[0]: row for name, row in rows_with(opened, "Contents").items() if row and ": " in name}
    return {stage: values["Contents"].get((row, LIGHT)) for stage, row in named.items()}


def test_a_changed_weight_turns_the_light_of_its_stage_on_the_map(
    tiny_lesson: Built, computed: Values, opened: openpyxl.Workbook, tmp_path: Path
) -> None:
    stages = tiny_lesson.blueprint.card.stages.among(tiny_lesson.blueprint.card.config)
    assert lights(opened, computed) == dict.fromkeys(stages, "OK")
    changed = cell("h1.mlp.c_fc.w", 3, 2, "><v>0.5</v></c>", FaultKind.VALUE, "")
    make(changed, tiny_lesson.blueprint, tiny_lesson.path, tmp_path / "changed.xlsx")
    found = lights(opened, get("ironcalc").recalculate(tmp_path / "changed.xlsx"))
    assert found == dict.fromkeys(stages, "OK") | {"h1": "WRONG"}


def test_every_link_leads_to_the_tab_or_the_cell_that_it_names(tiny_lesson: Built, opened: openpyxl.Workbook) -> None:
    seen: set[str] = set()
    for sheet in (opened[tab] for tab in ("Contents", "Parameters", "Glossary")):
        for source in (c for row in sheet.iter_rows() for c in row if c.hyperlink):
            tab, at = source.hyperlink.location.replace("'", "").split("!")
            assert tab in opened.sheetnames
            if sheet.title == "Contents" and source.column > HEADS:
                head = f"{sheet.cell(source.row, 1).value.partition(':')[0]}.attn.head{source.value}.pattern"
                box = tiny_lesson.blueprint.layout.ranges[head]
                assert (tab, at) == (box.tab, opened[tab].cell(box.row + 1, box.col + 1).coordinate)
                seen.add(head)
            elif sheet.title == "Contents":
                seen.add(tab)
            elif source.value in tiny_lesson.blueprint.layout.ranges:
                assert tab == tiny_lesson.blueprint.layout.ranges[source.value].tab
    assert seen >= {"h0.attn.head0.pattern", "h1.attn.head1.pattern", *opened.sheetnames[1:]}


@pytest.mark.parametrize(("blocks", "stages"), [(48, ".."), (3, "h1..ln_f")])
def test_a_map_has_a_row_for_each_block_that_is_there(blocks: int, stages: str) -> None:
    config = ModelConfig(11, 8, 8, 1, blocks)
    book = Blueprint.of(Card("deep", config, 3, stages=Stages.parse(stages, config)))
    env = {name: np.full(expr.shape, "" if name in book.plan.text else 0.0, object) for name, expr in book.plan.items()}
    cells = contents(book, env, lambda tab: tab_lesson(book, tab).title).cells
    words = [str(c.body) for c in cells if c.kind is Kind.LINK and c.col == 0 and ": " in str(c.body)]
    there = [stage for stage in book.card.stages.among(config) if stage.startswith("h")]
    assert [word.partition(":")[0] for word in words if word.startswith("h")] == there
    assert len({(c.row, c.col) for c in cells}) == len(cells)


# ---- Parameters ----------------------------------------------------------------------------------------------


def test_parameters_counts_the_numbers_in_the_files(
    tiny: Weights, tiny_lesson: Built, computed: Values, opened: openpyxl.Workbook
) -> None:
    rows, found = rows_with(opened, "Parameters"), computed["Parameters"]
    counts = {}
    for name in tiny.config.shapes():
        with tiny.path(name).open() as file:
            counts[name] = sum(len(line) for line in csv.reader(file))
    assert {name: found.get((rows[name], NUMBERS)) for name in counts} == counts
    total = found.get((rows["All"], NUMBERS))
    assert total == sum(counts.values())
    by_stage = {stage: found.get((rows[stage], NUMBERS)) for stage in ("embed", "h0", "h1", "ln_f", "logits")}
    of_block = {i: sum(n for name, n in counts.items() if name.startswith(f"h{i}.")) for i in (0, 1)}
    assert by_stage == {"embed": counts["wte"] + counts["wpe"], "h0": of_block[0], "h1": of_block[1],
                        "ln_f": 2 * tiny.config.n_embd, "logits": 0}  # fmt: skip
    assert found.get((rows["wte"], SHARE)) == counts["wte"] / total
    given = {name for name, row in rows.items() if opened["Parameters"].cell(row + 1, 7).value == "given"}
    assert {"vocab.text", "vocab.bytes", "prompt.pos"} <= given
    assert opened["Parameters"].cell(rows["eps"] + 1, NUMBERS + 1).value == tiny.config.eps
    assert NAME == 0


# ---- Compute -------------------------------------------------------------------------------------------------


class Tallied(np.ndarray):  # type: ignore[type-arg]
    """An array that counts what is done with it."""

    found: ClassVar[Counter[str]] = Counter()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(x) for x in inputs]
        result = np.asarray(getattr(ufunc, method)(*plain, **options))
        if ufunc is np.matmul:
            length = plain[0].shape[-1]
            self.found.update(multiplications=result.size * length, additions=result.size * (length - 1))
        elif method == "reduce" and ufunc is np.add:
            self.found.update(additions=plain[0].size - result.size)
        elif ufunc in _KINDS:
            self.found[_KINDS[ufunc]] += result.size
        return result.view(Tallied)


_KINDS = {np.multiply: "multiplications", np.add: "additions", np.subtract: "additions", np.true_divide: "divisions",
          np.exp: "exp", np.tanh: "tanh", np.sqrt: "sqrt"}  # fmt: skip


def tally(c: dict[str, int], rows: int) -> list[float]:
    """GPT-2 once more, for the last `rows` tokens, in arrays that count."""
    t, d, f, heads, v = (c[name] for name in ("tokens", "width", "mlp", "heads", "vocabulary"))

    def some(*shape: int) -> Any:
        return np.full(shape, 0.1).view(Tallied)

    def norm(x: Any) -> Any:
        mean = x.sum(-1, keepdims=True) / d
        again = x.sum(-1, keepdims=True) / d  # a variance finds its own mean
        gap = x - again
        return (x - mean) / np.sqrt((gap * gap).sum(-1, keepdims=True) / d + 1e-5) * some(d) + some(d)

    Tallied.found = Counter()
    x = some(rows, d) + some(rows, d)
    for _ in range(c["blocks"]):
        qkv = norm(x) @ some(d, 3 * d) + some(3 * d)
        read = []
        for i in range(heads):
            w = d // heads
            q, keys, values = qkv[:, i * w : (i + 1) * w], some(t, w), some(t, w)  # those of earlier tokens are kept
            scores = (q @ keys.T) / np.float64(w**0.5)
            exp = np.exp(scores - np.asarray(scores).max(-1, keepdims=True))
            read.append(np.asarray((exp / exp.sum(-1, keepdims=True)) @ values))
        x = x + (np.hstack(read).view(Tallied) @ some(d, d) + some(d))
        y = norm(x) @ some(d, f) + some(f)
        y = 0.5 * y * (1 + np.tanh(0.8 * (y + 0.044715 * (y * y * y))))
        x = x + (y @ some(f, d) + some(d))
    logits = some(v, d) @ norm(x)[-1:].T
    exp = np.exp(logits - np.asarray(logits).max())
    np.add.reduce(exp.ravel())
    exp / 2.0
    return [float(Tallied.found[kind]) for kind in KINDS]


def totals(built: Built, values: Values, whose: str) -> list[float]:
    return [value(built, values, f"compute.{whose}.total.{kind}") for kind in KINDS]


@pytest.mark.parametrize(
    "sizes", [{}, {"tokens": 7, "width": 12, "mlp": 20, "heads": 3, "blocks": 3, "vocabulary": 11}]
)
def test_compute_counts_what_numpy_does(
    sizes: dict[str, int], tiny_lesson: Built, computed: Values, tmp_path: Path
) -> None:
    config, ranges = tiny_lesson.blueprint.card.config, tiny_lesson.blueprint.layout.ranges
    own = {"tokens": tiny_lesson.blueprint.card.n_rows, "width": config.n_embd, "mlp": config.d_mlp,
           "heads": config.n_head, "blocks": config.n_layer, "vocabulary": config.n_vocab}  # fmt: skip
    values, at = computed, {name: (ranges[f"compute.{name}"].row, ranges[f"compute.{name}"].col) for name in sizes}
    if sizes:
        edit(tiny_lesson.path, tmp_path / "other.xlsx", {"Compute": {at[k]: float(v) for k, v in sizes.items()}}, {})
        values = get("ironcalc").recalculate(tmp_path / "other.xlsx")
    assert totals(tiny_lesson, values, "one") == tally(own | sizes, 1)
    assert totals(tiny_lesson, values, "all") == tally(own | sizes, (own | sizes)["tokens"])
    same = ranges["compute.same"]
    assert values["Compute"].get((same.row, same.col)) == ("other sizes" if sizes else "equal")


@pytest.mark.parametrize("activation", ["gelu_new", "gelu", "quick_gelu", "relu"])
def test_each_step_is_what_walking_the_plan_counts(activation: str) -> None:
    config = ModelConfig(13, 9, 12, 3, 2, n_inner=20, tied=False, activation=activation)
    plan = gpt2(config, 5)
    pipeline = list(plan)
    add_compute(plan, config, Asked(), False)
    env = run(plan, starts(plan), {name: np.zeros(plan[name].shape) for name in pipeline})
    for row, step in enumerate(BLOCK):
        own = [name for name in pipeline if name.startswith("h1.") and _step(name) == step]
        work = sum((operations(plan[name]) for name in own), Counter[str]())
        assert [env[f"compute.all.block.{kind}"][row, 0] for kind in KINDS] == [work[kind] for kind in KINDS], step
    assert env["compute.parameters"] == config.n_weights
    assert {stage_of(name) for name in pipeline} == {"", "embed", "blocks", "ln_f", "logits", "probs"}


def _step(name: str) -> str:
    part = name.partition(".")[2]
    if part.startswith("attn.head"):
        last = part.rpartition(".")[2]
        return {"scores": "attn.scores", "z": "attn.z", "q": "", "k": "", "v": ""}.get(last, "attn.pattern")
    return part.partition(".")[0] if part.startswith("ln_") else part


# ---- Glossary ------------------------------------------------------------------------------------------------

# As their makers count them (Radford et al. 2019; the number of numbers in Hugging Face's files).
LEARNED = {"GPT-2 small": 124_439_808, "GPT-2 medium": 354_823_168, "GPT-2 large": 774_030_080,
           "GPT-2 XL": 1_557_611_200}  # fmt: skip


def test_sizes_of_gpt2_give_their_numbers(computed: Values, opened: openpyxl.Workbook, tiny_lesson: Built) -> None:
    rows = rows_with(opened, "Glossary")
    assert {name: computed["Glossary"].get((rows[name], 6)) for name in LEARNED} == LEARNED
    assert computed["Glossary"].get((rows["GPT-3"], 6)) == pytest.approx(175e9, rel=0.005)
    assert computed["Glossary"].get((rows["tiny"], 6)) == tiny_lesson.blueprint.card.n_weights


def test_every_place_of_the_glossary_is_in_the_plan(tiny_lesson: Built) -> None:
    plan = tiny_lesson.blueprint.plan
    for entry in tables("glossary")["terms"]:
        assert entry.get("place", "wte").replace("#", "0") in plan, entry["term"]
    assert len({entry["term"] for entry in tables("glossary")["terms"]}) == len(tables("glossary")["terms"])
    for theirs, ours in HOOKS:
        mine = from_transformer_lens(theirs.replace("#", "1"))
        assert mine in plan
        assert mine == ours.replace("#", "1") or ours == "h#.resid_pre"
