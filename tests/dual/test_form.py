"""The normal form: shifts, reflections, splits, bounds as rows; and programs without a dual."""

from dataclasses import replace
from fractions import Fraction as Q

import pytest

import tamecheck as tc
from tamecheck.duality import InfeasibleProgramError, normalise
from tamecheck.duality.optimum import minimise
from tamecheck.errors import DomainError, InputError, UnsupportedError
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded
from tamecheck.ir.program import Column, Kind, Program, Row, Sense


def program(columns, rows, sense=Sense.MINIMISE):
    return Program(tuple(columns), tuple(rows), sense)


def test_every_kind_of_bound_maps_back():
    columns = [
        Column("shifted", Q(2), None, Kind.INTEGER, Q(1)),
        Column("reflected", None, Q(7), Kind.INTEGER, Q(1)),
        Column("free", None, None, Kind.CONTINUOUS, Q(1)),
        Column("boxed", Q(-1, 2), Q(5, 2), Kind.INTEGER, Q(1)),
    ]
    row = Row("r", tuple((j, Q(1)) for j in range(4)), Q(0), Q(9))
    form = normalise(program(columns, [row]))
    assert form.names == ("r.lower", "r.upper", "boxed.upper")
    assert [c.sense for c in form.constraints] == [">=", "<=", "<="]
    # at the point 0 of the form: 2, 7, 0 and the bound -1/2 rounded up to 0
    zero = (Q(0),) * len(form.columns)
    assert form.point(zero) == (2, 7, 0, 0)
    assert form.outward(Q(0)) == 9
    assert form.right == (-9, 0, 2)
    assert form.at({"r.upper": 10}) == (-9, 1, 2)
    assert form.at([1, 11]) == (-8, 2, 2)


def test_a_range_row_has_two_right_hand_sides():
    form = normalise(program([Column("x")], [Row("r", ((0, Q(1)),), Q(1), Q(2))]))
    with pytest.raises(InputError, match=r"r\.lower or r\.upper"):
        form.at({"r": 1})
    with pytest.raises(InputError, match="2 numbers"):
        form.at([1])


def test_crossed_bounds_are_infeasible():
    with pytest.raises(InfeasibleProgramError, match="column 'x'"):
        normalise(program([Column("x", Q(1, 3), Q(2, 3), Kind.INTEGER)], []))
    with pytest.raises(InfeasibleProgramError, match="row 'r'"):
        normalise(program([Column("x")], [Row("r", ((0, Q(1)),), Q(2), Q(1))]))


def test_semi_variables_are_refused_by_name():
    with pytest.raises(UnsupportedError, match="s: semicontinuous"):
        normalise(program([Column("s", Q(1), Q(2), Kind.SEMICONTINUOUS)], []))


@pytest.mark.parametrize("method", ["tree", "value"])
def test_infeasible_program(method):
    columns = [Column("x", kind=Kind.INTEGER, cost=Q(1))]
    rows = [Row("r", ((0, Q(2)),), Q(1), Q(1)), Row("cap", ((0, Q(1)),), None, Q(5))]
    with pytest.raises(InfeasibleProgramError, match="infeasible"):
        tc.dual(program(columns, rows), method=method)


@pytest.mark.parametrize("method", ["tree", "value"])
def test_infeasible_dual_of_the_relaxation_names_the_direction(method):
    columns = [Column("x", kind=Kind.INTEGER, cost=Q(-1)), Column("y", cost=Q(0))]
    rows = [Row("r", ((0, Q(1)), (1, Q(-1))), Q(0), Q(0))]
    with pytest.raises(DomainError, match="x = 1, y = 1"):
        tc.dual(program(columns, rows), method=method)


@pytest.mark.parametrize("method", ["tree", "value"])
def test_dependent_equations(method):
    columns = [Column(f"x{j}", kind=Kind.INTEGER, cost=Q(j + 1)) for j in range(3)]
    terms = tuple((j, Q(j + 2)) for j in range(3))
    double = tuple((j, 2 * a) for j, a in terms)
    rows = [Row("r", terms, Q(7), Q(7)), Row("s", double, Q(14), Q(14))]
    function = tc.dual(program(columns, rows), method=method)
    # 2 + 2 + 3 costs 1 + 1 + 2; 3 + 4 costs 5
    assert function.optimum == function.dual_value == 4
    assert function.checks["columns"].status


@pytest.mark.parametrize("method", ["tree", "value"])
def test_no_columns(method):
    feasible = program([], [Row("r", (), Q(-1), None)])
    function = tc.dual(feasible, method=method)
    assert function.optimum == function.dual_value == 0
    with pytest.raises(InfeasibleProgramError):
        tc.dual(program([], [Row("r", (), Q(1), None)]), method=method)


@pytest.mark.parametrize("method", ["tree", "value"])
def test_a_column_without_entries(method):
    columns = [Column("x", kind=Kind.INTEGER, cost=Q(1)), Column("idle", cost=Q(2))]
    rows = [Row("r", ((0, Q(2)),), Q(3), None)]
    function = tc.dual(program(columns, rows), method=method)
    assert function.optimum == function.dual_value == 2
    idle = [columns[0], Column("idle", cost=Q(-2))]
    with pytest.raises(DomainError, match="idle = 1"):
        tc.dual(program(idle, rows), method=method)


def test_there_is_no_such_method():
    with pytest.raises(InputError, match="no dual method"):
        tc.dual(program([], []), method="magic")


def test_linear_programs_end_with_a_certificate():
    form = normalise(
        program(
            [Column("x", cost=Q(2)), Column("y", cost=Q(3))],
            [
                Row("r", ((0, Q(1)), (1, Q(2))), Q(4), None),
                Row("s", ((0, Q(3)), (1, Q(1))), Q(6), None),
            ],
        )
    )
    outcome = minimise(form.columns, form.constraints, form.right)
    assert isinstance(outcome, Optimal)
    # x = 8/5, y = 6/5
    assert outcome.objective == Q(34, 5)
    assert sum(
        y * b for y, b in zip(outcome.certificate.multipliers, form.right, strict=True)
    ) == Q(34, 5)
    assert all(
        column.product(outcome.certificate.multipliers) <= column.cost for column in form.columns
    )


def test_infeasible_and_unbounded_linear_programs_prove_it():
    form = normalise(
        program(
            [Column("x", cost=Q(-1))],
            [Row("r", ((0, Q(1)),), Q(4), None), Row("s", ((0, Q(1)),), None, Q(3))],
        )
    )
    outcome = minimise(form.columns, form.constraints, form.right)
    assert isinstance(outcome, Infeasible)
    assert form.columns[0].product(outcome.certificate.multipliers) <= 0
    assert sum(y * b for y, b in zip(outcome.certificate.multipliers, form.right, strict=True)) > 0
    above = form.columns[0].entries[:1]
    column = replace(form.columns[0], entries=above)
    outcome = minimise([column], form.constraints[:1], (Q(4),))
    assert isinstance(outcome, Unbounded)
    assert outcome.ray == (1,)
