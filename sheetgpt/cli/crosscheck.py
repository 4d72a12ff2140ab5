"""`sheetgpt crosscheck`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sheetgpt.cli.options import ENGINES, progress
from sheetgpt.errors import one_line

if TYPE_CHECKING:
    from sheetgpt.crosscheck import CrossCheck

SCHEMA = 1
_VERDICTS = {
    0: "AGREES: no logit is off by more than the tolerance",
    1: "DIFFERS",
    4: "NOT PROVEN: they agree, but the workbook's logits are cached in the file, and nothing was recalculated",
}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--reference", required=True, metavar="FILE.npz|transformers", help="Logits of another hand: see above.")
@click.option(
    "--engine", type=click.Choice([*ENGINES, "cached"]), default="ironcalc", show_default=True, help="Who recalculates."
)
@click.option(
    "--model", metavar="NAME|DIR", help="Where transformers takes the weights from, if not by the model's name."
)
@click.option(
    "--tolerance", type=click.FloatRange(min=0), default=1e-6, show_default=True, help="Largest relative gap."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def crosscheck(file: Path, reference: str, engine: str, model: str | None, tolerance: float, form: str) -> None:
    """Compare the logits of FILE, a workbook that sheetgpt made, with those of another implementation.

    A .npz file holds `logits`, [V], [T, V] or [1, T, V], and may hold `ids`, the prompt's token ids, which must be the
    workbook's. With `transformers`, Hugging Face's GPT-2 computes them here from the model's weights, in float64.

    Gaps are relative to the reference's logit, or to 1 where that is smaller. Exit codes: 0 they agree, 1 they differ,
    2 wrong call, 3 not a readable workbook of ours, 4 they agree, but nothing was recalculated (--engine cached).
    """
    from sheetgpt.crosscheck import crosscheck as compare

    progress(f"recalculating with {engine}")
    try:
        found = compare(file, reference, engine, model, tolerance)
    finally:
        progress("")
    click.echo(_to_json(found) if form == "json" else "\n".join(map(one_line, _told(found))))
    sys.exit(found.exit_code)


def _to_json(found: CrossCheck) -> str:
    """All that was found; a gap to something that is no number is null."""
    data = asdict(found) | {"schema": SCHEMA, "exit_code": found.exit_code}
    finite = {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in data.items()}
    return json.dumps(finite, indent=1, ensure_ascii=False, allow_nan=False)


def _told(found: CrossCheck) -> Iterator[str]:
    yield found.workbook
    yield f"  model      {found.model}, {len(found.ids)} tokens: {' '.join(map(str, found.ids))}"
    if found.engine_version:
        yield f"  values     recalculated by {found.engine} {found.engine_version} from a copy without cached values"
    else:
        yield "  values     cached in the file: whoever wrote it computed them, nothing was recalculated"
    yield f"  reference  {found.reference}"
    yield ""
    yield f"logits          {found.n_vocab:,}"
    yield f"largest gap     {found.gap:.1e}"
    yield f"relative gap    {found.relative:.1e}, tolerance {found.tolerance:.1e}"
    yield f"  at token      {found.token} {found.text!r}: found {found.found!r}, wanted {found.wanted!r}"
    yield f"divergence      {found.divergence:.1e} nats"
    yield f"likeliest       {found.best[0]}, the reference's {found.best[1]}"
    yield f"likeliest {found.n_top:<5} {found.same_top} of {found.n_top} are the reference's"
    yield ""
    yield _VERDICTS[found.exit_code]
