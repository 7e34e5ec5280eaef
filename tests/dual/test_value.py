"""The value function: worked examples, and two algorithms against each other and enumeration."""

import random
from fractions import Fraction as Q

import pytest
from random_programs import exhaustive, random_program

import tamecheck as tc
from tamecheck.duality.value.dual import value_dual
from tamecheck.duality.value.line import Ray, line_profile
from tamecheck.errors import DomainError, InputError
from tamecheck.ir.program import Column, Kind, Program, Row, Sense


def one_row(costs, row, integers, *, sense="=", b=0, caps=None):  # noqa: PLR0913
    columns = tuple(
        Column(
            f"x{j}",
            Q(0),
            None if caps is None else caps[j],
            Kind.INTEGER if j in integers else Kind.CONTINUOUS,
            Q(c),
        )
        for j, c in enumerate(costs)
    )
    low = None if sense == "<=" else Q(b)
    high = None if sense == ">=" else Q(b)
    terms = tuple((j, Q(a)) for j, a in enumerate(row) if a)
    return Program(columns, (Row("r", terms, low, high),))


GUZELSOY_RALPHS = one_row([Q(1, 2), 0, 2, 1], [1, Q(-3, 2), 1, -1], {0, 1}, b=Q(3, 2))
RALPHS_HASSANZADEH = one_row([3, Q(7, 2), 3, 6, 7], [6, 5, -4, 2, -7], {0, 1, 2})
KLABJAN = one_row([2, 3, 4], [3, 5, 7], {0, 1, 2}, b=11)


def test_example_of_guzelsoy_and_ralphs():
    function = value_dual(GUZELSOY_RALPHS, box=("r", Q(-2), Q(15, 4)))
    halves = [Q(k, 2) for k in (-3, -2, 0, 1, 2, 3, 4, 5, 6, 7)]
    assert function.complex.breakpoints == tuple(halves)
    assert function.complex.slopes == (-1, 2)
    assert function.complex.jumps == ()
    table = {
        "-3/2": 0,
        "-1": 1,
        "-1/2": Q(1, 2),
        "0": 0,
        "1/4": Q(1, 2),
        "1/2": 1,
        "3/4": Q(3, 4),
        "1": Q(1, 2),
        "5/4": 1,
        "3/2": Q(3, 2),
        "7/4": Q(5, 4),
        "2": 1,
    }
    for t, value in table.items():
        assert function.complex(Q(t)) == value
        assert function({"r": t}) == value


def test_table_of_ralphs_and_hassanzadeh():
    function = value_dual(RALPHS_HASSANZADEH, box=("r", Q(-6), Q(12)))
    right = [0, 3, 6, Q(11, 2), Q(9, 2), Q(7, 2), 3, 6, 9, 8, 7, Q(13, 2), 6]
    left = [1, 2, 3, 3, 4, 5]
    assert [function.complex(t) for t in range(13)] == right
    assert [function.complex(-t) for t in range(1, 7)] == left
    assert function.complex.slopes == (-1, 3)


def test_pure_equation_has_isolated_points():
    function = value_dual(KLABJAN, box=("r", Q(0), Q(16)))
    table = {3: 2, 5: 3, 6: 4, 7: 4, 8: 5, 9: 6, 10: 6, 11: 7, 12: 7, 13: 8, 14: 8, 15: 9, 16: 10}
    for t in range(17):
        assert function.complex(t) == ({0: 0} | table).get(t)
    assert function.complex(Q(7, 2)) is None
    assert function.complex.slopes == ()
    assert function.optimum == 7
    with pytest.raises(DomainError, match="jumps at r = 11"):
        function.gradient()
    with pytest.raises(DomainError, match="infeasible at r = 4"):
        function.gradient({"r": 4})


def test_inequality_jumps_downward_semicontinuously():
    # z(d) = ceil(d / 2) * 3 for d >= 0
    program = one_row([3], [2], {0}, sense=">=", b=3)
    function = value_dual(program, box=("r", Q(-1), Q(5)))
    assert function.complex.jumps == (0, 2, 4)
    assert [function.complex(Q(t, 2)) for t in range(-2, 9)] == [0, 0, 0, 3, 3, 3, 3, 6, 6, 6, 6]
    closed = [(p.lower_closed, p.upper_closed) for p in function.complex.pieces]
    assert closed == [(True, True), (False, True), (False, True), (False, True)]
    assert function.gradient().vertices == ((0,),)
    with pytest.raises(DomainError, match="r = 2"):
        function.gradient({"r": 2})


@pytest.mark.parametrize("seed", range(12))
def test_shortest_paths_agree_with_branch_and_bound(seed):
    rng = random.Random(seed)
    size = rng.randint(1, 3)
    row = [Q(rng.choice([-5, -3, -2, 1, 2, 3, 4, 7]), rng.choice([1, 1, 2])) for _ in range(size)]
    # a price above y = 1/2 keeps the dual of the relaxation feasible
    costs = [a / 2 + Q(rng.randint(0, 6), 2) for a in row]
    sense = rng.choice(["=", ">=", "<="])
    free = [(1, Q(rng.randint(1, 4))), (-1, Q(rng.randint(0, 2)))][: rng.randint(1, 2)]
    row += [Q(a) for a, _ in free]
    costs += [c if a > 0 else c - Q(1, 2) for a, c in free]
    if sense == ">=":
        costs = [max(c, Q(0)) if a < 0 else c for a, c in zip(row, costs, strict=True)]
    if sense == "<=":
        costs = [max(c, Q(0)) for c in costs]
    caps = [rng.choice([Q(2), Q(3)]) for _ in range(size)] + [None] * len(free)
    program = one_row(costs, row, set(range(size)), sense=sense, caps=caps)
    function = value_dual(program, box=("r", Q(-3), Q(4)))
    form = function.form
    direction = (Q(1), *([Q(0)] * (form.size - 1)))
    profile = line_profile(form, Ray(form.right, direction, Q(-3), Q(4)))
    ours = [function.complex(Q(k, 4)) for k in range(-12, 17)]
    theirs = [profile.at(Q(k, 4)) for k in range(-12, 17)]
    assert ours == [None if isinstance(v, float) else v for v in theirs]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_pieces_along_a_row_agree_with_enumeration(seed):
    program = random_program(seed)
    function = value_dual(program)
    form = function.form
    name = form.names[0]
    middle = form.right[0] + form.shift[0]
    pieces = function.along(name, middle - 3, middle + 3)
    for k in range(-12, 13):
        t = middle + Q(k, 4)
        d = (t - form.shift[0], *form.right[1:])
        value = exhaustive(form, d)
        assert pieces(t) == (None if value is None else form.outward(value))


def test_direction_of_several_right_hand_sides():
    # max x + y + z with pairs at most b: z(b) of the triangle, along (t, t, t)
    columns = tuple(Column(f"x{j}", kind=Kind.INTEGER, cost=Q(1)) for j in range(3))
    pairs = [(0, 1), (1, 2), (0, 2)]
    rows = tuple(
        Row(f"r{i}", tuple((j, Q(1)) for j in pair), None, Q(1)) for i, pair in enumerate(pairs)
    )
    function = value_dual(Program(columns, rows, Sense.MAXIMISE))
    pieces = function.on_line([0, 0, 0], [1, 1, 1], Q(0), Q(4))
    # floor(3 floor(t) / 2)
    assert [pieces(Q(k, 2)) for k in range(9)] == [0, 0, 1, 1, 3, 3, 4, 4, 6]
    assert pieces.jumps == (1, 2, 3)
    with pytest.raises(DomainError, match="jumps at r0 = 1, r1 = 1, r2 = 1"):
        function.gradient()


def test_gradients_are_differences_at_smooth_points_and_contain_one_sided_slopes():
    function = value_dual(RALPHS_HASSANZADEH)
    step = Q(1, 10**6)
    for k in range(-30, 60):
        t = Q(k, 5)
        here = function({"r": t})
        left = (here - function({"r": t - step})) / step
        right = (function({"r": t + step}) - here) / step
        gradient = function.gradient({"r": t})
        assert {(left,), (right,)} == set(gradient.vertices)


def test_subadditive_on_a_grid():
    function = value_dual(GUZELSOY_RALPHS, box=("r", Q(-6), Q(8)))
    grid = [Q(k, 8) for k in range(-24, 33)]
    value = {t: function.complex(t) for t in [Q(k, 8) for k in range(-48, 65)]}
    assert all(value[a + b] <= value[a] + value[b] for a in grid for b in grid)


def test_definability_by_the_bounds_of_the_integers():
    free = value_dual(GUZELSOY_RALPHS)
    assert free.definability().verdict.value == "locally-tame"
    assert free.definability("box").verdict.value == "tame"
    bounded = value_dual(one_row([1], [2], {0}, sense=">=", b=3, caps=[Q(5)]))
    assert bounded.definability().verdict.value == "tame"


def test_public_name_and_bad_boxes():
    assert tc.dual(KLABJAN, method="value").dual_value == 7
    with pytest.raises(InputError, match="no right-hand side 'q'"):
        value_dual(KLABJAN, box=("q", Q(0), Q(1)))
    with pytest.raises(InputError, match="no interior"):
        value_dual(KLABJAN, box=("r", Q(1), Q(1)))
    huge = one_row([1, 1], [Q(1, 10**9 + 7), Q(1, 10**9 + 9)], {0, 1})
    with pytest.raises(InputError, match="sums of columns"):
        value_dual(huge, box=("r", Q(0), Q(1)))
