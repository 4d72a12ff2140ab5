"""The model with parts of it switched off, one at a time, in numpy: what the tab Surgery shows as built.

A stage at a time, so that no more than one block's weights are in memory: each is run for the untouched stream and for
those streams in which a part of an earlier block was off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.evaluate import Env, run
from sheetgpt.check.inputs import starts
from sheetgpt.models.prompt import encode, given_ids
from sheetgpt.models.weights import Weights
from sheetgpt.plan.model import gpt2, stream
from sheetgpt.plan.stages import Stages
from sheetgpt.sheet.blueprint import Blueprint

Part = tuple[int, int] | None  # block and column of `surgery.effect`; None: nothing is off
Numbers = NDArray[np.float64]


def surgery_records(book: Blueprint, model: Weights, prompt: str) -> Mapping[str, NDArray[Any]]:
    """The likeliest tokens as built, and what each part does; raises `PromptError`."""
    logits = _Model(model, prompt).logits()
    shares = {part: _softmax(column) for part, column in logits.items()}
    whole = shares.pop(None)
    top = np.argsort(-logits[None], kind="stable")[: book.plan["surgery.was.id"].shape[0]]
    effect = np.zeros(book.plan["surgery.effect"].shape)
    for part, share in shares.items():
        effect[part] = moved(whole, share, top)
    was = {"id": top.astype(float), "logit": logits[None][top], "prob": whole[top]}
    return {f"surgery.was.{name}": column[:, None] for name, column in was.items()} | {"surgery.effect": effect}


def moved(was: Numbers, now: Numbers, top: NDArray[np.intp]) -> float:
    """How much probability [V] has gone to other tokens; all that are not in `top` count as one."""
    change = (now - was)[top]
    return float(np.maximum(change, 0).sum() + max(-change.sum(), 0))


class _Model:
    """A model and a prompt, run a stage at a time."""

    def __init__(self, model: Weights, prompt: str) -> None:
        ids = encode(prompt, model, model.tokenizer())
        self.model, self.n = model, len(ids)
        self.given: Env = given_ids(ids, self.n) | {"prompt.pos": np.arange(self.n, dtype=float)[:, None]}

    def logits(self) -> dict[Part, Numbers]:
        """The logits [V] of the whole model, and of it with each part off."""
        config = self.model.config
        streams = self._through("embed", "embed.out", {None: {}})
        for i in range(config.n_layer):
            given: dict[Part, Env] = {part: {stream(i): x} for part, x in streams.items()}
            for j, name in enumerate(self._parts(i)):
                given[i, j] = {**given[None], name: np.zeros((1, 1))}
            streams = self._through(f"h{i}", stream(i + 1), given)
        last = self._through("ln_f", "ln_f.last", {part: {stream(config.n_layer): x} for part, x in streams.items()})
        logits = self.model[config.head_name] @ np.vstack(list(last.values())).T  # [V, 1 + L (H + 1)]
        return dict(zip(last, logits.T, strict=True))

    def _parts(self, i: int) -> list[str]:
        return [*(f"h{i}.attn.head{j}.on" for j in range(self.model.config.n_head)), f"h{i}.mlp.on"]

    def _through(self, stage: str, out: str, given: Mapping[Part, Env]) -> dict[Part, Numbers]:
        """What a stage makes of each of several inputs."""
        plan = gpt2(self.model.config, self.n, stages=Stages(stage, stage), surgery=True)
        weights = {name: self.model[name] for name in plan.parameters}
        unread = {name: np.full(plan[name].shape, "") for name in plan.text}
        return {part: run(plan, own, self.given, weights, starts(plan), unread)[out] for part, own in given.items()}


def _softmax(x: Numbers) -> Numbers:
    exp = np.exp(x - x.max())
    return np.asarray(exp / exp.sum())
