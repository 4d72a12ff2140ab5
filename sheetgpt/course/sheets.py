"""The tabs of the course, ready to be written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

from sheetgpt.course.book import ABOVE, ANSWERS, CONTENTS, Course, Env, headings
from sheetgpt.course.demo import Demo, Line, Plot
from sheetgpt.errors import LayoutError
from sheetgpt.plan.plan import Role, say
from sheetgpt.sheet.a1 import fixed
from sheetgpt.sheet.atoms import computed, formula, formula_shown, given, link, short, text, whole
from sheetgpt.sheet.blueprint import COURSE_NAME
from sheetgpt.sheet.cells import Cell, Chart, Kind, Mass, Series, Sheet, Style
from sheetgpt.sheet.head import LINKS, neighbours, said, told
from sheetgpt.sheet.layout import HEAD, Range, Tab

_SPOT = re.compile(r"([^\[]+)(?:\[(\d*),(\d*)\])?")
_LONGEST = 180  # characters of a line of code
_CARD_ROW = 3  # below the last line of Contents


def sheets(course: Course, env: Env) -> Iterator[Sheet]:
    """Every tab in order, with the values of `env`."""
    demos = dict(zip((tab.name for tab in course.layout.tabs[1:]), course.demos, strict=False))
    for tab in course.layout.tabs:
        if tab == CONTENTS:
            yield _contents(course, env)
        elif tab == ANSWERS:
            yield Sheet(tab, [*_head(course, tab), *_answers(course)])
        elif tab.group == "parameters":
            yield _weights(course, tab, env)
        else:
            yield _lesson(course, tab, demos[tab.name], env)


def names_of(course: Course) -> dict[str, str]:
    """Every defined name and its reference."""
    row = _rows_of_contents(course)[-1] + _CARD_ROW
    return {name: box.ref for name, box in course.layout.ranges.items()} | {COURSE_NAME: f"Contents!{fixed(row, 1)}"}


# ---- the head ----------------------------------------------------------------------------------------------


def _head(course: Course, tab: Tab) -> Iterator[Cell]:
    words = course.words(tab)
    lines = (
        ("Where", _where(course, tab), Style.WHERE),
        ("What", words.what, Style.WHAT),
        ("Why", words.why, Style.WHY),
        ("In words", words.words, Style.WORDS),
        ("Question", words.question, Style.TRY),
        ("Try this", "\n".join(f"• {told(course, one)}" for one in words.tries), Style.TRY),
    )
    yield from said(words.title, neighbours(course.layout.tabs, tab), lines)


def _where(course: Course, tab: Tab) -> str:
    found = {demo.tab: demo for demo in course.demos}.get(tab.name)
    tabs = course.layout.tabs
    at = f"tab {tabs.index(tab) + 1} of {len(tabs)}"
    return f"{found.part} · about {found.minutes[1]} minutes · {at}" if found else at


# ---- a lesson ----------------------------------------------------------------------------------------------


def _lesson(course: Course, tab: Tab, demo: Demo, env: Env) -> Sheet:
    cells, masses = list(_head(course, tab)), list[Mass]()
    columns, rows, said = headings(tab, "columns"), headings(tab, "rows"), set[str]()
    for band in tab.bands:
        boxes = [course.layout.ranges[name] for name in band.names]
        cells += _band_text(course, tab, boxes, said)
        for box in boxes:
            cells += _above(course, box, columns.get(box.name), env)
            for part in _filled(course, demo, box, env):
                cells.append(part) if isinstance(part, Cell) else masses.append(part)
        cells += _beside(course, boxes[0], rows.get(boxes[0].name), env)
    charts = [_chart(course, plot, env) for plot in demo.plots]
    lights = [course.layout.ranges[name] for name in (f"{demo.name}.light",) if name in course.plan]
    numbers = [course.layout.ranges[n] for band in tab.bands for n in band.names if demo.styles.get(n) is None]
    numbers = [box for box in numbers if box.name not in course.plan.text and course.plan[box.name].args]
    ranges = course.layout.ranges
    scales = {name: ranges[name] for name in demo.heat if name not in course.after_blank}
    marks = [_marked(ranges[name], where) for name, where in demo.marks.items()]
    masked = [ranges[name] for name in demo.masked]
    tops = [ranges[band.names[0]].row - ABOVE for band in tab.bands]
    return Sheet(
        tab, cells, masses, scales, masked, charts=charts, lights=lights, numbers=numbers, marks=marks, tops=tops
    )


def _marked(box: Range, where: str) -> tuple[Range, str]:
    """Which cells of a place stand out; in `where` {r} and {c} are a cell's row and column in it, from 0."""
    return box, where.format(r=f"ROW()-{box.row + 1}", c=f"COLUMN()-{box.col + 1}")


def _band_text(course: Course, tab: Tab, boxes: list[Range], said: set[str]) -> Iterator[Cell]:
    """Names, meanings, formulas, numpy lines: four rows above the headings; of bands alike only the first says all."""
    top, words = boxes[0].row - ABOVE, course.words(tab)
    for box in boxes:
        yield text(top, box.col, box.name.partition(".")[2], Style.NAME)
    meaning = "  ".join(filter(None, (words.meaning(box.name) for box in boxes)))
    if meaning in said:
        return
    said.add(meaning)
    yield text(top + 1, boxes[0].col, meaning, Style.MEANING)
    computed = [box for box in boxes if course.plan[box.name].args]
    if computed:
        formulas = (formula_shown(course, box, _LONGEST) for box in computed)
        yield text(top + 2, boxes[0].col, "    ".join(formulas), Style.CODE)
        numpy = (short(f"{box.name} = {say(course.plan[box.name])}", _LONGEST) for box in computed)
        yield text(top + 3, boxes[0].col, "    ".join(numpy), Style.CODE)


def _above(course: Course, box: Range, said: list[str] | str | None, env: Env) -> Iterator[Cell]:
    """What the columns are: texts, or the texts of a place; and their numbers from 0, which formulas read."""
    if isinstance(said, str):
        yield from _told_by(course, said, env, Style.COLUMN, [(box.row - 2, box.col + c) for c in range(box.cols)])
    elif said is not None:
        if len(said) != box.cols:
            raise LayoutError(f"{box.name} has {box.cols} columns, its lesson names {len(said)}")
        yield from (text(box.row - 2, box.col + c, words, Style.COLUMN) for c, words in enumerate(said))
    if box.cols > 1:
        yield from (Cell(box.row - 1, box.col + c, Kind.NUMBER, float(c), Style.RULER) for c in range(box.cols))


def _beside(course: Course, box: Range, said: list[str] | str | None, env: Env) -> Iterator[Cell]:
    """Labels of rows in column A: texts, or the texts of a place."""
    if isinstance(said, str):
        yield from _told_by(course, said, env, Style.LABEL, [(box.row + r, 0) for r in range(box.rows)])
    elif said is not None:
        if len(said) != box.rows:
            raise LayoutError(f"{box.name} has {box.rows} rows, its lesson names {len(said)}")
        yield from (text(box.row + r, 0, words, Style.LABEL) for r, words in enumerate(said))


def _told_by(course: Course, name: str, env: Env, style: Style, spots: list[tuple[int, int]]) -> Iterator[Cell]:
    """The texts of a column, shown in other cells of its tab."""
    source = course.layout.ranges[name]
    if len(spots) != source.rows:
        raise LayoutError(f"{name} has {source.rows} texts for {len(spots)} headings")
    for r, (row, col) in enumerate(spots):
        known = None if name in course.after_blank else env[name][r, 0]
        yield formula(row, col, source.cell(r, 0, source.tab), style, known)


def _filled(course: Course, demo: Demo, box: Range, env: Env) -> Iterator[Cell | Mass]:
    values, style = env[box.name], _style(course, demo, box.name)
    if not course.plan[box.name].args:
        yield from (
            given(box.row + r, box.col + c, values[r, c], style) for r, c in product(range(box.rows), range(box.cols))
        )
        return
    if box.name in course.blank:
        for r, c in product(range(box.rows), range(box.cols)):
            yield Cell(box.row + r, box.col + c, Kind.BLANK, "", Style.BLANK)
        return
    known = box.name not in course.after_blank
    yield from computed(course.formulas(box.name), box, values, style, known=known)


def _style(course: Course, demo: Demo, name: str) -> Style:
    if name in demo.styles:
        return demo.styles[name]
    if name == f"{demo.name}.light":
        return Style.LIGHT
    if name == f"{demo.name}.gap":
        return Style.GAP
    role, words = course.plan.roles[name], name in course.plan.text
    if role is Role.KNOB:
        return Style.WORD if words else Style.GIVEN
    if role is Role.VALUE:
        return Style.TOKEN if words else Style.VALUE
    return Style.TOKEN if words else Style.WHOLE


# ---- charts ------------------------------------------------------------------------------------------------


def _chart(course: Course, plot: Plot, env: Env) -> Chart:
    box = course.layout.ranges[plot.beside]
    lines = tuple(_series(course, line, env) for line in plot.lines)
    at = box.row - 1, box.col + box.cols + 1
    return Chart(plot.kind, plot.title, lines, *at, plot.across, plot.up, plot.size, shares=plot.shares)


def _series(course: Course, line: Line, env: Env) -> Series:
    name = _line_of(course, line.name[1:]) if line.name.startswith("=") else line.name
    boxes = name, _line_of(course, line.values), _line_of(course, line.along)
    now = tuple([] if isinstance(box, str) else _now(course, box, env) for box in boxes)
    return Series(*boxes, joined=line.joined, now=now)


def _line_of(course: Course, spot: str) -> Range:
    """A row or a column of a place."""
    match = _SPOT.fullmatch(spot)
    if match is None or match[1] not in course.layout.ranges:
        raise LayoutError(f"a chart shows {spot}, which is no place of the course")
    box = course.layout.ranges[match[1]]
    if match[2]:
        box = box._replace(row=box.row + int(match[2]), rows=1)
    return box._replace(col=box.col + int(match[3]), cols=1) if match[3] else box


def _now(course: Course, box: Range, env: Env) -> list[Any]:
    if box.name in course.after_blank:
        return []
    whole = course.layout.ranges[box.name]
    r, c = box.row - whole.row, box.col - whole.col
    return list(env[box.name][r : r + box.rows, c : c + box.cols].ravel().tolist())


# ---- other tabs --------------------------------------------------------------------------------------------


def _rows_of_contents(course: Course) -> list[int]:
    """The row of each demonstration; above the first of each part its name."""
    rows, row, part = [], HEAD, ""
    for demo in course.demos:
        row += 2 if demo.part != part else 0
        rows.append(row)
        row, part = row + 1, demo.part
    return rows


def _contents(course: Course, env: Env) -> Sheet:
    cells, lights, part = list(_head(course, CONTENTS)), [], ""
    tabs = course.layout.tabs[1:]
    for row, demo, tab in zip(_rows_of_contents(course), course.demos, tabs, strict=False):
        if demo.part != part:
            cells.append(text(row - 1, 0, demo.part, Style.HEADING))
        part = demo.part
        cells += [link(row, 0, tab.name, tab), text(row, 2, course.words(tab).title), _minutes(row, demo)]
        if (name := f"{demo.name}.light") in course.plan:
            box = course.layout.ranges[name]
            known = None if name in course.after_blank else env[name][0, 0]
            cells.append(formula(row, 1, box.cell(0, 0, CONTENTS.name), Style.LIGHT, known))
            lights.append(Range("", CONTENTS.name, row, 1, 1, 1))
    last = _rows_of_contents(course)[-1] + _CARD_ROW
    cells += [text(last, 0, "for sheetgpt", Style.RULER), text(last, 1, course.to_json(), Style.RULER)]
    return Sheet(CONTENTS, cells, lights=lights)


def _minutes(row: int, demo: Demo) -> Cell:
    return text(row, 10, f"{demo.minutes[1]} minutes", Style.NOTE)


def _answers(course: Course) -> Iterator[Cell]:
    row = HEAD
    for tab in course.layout.tabs[1 : len(course.demos) + 1]:
        words = course.words(tab)
        yield link(row, 0, tab.name, tab)
        yield text(row, 1, words.question, Style.WHY)
        yield text(row + 1, 1, words.answer, Style.WHAT)
        row += 3


def _weights(course: Course, tab: Tab, env: Env) -> Sheet:
    """A matrix of the bundled model, or the texts of its tokens."""
    words = course.words(tab)
    cells = [*said(words.title, neighbours(course.layout.tabs, tab), ()), text(LINKS + 1, 1, words.what, Style.WHAT)]
    (box,) = (course.layout.ranges[name] for band in tab.bands for name in band.names)
    if box.name in course.plan.text:
        return Sheet(
            tab, cells + [given(box.row + r, box.col, env[box.name][r, 0], Style.TOKEN) for r in range(box.rows)]
        )
    return Sheet(tab, cells, [Mass(box, partial(whole, env[box.name]), Style.PARAMETER)])
