"""An operation of its own: a formula and its numpy meaning, both written by hand, for what only one lesson computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sheetgpt.errors import PlanError
from sheetgpt.plan.ops import Expr, Shape

Template = str | Callable[[int, int], str]  # a formula's text, or one for each cell by row and column from 0


@dataclass(frozen=True)
class Own:
    """How a place is computed. Neither side is derived from the other, so each proves the other.

    In a `formula` arguments stand by number: `{0}` is all of the first one's cells, by name; `{0:at}` the cell that
    belongs to this one; `{0:up}`, `{0:down}`, `{0:left}`, `{0:right}` the cells around that; `{0:row}` and `{0:col}`
    its row and column, `{0:row 2}` and `{0:col 2}` those of that number from 0; `{0:cell 2,3}` that in row 2, column 3.
    `{here:up}` and the like are cells of this place, `{here:r}` and `{here:c}` its row and column as numbers from 0.
    """

    formula: Template
    numpy: Callable[..., Any]  # of the arguments' arrays
    said: str  # the numpy line, for readers
    kind: str = "cell"  # or "cse": an array formula of each cell; or "array": one for all cells
    text: bool = False  # whether it gives text

    def template(self, r: int, c: int) -> str:
        """The formula of a cell, its arguments still open."""
        return self.formula if isinstance(self.formula, str) else self.formula(r, c)


def own(
    formula: Template,
    numpy: Callable[..., Any],
    *args: Expr,
    shape: Shape,
    said: str,
    kind: str = "cell",
    text: bool = False,
) -> Expr:
    """A place of `shape` from other places: see `Own`. Raises `PlanError` for an argument that is no place."""
    if any(arg.name is None for arg in args):
        raise PlanError("an operation of its own reads places: name its inputs first")
    return Expr("own", args, shape, value=Own(formula, numpy, said, kind, text))


def own_of(expr: Expr) -> Own:
    """What an `own` expression carries."""
    assert isinstance(expr.value, Own)
    return expr.value
