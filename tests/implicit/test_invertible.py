"""Invertibility of every element of a convex hull."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from tamecheck.derivative.implicit import decide_invertible

COUNT = 40


def rows(matrix):
    return tuple(tuple(fmpq(int(a)) for a in row) for row in matrix)


def determinant(matrix):
    return fmpq_mat(len(matrix), len(matrix), [a for row in matrix for a in row]).det()


def is_singular_element(vertices, singular):
    """The weights are a convex combination, and its determinant is zero."""
    if singular.weights is None:
        return singular.algebraic is not None
    weights = singular.weights
    size = len(vertices[0])
    total = [
        sum(
            (
                fmpq(w.numerator, w.denominator) * v[i][j]
                for w, v in zip(weights, vertices, strict=True)
            ),
            fmpq(0),
        )
        for i in range(size)
        for j in range(size)
    ]
    return (
        all(w >= 0 for w in weights)
        and sum(weights) == 1
        and fmpq_mat(size, size, total).det() == 0
    )


def system(rng, planted):
    """``A + Σ t_j b_j c_jᵀ``, t in [-1, 1]^m, doubled so that all corners are integers."""
    while True:
        size = int(rng.integers(2, 7))
        kinks = int(rng.integers(1, 5))
        b = rng.integers(-2, 3, (kinks, size))
        c = rng.integers(-2, 3, (kinks, size))
        changes = [np.outer(b[j], c[j]) for j in range(kinks)]
        if planted:
            left = rng.integers(-3, 4, (size, size - 1))
            singular = left @ rng.integers(-3, 4, (size - 1, size))
            t = rng.integers(-2, 3, kinks)
            base = 3 * singular - sum(t[j] * changes[j] for j in range(kinks))
        else:
            base = 3 * (rng.integers(-3, 4, (size, size)) + 8 * np.eye(size, dtype=int))
        corners = [
            rows(base + 3 * sum(s[j] * changes[j] for j in range(kinks)))
            for s in product((-1, 1), repeat=kinks)
        ]
        corners = list(dict.fromkeys(corners))
        determinants = [determinant(corner) for corner in corners]
        if 0 not in determinants:
            # affine in each t_j: a zero inside is exactly a change of sign at the corners
            signs = {d > 0 for d in determinants}
            return corners, len(signs) == 1


@pytest.mark.parametrize("planted", [False, True])
def test_random_systems_agree_with_all_corners(planted):
    rng = np.random.default_rng(int(planted))
    for _ in range(COUNT):
        corners, expected = system(rng, planted)
        found = decide_invertible(corners)
        assert found.holds is expected
        if planted:
            assert found.holds is False
        if found.holds is False:
            assert is_singular_element(corners, found.singular)


def test_a_double_root_inside_is_found():
    """I and -I have equal determinants in even dimension; their mean is 0."""
    vertices = [rows(np.eye(2)), rows(-np.eye(2))]
    found = decide_invertible(vertices)
    assert found.holds is False
    assert found.singular.matrix == ((Fraction(0), Fraction(0)), (Fraction(0), Fraction(0)))


def test_touching_in_the_interior_of_a_triangle():
    """Rotations by 0, 120 and 240 degrees, made rational: only the interior holds 0."""
    vertices = [rows([[2, 0], [0, 2]]), rows([[-1, 2], [-2, -1]]), rows([[-1, -2], [2, -1]])]
    found = decide_invertible(vertices)
    assert found.holds is False
    assert is_singular_element(vertices, found.singular)


def test_skew_parts_do_not_matter():
    vertices = [rows([[1, k], [-k, 1]]) for k in (-5, 0, 7)]
    found = decide_invertible(vertices)
    assert found.holds is True


def test_irrational_root_is_described():
    """det = (1-t)² - 2t², whose roots are irrational: 1/(1+sqrt 2) = 0.41421356."""
    vertices = [rows([[1, 0], [0, 1]]), rows([[0, 2], [1, 0]])]
    found = decide_invertible(vertices)
    assert found.holds is False
    low, high = found.singular.algebraic.interval
    assert float(low) <= 0.41421357
    assert float(high) >= 0.41421356
