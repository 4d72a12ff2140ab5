"""A workbook of few rows that stands for a large one: the same tabs, of each place some rows, of the blocks the first.

Nothing in it is computed: weights are some of those there are, all other values look like what they stand for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.models.decimals import decimals
from sheetgpt.models.weights import Weights
from sheetgpt.plan.model import MASKED
from sheetgpt.plan.plan import Plan, Role
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.layout import Layout, Range, Tab

_TOKENS = 16  # token rows that stand for all
_SAMPLE = 20_000  # cells of a table that stand for all of them
_FEW = 8  # tokens for whose sake no row is left out
_NAMES = 2  # rows above a place: its name, its ruler
_BLOCKS = 4  # blocks whose weights are looked at
_WHOLE_NUMBERS = ("chars.", "words.", "prompt.", "top.rank", "top.id", "next.id", "vocab.", "bpe.", "unicode.")


class _ThinPlan(Plan):
    """A plan with other numbers of rows."""

    def __init__(self, plan: Plan, rows: Mapping[str, int]) -> None:
        super().__init__()
        self._places = {name: replace(e, shape=(rows.get(name, e.shape[0]), e.shape[1])) for name, e in plan.items()}
        self.roles, self.text, self.row_names = plan.roles, plan.text, plan.row_names
        self.starts = plan.starts


class Thin:
    """The blueprint of a workbook with few rows a place, from the middle of those there are, and one block."""

    def __init__(self, book: Blueprint) -> None:
        self.whole = book
        self.blocks = sorted({tab.block for tab in book.layout.tabs if tab.block is not None})
        self.n_blocks, self.block = len(self.blocks), self.blocks[0] if self.blocks else None
        tabs = tuple(tab for tab in book.layout.tabs if tab.block in (None, self.block))
        self.stands_for: dict[str, dict[int, float]] = {tab.name: {} for tab in tabs}  # tab -> row -> rows
        ranges = dict(book.layout.ranges)
        for tab in tabs:
            ranges |= {box.name: box for box in self._thinned(tab)}
        rows = {name: box.rows for name, box in ranges.items()}
        self.book = Blueprint(book.card, _ThinPlan(book.plan, rows), Layout(tabs, ranges))

    @cached_property
    def _by_tab(self) -> dict[str, list[Range]]:
        found: dict[str, list[Range]] = {name: [] for name in self.stands_for}
        for box in self.whole.layout.ranges.values():
            found.get(box.tab, []).append(box)
        return found

    def _thinned(self, tab: Tab) -> Iterator[Range]:
        bands: dict[int, list[Range]] = {}
        for box in self._by_tab[tab.name]:
            bands.setdefault(box.row, []).append(box)
        for row, boxes in bands.items():
            n = max(box.rows for box in boxes)
            kept = self._kept(tab, n, sum(box.cols for box in boxes))
            first = row + (n - kept) // 2
            self.stands_for[tab.name] |= dict.fromkeys(range(first, first + kept), n / kept)
            for box in boxes:  # what is shorter stands for itself, above the rows that stand for several
                yield box if box.rows <= first - row - _NAMES else box._replace(row=first, rows=min(kept, box.rows))

    def _kept(self, tab: Tab, rows: int, cols: int) -> int:
        """How many rows of a band stand for all; those of tokens and of their merges go together."""
        card = self.whole.card
        each = 2 * card.live.n_bytes if card.live and tab.lesson == "merges" else 1
        if rows == each * card.n_rows:
            return each * (card.n_rows if card.n_rows < _TOKENS + _FEW else _TOKENS)
        return min(rows, max(_TOKENS, _SAMPLE // cols))

    def copies(self, tab: Tab) -> int:
        """How many tabs it stands for."""
        return 1 if tab.block is None else self.n_blocks

    def shape(self, name: str) -> tuple[int, int]:
        """Rows and columns that a place has here."""
        return self.book.plan[name].shape

    def shown(self, name: str) -> NDArray[np.int64]:
        """For each row that a place has here, which of all its rows it stands for."""
        return np.linspace(0, self.whole.plan[name].shape[0] - 1, self.shape(name)[0]).astype(np.int64)


class Values(dict[str, NDArray[Any]]):
    """Weights as they are, other values as in a workbook that is half filled by its prompt; made when asked for."""

    def __init__(self, thin: Thin, weights: Weights | None) -> None:
        super().__init__()
        self._thin, self._weights, self._rng = thin, weights, np.random.default_rng(0)
        self._tokenizer = weights.tokenizer() if weights else None

    def __missing__(self, name: str) -> NDArray[Any]:
        plan = self._thin.book.plan
        learned = plan.roles[name] is Role.PARAMETER
        make = self._learned if learned else self._texts if name in plan.text else self._numbers
        self[name] = found = make(name)
        return found

    def _learned(self, name: str) -> NDArray[np.float64]:
        rows, cols = self._thin.shape(name)
        if self._weights is None:
            return decimals(self._rng.normal(0, 0.02, (rows, cols)).astype(np.float32))
        if (rows, cols) == self._weights.config.shapes()[name]:
            return self._weights[name]
        names = self._alike(name)
        beginnings = [next(self._weights.rows(other))[: -(-rows // len(names))] for other in names]
        return np.resize(np.concatenate(beginnings), (rows, cols))

    def _alike(self, name: str) -> list[str]:
        """The same weight in some blocks."""
        if not name.startswith(f"h{self._thin.block}."):
            return [name]
        blocks = np.linspace(0, self._thin.n_blocks - 1, min(self._thin.n_blocks, _BLOCKS)).astype(int)
        return [f"h{self._thin.blocks[i]}.{name.partition('.')[2]}" for i in blocks]

    def _texts(self, name: str) -> NDArray[Any]:
        rows, cols = self._thin.whole.plan[name].shape if self._thin.shape(name)[1] == 1 else self._thin.shape(name)
        if name.startswith("vocab."):
            texts = [self._token(name, i) for i in np.random.default_rng(0).permutation(rows).tolist()]
        elif name == "merges.text":
            texts = ["" if i % cols > 3 or i > rows * cols // 2 else "ab"[: 1 + i % 2] for i in range(rows * cols)]
        else:
            texts = ["text"[: 1 + i % 4] if i < rows / 2 else "" for i in range(rows * cols)]
        return np.array(texts, object).reshape(rows, cols)

    def _token(self, name: str, i: int) -> str:
        if self._tokenizer is None:
            letters = self._rng.integers(97, 123, self._rng.integers(2, 11), np.uint8).tobytes()
            return letters.decode() if name == "vocab.text" else letters.hex(" ").upper()
        tokenizer = self._tokenizer
        return tokenizer.visible(i) if name == "vocab.text" else tokenizer.decode_bytes([i]).hex(" ").upper()

    def _numbers(self, name: str) -> NDArray[np.float64]:
        plan, (rows, cols) = self._thin.whole.plan, self._thin.shape(name)
        at, last = self._thin.shown(name), plan[name].shape[0]
        if name == "merges.ladder":
            unused = np.where(np.arange(rows) % 2, 1e9, -1.0)[:, None] + np.zeros(cols)
            used = (np.arange(cols) < 4) & (at < last / 2)[:, None]
            return np.where(used, self._rng.integers(0, 1000, (rows, cols)), unused)
        if name.startswith(_WHOLE_NUMBERS):
            return self._whole_numbers(name, at, last)
        values = self._rng.normal(size=(rows, cols))
        if name.startswith("points."):  # 0 after the prompt's end, down and across
            values[at >= last / 2] = 0
            values[:, cols // 2 :] *= cols != last
        if name.endswith((".scores", ".exp", ".pattern")) and cols == last:
            values[np.arange(cols) > at[:, None]] = MASKED if name.endswith(".scores") else 0
        return values

    def _whole_numbers(self, name: str, at: NDArray[np.int64], last: int) -> NDArray[np.float64]:
        cols = self._thin.shape(name)[1]
        if name == "bpe.pair":
            n_vocab = self._thin.whole.card.config.n_vocab
            return np.sort(self._rng.integers(0, n_vocab**2, (len(at), cols)), axis=0).astype(np.float64)
        if name.endswith(("pos", "id", "rank", "first", "token", "byte")) and cols == 1:
            return at[:, None].astype(np.float64)
        filled = self._rng.integers(0, 256, (len(at), cols))
        return np.where((at < last / 2)[:, None], filled, 0).astype(np.float64)
