"""Sheets -> one .xlsx file. XlsxWriter writes all that has a face; `blocks` streams computed cells and matrices."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from textwrap import wrap
from typing import Any

import xlsxwriter

from sheetgpt.errors import OutputError
from sheetgpt.plan.checks import NO_ANSWER, OK
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.a1 import column
from sheetgpt.sheet.blocks import Looks, splice
from sheetgpt.sheet.cells import COMPUTED, Cell, Kind, Ladder, Sheet, Style
from sheetgpt.sheet.contents import HEADS
from sheetgpt.sheet.drawing import drawn
from sheetgpt.sheet.layout import CHECK_WORDS, Range

_BLUE, _GREEN, _GREY, _SAND = "#DDEBF7", "#E2EFDA", "#7F7F7F", "#FFF2CC"
_WRAPPED = {"text_wrap": True, "valign": "top"}
_FORMATS: dict[Style, dict[str, object]] = {
    Style.TITLE: {"bold": True, "font_size": 16},
    Style.ASIDE: {"bold": True, "font_color": _GREY, "align": "right", "valign": "top"},
    Style.WHERE: {"font_color": _GREY, **_WRAPPED},
    Style.WHAT: {"font_size": 12, **_WRAPPED},
    Style.WHY: {"font_size": 12, "italic": True, "font_color": "#404040", **_WRAPPED},
    Style.WORDS: {"font_size": 12, "bold": True, "font_color": "#375623", **_WRAPPED},
    Style.TRY: {"font_size": 12, "bg_color": "#FCE4D6", **_WRAPPED},
    Style.LINK: {"underline": True, "font_color": "#0563C1"},
    Style.HEADING: {"bold": True, "bottom": 1},
    Style.NAME: {"bold": True, "font_color": "#1F3864"},
    Style.NOTE: {},
    Style.CODE: {"font_name": "Courier New", "font_color": "#375623"},
    Style.RULER: {"font_color": _GREY, "align": "center", "bottom": 1},
    Style.LABEL: {"font_color": "#1F3864", "align": "right", "bg_color": "#F2F2F2"},
    Style.INPUT: {"bg_color": _SAND, "num_format": "0"},
    Style.INPUT_TEXT: {"bg_color": _SAND, "bold": True, "font_size": 14, "num_format": "@"},
    Style.KNOB: {"bg_color": _SAND, "bold": True, "font_size": 14, "border": 1, "border_color": "#BF9000"},
    Style.GIVEN: {"bg_color": _SAND, "num_format": "0.000"},
    Style.PARAMETER: {"bg_color": _BLUE, "num_format": "0.000"},
    Style.VALUE: {"num_format": "0.000"},
    Style.WHOLE: {"num_format": "0"},
    Style.SHARE: {"num_format": "0.0%"},
    Style.CHANCE: {"num_format": "0.0%;;"},
    Style.TOKEN: {},
    Style.ANSWER: {"bold": True, "font_size": 14, "bg_color": _GREEN, "border": 1},
    Style.PROBLEM: {"bold": True},
    Style.LIGHT: {"bold": True, "align": "left"},
    Style.GAP: {"num_format": "[=0]0;[<1]0.0E+00;General", "align": "center"},
    Style.FOUND: {"align": "center"},
    Style.RECORDED: {"align": "center", "bg_color": _SAND},
    Style.BYTES: {"num_format": "0;;"},
    Style.BLANK: {"bg_color": "#FFFF99", "border": 1, "border_color": "#BF9000"},
    Style.STAGE: {"bold": True, "bg_color": "#D9E1F2", "border": 1},
    Style.BOX: {"align": "center", "bg_color": "#F2F2F2", "border": 1, "font_color": "#0563C1"},
    Style.BOX_NOTE: {"align": "center", "shrink": True, "font_color": "#404040"},
    Style.ARROW: {"align": "center", "bold": True, "font_color": _GREY},
    Style.COUNT: {"num_format": "#,##0"},
    Style.TOTAL: {"bold": True, "num_format": "#,##0"},
    Style.SHOWN: {"bold": True, "font_size": 12},
    Style.SWITCH: {
        "bg_color": _SAND,
        "border": 1,
        "border_color": "#BFBFBF",
        "align": "center",
        "num_format": "General",
    },
    Style.SENTENCE: {"bold": True, "font_size": 14},
    Style.CHANGE: {"num_format": "+0.0%;-0.0%;0.0%"},
    Style.SPARSE: {"num_format": '[<0]"";[>=1000000]"";0'},
}
# Prose is wrapped in cells that are merged over as many columns as make _PROSE characters; of a line so many fit.
_PROSE = 120
_LINE = {Style.WHERE: (128, 15.0), **dict.fromkeys((Style.WHAT, Style.WHY, Style.WORDS, Style.TRY), (118, 16.5))}
_USUAL = 8.43  # width of a column that nobody has set
_PRINT_ROWS, _PRINT_COLS = 130, 24  # a page shows the beginning of what is wider or longer
_PRINTED_WHOLE = {  # on as many pages as it takes, to the last column
    "check": CHECK_WORDS,
    **dict.fromkeys(("contents", "contents_slice"), HEADS + 12),
    "parameters": 7,
    "compute": 14,
    "glossary": 7,
}
_MAP = [(0, 0, 28), (1, 1, 13), *((c, c, 4 if c % 2 else 18) for c in range(2, HEADS)), (HEADS, HEADS + 99, 4)]
_WIDTHS = {
    "contents": _MAP,
    "contents_slice": _MAP,
    "check": [(0, 0, 26), (1, 1, 12), (2, 2, 10), (3, 3, 80), (4, 15, 16)],
    "prompt": [(1, 1, 60)],
    "prompt_fixed": [(1, 1, 60)],
    "prompt_slice": [(1, 1, 60)],
    "sampling": [(1, 11, 11)],
    "generate": [(1, 1, 50), (2, 4, 14), (5, 5, 60)],
    "merges": [(1, 200, 7)],
    "glossary": [(0, 0, 30), (1, 6, 19), (7, 7, 24)],
    "compute": [(0, 0, 24), (1, 14, 14), (7, 7, 3)],
    "parameters": [(0, 0, 24), (3, 3, 14), (7, 7, 28), (8, 9, 68)],
}
_MEANT_AS_TEXT = ("=", "+", "-", "@")  # a spreadsheet would take these for formulas if typed


def write(path: Path, sheets: Iterable[Sheet], names: Mapping[str, str], *, compact: bool = False) -> None:
    """Write the workbook to `path` (see `whole_file`). `names`: defined name -> reference without `=`.

    With `compact` most cells of matrices do not say where they stand (which IronCalc refuses): a third smaller. A file
    that LibreOffice could only just not open is deflated harder.
    """
    buffer = io.BytesIO()
    try:
        parts, looks = _write_faces(buffer, sheets, names)
        splice(buffer, path, parts, looks, compact=compact)
    except OSError as error:
        raise OutputError(f"cannot write the workbook ({error.strerror or error})") from None


def _make_folder(folder: Path) -> None:
    """Make a folder unless it is there; raises `OutputError`."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder} ({error.strerror}): choose a file with -o") from None


def _writable(path: Path, ending: str) -> Path:
    """The file that a path leads to, if one of this ending may be written there; raises `OutputError`."""
    try:
        real = path.resolve()
        if real.is_dir():
            raise OutputError(f"{path} is a folder: name a file in it")
        if real.exists() and not real.is_file():
            raise OutputError(f"{path} is not a file that can be replaced")
    except (OSError, ValueError, RuntimeError) as error:
        raise OutputError(f"cannot write {str(path)[:100]!r} ({error}): choose another with -o") from None
    if real.suffix.lower() != ending:
        raise OutputError(f"{path} does not end in {ending}, by which programs know what it holds")
    return real


@contextmanager
def whole_file(path: Path, ending: str = ".xlsx", *, make_parent: bool = False) -> Iterator[Path]:
    """A temporary file beside `path` that takes its name only if all goes well; raises `OutputError`."""
    path = _writable(path, ending)
    if make_parent:
        _make_folder(path.parent)
    try:
        handle, name = tempfile.mkstemp(suffix=ending, prefix=".sheetgpt-", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"cannot write into {path.parent} ({error.strerror}): choose another with -o") from None
    temporary = Path(name)
    try:
        yield temporary
        try:
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except OSError as error:
            raise OutputError(f"cannot write {path} ({error.strerror})") from None
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_faces(
    buffer: io.BytesIO, sheets: Iterable[Sheet], names: Mapping[str, str]
) -> tuple[dict[str, Sheet], Looks]:
    """Write the book without its computed cells and matrices; returns the sheets by part name, and the styles."""
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    parts: dict[str, Sheet] = {}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"title": "sheetgpt", "comments": "made by sheetgpt", "created": datetime(2000, 1, 1)})
        styles = _Styles(book)
        for number, sheet in enumerate(sheets, 1):
            ws = book.add_worksheet(sheet.tab.name)
            _write_sheet(ws, sheet, styles)
            for chart in sheet.charts:
                ws.insert_chart(chart.row, chart.col, drawn(book, chart))
            parts[f"xl/worksheets/sheet{number}.xml"] = sheet
        for name, ref in names.items():
            book.define_name(name, "=" + ref)
        return parts, styles.looks(parts.values())


class _Styles:
    """Formats of one workbook, each made once."""

    def __init__(self, book: Any) -> None:
        self._plain = {style: book.add_format(look) for style, look in _FORMATS.items()}
        self._plain[Style.PARAMETER]._get_xf_index()  # the first number is a short one
        self._quoted = {style: book.add_format(look | {"quote_prefix": True}) for style, look in _FORMATS.items()}
        self.masked = book.add_format({"font_color": "#BFBFBF", "num_format": '"masked"'})
        self.alarm = book.add_format({"font_color": "#FFFFFF", "bg_color": "#C00000"})
        self.mark = book.add_format({"bold": True, "bg_color": "#F8CBAD"})
        self.right = book.add_format({"font_color": "#1E4620", "bg_color": "#A9D08E"})
        self.unanswered = book.add_format({"font_color": "#404040", "bg_color": _SAND})
        self.past = book.add_format({"font_color": "#BFBFBF"})
        self.padding = book.add_format({"font_color": "#BFBFBF", "bg_color": "#F2F2F2"})

    def of(self, cell: Cell) -> Any:
        quoted = cell.kind is Kind.TEXT and str(cell.body).startswith(_MEANT_AS_TEXT)
        return (self._quoted if quoted else self._plain)[cell.style]

    def looks(self, sheets: Iterable[Sheet]) -> Looks:
        """The number by which cells name each style; XlsxWriter gives it out on demand, but has no public way.

        `Style.GIVEN` has one only where a matrix of `sheets` looks so: whole workbooks do without it. Nothing that is
        computed looks like `Style.BLANK`.
        """
        masses = {mass.style for sheet in sheets for mass in sheet.masses}
        rare = {Style.GIVEN, Style.BLANK} - masses
        needed = {style: look for style, look in self._plain.items() if style not in rare}
        return {style: look._get_xf_index() for style, look in needed.items()}


def _write_sheet(ws: Any, sheet: Sheet, styles: _Styles) -> None:
    _frame(ws, sheet)
    for cell in sheet.cells:
        if cell.kind in COMPUTED:
            continue
        if cell.style in _LINE:
            _prose(ws, sheet, cell, styles.of(cell))
            continue
        if _WRITE[cell.kind](ws, cell, styles.of(cell)) != 0:  # XlsxWriter leaves out what passes a limit
            raise OutputError(f"{sheet.tab.name}!{a1(cell.row, cell.col)} does not fit a cell")
    for name, box in sheet.scales.items():
        ws.conditional_format(*_corners(box), _SIGNED_SCALE if name in _SIGNED else _SCALE)
    for box in sheet.masked:
        ws.conditional_format(*_corners(box), {"type": "cell", "criteria": "<", "value": -1e9, "format": styles.masked})
    for box in sheet.labelled:
        _format_where(ws, box, f'$A{box.row + 1}=""', styles.padding)
    for cell in (c for c in sheet.cells if c.style is Style.PROBLEM):
        here = Range("", sheet.tab.name, cell.row, cell.col, 1, 1)
        _format_where(ws, here, f"LEN({a1(cell.row, cell.col)})>0", styles.alarm)
    for box in sheet.lights:
        _colour_lights(ws, box, styles)
    for box in sheet.switches:
        _format_where(ws, box, f"{a1(box.row, box.col)}<>1", styles.alarm)
    if sheet.ladder:
        _mark_merges(ws, sheet.ladder, styles)


def _format_where(ws: Any, box: Range, criteria: str, look: Any) -> None:
    ws.conditional_format(*_corners(box), {"type": "formula", "criteria": f"={criteria}", "format": look})


def _colour_lights(ws: Any, box: Range, styles: _Styles) -> None:
    """Green, sand or red; what is neither of the first two is red, an error and a text that somebody typed too."""
    at = f"${a1(box.row, box.col)}"
    right, unanswered = f'OR({at}="{OK}",LEFT({at},4)="All ")', f'ISNUMBER(SEARCH("{NO_ANSWER}",{at}))'
    _format_where(ws, box, f"IF(ISERROR({at}),TRUE,NOT(OR({right},{unanswered})))", styles.alarm)
    _format_where(ws, box, unanswered, styles.unanswered)
    _format_where(ws, box, f"AND({right},NOT({unanswered}))", styles.right)


def _mark_merges(ws: Any, ladder: Ladder, styles: _Styles) -> None:
    """Rows with a number in column A are symbols after a merge, rows with nothing there are ranks."""
    at = f"${column(ladder.numbers.col + ladder.numbers.cols - 1)}"
    row = ladder.text.row + 1
    done = f"{at}{row - 2}={ladder.text.cols}"
    for box in (ladder.text, ladder.numbers):
        number = f"COLUMN()-{box.col + 1}"
        _format_where(ws, box, f'AND($A{row}="",{number}={at}{row - 1})', styles.mark)
        _format_where(ws, box, f"AND(ISNUMBER($A{row}),{number}={at}{row - 2})", styles.mark)
        _format_where(ws, box, f"AND(ISNUMBER($A{row}),{done})", styles.past)


def _corners(box: Range) -> tuple[int, int, int, int]:
    return box.row, box.col, box.row + box.rows - 1, box.col + box.cols - 1


_SCALE = {"type": "2_color_scale", "min_color": "#FFFFFF", "max_color": "#F8A13F"}
_SIGNED = frozenset({"logits", "surgery.change"})
_SIGNED_SCALE = {
    "type": "3_color_scale",
    "min_color": "#9DC3E6",
    "mid_color": "#FFFFFF",
    "max_color": "#F8A13F",
}


def _frame(ws: Any, sheet: Sheet) -> None:
    for first, last, width in ((0, 0, 18), *_WIDTHS.get(sheet.tab.lesson, ())):
        ws.set_column(first, last, width)
    ws.freeze_panes(2, 1)  # title and links
    ws.set_landscape()
    last, columns = max(c.row for c in sheet.cells), _PRINTED_WHOLE.get(sheet.tab.lesson)
    ws.fit_to_pages(1, 0 if columns else 1)
    ws.print_area(0, 0, last if columns else min(last, _PRINT_ROWS), columns or _PRINT_COLS)
    if sheet.tab.group == "parameters":
        ws.set_tab_color("#9DC3E6")


def _prose(ws: Any, sheet: Sheet, cell: Cell, look: Any) -> None:
    """Text wrapped in merged cells, and a row as high as it needs."""
    wide = {c: width for first, last, width in _WIDTHS.get(sheet.tab.lesson, ()) for c in range(first, last + 1)}
    last, room = cell.col, float(wide.get(cell.col, _USUAL))
    while room < _PROSE:
        last += 1
        room += wide.get(last, _USUAL)
    ws.merge_range(cell.row, cell.col, cell.row, last, "", look)
    _text(ws, cell, look)
    most, height = _LINE[cell.style]
    lines = sum(max(1, len(wrap(part, int(most * room / _PROSE)))) for part in str(cell.body).split("\n"))
    ws.set_row(cell.row, height * lines + 2)


def _text(ws: Any, cell: Cell, look: Any) -> Any:
    text = str(cell.body)
    if text.startswith("<r>") and text.endswith("</r>"):  # which XlsxWriter takes for XML of its own: write two runs
        return ws.write_rich_string(cell.row, cell.col, text[:1], look, text[1:], look)
    return ws.write_string(cell.row, cell.col, text, look)


def _number(ws: Any, cell: Cell, look: Any) -> Any:
    return ws.write_number(cell.row, cell.col, cell.body, look)


def _blank(ws: Any, cell: Cell, look: Any) -> Any:
    return ws.write_blank(cell.row, cell.col, None, look)


def _link(ws: Any, cell: Cell, look: Any) -> Any:
    return ws.write_url(cell.row, cell.col, f"internal:'{cell.target}'!{cell.at}", look, cell.body)


_WRITE: dict[Kind, Callable[[Any, Cell, Any], Any]] = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.LINK: _link,
    Kind.BLANK: _blank,
}
