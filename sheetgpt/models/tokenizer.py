"""Text to token numbers and back: GPT-2's byte-level BPE, from its own two files.

The files are OpenAI's `vocab.bpe` (one merge a line, best first) and `encoder.json` (token to
number); the rules are those of `src/encoder.py` in github.com/openai/gpt-2.
"""

from __future__ import annotations

import heapq
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import orjson

from sheetgpt.errors import PromptError, WeightError
from sheetgpt.models.unicode import CLASSES, char_class, class_ranges

Merge = tuple[str, str]

END_OF_TEXT = "<|endoftext|>"
MERGES_FILE, TOKENS_FILE = "vocab.bpe", "encoder.json"
VERSION_LINE = "#version: 0.2"

_MOST_BYTES = 64 * 2**20
_MOST_CACHED = 50_000
VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥"}

_KINDS = dict(zip(CLASSES, ("letters", "numbers", "white space", "signs"), strict=True))


@cache
def byte_letters() -> dict[int, str]:
    """One printable character for each of the 256 bytes, in the order of GPT-2's first 256 tokens.

    >>> byte_letters()[ord("a")], byte_letters()[ord(" ")]
    ('a', 'Ġ')
    """
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [b for b in range(256) if b not in set(plain)]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(rest)}


@cache
def _letter_bytes() -> dict[str, int]:
    return {letter: b for b, letter in byte_letters().items()}


def to_letters(data: bytes) -> str:
    """Bytes as they are written in the two files: `b" a"` is `"Ġa"`."""
    letters = byte_letters()
    return "".join([letters[b] for b in data])


@cache
def words_pattern() -> re.Pattern[str]:
    r"""GPT-2's `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, by our table of Unicode.

    So a text is cut alike wherever sheetgpt runs, and as a workbook's table cuts it.
    """
    ranges = class_ranges()
    ends = [first - 1 for first, _ in ranges[1:]] + [0x10FFFF]
    of: dict[str, str] = dict.fromkeys(CLASSES, "")
    for (first, name), last in zip(ranges, ends, strict=True):
        of[name] += f"\\U{first:08x}-\\U{last:08x}"
    letter, number, space, other = (f"[{of[name]}]" for name in CLASSES)
    return re.compile(
        rf"'s|'t|'re|'ve|'m|'ll|'d| ?{letter}+| ?{number}+| ?{other}+|{space}+(?=\Z|{space})|{space}+", re.DOTALL
    )


class Tokenizer:
    """GPT-2's tokenizer. `load` reads the two files; the constructor takes them read and checks them."""

    def __init__(self, tokens: dict[str, int], merges: list[Merge]) -> None:
        """Raises `WeightError` where the two do not fit each other."""
        _check_tokens(tokens)
        _check_merges(tokens, merges)
        self.merges = merges
        self.tokens = tokens
        self.n_vocab = len(tokens)
        self.eot = tokens.get(END_OF_TEXT)
        self._tokens = sorted(tokens, key=tokens.__getitem__)
        self._bytes = [bytes([_letter_bytes()[c] for c in token]) for token in self._tokens]
        self._ranks = {merge: i for i, merge in enumerate(merges)}
        self._lacks = {b for b, letter in byte_letters().items() if letter not in tokens}
        self._cache: dict[str, list[int]] = {}

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Reads `vocab.bpe` and `encoder.json` in `folder`; raises `WeightError` for anything amiss."""
        tokens = parse_tokens(_read(folder / TOKENS_FILE))
        return cls(tokens, parse_merges(_read(folder / MERGES_FILE)))

    def encode(self, text: str) -> list[int]:
        """The token numbers of `text`; `<|endoftext|>` in it is thirteen ordinary characters.

        Raises `PromptError` for a character that UTF-8 or the vocabulary does not have.
        """
        self._check_text(text)
        return [i for word in self.words(text) for i in self._encode_word(word)]

    def words(self, text: str) -> list[str]:
        """The pieces that are merged one by one; joined they are `text` again."""
        return words_pattern().findall(text)

    def byte_ids(self) -> list[int]:
        """The token that each of the 256 bytes is to begin with; -1 for a byte that the vocabulary lacks."""
        return [self.tokens.get(letter, -1) for _, letter in sorted(byte_letters().items())]

    def merge_ids(self) -> list[tuple[int, int, int]]:
        """The merges, best first, as token numbers: left, right, and what the two become."""
        return [(self.tokens[a], self.tokens[b], self.tokens[a + b]) for a, b in self.merges]

    def decode_bytes(self, ids: list[int]) -> bytes:
        """The bytes that the tokens stand for; raises `PromptError` for a number that is no token."""
        for i in ids:
            if not 0 <= i < self.n_vocab:
                raise PromptError(f"{i} is no token: the vocabulary goes from 0 to {self.n_vocab - 1}")
        return b"".join([self._bytes[i] for i in ids])

    def decode(self, ids: list[int]) -> str:
        """The text of the tokens; half a character becomes U+FFFD, as in GPT-2."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def visible(self, token_id: int) -> str:
        """A token for a reader's eye: `␣` for a space, `⏎`, `⇥`, and `<0xE2>` for what cannot be shown."""
        if token_id == self.eot:
            return END_OF_TEXT
        text = self.decode_bytes([token_id]).decode("utf-8", errors="surrogateescape")
        return "".join([_visible_char(c) for c in text])

    def kind(self, token_id: int) -> str:
        """What kind of text a token is: `letters`, `␣ + letters`, `numbers`, `bytes` of no whole character ..."""
        if token_id == self.eot:
            return "end of text"
        try:
            text = self.decode_bytes([token_id]).decode("utf-8")
        except UnicodeDecodeError:
            return "bytes"
        body = text.removeprefix(" ") or text
        kinds = {char_class(ord(c)) for c in body}
        name = _KINDS[kinds.pop()] if len(kinds) == 1 else "mixed"
        return f"␣ + {name}" if len(body) < len(text) else name

    def _check_text(self, text: str) -> None:
        characters = dict.fromkeys(text)  # each once, in the order of the text
        if halves := [c for c in characters if 0xD800 <= ord(c) <= 0xDFFF]:
            raise PromptError(f"the text has half a character, U+{ord(halves[0]):04X} (a lone surrogate): remove it")
        for c in characters:
            if self._lacks and not self._lacks.isdisjoint(c.encode()):
                raise PromptError(f"this model's vocabulary has no {c!r}; it knows {self._alphabet()}")

    def _alphabet(self) -> str:
        known = [b for b in byte_letters() if b not in self._lacks]
        few = "".join([chr(b) for b in known[:40] if chr(b).isprintable()])
        return f"{few!r} and {len(known) - 40} more bytes" if len(known) > 40 else repr(few)

    def _encode_word(self, word: str) -> list[int]:
        found = self._cache.get(word)
        if found is None:
            found = [self.tokens[part] for part in merge_word(to_letters(word.encode()), self._ranks)]
            if len(word) < 100 and len(self._cache) < _MOST_CACHED:
                self._cache[word] = found
        return found


def merge_word(letters: str, ranks: dict[Merge, int]) -> list[str]:
    """Merges one word, the best pair first and its leftmost occurrence first, until no pair is left.

    A heap over a linked list: n log n in the word's length, where GPT-2's own loop takes n squared.

    >>> merge_word("lower", {("l", "o"): 0, ("lo", "w"): 1})
    ['low', 'e', 'r']
    """
    parts = list(letters)
    end = len(parts)
    after = list(range(1, end + 1))
    before = list(range(-1, end - 1))
    heap = [(ranks[p], i, p) for i, p in enumerate(pairwise(parts)) if p in ranks]
    heapq.heapify(heap)

    def offer(left: int, right: int) -> None:
        pair = (parts[left], parts[right])
        if pair in ranks:
            heapq.heappush(heap, (ranks[pair], left, pair))

    while heap:
        _, i, (a, b) = heapq.heappop(heap)
        j = after[i]
        if parts[i] != a or j >= end or parts[j] != b:
            continue  # one of the two has gone into another merge since
        parts[i], parts[j] = a + b, ""
        after[i] = after[j]
        if before[i] >= 0:
            offer(before[i], i)
        if after[i] < end:
            before[after[i]] = i
            offer(i, after[i])
    return [part for part in parts if part]


def _visible_char(c: str) -> str:
    if c in VISIBLE:
        return VISIBLE[c]
    if c.isprintable():
        return c
    return "".join([f"<0x{b:02X}>" for b in c.encode("utf-8", errors="surrogateescape")])


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise WeightError(f"{path}: not a file")
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise WeightError(f"{path}: cannot be read ({error.strerror}); a model needs its {path.name}") from error
    if len(data) > _MOST_BYTES:
        raise WeightError(f"{path}: larger than {_MOST_BYTES // 2**20} MiB; this is no {path.name}")
    return data


def parse_tokens(data: bytes, name: str = TOKENS_FILE) -> dict[str, int]:
    """The tokens and their numbers, unchecked, of a file called `name`; raises `WeightError`."""
    try:
        tokens = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise WeightError(f"{name}: not JSON ({error}); copy the file again") from error
    if not isinstance(tokens, dict):
        raise WeightError(f'{name}: must be one object such as {{"A": 0}}, not a {type(tokens).__name__}')
    return tokens


def parse_merges(data: bytes, name: str = MERGES_FILE) -> list[Merge]:
    """The merges, unchecked, of a file called `name`; raises `WeightError`."""
    try:
        lines = data.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise WeightError(f"{name}: byte {error.start} is not UTF-8; copy the file again") from error
    if not lines[0].startswith("#version"):
        raise WeightError(f"{name}: the first line must be {VERSION_LINE!r}")
    return [_parse_merge(name, number, line) for number, line in enumerate(lines[1:], start=2) if line]


def _parse_merge(name: str, number: int, line: str) -> Merge:
    parts = line.split(" ")
    if len(parts) != 2 or not all(parts):
        raise WeightError(f"{name}: line {number} must be two symbols with a space between, not {line[:40]!r}")
    return parts[0], parts[1]


def _check_tokens(tokens: dict[str, int]) -> None:
    seen: dict[int, str] = {}
    for token, i in tokens.items():
        if type(i) is not int or not 0 <= i < len(tokens):
            raise WeightError(
                f"{TOKENS_FILE}: token {token[:40]!r} must have a number from 0 to {len(tokens) - 1}, not {i!r:.40}"
            )
        if i in seen:
            raise WeightError(f"{TOKENS_FILE}: tokens {seen[i][:40]!r} and {token[:40]!r} both have number {i}")
        if not token or not all(c in _letter_bytes() for c in token):
            raise WeightError(f"{TOKENS_FILE}: token {token[:40]!r} is not in GPT-2's byte letters")
        seen[i] = token
    if not tokens:
        raise WeightError(f"{TOKENS_FILE}: has no token")


def _check_merges(tokens: dict[str, int], merges: list[Merge]) -> None:
    """Each merge joins what is there by then and makes a new token; encoding relies on this order."""
    known = {letter for letter in byte_letters().values() if letter in tokens}
    for i, (a, b) in enumerate(merges):
        where = f"{MERGES_FILE}: merge {i} ({a[:40]!r}, {b[:40]!r})"
        if a not in known or b not in known:
            raise WeightError(f"{where} uses a symbol that no earlier merge makes; the lines must keep their order")
        if a + b not in tokens:
            raise WeightError(f"{where} makes a token that {TOKENS_FILE} lacks; take both files from one model")
        if a + b in known:
            raise WeightError(f"{where} makes a token that is already made; remove the line")
        known.add(a + b)
