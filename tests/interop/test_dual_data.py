"""Value functions and dual functions of the shared programs."""

import json
from fractions import Fraction as Q

import pytest

import tamecheck as tc
from tamecheck.duality.optimum import search_at
from tamecheck.duality.value.dual import value_dual
from tamecheck.ir.program import Column, Kind, Program, Row


def test_value_function_at_61_points(data):
    told = json.loads((data / "mip" / "valuefunction" / "ralphs5.json").read_text())
    columns = tuple(
        Column(f"x{j}", kind=Kind.INTEGER if j in told["integer"] else Kind.CONTINUOUS, cost=Q(c))
        for j, c in enumerate(told["min"])
    )
    terms = tuple((j, Q(a)) for j, a in enumerate(told["row"]))
    function = value_dual(Program(columns, (Row("r", terms, Q(0), Q(0)),)), box=("r", -15, 15))
    assert len(told["z"]) == 61
    for place, value in told["z"].items():
        assert function.complex(Q(place)) == Q(value)
        assert function({"r": place}) == Q(value)


def test_value_function_of_two_rows_is_that_of_solving_again(data):
    program = tc.load_program(data / "mip" / "valuefunction" / "symphony_sample.mps")
    function = value_dual(program)
    form = function.form
    first, second = (form.names[i] for i in form.users)
    for level in (-1, 2, 5, Q(19, 2)):
        pieces = function.along(first, 0, 12, {second: level})
        for k in range(0, 25, 3):
            place = Q(k, 2)
            found = search_at(form, form.at({first: place, second: level}))
            assert found.closed
            expected = None if found.value is None else form.outward(found.value)
            assert pieces(place) == expected


@pytest.mark.parametrize(
    ("name", "optimum"),
    [
        # the longer ones are in benchmarks/dual.py --strong
        *(("gt2.mps", 21166), ("flugpl.mps", 1201500)),
    ],
)
def test_tree_dual_is_strong(data, name, optimum):
    function = tc.dual(tc.load_program(data / "mip" / name), method="tree")
    assert function.strong
    assert function.optimum == function.dual_value == optimum
    checks = function.checks
    assert checks["columns"].status
    assert checks["at_zero"].status
    assert checks["monotone"].status
