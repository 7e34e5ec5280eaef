"""Equations without integer solution: found at once, with the multipliers that say so."""

import random
from fractions import Fraction as Q
from itertools import product

import pytest

from tamecheck.duality import METHODS, InfeasibleProgramError, dual, normalise
from tamecheck.duality.optimum import integer_contradiction
from tamecheck.ir.program import Column, Kind, Program, Row


def equations(matrix, right, *, lower=None, kinds=None):
    kinds = kinds or [Kind.INTEGER] * len(matrix[0])
    columns = tuple(
        Column(f"x{j}", lower, None, kind, Q(0 if lower is None else 1))
        for j, kind in enumerate(kinds)
    )
    rows = tuple(
        Row(f"r{i}", tuple((j, Q(a)) for j, a in enumerate(line) if a), Q(b), Q(b))
        for i, (line, b) in enumerate(zip(matrix, right, strict=True))
    )
    return Program(columns, rows)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("lower", [None, Q(0)])
def test_parity_is_no_search(method, lower):
    # 2 x - 2 y = 1: half of it has integers on the left and 1/2 on the right
    with pytest.raises(InfeasibleProgramError, match=r"1/2\*r0 has integer coefficients.* 1/2"):
        dual(equations([[2, -2]], [1], lower=lower), method)


def test_two_equations_together():
    # x + y = 1 and x - y = 0 have the solution 1/2, 1/2 only; each alone has an integer one
    form = normalise(equations([[1, 1], [1, -1]], [1, 0]))
    y = integer_contradiction(form, form.right)
    assert y is not None
    assert all(column.product(y).denominator == 1 for column in form.columns)
    assert sum(a * b for a, b in zip(y, form.right, strict=True)).denominator > 1
    assert integer_contradiction(form, (Q(2), Q(0))) is None


def test_integer_farkas_lemma_against_enumeration():
    chance = random.Random(5)
    seen = set()
    for _ in range(150):
        matrix = [[chance.randint(-3, 3) for _ in range(2)] for _ in range(2)]
        (a, b), (c, d) = matrix
        determinant = a * d - b * c
        if determinant == 0:
            continue
        right = (Q(chance.randint(-4, 4), chance.choice((1, 1, 2))), Q(chance.randint(-4, 4)))
        form = normalise(equations(matrix, right))
        y = integer_contradiction(form, right)
        x = (
            (d * right[0] - b * right[1]) / determinant,
            (a * right[1] - c * right[0]) / determinant,
        )
        assert (y is None) == all(own.denominator == 1 for own in x)
        seen.add(y is None)
        if y is not None:
            assert all(column.product(y).denominator == 1 for column in form.columns)
            assert (y[0] * right[0] + y[1] * right[1]).denominator > 1
    assert seen == {True, False}


def test_continuous_columns_are_left_out():
    form = normalise(equations([[2, 2]], [1], kinds=[Kind.INTEGER, Kind.CONTINUOUS]))
    assert integer_contradiction(form, form.right) is None


def test_the_value_function_is_infinite_where_there_is_no_integer_point():
    function = dual(equations([[2, -2]], [2], lower=Q(0)), "value")
    for b in product(range(-3, 4)):
        assert (function(list(b)) == float("inf")) == (b[0] % 2 == 1)


@pytest.mark.parametrize("sides", [(1, 2), (4, 7), (-2, 5)])
def test_generator_functions_of_free_integers(sides):
    # min y, 3 x + 5 y = b, y >= 0, x free: y is 2 b modulo 3, so that b = 1 gives 2
    columns = (Column("x", None, None, Kind.INTEGER), Column("y", kind=Kind.INTEGER, cost=Q(1)))
    for b in sides:
        row = Row("r", ((0, Q(3)), (1, Q(5))), Q(b), Q(b))
        found = dual(Program(columns, (row,)), "generator")
        assert found.strong
        assert found.dual_value == 2 * b % 3
        assert found.checks["columns"].status
