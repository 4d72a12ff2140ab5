"""Causes by their symptoms: each mistake is made with numpy, and the table must name it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheetgpt.check.symptoms import diagnose, general, likely_cause
from sheetgpt.sheet.grid import CellError

rng = np.random.default_rng(7)
T, D = 6, 12
X, W, Y = rng.normal(size=(T, D)), rng.normal(size=(D, D)), rng.normal(size=(T, D))
B, C, G = rng.normal(size=(1, D)), rng.normal(size=(1, D)), rng.normal(size=(1, D))
OTHERS = {"h0.b": B, "h1.c": C, "h0.resid": X, "embed.out": Y}
LINEAR = X @ W + B
LOWER = np.tril(rng.random((T, T)))


def norm(x: np.ndarray, ddof: int) -> np.ndarray:
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, ddof=ddof, keepdims=True) + 1e-5) * G + B


def one_row(found: np.ndarray, row: int = 2) -> np.ndarray:
    """The mistake in one row only."""
    out = LINEAR.copy()
    out[row] = found[row]
    return out


MISTAKES = {
    "frozen row": (np.broadcast_to(LINEAR[:1], (T, D)), LINEAR, "row 0"),
    "frozen column": (np.broadcast_to(LINEAR[:, 3:4], (T, D)), LINEAR, "column 3"),
    "row before": (np.roll(LINEAR, 1, axis=0), LINEAR, "the row before"),
    "column after": (np.roll(LINEAR, -1, axis=1), LINEAR, "the column after"),
    "transposed": (LOWER.T, LOWER, "exchanged"),
    "heads": (np.hstack([LINEAR[:, 4:8], LINEAR[:, :4], LINEAR[:, 8:]]), LINEAR, "in the order 1, 0, 2"),
    "mask": (LOWER + np.triu(rng.random((T, T)), 1), LOWER, "mask"),
    "sign": (-LINEAR, LINEAR, "sign"),
    "sample variance": (norm(X, 1), norm(X, 0), f"n = {D}"),
    "sample variance, bare": ((norm(X, 1) - B) / G, (norm(X, 0) - B) / G, f"n = {D}"),
    "sample variance, itself": (X.var(1, ddof=1, keepdims=True), X.var(1, keepdims=True), f"n = {D}"),
    "scale": (LINEAR * np.sqrt(D), LINEAR, f"1/sqrt({D}) is missing"),
    "constant": (LINEAR * 1.25, LINEAR, "1.25 times"),
    "dropped": (X @ W, LINEAR, "h0.b is not added"),
    "twice": (LINEAR + B, LINEAR, "h0.b is added once too often"),
    "dropped in a row": (one_row(X @ W), LINEAR, "h0.b is not added"),
    "other bias": (X @ W + C, LINEAR, "adds h1.c instead of h0.b"),
    "other residual": (LINEAR + Y, LINEAR + X, "adds embed.out instead of h0.resid"),
    "frozen bias": (X @ W + B[0, 4], LINEAR, "entry 4 of h0.b"),
    "frozen bias in a row": (one_row(X @ W + B[0, 4]), LINEAR, "entry 4 of h0.b"),
    "one number": (LINEAR + 0.5, LINEAR, "0.5 is added to every cell"),
    "a strange row": (LINEAR + np.arange(1.0, D + 1), LINEAR, "the same row"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_named(name: str) -> None:
    found, wanted, says = MISTAKES[name]
    assert says in likely_cause(found, wanted, OTHERS)


@pytest.mark.parametrize(
    ("cell", "says"),
    [(CellError("#DIV/0!"), "#DIV/0!"), ("1.5", "text"), (None, "empty"), (float("nan"), "no number")],
)
def test_what_is_no_number(cell: object, says: str) -> None:
    found = LINEAR.astype(object)
    found[1, 2] = cell
    found = found.astype(float) if isinstance(cell, float) else found
    assert says in likely_cause(found, LINEAR, OTHERS)


SCORES = np.where(np.tri(T) > 0, rng.normal(size=(T, T)), -1e10)
ABOVE = np.triu(np.ones((T, T), bool), 1)
HEADS = {
    "another mask": (np.where(ABOVE, -1e9, SCORES), "another large negative number"),
    "an old model's mask": (np.where(ABOVE, -1e4, SCORES), "another large negative number"),
    "no mask": (np.where(ABOVE, 0.5, SCORES), "the causal mask is missing"),
    "one score unmasked": (np.where(np.eye(T, k=1) > 0, 0.5, SCORES), "the causal mask is missing"),
    "mask and all not scaled": (SCORES * 4, "1/sqrt(16) is missing"),
    "not scaled, then masked": (np.where(ABOVE, -1e9, SCORES * 4), "1/sqrt(16) is missing"),
    "by the model's width": (np.where(ABOVE, SCORES, SCORES / np.sqrt(3)), "1/sqrt(48) for 1/sqrt(16)"),
}


@pytest.mark.parametrize("name", HEADS)
def test_what_is_wrong_with_scores(name: str) -> None:
    """Of heads 16 wide in a model of width 48, neither of which is a size of the place itself."""
    found, says = HEADS[name]
    assert says in likely_cause(found, SCORES, {}, [16, 48])


def test_nothing_wrong_and_nothing_known() -> None:
    assert likely_cause(LINEAR, LINEAR, OTHERS) == ""
    assert likely_cause(rng.normal(size=(T, D)), LINEAR, OTHERS) == ""
    assert likely_cause(LINEAR[:2], LINEAR, OTHERS) == ""


def test_a_family_has_no_numbers_of_blocks() -> None:
    causes = [diagnose(X @ W + C, LINEAR, {f"h{i}.b": B, f"h{i}.c": C}) for i in (0, 11)]
    assert len({cause.text for cause in causes if cause}) == 2
    assert len({cause.family for cause in causes if cause}) == 1
    assert general("h11.attn.head2.q.b") == "h*.attn.head*.q.b"


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(2, 5))
def test_random_noise_has_no_cause(seed: int, rows: int, cols: int) -> None:
    noise = np.random.default_rng(seed).normal(size=(3, rows, cols))
    assert likely_cause(noise[0], noise[1], {"other": noise[2]}) == ""
