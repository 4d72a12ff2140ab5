"""What somebody asks for beside the pipeline."""

from __future__ import annotations

from typing import NamedTuple


class Asked(NamedTuple):
    """Which extras a workbook has, and how large they are."""

    extras: tuple[str, ...] = ()
    steps: int = 0  # of the loop that the tab Generate shows
