"""The sorter sorts every word of six letters, by the reference and by the plan."""

from __future__ import annotations

from itertools import product

import numpy as np

from sheetgpt.generate import generate_ids
from sheetgpt.models.reference import greedy
from sheetgpt.models.weights import Weights


def test_729_of_729(sorter: Weights) -> None:
    c = sorter.config
    right = 0
    for word in product(range(3), repeat=6):
        out = greedy(sorter, list(word), 6, c.n_ctx, n_layer=c.n_layer, n_head=c.n_head, eps=c.eps)
        right += out == sorted(word)
    assert right == 729


def test_the_plan_sorts_as_the_reference_does(sorter: Weights) -> None:
    for seed in range(12):
        word = np.random.default_rng(seed).choice(list("ABC"), 6)
        assert list(generate_ids(sorter, "".join(word), 6)) == sorted("ABC".index(letter) for letter in word)
