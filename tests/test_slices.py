"""Workbooks of a part of the pipeline: they chain, they verify, and they read no more than they need."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sheetgpt.build import Built, Room, build, evaluated
from sheetgpt.check.faults import FaultKind
from sheetgpt.check.verify import verify
from sheetgpt.cli import main
from sheetgpt.cli.options import default_path
from sheetgpt.engines import ENGINES, get
from sheetgpt.errors import PlanError, WeightError, WorkbookError
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.weights import Weights
from sheetgpt.plan.live import Live
from sheetgpt.plan.model import gpt2
from sheetgpt.plan.plan import Plan, Role, say
from sheetgpt.plan.stages import Stages, pipeline
from sheetgpt.sheet.blueprint import Card
from sheetgpt.sheet.readback import read
from tests.conftest import CORE, TINY, UNTIED
from tests.mutants import Mutant, cell, formula, make

FABLE = "Mike is quick. He moves"
CHAIN = ("embed..h0", "h1", "h2..h3", "ln_f..")
TWO = ModelConfig(n_vocab=5, n_ctx=8, n_embd=4, n_head=2, n_layer=2)


def role_of(plan: Plan, *roles: Role) -> list[str]:
    return [name for name, role in plan.roles.items() if role in roles]


def build_slice(model: Weights, stages: str, path: Path, prompt: str = "the cat sat", room: Room = Room()) -> Built:  # noqa: B008
    return build(model, prompt, path, room, Stages.parse(stages, model.config))


def stored(built: Built, name: str) -> NDArray[np.float64]:
    """The numbers of a place as they stand in the file."""
    box = built.blueprint.layout.ranges[name]
    sheet = openpyxl.load_workbook(built.path)[box.tab]  # by another hand
    rows = sheet.iter_rows(box.row + 1, box.row + box.rows, box.col + 1, box.col + box.cols, values_only=True)
    return np.array(list(rows), dtype=float)


def recalculated(built: Built, name: str, engine: str = "ironcalc") -> NDArray[np.float64]:
    """The numbers of a place as an engine computes them."""
    box = built.blueprint.layout.ranges[name]
    values = get(engine).recalculate(built.path)[box.tab]
    block = [[values[box.row + r, box.col + c] for c in range(box.cols)] for r in range(box.rows)]
    return np.array(block, dtype=float)


# ---- ranges of stages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names", "shown"),
    [
        ("h1", ["h1"], "h1"),
        ("embed..h0", ["embed", "h0"], "embed..h0"),
        ("ln_f..", ["ln_f", "logits", "next"], "ln_f..next"),
        ("..h0", ["prompt", "embed", "h0"], "prompt..h0"),
        ("h1..h1", ["h1"], "h1"),
        ("..", pipeline(TWO), "prompt..next"),
    ],
)
def test_a_range_of_stages(text: str, names: list[str], shown: str) -> None:
    stages = Stages.parse(text, TWO)
    assert stages.among(TWO) == names
    assert [stage for stage in pipeline(TWO) if stage in stages] == names
    assert str(stages) == shown
    assert Stages.parse(shown, TWO) == stages


@pytest.mark.parametrize(
    "text", ["h2", "", "h", "h01", "H1", " h1", "h1 ..", "embed...h1", "h0..h9", "tail", "h²", "..x"]
)
def test_a_stage_that_there_is_not(text: str) -> None:
    with pytest.raises(PlanError, match=r"^no stage .*prompt, embed, h0 to h1, ln_f, logits, next$"):
        Stages.parse(text, TWO)


def test_a_range_that_runs_backwards() -> None:
    with pytest.raises(PlanError, match="no stage from h1 to embed: in order they are prompt, embed"):
        Stages.parse("h1..embed", TWO)


def test_ten_blocks_are_counted_not_spelled() -> None:
    config = ModelConfig(n_vocab=5, n_ctx=8, n_embd=4, n_head=2, n_layer=12)
    assert Stages.parse("h9..h10", config).among(config) == ["h9", "h10"]
    assert Stages.parse("h10", config).before(config) == ["embed", *(f"h{i}" for i in range(10))]


# ---- plans ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [TINY, UNTIED], ids=["tied", "untied"])
def test_every_computed_place_belongs_to_one_stage_and_is_computed_as_in_the_whole(config: ModelConfig) -> None:
    whole = gpt2(config, 3)
    parts = [gpt2(config, 3, stages=Stages(stage, stage)) for stage in pipeline(config)]
    computed = [(name, say(plan[name])) for plan in parts for name in role_of(plan, Role.VALUE)]
    assert sorted(computed) == sorted((name, say(whole[name])) for name in role_of(whole, Role.VALUE))
    for part in parts:
        for name in role_of(part, Role.UPSTREAM):
            assert (part[name].shape, whole.roles[name]) == (whole[name].shape, Role.VALUE)


@pytest.mark.parametrize(
    ("stages", "given"),
    [("..h0", []), ("embed..", []), ("h0", ["embed.out"]), ("h1..", ["h0.resid_post"]), ("ln_f", ["h1.resid_post"]),
     ("logits..", ["ln_f.last"]), ("next", ["logits", "probs"])],
)  # fmt: skip
def test_what_a_slice_is_given(stages: str, given: list[str]) -> None:
    assert role_of(gpt2(TWO, 3, stages=Stages.parse(stages, TWO)), Role.UPSTREAM) == given


def test_a_slice_reads_the_weights_of_its_stages_alone() -> None:
    def weights(stages: str, config: ModelConfig = UNTIED) -> list[str]:
        return gpt2(config, 3, stages=Stages.parse(stages, config)).parameters

    of_block = [name for name in UNTIED.shapes() if name.startswith("h0.")]
    assert len(of_block) == 12
    assert weights("prompt") == weights("next") == []
    assert weights("embed..h0") == ["wte", "wpe", *of_block]
    assert weights("ln_f") == ["ln_f.g", "ln_f.b"]
    assert weights("logits..") == ["lm_head.w"]
    assert weights("logits", TINY) == ["wte"]
    assert weights("..") == list(UNTIED.shapes())


def test_a_vocabulary_stands_only_where_it_is_read() -> None:
    def has_vocabulary(stages: str) -> bool:
        return "vocab.text" in gpt2(TWO, 3, stages=Stages.parse(stages, TWO))

    assert [s for s in pipeline(TWO) if has_vocabulary(s)] == ["prompt", "logits", "next"]


# ---- numpy ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [Room(fixed=True), Room(tokens=7, fixed=True)], ids=["no padding", "padding"])
def test_each_stage_is_given_what_the_whole_computes_to_the_digit(tiny: Weights, untied: Weights, room: Room) -> None:
    for model in (tiny, untied):
        _, whole = evaluated(model, "the cat", room, form=CORE)
        for stage in pipeline(model.config)[1:]:
            book, env = evaluated(model, "the cat", room, Stages(stage, stage))
            for name in book.plan:
                if name in ("check.wrong", "check.all") or ".weights." in name:
                    continue  # what is counted over all stages
                if name.startswith(("check.logits.", "check.embed.law.")):
                    continue  # wte is embed's where both are there; a law of look-ups needs the vocabulary
                assert np.array_equal(env[name], whole[name]), f"{name} of {stage}"


def test_nothing_is_read_that_comes_after(untied: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    plain = Weights.__getitem__

    def noted(self: Weights, name: str) -> NDArray[np.float64]:
        asked.add(name)
        return plain(self, name)

    monkeypatch.setattr(Weights, "__getitem__", noted)
    evaluated(untied, "the", stages=Stages("prompt", "prompt"))
    assert asked == set()
    evaluated(untied, "the", stages=Stages("embed", "embed"))
    assert asked == {"wte", "wpe"}
    evaluated(untied, "the", stages=Stages("h0", "ln_f"))
    assert asked == set(untied) - {"lm_head.w"}


def test_numbers_that_overflow_before_the_slice(tiny: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = {**tiny} | {name: tiny[name] * 1e200 for name in ("h0.mlp.c_fc.w", "h0.mlp.c_proj.w")}
    monkeypatch.setattr(Weights, "__getitem__", lambda _, name: huge[name])
    with pytest.raises(WeightError, match=r"h0\.resid_post overflows"):
        evaluated(tiny, "the cat", stages=Stages("h1", "h1"))


# ---- the card -------------------------------------------------------------------------------------------


def test_a_card_tells_its_stages_unless_they_are_all() -> None:
    whole = Card("small", TWO, 3)
    assert "stages" not in json.loads(whole.to_json())
    card = Card("small", TWO, 3, stages=Stages("h0", "h1"))
    assert json.loads(card.to_json())["stages"] == "h0..h1"
    assert (Card.from_json(card.to_json()), Card.from_json(whole.to_json())) == (card, whole)
    assert whole.n_weights == TWO.n_weights
    assert (card.n_heads, card.n_weights) == (4, 2 * 244)


@pytest.mark.parametrize("stages", ["h9", "", 3, None, ["h0"], "h1..h0", "x" * 9999])
def test_a_forged_card_is_refused(stages: object) -> None:
    card = json.loads(Card("small", TWO, 3).to_json())
    with pytest.raises(WorkbookError):
        Card.from_json(json.dumps(card | {"stages": stages}))


def test_a_card_that_is_live_after_the_prompt_is_refused() -> None:
    card = json.loads(Card("small", TWO, 3, Live(9, 4, 2, 5)).to_json())
    with pytest.raises(WorkbookError, match="typed prompt"):
        Card.from_json(json.dumps(card | {"stages": "h0"}))


def test_all_stages_are_the_workbook_that_is_built_without_them(tiny: Weights, tmp_path: Path) -> None:
    build(tiny, "the cat", tmp_path / "whole.xlsx", check=False)
    build(tiny, "the cat", tmp_path / "all.xlsx", Room(), Stages.parse("prompt..next", TINY), check=False)
    assert (tmp_path / "whole.xlsx").read_bytes() == (tmp_path / "all.xlsx").read_bytes()


# ---- the chain ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chain(fable: Weights, tmp_path_factory: pytest.TempPathFactory) -> list[Built]:
    folder = tmp_path_factory.mktemp("chain")
    return [build_slice(fable, stages, folder / f"{i}.xlsx", FABLE) for i, stages in enumerate(CHAIN)]


@pytest.fixture(scope="module")
def middle(chain: list[Built]) -> Built:
    return chain[1]


def test_what_one_slice_computes_is_what_the_next_one_holds(chain: list[Built]) -> None:
    for one, other in pairwise(chain):
        (name,) = role_of(other.blueprint.plan, Role.UPSTREAM)
        held = stored(other, name)
        assert np.array_equal(held, one.env[name])
        assert np.abs(recalculated(one, name) - held).max() < 1e-9
        assert np.abs(held).max() > 1


def test_the_last_slice_answers_as_the_whole_workbook(chain: list[Built], fable: Weights) -> None:
    _, whole = evaluated(fable, FABLE)
    assert recalculated(chain[-1], "next.id").tolist() == whole["next.id"].tolist()


@pytest.mark.parametrize("i", range(len(CHAIN)), ids=CHAIN)
def test_every_slice_verifies(chain: list[Built], i: int) -> None:
    report = verify(chain[i].path)
    assert (report.faults, report.unchecked, report.exit_code) == ([], [], 0)
    assert report.cells_checked == report.cells_present


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "ironcalc"])
@pytest.mark.parametrize("i", [1, 3], ids=[CHAIN[1], CHAIN[3]])
def test_a_slice_verifies_with_every_engine(chain: list[Built], i: int, engine: str) -> None:
    if ENGINES[engine].version() is None:
        pytest.skip(f"{engine} is not installed: {ENGINES[engine].hint()}")
    assert verify(chain[i].path, engine).exit_code == 0


def test_a_slice_holds_its_tabs_and_says_which_part_it_is(middle: Built) -> None:
    tabs = [tab.name for tab in middle.blueprint.layout.tabs]
    assert tabs[:8] == ["Contents", "Prompt", "Tokens", "Input", "h1 ln_1", "h1 attention", "h1 ln_2", "h1 mlp"]
    weights = [f"h1.{name}.w" for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")]
    assert tabs[8:] == ["Check", "Glossary", "Parameters", *weights, "h1 vectors"]
    contents = read(middle.path).sheets["Contents"].values
    assert contents[0, 0] == "A part of GPT-2 in a spreadsheet: fable, h1"
    part = "1 of the 9 stages of the pipeline (prompt, embed, h0 to h3, ln_f, logits, n"
    (said,) = [text for text in contents.values() if str(text).startswith(part)]
    assert "given on the tab Input" in str(said)


def test_a_slice_is_small(middle: Built) -> None:
    assert middle.path.stat().st_size < 1e6


@pytest.mark.parametrize("engine", list(ENGINES))
def test_padding_is_empty_not_nought(tiny: Weights, tmp_path: Path, engine: str) -> None:
    if ENGINES[engine].version() is None:
        pytest.skip(f"{engine} is not installed: {ENGINES[engine].hint()}")
    room = Room(tokens=12)
    built = build_slice(tiny, "h1..", tmp_path / "padded.xlsx", room=room)
    assert built.env["prompt.tokens"][-1, 0] == ""
    assert verify(built.path, engine, str(tiny.folder)).exit_code == 0


SMALL = Room(tokens=5, characters=9, word_bytes=4)  # of a live workbook


@pytest.mark.parametrize(
    ("model", "stages"),
    [("tiny", "prompt"), ("tiny", "logits"), ("tiny", "h0..next"), ("untied", "..ln_f"), ("untied", "logits"),
     ("untied", "embed"), ("sorter", "..h0"), ("sorter", "ln_f.."), ("sorter", "next")],
)  # fmt: skip
def test_other_slices_and_models(model: str, stages: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    weights: Weights = request.getfixturevalue(model)
    begins = stages.startswith(("prompt", ".."))
    room = SMALL if begins else Room()
    built = build_slice(weights, stages, tmp_path / "book.xlsx", "CAB" if model == "sorter" else "the", room)
    assert (built.blueprint.card.live is not None) == begins
    report = verify(built.path, "ironcalc", str(weights.folder))
    assert (report.faults, report.unchecked) == ([], [])


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_slice_verifies(tiny: Weights, tmp_path: Path, data: st.DataObject) -> None:
    known = pipeline(TINY)
    first = data.draw(st.sampled_from(known))
    last = data.draw(st.sampled_from(known[known.index(first) :]))
    prompt = data.draw(st.sampled_from(["the", "a cat", "=1+1", " a\nb", "中"]))
    room = data.draw(st.sampled_from([SMALL, Room(fixed=True), Room(tokens=7, fixed=True)]))
    built = build(tiny, prompt, tmp_path / "any.xlsx", room, Stages(first, last))
    assert verify(built.path, "ironcalc", str(tiny.folder)).exit_code == 0


# ---- faults ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def block_book(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The second block of the tiny model."""
    return build_slice(tiny, "h1", tmp_path_factory.mktemp("slices") / "h1.xlsx")


def nudged(built: Built, name: str, r: int, c: int, by: float) -> Mutant:
    """One number of a place changed by `by`."""
    value = float(built.env[name][r, c]) + by
    return cell(name, r, c, f"><v>{value!r}</v></c>", FaultKind.INPUT, f"{name} + {by}")


def test_another_number_in_what_is_given_is_caught(block_book: Built, tiny: Weights, tmp_path: Path) -> None:
    make(nudged(block_book, "h0.resid_post", 1, 2, 1e-3), block_book.blueprint, block_book.path, tmp_path / "m.xlsx")
    report = verify(tmp_path / "m.xlsx", "ironcalc", str(tiny.folder))
    (fault,) = [fault for fault in report.faults if fault.kind is not FaultKind.STALE]
    assert (fault.kind, fault.place, fault.tab, fault.cell) == (FaultKind.INPUT, "h0.resid_post", "Input", "D16")
    assert fault.token == block_book.env["prompt.tokens"][1, 0]
    assert report.exit_code == 1
    assert report.first_fault == fault


def test_what_numpy_computed_elsewhere_may_differ_in_its_last_digits(
    block_book: Built, tiny: Weights, tmp_path: Path
) -> None:
    for name, code in (("h0.resid_post", 0), ("prompt.n", 1)):
        make(nudged(block_book, name, 0, 0, 1e-11), block_book.blueprint, block_book.path, tmp_path / "m.xlsx")
        assert verify(tmp_path / "m.xlsx", "ironcalc", str(tiny.folder)).exit_code == code, name


MUTANTS = [
    cell("h1.mlp.c_fc.w", 3, 2, "><v>{v}1</v></c>", FaultKind.WEIGHT, "a digit more on a weight"),
    cell("h0.resid_post", 0, 0, "><f>1</f><v>{v}</v></c>", FaultKind.FORMULA, "a formula over what is given"),
    cell("h0.resid_post", 0, 1, ' t="inlineStr"><is><t>0.5</t></is></c>', FaultKind.INPUT, "text for what is given"),
    cell("prompt.tokens", 1, 0, ' t="inlineStr"><is><t>dog</t></is></c>', FaultKind.INPUT, "another token's text"),
    cell("prompt.ids", 1, 0, "><v>7</v></c>", FaultKind.INPUT, "another token"),
    formula("h1.ln_1.mean", "AVERAGE(", "MAX("),
    formula("h1.resid_mid", "h0.resid_post", "h1.ln_1.out"),
    formula("h1.attn.head1.scores", "/SQRT(4)", ""),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_a_faulty_slice_is_caught_and_blamed_on_the_right_place(
    mutant: Mutant, block_book: Built, tiny: Weights, tmp_path: Path
) -> None:
    make(mutant, block_book.blueprint, block_book.path, tmp_path / "mutant.xlsx")
    report = verify(tmp_path / "mutant.xlsx", "ironcalc", str(tiny.folder))
    assert report.first_fault is not None
    assert (report.first_fault.kind, report.first_fault.place) == (mutant.kind, mutant.place)
    assert {fault.place for fault in report.faults if fault.kind is not FaultKind.STALE} == {mutant.place}


def test_without_the_source_what_is_given_is_not_called_proven(block_book: Built) -> None:
    report = verify(block_book.path)
    assert (report.faults, report.exit_code) == ([], 4)
    assert report.unchecked[0].startswith("weights, vocabulary and the input against their source: model 'tiny'")


# ---- the command line -----------------------------------------------------------------------------------


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def test_the_file_of_a_slice_is_named_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("build", FABLE, "--stages", "h3")
    assert result.exit_code == 0
    assert "stages      h3\n" in result.output
    assert "next token" not in result.output
    assert run("verify", "outputs/mike-is-quick-he-moves.fable.h3.xlsx").exit_code == 0
    assert "next token  ␣" in run("build", "Once upon", "--stages", "ln_f..", "--no-check").output
    assert sorted(path.name for path in Path("outputs").iterdir()) == [
        "mike-is-quick-he-moves.fable.h3.xlsx", "once-upon.fable.ln_f-next.xlsx"]  # fmt: skip
    assert default_path("a", "fable").name == "a.fable.xlsx"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--stages", "h4"], "no stage 'h4': there are prompt, embed, h0 to h3, ln_f, logits, next"),
        (["--stages", "h2..h1"], "no stage from h2 to h1"),
        (["--stages", "h1", "--characters", "9"], "not of --stages h1"),
        (["--stages", "embed..", "--word-bytes", "9"], "not of --stages embed..next"),
    ],
)
def test_calls_that_are_refused(words: list[str], says: str, tmp_path: Path) -> None:
    result = run("build", "x", *words, "-o", tmp_path / "x.xlsx")
    assert result.exit_code == 2
    assert says in result.stderr
    assert list(tmp_path.iterdir()) == []
