"""Trains the bundled models with PyTorch: GPT-2's architecture over tensors named as in `ModelConfig.shapes`.

The optimiser is Muon (K. Jordan, 2024, kellerjordan.github.io/posts/muon) for the matrices in the
blocks and AdamW for the rest; the learning rate rises for a short while and then falls in a
straight line to zero, by the clock or by steps. PyTorch is the optional extra `train`.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.errors import SheetGPTError
from sheetgpt.models.config import ModelConfig

if TYPE_CHECKING:
    from torch import Tensor

Params = dict[str, "Tensor"]
Log = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """How to train. Exactly one of `minutes` and `steps` says for how long; `steps` makes a run repeatable."""

    minutes: float | None = None
    steps: int | None = None
    seed: int = 0
    batch: int = 32
    muon_lr: float = 0.02
    adam_lr: float = 0.006
    momentum: float = 0.95
    decay: float = 0.0
    warmup: float = 0.01  # share of the run
    threads: int = 2
    log_every: int = 1000


def import_torch() -> Any:
    """PyTorch, or a `SheetGPTError` that says how to install it."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise SheetGPTError("training needs PyTorch: pip install 'sheetgpt[train]'") from error


def initial(config: ModelConfig, seed: int) -> Params:
    """Fresh parameters: gains one, biases zero, matrices normal, those that write to the residual stream smaller."""
    torch = import_torch()
    rng = torch.Generator().manual_seed(seed)

    def make(name: str, shape: tuple[int, int]) -> Tensor:
        if name.endswith((".g", ".b")):
            even: Tensor = torch.full(shape, float(name.endswith(".g")))
            return even
        std = {"wte": 0.05, "wpe": 0.02, "lm_head.w": 0.05}.get(name, shape[0] ** -0.5)
        if name.endswith("c_proj.w"):
            std *= 0.5 / math.sqrt(2 * config.n_layer)
        out: Tensor = torch.randn(shape, generator=rng) * std
        return out

    return {name: make(name, shape).requires_grad_() for name, shape in config.shapes().items()}


def logits(p: Mapping[str, Tensor], config: ModelConfig, ids: Tensor) -> Tensor:
    """GPT-2's forward pass: token numbers `[batch, n]` to logits `[batch, n, n_vocab]`."""
    out: Tensor = hidden(p, config, ids) @ p[config.head_name].T
    return out


def hidden(p: Mapping[str, Tensor], config: ModelConfig, ids: Tensor) -> Tensor:
    """What the head reads: token numbers `[batch, n]` to normed vectors `[batch, n, n_embd]`."""
    functional = import_torch().nn.functional
    x = functional.embedding(ids, p["wte"]) + p["wpe"][: ids.shape[1]]  # [batch, n, n_embd]
    for i in range(config.n_layer):
        block = {name: p[f"h{i}.{name}"] for name in _BLOCK}
        x = x + _attention(block, config, _norm(x, block["ln_1.g"], block["ln_1.b"], config.eps))
        x = x + _mlp(block, _norm(x, block["ln_2.g"], block["ln_2.b"], config.eps))
    return _norm(x, p["ln_f.g"], p["ln_f.b"], config.eps)


_BLOCK = [name[3:] for name in ModelConfig(2, 1, 2, 1, 1).shapes() if name.startswith("h0.")]


def _norm(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    out: Tensor = import_torch().nn.functional.layer_norm(x, x.shape[-1:], gain[0], bias[0], eps)
    return out


def _attention(p: Mapping[str, Tensor], config: ModelConfig, x: Tensor) -> Tensor:
    batch, n, d = x.shape
    qkv = x @ p["attn.c_attn.w"] + p["attn.c_attn.b"]  # [batch, n, 3*d]
    q, k, v = qkv.view(batch, n, 3, config.n_head, config.d_head).permute(2, 0, 3, 1, 4)  # [batch, head, n, d_head]
    attend = import_torch().nn.functional.scaled_dot_product_attention
    mixed = attend(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, n, d)
    out: Tensor = mixed @ p["attn.c_proj.w"] + p["attn.c_proj.b"]
    return out


def _mlp(p: Mapping[str, Tensor], x: Tensor) -> Tensor:
    gelu = import_torch().nn.functional.gelu
    wide = gelu(x @ p["mlp.c_fc.w"] + p["mlp.c_fc.b"], approximate="tanh")  # [batch, n, 4*d]
    out: Tensor = wide @ p["mlp.c_proj.w"] + p["mlp.c_proj.b"]
    return out


def backward(p: Params, config: ModelConfig, ids: Tensor, first: int = 0) -> float:
    """Puts the gradients for `ids` `[batch, n + 1]` into `.grad`; returns the mean nats a token.

    Only the predictions from position `first` on count.
    """
    x = hidden(p, config, ids[:, :-1])[:, first:].flatten(0, 1)  # [tokens, n_embd]
    head = p[config.head_name]
    nats, dx, dhead = head_gradients(x.detach(), head.detach(), ids[:, first + 1 :].flatten())
    import_torch().autograd.backward(x, dx)
    head.grad = dhead if head.grad is None else head.grad.add_(dhead)
    return nats


def head_gradients(x: Tensor, head: Tensor, goal: Tensor, rows: int = 256) -> tuple[float, Tensor, Tensor]:
    """Mean nats of `softmax(x @ head.T)` at `goal`, and its gradients for `x` and `head`.

    By hand and a few rows at a time: the logits `[tokens, n_vocab]` never leave the cache, which
    makes a step of a small model a fifth shorter.
    """
    torch = import_torch()
    dx, dhead, nats = torch.empty_like(x), torch.zeros_like(head), 0.0
    for k in range(0, len(x), rows):
        part, wanted = x[k : k + rows], goal[k : k + rows, None]
        probs = torch.softmax(part @ head.T, dim=1)
        right = probs.gather(1, wanted)
        nats -= float(right.clamp_min(1e-30).log().sum())
        probs.scatter_(1, wanted, right - 1)
        torch.mm(probs, head, out=dx[k : k + rows])
        dhead.addmm_(probs.T, part)
    return nats / len(x), dx.div_(len(x)), dhead.div_(len(x))


class Muon:
    """Momentum whose steps are orthogonalised, matrix by matrix; matrices of one shape go together.

    Queries, keys and values are three matrices that GPT-2 stores side by side, and are taken apart.
    """

    def __init__(self, p: Params, names: list[str], momentum: float, decay: float) -> None:
        self._p = [p[name] for name in names]
        self._parts = [3 if name.endswith("c_attn.w") else 1 for name in names]
        self._velocity = [import_torch().zeros_like(w) for w in self._p]
        self._momentum, self._decay = momentum, decay

    def step(self, lr: float) -> None:
        """One step with what `backward` left in `.grad`."""
        torch = import_torch()
        pieces: list[Tensor] = []
        for w, v, parts in zip(self._p, self._velocity, self._parts, strict=True):
            v.lerp_(w.grad, 1 - self._momentum)
            pieces += torch.lerp(w.grad, v, self._momentum).chunk(parts, dim=1)
        steps = iter(_orthogonal_by_shape(pieces))
        with torch.no_grad():
            for w, parts in zip(self._p, self._parts, strict=True):
                step = torch.cat([next(steps) for _ in range(parts)], dim=1)
                w.mul_(1 - lr * self._decay).sub_(step, alpha=lr)


def _orthogonal_by_shape(pieces: list[Tensor]) -> list[Tensor]:
    torch = import_torch()
    out: dict[int, Tensor] = {}
    for shape in {tuple(piece.shape) for piece in pieces}:
        at = [i for i, piece in enumerate(pieces) if tuple(piece.shape) == shape]
        out |= dict(zip(at, orthogonal(torch.stack([pieces[i] for i in at])), strict=True))
    return [out[i] for i in range(len(pieces))]


def orthogonal(x: Tensor) -> Tensor:
    """The nearest matrices `[k, rows, columns]` with singular values near one, by five Newton-Schulz steps.

    Scaled by sqrt(columns / rows) where that is above one: outputs, not weights, move at one speed.
    """
    tall = x.shape[1] > x.shape[2]
    widen = math.sqrt(max(1.0, x.shape[2] / x.shape[1]))
    y = x.transpose(1, 2) if tall else x
    y = y / (y.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = y @ y.transpose(1, 2)
        y = 3.4445 * y + (-4.7750 * gram + 2.0315 * gram @ gram) @ y
    out: Tensor = (y.transpose(1, 2) if tall else y) * widen
    return out


def train(
    config: ModelConfig,
    batches: Iterator[NDArray[np.int64]],
    recipe: Recipe,
    *,
    first: int = 0,
    log: Log = print,
    every: Callable[[int, Params], None] | None = None,
) -> tuple[Params, dict[str, object]]:
    """Trains from fresh parameters; `batches` yields `[batch, n + 1]`. Returns the parameters and what was done.

    `every(step, parameters)` is called along with each line of the log.
    """
    torch = import_torch()
    torch.set_num_threads(recipe.threads)
    p = initial(config, recipe.seed)
    matrices = [name for name in p if name.startswith("h") and name.endswith(".w")]
    muon = Muon(p, matrices, recipe.momentum, recipe.decay)
    adam = torch.optim.AdamW(
        [w for name, w in p.items() if name not in matrices], betas=(0.9, 0.98), weight_decay=0.0, fused=True
    )
    step, seen, total, began = 0, 0, 0.0, time.monotonic()
    while (done := _progress(recipe, step, began)) < 1:
        ids = torch.from_numpy(next(batches))
        nats = backward(p, config, ids, first)
        rate = min(1.0, done / recipe.warmup if recipe.warmup else 1.0) * (1 - done)
        muon.step(recipe.muon_lr * rate)
        for group in adam.param_groups:
            group["lr"] = recipe.adam_lr * rate
        adam.step()
        for w in p.values():
            w.grad = None
        step, seen, total = step + 1, seen + ids.shape[0] * (ids.shape[1] - 1), total + nats
        if step % recipe.log_every == 0:
            minutes = (time.monotonic() - began) / 60
            log(f"step {step:6}  minute {minutes:6.2f}  rate {rate:.3f}  train {total / recipe.log_every:.4f}")
            total = 0.0
            if every:
                every(step, p)
    return p, _facts(recipe, step, seen, time.monotonic() - began)


def _progress(recipe: Recipe, step: int, began: float) -> float:
    if (recipe.minutes is None) == (recipe.steps is None):
        raise SheetGPTError("say either for how many minutes or for how many steps to train")
    if recipe.steps is not None:
        return step / recipe.steps
    return (time.monotonic() - began) / (60 * (recipe.minutes or 0))


def _facts(recipe: Recipe, steps: int, seen: int, seconds: float) -> dict[str, object]:
    return {
        "recipe": asdict(recipe),
        "steps": steps,
        "tokens_seen": seen,
        "seconds": round(seconds, 1),
        "tokens_per_second": round(seen / max(seconds, 1e-9)),
        "torch": str(import_torch().__version__),
    }


def to_arrays(p: Params) -> dict[str, NDArray[np.float32]]:
    """The parameters as float32 arrays, for `export.write_model`."""
    return {name: w.detach().numpy().astype(np.float32) for name, w in p.items()}
