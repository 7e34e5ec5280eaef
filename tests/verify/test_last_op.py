"""Properties of a last increasing function become properties of its argument, ties included."""

import math

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.bounds.builder import layers_of
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.ops import BY_NAME
from tamecheck.verification.last import before_last

HEAD = "(declare-const X_0 Real)(declare-const X_1 Real)"
BOX = "(assert (and (>= X_0 -1) (<= X_0 1) (>= X_1 -1) (<= X_1 1)))"
HIDDEN = "relu(x) + relu(y)"


def ask(expression, conditions, outputs=1, timeout=10):
    declared = "".join(f"(declare-const Y_{i} Real)" for i in range(outputs))
    spec = parse_vnnlib(HEAD + declared + BOX + conditions)
    return tc.verify(tc.expression(expression), spec, timeout=timeout)


@pytest.mark.parametrize(
    ("function", "at_zero"), [("sigmoid", 0.5), ("tanh", 0), ("exp", 1), ("atan", 0), ("erf", 0)]
)
def test_a_bound_that_is_only_touched_is_decided_exactly(function, at_zero):
    expression = f"{function}({HIDDEN})"
    below = ask(expression, f"(assert (< Y_0 {at_zero}))")
    assert below.status == "holds"
    assert below.rests_on == "recomputation"
    touching = ask(expression, f"(assert (<= Y_0 {at_zero}))")
    assert touching.status == "violated"
    # the output is that of the model, not of the argument
    assert touching.witness.inputs[0] <= 0
    assert float(np.float64(at_zero)) == pytest.approx(float(touching.witness.outputs[0]), abs=1e-9)


def test_scaled_bounds_and_other_bounds_are_told_apart():
    assert ask(f"sigmoid({HIDDEN})", "(assert (< (* 4 Y_0) 2))").status == "holds"
    assert ask(f"sigmoid({HIDDEN})", "(assert (> (* -4 Y_0) -2))").status == "holds"
    assert ask(f"sigmoid({HIDDEN})", "(assert (<= Y_0 0.5001))").status == "violated"
    assert ask(f"sigmoid({HIDDEN})", "(assert (<= Y_0 0.4999))").status == "holds"
    assert ask(f"sigmoid(tanh({HIDDEN}))", "(assert (< Y_0 0.5))").status == "holds"


@pytest.mark.parametrize(
    ("expression", "condition"),
    [
        ("sigmoid(x + y)", "(assert (<= Y_0 (* 0.5 X_0)))"),  # an input beside it
        ("sigmoid(x + y)", "(assert (<= Y_0 0.3))"),  # not the value at 0
        ("softplus(x + y)", "(assert (<= Y_0 0.5))"),  # an irrational value there
        ("cosh(x + y)", "(assert (<= Y_0 1))"),  # not increasing
        ("relu(x + y)", "(assert (<= Y_0 0))"),  # not strictly
    ],
)
def test_other_properties_are_not_equivalent_ones_of_the_argument(expression, condition):
    spec = parse_vnnlib(HEAD + "(declare-const Y_0 Real)" + BOX + condition)
    graph = tc.expression(expression).graph
    assert before_last(graph, spec) == (graph, spec)


@pytest.mark.parametrize("seed", range(8))
def test_answers_agree_with_those_about_the_argument(seed):
    rng = np.random.default_rng(seed)
    a, b, c, d = (int(v) for v in rng.integers(-3, 4, 4))
    inner = f"{a}*relu(x - y) + {b}*relu(x + y) + {c}*y + {d}"
    relation = ["<", "<=", ">", ">="][seed % 4]
    function, value = [("sigmoid", 0.5), ("tanh", 0), ("exp", 1)][seed % 3]
    outer = ask(f"{function}({inner})", f"(assert ({relation} Y_0 {value}))")
    plain = ask(inner, f"(assert ({relation} Y_0 0))")
    assert outer.status == plain.status
    assert outer.status != "unknown"


INVERSES = {
    "sigmoid": lambda b: math.log(b / (1 - b)),
    "tanh": math.atanh,
    "exp": math.log,
    "softplus": lambda b: math.log(math.expm1(b)),
}


@pytest.mark.parametrize("function", INVERSES)
def test_constants_are_taken_at_an_enclosure_of_their_argument(function):
    rng = np.random.default_rng(len(function))
    verdicts = set()
    for _ in range(8):
        a, b, c = (int(v) for v in rng.integers(-2, 3, 3))
        inner = f"{a}*relu(x - y) + {b}*relu(x + y) + {c}*y"
        value = round(float(rng.uniform(0.05, 0.95)), 3)
        at = INVERSES[function](value)
        # floats decide on the side of the argument: 2**-40 away there is no doubt
        for relation in ("<=", ">="):
            outer = ask(f"{function}({inner})", f"(assert ({relation} Y_0 {value}))")
            near = [
                ask(inner, f"(assert ({relation} Y_0 {at + s * 2**-40:.17f}))") for s in (-1, 1)
            ]
            assert outer.status in {one.status for one in near}, (inner, relation, value)
            verdicts.add(outer.status)
            if outer.status == "holds":
                assert outer.rests_on == "recomputation"
    assert "violated" in verdicts


@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_elements_of_a_softmax_are_compared_with_constants(op, count):
    rng = np.random.default_rng(count)
    build = GraphBuilder()
    node = build.input("x", (1, 2))
    for before, after in ((2, 4), (4, count)):
        weight = build.constant(rng.integers(-2, 3, (before, after)).astype(np.float32))
        node = build.apply(BY_NAME["matmul"], [node, weight])
        node = build.apply(BY_NAME["relu"], [node]) if after == 4 else node
    graph = build.build({"y": build.apply(BY_NAME[op], [node], axis=1)})
    layers = layers_of(Graph(graph.nodes, (("z", node),)))
    scores = layers.values(rng.uniform(-1, 1, (4000, 2)))[-1]
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    values = np.log(shares) if op == "log_softmax" else shares
    declared = "".join(f"(declare-const Y_{i} Real)" for i in range(count))

    def status(conditions):
        return tc.verify(graph, parse_vnnlib(HEAD + declared + BOX + conditions), timeout=10).status

    for j in range(count):
        low, high = values[:, j].min(), values[:, j].max()
        gap = 0.2 if op == "log_softmax" else 0.05 * min(low, 1 - high)
        assert status(f"(assert (<= Y_{j} {low + gap / 8:.12f}))") == "violated"
        assert status(f"(assert (>= Y_{j} {high - gap / 8:.12f}))") == "violated"
        assert status(f"(assert (< Y_{j} {low - 2 * gap:.12f}))") in ("holds", "violated")
    assert status(f"(assert (>= Y_0 {'0' if op == 'log_softmax' else '1'}))") == "holds"
    assert status("(assert (> Y_0 -1000))") == "violated"
    if op == "softmax":
        top = float((values[:, 0] - values[:, 1]).max())
        assert status(f"(assert (>= (- Y_0 Y_1) {top + 0.5:.6f}))") == "holds"
        assert status("(assert (<= Y_0 0))") == "holds"
