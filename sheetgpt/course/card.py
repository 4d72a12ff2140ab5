"""How a workbook says that it is a course."""

from __future__ import annotations

from pathlib import Path

from sheetgpt.sheet.package import open_package
from sheetgpt.sheet.readback import Outline

CARD_NAME = "sheetgpt.course"  # defined name of the cell that tells which lessons these are
FORMAT = 1


def is_course(path: Path) -> bool:
    """Whether a workbook says that it is a course, by its names alone; raises `WorkbookError` for no workbook."""
    with open_package(path) as package:
        return any(name.casefold() == CARD_NAME.casefold() for name in Outline.of(package).names)
