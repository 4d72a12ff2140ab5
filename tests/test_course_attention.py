"""The course, part Attention: what the source material tells, and oracles in plain Python."""

from __future__ import annotations

from math import exp, hypot, sqrt

import numpy as np
import pytest

from sheetgpt.course.context import CONTEXT
from sheetgpt.course.demo import Demo
from sheetgpt.course.gravity import GRAVITY
from sheetgpt.course.mask import MASK
from sheetgpt.course.onehead import ONEHEAD
from sheetgpt.course.translate import TRANSLATE
from tests.knobs import Knobs, needs_office

PART = (ONEHEAD, MASK, GRAVITY, TRANSLATE, CONTEXT)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Knobs:
    return Knobs(PART, tmp_path_factory.mktemp("attention"))


@pytest.mark.parametrize("demo", PART, ids=[demo.name for demo in PART])
def test_no_knob_makes_an_error_or_breaks_a_law(demo: Demo, book: Knobs) -> None:
    assert len(book.of(demo)) >= 2
    assert list(book.errors(demo)) == []


@needs_office
@pytest.mark.parametrize("demo", PART, ids=[demo.name for demo in PART])
def test_nor_does_it_in_libreoffice(demo: Demo, book: Knobs) -> None:
    assert list(book.office_errors(demo)) == []


def shares(scores: list[float]) -> list[float]:
    powers = [exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


# ---- one head by hand --------------------------------------------------------------------------------------


def test_one_head_is_attention_word_by_word(book: Knobs) -> None:
    x, wq, wk, wv = (book.given(f"onehead.{name}").tolist() for name in ("x", "wq", "wk", "wv"))

    def times(word: list[float], matrix: list[list[float]]) -> list[float]:
        return [sum(n * row[c] for n, row in zip(word, matrix, strict=True)) for c in range(len(matrix[0]))]

    for i, word in enumerate(x):
        query, earlier = times(word, wq), x[: i + 1]
        fits = [sum(a * b for a, b in zip(query, times(other, wk), strict=True)) / sqrt(2) for other in earlier]
        share = shares(fits)
        read = [sum(s * times(other, wv)[c] for s, other in zip(share, earlier, strict=True)) for c in range(4)]
        np.testing.assert_allclose(book.at("onehead.pattern")[i], share + [0] * (3 - i), atol=1e-12)
        np.testing.assert_allclose(book.at("onehead.out")[i], np.add(word, read), atol=1e-12)
        np.testing.assert_allclose(book.at("onehead.after", {"onehead.pick": i})[0], np.add(word, read), atol=1e-12)


def test_he_reads_most_from_mike(book: Knobs) -> None:
    """Item G6."""
    he = book.at("onehead.pattern")[2]
    assert he.argmax() == 0
    assert he[0] > 0.9


def test_attention_moves_the_vector_of_moves(book: Knobs) -> None:
    """Item G10: from the generic word to a quick one."""
    before, after, vectors = book.at("onehead.before")[0], book.at("onehead.after")[0], book.given("onehead.vector")
    for place, found in ((before, "onehead.was"), (after, "onehead.now")):
        np.testing.assert_allclose(book.at(found)[:, 0], [hypot(*(v - place)) for v in vectors], atol=1e-12)
    assert book.at("onehead.shift") == pytest.approx(hypot(*(after - before)))
    assert book.texts("onehead.nearest") == ["moves"]
    assert book.texts("onehead.nearer") == ["dashes"]


def test_the_way_by_hand_picks_a_word_that_there_is(book: Knobs) -> None:
    for typed, row in ((-7, 0), (0.9, 0), (2, 2), (99, 3)):
        assert book.at("onehead.row", {"onehead.pick": typed}) == row


# ---- the mask ----------------------------------------------------------------------------------------------


def test_the_upper_triangle_is_exactly_nothing_and_rows_add_up_to_1(book: Knobs) -> None:
    pattern, scores = book.at("mask.pattern"), book.given("mask.scores")
    assert np.triu(pattern, 1).max() == 0
    np.testing.assert_allclose(pattern.sum(axis=1), 1, atol=1e-12)
    for i, row in enumerate(scores.tolist()):
        np.testing.assert_allclose(pattern[i, : i + 1], shares(row[: i + 1]), atol=1e-12)


def test_without_the_mask_every_word_peeks(book: Knobs) -> None:
    off = {"mask.on": 0.0}
    pattern = book.at("mask.pattern", off)
    np.testing.assert_allclose(pattern, [shares(row) for row in book.given("mask.scores").tolist()], atol=1e-12)
    np.testing.assert_allclose(book.at("mask.peek", off)[:4, 0], pattern.diagonal(1), atol=1e-15)
    np.testing.assert_allclose(book.at("mask.ahead", off)[:, 0], np.triu(pattern, 1).sum(axis=1), atol=1e-12)
    assert (book.at("mask.peek", off)[:4] > 0).all()
    assert book.texts("mask.light", off) == ["OK"]


# ---- gravity -----------------------------------------------------------------------------------------------


def test_words_pull_by_fit_and_stars_by_distance(book: Knobs) -> None:
    place, fit, mass = (book.given(f"gravity.{name}") for name in ("place", "fit", "mass"))
    share = shares(fit[:, 0].tolist())
    force = [m / (x * x + y * y + 0.01) for (x, y), m in zip(place.tolist(), mass[:, 0].tolist(), strict=True)]
    part = [f / sum(force) for f in force]
    for name, weights, end in (("share", share, "after"), ("part", part, "fallen")):
        np.testing.assert_allclose(book.at(f"gravity.{name}")[:, 0], weights, atol=1e-12)
        pulled = [0.8 * sum(w * p[c] for w, p in zip(weights, place, strict=True)) for c in range(2)]
        np.testing.assert_allclose(book.at(f"gravity.{end}")[0], pulled, atol=1e-12)
    assert (book.texts("gravity.most"), book.texts("gravity.best")) == (["quick"], ["He"])


def test_the_picture_slips_where_distance_counts(book: Knobs) -> None:
    far = {"gravity.place[1,0]": 400.0, "gravity.place[1,1]": 300.0}
    assert book.at("gravity.share", far).tolist() == book.at("gravity.share").tolist()
    assert book.at("gravity.part", far)[1, 0] < book.at("gravity.part")[1, 0] / 1000


# ---- encoder and decoder -----------------------------------------------------------------------------------


def test_cross_attention_rows_add_up_to_1(book: Knobs) -> None:
    """Item M6."""
    pattern = book.at("translate.pattern")
    np.testing.assert_allclose(pattern.sum(axis=1), 1, atol=1e-12)
    assert pattern.argmax(axis=1).tolist() == [1, 0, 2, 4, 3]  # French puts the noun first


def test_attention_translates_what_one_vector_cannot(book: Knobs) -> None:
    """Item M5: with one context vector of fixed size both animals are the same."""
    assert book.texts("translate.with") == ["chat", "noir", "voit", "chien", "blanc"]
    assert book.texts("translate.without") == ["chat", "noir", "voit", "chat", "noir"]
    assert book.texts("translate.with", {"translate.sharp": 0.0}) == book.texts("translate.without")
    np.testing.assert_allclose(book.at("translate.mean"), 0.2, atol=1e-15)
    np.testing.assert_allclose(book.at("translate.taken"), book.at("translate.pattern").sum(axis=0)[:, None])


# ---- context -----------------------------------------------------------------------------------------------


def test_dropping_a_word_changes_what_is_likely(book: Knobs) -> None:
    """Item M2."""
    table, bias = book.given("context.table"), book.given("context.bias")[0]
    rows = [range(4), *([i for i in range(4) if i != gone] for gone in range(4))]
    wanted = [shares([b + sum(table[i, c] for i in row) for c, b in enumerate(bias)]) for row in rows]
    np.testing.assert_allclose(book.at("context.prob")[:5], wanted, atol=1e-12)
    for gone in range(4):
        now = book.at("context.now", {f"context.keep[{gone},0]": 0.0})
        np.testing.assert_allclose(now[:, 0], wanted[1 + gone], atol=1e-12)
    moves = [row[0] for row in wanted]
    assert min(range(5), key=moves.__getitem__) == 3  # without quick: as the answer says
