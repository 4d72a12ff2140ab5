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


def learn(documents: str | Iterable[str], n_vocab: int, special: Sequence[str] = (END_OF_TEXT,)) -> list[Merge]:
    """The merges, best first, that make a vocabulary of `n_vocab` with the 256 bytes and `special`.

    Each step merges the pair of neighbours that occurs most often; of equally frequent pairs, the
    one that comes first when pairs are ordered by their left, then their right symbol (as the files
    write symbols, by code point). A pair that would make a token anew is passed over. Stops early,
    with fewer merges, when no word has two symbols left. A special token in the text divides it.

    Raises `WeightError` when `n_vocab` has no room for the bytes and the special tokens.
    """
    n_merges = n_vocab - len(byte_letters()) - len(special)
    if n_merges < 0:
        raise WeightError(f"n_vocab must be at least {n_vocab - n_merges}, for the bytes and {len(special)} special")
    texts = [documents] if isinstance(documents, str) else documents
    return learn_from_counts(count_words(texts, special), n_merges)


def count_words(documents: Iterable[str], special: Sequence[str] = (END_OF_TEXT,)) -> Counter[str]:
    """How often each word of GPT-2's pattern occurs, in byte letters."""
    counts: Counter[str] = Counter()
    for text in documents:
        for piece in _split(text, special):
            counts.update(words_pattern().findall(piece))
    return Counter({to_letters(word.encode()): n for word, n in counts.items()})


def learn_from_counts(words: Counter[str], n_merges: int) -> list[Merge]:
    """At most `n_merges` merges from words in byte letters and how often each occurs.

    >>> learn_from_counts(Counter({"low": 5, "lower": 2, "newest": 6, "widest": 3}), 3)
    [('e', 's'), ('es', 't'), ('l', 'o')]
    """
    pairs = _Pairs(words)
    merges: list[Merge] = []
    while len(merges) < n_merges and (best := pairs.best()) is not None:
        merges.append(best)
        pairs.merge(best)
    return merges


def vocabulary(merges: Sequence[Merge], special: Sequence[str] = (END_OF_TEXT,)) -> dict[str, int]:
    """Token to number in GPT-2's order: the bytes, the merges by rank, the special tokens."""
    tokens = [*byte_letters().values(), *(a + b for a, b in merges), *special]
    return {token: i for i, token in enumerate(tokens)}


def save(folder: Path, merges: Sequence[Merge], special: Sequence[str] = (END_OF_TEXT,)) -> None:
    """Writes `vocab.bpe` and `encoder.json` into `folder`, as `Tokenizer.load` and GPT-2 read them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [VERSION_LINE, *(f"{a} {b}" for a, b in merges)]
    (folder / MERGES_FILE).write_bytes(("\n".join(lines) + "\n").encode())
    (folder / TOKENS_FILE).write_bytes(orjson.dumps(vocabulary(merges, special)) + b"\n")


class _Pairs:
    """Every word as its symbols, and how often each pair of neighbours occurs, kept up to date."""

    def __init__(self, words: Counter[str]) -> None:
        self._words = [list(word) for word in words]
        self._times = list(words.values())
        self._made: set[str] = set()
        self._counts: Counter[Merge] = Counter()
        self._where: defaultdict[Merge, set[int]] = defaultdict(set)
        for i in range(len(self._words)):
            self._count(i, self._times[i])
        self._heap = [(-n, pair) for pair, n in self._counts.items()]
        heapq.heapify(self._heap)

    def best(self) -> Merge | None:
        """The most frequent pair; entries of the heap that are out of date are dropped on the way."""
        while self._heap:
            n, pair = heapq.heappop(self._heap)
            if self._counts[pair] == -n and n and pair[0] + pair[1] not in self._made:
                return pair
        return None

    def merge(self, pair: Merge) -> None:
        """Makes one symbol of `pair` in every word."""
        self._made.add(pair[0] + pair[1])
        changed: set[Merge] = set()
        for i in list(self._where[pair]):
            changed |= self._count(i, -self._times[i])
            self._words[i] = _merged(self._words[i], pair)
            changed |= self._count(i, self._times[i])
        for other in changed:
            heapq.heappush(self._heap, (-self._counts[other], other))

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
