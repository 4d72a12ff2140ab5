"""A step of a tour as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from sheetgpt.check.faults import Fault
from sheetgpt.check.reports.words import brief, number, verdict
from sheetgpt.check.result import CACHED, Report, Row
from sheetgpt.check.tour import Item, Part, Step, Table, Told, Tour
from sheetgpt.errors import one_line, visible
from sheetgpt.plan.model import MASKED
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.grid import CellError

WIDTH = 100
_CELL, _LABEL, _TEXT, _FORMULA = 20, 24, 70, 300  # the widest of each, in characters

ROOMY = 2  # columns up to which a table has room for long texts


def computed_by(report: Report) -> str:
    """Who computed the values that are shown."""
    if report.engine == CACHED:
        return "the values are cached in the file: nothing was computed anew"
    return f"the sheet's values are computed by {report.engine} {report.engine_version}".rstrip()


def head(tour: Tour) -> str:
    """What workbook this is, and who computed it."""
    report = tour.report
    lines = [report.workbook, f"model {report.model}, prompt {report.prompt}", computed_by(report)]
    return "\n".join(map(one_line, lines))


def foot(tour: Tour) -> str:
    """The verdict on all of the workbook, and the first fault."""
    lines = [verdict(tour.report)]
    if fault := tour.report.first_fault:
        lines.append(f"the first is {brief(fault)}")
    return "\n".join(map(one_line, lines))


def title(step: Step) -> str:
    """The tab's name, and what it is about."""
    name, words = step.tab.name, step.lesson.title
    return words if words.casefold().startswith(name.casefold()) else f"{name} - {words}"


def to_text(tour: Tour, step: Step, width: int = WIDTH) -> str:
    """Title, what, why, the formula in words, then the places."""
    lesson, lines = step.lesson, [f"[{step.number}] {title(step)}"]
    lines.append("=" * min(len(lines[0]), width))
    for lead, text in (("", lesson.what), ("Think of it: ", lesson.why), ("In words: ", lesson.words)):
        lines += _prose(lead + text, width) if text else []
    for text in (f"Try: {each.do} You see: {each.see}" for each in lesson.tries):
        lines += _prose(text, width)
    for part in step.parts:
        lines += ["", *_part(tour, part, width)]
    lines += [""] * bool(step.texts) + ["  ".join(_cut(text, _TEXT) for text in row) for row in step.texts]
    return "\n".join(one_line(line) for line in lines)


def _prose(text: str, width: int, indent: str = "") -> list[str]:
    return wrap(visible(text), width, initial_indent=indent, subsequent_indent=indent)


def _part(tour: Tour, part: Part, width: int) -> Iterator[str]:
    for place in part.places:
        yield from _place(tour, place, width)
    for table in part.tables:
        if table.title and len(part.tables) > 1:
            yield f"  {table.title}"
        yield from _table(table, width)
    if part.alike:
        yield "  " + alike(part.alike)


def _place(tour: Tour, place: Told, width: int) -> Iterator[str]:
    yield f"{place.name}  [{place.shape[0]} x {place.shape[1]}]  {place.at}"
    yield from _prose(place.meaning, width, "  ")
    for formula in place.formulas:
        text = visible(formula)
        yield f"  sheet  {text[:_FORMULA]}" + " ..." * (len(text) > _FORMULA)
    if place.numpy:
        yield f"  numpy  {place.numpy}"
    yield f"  {standing(tour, place)}"
    for name, at, meaning in place.views:
        yield from _prose(f"{name}, {at}: {meaning}", width, "  ")
    for fault in faults_of(tour, place.name):
        yield f"  ! {brief(fault)}"


def faults_of(tour: Tour, name: str) -> list[Fault]:
    """What is wrong with a place."""
    return [fault for fault in tour.report.faults if fault.place == name]


def standing(tour: Tour, place: Told) -> str:
    """How a place stands to numpy, in words."""
    row, count = place.row, place.shape[0] * place.shape[1]
    cells = f"{count:,} cells" if count > 1 else "1 cell"
    if row.status == "blank":
        return "to be filled in"
    if row.status == "follows":
        return f"{cells}: right for what it reads, which is wrong (gap to the prompt {number(row.total_gap)})"
    if row.status != "ok":
        return f"{cells}: {row.status.upper()}, gap {number(row.own_gap)} at {row.worst_cell}"
    if not place.numpy:
        return f"{cells}, {_GIVEN.get(tour.found.blueprint.plan.roles[place.name], 'given')}"
    return f"{cells}, equal to numpy (gap {number(row.own_gap)})"


_GIVEN = {Role.PARAMETER: "learned", Role.KNOB: "for you to change", Role.RECORD: "recorded by the build"}


def alike(rows: Sequence[Row]) -> str:
    """What is said of places that are like those that were told."""
    names = [row.name for row in rows]
    told = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    wrong = [row for row in rows if row.status not in ("ok", "follows", "blank")]
    gap = number(max(row.own_gap for row in rows))
    return f"likewise {told}: " + (f"{len(wrong)} WRONG" if wrong else "equal") + f" (worst gap {gap})"


# ---- tables --------------------------------------------------------------------------------------------------


def _table(table: Table, width: int) -> Iterator[str]:
    """Rows of the sheet; below the last one, and those that differ, what numpy has; `!` marks what differs."""
    if all(item.found in ("", None) for _, row in table.rows for item in row):
        yield "  (nothing stands there)"
        return
    wide = len(table.head) <= ROOMY
    lines = [("", "", [_cell(name) for name in table.head])]
    for text, row in table.rows:
        lines.append((text, "sheet", [cell(item.found, item.share, wide) + "!" * item.off for item in row]))
        if beside(table, row):
            lines.append(("", "numpy", ["" if i.wanted is None else cell(i.wanted, i.share, wide) for i in row]))
    label = min(_LABEL, max(len(visible(line[0])) for line in lines))
    widths = [max(len(line[2][c]) for line in lines) for c in range(len(table.head))]
    for cols in _folded(widths, width - label - 11):
        for text, who, cells in lines:
            shown = "  ".join(f"{cells[c]:>{widths[c]}}" for c in cols)
            yield f"  {_cut(text, label):>{label}}  {who:<5}  {shown}".rstrip()


def beside(table: Table, row: Sequence[Item]) -> bool:
    """Whether numpy's values are told beside a row: of the last, and of each that differs."""
    last = row is table.rows[-1][1]
    return any(item.wanted is not None for item in row) and (last or any(item.off for item in row))


def _folded(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """The columns in as many groups as the room needs, in order."""
    group: list[int] = []
    for c, width in enumerate(widths):
        if group and sum(widths[i] + 2 for i in group) + width > room:
            yield group
            group = []
        group.append(c)
    yield group


def cell(value: Any, share: bool = False, wide: bool = False) -> str:
    """A value in a few characters; a text in more of them where there is room."""
    if value is None:
        return "-"
    if isinstance(value, bool | CellError):
        return str(value)
    if isinstance(value, float):
        if value == MASKED:
            return "masked"
        if value != value:
            return "no number"
        if share:
            return f"{100 * value:.1f}%"
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e12 else f"{value:.4g}"
    return _cut(str(value), _TEXT) if wide else _cell(str(value))


def _cell(text: str) -> str:
    return _cut(visible(text), _CELL)


def _cut(text: str, most: int) -> str:
    plain = visible(text)
    return plain if len(plain) <= most else plain[: most - 3] + "..."
