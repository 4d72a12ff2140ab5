"""Brain surgery: switches in the pipeline itself, and what turning them does to its answer.

A switch is a knob by which a formula multiplies, 1 at first: `h0.attn.head0.on` what a head has read (its z),
`h0.attn.head0.scale` its scores, `h0.mlp.on` what the MLP adds to the stream, `embed.pos.on` the position of each
token row, `wpe.on` that of all. L is the number of blocks, H that of a block's heads.
"""

from __future__ import annotations

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.live import answered
from sheetgpt.plan.ops import Expr, added, apply, concat
from sheetgpt.plan.plan import Plan, Role
from sheetgpt.plan.stages import Stages

POSITIONS = ("embed.pos.on", "wpe.on")


def switches(p: Plan, config: ModelConfig, n_rows: int, stages: Stages) -> None:
    """Add the switches of some stages to a plan that does not have these stages yet."""
    if "embed" in stages:
        p.knob("embed.pos.on", 1, (n_rows, 1))
        p.knob("wpe.on", 1)
    for i in range(config.n_layer):
        if f"h{i}" in stages:
            heads = [f"h{i}.attn.head{j}" for j in range(config.n_head)]
            p(f"h{i}.on", concat(*(p.knob(f"{part}.on", 1) for part in (*heads, f"h{i}.mlp"))))  # [1, H + 1]
            p(f"h{i}.scale", concat(*(p.knob(f"{head}.scale", 1) for head in heads)))  # [1, H]


def switched(p: Plan, x: Expr, *names: str) -> Expr:
    """`x` times those of the switches that the plan has; `x` itself in one without surgery."""
    for name in names:
        x = x * p[name] if name in p else x
    return x


def add_surgery(p: Plan, config: ModelConfig, asked: Asked, live: bool) -> None:
    """What the switches do: the answer of the prompt of the build, as it was then and as it is now."""
    ids = p.data("surgery.was.id", p["top.rank"].shape, Role.RECORD)  # [k, 1], the likeliest tokens
    text = p("surgery.text", apply("gather", p["vocab.text"], ids))
    p.data("surgery.was.logit", ids.shape, Role.RECORD)
    was = p.data("surgery.was.prob", ids.shape, Role.RECORD)
    p("surgery.now.logit", apply("gather", p["logits"], ids))
    now = p("surgery.now.prob", answered(live, p["prompt.n"], apply("gather", p["probs"], ids), 0))
    change = p("surgery.change", answered(live, p["prompt.n"], now - was, 0))  # [k, 1]
    rest = p("surgery.rest", 0 - apply("sum", change))
    p("surgery.moved", apply("sum", apply("where", 0 < change, change, 0)) + apply("where", 0 < rest, rest, 0))
    p.data("surgery.effect", (config.n_layer, config.n_head + 1), Role.RECORD)  # [L, H + 1]
    for when, *best in (("was", text, was, ids), ("now", p["top.text"], p["top.prob"], p["top.id"])):
        for what, column in zip(("answer", "share", "number"), best, strict=True):
            p(f"surgery.{when}.{what}", apply("pick", column, 1))
    _tell(p, config, live)


def _tell(p: Plan, config: ModelConfig, live: bool) -> None:
    """How many switches are turned, and in a sentence what that does."""
    rows = [*([f"h{i}.on", f"h{i}.scale"] for i in range(config.n_layer)), list(POSITIONS)]
    turned = p("surgery.turned", apply("stack", *(added([_not_one(p[name]) for name in row]) for row in rows)))
    count = p("surgery.count", apply("sum", turned))
    names = [name for row in rows for name in row]
    size = sum(p[name].shape[0] * p[name].shape[1] for name in names)
    odd = p("surgery.odd", size - added([apply("numbers", p[name]) for name in names]))
    many = apply("where", odd <= 1, "1 switch holds no number", apply("join", odd, " switches hold no number"))
    problem = apply("where", 0 < odd, apply("join", many, ": type 1 for on, 0 for off"), "")
    p("surgery.problem", apply("usable", problem, "A switch shows an error: type 1 into it"))
    verdict = answered(live, p["prompt.n"], _verdict(p, count), "No answer: see the tab Prompt")
    p("surgery.verdict", apply("usable", verdict, "No answer: a switch holds no number, or one too large"))


def _verdict(p: Plan, count: Expr) -> Expr:
    """What the switches have done to the prompt of the build, or that another was typed."""
    was, now = p["surgery.was.answer"], p["surgery.now.answer"]
    changed = apply("join", apply("join", "changed from ", was), apply("join", " to ", now))
    same = apply("eq", p["surgery.now.number"], p["surgery.was.number"])
    answer = apply("join", "the answer ", apply("where", same, apply("join", "is still ", now), changed))
    many = apply("where", count <= 1, "1 switch differs", apply("join", count, " switches differ"))
    told = apply("join", many, apply("join", " from 1: ", answer))
    built = apply("where", count <= 0, "As built: nothing is switched off", told)
    others = apply("join", "Another prompt was typed: its untouched answer is ", now)
    unknown = "Another prompt was typed: set all switches to 1 to see its untouched answer"
    other = apply("where", count <= 0, others, unknown)
    return apply("where", apply("exact", p["prompt.text"], p["prompt.built"]), built, other)


def _not_one(x: Expr) -> Expr:
    """How many cells hold something else than 1."""
    return apply("sum", apply("where", apply("eq", x, 1), 0, 1))
