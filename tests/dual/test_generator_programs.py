"""All families on random programs: dual feasible, weak duality, gaps stated; brute force judges."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import product

import pytest

from tamecheck.duality import dual, normalise
from tamecheck.duality.optimum import minimise
from tamecheck.ir.answer import Optimal
from tamecheck.ir.program import Column, Kind, Program, Row

PROOFS = ("columns", "at_zero", "subadditive", "monotone")


def random_program(seed, mixed):
    """A feasible program with small boxes; the point that it was built around is feasible."""
    rng = random.Random(seed)
    n, m = rng.randint(2, 4), rng.randint(1, 3)
    columns = tuple(
        Column(
            f"x{j}",
            Fraction(0),
            Fraction(rng.randint(1, 4)),
            Kind.CONTINUOUS if mixed and j % 2 else Kind.INTEGER,
            Fraction(rng.randint(-6, 8), rng.choice([1, 1, 2])),
        )
        for j in range(n)
    )
    point = [Fraction(rng.randint(0, int(c.upper))) for c in columns]
    rows = []
    for i in range(m):
        coefficients = [Fraction(rng.randint(-5, 7), rng.choice([1, 1, 1, 2])) for _ in range(n)]
        terms = tuple((j, a) for j, a in enumerate(coefficients) if a)
        value = sum((a * point[j] for j, a in terms), Fraction(0))
        slack = Fraction(rng.randint(0, 3), rng.choice([1, 2]))
        lower, upper = rng.choice([(value, value), (value - slack, None), (None, value + slack)])
        rows.append(Row(f"r{i}", terms, lower, upper))
    return Program(columns, tuple(rows))


def brute_force(form, d):
    """The optimum at the form's right-hand side ``d``; inf if infeasible.

    Boxes of at most 4 bound the integers; continuous columns by an exact linear program.
    """
    integral = [j for j, c in enumerate(form.columns) if c.integral]
    continuous = [j for j, c in enumerate(form.columns) if not c.integral]
    tops = {}
    for j in integral:
        sides = [
            d[i]
            for i, c in enumerate(form.constraints)
            if c.row is None and form.columns[j].entries and (i, 1) in form.columns[j].entries
        ]
        tops[j] = math.floor(min(sides))
    best = math.inf
    for values in product(*(range(tops[j] + 1) for j in integral)):
        rest, cost = list(d), Fraction(0)
        for j, x in zip(integral, values, strict=True):
            cost += form.columns[j].cost * x
            for i, a in form.columns[j].entries:
                rest[i] -= a * x
        if continuous:
            found = minimise([form.columns[j] for j in continuous], form.constraints, rest)
            if isinstance(found, Optimal):
                best = min(best, cost + found.objective)
        elif all(
            c.holds(Fraction(0), side) for c, side in zip(form.constraints, rest, strict=True)
        ):
            best = min(best, cost)
    return best


def moved(form, rng):
    """Another right-hand side: that of a random point half of the time, so that it is feasible."""
    d = list(form.right)
    for i, constraint in enumerate(form.constraints):
        if constraint.row is None:
            d[i] = Fraction(rng.randint(0, 3))
        else:
            d[i] += Fraction(rng.randint(-6, 6), rng.choice([1, 2, 3]))
    if rng.random() < 0.5:
        x = [Fraction(rng.randint(0, 3)) for _ in form.columns]
        for i, constraint in enumerate(form.constraints):
            if constraint.row is not None:
                d[i] = sum((form.vector(j)[i] * v for j, v in enumerate(x)), Fraction(0))
    return tuple(d)


def judge(method, seed, mixed, sides):
    program = random_program(seed, mixed)
    form = normalise(program)
    found = dual(program, method, seconds=20)
    assert all(found.checks[name].status is True for name in PROOFS), (seed, found.checks)
    assert found.optimum == brute_force(form, form.right)
    assert found.gap >= 0
    assert found.strong == (found.gap == 0) == found.checks["at_b"].status
    rng = random.Random(seed)
    for _ in range(sides):
        d = moved(form, rng)
        assert found.evaluate(d) <= brute_force(form, d), (seed, d)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_chvatal_functions_are_strong_on_pure_programs(seed):
    assert judge("chvatal", seed, mixed=False, sides=15).strong


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("mixed", [False, True])
def test_gomory_functions_are_dual_feasible(seed, mixed):
    judge("gomory", 100 + seed, mixed, sides=10)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mixed", [False, True])
def test_generator_functions_are_strong(seed, mixed):
    assert judge("generator", 200 + seed, mixed, sides=3).strong


def test_the_programs_leave_gaps_that_are_stated():
    """With a single layer, some Gomory functions are not strong, and say by how much."""
    gaps = [dual(random_program(s, mixed=False), "gomory", layers=0).gap for s in range(6)]
    assert any(gap > 0 for gap in gaps)
