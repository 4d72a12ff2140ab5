"""float32 numbers as the decimals that stand for them.

A weight of a binary file is the shortest decimal text that reads back as the same float32 (Steele and White 1990;
Ryu, Adams 2018): what a CSV file holds, what a cell holds, and what numpy computes with. So the same model gives the
same workbook whichever file it came from, and converting back to float32 is exact.
"""

from __future__ import annotations

import numpy as np
import orjson
from numpy.typing import NDArray

_TEN = 10.0 ** np.arange(23)  # those powers that are exact
_DIGITS = (6, 7, 8, 9)  # six always tell float32 numbers of fewer digits, nine tell all
_CHUNK = 1 << 15  # numbers that a processor holds at hand


def decimals(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """For each float32 the float64 next to its shortest decimal text: float32(0.1) is 0.1. Any shape; finite."""
    flat = np.ascontiguousarray(x, np.float32).ravel()
    out = np.empty(flat.size)
    for start in range(0, flat.size, _CHUNK):
        out[start : start + _CHUNK] = _decimals(flat[start : start + _CHUNK])
    return out.reshape(x.shape)


def _decimals(x: NDArray[np.float32]) -> NDArray[np.float64]:
    out = wide = x.astype(np.float64)
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log10(np.abs(wide)))
    usual = (-13 < exponent) & (exponent < 6)  # where every power below is exact
    exponent = np.where(usual, exponent, 0).astype(np.intp)
    left, odd = usual.copy(), ~usual
    for digits in _DIGITS:
        power = _TEN[digits - 1 - exponent]
        scaled = wide * power
        whole = np.rint(scaled)
        found = whole / power  # exact parts, so rounded once: as a parser rounds
        fits = left & (found.astype(np.float32) == x)
        odd |= fits & (np.abs(np.abs(scaled - whole) - 0.5) < 1e-5)  # a tie, as far as can be told
        out = np.where(fits, found, out)
        left &= ~fits
    rest = np.flatnonzero(odd | left)
    out[rest] = _by_text(x[rest])
    return out


def _by_text(x: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.array(orjson.loads(orjson.dumps(x, option=orjson.OPT_SERIALIZE_NUMPY)), np.float64)
