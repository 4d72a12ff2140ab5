"""A `Chart` as XlsxWriter draws it."""

from __future__ import annotations

from typing import Any

from sheetgpt.sheet.cells import Chart, Series

_COLOURS = ("#2E75B6", "#C55A11", "#548235", "#7F6000", "#7030A0", "#808080")


def drawn(book: Any, chart: Chart) -> Any:
    """The chart, to be inserted into a sheet of the XlsxWriter workbook `book`."""
    picture = book.add_chart({"type": chart.kind})
    for number, series in enumerate(chart.series):
        picture.add_series(_series(chart, series, _COLOURS[number % len(_COLOURS)]))
    picture.set_title({"name": chart.title, "name_font": {"size": 12, "bold": True}})
    picture.set_x_axis({"name": chart.across})
    picture.set_y_axis({"name": chart.up} | ({"reverse": True} if chart.kind == "bar" else {}))
    picture.set_size({"width": chart.size[0], "height": chart.size[1]})
    if len(chart.series) == 1:
        picture.set_legend({"none": True})
    return picture


def _series(chart: Chart, series: Series, colour: str) -> dict[str, Any]:
    drawn: dict[str, Any] = {"name": series.name, "values": "=" + series.values.ref}
    if series.along:
        drawn["categories"] = "=" + series.along.ref
    if chart.kind == "scatter":
        drawn["marker"] = {"type": "circle", "size": 7, "fill": {"color": colour}, "border": {"color": colour}}
    elif chart.kind == "line":
        drawn["line"] = {"color": colour, "width": 2}
    else:
        drawn["fill"] = {"color": colour}
    if series.labels:
        cells = (series.labels._replace(row=series.labels.row + r, rows=1) for r in range(series.labels.rows))
        drawn["data_labels"] = {"custom": [{"value": "=" + cell.ref} for cell in cells], "value": True}
    return drawn
