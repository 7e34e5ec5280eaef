"""Clarke's definition by brute force: limits of gradients at 10,000 points near a kink."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tamecheck.derivative import gradient, jacobian
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.ops import BY_NAME

SEEDS = range(12)


def composed(seed):
    """A network whose parts tie at 0, by small integer weights and random continuous folds."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder()
    value = builder.input("x", (2,))
    width = 2
    for _ in range(2):
        size = int(rng.integers(3, 5))
        weights = builder.constant(rng.integers(-2, 3, (width, size)))
        value = builder.apply(BY_NAME["matmul"], [value, weights])
        match rng.choice(["relu", "abs", "leaky_relu", "clip", "max", "pool"]):
            case "leaky_relu":
                alpha = Fraction(1, 4)
                value = builder.apply(BY_NAME["leaky_relu"], [value], alpha=alpha)
            case "clip":
                value = builder.apply(BY_NAME["clip"], [value], lo=Fraction(-1), hi=Fraction(0))
            case "max":
                mirrored = builder.apply(BY_NAME["neg"], [value])
                half = builder.constant(np.array(0.5))
                value = builder.apply(
                    BY_NAME["maximum"], [value, builder.apply(BY_NAME["mul"], [mirrored, half])]
                )
            case "pool":
                value = builder.apply(BY_NAME["reduce_max"], [value], axes=(0,), keepdims=True)
                size = 1
            case name:
                value = builder.apply(BY_NAME[str(name)], [value])
        width = size
    last = builder.constant(rng.integers(-2, 3, (width,)))
    return builder.build({"y": builder.apply(BY_NAME["matmul"], [value, last])})


def nearby_gradients(graph):
    """The distinct gradients at points around 0, none of them on a kink with weights this small."""
    angles = (np.arange(10_000) + 1 / math.pi) * (2 * math.pi / 10_000)
    points = 1e-3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return {tuple(row) for row in gradient(graph, points).tolist()}


def extreme(points):
    """The vertices of the hull of rational points of the plane (Andrew's monotone chain)."""
    found = sorted({tuple(Fraction(x) for x in p) for p in points})
    if len(found) < 3:
        return set(found)

    def half(order):
        chain = []
        for p in order:
            while len(chain) > 1 and turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        return chain[:-1]

    return set(half(found) + half(found[::-1]))


def turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_bouligand_and_clarke_sets_are_the_limits_of_gradients(seed):
    graph = composed(seed)
    near = {tuple(Fraction(x) for x in row) for row in nearby_gradients(graph)}
    bouligand = jacobian(graph, {"x": [0, 0]}, "bouligand")
    assert {matrix[0] for matrix in bouligand.vertices} == near
    clarke = jacobian(graph, {"x": [0, 0]})
    assert {matrix[0] for matrix in clarke.vertices} == extreme(near)


def test_most_of_the_networks_have_a_kink_there():
    kinked = [seed for seed in SEEDS if len(nearby_gradients(composed(seed))) > 1]
    assert len(kinked) >= len(SEEDS) // 2


def test_khan_and_barton():
    # by hand, the pieces that are active near 0 are x, -y and y - x
    graph = parse_expression("max(min(x, -y), y - x)").graph
    found = jacobian(graph, {"x": 0, "y": 0})
    near = {tuple(Fraction(x) for x in row) for row in nearby_gradients(graph)}
    assert near == {(1, 0), (0, -1), (-1, 1)}
    assert {matrix[0] for matrix in found.vertices} == near
