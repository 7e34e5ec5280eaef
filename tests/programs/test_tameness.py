"""What `check` says about a program: by hand, and against values that enumeration gives."""

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tamecheck
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.ir.structure import Structure
from tamecheck.ir.verdict import Verdict
from tamecheck.programs import Infeasible, Optimal, check, solve

F = Fraction
ROW = Row("r", ((0, F(1)), (1, F(2))), F(1), None)


def program(*columns, rows=(ROW,), sense=Sense.MINIMISE):
    return Program(columns, rows, sense)


def column(name, kind=Kind.CONTINUOUS, lower=0, upper=None, cost=1):
    bounds = [None if bound is None else F(bound) for bound in (lower, upper)]
    return Column(name, *bounds, kind, F(cost))


def theorems(found):
    return [consequence.theorem.partition(":")[0] for consequence in found.consequences]


@pytest.mark.parametrize(
    ("kind", "lower", "upper", "tame"),
    [
        (Kind.CONTINUOUS, None, None, True),
        (Kind.INTEGER, 0, 5, True),
        (Kind.INTEGER, 0, None, False),
        (Kind.INTEGER, None, 5, False),
        (Kind.INTEGER, None, None, False),
        (Kind.INTEGER, 5, 0, True),
        (Kind.SEMICONTINUOUS, 1, 5, True),
        (Kind.SEMICONTINUOUS, 1, None, True),
        (Kind.SEMI_INTEGER, 1, 5, True),
        (Kind.SEMI_INTEGER, 1, None, False),
    ],
)
def test_only_unbounded_integers_are_not_tame(kind, lower, upper, tame):
    found = check(program(column("x", kind, lower, upper), column("y")))
    expected = (
        (Verdict.TAME, Structure.RATIONAL_SEMILINEAR)
        if tame
        else (Verdict.LOCALLY_TAME, Structure.LOCAL)
    )
    assert (found.verdict, found.structure) == expected
    assert (found.open == ()) is tame
    assert found.properties.piecewise_linear is True


def test_each_missing_bound_is_named():
    found = check(
        program(column("x", Kind.INTEGER, None, None), column("y", Kind.SEMI_INTEGER, 0, None))
    )
    assert [(gap.node, gap.settles) for gap in found.open] == [
        ("x", "a finite lower bound of x, even a large one"),
        ("x", "a finite upper bound of x, even a large one"),
        ("y", "a finite upper bound of y, even a large one"),
    ]
    assert "x and y are integer without finite bounds (2 of 2" in found.reasons[1]


def test_many_names_are_cut_short():
    columns = [column(f"x{j}", Kind.INTEGER) for j in range(8)]
    assert "x0, x1, x2, x3, x4 and 3 more are integer" in check(program(*columns)).reasons[1]


@pytest.mark.parametrize("kind", [Kind.INTEGER, Kind.SEMICONTINUOUS, Kind.SEMI_INTEGER])
def test_continuity_is_claimed_for_linear_programs_only(kind):
    linear = check(program(column("x"), column("y"))).properties
    assert (linear.continuous, linear.locally_lipschitz, linear.path_differentiable) == (True,) * 3
    mixed = check(program(column("x"), column("y", kind, 1, 5))).properties
    assert (mixed.continuous, mixed.locally_lipschitz, mixed.path_differentiable) == (None,) * 3


def test_theorems_come_with_their_hypotheses_only():
    always = ["Closure under first-order definitions", "Attainment"]
    tame = ["Cell decomposition", "Definable choice", "Union of polyhedra"]
    x, y = column("x"), column("y")
    n, m = column("n", Kind.INTEGER), column("m", Kind.INTEGER, 0, 3)
    assert theorems(check(program(x, y))) == [
        *always,
        *tame,
        "Polyhedral value function",
        "Path-differentiability",
    ]
    assert theorems(check(program(x, m))) == [*always, *tame]
    assert theorems(check(program(m, replace(m, name="k")))) == [
        *always,
        *tame,
        "Finitely many values",
    ]
    assert theorems(check(program(x, n))) == [*always, "Semilinear on bounded sets"]


@pytest.mark.parametrize(
    ("columns", "most"),
    [
        ([column("x"), column("y")], "1 polyhedron"),
        ([column("x", Kind.INTEGER, 0, 3), column("y")], "4 polyhedra"),
        ([column("x", Kind.INTEGER, F(1, 2), F(7, 2)), column("y")], "3 polyhedra"),
        ([column("x", Kind.SEMI_INTEGER, 2, 3), column("y", Kind.SEMICONTINUOUS)], "6 polyhedra"),
        ([column(f"x{j}", Kind.INTEGER, 0, 9) for j in range(5000)], "2^16610 polyhedra"),
        ([column("x", Kind.INTEGER, 3, 0), column("y")], "1 polyhedron"),
    ],
)
def test_integer_parts_are_counted(columns, most):
    (union,) = [
        c.theorem
        for c in check(program(*columns)).consequences
        if c.theorem.startswith("Union of polyhedra")
    ]
    assert f"at most {most}, so" in union


def test_maximised_linear_programs_have_concave_values():
    found = check(program(column("x", upper=5), column("y", upper=5), sense=Sense.MAXIMISE))
    assert any("concave, a minimum of" in c.theorem for c in found.consequences)


def test_a_value_that_costs_nothing_to_change_is_piecewise_constant():
    free = column("x", cost=0)
    assert check(program(free, column("y", Kind.INTEGER, 0, 5))).properties.piecewise_constant
    assert check(program(free, column("y"))).properties.piecewise_constant is None


def value(question, *ends):
    """The optimal value with these lower ends of the rows; None if there is no point."""
    rows = tuple(replace(row, lower=end) for row, end in zip(question.rows, ends, strict=True))
    answer = solve(replace(question, rows=rows), certify=True).answer
    assert isinstance(answer, Optimal | Infeasible)
    return answer.objective if isinstance(answer, Optimal) else None


SMALL = st.integers(-3, 3).map(F)


@settings(max_examples=10)
@given(st.lists(SMALL, min_size=4, max_size=4), st.lists(SMALL, min_size=4, max_size=4))
def test_values_of_linear_programs_are_convex(matrix, ends):
    columns = (column("x", upper=2, cost=1), column("y", lower=-1, upper=3, cost=-2))
    rows = tuple(
        Row(f"r{i}", tuple((j, a) for j, a in enumerate(matrix[2 * i : 2 * i + 2]) if a))
        for i in range(2)
    )
    question = Program(columns, rows)
    low, high = value(question, *ends[:2]), value(question, *ends[2:])
    assume(low is not None and high is not None)
    middle = value(question, *[(a + b) / 2 for a, b in zip(ends[:2], ends[2:], strict=True)])
    assert middle is not None
    assert middle <= (low + high) / 2


def test_a_pure_integer_value_jumps_between_finitely_many_numbers():
    columns = (column("x", Kind.INTEGER, 0, 3, 2), column("y", Kind.INTEGER, 0, 2, 3))
    question = Program(columns, (Row("r", ((0, F(1)), (1, F(2)))),))
    values = {value(question, F(k)) for k in range(9)}
    assert values == {None, 0, 2, 3, 5, 6, 8, 10, 12}
    points = itertools.product(range(4), range(3))
    assert values - {None} <= {2 * x + 3 * y for x, y in points}


def test_the_public_names_are_those_of_programs():
    assert tamecheck.solve is solve
    assert tamecheck.Program is Program
    assert tamecheck.load_program.__module__ == "tamecheck.programs.files"
