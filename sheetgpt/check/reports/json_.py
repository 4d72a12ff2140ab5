"""A report for programs: all of it, by docs/schemas/verify-3.schema.json."""

from __future__ import annotations

import json
from dataclasses import fields
from math import isfinite
from typing import Any

from sheetgpt.check.faults import Fault
from sheetgpt.check.result import Report

SCHEMA = 3


def to_json(report: Report) -> str:
    """The whole report; `schema` counts changes of its form. An infinite gap is null."""
    data = {"schema": SCHEMA, "exit_code": report.exit_code}
    data |= {field.name: plain(getattr(report, field.name)) for field in fields(report)}
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """A value as JSON has it: records are objects, and a number that is not finite is null."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Fault):
        told: dict[str, Any] = value._asdict() | {"between": value.kind.between}
        return {key: plain(item) for key, item in told.items()}
    if hasattr(value, "_asdict"):
        return {key: plain(item) for key, item in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
