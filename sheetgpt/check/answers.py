"""What a student wrote into a place: its formulas, what they cover, what they call and name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from openpyxl.formula.tokenizer import Token

from sheetgpt.check.formula import reads, tokens
from sheetgpt.check.found import Found, named
from sheetgpt.check.lint import KNOWN, VOLATILE
from sheetgpt.sheet.a1 import is_cell
from sheetgpt.sheet.book import Book, Formula
from sheetgpt.sheet.classic import CLASSIC, plain_name
from sheetgpt.sheet.grid import At, overlap

Mask = NDArray[np.bool_]

_NAMES_OWN = frozenset(["LET", "LAMBDA"])  # functions whose arguments may be names of their own
_CLASSIC = frozenset(name.upper() for name in CLASSIC)


def formulas_of(found: Found, name: str) -> Iterator[Formula]:
    """Formulas that compute a cell of a place; each with its area, also an ordinary one."""
    box = named(found.book, found.blueprint.layout.ranges[name])
    for at, formula in found.book.sheets[box.tab].formulas.items() if box else ():
        area = formula.area or at + at
        if box and overlap(area, box.area):
            yield Formula(formula.text, area)


def covered(found: Found, name: str, formulas: Iterable[Formula]) -> Mask:
    """The cells of a place that some formulas compute."""
    box = named(found.book, found.blueprint.layout.ranges[name])
    cells = np.zeros(found.blueprint.plan[name].shape, bool)
    for formula in formulas if box else ():
        both = formula.area and box and overlap(formula.area, box.area)
        if both and box:
            cells[both[0] - box.row : both[2] - box.row + 1, both[1] - box.col : both[3] - box.col + 1] = True
    return cells


def formula_at(formulas: Iterable[Formula], at: At) -> str:
    """The text of the formula that computes a cell; empty if none does."""
    return next((f.text for f in formulas if f.area and overlap(f.area, at + at)), "")


def depends(text: str) -> bool:
    """Whether a formula depends on anything: `=0.25` is a number in disguise."""
    return any(reads(token) or token.type == Token.FUNC for token in tokens(text))


def _called(text: str) -> set[str]:
    """The functions that a formula calls, in capitals, as the file has them."""
    return {t.value[:-1].strip().upper() for t in tokens(text) if t.type == Token.FUNC and t.subtype == Token.OPEN}


def odd(formulas: Iterable[Formula]) -> Iterator[str]:
    """What not every program computes, or not twice alike."""
    texts = list(dict.fromkeys(f.text for f in formulas))
    names = {name: plain_name(name) for name in sorted(set().union(*map(_called, texts)))}
    if volatile := [short for short in names.values() if short in VOLATILE]:
        yield f"volatile: {', '.join(volatile)[:80]}"
    if new := [short for name, short in names.items() if name not in KNOWN and short not in VOLATILE]:
        yield f"not in every program: {', '.join(new)[:80]}"
    if any(reads(token) and "[" in token.value for text in texts for token in tokens(text)):
        yield "reads another file"


def unsure_functions(text: str) -> list[str]:
    """Functions that an engine may lack: those that no formula of ours calls."""
    return sorted(plain_name(name) for name in _called(text) - _CLASSIC)


def unknown_names(book: Book, tab: str, text: str) -> list[str]:
    """Names in a formula of a tab that the workbook does not define."""
    if _NAMES_OWN.intersection(map(plain_name, _called(text))):
        return []
    known = {name.casefold() for name in book.names} | {n.casefold() for there, n in book.local_names if there == tab}
    said = [t.value for t in tokens(text) if reads(t) and not set(t.value) & set("[!")]
    parts = dict.fromkeys(part for ref in said for part in ref.split(":"))
    return [part for part in parts if part.casefold() not in known and not _address(part)]


def _address(text: str) -> bool:
    """Whether a text is a cell, a row or a column."""
    plain = text.replace("$", "")
    return is_cell(plain) or is_cell(f"A{plain}") or (plain.isalpha() and is_cell(f"{plain}1"))
