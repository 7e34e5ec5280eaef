"""What is derived cuts off no point that counts: all points are tried."""

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from corpus import script

from tamecheck.budget import Budget
from tamecheck.exact.linear import Box, LinearProgram, simple
from tamecheck.ir.answer import Infeasible, Optimal
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.kernel_mip import check
from tamecheck.programs import solve
from tamecheck.programs.certificate import Tightened
from tamecheck.programs.cliques import Cliques
from tamecheck.programs.rounding import Rounder
from tamecheck.programs.scaled import Scaled, hull_box, minimised_costs
from tamecheck.programs.strengthen import strengthen
from tamecheck.solvers.relaxation import Relaxation

PROGRAMS = script("tests/programs/structured_programs.py")
F = Fraction


def least(program, costs, ends):
    """The least value where the integers are given, None if there is no point."""
    lower, upper = ends
    if lower == upper:
        value = sum((c * x for c, x in zip(costs, lower, strict=True)), F(0))
        return None if program.violations(tuple(lower)) else value
    box = Box([simple(end) for end in lower], [simple(end) for end in upper])
    found = LinearProgram.of(program).minimum(costs, box)
    assert isinstance(found, Optimal | Infeasible)
    return found.objective if isinstance(found, Optimal) else None


def optimum(program):
    """The least minimised value without the constant, by exhaustive search; None without points."""
    found = (least(program, minimised_costs(program), ends) for ends in PROGRAMS.settings(program))
    return min((value for value in found if value is not None), default=None)


def require_harmless(program, value):
    """Fail if a derived bound or row excludes a point that is within the cutoff."""
    own, width = strengthen(program, value, Budget()), len(program.columns)
    costs = minimised_costs(program)
    cutoff = Row("cutoff", tuple((j, c) for j, c in enumerate(costs) if c), None, own.cutoff)
    within = replace(program, rows=(*program.rows, cutoff))
    left = [ends for ends in PROGRAMS.settings(program) if least(within, costs, ends) is not None]
    for step in own.derived:
        if isinstance(step, Tightened):
            shown = [({j: F(sign)}, sign * to) for j, sign, to in step.ends]
        else:
            shown = [({j: F(a) for j, a in step.terms}, step.least)]
        for form, side in shown:
            row = [form.get(j, F(0)) for j in range(width)]
            assert all(least(within, row, ends) >= side for ends in left), step
    return len(own.derived)


def require_right(program, best):
    """Fail unless the answer is that of the search, with a certificate that the kernel accepts."""
    answer = solve(program, solvers=()).answer
    assert check(answer.certificate).verdict == "valid"
    if best is None:
        assert isinstance(answer, Infeasible)
        return
    assert isinstance(answer, Optimal)
    assert program.sense.sign * (answer.objective - program.constant) == best


@pytest.mark.slow
def test_no_point_is_cut_off_and_optima_are_those_of_all_points():
    derived = 0
    for seed in range(8):
        program = PROGRAMS.structured_program(seed)
        best = optimum(program)
        for value in (None, best if best is None else best + F(seed % 3)):
            derived += require_harmless(program, value)
        require_right(program, best)
    assert derived > 20


def covers(width=12):
    """A knapsack problem with many covers."""
    columns = tuple(Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(-j - 11, 7)) for j in range(width))
    terms = tuple((j, F(3 * j + 17)) for j in range(width))
    return Program(columns, (Row("r", terms, None, F(151)),))


def test_cuts_end_where_a_small_tree_closes():
    asked = []

    def closes(own, nodes, iterations):
        asked.append((len(own.derived), nodes, iterations > 0))
        return True

    few = strengthen(covers(), None, Budget(), closes)
    assert asked == [(len(few.derived), 100, True)]
    assert len(few.derived) < len(strengthen(covers(), None, Budget()).derived)


def test_steps_are_counted_so_that_they_end_at_the_same_place():
    whole = strengthen(covers(), None, Budget()).derived
    few = [strengthen(covers(), None, Budget(), steps=steps).derived for steps in (0, 1e3, 3e3)]
    assert len(few[0]) < len(few[1]) <= len(few[2]) < len(whole)
    assert all(whole[: len(own)] == own for own in few)


def test_cuts_end_where_the_bound_reaches_the_best_point():
    # one cut, x <= y + 1, and a bound that the best point proves
    columns = (Column("x", F(0), None, Kind.INTEGER, F(-1)), Column("y", cost=F(1)))
    program = Program(columns, (Row("r", ((0, F(2)), (1, F(-2))), None, F(3)),))
    assert len(strengthen(program, F(-1), Budget()).derived) <= 2


def triangle(side):
    """Three columns, of each two of which at most ``side`` is chosen."""
    columns = tuple(PROGRAMS.binary(f"x{j}", 1) for j in range(3))
    rows = tuple(Row(f"r{k}", PROGRAMS.ones(own), *side) for k, own in enumerate(PAIRS))
    return Program(columns, rows, Sense.MAXIMISE if side[0] is None else Sense.MINIMISE)


PAIRS = ((0, 1), (1, 2), (0, 2))


@pytest.mark.parametrize(("side", "bound"), [((None, F(1)), -1), ((F(1), None), 2)])
def test_half_of_an_odd_sum_is_rounded(side, bound):
    own = strengthen(triangle(side), None, Budget())
    assert Relaxation(own.program).solve().objective == pytest.approx(bound)


def times_of_two_jobs(gap):
    """Starts 0 to 4 of two jobs, of which the second is at least ``gap`` after the first."""
    columns = tuple(PROGRAMS.binary(f"{job}{t}", t) for job in "ab" for t in range(5))
    rows = (
        Row("a", PROGRAMS.ones(range(5)), F(1), F(1)),
        Row("b", PROGRAMS.ones(range(5, 10)), F(1), F(1)),
        Row("after", tuple((j, F(j - 5 if j > 4 else -j)) for j in range(10) if j % 5), F(gap)),
    )
    return Program(columns, rows)


def test_columns_are_fixed_by_rows_of_which_one_column_is_1():
    own = strengthen(times_of_two_jobs(3), None, Budget())
    upper = [column.upper for column in own.program.columns]
    assert upper == [1, 1, 0, 0, 0, 0, 0, 0, 1, 1]
    assert {tuple(step.rows) for step in own.derived} == {(2, 1)}


def test_terms_that_exclude_each_other_are_a_clique():
    # a at 1 or later and b at 2 or earlier are too near; half of b is at 2
    program = times_of_two_jobs(2)
    cliques = Cliques(program, Scaled(program), hull_box(program), range(3))
    reduced = cliques.reduced(2, -1)
    assert reduced.room == 2
    found = list(cliques.cuts(reduced, [0, 1, 0, 0, 0, 0, 0, 0.5, 0, 0.5]))
    assert [beyond for beyond, _ in found] == [0.5]
    assert found[0][1].terms == tuple((j, -1) for j in range(1, 8))


def relaxed(program):
    """Combinations of the rows, each with its form, around the point of the relaxation."""
    own, chance = Rounder(program), random.Random(len(program.rows))
    x = np.array(Relaxation(program).solve().point)
    rows = range(len(program.rows))
    tries = [{i: 1.0} for i in rows]
    tries += [
        {i: float(chance.choice((-2, -1, 1, 3))) for i in chance.sample(rows, 2)}
        for _ in range(20 if len(rows) > 1 else 0)
    ]
    return own, x, own.activities(x), [(weights, own.form_of(weights)) for weights in tries]


def test_combinations_are_looked_at_together_as_one_by_one():
    rounded = looked = 0
    for seed in range(40):
        program = PROGRAMS.structured_program(seed)
        if isinstance(Relaxation(program).solve(), Optimal):
            own, x, at, tries = relaxed(program)
            far = own.violated(tries, x, at)
            alone = [own.violated([one], x, at)[0] for one in tries]
            assert far == pytest.approx(alone)
            found = [own.round_row(weights, x, at) is not None for weights, _ in tries]
            assert all(beyond > 0 for beyond, one in zip(far, found, strict=True) if one)
            rounded, looked = rounded + sum(found), looked + sum(far > 0)
    assert rounded > 20
    assert looked < 2 * rounded
    assert not len(own.violated([], x, at))


def test_a_program_is_extended_by_rows_as_if_it_had_had_them():
    for seed in range(20):
        program = PROGRAMS.structured_program(seed)
        width, chance = len(program.columns), random.Random(seed)
        rows = tuple(
            Row(f"cut {k}", ((k % width, F(k + 1)),), F(chance.randint(-9, 9), k + 1))
            for k in range(4)
        )
        extended, whole = Scaled(program), Scaled(replace(program, rows=(*program.rows, *rows)))
        for row in rows:
            extended.extend([([(j, a.numerator) for j, a in row.terms], row.lower)])
        box, count = hull_box(program), len(whole.rows)
        numerators = {i: chance.choice((-2, 1, 3)) for i in range(count)}
        y = whole.support(numerators, 4)
        assert extended.support(numerators, 4) == y
        assert extended.bound(y, box) == whole.bound(y, box)
        assert vars(extended) == vars(whole)
