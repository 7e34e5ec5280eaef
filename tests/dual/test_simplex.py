"""The lexicographic dual simplex method against hand-made and brute-force answers."""

from __future__ import annotations

import random
from fractions import Fraction as Q
from itertools import product

import pytest

from tamecheck.budget import Budget
from tamecheck.duality.form import Constraint, FormColumn
from tamecheck.duality.optimum import minimise
from tamecheck.exact.lexicographic import LexicographicProgram
from tamecheck.exact.revised import Contradiction, Ray, State
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded


def test_a_knapsack_row_by_hand():
    """min 2x + 3y, 3x + 5y >= 11: the ratio 3/5 is the better one, y = 11/5."""
    table = LexicographicProgram([Q(2), Q(3)], [([Q(3), Q(5)], Q(11))])
    assert table.optimise(Budget()) is State.OPTIMAL
    assert [table.value(i) for i in range(3)] == [Q(33, 5), 0, Q(11, 5)]
    assert table.surplus_terms(0) == [(0, Q(3, 5))]


def test_the_lexicographically_least_optimum_is_found():
    """min x + y, x + y >= 2: among all optima, x = 0 comes first."""
    table = LexicographicProgram([Q(1), Q(1)], [([Q(1), Q(1)], Q(2))])
    assert table.optimise(Budget()) is State.OPTIMAL
    assert [table.value(i) for i in range(3)] == [2, 0, 2]


def test_a_cut_is_the_ceiling_of_fractional_multipliers():
    """y = 11/5 - 3/5 x + 1/5 s gives, with multiplier 1/5, the cut x + y >= 3."""
    table = LexicographicProgram([Q(2), Q(3)], [([Q(3), Q(5)], Q(11))])
    table.optimise(Budget())
    assert table.surplus_terms(2) == [(0, Q(1, 5))]
    assert table.add_cut(2) == 1
    assert table.optimise(Budget()) is State.OPTIMAL
    x, y = table.value(1), table.value(2)
    assert x + y == 3
    assert 3 * x + 5 * y == 11
    assert table.value(0) == 7


@pytest.mark.parametrize("seed", range(16))
def test_outcomes_agree_with_the_primal_method(seed):
    rng = random.Random(seed)
    n, m = rng.randint(1, 4), rng.randint(1, 4)
    costs = [Q(rng.randint(-3, 5)) for _ in range(n)]
    rows = [([Q(rng.randint(-4, 4)) for _ in range(n)], Q(rng.randint(-5, 5))) for _ in range(m)]
    state = (table := LexicographicProgram(costs, rows)).optimise(Budget())
    columns = [
        FormColumn(
            name=str(j),
            integral=False,
            cost=costs[j],
            entries=tuple((i, a[j]) for i, (a, _) in enumerate(rows) if a[j]),
        )
        for j in range(n)
    ]
    found = minimise(columns, [Constraint("", ">=", None)] * m, [b for _, b in rows])
    expected = {
        Optimal: State,
        Infeasible: Contradiction,
        Unbounded: Ray,
    }
    assert isinstance(state, expected[type(found)])
    if isinstance(found, Optimal):
        assert table.value(0) == found.objective
        y = dict(table.surplus_terms(0))
        assert all(v >= 0 for v in y.values())
        assert sum(v * rows[k][1] for k, v in y.items()) == found.objective


def test_cuts_keep_all_integer_points():
    rng = random.Random(5)
    for _ in range(20):
        rows = [([Q(rng.randint(0, 4)) for _ in range(2)], Q(rng.randint(1, 7))) for _ in range(2)]
        table = LexicographicProgram([Q(rng.randint(1, 4)) for _ in range(2)], rows)
        if table.optimise(Budget()) is not State.OPTIMAL:
            continue
        for _ in range(200):
            entry = next((i for i in range(3) if table.value(i).denominator > 1), None)
            if entry is None:
                break
            table.add_cut(entry)
            assert table.optimise(Budget()) is State.OPTIMAL
        costs = table.costs
        best = min(
            int(costs[0]) * x + int(costs[1]) * y
            for x, y in product(range(9), repeat=2)
            if all(a[0] * x + a[1] * y >= b for a, b in rows)
        )
        assert table.value(0) == best


def test_the_clock_stops_the_run():
    table = LexicographicProgram([Q(1)], [([Q(1)], Q(2))])
    assert table.optimise(Budget.of(0)) is State.STOPPED
