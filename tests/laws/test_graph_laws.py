"""Random graphs: three readings of one function, and a canonical form that labels do not touch."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from op_laws import contains

from tamecheck.evaluate import enclose, exact_values, float_values
from tamecheck.ir.box import Box, Side
from tamecheck.ir.graph import GraphBuilder, canonical_json
from tamecheck.ops import BY_NAME

SHAPE = (2, 3)
HALF = Fraction(1, 2)
UNARY = {
    "neg": {}, "abs": {}, "relu": {}, "floor": {}, "exp": {}, "sigmoid": {}, "tanh": {}, "sin": {},
    "softplus": {}, "erf": {}, "leaky_relu": {"alpha": Fraction(1, 4)},
    "clip": {"lo": Fraction(-2), "hi": Fraction(2)}, "sign": {"at_zero": Fraction(1)},
    "round": {"mode": "half_even"}, "softmax": {"axis": 1}, "pow": {"exponent": Fraction(2)},
}  # fmt: skip
JUMPS = {"floor", "sign", "round", "less", "select"}
BINARY = ("add", "sub", "mul", "maximum", "minimum", "less")


@st.composite
def graphs(draw, names=tuple(UNARY), binary=BINARY):
    builder = GraphBuilder()
    nodes = [builder.input("x", SHAPE), builder.constant(np.array([[0.5, -1.25, 3.0]]))]
    nodes[1] = builder.apply(BY_NAME["broadcast"], [nodes[1]], shape=SHAPE)
    for index in range(draw(st.integers(1, 8))):
        label = f"layer {index}"
        arg = draw(st.sampled_from(nodes))
        kind = draw(st.sampled_from(("unary", "binary", "linear", "sum")))
        if kind == "unary":
            name = draw(st.sampled_from(names))
            node = builder.apply(BY_NAME[name], [arg], label, **UNARY[name])
        elif kind == "binary":
            other = draw(st.sampled_from(nodes))
            node = builder.apply(BY_NAME[draw(st.sampled_from(binary))], [arg, other], label)
        elif kind == "linear":
            weights = draw(st.lists(st.integers(-8, 8), min_size=9, max_size=9))
            matrix = builder.constant(np.array(weights, dtype=np.float32).reshape(3, 3) / 8)
            node = builder.apply(BY_NAME["matmul"], [arg, matrix], label)
        else:
            total = builder.apply(BY_NAME["sum"], [arg], label, axes=(0,), keepdims=True)
            node = builder.apply(BY_NAME["broadcast"], [total], label, shape=SHAPE)
        nodes.append(node)
    return builder.build({"y": nodes[-1], "z": nodes[-2]})


def numbers(size):
    dyadic = st.integers(-32, 32).map(lambda n: Fraction(n, 16))
    return st.lists(dyadic, min_size=size, max_size=size)


def array_of(values):
    array = np.empty(6, dtype=object)
    array[:] = values
    return array.reshape(SHAPE)


@settings(max_examples=150)
@given(
    graph=graphs([n for n in UNARY if n not in JUMPS], [n for n in BINARY if n not in JUMPS]),
    values=numbers(6),
)
def test_float_values_are_near_exact_values(graph, values):
    point = array_of(values)
    exact = exact_values(graph, {"x": point})
    floats = float_values(graph, {"x": point.astype(np.float64)})
    for name, found in floats.items():
        # the condition of a random composition is not bounded: very large values say little
        expected = exact[name].astype(np.float64)
        assume((np.abs(expected) < 1e6).all())
        assert np.allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@settings(max_examples=150)
@given(graph=graphs(), first=numbers(6), second=numbers(6), shares=numbers(6))
def test_enclosures_contain_exact_values(graph, first, second, shares):
    a, b = array_of(first), array_of(second)
    low, high = np.minimum(a, b), np.maximum(a, b)
    side = Side(tuple(low.reshape(-1).tolist()), tuple(high.reshape(-1).tolist()))
    found = enclose(graph, Box({"x": side}))
    hulls = enclose(graph, Box({"x": side}), hull_above=2)
    point = low + (high - low) * (array_of(shares) / 4 + HALF)
    for name, values in exact_values(graph, {"x": point}).items():
        node = dict(graph.outputs)[name]
        contains(name, found[node], values)
        contains(name, hulls[node], values)
        assert hulls[node].uniform


@settings(max_examples=50)
@given(graph=graphs())
def test_enclosures_of_some_nodes_are_those_of_all(graph):
    box = Box.uniform(["x"], Fraction(-1), Fraction(1))
    every = enclose(graph, box)
    assert set(every) == set(range(len(graph.nodes)))
    node = graph.outputs[1][1]
    some = enclose(graph, box, nodes=[node])
    assert set(some) == set(graph.ancestors([node]))
    assert all((some[i].lower == every[i].lower).all() for i in some)


@settings(max_examples=50)
@given(data=st.data())
def test_canonical_form_does_not_depend_on_labels(data):
    graph = data.draw(graphs())
    builder = GraphBuilder()
    for node in graph.nodes:
        match node.__class__.__name__:
            case "Input":
                builder.input(node.name, node.shape, "other")
            case "Constant":
                builder.constant(node.tensor, "other")
            case _:
                builder.apply(node.op, node.args, "other", **dict(node.params))
    copy = builder.build(graph.outputs)
    assert copy.sha256 == graph.sha256
    document = canonical_json(graph.document())
    assert canonical_json(json.loads(document)) == document


def test_equal_subexpressions_are_stored_once():
    builder = GraphBuilder()
    x = builder.input("x", ())
    first = builder.apply(BY_NAME["exp"], [x], "a")
    second = builder.apply(BY_NAME["exp"], [x], "b")
    assert first == second
    graph = builder.build({"y": builder.apply(BY_NAME["sub"], [first, second])})
    assert len(graph.nodes) == 3
    assert builder.constant(np.float32(1)) != builder.constant(np.float64(1))
    assert builder.constant(-0.0) == builder.constant(0.0)


def test_parameters_change_the_hash():
    def build(at_zero):
        builder = GraphBuilder()
        x = builder.input("x", ())
        return builder.build({"y": builder.apply(BY_NAME["sign"], [x], at_zero=at_zero)})

    assert build(Fraction(0)).sha256 != build(Fraction(1)).sha256
