"""A report as GitHub's Markdown, for a job's summary or a comment: what comes from the file is code, not Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sheetgpt.check.faults import Fault
from sheetgpt.check.reports.words import (
    counted,
    details,
    law_brief,
    number,
    provenance,
    tab_sums,
    title,
    verdict,
)
from sheetgpt.check.result import Report
from sheetgpt.errors import one_line

_IN_FULL = 20  # faults; a summary on GitHub has 1 MiB


def to_markdown(report: Report) -> str:
    """Verdict, provenance, the faults in pipeline order, a table of tabs, the laws."""
    return "\n".join(
        [
            "# sheetgpt verify",
            "",
            f"**{verdict(report)}**",
            "",
            *_table(("", ""), [("workbook", report.workbook), *provenance(report), ("checked", counted(report))]),
            *_unchecked(report.unchecked),
            *_faults(report.faults),
            *_tabs(report),
            *_laws(report),
        ]
    )


def code(text: object) -> str:
    """Text of any origin as code in a table: no backtick ends it, no pipe ends its cell."""
    plain = one_line(text)
    if not plain or (plain == plain.strip() and not set(plain) & set("`|\\")):
        return plain and f"`{plain}`"
    return "<code>" + "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in plain) + "</code>"


def _table(head: Iterable[str], rows: Iterable[Iterable[object]], align: str = "") -> Iterator[str]:
    """The first cell is Markdown of ours, the others are code; `align` has a letter for each column: - or >."""
    head = list(head)
    yield f"| {' | '.join(head)} |"
    yield "|" + "|".join("--:" if a == ">" else "---" for a in align.ljust(len(head), "-")) + "|"
    for row in rows:
        first, *others = row
        yield f"| {first} | {' | '.join(map(code, others))} |"
    yield ""


def _unchecked(reasons: list[str]) -> Iterator[str]:
    if reasons:
        yield from ("## Not independently checked", "")
        yield from _table(("", "reason"), enumerate(reasons, 1))


def _faults(faults: list[Fault]) -> Iterator[str]:
    if faults:
        yield from ("## Faults", "", "In pipeline order: those after the first may follow from it.", "")
    for i, fault in enumerate(faults[:_IN_FULL], 1):
        yield from _table((f"{i}", "fault"), [("what", title(fault)), *details(fault)])
    if len(faults) > _IN_FULL:
        yield from (f"And {len(faults) - _IN_FULL} more; the JSON report lists all.", "")


def _tabs(report: Report) -> Iterator[str]:
    yield from ("## Tabs", "")
    head = ("tab", "places", "cells", "own gap", "total gap", "worst cell", "status")
    rows = (
        (code(t.tab), len(t.rows), f"{t.cells:,}", number(t.own_gap), number(t.total_gap), t.worst_cell, t.status)
        for t in tab_sums(report.rows)
    )
    yield from _table(head, rows, "->>>>--")


def _laws(report: Report) -> Iterator[str]:
    if report.laws:
        yield from ("## Laws", "")
        word = {"ok": "ok", "broken": "**broken**"}
        rows = [(word.get(law.status, "not tried"), law_brief(law)) for law in report.laws]
        yield from _table(("", "law"), rows)
