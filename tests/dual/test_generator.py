"""Generator subadditive functions: Klabjan's knapsack, bad choices that the check catches."""

from __future__ import annotations

import math
from fractions import Fraction as Q

import pytest

from tamecheck.duality import normalise
from tamecheck.duality.generator.dual import generator_dual
from tamecheck.duality.generator.function import generator_function
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.program import Column, Kind, Program, Row


def knapsack(b=11):
    columns = tuple(
        Column(f"x{a}", kind=Kind.INTEGER, cost=Q(c)) for a, c in ((3, 2), (5, 3), (7, 4))
    )
    return Program(columns, (Row("w", ((0, Q(3)), (1, Q(5)), (2, Q(7))), Q(b), Q(b)),))


@pytest.mark.parametrize(
    ("alpha", "value"),
    [
        (Q(4, 7), Q(44, 7)),
        (Q(3, 5), Q(32, 5)),
        (Q(2, 3), Q(20, 3)),
        (Q(7, 10), Q(67, 10)),
        (Q(1), Q(7)),
    ],
)
def test_klabjan_functions_of_the_knapsack(alpha, value):
    found = generator_dual(knapsack(), alpha=[alpha], residual="orthant")
    assert found.dual_value == value
    assert found.checks["columns"].status
    assert found.checks["at_zero"].status
    assert found.gap == 7 - value
    assert found.strong == (alpha == 1)


def test_the_strong_function_bounds_the_whole_value_table():
    table = {3: 2, 5: 3, 6: 4, 7: 4, 8: 5, 9: 6, 10: 6, 11: 7, 12: 7, 13: 8, 14: 8, 15: 9, 16: 10}
    found = generator_dual(knapsack(), alpha=[1], residual="orthant")
    assert all(found([b]) <= z for b, z in table.items())


@pytest.mark.parametrize("residual", ["cone", "monoid"])
def test_the_search_finds_a_strong_function(residual):
    found = generator_dual(knapsack(), residual=residual)
    assert found.strong
    assert found.dual_value == 7
    assert all(r >= 0 for r in found.reduced_costs().values())


def test_a_column_that_is_priced_too_high_and_not_kept_is_caught():
    form = normalise(knapsack())
    found = generator_function(form, (Q(1),), kept=[0], residual="orthant", optimum=Q(7))
    assert found.checks["columns"].status is False
    assert "x5" in found.checks["columns"].why
    # the false bound that goes with it
    assert found.dual_value > 7


def equation(second, right):
    """``2 x + second y = right`` in integers at cost 1 each, in normal form."""
    columns = tuple(Column(name, kind=Kind.INTEGER, cost=Q(1)) for name in "xy")
    row = Row("r", ((0, Q(2)), (1, Q(second))), Q(right), Q(right))
    return normalise(Program(columns, (row,)))


def test_negative_data_break_the_orthant_function_and_the_check_says_so():
    """The residual of a column with a negative entry is not in the orthant: F(a) is infinite."""
    form = equation(-3, 1)
    found = generator_function(form, (Q(1, 2),), residual="orthant", optimum=Q(3))
    assert found.evaluate((Q(-3),)) == math.inf
    assert found.checks["columns"].status is False


def test_multipliers_that_gain_at_zero_are_caught():
    """x - y = 0 with alpha = 2 gains along x = y without end: F(0) is minus infinity."""
    form = equation(-2, 0)
    found = generator_function(form, (Q(-2),), kept=[0], residual="cone", optimum=Q(0))
    assert found.evaluate((Q(0),)) == 0
    gaining = generator_function(form, (Q(-2),), kept=[], residual="cone", optimum=Q(0))
    assert gaining.checks["columns"].status is False


def test_slopes_are_given_where_they_are_proved_only():
    found = generator_dual(knapsack(), alpha=[Q(3, 5)], residual="orthant")
    assert found.gradient([Q(31, 4)]).vertices == ((Q(3, 5),),)
    h = Q(1, 1000)
    assert (found([Q(31, 4) + h]) - found([Q(31, 4) - h])) / (2 * h) == Q(3, 5)
    with pytest.raises(UnsupportedError, match="not proved"):
        found.gradient([7])


def test_bad_options_are_named():
    with pytest.raises(InputError, match="residual"):
        generator_dual(knapsack(), alpha=[1], residual="sphere")
    with pytest.raises(InputError, match="multipliers"):
        generator_dual(knapsack(), alpha=[1, 2])
