"""Cells with formulas: hand cases, the piecewise linear cells, and random points."""

import json
from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cells import cells
from tamecheck.cells.formulas import FormulaCells, formula_cells
from tamecheck.cli.entry import main
from tamecheck.errors import InputError, UnsupportedError


def found_in(text: str, box: str = "-1:1", **options: float) -> FormulaCells:
    model = tc.expression(text)
    return formula_cells(model.graph, model.box(box), **options)


def texts(found: FormulaCells) -> set[tuple[frozenset[str], tuple[str, ...]]]:
    return {(frozenset(map(str, cell.conditions)), cell.formulas) for cell in found}


def test_a_curved_boundary_is_a_sign_of_a_formula():
    found = found_in("max(tanh(x) - 1/3, 0) * y")
    assert found.complete
    assert texts(found) == {
        (frozenset({"tanh(x) - 1/3 > 0"}), ("y*(tanh(x) - 1/3)",)),
        (frozenset({"tanh(x) - 1/3 < 0"}), ("0",)),
    }


def test_a_smooth_function_is_one_cell():
    found = found_in("sin(x)*cos(y) + exp(x)")
    assert found.complete
    assert [cell.conditions for cell in found] == [()]
    assert found.cells[0].polyhedral


def test_forms_of_one_smooth_function_make_no_cells():
    found = found_in("sigmoid(x) + softplus(x - y)")
    assert [cell.conditions for cell in found] == [()]


def test_an_affine_boundary_is_a_polyhedron_beside_a_curved_formula():
    found = found_in("tanh(x) * max(y, 0)")
    assert texts(found) == {
        (frozenset({"y > 0"}), ("y*tanh(x)",)),
        (frozenset({"y < 0"}), ("0",)),
    }
    assert all(cell.polyhedral for cell in found)


def test_what_the_range_of_a_function_excludes_is_no_cell():
    found = found_in("round(sin(5*x))", "0:3")
    assert found.complete
    assert sorted(cell.formulas for cell in found) == [("-1",), ("0",), ("0",), ("1",)]


def test_a_squared_distance_has_no_negative_cell():
    found = found_in("sqrt(x*x + y*y) + max(x + y - 1, 0)")
    assert found.complete
    assert found.count == 2


def test_points_outside_the_domain_are_in_no_cell():
    found = found_in("log(x) + max(y, 0)")
    assert found.complete
    assert {frozenset(map(str, cell.conditions)) for cell in found} == {
        frozenset({"x > 0", "y > 0"}),
        frozenset({"x > 0", "y < 0"}),
    }


def test_a_boundary_that_is_everywhere_is_undecided():
    # the argument is 0 by an identity that linear algebra does not see
    found = found_in("max(sin(x)*sin(x) + cos(x)*cos(x) - 1, 0)")
    assert not found.complete
    assert found.count == 0
    assert found.undecided == ((),)


@pytest.mark.parametrize(
    "text",
    [
        *("max(x,0) + abs(x - y/3)", "floor(2*x + y)", "clip(2*x - y, -1/2, 1/2) + sign(x + y)"),
        "max(x + y, 0) - max(x - y - 1/2, 0) + max(y, x/2)",
        "max(max(x,0) - max(y,0) - 1/4, 0) + abs(max(x+y,0) - 1/3)",
    ],
)
def test_piecewise_linear_functions_have_the_cells_of_the_polyhedral_complex(text: str):
    model = tc.expression(text)
    polyhedral = cells(model.graph, model.box("-1:1"))
    found = found_in(text)
    assert found.complete
    assert found.count == polyhedral.count
    for cell in found:
        own = polyhedral.at(cell.interior_point)
        assert own is not None
        expected = tuple(str(v) for v in own.map(cell.interior_point))
        values = dict(zip(found.names, map(_sympy_number, cell.interior_point), strict=True))
        got = tuple(str(f.subs({s: values[s.name] for s in f.free_symbols})) for f in cell.sympy)
        assert got == expected


@pytest.mark.parametrize(
    "text",
    [
        "max(sin(3*x) + y, 0) * abs(x - y)",
        "max(x*y, x + tanh(y), 1/2)",
        "max(exp(x) - y - 1, 0) + sign(x*x + y*y - 1/2)",
        "floor(3*tanh(x + y)) * max(y, 0)",
    ],
)
def test_every_random_point_is_in_one_cell_and_has_its_value(text: str):
    """The cells are disjoint, and cover all but their boundaries."""
    model = tc.expression(text)
    found = found_in(text)
    assert found.complete
    rng = np.random.default_rng(0)
    for _ in range(60):
        point = [Fraction(int(v), 997) for v in rng.integers(-996, 997, size=2)]
        held = [cell for cell in found if all(c.holds(point) for c in cell.conditions)]
        assert len(held) == 1
        values = dict(zip(found.names, map(_sympy_number, point), strict=True))
        formula = held[0].sympy[0]
        got = float(formula.subs({s: values[s.name] for s in formula.free_symbols}))
        assert got == pytest.approx(float(model.evaluate(*map(float, point))), abs=1e-12)


def _sympy_number(value: Fraction):
    import sympy

    return sympy.Rational(value.numerator, value.denominator)


def test_the_model_gives_either_kind_of_cells():
    assert isinstance(tc.expression("tanh(x)").cells("-1:1"), FormulaCells)
    assert tc.expression("abs(x)").cells("-1:1").count == 2


def test_limit_and_timeout_give_a_partial_result():
    text = "max(sin(9*x), cos(7*y)) + abs(sin(x*y) - 1/5) + sign(x - y*y)"
    assert found_in(text).count > 3
    first = found_in(text, limit=3)
    assert first.count == 3
    assert not first.finished
    assert not found_in(text, timeout=0.0).complete


def test_the_same_seed_gives_the_same_cells():
    text = "max(sin(3*x) + y, 0) * abs(x - y)"
    assert texts(found_in(text, seed=3)) == texts(found_in(text, seed=3))


def test_inputs_that_the_box_fixes_are_constants():
    found = found_in("tanh(x) * max(y, 0)", "x=-1:1,y=1/3:1/3")
    assert found.names == ("x",)
    assert [cell.formulas for cell in found] == [("tanh(x)/3",)]


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="unbounded"):
        found_in("tanh(x)", "-inf:inf")
    many = "tanh(" + "+".join(f"x{k}" for k in range(9)) + ")"
    with pytest.raises(InputError, match="at most 8 coordinates, not 9"):
        found_in(many)


def test_the_command_prints_conditions_and_formulas(capsys):
    assert main(["cells", "--expr", "max(tanh(x)-1/3,0)", "--box", "-1:1"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[:3] == [
        "2 cells with formulas in dimension 1",
        "  where tanh(x) - 1/3 > 0:",
        "    tanh(x) - 1/3",
    ]


def test_json_names_outputs_and_what_is_open(capsys):
    text = "max(sin(x)*sin(x) + cos(x)*cos(x) - 1, 0)"
    assert main(["cells", "--expr", text, "--box", "-1:1", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["count"], found["complete"], found["undecided"]) == (0, False, [[]])
    assert main(["cells", "--expr", "exp(x)*y", "--box", "-1:1", "--json"]) == 0
    (cell,) = json.loads(capsys.readouterr().out)["cells"]
    (formulas,) = cell["formulas"].values()
    assert (formulas, cell["conditions"], cell["polyhedral"]) == (["y*exp(x)"], [], True)


@pytest.mark.parametrize("option", ["--merge", "--decision"])
def test_what_needs_affine_maps_is_refused(option: str, capsys):
    assert main(["cells", "--expr", "tanh(x)", "--box", "-1:1", option]) == 4
    assert "piecewise linear" in capsys.readouterr().err


def test_decisions_need_a_piecewise_linear_model():
    model = tc.expression("tanh(x)")
    with pytest.raises(UnsupportedError):
        cells(model.graph, model.box("-1:1"))
