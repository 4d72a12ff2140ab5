"""Bends: what a neuron does with its sum. Formula and numpy by hand, each for itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sheetgpt.plan.ops import Expr
from sheetgpt.plan.own import own


def relu(x: Expr) -> Expr:
    """Nothing below 0, all above."""
    return own("MAX(0,{0:at})", lambda a: np.maximum(a, 0), x, shape=x.shape, said=f"maximum({x.name}, 0)")


def leaky(x: Expr, slope: Expr) -> Expr:
    """ReLU that lets a little through below 0."""
    rule, said = "IF({0:at}<0,{1}*{0:at},{0:at})", f"where({x.name} < 0, slope * {x.name}, {x.name})"
    return own(rule, lambda a, s: np.where(a < 0, s * a, a), x, slope, shape=x.shape, said=said)


def sigmoid(x: Expr) -> Expr:
    """From 0 to 1. EXP of more than 709 is beyond every program, so nothing below -700 counts."""
    rule, said = "1/(1+EXP(-MAX(-700,{0:at})))", f"1 / (1 + exp(-maximum({x.name}, -700)))"
    return own(rule, lambda a: 1 / (1 + np.exp(-np.maximum(a, -700))), x, shape=x.shape, said=said)


def tanh(x: Expr) -> Expr:
    """From -1 to 1."""
    return own("TANH({0:at})", np.tanh, x, shape=x.shape, said=f"tanh({x.name})")


def gelu(x: Expr) -> Expr:
    """GPT-2's own, with TANH: 0.7978845608028654 is the root of 2 / pi."""
    rule = "0.5*{0:at}*(1+TANH(0.7978845608028654*({0:at}+0.044715*{0:at}^3)))"
    said = f"0.5 * {x.name} * (1 + tanh(sqrt(2 / pi) * ({x.name} + 0.044715 * {x.name}**3)))"
    return own(rule, _gelu, x, shape=x.shape, said=said)


def _gelu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))))
