"""Piecewise polynomial regression: functions that are such trees are found with zero error."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.learn.regression.tree import (
    Points,
    PolynomialTree,
    Split,
    absolute_error,
    exponents,
    leaf_polynomial,
    tree_point,
    tree_program,
)

GRID = np.array(list(itertools.product(np.arange(-4, 5, 2) / 4, repeat=2)))
LINE = np.arange(-8, 9)[:, None] / 8
RANDOM = np.random.default_rng(0).uniform(-1, 1, (40, 2))


@pytest.mark.parametrize("x", [GRID, RANDOM])
@pytest.mark.parametrize(
    ("splits", "function"),
    [
        ("axis", lambda x: np.abs(x).sum(axis=1)),
        ("affine", lambda x: np.abs(x).max(axis=1)),
    ],
)
def test_norms_have_four_pieces(x, splits, function):
    """|x1| + |x2| splits at the axes, max(|x1|, |x2|) at the diagonals; 0 is a bound."""
    fitted = tc.learn.PiecewisePolynomialRegressor(2, splits=splits, random_state=0)
    fitted.fit(x, function(x))
    assert fitted.optimal_
    assert fitted.loss_ == fitted.bound_ == 0
    assert (fitted.predict(x) == function(x)).all()


@pytest.mark.parametrize(
    ("order", "function"),
    [
        (1, abs),
        (0, lambda x: float(x >= 0.25)),
        (2, lambda x: x * x if x > 0 else -x),
        (3, lambda x: x**3 - x if x < 0.5 else 1.0),
    ],
)
def test_two_pieces_on_a_line(order, function):
    y = np.array([function(v) for v in LINE[:, 0]])
    fitted = tc.learn.PiecewisePolynomialRegressor(1, order=order, random_state=0).fit(LINE, y)
    assert fitted.loss_ == 0
    assert fitted.optimal_
    model = fitted.to_model()
    assert model.check().verdict is tc.Verdict.TAME
    for row, value in zip(LINE, y, strict=True):
        assert model.evaluate(row[0], exact=True) == Fraction(value)


def test_the_model_has_the_trees_values_everywhere():
    rng = np.random.default_rng(3)
    x = rng.integers(-5, 6, (40, 2)) / 4
    y = np.sin(x[:, 0]) + x[:, 1] ** 2
    fitted = tc.learn.PiecewisePolynomialRegressor(
        2, order=2, splits="affine", timeout=3, random_state=0
    ).fit(x, y)
    model = fitted.to_model()
    for row in rng.integers(-9, 10, (20, 2)) / 4:
        exact = fitted.tree_.value([Fraction(v) for v in row])
        assert model.evaluate(*row, exact=True) == exact
    assert fitted.bound_ <= fitted.loss_ <= fitted.max_error_


@pytest.mark.parametrize("solver", ["auto", "cbc", "highs"])
def test_a_certificate_proves_that_one_step_is_not_enough(solver):
    """Values 0, 1, 0 with one step cost 1 in all: the mean is 1/3."""
    fitted = tc.learn.PiecewisePolynomialRegressor(1, order=0, solver=solver, random_state=0)
    fitted.fit([[0], [1], [2]], [0, 1, 0])
    assert fitted.proof_ == "certificate"
    assert fitted.loss_ == fitted.bound_ == pytest.approx(1 / 3)


def test_the_search_alone_claims_no_bound():
    fitted = tc.learn.PiecewisePolynomialRegressor(1, order=0, solver="search", random_state=0)
    fitted.fit([[0], [1], [2]], [0, 1, 0])
    assert (fitted.bound_, fitted.proof_, fitted.optimal_) == (0, "trivial", False)


def test_equal_points_are_a_bound():
    fitted = tc.learn.PiecewisePolynomialRegressor(1, order=0, random_state=0)
    fitted.fit([[0], [0], [1]], [0, 1, 5])
    assert (fitted.proof_, fitted.optimal_) == ("data", True)
    assert fitted.loss_ == pytest.approx(1 / 3)


def test_least_absolute_lines_are_exact():
    """Three points of four lie on y = 2x + 1/3; the outlier does not move the line."""
    rows = [[Fraction(1), Fraction(k)] for k in range(4)]
    y = [Fraction(1, 3) + 2 * k for k in range(3)] + [Fraction(100)]
    found = leaf_polynomial(rows, y)
    assert absolute_error(rows, y, found) == min(
        absolute_error(rows, y, c) for c in [found, (Fraction(1, 3), Fraction(2))]
    )


@pytest.mark.parametrize("axis", [True, False])
def test_a_tree_lifts_to_a_point_of_its_program(axis):
    powers = exponents(2, 1)
    assert powers == ((0, 0), (1, 0), (0, 1))
    one, zero = Fraction(1), Fraction(0)
    tree = PolynomialTree(
        (Split((one, zero), zero),), powers, ((zero, -one, zero), (zero, one, zero))
    )
    x = [[Fraction(a), Fraction(b)] for a in (-1, 0, 1) for b in (-1, 1)]
    phi = [[one, *point] for point in x]
    y = [abs(point[0]) + Fraction(1, 7) for point in x]
    data = Points(x, phi, y)
    made = tree_program(data, depth=1, axis=axis, gap=Fraction(1, 1000), largest=Fraction(4))
    point = tree_point(made, tree, data)
    assert point is not None
    assert made.program.objective(point) == Fraction(6, 7)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"depth": -1}, "depth"),
        ({"order": 0.5}, "order"),
        ({"splits": "oblique"}, "splits"),
        ({"solver": "annealing"}, "solver"),
        ({"max_nodes": 0}, "max_nodes"),
    ],
)
def test_bad_parameters(options, words):
    with pytest.raises(ValueError, match=words):
        tc.learn.PiecewisePolynomialRegressor(**options).fit(LINE, LINE[:, 0])


def test_bad_data():
    with pytest.raises(ValueError, match="NaN"):
        tc.learn.PiecewisePolynomialRegressor().fit([[np.nan], [1]], [0, 1])
