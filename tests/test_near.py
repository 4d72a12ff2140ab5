"""`near` and `analogy` against plain numpy, on models of any kind; what they refuse; that no whole matrix is read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from sheetgpt.cli import main
from sheetgpt.models import bpe, nearest, stored, weights
from sheetgpt.models.export import write_model
from sheetgpt.models.weights import Weights
from tests.conftest import TINY, random_arrays


def run(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


def told(*args: str) -> dict[str, object]:
    result = run(*args, "--format", "json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.output))


def measured(table: np.ndarray, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    length = np.linalg.norm(table, axis=1) * np.linalg.norm(point)
    return table @ point / length, np.linalg.norm(table - point, axis=1)


def listed(found: object) -> list[tuple[int, int, str]]:
    return [(one["rank"], one["id"], one["text"]) for one in found]  # type: ignore[attr-defined]


@pytest.mark.parametrize("word", ["␣girl", " happy", "The", "!", "<0xE2>", "⏎", "<|endoftext|>"])
def test_near_is_what_numpy_says(word: str, fable: Weights) -> None:
    table, tokenizer = fable["wte"], fable.tokenizer()
    texts = [tokenizer.visible(i) for i in range(fable.config.n_vocab)]
    at = texts.index(word.replace(" ", "␣"))
    cosine, distance = measured(table, table[at])
    found = told("near", word, "-k", "7")
    falling, rising = np.argsort(-cosine, kind="stable")[:8], np.argsort(distance, kind="stable")[:8]
    assert listed(found["by_cosine"]) == [(r, i, texts[i]) for r, i in enumerate(falling)]
    assert listed(found["by_distance"]) == [(r, i, texts[i]) for r, i in enumerate(rising)]
    np.testing.assert_allclose([one["cosine"] for one in found["by_cosine"]], cosine[falling], rtol=1e-12)
    np.testing.assert_allclose([one["distance"] for one in found["by_distance"]], distance[rising], atol=1e-12)
    assert [one["given"] for one in found["by_cosine"]] == [True] + [False] * 7
    assert found["below_0"] == (cosine < 0).mean()
    assert found["lowest"] == pytest.approx(cosine.min())


@pytest.mark.parametrize("three", [("␣boy", "␣girl", "␣he"), ("␣is", "␣was", "␣are"), ("␣bird", "␣sky", "␣car")])
def test_analogy_is_what_numpy_says(three: tuple[str, str, str], fable: Weights) -> None:
    table, tokenizer = fable["wte"], fable.tokenizer()
    texts = [tokenizer.visible(i) for i in range(fable.config.n_vocab)]
    a, b, c = (texts.index(word) for word in three)
    cosine, distance = measured(table, table[b] - table[a] + table[c])
    found = told("analogy", *three)
    falling = np.argsort(-cosine, kind="stable")[:8]
    assert listed(found["by_cosine"]) == [(r, i, texts[i]) for r, i in enumerate(falling)]
    assert listed(found["by_distance"])[0][1] == distance.argmin()
    assert [one["given"] for one in found["by_cosine"]] == [i in (a, b, c) for i in falling]
    assert found["given"] == list(three)


def test_text_shows_the_same(fable: Weights) -> None:
    result = run("analogy", "␣boy", "␣girl", "␣he")
    assert result.exit_code == 0
    first, second, *_ = [line.split() for line in result.output.split("by cosine")[1].splitlines()[2:]]
    assert first[:3] == ["0", "325", "␣she"]
    assert second[2] == "␣he"
    assert second[-1] == "given"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("girl", "girl is not one token but 2: g irl; did you mean ␣girl?"),
        ("␣girls", "␣girls is not one token but 2: ␣girl s"),
        ("", "the word is empty: give one token"),
        ("x" * 5000, "a word of 5,000 characters is not one token"),
        ("\udcff", "half a character"),
        ("a\nb", "a<0A>b is not one token but 3: a ⏎ b"),
    ],
)
def test_what_is_not_one_token_is_told_in_one_line(word: str, said: str) -> None:
    for args in (["near", word], ["analogy", "␣boy", "␣girl", word]):
        result = run(*args)
        assert result.exit_code == 2
        assert said in result.stderr
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""


def test_more_than_there_are_is_all_there_is(tiny: Weights) -> None:
    found = told("near", "!", "--model", str(tiny.folder), "-k", "100000")
    assert len(listed(found["by_cosine"])) == TINY.n_vocab


def odd_model(folder: Path) -> Weights:
    """Three rows that are equal, and two of zeros."""
    arrays = random_arrays(TINY, seed=3)
    arrays["wte"][40] = arrays["wte"][7] = arrays["wte"][20]
    arrays["wte"][[5, 6]] = 0
    folder.mkdir()
    bpe.save(folder, bpe.learn(["the cat sat on the mat"], TINY.n_vocab))
    write_model(folder, "odd", TINY, arrays)
    return Weights.open(folder)


def test_of_equals_the_lower_id_comes_first(tmp_path: Path) -> None:
    model = odd_model(tmp_path / "odd")
    found = nearest.near(model, model.tokenizer().visible(20), 3)
    assert [one.id for one in found.by_cosine[:3]] == [7, 20, 40]
    assert [one.id for one in found.by_distance[:3]] == [7, 20, 40]


def test_a_row_of_zeros_has_no_cosine(tmp_path: Path) -> None:
    model = odd_model(tmp_path / "odd")
    found = nearest.near(model, model.tokenizer().visible(20), TINY.n_vocab)
    assert [(one.id, one.cosine) for one in found.by_cosine[-2:]] == [(5, None), (6, None)]
    zero = nearest.near(model, model.tokenizer().visible(5), 1)
    assert (zero.lowest, zero.below_0, zero.by_distance[1].distance) == (None, 0.0, 0.0)
    assert run("near", model.tokenizer().visible(5), "--model", str(model.folder)).exit_code == 0


def test_a_large_table_is_never_whole_in_memory(tiny: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in pieces of a few rows it gives the same."""
    word = tiny.tokenizer().visible(200)
    whole = nearest.near(tiny, word, 9), nearest.analogy(tiny, word, "!", "a", 9)
    monkeypatch.setattr(weights, "_KEPT", 0)
    monkeypatch.setattr(stored, "_CHUNK", 3 * TINY.n_embd)
    again = Weights.open(tiny.folder)
    sizes = [len(piece) for piece in again.rows("wte")]
    assert max(sizes) <= 3
    assert len(sizes) > 80
    monkeypatch.setattr(Weights, "__getitem__", lambda *_: pytest.fail("a whole matrix was read"))
    assert (nearest.near(again, word, 9), nearest.analogy(again, word, "!", "a", 9)) == whole
