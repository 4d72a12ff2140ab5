"""What a workbook is a workbook of: the card that it carries, and the plan and layout that follow from it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Protocol

from sheetgpt import __version__
from sheetgpt.errors import LayoutError, SheetGPTError, WorkbookError
from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.checks import AT, add_checks
from sheetgpt.plan.extras import EXTRAS, NEEDS, add_extras
from sheetgpt.plan.live import Live
from sheetgpt.plan.model import gpt2
from sheetgpt.plan.plan import Plan
from sheetgpt.plan.stages import WHOLE, Stages
from sheetgpt.sheet.a1 import MAX_ROWS
from sheetgpt.sheet.extras import extra_tabs
from sheetgpt.sheet.layout import Layout, lay_out
from sheetgpt.sheet.lower import Formula, examples, lowered
from sheetgpt.sheet.lower_cells import lowered_cells

FORMAT = 3
_LOWERED: dict[str, Callable[..., Iterator[Formula]]] = {
    "arrays": lowered,  # one formula for a place where that can be
    "cells": lowered_cells,  # a plain formula for each cell
}
DIALECTS = tuple(_LOWERED)
CARD_NAME = "sheetgpt.card"  # defined name of the cell that holds the card
COURSE_NAME = "sheetgpt.course"  # defined name of the cell in which a course tells which lessons it has
MOST_STEPS = 1000  # of the loop on the tab Generate
ABOUT = 300  # characters of a line about the model
_MOST_CELLS = 2_000_000_000  # of one workbook, so that a forged card cannot ask for the moon


@dataclass(frozen=True)
class Card:
    """All that decides a workbook's cells but for the values: it stands in the workbook as one line of JSON."""

    model: str
    config: ModelConfig
    n_rows: int  # token rows, at least the prompt's length
    live: Live | None = None  # room for a typed prompt; None where the workbook is made for one prompt
    version: str = __version__
    stages: Stages = WHOLE
    blank: tuple[str, ...] = ()  # places whose formulas a student has to find, in the plan's order
    asked: Asked = Asked()  # noqa: RUF009  # immutable; what it has beside the pipeline
    dialect: str = DIALECTS[0]  # how formulas are written
    about: tuple[str, ...] = ()  # what the model's own folder says of it, a line each

    @property
    def n_weights(self) -> int:
        """Learned numbers that its stages read."""
        return sum(rows * cols for rows, cols in self.stages.weights(self.config).values())

    @property
    def n_heads(self) -> int:
        """Heads of attention of its stages."""
        blocks = sum(f"h{i}" in self.stages for i in range(self.config.n_layer))
        return blocks * self.config.n_head

    def to_json(self) -> str:
        """One line, for the cell named `sheetgpt.card`."""
        data = {"format": FORMAT, "sheetgpt": self.version, "model": self.model, "tokens": self.n_rows}
        data |= {} if self.stages == WHOLE else {"stages": str(self.stages)}
        data |= {"blank": list(self.blank)} if self.blank else {}
        data |= {"extras": list(self.asked.extras)} if self.asked.extras else {}
        data |= {"steps": self.asked.steps} if self.asked.steps else {}
        data |= {"dialect": self.dialect} if self.dialect != DIALECTS[0] else {}
        data |= {"about": list(self.about)} if self.about else {}
        live = self.live and self.live._asdict()
        return json.dumps(data | {"live": live, "config": self.config.to_dict()})

    @classmethod
    def from_json(cls, text: str) -> Card:
        """The inverse; raises `WorkbookError` for anything that this version did not write."""
        try:
            data = json.loads(text)
            if data["format"] != FORMAT:
                raise WorkbookError(f"made in format {data['format']!r}, this sheetgpt reads format {FORMAT}")
            config = ModelConfig.from_dict(data["config"])
            n_rows = data["tokens"]
            if type(n_rows) is not int or not 1 <= n_rows <= config.n_ctx:
                raise WorkbookError(f"the card names {n_rows!r} token rows, its model takes 1 to {config.n_ctx}")
            model, version = str(data["model"]), str(data["sheetgpt"])
            if not (model + version).isprintable() or len(model + version) > 200:
                raise WorkbookError("the card's names are not plain text")
            live, stages = _live(data["live"]), Stages.parse(str(data.get("stages", "..")), config)
            if live and "prompt" not in stages:
                raise WorkbookError(f"the card has room for a typed prompt, but its stages are {stages}")
            asked, dialect = _asked(data, stages, config.n_ctx), data.get("dialect", DIALECTS[0])
            if dialect not in DIALECTS:
                raise WorkbookError(f"the card's dialect is {dialect!r:.40}")
            blank, about = _blank(data.get("blank")), _about(data.get("about", []))
            return cls(model, config, n_rows, live, version, stages, blank, asked, dialect, about)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise WorkbookError(f"its card cannot be read ({type(error).__name__})") from None
        except WorkbookError:
            raise
        except SheetGPTError as error:
            raise WorkbookError(f"its card cannot be read ({error})") from None


def _live(data: object) -> Live | None:
    """Raises `WorkbookError` for anything that is not four sizes."""
    if data is None:
        return None
    if not isinstance(data, dict) or data.keys() != set(Live._fields):
        raise WorkbookError("the card's sizes of a live prompt are not those that this sheetgpt knows")
    for name, least in zip(Live._fields, (1, 2, 0, 1), strict=True):
        if type(data[name]) is not int or not least <= data[name] <= MAX_ROWS:
            raise WorkbookError(f"the card's {name} is {data[name]!r:.40}")
    return Live(**data)


def _about(data: object) -> tuple[str, ...]:
    """Raises `WorkbookError` for anything that is not a few lines of plain text."""
    lines = data if isinstance(data, list) else [data]
    if len(lines) > 3 or not all(isinstance(line, str) and line.isprintable() and len(line) <= ABOUT for line in lines):
        raise WorkbookError("what the card says of its model is not plain text")
    return tuple(lines)


def _asked(data: dict[str, object], stages: Stages, n_ctx: int) -> Asked:
    """Raises `WorkbookError` for extras that this version does not know, or in another order, or for too many steps."""
    extras, steps = data.get("extras", []), data.get("steps", 0)
    if not isinstance(extras, list) or extras != [extra for extra in EXTRAS if extra in extras]:
        raise WorkbookError("the card's extras are not those that this sheetgpt knows")
    if alone := next((extra for extra in extras if NEEDS.get(extra, extra) not in extras), ""):
        raise WorkbookError(f"the card has the extra {alone}, which needs {NEEDS[alone]}, without it")
    if extras and stages != WHOLE:
        raise WorkbookError(f"the card has extras, but its stages are {stages}")
    if type(steps) is not int or not 0 <= steps <= min(MOST_STEPS, n_ctx):  # each makes the prompt a token longer
        raise WorkbookError(f"the card's steps are {steps!r:.40}")
    return Asked(tuple(extras), steps)


def _blank(data: object) -> tuple[str, ...]:
    """Raises `WorkbookError` for anything that is not a list of different names."""
    if data is None:
        return ()
    if not isinstance(data, list) or not data or not all(type(name) is str for name in data):
        raise WorkbookError("the card's list of blank places is not a list of names")
    if len(set(data)) < len(data):
        raise WorkbookError("the card names a blank place twice")
    return tuple(data)


class Planned(Protocol):
    """Whatever has places on tabs."""

    @property
    def plan(self) -> Plan:
        """The places."""
        ...

    @property
    def layout(self) -> Layout:
        """Where they stand."""
        ...

    @property
    def blank(self) -> frozenset[str]:
        """Places whose formulas somebody else fills in."""
        ...

    def examples(self, name: str) -> list[Formula]:
        """Those of a place's formulas that tell its rule."""
        ...


@dataclass(frozen=True)
class Blueprint:
    """A card with the plan and the layout that it stands for."""

    card: Card
    plan: Plan
    layout: Layout

    @classmethod
    def of(cls, card: Card) -> Blueprint:
        """Plan and lay out; raises `LayoutError` where the model does not fit a workbook."""
        weights = card.n_weights
        if weights > _MOST_CELLS:
            raise LayoutError(f"{weights:,} weights are too many for one workbook ({_MOST_CELLS:,} cells)")
        if card.live and 2 * card.n_rows * card.live.n_bytes > MAX_ROWS - 100:
            raise LayoutError(
                f"{card.n_rows} words of {card.live.n_bytes} bytes have more merges than a sheet has rows"
            )
        surgery = "surgery" in card.asked.extras
        plan = gpt2(card.config, card.n_rows, card.live, card.stages, surgery=surgery)
        add_extras(plan, card.config, card.asked, card.live is not None)
        add_checks(plan, card.config, card.stages, card.live is not None)
        cells = _cells(plan)
        if cells > _MOST_CELLS:
            raise LayoutError(f"{cells:,} cells are too many for one workbook ({_MOST_CELLS:,})")
        if card.blank and card.blank != (planned := tuple(name for name in plan if name in set(card.blank))):
            raise LayoutError(
                f"its card leaves places blank in another order than {', '.join(planned)[:200] or 'none'}"
            )
        if strange := next((name for name in card.blank if not _computed(plan, name)), ""):
            raise LayoutError(f"its card leaves {strange} blank, which no formula computes")
        layout = lay_out(
            card.config, plan, live=card.live is not None, stages=card.stages, extras=extra_tabs(card.config)
        )
        return cls(card, plan, layout)

    def with_blank(self, patterns: Iterable[str]) -> Blueprint:
        """The same with those places blank whose names the patterns fit (`h0.attn.head*.scores`), capitals or not.

        Raises `LayoutError` for a pattern that fits no place with formulas of its own.
        """
        chosen = {name for pattern in patterns for name in matching(self.plan, pattern)}
        return replace(self, card=replace(self.card, blank=tuple(name for name in self.plan if name in chosen)))

    def formulas(self, name: str) -> list[Formula]:
        """The formulas of a place, by rows, in the card's dialect; empty for data and views."""
        return list(self._lowered(name))

    def examples(self, name: str) -> list[Formula]:
        """Those of them that tell the place's rule."""
        return examples(self.plan[name], self._lowered(name))

    def _lowered(self, name: str) -> Iterator[Formula]:
        return _LOWERED[self.card.dialect](self.plan, name, self.layout.ranges)

    @cached_property
    def blank(self) -> frozenset[str]:
        """Places that a student fills in."""
        return frozenset(self.card.blank)

    @cached_property
    def after_blank(self) -> frozenset[str]:
        """Blank places, and all that follows from one: nobody knows their values before a student has filled in."""
        return self.plan.after(self.blank)

    @cached_property
    def results(self) -> frozenset[str]:
        """Places that are handed on: formulas of a later tab read them, or none does.

        What checks and extras read makes no result of a step of the pipeline.
        """
        extra = {tab.name for tab in extra_tabs(self.card.config)}
        box, read, handed = self.layout.ranges, set(), set()
        for name in self.plan:
            for i in self.plan.inputs(name) if name.partition(".")[0] != AT else ():
                if box[name].tab not in extra or box[i].tab in extra:
                    read.add(i)
                    handed |= {i} if box[i].tab != box[name].tab else set()
        return frozenset(handed | (set(self.plan) - read))

    @property
    def cells(self) -> int:
        """Cells of all places."""
        return _cells(self.plan)


def matching(plan: Plan, pattern: str) -> list[str]:
    """Places with formulas of their own whose names fit a pattern; raises `LayoutError` where there are none."""
    wanted = pattern.strip().casefold()
    fitting = [name for name in plan if fnmatchcase(name.casefold(), wanted)]
    if found := [name for name in fitting if _computed(plan, name)]:
        return found
    computed = [name for name in plan if _computed(plan, name)]
    if fitting:
        near = [name for name in plan.inputs(fitting[0]) if name in computed]
        why = "shows cells of other places" if plan.is_view(fitting[0]) else "is given, not computed"
        raise LayoutError(
            f"{fitting[0]} {why} and cannot be left blank" + (f": try {', '.join(near[:3])}" * bool(near))
        )
    near = difflib.get_close_matches(wanted, computed, 3)
    raise LayoutError(f"no place {pattern[:60]!r} to leave blank" + (f": did you mean {', '.join(near)}?" * bool(near)))


def _computed(plan: Plan, name: str) -> bool:
    """Whether formulas in cells of its own compute a place."""
    return plan[name].op != "data" and not plan.is_view(name)


def _cells(plan: Plan) -> int:
    return sum(e.shape[0] * e.shape[1] for name, e in plan.items() if not plan.is_view(name))
