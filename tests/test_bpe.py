"""The learner against a slow one that counts anew at every step."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from sheetgpt.cli import main
from sheetgpt.errors import WeightError
from sheetgpt.models import bpe, corpus
from sheetgpt.models.tokenizer import Tokenizer, byte_letters, words_pattern

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


# ---- the pair seen first, and the command ----------------------------------------------------------------


def naive_first_seen(words, n_merges):
    """As Sennrich et al. have it: `max` over pairs counted in reading order, so the first of equals."""
    split = [(list(word), n) for word, n in words.items()]
    merges = []
    while len(merges) < n_merges:
        counts = Counter()
        for symbols, n in split:
            for pair in pairwise(symbols):
                counts[pair] += n
        made = {a + b for a, b in merges}
        left = {pair: n for pair, n in counts.items() if "".join(pair) not in made}
        if not left:
            break
        merges.append(max(left, key=left.__getitem__))
        split = [(replaced(symbols, merges[-1]), n) for symbols, n in split]
    return merges


def test_ten_passes_of_the_paper():
    words = Counter({"low_": 5, "lower_": 2, "newest_": 6, "widest_": 3})
    ten = ["es", "est", "est_", "lo", "low", "ne", "new", "newest_", "low_", "wi"]
    assert [a + b for a, b in bpe.learn_from_counts(words, 10, "seen")] == ten


@settings(max_examples=300, deadline=None)
@given(
    words=st.lists(st.tuples(st.text("abc", min_size=1, max_size=9), st.integers(1, 4)), max_size=8),
    n=st.integers(0, 25),
)
def test_the_first_seen_wins_as_in_the_slow_one(words, n):
    assert bpe.learn_from_counts(Counter(dict(words)), n, "seen") == naive_first_seen(dict(words), n)


@settings(max_examples=100, deadline=None)
@given(text=st.text("ab é1.\n\t \u00a0\u2009犬'<|>\x1c", min_size=1, max_size=80), size=st.integers(1, 7))
def test_a_file_read_in_pieces_has_the_words_of_the_whole(tmp_path_factory, text, size):
    path = tmp_path_factory.mktemp("corpus") / "text"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "_PIECE", size)
        found = list(corpus.pieces(path))
    assert "".join(found) == text
    assert [w for piece in found for w in words_pattern().findall(piece)] == words_pattern().findall(text)


def learned(*arguments):
    result = CliRunner().invoke(main, ["bpe", "learn", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_writes_what_the_tokenizer_reads(tmp_path):
    text = "low low low low low lower lower newest newest newest newest newest newest widest widest widest\n" * 3
    (tmp_path / "text").write_text(text, "utf-8")
    code, out, err = learned(tmp_path / "text", "--vocab", 270, "-o", tmp_path / "made" / "here")
    assert (code, err) == (0, "")
    assert out == f"{tmp_path / 'made' / 'here'}  (13 merges, 270 tokens)\n"
    tokenizer = Tokenizer.load(tmp_path / "made" / "here")
    words = Counter(words_pattern().findall(text))
    letters = Counter({"".join(byte_letters()[b] for b in word.encode()): n for word, n in words.items()})
    assert tokenizer.merges == naive_first_seen(letters, 13)
    assert tokenizer.eot == 269
    assert tokenizer.decode(tokenizer.encode(text)) == text
    printed = learned(tmp_path / "text", "--vocab", 270)
    assert printed == (0, (tmp_path / "made" / "here" / "vocab.bpe").read_text("utf-8"), "")
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["here"]


def test_a_text_with_few_pairs_ends_early(tmp_path):
    (tmp_path / "text").write_bytes("\ufeffabab".encode())
    code, out, err = learned(tmp_path / "text", "--vocab", 1000)
    assert (code, out) == (0, "#version: 0.2\na b\nab ab\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b"ab\0c", "byte 2 is 0"),
        (b"\x89PNG\r\n", "not UTF-8"),
        ("é".encode()[:1], "ends within a character"),
        (b"x" * 40, "without a space"),
        (b"ab " * 40, "larger than"),
        (b"ab cd ef gh ij kl", "different words"),
    ],
)
def test_what_is_no_text_is_refused_in_one_line(data, said, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "LONGEST", 30)
    monkeypatch.setattr(corpus, "LARGEST", 100 << 20 if b" " not in (data or b"") else 60)
    monkeypatch.setattr(bpe, "MOST_LETTERS", 10)
    if data is not None:
        (tmp_path / "text").write_bytes(data)
    code, out, err = learned(tmp_path / "text", "--vocab", 300, "-o", tmp_path / "made")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("n", [256, 0, -5])
def test_a_vocabulary_without_room_for_the_bytes_is_refused(n, tmp_path):
    code, out, err = learned(tmp_path / "text", "--vocab", n)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "257" in err


def test_a_folder_and_a_place_that_is_taken_are_refused(tmp_path):
    (tmp_path / "text").write_text("a text", "utf-8")
    assert learned(tmp_path, "--vocab", 300)[0] == 2
    code, out, err = learned(tmp_path / "text", "--vocab", 260, "-o", tmp_path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["text"]
