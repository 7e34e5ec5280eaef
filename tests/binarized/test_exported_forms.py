"""What exporters make of binarized networks: comparisons, choices, clips, pooling, and scores."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from tamecheck.binarized import recognise
from tamecheck.binarized.neurons import rational_near, sum_comes_near
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate import exact_values, float_values
from tamecheck.exact.quadratic import root
from tamecheck.explain import network_of
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders.loaded import Loaded
from tamecheck.model import Model
from tamecheck.ops import BY_NAME

ZERO = Fraction(0)

POINTS = np.array(list(itertools.product([-1, 1], repeat=4)), dtype=np.int8)
FIRST = [[1.0, -1, 0.5], [1, 1, 1], [-1, 0.5, 1], [1, 2, -0.5]]
LAST = [[1.0, -2], [0.5, 1], [-1, 1]]


class Drawn:
    """A graph that is drawn step by step, on four inputs."""

    def __init__(self, shape=(1, 4)):
        self.build = GraphBuilder()
        self.value = self.build.input("x", shape)

    def constant(self, numbers):
        return self.build.constant(np.array(numbers, dtype=float))

    def then(self, name, *others, before=(), **params):
        args = [self.constant(x) for x in before] + [self.value]
        args += [self.constant(x) for x in others]
        self.value = self.build.apply(BY_NAME[name], args, **params)
        return self

    def graph(self):
        return self.build.build({"y": self.value})


def decided(graph, point):
    array = np.empty(len(point), dtype=object)
    array[:] = point
    values = exact_values(graph, {"x": array.reshape(graph.inputs["x"])})["y"].reshape(-1).tolist()
    return values.index(max(values))


def agrees(graph, levels=(-1, 1)):
    network = recognise(graph, [levels] * 4)
    expected = [decided(graph, network.point(states)) for states in POINTS]
    assert network.decide(POINTS).tolist() == expected
    assert len(set(expected)) > 1
    return network


def linear():
    return Drawn().then("matmul", FIRST)


# of the sums of the first neuron a quarter are 0, and the threshold 1/2 is met by the third
COMPARED = {
    "less": lambda net: net.then("less", 0.5),
    "less, turned": lambda net: net.then("less", before=[0.5]),
    "less_equal": lambda net: net.then("less_equal", 0),
    "less_equal, turned": lambda net: net.then("less_equal", before=[[0.0, 0.5, 1]]),
    "equal": lambda net: net.then("equal", 0.5),
}


@pytest.mark.parametrize("levels", [(-1, 1), (0, 1)])
@pytest.mark.parametrize("name", COMPARED)
def test_comparisons_are_neurons(name, levels):
    agrees(COMPARED[name](linear()).then("matmul", LAST).graph(), levels)


@pytest.mark.parametrize("name", COMPARED)
def test_a_choice_between_constants_is_affine_in_what_it_rests_on(name):
    drawn = COMPARED[name](linear())
    drawn.value = drawn.build.apply(
        BY_NAME["select"], [drawn.value, drawn.constant([1, -2, 3]), drawn.constant(-1)]
    )
    agrees(drawn.then("matmul", LAST).graph())


def test_a_choice_by_a_number_asks_whether_it_is_zero():
    drawn = linear().then("sign", at_zero=ZERO)
    drawn.value = drawn.build.apply(
        BY_NAME["select"], [drawn.value, drawn.constant([1, -2, 3]), drawn.constant(-1)]
    )
    agrees(drawn.then("matmul", LAST).graph())


def test_a_clip_around_zero_keeps_the_sign():
    clipped = linear().then("clip", lo=Fraction(-1), hi=Fraction(1)).then("sign", at_zero=ZERO)
    agrees(clipped.then("matmul", LAST).graph())


def test_a_clip_beside_zero_does_not():
    clipped = linear().then("clip", lo=ZERO, hi=Fraction(1)).then("sign", at_zero=ZERO)
    with pytest.raises(UnsupportedError, match="clip"):
        recognise(clipped.then("matmul", LAST).graph(), [(-1, 1)] * 4)


def test_a_rectifier_of_signs_is_affine_in_them():
    agrees(linear().then("less", 0.5).then("sub", 0.5).then("relu").then("matmul", LAST).graph())


def test_a_logistic_function_is_compared_with_one_half():
    drawn = linear().then("sigmoid").then("less", before=[0.5]).then("matmul", LAST)
    graph = drawn.graph()
    network = recognise(graph, [(-1, 1)] * 4)
    expected = [
        int(np.argmax(((states @ np.array(FIRST)) > 0) @ np.array(LAST))) for states in POINTS
    ]
    assert network.decide(POINTS).tolist() == expected


def test_a_logistic_function_is_compared_with_nothing_else():
    graph = linear().then("sigmoid").then("less", before=[0.25]).then("matmul", LAST).graph()
    with pytest.raises(UnsupportedError, match="only its side of 1/2"):
        recognise(graph, [(-1, 1)] * 4)


@pytest.mark.parametrize("name", ["reduce_max", "reduce_min"])
def test_pooling_of_signs_is_a_neuron(name):
    drawn = Drawn().then("matmul", [[1.0, -1, 1, 1], [1, 1, 2, -1], [1, -1, 0, 2], [2, 1, 1, 0]])
    drawn.then("sign", at_zero=Fraction(1)).then("reshape", shape=(2, 2))
    agrees(drawn.then(name, axes=(1,), keepdims=False).then("reshape", shape=(1, 2)).graph())


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_and_and_or_are_neurons(name):
    drawn = linear().then("less", 0.5)
    drawn.value = drawn.build.apply(BY_NAME[name], [drawn.value, drawn.constant([0, 1, 0])])
    agrees(drawn.then("matmul", LAST).graph())


def test_constant_indices_move_elements():
    drawn = Drawn()
    build = drawn.build
    indices = build.constant(np.array([3, 0, 0, 2]))
    drawn.value = build.apply(BY_NAME["gather"], [drawn.value, indices], axis=1)
    agrees(drawn.then("matmul", FIRST).then("sign", at_zero=ZERO).then("matmul", LAST).graph())


@pytest.mark.parametrize("where", ["after signs", "of scores"])
def test_different_square_roots_are_rounded_where_that_changes_nothing(where):
    drawn = linear().then("sign", at_zero=ZERO)
    if where == "after signs":
        deviation = drawn.build.apply(BY_NAME["sqrt"], [drawn.constant([2, 3, 5])])
        drawn.value = drawn.build.apply(BY_NAME["div"], [drawn.value, deviation])
        drawn.then("matmul", [[1.0, -1, 1], [1, 1, -1], [1, 1, 1]]).then("sign", at_zero=ZERO)
        drawn.then("matmul", LAST)
    else:
        drawn.then("matmul", LAST)
        deviation = drawn.build.apply(BY_NAME["sqrt"], [drawn.constant([2, 3])])
        drawn.value = drawn.build.apply(BY_NAME["div"], [drawn.value, deviation])
        drawn.then("add", [0.25, 0])
    graph = drawn.graph()
    network = recognise(graph, [(-1, 1)] * 4)
    # no two scores are nearer than a hundredth, so that floats decide
    scores = [float_values(graph, {"x": s[None].astype(float)})["y"].reshape(-1) for s in POINTS]
    assert min(abs(a - b) for a, b in scores) > 0.01
    assert network.decide(POINTS).tolist() == [int(np.argmax(s)) for s in scores]


def test_what_rounding_may_change_is_refused():
    drawn = Drawn().then("matmul", [[1, 1, 1, -1], [1, -1, 1, 1], [1, 1, -1, 1], [1, 2, 3, 4]])
    drawn.then("sign", at_zero=Fraction(1))
    deviation = drawn.build.apply(BY_NAME["sqrt"], [drawn.constant([2, 2, 3, 3])])
    drawn.value = drawn.build.apply(BY_NAME["div"], [drawn.value, deviation])
    # a sum of all four may be 0, and no rounded one shows that
    graph = drawn.then("matmul", np.ones((4, 2))).then("sign", at_zero=ZERO).graph()
    with pytest.raises(UnsupportedError, match="too near to 0"):
        recognise(graph, [(-1, 1)] * 4)


def test_more_square_roots_than_can_be_compared_are_refused():
    build = GraphBuilder()
    x = build.input("x", (1, 40))
    deviation = build.apply(BY_NAME["sqrt"], [build.constant(np.arange(40) * 10.0 + 2)])
    z = build.apply(BY_NAME["div"], [x, deviation])
    z = build.apply(BY_NAME["matmul"], [z, build.constant(np.ones((40, 2)))])
    graph = build.build({"y": build.apply(BY_NAME["sign"], [z], at_zero=ZERO)})
    with pytest.raises(UnsupportedError, match="more than 36 terms"):
        recognise(graph, [(-1, 1)] * 40)


def test_square_roots_are_rounded_closely():
    for number in (2, 3, Fraction(1, 7)):
        assert abs(rational_near(root(Fraction(number))) ** 2 - number) < Fraction(1, 2**190)


def test_sums_of_states_come_near_a_value():
    row = np.array([3, -5, 0, 9])
    sums = {3 * a - 5 * b + 9 * c for a, b, c in itertools.product([-1, 1], repeat=3)}
    for value in range(-20, 21):
        assert sum_comes_near(row, Fraction(value), Fraction(value)) is (value in sums)
    assert sum_comes_near(np.ones(60, dtype=np.int64), Fraction(-1), Fraction(1)) is None


@pytest.mark.parametrize("last", [False, True])
def test_the_index_of_the_largest_score_decides(last):
    scores = linear().then("sign", at_zero=ZERO).then("matmul", LAST)
    expected = network_of(scores.graph(), (-1, 1)).decide(POINTS)
    drawn = scores.then("argmax", axis=1, keepdims=False, last=last)
    model = Model(Loaded(drawn.graph(), "json", "here"))
    if last:
        with pytest.raises(UnsupportedError, match="argmax"):
            network_of(model, (-1, 1))
        return
    assert network_of(model, (-1, 1)).decide(POINTS).tolist() == expected.tolist()


def test_a_probability_decides_by_one_half():
    drawn = linear().then("sign", at_zero=ZERO).then("matmul", [[1.0], [1], [-1]])
    expected = network_of(drawn.graph(), (-1, 1)).decide(POINTS)
    model = Model(Loaded(drawn.then("sigmoid").graph(), "json", "here"))
    assert network_of(model, (-1, 1)).decide(POINTS).tolist() == expected.tolist()
