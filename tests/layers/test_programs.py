"""Linear and mixed-integer programs as layers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tamecheck.errors import InputError
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.layers import elastic, integer_value_layer, linear_layer

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


def test_a_near_tie_has_derivative_zero():
    found = linear_layer([1, 1 + 1e-6, 2], **SIMPLEX)
    assert not found.jumps
    assert found.cost_gradients == ((1, 0, 0),)
    assert all(a == 0 for row in found.cost_jacobian() for a in row)


def test_a_redundant_row_has_all_multipliers():
    """min x with x >= b, 2x >= c at b = 1, c = 2: max(b, c/2) has the slopes (1, 0), (0, 1/2)."""
    found = linear_layer([1], [[-1], [-2]], [-1, -2])
    assert set(found.right_side_gradients) == {(-1, 0), (0, Fraction(-1, 2))}


def test_dependent_equations_have_no_gradient():
    found = linear_layer([1, 1], E=[[1, 1], [2, 2]], e=[1, 2])
    with pytest.raises(InputError, match="infeasible"):
        _ = found.right_side_gradients


def test_no_optimum():
    with pytest.raises(InputError, match="infeasible"):
        linear_layer([1], [[1]], [-1])
    with pytest.raises(InputError, match="unbounded"):
        linear_layer([-1])


def running_example(d):
    """min ½x₁ + 2x₃ + x₄ with x₁ - 3/2 x₂ + x₃ - x₄ = d (Güzelsoy and Ralphs)."""
    columns = (
        Column("x1", Fraction(0), Fraction(3), Kind.INTEGER, Fraction(1, 2)),
        Column("x2", Fraction(0), Fraction(2), Kind.INTEGER),
        Column("x3", cost=Fraction(2)),
        Column("x4", cost=Fraction(1)),
    )
    terms = ((0, Fraction(1)), (1, Fraction(-3, 2)), (2, Fraction(1)), (3, Fraction(-1)))
    return Program(columns, (Row("r", terms, d, d),))


@pytest.mark.parametrize(
    ("d", "value", "slopes"),
    [
        (Fraction(1, 4), Fraction(1, 2), {2}),
        (Fraction(3, 4), Fraction(3, 4), {-1}),
        (Fraction(1, 2), Fraction(1), {2, -1}),
        (Fraction(1), Fraction(1, 2), {2, -1}),
    ],
)
def test_slopes_of_the_running_example(d, value, slopes):
    found = integer_value_layer(running_example(d))
    assert found.value == value
    assert found.verdict == "lipschitz"
    assert {g[0] for g in found.right_side_gradients} == slopes


def test_a_jump_is_named_and_the_elastic_program_has_none():
    columns = (Column("x", Fraction(0), Fraction(5), Kind.INTEGER, Fraction(1)),)
    program = Program(columns, (Row("r", ((0, Fraction(1)),), Fraction(2), None),))
    found = integer_value_layer(program)
    assert found.verdict == "jump"
    with pytest.raises(InputError, match="x=2"):
        _ = found.right_side_gradients
    soft = integer_value_layer(elastic(program, 3))
    assert soft.value == 2
    assert set(soft.right_side_gradients) == {(0,), (3,)}


def test_random_programs_agree_with_exact_differences():
    rng = np.random.default_rng(0)
    step = Fraction(1, 10**9)
    smooth = 0
    for _ in range(12):
        columns = [
            Column(f"i{k}", Fraction(0), Fraction(1), Kind.INTEGER, Fraction(int(c)))
            for k, c in enumerate(rng.integers(-5, 6, 2))
        ]
        columns += [Column(f"c{k}", cost=Fraction(int(c))) for k, c in enumerate((7, 9))]
        entries = [Fraction(int(a)) for a in rng.integers(-4, 5, 2)] + [Fraction(1), Fraction(-1)]
        terms = tuple((j, a) for j, a in enumerate(entries) if a)
        level = Fraction(int(rng.integers(-20, 20)), 7)

        def at(right, columns=columns, terms=terms):
            return integer_value_layer(Program(tuple(columns), (Row("r", terms, right, right),)))

        found = at(level)
        slopes = {g[0] for g in found.right_side_gradients}
        right = (at(level + step).value - found.value) / step
        left = (found.value - at(level - step).value) / step
        assert min(slopes) <= left <= max(slopes)
        assert min(slopes) <= right <= max(slopes)
        if len(slopes) == 1:
            smooth += 1
            assert left == right == slopes.pop()
    assert smooth >= 8
