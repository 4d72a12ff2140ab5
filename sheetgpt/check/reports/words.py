"""What several forms of a report say in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite, isinf
from typing import NamedTuple

from sheetgpt.check.faults import Fault, many, shown
from sheetgpt.check.result import CACHED, Law, Report, Row

NO_FAULT = ("ok", "follows")  # of a row
TRIED = ("ok", "broken")  # of a law
_MOST_KNOBS = 12  # that are named


class TabSum(NamedTuple):
    """The places of a tab in one line."""

    tab: str
    rows: list[Row]
    cells: int
    own_gap: float
    total_gap: float
    worst_cell: str
    status: str


def tab_sums(rows: Iterable[Row]) -> Iterator[TabSum]:
    """The tabs in pipeline order."""
    tabs: dict[str, list[Row]] = {}
    for row in rows:
        tabs.setdefault(row.tab, []).append(row)
    for tab, of_tab in tabs.items():
        worst = max(of_tab, key=lambda row: (row.own_gap, row.total_gap))
        faulty = [row for row in of_tab if row.status not in NO_FAULT]
        status = ", ".join(dict.fromkeys(row.status for row in faulty or of_tab if row.status != "ok")) or "ok"
        total = max(row.total_gap for row in of_tab)
        yield TabSum(tab, of_tab, sum(row.cells for row in of_tab), worst.own_gap, total, worst.worst_cell, status)


def number(gap: float) -> str:
    """A gap in two digits; `inf` for something that is no number, or another text."""
    return "0" if gap == 0 else f"{gap:.1e}"


def provenance(report: Report) -> Iterator[tuple[str, str]]:
    """Who wrote the file, who computed the values, what they are compared with, and who disagrees."""
    yield "made by", report.made_by
    prompt = f", {report.n_rows} token rows, prompt {report.prompt}" if report.n_rows else ""  # a course has none
    yield "model", report.model + prompt
    if report.engine == CACHED:
        yield "values", "cached in the file: whoever wrote it computed them, nothing was recalculated"
    else:
        who = f"{report.engine} {report.engine_version}".rstrip()
        yield "values", f"recalculated by {who} from a copy without cached values"
    yield "wanted", f"numpy, float64; weights from {report.source}"
    if report.knobs:
        yield "knobs", turned(report)
    if report.faults:
        yield "differ", "; ".join(dict.fromkeys(fault.kind.between for fault in report.faults))
    if row := report.divergence:
        yield "diverges", f"first at {row.name}, {row.tab}!{row.first_cell}"


def turned(report: Report) -> str:
    """The knobs that are not at their starts, the first of them by name."""
    told = ", ".join(f"{knob.name} = {shown(knob.value).removesuffix('.0')}" for knob in report.knobs[:_MOST_KNOBS])
    more = len(report.knobs) - _MOST_KNOBS
    return told + (f" and {more:,} more" if more > 0 else "")


def title(fault: Fault) -> str:
    """What is wrong, and at which place."""
    return f"{fault.kind}" + (f" at {fault.place}" if fault.place else "")


def where(fault: Fault) -> str:
    """Tab and cell, or what is meant where there is no cell."""
    return f"{fault.tab}!{fault.cell}" if fault.cell else fault.tab


def standing(fault: Fault) -> str:
    """Tab, cell, and what stands there in the model's words."""
    of = {"feature": fault.feature, "block": fault.block, "head": fault.head}
    parts = [where(fault), f"token {fault.token!r}" if fault.token else ""]
    parts += [f"{name} {value}" for name, value in of.items() if value is not None]
    return ", ".join(filter(None, parts)) + further(fault)


def further(fault: Fault) -> str:
    """How many cells of the place are wrong in the same way, if any."""
    return f", and {many(fault.more, 'more cell')}" if fault.more else ""


def distance(fault: Fault) -> str:
    """How far found is from wanted, in every measure that is known."""
    of = {"absolute": fault.absolute, "relative": fault.relative, "ulp": fault.ulp}
    measures = [f"{number(value)} {name}" for name, value in of.items() if value is not None]
    return ", ".join(measures) or (number(fault.gap) if fault.gap else "")


def details(fault: Fault) -> Iterator[tuple[str, str]]:
    """All that is known of a fault, each with a label; a label may come twice."""
    yield "between", fault.kind.between
    yield "where", standing(fault)
    if fault.formula and not fault.wanted.endswith(fault.formula):
        yield "formula", f"={fault.formula}"
    yield "found", fault.found
    yield "wanted", fault.wanted
    if far := distance(fault):
        yield "gap", far
    for precedent in fault.precedents:
        yield "reads", f"{precedent.place} {precedent.ref} = {precedent.value}".lstrip()
    if fault.cause:
        yield "cause", fault.cause


def brief(fault: Fault) -> str:
    """A fault in one line."""
    far = f" (gap {number(fault.gap)})" if fault.gap else ""
    return f"{title(fault)}, {where(fault)}: found {fault.found}, wanted {fault.wanted}{far}{further(fault)}"


def law_brief(law: Law) -> str:
    """A law in one line."""
    at = f" at {law.place}, {law.tab}!{law.cell}" if law.place else ""
    gap = f", gap {number(law.gap)}" if law.status in TRIED else ""
    return f"{law.law}{at}: {law.status}{gap}" + (f"; {law.detail}" if law.detail else "")


def broken(report: Report) -> list[Law]:
    """The laws that do not hold on the workbook."""
    return [law for law in report.laws if law.status == "broken"]


def untried(report: Report) -> list[Law]:
    """The laws that could not be tried; their status says why."""
    return [law for law in report.laws if law.status not in TRIED]


def counted(report: Report) -> str:
    """How much was looked at."""
    return f"{report.cells_checked:,} of {many(report.cells_present, 'cell')}, {many(len(report.rows), 'place')}"


def verdict(report: Report) -> str:
    """The one word, and why."""
    # cells that a student left blank have a gap that says nothing
    worst = number(max((row.total_gap for row in report.rows if isfinite(row.total_gap)), default=0.0))
    if report.exit_code == 0:
        return f"EQUAL: every cell is right (worst gap {worst})"
    if report.exit_code == 4:
        return f"NOT PROVEN: no fault found (worst gap {worst}), but not everything was independently checked"
    wrong = [many(len(report.faults), "fault")] if report.faults else []
    wrong += [many(len(broken(report)), "broken law")] if broken(report) else []
    return f"WRONG: {' and '.join(wrong)}"


HOTTEST = 10
HEAT_LIMITS = (0.0, *(10.0**power for power in range(-16, -1, 2)))  # of steps 0 to 8


def heat(gap: float) -> int:
    """The step of a gap, two decades each: 0 for none, 1 up to 1e-16, 9 above 0.01, 10 for what is no number."""
    if isinf(gap):
        return HOTTEST
    return next((step for step, limit in enumerate(HEAT_LIMITS) if gap <= limit), HOTTEST - 1)
