"""What a workbook should contain: the expected value of every place, from the prompt and the source weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.evaluate import Layers, run
from sheetgpt.check.gaps import failed
from sheetgpt.check.inputs import inputs, live_for, recorded, starts, upstream
from sheetgpt.check.records import BUILT, records
from sheetgpt.errors import SheetGPTError
from sheetgpt.models.prompt import encode, given_ids, rows_for
from sheetgpt.models.tokenizer import Tokenizer
from sheetgpt.models.unicode import class_ranges
from sheetgpt.models.weights import Weights, bundled, digest, find_model
from sheetgpt.plan.live import Live
from sheetgpt.plan.plan import Role
from sheetgpt.plan.stages import WHOLE
from sheetgpt.sheet.blueprint import ABOUT, Blueprint, Card
from sheetgpt.sheet.head import ParameterFact

Env = Mapping[str, NDArray[Any]]
_OF_IDS = frozenset({"prompt.n", "prompt.ids", "prompt.tokens"})  # what follows from a prompt's ids


@dataclass(frozen=True)
class Source:
    """Where the expected values come from. Without a model they come from the workbook itself, and `note` says so."""

    weights: Weights | None
    note: str

    @classmethod
    def find(cls, card: Card, model: str | None) -> Source:
        """The model that a workbook may have been made from: `model`, or the one that its card names, if it is here.

        Raises `WeightError` for a `model` that was asked for and is not there.
        """
        name = model or card.model
        if model is None and name not in bundled():
            return cls(None, f"model {name!r} is not here; give its folder with --model")
        weights = find_model(name)
        if differ := weights.config.unlike(card.config):
            return cls(None, f"{weights.folder.name} has another {differ} than the workbook's model {card.model!r}")
        if card.live and not _cuts_alike(card.live, weights.tokenizer()):
            return cls(None, f"{weights.folder.name} has another tokenizer than the workbook's model {card.model!r}")
        return cls(weights, f"the files of {weights.name}{_how_far(card)}")

    def unless_others(self, own: Env, recorded: Mapping[str, str]) -> Source:
        """No source where the workbook was made from other numbers than those here.

        `own`: the workbook's values; `recorded`: weight -> SHA-256 of its numbers, as the workbook says.
        """
        if self.weights is None or not _made_from_others(self.weights, own, recorded):
            return self
        name = self.weights.name
        note = f"the workbook was made from other weights than the {name!r} here; give theirs with --model"
        return Source(None, note)


def _how_far(card: Card) -> str:
    """That what a part of the pipeline is given is computed too."""
    return "" if card.stages == WHOLE else f"; of {card.stages}, what goes in is computed from the prompt"


def _made_from_others(weights: Weights, own: Env, recorded: Mapping[str, str]) -> bool:
    """Whether some weight is not ours though the workbook's record of it fits its numbers: nobody changed it there."""
    foreign = [name for name in recorded if recorded[name] != weights.digest(name)]
    return any(recorded[name] == digest([own[name]]) for name in foreign)


def _cuts_alike(live: Live, tokenizer: Tokenizer) -> bool:
    """Whether the tables of a tokenizer have the workbook's sizes."""
    return (live.n_merges, live.n_ranges) == (len(tokenizer.merges), len(class_ranges()))


def expected(book: Blueprint, source: Source, own: Env) -> tuple[Env, str]:
    """Every place from the prompt on, and why the prompt's ids could not be had from its text (empty if they could).

    Source weights and tokenizer where there are any, else the workbook's own parameters and inputs, `own`.
    """
    known = source.weights or ()  # places that need not be read from a large workbook
    stands = {name: own[name] for name, expr in book.plan.items() if expr.op == "data" and name not in known}
    if source.weights is None:
        return run(book.plan, _constants(book), stands), ""
    prompt, problem = _prompt(book, source.weights, _as_text(own["prompt.text"][0, 0]))
    prompt = {**prompt, **_played(book, own), **_records(book, source.weights, own)}
    before = upstream(book, Layers(prompt, stands), source.weights)
    return run(book.plan, prompt, before, source.weights, stands), problem


def _constants(book: Blueprint) -> Env:
    """What the plan itself gives, whatever the model."""
    return {name: value for name, value in starts(book.plan).items() if book.plan.roles[name] is Role.INPUT}


def _played(book: Blueprint, own: Env) -> Env:
    """Knobs as they stand: whoever turned one did no wrong. One that holds no value of its kind is as it began."""
    begun = {name: value for name, value in starts(book.plan, own).items() if book.plan.roles[name] is Role.KNOB}
    return {name: np.where(failed(own[name]), begun[name], own[name]) for name in begun}


def _records(book: Blueprint, weights: Weights, own: Env) -> Env:
    """Records, for the prompt that the workbook says it was built for; where that is none, it is what is wrong."""
    if BUILT not in book.plan:
        return {}
    try:
        return records(book, weights, _as_text(own[BUILT][0, 0]))
    except SheetGPTError as error:
        return {BUILT: np.array([[f"a prompt, by which records can be judged ({error})"]], dtype=object)}


def _as_text(value: object) -> str:
    """What a prompt cell should hold where it holds a number or a truth value: its text."""
    return value if isinstance(value, str) else f"{value:.15g}" if type(value) is float else str(value).upper()


def _prompt(book: Blueprint, weights: Weights, prompt: str) -> tuple[Env, str]:
    """The given places, by our tokenizer.

    A live workbook's ids are our tokenizer's too, none where there is no room for them; one that was made for a
    single prompt gives its own where its text cannot be theirs.
    """
    tokenizer = weights.tokenizer()
    try:
        ids, problem = fitting(book.card, weights, tokenizer, prompt), ""
    except SheetGPTError as error:
        ids, problem = [], str(error)
    values = inputs(book.plan, prompt, ids, tokenizer) | recorded(book.plan, weights)
    if book.card.live:
        return values | given_ids(ids, book.card.n_rows), ""
    return {k: v for k, v in values.items() if not problem or k not in _OF_IDS}, problem


def fitting(card: Card, weights: Weights, tokenizer: Tokenizer, prompt: str) -> list[int]:
    """The prompt's ids; raises `PromptError` where the workbook has no room for it."""
    ids = encode(prompt, weights, tokenizer)
    rows_for(ids, card.n_rows, weights.config)
    if card.live:
        live_for(prompt, card.n_rows, card.live.n_chars, card.live.n_bytes, tokenizer)
    return ids


def told_of(weights: Weights) -> tuple[str, ...]:
    """What the model's folder says of it, as a card has it."""
    lines = ("".join(c for c in line if c.isprintable()) for line in weights.about)
    return tuple(line if len(line) <= ABOUT else f"{line[: ABOUT - 2]} …" for line in lines)


def facts(weights: Weights, names: Iterable[str] | None = None) -> list[ParameterFact]:
    """Lines of the Parameters tab, for all weights or those of `names`."""
    wanted = weights if names is None else names
    return [ParameterFact(n, weights.path(n).name, weights.file_digest(n), weights.digest(n)) for n in wanted]
