"""Cone programs as layers."""

from __future__ import annotations

import numpy as np
import pytest

from tamecheck.errors import InputError, SolverError
from tamecheck.layers import conic_layer
from tamecheck.layers.conic import projection

CONES = [("zero", 1), ("nonnegative", 3), ("second-order", 4), ("semidefinite", 3)]
INSIDE = np.array([0, 0.3, 0.6, 0.9, 2, 0, 0, 0, 0.5, 0.1, 0.4])


def test_programs_with_all_cones_equal_differences():
    rng = np.random.default_rng(0)
    smooth = 0
    for _ in range(25):
        root = rng.standard_normal((5, 5))
        rows = rng.standard_normal((11, 5))
        data = (
            root @ root.T + 0.1 * np.eye(5),
            3 * rng.standard_normal(5),
            rows,
            rows @ rng.standard_normal(5) + INSIDE,
        )
        found = conic_layer(*data, CONES)
        if found.distance < 1e-3:
            continue
        smooth += 1
        g, by = rng.standard_normal(5), [rng.standard_normal(a.shape) for a in data]
        by[0] = by[0] + by[0].T
        gradients = found.vjp(g)
        up, down = (
            conic_layer(*(a + t * d for a, d in zip(data, by, strict=True)), CONES).x @ g
            for t in (1e-6, -1e-6)
        )
        slope = (up - down) / 2e-6
        expected = sum((getattr(gradients, n) * d).sum() for n, d in zip("PqAb", by, strict=True))
        assert abs(slope - expected) < 1e-6 * (1 + abs(expected))
    assert smooth >= 20


def test_the_nearest_semidefinite_matrix_by_hand():
    """Of diag(2, -1), turned by 45 degrees: the eigenvalue -1 becomes 0."""
    given = np.array([0.5, 1.5 * np.sqrt(2), 0.5])
    nearest, derivative = projection("semidefinite", given)
    assert np.allclose(nearest, [1, np.sqrt(2), 1])
    found = conic_layer(np.eye(3), -given, -np.eye(3), np.zeros(3), [("semidefinite", 3)])
    assert np.allclose(found.x, nearest)
    assert np.allclose([-found.vjp(unit).q for unit in np.eye(3)], derivative)
    assert np.isclose(found.distance, 1)


def test_a_kink_is_flagged():
    found = conic_layer(np.eye(2), [0.0, 1.0], -np.eye(2), np.zeros(2), [("nonnegative", 2)])
    assert found.weakly_active


def test_a_solution_that_is_not_unique_is_refused():
    """min x on 0 <= x: y is free in [0, 1]."""
    rows, right = [[-1.0, 0], [0, -1], [0, 1]], [0.0, 0, 1]
    found = conic_layer(None, [1.0, 0], rows, right, [("nonnegative", 3)])
    with pytest.raises(InputError, match="not unique"):
        found.vjp([1.0, 0])


def test_bad_input():
    with pytest.raises(SolverError, match="infeasible"):
        conic_layer(None, [0.0], [[1.0], [-1.0]], [-1.0, -1.0], [("nonnegative", 2)])
    with pytest.raises(SolverError, match="DualInfeasible"):
        conic_layer(None, [-1.0], [[-1.0]], [0.0], [("nonnegative", 1)])
    one = ([1.0], [[-1.0]], [0.0])
    with pytest.raises(InputError, match="not convex"):
        conic_layer([[-1.0]], *one, [("nonnegative", 1)])
    with pytest.raises(InputError, match="finite"):
        conic_layer([[np.inf]], *one, [("nonnegative", 1)])
    with pytest.raises(InputError, match="one of zero"):
        conic_layer(None, *one, [("power", 1)])
    with pytest.raises(InputError, match="triangle"):
        conic_layer(None, [1.0], [[1.0], [1.0]], [0.0, 1.0], [("semidefinite", 2)])
    with pytest.raises(InputError, match="do not add up"):
        conic_layer(None, *one, [("nonnegative", 2)])
