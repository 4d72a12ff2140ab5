"""The marks of a class as text for people, as JSON, and as a CSV file: a line for each student."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from sheetgpt.check.marks import Marked
from sheetgpt.errors import one_line

SCHEMA = 1
_MOST_CHANGES = 5
_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_json(marked: Sequence[Marked]) -> str:
    """Everything; `schema` counts changes of its form."""
    files = [
        asdict(one) | {"marks": [mark._asdict() for mark in one.marks], "total": one.total, "of": one.of}
        for one in marked
    ]
    return json.dumps({"schema": SCHEMA, "files": files}, indent=1, ensure_ascii=False, allow_nan=False)


def to_csv(marked: Sequence[Marked]) -> str:
    """A line for each file: its name, a status for each place, points, what else was changed, why it has no marks.

    Text that a spreadsheet would take for a formula is quoted with an apostrophe.
    """
    places = list(dict.fromkeys(mark.place for one in marked for mark in one.marks))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["file", *places, "points", "of", "changed elsewhere", "problem"])
    for one in marked:
        told = {mark.place: mark.told for mark in one.marks}
        statuses = [told.get(place, "") for place in places]
        points = ["", ""] if one.problem else [_number(one.total), _number(one.of)]
        changed = f"{one.changed[0]}{_more(len(one.changed) - 1)}" if one.changed else ""
        writer.writerow(map(_as_text, [one.file, *statuses, *points, changed, one.problem]))
    return out.getvalue()


def to_text(marked: Sequence[Marked]) -> str:
    """For each file its places, one a line, then what else is to be said."""
    return "\n".join(one_line(line) for one in marked for line in _lines(one)).rstrip()


def _lines(one: Marked) -> Iterator[str]:
    if one.problem:
        yield from (one.file, f"  NOT MARKED: {one.problem}", "")
        return
    yield f"{one.file}  {_number(one.total)} of {_number(one.of)} points"
    for mark in one.marks:
        yield f"  {mark.place:<24}{mark.told:<28}{_number(mark.points):>5} of {_number(mark.of):<5}{mark.note}".rstrip()
    for change in one.changed[:_MOST_CHANGES]:
        yield f"  changed elsewhere: {change}"
    if len(one.changed) > _MOST_CHANGES:
        yield f"  changed elsewhere: {len(one.changed) - _MOST_CHANGES} more; --format json lists all"
    yield from (f"  note: {note}" for note in one.notes)
    yield ""


def _number(points: float) -> str:
    return f"{points:.2f}".rstrip("0").rstrip(".")


def _more(count: int) -> str:
    return f" (and {count} more)" if count > 0 else ""


def _as_text(value: str) -> str:
    plain = one_line(value)
    return "'" + plain if plain.startswith(_BEGINS_FORMULA) else plain
