"""A prompt becomes a workbook: the whole pipeline, one call for each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sheetgpt.check.evaluate import run
from sheetgpt.check.inputs import LEAST_TOKENS, inputs, live_for, recorded, upstream
from sheetgpt.check.records import records
from sheetgpt.check.source import Env, facts, told_of
from sheetgpt.check.verify import recalculated_differs
from sheetgpt.engines import get
from sheetgpt.errors import BuildError, WeightError
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.prompt import encode, given_ids, rows_for
from sheetgpt.models.weights import Weights
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.extras import EXTRAS
from sheetgpt.plan.stages import WHOLE, Stages
from sheetgpt.sheet.blueprint import DIALECTS, Blueprint, Card
from sheetgpt.sheet.sheets import names_of, sheets
from sheetgpt.sheet.xlsx import whole_file, write

BUILD_ENGINE = "ironcalc"
DEFAULT_STEPS = 8  # of a model that is quickly computed, else one
_QUICK = 10_000_000  # weights
CHECKED = 3_000_000  # cells of a workbook that are recalculated as a matter of course: some ten seconds
Progress = Callable[[str], None]


class Built(NamedTuple):
    """A workbook that was written, and what its model says."""

    path: Path
    blueprint: Blueprint
    env: Env  # every place's value by numpy
    engine: str  # who recalculated it, or empty


class Room(NamedTuple):
    """How much a workbook has room for; None where the prompt decides."""

    tokens: int | None = None
    characters: int | None = None
    word_bytes: int | None = None
    fixed: bool = False  # the prompt's ids are data, and no other prompt can be typed


class Form(NamedTuple):
    """What a workbook has beside the pipeline, and how it is written."""

    core: bool = False  # no extras
    steps: int | None = None  # of the loop that the tab Generate shows; None where the model's size decides
    dialect: str = DIALECTS[0]

    def asked(self, stages: Stages, config: ModelConfig) -> Asked:
        """The extras: none in a workbook of a part of the pipeline."""
        if self.core or stages != WHOLE:
            return Asked()
        usual = DEFAULT_STEPS if config.n_weights <= _QUICK else 1
        steps = usual if self.steps is None else self.steps
        return Asked(EXTRAS, min(steps, config.n_ctx))


def build(
    model: Weights,
    prompt: str,
    path: Path,
    room: Room = Room(),  # noqa: B008  # immutable
    stages: Stages = WHOLE,
    form: Form = Form(),  # noqa: B008  # immutable
    *,
    blank: Sequence[str] = (),
    compact: bool = False,
    check: bool | None = None,
    make_parent: bool = False,
    progress: Progress = lambda _: None,
) -> Built:
    """Write the workbook of `prompt` to `path`, whole or not at all; `make_parent` makes the file's folder.

    With `stages` it is the workbook of a part of the pipeline; what that reads from earlier stages numpy computes.
    `blank` are patterns of names of places that are left to a student; of what follows from them the file remembers
    no values. `compact` is that of `xlsx.write`. With `check`, ironcalc recalculates the file before it takes its name;
    raises `BuildError` where one cell differs from numpy; if not said otherwise that is done for all but large
    workbooks and compact ones, which ironcalc refuses. Raises `PromptError`, `WeightError`, `LayoutError` and
    `OutputError`.
    """
    progress("computing with numpy")
    blueprint, env = evaluated(model, prompt, room, stages, form)
    blueprint = blueprint.with_blank(blank)
    with whole_file(path, make_parent=make_parent) as temporary:
        progress("writing")
        pages = list(
            sheets(blueprint, env, facts(model, blueprint.plan.parameters), lambda name: model.stored[name].rows)
        )
        write(temporary, pages, names_of(blueprint), compact=compact)
        if check is None:
            check = blueprint.cells <= CHECKED and not compact
        if check:
            progress(f"recalculating with {BUILD_ENGINE}")
            values = get(BUILD_ENGINE).recalculate(temporary)
            if difference := recalculated_differs([*pages[1:], pages[0]], values):  # Contents shows what others compute
                raise BuildError(f"not written: {BUILD_ENGINE} disagrees with numpy at {difference}")
    return Built(path, blueprint, env, BUILD_ENGINE if check else "")


def evaluated(
    model: Weights,
    prompt: str,
    room: Room = Room(),  # noqa: B008  # immutable
    stages: Stages = WHOLE,
    form: Form = Form(),  # noqa: B008  # immutable
) -> tuple[Blueprint, Env]:
    """The plan for a prompt and every place's value by numpy; only a workbook that begins with the prompt is live."""
    tokenizer = model.tokenizer()
    ids = encode(prompt, model, tokenizer)
    fixed = room.fixed or "prompt" not in stages
    n_rows = rows_for(ids, room.tokens, model.config, 1 if fixed else LEAST_TOKENS)
    live = None if fixed else live_for(prompt, n_rows, room.characters, room.word_bytes, tokenizer)
    asked = form.asked(stages, model.config)
    about = told_of(model)
    card = Card(model.name, model.config, n_rows, live, stages=stages, asked=asked, dialect=form.dialect, about=about)
    blueprint = Blueprint.of(card)
    given = inputs(blueprint.plan, prompt, ids, tokenizer) | recorded(blueprint.plan, model)
    given |= records(blueprint, model, prompt)
    before = upstream(blueprint, given, model)
    env = run(blueprint.plan, given, before, model)
    if not np.array_equal(env["prompt.ids"], given_ids(ids, n_rows)["prompt.ids"]):
        said = env["prompt.problem"][0, 0] or f"ids {env['prompt.ids'][:, 0].astype(int).tolist()}, not {ids}"
        raise BuildError(f"not written: its formulas cut the prompt otherwise than {model.name}'s tokenizer: {said}")
    for name, values in [*before.items(), *env.maps[0].items()]:
        if values.dtype != object and not np.isfinite(values).all():
            raise WeightError(f"{model.name}: {name} overflows with these weights")
    return blueprint, env
