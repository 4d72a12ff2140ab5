"""A `Chart` as XlsxWriter draws it."""

from __future__ import annotations

from typing import Any

from sheetgpt.sheet.cells import Chart, Series

_COLOURS = ("#2E75B6", "#C55A11", "#548235", "#7030A0", "#BF9000", "#00807A", "#C00060", "#808080")
_LINE, _GREY, _FAINT = "#404040", "#595959", {"visible": True, "line": {"color": "#E3E3E3", "width": 0.75}}
_SHARES = {"num_format": "0%", "major_gridlines": _FAINT, "min": 0}
_NUMBERS = {"num_format": "0.0", "major_gridlines": _FAINT, "label_position": "low"}  # not where the axes cross
_LOW = {"label_position": "low"}
_RANKS = {"num_format": "0", "major_gridlines": _FAINT, "log_base": 10}
# Kind of chart -> what is special about its axes, x and y; XlsxWriter takes the upright axis of bars for y.
_AXES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "scatter": (_NUMBERS, _NUMBERS),
    "column": ({}, _SHARES),
    "line": ({}, _SHARES),
    "bar": (_SHARES, {"reverse": True}),
}
_PLAIN_AXES = _AXES | {
    "column": (_LOW, _NUMBERS),
    "line": (_LOW, _NUMBERS),
    "bar": (_NUMBERS, {"reverse": True} | _LOW),
}


def drawn(book: Any, chart: Chart) -> Any:
    """The chart, to be inserted into a sheet of the XlsxWriter workbook `book`."""
    picture = book.add_chart({"type": chart.kind})
    named = chart.kind != "scatter" or isinstance(chart.series[0].name, str)
    for number, series in enumerate(chart.series):
        picture.add_series(_series(chart, series, _COLOURS[number % len(_COLOURS) if named else 0]))
    x, y = ({}, _RANKS) if chart.ranks else _AXES[chart.kind] if chart.shares else _PLAIN_AXES[chart.kind]
    picture.set_title({"name": chart.title, "name_font": {"size": 13, "bold": True}})
    picture.set_x_axis(_axis(chart.across) | x)
    picture.set_y_axis(_axis(chart.up) | y)
    picture.set_size({"width": chart.size[0], "height": chart.size[1]})
    picture.set_legend({"position": "bottom"} if named and len(chart.series) > 1 else {"none": True})
    return picture


def _axis(name: str) -> dict[str, Any]:
    return {"name": name, "name_font": {"bold": False, "color": _GREY, "size": 10}, "num_font": {"size": 10}}


def _series(chart: Chart, series: Series, colour: str) -> dict[str, Any]:
    name, values, along = (list(cells) or None for cells in series.now)  # None: it looks for them in vain
    drawn: dict[str, Any] = {"name": series.name, "values": "=" + series.values.ref, "values_data": values}
    drawn |= {"categories": "=" + series.along.ref, "categories_data": along}
    if not isinstance(series.name, str):
        drawn |= {"name": "=" + series.name.ref, "name_data": name}
    if chart.kind == "scatter" and not isinstance(series.name, str):
        label = {"series_name": True, "value": False, "position": "above", "font": {"size": 11}, "num_format": ";;;"}
        drawn |= {"data_labels": label}
    if series.joined:
        alone = sum(one.joined for one in chart.series) == 1
        return drawn | {"line": {"color": _LINE if alone else colour, "width": 1.75}, "marker": {"type": "none"}}
    if chart.kind == "scatter":
        marker = {"type": "circle", "size": 7, "fill": {"color": colour}, "border": {"color": "#FFFFFF"}}
        return drawn | {"marker": marker}
    if chart.kind == "line":
        marker = {"type": "circle", "size": 6, "fill": {"color": colour}, "border": {"color": colour}}
        return drawn | {"line": {"color": colour, "width": 2}, "marker": marker}
    if chart.kind == "bar":
        drawn["data_labels"] = {"value": True, "num_format": "0.0%;;" if chart.shares else "0.00"}
    return drawn | {"fill": {"color": colour}, "gap": 40}
