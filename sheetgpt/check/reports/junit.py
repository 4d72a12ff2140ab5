"""A report as JUnit XML, which CI servers show: a tab is a suite, its places are the cases.

Written for the schema of Jenkins' xUnit plug-in (junit-10.xsd). What was not checked is skipped, never passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from sheetgpt.check.faults import Fault
from sheetgpt.check.reports.words import brief, counted, details, law_brief, provenance, title
from sheetgpt.check.result import Law, Report, Row
from sheetgpt.errors import one_line, visible

WORKBOOK = "the workbook"  # the suite of what belongs to no place


class Case(NamedTuple):
    """One test case: `outcome` is failure, skipped, or empty where it passed."""

    name: str
    outcome: str = ""
    kind: str = ""
    message: str = ""
    body: tuple[str, ...] = ()


def to_junit(report: Report) -> str:
    """The suites in pipeline order; first what belongs to no place, last the laws."""
    suites = {WORKBOOK: list(_whole(report))}
    for row in report.rows:
        faults = [fault for fault in report.faults if fault.place == row.name]
        suites.setdefault(row.tab, []).append(_failure(row.name, faults) if faults else _case(row))
    if report.laws:
        suites["laws"] = [_law(law) for law in report.laws]
    root = Element("testsuites", {"name": "sheetgpt verify"} | _counts(chain(*suites.values())))
    for name, cases in suites.items():
        suite = SubElement(root, "testsuite", {"name": visible(name)} | _counts(cases))
        suite.set("skipped", str(sum(case.outcome == "skipped" for case in cases)))
        if name == WORKBOOK:
            _properties(suite, report)
        for case in cases:
            _write(suite, name, case)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _whole(report: Report) -> Iterator[Case]:
    """What concerns no place in the table: settings, tabs, labels; and whether everything was checked."""
    known = {row.name for row in report.rows}
    others: dict[str, list[Fault]] = {}
    for fault in report.faults:
        if fault.place not in known:
            others.setdefault(fault.place or fault.tab, []).append(fault)
    for name, faults in others.items():
        yield _failure(name, faults)
    if report.unchecked:
        yield Case("everything is checked", "skipped", "not proven", counted(report), tuple(report.unchecked))
    else:
        yield Case("everything is checked")


def _case(row: Row) -> Case:
    if row.status == "follows":
        return Case(row.name, "skipped", row.status, "wrong only because an input is")
    return Case(row.name) if row.status == "ok" else Case(row.name, "failure", row.status, row.status)


def _failure(name: str, faults: list[Fault]) -> Case:
    """One failure, since many readers see only the first; its text tells of all."""
    body = [line for fault in faults for line in (title(fault), *(f"  {k:<9}{v}" for k, v in details(fault)))]
    return Case(name, "failure", str(faults[0].kind), brief(faults[0]), tuple(body))


def _law(law: Law) -> Case:
    name = f"{law.law} at {law.place}" if law.place else law.law
    if law.status == "ok":
        return Case(name)
    kind, why = ("failure", law_brief(law)) if law.status == "broken" else ("skipped", law.status)
    return Case(name, kind, f"{law.status} law" if kind == "failure" else "not tried", why, (law_brief(law),))


def _counts(cases: Iterable[Case]) -> dict[str, str]:
    outcomes = [case.outcome for case in cases]
    return {"tests": str(len(outcomes)), "failures": str(outcomes.count("failure")), "errors": "0"}


def _properties(suite: Element, report: Report) -> None:
    out = SubElement(suite, "properties")
    for name, value in [("workbook", report.workbook), *provenance(report), ("checked", counted(report))]:
        SubElement(out, "property", name=name, value=visible(value))


def _write(suite: Element, classname: str, case: Case) -> None:
    out = SubElement(suite, "testcase", name=visible(case.name), classname=visible(classname))
    if case.outcome:
        told = SubElement(out, case.outcome, type=visible(case.kind), message=one_line(case.message))
        told.text = "\n".join(map(visible, case.body))
