"""Cone programs as layers."""

from __future__ import annotations

import numpy as np
import pytest

from tamecheck.errors import InputError, SolverError
from tamecheck.layers import conic_layer
from tamecheck.layers.cones import project

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
    nearest, derivative = (part[0] for part in project([("semidefinite", 3)], given[None])[:2])
    assert np.allclose(nearest, [1, np.sqrt(2), 1])
    found = conic_layer(np.eye(3), -given, -np.eye(3), np.zeros(3), [("semidefinite", 3)])
    assert np.allclose(found.x, nearest)
    assert np.allclose([-found.vjp(unit).q for unit in np.eye(3)], derivative)
    assert np.isclose(found.distance, 1)


def softmax_program(costs):
    """max xᵀy - Σ y log y on the simplex: variables y and t with t <= -y log y."""
    count = costs.shape[-1]
    eye, none = np.eye(count), np.zeros((count, count))
    # (t, y, 1) in the exponential cone
    rows = np.stack(
        [np.hstack([none, -eye]), np.hstack([-eye, none]), np.zeros((count, 2 * count))]
    )
    rows = np.vstack(
        [np.r_[np.ones(count), np.zeros(count)], np.swapaxes(rows, 0, 1).reshape(-1, 2 * count)]
    )
    right = np.r_[1, np.tile([0.0, 0, 1], count)]
    linear = np.concatenate([-costs, -np.ones_like(costs)], axis=-1)
    return None, linear, rows, right, [("zero", 1), ("exponential", 3 * count)]


def test_softmax_by_entropy():
    costs = 2 * np.random.default_rng(0).standard_normal((5, 4))
    found = conic_layer(*softmax_program(costs))
    expected = np.exp(costs) / np.exp(costs).sum(1, keepdims=True)
    assert np.allclose(found.x[:, :4], expected, atol=1e-12)
    for k in range(4):
        unit = np.zeros_like(found.x)
        unit[:, k] = 1
        row = expected[:, k, None] * (np.eye(4)[k] - expected)
        assert np.allclose(-found.vjp(unit).q[:, :4], row, atol=1e-10)
    one = conic_layer(*softmax_program(costs[0]))
    assert one.x.shape == (8,)
    assert np.allclose(one.x, found.x[0])
    assert "differentiable" in one.verdict[0]


@pytest.mark.parametrize("exponent", [0.25, 0.5, 0.8])
def test_power_cones_by_hand(exponent):
    """max z with x + 2 y = 1: x = a, y = (1 - a) / 2, and the share of each is its exponent."""
    rows = np.vstack([[1.0, 2, 0], -np.eye(3)])
    found = conic_layer(
        None, [0.0, 0, -1], rows, [1.0, 0, 0, 0], [("zero", 1), ("power", exponent)]
    )
    x, y = exponent, (1 - exponent) / 2
    best = x**exponent * y ** (1 - exponent)
    assert np.allclose(found.x, [x, y, best])
    # the value is homogeneous of degree 1 in the level, and its multipliers are the shares
    gradients = found.vjp([0.0, 0, 1])
    assert np.allclose(gradients.b[0], best)
    assert np.allclose(gradients.A[0], -best * found.x)


def test_programs_with_exponential_and_power_cones_equal_differences():
    rng = np.random.default_rng(3)
    cones = [("exponential", 6), ("power", 0.3), ("nonnegative", 2)]
    inside = np.array([-1, 1, 1, 0, 1, 2, 1, 1, 0.3, 0.5, 0.5])
    batch = 20
    root, rows = rng.standard_normal((batch, 5, 5)), rng.standard_normal((batch, 11, 5))
    right = np.einsum("bij,bj->bi", rows, rng.standard_normal((batch, 5))) + inside
    quadratic = root @ np.swapaxes(root, 1, 2) + 0.1 * np.eye(5)
    data = quadratic, 3 * rng.standard_normal((batch, 5)), rows, right
    found = conic_layer(*data, cones)
    g, by = rng.standard_normal((batch, 5)), [rng.standard_normal(a.shape) for a in data]
    by[0] = by[0] + np.swapaxes(by[0], 1, 2)
    gradients = found.vjp(g)
    up, down = (
        conic_layer(*(a + t * d for a, d in zip(data, by, strict=True)), cones).x
        for t in (1e-6, -1e-6)
    )
    slopes = ((up - down) * g).sum(1) / 2e-6
    pairs = zip("PqAb", by, strict=True)
    expected = sum((getattr(gradients, n) * d).reshape(batch, -1).sum(1) for n, d in pairs)
    smooth = found.distance > 1e-3
    assert smooth.sum() >= 15
    assert (np.abs(slopes - expected) <= 1e-6 * (1 + np.abs(expected)))[smooth].all()


@pytest.mark.parametrize("kind", ["exponential", "power"])
def test_projections_are_orthogonal_and_their_derivatives_equal_differences(kind):
    rng = np.random.default_rng(0)
    points = rng.standard_normal((500, 3)) * 10 ** rng.uniform(-1, 1, (500, 1))
    cones = [(kind, 3 if kind == "exponential" else 0.3)]
    image, derivative, distance = project(cones, points)
    assert np.abs((image * (points - image)).sum(1)).max() < 1e-12 * (points**2).sum(1).max()
    again, _, _ = project(cones, image)
    assert np.allclose(again, image, atol=1e-9)
    change = 1e-6 * rng.standard_normal(points.shape)
    slope = (project(cones, points + change)[0] - project(cones, points - change)[0]) / 2
    expected = np.einsum("bij,bj->bi", derivative, change)
    assert np.abs(slope - expected)[distance > 0.05].max() < 1e-9


@pytest.mark.parametrize("size", [1e-9, 1e6])
def test_sizes_of_data_do_not_matter(size):
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((11, 5))
    q, b, P = 3 * rng.standard_normal(5), rows @ rng.standard_normal(5) + INSIDE, np.eye(5)  # noqa: N806
    plain, small = (conic_layer(P, q * t, rows, b * t, CONES) for t in (1.0, size))
    assert np.allclose(small.x / size, plain.x, atol=1e-9)
    assert np.isclose(np.log10(small.condition), np.log10(plain.condition), atol=1)
    g = rng.standard_normal(5)
    expected, found = plain.vjp(g), small.vjp(g)
    assert np.allclose(found.b, expected.b)
    assert np.allclose(found.A / size, expected.A)
    assert np.allclose(found.P / size, expected.P)


def test_an_infeasible_program_of_a_batch_is_nan_if_asked():
    data = None, [1.0], [[-1.0], [1.0]], [[0.0, 1.0], [-1.0, 0.0]], [("nonnegative", 2)]
    found = conic_layer(*data, infeasible="nan")
    assert found.solved.tolist() == [True, False]
    assert np.allclose(found.x[0], 0)
    assert np.isnan(found.x[1]).all()
    assert found.verdict[1] == "no solution was found"
    gradients = found.vjp([[1.0], [0.0]])
    assert np.allclose(gradients.b, [[-1, 0], [0, 0]])
    with pytest.raises(SolverError, match="infeasible"):
        conic_layer(*data)


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
    with pytest.raises(InputError, match="3 rows each"):
        conic_layer(None, *one, [("exponential", 1)])
    with pytest.raises(InputError, match="triangle"):
        conic_layer(None, [1.0], [[1.0], [1.0]], [0.0, 1.0], [("semidefinite", 2)])
    with pytest.raises(InputError, match="do not add up"):
        conic_layer(None, *one, [("nonnegative", 2)])
