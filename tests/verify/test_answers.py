"""Answers: proofs only where the property holds, witnesses that replay, in every strategy."""

from fractions import Fraction

import numpy as np
import pytest
from corpus import dense_network

import tamecheck as tc
from tamecheck.budget import Budget
from tamecheck.evaluate import exact_values
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.ops import BY_NAME
from tamecheck.verification import Holds, Unknown, Violated, verify, vnncomp_text
from tamecheck.verification.problem import problem_of
from tamecheck.verification.run import _Run
from tamecheck.verification.witness import Search


def spec(inputs, box, unsafe, outputs=1):
    lines = [f"(declare-const X_{i} Real)" for i in range(inputs)]
    lines += [f"(declare-const Y_{j} Real)" for j in range(outputs)]
    for i in range(inputs):
        lines += [f"(assert (>= X_{i} {box[0]}))", f"(assert (<= X_{i} {box[1]}))"]
    return parse_vnnlib("\n".join([*lines, unsafe]))


def mlp(rng, sizes, kind="relu", **params):
    return dense_network(
        sizes,
        lambda shape: (rng.normal(size=shape) / 2).astype(np.float32),
        lambda m: rng.normal(size=m).astype(np.float32),
        kind,
        **params,
    )


def replayed(graph, property_, answer):
    point = np.array(answer.witness.inputs, dtype=object)
    (name, shape), *_ = graph.inputs.items()
    exact = exact_values(graph, {name: point.reshape(shape)})
    outputs = [v for array in exact.values() for v in array.reshape(-1).tolist()]
    return property_.unsafe(answer.witness.inputs, outputs)


# of each expression: no value is so, some value is so
SMALL = {
    "max(x, 0) - min(x, 0) - abs(x)": (["> Y_0 0.5"], []),
    "abs(x)": ([], ["<= Y_0 0"]),
    "max(x, 0)": (["< Y_0 0", "> Y_0 1"], [">= Y_0 1"]),
    "sign(x)": ([], [">= Y_0 0.5"]),
    "x^2": (["<= Y_0 -0.001"], []),
    "sin(x)": ([">= Y_0 0.842"], [">= Y_0 0.84"]),
    "exp(x)": (["<= Y_0 0.36"], []),
    "floor(x)": (["<= Y_0 -2"], ["<= Y_0 -1"]),
}


@pytest.mark.parametrize(
    ("expression", "unsafe", "verdict"),
    [
        (expression, unsafe, verdict)
        for expression, sides in SMALL.items()
        for verdict, conditions in zip((Holds, Violated), sides, strict=True)
        for unsafe in conditions
    ],
)
def test_small_expressions(expression, unsafe, verdict):
    graph = tc.expression(expression).graph
    answer = verify(graph, spec(1, (-1, 1), f"(assert ({unsafe}))"), timeout=10)
    assert isinstance(answer, verdict), answer


def test_the_decimal_of_a_bound_is_exact():
    # the float nearest to 0.1 is above 1/10: only exact arithmetic sees the difference
    graph = tc.expression("x").graph
    bound = "0.1000000000000000000001"
    holds = verify(graph, spec(1, (0, "0.1"), f"(assert (>= Y_0 {bound}))"), timeout=60)
    assert not isinstance(holds, Violated)
    ends = verify(graph, spec(1, (0, "0.1"), "(assert (>= Y_0 0.1))"), timeout=60)
    assert isinstance(ends, Violated)
    assert ends.witness.inputs == (Fraction(1, 10),)


@pytest.mark.parametrize("seed", range(6))
def test_verdicts_agree_with_dense_sampling(seed):
    rng = np.random.default_rng(seed)
    graph = mlp(rng, (2, 8, 8, 1))
    samples = rng.uniform(-1, 1, (4000, 2))
    problem = problem_of(graph, spec(2, (-1, 1), "(assert (<= Y_0 0))"))
    values = problem.layers.values(samples)[-1][:, 0]
    for offset, kind in ((-0.05, Holds), (0.001, Violated)):
        bound = float(values.min()) + offset
        property_ = spec(2, (-1, 1), f"(assert (<= Y_0 {bound}))")
        answer = verify(graph, property_, timeout=20)
        assert isinstance(answer, kind)
        if isinstance(answer, Violated):
            assert replayed(graph, property_, answer)


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_of_splitting_agree(seed):
    rng = np.random.default_rng(seed)
    graph = mlp(rng, (4, 10, 10, 2))
    problem = problem_of(graph, spec(4, (-0.5, 0.5), "(assert (<= Y_0 0))", 2))
    values = problem.layers.values(rng.uniform(-0.5, 0.5, (20000, 4)))[-1][:, 0]
    property_ = spec(4, (-0.5, 0.5), f"(assert (<= Y_0 {float(values.min()) - 0.4}))", 2)
    problem = problem_of(graph, property_)
    found = []
    for way in ("_by_boxes", "_by_neurons"):
        budget = Budget.of(20)
        run = _Run(problem, None, budget, 0)
        search = Search(problem, problem.layers, rng, budget=budget)
        found.append(type(getattr(run, way)(search)))
    assert found[0] is found[1]
    assert found[0] is not Unknown


def test_a_quotient_of_inputs_is_no_linear_piece():
    # x / (y + 3) is 0.2345 at points inside of the box, and x / 3 nowhere
    graph = tc.expression("x/(y + 3)").graph
    narrow = "(assert (>= Y_0 0.2345)) (assert (<= Y_0 0.2345001))"
    answer = verify(graph, spec(2, (1, 2), narrow), timeout=60)
    assert not isinstance(answer, Holds)


def test_conjunctions_and_alternatives():
    graph = tc.expression("x").graph
    both = "(assert (>= Y_0 0.25)) (assert (<= Y_0 0.2))"
    assert isinstance(verify(graph, spec(1, (0, 1), both), timeout=60), Holds)
    either = "(assert (or (and (>= Y_0 2)) (and (<= Y_0 0))))"
    assert isinstance(verify(graph, spec(1, (0, 1), either), timeout=60), Violated)


@pytest.mark.slow
def test_binarized_networks_are_searched_by_flips():
    rng = np.random.default_rng(0)
    build = GraphBuilder()
    node = build.input("x", (1, 60))
    for before, after in ((60, 40), (40, 20)):
        weight = build.constant(rng.choice([-1.0, 1.0], (before, after)).astype(np.float32))
        node = build.apply(BY_NAME["matmul"], [node, weight])
        node = build.apply(BY_NAME["sign"], [node], at_zero=Fraction(1))
    weight = build.constant(rng.choice([-1.0, 1.0], (20, 1)).astype(np.float32))
    graph = build.build({"y": build.apply(BY_NAME["matmul"], [node, weight])})
    property_ = spec(60, (-1, 1), "(assert (>= Y_0 14))")
    answer = verify(graph, property_, timeout=20)
    assert isinstance(answer, Violated)
    assert replayed(graph, property_, answer)


def test_softmax_scores_are_compared_exactly():
    build = GraphBuilder()
    x = build.input("x", (1, 2))
    graph = build.build({"y": build.apply(BY_NAME["softmax"], [x], axis=1)})
    tie = "(assert (>= Y_0 Y_1)) (assert (<= X_0 0)) (assert (>= X_1 0))"
    answer = verify(graph, spec(2, (-1, 1), tie, 2), timeout=10)
    assert isinstance(answer, (Violated, Unknown))
    strict = "(assert (> Y_0 Y_1)) (assert (<= X_0 0)) (assert (>= X_1 0.01))"
    assert isinstance(verify(graph, spec(2, (-1, 1), strict, 2), timeout=10), Holds)


def test_an_unbounded_region_is_never_proved_by_samples():
    graph = tc.expression("max(x, 0)").graph
    text = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 0))"
    answer = verify(graph, parse_vnnlib(text + "(assert (<= Y_0 -1))"), timeout=60)
    assert isinstance(answer, Holds)
    assert answer.rests_on == "recomputation"
    for smooth, kind in (("x*x - x", Unknown), ("x*x", Holds)):
        model = tc.expression(smooth)
        answer = verify(model, parse_vnnlib(text + "(assert (<= Y_0 -1))"), timeout=60)
        assert isinstance(answer, kind)
    answer = verify(graph, parse_vnnlib(text + "(assert (>= Y_0 500))"), timeout=60)
    assert isinstance(answer, Violated)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(tc.InputError, match="3 input elements"):
        verify(tc.expression("x").graph, spec(3, (0, 1), "(assert (<= Y_0 0))"))


def test_out_of_time_is_unknown_and_a_timeout_in_the_competition_format():
    rng = np.random.default_rng(2)
    graph = mlp(rng, (5, 40, 40, 40, 1))
    problem = problem_of(graph, spec(5, (-3, 3), "(assert (<= Y_0 0))"))
    values = problem.layers.values(rng.uniform(-3, 3, (20000, 5)))[-1]
    property_ = spec(5, (-3, 3), f"(assert (<= Y_0 {float(values.min()) - 9}))")
    answer = verify(graph, property_, timeout=1e-4)
    assert isinstance(answer, Unknown)
    assert answer.out_of_time
    assert vnncomp_text(answer) == "timeout\n"


def test_the_competition_format_names_every_variable():
    answer = verify(tc.expression("abs(x)").graph, spec(1, (-1, 1), "(assert (>= Y_0 1))"))
    head, *assigned = vnncomp_text(answer).splitlines()
    assert head == "sat"
    assert assigned[0].startswith("((X_0 ")
    assert assigned[-1].endswith("))")
    holds = verify(tc.expression("abs(x)").graph, spec(1, (-1, 1), "(assert (>= Y_0 2))"))
    assert vnncomp_text(holds) == "unsat\n"
