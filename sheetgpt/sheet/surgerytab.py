"""The tab Surgery: switches in a grid of blocks and heads, what each part does in a grid of the same columns, and
beside them the answer as built and as it is now.
"""

from __future__ import annotations

from collections.abc import Iterator

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.model import TOP
from sheetgpt.sheet.cells import Cell, Kind, Style
from sheetgpt.sheet.layout import HEAD, LEFT, Band, Tab
from sheetgpt.sheet.lessons import Lesson

_ANSWER, _MOVED, _COUNT = 3, 5, 6  # rows below the head
_GRID = 8  # the row of the first grid's heading; under it a ruler
_GRIDS = ("on", "effect", "scale")  # from top to bottom
_TABLE = {
    "text": "Token",
    "": "",
    "was.prob": "As built",
    "now.prob": "Now",
    "change": "Change",
    "was.logit": "Logit then",
    "now.logit": "Logit now",
    "was.id": "Number",
}


def surgery_tab(config: ModelConfig) -> Tab:
    """Every place where it stands, counted from the head."""
    at = {"verdict": (0, 0), "problem": (1, 0), "moved": (_MOVED, LEFT), "count": (_COUNT, LEFT)}
    for row, when in enumerate(("was", "now"), _ANSWER):
        at |= {f"{when}.{what}": (row, LEFT + c) for c, what in enumerate(("answer", "share", "number"))}
    on, effect, scale, table = (*(top_of(config, grid) for grid in _GRIDS), table_column(config))
    at |= {"odd": (_COUNT, LEFT + 3), "turned": (on, LEFT + config.n_head + 1), "effect": (effect, LEFT)}
    at |= {name: (_GRID + 2, table + c) for c, name in enumerate(_TABLE) if name}
    at |= {"rest": (_GRID + 2 + min(TOP, config.n_vocab), table + list(_TABLE).index("change"))}
    bands = [Band((f"surgery.{name}",), at=where) for name, where in at.items()]
    bands += [Band(("wpe.on",), at=(on + config.n_layer, LEFT)), Band(("embed.pos.on",), at=(bottom(config), LEFT))]
    for i in range(config.n_layer):
        heads = [f"h{i}.attn.head{j}" for j in range(config.n_head)]
        bands.append(Band((*(f"{head}.on" for head in heads), f"h{i}.mlp.on"), touching=True, at=(on + i, LEFT)))
        bands.append(Band(tuple(f"{head}.scale" for head in heads), touching=True, at=(scale + i, LEFT)))
    return Tab("Surgery", "surgery", tuple(bands))


def top_of(config: ModelConfig, grid: str) -> int:
    """The first row of a grid, from the head on; one for each block, and below the switches that of all positions."""
    return _GRID + 2 + _GRIDS.index(grid) * (config.n_layer + 4)


def bottom(config: ModelConfig) -> int:
    """The first row of the switches of positions, below the grids."""
    return top_of(config, "scale") + config.n_layer + 3


def table_column(config: ModelConfig) -> int:
    """Where the table of the likeliest tokens begins, right of the grids."""
    return LEFT + config.n_head + 4


def told(config: ModelConfig, words: Lesson) -> Iterator[Cell]:
    """The words around the places: headings, rulers, what the rows are."""
    heads = [f"head {j}" for j in range(config.n_head)]
    for row, text in ((_ANSWER, "Answer as built"), (_ANSWER + 1, "Answer now"), (_MOVED, "Probability moved")):
        yield _text(row, 0, text, Style.NAME)
    for c, text in enumerate(("token", "probability", "number"), LEFT):
        yield _text(_ANSWER - 1, c, text, Style.RULER)
    yield _text(_MOVED, LEFT + 1, words.meaning("surgery.moved"), Style.NOTE)
    yield _text(_COUNT, 0, "Switches turned", Style.NAME)
    yield _text(_COUNT, LEFT + 1, "without a number", Style.NOTE)
    for grid, heading in zip(_GRIDS, ("on", "surgery.effect", "scale"), strict=True):
        top = top_of(config, grid)
        columns = heads if grid == "scale" else [*heads, "MLP", *(["turned"] if grid == "on" else [])]
        yield _text(top - 2, 0, words.meaning(heading), Style.NAME)
        yield from (_text(top - 1, LEFT + c, name, Style.RULER) for c, name in enumerate(columns))
        yield from (_text(top + i, 0, f"h{i}: block {i + 1}", Style.LABEL) for i in range(config.n_layer))
    yield _text(top_of(config, "on") + config.n_layer, 0, "all positions", Style.LABEL)
    yield _text(bottom(config) - 2, 0, words.meaning("embed.pos.on"), Style.NAME)
    yield _text(bottom(config) - 1, LEFT, "position", Style.RULER)
    table = table_column(config)
    yield _text(_GRID, table, words.meaning("surgery.was.id"), Style.NAME)
    yield from (_text(_GRID + 1, table + c, name, Style.RULER) for c, name in enumerate(_TABLE.values()))
    yield _text(_GRID + 2 + min(TOP, config.n_vocab), table, "all other tokens", Style.NOTE)


def _text(row: int, col: int, text: str, style: Style) -> Cell:
    return Cell(HEAD + row, col, Kind.TEXT, text, style)
