"""A copy of a workbook in which no formula remembers its result: whatever an engine then reports, it has computed."""

from __future__ import annotations

from pathlib import Path

from sheetgpt.sheet.edit import edit
from sheetgpt.sheet.grid import Area
from sheetgpt.sheet.package import LIMITS, Limits


def strip_caches(src: str | Path, dst: str | Path, limits: Limits = LIMITS) -> dict[str, list[Area]]:
    """Write to `dst` a copy of the workbook `src` without any formula's cached result.

    Returns the areas (inclusive, from 0) that formulas compute, by tab, for the tabs that have any.
    `dst` must be a new file in a folder of the caller's own. Raises `WorkbookError`.
    """
    return edit(src, dst, {}, {}, limits)
