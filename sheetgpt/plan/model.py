"""GPT-2, written once (Radford et al. 2019; openai/gpt-2 `src/model.py`).

`p(name, expression)` makes the expression a place: cells, a defined name, a line in every report. An
expression without a name becomes part of the formula that uses it. T is the number of token rows,
d the width, V the vocabulary.

The causal mask hides later rows from earlier ones, so rows after the prompt's end change nothing
above them, and the answer is read at row `prompt.n`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from math import sqrt as root

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.live import Live, tokenize
from sheetgpt.plan.ops import Expr, Scalar, apply, columns, concat, lit
from sheetgpt.plan.plan import Plan, Role

MASKED = -1e10  # a score that softmax turns into exactly 0
TOP = 10  # how many candidates the last tab lists


def gpt2(config: ModelConfig, n_rows: int, live: Live | None = None) -> Plan:
    """The whole pipeline from `prompt.text` to `next.text`, with `n_rows` token rows.

    With `live` the token ids are computed from the text, without they are given. Values are not needed: a plan is
    shapes and names. Raises `PlanError` if something does not fit.
    """
    p = Plan()
    n, pos, ids = prompt(p, config, n_rows, live)
    w = {name: p.data(name, shape, Role.PARAMETER) for name, shape in config.shapes().items()}

    token = p("embed.token", apply("gather", w["wte"], ids))  # [T, d]
    place = p("embed.pos", apply("gather", w["wpe"], pos))  # [T, d]
    x = p("embed.out", token + place)  # [T, d]
    for i in range(config.n_layer):
        x = block(p, f"h{i}", w, x, pos, config)  # [T, d]
    x = layer_norm(p, "ln_f", w, x, config.eps)  # [T, d]
    last = p("ln_f.last", answered(live, n, apply("pick", x, n), 0))  # [1, d]
    logits = p("logits", w[config.head_name] @ last.T)  # [V, 1]
    probs = softmax_column(p, "probs", logits)  # [V, 1]
    choose(p, logits, probs, lambda x, none: answered(live, n, x, none))
    return p


def prompt(p: Plan, config: ModelConfig, n_rows: int, live: Live | None) -> tuple[Expr, Expr, Expr]:
    """The prompt: its length in tokens [1, 1], row numbers and token ids [T, 1]; beside them what a reader sees."""
    text = p.data("prompt.text", (1, 1), text=True)
    p.data("vocab.id", (config.n_vocab, 1))
    vocab, data = (p.data(f"vocab.{name}", (config.n_vocab, 1), text=True) for name in ("text", "bytes"))
    n, pos, ids = tokenize(p, config, n_rows, live, text) if live else given(p, n_rows)
    ended = n <= pos
    p("prompt.row", apply("where", ended, 0, ids + 1))
    p("prompt.tokens", apply("where", ended, "", apply("gather", vocab, ids)))
    p("prompt.bytes", apply("where", ended, "", apply("gather", data, ids)))
    return n, pos, ids


def given(p: Plan, n_rows: int) -> tuple[Expr, Expr, Expr]:
    """The same for a workbook of one prompt."""
    n = p.data("prompt.n", (1, 1))
    pos = p.data("prompt.pos", (n_rows, 1))  # 0, 1, 2 ...
    return n, pos, p.data("prompt.ids", (n_rows, 1))


def answered(live: Live | None, n: Expr, x: Expr, none: Scalar) -> Expr:
    """`x`, or `none` where a typed prompt has no answer."""
    return apply("where", n <= 0, none, x) if live else x


def block(p: Plan, at: str, w: dict[str, Expr], x: Expr, pos: Expr, config: ModelConfig) -> Expr:
    """One transformer block, steps 1 to 16 of the source material."""
    y = layer_norm(p, f"{at}.ln_1", w, x, config.eps)  # [T, d]  steps 1 to 3
    x = p(f"{at}.resid_mid", x + attention(p, f"{at}.attn", w, y, pos, config.n_head))  # [T, d]  steps 4 to 10
    y = layer_norm(p, f"{at}.ln_2", w, x, config.eps)  # [T, d]  steps 11 and 12
    return p(f"{at}.resid_post", x + mlp(p, f"{at}.mlp", w, y))  # [T, d]  steps 13 to 16


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
    scaled = q @ k.T / apply("sqrt", lit(width))  # [T, T]
    scores = p(f"{at}.scores", apply("where", pos >= pos.T, scaled, MASKED))  # [T, T]
    pattern = softmax_rows(p, at, scores)  # [T, T]
    return p(f"{at}.z", pattern @ v)  # [T, D]


def softmax_rows(p: Plan, at: str, scores: Expr) -> Expr:
    """Each row to probabilities; the largest score is taken off first, so that EXP cannot overflow."""
    most = p(f"{at}.max", apply("rowmax", scores))  # [T, 1]
    exp = p(f"{at}.exp", apply("exp", scores - most))  # [T, T]
    total = p(f"{at}.sum", apply("rowsum", exp))  # [T, 1]
    return p(f"{at}.pattern", exp / total)  # [T, T]


def mlp(p: Plan, at: str, w: dict[str, Expr], x: Expr) -> Expr:
    """Two linear layers with a GELU between them, per token."""
    pre = p(f"{at}.pre", linear(w, f"{at}.c_fc", x))  # [T, 4d]
    post = p(f"{at}.post", gelu(pre))  # [T, 4d]
    return p(f"{at}.out", linear(w, f"{at}.c_proj", post))  # [T, d]


def gelu(x: Expr) -> Expr:
    """The tanh form that GPT-2 uses (Hendrycks and Gimpel 2016, section 2)."""
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


def choose(p: Plan, logits: Expr, probs: Expr, answer: Callable[[Expr, Scalar], Expr]) -> None:
    """The greedy next token, and the most likely candidates; `answer` as `answered`."""
    vocab, data = p["vocab.text"], p["vocab.bytes"]
    p("next.logit", apply("max", logits))
    best = p("next.id", answer(apply("argmax", logits), -1))
    text = p("next.text", answer(apply("gather", vocab, best), ""))
    p("next.bytes", answer(apply("gather", data, best), ""))
    p("prompt.next", text)
    rank = p.data("top.rank", (min(TOP, logits.shape[0]), 1))
    value = p("top.logit", apply("largest", logits, rank))
    ids = p("top.id", apply("whereis", value, logits, p["vocab.id"]))
    p("top.text", answer(apply("gather", vocab, ids), ""))
    p("top.prob", apply("gather", probs, ids))
