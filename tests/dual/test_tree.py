"""Dual functions of search trees: Güzelsoy, Ralphs 2007."""

import random
from fractions import Fraction as Q

import pytest
import sympy
from random_programs import exhaustive, random_program

from tamecheck.duality.tree import tree_dual
from tamecheck.errors import InputError
from tamecheck.ir.program import Column, Kind, Program, Row


def check_one(seed, sides):
    function = tree_dual(random_program(seed))
    form = function.form
    assert function.strong
    assert form.inward(function.optimum) == exhaustive(form, form.right)
    checks = function.checks
    assert checks["columns"].status
    assert checks["at_zero"].status
    assert checks["monotone"].status
    assert checks["at_b"].status
    rng, compared = random.Random(seed), 0
    for number in range(sides):
        d = list(form.right)
        for i, constraint in enumerate(form.constraints):
            if constraint.row is not None:
                d[i] += Q(rng.randint(-6, 6), rng.choice([1, 1, 2]))
            elif number % 2:
                d[i] = Q(rng.randint(0, 4))
        value = exhaustive(form, tuple(d))
        if value is not None:
            assert function.evaluate(tuple(d)) <= value
            compared += 1
    return compared


@pytest.mark.slow
def test_strong_at_b_and_below_the_value_function_everywhere():
    assert sum(check_one(seed, 8) for seed in range(15)) > 30


@pytest.mark.slow
@pytest.mark.parametrize("first", range(15, 30, 5))
def test_strong_and_below_for_more_programs(first):
    assert sum(check_one(seed, 15) for seed in range(first, first + 5)) > 15


def example(b):
    """min x1/2 + 2 x3 + x4 with x1 - 3/2 x2 + x3 - x4 = b, x1 and x2 integer."""
    integer, real = Kind.INTEGER, Kind.CONTINUOUS
    columns = (
        Column("x1", kind=integer, cost=Q(1, 2)),
        Column("x2", kind=integer),
        Column("x3", kind=real, cost=Q(2)),
        Column("x4", kind=real, cost=Q(1)),
    )
    terms = ((0, Q(1)), (1, Q(-3, 2)), (2, Q(1)), (3, Q(-1)))
    return Program(columns, (Row("r", terms, Q(b), Q(b)),))


def test_example_of_guzelsoy_and_ralphs():
    function = tree_dual(example(Q(3, 2)))
    assert function.dual_value == Q(3, 2)
    assert function.gap == 0
    # the linear dual b/2 of the relaxation
    assert function({"r": 0}) == 0
    assert function({"r": -100}) <= 0
    costs = function.reduced_costs()
    assert all(cost >= 0 for cost in costs.values())


def test_more_right_hand_sides_give_a_larger_function():
    one = tree_dual(example(Q(3, 2)))
    two = one.improved({"r": Q(1, 2)})
    assert two({"r": Q(1, 2)}) == 1
    assert all(two({"r": Q(k, 4)}) >= one({"r": Q(k, 4)}) for k in range(-8, 17))
    assert two.strong


def test_gradient_is_the_slope_where_one_piece_is_active():
    function = tree_dual(example(Q(3, 2)))
    step = Q(1, 10**6)
    for k in range(-20, 40):
        t = Q(k, 7) + Q(1, 1000)
        gradient = function.gradient({"r": t})
        left = (function({"r": t}) - function({"r": t - step})) / step
        right = (function({"r": t + step}) - function({"r": t})) / step
        low, high = gradient.range("r")
        assert low <= min(left, right) <= max(left, right) <= high


def test_kink_has_both_slopes():
    function = tree_dual(example(Q(3, 2)))
    low, high = function.gradient().range("r")
    assert (low, high) == (-1, 2)
    assert function.gradient().contains([0])
    assert not function.gradient().contains([3])


@pytest.mark.parametrize("sense", [1, -1])
def test_constants_and_maximised_objectives_come_back(sense):
    from tamecheck.ir.program import Sense

    columns = (Column("x", Q(1), Q(5), Kind.INTEGER, Q(3)),)
    rows = (Row("low", ((0, Q(2)),), Q(5), None), Row("high", ((0, Q(2)),), None, Q(9)))
    program = Program(
        columns, rows, Sense.MINIMISE if sense > 0 else Sense.MAXIMISE, constant=Q(7, 2)
    )
    function = tree_dual(program)
    # 5/2 <= x <= 9/2: x = 3 or x = 4
    expected = 9 + Q(7, 2) if sense > 0 else 12 + Q(7, 2)
    assert function.optimum == function.dual_value == expected
    # a bound from above for a maximum
    other = function({"high": 6})
    assert other >= 9 + Q(7, 2) if sense < 0 else other <= 9 + Q(7, 2)


def test_unfinished_search_has_a_gap_and_says_so():
    assert tree_dual(random_program(6)).strong
    function = tree_dual(random_program(6), nodes=1)
    assert function.optimum == tree_dual(random_program(6)).optimum
    assert function.gap > 0
    assert not function.strong
    assert function.checks["at_b"].status is False
    assert "after 1 node" in function.notes[0]


def test_no_nodes_are_refused():
    with pytest.raises(InputError, match="at least one node"):
        tree_dual(example(1), nodes=0)


def test_formula_agrees_with_the_function():
    function = tree_dual(example(Q(3, 2)))
    (symbol,) = function.to_sympy().free_symbols
    for k in range(-4, 9):
        value = function.to_sympy().subs(symbol, sympy.Rational(k, 3)).doit()
        assert value == sympy.Rational(*function({"r": Q(k, 3)}).as_integer_ratio())
    assert function.latex
