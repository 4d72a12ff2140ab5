"""GPT-2, written once (Radford et al. 2019; openai/gpt-2 `src/model.py`).

`p(name, expression)` makes the expression a place: cells, a defined name, a line in every report. An
expression without a name becomes part of the formula that uses it. T is the number of token rows,
d the width, V the vocabulary.

The causal mask hides later rows from earlier ones, so rows after the prompt's end change nothing
above them, and the answer is read at row `prompt.n`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import pi
from math import sqrt as root

from sheetgpt.models.config import ModelConfig, Shape
from sheetgpt.plan.live import NO_ANSWER, Live, answered, tokenize
from sheetgpt.plan.ops import Expr, Scalar, apply, columns, concat, lit
from sheetgpt.plan.plan import Plan, Role
from sheetgpt.plan.stages import WHOLE, Stages
from sheetgpt.plan.surgery import POSITIONS, switched, switches

MASKED = -1e10  # a score that softmax turns into exactly 0
TOP = 10  # how many candidates the last tab lists


def gpt2(
    config: ModelConfig, n_rows: int, live: Live | None = None, stages: Stages = WHOLE, *, surgery: bool = False
) -> Plan:
    """The pipeline from `prompt.text` to `next.text`, with `n_rows` token rows, or those `stages` of it.

    With `live` the token ids are computed from the text, without they are given; with `surgery` the formulas read
    switches. What the first of the `stages` reads from the one before is a place that is given. Values are not
    needed: a plan is shapes and names. Raises `PlanError` if something does not fit.
    """
    p = Plan()
    if surgery:
        switches(p, config, n_rows, stages)
    begins = "prompt" in stages
    n, pos, ids = prompt(p, config, n_rows, live) if begins else prompt_given(p, config, n_rows, stages)
    w = {name: p.data(name, shape, Role.PARAMETER) for name, shape in stages.weights(config).items()}
    rows, one, column = (n_rows, config.n_embd), (1, config.n_embd), (config.n_vocab, 1)

    if "embed" in stages:
        embed(p, w, ids, pos)  # [T, d]
    for i in range(config.n_layer):
        if f"h{i}" in stages:
            block(p, f"h{i}", w, before(p, stream(i), rows), pos, config)  # [T, d]
    if "ln_f" in stages:
        x = layer_norm(p, "ln_f", w, before(p, stream(config.n_layer), rows), config.eps)  # [T, d]
        p("ln_f.last", answered(live, n, apply("pick", x, n), 0))  # [1, d]
    if "logits" in stages:
        logits = p("logits", w[config.head_name] @ before(p, "ln_f.last", one).T)  # [V, 1]
        softmax_column(p, "probs", logits)  # [V, 1]
    if "next" in stages:
        choose(p, before(p, "logits", column), before(p, "probs", column), partial(answered, live, n))
    return p


def stream(i: int) -> str:
    """What block `i` reads, or the final layer norm after the last one."""
    return f"h{i - 1}.resid_post" if i else "embed.out"


def before(p: Plan, name: str, shape: Shape) -> Expr:
    """The place `name`; where no stage of this plan computes it, its numbers are given."""
    return p[name] if name in p else p.data(name, shape, Role.UPSTREAM)


def prompt(p: Plan, config: ModelConfig, n_rows: int, live: Live | None) -> tuple[Expr, Expr, Expr]:
    """The prompt: its length in tokens [1, 1], row numbers and token ids [T, 1]; beside them what a reader sees."""
    text = p.data("prompt.text", (1, 1), text=True)
    vocab, data = vocabulary(p, config)
    n, pos, ids = tokenize(p, config, n_rows, live, text) if live else given(p, n_rows)
    ended = n <= pos
    p("prompt.row", apply("where", ended, 0, ids + 1))
    p("prompt.tokens", apply("where", ended, "", apply("gather", vocab, ids)))
    p("prompt.bytes", apply("where", ended, "", apply("gather", data, ids)))
    return n, pos, ids


def vocabulary(p: Plan, config: ModelConfig) -> tuple[Expr, Expr]:
    """Text and bytes of every token [V, 1]."""
    p.data("vocab.id", (config.n_vocab, 1))
    text, data = (p.data(f"vocab.{name}", (config.n_vocab, 1), text=True) for name in ("text", "bytes"))
    return text, data


def given(p: Plan, n_rows: int) -> tuple[Expr, Expr, Expr]:
    """The same for a workbook of one prompt."""
    n = p.data("prompt.n", (1, 1))
    pos = p.data("prompt.pos", (n_rows, 1))  # 0, 1, 2 ...
    return n, pos, p.data("prompt.ids", (n_rows, 1))


def prompt_given(p: Plan, config: ModelConfig, n_rows: int, stages: Stages) -> tuple[Expr, Expr, Expr]:
    """The same where the workbook begins after the prompt's tokens, which are there to be read."""
    p.data("prompt.text", (1, 1), text=True)
    n, pos, ids = given(p, n_rows)
    p.data("prompt.tokens", (n_rows, 1), text=True)
    if "logits" in stages or "next" in stages:
        vocabulary(p, config)
    return n, pos, ids


def embed(p: Plan, w: dict[str, Expr], ids: Expr, pos: Expr) -> Expr:
    """Each token's row of `wte` plus its position's row of `wpe`."""
    token = p("embed.token", apply("gather", w["wte"], ids))  # [T, d]
    place = p("embed.pos", apply("gather", w["wpe"], pos))  # [T, d]
    return p("embed.out", token + switched(p, place, *POSITIONS))  # [T, d]


def block(p: Plan, at: str, w: dict[str, Expr], x: Expr, pos: Expr, config: ModelConfig) -> Expr:
    """One transformer block, steps 1 to 16 of the source material."""
    y = layer_norm(p, f"{at}.ln_1", w, x, config.eps)  # [T, d]  steps 1 to 3
    x = p(f"{at}.resid_mid", x + attention(p, f"{at}.attn", w, y, pos, config.n_head))  # [T, d]  steps 4 to 10
    y = layer_norm(p, f"{at}.ln_2", w, x, config.eps)  # [T, d]  steps 11 and 12
    y = mlp(p, f"{at}.mlp", w, y, config.activation)  # [T, d]  steps 13 to 15
    return p(f"{at}.resid_post", x + switched(p, y, f"{at}.mlp.on"))  # [T, d]  step 16


def layer_norm(p: Plan, at: str, w: dict[str, Expr], x: Expr, eps: float) -> Expr:
    """Each row to mean 0 and variance 1, then scaled and shifted (Ba et al. 2016, eq. 4)."""
    mean = p(f"{at}.mean", apply("rowmean", x))  # [T, 1]
    var = p(f"{at}.var", apply("rowvar", x))  # [T, 1]
    norm = p(f"{at}.normalized", (x - mean) / apply("sqrt", var + eps))  # [T, d]
    return p(f"{at}.out", norm * w[f"{at}.g"] + w[f"{at}.b"])  # [T, d]


def attention(p: Plan, at: str, w: dict[str, Expr], x: Expr, pos: Expr, n_head: int) -> Expr:
    """Masked multi-head self-attention (Vaswani et al. 2017, section 3.2)."""
    qkv = p(f"{at}.qkv", linear(w, f"{at}.c_attn", x))  # [T, 3d]
    heads = [head(p, f"{at}.head{j}", qkv, pos, j, n_head) for j in range(n_head)]
    z = p(f"{at}.z", concat(*heads))  # [T, d]
    return p(f"{at}.out", linear(w, f"{at}.c_proj", z))  # [T, d]


def head(p: Plan, at: str, qkv: Expr, pos: Expr, j: int, n_head: int) -> Expr:
    """One head: whom each token reads from, and what it reads. D is the head's width."""
    d = qkv.shape[1] // 3
    width = d // n_head
    q, k, v = (
        p(f"{at}.{s}", columns(qkv, i * d + j * width, i * d + (j + 1) * width))  # [T, D] each
        for i, s in enumerate("qkv")
    )
    scaled = switched(p, q @ k.T / apply("sqrt", lit(width)), f"{at}.scale")  # [T, T]
    scores = p(f"{at}.scores", apply("where", pos >= pos.T, scaled, MASKED))  # [T, T]
    pattern = softmax_rows(p, at, scores)  # [T, T]
    return p(f"{at}.z", switched(p, pattern @ v, f"{at}.on"))  # [T, D]


def softmax_rows(p: Plan, at: str, scores: Expr) -> Expr:
    """Each row to probabilities; the largest score is taken off first, so that EXP cannot overflow."""
    most = p(f"{at}.max", apply("rowmax", scores))  # [T, 1]
    exp = p(f"{at}.exp", apply("exp", scores - most))  # [T, T]
    total = p(f"{at}.sum", apply("rowsum", exp))  # [T, 1]
    return p(f"{at}.pattern", exp / total)  # [T, T]


def mlp(p: Plan, at: str, w: dict[str, Expr], x: Expr, activation: str) -> Expr:
    """Two linear layers with a GELU between them, per token."""
    pre = p(f"{at}.pre", linear(w, f"{at}.c_fc", x))  # [T, 4d]
    post = p(f"{at}.post", gelu(pre, activation))  # [T, 4d]
    return p(f"{at}.out", linear(w, f"{at}.c_proj", post))  # [T, d]


def gelu(x: Expr, activation: str = "gelu_new") -> Expr:
    """The tanh form that GPT-2 uses (Hendrycks and Gimpel 2016, section 2), or one of `config.ACTIVATIONS`."""
    if activation == "gelu":  # exactly, by the normal distribution
        return x * apply("normal", x)
    if activation == "quick_gelu":  # x * sigmoid(1.702 * x), in a form that does not overflow
        return 0.5 * x * (1 + apply("tanh", 0.851 * x))
    if activation == "relu":
        return apply("where", x <= 0, 0, x)
    return 0.5 * x * (1 + apply("tanh", root(2 / pi) * (x + 0.044715 * x**3)))


def linear(w: dict[str, Expr], at: str, x: Expr) -> Expr:
    """x @ w + b, weights stored [in, out] as OpenAI's `conv1d` does."""
    return x @ w[f"{at}.w"] + w[f"{at}.b"]


def softmax_column(p: Plan, at: str, x: Expr) -> Expr:
    """A column to probabilities."""
    most = p(f"{at}.max", apply("max", x))  # [1, 1]
    exp = p(f"{at}.exp", apply("exp", x - most))  # [V, 1]
    total = p(f"{at}.sum", apply("sum", exp))  # [1, 1]
    return p(at, exp / total)  # [V, 1]


def choose(p: Plan, logits: Expr, probs: Expr, answer: Callable[[Expr, Expr | Scalar], Expr]) -> None:
    """The greedy next token, and the most likely candidates; `answer` as `answered`."""
    vocab, data = p["vocab.text"], p["vocab.bytes"]
    p("next.logit", apply("max", logits))
    best = p("next.id", answer(apply("argmax", logits), -1))
    text = p("next.text", answer(apply("gather", vocab, best), ""))
    p("next.bytes", answer(apply("gather", data, best), ""))
    p("prompt.next", text)
    rank = p.data("top.rank", (min(TOP, logits.shape[0]), 1))
    value = p("top.logit", apply("largest", logits, rank))
    ids = p("top.id", answer(apply("whereis", value, logits, p["vocab.id"]), -1))
    p("top.text", answer(apply("gather", vocab, ids), apply("where", rank <= 1, NO_ANSWER, "")))
    p("top.prob", answer(apply("gather", probs, ids), 0))
