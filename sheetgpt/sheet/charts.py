"""Pictures of cells: which tab shows which. They stand beside the numbers of a band that has room for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from sheetgpt.plan.points import last_of
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.cells import Chart, Series, Value
from sheetgpt.sheet.layout import LEFT, Range, Tab

Env = Mapping[str, NDArray[Any]]

_WIDE = (640, 420)  # pixels: of a chart that fills its room
_LIST = (480, 288)
_MOST = 100  # tokens in a chart, which may have 255 series


def charts_of(book: Blueprint, tab: Tab, env: Env) -> Iterator[Chart]:
    """The charts of a tab; what their cells hold is remembered in them, but for what a student is to find."""

    def now(box: Range | str) -> list[Value]:
        if isinstance(box, str) or box.name in book.after_blank:
            return []
        first = box.row - book.layout.ranges[box.name].row
        return list(env[box.name][first : first + box.rows, 0].tolist())

    for chart in _charts(book, tab):
        yield chart._replace(series=tuple(s._replace(now=tuple(map(now, s[:3]))) for s in chart.series))


def _charts(book: Blueprint, tab: Tab) -> Iterator[Chart]:
    ranges, config = book.layout.ranges, book.card.config
    if tab.lesson == "next":
        yield _candidates(ranges, *_beside(ranges["top.prob"]))
    elif tab.lesson.startswith("prompt") and "top.prob" in ranges:
        yield _candidates(ranges, ranges["prompt.text"].row - 1, 3)
    elif tab.lesson == "attention" and tab.block is not None and last_of(config, tab.block)[0] in ranges:
        yield _last(ranges, last_of(config, tab.block))
    elif tab.lesson == "sampling":
        yield _chances(ranges)
    elif tab.lesson == "points":
        yield _tokens(ranges)
    elif tab.lesson == "curve":
        yield _curve(ranges, config.n_layer, tab.name)
    elif tab.lesson == "surgery":
        yield _before_and_after(ranges)
    elif tab.lesson == "lens":
        yield from _lens(ranges)


def _beside(box: Range) -> tuple[int, int]:
    """The cell to the right of a band's last place, in the row of the ruler."""
    return box.row - 1, box.col + box.cols + 1


def _cell(column: Range, r: int) -> Range:
    return column._replace(row=column.row + r, rows=1)


def _candidates(ranges: Mapping[str, Range], row: int, col: int) -> Chart:
    series = Series("probability", ranges["top.prob"], ranges["top.text"])
    return Chart("bar", "The most likely next tokens", (series,), row, col, size=_LIST)


def _last(ranges: Mapping[str, Range], names: tuple[str, ...]) -> Chart:
    heads = (Series(f"head {j}", ranges[name], ranges["prompt.tokens"]) for j, name in enumerate(names))
    return Chart("column", "Whom the last token reads from", tuple(heads), *_beside(ranges[names[-1]]), size=_WIDE)


def _tokens(ranges: Mapping[str, Range]) -> Chart:
    """A series for each token: its name is the only label that every program shows, and keeps when a cell changes."""
    tokens, y, x = (ranges[f"points.{name}"] for name in ("name", "up", "across"))
    rows = range(min(tokens.rows, _MOST))
    series = (Series(_cell(tokens, r), _cell(y, r), _cell(x, r)) for r in rows)
    axes = ("the direction in which they differ most", "the direction after that")
    return Chart(
        "scatter", "Which tokens lie near each other", tuple(series), *_beside(ranges["points.y"]), *axes, _WIDE
    )


def _curve(ranges: Mapping[str, Range], n_layer: int, name: str) -> Chart:
    at = [f"h{i}.mlp" for i in range(n_layer)]
    blocks = (Series(f"h{i}", ranges[f"{h}.post.last"], ranges[f"{h}.pre.last"]) for i, h in enumerate(at))
    series = (Series(name, ranges["curve.y"], ranges["curve.x"], joined=True), *blocks)
    title = f"{name}, and the last token's first neurons of each block on it"
    return Chart("scatter", title, series, *_beside(ranges["curve.y"]), "before", "after", _WIDE)


def _chances(ranges: Mapping[str, Range]) -> Chart:
    places = {"before": "before", "at this temperature": "after", "after the cut": "prob"}
    bars = (Series(name, ranges[f"sample.top.{place}"], ranges["sample.top.text"]) for name, place in places.items())
    table = ranges["sample.top.text"]
    return Chart("column", "How likely each token is", tuple(bars), table.row + table.rows + 1, LEFT, size=(640, 225))


def _before_and_after(ranges: Mapping[str, Range]) -> Chart:
    text, was, now = (ranges[f"surgery.{name}"] for name in ("text", "was.prob", "now.prob"))
    both = Series("as built", was, text), Series("now", now, text)
    title = "The tokens that were likeliest: probability as built, and now"
    return Chart("column", title, both, was.row + was.rows + 2, text.col, size=(640, 320))


def _lens(ranges: Mapping[str, Range]) -> Iterator[Chart]:
    """How the final answer rises, block after block."""
    table, text = ranges["lens.depth"], ranges["lens.text"]
    below = table.row + table.rows + 1
    chance, rank = (Series(name, ranges[f"lens.{name}"], table) for name in ("prob", "rank"))
    title, across = "Probability of the final answer, block after block", "blocks behind it"
    yield Chart("line", title, (chance,), below, table.col, across, "probability", _LIST)
    title = "Its rank among all tokens: 1 is the likeliest"
    yield Chart("line", title, (rank,), below, text.col + 2, across, "rank", _LIST, ranks=True)
