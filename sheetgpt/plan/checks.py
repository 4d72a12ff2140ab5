"""What must hold in any workbook, as places like all others: laws of each stage, and what its weights add up to.

A law is one number that is 0 but for rounding: how far the worst row of a pattern is from adding up to 1, by how much
a product's sum misses the sum that its factors foretell (Huang and Abraham 1984, "Algorithm-based fault tolerance for
matrix operations"). A light says OK where the number is at most `check.limit`. A matrix of weights is known again by
six numbers that formulas compute and that were recorded, from the source, when the workbook was built.

For a stage such as h0: `check.h0.light` and `check.h0.wrong`, its own row; `check.h0.law.*`, a row for each of its
laws; `check.h0.weights.*`, a row for each of its matrices. `check.all` says it in a sentence.
"""

from __future__ import annotations

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.lens import FINAL
from sheetgpt.plan.live import NO_ANSWER
from sheetgpt.plan.ops import FINGERPRINT, Expr, Scalar, added, apply
from sheetgpt.plan.plan import Plan
from sheetgpt.plan.stages import Stages
from sheetgpt.plan.surgery import POSITIONS, switched

AT = "check"
ALL = f"{AT}.all"
RECORDED = ".weights.recorded"  # how the names end of places that hold the fingerprints of the source
LIMIT = 1e-9  # rounding leaves about 1e-15, and 1e-12 of the sum of a matrix of GPT-2's size
OK, WRONG = "OK", "WRONG"


def add_checks(p: Plan, config: ModelConfig, stages: Stages, live: bool) -> None:
    """Add the checks of a plan's stages to it."""
    limit = p.data(f"{AT}.limit", (1, 1))
    none = p["prompt.n"] <= 0 if live else None
    count, wrong = 0, []
    for stage in stages.among(config):
        lights = [_laws(p, stage, config, limit, none if stage == "next" else None)]
        weights = weights_of(p, stage, config, stages)
        lights += [_weights(p, stage, [p[w] for w in weights], limit)] if weights else []
        wrong.append(p(f"{AT}.{stage}.wrong", added(apply("unlit", light) for light in lights)))
        p(f"{AT}.{stage}.light", _unless(0 < wrong[-1], WRONG, none if stage == "next" else None, NO_ANSWER, OK))
        count += sum(light.shape[0] for light in lights)
    total = p(f"{AT}.wrong", added(wrong))
    bad = apply("join", total, f" of {count} checks {'fail' if count > 1 else 'fails'}: see tab Check")
    unanswered = f"All {count} checks pass, but the prompt has no answer: see tab Prompt"
    p(ALL, apply("usable", _unless(0 < total, bad, none, unanswered, f"All {count} checks pass"), WRONG))


def _unless(bad: Expr, then: Expr | str, none: Expr | None, unanswered: str, good: str) -> Expr:
    """`then` where it is bad, `unanswered` where there is `none`, else `good`."""
    return apply("where", bad, then, good if none is None else apply("where", none, unanswered, good))


def _laws(p: Plan, stage: str, config: ModelConfig, limit: Expr, none: Expr | None) -> Expr:
    """A row for each law: how far it is from holding, and its light [k, 1]."""
    at = f"{AT}.{stage}.law"
    laws = laws_of(p, stage, config)
    p.row_names[at] = list(laws)
    value = p(f"{at}.value", apply("stack", *laws.values()))
    light: Expr | str = apply("where", value <= limit, OK, WRONG)
    return p(f"{at}.light", apply("usable", light if none is None else apply("where", none, NO_ANSWER, light), WRONG))


def _weights(p: Plan, stage: str, weights: list[Expr], limit: Expr) -> Expr:
    """A row for each matrix: its numbers, those recorded, how far they are apart, and its light [k, 1]."""
    at = f"{AT}.{stage}.weights"
    p.row_names[at] = [str(w.name) for w in weights]
    found = p(f"{at}.found", apply("fingerprints", *weights))  # [k, 6]
    recorded = p.data(f"{AT}.{stage}{RECORDED}", (len(weights), FINGERPRINT))
    value = p(f"{at}.value", apply("apart", found, recorded))
    return p(f"{at}.light", apply("usable", apply("where", value <= limit, OK, WRONG), WRONG))


def weights_of(p: Plan, stage: str, config: ModelConfig, stages: Stages) -> list[str]:
    """Weights that no stage of this workbook before `stage` reads."""
    earlier: set[str] = set()
    for other in stages.among(config):
        own = [w for w in Stages(other, other).weights(config) if w in p and w not in earlier]
        if other == stage:
            return own
        earlier.update(own)
    return []


# ---- the laws --------------------------------------------------------------------------------------------


def laws_of(p: Plan, stage: str, config: ModelConfig) -> dict[str, Expr]:
    """The laws of a stage by name. Each is one number, 0 but for rounding; what its name means is in the lesson."""
    if stage == "prompt":
        return _prompt(p, config)
    if stage == "embed":
        return _embed(p)
    if stage == "ln_f":
        return _norm(p, stage, config.eps) | {"ln_f.last.numbers": _lacking(p["ln_f.last"])}
    if stage == "logits":
        return _logits(p, config)
    return _next(p, config) if stage == "next" else _block(p, stage, config)


def _prompt(p: Plan, config: ModelConfig) -> dict[str, Expr]:
    n_rows = p["prompt.pos"].shape[0]
    return {
        "prompt.n.range": _outside(p["prompt.n"], n_rows),
        "prompt.ids.range": _outside(p["prompt.ids"], config.n_vocab - 1),
    }


def _embed(p: Plan) -> dict[str, Expr]:
    out, place = p["embed.out"], switched(p, p["embed.pos"], *POSITIONS)
    looked_up = {"embed.token.rows": _looked_up(p)} if "vocab.id" in p else {}
    return looked_up | {
        "embed.out.sum": _relative(out - p["embed.token"] - place, out),
        "embed.out.numbers": _lacking(out),
    }


def _looked_up(p: Plan) -> Expr:
    """The columns of the tokens' rows add up to those of `wte`, each of its rows as often as an id names it."""
    token, ids = p["embed.token"], p["prompt.ids"]
    one = _ones(ids).T  # [1, T]
    named = apply("where", apply("eq", ids, p["vocab.id"].T), 1, 0)  # [T, V]
    return _relative(one @ token - (one @ named) @ p["wte"], token) / token.shape[0]


def _block(p: Plan, at: str, config: ModelConfig) -> dict[str, Expr]:
    x = p["embed.out" if at == "h0" else f"h{int(at[1:]) - 1}.resid_post"]
    mid, out = p[f"{at}.resid_mid"], p[f"{at}.resid_post"]
    shown = [p[f"{at}.{name}"] for name in ("attn.qkv", "mlp.pre", "mlp.post", "resid_post")]
    return (
        _norm(p, f"{at}.ln_1", config.eps)
        | _product(p, f"{at}.attn.qkv", f"{at}.attn.c_attn", f"{at}.ln_1.out")
        | _heads(p, f"{at}.attn", config.n_head)
        | _product(p, f"{at}.attn.out", f"{at}.attn.c_proj", f"{at}.attn.z")
        | {f"{at}.resid_mid.sum": _relative(mid - x - p[f"{at}.attn.out"], mid)}
        | _norm(p, f"{at}.ln_2", config.eps)
        | _product(p, f"{at}.mlp.pre", f"{at}.mlp.c_fc", f"{at}.ln_2.out")
        | _product(p, f"{at}.mlp.out", f"{at}.mlp.c_proj", f"{at}.mlp.post")
        | {f"{at}.resid_post.sum": _relative(out - mid - switched(p, p[f"{at}.mlp.out"], f"{at}.mlp.on"), out)}
        | {f"{at}.numbers": _lacking(*shown)}
    )


def _norm(p: Plan, at: str, eps: float) -> dict[str, Expr]:
    """Rows of mean 0, and of a mean square that is 1 but for epsilon; what comes after is scaled and shifted."""
    norm, var = p[f"{at}.normalized"], p[f"{at}.var"]
    one, d = _ones(p[f"{at}.b"]).T, norm.shape[1]
    return {
        f"{at}.mean": apply("worst", norm @ one / d),
        f"{at}.square": apply("worst", (norm * norm) @ one / d - var / (var + eps)),
        f"{at}.out": _relative(p[f"{at}.out"] - norm * p[f"{at}.g"] - p[f"{at}.b"], p[f"{at}.out"]),
    }


def _heads(p: Plan, at: str, n_head: int) -> dict[str, Expr]:
    """Patterns whose rows add up to 1 and look at nothing that comes later; what they read adds up, too."""
    pos = p["prompt.pos"]
    one = _ones(pos)
    heads = [f"{at}.head{j}" for j in range(n_head)]
    rows = [p[f"{h}.pattern"] @ one - 1 for h in heads]
    later = [apply("where", pos >= pos.T, 0, p[f"{h}.pattern"]) for h in heads]
    foretold = [switched(p, (one.T @ p[f"{h}.pattern"]) @ p[f"{h}.v"], f"{h}.on") for h in heads]
    read = [one.T @ p[f"{h}.z"] - f for h, f in zip(heads, foretold, strict=True)]
    large = [p[f"{h}.{place}"] for h in heads for place in "vz"]  # z is 0 where a switch is
    return {
        f"{at}.pattern.rows": apply("worst", *rows),
        f"{at}.pattern.mask": apply("worst", *later),
        f"{at}.z.product": apply("worst", *read) / (1 + apply("worst", *large)) / pos.shape[0],
    }


def _product(p: Plan, out: str, layer: str, into: str) -> dict[str, Expr]:
    """The rows of x W + b add up to x times the sums of W's rows, plus the sum of b."""
    y, w, b = p[out], p[f"{layer}.w"], p[f"{layer}.b"]
    one = _ones(b).T
    return {f"{out}.product": _relative(y @ one - p[into] @ (w @ one) - apply("sum", b), y) / y.shape[1]}


def _logits(p: Plan, config: ModelConfig) -> dict[str, Expr]:
    logits, probs, w = p["logits"], p["probs"], p[config.head_name]
    foretold = (_ones(logits).T @ w) @ p["ln_f.last"].T
    lens = {f"{FINAL}.same": _relative(p[FINAL] - logits, logits)} if FINAL in p else {}
    return lens | {
        "logits.product": _relative(apply("sum", logits) - foretold, logits) / config.n_vocab,
        "probs.total": apply("worst", apply("sum", probs) - 1),
        "probs.positive": apply("worst", apply("where", probs < 0, probs, 0)),
    }


def _next(p: Plan, config: ModelConfig) -> dict[str, Expr]:
    top, rank = p["top.prob"], p["top.rank"]
    over = apply("sum", top) - 1
    rising = apply("where", rank < rank.T, apply("where", top.T <= top, 0, top.T - top), 0)
    return {
        "next.id.range": _outside(p["next.id"], config.n_vocab - 1),
        "next.logit.most": _relative(p["next.logit"] - apply("max", p["top.logit"]), p["next.logit"]),
        "top.prob.order": apply("worst", rising),
        "top.prob.total": apply("worst", apply("where", over <= 0, 0, over)),
    } | (_sample(p, config) if "sample.probs" in p else {})


def _sample(p: Plan, config: ModelConfig) -> dict[str, Expr]:
    """What is kept adds up to 1, and what is drawn is a token that is kept."""
    return {
        "sample.probs.total": apply("worst", apply("sum", p["sample.probs"]) - 1),
        "sample.id.range": _outside(p["sample.id"], config.n_vocab - 1),
        "sample.share.positive": apply("worst", apply("where", 0 < p["sample.share"], 0, 1)),
    }


def _ones(x: Expr) -> Expr:
    """As many ones as x has numbers."""
    return x * 0 + 1


def _relative(gap: Expr, x: Expr) -> Expr:
    """The largest gap, relative to the largest number of x."""
    return apply("worst", gap) / (1 + apply("worst", x))


def _outside(x: Expr, last: Scalar) -> Expr:
    """1 if some number of x is not from 0 to `last`, else 0."""
    return apply("worst", apply("where", x < 0, 1, apply("where", x <= last, 0, 1)))


def _lacking(*places: Expr) -> Expr:
    """How many cells hold no number."""
    size = sum(x.shape[0] * x.shape[1] for x in places)
    return apply("worst", size - added(apply("numbers", x) for x in places))
