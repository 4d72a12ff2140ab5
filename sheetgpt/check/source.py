"""What a workbook should contain: the expected value of every place, from the prompt and the source weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from sheetgpt.check.evaluate import run
from sheetgpt.errors import SheetGPTError
from sheetgpt.models.prompt import encode, given
from sheetgpt.models.weights import Weights, bundled, digest, file_name, find_model
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.sheets import ParameterFact

Env = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Source:
    """Where the expected values come from. Without a model they come from the workbook itself, and `note` says so."""

    weights: Weights | None
    note: str

    @classmethod
    def find(cls, book: Blueprint, recorded: Mapping[str, str], model: str | None) -> Source:
        """The model that the card names, if it is here and its numbers are those recorded in the workbook.

        `recorded`: weight -> SHA-256 of its numbers. Raises `WeightError` for a `model` that was asked for and
        is not there.
        """
        name = model or book.card.model
        if model is None and name not in bundled():
            return cls(None, f"model {name!r} is not here; give its folder with --model")
        weights = find_model(name)
        if weights.config != book.card.config:
            return cls(None, f"{weights.folder.name} has other sizes than the workbook's model {book.card.model!r}")
        if recorded and model is None and all(digest(weights[w]) != recorded.get(w) for w in weights):
            return cls(None, f"the workbook was made from other weights than the {name!r} that is here")
        return cls(weights, f"CSV files of {weights.name}")


def expected(book: Blueprint, source: Source, own: Env) -> Env:
    """Every place from the prompt on: source weights and tokenizer where there are any, else the workbook's.

    `own` holds the workbook's parameters and inputs. A prompt that cannot be encoded leaves its ids as they are.
    """
    inputs = dict(own)
    if source.weights is not None:
        inputs |= {name: source.weights[name] for name in source.weights}
        inputs |= _prompt(book, source.weights, str(own["prompt.text"][0, 0]))
    return run(book.plan, inputs)


def _prompt(book: Blueprint, weights: Weights, prompt: str) -> Env:
    tokenizer = weights.tokenizer()
    n_top = book.plan["top.rank"].shape[0]
    try:
        ids = encode(prompt, weights, tokenizer)
    except SheetGPTError:
        ids = []
    values = given(prompt, ids[: book.card.n_rows], book.card.n_rows, n_top, tokenizer)
    return values if ids else {k: v for k, v in values.items() if k not in {"prompt.n", "prompt.ids"}}


def facts(weights: Weights) -> list[ParameterFact]:
    """Lines of the Parameters tab."""
    return [ParameterFact(n, file_name(n), weights.file_digest(n), digest(weights[n])) for n in weights]
