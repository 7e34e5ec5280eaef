"""Dual functions of second-order-cone mixed-integer programs."""

from __future__ import annotations

import math
import random
from fractions import Fraction as Q

import pytest

from tamecheck.duality.conic import (
    ConicColumn,
    ConicDual,
    ConicProgram,
    conic_dual,
    in_cone,
    rays,
    split_vector,
)
from tamecheck.duality.expression.dual import ExpressionBuilder
from tamecheck.errors import DomainError, InputError


def worked_example():
    """min t with (t, x - 1/2) in the Lorentz cone of the plane, x integer: 1/2."""
    x = ConicColumn("x", integral=True, cost=Q(0), vector=(Q(0), Q(1)))
    t = ConicColumn("t", integral=False, cost=Q(1), vector=(Q(1), Q(0)))
    return ConicProgram((x, t), (Q(0), Q(1, 2)), (2,))


def distance(u):
    return min(u - math.floor(u), math.ceil(u) - u)


def test_the_worked_example_is_the_distance_to_the_integers():
    found = conic_dual(worked_example(), point=(Q(0), Q(1, 2)))
    assert found.strong
    assert found.dual_value == Q(1, 2)
    assert all(item.status for item in found.checks.values())
    for k in range(-20, 21):
        for u1 in (Q(-1), Q(0), Q(2, 3)):
            assert found((u1, Q(k, 7))) == u1 + distance(Q(k, 7))


def test_the_conditions_of_strong_duality_are_reported():
    conditions = conic_dual(worked_example(), point=(Q(0), Q(1, 2))).conditions()
    assert {name: item.status for name, item in conditions.items()} == {
        "feasible": True,
        "strictly_feasible": True,
        "bounded": True,
    }
    unknown = conic_dual(worked_example()).conditions()
    assert unknown["feasible"].status is None
    assert unknown["strictly_feasible"].status is None


def test_monotone_and_subadditive_at_random_pairs():
    found = conic_dual(worked_example())
    rng = random.Random(1)
    for _ in range(300):
        u = (Q(rng.randint(-40, 40), 9), Q(rng.randint(-40, 40), 9))
        w = (Q(rng.randint(-40, 40), 9), Q(rng.randint(-40, 40), 9))
        both = (u[0] + w[0], u[1] + w[1])
        assert found(both) <= found(u) + found(w)
        if in_cone(w, (2,)):
            assert found(both) >= found(u)


def test_three_dimensions_leave_a_gap_that_is_stated():
    """min t >= |(x - 1/2, y - 1/3)|: one split gives 1/2, the value is sqrt(13)/6."""
    columns = (
        ConicColumn("x", integral=True, cost=Q(0), vector=(Q(0), Q(1), Q(0))),
        ConicColumn("y", integral=True, cost=Q(0), vector=(Q(0), Q(0), Q(1))),
        ConicColumn("t", integral=False, cost=Q(1), vector=(Q(1), Q(0), Q(0))),
    )
    program = ConicProgram(columns, (Q(0), Q(1, 2), Q(1, 3)), (3,))
    found = conic_dual(program, point=(Q(0), Q(0), Q(2, 3)))
    assert found.checks_hold
    assert Q(1, 2) <= found.dual_value
    assert found.dual_value**2 <= Q(13, 36)
    assert found.gap == Q(2, 3) - found.dual_value
    assert not found.strong


def test_membership_compares_squares_exactly():
    assert in_cone((Q(5), Q(3), Q(4)), (3,))
    assert not in_cone((Q(5) - Q(1, 10**30), Q(3), Q(4)), (3,))
    assert not in_cone((Q(-5), Q(3), Q(4)), (3,))
    assert in_cone((Q(0), Q(5), Q(3), Q(4)), (1, 3))


def test_approximating_rays_are_on_the_boundary():
    for ray in rays((3, 2, 1), 3):
        assert in_cone(ray, (3, 2, 1))
    assert all(sum(x * x for x in w) == 1 for _, *w in rays((4,), 2))


def test_split_vectors_pick_out_one_integer():
    program = worked_example()
    assert split_vector(program, 0) == (0, 1)
    assert split_vector(program, 1) == (1, 0)


def test_a_function_that_is_too_steep_is_not_called_monotone():
    builder = ExpressionBuilder(2)
    steep = builder.combination(
        [(builder.linear([1, 0]), Q(1)), (builder.gomory(Q(1, 2), [0, 1], []), Q(1))]
    )
    found = ConicDual(worked_example(), builder.build(steep))
    assert found.checks["monotone"].status is None
    assert not found.checks_hold
    # and it is none: F(1, 1/2 + 1) would fall along the cone
    assert found((Q(0), Q(1, 2))) > found((Q(1, 2), Q(1)))


def test_bad_input_is_named():
    with pytest.raises(InputError, match="do not fit"):
        ConicProgram((), (Q(1),), (2,))
    with pytest.raises(InputError, match="not feasible"):
        conic_dual(worked_example(), point=(Q(0), Q(1, 3)))
    down = ConicColumn("t", integral=False, cost=Q(-1), vector=(Q(1),))
    with pytest.raises(DomainError, match="unbounded"):
        conic_dual(ConicProgram((down,), (Q(0),), (1,)))
