"""Softmax in steps that a reader can follow, largest, EXP, sum, share; or at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan

HIDDEN = -1e99  # far below any score: EXP makes exactly 0 of it


def softmax(p: Plan, at: str, scores: Expr, share: str = "share") -> Expr:
    """Each row of a place as shares that add up to 1; names `at`.max, .exp, .sum and the share itself."""
    most = p(f"{at}.max", apply("rowmax", scores))
    power = p(f"{at}.exp", apply("exp", scores - most))
    total = p(f"{at}.sum", apply("rowsum", power))
    return p(f"{at}.{share}", power / total)


def at_once(scores: Expr, name: str = "") -> Expr:
    """Each row of a place as shares that add up to 1, in one formula; `name` where a lesson has a shorter one."""
    formula = "EXP({0:at}-MAX({0:row}))/SUMPRODUCT(EXP({0:row}-MAX({0:row})))"
    said = f"softmax({name or scores.name}), row by row"
    return own(formula, _softmax, scores, shape=scores.shape, said=said)


def _softmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
    exp = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(exp / exp.sum(axis=1, keepdims=True))
