"""The learner against a slow one that counts anew at every step."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sheetgpt.errors import WeightError
from sheetgpt.models import bpe
from sheetgpt.models.tokenizer import Tokenizer, byte_letters

TOY = Counter({"low": 5, "lower": 2, "newest": 6, "widest": 3})


def naive(words, n_merges):
    """Count every pair, take the best, replace, again."""
    split = {word: list(word) for word in words}
    merges = []
    while len(merges) < n_merges:
        counts = Counter()
        for word, symbols in split.items():
            for pair in pairwise(symbols):
                counts[pair] += words[word]
        made = {a + b for a, b in merges}
        left = [(-n, pair) for pair, n in counts.items() if "".join(pair) not in made]
        if not left:
            break
        merges.append(min(left)[1])
        split = {word: replaced(symbols, merges[-1]) for word, symbols in split.items()}
    return merges


def replaced(symbols, pair):
    out, i = [], 0
    while i < len(symbols):
        hit = tuple(symbols[i : i + 2]) == pair
        out.append("".join(pair) if hit else symbols[i])
        i += 1 + hit
    return out


def test_toy_corpus():
    merges = bpe.learn_from_counts(TOY, 7)
    assert merges[:3] == [("e", "s"), ("es", "t"), ("l", "o")]
    assert merges[3:] == [("lo", "w"), ("e", "w"), ("ew", "est"), ("n", "ewest")]


def test_a_tie_goes_to_the_first_pair_in_order():
    assert bpe.learn_from_counts(Counter({"xy": 2, "ab": 2, "ac": 2}), 3) == [("a", "b"), ("a", "c"), ("x", "y")]


def test_runs_of_one_letter_merge_from_the_left():
    assert bpe.learn_from_counts(Counter({"aaaaa": 1}), 9) == [("a", "a"), ("aa", "a"), ("aa", "aaa")]


@settings(max_examples=200, deadline=None)
@given(
    words=st.dictionaries(st.text("abc", min_size=1, max_size=9), st.integers(1, 5), max_size=8),
    n=st.integers(0, 25),
)
def test_learner_is_the_slow_one(words, n):
    assert bpe.learn_from_counts(Counter(words), n) == naive(words, n)


@settings(max_examples=50, deadline=None)
@given(documents=st.lists(st.text("ab é\n'<|>", max_size=40), max_size=4), more=st.integers(0, 20))
def test_saved_merges_are_read_back_and_round_trip(tmp_path_factory, documents, more):
    folder = tmp_path_factory.mktemp("bpe")
    merges = bpe.learn(documents, 257 + more)
    bpe.save(folder, merges)
    tokenizer = Tokenizer.load(folder)
    assert tokenizer.merges == merges
    assert tokenizer.n_vocab == 257 + len(merges)
    assert tokenizer.eot == tokenizer.n_vocab - 1
    for text in documents:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_files_are_in_gpt2s_order(tmp_path):
    bpe.save(tmp_path, [("l", "o"), ("lo", "w")])
    assert (tmp_path / "vocab.bpe").read_text() == "#version: 0.2\nl o\nlo w\n"
    tokens = list(bpe.vocabulary([("l", "o"), ("lo", "w")]))
    assert tokens == [*byte_letters().values(), "lo", "low", "<|endoftext|>"]
    assert tokens[:2] == ["!", '"']


def test_text_and_documents_are_the_same_thing():
    assert bpe.learn("abab<|endoftext|>abc", 262) == bpe.learn(["abab", "abc"], 262)


def test_words_do_not_cross_a_special_token():
    assert bpe.count_words(["a<|endoftext|>b"]) == {"a": 1, "b": 1}


def test_no_room_for_the_bytes():
    with pytest.raises(WeightError, match="at least 257"):
        bpe.learn("abc", 256)
