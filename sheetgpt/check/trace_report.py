"""A trace as a tree of text, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sheetgpt.check.result import CACHED
from sheetgpt.check.trace import Node, Trace, plain
from sheetgpt.errors import one_line, visible
from sheetgpt.sheet.grid import CellError, Value

SCHEMA = 1
_WIDEST = 160  # of a formula


def to_json(found: Trace) -> str:
    """All of it; `schema` counts changes of its form."""
    data = {"schema": SCHEMA, "workbook": found.workbook, "engine": found.engine, "root": _data(found.root)}
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)


def _data(node: Node) -> dict[str, Any]:
    data = node._asdict()
    return data | {"values": [plain(value) for value in node.values], "reads": [_data(each) for each in node.reads]}


def to_text(found: Trace) -> str:
    """Who computed the values, then the tree: a cell or range and its values, its formula below it."""
    who = "cached in the file, not computed anew" if found.engine == CACHED else f"computed by {found.engine}"
    return "\n".join(map(one_line, [f"{found.workbook}, values {who}", "", *_lines(found.root, "", "")]))


def _lines(node: Node, lead: str, below: str) -> Iterator[str]:
    yield f"{lead}{_title(node)}"
    inner = below + ("|  " if node.reads else "   ")
    if node.formula:
        of = f"   one array formula over {node.array}" if node.array else ""
        first = f"{node.ref.rpartition('!')[2].partition(':')[0]}: " if node.cells > 1 else ""
        yield f"{inner}{first}{_cut(node.formula)}{of}"
    if node.note and (node.reads or node.note.startswith("a circle")):
        yield f"{inner}{node.note}"
    for each in node.reads:
        last = each is node.reads[-1]
        yield from _lines(each, below + ("`- " if last else "|- "), below + ("   " if last else "|  "))


def _title(node: Node) -> str:
    of = f" of {node.shape[0]} x {node.shape[1]}" if node.shape and node.place.endswith("]") else ""
    named = f"{node.place}{of}, {node.ref}" if node.place else node.ref
    if not node.values:
        return f"{named}  ({node.what})"
    told = ", ".join(map(said, node.values)) + (" ..." if node.cells > len(node.values) else "")
    count = f"{node.cells:,} cells, " if node.cells > 1 else ""
    return f"{named} = {told}  ({count}{node.what})"


def said(value: Value) -> str:
    """A value as a reader sees it: numbers to 12 digits, text in quotes."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value:.12g}"
    if value is None:
        return "nothing"
    return str(value) if isinstance(value, CellError) else repr(value if len(value) <= 60 else value[:60] + "...")


def _cut(formula: str) -> str:
    text = visible(formula)
    return text if len(text) <= _WIDEST else text[:_WIDEST] + " ..."
