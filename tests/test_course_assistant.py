"""Lessons on loss, training, reward, sampling: the numbers of the source material, and oracles of another hand."""

from __future__ import annotations

import math
from collections import Counter, deque
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sheetgpt.course.bigram import READ, TEXT, TOLD
from sheetgpt.course.book import Course
from sheetgpt.course.build import build_course
from sheetgpt.course.catalog import chosen
from sheetgpt.course.demo import Demo
from sheetgpt.course.prompts import ASKED
from sheetgpt.engines.session import Session
from sheetgpt.generate import generate, generate_ids
from sheetgpt.models.reference import forward
from sheetgpt.models.weights import Weights, find_model
from sheetgpt.sheet.grid import CellError, Value
from tests.knobs import Knobs, needs_office

LESSONS = (
    "entropy", "training", "pipeline", "prompts", "preference", "maze", "bestof", "experts", "songs", "bigram",
    "temperature",
)  # fmt: skip
PART = chosen(LESSONS)
RNG = np.random.default_rng(7)


class Played:
    """The lessons of this part, built once; what stands in a place after some inputs are changed, by IronCalc."""

    def __init__(self, path: Path) -> None:
        self.course: Course = build_course(PART, find_model("fable"), path).course
        self.given = self.course.given()
        self._session = Session(path)

    def all(self, changes: dict[str, Any]) -> dict[str, np.ndarray]:
        """Every place with `changes` (place -> value of all cells, or an array) typed in."""
        entered: dict[str, dict[tuple[int, int], Value]] = {}
        given = dict(self.given)
        for name, value in changes.items():
            box = self.course.layout.ranges[name]
            table = np.broadcast_to(np.array(value, object), (box.rows, box.cols))
            given[name] = table
            for (r, c), v in np.ndenumerate(table):
                entered.setdefault(box.tab, {})[box.row + r, box.col + c] = v if isinstance(v, str) else float(v)
        found, out = self._session.values(entered), {}
        for name, expr in self.course.plan.items():
            box = self.course.layout.ranges[name]
            cells = [(r, c) for r in range(box.rows) for c in range(box.cols)]
            read = [found[box.tab][box.row + r, box.col + c] if expr.args else given[name][r, c] for r, c in cells]
            out[name] = np.array(read, object).reshape(box.rows, box.cols)
        return out

    @cached_property
    def built(self) -> dict[str, np.ndarray]:
        """Every place as the lessons are built."""
        return self.all({})

    def __call__(self, name: str, /, **changes: Any) -> Any:
        """One place of one lesson, with other places of that lesson changed."""
        lesson = name.partition(".")[0]
        changed = {f"{lesson}.{key}": value for key, value in changes.items()}
        table = (self.all(changed) if changed else self.built)[name]
        return table if isinstance(table[0, 0], str) else table.astype(float)


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(tmp_path_factory.mktemp("part") / "part.xlsx")


# ---- whatever is typed -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def knobs(tmp_path_factory: pytest.TempPathFactory) -> Knobs:
    return Knobs(PART, tmp_path_factory.mktemp("knobs"))


@pytest.mark.parametrize("demo", PART, ids=LESSONS)
def test_no_knob_makes_an_error_or_breaks_a_law(demo: Demo, knobs: Knobs) -> None:
    assert len(knobs.of(demo)) >= 1
    assert list(knobs.errors(demo)) == []


@needs_office
@pytest.mark.parametrize("demo", PART, ids=LESSONS)
def test_nor_does_it_in_libreoffice(demo: Demo, knobs: Knobs) -> None:
    assert list(knobs.office_errors(demo)) == []


@pytest.mark.parametrize("text", ["*", "THE", "~"])
def test_no_word_gives_an_error(text: str, play: Played) -> None:
    found = play.all({"bigram.asked": text})
    assert not [place for place, cells in found.items() for v in cells.ravel() if isinstance(v, CellError)]
    assert set(found["bigram.next"][:, 0]) == {"-"}


# ---- cross-entropy ---------------------------------------------------------------------------------------


def test_surprise_is_that_of_the_word_that_came(play: Played) -> None:
    votes = RNG.integers(1, 9, (5, 5))
    came = np.array([[2], [0], [4], [4], [1]])
    want = [-math.log(row[i] / row.sum()) for row, (i,) in zip(votes, came, strict=True)]
    assert play("entropy.loss", votes=votes, came=came)[:, 0] == pytest.approx(want, rel=1e-12)
    assert play("entropy.mean", votes=votes, came=came)[0, 0] == pytest.approx(sum(want) / 5, rel=1e-12)
    assert play("entropy.perplexity", votes=votes, came=came)[0, 0] == pytest.approx(math.exp(sum(want) / 5), rel=1e-12)


# ---- training --------------------------------------------------------------------------------------------

WEIGHTS = ("wte", "wpe", "wq", "wk", "wv", "wo", "w1", "w2")


def loss_of(w: dict[str, np.ndarray], ids: list[int]) -> float:
    """The mean loss of the lesson's GPT, written once more, position by position."""

    def norm(x: np.ndarray) -> np.ndarray:
        return (x - x.mean()) / math.sqrt(x.var() + 1e-5)

    x = [w["wte"][t] + w["wpe"][i] for i, t in enumerate(ids[:-1])]
    q, k, v = ([norm(row) @ w[name] for row in x] for name in ("wq", "wk", "wv"))
    loss = 0.0
    for i, row in enumerate(x):
        scores = np.array([q[i] @ k[j] / math.sqrt(3) for j in range(i + 1)])
        pattern = np.exp(scores) / np.exp(scores).sum()
        row = row + sum(p * v[j] for j, p in enumerate(pattern)) @ w["wo"]
        pre = norm(row) @ w["w1"]
        post = [h / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3))) for h in pre]
        logits = w["wte"] @ norm(row + np.array(post) @ w["w2"])
        loss += math.log(sum(math.exp(z - logits[ids[i + 1]]) for z in logits))
    return loss / len(x)


def test_the_loss_is_that_of_a_gpt_written_again(play: Played) -> None:
    w = {name: play(f"training.{name}") for name in WEIGHTS}
    assert play("training.before")[0, 0] == pytest.approx(loss_of(w, [0, 1, 2, 3]), rel=1e-12)
    other = {name: RNG.normal(0, 0.5, x.shape).round(2) for name, x in w.items()}
    found = play("training.before", tokens=np.array([[3], [3], [0], [2]]), **other)
    assert found[0, 0] == pytest.approx(loss_of(other, [3, 3, 0, 2]), rel=1e-12)


@pytest.mark.parametrize("name", WEIGHTS)
def test_every_gradient_is_the_slope_that_finite_differences_find(name: str, play: Played) -> None:
    w, step = {n: play(f"training.{n}") for n in WEIGHTS}, 1e-5
    found = play(f"training.d.{name}")
    for at in np.ndindex(found.shape):
        up, down = (
            loss_of(
                w | {name: w[name] + s * step * (np.indices(found.shape) == np.reshape(at, (2, 1, 1))).all(0)},
                [0, 1, 2, 3],
            )
            for s in (1, -1)
        )
        assert found[at] == pytest.approx((up - down) / (2 * step), abs=2e-9), at


def test_the_step_goes_against_the_gradient_and_the_loss_falls(play: Played) -> None:
    ids, rate = [0, 1, 2, 3], 0.05
    found = play.all({"training.rate": rate})
    new = {n: (found[f"training.{n}"] - rate * found[f"training.d.{n}"]).astype(float) for n in WEIGHTS}
    for name in WEIGHTS:
        assert found[f"training.new.{name}"].astype(float) == pytest.approx(new[name], abs=1e-15)
    assert found["training.after"][0, 0] == pytest.approx(loss_of(new, ids), rel=1e-12)
    assert found["training.after"][0, 0] < found["training.before"][0, 0]
    squares = sum((found[f"training.d.{n}"].astype(float) ** 2).sum() for n in WEIGHTS)
    assert found["training.promised"][0, 0] == pytest.approx(rate * squares, rel=1e-12)
    tiny = play.all({"training.rate": 1e-4})
    assert tiny["training.fall"][0, 0] == pytest.approx(tiny["training.promised"][0, 0], rel=1e-3)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")  # torch warns of its own affairs
def test_pytorch_finds_the_same_gradients(play: Played) -> None:
    torch = pytest.importorskip("torch")
    w = {n: torch.tensor(play(f"training.{n}"), dtype=torch.float64, requires_grad=True) for n in WEIGHTS}

    def norm(x: Any) -> Any:
        return torch.nn.functional.layer_norm(x, (3,), eps=1e-5)

    x = w["wte"][[0, 1, 2]] + w["wpe"]
    q, k, v = (norm(x) @ w[n] for n in ("wq", "wk", "wv"))
    scores = (q @ k.T / 3**0.5).masked_fill(torch.triu(torch.ones(3, 3), 1).bool(), -torch.inf)
    x = x + scores.softmax(-1) @ v @ w["wo"]
    x = x + torch.nn.functional.gelu(norm(x) @ w["w1"], approximate="tanh") @ w["w2"]
    loss = torch.nn.functional.cross_entropy(norm(x) @ w["wte"].T, torch.tensor([1, 2, 3]))
    loss.backward()
    assert play("training.before")[0, 0] == pytest.approx(loss.item(), rel=1e-12)
    for name in WEIGHTS:
        assert play(f"training.d.{name}") == pytest.approx(w[name].grad.numpy(), abs=1e-12)


def next_probs(model: Weights, ids: list[int]) -> np.ndarray:
    """Chances of the token after the last: a pass for each, where the lesson has one for all."""
    return np.asarray(forward(model, ids, n_layer=model.config.n_layer, n_head=model.config.n_head)["probs"][:, 0])


# ---- from predictor to assistant -------------------------------------------------------------------------


def test_each_of_the_four_steps_moves_the_answer(play: Played) -> None:
    """J6: pretraining, fine-tuning, reward, reinforcement."""
    web, shown, won, lost = np.array([60, 10, 18, 12]), np.array([0, 4, 8, 0]), [1, 6, 14, 1], [9, 5, 1, 7]
    base = web / web.sum()
    tuned = (web + 20 * shown) / (web + 20 * shown).sum()
    odds = np.array([(w + 1) / (n + 1) for w, n in zip(won, lost, strict=True)])
    final = tuned * odds / (tuned * odds).sum()  # e to the power of a logarithm
    for name, want in (("base", base), ("tuned", tuned), ("final", final)):
        assert play(f"pipeline.{name}")[:, 0] == pytest.approx(want, rel=1e-12)
    assert play("pipeline.base.says")[0, 0].startswith("What is the capital of Spain")
    assert play("pipeline.final.says")[0, 0].startswith("The capital of France is Paris")
    means = [play(f"pipeline.{name}.mean")[0, 0] for name in ("base", "tuned", "final")]
    assert means == sorted(means)


def test_the_question_has_seven_tokens(play: Played) -> None:
    """J5."""
    assert play("prompts.ids")[0].tolist() == [2061, 318, 262, 3139, 286, 4881, 30]
    assert play("prompts.count")[0, 0] == 7
    assert "".join(play("prompts.parts")[0]).replace("␣", " ") == ASKED[2]


def test_what_the_model_says_is_what_it_says(play: Played) -> None:
    """J2 to J4, and K11: with a stop as `sheetgpt generate` says it, without one it blabs on."""
    model = find_model("fable")
    for text, said in zip(ASKED, play("prompts.says")[:, 0], strict=True):
        assert "".join(generate(model, text, 12)).replace("\n", " ") == said
    moral = "The moral of the story is"
    ended = list(generate_ids(model, moral, 24))
    assert len(ended) < 24
    assert play("prompts.text")[0, 0] == moral + model.tokenizer().decode(ended)
    blabbed = play("prompts.text", stop=0)[0, 0]
    assert blabbed.startswith(play("prompts.text")[0, 0] + "<|endoftext|>Once upon a time")


@pytest.mark.parametrize(
    ("name", "answer"),
    [("polite", " Once upon a time, there was a little girl."), ("noise", " He saw a big red ball.")],
)
def test_prompts_are_compared_by_the_models_own_chances(name: str, answer: str, play: Played) -> None:
    """J27, J29: each chance is that of a forward pass of its own."""
    model = find_model("fable")
    told = model.tokenizer().encode(answer)
    for column, prompt in enumerate(play(f"prompts.{name}.prompt")[:, 0]):
        ids = model.tokenizer().encode(prompt)
        want = [-math.log(next_probs(model, ids + told[:i])[t]) for i, t in enumerate(told)]
        assert play(f"prompts.{name}.loss")[:, column] == pytest.approx(want, abs=1e-5)
        assert play(f"prompts.{name}.mean")[column, 0] == pytest.approx(sum(want) / len(want), abs=1e-5)


def test_misspelling_costs_and_please_hardly_matters(play: Played) -> None:
    (plain,), (please,) = play("prompts.polite.mean")
    (well,), (ill,) = play("prompts.noise.mean")
    assert abs(please - plain) < 0.1 < 0.3 < ill - well


# ---- preference ------------------------------------------------------------------------------------------


def test_gradient_descent_learns_the_preferences(play: Played) -> None:
    """J9, J15 to J18: Bradley and Terry's model, its loss and its slope by finite differences, step by step."""
    diff = play("preference.chosen") - play("preference.rejected")

    def loss(w: np.ndarray) -> float:
        return sum(math.log1p(math.exp(-float(d @ w))) for d in diff) / len(diff)

    w, step, losses = np.zeros(3), 1e-6, []
    for _ in range(21):
        losses.append(loss(w))
        last = w
        w = w - 4.0 * np.array([(loss(w + step * e) - loss(w - step * e)) / (2 * step) for e in np.eye(3)])
    fit = play("preference.fit")
    assert fit[:, -1] == pytest.approx(losses, abs=1e-8)
    assert fit[-1, :3] == pytest.approx(last, abs=1e-7)
    assert fit[0, -1] == pytest.approx(math.log(2), abs=1e-11)
    assert all(later < earlier for earlier, later in pairwise(fit[:, -1]))
    assert play("preference.correct")[0, 0] == 6
    belief = [1 / (1 + math.exp(-float(d @ last))) for d in diff]
    assert play("preference.belief")[:, 0] == pytest.approx(belief, abs=1e-7)


# ---- best of n -------------------------------------------------------------------------------------------


def test_best_of_n_is_what_drawing_gives(play: Played) -> None:
    """J9, J13, J19: every way to draw three sentences, one after the other."""
    found = play.all({"bestof.n": 3, "bestof.scores": np.array([[0, 1], [-3, 2], [0.5, 0.25]])})
    prob, score = (found[f"bestof.{n}"][:, 0].astype(float) for n in ("prob", "score"))
    want = np.zeros(8)
    for drawn in np.ndindex(8, 8, 8):
        want[max(drawn, key=lambda i: (score[i], -i))] += prob[list(drawn)].prod()
    assert found["bestof.best"][:, 0].astype(float) == pytest.approx(want, abs=1e-12)
    ranked = [found["bestof.text"][i, 0] for i in sorted(range(8), key=lambda i: -score[i])]
    assert found["bestof.ranked"][:, 0].tolist() == ranked
    weights = prob * np.exp(score)
    assert found["bestof.nudged"][:, 0].astype(float) == pytest.approx(weights / weights.sum(), abs=1e-12)


def test_the_angry_robot_is_a_path_that_gets_rare(play: Played) -> None:
    """J14."""
    assert play("bestof.text")[0, 0] == "I am a angry robot"
    before, best, nudged = (play(f"bestof.{name}")[:, 0] for name in ("prob", "best", "nudged"))
    assert before[0] == pytest.approx(0.7 * 0.6 * 0.8)
    assert before.argmax() == 0
    assert max(best[0], nudged[0]) < 0.02
    assert play("bestof.before")[0, 0] < play("bestof.chosen")[0, 0]


# ---- maze ------------------------------------------------------------------------------------------------


def shortest(walls: np.ndarray, start: tuple[int, int], goal: tuple[int, int]) -> int:
    """Steps of the shortest way by breadth-first search; -1 if there is none."""
    queue, seen = deque([(start, 0)]), {start}
    while queue:
        (r, c), steps = queue.popleft()
        if (r, c) == goal:
            return steps
        for at in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            inside = 0 <= at[0] < walls.shape[0] and 0 <= at[1] < walls.shape[1]
            if inside and at not in seen and (not walls[at] or at == goal):
                seen.add(at)
                queue.append((at, steps + 1))
    return -1


MAZES = [(RNG.random((5, 6)) < 0.35) * 1.0 for _ in range(6)]
SNAKE = np.array([[0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]])


WAYS = [*zip(MAZES, (1.0, 0.5) * 3, strict=True), (SNAKE, 0.5), (SNAKE, 1 - 1e-10)]


@pytest.mark.parametrize(("walls", "patience"), WAYS, ids=range(8))
def test_the_way_is_the_shortest(walls: np.ndarray, patience: float, play: Played) -> None:
    """J10 to J12."""
    knobs = {"walls": walls, "start": np.array([[4, 5]]), "goal": np.array([[0, 0]]), "patience": patience, "step": 0.5}
    found = play.all({f"maze.{name}": value for name, value in knobs.items()})
    steps = shortest(walls, (4, 5), (0, 0))
    assert found["maze.count"][0, 0] == steps
    assert found["maze.light"][0, 0] == "OK"
    if steps >= 0:
        score = 20 * patience**steps - sum(0.5 * patience**i for i in range(steps))
        assert found["maze.score"][0, 0] == pytest.approx(score, abs=1e-9)
        assert found["maze.promised"][0, 0] == pytest.approx(score, abs=1e-9)


def test_arrows_lead_home_from_everywhere(play: Played) -> None:
    found = play.built
    walls, arrows = found["maze.walls"].astype(float), found["maze.arrows"]
    moves = {"↑": (-1, 0), "→": (0, 1), "↓": (1, 0), "←": (0, -1)}
    for at in map(tuple, np.argwhere(walls == 0)):
        wanted = shortest(walls, at, (0, 5))
        for _ in range(wanted):
            at = at[0] + moves[arrows[at]][0], at[1] + moves[arrows[at]][1]
        assert arrows[at] == "★"
    assert shortest(walls, (4, 0), (0, 5)) == found["maze.count"][0, 0] == 9


# ---- experts, songs, pairs -------------------------------------------------------------------------------


def test_one_expert_answers_and_little_is_computed(play: Played) -> None:
    """J32, J33."""
    x, router, w_in, w_out = (play(f"experts.{name}") for name in ("x", "router", "w_in", "w_out"))
    for row, word in enumerate(x):
        scores = [sum(a * b for a, b in zip(word, column, strict=True)) for column in router.T]
        best = max(range(3), key=lambda e: scores[e])
        share = math.exp(scores[best]) / sum(map(math.exp, scores))
        hidden = [max(0, float(word @ w_in[:, i])) for i in (2 * best, 2 * best + 1)]
        want = share * (hidden[0] * w_out[2 * best] + hidden[1] * w_out[2 * best + 1])
        assert play("experts.pick")[row, 0] == best
        assert play("experts.out")[row] == pytest.approx(want, abs=1e-12)
    assert play("experts.pick")[:, 0].tolist() == [0, 1, 0, 1, 2]
    assert play("experts.load")[:, 0].tolist() == [2, 2, 1]
    mlp = 768 * 3072 + 3072 * 768
    assert play("experts.has")[0, 0] == 8 * mlp + 8 * 768
    assert play("experts.uses")[0, 0] == mlp + 8 * 768
    assert play("experts.uses", n=64)[0, 0] == mlp + 64 * 768


def test_songs_that_were_heard_are_not_proposed(play: Played) -> None:
    """J21, N12."""
    found = play.built
    taste, style, heard = (found[f"songs.{name}"].astype(float) for name in ("taste", "style", "heard"))
    for person, row in enumerate(heard):
        scores = {i: taste[person] @ style[i] for i in range(6) if not row[i]}
        assert found["songs.next"][person, 0] == found["songs.names"][max(scores, key=scores.__getitem__), 0]
    assert set(play("songs.next", heard=1)[:, 0]) == {"nothing left"}


def test_counting_pairs_tells_what_comes_next(play: Played) -> None:
    """J22."""
    pairs = Counter(pairwise(TEXT.split()))
    for word in ("ultimately", "the"):
        want = sorted((n for (first, _), n in pairs.items() if first == word), reverse=True)[:5]
        found = play.all({"bigram.asked": word})
        texts, often = found["bigram.next"][:, 0], found["bigram.often"][:, 0]
        assert [n for n in often if n > 0] == want
        assert all(pairs[word, text] == n for text, n in zip(texts, often, strict=True) if n > 0)
        assert len(set(texts[: len(want)])) == len(want)
        assert found["bigram.share"][0, 0] == pytest.approx(
            want[0] / sum(n for (w, _), n in pairs.items() if w == word)
        )
    assert play("bigram.next")[0, 0] == "the"


def test_a_model_guesses_better_than_pairs_and_pairs_better_than_chance(play: Played) -> None:
    """J23: uniform, bigram, GPT, in nats for each token of the same text."""
    model = find_model("fable")
    read, told = (model.tokenizer().encode(text) for text in (READ, TOLD))
    pairs, firsts = Counter(pairwise(read)), Counter(read[:-1])
    bigram = [(pairs[a, b] + 20 / 1024) / (firsts[a] + 20) for a, b in pairwise(told)]
    gpt = [next_probs(model, told[: i + 1])[t] for i, t in enumerate(told[1:])]
    want = [math.log(1024), *(sum(-math.log(p) for p in column) / len(column) for column in (bigram, gpt))]
    means = play("bigram.mean")[:, 0]
    assert means == pytest.approx(want, abs=1e-5)
    assert [round(x, 2) for x in means] == [6.93, 4.23, 1.57]


# ---- temperature -----------------------------------------------------------------------------------------


def drawn(scores: np.ndarray, t: float, k: int, share: float) -> list[float]:
    """Chances after temperature, top-k and top-p, word by word from the best on."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    warm = [math.exp((s - max(scores)) / t) if t else float(i == order[0]) for i, s in enumerate(scores)]
    kept, mass = [], 0.0
    for rank, i in enumerate(order):
        if rank == 0 or ((k == 0 or rank < k) and mass < share):
            kept.append(i)
        mass += warm[i] / sum(warm)
    total = sum(warm[i] for i in kept)
    return [warm[i] / total if i in kept else 0.0 for i in range(len(scores))]


@pytest.mark.parametrize(
    ("t", "k", "share"), [(0.8, 10, 0.9), (0, 10, 0.9), (1, 0, 1), (2, 4, 1), (1.5, 0, 0.6), (1, 1, 0)]
)
def test_a_tail_is_cut_and_the_rest_sums_to_1(t: float, k: int, share: float, play: Played) -> None:
    """I12 to I15."""
    scores = play("temperature.score")[:, 0]
    found = play("temperature.final", t=t, k=k, p=share)[:, 0]
    assert found == pytest.approx(drawn(scores, t, k, share), abs=1e-12)
    assert found.sum() == pytest.approx(1, abs=1e-12)


def test_nobody_moves_haircut(play: Played) -> None:
    """I13."""
    assert play("temperature.words")[-1, 0] == "haircut"
    assert play("temperature.before")[-1, 0] > 0
    assert play("temperature.final")[-1, 0] == 0
    assert play("temperature.final", t=2, k=0, p=1)[-1, 0] > 0.01
    words = [play("temperature.text", u=u)[0, 0] for u in (0, 0.4, 0.6, 0.85, 0.999, 7)]
    assert words == ["quickly", "quickly", "fast", "around", "to", "to"]
