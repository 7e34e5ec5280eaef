"""Proofs that a function is not Lipschitz: derivatives along a curve, as series and as numbers."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, fmpq

from tamecheck.cli.entry import main
from tamecheck.derivative import gradient, jacobian
from tamecheck.derivative.implicit import implicit
from tamecheck.derivative.jacobian import exact_point
from tamecheck.derivative.lowering import lowered
from tamecheck.derivative.steep import Puiseux, constant, series_of, steep
from tamecheck.ir.formula import Call, Elementary, Var, power
from tamecheck.loaders.text.expression import parse_expression

T = Puiseux(((Fraction(1), fmpq(1)),))


def value(series, t):
    return sum(float(arb(a)) * t ** float(e) for e, a in series.terms)


@pytest.mark.parametrize(
    ("term", "function", "start"),
    [
        (power(Var(0), Fraction(1, 2)), np.sqrt, 0),
        (power(Var(0), Fraction(-2, 3)), lambda x: x ** (-2 / 3), 0),
        (1 / (Var(0) * Var(0) + Var(0)), lambda x: 1 / (x * x + x), 0),
        (Call(Elementary.EXP, power(Var(0), Fraction(1, 2))), lambda x: np.exp(np.sqrt(x)), 0),
        (Call(Elementary.ACOSH, Var(0)), np.arccosh, 1),
        (Call(Elementary.ASIN, 1 - Var(0)), lambda x: np.arcsin(1 - x), 0),
        (Call(Elementary.ACOS, Var(0)), np.arccos, -1),
        (Call(Elementary.LOG, Var(0)), np.log, 2),
        (Call(Elementary.ERF, Var(0) - Var(0) * Var(0)), None, 0),
    ],
)
def test_series_are_those_of_numbers(term, function, start):
    found = series_of(term, [constant(fmpq(start)) + T])
    t = 1e-3
    if function is None:
        z = t - t * t
        expected = 2 / np.sqrt(np.pi) * (z - z**3 / 3)
    else:
        expected = function(start + t)
    assert value(found, t) == pytest.approx(expected, rel=1e-9, abs=1e-12)


NOT_LIPSCHITZ = [
    ("sqrt(x)", [0]),
    ("abs(x)^(1/3)", [0]),
    ("asin(x)", [1]),
    ("acosh(1+abs(x))", [0]),
    ("y*sqrt(x)", [0, 0]),
    ("sin(sqrt(abs(x)))", [0]),
    ("sqrt(max(0,x^2-z^2))", [1, 1]),
    ("sqrt(abs(x)+y^2)+max(x,y)", [0, 0]),
    ("max(x, sqrt(abs(x-y)))", [0, 0]),
    ("sqrt(abs(x))/(1+y^2)", [0, 3]),
    ("exp(abs(x)^(1/2))*y", [0, 1]),
]


@pytest.mark.parametrize(("text", "at"), NOT_LIPSCHITZ)
def test_derivatives_grow_along_the_curve_as_it_says(text, at):
    graph = lowered(parse_expression(text).graph)
    proof = steep(graph, exact_point(graph, at))
    assert proof is not None
    assert proof.exponent < 0
    found = jacobian(graph, at)
    assert not found.defined
    assert not found.open
    assert str(proof) in found.why
    t = 1e-4
    point = [v + a * t**k for v, (a, k) in zip(at, proof.steps, strict=True)]
    slope = gradient(graph, [point])[0] @ np.array(proof.direction, float)
    assert slope == pytest.approx(float(arb(proof.factor)) * t ** float(proof.exponent), rel=0.2)


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("sqrt(x^2+y^2)", [0, 0], "the disc of radius 1"),
        ("sqrt(x^4+y^2*x^2)", [0, 0], "1 vertex"),
        ("sqrt((x-y)^2+z^2)+abs(x)", [1, 1, 0], "ellipse"),
    ],
)
def test_a_root_of_squares_that_is_lipschitz_has_its_set(text, at, said, capsys):
    found = jacobian(parse_expression(text).graph, at)
    assert found.defined
    assert not found.at_least
    names = parse_expression(text).graph.inputs
    point = ",".join(f"{name}={v}" for name, v in zip(names, at, strict=True))
    assert main(["diff", "--expr", text, "--at", point]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("sqrt(x^3)", [0]),
        ("sqrt(abs(x))*sqrt(abs(x))", [0]),
        ("x*sqrt(abs(x))", [0]),
        ("max(x,0)*sqrt(max(x,0))", [0]),
        ("sin(sqrt(abs(x)))^2", [0]),
    ],
)
def test_a_lipschitz_function_of_an_op_that_is_not_is_left_open(text, at, capsys):
    found = jacobian(parse_expression(text).graph, at)
    assert not found.defined
    assert found.at_least
    assert "remains open" in found.why
    assert found.why.startswith("the last op of ")  # never said of the function
    names = parse_expression(text).graph.inputs
    point = ",".join(f"{name}={v}" for name, v in zip(names, at, strict=True))
    assert main(["diff", "--expr", text, "--at", point, "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["vertices"] == []
    assert "sqrt" in answer["why"]
    assert main(["diff", "--expr", text, "--at", point]) == 3
    assert capsys.readouterr().out.startswith("not known whether there is a clarke Jacobian")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("sqrt(x^2)", "abs(x)"),
        ("sqrt(x*x) - y", "abs(x) - y"),
        ("sqrt(x^4) + abs(x)", "x^2 + abs(x)"),
        ("(x^6)^(1/2) - abs(x)", "abs(x)^3 - abs(x)"),
        ("sqrt(sqrt(x^4))", "abs(x)"),
        ("sqrt((y-x^2)^2) - abs(y)", "abs(y-x^2) - abs(y)"),
        ("sqrt(max(x,y)^2); sqrt((x-y)^2)", "abs(max(x,y)); abs(x-y)"),
    ],
)
@pytest.mark.parametrize("kind", ["clarke", "bouligand"])
def test_roots_of_even_powers_are_powers_of_absolute_values(text, same, kind):
    graph = parse_expression(text).graph
    found = jacobian(graph, [0] * len(graph.inputs), kind)
    expected = jacobian(parse_expression(same).graph, [0] * len(graph.inputs), kind)
    assert list(graph.inputs) == list(expected.inputs)
    assert found.exact
    assert set(found.vertices) == set(expected.vertices)
    assert found.rests_on == "recomputation"
    assert found.autodiff is None  # PyTorch multiplies infinity by 0
    assert found.autodiff_jax is None


def test_solutions_beside_a_dead_root():
    found = implicit("x-p+sqrt(max(x-5,0))", unknowns=["x"], at={"x": 0, "p": 0})
    assert found.verdict.value == "proved"
    assert found.vertices == (((Fraction(1),),),)


def test_no_theorem_at_the_edge_of_a_domain():
    found = implicit("x-p+x^1.5", unknowns=["x"], at={"x": 0, "p": 0})
    assert found.verdict.value == "unknown"


@pytest.mark.parametrize(
    ("text", "verdict"), [("x-p+sqrt(abs(x))", "refuted"), ("x-p+sqrt(x^2+p^2)", "unknown")]
)
def test_theorem_is_refuted_by_a_curve_only(text, verdict):
    assert implicit(text, unknowns=["x"], at={"x": 0, "p": 0}).verdict.value == verdict
