"""Bounds on one sum: the tightest stay, and those that exclude each other are found."""

from fractions import Fraction

from tamecheck.explain.inequalities import Inequality, tightest


def half(factor, bound, *, strict=False):
    """``factor (x - y) ≥ factor bound``: at least the bound, or at most for a negative factor."""
    return Inequality(
        (Fraction(factor), Fraction(-factor)), Fraction(-factor) * bound, strict=strict
    )


def test_the_tightest_bound_of_each_side_stays():
    low, high, beside = half(2, 1), half(-3, 5), Inequality((Fraction(1), Fraction(0)), Fraction(0))
    halves = [half(1, 0), low, high, half(-1, 7), beside]
    assert tightest(halves) == (low, high, beside)


def test_of_equal_bounds_the_strict_one_stays():
    assert tightest([half(1, 2), half(5, 2, strict=True)]) == (half(5, 2, strict=True),)
    assert tightest([half(5, 2, strict=True), half(1, 2)]) == (half(5, 2, strict=True),)


def test_bounds_that_exclude_each_other():
    assert tightest([half(1, 3), half(-1, 2)]) is None
    assert tightest([half(1, 2), half(-1, 2, strict=True)]) is None
    assert tightest([half(1, 2), half(-1, 2)]) == (half(1, 2), half(-1, 2))
