"""Random small programs, and their optimal values by exhaustive search."""

import itertools
import random
from fractions import Fraction as Q

from tamecheck.duality.optimum import minimise
from tamecheck.ir.answer import Optimal
from tamecheck.ir.program import Column, Kind, Program, Row, Sense


def random_program(seed):
    """A feasible program with bounded integer variables; every third one has continuous ones."""
    rng = random.Random(seed)
    rows, columns = rng.randint(1, 3), rng.randint(2, 4)
    continuous = rng.randint(1, 2) if seed % 3 == 0 else 0
    point = [rng.randint(0, 2) for _ in range(columns)]
    made = [
        Column(
            f"x{j}",
            Q(rng.choice([0, 0, 0, 1, -1])),
            Q(3),
            Kind.INTEGER,
            Q(rng.randint(-4, 8), rng.choice([1, 1, 2])),
        )
        for j in range(columns)
    ]
    made += [
        Column(f"y{j}", Q(0), None, Kind.CONTINUOUS, Q(rng.randint(1, 6)))
        for j in range(continuous)
    ]
    out = []
    for i in range(rows):
        a = [Q(rng.randint(-4, 6), rng.choice([1, 1, 1, 2])) for _ in made]
        value = sum(c * max(x, m.lower) for c, x, m in zip(a, point, made, strict=False))
        terms = tuple((j, c) for j, c in enumerate(a) if c)
        kind = rng.choice(["=", ">=", "<="] if seed % 2 else [">=", "<="])
        low = value if kind != "<=" else None
        high = value if kind != ">=" else None
        out.append(Row(f"r{i}", terms, low, high))
    sense = rng.choice([Sense.MINIMISE, Sense.MAXIMISE])
    if sense is Sense.MAXIMISE:
        made = [
            Column(
                c.name, c.lower, c.upper, c.kind, -c.cost if c.kind is Kind.CONTINUOUS else c.cost
            )
            for c in made
        ]
    return Program(tuple(made), tuple(out), sense, Q(rng.randint(-2, 2)))


def exhaustive(form, d):
    """The form's optimal value at ``d``: every integer part, the rest by an exact linear program.

    None if there is no point.  All integer columns have an upper bound.
    """
    integers = [j for j, column in enumerate(form.columns) if column.integral]
    rest = [column for column in form.columns if not column.integral]
    caps = []
    for j in integers:
        bounds = [d[i] / a for i, a in form.columns[j].entries if form.constraints[i].row is None]
        if min(bounds) < 0:
            return None
        caps.append(int(min(bounds)))
    best = None
    for x in itertools.product(*(range(cap + 1) for cap in caps)):
        left = list(d)
        cost = Q(0)
        for j, value in zip(integers, x, strict=True):
            cost += form.columns[j].cost * value
            for i, a in form.columns[j].entries:
                left[i] -= a * value
        if rest:
            outcome = minimise(rest, form.constraints, left)
            if not isinstance(outcome, Optimal):
                continue
            cost += outcome.objective
        elif not all(c.holds(Q(0), side) for c, side in zip(form.constraints, left, strict=True)):
            continue
        best = cost if best is None else min(best, cost)
    return best
