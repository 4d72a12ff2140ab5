"""The tabs of the extras, in reading order, after those of the pipeline; what a plan lacks is left out later."""

from __future__ import annotations

from collections.abc import Iterator

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.compute import SIZES
from sheetgpt.plan.count import KINDS
from sheetgpt.plan.model import TOP
from sheetgpt.plan.points import powers
from sheetgpt.sheet.layout import CHART, Band, Tab
from sheetgpt.sheet.surgerytab import surgery_tab

_CHART = 14  # rows that the chart below the table of Sampling takes
_CHARTS = 15  # rows that the charts below the table of the lens take


def extra_tabs(config: ModelConfig) -> Iterator[Tab]:
    """Every tab that some extra has."""
    yield Tab("Sampling", "sampling", tuple(_sampling()))
    yield Tab("Generate", "generate", tuple(_generate()))
    yield surgery_tab(config)
    yield Tab("Token map", "points", tuple(_points()))
    yield Tab("ReLU" if config.activation == "relu" else "GELU", "curve", tuple(_curve(config)))
    yield Tab("Heads", "heads", tuple(_heads(config)))
    yield Tab("Matrix product", "matmul", tuple(_matmul()))
    logit = (Band(("hand.id", "hand.logit")), *_stack("hand.w", "hand.product"))
    yield Tab("One logit", "hand", (*logit, Band(("hand.columns",))))
    yield Tab("Compute", "compute", tuple(_compute()))
    yield Tab("Logit lens", "lens", _lens(config))
    yield Tab("Playground", "playground", _playground())


def _sampling() -> Iterator[Band]:
    yield _listed("sample", "temperature", "top_k", "top_p", "seed")
    yield _listed("sample", "text", "id", "row", "share", "random")
    top = _listed("sample.top", "text", "before", "after", "fate", "prob", "upto")
    yield top._replace(room=TOP + _CHART)
    yield _listed("sample", *(f"{knob}.used" for knob in ("temperature", "top_k", "top_p", "seed")))
    yield _listed("sample", "best", "sum", "least_k", "sum_k", "wanted")
    yield Band(("sample.search",))
    yield _listed("sample", "enough", "least_p", "least", "sum_kept")
    yield _listed("sample", "seed.once", "seed.twice", "seed.thrice", "seed.mixed")
    yield Band(("sample.state",))
    yield Band(("sample.exp", "sample.probs", "sample.upto"))


def _generate() -> Iterator[Band]:
    yield from _stack("generate.now", "generate.how", "generate.agrees")
    table = _listed("generate", "prompt", "text", "id", "prob", "after")
    yield table._replace(touching=True)
    yield Band(("generate.end",))


def _listed(at: str, *names: str) -> Band:
    return Band(tuple(f"{at}.{name}" for name in names), listed=True)


def _points() -> Iterator[Band]:
    """The picture first, then how its points are found."""
    yield Band(("points.x", "points.y"), room=CHART)
    yield Band(("points.name", "points.across", "points.up"))
    yield Band(("points.there", "points.count"))
    yield Band(("points.mean",))
    yield Band(("points.centred",))
    yield Band(("points.gram", "points.left"))
    for at in ("points.first", "points.second"):
        yield Band((f"{at}.spread", f"{at}.scale", f"{at}.who"))
        yield Band(tuple(powers(at)))
        yield Band(tuple(f"{at}.{place}" for place in ("out", "far", "column", "unit", "pull")))


def _curve(config: ModelConfig) -> Iterator[Band]:
    yield Band(("curve.number", "curve.x", "curve.y"), room=CHART)
    blocks = range(config.n_layer)
    yield Band(("curve.neuron", *(f"h{i}.mlp.{place}.last" for i in blocks for place in ("pre", "post"))))


def _heads(config: ModelConfig) -> Iterator[Band]:
    yield Band(tuple(f"heads.{place}" for place in ("name", "most", "text", "share", "itself", "previous", "first")))
    yield Band(("view.block", "view.head"))
    yield Band(("view.pattern",))
    yield Band(tuple(f"h{i}.attn.picked" for i in range(config.n_layer)))


def _matmul() -> Iterator[Band]:
    yield Band(("matmul.left", "matmul.right", "matmul.product"))
    yield Band(("matmul.turned",))
    yield Band(("matmul.row", "matmul.column", "matmul.lefts", "matmul.rights", "matmul.products", "matmul.sums"))


def _stack(*names: str) -> tuple[Band, ...]:
    return tuple(Band((name,)) for name in names)


def _compute() -> Iterator[Band]:
    """Sizes, a block step by step, the whole model; all that for one token and, beside it, for all."""
    yield from _stack(*(f"compute.{size}" for size in SIZES))
    for table in ("block", "stages", "total"):
        names = [f"compute.{whose}.{table}.{kind}" for whose in ("one", "all") for kind in KINDS]
        yield Band((*names, *(["compute.all.rows"] if table == "stages" else [])))
    yield Band(("compute.one.counted", "compute.all.counted"))
    yield from _stack("compute.same", "compute.parameters", "compute.thumb", "compute.work", "compute.ratio")


def _lens(config: ModelConfig) -> tuple[Band, ...]:
    """What the model would say at each depth; below it how that is computed."""
    said = _of("lens", "depth rank prob text share", listed=True)._replace(room=config.n_layer + 2 + _CHARTS)
    scores = _of("lens", "max sum answer logit id", listed=True)
    norm = (_of("lens", "last"), _of("lens", "mean var"), _of("lens", "normalized"), _of("lens", "out"))
    return said, scores, *norm, _of("lens", "logits")


def _playground() -> tuple[Band, ...]:
    """Three games with typed words; below them what they are computed from."""
    typed = "word seen id said"
    nearest = _of("near", "rank alike.text alike.id alike.value close.text close.id close.value", listed=True)
    best = _of("analogy", "rank best.text best.id best.value best.distance best.given", listed=True)
    table = _of("cosines", "word seen id table said", listed=True)
    columns = ("near.norm", "near.cosine", "near.distance", "analogy.cosine")
    return (
        *(_of("near", typed, listed=True), nearest),
        *(_of("analogy", typed, listed=True), best, table),
        *(_of("near", "vector"), _of("analogy", "lacking"), _of("analogy", "vector"), _of("analogy", "target")),
        *(_of("analogy", "best.vector"), _of("cosines", "norm"), _of("cosines", "vector")),
        Band(columns, listed=True),
    )


def _of(at: str, places: str, *, listed: bool = False) -> Band:
    return Band(tuple(f"{at}.{place}" for place in places.split()), listed=listed)
