"""What differs between two workbooks, as text for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from sheetgpt.check.diff import KINDS, VALUE, WEIGHT, Difference, Row, Told
from sheetgpt.check.faults import many
from sheetgpt.check.result import CACHED
from sheetgpt.errors import one_line

SCHEMA = 1
ROUNDING = 1e-9  # what programs may differ by that save 15 digits, or add up in another order
_MOST = 12  # lines of what is no cell


def to_json(found: Difference) -> str:
    """All of it; `schema` counts changes of its form."""
    data = asdict(found) | {
        "schema": SCHEMA,
        "exit_code": found.exit_code,
        "told": [told._asdict() for told in found.told],
        "first": found.first and found.first._asdict(),
        "rows": [row._asdict() for row in found.rows],
    }
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)


def to_text(found: Difference, *, places: bool = False) -> str:
    """Provenance, what is no cell, a line for each stage (or place), the first cell that differs, the verdict."""
    lines = [*_provenance(found), *_told(found.told), *_table(found, places=places)]
    return "\n".join(map(one_line, lines + list(_verdict(found))))


def _provenance(found: Difference) -> Iterator[str]:
    for side, told in (("A", found.a), ("B", found.b)):
        yield f"{side}  {told['file']}"
        yield "   " + ", ".join(f"{key} {value}" for key, value in told.items() if key != "file")
    how = "cached: nothing was recalculated" if found.engine == CACHED else f"recalculated by {found.engine}"
    yield f"values are {how}; numbers other than weights may differ by {found.tolerance:g}"


def _told(told: list[Told]) -> Iterator[str]:
    for kind, what, a, b in told[:_MOST]:
        yield f"{kind} {what}: {a:.80} | {b:.80}"
    if len(told) > _MOST:
        yield f"and {len(told) - _MOST:,} more that are no cells; --format json lists all"


def _table(found: Difference, *, places: bool) -> Iterator[str]:
    groups: dict[str, list[Row]] = {}
    for row in found.rows:
        groups.setdefault((row.place or f"{row.tab}, labels") if places else row.tab, []).append(row)
    if not groups:
        return
    values = ("cached" if found.engine == CACHED else "computed") + " values"
    yield ""
    yield (
        f"{'place' if places else 'tab':<28}"
        + "".join(f"{values if kind == VALUE else kind + 's':>17}" for kind in KINDS)
        + "  first cell"
    )
    for group, rows in groups.items():
        counts = {kind: sum(row.cells for row in rows if row.kind == kind) for kind in KINDS}
        yield f"{group:<28}" + "".join(f"{n or '':>17}" for n in counts.values()) + f"  {rows[0].cell_a}"


def _is_rounding(row: Row) -> bool:
    """Whether another program's rounding explains it."""
    return row.kind != WEIGHT and row.gap is not None and row.gap <= ROUNDING


def _beside(count: int) -> str:
    return many(count, "thing") + (" that is no cell" if count == 1 else " that are no cells")


def _verdict(found: Difference) -> Iterator[str]:
    yield ""
    if row := found.first:
        where = f"at {row.place}" if row.place else "in no place"
        elsewhere = f" (B: {row.cell_b})" if row.cell_b != row.cell_a else ""
        yield f"FIRST: another {row.kind} {where}, {row.tab}!{row.cell_a}{elsewhere}"
        yield f"  A  {row.a}"
        yield f"  B  {row.b}" + (f"   (gap {row.gap:.1e} at most)" if row.gap else "")
    for reason in found.uncompared:
        yield f"not compared: {reason}"
    differing = sum(row.cells for row in found.rows)
    if found.exit_code:
        yield f"DIFFERENT: {differing:,} of {many(found.cells, 'cell')}, {_beside(len(found.told))}"
        if found.rows and all(_is_rounding(row) for row in found.rows):
            yield f"all of these are numbers closer than {ROUNDING:g}: --tolerance {ROUNDING:g} takes such for equal"
    else:
        yield f"EQUAL: {many(found.cells, 'cell')} compared"
