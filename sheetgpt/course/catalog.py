"""The demonstrations in the order in which they are taught."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from sheetgpt.course.analogies import ANALOGIES
from sheetgpt.course.backprop import BACKPROP
from sheetgpt.course.bestof import BESTOF
from sheetgpt.course.bigram import BIGRAM
from sheetgpt.course.bpelearn import BPELEARN
from sheetgpt.course.capitals import CAPITALS
from sheetgpt.course.circle import CIRCLE
from sheetgpt.course.cloud import CLOUD
from sheetgpt.course.context import CONTEXT
from sheetgpt.course.cooccur import COOCCUR
from sheetgpt.course.cosine import COSINE
from sheetgpt.course.cost import COST
from sheetgpt.course.demo import Demo
from sheetgpt.course.entropy import ENTROPY
from sheetgpt.course.experts import EXPERTS
from sheetgpt.course.gravity import GRAVITY
from sheetgpt.course.hiker import HIKER
from sheetgpt.course.houses import HOUSES
from sheetgpt.course.idea import IDEA
from sheetgpt.course.island import ISLAND
from sheetgpt.course.jumble import JUMBLE
from sheetgpt.course.king import KING
from sheetgpt.course.ladders import LADDERS
from sheetgpt.course.layer import LAYER
from sheetgpt.course.learn import LEARN
from sheetgpt.course.mapping import MAPPING
from sheetgpt.course.mask import MASK
from sheetgpt.course.maze import MAZE
from sheetgpt.course.neuron import NEURON
from sheetgpt.course.onehead import ONEHEAD
from sheetgpt.course.order import ORDER
from sheetgpt.course.parabola import PARABOLA
from sheetgpt.course.pipeline import PIPELINE
from sheetgpt.course.preference import PREFERENCE
from sheetgpt.course.product import PRODUCT
from sheetgpt.course.prompts import PROMPTS
from sheetgpt.course.sky import SKY
from sheetgpt.course.songs import SONGS
from sheetgpt.course.squeeze import SQUEEZE
from sheetgpt.course.strawberry import STRAWBERRY
from sheetgpt.course.temperature import TEMPERATURE
from sheetgpt.course.tokenizers import TOKENIZERS
from sheetgpt.course.training import TRAINING
from sheetgpt.course.translate import TRANSLATE
from sheetgpt.course.vectors import VECTORS
from sheetgpt.course.zoo import ZOO
from sheetgpt.errors import LayoutError

DEMOS: tuple[Demo, ...] = (
    IDEA,
    VECTORS,
    MAPPING,
    SKY,
    TOKENIZERS,
    BPELEARN,
    LADDERS,
    STRAWBERRY,
    JUMBLE,
    COST,
    HOUSES,
    ISLAND,
    KING,
    CAPITALS,
    ANALOGIES,
    COOCCUR,
    COSINE,
    SQUEEZE,
    LEARN,
    ORDER,
    CIRCLE,
    CLOUD,
    ONEHEAD,
    MASK,
    GRAVITY,
    TRANSLATE,
    CONTEXT,
    NEURON,
    ZOO,
    PRODUCT,
    LAYER,
    PARABOLA,
    HIKER,
    BACKPROP,
    ENTROPY,
    TRAINING,
    PIPELINE,
    PROMPTS,
    PREFERENCE,
    MAZE,
    BESTOF,
    EXPERTS,
    SONGS,
    BIGRAM,
    TEMPERATURE,
)


def chosen(names: Iterable[str]) -> tuple[Demo, ...]:
    """The demonstrations of these names, in the order of the course; all of them for none.

    Raises `LayoutError` for a name that there is not.
    """
    wanted = list(names)
    known = [demo.name for demo in DEMOS]
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "`sheetgpt lessons --list` tells them"
            raise LayoutError(f"there is no lesson {name!r:.60}: {hint}")
    return tuple(demo for demo in DEMOS if not wanted or demo.name in wanted)
