"""The demonstrations in the order in which they are taught."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from sheetgpt.course.demo import Demo
from sheetgpt.course.entropy import ENTROPY
from sheetgpt.course.houses import HOUSES
from sheetgpt.course.onehead import ONEHEAD
from sheetgpt.course.temperature import TEMPERATURE
from sheetgpt.errors import LayoutError

DEMOS: tuple[Demo, ...] = (
    HOUSES,
    ONEHEAD,
    ENTROPY,
    TEMPERATURE,
)


def chosen(names: Iterable[str]) -> tuple[Demo, ...]:
    """The demonstrations of these names, in the order of the course; all of them for none.

    Raises `LayoutError` for a name that there is not.
    """
    wanted = list(names)
    known = [demo.name for demo in DEMOS]
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "`sheetgpt lessons --list` tells them"
            raise LayoutError(f"there is no lesson {name!r:.60}: {hint}")
    return tuple(demo for demo in DEMOS if not wanted or demo.name in wanted)
