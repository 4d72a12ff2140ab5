"""A report as text for people: lines of 120 columns at most, tables of long names apart."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from sheetgpt.check.faults import Fault, FaultKind, many
from sheetgpt.check.reports.words import (
    TRIED,
    broken,
    counted,
    details,
    distance,
    further,
    law_brief,
    number,
    provenance,
    tab_sums,
    title,
    untried,
    verdict,
    where,
)
from sheetgpt.check.result import Report, Row
from sheetgpt.errors import one_line

_MOST_FAULTS = 12
_WIDTH = 120


def to_text(report: Report, *, places: bool = False) -> str:
    """Provenance, a line per tab (or per place), the first fault in full, the others in short, the verdict."""
    lines = [report.workbook, *_labelled(provenance(report)), ""]
    lines += _place_table(report.rows) if places else _tab_table(report.rows)
    lines += ["", *_faults(report.faults), *_laws(report), f"checked {counted(report)}"]
    lines += (f"not independently checked: {reason}" for reason in report.unchecked)
    return "\n".join([*_wrapped(lines), verdict(report)])


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    """No line of the file's making: what goes on is indented."""
    for line in map(one_line, lines):
        yield from textwrap.wrap(line, _WIDTH, subsequent_indent=" " * 11, break_on_hyphens=False) or [""]


def _labelled(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"  {label:<9}{text}" for label, text in pairs)


def _tab_table(rows: list[Row]) -> Iterator[str]:
    yield f"{'tab':<22}{'places':>7}{'cells':>12}{'own gap':>10}{'total gap':>11}  {'worst cell':<11}status"
    for tab in tab_sums(rows):
        counts = f"{tab.tab:<22}{len(tab.rows):>7}{tab.cells:>12,}"
        yield f"{counts}{number(tab.own_gap):>10}{number(tab.total_gap):>11}  {tab.worst_cell:<11}{tab.status}"


def _place_table(rows: list[Row]) -> Iterator[str]:
    yield f"{'place':<28}{'tab':<22}{'cells':>12}{'own gap':>10}{'total gap':>11}  {'worst cell':<11}status"
    for row in rows:
        gaps = f"{number(row.own_gap):>10}{number(row.total_gap):>11}"
        yield f"{row.name:<28}{row.tab:<22}{row.cells:>12,}{gaps}  {row.worst_cell:<11}{row.status}"


def _faults(faults: list[Fault]) -> Iterator[str]:
    if not faults:
        return
    first = faults[0]
    yield f"FIRST FAULT: {title(first)}"
    yield from _labelled(details(first))
    stale = [fault for fault in faults[1:] if fault.kind is FaultKind.STALE]
    others = [fault for fault in faults[1:] if fault.kind is not FaultKind.STALE]
    if (value := _value_of(first, others)) is not None:
        others.remove(value)
        told = f"{value.found}, wanted {value.wanted}   ({distance(value)}){further(value)}"
        yield from _labelled([("value", told)])
    for fault in others[:_MOST_FAULTS]:
        yield _also(fault)
    if len(others) > _MOST_FAULTS:
        yield f"and {len(others) - _MOST_FAULTS} more; --format json lists all"
    if stale:
        begins = f"{stale[0].place or 'a label'}, {where(stale[0])}"
        yield f"also: stale cached values at {many(len(stale), 'place')}, the first {begins}"
    yield ""


def _also(fault: Fault) -> str:
    at = f" at {fault.place or 'a label'}" if fault.place or fault.cell else ""
    setting = f": {fault.found}" if fault.kind is FaultKind.SETTING else ""
    return f"also: {fault.kind}{at}, {where(fault)}{further(fault)}{setting}"


def _value_of(first: Fault, others: list[Fault]) -> Fault | None:
    """What a wrong formula computes, told with it."""
    same = (f for f in others if f.kind is FaultKind.VALUE and f.place == first.place and first.place)
    return next(same, None)


def _laws(report: Report) -> Iterator[str]:
    """A line for each law, why some could not be tried, then the first broken one in full."""
    if not report.laws:
        return
    yield f"{'law':<70}{'gap':>8}  {'worst cell':<24}status"
    for law in report.laws:
        tried = law.status in TRIED
        gap, cell, status = (number(law.gap), f"{law.tab}!{law.cell}", law.status) if tried else ("", "", "not tried")
        yield f"{law.law:<70}{gap:>8}  {cell:<24}{status}"
    yield ""
    yield from (f"law not tried: {law_brief(law)}" for law in untried(report))
    for i, law in enumerate(broken(report)[:_MOST_FAULTS]):
        yield f"FIRST BROKEN LAW: {law.law}" if i == 0 else f"also broken: {law.law} at {law.place}"
        if i == 0:
            told = [("where", f"{law.place}, {law.tab}!{law.cell}"), ("gap", number(law.gap)), ("detail", law.detail)]
            yield from _labelled(pair for pair in told if pair[1])
    if untried(report) or broken(report):
        yield ""
