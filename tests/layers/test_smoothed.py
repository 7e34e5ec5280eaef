"""Approximations of solution maps: their values, their estimates and their names."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tamecheck import layers
from tamecheck.errors import InputError, SolverError, UnsupportedError
from tamecheck.ir.program import Column, Kind, Program, Row, Sense

CORNERS = layers.points_oracle(np.eye(3))


def softmin(costs):
    weights = np.exp(-costs)
    return weights / weights.sum()


def test_gumbel_noise_on_a_simplex_is_softmin():
    """The Gumbel-max trick, and the softmax's Jacobian diag(p) - ppᵀ."""
    costs = np.array([0.3, -0.2, 0.9])
    p = softmin(costs)
    found = layers.perturbed_layer(CORNERS, costs, samples=40_000, noise="gumbel", seed=1)
    assert np.allclose(found.mean[0], p, atol=0.01)
    jacobian = np.array([found.vjp(unit)[0] for unit in np.eye(3)[:, None]])
    assert np.allclose(jacobian, -(np.diag(p) - np.outer(p, p)), atol=0.02)


def test_gaussian_noise_between_two_points_is_a_normal_distribution():
    """x in {0, 1}, cost c + σZ: the mean is Φ(-c/σ), its slope -φ(c/σ)/σ."""
    found = layers.perturbed_layer(
        layers.points_oracle([[0.0], [1.0]]), [0.5], size=2.0, samples=40_000
    )
    assert abs(found.mean[0, 0] - 0.401294) < 0.01
    assert abs(found.vjp([[1.0]])[0, 0] + 0.193334) < 0.01


def test_the_same_seed_gives_the_same_answer_and_the_type_says_what_it_is():
    first, again, other = (layers.perturbed_layer(CORNERS, [0.0, 0, 0], seed=s) for s in (1, 1, 2))
    assert np.array_equal(first.solutions, again.solutions)
    assert not np.array_equal(first.noise, other.noise)
    assert "approximation of the solution map, not its derivative" in first.approximation
    assert (
        "derivative of the solution map is 0"
        in layers.blackbox_layer(CORNERS, [0.0, 1, 2]).approximation
    )


def test_the_fenchel_young_loss_is_convex_with_the_residual_as_gradient():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 1, 3))
    target = np.eye(3)[:1]

    def loss(costs):
        return layers.fenchel_young_loss(CORNERS, costs, target, samples=64, seed=3)

    at, to = loss(a), loss(b)
    assert np.allclose(at.gradient, target - at.perturbed.mean)
    assert to.value[0] >= at.value[0] + (at.gradient * (b - a)).sum() - 1e-12
    assert loss((a + b) / 2).value[0] <= (at.value[0] + to.value[0]) / 2 + 1e-12


def test_blackbox_interpolation_by_hand():
    found = layers.blackbox_layer(CORNERS, [0.0, 1.0, 2.0], size=2.0)
    assert found.solutions.tolist() == [[1, 0, 0]]
    assert found.vjp([[1.0, 0.0, 0.0]]).tolist() == [[-0.5, 0.5, 0]]


def test_spo_plus_bounds_the_regret():
    rng = np.random.default_rng(0)
    predicted, true = rng.standard_normal((2, 50, 3))
    found = layers.spo_plus_loss(CORNERS, predicted, true)
    regret = (true * (CORNERS(predicted) - CORNERS(true))).sum(1)
    assert (found.value >= regret - 1e-12).all()
    assert np.allclose(layers.spo_plus_loss(CORNERS, true, true).value, 0)


def knapsack():
    columns = tuple(Column(f"x{j}", Fraction(0), Fraction(1), Kind.INTEGER) for j in range(4))
    terms = tuple((j, Fraction(w)) for j, w in enumerate((2, 3, 4, 5)))
    return Program(columns, (Row("w", terms, None, Fraction(7)),), Sense.MAXIMISE)


def test_both_oracles_agree():
    points = layers.integer_points(knapsack())
    assert len(points) == 9
    costs = -np.random.default_rng(0).random((20, 4))
    listed, searched = layers.points_oracle(points)(costs), layers.program_oracle(knapsack())(costs)
    assert np.array_equal(listed, searched)


def grid_paths(side):
    """Paths to the right and down in a grid, as flows along its edges, row after row."""
    node = [[(i, j) for j in range(side)] for i in range(side)]
    edges = []
    for i in range(side):
        edges += [(node[i][j], node[i][j + 1]) for j in range(side - 1)]
        edges += [(node[i][j], node[i + 1][j]) for j in range(side) if i + 1 < side]
    one = Fraction(1)
    columns = tuple(Column(f"e{k}", 0 * one, one, Kind.INTEGER) for k in range(len(edges)))
    rows = []
    for place in (place for line in node for place in line):
        terms = [(k, Fraction((b == place) - (a == place))) for k, (a, b) in enumerate(edges)]
        level = Fraction((place == node[-1][-1]) - (place == node[0][0]))
        rows.append(Row(str(place), tuple(t for t in terms if t[1]), level, level))
    return Program(columns, tuple(rows))


def test_points_are_listed_by_what_rows_allow_and_not_by_their_box(monkeypatch):
    """70 paths in a grid of 5 x 5 nodes, of 2^40 subsets of its edges."""
    points = layers.integer_points(grid_paths(5))
    assert points.shape == (70, 40)
    assert (points.sum(1) == 8).all()
    halves = Row("h", ((0, Fraction(1, 2)), (1, Fraction(1, 3))), Fraction(1, 3), Fraction(5, 6))
    box = tuple(Column(f"x{j}", Fraction(-1), Fraction(1), Kind.INTEGER) for j in range(2))
    assert layers.integer_points(Program(box, (halves,))).tolist() == [[0, 1], [1, 0], [1, 1]]
    free = tuple(Column(f"x{j}", Fraction(0), Fraction(1), Kind.INTEGER) for j in range(19))
    monkeypatch.setattr("tamecheck.layers.smoothed._MOST_POINTS", 1000)
    with pytest.raises(UnsupportedError, match="points to look at"):
        layers.integer_points(Program(free, ()))
    with pytest.raises(InputError, match="infeasible"):
        layers.integer_points(
            Program(box, (Row("r", ((0, Fraction(2)),), Fraction(1), Fraction(1)),))
        )


def test_the_solution_map_jumps_at_ties_and_is_constant_up_to_them():
    points = layers.integer_points(grid_paths(3))
    rng = np.random.default_rng(0)
    costs = np.vstack([np.ones((1, 12)), rng.random((20, 12)), np.zeros((1, 12))])
    found = layers.point_solutions(points, costs)
    assert found.jumps.tolist() == [True, *[False] * 20, True]
    assert "jumps at this cost, between (" in found.verdict[0]
    assert "derivative 0" in found.verdict[1]
    values = costs @ points.T
    assert np.allclose((found.solutions * costs).sum(1), values.min(1))
    for k in range(1, 21):
        step = found.others[k] - found.solutions[k]
        step *= -found.radius[k] / np.linalg.norm(step)
        inside = layers.point_solutions(points, costs[k] + 0.999 * step)
        assert np.array_equal(inside.solutions[0], found.solutions[k])
        beyond = layers.point_solutions(points, costs[k] + 1.001 * step)
        assert np.array_equal(beyond.solutions[0], found.others[k])
    # a tie that floats do not see, and one that they see where there is none
    third = layers.point_solutions([[0.0, 1], [1, 0]], [[1.0, 1 + 2**-52], [1, 1]])
    assert third.jumps.tolist() == [False, True]
    assert third.solutions[0].tolist() == [1, 0]


def test_bad_input():
    with pytest.raises(InputError, match="noise"):
        layers.perturbed_layer(CORNERS, [0.0, 0, 0], noise="uniform")
    with pytest.raises(InputError, match="positive"):
        layers.perturbed_layer(CORNERS, [0.0, 0, 0], size=0)
    with pytest.raises(InputError, match="finite"):
        layers.perturbed_layer(CORNERS, [np.nan, 0, 0])
    with pytest.raises(InputError, match="shape"):
        layers.fenchel_young_loss(CORNERS, [0.0, 0, 0], [1.0])
    with pytest.raises(UnsupportedError, match="integer column"):
        layers.integer_points(Program((Column("x"),), ()))
    with pytest.raises(SolverError, match="no optimum"):
        layers.program_oracle(Program((Column("x"),), ()))(np.array([[-1.0]]))
