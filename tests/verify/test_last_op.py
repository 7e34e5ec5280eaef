"""Properties of a last increasing function become properties of its argument, ties included."""

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.verification.problem import before_last

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
def test_other_properties_stay_as_they_are(expression, condition):
    spec = parse_vnnlib(HEAD + "(declare-const Y_0 Real)" + BOX + condition)
    graph = tc.expression(expression).graph
    assert before_last(graph, spec) == (graph, spec)


@pytest.mark.parametrize("seed", range(20))
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
