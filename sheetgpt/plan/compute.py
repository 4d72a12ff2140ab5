"""How much work the model is: operations by stage, from its sizes alone, for one token and for all.

The sizes are knobs: type those of another model and see. `compute.one.*` is the work for one token, the last one, when
those before it are done (their keys and values are kept); `compute.all.*` for every row of tokens that the workbook
has. Both are formulas of the sizes; `counted` is what walking the plan's own expressions finds, and the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.count import KINDS, operations
from sheetgpt.plan.model import gpt2
from sheetgpt.plan.ops import Expr, apply, concat
from sheetgpt.plan.plan import Plan

AT = "compute"
SIZES = ("tokens", "width", "mlp", "heads", "blocks", "vocabulary", "context")
BLOCK = ("ln_1", "attn.qkv", "attn.scores", "attn.pattern", "attn.z", "attn.out", "resid_mid", "ln_2", "mlp.pre",
         "mlp.post", "mlp.out", "resid_post")  # fmt: skip
STAGES = ("embed", "blocks", "ln_f", "logits", "probs")
ONCE = ("logits", "probs")  # stages that are for one token whatever comes before it
_BEND = {"gelu_new": (6, 2, 1), "gelu": (1, 0, 1), "quick_gelu": (3, 1, 1), "relu": (0, 0, 0)}  # * + and TANH, a number

Term = Expr | int
Work = dict[str, Sequence[Term]]  # kind -> a term for each row


def add_compute(p: Plan, config: ModelConfig, asked: Asked, live: bool) -> None:
    """The sizes, what follows from them, and what walking the plan finds."""
    n_rows = p["prompt.pos"].shape[0]
    sizes = (n_rows, config.n_embd, config.d_mlp, config.n_head, config.n_layer, config.n_vocab, config.n_ctx)
    size = {name: p.knob(f"{AT}.{name}", value) for name, value in zip(SIZES, sizes, strict=True)}
    tokens = size["tokens"]
    for kind, terms in _block(size, config.activation).items():
        one = p(f"{AT}.one.block.{kind}", apply("stack", *terms))  # [12, 1]
        p(f"{AT}.all.block.{kind}", tokens * one)
    p.row_names[f"{AT}.block"] = list(BLOCK)
    p.row_names[f"{AT}.stages"] = list(STAGES)
    rows = p(f"{AT}.all.rows", apply("stack", *(1 if stage in ONCE else tokens for stage in STAGES)))  # [5, 1]
    for kind, terms in _stages(p, size).items():
        one = p(f"{AT}.one.stages.{kind}", apply("stack", *terms))  # [5, 1]
        p(f"{AT}.all.stages.{kind}", rows * one)
    found = _counted(config, n_rows)
    same = [_total(p, whose, found[whose]) for whose in ("one", "all")]
    p(f"{AT}.same", apply("where", apply("worst", *same) <= 0, "equal", "other sizes"))
    _rule_of_thumb(p, size, config.tied)


def _total(p: Plan, whose: str, found: Counter[str]) -> Expr:
    """All stages together, what was counted, and how far apart the two are [1, 6]."""
    at = f"{AT}.{whose}"
    total = [p(f"{at}.total.{kind}", apply("sum", p[f"{at}.stages.{kind}"])) for kind in KINDS]
    counted = p.constant(f"{at}.counted", [[found[kind] for kind in KINDS]], (1, len(KINDS)))
    return p(f"{at}.total", concat(*total)) - counted


def _rule_of_thumb(p: Plan, size: dict[str, Expr], tied: bool) -> None:
    """Two operations for each learned number, and how near that comes to the work for one token."""
    d, f, v = size["width"], size["mlp"], size["vocabulary"]
    a_block = 4 * d * d + 2 * d * f + 9 * d + f
    learned = v * d + size["context"] * d + size["blocks"] * a_block + 2 * d
    parameters = p(f"{AT}.parameters", learned if tied else learned + v * d)
    thumb = p(f"{AT}.thumb", 2 * parameters)
    work = p(f"{AT}.work", p[f"{AT}.one.total.multiplications"] + p[f"{AT}.one.total.additions"])
    p(f"{AT}.ratio", work / thumb)


# ---- for one token, from the sizes ---------------------------------------------------------------------------


def _work(rows: Sequence[str], **terms: Mapping[str, Term]) -> Work:
    return {kind: [terms.get(kind, {}).get(row, 0) for row in rows] for kind in KINDS}


def _block(size: dict[str, Expr], activation: str) -> Work:
    """Each step of one block. d is the width, f that of the MLP, h heads look at t tokens each."""
    t, d, f, h = (size[name] for name in ("tokens", "width", "mlp", "heads"))
    multiplied, added, bent = (n * f if n > 1 else n and f for n in _BEND[activation])
    norm, matrices = ("ln_1", "ln_2"), {"attn.qkv": 3 * d * d, "attn.out": d * d, "mlp.pre": d * f, "mlp.out": f * d}
    heads: dict[str, Term] = {"attn.scores": t * d, "attn.z": t * d}
    stream: dict[str, Term] = {"resid_mid": d, "resid_post": d}
    looks: dict[str, Term] = {"attn.scores": t * (d - h), "attn.pattern": h * (2 * t - 1), "attn.z": (t - 1) * d}
    return _work(
        BLOCK,
        multiplications=dict.fromkeys(norm, 2 * d) | matrices | heads | {"mlp.post": multiplied},
        additions=dict.fromkeys(norm, 6 * d - 2) | matrices | looks | stream | {"mlp.post": added},
        divisions=dict.fromkeys(norm, d + 3) | {"attn.scores": h * t, "attn.pattern": h * t},
        exp={"attn.pattern": h * t},
        tanh={"mlp.post": bent},
        sqrt=dict.fromkeys(norm, 1),
    )


def _stages(p: Plan, size: dict[str, Expr]) -> Work:
    """The whole model; its blocks are alike. v is how many tokens there are."""
    d, v = size["width"], size["vocabulary"]
    blocks: dict[str, Term] = {
        kind: size["blocks"] * apply("sum", p[f"{AT}.one.block.{kind}"]) for kind in KINDS
    }  # fmt: skip
    rest: dict[str, dict[str, Term]] = {
        "multiplications": {"ln_f": 2 * d, "logits": v * d},
        "additions": {"embed": d, "ln_f": 6 * d - 2, "logits": v * (d - 1), "probs": 2 * v - 1},
        "divisions": {"ln_f": d + 3, "probs": v},
        "exp": {"probs": v},
        "tanh": {},
        "sqrt": {"ln_f": 1},
    }
    return _work(STAGES, **{kind: terms | {"blocks": blocks[kind]} for kind, terms in rest.items()})


# ---- as walking the plan finds it ----------------------------------------------------------------------------


def stage_of(name: str) -> str:
    """The stage of `STAGES` that a place of the pipeline is work for; empty for those that only look up."""
    first = name.partition(".")[0]
    return "blocks" if first[0] == "h" else first if first in STAGES else ""


def _counted(config: ModelConfig, n_rows: int) -> dict[str, Counter[str]]:
    """Of the model's own pipeline, without checks and extras: all rows of tokens, and one of them."""
    plan = gpt2(config, n_rows)
    found = {"one": Counter[str](), "all": Counter[str]()}
    for name, expr in plan.items():
        if stage := stage_of(name):
            work = operations(expr)
            found["all"] += work
            rows = 1 if stage in ONCE else n_rows
            found["one"] += Counter({kind: count // rows for kind, count in work.items()})
    return found
