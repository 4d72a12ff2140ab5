"""Sheets -> one .xlsx file. XlsxWriter writes all that has a face; `blocks` streams computed cells and matrices."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from sheetgpt.errors import OutputError
from sheetgpt.plan.checks import OK
from sheetgpt.plan.live import NO_ANSWER
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.a1 import column
from sheetgpt.sheet.blocks import Looks, splice
from sheetgpt.sheet.cells import COMPUTED, Cell, Kind, Ladder, Sheet, Style
from sheetgpt.sheet.drawing import drawn
from sheetgpt.sheet.layout import Range
from sheetgpt.sheet.looks import FORMATS, GIVEN, LINE, frame, spread

_NOTHING = 0.0004999  # a change that is shown as none
_WIDE = 99.9994  # from here on a number loses two of its three decimals
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
        self._plain = {style: book.add_format(look) for style, look in FORMATS.items()}
        self._plain[Style.PARAMETER]._get_xf_index()  # the first number is a short one
        self._quoted = {style: book.add_format(look | {"quote_prefix": True}) for style, look in FORMATS.items()}
        self.masked = book.add_format({"font_color": "#BFBFBF", "num_format": '"masked"'})
        self.wide = book.add_format({"num_format": "0.0"})
        self.alarm = book.add_format({"font_color": "#FFFFFF", "bg_color": "#C00000"})
        self.mark = book.add_format({"bold": True, "bg_color": "#F8CBAD"})
        self.right = book.add_format({"font_color": "#1E4620", "bg_color": "#A9D08E"})
        self.unanswered = book.add_format({"font_color": "#404040", "bg_color": GIVEN})
        self.past = book.add_format({"num_format": ";;;"})  # is not shown
        self.over = book.add_format({"num_format": ";;;", "bg_color": "#FFFFFF"})
        self.word = book.add_format({"bold": True, "top": 1})
        self.nothing = book.add_format({"num_format": '"0.0%"'})
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
    frame(ws, sheet)
    for cell in sheet.cells:
        if cell.kind in COMPUTED:
            continue
        if cell.style in LINE:
            _prose(ws, sheet, cell, styles.of(cell))
            continue
        if _WRITE[cell.kind](ws, cell, styles.of(cell)) != 0:  # XlsxWriter leaves out what passes a limit
            raise OutputError(f"{sheet.tab.name}!{a1(cell.row, cell.col)} does not fit a cell")
    for name, box in sheet.scales.items():
        ws.conditional_format(*_corners(box), _SCALES.get(name, _SCALE))
    for box in sheet.masked:
        ws.conditional_format(*_corners(box), {"type": "cell", "criteria": "<", "value": -1e9, "format": styles.masked})
    for box in sheet.labelled:
        _format_where(ws, box, f'$A{box.row + 1}=""', styles.padding)
    for box in sheet.headed:
        _format_where(ws, box, f'{column(box.col)}${box.row}=""', styles.padding)
    for box in _changes(sheet):  # else it would show as -0.0%
        rule = {"type": "cell", "criteria": "between", "minimum": -_NOTHING, "maximum": _NOTHING}
        ws.conditional_format(*_corners(box), rule | {"format": styles.nothing})
    for box in sheet.numbers:  # after those, which win
        wide = {"type": "cell", "criteria": "not between", "minimum": -_WIDE, "maximum": _WIDE, "format": styles.wide}
        ws.conditional_format(*_corners(box), wide)
    for cell in (c for c in sheet.cells if c.style is Style.PROBLEM):
        here = Range("", sheet.tab.name, cell.row, cell.col, 1, 1)
        _format_where(ws, here, f"LEN({a1(cell.row, cell.col)})>0", styles.alarm)
    for box in sheet.lights:
        _colour_lights(ws, box, styles)
    for box in sheet.switches:
        _format_where(ws, box, f"{a1(box.row, box.col)}<>1", styles.alarm)
    for box, criteria in sheet.marks:
        _format_where(ws, box, criteria, styles.mark)
    if sheet.ladder:
        _mark_merges(ws, sheet.ladder, styles)


def _changes(sheet: Sheet) -> list[Range]:
    """Cells that show by how much a share has changed."""
    single = [Range("", sheet.tab.name, c.row, c.col, 1, 1) for c in sheet.cells if c.style is Style.CHANGE]
    return [*single, *(mass.box for mass in sheet.masses if mass.style is Style.CHANGE)]


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
    labels = ladder.text._replace(col=0, cols=1)
    _format_where(ws, labels, f"AND(ISNUMBER($A{row}),{done})", styles.over)
    _format_where(ws, labels, f"AND(ISTEXT($A{row}),LEN($A{row})>0)", styles.word)
    for box in (ladder.text, ladder.numbers):
        number = f"COLUMN()-{box.col + 1}"
        _format_where(ws, box, f'AND($A{row}="",{number}={at}{row - 1})', styles.mark)
        _format_where(ws, box, f"AND(ISNUMBER($A{row}),{number}={at}{row - 2})", styles.mark)
        _format_where(ws, box, f"AND(ISNUMBER($A{row}),{done})", styles.past)


def _corners(box: Range) -> tuple[int, int, int, int]:
    return box.row, box.col, box.row + box.rows - 1, box.col + box.cols - 1


_SCALE = {"type": "2_color_scale", "min_color": "#FFFFFF", "max_color": "#F8A13F"}
_SIGNED_SCALE = {
    "type": "3_color_scale",
    "min_color": "#9DC3E6",
    "mid_color": "#FFFFFF",
    "max_color": "#F8A13F",
}
_FROM_0_TO_1 = _SCALE | {"min_type": "num", "min_value": 0, "max_type": "num", "max_value": 1}
_HALVES = {"min_value": -0.5, "mid_value": 0, "max_value": 0.5}
_BY_HALF = _HALVES | dict.fromkeys(("min_type", "mid_type", "max_type"), "num")
_SCALES = {
    **dict.fromkeys(("logits", "lens.logits"), _SIGNED_SCALE),
    "surgery.change": _SIGNED_SCALE | _BY_HALF,
    **dict.fromkeys(("lens.prob", "lens.share", "cosines.table", "near.cosine"), _FROM_0_TO_1),
    "near.distance": _SCALE | {"min_color": "#F8A13F", "max_color": "#FFFFFF"},
}


def _prose(ws: Any, sheet: Sheet, cell: Cell, look: Any) -> None:
    """Text wrapped in merged cells; `frame` makes its row as high as it needs."""
    ws.merge_range(cell.row, cell.col, cell.row, spread(sheet, cell)[0], "", look)
    _text(ws, cell, look)


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
