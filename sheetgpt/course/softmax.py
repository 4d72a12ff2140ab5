"""Softmax in steps that a reader can follow: largest, EXP, sum, share."""

from __future__ import annotations

from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.plan import Plan

HIDDEN = -1e99  # far below any score: EXP makes exactly 0 of it


def softmax(p: Plan, at: str, scores: Expr, share: str = "share") -> Expr:
    """Each row of a place as shares that add up to 1; names `at`.max, .exp, .sum and the share itself."""
    most = p(f"{at}.max", apply("rowmax", scores))
    power = p(f"{at}.exp", apply("exp", scores - most))
    total = p(f"{at}.sum", apply("rowsum", power))
    return p(f"{at}.{share}", power / total)
