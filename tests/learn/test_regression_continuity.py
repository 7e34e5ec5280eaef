"""Cuts move to where the pieces of a continuous function join."""

from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.learn.regression.tree import Points, PolynomialTree, Split, join_pieces

ONE, ZERO = Fraction(1), Fraction(0)


def line(points, values):
    return Points(points, [[ONE, *point] for point in points], values)


def test_a_cut_beside_the_kink_of_an_absolute_value_moves_to_it():
    tree = PolynomialTree(
        (Split((ONE,), Fraction(1, 3)),), ((0,), (1,)), ((ZERO, -ONE), (ZERO, ONE))
    )
    points = [[Fraction(k)] for k in (-2, -1, 1, 2)]
    moved = join_pieces(tree, line(points, [abs(p[0]) for p in points]), axis=True)
    assert moved.splits == (Split((ONE,), ZERO),)


def test_a_cut_stays_where_moving_it_fits_worse():
    tree = PolynomialTree((Split((ONE,), Fraction(1)),), ((0,), (1,)), ((ZERO, -ONE), (ZERO, ONE)))
    # on the jump at 1 the pieces do not join
    points = [[Fraction(1, 2)], [Fraction(1)]]
    values = [Fraction(-1, 2), ONE]
    assert join_pieces(tree, line(points, values), axis=True) == tree


@pytest.mark.parametrize("turn", [0.0, 0.4, 1.1])
def test_a_rotated_maximum_norm_is_found_from_random_points(turn):
    """What is left is the rounding of the values; unseen points are met as well."""
    rng = np.random.default_rng(5)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    x = rng.uniform(-1, 1, (60, 2))
    fitted = tc.learn.PiecewisePolynomialRegressor(
        2, splits="affine", solver="search", random_state=0
    ).fit(x, np.abs(x @ turned).max(axis=1))
    assert fitted.optimal_
    assert fitted.max_error_ < 1e-15
    unseen = rng.uniform(-1, 1, (200, 2))
    assert np.abs(fitted.predict(unseen) - np.abs(unseen @ turned).max(axis=1)).max() < 1e-9
