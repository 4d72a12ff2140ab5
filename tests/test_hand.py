"""The tabs that do by hand what the others do by matrix: held to numpy's own products and to the model's logits."""

from __future__ import annotations

import numpy as np
import pytest

from sheetgpt.build import evaluated
from sheetgpt.models.weights import Weights
from sheetgpt.plan.hand import LEFT, RIGHT, SHOWN


def test_every_number_of_the_product_is_a_line_of_products(tiny: Weights) -> None:
    _, env = evaluated(tiny, "the cat")
    assert (env["matmul.product"] == np.array(LEFT) @ np.array(RIGHT)).all()
    assert env["matmul.sums"][:, 0].tolist() == [58, 64, 139, 154]  # worked out on paper
    assert env["matmul.products"][0].tolist() == [7, 18, 33]


@pytest.mark.parametrize("name", ["tiny", "untied"])
def test_products_add_up_to_the_largest_logit(name: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(name)
    _, env = evaluated(model, "the")
    assert env["hand.logit"][0, 0] == pytest.approx(env["logits"].max(), abs=1e-12)
    assert (env["hand.w"][0] == model[model.config.head_name][env["logits"].argmax()]).all()


def test_tokens_stand_in_columns(tiny: Weights) -> None:
    _, env = evaluated(tiny, "the")
    rows = tiny["wte"][env["prompt.ids"][:, 0].astype(int)]
    assert (env["hand.columns"] == rows[:, :SHOWN].T).all()
