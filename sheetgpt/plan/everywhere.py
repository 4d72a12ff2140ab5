"""GPT-2 as workbooks of other hands compute it: token ids are given, and every position has an answer."""

from __future__ import annotations

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.model import block, embed, layer_norm, softmax_rows
from sheetgpt.plan.ops import apply
from sheetgpt.plan.plan import Plan, Role

INPUTS = ("prompt.ids", "prompt.pos")


def everywhere(config: ModelConfig, n_rows: int) -> Plan:
    """From `prompt.ids` [T, 1] to `logits` [T, V] and their softmax `next.pattern`; raises `PlanError`.

    The same functions as `plan.model.gpt2`, except that no row is picked before the logits. Layer norms have a place
    more, `std`, the root that they divide by.
    """
    p = Plan()
    ids, pos = (p.data(name, (n_rows, 1)) for name in INPUTS)
    w = {name: p.data(name, shape, Role.PARAMETER) for name, shape in config.shapes().items()}
    x = embed(p, w, ids, pos)  # [T, d]
    for i in range(config.n_layer):
        x = block(p, f"h{i}", w, x, pos, config)  # [T, d]
    x = layer_norm(p, "ln_f", w, x, config.eps)  # [T, d]
    softmax_rows(p, "next", p("logits", x @ w[config.head_name].T))  # [T, V]
    for var in [name for name in p if name.endswith(".var")]:
        p(var.removesuffix("var") + "std", apply("sqrt", p[var] + config.eps))  # [T, 1]
    return p
