"""The course, part Perceptron and learning: what the source material tells, and oracles of another hand."""

from __future__ import annotations

import zipfile
from math import exp, pi, sqrt, tanh

import numpy as np
import pytest

from sheetgpt.course.backprop import BACKPROP
from sheetgpt.course.demo import Demo
from sheetgpt.course.hiker import HIKER
from sheetgpt.course.layer import LAYER
from sheetgpt.course.neuron import NEURON
from sheetgpt.course.parabola import PARABOLA
from sheetgpt.course.product import PRODUCT
from sheetgpt.course.zoo import ZOO
from tests.knobs import Knobs, needs_office

PART = (NEURON, ZOO, PRODUCT, LAYER, PARABOLA, HIKER, BACKPROP)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Knobs:
    return Knobs(PART, tmp_path_factory.mktemp("perceptron"))


@pytest.mark.parametrize("demo", PART, ids=[demo.name for demo in PART])
def test_no_knob_makes_an_error_or_breaks_a_law(demo: Demo, book: Knobs) -> None:
    assert len(book.of(demo)) >= 2
    assert list(book.errors(demo)) == []


@needs_office
@pytest.mark.parametrize("demo", PART, ids=[demo.name for demo in PART])
def test_nor_does_it_in_libreoffice(demo: Demo, book: Knobs) -> None:
    assert list(book.office_errors(demo)) == []


# ---- neuron, zoo, product, layer ---------------------------------------------------------------------------


def test_a_neuron_adds_up_and_fires_beyond_its_threshold(book: Knobs) -> None:
    """Items H1 to H4."""
    assert book.at("neuron.sum") == pytest.approx(1 * 0.6 + 1 * 0.8 - 0.5 * 1.0)
    assert book.at("neuron.z") == pytest.approx(0.4)
    assert (book.at("neuron.fires"), book.at("neuron.out")) == (1, pytest.approx(0.4))
    silent = {"neuron.threshold": 0.95}
    assert (book.at("neuron.fires", silent), book.at("neuron.out", silent)) == (0, 0)
    alone, free = {"neuron.x[1,0]": 0.0}, {"neuron.x[1,0]": 0.0, "neuron.x[2,0]": 0.0}  # as the lesson's answer says
    assert (book.at("neuron.fires", alone), book.at("neuron.fires", free)) == (0, 1)
    just = {"neuron.x": 1.0, "neuron.w": 0.25, "neuron.threshold": 0.75}  # reached, not passed
    assert (book.at("neuron.fires", just), book.at("neuron.out", just)) == (0, 0)
    axis = book.given("neuron.axis")[:, 0].tolist()
    assert book.at("neuron.curve")[:, 0].tolist() == [max(0, a - 0.5) for a in axis]
    assert book.at("neuron.step")[:, 0].tolist() == [float(a > 0.5) for a in axis]


def test_a_layer_is_fully_connected(book: Knobs) -> None:
    """Item H7: a weight for each input of each neuron, and each of them counts."""
    assert book.at("neuron.count") == 12
    x, w, b = (book.given(f"neuron.{name}") for name in ("x", "weights", "biases"))
    sums = [sum(x[i, 0] * w[i, j] for i in range(3)) + b[0, j] for j in range(4)]
    np.testing.assert_allclose(book.at("neuron.outs")[0], [max(0, z) for z in sums], atol=1e-12)
    for i in range(3):
        for j in range(4):
            moved = book.at("neuron.sums", {f"neuron.weights[{i},{j}]": 7.0}) != book.at("neuron.sums")
            assert moved[0].tolist() == [k == j for k in range(4)]


def test_the_zoo_is_what_its_names_say(book: Knobs) -> None:
    """Item H5."""
    rules = {
        "relu": lambda x: max(0, x),
        "leaky": lambda x: max(0.1 * x, x),
        "sigmoid": lambda x: 1 / (1 + exp(-x)),
        "tanh": lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)),
        "gelu": lambda x: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x))),
    }
    axis = book.given("zoo.axis")[:, 0].tolist()
    assert (min(axis), max(axis)) == (-4, 4)
    for name, rule in rules.items():
        np.testing.assert_allclose(book.at(f"zoo.{name}")[:, 0], [rule(x) for x in axis], atol=1e-12)
        assert book.at(f"zoo.{name}_now", {"zoo.x": -0.75}) == pytest.approx(rule(-0.75))
    assert book.at("zoo.gelu_now", {"zoo.x": 1.0}) == pytest.approx(0.8412, abs=5e-5)  # GPT-2's GELU of 1
    assert len(ZOO.plots) == 1
    assert {line.values for line in ZOO.plots[0].lines} >= {f"zoo.{name}" for name in rules}


def test_a_picked_cell_of_the_product_is_its_row_times_its_column(book: Knobs) -> None:
    """Item H10."""
    left, right = book.given("product.left").tolist(), book.given("product.right").tolist()
    for i in range(3):
        for j in range(3):
            picked = {"product.row": float(i), "product.column": float(j)}
            column = [row[j] for row in right]
            times = [a * b for a, b in zip(left[i], column, strict=True)]
            assert book.at("product.a", picked)[:, 0].tolist() == left[i]
            assert book.at("product.b", picked)[:, 0].tolist() == column
            assert book.at("product.times", picked)[:, 0].tolist() == times
            assert book.at("product.upto", picked)[-1] == sum(times) == book.at("product.sum", picked)
            assert book.at("product.whole")[i, j] == sum(times) == book.at("product.entry", picked)


def test_the_picked_cell_its_row_and_its_column_are_marked(book: Knobs) -> None:
    with zipfile.ZipFile(book.written["product"].path) as file:
        sheets = [file.read(name).decode() for name in file.namelist() if "worksheets/sheet" in name]
    (xml,) = (xml for xml in sheets if "product.j" in xml)
    for name, rule in (("left", "ROW()-{r}=product.i"), ("right", "COLUMN()-{c}=product.j")):
        box = book.box(f"product.{name}")
        assert f"<formula>{rule.format(r=box.row + 1, c=box.col + 1)}</formula>" in xml
    box = book.box("product.whole")
    both = f"AND(ROW()-{box.row + 1}=product.i,COLUMN()-{box.col + 1}=product.j)"
    assert f"<formula>{both}</formula>" in xml


def test_two_neurons_are_the_columns_of_a_matrix_product(book: Knobs) -> None:
    """Item H9."""
    x, w, b = (book.given(f"layer.{name}").tolist() for name in ("x", "w", "b"))
    sums = [[sum(row[i] * w[i][j] for i in range(3)) + b[0][j] for j in range(2)] for row in x]
    np.testing.assert_allclose(book.at("layer.pre"), sums, atol=1e-12)
    np.testing.assert_allclose(np.hstack([book.at("layer.one"), book.at("layer.two")]), sums, atol=1e-12)
    np.testing.assert_allclose(book.at("layer.post"), np.maximum(sums, 0), atol=1e-12)


# ---- parabola ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 8, 13, 200])
def test_n_neurons_are_straight_pieces(n: int, book: Knobs) -> None:
    """Items H11, H12, H15 and H16, against numpy's own interpolation."""
    knots, picked = np.linspace(-2, 2, n + 1), {"parabola.pick": float(n)}
    x = book.given("parabola.x")[:, 0]
    wanted = np.interp(x, knots, knots**2)
    np.testing.assert_allclose(book.at("parabola.curve", picked)[:, 0], wanted, atol=1e-11)
    assert book.at("parabola.mse", picked) == pytest.approx(np.mean((wanted - x * x) ** 2), rel=1e-6, abs=1e-15)
    assert np.count_nonzero(book.at("parabola.bend", picked)) in (n, n - 1)  # n - 1 where a piece begins flat


def test_the_error_falls_with_every_neuron_that_counts(book: Knobs) -> None:
    """Items H14 to H16: mean squared error of 2, 8 and 200 neurons."""
    two, eight, many = book.at("parabola.errors")[1:, 0]
    assert two > 100 * eight > 100_000 * many > 0
    assert (two, eight, many) == pytest.approx((16 / 30, 1 / 480, 0.02**4 / 30), rel=0.1)  # of all x: h**4 / 30
    errors = [book.at("parabola.mse", {"parabola.pick": float(n)}).item() for n in (2, 4, 8, 16, 64, 200)]
    assert errors == sorted(errors, reverse=True)


def test_a_flipped_relu_matches_the_other_half(book: Knobs) -> None:
    """Item H13, and the knobs of two neurons by hand (H12)."""
    x = book.given("parabola.x")[:, 0]
    one, two, both = (book.at(f"parabola.{name}")[:, 0] for name in ("one", "two", "both"))
    assert (one[x < 0] == 0).all()
    assert (two[x > 0] == 0).all()
    np.testing.assert_allclose(both, 2 * np.abs(x), atol=1e-12)
    assert book.at("parabola.hand_mse") == pytest.approx(np.mean((2 * np.abs(x) - x * x) ** 2))
    knobs = {"parabola.hand[0,0]": 1.5, "parabola.hand[0,1]": -0.3, "parabola.hand[1,2]": 2.5, "parabola.offset": 0.1}
    wanted = 0.1 + 2 * np.clip(1.5 * x - 0.3, 0, None) + 2.5 * np.clip(-x, 0, None)
    np.testing.assert_allclose(book.at("parabola.both", knobs)[:, 0], wanted, atol=1e-12)


# ---- hiker -------------------------------------------------------------------------------------------------


def walked(start: float, rate: float) -> list[float]:
    places, x = [], start
    for _ in range(21):
        places.append(x)
        x = min(4.0, max(-4.0, x - rate * (0.2 * x * x * x - 0.8 * x + 0.1)))
    return places


@pytest.mark.parametrize(
    ("start", "rate", "status"),
    [
        (3.5, 0.3, "arrived"),
        (-3.0, 0.3, "arrived"),
        (3.5, 0.01, "still walking"),
        (3.5, 2.0, "lost at the edge"),
        (3.5, -1.0, "lost at the edge"),
    ],
)
def test_the_hiker_walks_down_or_gets_lost_by_his_rate(start: float, rate: float, status: str, book: Knobs) -> None:
    """Items H20 and H23."""
    knobs = {"hiker.start": start, "hiker.rate": rate}
    np.testing.assert_allclose(book.at("hiker.walk", knobs)[:, 0], walked(start, rate), atol=1e-9)
    assert book.texts("hiker.status", knobs) == [status]
    assert (book.at("hiker.arrived", knobs).item() >= 0) == (status == "arrived")


def test_the_hiker_rests_at_a_minimum(book: Knobs) -> None:
    """Items H21 to H23: which of two valleys depends on where he starts."""
    minima = sorted(np.roots([0.2, 0, -0.8, 0.1]).real)
    for start, valley in ((3.5, minima[2]), (-3.0, minima[0])):
        x, slope, height = book.at("hiker.walk", {"hiker.start": start})[-1]
        assert x == pytest.approx(valley, abs=1e-3)
        assert abs(slope) < 0.01
        assert height == pytest.approx(np.polyval([0.05, 0, -0.4, 0.1, 1], x))
    arrived = int(book.at("hiker.arrived").item())
    slopes = np.abs(book.at("hiker.walk")[:, 1])
    assert slopes[arrived] < 0.01 <= slopes[:arrived].min()


def test_the_ground_at_a_step_is_that_of_the_walk(book: Knobs) -> None:
    """Item H22."""
    for typed, step in ((-5, 0), (1, 1), (3.9, 3), (99, 20)):
        knobs = {"hiker.pick": float(typed)}
        x, slope, height = book.at("hiker.walk")[step]
        assert book.at("hiker.ground", knobs).tolist() == [[x, slope, height]]
        ends = [[x - 1, height - slope], [x + 1, height + slope]]
        np.testing.assert_allclose(book.at("hiker.tangent", knobs), ends, atol=1e-12)


# ---- backpropagation ---------------------------------------------------------------------------------------


def loss(theta: np.ndarray, x: tuple[float, float], target: float) -> complex:
    a = np.tanh(x[0] * theta[0] + x[1] * theta[2] + theta[4])
    b = np.tanh(x[0] * theta[1] + x[1] * theta[3] + theta[5])
    return (a * theta[6] + b * theta[7] + theta[8] - target) ** 2 / 2


@pytest.mark.parametrize(("x", "target"), [((1.0, 0.5), 1.0), ((-0.7, 2.0), -1.5), ((0.0, 0.0), 0.3)])
def test_slopes_by_formula_are_those_of_the_loss(x: tuple[float, float], target: float, book: Knobs) -> None:
    """Item H18. A complex step has no rounding: the slope is exact to the last digits."""
    knobs = {"backprop.typed[0,0]": x[0], "backprop.typed[0,1]": x[1], "backprop.target": target}
    theta = book.given("backprop.theta")[:, 0]
    exact = [loss(theta + 1e-30j * row, x, target).imag / 1e-30 for row in np.eye(9)]
    np.testing.assert_allclose(book.at("backprop.gradient", knobs)[:, 0], exact, atol=1e-13)
    np.testing.assert_allclose(book.at("backprop.numeric", knobs)[:, 0], exact, atol=1e-7)
    assert book.at("backprop.loss", knobs) == pytest.approx(loss(theta, x, target))
    learned = book.at("backprop.learned", knobs)[:, 0]
    np.testing.assert_allclose(learned, theta - 0.5 * np.array(exact), atol=1e-13)
    assert book.at("backprop.loss_then", knobs) == pytest.approx(loss(learned, x, target))


def test_a_step_of_learning_lowers_the_loss(book: Knobs) -> None:
    for rate in (0.01, 0.1, 0.5):
        knobs = {"backprop.rate": rate}
        assert book.at("backprop.loss_then", knobs) < book.at("backprop.loss", knobs)
