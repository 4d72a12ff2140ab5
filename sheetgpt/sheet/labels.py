"""Whose rows are what: which place's cells label the rows of another, and what one row of it stands for."""

from __future__ import annotations

import re

_OF_WORDS = {"logits", "probs.exp", "probs", "sample.exp", "sample.probs", "sample.upto"}
_OF_TOKENS = {"lens.logits", "near.norm", "near.cosine", "near.distance", "analogy.cosine"}
VOCABULARY_ROWS = frozenset({"vocab.id", "vocab.text", "vocab.bytes"}) | _OF_WORDS | _OF_TOKENS
# The first pattern that fits a place's name tells which place's cells label its rows.
_LABELS = [
    (re.compile(r"chars\.(n|odd)|words\.(n|longest|unknown|total)"), ""),
    (re.compile(r"chars\..*"), "chars.text"),
    (re.compile(r"words\..*"), "words.text"),
    (re.compile(r"prompt\.(pos|ids|row|tokens|bytes|word|from)"), "prompt.tokens"),
    (re.compile(r"(top|next|prompt|vocab|probs|logits|merges|unicode|bpe|check|matmul|hand|heads)(\..*)?"), ""),
    (re.compile(r"sample\.state"), "prompt.tokens"),
    (re.compile(r"(sample|generate)\..*"), ""),
    (re.compile(r"compute\..*|ln_f\.last|view\.(block|head)"), ""),
    (re.compile(r"surgery\..*|h\d+\.(on|scale)"), ""),
    (re.compile(r"(lens|near|analogy|cosines)\..*"), ""),
    (re.compile(r"curve\..*|points\.(count|mean|.*\.(spread|scale|who))|h\d+\.mlp\..*\.last"), ""),
    (re.compile(r".*"), "prompt.tokens"),
]
_ROW = {"prompt.tokens": "tokens", "words.text": "words", "chars.text": "characters"}


def labels_of(name: str) -> str:
    """The place whose cells label the rows of a computed place: characters, words or tokens; empty if none do."""
    return next(source for pattern, source in _LABELS if pattern.fullmatch(name))


def unit_of(name: str) -> str:
    """What the rows of a computed place stand for. Example: `tokens`; empty where they have no common name."""
    return "tokens of the vocabulary" if name in VOCABULARY_ROWS else _ROW.get(labels_of(name), "")
