"""What a workbook is a workbook of: the card that it carries, and the plan and layout that follow from it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sheetgpt import __version__
from sheetgpt.errors import LayoutError, SheetGPTError, WorkbookError
from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.checks import add_checks
from sheetgpt.plan.live import Live
from sheetgpt.plan.model import gpt2
from sheetgpt.plan.plan import Plan
from sheetgpt.plan.stages import WHOLE, Stages
from sheetgpt.sheet.a1 import MAX_ROWS
from sheetgpt.sheet.layout import Layout, lay_out

FORMAT = 2
CARD_NAME = "sheetgpt.card"  # defined name of the cell that holds the card
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
            return cls(model, config, n_rows, live, version, stages)
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
        plan = gpt2(card.config, card.n_rows, card.live, card.stages)
        add_checks(plan, card.config, card.stages, card.live is not None)
        cells = _cells(plan)
        if cells > _MOST_CELLS:
            raise LayoutError(f"{cells:,} cells are too many for one workbook ({_MOST_CELLS:,})")
        return cls(card, plan, lay_out(card.config, plan, live=card.live is not None, stages=card.stages))

    @property
    def cells(self) -> int:
        """Cells of all places."""
        return _cells(self.plan)


def _cells(plan: Plan) -> int:
    return sum(e.shape[0] * e.shape[1] for name, e in plan.items() if not plan.is_view(name))
