"""How far apart: what was found against what was wanted, cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.sheet.grid import CellError

OWN_TOLERANCE = 1e-12  # a place against numpy on the workbook's own inputs
TOTAL_TOLERANCE = 1e-9  # a place against the whole pipeline in numpy, from the prompt


def as_numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    """Cells as float64; whatever is no number (text, error, blank, true) is NaN."""
    flat = [v if type(v) is float else np.nan for v in values.ravel().tolist()]
    return np.array(flat, dtype=np.float64).reshape(values.shape)


def as_text(values: NDArray[Any]) -> NDArray[Any]:
    """Cells as they are, but an empty cell is the empty text."""
    flat = np.empty(values.size, dtype=object)
    flat[:] = ["" if v is None else v for v in values.ravel().tolist()]
    return flat.reshape(values.shape)


def failed(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Cells that hold an error, or no number where there should be one."""
    if values.dtype == object:
        return np.array([isinstance(v, CellError) for v in values.ravel()], dtype=bool).reshape(values.shape)
    return np.asarray(np.isnan(values))


def gaps(found: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.float64]:
    """Gap of each cell: 0 where equal, relative to the wanted value but never to less than 1; text differs by inf.

    A cell that is no number where one is wanted is infinitely far; where the wanted value itself is not known
    (NaN, or None for text: its inputs are at fault) there is nothing to compare, and the gap is 0.
    """
    if wanted.dtype == object or found.dtype == object:
        unknown = np.array([w is None for w in wanted.ravel()], dtype=bool).reshape(wanted.shape)
        return np.where(unknown | (found == wanted), 0.0, np.inf)
    with np.errstate(all="ignore"):
        gap = np.abs(found - wanted) / np.maximum(1.0, np.abs(wanted))
    gap = np.where(found == wanted, 0.0, gap)
    return np.where(np.isnan(wanted), 0.0, np.where(np.isnan(gap), np.inf, gap))


def worst(gap: NDArray[np.float64]) -> tuple[float, tuple[int, int]]:
    """The largest gap and its row and column, the first of equals."""
    at = np.unravel_index(int(gap.argmax()), gap.shape)
    return float(gap[at]), (int(at[0]), int(at[1]))


def first_over(gap: NDArray[np.float64], tolerance: float) -> tuple[int, int] | None:
    """Row and column of the first cell over the tolerance, by rows; None if there is none."""
    over = np.argwhere(gap > tolerance)
    return (int(over[0][0]), int(over[0][1])) if len(over) else None
