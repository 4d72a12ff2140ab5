"""The table of heads and the picker, held to the patterns that the independent reference computes."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np

from sheetgpt.build import Room, build, evaluated
from sheetgpt.check.evaluate import run
from sheetgpt.models.reference import forward
from sheetgpt.models.weights import Weights

PROMPT = "the cat sat"


def test_every_head_is_told_as_the_reference_has_it(tiny: Weights) -> None:
    _, env = evaluated(tiny, PROMPT)
    ids = tiny.tokenizer().encode(PROMPT)
    sizes = {"n_layer": tiny.config.n_layer, "n_head": tiny.config.n_head}
    cache = forward({name: tiny[name] for name in tiny}, ids, **sizes, eps=tiny.config.eps)
    heads = list(product(range(tiny.config.n_layer), range(tiny.config.n_head)))
    last = np.array([cache[f"h{i}.attn.head{j}.pattern"][-1] for i, j in heads])
    assert env["heads.name"][:, 0].tolist() == [f"h{i} head {j}" for i, j in heads]
    assert (env["heads.most"][:, 0] == last.argmax(axis=1)).all()
    for name, wanted in (("share", last.max(axis=1)), ("itself", last[:, -1]), ("previous", last[:, -2])):
        np.testing.assert_allclose(env[f"heads.{name}"][:, 0], wanted, atol=1e-12)
    np.testing.assert_allclose(env["heads.first"][:, 0], last[:, 0], atol=1e-12)
    texts = env["prompt.tokens"][:, 0]
    assert env["heads.text"][:, 0].tolist() == [texts[k] for k in last.argmax(axis=1)]


def test_the_picker_shows_each_head_and_nothing_for_none(tiny: Weights) -> None:
    book, env = evaluated(tiny, PROMPT, Room(fixed=True))
    for block, head in [*product(range(tiny.config.n_layer), range(tiny.config.n_head)), (9, 0), (0, -1)]:
        turned = {"view.block": np.array([[block]]), "view.head": np.array([[head]])}
        given = {name: env[name] for name, e in book.plan.items() if e.op == "data"}
        shown = run(book.plan, turned, given)["view.pattern"]
        wanted = env.get(f"h{block}.attn.head{head}.pattern")
        assert (shown == (0 if wanted is None else wanted)).all()


def test_a_workbook_of_one_token_has_a_table_too(sorter: Weights, tmp_path: Path) -> None:
    built = build(sorter, "A", tmp_path / "one.xlsx", Room(tokens=1, fixed=True))  # recalculated by IronCalc
    assert built.engine == "ironcalc"
    assert set(built.env["heads.share"][:, 0]) == {1.0}
