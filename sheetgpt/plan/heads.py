"""All heads of a model at a glance: whom the last token reads from in each, and the pattern of one that is picked."""

from __future__ import annotations

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.ops import Expr, added, apply
from sheetgpt.plan.plan import Plan


def add_heads(p: Plan, config: ModelConfig, asked: Asked, live: bool) -> None:
    """A row for each head, block by block, and a picker; reads what `points` has of the last token."""
    heads = [(i, j) for i in range(config.n_layer) for j in range(config.n_head)]
    p.constant("heads.name", [[f"h{i} head {j}"] for i, j in heads], (len(heads), 1))
    last = [p[f"h{i}.attn.head{j}.last"] for i, j in heads]  # [T, 1] each
    most = p("heads.most", apply("stack", *(apply("argmax", x) for x in last)))
    share = p("heads.share", apply("stack", *(apply("max", x) for x in last)))
    p("heads.text", apply("where", share <= 0, "", apply("gather", p["prompt.tokens"], most)))
    n = p["prompt.n"]
    for name, row in (("itself", n - 1), ("previous", n - 2), ("first", n * 0)):
        p(f"heads.{name}", apply("stack", *(_at(p, row, x) for x in last)))
    _pick(p, config)


def _at(p: Plan, row: Expr, x: Expr) -> Expr:
    """The entry of a column that belongs to a token row, 0 if there is no such row."""
    return apply("sum", apply("where", apply("eq", p["prompt.pos"], row), x, 0))


def _pick(p: Plan, config: ModelConfig) -> None:
    """The pattern [T, T] of the head that two knobs name; all 0 if there is no such head."""
    block, head = p.knob("view.block", 0), p.knob("view.head", 0)
    of = []
    for i in range(config.n_layer):
        patterns = [p[f"h{i}.attn.head{j}.pattern"] for j in range(config.n_head)]
        of.append(p(f"h{i}.attn.picked", _chosen(head, patterns)))
    p("view.pattern", _chosen(block, of))


def _chosen(number: Expr, of: list[Expr]) -> Expr:
    """The one of several that a number, from 0, names. A sum, since no formula may nest 64 deep."""
    return added(apply("where", apply("eq", number, i), x, 0) for i, x in enumerate(of))
