"""The form of a formula: its text in R1C1, by which formulas that are one rule are the same text."""

from __future__ import annotations

import re

from sheetgpt.sheet.a1 import parse_cell

PIECE = re.compile(  # of a formula: what is a reference, and what only looks like one
    r"""(?P<text>"(?:[^"]|"")*")
    |(?P<tab>(?:'(?:[^']|'')*'|[A-Za-z_][\w.]*)!)
    |(?<![\w.$])(?P<cell>(?P<c>\$?[A-Za-z]{1,3})(?P<r>\$?[1-9][0-9]{0,6}))(?![\w.(!])
    |(?P<word>[A-Za-z_\\][\w.\\]*)""",
    re.VERBOSE,
)


def r1c1(text: str, row: int, col: int) -> str:
    """A formula's form, seen from a cell counted from 0.

    >>> r1c1("SUM(B6:$E6)+Tokens!A1*log10.x", 5, 3)
    'SUM(RC[-2]:RC5)+tokens!R[-5]C[-3]*log10.x'
    """

    def said(match: re.Match[str]) -> str:
        if not match["cell"]:
            return match[0].casefold() if match["tab"] else match[0]
        r, c = parse_cell(match["cell"])
        return _step("R", r, row, "$" in match["r"]) + _step("C", c, col, "$" in match["c"])

    try:
        return PIECE.sub(said, text)
    except ValueError:
        return text  # outside the grid


def _step(letter: str, there: int, here: int, fixed: bool) -> str:
    if fixed:
        return f"{letter}{there + 1}"
    return letter if there == here else f"{letter}[{there - here}]"
