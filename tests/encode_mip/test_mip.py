"""The program of a function holds ``(x, f(x))`` and nothing else: against exact evaluation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from corpus import random_dense_network
from hypothesis import given, settings
from hypothesis import strategies as st

import tamecheck as tc
from tamecheck.budget import Budget
from tamecheck.encode.mip.network import Values, mip_encoding
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.evaluate import exact_values
from tamecheck.ir.program import Kind, Sense
from tamecheck.programs.tree import Search

CONTINUOUS = [
    "max(x, 0)",
    "abs(x) - max(x, y)",
    "clip(x, -1/2, 1/3) + min(x, 2*y)",
    "clip(x, -1/3, -1/3) + y",
    "max(max(x, y), x + y)",
    "max(x, min(y, max(-x, 0.3)))",
    "relu(relu(x - y) - 0.5) * 3 - abs(abs(x) - 0.25)",
    "clip(relu(x) + y, -0.7, 0.6) / 4",
    "max(3*x, 2*x)",
    "sign(2 + x) + step(x - 3)*y",
    "floor(x/4 + 0.3)",
]
INTEGER = [
    "sign(x + y)",
    "sign(2*x - y - 0.5) * 3 + step(x)",
    "floor(x / 3) + ceil(y / 2)",
    "round(x / 2) - round(y / 4)",
    "sign(x) * max(y, 0)",
    "sign(x) * sign(y) + x",
    "max(sign(x), sign(y - x))",
    "sign(floor(x / 2) + sign(y))**2",
    "clip(x, -1, 2) - abs(x - y)",
]


def optimum(program):
    """The exact optimum, by a tree with exact multipliers; None if infeasible."""
    tree = Search(program).run(Budget.of(60))
    assert tree.closed
    return None if tree.point is None else program.objective(tree.point)


def check(graph, encoding, x):
    """At the inputs x the outputs are the exact ones, at both ends of their range."""
    names = iter(x)
    point = {}
    for name, shape in graph.inputs.items():
        array = np.empty(shape, dtype=object)
        array.reshape(-1)[:] = [next(names) for _ in range(array.size)]
        point[name] = array
    values = [v for a in exact_values(graph, point).values() for v in a.reshape(-1).tolist()]
    whole = encoding.complete(x)
    assert encoding.program.violations(whole) == ()
    assert [whole[j] for j in encoding.outputs] == values
    assert [encoding.complete([float(v) for v in x])[j] for j in encoding.outputs] == pytest.approx(
        [float(v) for v in values]
    )
    at = dict(zip(encoding.inputs, x, strict=True))
    for number, value in enumerate(values):
        for sense in Sense:
            assert optimum(encoding.objective(number, sense, at)) == value
    off = at | {encoding.outputs[0]: values[0] + Fraction(1, 7)}
    assert optimum(encoding.objective(0, Sense.MINIMISE, off)) is None


def rationals(rng, count, bound=1):
    return [Fraction(int(k), 12) for k in rng.integers(-12 * bound, 12 * bound + 1, count)]


@pytest.mark.parametrize("text", CONTINUOUS)
def test_continuous_functions(text):
    graph = tc.expression(text).graph
    encoding = mip_encoding(graph, tc.expression(text).box("-1:1"))
    rng = np.random.default_rng(len(text))
    for _ in range(4):
        check(graph, encoding, rationals(rng, len(graph.inputs)))
    check(graph, encoding, [Fraction(0)] * len(graph.inputs))


@pytest.mark.slow
@pytest.mark.parametrize("text", INTEGER)
def test_functions_that_jump_on_integers(text):
    model = tc.expression(text)
    kinds = dict.fromkeys(model.inputs, Values.INTEGER)
    encoding = mip_encoding(model.graph, model.box("-3:3"), values=kinds)
    rng = np.random.default_rng(len(text))
    for _ in range(5):
        check(model.graph, encoding, [Fraction(int(k)) for k in rng.integers(-3, 4, len(kinds))])


@pytest.mark.parametrize(
    "text",
    [
        "sign(x)",
        "floor(2*x)",
        "step(x - y)",
        "x*y",
        "exp(x)",
        "1/(3 + x)",
        "sqrt(x + 2)",
        "round(x)",
    ],
)
def test_what_no_closed_set_shows_is_refused_by_name(text):
    model = tc.expression(text)
    with pytest.raises(UnsupportedError) as caught:
        mip_encoding(model.graph, model.box("-1:1"))
    assert len(caught.value.nodes) == 1


def test_an_unbounded_box_is_refused():
    model = tc.expression("max(x, 0)")
    with pytest.raises(InputError, match="x is unbounded"):
        mip_encoding(model.graph, model.box("x=0:inf"))


def network(sizes, seed, act):
    return random_dense_network(sizes, np.random.default_rng(seed), act, digits=2)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["relu", "leaky_relu", "abs"]))
def test_random_networks_with_few_kinds_of_neurons(seed, act):
    graph = network([3, 4, 4, 2], seed, act)
    box = tc.Box.uniform(["x"], Fraction(-1), Fraction(2, 3))
    encoding = mip_encoding(graph, box)
    rng = np.random.default_rng(seed)
    check(graph, encoding, [Fraction(int(k), 9) for k in rng.integers(-9, 7, 3)])


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_random_sign_networks_over_two_levels(seed):
    graph = network([5, 4, 3, 1], seed, "sign")
    box = tc.Box.uniform(["x"], Fraction(-1), Fraction(1))
    encoding = mip_encoding(graph, box, values={"x": Values.ENDS})
    rng = np.random.default_rng(seed)
    check(graph, encoding, [Fraction(int(k)) for k in rng.choice([-1, 1], 5)])
    program = encoding.objective(0, Sense.MAXIMISE)
    best = max(
        exact_values(graph, {"x": np.array([[Fraction(1 - 2 * (n >> i & 1)) for i in range(5)]])})[
            "y"
        ].item()
        for n in range(32)
    )
    assert optimum(program) == best


def test_stable_rectifiers_need_no_binary():
    model = tc.expression("max(x, 0) + max(x - 3, 0) + max(y + 2, 0)")
    program = mip_encoding(model.graph, model.box("-1:1")).program
    assert sum(column.kind is Kind.INTEGER for column in program.columns) == 1


def test_the_node_that_jumps_is_named_where_its_value_is_used():
    model = tc.expression("y + 3*sign(x)")
    with pytest.raises(UnsupportedError, match=r"sign\(x\) jumps"):
        mip_encoding(model.graph, model.box("-1:1"))
