"""Small programs with the structures that cuts and presolve look for, and all of their points."""

import itertools
import random
from dataclasses import replace
from fractions import Fraction

from tamecheck.ir.program import Column, Kind, Program, Row, Sense

F = Fraction


def binary(name, cost):
    return Column(name, F(0), F(1), Kind.INTEGER, F(cost))


def subset(chance, count):
    return sorted(chance.sample(range(count), chance.randint(2, min(4, count))))


def ones(chosen):
    return tuple((j, F(1)) for j in chosen)


def packing(chance):
    count = chance.randint(4, 8)
    columns = tuple(binary(f"x{j}", chance.randint(1, 9)) for j in range(count))
    rows = tuple(
        Row(f"r{i}", ones(subset(chance, count)), None, F(1)) for i in range(chance.randint(3, 8))
    )
    return Program(columns, rows, Sense.MAXIMISE)


def covering(chance):
    own = packing(chance)
    rows = tuple(replace(r, lower=F(chance.choice((1, 1, 1, 2))), upper=None) for r in own.rows)
    return Program(own.columns, rows)


def partition(chance):
    own = packing(chance)
    chosen = [chance.random() < 0.4 for _ in own.columns]
    rows = tuple(
        replace(r, lower=total, upper=total if chance.random() < 0.7 else None)
        for r in own.rows
        if (total := F(sum(chosen[j] for j, _ in r.terms))) in (1, 2)
    )
    return Program(own.columns, rows, chance.choice(list(Sense)))


def knapsack(chance):
    count = chance.randint(4, 7)
    columns = tuple(
        Column(
            f"x{j}", F(0), F(chance.choice((1, 1, 1, 2))), Kind.INTEGER, F(chance.randint(1, 30))
        )
        for j in range(count)
    )
    rows = []
    for i in range(chance.randint(1, 3)):
        weights = [F(chance.randint(-9, 30), chance.choice((1, 1, 1, 2))) for _ in range(count)]
        room = sum(w for w in weights if w > 0) * F(chance.randint(3, 7), 10)
        rows.append(Row(f"r{i}", tuple((j, w) for j, w in enumerate(weights) if w), None, room))
    rows.append(Row("set", ones(subset(chance, count)), None, F(1)))
    return Program(columns, tuple(rows), Sense.MAXIMISE)


def fixed_charge(chance):
    """Amounts that may flow where something was paid."""
    count = chance.randint(2, 4)
    columns, rows = [], []
    for k in range(count):
        columns.append(Column(f"x{k}", F(0), None, Kind.CONTINUOUS, F(chance.randint(0, 3))))
        columns.append(binary(f"y{k}", chance.randint(3, 20)))
        room = F(chance.choice((3, 5, 8, 50)))
        rows.append(Row(f"u{k}", ((2 * k, F(1)), (2 * k + 1, -room)), None, F(0)))
    amount = F(chance.randint(3, 12), chance.choice((1, 2)))
    rows.append(Row("all", tuple((2 * k, F(1)) for k in range(count)), amount, None))
    if chance.random() < 0.5:
        rows.append(Row("set", tuple((2 * k + 1, F(1)) for k in range(count)), None, F(count - 1)))
    return Program(tuple(columns), tuple(rows))


def lot_sizing(chance):
    """Production, stock and set-up of each period."""
    periods = chance.randint(2, 4)
    columns, rows = [], []
    for t in range(periods):
        columns.append(Column(f"x{t}", F(0), None, Kind.CONTINUOUS, F(chance.randint(0, 3))))
        columns.append(Column(f"s{t}", F(0), None, Kind.CONTINUOUS, F(chance.randint(1, 3))))
        columns.append(binary(f"y{t}", chance.randint(2, 15)))
        wanted = F(chance.randint(0, 6))
        terms = ((3 * t, F(1)), (3 * t + 1, F(-1)))
        rows.append(Row(f"d{t}", ((3 * t - 2, F(1)), *terms) if t else terms, wanted, wanted))
        room = F(chance.choice((6, 9, 60)))
        rows.append(Row(f"u{t}", ((3 * t, F(1)), (3 * t + 2, -room)), None, F(0)))
    return Program(tuple(columns), tuple(rows))


def scheduling(chance):
    """Jobs of one machine, of which either comes before the other."""
    jobs = chance.randint(2, 3)
    kind = chance.choice((Kind.INTEGER, Kind.CONTINUOUS))
    times = [chance.randint(1, 3) for _ in range(jobs)]
    horizon = sum(times) + (1 if kind.integral else 3)
    columns = [
        Column(
            f"t{k}", F(chance.randint(0, 1)), F(horizon - times[k]), kind, F(chance.randint(1, 5))
        )
        for k in range(jobs)
    ]
    rows = []
    for a, b in itertools.combinations(range(jobs), 2):
        y, large = len(columns), F(horizon + chance.choice((0, 5, 100)))
        columns.append(binary(f"y{a}{b}", 0))
        rows.append(
            Row(f"f{a}{b}", ((a, F(-1)), (b, F(1)), (y, large)), F(times[a]), None),
        )
        rows.append(
            Row(f"s{a}{b}", ((a, F(1)), (b, F(-1)), (y, -large)), times[b] - large, None),
        )
    return Program(tuple(columns), tuple(rows))


def multiple_choice(chance):
    """Groups of which one or at most one column is chosen, and rows over all of them."""
    count = chance.randint(5, 8)
    columns = tuple(binary(f"x{j}", chance.randint(-9, 9)) for j in range(count))
    rows = []
    for k in range(chance.randint(2, 3)):
        low = chance.choice((F(1), None))
        rows.append(Row(f"g{k}", ones(subset(chance, count)), low, F(1)))
    for i in range(chance.randint(1, 3)):
        weights = [F(chance.randint(-9, 9), chance.choice((1, 1, 2))) for _ in range(count)]
        side = F(chance.randint(-8, 6))
        ends = chance.choice(((side, None), (None, side), (side, side + chance.randint(0, 5))))
        rows.append(Row(f"r{i}", tuple((j, w) for j, w in enumerate(weights) if w), *ends))
    return Program(columns, tuple(rows))


FAMILIES = (
    packing,
    covering,
    partition,
    knapsack,
    fixed_charge,
    lot_sizing,
    scheduling,
    multiple_choice,
)


def structured_program(seed):
    """One of the families, by turns."""
    return FAMILIES[seed % len(FAMILIES)](random.Random(seed))


def settings(program):
    """The values of the integer columns within their bounds, each as bounds of all columns."""
    whole = [j for j, c in enumerate(program.columns) if c.kind.integral]
    ranges = [
        range(int(program.columns[j].lower), int(program.columns[j].upper) + 1) for j in whole
    ]
    for values in itertools.product(*ranges):
        lower = [c.lower for c in program.columns]
        upper = [c.upper for c in program.columns]
        for j, value in zip(whole, values, strict=True):
            lower[j] = upper[j] = F(value)
        yield lower, upper
