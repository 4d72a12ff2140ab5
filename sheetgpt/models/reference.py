"""GPT-2's forward pass in plain numpy, every value on the way kept under its name: the oracle.

Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; written after openai/gpt-2
`src/model.py` and jaymody/picoGPT `gpt2.py`. It imports nothing of sheetgpt, so that it can disagree with it.

T tokens, V vocabulary, d embedding, dh = d / n_head. `w` is the weights by OpenAI's names with dots, a vector
being (n,) or (1, n); `at` is the place, such as `h0.ln_1`; `a` holds the activations named so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = Mapping[str, Array]
Named = dict[str, Array]


def gelu_new(x: Array) -> Array:
    """[T, 4d] -> [T, 4d]: the tanh form of Hendrycks & Gimpel 2016, as in openai/gpt-2."""
    bend: Array = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    return 0.5 * x * (1 + bend)


def gelu_exact(x: Array) -> Array:
    """[T, 4d] -> [T, 4d]: Hendrycks & Gimpel 2016, by the error function."""
    return np.array([[v * (1 + erf(v / sqrt(2))) / 2 for v in row] for row in x.tolist()])


def quick_gelu(x: Array) -> Array:
    """[T, 4d] -> [T, 4d]: Hendrycks & Gimpel 2016, section 2, with a sigmoid."""
    out: Array = x / (1 + np.exp(-1.702 * x))
    return out


def relu(x: Array) -> Array:
    """[T, 4d] -> [T, 4d]: what is below zero becomes zero."""
    return np.maximum(x, 0)


GELUS = {"gelu_new": gelu_new, "gelu": gelu_exact, "quick_gelu": quick_gelu, "relu": relu}  # as Hugging Face says


def linear(w: Weights, at: str, x: Array) -> Array:
    """[T, n] @ [n, m] + [m] -> [T, m]: OpenAI's `conv1d`."""
    return x @ w[f"{at}.w"] + w[f"{at}.b"]


def softmax(a: Named, at: str, x: Array, axis: int) -> Array:
    """Same shape in and out; the largest value and the sum, both named, have size 1 along `axis`."""
    a[f"{at}.max"] = x.max(axis, keepdims=True)  # taken off, or exp overflows
    a[f"{at}.exp"] = np.exp(x - a[f"{at}.max"])
    a[f"{at}.sum"] = a[f"{at}.exp"].sum(axis, keepdims=True)
    return a[f"{at}.exp"] / a[f"{at}.sum"]


def layer_norm(w: Weights, a: Named, at: str, x: Array, eps: float) -> Array:
    """[T, d] -> [T, d]: Ba et al. 2016, each row by itself."""
    a[f"{at}.mean"] = mean = x.mean(axis=1, keepdims=True)  # [T, 1]
    a[f"{at}.var"] = var = x.var(axis=1, keepdims=True)  # [T, 1], divided by d, not by d - 1
    a[f"{at}.normalized"] = normalized = (x - mean) / np.sqrt(var + eps)  # [T, d]
    a[f"{at}.out"] = normalized * w[f"{at}.g"] + w[f"{at}.b"]  # [T, d]
    return a[f"{at}.out"]


def head(a: Named, at: str, q: Array, k: Array, v: Array) -> Array:
    """[T, dh] three times -> [T, dh]: Vaswani et al. 2017, section 3.2.1, with a causal mask."""
    a[f"{at}.q"], a[f"{at}.k"], a[f"{at}.v"] = q, k, v  # [T, dh] each
    past = np.tri(len(q), dtype=bool)  # [T, T], token i may look at tokens 0 to i
    a[f"{at}.scores"] = scores = np.where(past, q @ k.T / np.sqrt(q.shape[1]), -1e10)  # [T, T]
    a[f"{at}.pattern"] = pattern = softmax(a, at, scores, axis=1)  # [T, T], a row sums to 1
    a[f"{at}.z"] = z = pattern @ v  # [T, T] @ [T, dh] -> [T, dh]
    return z


def attention(w: Weights, a: Named, at: str, x: Array, n_head: int) -> Array:
    """[T, d] -> [T, d]: Vaswani et al. 2017, section 3.2.2, with q, k and v made by one matrix."""
    a[f"{at}.qkv"] = qkv = linear(w, f"{at}.c_attn", x)  # [T, d] -> [T, 3d]
    q, k, v = (np.split(part, n_head, axis=1) for part in np.split(qkv, 3, axis=1))  # n_head times [T, dh]
    zs = [head(a, f"{at}.head{j}", q[j], k[j], v[j]) for j in range(n_head)]  # n_head times [T, dh]
    a[f"{at}.z"] = z = np.hstack(zs)  # [T, d], heads side by side
    a[f"{at}.out"] = out = linear(w, f"{at}.c_proj", z)  # [T, d]
    return out


def mlp(w: Weights, a: Named, at: str, x: Array, gelu: str) -> Array:
    """[T, d] -> [T, d]: up to four times the width, bend, and down again."""
    a[f"{at}.pre"] = pre = linear(w, f"{at}.c_fc", x)  # [T, d] -> [T, 4d]
    a[f"{at}.post"] = post = GELUS[gelu](pre)  # [T, 4d]
    a[f"{at}.out"] = out = linear(w, f"{at}.c_proj", post)  # [T, 4d] -> [T, d]
    return out


def block(w: Weights, a: Named, at: str, x: Array, n_head: int, eps: float, gelu: str) -> Array:
    """[T, d] -> [T, d]: both parts read a normalised copy and add to what was there."""
    normed = layer_norm(w, a, f"{at}.ln_1", x, eps)  # [T, d]
    a[f"{at}.resid_mid"] = x = x + attention(w, a, f"{at}.attn", normed, n_head)  # [T, d]
    normed = layer_norm(w, a, f"{at}.ln_2", x, eps)  # [T, d]
    a[f"{at}.resid_post"] = x = x + mlp(w, a, f"{at}.mlp", normed, gelu)  # [T, d]
    return x


def forward(
    weights: Weights, ids: Sequence[int], *, n_layer: int, n_head: int, eps: float = 1e-5, gelu: str = "gelu_new"
) -> Named:
    """T token ids -> every activation by name, each a two-dimensional float64 array, in pipeline order.

    `forward(weights, [3, 1, 2], n_layer=2, n_head=4)["h0.attn.head3.pattern"]` is [3, 3]; `logits` and
    `probs` are [V, 1], for the token after the last. `IndexError` where an id or a position has no row.
    """
    if len(ids) == 0 or min(ids) < 0:
        raise IndexError("ids must be one number or more, counted from 0")
    w = {name: np.asarray(value, dtype=np.float64) for name, value in weights.items()}
    a: Named = {}
    a["embed.token"] = token = w["wte"][list(ids)]  # [V, d] -> [T, d]
    a["embed.pos"] = pos = w["wpe"][range(len(ids))]  # [n_ctx, d] -> [T, d]
    a["embed.out"] = x = token + pos  # [T, d]
    for i in range(n_layer):
        x = block(w, a, f"h{i}", x, n_head, eps, gelu)  # [T, d]
    a["ln_f.last"] = last = layer_norm(w, a, "ln_f", x, eps)[-1:]  # [T, d] -> [1, d]
    a["logits"] = logits = w.get("lm_head.w", w["wte"]) @ last.T  # [V, d] @ [d, 1] -> [V, 1]
    a["probs"] = softmax(a, "probs", logits, axis=0)  # [V, 1], sums to 1
    a["next.logit"] = logits.max(axis=0, keepdims=True)  # [1, 1]
    a["next.id"] = logits.argmax(axis=0, keepdims=True).astype(np.float64)  # [1, 1], the first of equals
    return a


def greedy(
    weights: Weights,
    ids: Sequence[int],
    n: int,
    n_ctx: int,
    stop: int | None = None,
    *,
    n_layer: int,
    n_head: int,
    eps: float = 1e-5,
    gelu: str = "gelu_new",
) -> list[int]:
    """T ids -> at most `n` new ones, each the likeliest; ends before `stop`, or where `n_ctx` is full.

    The last id may stand one past the context: it is predicted there, never read.
    """
    new: list[int] = []
    while len(new) < n and len(ids) + len(new) <= n_ctx:
        a = forward(weights, [*ids, *new], n_layer=n_layer, n_head=n_head, eps=eps, gelu=gelu)
        if (best := int(a["next.id"][0, 0])) == stop:
            break
        new.append(best)
    return new
