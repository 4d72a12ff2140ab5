"""The tokenizer against tiktoken, on GPT-2's own files; and what it says to files that are broken."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from sheetgpt.errors import PromptError, WeightError
from sheetgpt.models.tokenizer import Tokenizer, byte_letters
from tests.oracles import GPT2, needs_gpt2, tiktoken_encoding

NASTY = [
    "",
    " ",
    "  \n\n\t  x",
    "I'll we've it's 'S don'T",
    "naïve café — “quoted”",
    "日本語のテキスト",
    "👩‍👩‍👧‍👦 🇩🇪 é",
    "a\x00b\x7f\x85\u2028\ufeff",
    "<|endoftext|>",
    "=1+1",
    "x" * 200,
    "ab" * 70 + " " * 90 + "1" * 80,
    "\r\n\r\n ",
    "ⅷ²½ ٣",
]


@pytest.fixture(scope="module")
def gpt2():
    return Tokenizer.load(GPT2)


@pytest.fixture(scope="module")
def oracle():
    return tiktoken_encoding(GPT2)


@needs_gpt2
@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Mike is quick. He moves", [16073, 318, 2068, 13, 679, 6100]),
        (" quickly", [2952]),
        (" reinjury", [6865, 21871]),
        (" reindeer", [302, 521, 28153]),
        ("TL;DR", [14990, 26, 7707]),
    ],
)
def test_known_ids(gpt2, text, ids):
    assert gpt2.encode(text) == ids
    assert gpt2.decode(ids) == text


@needs_gpt2
def test_strawberry_depends_on_what_stands_before(gpt2):
    words = ["strawberry", " strawberry", "Strawberry", " Strawberry", '"strawberry', "STRAWBERRY"]
    assert [len(gpt2.encode(word)) for word in words] == [3, 1, 3, 1, 4, 4]


@needs_gpt2
def test_gpt2_has_its_sizes(gpt2):
    assert (gpt2.n_vocab, len(gpt2.merges), gpt2.eot) == (50257, 50000, 50256)


@needs_gpt2
@pytest.mark.parametrize("text", NASTY)
def test_nasty_text_is_cut_as_by_tiktoken(gpt2, oracle, text):
    assert gpt2.encode(text) == oracle.encode_ordinary(text)
    assert gpt2.decode(gpt2.encode(text)) == text


@needs_gpt2
@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60) | st.text("abeht '\n.19é", max_size=120))
def test_any_text_is_cut_as_by_tiktoken(gpt2, oracle, text):
    ids = gpt2.encode(text)
    assert ids == oracle.encode_ordinary(text)
    assert gpt2.decode(ids) == text
    assert gpt2.eot not in ids


@needs_gpt2
@settings(max_examples=100, deadline=None)
@given(ids=st.lists(st.integers(0, 50256), max_size=20))
def test_any_tokens_are_put_together_as_by_tiktoken(gpt2, oracle, ids):
    assert gpt2.decode_bytes(ids) == oracle.decode_bytes(ids)
    assert gpt2.decode(ids) == oracle.decode(ids, errors="replace")


@needs_gpt2
@pytest.mark.parametrize("text", ["a" * 100_000, "qzxj" * 25_000, " " * 100_000])
def test_a_long_word_takes_seconds(gpt2, text):
    began = time.monotonic()
    ids = gpt2.encode(text)
    assert time.monotonic() - began < 5
    assert gpt2.decode(ids) == text


@pytest.mark.parametrize(
    ("bytes_", "shown"),
    [
        (b" the", "␣the"),
        (b"\n", "⏎"),
        (b"\t\r", "⇥<0x0D>"),
        (b"\xe2", "<0xE2>"),
        (b" \xe2\x80", "␣<0xE2><0x80>"),
        ("é".encode(), "é"),
        ("\u2028".encode(), "<0xE2><0x80><0xA8>"),
        (b"\x00", "<0x00>"),
        (b"=", "="),
    ],
)
def test_visible(bytes_, shown):
    tokens = list(byte_letters().values())
    merges = []
    symbol = byte_letters()[bytes_[0]]
    for b in bytes_[1:]:
        merges.append((symbol, byte_letters()[b]))
        symbol += byte_letters()[b]
        tokens.append(symbol)
    tokenizer = Tokenizer({token: i for i, token in enumerate([*tokens, "<|endoftext|>"])}, merges)
    assert tokenizer.visible(tokens.index(symbol)) == shown
    assert tokenizer.visible(len(tokens)) == "<|endoftext|>"


def test_byte_letters_are_256_printable_characters():
    letters = byte_letters()
    assert len(letters) == len(set(letters.values())) == 256
    assert all(letter.isprintable() and letter != " " for letter in letters.values())
    assert (letters[ord(" ")], letters[ord("\n")], letters[0]) == ("Ġ", "Ċ", "Ā")


@pytest.fixture
def letters():
    return Tokenizer({"A": 0, "B": 1, "C": 2}, [])


def test_three_letters(letters):
    assert letters.encode("CABBA") == [2, 0, 1, 1, 0]
    assert letters.decode([2, 0, 1]) == "CAB"
    assert letters.eot is None


@pytest.mark.parametrize(("text", "named"), [("ABd", "'d'"), ("A B", "' '"), ("Aé", "'é'"), ("A\nb", r"'\\n'")])
def test_a_character_that_the_vocabulary_lacks_is_named(letters, text, named):
    with pytest.raises(PromptError, match=f"no {named}; it knows 'ABC'"):
        letters.encode(text)


@pytest.mark.parametrize("text", ["\ud800", "ok \udfff ok"])
def test_half_a_character_is_refused(letters, text):
    with pytest.raises(PromptError, match="lone surrogate"):
        letters.encode(text)


@pytest.mark.parametrize("ids", [[3], [-1]])
def test_a_number_that_is_no_token_is_refused(letters, ids):
    with pytest.raises(PromptError, match="no token: the vocabulary goes from 0 to 2"):
        letters.decode(ids)


GOOD_TOKENS, GOOD_MERGES = '{"a":0,"b":1,"ab":2}', "#version: 0.2\na b\n"

BROKEN = [
    ("not json", GOOD_MERGES, "not JSON"),
    ("[" * 100_000, GOOD_MERGES, "not JSON"),
    ("[1, 2]", GOOD_MERGES, "must be one object"),
    ("{}", "#version: 0.2\n", "has no token"),
    ('{"a":0,"b":0,"ab":2}', GOOD_MERGES, "both have number 0"),
    ('{"a":0,"b":1,"ab":5}', GOOD_MERGES, "a number from 0 to 2, not 5"),
    ('{"a":0,"b":true,"ab":2}', GOOD_MERGES, "not True"),
    ('{"a":0,"b":"1","ab":2}', GOOD_MERGES, "not '1'"),
    ('{"a":0,"b":1.0,"ab":2}', GOOD_MERGES, "not 1.0"),
    ('{"a":0,"b":1,"":2}', "#version: 0.2\n", "byte letters"),
    ('{"a":0,"b":1,"a b":2}', "#version: 0.2\n", "byte letters"),
    (GOOD_TOKENS, "a b\n", "first line must be"),
    (GOOD_TOKENS, "", "first line must be"),
    (GOOD_TOKENS, "#version: 0.2\na b c\n", "line 2 must be two symbols"),
    (GOOD_TOKENS, "#version: 0.2\nab\n", "line 2 must be two symbols"),
    (GOOD_TOKENS, "#version: 0.2\nb a\n", "a token that encoder.json lacks"),
    (GOOD_TOKENS, "#version: 0.2\nab a\n", "no earlier merge makes"),
    (GOOD_TOKENS, "#version: 0.2\na b\na b\n", "already made"),
    (GOOD_TOKENS, "#version: 0.2\na \udcff\n", "not UTF-8"),
]


@pytest.mark.parametrize(("tokens", "merges", "said"), BROKEN)
def test_broken_files_are_one_line(tmp_path, tokens, merges, said):
    (tmp_path / "encoder.json").write_text(tokens)
    (tmp_path / "vocab.bpe").write_bytes(merges.encode(errors="surrogateescape"))
    with pytest.raises(WeightError, match=said) as caught:
        Tokenizer.load(tmp_path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_missing_and_endless_files(tmp_path, monkeypatch):
    with pytest.raises(WeightError, match=r"encoder\.json: cannot be read"):
        Tokenizer.load(tmp_path)
    (tmp_path / "encoder.json").write_text(GOOD_TOKENS)
    monkeypatch.setattr("sheetgpt.models.tokenizer._MOST_BYTES", 10)
    with pytest.raises(WeightError, match="larger than"):
        Tokenizer.load(tmp_path)


def test_windows_line_ends(tmp_path):
    (tmp_path / "encoder.json").write_text(json.dumps({"a": 0, "b": 1, "ab": 2}))
    (tmp_path / "vocab.bpe").write_bytes(b"#version: 0.2\r\na b\r\n")
    assert Tokenizer.load(tmp_path).encode("abba") == [2, 1, 0]


@needs_gpt2
def test_kinds_of_tokens_of_gpt2(gpt2: Tokenizer) -> None:
    known = {" is": "␣ + letters", "jury": "letters", ".": "signs", " 2020": "␣ + numbers", "\n": "white space"}
    assert {text: gpt2.kind(gpt2.encode(text)[0]) for text in known} == known
    assert gpt2.kind(50256) == "end of text"
    assert gpt2.kind(222) == "bytes"  # 0xA2 by itself
    kinds = Counter(gpt2.kind(i) for i in range(50257))
    starts = sum(regex.fullmatch(r" \p{L}+", gpt2.decode([i])) is not None for i in range(50256))
    assert kinds["␣ + letters"] == starts
