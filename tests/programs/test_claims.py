"""What solvers say and do wrong is met before anything is believed."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import pytest

from tamecheck.budget import Budget
from tamecheck.ir.answer import Evidence, Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.programs import solve, solving
from tamecheck.programs.agreement import best_point
from tamecheck.solvers.claims import claims
from tests.programs.structured_programs import structured_program

F = Fraction


def knapsack():
    columns = tuple(Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(-j - 3)) for j in range(12))
    row = Row("r", tuple((j, F(2 * j + 5)) for j in range(12)), None, F(61))
    return Program(columns, (row,))


def singleton():
    """Unbounded along a singleton row; CBC reports an optimum of about -3e20."""
    columns = (Column("x", F(0), None, Kind.CONTINUOUS, F(-1)), Column("y"))
    return Program(columns, (Row("r", ((0, F(1)),), F(1)),))


def test_both_solvers_answer():
    said = claims(knapsack(), seconds=30)
    assert [type(claim) for claim in said] == [Optimal, Optimal]
    assert said[0].objective == pytest.approx(said[1].objective)


def test_of_equal_points_that_of_the_last_solver_counts():
    columns = tuple(Column(f"x{j}", F(0), F(1), Kind.INTEGER, F(-1)) for j in range(2))
    program = Program(columns, (Row("r", ((0, F(1)), (1, F(1))), None, F(1)),))
    said = [Optimal(x, -1.0, None, str(x)) for x in ((1.0, 0.0), (0.0, 1.0))]
    assert best_point(program, said, None, Budget())[0] == (0, 1)
    assert best_point(program, said, (F(1), F(0)), Budget())[0] == (1, 0)


def test_a_program_with_many_terms_is_searched_after_the_solvers_were_asked(monkeypatch):
    monkeypatch.setattr(solving, "_TERMS", 0)
    for program in (knapsack(), structured_program(3)):
        answer, before = solve(program).answer, solve(program, solvers=()).answer
        assert isinstance(answer, Optimal)
        assert answer.objective == before.objective
    answer = solve(singleton()).answer
    assert isinstance(answer, Unbounded)


def test_an_unbounded_singleton_row_is_not_an_optimum():
    for claim in claims(singleton(), seconds=30):
        assert isinstance(claim, Unbounded | Unknown)
    answer = solve(singleton()).answer
    assert isinstance(answer, Unbounded)
    assert answer.ray == (1, 0)


def test_an_unbounded_integer_program_has_an_integral_ray():
    columns = (
        Column("x", F(0), None, Kind.INTEGER, F(-1)),
        Column("y", F(0), None, Kind.INTEGER),
    )
    program = Program(columns, (Row("r", ((0, F(2)), (1, F(-3))), F(0), F(0)),))
    answer = solve(program).answer
    assert isinstance(answer, Unbounded)
    assert answer.ray == (3, 2)


def test_a_relaxation_that_is_unbounded_does_not_make_an_infeasible_program_unbounded():
    columns = (
        Column("x", F(0), None, Kind.CONTINUOUS, F(-1)),
        Column("b", F(0), F(1), Kind.INTEGER),
    )
    program = Program(columns, (Row("r", ((1, F(2)),), F(1), F(1)),))
    answer = solve(program).answer
    assert isinstance(answer, Infeasible)
    assert answer.evidence is Evidence.CERTIFICATE


def test_a_program_with_few_bytes_of_memory_gives_no_claim():
    for claim in claims(knapsack(), seconds=30, memory=2**26):
        assert isinstance(claim, Unknown)


def test_a_time_limit_ends_the_children():
    assert all(isinstance(claim, Unknown) for claim in claims(knapsack(), seconds=-3))


def test_nothing_leaks_to_standard_output():
    program = """
from fractions import Fraction as F
from tamecheck.ir.program import Column, Program, Row
from tamecheck.programs import solve, solving
from tamecheck.programs.agreement import best_point
from tamecheck.solvers.claims import claims
p = Program((Column("x", F(0), F(3), cost=F(-1)),), (Row("r", ((0, F(2)),), None, F(1)),))
solve(p, certify=True)
claims(p, seconds=30)
print("only this")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"only this\n"


@pytest.mark.parametrize("size", [F(10) ** 25, F(10) ** 400, F(1, 10**400)])
def test_coefficients_that_floats_do_not_hold_give_no_wrong_answer(size):
    columns = (Column("x", F(0), F(9), Kind.INTEGER, F(-1)),)
    answer = solve(Program(columns, (Row("r", ((0, size),), None, 5 * size),)), seconds=20).answer
    assert isinstance(answer, Optimal)
    assert answer.objective == -5


def test_what_is_infeasible_within_tolerances_is_not_feasible():
    columns = (Column("x", F(0), F(10), Kind.INTEGER, F(1)),)
    off = F(1) - F(1, 10**9)
    answer = solve(Program(columns, (Row("r", ((0, F(1)),), off, off),))).answer
    assert isinstance(answer, Infeasible)
    assert answer.evidence is Evidence.CERTIFICATE


def test_a_big_multiplier_does_not_leak():
    # x <= 1e9 b with x >= 1 needs b = 1, which a tolerance of 1e-6 on b would not see
    columns = (
        Column("x", F(1), F(100)),
        Column("b", F(0), F(1), Kind.INTEGER, F(1)),
    )
    row = Row("r", ((0, F(1)), (1, F(-(10**9)))), None, F(0))
    answer = solve(Program(columns, (row,)), certify=True).answer
    assert isinstance(answer, Optimal)
    assert (answer.objective, answer.evidence) == (1, Evidence.CERTIFICATE)


def test_claims_of_infeasibility_agree():
    columns = (Column("x", F(0), F(9), Kind.INTEGER), Column("y", F(0), F(9), Kind.INTEGER))
    program = Program(columns, (Row("r", ((0, F(2)), (1, F(-2))), F(1), F(1)),))
    assert all(isinstance(claim, Infeasible) for claim in claims(program, seconds=30))


def test_a_point_that_is_too_long_for_a_certificate_is_no_cutoff(monkeypatch):
    monkeypatch.setattr(solving, "_FEW", 2)
    program = knapsack()
    tiny = Column("y", F(1, 1 << 70_000), F(1), cost=F(-program.sense.sign))
    program = replace(program, columns=(*program.columns, tiny))
    claim = Optimal((*[0.0] * 12, 1.0), 0.0, None, "HiGHS")
    point, notes = best_point(program, [claim], None, Budget())
    assert point is not None
    assert not notes
    worse = replace(tiny, cost=F(program.sense.sign))
    program = replace(program, columns=(*program.columns[:-1], worse))
    assert best_point(program, [claim], point, Budget())[0] == point
    assert best_point(program, [claim], None, Budget()) == (
        None,
        ["The point of HiGHS has numbers that are too long for a certificate."],
    )
    nodes = [{"branch": 0, "at": 0, "children": [1, 2]}, None, None]
    begun = {"program": program.sha256, "claim": {}, "derived": [], "nodes": nodes}
    long = (*[F(0)] * 12, worse.lower)
    assert not program.violations(long)
    for more in ({}, {"incumbent": long}, {"incumbent": long, "resume": begun}):
        solved = solve(program, certify=True, seconds=10, **more)
        assert isinstance(solved.answer, Unknown)
        assert "numbers that are too long" in " ".join((solved.answer.why, *solved.notes))
