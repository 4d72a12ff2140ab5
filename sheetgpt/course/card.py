"""How a workbook says that it is a course."""

from __future__ import annotations

from pathlib import Path

from sheetgpt.sheet.blueprint import COURSE_NAME
from sheetgpt.sheet.package import open_package
from sheetgpt.sheet.readback import Outline

FORMAT = 1


def is_course(path: Path) -> bool:
    """Whether a workbook says that it is a course, by its names alone; raises `WorkbookError` for no workbook."""
    with open_package(path) as package:
        return any(name.casefold() == COURSE_NAME for name in Outline.of(package).names)
