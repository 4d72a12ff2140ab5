"""What a plan takes as given, weights aside: from a prompt, and from the stages before its own."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.evaluate import Env, evaluate, run
from sheetgpt.errors import PromptError
from sheetgpt.models.prompt import given, given_ids, given_kinds, given_tables, longest_word
from sheetgpt.models.tokenizer import Tokenizer
from sheetgpt.models.unicode import class_ranges
from sheetgpt.plan.checks import AT, LIMIT, RECORDED
from sheetgpt.plan.live import UNTYPED, Live
from sheetgpt.plan.model import gpt2
from sheetgpt.plan.plan import Plan, Role
from sheetgpt.plan.stages import Stages
from sheetgpt.sheet.blueprint import Blueprint

LEAST_TOKENS = 16  # token rows of a live workbook, unless the prompt or the caller wants more
LEAST_BYTES = 20  # room for one word
CHARS_A_TOKEN = 4  # English text has about four characters a token


def inputs(plan: Plan, prompt: str, ids: list[int], tokenizer: Tokenizer) -> dict[str, NDArray[Any]]:
    """Values of the plan's inputs; a live plan cuts the prompt itself and takes no ids."""
    n_rows, n_top = plan["prompt.pos"].shape[0], plan["top.rank"].shape[0] if "top.rank" in plan else 0
    values = given(prompt, n_rows, n_top, tokenizer) | given_ids(ids, n_rows)
    if "chars.pos" in plan:
        values |= given_tables(n_rows, plan["chars.pos"].shape[0] - 1, tokenizer)
    if "vocab.kind" in plan:
        values["vocab.kind"] = given_kinds(tokenizer)
    texts = [tokenizer.visible(i) for i in ids] + [""] * (n_rows - len(ids))
    values["prompt.tokens"] = np.array(texts, dtype=object)[:, None]
    values |= starts(plan, values)
    names = (name for name, role in plan.roles.items() if role in (Role.INPUT, Role.KNOB))
    return {name: values[name] for name in names if not name.startswith(AT + ".")}


def starts(plan: Plan, given: Env = MappingProxyType({})) -> dict[str, NDArray[Any]]:
    """What the plan itself gives: constants, and what stands in knobs before anybody has turned them.

    Words are chosen from the vocabulary that is `given`; without one there are none.
    """
    out = {}
    for name, start in plan.starts.items():
        if callable(start) and "vocab.text" not in given:
            continue
        kind = object if name in plan.text else float
        value = [[word] for word in start(given["vocab.text"][:, 0].tolist())] if callable(start) else start
        out[name] = np.full(plan[name].shape, np.array(value, kind), kind)
    return out


def turned(value: object, begun: object) -> bool:
    """Whether a knob's cell holds something else than at first; an empty cell is an empty text."""
    stands = "" if value is None and begun == "" else value
    return type(stands) is not type(begun) or stands != begun


def recorded(plan: Plan, weights: Env) -> dict[str, NDArray[Any]]:
    """What the checks take as given: how far a value may be off, and what each matrix of the source adds up to."""
    names = [name.removesuffix(RECORDED) for name in plan if name.endswith(RECORDED)]
    marks = {name + RECORDED: evaluate(plan[f"{name}.weights.found"], weights) for name in names}
    return marks | {f"{AT}.limit": np.array([[LIMIT]])}


def upstream(book: Blueprint, given: Env, weights: Env) -> dict[str, NDArray[Any]]:
    """What the stages before those of a workbook hand over, from the `given` tokens of its prompt.

    Stage by stage, so that no more than one stage's numbers are in memory.
    """
    values: Env = {}
    for stage in book.card.stages.before(book.card.config):
        plan = gpt2(book.card.config, book.card.n_rows, stages=Stages(stage, stage))
        inputs = {name: given[name] for name, role in plan.roles.items() if role is Role.INPUT}
        values = run(plan, inputs, values, weights).maps[0]
    return {name: values[name] for name, role in book.plan.roles.items() if role is Role.UPSTREAM}


def live_for(prompt: str, n_rows: int, n_chars: int | None, n_bytes: int | None, tokenizer: Tokenizer) -> Live:
    """Room for the prompt, and a bit more unless sizes are given; raises `PromptError` where they are too small."""
    if n_rows < 2:
        raise PromptError("a workbook for any prompt has room for 2 tokens at least; --fixed makes one of one token")
    if odd := next((c for c in ("\0", *map(chr, UNTYPED)) if c in prompt), ""):
        raise PromptError(f"U+{ord(odd):04X} cannot be typed into a cell: remove it, or build with --fixed")
    longest = longest_word(prompt, tokenizer)
    room = Live(
        n_chars=max(len(prompt), CHARS_A_TOKEN * n_rows) if n_chars is None else n_chars,
        n_bytes=max(longest, LEAST_BYTES) if n_bytes is None else n_bytes,
        n_merges=len(tokenizer.merges),
        n_ranges=len(class_ranges()),
    )
    if len(prompt) > room.n_chars:
        raise PromptError(f"the prompt has {len(prompt)} characters and cannot stand in {room.n_chars}")
    if longest > room.n_bytes:
        raise PromptError(f"a word of the prompt has {longest} bytes and cannot stand in {room.n_bytes}")
    return room
