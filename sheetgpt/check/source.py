"""What a workbook should contain: the expected value of every place, from the prompt and the source weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from sheetgpt.check.evaluate import run
from sheetgpt.errors import SheetGPTError
from sheetgpt.models.prompt import encode, given, rows_for
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
    def find(cls, book: Blueprint, own: Env, recorded: Mapping[str, str], model: str | None) -> Source:
        """The model that the card names, if it is here and the workbook was made from its numbers.

        `own`: the workbook's values; `recorded`: weight -> SHA-256 of its numbers, as the workbook says. Raises
        `WeightError` for a `model` that was asked for and is not there.
        """
        name = model or book.card.model
        if model is None and name not in bundled():
            return cls(None, f"model {name!r} is not here; give its folder with --model")
        weights = find_model(name)
        if weights.config != book.card.config:
            return cls(None, f"{weights.folder.name} has other sizes than the workbook's model {book.card.model!r}")
        if model is None and _made_from_others(weights, own, recorded):
            return cls(
                None, f"the workbook was made from other weights than the {name!r} here; give theirs with --model"
            )
        return cls(weights, f"the CSV files of {weights.name}")


def _made_from_others(weights: Weights, own: Env, recorded: Mapping[str, str]) -> bool:
    """Whether some weight is not ours though the workbook's record of it fits its numbers: nobody changed it there."""
    foreign = [name for name in weights if recorded.get(name) != digest(weights[name])]
    return any(recorded.get(name) == digest(own[name]) for name in foreign)


def expected(book: Blueprint, source: Source, own: Env) -> tuple[Env, str]:
    """Every place from the prompt on, and why the prompt's ids could not be had from its text (empty if they could).

    Source weights and tokenizer where there are any, else the workbook's own parameters and inputs, `own`.
    """
    inputs, problem = dict(own), ""
    if source.weights is not None:
        prompt, problem = _prompt(book, source.weights, str(own["prompt.text"][0, 0]))
        inputs |= {**source.weights, **prompt}
    return run(book.plan, inputs), problem


def _prompt(book: Blueprint, weights: Weights, prompt: str) -> tuple[Env, str]:
    """The given places, by our tokenizer; without the ids and their number where the text cannot be theirs."""
    tokenizer = weights.tokenizer()
    n_top = book.plan["top.rank"].shape[0]
    try:
        ids = encode(prompt, weights, tokenizer)
        rows_for(ids, book.card.n_rows, weights.config)
    except SheetGPTError as error:
        values = given(prompt, [], book.card.n_rows, n_top, tokenizer)
        return {k: v for k, v in values.items() if k not in {"prompt.n", "prompt.ids"}}, str(error)
    return given(prompt, ids, book.card.n_rows, n_top, tokenizer), ""


def facts(weights: Weights) -> list[ParameterFact]:
    """Lines of the Parameters tab."""
    return [ParameterFact(n, file_name(n), weights.file_digest(n), digest(weights[n])) for n in weights]
