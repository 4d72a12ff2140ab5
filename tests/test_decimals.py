"""float32 as decimals, against a printer and a parser by other hands: orjson's text, and numpy's."""

from __future__ import annotations

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sheetgpt.models.decimals import decimals

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, max_side=7)


def read_back(x: np.ndarray) -> np.ndarray:
    """The float64 numbers that orjson's text of float32 numbers stands for."""
    return np.array(orjson.loads(orjson.dumps(x.ravel(), option=orjson.OPT_SERIALIZE_NUMPY)), np.float64)


def check(x: np.ndarray) -> None:
    found = decimals(x)
    assert found.dtype == np.float64
    assert found.shape == x.shape
    assert (found.ravel().view(np.uint64) == read_back(x).view(np.uint64)).all()
    assert (found.astype(np.float32).view(np.uint32) == x.view(np.uint32)).all()


@settings(deadline=None, max_examples=300)
@given(arrays.arrays(np.float32, SHAPES, elements=FLOATS))
def test_any_float32_is_its_shortest_text(x: np.ndarray) -> None:
    check(x)


@settings(deadline=None)
@given(FLOATS)
def test_the_text_is_numpys_too(x: float) -> None:
    assert decimals(np.float32([x]))[0] == float(str(np.float32(x)))


@pytest.mark.parametrize("sign", [1, -1])
def test_every_power_of_two_and_its_neighbours(sign: int) -> None:
    """Where the gap to the number below is half of that to the number above."""
    powers = np.ldexp(np.float32(sign), np.arange(-149, 127)).astype(np.float32)
    check(np.concatenate([powers, np.nextafter(powers, np.float32(1e38)), np.nextafter(powers, np.float32(-1e38))]))


def test_every_power_of_ten_and_its_neighbours() -> None:
    powers = np.float32([float(f"1e{k}") for k in range(-45, 39)])
    check(np.concatenate([powers, np.nextafter(powers, np.float32(0)), np.nextafter(powers, np.float32(1e38))]))


@pytest.mark.parametrize("spread", [0.02, 1.0, 1e-12, 1e6, 1e20])
def test_many_random_numbers(spread: float) -> None:
    check((np.random.default_rng(0).standard_normal(100_000) * spread).astype(np.float32))


def test_random_bits() -> None:
    x = np.random.default_rng(1).integers(0, 1 << 32, 300_000, dtype=np.uint32).view(np.float32)
    check(x[np.isfinite(x)])


def test_what_a_decimal_is() -> None:
    assert decimals(np.float32([0.1, 1 / 3, -0.0, 16_777_217])).tolist() == [0.1, 0.33333334, 0, 16_777_216]
    assert np.signbit(decimals(np.float32([-0.0]))[0])
