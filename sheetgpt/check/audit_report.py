"""An audit as text for people and as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sheetgpt.check.audit import Audit, StageRow
from sheetgpt.check.faults import Fault, FaultKind, many
from sheetgpt.check.lint import remark
from sheetgpt.check.reports.words import number
from sheetgpt.errors import one_line

SCHEMA = 2
_MOST_CELLS = 50
_MOST_REMARKS = 40


def to_json(audit: Audit) -> str:
    """The whole audit; `schema` counts changes of its form. An infinite gap is null."""
    families = [family._asdict() | {"first": family.first._asdict()} for family in audit.families]
    names = ("rows", "faults", "cells", "remarks")
    records = {name: [record._asdict() for record in getattr(audit, name)] for name in names}
    data = {"schema": SCHEMA, "exit_code": audit.exit_code} | asdict(audit) | records | {"families": families}
    return json.dumps(_finite(data), indent=1, ensure_ascii=False, allow_nan=False)


def _finite(data: Any) -> Any:
    """JSON has no infinity: a gap to something that is no number is null."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def to_text(audit: Audit) -> str:
    """Whose values these are, a line for each stage, the first fault, the families of faults, the verdict."""
    faults = _first(audit), _families(audit), _cells(audit)
    parts = _provenance(audit), _stages(audit.of("stage")), *faults, _remarks(audit)
    lines = [line for part in map(list, parts) if part for line in (*part, "")]
    return "\n".join(map(one_line, [*lines, *_beside(audit), *_verdict(audit)]))


def _provenance(audit: Audit) -> Iterator[str]:
    yield audit.workbook
    yield f"  values   {audit.values}"
    yield f"  weights  {audit.weights}"
    yield f"  wanted   numpy, float64, by the map of {audit.map}"


def _stages(rows: list[StageRow]) -> Iterator[str]:
    names, tabs = max(len(row.name) for row in rows) + 2, max(len(row.tab) for row in rows) + 2
    counts = f"{'cells':>8}{'faulty':>8}{'own gap':>10}{'total gap':>11}"
    yield f"{'stage':<{names}}{'tab':<{tabs}}{counts}  {'worst':<8}status"
    for row in rows:
        counts = f"{row.cells:>8,}{row.faulty:>8,}{number(row.own_gap):>10}{number(row.total_gap):>11}"
        yield f"{row.name:<{names}}{row.tab:<{tabs}}{counts}  {row.worst_cell:<8}{row.status}"


def _first(audit: Audit) -> Iterator[str]:
    if not audit.faults:
        return
    first = audit.faults[0]
    yield f"FIRST FAULT: {first.place}"
    more = f", and {many(first.more, 'more cell')}" if first.more else ""
    yield f"  where    {first.tab}!{first.cell}, {first.token}{more}"
    if first.formula:
        yield f"  formula  ={first.formula}"
    yield f"  found    {first.found}"
    yield f"  wanted   {first.wanted}   (gap {number(first.gap or 0)})"
    yield f"  cause    {first.cause or 'not known'}"


def _families(audit: Audit) -> Iterator[str]:
    for n, family in enumerate(audit.families, 1):
        first = family.first
        yield f"FAMILY {n}: {family.cause}"
        yield f"  {many(family.cells, 'cell')} in {many(len(family.stages), 'stage')}: {', '.join(family.stages)}"
        yield f"  tabs     {'; '.join(tab.strip() for tab in family.tabs)}"
        yield f"  first    {first.tab}!{first.cell}, found {first.found}, wanted {first.wanted}"
        yield f"  formula  {'=' + first.formula if first.formula else 'none'}"
        yield f"  cause    {first.cause or 'not known'}"


def _cells(audit: Audit) -> Iterator[str]:
    for cell in audit.cells[:_MOST_CELLS]:
        yield f"{cell.place} {cell.tab}!{cell.cell}: {cell.found}, wanted {cell.wanted}   (gap {number(cell.gap)})"
    if len(audit.cells) > _MOST_CELLS:
        yield f"and {many(len(audit.cells) - _MOST_CELLS, 'more cell')}; --format json lists all"


def _remarks(audit: Audit) -> Iterator[str]:
    """What lint says, formulas with one reason on several tabs together."""
    groups: dict[str, list[Fault]] = {}
    for fault in audit.remarks:
        groups.setdefault(fault.wanted if fault.kind is FaultKind.FORMULA else remark(fault), []).append(fault)
    if groups:
        yield "REMARKS: no faults, and not counted as such"
    for first, *others in list(groups.values())[:_MOST_REMARKS]:
        more = first.more + sum(fault.more + 1 for fault in others)
        yield f"  {remark(first._replace(more=more), len(others) + 1)}"
    if len(groups) > _MOST_REMARKS:
        yield f"  and {len(groups) - _MOST_REMARKS:,} more; --format json lists all"


def _beside(audit: Audit) -> Iterator[str]:
    for kind, what in (("part", "steps inside the stages"), ("copy", "copies of stages")):
        if rows := audit.of(kind):
            faulty = [row for row in rows if row.faulty]
            told = f"{sum(r.faulty for r in faulty):,} of {sum(r.cells for r in rows):,} cells wrong"
            yield f"{what}: {told}" + (f" ({', '.join(row.name for row in faulty)})" if faulty else "")
    counts = ", ".join(f"{n:,} {kind}" for kind, n in audit.formulas.items() if n)
    yield f"formulas of the file by what they are to the map: {counts}"
    for line in audit.outside:
        yield f"formulas in no stage: {line}"


def _verdict(audit: Audit) -> Iterator[str]:
    rows = audit.of("stage")
    faulty, clean = [r for r in rows if r.faulty], [r for r in rows if not r.faulty]
    best = number(max((r.own_gap for r in clean), default=0.0))
    if audit.exit_code == 0:
        yield f"EQUAL: all {sum(r.cells for r in rows):,} cells of {len(rows)} stages are right (worst own gap {best})"
        return
    cells = f"{sum(r.faulty for r in faulty):,} of {sum(r.cells for r in rows):,} cells"
    right = f"the other {len(clean)} compute rightly what they are given (worst own gap {best})"
    yield f"WRONG: {cells} in {len(faulty)} of {len(rows)} stages, {len(audit.families)} families of faults; {right}"
