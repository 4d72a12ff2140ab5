"""Pictures of cells: which tab shows which. They stand beside the numbers of a band that has room for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sheetgpt.plan.points import last_of
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.cells import Chart, Series
from sheetgpt.sheet.layout import Range, Tab

_WIDE = (720, 420)  # pixels: of a chart that fills its room
_LIST = (480, 288)


def charts_of(book: Blueprint, tab: Tab) -> Iterator[Chart]:
    """The charts of a tab."""
    ranges, config = book.layout.ranges, book.card.config
    if tab.lesson == "next":
        yield _candidates(ranges, *_beside(ranges["top.prob"]))
    elif tab.lesson.startswith("prompt") and "top.prob" in ranges:
        yield _candidates(ranges, ranges["prompt.text"].row - 1, 3)
    elif tab.lesson == "attention" and tab.block is not None and last_of(config, tab.block)[0] in ranges:
        yield _last(ranges, last_of(config, tab.block))
    elif tab.lesson == "points":
        at = _beside(ranges["points.y"])
        points = Series("tokens", ranges["points.y"], ranges["points.x"], ranges["prompt.tokens"])
        axes = ("the direction in which they differ most", "the next one")
        yield Chart("scatter", "The prompt's tokens", (points,), *at, *axes, _WIDE)
    elif tab.lesson == "curve":
        yield _curve(ranges, config.n_layer, tab.name)


def _beside(box: Range) -> tuple[int, int]:
    """The cell to the right of a band's last place, in the row of the ruler."""
    return box.row - 1, box.col + box.cols + 1


def _candidates(ranges: Mapping[str, Range], row: int, col: int) -> Chart:
    series = Series("probability", ranges["top.prob"], ranges["top.text"])
    return Chart("bar", "The most likely next tokens", (series,), row, col, size=_LIST)


def _last(ranges: Mapping[str, Range], names: tuple[str, ...]) -> Chart:
    heads = (Series(f"head {j}", ranges[name], ranges["prompt.tokens"]) for j, name in enumerate(names))
    return Chart("column", "Whom the last token reads from", tuple(heads), *_beside(ranges[names[-1]]), size=_WIDE)


def _curve(ranges: Mapping[str, Range], n_layer: int, name: str) -> Chart:
    blocks = (Series(f"h{i}", *(ranges[f"h{i}.mlp.{place}.last"] for place in ("post", "pre"))) for i in range(n_layer))
    series = (Series(name, ranges["curve.y"], ranges["curve.x"], joined=True), *blocks)
    title = f"{name}, and the last token's first neurons of each block on it"
    return Chart("scatter", title, series, *_beside(ranges["curve.y"]), "before", "after", _WIDE)
