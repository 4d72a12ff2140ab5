"""A report in every form that people and programs read; each form is a file of this package.

The same report gives the same bytes: no clock, no machine, no order of chance goes into one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sheetgpt.check.reports.csv_ import to_csv
from sheetgpt.check.reports.html_ import to_html
from sheetgpt.check.reports.json_ import to_json
from sheetgpt.check.reports.junit import to_junit
from sheetgpt.check.reports.markdown import to_markdown
from sheetgpt.check.reports.sarif import to_sarif
from sheetgpt.check.reports.text import to_text
from sheetgpt.check.result import Report

_WRITERS: dict[str, Callable[[Report], str]] = {
    "text": to_text,
    "json": to_json,
    "csv": to_csv,
    "junit": to_junit,
    "sarif": to_sarif,
    "markdown": to_markdown,
    "html": to_html,
}
_SURROGATE = re.compile("[\ud800-\udfff]")  # a path of bytes that are no text holds some


def render(report: Report, form: str, *, places: bool = False) -> str:
    """The report in one of the forms, ending in a line break; UTF-8 can encode it. `places` is for text alone."""
    text = to_text(report, places=True) if places and form == "text" else _WRITERS[form](report)
    text = _SURROGATE.sub(lambda found: f"<{ord(found[0]):02X}>", text)
    return text if text.endswith("\n") else text + "\n"
