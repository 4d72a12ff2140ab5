"""Expressions, names, plans: what can be said and what cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sheetgpt.errors import PlanError
from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.extras import EXTRAS
from sheetgpt.plan.live import Live
from sheetgpt.plan.model import gpt2
from sheetgpt.plan.names import STEPS, check_name, from_transformer_lens
from sheetgpt.plan.ops import SHAPE, VIEWS, Expr, apply, columns, concat
from sheetgpt.plan.plan import Plan, Role, say
from sheetgpt.plan.stages import WHOLE, Stages
from sheetgpt.sheet.blueprint import Blueprint, Card

GOLDEN = Path(__file__).parent / "golden"
LIVE = Live(n_chars=6, n_bytes=4, n_merges=2, n_ranges=9)
GPT2_SMALL = ModelConfig(n_vocab=50257, n_ctx=1024, n_embd=768, n_head=12, n_layer=12)


def place(name: str, *shape: int) -> Expr:
    return Expr("data", shape=(shape[0], shape[1]), name=name)


@pytest.mark.parametrize(
    ("live", "stages", "name"),
    [(None, WHOLE, "plan.txt"), (LIVE, WHOLE, "plan_live.txt"), (None, Stages("ln_f", "next"), "plan_slice.txt")],
)
def test_plan_of_a_small_model_is_the_golden_text(
    live: Live | None, stages: Stages, name: str, request: pytest.FixtureRequest
) -> None:
    dump = gpt2(ModelConfig(n_vocab=5, n_ctx=8, n_embd=4, n_head=2, n_layer=1), 3, live, stages).dump()
    golden = GOLDEN / name
    if request.config.getoption("--update-golden"):
        golden.write_text(dump)
    assert dump == golden.read_text()


def test_plan_of_gpt2_small_needs_no_weights() -> None:
    plan = gpt2(GPT2_SMALL, 6)
    learned = [plan[name].shape for name, role in plan.roles.items() if role is Role.PARAMETER]
    assert sum(rows * cols for rows, cols in learned) == 124_439_808  # OpenAI's GPT-2 small
    assert plan["logits"].shape == (50257, 1)
    assert plan["h11.attn.head11.pattern"].shape == (6, 6)


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (place("x", 2, 3) + place("y", 1, 3), "x + y"),
        ((place("x", 2, 3) + 1.0) * place("y", 2, 1), "(x + 1.0) * y"),
        (place("x", 2, 3) - (place("y", 2, 3) - 1), "x - (y - 1)"),
        (place("x", 2, 3) @ place("y", 2, 3).T, "x @ y.T"),
        ((place("x", 2, 3) + 1).T, "(x + 1).T"),
        (place("x", 2, 3) ** 3, "x**3"),
        (0 < place("x", 2, 3), "0 < x"),
        (128 <= place("x", 2, 3), "128 <= x"),
        (columns(place("x", 2, 3), 1, 3), "x[:, 1:3]"),
    ],
)
def test_an_expression_says_itself_without_spare_brackets(expr: Expr, text: str) -> None:
    assert say(expr) == text


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: place("x", 2, 3) + place("y", 3, 3), "do not broadcast"),
        (lambda: place("x", 2, 3) @ place("y", 2, 3), "inner sizes differ"),
        (lambda: columns(place("x", 2, 3), 2, 4), "columns 2:4"),
        (lambda: concat(place("x", 2, 3), place("y", 3, 3)), "rows differ"),
        (lambda: apply("gather", place("x", 2, 3), place("i", 2, 2)), "one column"),
        (lambda: apply("cumsum", place("x", 2, 3)), "one column"),
        (lambda: apply("gather", place("x", 2, 1) + 1, place("i", 2, 2)), "name its inputs first"),
        (lambda: apply("rowmean", place("x", 2, 3) + 1), "name its inputs first"),
    ],
)
def test_what_does_not_fit_is_refused_before_there_is_a_file(make: object, why: str) -> None:
    with pytest.raises(PlanError, match=why):
        make()  # type: ignore[operator]


def test_a_name_is_given_once_whatever_its_case() -> None:
    p = Plan()
    p.data("embed.out", (1, 1))
    with pytest.raises(PlanError, match="already a place"):
        p.data("Embed.OUT", (1, 1))


def test_inputs_come_before_uses() -> None:
    p = Plan()
    with pytest.raises(PlanError, match="not a place of this plan"):
        p("embed.out", place("embed.token", 2, 2) + 1)


@pytest.mark.parametrize("name", ["h0", "ln1", "q1", "R1C1", "r", "C", "c12", "true_", "1a", "a b", "", "x" * 101, "é"])
def test_names_that_a_spreadsheet_takes_for_something_else_are_refused(name: str) -> None:
    with pytest.raises(PlanError):
        check_name(name)


@pytest.mark.parametrize("name", ["wte", "h0.attn.head0.pattern", "h11.ln_1.g", "ln_f.b", "prompt.n", "logits"])
def test_names_of_the_model_are_fine(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("hook_embed", "embed.token"),
        ("blocks.0.hook_resid_pre", "embed.out"),
        ("blocks.2.hook_resid_pre", "h1.resid_post"),
        ("blocks.3.attn.hook_pattern", "h3.attn.head0.pattern"),
        ("blocks.3.ln1.hook_normalized", "h3.ln_1.normalized"),
        ("ln_final.hook_normalized", "ln_f.normalized"),
        ("h3.mlp.pre", "h3.mlp.pre"),
    ],
)
def test_names_of_transformer_lens_are_understood(theirs: str, ours: str) -> None:
    assert from_transformer_lens(theirs) == ours


def test_every_step_of_a_block_has_its_places_in_order() -> None:
    plan = list(gpt2(GPT2_SMALL, 2))
    firsts = [plan.index(f"h0.{STEPS[step][0]}") for step in range(1, 17)]
    assert firsts == sorted(firsts)
    assert all(f"h0.{part}" in plan for parts in STEPS.values() for part in parts)


def test_every_op_appears_in_the_model() -> None:
    used: set[str] = set()

    def visit(expr: Expr) -> None:
        used.add(expr.op)
        for arg in expr.args:
            if arg.name is None:
                visit(arg)

    exact = replace(GPT2_SMALL, activation="gelu")
    checked = Blueprint.of(Card("small", GPT2_SMALL, 2, asked=Asked(EXTRAS, 2))).plan
    for expr in [*gpt2(exact, 2).values(), *gpt2(GPT2_SMALL, 2, LIVE).values(), *checked.values()]:
        visit(expr)
    assert used == set(SHAPE) | VIEWS | {"data", "lit"}
