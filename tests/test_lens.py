"""The logit lens and the playground against plain numpy, which reads the weights' files and never a plan.

Cells are typed into one workbook and computed by IronCalc; `test_tries` does the same in LibreOffice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sheetgpt.build import Built, Room, build, evaluated
from sheetgpt.check.verify import verify
from sheetgpt.engines import get
from sheetgpt.models.reference import forward
from sheetgpt.models.weights import Weights
from sheetgpt.plan.playground import SPACE
from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.grid import CellError

Array = NDArray[Any]
TYPED = Room(tokens=14, characters=16, word_bytes=6)


def depths(model: Weights, ids: list[int]) -> Array:
    """The logits [D, V] of the last token's row, read after the embedding and after each block."""
    c = model.config
    w = {name: np.loadtxt(model.path(name), delimiter=",", ndmin=2) for name in model}
    a = forward(w, ids, n_layer=c.n_layer, n_head=c.n_head, eps=c.eps)
    rows = np.stack([a[name][-1] for name in ("embed.out", *(f"h{i}.resid_post" for i in range(c.n_layer)))])
    flat = (rows - rows.mean(1, keepdims=True)) / np.sqrt(rows.var(1, keepdims=True) + c.eps)
    return np.asarray((flat * w["ln_f.g"] + w["ln_f.b"]) @ w.get("lm_head.w", w["wte"]).T)


@pytest.mark.parametrize(("name", "live"), [("tiny", True), ("untied", False)])
def test_the_lens_is_the_head_after_every_block(name: str, live: bool, request: pytest.FixtureRequest) -> None:
    model: Weights = request.getfixturevalue(name)
    tokenizer = model.tokenizer()
    for prompt in ("the cat", "mat", "t"):
        ids = tokenizer.encode(prompt)
        _, env = evaluated(model, prompt, TYPED if live else Room(fixed=True))
        logits = depths(model, ids)
        probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        best = int(logits[-1].argmax())
        order = np.argsort(-logits, axis=1)
        assert np.allclose(env["lens.logits"], logits.T, atol=1e-10)
        assert np.allclose(env["lens.prob"][:, 0], probs[:, best], atol=1e-12)
        assert env["lens.rank"][:, 0].tolist() == [1 + row.tolist().index(best) for row in order]
        texts = [[tokenizer.visible(i) for i in row[:5]] for row in order]
        assert env["lens.text"].tolist() == texts
        assert np.allclose(env["lens.share"], -np.sort(-probs, axis=1)[:, :5], atol=1e-12)
        assert np.allclose(env["lens.final"], env["logits"], atol=1e-12)
        assert env["lens.text"][-1, 0] == env["next.text"][0, 0]


# ---- what is typed -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def book(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tiny, "the cat", tmp_path_factory.mktemp("lens") / "book.xlsx", TYPED, check=False)


def typed(book: Built, path: Path, texts: Mapping[str, list[str]]) -> dict[str, Array]:
    """What IronCalc makes of the tabs of both after texts have been typed into places, one below the other."""
    cells: dict[str, dict[tuple[int, int], str]] = {}
    for name, column in texts.items():
        box = book.blueprint.layout.ranges[name]
        cells.setdefault(box.tab, {}).update({(box.row + r, box.col): text for r, text in enumerate(column)})
    edit(book.path, path, cells, {})
    values = get("ironcalc").recalculate(path)
    out = {}
    for name, box in book.blueprint.layout.ranges.items():
        if name.startswith(("lens.", "near.", "analogy.", "cosines.")) and book.blueprint.plan[name].args:
            area = [[values[box.tab].get((box.row + r, box.col + c)) for c in range(box.cols)] for r in range(box.rows)]
            out[name] = np.array(area, object)
    return out


def broken(found: Mapping[str, Array]) -> list[str]:
    """Places with a cell of an error, or of nothing."""
    return [name for name, x in found.items() if any(v is None or isinstance(v, CellError) for v in x.ravel())]


def test_a_prompt_without_an_answer_shows_nothing(book: Built, tmp_path: Path) -> None:
    found = typed(book, tmp_path / "long.xlsx", {"prompt.text": ["longer than this workbook has room for"]})
    assert broken(found) == []
    assert set(found["lens.text"].ravel()) == {""}
    assert all(set(found[f"lens.{name}"].ravel()) == {0.0} for name in ("rank", "prob", "share"))
    assert set(found["lens.id"].ravel()) == {-1.0}


def test_neighbours_analogies_and_cosines_are_those_of_every_pair(book: Built, tiny: Weights, tmp_path: Path) -> None:
    wte = np.loadtxt(tiny.path("wte"), delimiter=",")
    vocab = [tiny.tokenizer().visible(i) for i in range(len(wte))]
    size = np.linalg.norm(wte, axis=1)
    wild = {"near.word": ["*"], "analogy.word": ["C", "c", "?"], "cosines.word": [" ", "C", "c", "~", "no such", ""]}
    found = typed(book, tmp_path / "wild.xlsx", wild)  # wildcards, one letter twice, a space, no token, nothing
    assert broken(found) == []

    star = vocab.index("*")
    cosine, away = wte @ wte[star] / size / size[star], np.linalg.norm(wte - wte[star], axis=1)
    for at, order, values in (("alike", np.argsort(-cosine), cosine), ("close", np.argsort(away), away)):
        assert found[f"near.{at}.id"][:, 0].tolist() == order[:11].tolist()
        assert found[f"near.{at}.text"][:, 0].tolist() == [vocab[i] for i in order[:11]]
        assert np.allclose(found[f"near.{at}.value"][:, 0].astype(float), values[order[:11]], atol=1e-12)

    given = [vocab.index(word) for word in ("C", "c", "?")]
    target = wte[given[1]] - wte[given[0]] + wte[given[2]]
    order = np.argsort(-(wte @ target) / size)[:8]
    assert found["analogy.best.id"][:, 0].tolist() == order.tolist()
    assert found["analogy.best.given"][:, 0].tolist() == ["given" if i in given else "" for i in order]
    gaps = np.linalg.norm(wte[order] - target, axis=1)
    assert np.allclose(found["analogy.best.distance"][:, 0].astype(float), gaps, atol=1e-12)

    words = [vocab.index(word) for word in (SPACE, "C", "c", "~")]
    assert found["cosines.id"][:, 0].tolist() == [*words, -1, -1]
    table = wte[words] @ wte[words].T / np.outer(size[words], size[words])
    assert np.allclose(found["cosines.table"][:4, :4].astype(float), table, atol=1e-12)
    assert set(found["cosines.table"][4:].ravel()) | set(found["cosines.table"][:, 4:].ravel()) == {-2.0}
    assert found["cosines.said"][:, 0].tolist()[3:] == ["", "Not one token: see tab Vocabulary.", "Type a token."]


def test_a_word_that_is_no_token_leaves_what_follows_empty(book: Built, tiny: Weights, tmp_path: Path) -> None:
    path = tmp_path / "none.xlsx"
    found = typed(book, path, {"near.word": ["THE"], "analogy.word": ["the", "The", "t"]})
    assert broken(found) == []
    assert found["near.said"][0, 0] == "Not one token: see tab Vocabulary."
    assert set(found["near.alike.text"].ravel()) == set(found["near.close.text"].ravel()) == {""}
    assert set(found["near.alike.value"].ravel()) == {-2.0}
    assert set(found["near.close.value"].ravel()) == {-1.0}
    assert found["analogy.lacking"][0, 0] == 1
    assert set(found["analogy.best.text"].ravel()) | set(found["analogy.best.given"].ravel()) == {""}
    report = verify(path, model=str(tiny.folder))
    assert report.faults == []
    assert [knob.name for knob in report.knobs] == ["near.word", "analogy.word[1,0]", "analogy.word[2,0]"]


def test_words_to_begin_with_are_tokens_of_the_model(fable: Weights) -> None:
    _, env = evaluated(fable, "the cat")
    assert env["near.word"].tolist() == [["␣girl"]]
    assert env["analogy.word"][:, 0].tolist() == ["␣boy", "␣girl", "␣he"]
    assert env["analogy.best.text"][:2, 0].tolist() == ["␣she", "␣he"]


def test_a_small_vocabulary_fills_what_it_can(sorter: Weights) -> None:
    _, env = evaluated(sorter, "CAB")
    assert env["cosines.word"][:, 0].tolist() == ["C", "B", "A", "", "", ""]
    assert env["near.alike.id"].shape == (3, 1)
    assert env["lens.text"].shape == (4, 3)
    assert env["analogy.best.given"][:, 0].tolist() == ["given"] * 3
