"""Witnesses of wildness: found where theory says so, nowhere else, and accepted by the kernel."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from corpus import dense_network

from tamecheck import ops
from tamecheck.ir.box import Box, Side
from tamecheck.ir.graph import Constant, Graph, GraphBuilder
from tamecheck.kernel import check as recheck
from tamecheck.loaders.text.box import parse_box
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.tame.check import check
from tamecheck.tame.document import certificate_document
from tamecheck.tame.refute import find_staircase
from tamecheck.tame.refute_periodic import find_periodic
from tamecheck.tame.refute_rays import rays
from tamecheck.tame.verdict import Witness

ALL = Box.everything()


def graph_of(text: str) -> Graph:
    return parse_expression(text).graph


def outputs(graph: Graph) -> list[int]:
    return [node for _, node in graph.outputs]


def accepted(graph: Graph, box: Box, witness: Witness) -> bool:
    tensors = {n.tensor.digest: n.tensor for n in graph.nodes if isinstance(n, Constant)}
    claim = {"verdict": "not-tame", "refutes": witness.refutes}
    document = certificate_document(
        graph, box, claim=claim, steps=[witness.document], tensors=tensors
    )
    return recheck(json.dumps(document)).verdict == "valid"


def refuted(graph: Graph, find, refutes: str) -> None:
    """A search finds a witness, and the kernel accepts it."""
    witness = find(graph, ALL, outputs(graph))
    assert witness is not None
    assert witness.refutes == refutes
    assert accepted(graph, ALL, witness)


OSCILLATING = [
    "sin(x)",
    "cos(x) + x",
    "x*sin(x)",
    "x^2*sin(x) + 3*x",
    "abs(sin(x))",
    "sin(x)*cos(y)",
    "sin(2*x) + sin(3*x/2)",
    "max(sin(x), 0)",
    "exp(sin(x))*x + 1",
    "exp(1)*sin(x)",
    "sign(sin(x))",
    "floor(2*sin(x) + 0.5)",
    "cos(sin(x) + cos(2*x)/3)",
    "erf(sin(x))*x^3",
    "asin(sin(x))",
    "log(2 + sin(x))/(3 - cos(x))",
    "relu(x + sin(x)) + x",
    "floor(x)+1/2+tanh(5*(x-floor(x)-1/2))/2/tanh(2.5)",
    "sin(x + cos(2*x))",
    "sin(x) + y*y*0",
]


STAIRCASES = [
    "floor(x)*y",
    "x*floor(x)",
    "round(x)*y + y",
    "ceil(x/3 + 1/2)*x + x",
    "floor(x)*(x + y) + y*floor(x)",
    "floor(x)^2 + x*floor(x)",
]


@pytest.mark.parametrize(
    ("text", "find", "refutes"),
    [
        *((text, find_periodic, "o-minimal") for text in OSCILLATING),
        *((text, find_staircase, "locally-o-minimal") for text in STAIRCASES),
    ],
)
def test_along_a_ray_something_oscillates_or_a_set_is_dense_and_codense(text, find, refutes):
    refuted(graph_of(text), find, refutes)


# the first group is tame or locally tame; the rest is wild, but by no ray of these two kinds
SILENT = [
    *("sin(x)*0", "sin(x) - sin(x)", "sin(tanh(x))", "sin(x)^2 + cos(x)^2", "sin(atan(x))"),
    *("x^3", "x - x/(1 + 0*sin(x))", "sin(x)^0", "sin(x) - sin(x) + x"),
    *("cos(x/(1 + x^2))", "floor(x)*0", "clip(round(x), -1, 1)"),
    *("sin(x^2)", "sin(exp(x))", "sin(x) + floor(x)"),
]


@pytest.mark.parametrize("text", SILENT)
def test_no_ray_is_claimed_where_none_is_known(text):
    graph = graph_of(text)
    assert find_periodic(graph, ALL, outputs(graph)) is None
    assert find_staircase(graph, ALL, outputs(graph)) is None


def test_a_bounded_box_holds_no_ray():
    graph = graph_of("sin(x)")
    assert (
        find_periodic(graph, Box.uniform(["x"], Fraction(-1), Fraction(1)), outputs(graph)) is None
    )


@pytest.mark.parametrize(("low", "high"), [(Fraction(1, 3), None), (None, Fraction(-2))])
def test_rays_respect_one_sided_boxes(low, high):
    graph, box = graph_of("sin(x)*y"), Box.uniform(["x"], low, high)
    witness = find_periodic(graph, box, outputs(graph))
    assert witness is not None
    assert accepted(graph, box, witness)


def test_bounded_inputs_stay_where_they_are():
    graph = graph_of("sin(x) + y")
    box = Box({"y": Side((Fraction(2),), (Fraction(3),))})
    witness = find_periodic(graph, box, outputs(graph))
    assert witness is not None
    assert witness.document["base"]["y"] == ["2"]
    assert witness.document["direction"]["y"] == ["0"]
    assert accepted(graph, box, witness)


def test_all_rays_stay_in_the_box():
    box = Box({"x": Side((Fraction(0), None), (None, Fraction(1))), "y": Side((None,), (None,))})
    inputs = {"x": (2,), "y": ()}
    found = list(rays(inputs, box, seed=3))
    assert found
    for ray in found:
        assert ray.base["x"][0] >= 0
        assert ray.direction["x"][0] >= 0
        assert ray.base["x"][1] <= 1
        assert ray.direction["x"][1] <= 0


def siren(widths: list[int], seed: int) -> Graph:
    """A network with sine activations."""
    source = np.random.default_rng(seed)

    def draw(size) -> np.ndarray:
        return np.float32(source.normal(size=size))

    return dense_network(widths, draw, draw, "sin")


def encoded(width: int, *, snake: bool) -> Graph:
    """A network on sines and cosines of the input and the input itself, with ReLU or Snake."""
    source, builder = np.random.default_rng(3), GraphBuilder()
    x = builder.input("x", (1, 3))

    def dense(value: int, m: int, n: int) -> int:
        weight = builder.constant(source.normal(size=(m, n)).astype(np.float32))
        bias = builder.constant(source.normal(size=(n,)).astype(np.float32))
        return builder.apply(ops.ADD, [builder.apply(ops.MATMUL, [value, weight]), bias])

    angles = dense(x, 3, width)
    waves = [builder.apply(op, [angles]) for op in (ops.SIN, ops.COS)]
    hidden = dense(builder.apply(ops.CONCAT, [*waves, x], axis=1), 2 * width + 3, width)
    if snake:
        sine = builder.apply(ops.SIN, [hidden])
        hidden = builder.apply(ops.ADD, [hidden, builder.apply(ops.MUL, [sine, sine])])
    else:
        hidden = builder.apply(ops.RELU, [hidden])
    return builder.build({"y": dense(hidden, width, 2)})


@pytest.mark.parametrize("snake", [False, True])
def test_wide_networks_on_encodings_are_refuted(snake):
    refuted(encoded(48, snake=snake), find_periodic, "o-minimal")


def test_a_network_with_sines_is_refuted():
    refuted(siren([4, 12, 12, 2], seed=0), find_periodic, "o-minimal")


def test_the_budget_is_kept():
    graph = siren([4, 12, 12, 2], seed=0)
    assert find_periodic(graph, ALL, outputs(graph), budget=50) is None


def test_the_search_is_deterministic():
    graph = siren([3, 5, 5, 1], seed=1)
    first, second = (find_periodic(graph, ALL, outputs(graph), seed=7) for _ in range(2))
    assert first == second


def test_elements_move_through_routing_and_folds():
    builder = GraphBuilder()
    x = builder.input("x", (2, 2))
    wave = builder.apply(ops.SIN, [x])
    flat = builder.apply(ops.RESHAPE, [wave], shape=(4,))
    padded = builder.apply(ops.PAD, [flat], before=(1,), after=(0,), value=Fraction(1, 2))
    index = builder.constant(np.array([0, 4]))
    picked = builder.apply(ops.GATHER, [padded, index], axis=0)
    total = builder.apply(ops.SUM, [picked], axes=(0,), keepdims=False)
    graph = builder.build({"y": total})
    witness = find_periodic(graph, ALL, outputs(graph))
    assert witness is not None
    assert accepted(graph, ALL, witness)


def test_the_summary_reads_as_a_sentence():
    graph = graph_of("sin(x)")
    witness = find_periodic(graph, ALL, outputs(graph))
    assert witness is not None
    assert witness.summary == (
        "along x = t, the output is periodic and not constant: "
        "it is 0 at t = 0 and about 0.8415 at t = 1"
    )
    graph = graph_of("floor(x)*y")
    steps = find_staircase(graph, ALL, outputs(graph))
    assert steps is not None
    assert steps.summary.startswith("along x = t, y = t, the output contains the product of t and")


@pytest.mark.parametrize(
    ("text", "shown"), [("10^9*sin(x)", "e+08"), ("sin(x)/10^9", "e-10"), ("10^3 + cos(x)", "1001")]
)
def test_values_of_every_size_are_shown(text, shown):
    graph = graph_of(text)
    witness = find_periodic(graph, ALL, outputs(graph))
    assert witness is not None
    assert shown in witness.summary
    assert accepted(graph, ALL, witness)


@pytest.mark.parametrize("seed", range(12))
def test_random_trigonometric_polynomials_are_refuted_and_replayed(seed):
    source = np.random.default_rng(seed)
    terms = [
        f"{source.integers(1, 5)}*x^{source.integers(0, 3)}"
        f"*{source.choice(['sin', 'cos'])}({source.integers(1, 4)}*x/{source.integers(1, 4)}"
        f" + {source.integers(0, 3)})"
        for _ in range(3)
    ]
    graph = graph_of(" + ".join(terms) + " - x^3")
    witness = find_periodic(graph, ALL, outputs(graph))
    assert witness is not None
    assert accepted(graph, ALL, witness)


WEAKER = [
    ("sin(x)", "", ["definable in an on every bounded box", "locally o-minimal over (R,<,+)"]),
    ("asin(sin(x))", "x=0:inf", ["definable in an on every bounded box",
                                 "locally o-minimal over (R,<,+)"]),
    ("x*sin(x)", "", ["definable in an on every bounded box"]),
    ("sqrt(2)*x+sin(x)", "", ["definable in an on every bounded box"]),
    ("sin(x)+floor(x)", "", ["definable in an on every bounded box"]),
    ("floor(x)", "", ["definable in semilinear on every bounded box"]),
    ("x*sin(1/x)", "", ["not locally o-minimal over (R,<,+)"]),
    ("x*sin(1/x)", "x=-1:1", ["not locally o-minimal over (R,<,+)"]),
    ("x^2+sin(x)", "x=-1:1", []),
    ("x*floor(x)", "", ["definable in semilinear on every bounded box",
                        "not locally o-minimal over (R,<,+)"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "box", "weaker"), WEAKER)
def test_what_holds_all_the_same_is_said(text, box, weaker):
    graph = graph_of(text)
    domain = parse_box(box, graph.inputs) if box else ALL
    assert list(check(graph, domain).weaker) == weaker


ON_CURVES = [
    ("abs(sin(x))/x", "", "takes a value infinitely often"),
    ("sin(x*y)", "x=-1:1", ""),
    ("floor(exp(x))", "", "jumps infinitely often"),
    ("sqrt(sin(x))*0", "", "defined on infinitely many pieces"),
    ("abs(sin(1/x))", "x=0:1", "on x = 1/t"),
    ("x^3+abs(sin(x^2))", "", "minus a semialgebraic function"),
    ("sin(x)*relu(y-5)", "y=6:7", ""),
]


@pytest.mark.parametrize(("text", "box", "words"), ON_CURVES)
def test_curves_are_found_and_said_in_words(text, box, words):
    graph = graph_of(text)
    domain = parse_box(box, graph.inputs) if box else ALL
    answer = check(graph, domain)
    assert answer.witness is not None
    assert words in answer.witness.summary
    assert accepted(graph, domain, answer.witness)
