"""A verify report as text for people and as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sheetgpt.check.faults import Fault, FaultKind
from sheetgpt.check.result import CACHED, Report, Row
from sheetgpt.errors import one_line

SCHEMA = 1
_MOST_FAULTS = 12


def to_json(report: Report) -> str:
    """The whole report; `schema` counts changes of its form. An infinite gap is null."""
    data = asdict(report) | {
        "schema": SCHEMA,
        "exit_code": report.exit_code,
        "rows": [_finite(row._asdict()) for row in report.rows],
        "faults": [_finite(fault._asdict()) for fault in report.faults],
    }
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)


def _finite(record: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: a gap to something that is no number is null."""
    return {key: None if value == math.inf else value for key, value in record.items()}


def to_csv(report: Report) -> str:
    """One line for each place, with a header: for a table of one's own."""
    import pandas as pd

    return pd.DataFrame(report.rows, columns=Row._fields).to_csv(index=False)


def to_text(report: Report, *, places: bool = False) -> str:
    """Provenance, a line per tab (or per place), the first fault in full, the others in short, the verdict."""
    lines = [*_provenance(report), ""]
    lines += _place_table(report.rows) if places else _tab_table(report.rows)
    lines += ["", *_faults(report.faults), *_verdict(report)]
    return "\n".join(map(one_line, lines))


def _provenance(report: Report) -> Iterator[str]:
    yield f"{report.workbook}"
    yield f"  made by  {report.made_by}"
    yield f"  model    {report.model}, {report.n_rows} token rows, prompt {report.prompt}"
    if report.engine == CACHED:
        yield "  values   cached in the file: whoever wrote it computed them, nothing was recalculated"
    else:
        yield f"  values   recalculated by {report.engine} {report.engine_version} from a copy without cached values"
    yield f"  wanted   numpy, float64; weights from {report.source}"


def _tab_table(rows: list[Row]) -> Iterator[str]:
    yield f"{'tab':<22}{'places':>7}{'cells':>12}{'own gap':>10}{'total gap':>11}  {'worst cell':<11}status"
    tabs: dict[str, list[Row]] = {}
    for row in rows:
        tabs.setdefault(row.tab, []).append(row)
    for tab, of_tab in tabs.items():
        worst = max(of_tab, key=lambda row: (row.own_gap, row.total_gap))
        faulty = [row for row in of_tab if row.status not in ("ok", "follows")]
        status = ", ".join(dict.fromkeys(row.status for row in faulty or of_tab if row.status != "ok")) or "ok"
        counts = f"{tab:<22}{len(of_tab):>7}{sum(row.cells for row in of_tab):>12,}"
        own, total = _gap(worst.own_gap), _gap(max(row.total_gap for row in of_tab))
        yield f"{counts}{own:>10}{total:>11}  {worst.worst_cell:<11}{status}"


def _place_table(rows: list[Row]) -> Iterator[str]:
    yield f"{'place':<28}{'tab':<22}{'cells':>12}{'own gap':>10}{'total gap':>11}  {'worst cell':<11}status"
    for row in rows:
        gaps = f"{_gap(row.own_gap):>10}{_gap(row.total_gap):>11}"
        yield f"{row.name:<28}{row.tab:<22}{row.cells:>12,}{gaps}  {row.worst_cell:<11}{row.status}"


def _gap(gap: float) -> str:
    return "0" if gap == 0 else f"{gap:.1e}"


def _faults(faults: list[Fault]) -> Iterator[str]:
    if not faults:
        return
    first = faults[0]
    yield f"FIRST FAULT: {first.kind}" + (f" at {first.place}" if first.place else "")
    yield (f"  where    {first.tab}!{first.cell}" + (f", token {first.token!r}" if first.token else "") + _more(first))
    if first.formula and not first.wanted.endswith(first.formula):
        yield f"  formula  ={first.formula}"
    yield f"  found    {first.found}"
    yield f"  wanted   {first.wanted}" + (f"   (gap {_gap(first.gap)})" if first.gap else "")
    stale = [fault for fault in faults[1:] if fault.kind is FaultKind.STALE]
    others = [fault for fault in faults[1:] if fault.kind is not FaultKind.STALE]
    if (value := _value_of(first, others)) is not None:
        others.remove(value)
        yield f"  value    {value.found}, wanted {value.wanted}   (gap {_gap(value.gap or 0)}){_more(value)}"
    for fault in others[:_MOST_FAULTS]:
        yield f"also: {fault.kind} at {fault.place or 'a label'}, {fault.tab}!{fault.cell}{_more(fault)}"
    if len(others) > _MOST_FAULTS:
        yield f"and {len(others) - _MOST_FAULTS} more; --format json lists all"
    if stale:
        yield f"also: stale cached values at {len(stale)} places, the first {stale[0].place} ({stale[0].cell})"
    yield ""


def _value_of(first: Fault, others: list[Fault]) -> Fault | None:
    """What a wrong formula computes, told with it."""
    same = (f for f in others if f.kind is FaultKind.VALUE and f.place == first.place and first.place)
    return next(same, None)


def _more(fault: Fault) -> str:
    return f", and {fault.more:,} more cells" if fault.more else ""


def _verdict(report: Report) -> Iterator[str]:
    yield f"checked {report.cells_checked:,} of {report.cells_present:,} cells, {len(report.rows)} places"
    for reason in report.unchecked:
        yield f"not independently checked: {reason}"
    worst = max((row.total_gap for row in report.rows), default=0.0)
    verdict = {
        0: f"EQUAL: every cell is right (worst gap {_gap(worst)})",
        1: f"WRONG: {len(report.faults)} faults",
        4: f"NOT PROVEN: no fault found (worst gap {_gap(worst)}), but not everything was independently checked",
    }
    yield verdict[report.exit_code]
