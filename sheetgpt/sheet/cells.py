"""The atom between thinking and writing: one cell, immutable, known in full before any file is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from numpy.typing import NDArray

from sheetgpt.sheet.layout import Range, Tab

Value = float | str


class Kind(StrEnum):
    """What a cell is to the file."""

    TEXT = "text"
    NUMBER = "number"
    FORMULA = "formula"
    ARRAY = "array"  # the first cell of an array formula
    SPILL = "spill"  # another cell of an array formula: it holds only a cached value
    LINK = "link"  # text that leads to another tab


COMPUTED = frozenset({Kind.FORMULA, Kind.ARRAY, Kind.SPILL})


class Style(StrEnum):
    """What a cell looks like, by what it is to the reader."""

    TITLE = "title"
    WHAT = "what"
    WHY = "why"
    LINK = "link"
    HEADING = "heading"
    NAME = "name"
    NOTE = "note"
    CODE = "code"
    RULER = "ruler"
    LABEL = "label"
    INPUT = "input"
    INPUT_TEXT = "input_text"
    PARAMETER = "parameter"
    VALUE = "value"
    WHOLE = "whole"  # a whole number: an id, a count
    SHARE = "share"  # between 0 and 1
    TOKEN = "token"
    ANSWER = "answer"
    PROBLEM = "problem"  # why there is no answer
    BYTES = "bytes"  # 1 to 255, or 0 for nothing, which is not shown
    SPARSE = "sparse"  # a whole number, or nothing: what is below 0 or beyond any id is not shown


class Cell(NamedTuple):
    """One cell, counted from 0. `body` is the text, the number, or the formula without `=`."""

    row: int
    col: int
    kind: Kind
    body: Value
    style: Style
    cached: Value | None = None  # of a formula: the value that numpy computed
    area: tuple[int, int] | None = None  # of an array formula: rows, columns
    target: str | None = None  # of a link: the tab it leads to


class Mass(NamedTuple):
    """A matrix of plain numbers, streamed into the file past the atoms."""

    box: Range
    values: NDArray[Any]  # float64 [rows, cols]
    style: Style = Style.PARAMETER


class Ladder(NamedTuple):
    """The merges of words, two rows a rung: the pair of the lowest rank is marked, and what it has become."""

    text: Range
    numbers: Range  # symbols above, ranks below; the last column tells which pair is joined


class Sheet(NamedTuple):
    """A tab ready to be written."""

    tab: Tab
    cells: list[Cell]
    masses: Sequence[Mass] = ()
    scales: Mapping[str, Range] = MappingProxyType({})  # place -> cells that carry a colour scale
    masked: Sequence[Range] = ()  # scores that hide what comes later
    labelled: Sequence[Range] = ()  # whose rows are characters, words or tokens: grey where the prompt has none
    ladder: Ladder | None = None
