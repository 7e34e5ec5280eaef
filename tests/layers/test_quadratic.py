"""Quadratic programs as layers."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb_mat, ctx

from tamecheck.errors import InputError
from tamecheck.layers import quadratic_layer


def random_problems(seed, batch=100, size=6, rows=4, equations=0):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((batch, size, size))
    point = rng.standard_normal((batch, size))
    upper = rng.standard_normal((batch, rows, size))
    equal = rng.standard_normal((batch, equations, size))
    return [
        root @ np.swapaxes(root, 1, 2) + 0.1 * np.eye(size),
        rng.standard_normal((batch, size)),
        upper,
        np.einsum("bij,bj->bi", upper, point) + rng.random((batch, rows)),
        equal,
        np.einsum("bij,bj->bi", equal, point),
    ]


def test_projection_onto_the_positive_orthant():
    """min ½|y - p|², y >= 0: y = max(p, 0), J = diag(1[p > 0]), with [0, 1] at 0."""
    p = np.array([1.5, 0.0, -2.0])
    found = quadratic_layer(np.eye(3), -p, -np.eye(3), np.zeros(3))
    assert np.array_equal(found.y[0], np.maximum(p, 0))
    assert found.weakly_active[0]
    vertices = {tuple(np.diag(-v)) for v in found.jacobian_vertices()}
    assert vertices == {(1.0, 0.0, 0.0), (1.0, 1.0, 0.0)}


@pytest.mark.parametrize("equations", [0, 2])
def test_gradients_equal_finite_differences(equations):
    data = random_problems(equations, equations=equations)
    found = quadratic_layer(*data)
    rng = np.random.default_rng(1)
    cotangent = rng.standard_normal(found.y.shape)
    gradients = found.vjp(cotangent)
    changes = [rng.standard_normal(a.shape) for a in data]
    changes[0] += np.swapaxes(changes[0], 1, 2)
    eps = 1e-6

    def loss(t):
        moved = quadratic_layer(*(a + t * c for a, c in zip(data, changes, strict=True)))
        return (moved.y * cotangent).sum(1)

    slopes = (loss(eps) - loss(-eps)) / (2 * eps)
    expected = sum(
        (getattr(gradients, name) * c).reshape(len(slopes), -1).sum(1)
        for name, c in zip("QqGhAb", changes, strict=True)
    )
    smooth = found.complementarity > 1e-4
    assert smooth.sum() >= 95
    error = np.abs(slopes - expected) / (1 + np.abs(expected))
    assert error[smooth].max() < 2e-6


def test_optimality_conditions():
    Q, q, G, h, A, b = data = random_problems(3, equations=2)  # noqa: N806
    found = quadratic_layer(*data)
    gradient = (
        np.einsum("bij,bj->bi", Q, found.y)
        + q
        + np.einsum("bij,bi->bj", G, found.multipliers)
        + np.einsum("bij,bi->bj", A, found.equation_multipliers)
    )
    assert np.abs(gradient).max() < 1e-8
    assert (np.einsum("bij,bj->bi", G, found.y) <= h + 1e-9).all()
    assert np.allclose(np.einsum("bij,bj->bi", A, found.y), b)
    assert (found.multipliers >= 0).all()


def test_infeasible_and_malformed():
    with pytest.raises(InputError, match="Program 1 of the batch is infeasible"):
        quadratic_layer(np.eye(1), [0.0], [[1.0], [-1.0]], [[1.0, 1.0], [-1.0, -1.0]])
    with pytest.raises(InputError, match="not convex"):
        quadratic_layer(-np.eye(2), np.zeros(2))
    with pytest.raises(InputError, match="several solutions"):
        quadratic_layer(np.diag([1.0, 0.0]), np.zeros(2))
    with pytest.raises(InputError, match="symmetric"):
        quadratic_layer([[1.0, 1.0], [0.0, 1.0]], np.zeros(2))
    with pytest.raises(InputError, match="both"):
        quadratic_layer(np.eye(2), np.zeros(2), np.eye(2))
    with pytest.raises(InputError, match="finite"):
        quadratic_layer(np.eye(2), [np.nan, 0])
    with pytest.raises(InputError, match="shape"):
        quadratic_layer(np.eye(2), np.zeros(2), np.eye(3), np.zeros(3))
    with pytest.raises(InputError, match="equations of program 0 of the batch are"):
        quadratic_layer(np.eye(2), np.zeros(2), A=[[1.0, 1.0], [2.0, 2.0]], b=[1.0, 2.0])


def test_dependent_tight_constraints_are_refused():
    """The theorem needs LICQ: the solution is right, and no gradient is given."""
    q = [[-2.0, 0.0], [1.0, 0.0]]
    found = quadratic_layer(np.eye(2), q, [[1.0, 0.0], [1.0, 0.0]], [1.0, 1.0])
    assert np.allclose(found.y, [[1, 0], [-1, 0]])
    assert found.independent.tolist() == [False, True]
    assert "dependent" in found.verdict[0]
    with pytest.raises(InputError, match=r"program\(s\) 0 of the batch"):
        found.vjp(np.ones((2, 2)))
    rest = found.select(found.independent)
    assert np.allclose(rest.vjp(np.ones((1, 2))).q, -1)


def test_three_constraints_at_a_corner_of_the_plane_are_refused():
    rows = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    found = quadratic_layer(np.eye(2), [-3.0, -2.0], rows, [1.0, 1.0, 2.0])
    assert np.allclose(found.y, 1)
    assert not found.independent[0]


def test_many_rows_at_a_point_of_the_line():
    """The active rows are singular whichever of them are chosen; so is Murty's rule then."""
    rows = [[2.0], [1.0], [-2.0], [-2.0]]
    found = quadratic_layer([[2.0]], [1.0], rows, np.zeros(4))
    assert np.allclose(found.y, 0)
    assert not found.independent[0]
    multipliers = found.multipliers[0]
    assert (multipliers >= 0).all()
    assert np.isclose(1 + multipliers @ np.array(rows)[:, 0], 0)


def test_an_inequality_that_the_equations_fix():
    """x + y = 0 and x + y <= 0: the solution is that without the inequality; LICQ fails."""
    found = quadratic_layer(np.eye(2), [1.0, 0.0], [[2.0, 2.0]], [0.0], [[1.0, 1.0]], [0.0])
    assert np.allclose(found.y, [-0.5, 0.5])
    assert not found.independent[0]
    with pytest.raises(InputError, match="infeasible"):
        quadratic_layer(np.eye(2), [1.0, 0.0], [[2.0, 2.0]], [-1.0], [[1.0, 1.0]], [0.0])


def test_badly_conditioned_programs_reach_the_exact_gradient():
    """Against the KKT system of the active rows in 300-bit balls; the conditions reach 1e10."""
    rng = np.random.default_rng(5)
    size = 12
    basis, _ = np.linalg.qr(rng.standard_normal((6, size, size)))
    Q = (basis * np.logspace(0, -10, size)) @ np.swapaxes(basis, 1, 2)  # noqa: N806
    Q = (Q + np.swapaxes(Q, 1, 2)) / 2  # noqa: N806
    q, g = rng.standard_normal((2, 6, size))
    G, h = rng.standard_normal((6, 5, size)), rng.random((6, 5))  # noqa: N806
    found = quadratic_layer(Q, q, G, h)
    gradients = found.vjp(g).q
    precision, ctx.prec = ctx.prec, 300
    try:
        for k in range(6):
            rows = G[k][found.active[k]]
            count = len(rows)
            matrix = np.block([[Q[k], rows.T], [rows, np.zeros((count, count))]])
            right = [[a] for a in (*g[k].tolist(), *([0.0] * count))]
            exact = arb_mat(matrix.tolist()).solve(arb_mat(right))
            expected = [-float(exact[j, 0].mid()) for j in range(size)]
            assert np.allclose(gradients[k], expected, rtol=1e-8, atol=1e-8 * max(expected))
    finally:
        ctx.prec = precision


def test_a_constraint_that_is_nearly_weakly_active_is_flagged():
    found = quadratic_layer(np.eye(1), [[-1.0 - 5e-7], [-1.0 - 5e-6]], [[1.0]], [1.0])
    assert found.weakly_active.tolist() == [True, False]
    assert found.vjp(np.ones((2, 1))).h[1, 0] == 1
