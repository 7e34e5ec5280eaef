"""Values of programs and of python-mip models in named parameters."""

from __future__ import annotations

from fractions import Fraction

import mip
import pytest

from tamecheck.errors import InputError
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.layers import from_mip, value_layer


def production(demand):
    """min 3x + 2y with x integer, 2x + y >= demand, y <= 3: a part of x, then y."""
    columns = (
        Column("x", Fraction(0), Fraction(9), Kind.INTEGER, Fraction(3)),
        Column("y", Fraction(0), Fraction(3), cost=Fraction(2)),
    )
    return Program(columns, (Row("demand", ((0, Fraction(2)), (1, Fraction(1))), demand, None),))


def test_gradient_in_a_right_hand_side_and_a_cost():
    layer = value_layer(production(Fraction(9, 2)), ["demand", "y"])
    found = layer()
    assert found.value == 7
    assert found.gradient.element == {"demand": 2, "y": Fraction(1, 2)}
    assert found.gradient.singleton
    assert layer({"demand": "5.5", "y": 1}).value == Fraction(15, 2)


def test_a_kink_between_two_integer_parts():
    """At demand 5.5: x = 2 and y = 3/2 cost 9, as do x = 3 and y = 0, which ends at 6."""
    found = value_layer(production(Fraction(11, 2)), ["demand"])()
    assert found.value == 9
    assert {u[0] for u in found.gradient.vertices} == {2, 0}


def test_the_value_jumps_without_recourse_and_not_elastically():
    column = Column("x", Fraction(0), Fraction(5), Kind.INTEGER, Fraction(1))
    program = Program((column,), (Row("r", ((0, Fraction(1)),), Fraction(2), None),))
    layer = value_layer(program, ["r"])
    found = layer()
    assert found.verdict == "jump"
    assert "r by +1·t" in found.reason
    with pytest.raises(InputError, match="jumps"):
        _ = found.gradient
    assert layer.elastic(3)().gradient.range("r") == (0, 3)


def test_rows_that_do_not_vary_may_contradict_each_other_nearby():
    """x = 1 twice: no gradient in those rows, and a gradient in the third."""
    columns = (Column("x"), Column("y", cost=Fraction(1)))
    one = Fraction(1)
    rows = (
        Row("first", ((0, one),), one, one),
        Row("second", ((0, one),), one, one),
        Row("third", ((0, -one), (1, one)), one, None),
    )
    program = Program(columns, rows)
    assert value_layer(program, ["third"])().gradient.vertices == ((1,),)
    found = value_layer(program, ["first"])()
    assert found.verdict == "jump"


def test_the_dual_function_has_the_same_gradient_at_a_smooth_point():
    layer = value_layer(production(Fraction(9, 2)), ["demand"])
    dual = layer.dual()
    assert dual.strong
    assert dual.gradient().singleton
    assert dual.gradient().element["demand"] == layer().gradient.element["demand"]


def test_parameters_are_checked():
    program = production(Fraction(4))
    with pytest.raises(InputError, match="no row or column"):
        value_layer(program, ["supply"])
    with pytest.raises(InputError, match="twice"):
        value_layer(program, ["demand", "demand"])
    ranged = Program(program.columns, (Row("demand", ((0, Fraction(1)),), 1, Fraction(4)),))
    with pytest.raises(InputError, match="2 different right-hand sides"):
        value_layer(ranged, ["demand"])
    layer = value_layer(program, ["demand"])
    with pytest.raises(InputError, match="no parameter"):
        layer({"y": 1})
    with pytest.raises(InputError, match="1 values are needed"):
        layer([1, 2])
    with pytest.raises(InputError, match="not a real number"):
        layer([float("nan")])


def test_a_model_of_python_mip():
    model = mip.Model("plan", sense=mip.MAXIMIZE)
    model.verbose = 0
    x = model.add_var("x", ub=4, var_type=mip.INTEGER)
    y = model.add_var("y", lb=-mip.INF, ub=0.5)
    wood = model.add_constr(2 * x + 0.1 * y <= 5.1, "wood")
    model.add_constr(x - y >= -4, "balance")
    model.objective = 3 * x + 0.7 * y + 10
    layer = from_mip(model, [wood, "balance", y])
    assert layer.names == ("wood", "balance", "y")
    assert layer.values == (Fraction(5.1), -4, Fraction(0.7))
    found = layer()
    assert found.value == 16 + Fraction(0.7) / 2
    assert found.gradient.element == {"wood": 0, "balance": 0, "y": Fraction(1, 2)}
    assert layer([Fraction(4) + Fraction(0.1) / 4, -4, 7]).gradient.element["wood"] == 7 / Fraction(
        0.1
    )
    with pytest.raises(InputError, match="no row or column"):
        from_mip(model, ["steel"])
    with pytest.raises(InputError, match=r"mip\.Model is needed"):
        from_mip(object(), [])
