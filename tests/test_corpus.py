"""The corpus holds what it says, and only what a cell can hold."""

from __future__ import annotations

import regex

from sheetgpt.models.tokenizer import words_pattern
from sheetgpt.models.weights import Weights
from tests import corpus
from tests.test_live import ONE_IN
from tests.test_workbook import PROMPTS

MOST_CHARACTERS, MOST_BYTES = 64, 32  # of a prompt, of one of its words


def test_it_is_large_and_says_nothing_twice() -> None:
    texts = corpus.corpus()
    assert len(texts) == len(set(texts)) >= 2000
    assert set(texts) == {text for group in corpus.GROUPS.values() for text in group}
    assert all(len(group) == len(set(group)) > 50 for group in corpus.GROUPS.values())
    assert "" not in texts


def test_it_is_the_same_each_time() -> None:
    assert corpus._groups() == corpus.GROUPS


def test_a_cell_can_hold_every_string() -> None:
    kept = regex.compile(r"[\t\n\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]+")  # XML's characters without \r
    assert [text for text in corpus.corpus() if not kept.fullmatch(text)] == []
    assert all("\r" in text and kept.fullmatch(text.replace("\r", "x")) for text in corpus.RETURNS)
    assert not any(kept.fullmatch(text) for text in corpus.CONTROLS)
    assert not any(forbidden in text for text in corpus.CONTROLS for forbidden in "\0\r\ufffe\uffff")


def test_every_string_fits_but_those_that_must_not() -> None:
    for name, group in corpus.GROUPS.items():
        if name != "too long":
            assert [text for text in group if len(text.encode()) > corpus.SHORT] == []
    assert [text for text in corpus.GROUPS["too long"] if fits(text)] == []


def fits(text: str) -> bool:
    return len(text) <= MOST_CHARACTERS and all(
        len(word.encode()) <= MOST_BYTES for word in words_pattern().findall(text)
    )


def test_what_is_typed_in_every_run_is_of_every_group() -> None:
    few = set(corpus.corpus()[::ONE_IN])
    assert [name for name, group in corpus.GROUPS.items() if len(few & set(group)) < 8] == []


def test_a_small_alphabet() -> None:
    texts = corpus.corpus(set("ABC"))
    assert len(texts) == len(set(texts)) > 250
    assert set("".join(texts)) == set("ABC")
    assert "B" in corpus.corpus(set("B \n"))
    assert "\n \n" in corpus.corpus(set("B \n"))


def test_held_prompts_are_new_and_fit(fable: Weights) -> None:
    prompts = corpus.held_prompts()
    lengths = [len(fable.tokenizer().encode(prompt)) for prompt in prompts]
    assert len(prompts) == len(set(prompts)) == 50
    assert all(prompt.isascii() and prompt.isprintable() for prompt in prompts)
    assert not set(prompts) & set(PROMPTS)
    assert (min(lengths), max(lengths)) == (1, 16)
