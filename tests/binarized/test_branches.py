"""Paddings, concatenations, convolution-like products and sums of branches, read exactly."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from tamecheck.binarized import recognise
from tamecheck.evaluate import exact_values
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ops import BY_NAME

ZERO = Fraction(0)


def decided(graph, name, point):
    array = np.empty(len(point), dtype=object)
    array[:] = point
    shape = graph.inputs[name]
    values = exact_values(graph, {name: array.reshape(shape)})["y"].reshape(-1).tolist()
    return values.index(max(values))


def convolution():
    """A padded convolution along a line, less a branch beside it, and a sum over places."""
    build = GraphBuilder()
    x = build.input("x", (1, 4))
    padded = build.apply(BY_NAME["pad"], [x], before=(0, 1), after=(0, 1), value=Fraction(1, 2))
    windows = [
        build.apply(
            BY_NAME["reshape"],
            [build.apply(BY_NAME["slice"], [padded], starts=(0, k), steps=(1, 1), sizes=(1, 4))],
            shape=(4, 1),
        )
        for k in range(3)
    ]
    columns = build.apply(BY_NAME["concat"], windows, axis=1)
    kernel = build.constant(np.array([[1.0, -0.5], [2.0, 1.0], [-1.0, 1.5]]))
    convolved = build.apply(BY_NAME["matmul"], [columns, kernel])
    mixed = build.apply(BY_NAME["matmul"], [x, build.constant(np.ones((4, 8)) * 0.25)])
    beside = build.apply(BY_NAME["reshape"], [mixed], shape=(4, 2))
    z = build.apply(BY_NAME["sub"], [convolved, beside])
    h = build.apply(BY_NAME["sign"], [z], at_zero=Fraction(0))
    pooled = build.apply(BY_NAME["sum"], [h], axes=(0,), keepdims=True)
    y = build.apply(BY_NAME["matmul"], [pooled, build.constant(np.array([[1.0, 0], [0.5, 1]]))])
    return build.build({"y": y})


@pytest.mark.parametrize("levels", [(-1, 1), (0, 1)])
def test_a_convolution_is_decided_as_the_model_does(levels):
    graph = convolution()
    network = recognise(graph, [levels] * 4)
    points = np.array(list(itertools.product([-1, 1], repeat=4)), dtype=np.int8)
    ours = network.decide(points).tolist()
    assert ours == [decided(graph, "x", network.point(states)) for states in points]
    assert len(set(ours)) == 2


def test_several_scalar_inputs_are_one_vector():
    build = GraphBuilder()
    a, b = build.input("a", ()), build.input("b", ())
    z = build.apply(BY_NAME["sub"], [a, b])
    network = recognise(build.build({"y": z}), [(-1, 1)] * 2)
    points = np.array(list(itertools.product([-1, 1], repeat=2)), dtype=np.int8)
    # a - b is positive at (1, -1) only
    assert network.decide(points).tolist() == [0, 0, 1, 0]


def test_branches_of_different_depth_meet():
    build = GraphBuilder()
    x = build.input("x", (1, 3))
    w = build.constant(np.array([[1.0, 1.0, 2], [1.0, -1.0, 1], [0.5, 1, -1]]))
    first = build.apply(BY_NAME["sign"], [build.apply(BY_NAME["matmul"], [x, w])], at_zero=ZERO)
    again = build.apply(BY_NAME["matmul"], [first, w])
    second = build.apply(BY_NAME["sign"], [again], at_zero=Fraction(1))
    beside = build.apply(BY_NAME["step"], [build.apply(BY_NAME["neg"], [x])], at_zero=ZERO)
    half = build.constant(np.array(0.5))
    skipped = build.apply(BY_NAME["mul"], [build.apply(BY_NAME["add"], [first, beside]), half])
    total = build.apply(BY_NAME["sub"], [build.apply(BY_NAME["add"], [second, skipped]), x])
    graph = build.build({"y": total})
    network = recognise(graph, [(-1, 1)] * 3)
    points = np.array(list(itertools.product([-1, 1], repeat=3)), dtype=np.int8)
    ours = network.decide(points).tolist()
    assert ours == [decided(graph, "x", network.point(states)) for states in points]
    assert len(set(ours)) > 1


def test_neurons_beside_each_other_are_one_layer():
    build = GraphBuilder()
    x = build.input("x", (1, 3))
    parts = []
    for weights in ([[1.0], [2], [-1]], [[1.0], [-1], [1]]):
        z = build.apply(BY_NAME["matmul"], [x, build.constant(np.array(weights))])
        parts.append(build.apply(BY_NAME["sign"], [z], at_zero=ZERO))
    graph = build.build({"y": build.apply(BY_NAME["concat"], parts, axis=1)})
    network = recognise(graph, [(-1, 1)] * 3)
    assert len(network.layers) == 1
    points = np.array(list(itertools.product([-1, 1], repeat=3)), dtype=np.int8)
    expected = [decided(graph, "x", network.point(states)) for states in points]
    assert network.decide(points).tolist() == expected
    assert set(expected) == {0, 1}
