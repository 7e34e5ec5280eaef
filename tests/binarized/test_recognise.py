"""Graphs read as threshold networks: equal to the model on every input, or refused by name."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.binarized import recognise
from tamecheck.errors import UnsupportedError
from tamecheck.exact.quadratic import QuadraticNumber, ceiling, root, sign
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ops import BY_NAME


def network_of(at_zero, weights, readout, variance=None):
    build = GraphBuilder()
    x = build.input("x", (1, len(weights)))
    z = build.apply(BY_NAME["matmul"], [x, build.constant(np.array(weights, dtype=float))])
    if variance is not None:
        deviation = build.apply(BY_NAME["sqrt"], [build.constant(np.array(variance))])
        z = build.apply(BY_NAME["div"], [z, deviation])
    h = build.apply(BY_NAME["sign"], [z], at_zero=Fraction(at_zero))
    y = build.apply(BY_NAME["matmul"], [h, build.constant(np.array(readout, dtype=float))])
    return build.build({"y": y})


@pytest.mark.parametrize("at_zero", [-1, 0, 1])
@pytest.mark.parametrize("variance", [None, [2.0, 3.0]])
@pytest.mark.parametrize("levels", [(-1, 1), (0, 1), (Fraction(1, 2), 2)])
def test_every_input_is_decided_as_the_model_does(at_zero, variance, levels):
    # the first neuron's sum is 0 on half of the ±1 inputs, so all three values of sign occur
    graph = network_of(at_zero, [[1, 0.5], [1, -0.25], [0, 1]], [[1, 2, 0], [2, -1, 1]], variance)
    network = recognise(graph, [levels] * 3)
    for states in itertools.product([-1, 1], repeat=3):
        x = np.array(network.point(states), dtype=object)
        z = [x[0] + x[1], x[0] / 2 - x[1] / 4 + x[2]]
        h = [(v > 0) - (v < 0) or at_zero for v in z]
        y = [h[0] + 2 * h[1], 2 * h[0] - h[1], h[1]]
        assert network.decide(np.array([states]))[0] == y.index(max(y))


def test_a_rectifier_is_refused_by_name():
    with pytest.raises(UnsupportedError, match=r"maximum|relu"):
        recognise(tc.expression("max(x, 0)").graph, [(-1, 1)])


def test_square_roots_are_compared_exactly():
    near = root(Fraction(2)) - Fraction(665857, 470832)
    assert sign(near) == -1
    assert ceiling(root(Fraction(2)) * 10**9) == 1414213563
    assert ceiling(-root(Fraction(2))) == -1
    assert ceiling(Fraction(-3)) == -3
    assert root(Fraction(9, 4)) == Fraction(3, 2)
    assert isinstance(near, QuadraticNumber)
    assert root(Fraction(2)) * root(Fraction(2)) == 2


@pytest.mark.parametrize(("name", "threshold"), [("less", 1), ("less_equal", 0)])
def test_a_comparison_keeps_the_form_that_certificates_name(name, threshold):
    # the hash of the network stands in certificates
    build = GraphBuilder()
    x = build.input("x", (1, 2))
    sums = build.apply(BY_NAME["matmul"], [x, build.constant(np.array([[1.0], [2.0]]))])
    y = build.apply(BY_NAME[name], [sums, build.constant(np.zeros((1, 1)))])
    network = recognise(build.build({"y": y}), [(-1, 1)] * 2)
    assert network.layers[0].weights.tolist() == [[-1, -2]]
    assert network.layers[0].thresholds.tolist() == [threshold]
