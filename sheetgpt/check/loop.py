"""The loop: prompt, next token, longer prompt; by the plan that a workbook is made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.evaluate import run
from sheetgpt.check.inputs import inputs
from sheetgpt.errors import WeightError
from sheetgpt.models.prompt import encode, given_ids
from sheetgpt.models.weights import Weights
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.model import gpt2
from sheetgpt.plan.plan import Plan
from sheetgpt.plan.sampling import AT, Knobs, add_sampling

GREEDY = Knobs()
_ROOM = 16  # rows of a plan for tokens to come: a plan for each step would take longer


class Step(NamedTuple):
    """One pass through the model."""

    ids: list[int]  # of the prompt that went in
    token: int  # that came out
    prob: float  # its probability, whatever the knobs


def steps(model: Weights, prompt: str, count: int, knobs: Knobs = GREEDY) -> Iterator[Step]:
    """Up to `count` passes; the last is the one that gives the end-of-text token, or that fills the context.

    Raises `PromptError` for a prompt that the model does not take, `WeightError` where numbers overflow.
    """
    tokenizer = model.tokenizer()
    ids = encode(prompt, model, tokenizer)
    set_to = {f"{AT}.{name}": np.array([[float(value)]]) for name, value in knobs._asdict().items()}
    plan, n_rows = Plan(), 0
    given: dict[str, NDArray[Any]] = {}
    for _ in range(count):
        if len(ids) > model.config.n_ctx:
            return
        if n_rows < len(ids):
            n_rows = min(len(ids) + _ROOM, model.config.n_ctx)
            plan = gpt2(model.config, n_rows)
            add_sampling(plan, model.config, Asked(), live=False)
            given = inputs(plan, prompt, ids, tokenizer) | set_to
        env = run(plan, given | given_ids(ids, n_rows), model)
        if not np.isfinite(env["logits"]).all():
            raise WeightError(f"{model.name}: logits overflow with these weights")
        token = int(env[f"{AT}.id"][0, 0])
        yield Step(list(ids), token, float(env["probs"][token, 0]))
        if token == tokenizer.eot:
            return
        ids.append(token)
