"""GPT-2's tokenizer as places: a typed prompt becomes characters, words, merges and token ids.

The word pattern and the byte pair encoding are those of openai/gpt-2 `src/encoder.py`. Symbols are token ids and a
pair is one number (left * vocabulary + right), so nothing is ever compared as text, where spreadsheets ignore case
and know wildcards. R is the number of character rows, one more than there is room for: the last row stays empty.
T is the number of token rows, which are also the word rows, since every word gives a token. L is the room for a
word's bytes, V the size of the vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.ops import Expr, Scalar, apply, lit, spell
from sheetgpt.plan.plan import Plan

NO_MERGE = 1e9  # the rank of a pair that no merge joins
NONE = -1.0  # no symbol, no word, no answer
NO_ANSWER = "no answer"  # what is said where an answer would stand
# Code points that nobody types: LibreOffice 7.4 makes the first of a tab in a text of several lines, and drops the
# second before a line feed; the others are no characters.
UNTYPED = (0x01, 0x0D, 0xFFFE, 0xFFFF)


class Live(NamedTuple):
    """How much a workbook has room for, and the sizes of its tokenizer's tables."""

    n_chars: int  # characters of a prompt
    n_bytes: int  # bytes of a word
    n_merges: int
    n_ranges: int  # ranges of code points of one class


class Words(NamedTuple):
    """Columns that later steps read."""

    n: Expr  # [1, 1]
    text: Expr  # [T, 1]
    size: Expr  # [T, 1]
    lacking: Expr  # [T, 1]
    symbol: Expr  # [T, L]


def tokenize(p: Plan, config: ModelConfig, n_rows: int, live: Live, text: Expr) -> tuple[Expr, Expr, Expr]:
    """From `prompt.text` to its length in tokens, row numbers and ids."""
    chars, left = characters(p, text, live)
    words = cut(p, chars, left, n_rows, live)
    symbols = climb(p, words.symbol, config.n_vocab, live)
    return ids_of(p, text, chars, words, symbols, config.n_ctx, live)


def characters(p: Plan, text: Expr, live: Live) -> tuple[dict[str, Expr], Expr]:
    """The prompt one character a row [R, 1]: its code point, class and bytes, and where words start."""
    first = p.data("unicode.first", (live.n_ranges, 1))
    classes = p.data("unicode.class", (live.n_ranges, 1), text=True)
    pos = p.data("chars.pos", (live.n_chars + 1, 1))  # 0, 1, 2 ...
    left = p("chars.left", apply("suffixes", text, pos))
    code = p("chars.code", apply("where", same(apply("length", left), 0), 0, apply("code", left)))
    untyped = lit(0)
    for point in UNTYPED:
        untyped = apply("where", same(code, point), 1, untyped)
    odd = p("chars.odd", apply("sum", untyped))
    ended = same(code, 0)
    p("chars.text", apply("where", ended, "", apply("char", code)))
    size = p("chars.size", apply("where", ended, 0, 1 + (128 <= code) + (2048 <= code) + (65536 <= code)))
    data = p("chars.byte", apply("utf8", code, size))  # [R, 4]
    total = p("chars.total", apply("cumsum", size))
    offset = p("chars.offset", total - size)
    kind = p("chars.class", apply("where", ended, "", apply("gather", classes, apply("locate", code, first))))
    n = p("chars.n", apply("sum", apply("where", ended, 0, 1)))
    word = p("chars.word", apply("cumsum", word_starts(p, pos, left, code, kind, n)))
    return {"n": n, "odd": odd, "offset": offset, "byte": data, "word": word, "reach": p["chars.reach"]}, left


def word_starts(p: Plan, pos: Expr, left: Expr, code: Expr, kind: Expr, n: Expr) -> Expr:
    """1 where a word of GPT-2's pattern starts, else 0 [R, 1].

    `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`: how far a word reaches depends
    only on what follows its first character, so it is worked out for every row, and then the rows are walked.
    """
    run = p("chars.run", apply("runs", kind))
    short = p("chars.short", apply("contraction", left))
    next_kind, next_run = apply("below", "", kind), apply("below", 0, run)
    joins = apply("where", same(next_kind, "space"), 0, apply("where", same(next_kind, ""), 0, same(code, 32)))
    blanks = apply("where", same(pos + run, n), run, apply("where", run <= 1, 1, run - 1))  # \s+(?!\S), \s+
    spaces = apply("where", joins, 1 + next_run, blanks)
    plain = apply("where", same(kind, "space"), spaces, run)
    reach = p("chars.reach", apply("where", 0 < short, short, plain))
    togo = p("chars.togo", apply("countdown", reach))
    over = apply("above", 1, togo) <= 1
    return p("chars.start", apply("where", same(code, 0), 0, apply("where", over, 1, 0)))


def cut(p: Plan, chars: dict[str, Expr], left: Expr, n_rows: int, live: Live) -> Words:
    """One word a row [T, 1], its bytes side by side [T, L], and the token that each byte is to begin with."""
    pos = p.data("words.pos", (n_rows, 1))  # 0, 1, 2 ...
    fits = chars["n"] <= live.n_chars
    n = p("words.n", apply("where", fits, apply("max", chars["word"]), 0))
    at = p("words.at", apply("where", n <= pos, NONE, apply("find", pos + 1, chars["word"])))
    gone = at < 0
    length = p("words.length", apply("where", gone, 0, apply("gather", chars["reach"], at)))
    rest = apply("gather", left, at + length)
    text = p("words.text", apply("where", gone, "", apply("without", apply("gather", left, at), rest)))
    offset = p("words.offset", apply("where", gone, 0, apply("gather", chars["offset"], at)))
    size = p("words.size", apply("where", gone, 0, apply("gather", chars["offset"], at + length) - offset))
    data = p("words.byte", spell(offset, size, chars["offset"], chars["byte"], live.n_bytes))
    ids = p.data("bpe.byte", (256, 1))
    symbol = p("words.symbol", apply("where", same(data, 0), NONE, apply("gather", ids, data)))
    known = p("words.known", apply("rowcount", symbol))
    return Words(n, text, size, p("words.lacking", size - known), symbol)


def climb(p: Plan, symbol: Expr, n_vocab: int, live: Live) -> Expr:
    """For each word a ladder of L rungs, one merge a rung: the pair of the lowest rank becomes one symbol.

    One merge a rung, leftmost first, equals joining all its occurrences at once for merges that a BPE learner made
    (Sennrich et al. 2016, section 3.2). A rung is two rows: L symbols and which pair is joined; below them the ranks
    of their L-1 pairs, the lowest of these, and the token that it makes. Returns the last symbols of each word [T, L].
    """
    size = live.n_merges + 2  # and two rows that are no merge
    pairs, ranks, made = (p.data(f"bpe.{name}", (size, 1)) for name in ("pair", "rank", "token"))
    ladder = p("merges.ladder", apply("ladder", symbol, pairs, ranks, made, lit(n_vocab)))  # [2TL, L + 1]
    p("merges.text", apply("drawn", ladder, p["vocab.text"]))  # [2TL, L]
    return p("words.token", apply("rung", ladder, symbol))


def ids_of(
    p: Plan, text: Expr, chars: dict[str, Expr], words: Words, tokens: Expr, n_ctx: int, live: Live
) -> tuple[Expr, Expr, Expr]:
    """The tokens of all words in one column [T, 1]; none where the prompt does not fit."""
    n_rows = tokens.shape[0]
    count = p("words.count", apply("rowcount", tokens))
    upto = p("words.upto", apply("cumsum", count))
    before = p("words.before", upto - count)
    # COUNTIF passes over errors, SUM does not: what cannot be computed must not be counted as nothing
    total = p("words.total", apply("sum", count) + 0 * apply("sum", tokens))
    problem = p("prompt.problem", what_is_wrong(p, text, chars, words, total, n_ctx, live))
    n = p("prompt.n", apply("where", same(apply("length", problem), 0), total, 0))
    pos = p.data("prompt.pos", (n_rows, 1))  # 0, 1, 2 ...
    ended = n <= pos
    word = p("prompt.word", apply("where", ended, NONE, apply("locate", pos, before)))
    p("prompt.from", apply("where", ended, "", apply("gather", words.text, word)))
    at = pos - apply("gather", before, word)
    ids = p("prompt.ids", apply("where", ended, 0, apply("item", tokens, word, at)))
    return n, pos, ids


def what_is_wrong(
    p: Plan, text: Expr, chars: dict[str, Expr], words: Words, total: Expr, n_ctx: int, live: Live
) -> Expr:
    """Why the prompt has no answer; empty text if it has one."""
    n_rows = words.size.shape[0]
    longest = p("words.longest", apply("max", words.size))
    lacking = p("words.unknown", apply("max", words.lacking))
    many = f"This prompt has more than {live.n_chars} characters, which is all that there is room for. "
    twice = f"--tokens {min(2 * n_rows, n_ctx)} --characters {2 * live.n_chars}"
    checks: list[tuple[Expr, Expr | str]] = [
        (same(apply("length", text), 0), "Type a prompt."),
        (same(apply("where", apply("istext", text), 1, 0), 0), "This is no text. Put an apostrophe before it."),
        (live.n_chars < chars["n"], many + _shorten(twice)),
        (live.n_bytes < longest,
         _too_long("A word of this prompt has ", longest, "bytes", live.n_bytes, "--word-bytes")),
        (0 < chars["odd"], "A character of this prompt cannot be typed: a carriage return, or a tab that this program "
         "has changed."),
        (0 < lacking, "This model's vocabulary lacks a character of this prompt."),
        (n_ctx < words.n, _beyond("at least ", words.n, n_ctx)),
        (n_rows < words.n, _too_long("This prompt has at least ", words.n, "tokens", n_rows, "--tokens")),
        (n_ctx < total, _beyond("", total, n_ctx)),
        (n_rows < total, _too_long("This prompt has ", total, "tokens", n_rows, "--tokens")),
    ]  # fmt: skip
    out = lit("")
    for wrong, message in reversed(checks):
        out = apply("where", wrong, message, out)
    return apply("usable", out, "This text cannot be read. Type another prompt.")


def _too_long(has: str, count: Expr, what: str, room: int, option: str) -> Expr:
    """How many there are, how many there is room for, and how to get a workbook with as much room."""
    said = apply("join", apply("join", has, count), f" {what}, there is room for {room}. {_shorten(f'{option} ')}")
    return apply("join", said, count)


def _shorten(option: str) -> str:
    return f"Shorten it, or make a workbook with more room: sheetgpt build {option}"


def _beyond(at_least: str, count: Expr, n_ctx: int) -> Expr:
    """What no workbook has room for."""
    said = apply("join", f"This prompt has {at_least}", count)
    return apply("join", said, f" tokens, and this model sees at most {n_ctx} at once. Shorten it.")


def answered(live: Live | bool | None, n: Expr, x: Expr, none: Expr | Scalar) -> Expr:
    """`x`, or `none` where a typed prompt has no answer."""
    return apply("where", n <= 0, none, x) if live else x


def same(x: Expr, y: Expr | float | str) -> Expr:
    """Whether two numbers, or two words of our own, are equal."""
    return apply("eq", x, y)
