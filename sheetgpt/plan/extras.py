"""What a workbook has beside the pipeline: each extra adds places to a plan that has the pipeline already.

An extra is a name in `EXTRAS`, a function in `_ADD` that adds its places, tabs in `sheet/extras.py`, and lessons.
Values that its reader may change are knobs (`Plan.knob`); values that numpy computed for the prompt of the build are
records (`Role.RECORD`, computed in `check/records.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.compute import add_compute
from sheetgpt.plan.hand import add_hand
from sheetgpt.plan.heads import add_heads
from sheetgpt.plan.lens import add_lens
from sheetgpt.plan.loop import add_loop
from sheetgpt.plan.plan import Plan, Role
from sheetgpt.plan.playground import add_playground
from sheetgpt.plan.points import add_points
from sheetgpt.plan.sampling import add_sampling
from sheetgpt.plan.surgery import add_surgery

# in the order in which a card names them
EXTRAS: tuple[str, ...] = (
    "surgery",
    "points",
    "heads",
    "sampling",
    "generate",
    "hand",
    "compute",
    "lens",
    "playground",
)
NEEDS = {"heads": "points"}  # extras that read the places of another
_RECORDED = frozenset({"surgery", "generate"})  # extras with records


Add = Callable[[Plan, ModelConfig, Asked, bool], None]  # to a plan, of a model; live or not
_ADD: dict[str, Add] = {
    "surgery": add_surgery,
    "points": add_points,
    "heads": add_heads,
    "hand": add_hand,
    "compute": add_compute,
    "sampling": add_sampling,
    "generate": add_loop,
    "lens": add_lens,
    "playground": add_playground,
}


def add_extras(p: Plan, config: ModelConfig, asked: Asked, live: bool) -> None:
    """Add the places of the extras to a plan."""
    if _RECORDED.intersection(asked.extras):
        p.data("prompt.built", (1, 1), Role.RECORD, text=True)
    for extra in asked.extras:
        _ADD[extra](p, config, asked, live)
