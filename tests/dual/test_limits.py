"""What a search alone does not decide, limits that are kept, and random programs."""

from __future__ import annotations

import random
import time
from fractions import Fraction as Q

import pytest

from tamecheck.budget import Budget
from tamecheck.duality import METHODS, InfeasibleProgramError, dual, normalise
from tamecheck.duality.gomory import Layers
from tamecheck.duality.proof import settle_by_cuts
from tamecheck.errors import SolverError
from tamecheck.ir.program import Column, Kind, Program, Row


def whole(costs, rows, upper=None):
    """A minimum over natural numbers; rows are coefficients, lower and upper side."""
    columns = tuple(
        Column(f"x{j}", Q(0), upper, Kind.INTEGER, Q(cost)) for j, cost in enumerate(costs)
    )
    made = (
        Row(
            f"r{i}",
            tuple((j, Q(a)) for j, a in enumerate(line) if a),
            *(None if end is None else Q(end) for end in ends),
        )
        for i, (line, *ends) in enumerate(rows)
    )
    return Program(columns, tuple(made))


STRIP = whole([1, 1], [([5, -7], Q(1, 3), None), ([5, -7], None, Q(2, 3))])
JEROSLOW = whole([1] + [0] * 15, [([1] + [2] * 15, 15, 15)], upper=Q(1))
KNAPSACK = whole(
    [213, 212, 211, 210, 209], [([12223, 12224, 36674, 61119, 85569], 89643481, 89643481)]
)


@pytest.mark.parametrize("method", METHODS)
def test_a_strip_without_integer_points_is_infeasible(method):
    # every method needs the optimum; a search goes on along the strip for ever
    with pytest.raises(InfeasibleProgramError):
        dual(STRIP, method, seconds=20)


def test_cuts_settle_values_with_a_function_that_is_evaluated():
    assert settle_by_cuts(normalise(STRIP), Budget.of(5)) == (float("inf"), None)
    value, point = settle_by_cuts(normalise(JEROSLOW), Budget.of(5))
    assert (value, JEROSLOW.objective(point), JEROSLOW.violations(point)) == (1, 1, ())
    mixed = Program((Column("y", cost=Q(1)),), (Row("r", ((0, Q(1)),), Q(1), None),))
    assert settle_by_cuts(normalise(mixed), Budget.of(5)) is None


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_limits_are_kept_and_what_stopped_is_said(method):
    begin = time.process_time()
    try:
        found = dual(KNAPSACK, method, seconds=0.5)
    except InfeasibleProgramError:
        # true: it is the largest number that these do not add up to (Aardal and Lenstra 2004)
        pass
    except SolverError as error:
        assert "in 0.5 seconds" in str(error) or "in time" in str(error)  # noqa: PT017 (or a gap)
    else:
        assert found.checks["columns"].status
        assert found.strong or found.optimum is None or found.gap > 0
    assert time.process_time() - begin < 5


@pytest.mark.slow
def test_a_tree_that_stops_has_the_optimum_and_says_what_stopped_it():
    found = dual(JEROSLOW, "tree", nodes=300, seconds=30)
    assert found.optimum == 1
    assert found.gap == 1
    assert "its nodes" in found.notes[0]
    assert found.to_json()["notes"] == list(found.notes)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS[:5])
@pytest.mark.parametrize("seed", range(4))
def test_no_family_exceeds_the_cost_of_a_point(method, seed):
    """Mixed and pure programs with unbounded integers: F(d) <= c·x wherever x is feasible at d."""
    rng = random.Random(seed)
    size = rng.randint(2, 4)
    kinds = [Kind.INTEGER, *(rng.choice([Kind.INTEGER, Kind.CONTINUOUS]) for _ in range(size - 1))]
    matrix = [[rng.randint(-4, 6) for _ in range(size)] for _ in range(2)]
    costs = [a + 2 * b + rng.randint(1, 4) for a, b in zip(*matrix, strict=True)]
    columns = tuple(
        Column(f"x{j}", kind=kind, cost=Q(c))
        for j, (kind, c) in enumerate(zip(kinds, costs, strict=True))
    )
    start = [rng.randint(0, 3) for _ in range(size)]
    rows = []
    for i, line in enumerate(matrix):
        side = Q(sum(a * x for a, x in zip(line, start, strict=True)))
        terms = tuple((j, Q(a)) for j, a in enumerate(line) if a)
        rows.append(Row(f"r{i}", terms, side, side if i else None))
    program = Program(columns, tuple(rows))
    found = dual(program, method, seconds=5)
    assert found.checks["columns"].status
    for _ in range(12):
        x = [Q(rng.randint(0, 4)) if k is Kind.INTEGER else Q(rng.randint(0, 9), 2) for k in kinds]
        d = [row.value(x) for row in program.rows]
        assert found(d) <= program.objective(x)


def test_a_value_function_is_at_most_the_cost_of_a_column_without_a_search(monkeypatch):
    # along the column y the branches of two integers without bounds have no end
    columns = (
        *(Column(f"x{j}", kind=Kind.INTEGER, cost=c) for j, c in enumerate((Q(4, 3), Q(5)))),
        Column("x2", Q(-1), None, Kind.INTEGER, Q(-5, 3)),
        Column("x3", kind=Kind.INTEGER, cost=Q(-9, 2)),
        Column("y", Q(-1), None, Kind.CONTINUOUS, Q(-1, 3)),
    )
    form = (2, Q(3, 2), Q(-5, 2), Q(-3, 2), -2)
    rows = (
        Row("r0", tuple((j, Q(a)) for j, a in enumerate(form)), Q(-11, 2), None),
        Row("r1", ((3, Q(-4, 3)),), Q(-4, 3), None),
    )
    monkeypatch.setattr("tamecheck.duality.value.dual._SECONDS_A_COLUMN", 0.05)
    found = dual(Program(columns, rows), "value", seconds=20)
    assert found.strong
    assert found.checks["columns"].status
    assert found.checks["at_zero"].status
    assert found.reduced_costs()["y"] == 0


@pytest.mark.parametrize("method", METHODS[:5])
def test_a_function_with_a_gap_says_what_stopped_it(method):
    # eight integers without bounds, of which no method can do much in no time
    costs = [37, 41, 43, 47, 53, 59, 61, 67]
    lines = [[11, 13, 17, 19, 23, 29, 31, 38], [23, 7, 41, 3, 17, 5, 13, 11]]
    program = whole(costs, [(lines[0], 5003, 5003), (lines[1], 2999, None)])
    try:
        found = dual(program, method, seconds=0.001)
    except SolverError as error:
        assert "time" in str(error) or "seconds" in str(error)  # noqa: PT017 (or a gap)
    else:
        assert found.strong or found.notes


def test_the_cuts_of_a_degenerate_vertex_go_on():
    # the first layer leaves the bound as it is, and its cuts without multipliers make the vertex
    costs = (Q(15, 2), Q(-25, 6), Q(-15, 2), Q(-5), Q(19, 12))
    lower, whole_ones = (0, 0, -1, -1, 0), {0, 3, 4}
    columns = tuple(
        Column(f"x{j}", Q(low), None, Kind.INTEGER if j in whole_ones else Kind.CONTINUOUS, c)
        for j, (low, c) in enumerate(zip(lower, costs, strict=True))
    )
    matrix = (
        (-4, Q(2, 3), Q(-1, 2), 3, Q(2, 3)),
        (-1, 3, 0, 0, Q(-1, 2)),
        (Q(-3, 2), 1, 4, 1, 1),
    )
    rows = tuple(
        Row(f"r{i}", tuple((j, Q(a)) for j, a in enumerate(line) if a), None, side)
        for i, (line, side) in enumerate(zip(matrix, (Q(-19, 6), Q(3, 2), Q(15, 2)), strict=True))
    )
    run = Layers(normalise(Program(columns, rows)), 8, Budget.of(60))
    assert run.run(4, None) == "4 layers, the most that are asked for"
