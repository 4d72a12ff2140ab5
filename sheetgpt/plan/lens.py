"""The logit lens (nostalgebraist 2020, "interpreting GPT: the logit lens"): what would be the answer after each block?

The last token's row of the residual stream goes through the final layer norm and the head, not only at the end but
after the embedding and after every block. D is the number of these depths, d the width, V the vocabulary.
"""

from __future__ import annotations

from functools import partial

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.live import answered
from sheetgpt.plan.model import layer_norm, stream
from sheetgpt.plan.ops import Expr, apply, columns, leaders
from sheetgpt.plan.plan import Plan

GUESSES = 5  # how many tokens it lists for each depth
FINAL = "lens.final"  # the logits of the last depth: those of the model


def add_lens(p: Plan, config: ModelConfig, asked: Asked, live: bool) -> None:
    """Add the lens to a plan of the whole pipeline."""
    guard, depths = partial(answered, live, p["prompt.n"]), config.n_layer + 1
    depth = p.constant(
        "lens.depth", [[i] for i in range(depths)], (depths, 1)
    )  # 0, 1, 2 ... blocks that the row has been through
    streams = (p[stream(i)] for i in range(depths))
    last = p("lens.last", guard(apply("picks", p["prompt.n"], *streams), 0))  # [D, d]
    out = layer_norm(p, "lens", {f"lens.{w}": p[f"ln_f.{w}"] for w in "gb"}, last, config.eps)  # [D, d]
    logits = p("lens.logits", guard(p[config.head_name] @ out.T, 0))  # [V, D]
    p(FINAL, columns(logits, depths - 1, depths))  # [V, 1]
    most = p("lens.max", apply("colmax", logits))  # [D, 1]
    total = p("lens.sum", apply("colsum", apply("exp", logits - most.T)))  # [D, 1]
    own = p("lens.answer", guard(apply("item", logits, p["next.id"], depth), 0))  # [D, 1]
    p("lens.rank", guard(1 + apply("colsum", apply("where", own.T < logits, 1, 0)), 0))  # [D, 1]
    p("lens.prob", guard(apply("exp", own - most) / total, 0))  # [D, 1]
    guesses(p, logits, guard)
    p("lens.share", guard(apply("exp", p["lens.logit"] - most) / total, 0))  # [D, GUESSES]


def guesses(p: Plan, logits: Expr, guard: partial[Expr]) -> None:
    """The most likely tokens of each depth [D, GUESSES]: logit, number, text."""
    value = p("lens.logit", leaders(logits, min(GUESSES, logits.shape[0])))
    ids = p("lens.id", guard(apply("whereis", value, logits, p["vocab.id"]), -1))
    p("lens.text", guard(apply("gather", p["vocab.text"], ids), ""))
