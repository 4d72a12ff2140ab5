"""A handout of a workbook as one page of HTML that needs nothing else: a printed page for each tab."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from sheetgpt.check.reports.words import brief, verdict
from sheetgpt.check.tour import Item, Part, Step, Table, Told, Tour
from sheetgpt.check.tour_report import ROOMY, alike, beside, cell, computed_by, faults_of, standing, title
from sheetgpt.errors import visible
from sheetgpt.plan.model import MASKED
from sheetgpt.sheet.layout import Tab

STYLE = Path(__file__).with_name("handout.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_FORMULA, _TEXT = 240, 120
_LONG, _LONGER = 60, 90  # lines of a page from which on its print is small, or very small
_WARM = (248, 161, 63)  # of a share of 1


def to_html(tour: Tour) -> str:
    """A section for each tab."""
    report = tour.report
    page = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{text(report.model)}: {text(report.prompt)}</title>",
        f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>",
    ]
    for tab in tour.tabs:
        page += _page(tour, tour.step(tab))
    return "\n".join([*page, "</body>\n</html>\n"])


def text(value: object) -> str:
    """Text of any origin as HTML, in an element or an attribute."""
    return escape(visible(value))


def _page(tour: Tour, step: Step) -> Iterator[str]:
    lesson, tabs = step.lesson, tour.tabs
    size = lines_of(step)
    print_size = " longer" if size > _LONGER else " long" if size > _LONG else ""
    yield f'<section class="page{print_size}" id="tab-{step.number}">'
    where = f"{step.tab.name}, {step.number} of {len(tabs)}"
    whose = f"{tour.report.model}, {tour.report.prompt}"
    yield f'<p class="where"><span>{text(where)}</span><span>{text(whose)}</span></p>'
    yield _links(tabs, step.number)
    yield f"<h2>{text(title(step))}</h2>"
    yield f'<p class="what">{text(lesson.what)}</p><p class="why">{text(lesson.why)}</p>'
    if step.number == 1:
        wrong = " wrong" if tour.report.exit_code == 1 else ""
        yield f'<p class="verdict{wrong}">{text(verdict(tour.report))}</p><p>{text(computed_by(tour.report))}</p>'
    if lesson.words:
        yield f'<p class="words"><b>In words:</b> {text(lesson.words)}</p>'
    for each in lesson.tries:
        yield f'<p class="try"><b>Try:</b> {text(each.do)} <b>You see:</b> {text(each.see)}</p>'
    for part in step.parts:
        yield from _part(tour, part)
    if step.texts:
        yield "<table>"
        for row in step.texts:
            yield "<tr>" + "".join(f'<td class="text">{text(cut(t, _TEXT))}</td>' for t in row) + "</tr>"
        yield "</table>"
    yield "</section>"


def _links(tabs: Sequence[Tab], number: int) -> str:
    wanted = [(1, "Contents")] if number > 1 else []
    wanted += [
        (n, arrow + tabs[n - 1].name) for n, arrow in ((number - 1, "← "), (number + 1, "→ ")) if 1 < n <= len(tabs)
    ]
    return "<nav>" + "".join(f'<a href="#tab-{n}">{text(words)}</a>' for n, words in wanted) + "</nav>"


def lines_of(step: Step) -> int:
    """About how many lines a tab needs on paper."""
    lesson, lines = step.lesson, 8 + len(step.texts)
    lines += 2 * len(step.lesson.tries) + (len(lesson.what) + len(lesson.why) + len(lesson.words)) // 110
    for part in step.parts:
        lines += sum(
            2 + len(p.meaning) // 90 + sum(1 + len(cut(f, _FORMULA)) // 90 for f in p.formulas) for p in part.places
        )
        heights = sorted((len(table.rows) + 3 for table in part.tables), reverse=True)
        lines += 1 + sum(heights[::2] if part.tables and part.tables[0].looks else heights)
    return lines


def _part(tour: Tour, part: Part) -> Iterator[str]:
    yield "<article><dl>"
    for place in part.places:
        yield from _place(tour, place)
    yield '</dl><div class="tables">'
    for table in part.tables:
        yield from _table(table, named=len(part.tables) > 1)
    yield "</div>"
    if part.alike:
        yield f'<p class="more">{text(alike(part.alike))}</p>'
    yield "</article>"


def _place(tour: Tour, place: Told) -> Iterator[str]:
    yield f"<dt>{text(place.name)} <small>[{place.shape[0]} x {place.shape[1]}]</small></dt><dd>"
    yield f"<p>{text(place.meaning)} <small>{text(standing(tour, place))}, at {text(place.at)}</small></p>"
    yield from (f"<p><code>{text(cut(formula, _FORMULA))}</code></p>" for formula in place.formulas)
    yield from (
        f"<p><b>{text(name)}</b> {text(meaning)} <small>{text(at)}</small></p>" for name, at, meaning in place.views
    )
    yield from (f'<p class="wrong">{text(brief(fault))}</p>' for fault in faults_of(tour, place.name))
    yield "</dd>"


def cut(long: str, most: int) -> str:
    """The beginning of a text."""
    return long if len(long) <= most else long[:most] + " ..."


def _table(table: Table, *, named: bool) -> Iterator[str]:
    yield "<table>"
    if named and table.title:
        yield f"<caption>{text(table.title)}</caption>"
    yield (
        "<thead><tr><th></th>"
        + "".join(f"<th>{text(cut(name, 30))}</th>" for name in table.head)
        + "</tr></thead><tbody>"
    )
    for label, row in table.rows:
        yield f"<tr><th>{text(cut(label, 30))}</th>" + "".join(_cell(item, table) for item in row) + "</tr>"
        if beside(table, row):
            cells = "".join(f"<td>{'' if i.wanted is None else text(short(i.wanted, i, table))}</td>" for i in row)
            yield f'<tr class="numpy"><th>numpy</th>{cells}</tr>'
    yield "</tbody></table>"


def short(value: Any, item: Item, table: Table) -> str:
    """A value as the terminal shows it; who looks at whom in whole percent."""
    if item.share and table.looks and isinstance(value, float) and value == value:
        return f"{100 * value:.0f}%"
    return cell(value, item.share, len(table.head) <= ROOMY)


def _cell(item: Item, table: Table) -> str:
    """A value of the sheet, in full where the mouse rests on it."""
    kinds = ["off"] if item.off else []
    kinds += ["text"] if isinstance(item.found, str) else ["masked"] if item.found == MASKED else []
    full = repr(item.found) if isinstance(item.found, float) else item.found
    colour = warmth(item)
    style = f' style="background:#{"".join(f"{c:02x}" for c in colour)}"' if colour else ""
    named = f' class="{" ".join(kinds)}"' if kinds else ""
    return f'<td{named}{style} title="{text("" if full is None else full)}">{text(short(item.found, item, table))}</td>'


def warmth(item: Item) -> tuple[int, ...] | None:
    """The colour of a share: white for none, orange for all."""
    if not item.share or item.off or not isinstance(item.found, float) or not 0 <= item.found <= 1:
        return None
    return tuple(round(255 - (255 - c) * item.found) for c in _WARM)
