"""Waves along curves: found where a formula oscillates, nowhere else, and kernel-checked."""

# ruff: noqa: E501  (formulas)
from __future__ import annotations

import json
from fractions import Fraction

import pytest

from tamecheck.ir.box import Box
from tamecheck.ir.graph import Constant
from tamecheck.kernel import check as recheck
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.tame.curves import curves
from tamecheck.tame.document import certificate_document
from tamecheck.tame.verdict import Witness
from tamecheck.tame.waves import find_waves

ALL = Box.everything()


def witness_of(text: str, box: Box = ALL) -> Witness | None:
    graph = parse_expression(text).graph
    witness = find_waves(graph, box, [node for _, node in graph.outputs])
    if witness is not None:
        tensors = {n.tensor.digest: n.tensor for n in graph.nodes if isinstance(n, Constant)}
        claim = {"verdict": "not-tame", "refutes": witness.refutes}
        document = certificate_document(
            graph, box, claim=claim, steps=[witness.document], tensors=tensors
        )
        report = recheck(json.dumps(document))
        assert report.verdict == "valid", report.why
    return witness


WILD = [
    *("sin(x^2)", "exp(x) + sin(x)", "x^2 + x*sin(x)", "sin(x)*exp(-x^2) + max(x, y)", "1/sin(x)"),
    *("sin(log(abs(x)))", "sin(exp(x))", "x*cos(1/x)", "exp(-1/x^2)*sin(1/x)", "tan(x)", "sin(x*y)"),
    *("(x+sin(x))*sigmoid(x)", "softplus(x)*sin(x)", "log(x) + sin(x)", "atan(tan(x))", "sin(x)/x"),
    *("min(x, sin(x))", "exp(-abs(x))*sin(5*x)", "x - sin(2*acos(-1)*x)/(2*acos(-1))", "x^x*sin(x)"),
    *("exp(x + sin(x))", "x*2^cos(x)", "log(2 + sin(x)) + x", "x + sin(a*x)^2/a", "sin(x)*erf(x)*asinh(x)"),
    *("floor(2+1/x)*sin(x)", "step(x)*sin(x)", "sin(1/(x-2))", "sin(1/(2*x-3))", "sin(x)*cos(sqrt(2)*x)"),
    *("sin(sqrt(x))", "sin(x*atan(x))", "cos(cosh(x))", "tanh(sin(x))", "x/(2+sin(x))"),
    *("sin(x) + relu(x)", "acosh(x)*sin(x)", "atanh(1/x)*x*sin(x) + cos(x)"),
]  # fmt: skip


@pytest.mark.parametrize("text", WILD)
def test_oscillation_is_found(text: str) -> None:
    assert witness_of(text) is not None


# tame, or oscillating in a way that waves do not show
SILENT = [
    *("x", "exp(x)", "sin(x)^2 + cos(x)^2", "cos(2*x) - 2*cos(x)^2 + 1", "sin(x) - sin(x)", "sin(x)*0"),
    *("sin(tanh(x))", "sin(x/(1+x^2))", "sin(x)*step(-abs(x)-1)", "sin(x)*relu(-1-x^2)", "max(sin(x), 2)"),
    *("sin(asin(x))", "exp(x)*sin(x)/sin(x)", "sin(x)/sin(x)", "tan(x) - tan(x)", "sin(log(exp(x))-x)"),
    *("sin(x*exp(-x^2))", "sin(x)*(sqrt(2)*sqrt(2)-2)", "sin(x)*(4*atan(1)-acos(-1))", "log(-1-x^2)*sin(x)"),
    *("abs(sin(x))", "asin(sin(x))", "sqrt(sin(x))", "sin(floor(x))", "floor(x)^2", "sin(sin(x))"),
]  # fmt: skip


@pytest.mark.parametrize("text", SILENT)
def test_nothing_is_found_where_nothing_is_shown(text: str) -> None:
    assert witness_of(text) is None


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("sin(1/x)", -1, 1),
        ("sin(log(x))", 0, 1),
        ("x*sin(1/(1-x))", 0, 1),
        ("x*sin(1/sinh(x))", -1, 1),
        ("cos(1/tanh(x)) + x^2", 0, 1),
        ("sin(x)", None, 3),
    ],
)
def test_curves_approach_points_of_the_box(text: str, low: int | None, high: int | None) -> None:
    ends = [None if end is None else Fraction(end) for end in (low, high)]
    assert witness_of(text, Box.uniform(["x"], *ends)) is not None


@pytest.mark.parametrize(("text", "low"), [("sin(x)", -1), ("sin(1/x)", Fraction(1, 10))])
def test_bounded_arguments_oscillate_nowhere(text: str, low: Fraction) -> None:
    assert witness_of(text, Box.uniform(["x"], Fraction(low), Fraction(1))) is None


def test_curves_say_where_they_go() -> None:
    graph, box = parse_expression("sin(x*y)/(x-2)").graph, Box.uniform(["y"], Fraction(0), None)
    found = [curve.text() for curve in curves(graph, box, 0)]
    assert found[0] == "x = t, the other input 0"
    assert "x = 2 - 1/t, y = 1" in found
    assert "x = t^2, y = t" in found
    assert not any("y = -t" in text for text in found)


def test_a_summary_says_what_is_out_of_proportion() -> None:
    witness = witness_of("sin(log(x))*x")
    assert witness is not None
    assert "x = t" in witness.summary
    assert "angle log t" in witness.summary
