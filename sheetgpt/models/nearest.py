"""Which tokens lie nearest to a token, or to the answer of an analogy: by cosine and by distance, over all of `wte`.

As on the tab Playground of a workbook: a word is exactly one token, the space before it is ␣ or a space, and of equally
near tokens the one with the lower id comes first. Rows of `wte` are read a few at a time, so that GPT-2's fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sheetgpt.errors import PromptError
from sheetgpt.models.tokenizer import VISIBLE, Tokenizer
from sheetgpt.models.weights import Weights

_MOST_TOLD = 12  # tokens of a word that is not one
_LONGEST = 200  # characters of a word that may be one, or is told
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """A token in a list: rank from 0, and the cosine, which a row of zeros has not."""

    rank: int
    id: int
    text: str
    cosine: float | None
    distance: float
    given: bool  # whether it is one of those that were asked about


@dataclass(frozen=True)
class Nearest:
    """The tokens that are nearest to a point, by either measure."""

    model: str
    given: tuple[str, ...]
    by_cosine: tuple[Candidate, ...]
    by_distance: tuple[Candidate, ...]
    below_0: float  # the share of all tokens whose cosine is negative
    lowest: float | None  # of all cosines


def near(model: Weights, word: str, size: int) -> Nearest:
    """The token itself and the `size` tokens nearest to it; raises `PromptError` for what is not one token."""
    (token,) = _tokens(model.tokenizer(), [word])
    (row,) = _rows(model, [token])
    return _nearest(model, row, [token], size + 1)


def analogy(model: Weights, a: str, b: str, c: str, size: int) -> Nearest:
    """a is to b as c is to which token? The `size` tokens nearest to b - a + c, and three more: these may be given."""
    given = _tokens(model.tokenizer(), [a, b, c])
    first, second, third = _rows(model, given)
    return _nearest(model, second - first + third, given, size + 3)


def _tokens(tokenizer: Tokenizer, words: Sequence[str]) -> list[int]:
    """The token that each word is; raises `PromptError`, which tells the tokens of one that is several."""
    first = {tokenizer.visible(i): i for i in reversed(range(tokenizer.n_vocab))}
    seen = [word.replace(" ", VISIBLE[" "]) for word in words]
    for word in seen:
        if word not in first:
            raise PromptError(_not_one(tokenizer, word, first))
    return [first[word] for word in seen]


def _not_one(tokenizer: Tokenizer, word: str, known: dict[str, int]) -> str:
    if not word:
        return "the word is empty: give one token"
    if len(word) > _LONGEST:
        return f"a word of {len(word):,} characters is not one token"
    hint = f"; did you mean {spaced}?" if (spaced := VISIBLE[" "] + word) in known else ""
    text = word
    for plain, sign in VISIBLE.items():
        text = text.replace(sign, plain)
    parts = [tokenizer.visible(i) for i in tokenizer.encode(text)]
    told = " ".join(parts[:_MOST_TOLD]) + " ..." * (len(parts) > _MOST_TOLD)
    return f"{word} is not one token but {len(parts)}: {told}{hint}"


def _rows(model: Weights, ids: Sequence[int]) -> list[Vector]:
    """Some rows of `wte`; what lies behind the last of them is not read."""
    found: dict[int, Vector] = {}
    for at, piece in _pieces(model):
        found |= {i: piece[i - at].copy() for i in ids if at <= i < at + len(piece)}
        if len(found) == len(set(ids)):
            break
    return [found[i] for i in ids]


def _pieces(model: Weights) -> Iterator[tuple[int, Vector]]:
    at = 0
    for piece in model.rows("wte"):
        yield at, piece
        at += len(piece)


def _nearest(model: Weights, point: Vector, given: Sequence[int], size: int) -> Nearest:
    cosine, distance = _measured(model, point)
    tokenizer = model.tokenizer()

    def listed(order: NDArray[np.intp]) -> tuple[Candidate, ...]:
        return tuple(
            Candidate(rank, i, tokenizer.visible(i), _or_none(cosine[i]), float(distance[i]), i in given)
            for rank, i in enumerate(order[:size].tolist())
        )

    known = cosine[~np.isnan(cosine)]
    texts = tuple(tokenizer.visible(i) for i in given)
    falling = np.argsort(np.where(np.isnan(cosine), np.inf, -cosine), kind="stable")
    rising = np.argsort(distance, kind="stable")
    lowest = float(known.min()) if known.size else None
    share = float((known < 0).sum() / len(cosine))
    return Nearest(model.name, texts, listed(falling), listed(rising), share, lowest)


def _measured(model: Weights, point: Vector) -> tuple[Vector, Vector]:
    """Cosine (NaN where a length is 0) and distance of every token, each row summed alike, so that equals are equal."""
    n_vocab = model.config.n_vocab
    cosine, distance = np.empty(n_vocab), np.empty(n_vocab)
    length = np.sqrt((point * point).sum())
    for at, piece in _pieces(model):
        rows = slice(at, at + len(piece))
        both = np.sqrt((piece * piece).sum(axis=1)) * length
        with np.errstate(divide="ignore", invalid="ignore"):
            cosine[rows] = np.where(both > 0, (piece * point).sum(axis=1) / both, np.nan)
        distance[rows] = np.sqrt(((piece - point) ** 2).sum(axis=1))
    return cosine, distance


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
