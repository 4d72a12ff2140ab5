"""Texts as symbols with dots around each, `·low··e··r·`: so a cell holds them all, and one SUBSTITUTE glues a pair.

Every symbol has two dots of its own, so that two pairs side by side do not share one. Spaces are shown as `␣`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.plan.ops import Expr
from sheetgpt.plan.own import own

DOT = "·"
SPACE = "␣"
Texts = NDArray[Any]  # of objects that are str


def each(rule: Callable[..., str], *texts: Texts) -> Texts:
    """A rule for single texts over arrays of them."""
    return np.asarray(np.frompyfunc(rule, len(texts), 1)(*texts), object)


def letters(text: Expr, n: int) -> Expr:
    """The first `n` characters of each text, side by side."""
    return own("MID({0:at},{here:c}+1,1)", lambda x: each_letter(x, n), text, shape=(text.shape[0], n),
               said="list(text)", text=True)  # fmt: skip


def each_letter(texts: Texts, n: int) -> Texts:
    """What `letters` means."""
    return np.array([[*text[:n], *[""] * (n - len(text))] for (text,) in texts], object)


def dotted(symbols: Expr) -> Expr:
    """Each row's letters as one text with dots."""

    def formula(r: int, _: int) -> str:
        cells = (f"{{0:cell {r},{c}}}" for c in range(symbols.shape[1]))
        return "&".join(f'IF({cell}="","","{DOT}"&{cell}&"{DOT}")' for cell in cells)

    said = "''.join('·' + letter + '·' for letter in letters)"
    return own(formula, with_dots, symbols, shape=(symbols.shape[0], 1), said=said, text=True)


def with_dots(symbols: Texts) -> Texts:
    """What `dotted` means."""
    return np.array([["".join(DOT + s + DOT for s in row if s)] for row in symbols], object)


def pasted(text: str, left: str, right: str) -> str:
    """Of a formula: in `text` every pair of `left` and `right` as one symbol."""
    dot = f'"{DOT}"'
    return f'SUBSTITUTE({text},{dot}&{left}&"{DOT}{DOT}"&{right}&{dot},{dot}&{left}&{right}&{dot})'


def glue(text: str, left: str, right: str) -> str:
    """What `pasted` means."""
    return text.replace(f"{DOT}{left}{DOT}{DOT}{right}{DOT}", f"{DOT}{left}{right}{DOT}")


def glued(dotted: Expr, left: Expr, right: Expr) -> Expr:
    """Each text with its pair (or the one pair of all) glued."""
    said = "glue(spelled, left, right)"
    return own(pasted("{0:at}", "{1:at}", "{2:at}"), lambda *x: each(glue, *x), dotted, left, right,
               shape=dotted.shape, said=said, text=True)  # fmt: skip


def symbols(dotted: Expr, n: int, room: int) -> Expr:
    """The symbols of each text side by side; "" after the last. Texts have fewer than `room` letters."""
    spread = f'SUBSTITUTE({{0:at}},"{DOT}",REPT(" ",{room}))'
    formula = f"TRIM(MID({spread},{{here:c}}*{2 * room}+1,{2 * room}))"
    return own(formula, lambda x: split(x, n), dotted, shape=(dotted.shape[0], n), said="split(spelled)", text=True)


def split(texts: Texts, n: int) -> Texts:
    """What `symbols` means."""
    rows = [[part for part in text.split(DOT) if part] for (text,) in texts]
    return np.array([[*row[:n], *[""] * (n - len(row))] for row in rows], object)


def without_dots(dotted: Expr) -> Expr:
    """The plain text again."""
    return own(f'SUBSTITUTE({{0:at}},"{DOT}","")', lambda x: each(lambda t: t.replace(DOT, ""), x), dotted,
               shape=dotted.shape, said="spelled.replace('·', '')", text=True)  # fmt: skip


def codes(text: Expr) -> Expr:
    """The Unicode number of each text's first character; -1 for none, that of no character for half a one."""
    formula = f'IF({{0:at}}="",-1,IF({{0:at}}="{SPACE}",32,IFERROR(_xlfn.UNICODE({{0:at}}),65533)))'
    return own(formula, numbers_of, text, shape=text.shape, said="ord(text)")


def numbers_of(texts: Texts) -> NDArray[np.float64]:
    """What `codes` means."""
    return np.array([[float(ord(t[0]) if t != SPACE else 32) if t else -1.0 for t in row] for row in texts])
