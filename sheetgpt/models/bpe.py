"""Learns the merges of a byte-level BPE from text, and writes them in GPT-2's two files.

The algorithm is that of Sennrich et al. (2016, arXiv 1508.07909) on bytes, within the words of
GPT-2's pattern (Radford et al. 2019). Counts are kept up to date instead of counted anew, so
5 MB of text take seconds.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import orjson

from sheetgpt.errors import WeightError
from sheetgpt.models.tokenizer import (
    END_OF_TEXT,
    MERGES_FILE,
    TOKENS_FILE,
    VERSION_LINE,
    Merge,
    byte_letters,
    to_letters,
    words_pattern,
)

Ties = Literal["symbols", "seen"]  # which of equally frequent pairs is merged first
MOST_LETTERS = 1 << 22  # of the different words of a text: these need half a gigabyte of memory


def learn(
    documents: str | Iterable[str],
    n_vocab: int,
    special: Sequence[str] = (END_OF_TEXT,),
    *,
    ties: Ties = "symbols",
    most: int | None = None,
) -> list[Merge]:
    """The merges, best first, that make a vocabulary of `n_vocab` with the 256 bytes and `special`.

    Each step merges the pair of neighbours that occurs most often; of equally frequent pairs, by `ties`, the one that
    comes first when pairs are ordered by their left, then their right symbol (as the files write symbols, by code
    point), or the one that is seen first: in the word that the text has first, and there leftmost. A pair that would
    make a token anew is passed over. Stops early, with fewer merges, when no word has two symbols left. A special
    token in the text divides it.

    Raises `WeightError` when `n_vocab` has no room for the bytes and the special tokens, or the text has different
    words of more than `most` bytes together.
    """
    n_merges = n_vocab - len(byte_letters()) - len(special)
    if n_merges < 0:
        raise WeightError(
            f"the vocabulary must have at least {n_vocab - n_merges} tokens, for the bytes and {len(special)} special"
        )
    texts = [documents] if isinstance(documents, str) else documents
    return learn_from_counts(count_words(texts, special, most), n_merges, ties)


def count_words(
    documents: Iterable[str], special: Sequence[str] = (END_OF_TEXT,), most: int | None = None
) -> Counter[str]:
    """How often each word of GPT-2's pattern occurs, in byte letters, in the order of first occurrence.

    Raises `WeightError` for different words of more than `most` bytes together.
    """
    counts: Counter[str] = Counter()
    for text in documents:
        for piece in _split(text, special):
            counts.update(words_pattern().findall(piece))
        if most is not None and sum(map(len, counts)) > most:
            raise WeightError(f"the different words of the text have more than {most:,} letters; take a part of it")
    return Counter({to_letters(word.encode()): n for word, n in counts.items()})


def learn_from_counts(words: Counter[str], n_merges: int, ties: Ties = "symbols") -> list[Merge]:
    """At most `n_merges` merges from words in byte letters and how often each occurs.

    >>> learn_from_counts(Counter({"low": 5, "lower": 2, "newest": 6, "widest": 3}), 3)
    [('e', 's'), ('es', 't'), ('l', 'o')]
    """
    pairs = _Pairs(words, ties)
    merges: list[Merge] = []
    while len(merges) < n_merges and (best := pairs.best()) is not None:
        merges.append(best)
        pairs.merge(best)
    return merges


def vocabulary(merges: Sequence[Merge], special: Sequence[str] = (END_OF_TEXT,)) -> dict[str, int]:
    """Token to number in GPT-2's order: the bytes, the merges by rank, the special tokens."""
    tokens = [*byte_letters().values(), *(a + b for a, b in merges), *special]
    return {token: i for i, token in enumerate(tokens)}


def merges_text(merges: Sequence[Merge]) -> str:
    """What `vocab.bpe` holds: a merge a line, the best first."""
    return "".join(f"{line}\n" for line in (VERSION_LINE, *(f"{a} {b}" for a, b in merges)))


def save(folder: Path, merges: Sequence[Merge], special: Sequence[str] = (END_OF_TEXT,)) -> None:
    """Writes `vocab.bpe` and `encoder.json` into `folder`, as `Tokenizer.load` and GPT-2 read them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MERGES_FILE).write_bytes(merges_text(merges).encode())
    (folder / TOKENS_FILE).write_bytes(orjson.dumps(vocabulary(merges, special)) + b"\n")


class _Pairs:
    """Every word as its symbols, and how often each pair of neighbours occurs, kept up to date.

    The heap has a key for every pair that there is. A pair only ever loses occurrences once the merge that made its
    symbols is done, so its key may be too good, never too bad.
    """

    def __init__(self, words: Counter[str], ties: Ties) -> None:
        self._words = [list(word) for word in words]
        self._times = list(words.values())
        self._ties = ties
        self._made: set[str] = set()
        self._counts: Counter[Merge] = Counter()
        self._where: defaultdict[Merge, set[int]] = defaultdict(set)
        for i in range(len(self._words)):
            self._count(i, self._times[i])
        self._heap = [(self._key(pair), pair) for pair in self._counts]
        heapq.heapify(self._heap)

    def best(self) -> Merge | None:
        """The most frequent pair; a key that is too good by now is put right on the way."""
        while self._heap:
            key, pair = heapq.heappop(self._heap)
            if not self._counts[pair] or pair[0] + pair[1] in self._made:
                continue
            if key == (now := self._key(pair)):
                return pair
            heapq.heappush(self._heap, (now, pair))
        return None

    def merge(self, pair: Merge) -> None:
        """Makes one symbol of `pair` in every word."""
        made = pair[0] + pair[1]
        self._made.add(made)
        new: set[Merge] = set()
        for i in list(self._where[pair]):
            self._count(i, -self._times[i])
            self._words[i] = _merged(self._words[i], pair)
            new |= {other for other in self._count(i, self._times[i]) if made in other}
        for other in new:
            heapq.heappush(self._heap, (self._key(other), other))

    def _key(self, pair: Merge) -> tuple[int, int, int]:
        """The best pair has the least: how often it occurs, and where first, if ties go to the pair seen first."""
        if self._ties == "symbols":
            return -self._counts[pair], 0, 0
        first = min(self._where[pair])
        word = self._words[first]
        at = next(i for i, other in enumerate(pairwise(word)) if other == pair)
        return -self._counts[pair], first, sum(map(len, word[:at]))

    def _count(self, i: int, times: int) -> set[Merge]:
        found = set()
        for pair in pairwise(self._words[i]):
            self._counts[pair] += times
            found.add(pair)
        for pair in found:
            (self._where[pair].add if times > 0 else self._where[pair].discard)(i)
        return found


def _merged(symbols: list[str], pair: Merge) -> list[str]:
    out: list[str] = []
    for symbol in symbols:
        # `out[-1]` may itself be a merge just made, but then it is longer than `pair[0]`
        if out and out[-1] == pair[0] and symbol == pair[1]:
            out[-1] = pair[0] + pair[1]
        else:
            out.append(symbol)
    return out


def _split(text: str, special: Sequence[str]) -> list[str]:
    pieces = [text]
    for token in special:
        pieces = [part for piece in pieces for part in piece.split(token)]
    return pieces
