"""Equilibrium networks, penalised regressions and cone programs as layers."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.errors import InputError, SolverError
from tamecheck.layers import (
    elastic_net_layer,
    equilibrium_layer,
    is_monotone,
    lasso_layer,
    support_vector_layer,
)
from tamecheck.layers.conic import conic_layer

X, Y = [[1, 0.5], [0.2, 1], [0.3, -0.4]], (2, 1, 0.5)


@pytest.mark.parametrize(
    ("penalty", "coefficients", "derivative"),
    [
        (0.1, (1.73959742, 0.49009468), (-0.66035484, -0.43758453)),
        (1.0, (1.14527807, 0.0962686), (-0.66035484, -0.43758453)),
        (2.0, (0.30973451, 0), (-0.88495575, 0)),
    ],
)
def test_lasso_to_all_digits(penalty, coefficients, derivative):
    found = lasso_layer(X, Y, penalty)
    assert np.allclose(found.coefficients, coefficients, atol=6e-9, rtol=0)
    assert np.allclose(found.derivative, derivative, atol=6e-9, rtol=0)
    assert not found.edge


def test_soft_threshold_and_its_edge():
    found = lasso_layer(np.eye(3), [3.0, 1.0, -0.5], 1.0)
    assert np.allclose(found.coefficients, [2, 0, 0])
    assert found.edge


def test_elastic_net_and_support_vectors_equal_differences():
    rng = np.random.default_rng(0)
    data = rng.standard_normal((30, 4))
    target = data @ [1, 2, 0, -1] + rng.standard_normal(30)
    eps = 1e-5
    for layer in (
        lambda p: elastic_net_layer(data, target, p, 0.5),
        lambda p: support_vector_layer(data, np.sign(target), p),
    ):
        found = layer(0.3)
        slope = (layer(0.3 + eps).coefficients - layer(0.3 - eps).coefficients) / (2 * eps)
        assert not found.edge
        assert np.allclose(found.derivative, slope, atol=1e-6)


def monotone_weights(seed, size):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, size, size)) / 8
    w = 0.8 * np.eye(size) - a.T @ a + b - b.T
    return w, rng.standard_normal((size, 5)), rng.standard_normal(size), rng


def test_equilibrium_of_64_units_equals_unrolling():
    w, u, b, rng = monotone_weights(0, 64)
    x = rng.standard_normal((4, 5))
    found = equilibrium_layer(w, u, b, x)
    assert found.monotone.holds is True
    assert np.allclose(found.z, np.maximum(found.z @ w.T + x @ u.T + b, 0), atol=1e-10)
    cotangent = rng.standard_normal(found.z.shape)
    # unrolled forward-backward splitting, differentiated by the chain rule in forward mode
    step, z, dz = 0.02, np.zeros((4, 64)), np.zeros((4, 64))
    db = rng.standard_normal(64)
    for _ in range(20_000):
        before = z - step * (z - z @ w.T - x @ u.T - b)
        dz = (before > 0) * (dz - step * (dz - dz @ w.T - db))
        z = np.maximum(before, 0)
    assert np.allclose(z, found.z, atol=1e-9)
    assert np.isclose((dz * cotangent).sum(), found.vjp(cotangent).b @ db, rtol=1e-9)


def test_a_network_that_is_not_monotone_is_refused():
    assert is_monotone(2 * np.eye(3)).holds is False
    with pytest.raises(InputError, match="unique"):
        equilibrium_layer(2 * np.eye(3), np.eye(3), np.zeros(3), np.zeros(3))


def test_cone_programs_equal_differences():
    rng = np.random.default_rng(0)
    cones = [("zero", 1), ("nonnegative", 3), ("second-order", 4)]
    eps = 1e-6
    for _ in range(25):
        root = rng.standard_normal((5, 5))
        quadratic, linear = root @ root.T + 0.1 * np.eye(5), rng.standard_normal(5)
        rows = rng.standard_normal((8, 5))
        right = rows @ rng.standard_normal(5) + np.r_[0, rng.random(3), 2, 0, 0, 0]
        found = conic_layer(quadratic, linear, rows, right, cones)
        if found.distance < 1e-4:
            continue
        cotangent = rng.standard_normal(5)
        gradients = found.vjp(cotangent)
        dq, da, db = rng.standard_normal(5), rng.standard_normal((8, 5)), rng.standard_normal(8)

        def loss(t, data=(quadratic, linear, rows, right), by=(dq, da, db), g=cotangent):
            moved = (a + t * d for a, d in zip(data[1:], by, strict=True))
            return conic_layer(data[0], *moved, cones).x @ g

        slope = (loss(eps) - loss(-eps)) / (2 * eps)
        expected = gradients.q @ dq + (gradients.A * da).sum() + gradients.b @ db
        assert abs(slope - expected) < 1e-6 * (1 + abs(expected))


def test_an_infeasible_cone_program():
    with pytest.raises(SolverError):
        conic_layer(None, [0.0], [[1.0], [-1.0]], [-1.0, -1.0], [("nonnegative", 2)])


def test_descent_through_a_linear_program_circles():
    """Gradient descent stays in a bounded cycle of points that are not critical."""
    path = Path(__file__).parents[2] / "examples" / "limit_cycle.py"
    spec = importlib.util.spec_from_file_location("limit_cycle", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    cycle = example.descent((1.0, 1.0), 4000)[2000:]
    xs, ys = np.array(cycle).T
    assert 0.6 < xs.min() < 0.7
    assert 2.3 < xs.max() < 2.4
    assert 0 < ys.min() < 0.1
    assert 4.9 < ys.max() < 5
    for x, y in cycle:
        a, b = example.follower(x, y)
        assert np.hypot(2 * (x - a), 8 * (y - b)) > 1.38
    found = tc.layers.linear_layer([0, 0], [[1, 0], [0, 1]], [3, 5])
    assert found.jumps
    residual = "a - min(max(a - 3*x + y + 2, 0), 3)"
    on = tc.implicit(residual, unknowns=["a"], at={"a": 0, "x": 1, "y": 1})
    assert on.verdict.value == "refuted"
    assert on.singular.matrix == ((0,),)
