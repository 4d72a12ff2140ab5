"""The course as a list, and as a plan of lessons with minutes."""

from __future__ import annotations

from collections.abc import Sequence

from sheetgpt.course.demo import Demo
from sheetgpt.sheet.lessons import lesson

PACES = {"2h": 0, "8h": 1}  # which of a demonstration's minutes


def table_of(demos: Sequence[Demo]) -> str:
    """A line for each lesson: its name, its part, its title."""
    wide = max(len(demo.name) for demo in demos)
    return "\n".join(f"{demo.name:{wide}}  {demo.part}: {lesson(f'course/{demo.name}').title}" for demo in demos)


def plan_of(demos: Sequence[Demo], pace: str) -> str:
    """The lessons in order with the minute each begins; what there is no time for is left out."""
    which, at = PACES[pace], 0
    lines = []
    for demo in (demo for demo in demos if demo.minutes[which]):
        title = lesson(f"course/{demo.name}").title
        lines.append(f"{at // 60}:{at % 60:02d}  {demo.minutes[which]:3d} min  {demo.tab:20}  {title}")
        at += demo.minutes[which]
    return "\n".join([*lines, f"{at // 60}:{at % 60:02d}  end"])
