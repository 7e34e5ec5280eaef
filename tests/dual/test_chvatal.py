"""Chvátal functions: triangle packing and a knapsack by hand, gaps, and programs without one."""

from __future__ import annotations

import math
import random
from fractions import Fraction as Q
from itertools import product

import pytest

from tamecheck.budget import Budget
from tamecheck.duality import InfeasibleProgramError
from tamecheck.duality.chvatal import chvatal_dual
from tamecheck.duality.form import normalise
from tamecheck.duality.jeroslow import mixed_chvatal_dual
from tamecheck.errors import DomainError, InputError, UnsupportedError
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.ir.verdict import Verdict

PROOFS = ("columns", "at_zero", "subadditive", "monotone")


def integers(*costs, upper=None):
    return tuple(
        Column(f"x{j}", upper=upper, kind=Kind.INTEGER, cost=Q(c)) for j, c in enumerate(costs)
    )


def triangle_packing():
    """max x0 + x1 + x2 with each pair at most 1."""
    pairs = [(0, 1), (1, 2), (0, 2)]
    rows = tuple(
        Row(f"b{k + 1}", ((i, Q(1)), (j, Q(1))), None, Q(1)) for k, (i, j) in enumerate(pairs)
    )
    return Program(integers(1, 1, 1), rows, Sense.MAXIMISE)


def packing_value(b):
    """The optimum for the right-hand side b, as a formula that is checked in the literature."""
    b1, b2, b3 = b
    return min(sum(b) // 2, b1 + b2, b2 + b3, b1 + b3)


@pytest.mark.parametrize("strategy", ["gomory", "separation"])
def test_triangle_packing(strategy):
    found = chvatal_dual(triangle_packing(), strategy=strategy)
    assert found.strong
    assert found.dual_value == 1
    assert all(item.status for item in found.checks.values())
    for b in product(range(5), repeat=3):
        assert found(list(b)) >= packing_value(b)


def test_the_formula_of_triangle_packing_is_the_half_sum_rounded():
    found = chvatal_dual(triangle_packing())
    assert found.formula == "ceil(-1/2*b1 - 1/2*b2 - 1/2*b3)"
    assert str(found.to_sympy()) == "ceiling(-b1/2 - b2/2 - b3/2)"
    assert r"\left\lceil" in found.latex


def test_triangle_packing_with_more_right_hand_sides_is_the_value_function():
    # T4: one Chvátal function that is z on all of {0, ..., 4}^3
    grid = list(product(range(5), repeat=3))
    found = chvatal_dual(triangle_packing(), more=grid)
    assert found.strong
    assert all(item.status for item in found.checks.values())
    for b in grid:
        assert found(list(b)) == packing_value(b)
    # the half sum rounded, and the three sums of two sides
    for b in product((7, 12), (9, 20), (11, 31)):
        assert found(list(b)) == packing_value(b)


def test_more_right_hand_sides_that_are_infeasible_are_named():
    found = chvatal_dual(triangle_packing(), more=[[-1, 0, 0], [2, 1, 1]])
    assert found.notes[1:] == ("there is no feasible point at (-1, 0, 0)",)
    assert found([2, 1, 1]) == 2
    with pytest.raises(InputError, match="one right-hand side"):
        chvatal_dual(triangle_packing(), more=[[1, 1, 0]], strategy="separation")


def test_the_equality_knapsack():
    """min 2x + 3y + 4z, 3x + 5y + 7z = 11: the value is 7, the relaxation's 44/7."""
    row = Row("w", ((0, Q(3)), (1, Q(5)), (2, Q(7))), Q(11), Q(11))
    found = chvatal_dual(Program(integers(2, 3, 4), (row,)))
    assert found.dual_value == 7
    assert found.strong
    table = {3: 2, 5: 3, 6: 4, 7: 4, 8: 5, 9: 6, 10: 6, 12: 7, 13: 8, 14: 8, 15: 9, 16: 10}
    assert all(found([b]) <= z for b, z in table.items())


def test_a_run_that_is_cut_short_states_its_gap():
    found = chvatal_dual(triangle_packing(), rounds=0)
    assert all(found.checks[name].status for name in PROOFS)
    row = Row("w", ((0, Q(3)), (1, Q(5)), (2, Q(7))), Q(11), Q(11))
    short = chvatal_dual(Program(integers(20, 30, 41), (row,)), rounds=0)
    assert short.gap > 0
    assert not short.strong
    assert short.checks["at_b"].status is False


def test_tameness_everywhere_and_on_a_box():
    found = chvatal_dual(triangle_packing())
    everywhere, box = found.definability(), found.definability("box")
    assert everywhere.verdict is Verdict.LOCALLY_TAME
    assert box.verdict is Verdict.TAME
    assert box.structure.public_name == "semilinear"
    assert box.continuous is False
    assert box.constant is None


def test_the_gradient_is_0_off_the_jumps_and_refused_at_one():
    found = chvatal_dual(triangle_packing())
    assert found.gradient([1, 1, 1]).vertices == ((0, 0, 0),)
    with pytest.raises(DomainError, match="jumps"):
        found.gradient([2, 1, 1])


def test_dependent_equations_and_zero_columns_are_no_trouble():
    rows = (
        Row("one", ((0, Q(2)), (1, Q(3))), Q(7), Q(7)),
        Row("two", ((0, Q(4)), (1, Q(6))), Q(14), Q(14)),
    )
    found = chvatal_dual(Program(integers(1, 1, 0), rows))
    assert found.strong
    assert found.dual_value == 3


def test_infeasible_unbounded_and_continuous_programs_are_named():
    parity = Row("odd", ((0, Q(2)),), Q(1), Q(1))
    with pytest.raises(InfeasibleProgramError, match="infeasible"):
        chvatal_dual(Program(integers(1), (parity,)))
    with pytest.raises(DomainError, match="infeasible, so that there is no dual function"):
        chvatal_dual(Program(integers(-1), (Row("r", ((0, Q(1)),), Q(0), None),)))


def mixed_program(seed):
    """Two or three columns, the last one continuous, one or two rows; costs that are bounded."""
    rng = random.Random(seed)
    size, senses = rng.randint(2, 3), [rng.choice(["=", ">="]) for _ in range(rng.randint(1, 2))]
    matrix = [[rng.randint(-3, 5) for _ in range(size)] for _ in senses]
    y = [rng.randint(0, 2) for _ in senses]
    columns = tuple(
        Column(
            f"x{j}",
            kind=Kind.CONTINUOUS if j == size - 1 else Kind.INTEGER,
            cost=Q(sum(v * row[j] for v, row in zip(y, matrix, strict=True)) + rng.randint(1, 4)),
        )
        for j in range(size)
    )
    start = [rng.randint(0, 2) for _ in range(size)]
    rows = []
    for i, (row, sense) in enumerate(zip(matrix, senses, strict=True)):
        side = Q(sum(a * x for a, x in zip(row, start, strict=True)), rng.choice([1, 1, 2]))
        terms = tuple((j, Q(a)) for j, a in enumerate(row) if a)
        rows.append(Row(f"r{i}", terms, side, side if sense == "=" else None))
    return Program(columns, tuple(rows))


def test_ceilings_on_the_integer_part_of_mixed_programs():
    strong = 0
    for seed in range(8):
        program = mixed_program(seed)
        try:
            found = chvatal_dual(program, seconds=10)
        except InfeasibleProgramError:
            continue
        assert found.checks["columns"].status
        assert found.checks["at_zero"].status
        assert found.checks["subadditive"].status is None
        strong += found.strong
        rng = random.Random(seed)
        for _ in range(10):
            x = [Q(rng.randint(0, 4)) for _ in program.columns[:-1]] + [Q(rng.randint(0, 8), 3)]
            d = [row.value(x) for row in program.rows]
            assert found(d) <= program.objective(x)
    assert strong >= 4


def test_a_mixed_chvatal_function_by_hand():
    """Min y, x + y = d, x integer of any sign: z(d) = d - floor(d), here with steps of 1/2."""
    columns = Column("x", None, kind=Kind.INTEGER), Column("y", cost=Q(1))
    row = Row("d", ((0, Q(1)), (1, Q(1))), Q(3, 2), Q(3, 2))
    found = chvatal_dual(Program(columns, (row,)))
    assert found.strong
    assert found.dual_value == Q(1, 2)
    for k in range(-9, 10):
        d = Q(k, 4)
        assert found([d]) == d - math.floor(d)
    assert found.gradient([Q(1, 3)]).vertices == ((1,),)
    with pytest.raises(UnsupportedError, match="lattices"):
        found.gradient()
    assert found.definability("box").verdict is Verdict.TAME
    (symbol,) = found.symbols()
    assert found.to_sympy().subs(symbol, Q(7, 4)).doit() == Q(3, 4)
    with pytest.raises(UnsupportedError, match="pure integer programs"):
        chvatal_dual(Program(columns, (row,)), strategy="separation")


def test_equations_that_continuous_columns_do_not_span():
    columns = (*integers(2, 3), Column("y", cost=Q(1)))
    rows = (
        Row("a", ((0, Q(2)), (1, Q(1)), (2, Q(1))), Q(5, 2), Q(5, 2)),
        Row("b", ((0, Q(1)), (1, Q(3)), (2, Q(2))), Q(5), Q(5)),
    )
    found = chvatal_dual(Program(columns, rows))
    assert found.strong
    assert found.checks["columns"].status


def test_an_integral_point_of_a_mixed_program_proves_the_optimum():
    columns = Column("x", None, kind=Kind.INTEGER), Column("y", cost=Q(1))
    row = Row("d", ((0, Q(1)), (1, Q(1))), Q(3, 2), Q(3, 2))
    form = normalise(Program(columns, (row,)))
    found = mixed_chvatal_dual(form, Budget.of(20), lambda: None, rounds=100)
    assert found.strong
    assert found.optimum == Q(1, 2)
    stopped = mixed_chvatal_dual(form, Budget.of(20), lambda: None, rounds=0)
    assert stopped.strong or stopped.optimum is None
