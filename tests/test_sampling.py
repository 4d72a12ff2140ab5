"""The next token by chance: formulas, numpy and the command line draw alike; the filter is Hugging Face's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sheetgpt.build import Built, Form, Room, build, evaluated
from sheetgpt.check.evaluate import run
from sheetgpt.check.loop import steps
from sheetgpt.check.verify import verify
from sheetgpt.engines import get
from sheetgpt.engines.ironcalc_ import recalculated
from sheetgpt.generate import generate_ids
from sheetgpt.models.weights import Weights
from sheetgpt.plan.plan import Plan
from sheetgpt.plan.sampling import LAST_SEED, START, Knobs, filtered, knobs, states
from sheetgpt.recalc import recalc
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.grid import Area, Value

M = 2**31 - 1
Column = NDArray[np.float64]
PROMPT = "the cat sat"


# ---- the oracle: by another hand -------------------------------------------------------------------------


def hugging_face(logits: Column, temperature: float, k: int, p: float) -> Column:
    """What TemperatureLogitsWarper, TopKLogitsWarper and TopPLogitsWarper leave, as probabilities."""
    scores = logits / temperature
    if k:
        scores = np.where(scores < np.sort(scores)[-min(k, len(scores))], -np.inf, scores)
    if p < 1:
        order = np.argsort(scores, kind="stable")
        rising = np.exp(scores[order] - scores.max())
        cut = np.cumsum(rising / rising.sum()) <= 1 - p
        cut[-1] = False  # min_tokens_to_keep
        scores[order[cut]] = -np.inf
    exp = np.exp(scores - scores.max())
    return exp / exp.sum()


def park_miller(seed: int, n: int) -> list[int]:
    """The states of a seed in whole numbers: stirred four times, then the minimal standard."""
    x = seed + 1
    for _ in range(4):
        x = 1 + (16807 * x + x // 46341 * (x % 46341)) % (M - 1)
    out = []
    for _ in range(n):
        x = 16807 * x % M
        out.append(x)
    return out


def kept(logits: Column, **turned: object) -> Column:
    """Our probabilities, by numpy from the plan."""
    p = Plan()
    p.data("logits", (len(logits), 1))
    p.data("vocab.id", (len(logits), 1))
    p.data("next.logit", (1, 1))
    filtered(p, knobs(p, len(logits)))
    column = logits[:, None]
    values = {"logits": column, "vocab.id": np.arange(len(logits), dtype=float)[:, None]}
    values["next.logit"] = column.max(keepdims=True)
    values |= {f"sample.{k}": np.array([[v]], float) for k, v in {**START._asdict(), **turned}.items()}
    return run(p, values)["sample.probs"][:, 0]


LOGITS = st.lists(st.floats(-20, 20), min_size=1, max_size=70, unique=True).map(np.array)
SHARES = st.floats(0.01, 1)


@settings(max_examples=100, deadline=None)
@given(LOGITS, st.floats(0.05, 5), st.integers(0, 80), SHARES)
def test_the_filter_is_hugging_faces(logits: Column, heat: float, k: int, p: float) -> None:
    ours, theirs = kept(logits, temperature=heat, top_k=k, top_p=p), hugging_face(logits, heat, k, p)
    mass = np.sort(hugging_face(logits, heat, k, 1))[::-1].cumsum()
    if np.abs(mass - p).min() > 1e-8:  # where rounding does not decide
        assert np.allclose(ours, theirs, atol=1e-12)
        assert np.array_equal(ours > 1e-300, theirs > 1e-300)


@settings(max_examples=50, deadline=None)
@given(LOGITS, SHARES, SHARES, st.integers(1, 70))
def test_what_is_kept(logits: Column, p: float, q: float, k: int) -> None:
    whole, small, large = (kept(logits, temperature=1, top_k=0, top_p=x) for x in (1, min(p, q), max(p, q)))
    assert abs(small.sum() - 1) < 1e-12
    assert whole[small > 0].sum() > min(p, q) - 1e-8
    assert not (small > 0)[large == 0].any(), "a larger share keeps no less"
    assert (kept(logits, temperature=1, top_k=k, top_p=1) > 0).sum() == min(k, len(logits))
    greedy = kept(logits, temperature=0, top_k=k, top_p=p)
    assert (greedy.argmax(), greedy.max(), (greedy > 0).sum()) == (logits.argmax(), 1, 1)


def test_equal_logits_share_a_fate_but_for_greed() -> None:
    logits = np.array([1.0, 3, 3, 2, 3])
    assert (kept(logits, temperature=1, top_k=1, top_p=1) > 0).tolist() == [False, True, True, False, True]
    assert (kept(logits, temperature=1, top_k=0, top_p=0.1) > 0).tolist() == [False, True, True, False, True]
    assert kept(logits, temperature=0).tolist() == [0, 1, 0, 0, 0]
    assert (kept(np.zeros(4), temperature=1, top_k=0, top_p=0.5) == 0.25).all()


@pytest.mark.parametrize(
    ("turned", "same"),
    [
        ({"temperature": -1}, {"temperature": 0}),
        ({"temperature": 1e-9}, {"temperature": 0}),
        ({"top_k": -3}, {"top_k": 0}),
        ({"top_k": 1e300}, {"top_k": 0}),
        ({"top_k": 3.7}, {"top_k": 3}),
        ({"top_p": 0}, {"top_k": 1}),
        ({"top_p": -1}, {"top_k": 1}),
        ({"top_p": 7}, {"top_p": 1}),
        (dict.fromkeys(START._fields, np.nan), START._asdict()),  # text, or nothing
    ],
)
def test_senseless_knobs_make_sense(turned: dict[str, float], same: dict[str, float]) -> None:
    logits = np.random.default_rng(0).normal(0, 3, 50)
    assert kept(logits, **turned).tolist() == kept(logits, **same).tolist()


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")  # torch and transformers warn of their own affairs
def test_transformers_own_warpers() -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    from transformers.generation import logits_process as theirs

    rng = np.random.default_rng(1)
    for heat, k, p in [(0.7, 5, 0.9), (1.3, 100, 0.5), (1.0, 40, 0.95), (2.0, 7, 0.01)]:
        logits = rng.normal(0, 3, 100)
        scores = torch.tensor(logits[None], dtype=torch.float64)
        for warper in (theirs.TemperatureLogitsWarper(heat), theirs.TopKLogitsWarper(k), theirs.TopPLogitsWarper(p)):
            scores = warper(None, scores)
        want = torch.softmax(scores, -1)[0].numpy()
        assert np.allclose(kept(logits, temperature=heat, top_k=k, top_p=p), want, atol=1e-12), transformers.__version__
        assert np.allclose(hugging_face(logits, heat, k, p), want, atol=1e-12)


# ---- chance ----------------------------------------------------------------------------------------------


def drawn(seeds: Column, n: int) -> Column:
    """Random numbers: a row for each seed."""
    p = Plan()
    seed = p.data("sample.seed.used", (1, 1))
    p.data("prompt.pos", (n, 1))
    states(p, seed)
    pos = np.arange(n, dtype=float)[:, None]
    found = [run(p, {"sample.seed.used": np.array([[s]]), "prompt.pos": pos})["sample.state"][:, 0] for s in seeds]
    return np.array(found) / M


def test_the_generator_is_park_and_millers_in_whole_numbers() -> None:
    x = 1
    for _ in range(10_000):
        x = 16807 * x % M
    assert x == 1043618065  # Park and Miller 1988, page 1195
    for seed in (0, 1, 2, 46340, 10**6, LAST_SEED):
        assert (drawn(np.array([float(seed)]), 50)[0] * M).round().tolist() == park_miller(seed, 50)


def test_the_numbers_look_random() -> None:
    """Chi-square of single numbers and of pairs, along a sequence and along neighbouring seeds."""
    u = drawn(np.arange(600.0), 12)
    for numbers, bins in ((u.ravel(), 100), (u[:, 0], 20)):
        assert chi_square(np.histogram(numbers, bins, (0, 1))[0]) < 4
    for left, right in ((u[:, :-1], u[:, 1:]), (u[:-1], u[1:])):
        assert chi_square(np.histogram2d(left.ravel(), right.ravel(), 10, ((0, 1), (0, 1)))[0]) < 4
        assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 0.04


def chi_square(counts: NDArray[np.int64]) -> float:
    """How many standard deviations the sum of squares is above what chance gives."""
    wanted = counts.sum() / counts.size
    freedom = counts.size - 1
    return float((((counts - wanted) ** 2 / wanted).sum() - freedom) / np.sqrt(2 * freedom))


# ---- the workbook ----------------------------------------------------------------------------------------

SETTINGS = [Knobs(1.0, 0, 1.0, 5), Knobs(0.7, 20, 0.9, 1), Knobs(1.5, 0, 0.6, LAST_SEED), Knobs(0.0, 3, 0.5, 9)]


@pytest.fixture(scope="module")
def book(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    path = tmp_path_factory.mktemp("books") / "sampling.xlsx"
    return build(tiny, PROMPT, path, Room(tokens=12, characters=24, word_bytes=8), form=Form(steps=3))


class Sheet:
    """The workbook in IronCalc, loaded once: type into cells, and see what the formulas of the two tabs say."""

    def __init__(self, book: Built) -> None:
        import ironcalc

        self.ranges, plan = book.blueprint.layout.ranges, book.blueprint.plan
        self.model = ironcalc.load_from_xlsx(str(book.path), "en", "UTC")
        self.order = [sheet["name"] for sheet in self.model.get_worksheets_properties()]
        names = [name for name in plan if name.startswith(("sample.", "generate.", "prompt.n"))]
        self.boxes = {name: self.ranges[name] for name in names if plan[name].args}

    def __call__(self, **values: object) -> dict[str, list[Value]]:
        for name, value in values.items():
            box = self.ranges[name if "." in name else f"sample.{name}"]
            self.model.set_user_input(self.order.index(box.tab), box.row + 1, box.col + 1, str(value))
        areas: dict[str, list[Area]] = {}
        for box in self.boxes.values():
            areas.setdefault(box.tab, []).append(box.area)
        found = {tab: iter(cells) for tab, cells in recalculated(self.model, areas).items()}
        return {name: [next(found[b.tab]) for _ in range(b.rows * b.cols)] for name, b in self.boxes.items()}


@pytest.fixture(scope="module")
def sheet(book: Built) -> Sheet:
    return Sheet(book)


@pytest.mark.parametrize("knobs", SETTINGS, ids=str)
def test_the_workbook_draws_what_generate_draws(knobs: Knobs, sheet: Sheet, tiny: Weights) -> None:
    """Typed behind the prompt, token after token."""
    tokenizer = tiny.tokenizer()
    ids = tokenizer.encode(PROMPT)
    for token in generate_ids(tiny, PROMPT, 5, knobs):
        text = tokenizer.decode(ids)
        if tokenizer.encode(text) != ids:
            return  # the text is cut otherwise than the tokens were: no workbook can know
        found = sheet(**{"prompt.text": text, **knobs._asdict()})
        assert found["prompt.n"] == [len(ids)]
        assert found["sample.id"] == [token]
        ids.append(token)


def test_the_same_in_libreoffice(book: Built, tiny: Weights, tmp_path: Path) -> None:
    """One pass: the draw, the states and the mixing are those of whole numbers, to the last digit."""
    engine = get("libreoffice")
    if engine.version() is None:
        pytest.skip("LibreOffice is not here")
    knobs, ranges = Knobs(1.2, 0, 0.95, 2**30 + 1), book.blueprint.layout.ranges
    boxes = {f"sample.{k}": (ranges[f"sample.{k}"], float(v)) for k, v in knobs._asdict().items()}
    typed = {"Sampling": {(box.row, box.col): value for box, value in boxes.values()}}
    edit(book.path, tmp_path / "x.xlsx", typed, {})
    found = engine.recalculate(tmp_path / "x.xlsx")["Sampling"]
    state, token = ranges["sample.state"], ranges["sample.id"]
    states = [found[state.row + r, state.col] for r in range(state.rows)]
    assert states == park_miller(knobs.seed, state.rows)
    assert found[token.row, token.col] == next(generate_ids(tiny, PROMPT, 1, knobs))


@pytest.mark.parametrize("value", ["much", "TRUE", "", -7.0, 1e300, 0.5])
def test_no_error_cell_whatever_is_typed(value: str | float, book: Built, sheet: Sheet) -> None:
    for found in (
        sheet(**{"prompt.text": PROMPT}, **dict.fromkeys(Knobs._fields, value)),
        sheet(**{"prompt.text": ""}),
    ):
        for name, values in found.items():
            assert all(type(v) in (float, str) for v in values), name
        assert isinstance(value, float) or found["sample.seed.used"] == [START.seed]
    if not isinstance(value, float):
        found = sheet(**{"prompt.text": PROMPT})
        assert found["sample.id"] == [book.env["sample.id"][0, 0]], "as in a new workbook"


def test_knobs_that_were_turned_are_no_fault(book: Built, tiny: Weights, tmp_path: Path) -> None:
    turned = {"sample.temperature": "0.4", "sample.top_k": "3", "sample.top_p": "0.8", "sample.seed": "77"}
    recalc(book.path, turned, tmp_path / "x.xlsx", "ironcalc")
    report = verify(tmp_path / "x.xlsx", "ironcalc", str(tiny.folder))
    assert report.faults == []
    assert report.exit_code == 0


# ---- the loop --------------------------------------------------------------------------------------------


def test_the_loop_of_the_build(book: Built, tiny: Weights) -> None:
    env, tokenizer = book.env, tiny.tokenizer()
    ids = tokenizer.encode(PROMPT)
    for row, step in enumerate(steps(tiny, PROMPT, 3)):
        assert env["generate.id"][row, 0] == step.token
        assert env["generate.prompt"][row, 0] == tokenizer.decode(ids)
        ids.append(step.token)
        assert env["generate.after"][row, 0] == tokenizer.decode(ids)
        assert 0 < env["generate.prob"][row, 0] <= 1
    assert env["generate.id"][0, 0] == env["next.id"][0, 0]
    assert env["generate.agrees"][0, 0] == "agrees"


def test_the_loop_stops_where_the_context_is_full(sorter: Weights) -> None:
    _, env = evaluated(sorter, "CABBAC", form=Form(steps=9))
    after = env["generate.after"][:, 0].tolist()
    assert after == [*("CABBACAABBCC"[: 7 + i] for i in range(6)), "", "", ""]
    assert "the context is full" in env["generate.end"][0, 0]
    assert env["generate.id"][5:, 0].tolist() == [2, -1, -1, -1]


def test_a_loop_of_one_step_and_none(tiny: Weights, tmp_path: Path) -> None:
    room = Room(tokens=8, fixed=True)
    one = build(tiny, PROMPT, tmp_path / "one.xlsx", room, form=Form(steps=1))
    assert one.env["generate.agrees"][0, 0] == "agrees"
    assert "generate.now" not in evaluated(tiny, PROMPT, room, form=Form(steps=0))[0].plan


def test_going_on_by_hand(sheet: Sheet, tiny: Weights) -> None:
    """The cell to copy has real spaces and line feeds, and is empty where a token has no text."""
    tokenizer = tiny.tokenizer()
    for prompt in ("the  cat", "sat\nmat", "cat"):
        found = sheet(**{"prompt.text": prompt})
        token = tokenizer.decode_bytes([next(generate_ids(tiny, prompt, 1))])
        plain = "<0x" not in tokenizer.visible(next(generate_ids(tiny, prompt, 1)))
        assert found["generate.now"] == [prompt + token.decode() if plain else ""]
        assert found["generate.agrees"] == ["another prompt"]
    assert sheet(**{"prompt.text": PROMPT})["generate.agrees"] == ["agrees"]
    assert sheet(**{"prompt.text": PROMPT.upper()})["generate.agrees"] == ["another prompt"]
    assert sheet(**{"prompt.text": ""})["generate.now"] == [""]
