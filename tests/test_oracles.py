"""Our tokenizer, tiktoken's and Hugging Face's cut the corpus alike; where their Unicode is older, that shows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import tiktoken

from sheetgpt.models import unicode
from sheetgpt.models.tokenizer import Tokenizer
from sheetgpt.models.weights import Weights
from tests.corpus import CONTROLS, GROUPS, NEW_LETTERS, RETURNS, corpus
from tests.oracles import GPT2, Encoder, hugging_face_encoder, needs_gpt2, tiktoken_encoder

LISTS = GROUPS | {"returns": RETURNS, "controls": CONTROLS}
ORACLES = [tiktoken_encoder, hugging_face_encoder]
MODELS = [pytest.param("gpt2", marks=needs_gpt2), "fable"]


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest, fable: Weights) -> Path:
    return GPT2 if request.param == "gpt2" else fable.folder


@pytest.fixture(scope="module", params=ORACLES)
def oracle(request: pytest.FixtureRequest, folder: Path) -> Encoder:
    make: Callable[[Path], Encoder] = request.param
    return make(folder)


@pytest.fixture(scope="module")
def ours(folder: Path) -> Encoder:
    return Tokenizer.load(folder).encode


@pytest.mark.parametrize("group", LISTS)
def test_all_cut_a_group_alike(ours: Encoder, oracle: Encoder, group: str) -> None:
    assert [(text, ours(text), oracle(text)) for text in LISTS[group] if ours(text) != oracle(text)] == []


@pytest.mark.parametrize("make", ORACLES)
def test_all_cut_alike_with_few_letters(sorter: Weights, make: Callable[[Path], Encoder]) -> None:
    ours, oracle = sorter.tokenizer().encode, make(sorter.folder)
    texts = corpus(set("ABC"))
    assert [oracle(text) for text in texts] == [ours(text) for text in texts]


def test_a_new_letter_is_a_letter_or_not_yet(ours: Encoder, oracle: Encoder) -> None:
    """The one known difference: ꟎'s is ꟎ and 's, or ꟎' and s where ꟎ is no letter yet."""
    for text in NEW_LETTERS:
        known, unknown = ours(text[0]) + ours("'s"), ours(text[0]) + ours("'") + ours("s")
        assert oracle(text) in (known, unknown)
        if unicode.regex_unicode() == unicode.unicode_version():
            assert ours(text) == known


def test_tiktoken_knows_nothing_that_our_table_does_not() -> None:
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    ranges = [*unicode.class_ranges(), (0x110000, "")]
    ours: dict[str, set[str]] = {name: set() for name in unicode.CLASSES}
    for (start, name), (end, _) in pairwise(ranges):
        ours[name].update(map(chr, range(start, end)))
    for name, pattern in {"letter": r"\p{L}", "number": r"\p{N}", "space": r"\s"}.items():
        encoding = tiktoken.Encoding(
            name, pat_str=pattern, mergeable_ranks={bytes([b]): b for b in range(256)}, special_tokens={}
        )
        theirs = set(encoding.decode(encoding.encode_ordinary(everything)))
        assert theirs <= ours[name]
        assert len(theirs) > 0.8 * len(ours[name])
