"""A report's places as a table of one's own."""

from __future__ import annotations

import csv
import io

from sheetgpt.check.result import Report, Row


def to_csv(report: Report) -> str:
    """One line for each place, with a header; gaps in full, `inf` for what is no number."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([Row._fields, *report.rows])
    return out.getvalue()
