"""Marks as data: what a student made of each blank place, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import NamedTuple


class Status(StrEnum):
    """What a student made of a place."""

    RIGHT = "right"  # on its own inputs and from the prompt on
    BY_OWN_INPUTS = "right by own inputs"  # an earlier error of the student's goes through it
    THIS_PROMPT = "right only for this prompt"  # by luck, or numbers hidden in formulas
    PARTLY = "partly"  # some cells
    CONSTANT = "constant"  # right numbers, typed where a formula belongs
    WRONG = "wrong"
    ERROR = "error"  # its cells show errors
    NOT_JUDGED = "not judged"  # its inputs show errors
    BLANK = "blank"


FULL = frozenset({Status.RIGHT, Status.BY_OWN_INPUTS})


class Mark(NamedTuple):
    """One place of one student."""

    place: str
    status: Status
    right: int  # cells
    cells: int
    points: float
    of: float
    note: str = ""  # the first wrong cell, the likely cause, odd functions

    @property
    def told(self) -> str:
        """The status in a word or two, with the number of right cells where it is some."""
        return f"{self.status} {self.right}/{self.cells}" if self.status is Status.PARTLY else str(self.status)


@dataclass
class Marked:
    """One student's file."""

    file: str
    marks: list[Mark] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)  # what else differs from the file that was handed out
    notes: list[str] = field(default_factory=list)
    problem: str = ""  # why it could not be marked; then there are no marks

    @property
    def total(self) -> float:
        """Points of all places."""
        return sum(mark.points for mark in self.marks)

    @property
    def of(self) -> float:
        """Points that there were to have."""
        return sum(mark.of for mark in self.marks)


def worth(place: str, points: Mapping[str, float]) -> float:
    """The points of a place: those of the last pattern that fits its name, else 1."""
    fitting = [worth for pattern, worth in points.items() if fnmatchcase(place.casefold(), pattern.casefold())]
    return fitting[-1] if fitting else 1.0
