"""Formulas of a function's graph, and symbolic expressions, against exact evaluation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
import z3
from corpus import random_model
from pysmt.smtlib.parser import SmtLibParser

import tamecheck as tc
from tamecheck.encode.symbolic import smt_graph
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate import exact_values

EXPRESSIONS = [
    "max(x, 0) - sign(y)",
    "abs(x*y) - min(x, y)",
    "floor(2*x) + round(y)",
    "clip(x, -1/2, 1/3) / (2 + y)",
    "sqrt(x + 2) * y",
    "(x + y)**3",
]


def rationals(rng, count, bound=1):
    return [Fraction(int(k), 64) for k in rng.integers(-64 * bound, 64 * bound + 1, count)]


def z3_number(value):
    return z3.RealVal(str(value))


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_the_formula_holds_at_the_value_and_nowhere_else(text):
    model = tc.expression(text)
    script = model.to_smtlib("-1:1")
    rng = np.random.default_rng(1)
    out = smt_graph(model.graph).outputs[0].symbol_name()
    for _ in range(4):
        x, y = rationals(rng, 2)
        value = model.evaluate(np.array(x), np.array(y), exact=True).item()
        solver = z3.Solver()
        solver.from_string(script)
        solver.add(z3.Real("x") == z3_number(x), z3.Real("y") == z3_number(y))
        assert solver.check() == z3.sat
        if isinstance(value, Fraction):
            solver.add(z3.Real(out) != z3_number(value))
            assert solver.check() == z3.unsat


def test_the_logic_is_the_smallest():
    logics = {
        "max(x, 0) - 3*y": "QF_LRA",
        "x*y": "QF_NRA",
        "floor(x) + y": "QF_LIRA",
        "floor(x) * y": "QF_NIRA",
    }
    for text, logic in logics.items():
        assert smt_graph(tc.expression(text).graph).logic == logic


def test_transcendental_nodes_are_all_named():
    with pytest.raises(UnsupportedError) as caught:
        tc.expression("sin(x) + exp(y)").to_smtlib()
    assert "sin" in str(caught.value)
    assert "exp" in str(caught.value)


def test_the_script_is_read_by_pysmt(tmp_path):
    model = random_model([2, 4, 2], 0, digits=2)
    path = tmp_path / "f.smt2"
    path.write_text(model.to_smtlib("-1:1"))
    assert SmtLibParser().get_script_fname(str(path)).get_last_formula() is not None


@pytest.mark.parametrize("seed", range(3))
def test_piecewise_equals_the_network_at_random_rationals(seed):
    model = random_model([2, 4, 2], seed, digits=2)
    rng = np.random.default_rng(seed)
    by_cells, by_ops = model.to_sympy("-1:1"), model.to_sympy()
    for _ in range(3):
        point = rationals(rng, 2)
        exact = exact_values(model.graph, {"x": np.array([point], dtype=object)})["y"]
        expected = [sympy.Rational(str(v)) for v in exact.reshape(-1).tolist()]
        for found in (by_cells, by_ops):
            values = dict(zip(found.variables, map(sympy.Rational, map(str, point)), strict=True))
            assert [e.subs(values) for e in found.expressions] == expected


def test_piecewise_has_the_value_on_a_jump_and_none_outside():
    found = tc.expression("sign(x) + 2*sign(x - y)").to_sympy("-1:1")
    x, y = found.variables
    (f,) = found.expressions
    assert f.subs({x: 0, y: 0}) == 0
    assert f.subs({x: 0, y: sympy.Rational(1, 2)}) == -2
    assert f.subs({x: sympy.Rational(1, 3), y: sympy.Rational(1, 3)}) == 1
    assert f.subs({x: 2, y: 0}) == sympy.nan


def test_smooth_functions_are_written_op_by_op():
    found = tc.expression("tanh(max(x, 0)) + sin(x)").to_sympy("-1:1")
    (x,) = found.variables
    (f,) = found.expressions
    assert f.subs(x, -1) == sympy.sin(-1)
    assert f.subs(x, 2) == sympy.tanh(2) + sympy.sin(2)


def test_the_python_text_defines_the_same_expressions():
    model = tc.expression("max(beta, 0) - abs(I)")
    found = model.to_sympy("-1:1")
    names: dict[str, object] = {}
    exec(found.python(), names)
    for point in ((1, -1), (-1, 1), (sympy.Rational(1, 3), sympy.Rational(-2, 7)), (0, 0)):
        values = dict(zip(found.variables, point, strict=True))
        assert names["y"].subs(values) == found.expressions[0].subs(values)
    assert "\\begin{cases}" in found.latex()
