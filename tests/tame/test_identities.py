"""Identities: what is algebraic by addition theorems and the like is said to be so, and checked."""

# ruff: noqa: E501  (formulas)
from __future__ import annotations

import json
import time

import pytest

import tamecheck as tc
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.tame.normal import normal_form

ALGEBRAIC = [
    *(("sin(x)^2 + cos(x)^2", "semilinear"), ("cos(2*x) - 2*cos(x)^2 + 1", "semilinear")),
    *(("sin(x+y) - sin(x)*cos(y) - cos(x)*sin(y)", "semilinear"), ("exp(x)*exp(-x)", "semilinear")),
    *(("tanh(x) - (exp(x)-exp(-x))/(exp(x)+exp(-x))", "semilinear"), ("cosh(x)^2 - sinh(x)^2", "semilinear")),
    *(("sigmoid(x) - 1/(1+exp(-x))", "semilinear"), ("1/(1+exp(x)) + 1/(1+exp(-x))", "semilinear")),
    *(("relu(sin(x)) - relu(-sin(x)) - sin(x)", "semilinear"), ("log(exp(sin(x))) - sin(x)", "semilinear")),
    *(("floor(x)*y - y*floor(x)", "semilinear"), ("floor(x+3) - floor(x)", "semilinear")),
    *(("x*y + sin(x)^2 + cos(x)^2", "semialgebraic"), ("log(x) - log(x)", "semilinear")),
    *(("sin(exp(x))^2 + cos(exp(x))^2 + exp(x)", "exp"), ("sqrt(x^2) - abs(x)", "semilinear")),
    *(("log(x*y) - log(x) - log(y)", "semialgebraic"), ("sin(x)*x - x*sin(x) + sqrt(x)", "semialgebraic")),
    *(("exp(sin(x)^2 + cos(x)^2)*x + tanh(y)", "exp"), ("sin(x)^2 + cos(x)^2;x", "semilinear")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "structure"), ALGEBRAIC)
def test_identities_are_seen(text: str, structure: str) -> None:
    answer = tc.expression(text).check()
    assert answer.structure is not None
    assert answer.structure.public_name == structure
    assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"


# the domain of the first five has infinitely many components
OTHERS = [
    *("tan(x) - tan(x)", "sin(x)/sin(x)", "0*log(cos(x))", "sqrt(sin(x)) - sqrt(sin(x))", "1/sin(x) - 1/sin(x)"),
    *("sin(x)^2 - cos(x)^2", "cos(2*x) - cos(x)^2", "sin(x+1) - sin(x)", "floor(2*x) - 2*floor(x)"),
    *("abs(sin(x)) - sin(x)", "exp(x)*exp(x)*sin(x)", "abs(sin(x))/abs(sin(x))"),
]  # fmt: skip


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_no_identity_everywhere_is_not_called_tame(text: str) -> None:
    answer = tc.expression(text).check()
    assert answer.verdict is not tc.Verdict.TAME
    if answer.certificate is not None:
        assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"


def test_deeply_nested_choices_are_left_alone() -> None:
    text = "x"
    for i in range(40):
        text = f"max({text}, sin({i}*x))"
    graph = parse_expression(text).graph
    started = time.process_time()
    assert normal_form(graph, graph.outputs[0][1], (), 1000) is None
    assert time.process_time() - started < 10
