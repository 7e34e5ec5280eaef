"""A polyhedron that is cut step by step, against systems that are solved from scratch."""

import random

import pytest
from flint import fmpq

from tamecheck.exact.feasibility import (
    Polyhedron,
    box_inequalities,
    satisfies,
    solve_inequalities,
)


def ends(rng, size):
    for _ in range(size):
        low = rng.choice((None, -2, 0))
        high = rng.choice((None, 0, 3))
        yield None if low is None else fmpq(low), None if high is None else fmpq(high)


def row(rng, size):
    return tuple(fmpq(rng.randint(-3, 3), rng.choice((1, 1, 2))) for _ in range(size + 1))


@pytest.mark.parametrize("seed", range(16))
def test_cuts_end_where_the_whole_system_has_no_point(seed):
    rng = random.Random(seed)
    size = rng.randint(1, 4)
    sides = list(ends(rng, size))
    known = box_inequalities(sides, strict=False)
    part = Polyhedron.box(*zip(*sides, strict=True))
    for _ in range(12):
        fresh = [(row(rng, size), rng.random() < 0.5) for _ in range(rng.randint(1, 2))]
        if rng.random() < 0.3:
            # an equation
            fresh.append((tuple(-a for a in fresh[0][0]), False))
        found = part.cut(fresh)
        known = [*known, *fresh]
        if found is None:
            assert solve_inequalities(known, size) is None
            return
        assert all(satisfies(found.point, one) for one in known)
        part = found
        form = row(rng, size)
        most = part.most(form)
        if most is None:
            beyond = (*form[:-1], form[-1] - 1000)
            assert solve_inequalities([*known, (beyond, False)], size) is not None
        else:
            above = (*form[:-1], form[-1] - most)
            assert solve_inequalities([*known, (above, True)], size) is None
            near = (*form[:-1], form[-1] - most + fmpq(1, 1000))
            assert solve_inequalities([*known, (near, False)], size) is not None
