"""What a tab says about itself: `templates/*.md`, one file per kind of tab.

TOML between `+++` lines (a title, and under `[places]` a sentence for each band), then `## What` and
`## Why`. `$slots` are filled from the model, so that no text can go stale.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from string import Template
from typing import NamedTuple

from sheetgpt.errors import LayoutError
from sheetgpt.resources import templates_dir


class Lesson(NamedTuple):
    """The words of one kind of tab, slots unfilled."""

    title: str
    what: str
    why: str
    places: Mapping[str, str]

    def fill(self, slots: Mapping[str, object]) -> Lesson:
        """Every slot filled; raises `LayoutError` for a slot that nothing fills."""
        try:
            title, what, why = (Template(t).substitute(slots) for t in (self.title, self.what, self.why))
            places = {k: Template(v).substitute(slots) for k, v in self.places.items()}
        except KeyError as error:
            raise LayoutError(f"lesson {self.title!r} has a slot {error} that nothing fills") from None
        return Lesson(title, what, why, places)

    def meaning(self, name: str) -> str:
        """The sentence about a place: `h0.mlp.pre` is found under `pre`, `mlp.pre` or its full name."""
        parts = name.split(".")
        keys = (".".join(parts[i:]) for i in range(len(parts)))
        return next((self.places[k] for k in keys if k in self.places), "")


@cache
def lesson(stem: str) -> Lesson:
    """The lesson in `templates/STEM.md`; raises `LayoutError` if it is missing or not of that form."""
    path = templates_dir() / f"{stem}.md"
    try:
        _, front, body = path.read_text("utf-8").split("+++\n", 2)
        head = tomllib.loads(front)
        _, what, why = (" ".join(part.split()) for part in body.replace("## Why\n", "## What\n").split("## What\n"))
    except (OSError, ValueError) as error:
        raise LayoutError(f"lesson {path.name} cannot be read: {error}") from None
    return Lesson(head["title"], what, why, head.get("places", {}))
