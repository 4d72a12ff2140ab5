"""Laws find what is wrong without a second definition of the model, also where the definition itself is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sheetgpt.build import Built, Room, build
from sheetgpt.check import laws as module
from sheetgpt.check.laws import laws
from sheetgpt.check.result import Law
from sheetgpt.check.verify import verify
from sheetgpt.engines import ENGINES
from sheetgpt.errors import SheetGPTError
from sheetgpt.models.weights import Weights
from sheetgpt.plan import model as definition
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.plan import Plan
from sheetgpt.plan.stages import Stages
from sheetgpt.sheet.edit import edit
from tests.conftest import CORE
from tests.mutants import Mutant, formula, make, renamed
from tests.test_engines import param

others = pytest.mark.parametrize("engine", [param(name) for name in ENGINES if name != "ironcalc"])
engines = pytest.mark.parametrize("engine", [param(name) for name in ENGINES])
ALL = [law for group in module._ATTEMPTS for law in group]


def statuses(found: list[Law]) -> dict[str, str]:
    assert [law.law for law in found] == ALL
    return {law.law: law.status for law in found}


def broken(found: list[Law]) -> dict[str, str]:
    """Law -> place, of the broken ones."""
    return {law.law: law.place for law in found if law.status == "broken"}


# ---- what is right


def test_an_untouched_workbook_keeps_every_law(tiny_book: Built) -> None:
    before = tiny_book.path.read_bytes()
    assert set(statuses(laws(tiny_book.path)).values()) == {"ok"}
    assert tiny_book.path.read_bytes() == before


@pytest.mark.slow
@others
def test_by_other_engines(engine: Any, tiny_book: Built) -> None:
    assert set(statuses(laws(tiny_book.path, engine.name)).values()) == {"ok"}


def test_a_live_workbook_keeps_every_law(live_book: Built) -> None:
    assert set(statuses(laws(live_book.path)).values()) == {"ok"}


@pytest.mark.slow
@engines
@pytest.mark.parametrize("name", ["fable", "sorter"])
@pytest.mark.parametrize("fixed", [False, True])
def test_the_bundled_models_keep_every_law(
    engine: Any, name: str, fixed: bool, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    prompt = {"fable": "Mike is quick. He moves", "sorter": "CBABBC"}[name]
    built = build(request.getfixturevalue(name), prompt, tmp_path / "book.xlsx", Room(fixed=fixed), check=False)
    assert set(statuses(laws(built.path, engine.name)).values()) == {"ok"}


def test_a_model_of_other_sizes(untied: Weights, tmp_path: Path) -> None:
    built = build(untied, "the cat", tmp_path / "untied.xlsx", Room(tokens=4, fixed=True))
    assert set(statuses(laws(built.path)).values()) == {"ok"}


@pytest.mark.parametrize(
    ("stages", "untried"),
    [
        ("embed..h0", set()),
        ("h1", set()),
        ("ln_f", {module.SUMS, module.MASK, module.CONVEX, module.RESIDUAL, module.SOFTMAX_SHIFT, module.ORDER}),
        ("logits..", {module.MASK, module.MEAN, module.NORM_SCALE, module.CAUSAL, module.ORDER}),
    ],
)
def test_a_part_of_the_pipeline_is_tried_as_far_as_it_goes(
    stages: str, untried: set[str], tiny: Weights, tmp_path: Path
) -> None:
    built = build(tiny, "the cat sat", tmp_path / "part.xlsx", Room(), Stages.parse(stages, tiny.config))
    told = statuses(laws(built.path))
    assert {status for law, status in told.items() if not status.startswith("not tried")} == {"ok"}
    assert untried <= {law for law, status in told.items() if status.startswith("not tried")}
    if not untried:
        assert set(told.values()) == {"ok"}


def test_one_token_has_no_order(tiny: Weights, tmp_path: Path) -> None:
    built = build(tiny, "t", tmp_path / "one.xlsx", Room(tokens=1, fixed=True))
    told = statuses(laws(built.path))
    assert "one token row" in told[module.CAUSAL]
    assert "three token rows" in told[module.ORDER]
    assert told[module.NORM_SHIFT] == told[module.SUMS] == "ok"


def test_tokens_with_equal_embeddings_are_no_fault(tiny: Weights, tiny_book: Built, tmp_path: Path) -> None:
    """A changed token that is embedded as the one before cannot be seen: nothing is claimed of it."""
    box = tiny_book.blueprint.layout.ranges["wte"]
    row = tiny.rows("wte")
    first = next(iter(row))[0]
    typed = {(box.row + r, box.col + c): float(first[c]) for r in range(box.rows) for c in range(box.cols)}
    edit(tiny_book.path, tmp_path / "alike.xlsx", {box.tab: typed}, {})
    told = statuses(laws(tmp_path / "alike.xlsx"))
    assert told.pop(module.SEEN) != "broken"
    assert set(told.values()) == {"ok"}


def test_cached_values_try_nothing(tiny_book: Built) -> None:
    with pytest.raises(SheetGPTError, match="choose an engine"):
        laws(tiny_book.path, "cached")


# ---- workbooks that are wrong

BROKEN = [
    (module.SUMS, formula("h0.attn.head1.pattern", "/h0.attn.head1.sum", "/(2*h0.attn.head1.sum)")),
    (module.SUMS, formula("probs", "/probs.sum", "/(probs.sum+1)")),
    (module.SIGNS, formula("h1.attn.head0.pattern", "/", "/-")),
    (module.MASK, formula("h1.attn.head0.scores", "-10000000000", "-100")),
    (module.CONVEX, formula("h0.attn.head0.z", "h0.attn.head0.v", "(2*h0.attn.head0.v)")),
    (module.RESIDUAL, formula("h1.resid_mid", "h0.resid_post", "embed.out")),
    (module.CONCAT, renamed("h0.attn.z", "'h0 attention'!$B$11:$I${last}")),
    (module.MEAN, formula("h1.ln_1.mean", "AVERAGE(", "MAX(")),
    (module.VARIANCE, formula("h1.ln_2.var", "VARP(", "VAR(")),
    (module.NORM_SCALE, formula("h0.ln_1.normalized", "1E-05", "0.001")),
    (module.NORM_SHIFT, formula("h0.ln_2.normalized", "-h0.ln_2.mean", "")),
    (module.CAUSAL, formula("h1.mlp.post", "h1.mlp.pre", "(h1.mlp.pre+SUM(h1.mlp.pre))")),
    (module.SEEN, formula("embed.out", "embed.token", "0*embed.token")),
    (module.ORDER, formula("h1.attn.head1.scores", "/SQRT(4)", "/SQRT(4)+0.1*TRANSPOSE(prompt.pos)")),
    (module.SOFTMAX_SHIFT, formula("h1.attn.head1.exp", "-h1.attn.head1.max", "/ABS(h1.attn.head1.max)")),
]


@pytest.mark.parametrize(("law", "mutant"), BROKEN, ids=lambda x: x.name if isinstance(x, Mutant) else x[:20])
def test_a_broken_law_is_found_and_located(
    law: str, mutant: Mutant, tiny_book: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = next(laws for laws in module._ATTEMPTS if law in laws)
    monkeypatch.setattr(module, "_ATTEMPTS", {group: module._ATTEMPTS[group]})  # the others need not be computed
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "mutant.xlsx")
    place = {"h1.ln_1.mean": "h1.ln_1.normalized", "h1.ln_2.var": "h1.ln_2.normalized"}.get(mutant.place, mutant.place)
    place = place.replace(".scores", ".pattern").replace(".exp", ".pattern") if law != module.ORDER else "h1.attn.out"
    assert broken(laws(tmp_path / "mutant.xlsx"))[law] == place


def test_errors_break_laws(tiny_book: Built, tmp_path: Path) -> None:
    make(formula("h1.ln_1.out", "*", "/0*"), tiny_book.blueprint, tiny_book.path, tmp_path / "mutant.xlsx")
    told = broken(laws(tmp_path / "mutant.xlsx"))
    assert told[module.SUMS] == "h1.attn.head0.pattern"
    assert told[module.RESIDUAL] == "h1.resid_mid"


# ---- definitions that are wrong: verify has nothing to say


def no_division(p: Plan, at: str, scores: Expr) -> Expr:
    most = p(f"{at}.max", apply("rowmax", scores))
    exp = p(f"{at}.exp", apply("exp", scores - most))
    total = p(f"{at}.sum", apply("rowsum", exp))
    return p(f"{at}.pattern", exp + 0 * total)


def squares(p: Plan, at: str, scores: Expr) -> Expr:
    most = p(f"{at}.max", apply("rowmax", scores))
    exp = p(f"{at}.exp", apply("where", scores <= definition.MASKED / 2, 0, scores**2 + 0 * most))
    total = p(f"{at}.sum", apply("rowsum", exp))
    return p(f"{at}.pattern", exp / total)


def nearer_is_more(p: Plan, at: str, scores: Expr) -> Expr:
    pos = p["prompt.pos"]
    most = p(f"{at}.max", apply("rowmax", scores))
    exp = p(f"{at}.exp", apply("exp", scores - most + 0.1 * pos.T))
    total = p(f"{at}.sum", apply("rowsum", exp))
    return p(f"{at}.pattern", exp / total)


def eps_outside(p: Plan, at: str, w: dict[str, Expr], x: Expr, eps: float) -> Expr:
    mean, var = p(f"{at}.mean", apply("rowmean", x)), p(f"{at}.var", apply("rowvar", x))
    norm = p(f"{at}.normalized", (x - mean) / (apply("sqrt", var) + eps))
    return p(f"{at}.out", norm * w[f"{at}.g"] + w[f"{at}.b"])


def no_mean(p: Plan, at: str, w: dict[str, Expr], x: Expr, eps: float) -> Expr:
    mean, var = p(f"{at}.mean", apply("rowmean", x)), p(f"{at}.var", apply("rowvar", x))
    norm = p(f"{at}.normalized", (x + 0 * mean) / apply("sqrt", var + eps))
    return p(f"{at}.out", norm * w[f"{at}.g"] + w[f"{at}.b"])


def leaking(p: Plan, at: str, w: dict[str, Expr], x: Expr, activation: str) -> Expr:
    pre = p(f"{at}.pre", definition.linear(w, f"{at}.c_fc", x))
    post = p(f"{at}.post", definition.gelu(pre, activation) + 0.01 * apply("sum", pre))
    return p(f"{at}.out", definition.linear(w, f"{at}.c_proj", post))


DEFINITIONS: list[tuple[str, str, Any, dict[str, str]]] = [
    (
        "the mask hides nothing",
        "MASKED",
        -1.0,
        {
            module.MASK: "h0.attn.head0.pattern",
            module.CONVEX: "h0.attn.head0.z",  # it reads rows that it should not
            module.CAUSAL: "h0.attn.head0.z",
        },
    ),
    (
        "softmax does not divide",
        "softmax_rows",
        no_division,
        {module.SUMS: "h0.attn.head0.pattern", module.CONVEX: "h0.attn.head0.z"},
    ),
    ("squares for exponentials", "softmax_rows", squares, {module.SOFTMAX_SHIFT: "h0.attn.head0.pattern"}),
    ("later keys count more", "softmax_rows", nearer_is_more, {module.ORDER: "h0.attn.out"}),
    (
        "eps outside the root",
        "layer_norm",
        eps_outside,
        {module.VARIANCE: "h0.ln_1.normalized", module.NORM_SCALE: "h0.ln_1.normalized"},
    ),
    (
        "no mean is taken off",
        "layer_norm",
        no_mean,
        {module.MEAN: "h0.ln_1.normalized", module.NORM_SHIFT: "h0.ln_1.normalized"},
    ),
    ("the MLP sees all tokens", "mlp", leaking, {module.CAUSAL: "h0.mlp.post", module.ORDER: "h0.mlp.out"}),
]


@pytest.mark.parametrize(("name", "wrong", "instead", "told"), DEFINITIONS, ids=[case[0] for case in DEFINITIONS])
def test_a_wrong_definition_is_found_though_verify_calls_its_workbook_equal(
    name: str,
    wrong: str,
    instead: Any,
    told: dict[str, str],
    tiny: Weights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(definition, wrong, instead)
    built = build(tiny, "the cat sat", tmp_path / "wrong.xlsx", Room(tokens=9, fixed=True), form=CORE, check=False)
    assert verify(built.path, "ironcalc", str(tiny.folder)).exit_code == 0
    assert broken(laws(built.path)) == told
