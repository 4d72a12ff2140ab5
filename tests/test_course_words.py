"""Words to numbers, Tokenization: the numbers of the source material, computed by IronCalc; and any input at all."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from sheetgpt.course import tokenizers
from sheetgpt.course.bpelearn import PASSES
from sheetgpt.course.build import Written, build_course
from sheetgpt.course.catalog import chosen
from sheetgpt.course.ladders import TABLE
from sheetgpt.course.verify import verify_course
from sheetgpt.engines.session import Session
from sheetgpt.models.weights import find_model
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.grid import CellError
from sheetgpt.sheet.lower import Range
from sheetgpt.sheet.readback import read

NAMES = ("idea", "vectors", "mapping", "sky", "tokenizers", "bpelearn", "ladders", "strawberry", "jumble", "cost")
TEN = ["es", "est", "est_", "lo", "low", "ne", "new", "newest_", "low_", "wi"]
TOY = {"low": 5, "lower": 2, "newest": 6, "widest": 3}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return build_course(chosen(NAMES), find_model("fable"), tmp_path_factory.mktemp("words") / "words.xlsx")


@pytest.fixture(scope="module")
def session(written: Written) -> Session:
    return Session(written.path)


class Sheet:
    """What IronCalc computes once some places hold something else."""

    def __init__(self, written: Written, session: Session) -> None:
        self._written, self._session = written, session
        self._ranges = written.course.layout.ranges
        self.type({})

    def type(self, changes: dict[str, object]) -> Sheet:
        """A value for every cell of a place, or an array of values."""
        self._given = dict(written_given(self._written))
        entered: dict[str, dict[tuple[int, int], object]] = {}
        for name, value in changes.items():
            box = self._ranges[name]
            kind = object if isinstance(value, str) or np.asarray(value).dtype.kind == "U" else float
            self._given[name] = np.broadcast_to(np.array(value, kind), (box.rows, box.cols))
            for (r, c), one in np.ndenumerate(self._given[name]):
                entered.setdefault(box.tab, {})[box.row + r, box.col + c] = one
        self._values = self._session.values(entered)
        return self

    def __getitem__(self, name: str) -> np.ndarray:
        box: Range = self._ranges[name]
        if not self._written.course.plan[name].args:
            return self._given[name]
        cells = self._values[box.tab]
        rows = [[cells[box.row + r, box.col + c] for c in range(box.cols)] for r in range(box.rows)]
        texts = name in self._written.course.plan.text
        return np.array([["" if x is None else x for x in row] for row in rows] if texts else rows, object)

    def numbers(self, name: str) -> np.ndarray:
        return self[name].astype(float)

    def texts(self, name: str) -> list[str]:
        return [x for x in self[name].ravel().tolist() if x]

    def differing(self) -> list[str]:
        """Places where IronCalc is not numpy, or where there is an error."""
        env = self._written.course.evaluated(self._given)
        return [name for name, e in self._written.course.plan.items() if e.args and not self._same(name, env[name])]

    def _same(self, name: str, wanted: np.ndarray) -> bool:
        found = self[name]
        if any(isinstance(x, CellError) for x in found.ravel()):
            return False
        if name in self._written.course.plan.text:
            return bool((found == wanted).all())
        return np.allclose(found.astype(float), wanted.astype(float), rtol=1e-9, atol=1e-9)


def written_given(written: Written) -> dict[str, np.ndarray]:
    return written.course.given()


@pytest.fixture
def sheet(written: Written, session: Session) -> Sheet:
    return Sheet(written, session)


def test_a_third_engine_agrees(written: Written) -> None:
    report = verify_course(written.path, "formulas")
    assert (report.exit_code, report.faults) == (0, [])
    assert report.cells_checked > 4_000


def test_of_bands_alike_the_first_says_what_they_are(written: Written) -> None:
    texts = [str(value) for value in read(written.path).sheets["BPE learn"].values.values()]
    assert sum(text.startswith("pass") and text.endswith(".symbols") for text in texts) == PASSES
    assert sum("How often each symbol and its right neighbour" in text for text in texts) == 1


# ---- idea, vectors, mapping, sky -------------------------------------------------------------------------


def test_the_blank_in_the_sum_and_in_the_sentence(sheet: Sheet) -> None:
    assert sheet["idea.sum"] == [[4]]
    assert sheet.numbers("idea.number")[:2, 0].tolist() == [89, 9]
    assert sheet["idea.result"] == [[231]]
    assert sheet.texts("idea.text")[:2] == ["quickly", "fast"]
    assert sheet.numbers("idea.near")[:2, 0].tolist() == [232 - 231, 240 - 231]


def test_closeness_becomes_probability(sheet: Sheet) -> None:
    chance = sheet.numbers("idea.chance")[:, 0]
    away = np.abs(sheet.numbers("idea.code")[:, 0] - 231)
    assert chance.sum() == pytest.approx(1, abs=1e-12)
    assert chance == pytest.approx(np.exp(-away / 5) / np.exp(-away / 5).sum())
    assert sheet.type({"idea.shift": 9}).texts("idea.text")[:2] == ["fast", "quickly"]
    assert sheet.numbers("idea.chance").sum() == pytest.approx(1, abs=1e-12)


def test_a_vector_has_a_length_and_an_angle(sheet: Sheet) -> None:
    assert sheet["vectors.row"].tolist() == [[0, 1, 0, 0, 0, -1]]
    assert sheet["vectors.size"] == [[6]]
    assert sheet.numbers("vectors.long").item() == pytest.approx(math.sqrt(2))
    points = sheet.numbers("vectors.xy")
    assert sheet.numbers("vectors.length")[:, 0] == pytest.approx([abs(complex(*xy)) for xy in points])
    assert sheet.numbers("vectors.length")[0, 0] == 5
    angles = [math.degrees(math.atan2(y, x)) for x, y in points]
    assert sheet.numbers("vectors.angle")[:, 0] == pytest.approx(angles)
    assert sheet.numbers("vectors.y").tolist() == [points[:, 1].tolist(), [0] * 4]


def test_three_words_are_mapped_to_vectors_and_back(sheet: Sheet) -> None:
    assert sheet.numbers("mapping.found").tolist() == [[0, 1], [0.7, 0.3], [0, -1], [0, 0]]
    assert sheet.texts("mapping.text") == ["you", "are", "cold", "(no vector)"]


def test_blue_is_picked_in_three_ways(sheet: Sheet) -> None:
    for name in ("looked", "multiplied", "column"):
        assert sheet.numbers(f"sky.{name}").ravel().tolist() == [5, 6, 7], name
    assert (sheet.numbers("sky.columns") == sheet.numbers("sky.w_e").T).all()
    assert (sheet.numbers("sky.embedded") == sheet.numbers("sky.w_e")[:4]).all()


# ---- tokenizers ------------------------------------------------------------------------------------------


def test_three_tokenizers_side_by_side(sheet: Sheet) -> None:
    assert sheet.texts("tokenizers.known")[:2] == ["dog", "cat"]
    assert sheet.texts("tokenizers.kept") == ["the", "dog", "likes", "UNK"]
    assert sheet.numbers("tokenizers.word_id")[:4, 0].tolist() == [3, 1, 6, 0]
    assert sheet.texts("tokenizers.piece") == ["␣the", "␣dog", "␣likes", "␣cat", "f", "i", "s", "h"]
    assert sheet.numbers("tokenizers.rows")[:, 0].tolist() == [4, 21, 8]
    assert sheet.numbers("tokenizers.lost")[:, 0].tolist() == [1, 0, 0]
    sheet.type({"tokenizers.text": "Ab z"})
    assert sheet.numbers("tokenizers.letter_id")[:5, 0].tolist() == [1, 2, 27, 26, -1]


@pytest.mark.parametrize("text", ["le chien été", "犬が好き", "🙂 catfish", "Ω the dgo"])
def test_bytes_are_never_unknown(text: str, sheet: Sheet) -> None:
    sheet.type({"tokenizers.text": text})
    words, letters, pieces = sheet.numbers("tokenizers.lost")[:, 0]
    assert (words > 0, letters, pieces) == (True, sum(not c.isascii() for c in text), 0)
    pieces = naive_pieces("␣" + text.replace(" ", "␣"), [tuple(m.split()) for m in tokenizers.MERGES])
    cost = [len(p.encode()) if len(p) == 1 and p != "␣" else 1 for p in pieces]
    assert sheet.texts("tokenizers.piece") == pieces
    assert sheet.numbers("tokenizers.rows")[2, 0] == sum(cost)


def naive_pieces(text: str, merges: list[tuple[str, str]]) -> list[str]:
    """Of the pair of the lowest rank the leftmost is merged, until there is none."""
    symbols, ranks = list(text), {pair: i for i, pair in enumerate(merges)}
    while found := [(ranks[p], i) for i, p in enumerate(pairwise(symbols)) if p in ranks]:
        _, i = min(found)
        symbols[i : i + 2] = ["".join(symbols[i : i + 2])]
    return symbols


def first_seen(words: dict[str, int], n: int) -> list[tuple[str, str]]:
    """Sennrich's learner: all pairs are counted anew for each merge, and of equal counts the first seen wins."""
    split, merges = {word: list(word) for word in words}, []
    for _ in range(n):
        counts: Counter[tuple[str, str]] = Counter()
        for word, symbols in split.items():
            for pair in pairwise(symbols):
                counts[pair] += words[word]
        merges.append(max(counts, key=counts.__getitem__))
        split = {word: naive_pieces(word, merges) for word in split}
    return merges


def test_the_merges_of_the_tokenizers_are_learned() -> None:
    words = {"␣the": 9, "␣dog": 6, "␣cat": 6, "␣sees": 4, "␣a": 8, "␣likes": 4}
    assert [" ".join(pair) for pair in first_seen(words, len(tokenizers.MERGES))] == tokenizers.MERGES


# ---- learning --------------------------------------------------------------------------------------------


def test_ten_passes_learn_the_ten_tokens(sheet: Sheet) -> None:
    assert sheet.texts("bpelearn.learned") == TEN
    assert sheet.numbers("bpelearn.count")[:, 0].tolist() == [9, 9, 9, 7, 7, 6, 6, 6, 5, 3]
    assert sheet.numbers("bpelearn.tokens")[[0, -1], 0].tolist() == [28, 37]
    whole = sheet["bpelearn.whole"][:, 0].tolist()
    assert [token for token, said in zip(TEN, whole, strict=True) if said] == ["newest_", "low_"]
    assert sheet.numbers("bpelearn.length")[0, 0] == sum(n * (len(word) + 1) for word, n in TOY.items())
    assert sheet.texts("bpelearn.done") == ["·low_·", "·low··e··r··_·", "·newest_·", "·wi··d··est_·"]


def test_the_first_pass_counts_every_pair(sheet: Sheet) -> None:
    pairs, symbols = sheet.numbers("bpelearn.pass1.pairs"), sheet["bpelearn.pass1.symbols"]
    counts: Counter[tuple[str, str]] = Counter()
    for word, n in TOY.items():
        for pair in pairwise(word + "_"):
            counts[pair] += n
    for (r, c), found in np.ndenumerate(pairs):
        assert found == counts[symbols[r, c], symbols[r, c + 1]]
    assert [counts[pair] for pair in (("e", "s"), ("s", "t"), ("t", "_"))] == [9, 9, 9]  # a tie: the first seen wins
    assert sheet.numbers("bpelearn.pass2.most").item() == 9
    assert (sheet["bpelearn.pass2.left"].item(), sheet["bpelearn.pass2.right"].item()) == ("es", "t")


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        (0, TOY),
        (1, {"banana": 4, "bandana": 3, "an": 2, "nab": 7}),
        (1, {"aaaaaaa": 1, "aabaab": 2, "Low": 5, "low": 5}),
        (0, {"hubbub": 2, "bubble": 2, "hub": 2, "bulb": 2}),
    ],
)
def test_the_learner_is_the_slow_one(marker: int, words: dict[str, int], sheet: Sheet) -> None:
    marked = {word + "_" if marker else "_" + word: n for word, n in words.items()}
    columns = [[word] for word in words], [[n] for n in words.values()]
    sheet.type({"bpelearn.word": columns[0], "bpelearn.times": columns[1], "bpelearn.marker": marker})
    found = list(zip(sheet["bpelearn.left"][:, 0], sheet["bpelearn.right"][:, 0], strict=True))
    assert found == first_seen(marked, 10)


# ---- ladders, strawberry, jumble, cost -------------------------------------------------------------------


def test_same_letters_and_other_tokens(sheet: Sheet) -> None:
    assert [[i for i in row if i >= 0] for row in sheet["ladders.id"].tolist()] == [[6865, 21871], [302, 521, 28153]]
    assert sheet.texts("ladders.token") == ["␣rein", "jury", "␣re", "ind", "eer"]
    assert sheet.texts("ladders.made")[::2][:3] == ["in", "re", "␣re"]


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        (" quick", [2068]),
        (" quickly", [2952]),
        ("strawberry", [301, 1831, 8396]),
        (" strawberry", [41236]),
        ("reindeer", [260, 521, 28153]),
    ],
)
def test_ladders_end_as_gpt2s_tokens(word: str, ids: list[int], sheet: Sheet) -> None:
    sheet.type({"ladders.word": [[word], [" reindeer"]]})
    assert [i for i in sheet["ladders.id"][0].tolist() if i >= 0] == ids
    merges = [(left, right) for _, left, right in TABLE]
    assert sorted(TABLE) == TABLE
    assert [t for t in sheet["ladders.token"][0].tolist() if t] == naive_pieces(word.replace(" ", "␣"), merges)


def test_the_ladder_of_quick_has_the_ranks_of_the_talk(sheet: Sheet) -> None:
    sheet.type({"ladders.word": [[" quick"], [" reindeer"]]})
    made = [(x, n) for x, n in zip(sheet["ladders.made"][:, 0], sheet["ladders.taken"][:, 0], strict=True) if x]
    assert made == [("ic", 35), ("qu", 165), ("ick", 368), ("␣qu", 371), ("␣quick", 1812)]


def test_three_r_in_six_spellings(sheet: Sheet) -> None:
    assert sheet.texts("strawberry.text") == ["strawberry", "␣strawberry", "Strawberry", "␣Strawberry", "STRAWBERRY",
                                              '"strawberry']  # fmt: skip
    assert sheet.numbers("strawberry.seen")[:, 0].tolist() == [3] * 6
    assert sheet.numbers("strawberry.tokens")[:, 0].tolist() == [3, 1, 3, 1, 4, 4]
    ids = [[int(i) for i in row if i >= 0] for row in sheet["strawberry.id"]]
    assert ids == [[301, 1831, 8396], [41236], [1273, 1831, 8396], [42611], [2257, 20530, 13246, 18276],
                   [1, 301, 1831, 8396]]  # fmt: skip
    assert sheet.numbers("strawberry.inside")[4].tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("seed", [5, 77])
def test_jumbled_words_take_more_tokens(seed: int, sheet: Sheet) -> None:
    sheet.type({"jumble.seed": seed})
    plain, mixed = sheet.texts("jumble.whole")
    words = zip(plain.split("␣"), mixed.split("␣"), strict=True)
    assert all((a[0], a[-1], sorted(a)) == (b[0], b[-1], sorted(b)) for a, b in words)
    assert plain != mixed
    tokenizer = find_model("fable").tokenizer()
    merges = [(a.replace("Ġ", "␣"), b.replace("Ġ", "␣")) for a, b in tokenizer.merges]
    wanted = [naive_pieces(text, merges) for text in (plain, mixed)]
    assert [cut.strip("·").split("·") for cut in sheet.texts("jumble.cut")] == wanted
    assert sheet.numbers("jumble.tokens")[:, 0].tolist() == [len(tokens) for tokens in wanted]
    assert len(wanted[0]) < len(wanted[1])


def test_what_a_vocabulary_costs(sheet: Sheet) -> None:
    assert sheet.numbers("cost.parameters")[:2, 0].tolist() == [130_560_000, 38_597_376]


# ---- any input -------------------------------------------------------------------------------------------

SILLY_NUMBERS = [0.0, -3.0, 0.5, 1e6, -1e6]
SILLY_TEXTS = ["", "*?~", "=1+1", "犬🙂·_", "x" * 300, "  a  b ", "'", "THE dog", "aaaaaaaaaaa"]


@pytest.mark.parametrize("value", [*SILLY_NUMBERS, *SILLY_TEXTS], ids=repr)
def test_any_input_gives_what_numpy_gives_and_green_lights(value: float | str, written: Written, sheet: Sheet) -> None:
    plan = written.course.plan
    knobs = [name for name, role in plan.roles.items() if role is Role.KNOB]
    sheet.type({name: value for name in knobs if (name in plan.text) == isinstance(value, str)})
    assert sheet.differing() == []
    assert {name: sheet[f"{name}.light"].item() for name in NAMES} == dict.fromkeys(NAMES, "OK")
