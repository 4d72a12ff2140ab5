"""The functions that a generated formula may use: those that Excel 2013+, LibreOffice 7.4+ and Google Sheets share.

Only what is used is listed, so each has been computed by LibreOffice, IronCalc and `formulas` in the tests. What
needs Excel 365 (LET, LAMBDA, XLOOKUP, FILTER, SEQUENCE, spilling), what is volatile (RAND, NOW, OFFSET, INDIRECT) and
what reaches outside the file is not here and never will be.
"""

from __future__ import annotations

import re

from sheetgpt.errors import PlanError

_NAMES = """
    ABS AND ATAN2 AVERAGE
    CHIDIST COLUMN COLUMNS COS COUNT COUNTIF
    EXACT EXP
    IF IFERROR INDEX INT ISNUMBER ISTEXT
    LARGE LEFT LEN LN
    MATCH MAX MID MIN MMULT MOD
    OR
    PI
    REPT ROW ROWS
    SIN SMALL SQRT SUBSTITUTE SUM SUMIF SUMPRODUCT SUMSQ
    TANH TRANSPOSE TRIM
    UPPER
    VARP
    _xlfn.UNICHAR _xlfn.UNICODE
"""
CLASSIC = frozenset(_NAMES.split())
MAX_FORMULA = 8_192  # characters, of Excel
_STRING = re.compile(r'"(?:[^"]|"")*"')
_QUOTED_TAB = re.compile(r"'(?:[^']|'')*'")
_CALL = re.compile(r"([A-Za-z_][\w.]*)\s*\(")
_FORBIDDEN = re.compile(r"[\[\]{};@#\\]")


def as_read(text: str, array: bool) -> str:
    """A formula as a reader knows it: with `=`, array formulas in braces, without the file format's prefixes."""
    text = "=" + text.replace("_xlfn.", "")
    return f"{{{text}}}" if array else text


def calls_of(text: str) -> set[str]:
    """The functions that a formula calls."""
    return set(_CALL.findall(_bare(text)))


def plain_name(function: str) -> str:
    """A function's name as a reader knows it, of one in capitals as the file has it."""
    return function.removeprefix("_XLFN.").removeprefix("_XLWS.")


def _bare(text: str) -> str:
    """A formula without its texts and quoted tabs."""
    return _QUOTED_TAB.sub("", _STRING.sub("", text))


def check_formula(text: str, place: str) -> str:
    """`text` (a formula without `=`) itself if every program can compute it; raises `PlanError` naming `place`."""
    if len(text) > MAX_FORMULA:
        raise PlanError(f"the formula of {place} has {len(text):,} characters; spreadsheets take {MAX_FORMULA:,}")
    bare = _bare(text)
    if strange := sorted(set(_CALL.findall(bare)) - CLASSIC):
        raise PlanError(f"the formula of {place} uses {strange[0]}, which not every spreadsheet program has")
    if mark := _FORBIDDEN.search(bare):
        raise PlanError(f"the formula of {place} has {mark[0]!r}: no external links, array constants or spills")
    return text
