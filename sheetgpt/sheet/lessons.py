"""What a tab says about itself: `templates/*.md`, one file per kind of tab.

TOML between `+++` lines (a title, under `[places]` a sentence for each band, under `[[tries]]` what to change and what
is seen then), then `## What`, `## Why` and, where there is a formula to say, `## In words`. `$slots` are filled from
the model (`sheet/slots.py`), so that no text can go stale.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from string import Template
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, cast

from sheetgpt.errors import LayoutError
from sheetgpt.plan.names import step_of
from sheetgpt.plan.ops import Scalar
from sheetgpt.resources import templates_dir

T = TypeVar("T")


class _Text(Template):
    """Text with slots: `$name`, `${name}`, and `${kind:of what}`, which may have slots itself."""

    braceidpattern = r"[a-z_]+(?::[^{}]+)?"


class Try(NamedTuple):
    """Something to try: what to do, and what it does. A test does it in LibreOffice, and sees whether it does.

    A key is a place (`wpe`: all its cells) or a cell of one (`wpe[0,3]`, counted from 0).
    """

    do: str  # in words
    see: str  # in words
    set: Mapping[str, Scalar]  # what is typed, and where: cells that hold no formula
    moves: tuple[str, ...] = ()  # what changes
    keeps: tuple[str, ...] = ()  # what stays as it was, to the last bit
    rises: tuple[str, ...] = ()  # every number there grows
    falls: tuple[str, ...] = ()  # every number there shrinks
    shows: Mapping[str, Scalar] = MappingProxyType({})  # what every cell there then holds, but for rounding
    same: Mapping[str, str] = MappingProxyType({})  # what is then equal to what, but for rounding

    @property
    def spots(self) -> frozenset[str]:
        """Every place, and cell of one, that it sets or watches."""
        watched = (*self.moves, *self.keeps, *self.rises, *self.falls, *self.shows, *self.same, *self.same.values())
        return frozenset((*self.set, *watched))

    def fill(self, fill: Callable[[str], str]) -> Try:
        """The same with every text filled; in its words `$cell` is where the first value goes, `$to` that value."""

        def each(values: Mapping[str, T]) -> dict[str, T]:
            return {fill(k): cast(T, fill(v)) if isinstance(v, str) else v for k, v in values.items()}

        cell, to = next(iter(self.set.items()))
        known = {"cell": f"${{cell:{cell}}}", "to": _quoted(to)}
        do, see = (fill(_Text(text).safe_substitute(known)) for text in (self.do, self.see))
        moves, keeps, rises, falls = (tuple(map(fill, x)) for x in (self.moves, self.keeps, self.rises, self.falls))
        return Try(do, see, each(self.set), moves, keeps, rises, falls, each(self.shows), each(self.same))


def filled(text: str, slots: Mapping[str, object]) -> str:
    """A text with its slots filled; raises `KeyError` for one that nothing fills."""
    return _Text(text).substitute(slots)


class Lesson(NamedTuple):
    """The words of one kind of tab, slots unfilled."""

    title: str
    what: str
    why: str
    words: str  # the formula in words, or empty
    places: Mapping[str, str]
    tries: tuple[Try, ...] = ()
    question: str = ""
    answer: str = ""

    def fill(self, slots: Mapping[str, object]) -> Lesson:
        """Every slot filled; raises `LayoutError` for a slot that nothing fills."""

        def fill(text: str) -> str:
            return filled(text, slots)

        try:
            title, what, why, words = map(fill, self[:4])
            places = {k: fill(v) for k, v in self.places.items()}
            tries = tuple(t.fill(fill) for t in self.tries)
            return Lesson(title, what, why, words, places, tries, fill(self.question), fill(self.answer))
        except KeyError as error:
            raise LayoutError(f"lesson {self.title!r} has a slot {error} that nothing fills") from None

    def meaning(self, name: str) -> str:
        """The sentence about a place: `h0.mlp.pre` is found under `pre`, `mlp.pre` or its full name."""
        parts, step = name.split("."), step_of(name)
        keys = (".".join(parts[i:]) for i in range(len(parts)))
        said = next((self.places[k] for k in keys if k in self.places), "")
        return f"Step {step}. {said}" if said and step else said


@cache
def lesson(stem: str) -> Lesson:
    """The lesson in `templates/STEM.md`; raises `LayoutError` if it is missing or not of that form."""
    path = templates_dir() / f"{stem}.md"
    try:
        _, front, body = path.read_text("utf-8").split("+++\n", 2)
        head = tomllib.loads(front)
        parts = {key: " ".join(text.split()) for key, text in re.findall(r"^## (.*)\n([^#]*)", body, re.MULTILINE)}
        tries = tuple(_try(**entry) for entry in head.get("tries", []))
        words = (parts.get(part, "") for part in ("In words", "Question", "Answer"))
        return Lesson(head["title"], parts["What"], parts["Why"], next(words), head.get("places", {}), tries, *words)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LayoutError(f"lesson {path.name} cannot be read: {error}") from None


@cache
def tables(stem: str) -> Mapping[str, list[dict[str, Any]]]:
    """The tables of `templates/STEM.md` that only one kind of tab has: `[[terms]]` and the like."""
    _, front, _ = (templates_dir() / f"{stem}.md").read_text("utf-8").split("+++\n", 2)
    return tomllib.loads(front)


def _quoted(value: Scalar) -> str:
    return f'"{value}"'.replace("$", "$$") if isinstance(value, str) else f"{value:g}"


def _try(do: str, see: str, set: dict[str, Scalar], **promised: list[str] | dict[str, Any]) -> Try:
    return Try(do, see, set, **{k: tuple(v) if isinstance(v, list) else v for k, v in promised.items()})  # type: ignore[arg-type]
