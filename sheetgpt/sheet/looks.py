"""What a tab looks like, beside what is in it: formats by style, widths, what stays in sight, folds, the page."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import accumulate, islice, pairwise
from textwrap import wrap
from typing import Any, NamedTuple

from sheetgpt.sheet.cells import Cell, Sheet, Style
from sheetgpt.sheet.contents import HEADS
from sheetgpt.sheet.layout import CHECK_WORDS, LEFT, Tab

# What a number is to the model: learned, given or typed, worked out on the way, handed on to a later tab.
LEARNED, GIVEN, STEP, RESULT = "#DDEBF7", "#FFF2CC", "#EDE7F6", "#E2EFDA"
_GREY = "#7F7F7F"
_NUMBER = "0.000"  # sections by size would lose signs: programs differ in when a condition implies one
_SHARE = "[=0]0;0.0%"
_WRAPPED = {"text_wrap": True, "valign": "top"}
FORMATS: dict[Style, dict[str, object]] = {
    Style.TITLE: {"bold": True, "font_size": 16},
    Style.ASIDE: {"bold": True, "font_color": _GREY, "align": "right", "valign": "top", "indent": 1},
    Style.WHERE: {"font_color": _GREY, **_WRAPPED},
    Style.WHAT: {"font_size": 12, **_WRAPPED},
    Style.WHY: {"font_size": 12, "italic": True, "font_color": "#404040", **_WRAPPED},
    Style.WORDS: {"font_size": 12, "bold": True, "font_color": "#375623", **_WRAPPED},
    Style.TRY: {"font_size": 12, "bg_color": "#FCE4D6", **_WRAPPED},
    Style.LINK: {"underline": True, "font_color": "#0563C1"},
    Style.HEADING: {"bold": True, "bottom": 1},
    Style.NAME: {"bold": True, "font_color": "#1F3864", "valign": "top"},
    Style.NOTE: {"valign": "top"},
    Style.MEANING: {**_WRAPPED},
    Style.CODE: {"font_name": "Courier New", "font_color": "#375623", **_WRAPPED},
    Style.RULER: {"font_color": _GREY, "align": "center", "bottom": 1},
    Style.LABEL: {"font_color": "#1F3864", "align": "right", "bg_color": "#F2F2F2"},
    Style.INPUT: {"bg_color": GIVEN, "num_format": "0"},
    Style.INPUT_TEXT: {"bg_color": GIVEN, "bold": True, "font_size": 14, "num_format": "@"},
    Style.KNOB: {"bg_color": GIVEN, "bold": True, "font_size": 14, "border": 1, "border_color": "#BF9000"},
    Style.TYPED: {"bg_color": GIVEN},
    Style.GIVEN: {"bg_color": GIVEN, "num_format": _NUMBER},
    Style.PARAMETER: {"bg_color": LEARNED, "num_format": _NUMBER},
    Style.VALUE: {"bg_color": RESULT, "num_format": _NUMBER},
    Style.STEP: {"bg_color": STEP, "num_format": _NUMBER},
    Style.WHOLE: {"num_format": "0"},
    Style.SHARE: {"num_format": _SHARE},
    Style.CHANCE: {"num_format": "0.0%;;"},
    Style.TOKEN: {},
    Style.ANSWER: {"bold": True, "font_size": 14, "bg_color": "#C6E0B4", "border": 1},
    Style.PROBLEM: {"bold": True, "text_wrap": True, "valign": "top"},
    Style.LIGHT: {"bold": True, "align": "left"},
    Style.GAP: {"num_format": "[=0]0;[<1]0.0E+00;General", "align": "center"},
    Style.FOUND: {"align": "center"},
    Style.RECORDED: {"align": "center", "bg_color": GIVEN},
    Style.BYTES: {"num_format": "0;;"},
    Style.BLANK: {"bg_color": "#FFFF99", "border": 1, "border_color": "#BF9000"},
    Style.STAGE: {"bold": True, "bg_color": "#D9E1F2", "border": 1},
    Style.FINE: {"font_size": 7, "font_color": "#A6A6A6"},
    Style.WARNING: {"bold": True, "font_size": 12, "font_color": "#C00000"},
    Style.BOX: {"align": "center", "bg_color": "#F2F2F2", "border": 1, "font_color": "#0563C1"},
    Style.BOX_NOTE: {"align": "center", "shrink": True, "font_color": "#404040"},
    Style.ARROW: {"align": "center", "bold": True, "font_color": _GREY},
    Style.COLUMN: {"bold": True, "bottom": 1, "align": "right"},
    Style.COUNT: {"num_format": "#,##0"},
    Style.TOTAL: {"bold": True, "num_format": "#,##0"},
    Style.SWITCH: {
        "bg_color": GIVEN,
        "border": 1,
        "border_color": "#BFBFBF",
        "align": "center",
        "num_format": "General",
    },
    Style.SENTENCE: {"bold": True, "font_size": 14},
    Style.CHANGE: {"num_format": "+0.0%;-0.0%;0.0%"},
    Style.SHOWN: {"bold": True, "font_size": 12},
    Style.WORD: {"bg_color": GIVEN, "bold": True, "border": 1, "border_color": "#BF9000", "num_format": "@"},
    Style.COSINE: {"num_format": '[<-1.5]"";[<0]-0.000;0.000'},  # the sign is said: not every program implies it
    Style.DISTANCE: {"num_format": '[<0]"";0.000'},
    Style.SPARSE: {"num_format": '[<0]"";[>=1000000]"";0'},
}
# Prose is wrapped in cells that are merged over as many columns as make _PROSE characters; of a line so many fit.
_PROSE = 120
LINE = {
    **dict.fromkeys((Style.WHERE, Style.MEANING), (128, 15.0)),
    **dict.fromkeys((Style.WHAT, Style.WHY, Style.WORDS, Style.TRY), (118, 16.5)),
    Style.CODE: (104, 13.0),
}
_LABELS = 18  # characters in column A
_USUAL = 8.43  # characters in a column that nothing is said about
_MAP: list[tuple[int, int, float]] = [
    (0, 0, 28),
    (1, 1, 13),
    *((c, c, 4 if c % 2 else 18) for c in range(2, HEADS)),
    (HEADS, HEADS + 99, 4),
]
_WIDTHS: dict[str, list[tuple[int, int, float]]] = {
    "contents": _MAP,
    "contents_slice": _MAP,
    "check": [(0, 0, 26), (1, 1, 12), (2, 2, 10), (3, 3, 80), (4, 15, 16)],
    "prompt": [(1, 1, 60)],
    "prompt_fixed": [(1, 1, 60)],
    "prompt_slice": [(1, 1, 60)],
    "merges": [(1, 200, 7)],
    "sampling": [(1, 11, 11)],
    "generate": [(1, 1, 50), (2, 4, 14), (5, 5, 60)],
    "lens": [(7, 11, 11)],
    "playground": [(1, 1, 14), (3, 3, 14), (7, 12, 11)],
    "glossary": [(0, 0, 30), (1, 6, 19), (7, 7, 24)],
    "compute": [
        *((0, 0, 24), (1, 2, 16), (3, 6, 11), (7, 7, 3)),
        *((8, 9, 16), (10, 13, 11), (14, 14, 8), (15, 15, 2), (16, 20, 12)),
    ],
    "parameters": [(0, 0, 24), (3, 3, 14), (7, 7, 28), (8, 9, 68)],
    "attention": [(1, 16_383, 8)],  # patterns are nearly square
    "course/maze": [(1, 99, 8)],
    "next": [(1, 16_383, 7.3)],  # so that the chart is on the first screen
}
_REASON = 46.0  # points: three lines that say why there is no answer
_SQUARE = 24  # points: the height of a row of a pattern
_TABS = {"stage": "#A9D08E", "parameters": "#9DC3E6"}
_PROMPT, _PICTURES, _CHECKS = "#FFD966", "#B4A7D6", "#7F7F7F"
_MARKED = {"prompt": _PROMPT, "prompt_fixed": _PROMPT, "prompt_slice": _PROMPT, "input": _PROMPT, "check": _CHECKS}
_ROW = 20  # pixels of a row
_PAGE = (1000, 690)  # pixels of an A4 page within its margins, the long side first, at full size
_LEAST = 0.5  # of full size: what is smaller cannot be read
_READ = 0.5  # the size of tabs that take several pages
_WIDER = 1.27  # how much wider columns are where there is no Calibri
_WHOLE = {  # printed to which column, on as many pages as it takes
    "check": CHECK_WORDS,
    **dict.fromkeys(("contents", "contents_slice"), HEADS + 12),
    "parameters": 7,
    "compute": 20,
    "glossary": 7,
}
_NARROWER = 0.94  # LibreOffice breaks a page that is filled to the last column
_LONG = frozenset({"attention", "points", "heads", "matmul", "hand", "playground"})  # that may take several pages
_SHOWN = {"sampling": 3, "playground": 5}  # bands that are printed: the others are the working behind them


class Page(NamedTuple):
    """How a tab is printed: its last row and column, whether the paper stands, and rows with which pages begin."""

    row: int
    col: int
    upright: bool
    size: float  # of full size; 0 where it is for the program to find one
    breaks: tuple[int, ...] = ()


def frame(ws: Any, sheet: Sheet) -> None:
    """All of that for one tab."""
    for first, last, width in ((0, 0, _LABELS), *_widths_of(sheet.tab.lesson)):
        ws.set_column(first, last, width)
    ws.freeze_panes(*_in_sight(sheet))
    ws.hide_gridlines(2 if sheet.tab.group == "stage" else 1)
    ws.set_tab_color(_MARKED.get(sheet.tab.lesson, _TABS[sheet.tab.group]))
    _fold(ws, sheet)
    _print(ws, sheet)


def _in_sight(sheet: Sheet) -> tuple[int, int]:
    """Rows above and columns left that stay when one scrolls: the title, or of a long table all down to its ruler."""
    if sheet.tab.lesson.startswith(("contents", "prompt")) or sheet.tab.lesson == "parameters":
        return 2, 0
    if sheet.tab.group == "parameters" and sheet.masses:
        return min(mass.box.row for mass in sheet.masses if mass.style is not Style.RULER), LEFT
    return 2, LEFT  # title and links


def spread(sheet: Sheet, cell: Cell) -> tuple[int, float]:
    """The last column over which a text in prose is merged, and the height that it needs, in points."""
    return _spread(sheet.tab.lesson, cell.col, cell.style, str(cell.body))


@lru_cache(maxsize=4096)  # asked for where it is written, and where its tab is folded, printed and cut into pages
def _spread(lesson: str, col: int, style: Style, text: str) -> tuple[int, float]:
    widths = _widths(lesson)[col:]
    columns = next(n for n in range(1, len(widths)) if sum(widths[:n]) >= _PROSE)
    columns = min(columns, _WHOLE.get(lesson, len(widths) + col) - col + 1)  # not beyond the page
    most, height = LINE[style]
    room = int(most * sum(widths[:columns]) / _PROSE)
    lines = sum(max(1, len(wrap(part, room))) for part in text.split("\n"))
    return col + columns - 1, height * lines + 2


def _fold(ws: Any, sheet: Sheet) -> None:
    """Rows that can be folded away, under the line that names them; heights of rows that are square or hold prose."""
    ws.outline_settings(True, False, False, False)
    folds = {r for first, last in sheet.folds for r in range(first, last + 1)}
    tall = {r for box in sheet.square for r in range(box.row, box.row + box.rows)}
    high = {cell.row: spread(sheet, cell)[1] for cell in sheet.cells if cell.style in LINE}
    high |= dict.fromkeys(tall, float(_SQUARE))
    if sheet.tab.lesson == "prompt":
        high |= {cell.row: _REASON for cell in sheet.cells if cell.style is Style.PROBLEM}
    for r in sorted(folds | high.keys()):
        ws.set_row(r, high.get(r), None, {"level": 1} if r in folds else {})


def _print(ws: Any, sheet: Sheet) -> None:
    page = page_of(sheet)
    ws.set_paper(9)  # A4
    ws.set_margins(left=0.4, right=0.4, top=0.4, bottom=0.6)
    ws.set_footer("&L&9&A&R&9Page &P of &N", {"margin": 0.3})
    ws.set_portrait() if page.upright else ws.set_landscape()
    ws.print_area(0, 0, page.row, page.col)
    ws.repeat_rows(0)
    if page.breaks:  # which no program heeds where it is to make things fit
        ws.set_print_scale(int(100 * page.size))
        ws.set_h_pagebreaks(page.breaks)
    else:
        ws.fit_to_pages(1, 1 if page.size else 0)


def page_of(sheet: Sheet) -> Page:
    """As much of a tab, from its beginning, as can be read on one page; all bands of some tabs, on several."""
    last = max([c.row for c in sheet.cells] + [mass.box.row + mass.box.rows - 1 for mass in sheet.masses])
    last = max([last, *(chart.row + int(chart.size[1] / _ROW) + 1 for chart in sheet.charts)])
    if (shown := _SHOWN.get(sheet.tab.lesson, 0)) and shown < len(sheet.tops):
        last = sheet.tops[shown] - 1
    if sheet.tab.lesson.startswith("contents"):
        last = max(c.row for c in sheet.cells if c.style is not Style.FINE)
    if sheet.tab.lesson in _WHOLE:
        reach = (spread(sheet, c)[0] if c.style in LINE else c.col for c in sheet.cells)
        column = min(_WHOLE[sheet.tab.lesson], max(reach))
        return Page(last, column, sheet.tab.lesson == "check", 0)
    height = sum(_heights(sheet, last))
    long, short = _PAGE
    if _is_long(sheet.tab) and height * _LEAST > long:
        col = _columns(sheet, short / _READ / _WIDER)
        size = min(_READ, _NARROWER * short / _WIDER / sum(islice(_pixels(sheet), col + 1)))  # charts may reach farther
        return Page(last, col, True, size, _breaks(sheet, last, long / size))
    upright = sheet.tab.group == "stage" and height * _LEAST > short
    high, wide = (long, short) if upright else (short, long)
    size = max(_LEAST, min(1.0, high / height))
    rows = sum(total <= high / size for total in accumulate(_heights(sheet, last)))
    return Page(rows - 1, _columns(sheet, wide / size), upright, size)


def _is_long(tab: Tab) -> bool:
    return tab.lesson in _LONG or tab.lesson.startswith("course/")


def _heights(sheet: Sheet, last: int) -> list[float]:
    """Pixels of each row."""
    points = {r: float(_SQUARE) for box in sheet.square for r in range(box.row, box.row + box.rows)}
    points |= {cell.row: spread(sheet, cell)[1] for cell in sheet.cells if cell.style in LINE}
    return [points[r] * 4 / 3 if r in points else _ROW for r in range(last + 1)]


def _breaks(sheet: Sheet, last: int, room: float) -> tuple[int, ...]:
    """Rows with which a page begins, so that no band is cut that has room on one."""
    heights, breaks, start = _heights(sheet, last), [], 0
    for top, after in pairwise((*sheet.tops, last + 1)):
        if top > start and sum(heights[start:after]) > room:
            breaks.append(top)
            start = top
    return tuple(breaks)


def _columns(sheet: Sheet, width: float) -> int:
    """The last column of those that a width in pixels has room for, and that charts and lines of words reach."""
    col, used = 0, 0.0
    charts = (sum(islice(_pixels(sheet), chart.col)) + chart.size[0] + 64 for chart in sheet.charts)
    ends = (spread(sheet, cell)[0] for cell in sheet.cells if cell.style in LINE)
    words = sum(islice(_pixels(sheet), max(ends, default=0) + 1))
    width = max([width, words, *charts])
    for pixels in _pixels(sheet):
        used += pixels
        if used > width:
            return max(0, col - 1)
        col += 1
    return col


def _pixels(sheet: Sheet) -> Iterator[float]:
    """The widths of the columns in pixels."""
    return (7 * width + 5 for width in _widths(sheet.tab.lesson))


def _widths_of(lesson: str) -> list[tuple[int, int, float]]:
    return _WIDTHS.get(lesson, [(1, 99, 12)] if lesson.startswith("course/") else [])


@cache
def _widths(lesson: str) -> tuple[float, ...]:
    """The widths of the first columns in characters."""
    said = [(0, 0, float(_LABELS)), *_widths_of(lesson)]
    return tuple(
        next((width for first, last, width in reversed(said) if first <= col <= last), _USUAL) for col in range(256)
    )
