"""A typed prompt: the workbook's tokenizer against tiktoken and Hugging Face, in LibreOffice and as Excel counts."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sheetgpt.build import Built, Room, build, evaluated
from sheetgpt.check.evaluate import run
from sheetgpt.check.gaps import gaps
from sheetgpt.check.inputs import inputs, live_for, recorded
from sheetgpt.check.verify import verify
from sheetgpt.engines import ENGINES
from sheetgpt.engines.formulas_ import compute
from sheetgpt.errors import PromptError
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.export import write_model
from sheetgpt.models.prompt import rows_for
from sheetgpt.models.reference import forward
from sheetgpt.models.tokenizer import Tokenizer
from sheetgpt.models.weights import Weights
from sheetgpt.recalc import recalc
from sheetgpt.sheet.a1 import parse_ref
from sheetgpt.sheet.blueprint import CARD_NAME, Blueprint
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.readback import read
from sheetgpt.sheet.sheets import names_of
from sheetgpt.sheet.strip import strip_caches
from tests.conftest import CORE, front_book, random_arrays
from tests.corpus import corpus, held_prompts
from tests.office import Reading, typed
from tests.oracles import GPT2, hugging_face_encoder, needs_gpt2, tiktoken_encoder
from tests.utf16 import excel_text

needs_office = pytest.mark.skipif(
    ENGINES["libreoffice"].version() is None, reason=f"libreoffice: {ENGINES['libreoffice'].hint()}"
)
ROOT = Path(__file__).parents[1]
ANSWER = ("prompt.ids", "prompt.n", "prompt.problem")
STRAWBERRY = {  # number of tokens, by /shared/checklist.md
    "strawberry": 3,
    " strawberry": 1,
    "Strawberry": 3,
    " Strawberry": 1,
    '"strawberry': 4,
    "STRAWBERRY": 4,
}


def with_vocabulary(folder: Path, vocabulary: Path) -> Weights:
    """A model of almost no weights with a vocabulary of size."""
    folder.mkdir()
    for name in ("vocab.bpe", "encoder.json"):
        shutil.copy(vocabulary / name, folder / name)
    n_vocab = len(json.loads((vocabulary / "encoder.json").read_text("utf-8")))
    config = ModelConfig(n_vocab=n_vocab, n_ctx=32, n_embd=2, n_head=1, n_layer=1)
    write_model(folder, folder.name, config, random_arrays(config))
    return Weights.open(folder)


def fits(prompt: str, tokenizer: Tokenizer, book: Blueprint) -> bool:
    """Whether the workbook has room for the prompt, by our tokenizer in Python."""
    card = book.card
    assert card.live is not None
    try:
        rows_for(tokenizer.encode(prompt), card.n_rows, card.config)
        live_for(prompt, card.n_rows, card.live.n_chars, card.live.n_bytes, tokenizer)
    except PromptError:
        return False
    return bool(prompt)


def ids_in(reading: Reading) -> list[int]:
    """The prompt's tokens; none where there is no answer."""
    (n,) = reading["prompt.n"][0]
    assert isinstance(n, float)
    return [int(row[0]) for row in reading["prompt.ids"][: int(n)]]  # type: ignore[arg-type]


# ---- the corpus, in LibreOffice --------------------------------------------------------------------------


class Front(NamedTuple):
    """A model of almost no weights, and the workbook that cuts prompts as its vocabulary says."""

    model: Weights
    path: Path
    book: Blueprint


@pytest.fixture(scope="module")
def fronts(fable: Weights, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Front]:
    """GPT-2's vocabulary or `fable`'s."""
    folder = tmp_path_factory.mktemp("fronts")

    @cache
    def made(vocabulary: str) -> Front:
        model = with_vocabulary(folder / vocabulary, GPT2 if vocabulary == "gpt2" else fable.folder)
        path, room = folder / f"{vocabulary}.xlsx", Room(word_bytes=16)  # a little less than by default, to save time
        return Front(model, path, front_book(model, path, room))

    return made


def compared(front: Front, prompts: Sequence[str], readings: Sequence[Reading]) -> Counter[str]:
    """What the workbook said of the prompts, each of which gives the tokens of two other hands or the red cell."""
    tokenizer = front.model.tokenizer()
    others = [tiktoken_encoder(front.model.folder), hugging_face_encoder(front.model.folder)]
    told: Counter[str] = Counter()
    wrong = []
    for prompt, reading in zip(prompts, readings, strict=True):
        (problem,) = reading["prompt.problem"][0]
        broken_tab = "\t" in prompt and "\n" in prompt  # LibreOffice 7.4 hands U+0001 to formulas
        wanted = [] if not fits(prompt, tokenizer, front.book) or (broken_tab and problem) else others[0](prompt)
        told[str(problem)[:40]] += 1
        if ids_in(reading) != wanted or bool(problem) == bool(wanted) or (wanted and others[1](prompt) != wanted):
            wrong.append((prompt, ids_in(reading), wanted, problem))
    assert wrong == []
    return told


ONE_IN = 9  # prompts of the corpus, from every group


@needs_office
@needs_gpt2
@pytest.mark.parametrize(
    ("vocabulary", "one_in"),
    [
        ("fable", ONE_IN),
        pytest.param("fable", 1, marks=pytest.mark.slow),
        pytest.param("gpt2", 1, marks=pytest.mark.slow),
    ],
)
def test_every_prompt_gives_the_tokens_of_two_other_hands_or_the_red_cell(
    vocabulary: str, one_in: int, fronts: Callable[[str], Front]
) -> None:
    front, prompts = fronts(vocabulary), corpus()[::one_in]
    told = compared(front, prompts, typed(front.path, "prompt.text", prompts, ANSWER))
    assert told[""] >= 2000 // one_in, told
    assert len(told) > 2, "prompts are refused for more than one reason"
    assert f"{len(corpus()):,} prompts with GPT-2's vocabulary" in (ROOT / "README.md").read_text("utf-8")


@needs_office
@needs_gpt2
def test_ladders_that_the_field_knows(fronts: Callable[[str], Front]) -> None:
    """And some of the corpus, so that GPT-2's own tables are looked up in every run."""
    front, some = fronts("gpt2"), corpus()[:: 24 * ONE_IN]
    known = [" quick", " reinjury", " reindeer", *STRAWBERRY]
    read = (*ANSWER, "merges.text", "merges.ladder")
    quick, *others = typed(front.path, "prompt.text", [*known, *some], read)
    climbed = [row[-1] for row in quick["merges.text"][1::2] if row[-1]]
    assert climbed == ["ic", "qu", "ick", "␣qu", "␣quick"]
    assert [row[-2] for row in quick["merges.ladder"][1:11:2]] == [35, 165, 368, 371, 1812]
    assert quick["merges.text"][0][:6] == ["␣", "q", "u", "i", "c", "k"]
    assert [ids_in(reading) for reading in others[:2]] == [[6865, 21871], [302, 521, 28153]]
    assert [len(ids_in(reading)) for reading in others[2 : len(known) - 1]] == list(STRAWBERRY.values())
    told = compared(front, [*known, *some], [quick, *others])
    assert told[""] >= len(known) + 2000 // (24 * ONE_IN)


# ---- from typed prompt to next token ---------------------------------------------------------------------


@needs_office
@pytest.mark.parametrize("one_in", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_fifty_prompts_from_text_to_next_token(one_in: int, fable: Weights, tmp_path: Path) -> None:
    """The workbook of another prompt, typed into in LibreOffice: numpy and the reference say the same."""
    built = build(fable, "Mike is quick. He moves", tmp_path / "book.xlsx", form=CORE, check=False)
    assert len(set(held_prompts())) == 50
    prompts = held_prompts()[::one_in]
    found = typed(built.path, "prompt.text", prompts, (*ANSWER, "probs", "next.id", "next.text", "prompt.next"))
    plan, config, tokenizer = built.blueprint.plan, fable.config, fable.tokenizer()
    sums = recorded(plan, fable)
    for prompt, reading in zip(prompts, found, strict=True):
        env = run(plan, {**fable, **inputs(plan, prompt, [], tokenizer), **sums})
        ids = tokenizer.encode(prompt)
        theirs = forward(fable, ids, n_layer=config.n_layer, n_head=config.n_head, eps=config.eps)
        assert ids_in(reading) == ids == env["prompt.ids"][: len(ids), 0].tolist()
        probs = np.array(reading["probs"], float)
        assert gaps(probs, env["probs"]).max() < 1e-9
        assert gaps(probs, theirs["probs"]).max() < 1e-9
        assert reading["next.id"] == env["next.id"].tolist() == theirs["next.id"].tolist()
        assert reading["next.text"] == reading["prompt.next"] == env["next.text"].tolist()


# ---- red cells -------------------------------------------------------------------------------------------

NO_ANSWER = {"prompt.n": 0.0, "next.id": -1.0, "prompt.next": "", "next.text": ""}
REFUSED = {
    "": "Type a prompt.",
    "the cat sat on it": "more than 16 characters",
    "a catcatcat": "has 10 bytes, there is room for 6",
    "c-a.t+h=e/c,a;t": "has at least 15 tokens, there is room for 14",
    "a\1b": "cannot be typed",
    "a\r": "cannot be typed",
}


@pytest.mark.parametrize(
    ("prompt", "engine"), [*((prompt, "ironcalc") for prompt in REFUSED), ("c-a.t+h=e/c,a;t", "formulas")]
)
def test_a_prompt_without_room_is_refused_and_gets_no_answer(
    prompt: str, engine: str, live_book: Built, tiny: Weights, tmp_path: Path
) -> None:
    recalc(live_book.path, {"prompt.text": prompt}, tmp_path / "typed.xlsx", engine)
    book = read(tmp_path / "typed.xlsx")
    ranges = live_book.blueprint.layout.ranges

    def value(name: str) -> object:
        return book.sheets[ranges[name].tab].values.get((ranges[name].row, ranges[name].col))

    assert REFUSED[prompt] in str(value("prompt.problem"))
    assert [value(name) for name in NO_ANSWER] == list(NO_ANSWER.values())
    assert verify(tmp_path / "typed.xlsx", engine, str(tiny.folder)).faults == []


@needs_office
def test_the_same_in_libreoffice(live_book: Built) -> None:
    prompts = [prompt for prompt in REFUSED if "\r" not in prompt]  # of which typing makes a line feed
    for prompt, reading in zip(
        prompts, typed(live_book.path, "prompt.text", prompts, (*ANSWER, *NO_ANSWER)), strict=True
    ):
        assert REFUSED[prompt] in str(reading["prompt.problem"][0][0])
        assert [reading[name][0][0] for name in NO_ANSWER] == list(NO_ANSWER.values())


def test_a_character_that_the_vocabulary_lacks(sorter: Weights, tmp_path: Path) -> None:
    built = build(sorter, "CAB", tmp_path / "book.xlsx")
    told = recalc(built.path, {"prompt.text": "CAT"}, tmp_path / "typed.xlsx", "ironcalc").told
    assert "lacks a character" in str(told["prompt.problem"])
    assert told["next.text"] == ""
    assert verify(tmp_path / "typed.xlsx").exit_code == 0


@pytest.mark.parametrize(
    ("prompt", "engine"),
    [
        *((prompt, "ironcalc") for prompt in ("the hat", "=the cat", "'s 'S", "🙂 hé", "a\nb", "*?~", "007")),
        ("@x", "ironcalc"),
        ("🙂 hé", "formulas"),
        *((prompt, "libreoffice") for prompt in ("=1+1", "🙂 hé")),
    ],
)
def test_a_typed_prompt_verifies(prompt: str, engine: str, live_book: Built, tiny: Weights, tmp_path: Path) -> None:
    if ENGINES[engine].version() is None:
        pytest.skip(f"{engine} is not installed: {ENGINES[engine].hint()}")
    told = recalc(live_book.path, {"prompt.text": prompt}, tmp_path / "typed.xlsx", engine).told
    assert (told["prompt.text"], told["prompt.problem"]) == (prompt, "")
    report = verify(tmp_path / "typed.xlsx", engine, str(tiny.folder))
    assert (report.faults, report.exit_code) == ([], 0)
    assert told["next.text"] == evaluated(tiny, prompt)[1]["next.text"][0, 0]


def test_a_prompt_without_room_is_refused_before_there_is_a_file(tiny: Weights, tmp_path: Path) -> None:
    for room in (Room(characters=3), Room(word_bytes=2), Room(tokens=2), Room(tokens=1)):
        with pytest.raises(PromptError, match=r"cannot stand|room for 2"):
            build(tiny, "cat cat", tmp_path / "never.xlsx", room)
    assert list(tmp_path.iterdir()) == []


# ---- what a hand may have done ---------------------------------------------------------------------------


@needs_office
def test_what_cannot_be_computed_is_red_and_no_answer(live_book: Built, tiny: Weights, tmp_path: Path) -> None:
    """A rank that no merge has: the token that it makes cannot be looked up."""
    box = live_book.blueprint.layout.ranges["bpe.rank"]
    edit(live_book.path, tmp_path / "edited.xlsx", {box.tab: {(box.row + 2, box.col): 99.0}}, {})
    pair = live_book.env["bpe.pair"][2, 0]
    tokenizer = tiny.tokenizer()
    text = tokenizer.decode([int(pair // tokenizer.n_vocab), int(pair % tokenizer.n_vocab)])
    right, wrong = typed(tmp_path / "edited.xlsx", "prompt.text", ["q", text], (*ANSWER, *NO_ANSWER))
    assert right["prompt.problem"] == [[""]]
    assert "cannot be read" in str(wrong["prompt.problem"][0][0])
    assert [wrong[name][0][0] for name in NO_ANSWER] == list(NO_ANSWER.values())


@pytest.mark.parametrize(
    ("value", "engine"),
    [
        *((value, "ironcalc") for value in (123.0, True, 0.5)),
        (True, "formulas"),
        pytest.param(123.0, "libreoffice", marks=needs_office),
    ],
)
def test_a_prompt_that_is_no_text(value: float, engine: str, live_book: Built, tiny: Weights, tmp_path: Path) -> None:
    box = live_book.blueprint.layout.ranges["prompt.text"]
    edit(live_book.path, tmp_path / "edited.xlsx", {box.tab: {(box.row, box.col): value}}, {})
    told = recalc(tmp_path / "edited.xlsx", {}, tmp_path / "computed.xlsx", engine).told
    assert (told["prompt.problem"], told["next.text"]) == ("This is no text. Put an apostrophe before it.", "")
    first = verify(tmp_path / "computed.xlsx", engine, str(tiny.folder)).first_fault
    assert first is not None
    assert first.place == "prompt.text"
    again = recalc(tmp_path / "edited.xlsx", {"prompt.text": "the hat"}, tmp_path / "again.xlsx", engine).told
    assert again["prompt.problem"] == ""


@pytest.mark.parametrize("change", [{"n_merges": 1}, {"n_merges": 0}, {"n_ranges": 7}, {"n_chars": 9}, {"n_bytes": 3}])
def test_a_card_with_other_sizes(change: dict[str, int], live_book: Built, tiny: Weights, tmp_path: Path) -> None:
    card = live_book.blueprint.card
    assert card.live is not None
    forged = replace(card, live=card.live._replace(**change)).to_json()
    tab, (row, col, *_) = parse_ref(names_of(live_book.blueprint)[CARD_NAME])
    edit(live_book.path, tmp_path / "edited.xlsx", {tab: {(row, col): forged}}, {})
    assert verify(tmp_path / "edited.xlsx", "ironcalc", str(tiny.folder)).exit_code == 1


def test_a_model_with_other_merges_is_not_the_workbooks(live_book: Built, tiny: Weights, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny.folder, tmp_path / "other"))
    lines = (folder / "vocab.bpe").read_text().splitlines()
    (folder / "vocab.bpe").write_text("\n".join(lines[:-1]) + "\n")
    report = verify(live_book.path, "ironcalc", str(folder))
    assert (report.faults, report.exit_code) == ([], 4)
    assert "another tokenizer" in report.source


# ---- as Excel counts text --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompt",
    [
        "a🙂🙂'll b",
        "👩‍👩‍👧",
        *(
            pytest.param(prompt, marks=pytest.mark.slow)
            for prompt in ("the cat's hat", "🙂", "𝒜𝒷 𝟙", "é e\u0301", "🙂" * 17)
        ),
    ],
)
def test_no_cell_depends_on_how_a_program_counts_characters(prompt: str, live_book: Built, tmp_path: Path) -> None:
    """Excel's LEN of an emoji is 2, LibreOffice's is 1: simulated with the `formulas` package."""
    recalc(live_book.path, {"prompt.text": prompt}, tmp_path / "typed.xlsx", "ironcalc")
    areas = strip_caches(tmp_path / "typed.xlsx", tmp_path / "stripped.xlsx")
    plain = compute(tmp_path / "stripped.xlsx", areas)
    with excel_text():
        excel = compute(tmp_path / "stripped.xlsx", areas)
    assert excel == plain
    assert sum(map(len, plain.values())) > 5000


# ---- the plan's own meaning ------------------------------------------------------------------------------


_TYPED = st.characters(codec="utf-8", exclude_characters="\0")  # U+0000 stands in no cell: `build` refuses it


@settings(max_examples=150, deadline=None)
@given(text=st.text(_TYPED, max_size=40) | st.text("abeht '\n.19é\u3000", max_size=60) | st.sampled_from(corpus()))
def test_the_plan_cuts_any_text_as_the_tokenizer_does(text: str, live_book: Built, tiny: Weights) -> None:
    book, tokenizer = live_book.blueprint, tiny.tokenizer()
    plan = book.plan
    values = inputs(plan, text, [], tokenizer)
    env = run(plan, {**tiny, **values, **recorded(plan, tiny)})
    n = int(env["prompt.n"][0, 0])
    assert env["prompt.ids"][:n, 0].tolist() == (tokenizer.encode(text) if fits(text, tokenizer, book) else [])
    assert bool(env["prompt.problem"][0, 0]) == (n == 0)
