"""Sufficient conditions, Bernstein forms and z3 beside brute force."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from flint import arb, arb_mat, fmpq, fmpq_mat
from hypothesis import assume, given
from hypothesis import strategies as st

from tamecheck.budget import Budget
from tamecheck.derivative.implicit import decide_invertible
from tamecheck.derivative.implicit.conditions import (
    definite_hull,
    definite_margin,
    dominant_hull,
    p_matrix_condition,
    p_matrix_of,
    rational,
)
from tamecheck.derivative.implicit.invertible import _by_z3
from tamecheck.derivative.implicit.subdivision import (
    coordinates,
    determinant_form,
    halve_box,
    halve_simplex,
    one_sign,
)
from tamecheck.ir.answer import Feasible, Infeasible
from tamecheck.solvers.nlsat import zero_on_simplex

entries = st.integers(-4, 4)


def exact(rows):
    return fmpq_mat([[fmpq(a) for a in row] for row in rows])


def squares(size):
    return st.lists(st.lists(entries, min_size=size, max_size=size), min_size=size, max_size=size)


def minors(matrix):
    size = matrix.nrows()
    for k in range(1, size + 1):
        for rows in combinations(range(size), k):
            yield fmpq_mat([[matrix[i, j] for j in rows] for i in rows]).det()


@given(squares(3))
def test_margin_is_below_the_least_eigenvalue(rows):
    margin = definite_margin(exact(rows))
    array = np.array(rows, float)
    least = np.linalg.eigvalsh((array + array.T) / 2)[0]
    if margin is None:
        assert least < 1e-6
    else:
        assert 0 < margin <= least + 1e-9


def test_margin_of_balls_is_that_of_every_matrix_inside():
    wide = arb_mat([[arb(2, 0.5), arb(0, 0.5)], [arb(0, 0.5), arb(2, 0.5)]])
    assert 0 < definite_margin(wide) <= Fraction(1)
    wider = arb_mat([[arb(2, 1.5), arb(0, 1)], [arb(0, 1), arb(2, 1.5)]])
    assert definite_margin(wider) is None


@given(squares(3))
def test_p_matrix_conditions_imply_positive_principal_minors(rows):
    matrix = exact(rows) + exact([[4, 0, 0], [0, 4, 0], [0, 0, 4]])
    assume(p_matrix_condition(matrix))
    assert all(minor > 0 for minor in minors(matrix))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([[3, -1], [-2, 3]], "M-matrix"),
        ([[3, 1], [-2, 3]], "H-matrix"),
        # dominant only after a scaling: v = (3, 1)
        ([[1, 2], [Fraction(1, 9), 1]], "after a scaling"),
        ([[1, 5], [-5, 1]], "symmetric part"),
    ],
)
def test_each_condition_is_found(rows, words):
    matrix = fmpq_mat(
        [[fmpq(Fraction(a).numerator, Fraction(a).denominator) for a in r] for r in rows]
    )
    assert words in p_matrix_condition(matrix)


def test_no_condition_for_a_matrix_with_a_negative_minor():
    assert p_matrix_condition(exact([[1, 2], [2, 1]])) == ""


def test_shares_are_invertible_exactly_for_p_matrices():
    """Gale and Nikaido: det(U + B D C) over the corners of D beside the minors of N."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        size, count = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        base = exact((rng.integers(-2, 3, (size, size)) + 3 * np.eye(size, dtype=int)).tolist())
        if base.det() == 0:
            continue
        left = exact(rng.integers(-2, 3, (size, count)).tolist())
        right = exact(rng.integers(-2, 3, (count, size)).tolist())
        dets = [
            (base + left * exact(np.diag(d).tolist()) * right).det() / base.det()
            for d in product((0, 1), repeat=count)
        ]
        positive = all(minor > 0 for minor in minors(p_matrix_of(base, left, right)))
        assert positive == all(d > 0 for d in dets)


def test_hull_conditions_hold_inside():
    rng = np.random.default_rng(0)
    seen = {"definite": 0, "dominant": 0}
    for _ in range(60):
        arrays = rng.integers(-2, 3, (3, 3, 3)) + int(rng.integers(3, 7)) * np.eye(3, dtype=int)
        hull = [exact(a.tolist()) for a in arrays]
        proved = {"definite": definite_hull(hull), "dominant": dominant_hull(hull)}
        weights = rng.dirichlet(np.ones(3), 200)
        dets = np.linalg.det(np.tensordot(weights, arrays, 1))
        for name, holds in proved.items():
            if holds:
                seen[name] += 1
                assert (dets > 0).all() or (dets < 0).all()
    assert min(seen.values()) > 10


def test_bernstein_form_is_the_determinant():
    rng = np.random.default_rng(1)
    arrays = rng.integers(-3, 4, (3, 4, 4))
    form = determinant_form([exact(a.tolist()) for a in arrays])
    for weights in ((1, 0, 0), (1, 2, 3), (-1, 4, 2)):
        total = exact(np.tensordot(weights, arrays, 1).tolist())
        assert form(*(fmpq(w) for w in weights)) == total.det()


def test_bernstein_proves_after_halving():
    """det = a² + b² on a triangle near 0: positive, but not all coefficients are."""
    rotations = [exact([[a, -b], [b, a]]) for a, b in ((10, 1), (-1, 1), (-1, 2))]
    assert not one_sign(rotations)
    found = halve_simplex(rotations, Budget())
    assert found.open == 0
    assert found.parts > 1
    assert found.singular is None


def test_boxes_off_the_hull_are_separated():
    """The diagonal of a square avoids the corner where the determinant is negative."""
    base, first, second = exact([[2, 0], [0, 1]]), exact([[-2, 0], [0, 0]]), exact([[0, 0], [1, 1]])
    hull = [base, base + first * fmpq(1, 2), base + second]
    found = coordinates(hull)
    assert found is not None
    result = halve_box(hull, found, Budget())
    assert (result.open, result.singular) == (0, None)


def test_z3_names_zeros_and_their_absence():
    half, third = (
        {(1, 0): Fraction(1), (0, 1): Fraction(-1)},
        {(2, 0): Fraction(1), (0, 2): Fraction(2)},
    )
    claim = zero_on_simplex(half, seconds=30)
    assert isinstance(claim, Feasible)
    assert claim.point == (Fraction(1, 2), Fraction(1, 2))
    assert isinstance(zero_on_simplex(third, seconds=30), Infeasible)


def test_what_z3_says_is_named_or_checked():
    turns = [exact([[a, -b], [b, a]]) for a, b in ((10, 1), (-1, 1), (-1, 2))]
    trusted = _by_z3(turns, "open", Budget())
    assert trusted.holds is True
    assert trusted.rests_on.startswith("z3")
    around = [exact([[a, -b], [b, a]]) for a, b in ((3, 1), (-1, 4), (-1, -5))]
    checked = _by_z3(around, "open", Budget())
    assert checked.holds is False
    assert checked.rests_on == ""
    assert sum(checked.singular.weights) == 1


@pytest.mark.slow
def test_irrational_touching_point_is_open_and_z3_is_named():
    """|x - √2 + i (z - √2)|² times its conjugate: one zero, irrational in two coordinates."""

    def vertex(x, z):
        first, second = [[-x, 2], [1, -x]], [[-z, 2], [1, -z]]
        rows = [[*first[i], *(-a for a in second[i])] for i in range(2)]
        rows += [[*second[i], *first[i]] for i in range(2)]
        return tuple(tuple(fmpq(a) for a in row) for row in rows)

    found = decide_invertible([vertex(0, 0), vertex(4, 0), vertex(0, 4)], timeout=3)
    assert found.holds is None
    assert "z3" in found.why


def test_rational_of_floats():
    assert rational(np.array([[0.1]]))[0, 0] == fmpq(*(0.1).as_integer_ratio())
