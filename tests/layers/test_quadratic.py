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
    with pytest.raises(InputError, match="unbounded, which is proved"):
        quadratic_layer(np.diag([1.0, 0.0]), [0.0, 1.0])
    with pytest.raises(InputError, match='"raise" or "nan"'):
        quadratic_layer(np.eye(1), [0.0], infeasible="skip")
    with pytest.raises(InputError, match="symmetric"):
        quadratic_layer([[1.0, 1.0], [0.0, 1.0]], np.zeros(2))
    with pytest.raises(InputError, match="both"):
        quadratic_layer(np.eye(2), np.zeros(2), np.eye(2))
    with pytest.raises(InputError, match="finite"):
        quadratic_layer(np.eye(2), [np.nan, 0])
    with pytest.raises(InputError, match="shape"):
        quadratic_layer(np.eye(2), np.zeros(2), np.eye(3), np.zeros(3))
    with pytest.raises(InputError, match="infeasible"):
        quadratic_layer(np.eye(2), np.zeros(2), A=[[1.0, 1.0], [2.0, 2.0]], b=[1.0, 3.0])


def test_gradients_in_dependent_tight_constraints_are_refused():
    """The theorem needs LICQ: there is a gradient in the costs, and in the constraints a choice."""
    q = [[-2.0, 0.0], [1.0, 0.0]]
    found = quadratic_layer(np.eye(2), q, [[1.0, 0.0], [1.0, 0.0]], [1.0, 1.0])
    assert np.allclose(found.y, [[1, 0], [-1, 0]])
    assert found.independent.tolist() == [False, True]
    assert "dependent" in found.verdict[0]
    assert "in Q and q the gradient is the derivative" in found.verdict[0]
    gradients = found.vjp(np.ones((2, 2)))
    assert np.allclose(gradients.q, [[0, -1], [-1, -1]])
    for name in "GhAb":
        with pytest.raises(InputError, match=r"program\(s\) 0 of the batch"):
            getattr(gradients, name)
    assert np.allclose(found.vjp(np.ones((2, 2)), dependent="choose").h.sum(1), [1, 0])
    rest = found.select(found.independent)
    assert np.allclose(rest.vjp(np.ones((1, 2))).h, 0)


def test_redundant_rows_leave_the_derivative_in_the_costs():
    """Sparsemax with bounds of 1 that the simplex implies, at its vertices and between them."""
    q = -np.array([[3.0, 0.5, 0.0], [0.9, 0.5, 0.1], [1.0, 0.0, 0.0]])
    rows, right = np.vstack([-np.eye(3), np.eye(3)]), np.repeat([0.0, 1.0], 3)
    found = quadratic_layer(np.eye(3), q, rows, right, np.ones((1, 3)), [1.0])
    assert np.allclose(found.y, [[1, 0, 0], [0.7, 0.3, 0], [1, 0, 0]])
    assert found.independent.tolist() == [False, True, False]
    assert found.weakly_active.tolist() == [False, False, True]
    assert np.allclose(found.vjp([[1.0, 0, 0]] * 3).q, [[0, 0, 0], [-0.5, 0.5, 0], [0, 0, 0]])
    assert "one of several" in found.verdict[2]


def test_equations_may_be_redundant_or_pairs_of_inequalities():
    equal, level = np.array([[1.0, 1, 0], [0.0, 1, 1]]), np.array([1.0, 2])
    data = np.eye(3), [[1.0, 2, 0], [-5.0, 0, 1]]
    plain = quadratic_layer(*data, A=equal, b=level)
    twice = quadratic_layer(*data, A=np.vstack([equal, equal.sum(0)]), b=[*level, 3])
    assert np.allclose(twice.y, plain.y)
    assert not twice.independent.any()
    g = np.array([[1.0, 2, 3], [0.0, 1, 0]])
    assert np.allclose(twice.vjp(g).q, plain.vjp(g).q)
    pairs = quadratic_layer(*data, np.vstack([equal, -3 * equal]), [*level, *-3 * level])
    assert np.allclose(pairs.y, plain.y)
    assert pairs.independent.all()
    assert "make an equation" in pairs.verdict[0]
    found, expected = pairs.vjp(g), plain.vjp(g)
    assert np.allclose(found.q, expected.q)
    # for changes of both rows of a pair
    assert np.allclose(found.h[:, :2] - 3 * found.h[:, 2:], expected.b)
    assert np.allclose(found.G[:, :2] - 3 * found.G[:, 2:], expected.A)
    force = np.einsum("bi,ij->bj", pairs.multipliers, np.vstack([equal, -3 * equal]))
    assert np.allclose(pairs.y + np.array(data[1]) + force, 0)


def test_rows_without_a_bound_do_not_count():
    rows, right = [[1.0, 0.0], [0.0, 1.0]], [[1.0, np.inf], [np.inf, 1.0]]
    found = quadratic_layer(np.eye(2), [-3.0, -2.0], rows, right)
    assert found.y.tolist() == [[1, 2], [3, 1]]
    assert found.slack.tolist() == [[0, np.inf], [np.inf, 0]]
    assert np.isfinite(found.vjp(np.ones((2, 2))).G).all()
    with pytest.raises(InputError, match="h has entries"):
        quadratic_layer(np.eye(2), [-3.0, -2.0], rows, [-np.inf, 0.0])


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_sizes_of_data_do_not_matter(size):
    Q, q, G, h, A, b = random_problems(4, batch=20, equations=1)  # noqa: N806
    plain = quadratic_layer(Q, q, G, h, A, b)
    scaled = quadratic_layer(Q, q * size, G, h * size, A, b * size)
    assert np.allclose(scaled.y / size, plain.y)
    assert np.array_equal(scaled.weakly_active, plain.weakly_active)
    costs = quadratic_layer(Q * size, q * size, G / size, h / size, A, b)
    assert np.allclose(costs.y, plain.y)
    assert np.array_equal(costs.weakly_active, plain.weakly_active)
    g = np.ones_like(plain.y)
    assert np.allclose(costs.vjp(g).q * size, plain.vjp(g).q)


def test_numbers_may_be_huge():
    far = quadratic_layer(np.eye(2), [1e200, 1], np.eye(2), [1, 1])
    assert far.y.tolist() == [[-1e200, -1]]
    loose = quadratic_layer(np.eye(2), [-3, -3], np.eye(2), [1, 1e30])
    assert np.allclose(loose.y, [[1, 3]])


def test_an_infeasible_program_of_a_batch_is_nan_if_asked():
    data = np.eye(1), [[-3.0], [0.0]], [[1.0], [-1.0]], [[1.0, 1.0], [-1.0, -1.0]]
    found = quadratic_layer(*data, infeasible="nan")
    assert found.solved.tolist() == [True, False]
    assert found.y[0, 0] == 1
    assert np.isnan(found.y[1, 0])
    assert "infeasible, which is proved exactly" in found.verdict[1]
    gradients = found.vjp([[1.0], [0.0]])
    assert np.allclose(gradients.h, [[1, 0], [0, 0]])
    assert np.allclose(gradients.Q, 0)
    assert np.isnan(found.vjp([[1.0], [1.0]]).q[1]).all()


def test_singular_programs_are_unique_or_have_a_set_of_solutions():
    """|y - 3| with slack variables, and a face of a square."""
    rows, right = [[1.0, -1], [-1.0, -1], [1.0, 0]], [3.0, -3, 2.5]
    found = quadratic_layer(None, [0.0, 1.0], rows, right)
    assert np.allclose(found.y, [[2.5, 0.5]])
    assert "differentiable" in found.verdict[0]
    assert np.allclose(found.vjp([[1.0, 0.0]]).h, [[0, 0, 1]])
    square = np.vstack([np.eye(2), -np.eye(2)])
    data = np.zeros((2, 2)), [[-1.0, 0.0], [-1.0, 1e-3]], square, [1.0, 2, 1, -0.5]
    several = quadratic_layer(*data)
    assert several.unique.tolist() == [False, True]
    assert "several solutions" in several.verdict[0]
    assert 0.5 <= several.y[0, 1] <= 2
    with pytest.raises(InputError, match=r"program\(s\) 0 of the batch: there are several"):
        several.vjp(np.ones((2, 2)))
    assert np.allclose(quadratic_layer(*data, least_norm=True).y, [[1, 0.5], [1, 0.5]])
    free = quadratic_layer(np.diag([1.0, 0.0]), np.zeros(2))
    assert not free.unique[0]


def test_smoothed_gradients_go_on_at_a_vertex_and_are_called_approximations():
    data = (
        None,
        [[-1.0, -2.0]],
        np.vstack([np.eye(2), np.ones((1, 2)), -np.eye(2)]),
        [1, 1, 1.5, 0, 0],
    )
    exact, smooth = quadratic_layer(*data), quadratic_layer(*data, smoothed=0.1)
    assert np.array_equal(exact.y, smooth.y)
    assert np.allclose(exact.vjp([[1.0, 0]]).q, 0)
    gradient = smooth.vjp([[1.0, 0]]).q
    assert gradient[0, 0] < -1e-3
    assert exact.approximation is None
    assert "approximation, not the derivative" in smooth.approximation
    inside = np.eye(2), [-1.0, -0.3], np.eye(2), [0.5, 0.5]
    near = quadratic_layer(*inside, smoothed=1e-6).vjp([[1.0, 1]])
    assert np.allclose(near.q, quadratic_layer(*inside).vjp([[1.0, 1]]).q, atol=1e-9)
    with pytest.raises(InputError, match="positive"):
        quadratic_layer(*inside, smoothed=0.0)


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
