"""A `Chart` as XlsxWriter draws it."""

from __future__ import annotations

from typing import Any

from sheetgpt.sheet.cells import Chart, Series

_COLOURS = ("#2E75B6", "#C55A11", "#548235", "#7030A0", "#BF9000", "#00807A", "#C00060", "#808080")
_LINE = "#404040"
_FAINT = {"visible": True, "line": {"color": "#E3E3E3", "width": 0.75}}


def drawn(book: Any, chart: Chart) -> Any:
    """The chart, to be inserted into a sheet of the XlsxWriter workbook `book`."""
    picture = book.add_chart({"type": chart.kind})
    for number, series in enumerate(chart.series):
        picture.add_series(_series(chart, series, _COLOURS[number % len(_COLOURS)]))
    picture.set_title({"name": chart.title, "name_font": {"size": 13, "bold": True}, "overlay": False})
    picture.set_x_axis(_axis(chart.across) | _X.get(chart.kind, {}))
    picture.set_y_axis(_axis(chart.up) | _Y.get(chart.kind, {}))
    picture.set_size({"width": chart.size[0], "height": chart.size[1], "object_position": 2})
    picture.set_legend({"none": True} if len(chart.series) == 1 else {"position": "bottom"})
    return picture


def _axis(name: str) -> dict[str, Any]:
    return {"name": name, "name_font": {"bold": False, "color": "#595959"}, "num_font": {"size": 10}}


_PERCENT = {"num_format": "0%", "major_gridlines": _FAINT}
_BELOW = {"label_position": "low", "num_format": "0.0", "major_gridlines": _FAINT}  # not where the axes cross
# XlsxWriter takes the axis of the categories for x, bars too.
_X: dict[str, dict[str, Any]] = {"scatter": _BELOW, "column": {}, "bar": {"reverse": True}}
_Y: dict[str, dict[str, Any]] = {
    "scatter": _BELOW,
    "column": _PERCENT | {"min": 0},
    "bar": _PERCENT | {"min": 0, "crossing": "max"},
}


def _series(chart: Chart, series: Series, colour: str) -> dict[str, Any]:
    drawn: dict[str, Any] = {"name": series.name, "values": "=" + series.values.ref}
    if series.along:
        drawn["categories"] = "=" + series.along.ref
    if series.joined:
        drawn |= {"line": {"color": _LINE, "width": 1.75}, "marker": {"type": "none"}}
    elif chart.kind == "scatter":
        drawn["marker"] = {"type": "circle", "size": 7, "fill": {"color": colour}, "border": {"color": "#FFFFFF"}}
    elif chart.kind == "line":
        drawn["line"] = {"color": colour, "width": 2}
    else:
        drawn |= {"fill": {"color": colour}, "gap": 40}
    if chart.kind == "bar":
        drawn["data_labels"] = {"value": True, "num_format": "0.0%"}
    if series.labels:
        cells = (series.labels._replace(row=series.labels.row + r, rows=1) for r in range(series.labels.rows))
        custom = [{"value": "=" + cell.ref} for cell in cells]
        drawn["data_labels"] = {"custom": custom, "value": True, "position": "above", "font": {"size": 11}}
    return drawn
