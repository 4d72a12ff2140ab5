"""Other inputs for a workbook, with which formulas are told from numbers in disguise: prompts, ids, numbers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.evaluate import Env
from sheetgpt.check.source import fitting
from sheetgpt.errors import SheetGPTError
from sheetgpt.models.weights import Weights
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.blueprint import Blueprint

Given = dict[str, NDArray[Any]]  # places that are given, with other values

_GENERIC = ("the cat sat on the mat", "what is this", "to be", "a b", "a")


def typed_prompt(text: str) -> Given:
    """A prompt as what is given to a workbook that takes any."""
    return {"prompt.text": np.array([[text]], dtype=object)}


def other_numbers(book: Blueprint, values: Env) -> Given:
    """Every token another one, also those of rows after the prompt's end; what earlier stages hand over, changed."""
    plan, roles = book.plan, book.plan.roles
    given = {name: -0.5 * values[name][::-1, ::-1] for name, role in roles.items() if role is Role.UPSTREAM}
    if "prompt.ids" in plan:
        given["prompt.ids"] = (values["prompt.ids"] + 1) % book.card.config.n_vocab
        given["prompt.n"] = values["prompt.n"] % book.card.n_rows + 1
    return {name: numbers for name, numbers in given.items() if np.isfinite(numbers).all()}


class Prompts:
    """Prompts that fit into a workbook for any prompt, beside its own."""

    def __init__(self, book: Blueprint, weights: Weights, own: str) -> None:
        self._card, self._weights, self._tokenizer, self._own = book.card, weights, weights.tokenizer(), own
        self._own_ids = self.ids(own)

    def ids(self, text: str) -> list[int]:
        """The token of each row, 0 after the prompt's end; none at all where there is no room for it."""
        with suppress(SheetGPTError):
            ids = fitting(self._card, self._weights, self._tokenizer, text)
            return ids + [0] * (self._card.n_rows - len(ids))
        return []

    def best(self) -> str | None:
        """The one that gives another token to the most rows; the first of equals."""
        tried = dict.fromkeys(text for text in self._tried() if text != self._own)
        return max((text for text in tried if self.ids(text)), key=self._differing, default=None)

    def _differing(self, text: str) -> int:
        ids = self.ids(text)
        return sum(a != b for a, b in zip(ids, self._own_ids or [-1] * len(ids), strict=True))

    def _tried(self) -> Iterator[str]:
        """The words or characters of this prompt in another order, plain words; each once, and again and again."""
        own, words = self._own, self._own.split()
        orders = [" ".join(words[::-1]), own[::-1], " ".join(_turned(words)), "".join(_turned(own))]
        short = [text for text in (*orders, " ".join(words[1:]), own[1:], *_GENERIC) if text]
        yield from short
        for text in short:
            yield from (self._repeated(text + between) for between in ("", " "))

    def _repeated(self, text: str) -> str:
        """A text again and again, as far as there is room."""
        most = self._card.live.n_chars if self._card.live else 0
        full = (text * (most // len(text) + 1))[:most]
        return full[: bisect_left(range(1, len(full) + 1), True, key=lambda size: not self.ids(full[:size]))]


def _turned(parts: Sequence[str]) -> list[str]:
    """Each of some words or characters replaced by the next of them in order, the last by the first."""
    order = sorted(set(parts))
    return [order[(order.index(part) + 1) % len(order)] for part in parts]
