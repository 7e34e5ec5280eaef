"""What is derived cuts off no point that counts: all points are tried."""

from dataclasses import replace
from fractions import Fraction

import pytest
from corpus import script

from tamecheck.budget import Budget
from tamecheck.exact.linear import Box, LinearProgram, simple
from tamecheck.ir.answer import Infeasible, Optimal
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.kernel_mip import check
from tamecheck.programs import solve
from tamecheck.programs.certificate import Tightened
from tamecheck.programs.scaled import minimised_costs
from tamecheck.programs.strengthen import strengthen
from tamecheck.programs.tree import Search

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
            form, side = {step.column: F(step.sign)}, step.sign * step.to
        else:
            form, side = {j: F(a) for j, a in step.terms}, step.least
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
    for seed in range(21):
        program = PROGRAMS.structured_program(seed)
        best = optimum(program)
        for value in (None, best if best is None else best + F(seed % 3)):
            derived += require_harmless(program, value)
        require_right(program, best)
    assert derived > 60


def covers(width=12):
    """A knapsack problem with many covers."""
    columns = tuple(Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(-j - 11, 7)) for j in range(width))
    terms = tuple((j, F(3 * j + 17)) for j in range(width))
    return Program(columns, (Row("r", terms, None, F(151)),))


def test_cuts_end_where_the_tree_is_small():
    asked = []

    def expected(own):
        asked.append(len(own.derived))
        return 1

    few = strengthen(covers(), None, Budget(), expected)
    assert asked == [len(few.derived)]
    assert len(few.derived) < len(strengthen(covers(), None, Budget()).derived)


def test_cuts_end_where_the_bound_reaches_the_best_point():
    # one cut, x <= y + 1, and a bound that the best point proves
    columns = (Column("x", F(0), None, Kind.INTEGER, F(-1)), Column("y", cost=F(1)))
    program = Program(columns, (Row("r", ((0, F(2)), (1, F(-2))), None, F(3)),))
    assert len(strengthen(program, F(-1), Budget()).derived) <= 2


def test_a_search_expects_no_more_nodes_than_it_has_when_it_ends():
    search = Search(covers())
    assert search.expected == float("inf")
    assert search.run().closed
    assert search.expected == search.explored
