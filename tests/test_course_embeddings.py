"""The lessons on embeddings and positions: the numbers of the source material, in values that IronCalc computed."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xlsxwriter

from sheetgpt.course.build import Written, build_course
from sheetgpt.course.catalog import chosen
from sheetgpt.engines.libreoffice import find
from sheetgpt.engines.session import Session
from sheetgpt.models.weights import find_model
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.grid import CellError
from sheetgpt.sheet.looks import FORMATS

PLAIN = ("houses", "island", "king", "capitals", "cooccur", "squeeze", "learn", "order", "circle")
MODEL = ("analogies", "cosine", "cloud")  # that read the model's matrices


class Book:
    """The lessons, recalculated by IronCalc as often as something is typed."""

    def __init__(self, written: Written) -> None:
        self.course = written.course
        self.session = Session(written.path)
        self.given = self.course.given()
        self.type({})

    def type(self, values: dict[str, Any]) -> None:
        """Type into knobs, all cells of each or one (`king.asked[2,0]`); what was typed before is forgotten."""
        changes: dict[str, dict[tuple[int, int], Any]] = {}
        for spot, value in values.items():
            name, _, at = spot.partition("[")
            box = self.course.layout.ranges[name]
            cells = [tuple(map(int, at[:-1].split(",")))] if at else list(np.ndindex(box.rows, box.cols))
            for r, c in cells:
                changes.setdefault(box.tab, {})[box.row + r, box.col + c] = value
        self.values = self.session.values(changes)

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self.given:
            return self.given[name]
        box, kind = self.course.layout.ranges[name], object if name in self.course.plan.text else float
        rows = range(box.row, box.row + box.rows)
        return np.array([[self.values[box.tab][r, box.col + c] for c in range(box.cols)] for r in rows], kind)

    def errors(self) -> list[tuple[str, tuple[int, int]]]:
        return [(tab, at) for tab, cells in self.values.items() for at, v in cells.items() if isinstance(v, CellError)]


def _written(names: tuple[str, ...], factory: pytest.TempPathFactory) -> Book:
    return Book(build_course(chosen(names), find_model("fable"), factory.mktemp("course") / "course.xlsx"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Book:
    return _written(PLAIN, tmp_path_factory)


@pytest.fixture(scope="module")
def modelled(tmp_path_factory: pytest.TempPathFactory) -> Book:
    return _written(MODEL, tmp_path_factory)


@pytest.fixture
def book(plain: Book) -> Iterator[Book]:
    yield plain
    plain.type({})


def near(found: np.ndarray, wanted: object, digits: int = 9) -> bool:
    return bool(np.allclose(found, wanted, rtol=0, atol=0.5 * 10.0**-digits))


# ---- embeddings ------------------------------------------------------------------------------------------


def test_houses_are_alike_without_labels(book: Book) -> None:
    """E19: 47 Ivy Lane, 58 Sun Avenue, 15 Luna Lane: 2400 square feet each."""
    assert set(book["houses.text"][:3, 0]) == {"47 Ivy Lane", "58 Sun Avenue", "15 Luna Lane"}
    assert book["houses.text"][0, 0] == "47 Ivy Lane"
    assert [book["houses.table"][r, 0] for r in range(3)] == [2400] * 3
    table = np.array(book["houses.table"], float)
    scaled = [[x / max(col) for x, col in zip(row, table.T, strict=True)] for row in table]
    wanted = [math.dist(row, scaled[0]) for row in scaled]
    assert near(book["houses.distance"][:, 0], wanted)


def test_sad_lives_with_the_feelings(book: Book) -> None:
    """E6, E7: the distance of sad from happy is less than from dog."""
    words = [text for (text,) in book["island.word"]]
    assert words == ["happy", "glad", "sad", "dog", "cat"]
    points = list(zip(book["island.x"][:, 0], book["island.y"][:, 0], strict=True))
    wanted = [[math.dist(a, b) for b in points] for a in points]
    found = book["island.distance"]
    assert near(found, wanted)
    assert found[2, 0] < found[2, 3] < found[2, 4]
    assert list(book["island.text"][:, 0]) == ["sad", "happy", "glad", "dog", "cat"]


def test_king_less_man_and_woman_is_queen(book: Book) -> None:
    """E8 to E10: columns authority and gender; 2 - 1 + 1 and 1 - 1 + 2 are 2 and 2."""
    table = dict(zip(book["king.word"][:, 0], book["king.table"].tolist(), strict=True))
    assert [table[word] for word in ("man", "woman", "king", "queen")] == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert book["king.target"].tolist() == [[2, 2]]
    assert book["king.answer"] == "queen"
    assert book["king.nearest"][0, 0] == 0


def test_a_fourth_word_is_found_for_any_three(book: Book) -> None:
    """E11, N7: by the nearest row, computed here with plain Python."""
    table = dict(zip(book["king.word"][:, 0], book["king.table"].tolist(), strict=True))
    for three in list(permutations(table, 3))[::7]:
        book.type({f"king.asked[{i},0]": word for i, word in enumerate(three)})
        a, b, c = (table[word] for word in three)
        point = [z - x + y for x, y, z in zip(a, b, c, strict=True)]
        gaps = sorted((math.dist(row, point), i) for i, row in enumerate(table.values()))
        assert near(book["king.nearest"][:, 0], [gap for gap, _ in gaps])
        if gaps[1][0] - gaps[0][0] > 1e-9:
            assert book["king.answer"] == list(table)[gaps[0][1]]
    book.type({"king.asked[0,0]": "Man"})
    assert (book["king.answer"], book["king.said"][0, 0]) == ("no answer", "not in the table")


def test_the_capital_of_canada(book: Book) -> None:
    """E16, E17: three differences, their mean and spread; Canada by the same step."""
    start, end = (np.array(book[f"capitals.{at}"], float) for at in ("from", "to"))
    steps = [[y - x for x, y in zip(a, b, strict=True)] for a, b in zip(start, end, strict=False)]
    mean = [sum(column) / 3 for column in zip(*steps, strict=True)]
    assert near(book["capitals.step"], steps)
    assert near(book["capitals.mean"], [mean])
    assert near(book["capitals.spread"], math.sqrt(sum(math.dist(step, mean) ** 2 for step in steps) / 3))
    assert book["capitals.spread"] < book["capitals.length"] / 10  # a cluster
    assert book["capitals.answer"] == "Ottawa"


def test_real_analogies_with_their_misses(modelled: Book) -> None:
    """E12 to E15, L14, L15: five best, rank of the expected word, distance, hits and misses, by plain numpy on wte."""
    model = find_model("fable")
    table, vocab = model["wte"], {model.tokenizer().visible(i): i for i in range(model.config.n_vocab)}
    texts, hits = list(vocab), 0
    length = np.linalg.norm(table, axis=1)
    for row, words in enumerate(modelled["analogies.asked.word"].tolist()):
        a, b, c, wanted = (vocab[word] for word in words)
        point = table[b] - table[a] + table[c]
        cosine = table @ point / (length * np.linalg.norm(point))
        falling = [i for i in np.argsort(-cosine, kind="stable") if i not in (a, b, c)]
        assert modelled["analogies.text"][row].tolist() == [texts[i] for i in falling[:5]]
        assert near(modelled["analogies.value"][row], cosine[falling[:5]])
        rank = 1 + falling.index(wanted)
        assert modelled["analogies.rank"][row, 0] == rank
        assert modelled["analogies.verdict"][row, 0] == ("hit" if rank == 1 else "near" if rank <= 5 else "miss")
        assert near(modelled["analogies.after"][row, 0], np.linalg.norm(point - table[wanted]))
        assert near(modelled["analogies.before"][row, 0], np.linalg.norm(table[c] - table[wanted]))
        hits += rank == 1
    assert modelled["analogies.hits"] == hits
    assert {"hit", "near", "miss"} == set(modelled["analogies.verdict"][:, 0])  # as it stands: honest misses


def test_company_is_counted(book: Book) -> None:
    """E24 to E29: ice with cold and steam with hot, not crossed; window 3; a cell of 5; row sums; by plain Python."""
    for window in (3.0, 1.0, 6.0):
        book.type({"cooccur.window": window})
        words, passages = book["cooccur.word"][:, 0].tolist(), book["cooccur.passage"].tolist()
        count = {(a, b): 0 for a in words for b in words}
        for passage in passages:
            for i, a in enumerate(passage):
                for j, b in enumerate(passage):
                    if i != j and abs(i - j) <= window and (a, b) in count:
                        count[a, b] += 1
        assert book["cooccur.count"].tolist() == [[count[a, b] for b in words] for a in words]
        assert book["cooccur.total"][:, 0].tolist() == [sum(count[a, b] for b in words) for a in words]
    book.type({})
    ice, steam, cold, hot = range(4)
    table = book["cooccur.count"]
    assert book["cooccur.window"] == 3
    assert table[ice, cold] == 5
    assert min(table[ice, cold], table[steam, hot]) > max(table[ice, hot], table[steam, cold])


def test_cosine_against_distance(modelled: Book) -> None:
    """E31 to E33, E36, E37: 1, 0.857, 56.57, 11.18; and -1, 0, 1 to the last bit."""
    assert modelled["cosine.table"].tolist() == [[10, 10], [50, 50], [5, 20]]
    cosine, far = modelled["cosine.cosine"], modelled["cosine.euclid"]
    assert near(cosine[0, 1], 1)
    assert near(cosine[0, 2], 0.857, 3)
    assert near(far[0, 1], 56.57, 2)
    assert near(far[0, 2], 11.18, 2)
    assert modelled["cosine.pair"][:, 0].tolist() == [-1, 0, 1]


def test_opposites_are_alike_on_the_real_table(modelled: Book) -> None:
    """E34, E35, L13: cosines of happy and sad, up and down; the share of negative ones."""
    model = find_model("fable")
    table, vocab = model["wte"], {model.tokenizer().visible(i): i for i in range(model.config.n_vocab)}
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    wanted = [unit[vocab[a]] @ unit[vocab[b]] for a, b in modelled["cosine.token.word"].tolist()]
    assert near(modelled["cosine.real"][:, 0], wanted)
    assert min(wanted[:2]) > 0.5
    every = unit @ unit[vocab["␣happy"]]
    assert near(modelled["cosine.share"], (every < 0).mean())
    assert near(modelled["cosine.least"], every.min())


def test_two_columns_are_those_of_an_svd(book: Book) -> None:
    """E30, L11: power iteration in formulas against `numpy.linalg.svd`."""
    table = np.array(book["squeeze.table"], float)
    u, sizes, vt = np.linalg.svd(table)
    for i, at in enumerate(("one", "two")):
        wanted = u[:, i] * sizes[i]
        found = book[f"squeeze.{at}"][:, 0]
        assert near(found * np.sign(found @ wanted), wanted, 7)
    assert near(book["squeeze.again"], u[:, :2] * sizes[:2] @ vt[:2], 7)
    assert near(book["squeeze.lost"], (sizes[2:] ** 2).sum(), 7)
    assert near(book["squeeze.kept"], (sizes[:2] ** 2).sum() / (sizes**2).sum())


def test_a_random_table_learns_the_last_words(book: Book) -> None:
    """E20 to E22: the last word removed; haircut at random; gradient descent in plain numpy, by numeric differences."""
    words = book["learn.word"][:, 0].tolist()
    passages = [[word for word in row if word] for row in book["learn.passage"].tolist()]
    pairs = [(words.index(row[-2]), words.index(row[-1])) for row in passages]
    assert passages[0][-2:] == ["moves", "quickly"]
    assert book["learn.before"][0, 0] == "haircut"
    assert book["learn.after"][0, 0] == "quickly"

    def loss(table: np.ndarray) -> float:
        chances = np.exp(table) / np.exp(table).sum(axis=1, keepdims=True)
        return float(-sum(math.log(chances[pair]) for pair in pairs))

    table, losses = np.array(book["learn.table.none"], float), []
    for step in ("one", "two", "three", "four", "five"):
        losses.append(loss(table) / len(pairs))
        slope = np.zeros_like(table)
        for at in np.ndindex(table.shape):
            up, down = table.copy(), table.copy()
            up[at], down[at] = up[at] + 1e-5, down[at] - 1e-5
            slope[at] = (loss(up) - loss(down)) / 2e-5
        table = table - 2.0 * slope
        assert near(book[f"learn.table.{step}"], table, 7)
    losses.append(loss(table) / len(pairs))
    assert near(book["learn.loss"][:, 0], losses, 7)
    assert sorted(losses, reverse=True) == losses
    paris, cold = book["learn.chance.five"][1:3, 0]  # both follow "is", so neither can pass a half
    assert 0.4 < cold < paris < 0.5


# ---- positions -------------------------------------------------------------------------------------------


def test_order_counts_only_with_positions(book: Book) -> None:
    """F1, F2: the same to the verb without positions, another thing with them; 2 + 3 and 3 + 2."""
    rows = {word: row for (word,), row in zip(book["order.vocab"], np.array(book["order.table"], float), strict=True)}
    place = np.array(book["order.place"], float)
    read = {}
    for at, sentence in (("one", "the dog chases the cat"), ("two", "the cat chases the dog")):
        bare = np.array([rows[word] for word in sentence.split()])
        for how, x in (("bare", bare), ("placed", bare + place)):
            weight = [math.exp(x[2] @ row) for row in x]
            read[how, at] = sum(w * row for w, row in zip(weight, x, strict=True)) / sum(weight)
            assert near(book[f"order.read.{how}.{at}"][0], read[how, at])
    assert near(read["bare", "one"], read["bare", "two"], 12)
    assert book["order.gap.bare"] < 1e-12 < 0.1 < book["order.gap.placed"]
    assert (book["order.sum"], book["order.other"]) == (5, 5)
    assert (book["order.digits"], book["order.turned"]) == (23, 32)


def test_positions_go_round_in_circles(book: Book) -> None:
    """F6, F7: row 0 is 0, 1, 0, 1 ...; sin and cos of pos / 10000^(2i/d); radius 1."""
    wanted = [
        [(math.cos if c % 2 else math.sin)(pos / 10_000 ** ((c - c % 2) / 8)) for c in range(8)] for pos in range(16)
    ]
    assert book["circle.table"][0].tolist() == [0, 1] * 4
    assert near(book["circle.table"], wanted, 12)
    for pair in range(4):
        book.type({"circle.pick": float(pair)})
        gaps = book["circle.point"] - np.array(book["circle.token"], float)
        assert near(np.hypot(*gaps.T), 1, 12)
        assert near(gaps[:, 1], [row[2 * pair] for row in wanted], 12)


def test_a_cloud_around_a_token(modelled: Book) -> None:
    """F5, F8, F16: the token at every position, its shadow by another way (least squares), its distances."""
    model = find_model("fable")
    vocab = {model.tokenizer().visible(i): i for i in range(model.config.n_vocab)}
    words = model["wte"][[vocab[word] for (word,) in modelled["cloud.token.word"]]]
    points, plane = words[0] + model["wpe"], words[1:3] - words[0]
    axes = np.linalg.qr(plane.T)[0]
    axes *= np.sign((plane @ axes).diagonal())
    assert near(np.hstack([modelled["cloud.x"], modelled["cloud.y"]]), (points - words[0]) @ axes)
    far = np.linalg.norm(points[:, None] - words, axis=2)
    assert near(modelled["cloud.far"], far)
    assert near(modelled["cloud.share"], (far.argmin(axis=1) == 0).mean())
    assert near(modelled["cloud.offset"][:, 0], np.linalg.norm(model["wpe"], axis=1))


# ---- any input -------------------------------------------------------------------------------------------


def wrong(book: Book) -> list[object]:
    """Cells that show an error, and lessons whose light is not green."""
    lights = [demo.name for demo in book.course.demos if book[f"{demo.name}.light"] != "OK"]
    return [*book.errors(), *lights]


def knobs(book: Book, *, text: bool) -> list[str]:
    plan = book.course.plan
    return [name for name, role in plan.roles.items() if role is Role.KNOB and (name in plan.text) == text]


@pytest.mark.parametrize("value", [0.0, -3.7, 1.0, 1e6])
def test_no_number_makes_an_error(value: float, plain: Book, modelled: Book) -> None:
    """Typed into every number that is a learner's, all at once."""
    for book in (plain, modelled):
        book.type(dict.fromkeys(knobs(book, text=False), value))
        assert wrong(book) == []


@pytest.mark.parametrize("value", ["", "zzz", "*", "=1+1", " "])
def test_no_word_makes_an_error(value: str, plain: Book, modelled: Book) -> None:
    for book in (plain, modelled):
        book.type(dict.fromkeys(knobs(book, text=True), value))
        assert wrong(book) == []


@pytest.mark.slow
def test_no_single_0_makes_an_error(plain: Book) -> None:
    """One cell of each table after the other: what is divided by is seldom a whole table."""
    names, plan = knobs(plain, text=False), plain.course.plan
    size = {name: plan[name].shape[0] * plan[name].shape[1] for name in names}
    for i in range(max(size.values())):
        at = {name: divmod(i, plan[name].shape[1]) for name in names if i < size[name]}
        plain.type({f"{name}[{r},{c}]": 0.0 for name, (r, c) in at.items()})
        assert wrong(plain) == [], i


_AS_SHOWN = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true"


@pytest.mark.skipif(find() is None, reason="libreoffice is not installed")
def test_a_cosine_below_0_shows_its_sign(tmp_path: Path) -> None:
    """As LibreOffice prints it; -2 is no cosine."""
    with xlsxwriter.Workbook(tmp_path / "signs.xlsx") as book:
        look = book.add_format(FORMATS[Style.COSINE])
        book.add_worksheet().write_row(0, 0, [-1, -0.25, 0, 0.857, 1, -2], look)
    headless = [str(find()), f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless"]
    subprocess.run([*headless, "--convert-to", _AS_SHOWN, "--outdir", tmp_path, tmp_path / "signs.xlsx"], check=True)
    assert (tmp_path / "signs.csv").read_text().strip() == "-1.000,-0.250,0.000,0.857,1.000,"
