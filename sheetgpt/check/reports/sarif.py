"""A report as SARIF 2.1.0 (OASIS), which code hosts and editors show: a rule for each kind of fault, a result for each.

A place has no line in a file; it is a logical location, and the workbook the artifact.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sheetgpt import __version__
from sheetgpt.check.faults import Fault, FaultKind
from sheetgpt.check.reports.json_ import plain
from sheetgpt.check.reports.words import brief, broken, counted, law_brief, provenance, untried, verdict, where
from sheetgpt.check.result import Law, Report
from sheetgpt.errors import visible

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BROKEN_LAW = "broken-law"

# Of each kind: what it means, and what to do.
_HELP = {
    FaultKind.SETTING: ("A setting makes programs compute otherwise.", "Take the setting back, or build anew."),
    FaultKind.TAB: ("A tab of the plan is not in the workbook.", "Give the tab its name back, or build anew."),
    FaultKind.NAME: ("A defined name is missing or leads elsewhere.", "Let the name lead to the range that is wanted."),
    FaultKind.WEIGHT: ("A weight is not the number of its source.", "Type the wanted number, or build anew."),
    FaultKind.INPUT: ("A given cell holds something else than planned.", "Type the wanted value into the cell."),
    FaultKind.CONSTANT: ("A constant stands where a formula belongs.", "Enter the wanted formula in its place."),
    FaultKind.FORMULA: ("A formula is not what the plan lowers to.", "Enter the wanted formula."),
    FaultKind.VALUE: ("A computed value is not what numpy computes.", "Look at the place's formula and its inputs."),
    FaultKind.TEXT: ("A text is not the planned one.", "Type the wanted text."),
    FaultKind.STALE: (
        "A cached value is not what its formula gives.",
        "Recalculate, for example with sheetgpt recalc.",
    ),
    FaultKind.CACHED: ("A cached value is not what numpy computes.", "Verify with an engine, or recalculate."),
    FaultKind.ENGINE: ("The engine computes otherwise than numpy and the cache.", "Try another engine with --engine."),
}


def to_sarif(report: Report) -> str:
    """One run with all results; what was not checked is a notification, so that silence is no proof."""
    results = [*_faults(report), *(_law(law, report) for law in broken(report))]
    run = {
        "tool": {"driver": {"name": "sheetgpt", "version": __version__, "rules": _rules()}},
        "invocations": [_invocation(report)],
        "artifacts": [{"location": {"uri": _uri(report)}, "roles": ["analysisTarget"], "mimeType": _XLSX}],
        "results": results,
        "properties": dict(provenance(report)) | {"checked": counted(report), "verdict": verdict(report)},
    }
    log = {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1, ensure_ascii=False, allow_nan=False)


def rule_id(kind: FaultKind) -> str:
    """`wrong-formula`: the kind's own words."""
    return str(kind).replace(" ", "-")


def _rules() -> list[dict[str, Any]]:
    rules = [_rule(rule_id(kind), *_HELP[kind], kind.between) for kind in FaultKind]
    meaning = "A law that holds whatever the weights are does not hold."
    return [*rules, _rule(BROKEN_LAW, meaning, "Look at the formulas of the place and before it.", "workbook and law")]


def _rule(name: str, short: str, remedy: str, between: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": "".join(map(str.capitalize, name.split("-"))),
        "shortDescription": {"text": short},
        "fullDescription": {"text": f"{short} They disagree: {between}."},
        "help": {"text": f"{remedy} They disagree: {between}."},
        "defaultConfiguration": {"level": "error"},
        "properties": {"between": between},
    }


def _invocation(report: Report) -> dict[str, Any]:
    notes = [f"not independently checked: {reason}" for reason in report.unchecked]
    notes += [f"law not tried: {law_brief(law)}" for law in untried(report)]
    told = [{"level": "warning", "message": {"text": visible(note)}} for note in notes]
    return {
        "executionSuccessful": True,
        "exitCode": report.exit_code,
        "exitCodeDescription": verdict(report),
        "toolExecutionNotifications": told,
    }


def _faults(report: Report) -> Iterator[dict[str, Any]]:
    """A result for each fault; a second wrong formula of a place is another result, so it has another fingerprint."""
    seen: Counter[tuple[str, ...]] = Counter()
    for fault in report.faults:
        key = (rule_id(fault.kind), fault.place, fault.tab)
        yield _fault(fault, report, (*key, str(seen[key])) if seen[key] else key)
        seen[key] += 1


def _fault(fault: Fault, report: Report, key: tuple[str, ...]) -> dict[str, Any]:
    told: dict[str, Any] = plain(fault)
    properties = {key: value for key, value in told.items() if value not in (None, "", [])}
    return _result(key, brief(fault), fault.place, where(fault), report) | {"properties": properties}


def _law(law: Law, report: Report) -> dict[str, Any]:
    key = (BROKEN_LAW, law.law, law.place, law.tab)
    result = _result(key, law_brief(law), law.place, f"{law.tab}!{law.cell}", report)
    return result | {"properties": plain(law)}


def _result(key: tuple[str, ...], text: str, place: str, cell: str, report: Report) -> dict[str, Any]:
    """`key` is what the fingerprint is made of: no number of an engine, no row that another prompt would move."""
    logical = [{"fullyQualifiedName": place, "kind": "variable"}] if place else []
    return {
        "ruleId": key[0],
        "ruleIndex": [rule["id"] for rule in _rules()].index(key[0]),
        "level": "error",
        "message": {"text": visible(text)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": _uri(report), "index": 0}},
                "logicalLocations": [*logical, {"fullyQualifiedName": cell, "kind": "cell"}],
            }
        ],
        "partialFingerprints": {"place/v1": hashlib.sha256("\0".join(key).encode(errors="replace")).hexdigest()},
    }


def _uri(report: Report) -> str:
    """The workbook, relative to the current folder where it lies in it."""
    path = Path(os.path.abspath(report.workbook))
    if not path.is_relative_to(Path.cwd()):
        return path.as_uri()
    return quote(os.fsencode(path.relative_to(Path.cwd()).as_posix()))
