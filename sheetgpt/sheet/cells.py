"""The atom between thinking and writing: one cell, immutable, known in full before any file is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from numpy.typing import NDArray

from sheetgpt.sheet.grid import Area
from sheetgpt.sheet.layout import Range, Tab

Value = float | str


class Kind(StrEnum):
    """What a cell is to the file."""

    TEXT = "text"
    NUMBER = "number"
    FORMULA = "formula"
    ARRAY = "array"  # an array formula of this one cell; those of many are a `Mass`
    LINK = "link"  # text that leads to another tab
    BLANK = "blank"  # nothing yet: a student fills it in


COMPUTED = frozenset({Kind.FORMULA, Kind.ARRAY})


class Style(StrEnum):
    """What a cell looks like, by what it is to the reader."""

    TITLE = "title"
    ASIDE = "aside"  # what a line of the head is about
    WHERE = "where"
    WHAT = "what"
    WHY = "why"
    WORDS = "words"
    TRY = "try"
    LINK = "link"
    HEADING = "heading"
    NAME = "name"
    NOTE = "note"
    MEANING = "meaning"  # a note that may be long
    CODE = "code"
    RULER = "ruler"
    LABEL = "label"
    INPUT = "input"
    INPUT_TEXT = "input_text"
    KNOB = "knob"  # a number to be changed
    TYPED = "typed"  # a number among others to be changed, as it is typed
    GIVEN = "given"  # a number that earlier stages would compute
    PARAMETER = "parameter"
    VALUE = "value"  # computed, and handed on to a later tab
    STEP = "step"  # computed on the way
    WHOLE = "whole"  # a whole number: an id, a count
    SHARE = "share"  # between 0 and 1
    CHANCE = "chance"  # the same, or 0 for nothing, which is not shown
    TOKEN = "token"
    ANSWER = "answer"
    PROBLEM = "problem"  # why there is no answer
    LIGHT = "light"  # OK, or not
    GAP = "gap"  # a number that is 0 but for rounding
    FOUND = "found"  # a number that is compared digit by digit
    RECORDED = "recorded"  # the same, as it was
    BYTES = "bytes"  # 1 to 255, or 0 for nothing, which is not shown
    BLANK = "blank"  # for a student to fill in
    STAGE = "stage"  # a stage on the map of Contents
    FINE = "fine"  # not for readers
    WARNING = "warning"  # that there is no answer
    BOX = "box"  # a tab on it
    BOX_NOTE = "box_note"  # what stands below a box
    ARROW = "arrow"
    COLUMN = "column"  # a heading above numbers
    COUNT = "count"  # a whole number that may be long
    TOTAL = "total"  # what such numbers add up to
    SHOWN = "shown"  # a text that stands somewhere else
    SWITCH = "switch"  # a number to turn: 1 at first
    SENTENCE = "sentence"  # what a tab has to say
    CHANGE = "change"  # of a share: more or less
    WORD = "word"  # that a reader types
    COSINE = "cosine"  # from -1 to 1, or less for nothing, which is not shown
    DISTANCE = "distance"  # 0 or more, or less for nothing, which is not shown
    SPARSE = "sparse"  # a whole number, or nothing: what is below 0 or beyond any id is not shown


class Cell(NamedTuple):
    """One cell, counted from 0. `body` is the text, the number, or the formula without `=`."""

    row: int
    col: int
    kind: Kind
    body: Value
    style: Style
    cached: Value | None = None  # of a formula: the value that numpy computed
    target: str | None = None  # of a link: the tab it leads to
    at: str = "A1"  # and the cell there
    shared: Area | None = None  # of a formula that is one rule for several cells: the first that has it to the last


class Mass(NamedTuple):
    """A matrix of numbers, streamed into the file past the atoms: plain ones, or what an array formula computed."""

    box: Range
    rows: Callable[[], Iterable[NDArray[Any]]]  # its numbers (float64) from the first row on, in pieces of whole rows
    style: Style = Style.PARAMETER
    formula: str | None = None  # the array formula, without `=`, that computes them all
    cached: bool = True  # whether the file remembers what the array formula computed


class Ladder(NamedTuple):
    """The merges of words, two rows a rung: the pair of the lowest rank is marked, and what it has become."""

    text: Range
    numbers: Range  # symbols above, ranks below; the last column tells which pair is joined


class Series(NamedTuple):
    """A line, or a row of bars or points, of a chart; ranges are one column."""

    name: str | Range  # a cell that holds its name, which then stands beside its points
    values: Range
    along: Range  # what stands below each value; of a scatter chart the x of each point
    joined: bool = False  # points of a scatter chart as a line
    now: Sequence[Sequence[Value]] = ((), (), ())  # what name, values and along are, where that is known


class Chart(NamedTuple):
    """A picture of cells. `kind` is bar, column, line or scatter."""

    kind: str
    title: str
    series: tuple[Series, ...]
    row: int  # of the cell in which its upper left corner lies
    col: int
    across: str = ""  # what the axes are
    up: str = ""
    size: tuple[int, int] = (480, 288)  # pixels
    ranks: bool = False  # numbers from 1 on, the small ones drawn large
    shares: bool = True  # whether bars, columns and lines are shares of 1


class Sheet(NamedTuple):
    """A tab ready to be written."""

    tab: Tab
    cells: list[Cell]
    masses: Sequence[Mass] = ()
    scales: Mapping[str, Range] = MappingProxyType({})  # place -> cells that carry a colour scale
    masked: Sequence[Range] = ()  # scores that hide what comes later
    labelled: Sequence[Range] = ()  # whose rows are characters, words or tokens: grey where the prompt has none
    ladder: Ladder | None = None
    charts: Sequence[Chart] = ()
    switches: Sequence[Range] = ()  # whose cells stand out where they do not hold 1
    lights: Sequence[Range] = ()  # green or red, each row by the text in its first cell
    folds: Sequence[tuple[int, int]] = ()  # first and last row of what can be folded away
    square: Sequence[Range] = ()  # whose cells are about as high as they are wide
    tops: Sequence[int] = ()  # rows with which bands begin
    headed: Sequence[Range] = ()  # whose columns are tokens: grey where the prompt has none
    numbers: Sequence[Range] = ()  # of any size, which must not be too wide for a cell
    marks: Sequence[tuple[Range, str]] = ()  # whose cells stand out where a formula, without `=`, is true
