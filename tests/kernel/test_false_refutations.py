"""Refutations of functions that are tame: written by hand, and refused.

Each function hides what oscillates, jumps or is undefined: behind a factor that is 0, in an
identity, in a branch that is not taken, in another element.
"""

from __future__ import annotations

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest

from tamecheck.ir.box import Box
from tamecheck.ir.graph import Constant, Graph, GraphBuilder
from tamecheck.kernel import check
from tamecheck.loaders.text.box import parse_box
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.ops import BY_NAME
from tamecheck.tame.document import certificate_document

RULES = ("germ", "exp-trig", "components")
AHEAD, BACK, NEAR = {"1": "1"}, {"1": "-1"}, {"-1": "1"}
TURNS = BACK, {"0": "2", "-1": "-1"}, {"2": "1"}

TAME = [
    "max(cos(x),x^2)",
    "min(sin(x),-x^2-1)",
    "sin(x)*relu(-x^2)",
    "step(-1-x^2)*floor(x)",
    "sin(x)^2+cos(x)^2",
    "sin(x+x)-2*sin(x)*cos(x)",
    "floor(2*x)-floor(x+x)",
    "floor(x)+ceil(-x)",
    "min(ceil(x)-floor(x),0)",
    "clip(floor(x),-1,3)",
    "round(sin(x)/2)",
    "round(sin(x)/(3+x^2))",
    "floor(sin(x)/3+1/2)",
    "sin(floor(x)*0)",
    "sin(floor(x)*acos(-1))",
    "abs(sin(x))-sqrt(sin(x)^2)",
    "max(sin(x),-sin(x))-abs(sin(x))",
    "relu(sin(x))-relu(-sin(x))-sin(x)",
    "step(sin(x))-step(sin(x))",
    "step(sin(x)-2)*floor(x)",
    "exp(sin(x))*exp(-sin(x))",
    "exp(sin(x))/exp(sin(x))",
    "log(exp(sin(x)))-sin(x)",
    "exp(sin(x))+x-exp(sin(x))",
    "exp(sin(x))^0",
    "sin(atan(x))+cos(tanh(x))",
    "sin(x*exp(-x^2))",
    "cos(x/(1+x^2))",
    "0*log(sin(x)^2+cos(x)^2)",
    "0/(sin(x)+2-sin(x))",
    "0*sqrt(sin(x)*sin(x))",
    "0*log(2+sin(x))",
    "log(-1-x^2)*sin(x)",
    "sqrt(sin(x)-2)+floor(x)",
    "2^clip(round(x),0,3)",
    "max(floor(x),0)-max(floor(x)-5,0)",
    "x^2+1/x",
    "exp(-1/x^2)",
    "log(x)*x",
    "tanh(x)-1",
]


def refused(graph: Graph, step: dict[str, object], box: Box | None = None) -> bool:
    document = certificate_document(
        graph,
        box or Box.everything(),
        claim={"verdict": "not-tame", "refutes": "o-minimal"},
        steps=[step],
        tensors={n.tensor.digest: n.tensor for n in graph.nodes if isinstance(n, Constant)},
    )
    return check(json.dumps(document)).verdict == "invalid"


def along(graph: Graph, rule: str, **curve: dict[str, str]) -> dict[str, object]:
    ways = {name: [curve.get(name, {})] for name in graph.inputs}
    return {"rule": rule, "curve": ways, "output": [graph.outputs[0][1], 0]}


@pytest.mark.parametrize(("text", "turn"), list(zip(TAME, itertools.cycle(TURNS), strict=False)))
def test_a_tame_function_is_not_refuted(text, turn):
    """Curves to infinity and to 0 of each, and the others by turns."""
    graph = parse_expression(text).graph
    for rule in RULES:
        for curve in (AHEAD, NEAR, turn):
            assert refused(graph, along(graph, rule, x=curve)), (rule, curve)
    ray = {"base": {"x": ["0"]}, "direction": {"x": ["1"]}, "output": [graph.outputs[0][1], 0]}
    assert refused(graph, {"rule": "line", "t": ["0", "1"], **ray})
    assert refused(graph, {"rule": "staircase", **ray})


def test_a_curve_must_stay_in_the_box():
    graph = parse_expression("sin(x*y)").graph
    box = parse_box("y=0", graph.inputs)
    for rule in RULES:
        assert refused(graph, along(graph, rule, x=AHEAD, y={"0": "1"}), box)
        assert refused(graph, along(graph, rule, x=AHEAD, y=NEAR), box)
        assert refused(graph, along(graph, rule, x=AHEAD), box)


class Build(GraphBuilder):
    """A graph of one input, written by calls."""

    def __call__(self, name, *args, **params):
        return self.apply(BY_NAME[name], list(args), **params)

    def number(self, value, shape=()):
        return self.constant(np.full(shape, value, dtype=float))


def wild_condition(b, x):
    """x, since exp is never 0."""
    return b("select", b("exp", b("sin", x)), x, b.number(1))


def branch(b, x):
    """0, since the root is taken only where it is defined."""
    sine = b("sin", x)
    root = b("mul", b("sqrt", sine), b.number(0))
    return b("select", b("step", sine, at_zero=Fraction(1)), root, b.number(0))


def dead_branch(b, x):
    """x for x > 0, and 0 for others."""
    return b("select", b("less", b.number(0), x), x, b.number(0))


def other_element(b, x):
    """x, beside a root that is not defined everywhere."""
    root = b("reshape", b("sqrt", b("sin", x)), shape=(1,))
    both = b("concat", root, b("reshape", x, shape=(1,)), axis=0)
    return b("slice", both, starts=(1,), steps=(1,), sizes=(1,))


def other_root(b, x):
    """1, beside a root that is not defined everywhere."""
    sine = b("reshape", b("sin", x), shape=(1,))
    both = b("sqrt", b("concat", sine, b.number(1, (1,)), axis=0))
    return b("slice", both, starts=(1,), steps=(1,), sizes=(1,))


def complementary(b, x):
    """1, since a step and its mirror image are 1/2 at 0."""
    sine, half = b("sin", x), Fraction(1, 2)
    return b("add", b("step", sine, at_zero=half), b("step", b("neg", sine), at_zero=half))


def exclusive(b, x):
    """0, since the sine is not positive and negative at once."""
    sine, zero = b("sin", x), Fraction(0)
    return b("mul", b("step", sine, at_zero=zero), b("step", b("neg", sine), at_zero=zero))


def reflected(b, x):
    """0, since a slope of -1 makes the absolute value."""
    sine = b("sin", x)
    return b("sub", b("leaky_relu", sine, alpha=Fraction(-1)), b("abs", sine))


BUILT = [
    wild_condition,
    branch,
    dead_branch,
    other_element,
    other_root,
    complementary,
    exclusive,
    reflected,
]


@pytest.mark.parametrize("build", BUILT)
def test_what_expressions_cannot_say_is_not_refuted_either(build):
    b = Build()
    graph = b.build({"y": build(b, b.input("x", ()))})
    for rule in RULES:
        for curve in (AHEAD, BACK, NEAR):
            assert refused(graph, along(graph, rule, x=curve)), rule


@pytest.mark.parametrize("base", ["input", "constant"])
def test_a_power_with_a_moving_exponent_is_defined_for_positive_numbers_alone(base):
    # x^y + sin(min(x, 0)) is x^y where it is defined; (-1)^y + sin(x) is defined nowhere
    b = Build()
    x, y = b.input("x", ()), b.input("y", ())
    if base == "input":
        sine = b("sin", b("minimum", x, b.number(0)))
        graph = b.build({"z": b("add", b("power", x, y), sine)})
    else:
        graph = b.build({"z": b("add", b("power", b.number(-1), y), b("sin", x))})
    for rule in RULES:
        for curve in (AHEAD, BACK):
            assert refused(graph, along(graph, rule, x=curve, y={"0": "2"})), rule
    ray = {"base": {"x": ["0"], "y": ["2"]}, "direction": {"x": ["-1"], "y": ["0"]}}
    step = {"rule": "line", "t": ["0", "1"], "output": [graph.outputs[0][1], 0], **ray}
    assert refused(graph, step)
