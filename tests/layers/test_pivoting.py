"""Exact pivots from any basis to an optimal one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tamecheck.ir.program import Column, Program, Row
from tamecheck.layers.exact_linear import Best, Linear
from tamecheck.layers.pivoting import improved_basis
from tamecheck.programs.basis import exact_point
from tamecheck.solve.relaxation import Basis


def random_program(seed):
    """Columns and rows with bounds of all kinds, feasible; the costs bounded by a box."""
    rng = np.random.default_rng(seed)
    columns = []
    for j in range(6):
        lower = None if rng.random() < 0.2 else Fraction(int(rng.integers(-3, 1)))
        upper = None if rng.random() < 0.2 else Fraction(int(rng.integers(1, 4)))
        columns.append(Column(f"x{j}", lower, upper))
    point = rng.integers(0, 2, 6)
    rows = [Row("box", tuple((j, Fraction(1)) for j in range(6)), Fraction(-9), Fraction(9))]
    for i, entries in enumerate(rng.integers(-2, 3, (4, 6))):
        value = Fraction(int(entries @ point))
        ends = ((value, value), (value - 1, None), (None, value), (value - 2, value + 1))
        terms = tuple((j, Fraction(int(a))) for j, a in enumerate(entries) if a)
        rows.append(Row(f"r{i}", terms, *ends[rng.integers(0, 4)]))
    costs = [Fraction(int(c)) for c in rng.integers(-3, 4, 6)]
    return Program(tuple(columns), tuple(rows)), costs


def standing(column):
    if column.lower is None and column.upper is None:
        return "zero"
    return "upper" if column.lower is None else "lower"


@pytest.mark.parametrize("seed", range(40))
def test_the_optimum_is_reached_from_the_basis_of_all_rows(seed):
    """It is neither primal nor dual feasible in general, so that both methods have to work."""
    program, costs = random_program(seed)
    start = Basis(tuple(standing(column) for column in program.columns), ("basic",) * 5)
    basis = improved_basis(program, costs, start)
    best = Linear(program).minimum(costs)
    if not isinstance(best, Best):
        assert basis is None
        return
    ends = [[getattr(c, side) for c in program.columns] for side in ("lower", "upper")]
    point = exact_point(program, basis, *ends)
    assert not program.violations(point)
    assert sum(c * x for c, x in zip(costs, point, strict=True)) == best.value


def test_a_program_without_a_point_has_no_optimal_basis():
    one = Fraction(1)
    program = Program((Column("x", Fraction(0), one),), (Row("r", ((0, one),), Fraction(2), None),))
    assert improved_basis(program, [one], Basis(("lower",), ("basic",))) is None
