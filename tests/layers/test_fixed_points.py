"""Equilibrium networks and penalised regressions as layers."""

from __future__ import annotations

import numpy as np
import pytest
from corpus import script

import tamecheck as tc
from tamecheck.errors import InputError
from tamecheck.layers import (
    elastic_net_layer,
    equilibrium_layer,
    is_monotone,
    lasso_layer,
    support_vector_layer,
)

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


def test_regressions_are_differentiated_in_their_data():
    rng = np.random.default_rng(1)
    data, target, g = rng.standard_normal((30, 4)), rng.standard_normal(30), rng.standard_normal(4)
    change, shift = rng.standard_normal(data.shape), rng.standard_normal(30)
    labels = np.sign(target)
    net = elastic_net_layer(data, target, 0.7, 0.5).vjp(g)
    machine = support_vector_layer(data, labels, 0.7).vjp(g)
    expected = (
        (net.X * change).sum() + net.y @ shift + net.penalty + 2 * net.ridge,
        (machine.X * change).sum() + machine.penalty,
    )

    def losses(t):
        moved = data + t * change
        return np.array(
            [
                elastic_net_layer(moved, target + t * shift, 0.7 + t, 0.5 + 2 * t).coefficients @ g,
                support_vector_layer(moved, labels, 0.7 + t).coefficients @ g,
            ]
        )

    assert np.allclose((losses(1e-6) - losses(-1e-6)) / 2e-6, expected, atol=1e-7)


def test_regressions_refuse_bad_input():
    with pytest.raises(InputError, match="several solutions"):
        lasso_layer([[1.0, 1.0]], [3.0], 1.0)
    with pytest.raises(InputError, match="positive"):
        lasso_layer(X, Y, 0)
    with pytest.raises(InputError, match="not finite"):
        lasso_layer(X, (np.nan, 1, 1), 1)
    with pytest.raises(InputError, match="shape"):
        lasso_layer(X, (1, 1), 1)
    with pytest.raises(InputError, match="-1 or 1"):
        support_vector_layer(X, (0, 1, 1), 1)


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


def test_a_small_margin_and_a_large_skew_part():
    """Where steps of a gradient method are tiny: the condition of I - W is about 1e4."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 64, 64)) / 8
    w = 0.995 * np.eye(64) - a.T @ a + 4 * (b - b.T)
    x = rng.standard_normal((16, 5))
    found = equilibrium_layer(w, rng.standard_normal((64, 5)), np.ones(64), x)
    assert found.residual < 1e-11


def test_equilibrium_layers_check_shapes_and_numbers():
    with pytest.raises(InputError, match="are needed"):
        equilibrium_layer(np.zeros((2, 2)), np.zeros((2, 3)), np.zeros(2), np.zeros(2))
    with pytest.raises(InputError, match="not finite"):
        equilibrium_layer(np.zeros((1, 1)), [[1.0]], [np.nan], [0.0])


def test_a_network_that_is_not_monotone_is_refused():
    assert is_monotone(2 * np.eye(3)).holds is False
    with pytest.raises(InputError, match="unique"):
        equilibrium_layer(2 * np.eye(3), np.eye(3), np.zeros(3), np.zeros(3))


def test_descent_through_a_linear_program_circles():
    """Gradient descent stays in a bounded cycle of points that are not critical."""
    example = script("examples/limit_cycle.py")
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
