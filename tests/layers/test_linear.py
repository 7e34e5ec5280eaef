"""Linear programs as layers: Clarke sets against brute force and exact one-sided differences."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.layers import linear_layer

SIMPLEX = {"E": [[1, 1, 1]], "e": [1]}


def test_a_tie_jumps_between_two_named_vertices():
    found = linear_layer([1, 1, 2], **SIMPLEX)
    assert found.jumps
    assert "(0, 1, 0)" in found.verdict
    assert "(1, 0, 0)" in found.verdict
    assert set(found.cost_gradients) == {(0, 1, 0), (1, 0, 0)}
    assert found.right_side_gradients == ((1,),)
    with pytest.raises(InputError, match="jumps"):
        found.cost_jacobian()


def test_text():
    text = str(linear_layer([1, 1, 2], **SIMPLEX))
    assert text.startswith("value 1\nsolutions: the hull of (0, 1, 0), (1, 0, 0)\n")
    assert "multipliers: only (1)" in text


@pytest.mark.parametrize("gap", [1e-6, 1e-9, 1e-15])
def test_a_near_tie_has_derivative_zero(gap):
    """Below the tolerances of solvers as well."""
    found = linear_layer([1, 1 + gap, 2], **SIMPLEX)
    assert not found.jumps
    assert found.cost_gradients == ((1, 0, 0),)
    assert all(a == 0 for row in found.cost_jacobian() for a in row)


def test_a_near_tie_of_fifty_variables_is_decided_by_exact_pivots():
    """A reduced cost of 1e-11, which solvers take for 0, on either side."""
    rng = np.random.default_rng(0)
    A = np.vstack([rng.standard_normal((30, 50)), np.ones(50)])  # noqa: N806
    b = np.r_[A[:-1] @ rng.random(50) + rng.random(30), 100]
    c = rng.random(50) - 0.1
    found = linear_layer(c, A, b)
    spare = c - A.T @ np.array([float(u) for u in found.multipliers.point])
    out = found.solutions.point.index(0)
    for gap in (1e-11, -1e-11):
        near = c.copy()
        near[out] -= spare[out] - gap
        moved = linear_layer(near, A, b)
        assert not moved.jumps
        assert (moved.solutions.point[out] > 0) == (gap < 0)


def test_several_ties_name_all_vertices():
    found = linear_layer([1, 1, 1, 2, 1], E=[[1] * 5], e=[1])
    assert len(found.cost_gradients) == 4
    assert found.solutions.contains([Fraction(1, 4)] * 3 + [0, Fraction(1, 4)])
    assert not found.solutions.contains([0, 0, 0, 1, 0])


def test_a_redundant_row_has_all_multipliers():
    """min x with x >= b, 2x >= c at b = 1, c = 2: max(b, c/2) has the slopes (1, 0), (0, 1/2)."""
    found = linear_layer([1], [[-1], [-2]], [-1, -2])
    assert set(found.right_side_gradients) == {(-1, 0), (0, Fraction(-1, 2))}


def test_a_degenerate_corner_in_space_has_every_multiplier():
    """The apex of a pyramid with four faces: max z, z <= 1 - |x - 1|, z <= 1 - |y - 1|."""
    rows = [[1, 0, 1], [-1, 0, 1], [0, 1, 1], [0, -1, 1]]
    found = linear_layer([0, 0, -1], rows, [2, 0, 2, 0])
    half = Fraction(-1, 2)
    assert not found.jumps
    assert set(found.right_side_gradients) == {(half, half, 0, 0), (0, 0, half, half)}


def test_dependent_equations_have_no_gradient():
    found = linear_layer([1, 1], E=[[1, 1], [2, 2]], e=[1, 2])
    with pytest.raises(InputError, match="E0, E1 are unbounded"):
        _ = found.right_side_gradients


def test_an_optimal_ray_has_no_clarke_set_in_the_costs():
    found = linear_layer([0, 1])
    with pytest.raises(InputError, match="x0"):
        _ = found.cost_gradients
    assert "unbounded" in found.verdict


def test_gradients_in_the_matrix():
    """min x with a x >= b is b/a: slope -b/a² in a, and the rows are -a x <= -b."""
    found = linear_layer([1], [[-2]], [-6])
    assert found.matrix_gradients == (((Fraction(3, 2),),),)
    assert found.matrix_gradients_exact
    # v = max(1/a, 1/b) at a = b = 1 has the slopes (-1, 0) and (0, -1)
    both = linear_layer([1], [[-1], [-1]], [-1, -1])
    assert set(both.matrix_gradients) == {((1,), (0,)), ((0,), (1,))}


def brute_force(size, sides):
    """Vertices of ``a·x <= b`` by all bases, in floats."""
    normals, levels = (np.array(part, dtype=float) for part in zip(*sides, strict=True))
    found = set()
    for basis in map(list, combinations(range(len(sides)), size)):
        if abs(np.linalg.det(normals[basis])) > 1e-9:
            x = np.linalg.solve(normals[basis], levels[basis])
            if (normals @ x <= levels + 1e-9).all():
                found.add(tuple((np.round(x, 6) + 0).tolist()))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_degenerate_programs_equal_brute_force(seed):
    """Small integers make ties, degenerate corners and redundant rows."""
    rng = np.random.default_rng(seed)
    size, count = 4, 5
    A = np.vstack([rng.integers(-1, 3, (count, size)), np.ones(size, int)])  # noqa: N806
    b = A @ rng.integers(0, 2, size) + np.r_[rng.integers(0, 2, count), 1]
    c = rng.integers(-2, 3, size)
    found = linear_layer(c, A, b)
    value = float(found.value)
    level = [(c, value), (-c, -value)]
    primal = [*zip(A, b, strict=True), *((-row, 0) for row in np.eye(size)), *level]
    dual = [*zip(A.T, c, strict=True), *((row, 0) for row in np.eye(count + 1))]
    dual += [(b, value), (-b, -value)]
    exact = {tuple(np.round([float(v) for v in x], 6) + 0) for x in found.solutions.vertices}
    assert exact == brute_force(size, primal)
    exact = {tuple(np.round([float(v) for v in u], 6) + 0) for u in found.multipliers.vertices}
    assert exact == brute_force(count + 1, dual)


def degenerate_program(seed, size=50, rows=30):
    """An optimum with slack rows, zero multipliers and zero reduced costs, of binary floats."""
    rng = np.random.default_rng(seed)
    A = rng.integers(-8, 9, (rows, size)) / 8  # noqa: N806
    x = np.where(rng.random(size) < 0.3, rng.integers(1, 5, size), 0) / 4
    slack = rng.random(rows) < 0.5
    u = -np.round(8 * rng.random(rows) * ~slack) / 8
    spare = np.where((x > 0) | (rng.random(size) < 0.05), 0, 1.0)
    A = np.vstack([A, np.ones(size)])  # noqa: N806
    b = np.r_[A[:-1] @ x + slack / 2, 100]
    return A.T @ np.r_[u, 0] + spare, A, b


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "size", "rows"), [(1, 50, 30), (0, 20, 12), (2, 20, 12)])
def test_larger_programs_agree_with_exact_differences(seed, size, rows):
    c, A, b = degenerate_program(seed, size, rows)  # noqa: N806
    found = linear_layer(c, A, b)
    rng = np.random.default_rng(seed)
    step = Fraction(1, 10**12)
    for base, sets, moved, best in (
        (b, found.multipliers, lambda d: linear_layer(c, A, d), max),
        (c, found.solutions, lambda d: linear_layer(d, A, b), min),
    ):
        change = [Fraction(int(g)) for g in rng.integers(-3, 4, len(base))]
        new = [Fraction(v) + step * g for v, g in zip(base.tolist(), change, strict=True)]
        slope = (moved(new).value - found.value) / step
        assert sets.bounded
        products = [
            sum(g * v for g, v in zip(change, p, strict=True)) for p in sets.listed_vertices
        ]
        # the value is convex in b and concave in c
        assert slope == best(products)


def test_a_cube_of_optima_is_described_by_ranges():
    found = linear_layer([0] * 14, np.eye(14, dtype=int), [1] * 14)
    assert found.solutions.vertices is None
    assert found.solutions.ranges == ((0, 1),) * 14
    assert "x13 in [0, 1]" in str(found.solutions)
    with pytest.raises(UnsupportedError, match="14 components vary"):
        _ = found.cost_gradients
    assert "jumps" in found.verdict


def test_no_optimum_and_bad_input():
    with pytest.raises(InputError, match="infeasible"):
        linear_layer([1], [[1]], [-1])
    with pytest.raises(InputError, match="unbounded"):
        linear_layer([-1])
    with pytest.raises(InputError, match="finite"):
        linear_layer([float("nan")])
    with pytest.raises(InputError, match="entries"):
        linear_layer([1, 2], [[1]], [1])
    with pytest.raises(InputError, match="both"):
        linear_layer([1], A=[[1]])
