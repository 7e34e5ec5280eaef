"""Gomory mixed-integer dual functions: worked examples, Lipschitz constants, the ascent."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction as Q

import pytest

from tamecheck.budget import Budget
from tamecheck.duality import InfeasibleProgramError, normalise
from tamecheck.duality.gomory import Layers, gomory_dual
from tamecheck.duality.gomory import violation as layer_violation
from tamecheck.errors import DomainError
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.ir.verdict import Verdict

PROOFS = ("columns", "at_zero", "subadditive", "monotone")


def guzelsoy_ralphs(b=Q(3, 2)):
    """min x1/2 + 2 x3 + x4, x1 - 3/2 x2 + x3 - x4 = b, x1 and x2 integer."""
    columns = (
        Column("x1", kind=Kind.INTEGER, cost=Q(1, 2)),
        Column("x2", kind=Kind.INTEGER),
        Column("x3", cost=Q(2)),
        Column("x4", cost=Q(1)),
    )
    terms = ((0, Q(1)), (1, Q(-3, 2)), (2, Q(1)), (3, Q(-1)))
    return Program(columns, (Row("d", terms, b, b),))


VALUES = {
    Q(-3, 2): Q(0), Q(-1): Q(1), Q(-1, 2): Q(1, 2), Q(0): Q(0), Q(1, 4): Q(1, 2), Q(1, 2): Q(1),
    Q(3, 4): Q(3, 4), Q(1): Q(1, 2), Q(5, 4): Q(1), Q(3, 2): Q(3, 2), Q(7, 4): Q(5, 4), Q(2): Q(1),
}  # fmt: skip


@pytest.mark.parametrize("b", sorted(VALUES))
def test_the_value_function_of_guzelsoy_and_ralphs_is_bounded_everywhere(b):
    found = gomory_dual(guzelsoy_ralphs(b))
    assert all(found.checks[name].status for name in PROOFS)
    assert found.optimum == VALUES[b]
    assert all(found([d]) <= z for d, z in VALUES.items())


def test_ralphs_and_hassanzadeh_table():
    columns = tuple(
        Column(f"x{j}", kind=Kind.INTEGER if j < 3 else Kind.CONTINUOUS, cost=c)
        for j, c in enumerate((Q(3), Q(7, 2), Q(3), Q(6), Q(7)))
    )
    terms = tuple(enumerate(map(Q, (6, 5, -4, 2, -7))))
    table = [0, 3, 6, Q(11, 2), Q(9, 2), Q(7, 2), 3, 6, 9, 8, 7, Q(13, 2), 6]
    below = [1, 2, 3, 3, 4, 5]
    values = {**dict(enumerate(table)), **{-k - 1: z for k, z in enumerate(below)}}
    for b in (5, 8, -2):
        found = gomory_dual(Program(columns, (Row("d", terms, Q(b), Q(b)),)))
        assert found.optimum == values[b]
        assert all(found.checks[name].status for name in PROOFS)
        assert all(found([d]) <= z for d, z in values.items())


def test_a_basis_gives_the_mixed_integer_cut_of_gomory():
    """x - y = ... by hand: x + y/1 >= 1/2 with x integer gives x + 2 y >= 1."""
    columns = (Column("x", kind=Kind.INTEGER, cost=Q(1)), Column("y", cost=Q(3)))
    program = Program(columns, (Row("r", ((0, Q(1)), (1, Q(1))), Q(1, 2), None),))
    run = Layers(normalise(program), 8, Budget())
    run.run(1, None)
    cut = run.rows[-1]
    assert cut.bound / cut.coefficients[0] == 1
    assert cut.coefficients[1] / cut.coefficients[0] == 2
    assert run.bound == 1


def test_functions_are_lipschitz_and_continuous_on_boxes():
    found = gomory_dual(guzelsoy_ralphs())
    box = found.definability("box")
    assert box.verdict is Verdict.TAME
    assert box.structure.public_name == "semilinear"
    assert box.continuous is True
    assert box.lipschitz is True
    assert found.definability().verdict is Verdict.LOCALLY_TAME
    steps = [Q(k, 24) for k in range(-48, 97)]
    for a, b in itertools.pairwise(steps):
        assert abs(found([b]) - found([a])) <= box.constant * (b - a)


def test_the_gradient_is_the_slope_and_holds_both_at_a_kink():
    found = gomory_dual(guzelsoy_ralphs())
    t = Q(1, 10**9)
    for k in range(-30, 60):
        d = Q(k, 12)
        gradient = found.gradient([d])
        right = (found([d + t]) - found([d])) / t
        left = (found([d]) - found([d - t])) / t
        assert gradient.contains([right])
        assert gradient.contains([left])
        if gradient.singleton:
            assert left == right == gradient.vertices[0][0]


def test_the_derivative_of_the_violation_is_that_of_its_differences():
    run = Layers(normalise(guzelsoy_ralphs()), 8, Budget())
    run.run(1, None)
    integral = [column.integral for column in run.form.columns]
    rng = random.Random(3)
    point = [Q(rng.randint(1, 5), 3) for _ in integral]

    def violation(w, v):
        row = run.cut([Q(a) for a in w], Q(v))
        pairs = zip(row.coefficients, point, strict=True)
        return float(row.bound - sum(a * x for a, x in pairs))

    for _ in range(10):
        w, v = [rng.uniform(-1, 1) for _ in run.rows], rng.uniform(0.3, 0.7)
        _, slope, slope_v = layer_violation(run.rows, integral, point, w, v)
        h = 1e-7
        for k in range(len(w)):
            up = [*w[:k], w[k] + h, *w[k + 1 :]]
            down = [*w[:k], w[k] - h, *w[k + 1 :]]
            assert (violation(up, v) - violation(down, v)) / (2 * h) == pytest.approx(
                slope[k], rel=1e-4, abs=1e-5
            )
        assert (violation(w, v + h) - violation(w, v - h)) / (2 * h) == pytest.approx(
            slope_v, rel=1e-4, abs=1e-5
        )


def test_infeasible_and_unbounded_programs_are_named():
    columns = (Column("x", kind=Kind.INTEGER, cost=Q(-1)),)
    with pytest.raises(DomainError, match="no dual function"):
        gomory_dual(Program(columns, (Row("r", ((0, Q(1)),), Q(0), None),)))
    with pytest.raises(InfeasibleProgramError):
        gomory_dual(Program(columns, (Row("r", ((0, Q(2)),), Q(1), Q(1)),)))


def test_the_ascent_raises_the_bound_and_stays_a_dual_function():
    """Without layers the knapsack's bound is 44/7; rows that are climbed to raise it."""
    columns = tuple(
        Column(f"x{a}", kind=Kind.INTEGER, cost=Q(c)) for a, c in ((3, 2), (5, 3), (7, 4))
    )
    row = Row("w", ((0, Q(3)), (1, Q(5)), (2, Q(7))), Q(11), Q(11))
    program = Program(columns, (row,))
    plain, climbed = gomory_dual(program, layers=0), gomory_dual(program, layers=0, steps=10)
    assert plain.dual_value == Q(44, 7)
    assert Q(44, 7) < climbed.dual_value <= 7
    assert all(climbed.checks[name].status for name in PROOFS)
    assert climbed.formula == gomory_dual(program, layers=0, steps=10).formula


def of_lines(costs, kinds, rows):
    """A minimum over non-negative variables; rows are coefficients, lower and upper side."""
    columns = tuple(
        Column(f"x{j}", kind=Kind.INTEGER if kind == "i" else Kind.CONTINUOUS, cost=cost)
        for j, (kind, cost) in enumerate(zip(kinds, costs, strict=True))
    )
    made = (
        Row(f"r{i}", tuple((j, Q(a)) for j, a in enumerate(line) if a), low, high)
        for i, (line, low, high) in enumerate(rows)
    )
    return Program(columns, tuple(made))


def test_layers_are_added_as_long_as_they_help_and_what_stops_them_is_said():
    thirteen = of_lines(
        [Q(2, 3), Q(1), Q(5, 2), Q(4), Q(7)],
        "iiiii",
        [
            ([6, 6, 0, 4, -3], Q(46), None),
            ([0, 7, 0, Q(5, 2), 6], Q(81, 2), Q(81, 2)),
            ([0, 0, -5, 0, Q(1, 2)], None, Q(-7)),
            *(([int(i == j) for i in range(5)], None, Q(e)) for j, e in enumerate((4, 4, 2, 4, 4))),
        ],
    )
    few, all_of_them = gomory_dual(thirteen, layers=3), gomory_dual(thirteen)
    assert few.gap > 0
    assert few.notes == ("3 layers, the most that are asked for",)
    assert all_of_them.strong
    long = of_lines(
        [Q(-19, 3), Q(49, 6), Q(9), Q(-2, 3), Q(-4, 3)],
        "iiiic",
        [
            ([Q(-1, 2), Q(7, 3), Q(3, 2), 0, 1], Q(15, 2), None),
            ([6, 0, -2, Q(-1, 3), 4], None, Q(95, 3)),
            ([Q(-2, 3), Q(-1, 2), -4, 2, Q(1, 3)], None, Q(-1, 2)),
        ],
    )
    found = gomory_dual(long)
    assert found.gap > 0
    assert "further cuts have more than 60 digits" in found.notes[0]
