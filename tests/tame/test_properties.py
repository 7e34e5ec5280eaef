"""Properties: hand-derived answers, certificates of the true ones, and no contradiction."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from corpus import dense_network

from tamecheck import ops
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.kernel import check as recheck
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.tame.check import check
from tamecheck.tame.confirm import confirm
from tamecheck.tame.derive import derive
from tamecheck.tame.document import certificate_document
from tamecheck.tame.germs import GermRunner
from tamecheck.tame.properties import CERTIFIED, merge, positive_properties
from tamecheck.tame.properties_refuted import refuted_properties
from tamecheck.tame.quotient import no_prover
from tamecheck.tame.refute_rays import Ray
from tamecheck.tame.steps import ProofSteps
from tamecheck.tame.verdict import Properties, Verdict

ALL = Box.everything()
NAMES = (
    "piecewise_linear",
    "piecewise_constant",
    "continuous",
    "locally_lipschitz",
    "path_differentiable",
)


def graph_of(text: str) -> Graph:
    return parse_expression(text).graph


def decided(graph: Graph, box: Box = ALL) -> tuple[Properties, str]:
    """The properties, and the kernel's word on a certificate that claims the true ones."""
    proof = ProofSteps(graph, box, no_prover)
    derivation = derive(graph, proof)
    structures = derivation.of_outputs(graph)
    assert structures
    derived = positive_properties(graph, proof=proof, domains=derivation.domains)
    tame = any(structure.o_minimal for structure in structures)
    claim = {
        "verdict": "tame" if tame else "locally-tame",
        "structures": [s.value for s in structures if s.o_minimal or not tame],
        "properties": [name for name in CERTIFIED if getattr(derived, name)],
    }
    document = certificate_document(
        graph, box, claim=claim, steps=proof.steps, tensors=proof.tensors
    )
    refuted = refuted_properties(graph, box, known=derived)
    return merge(derived, refuted), recheck(json.dumps(document)).verdict


def letters(properties: Properties) -> str:
    values = {True: "T", False: "F", None: "?"}
    return "".join(values[getattr(properties, name)] for name in NAMES)


# in the order piecewise linear, piecewise constant, continuous, locally Lipschitz,
# path-differentiable
ANSWERS = [
    ("max(x, 0) - 3*sign(y)", "TFFFF"),
    ("exp(x)", "FFTTT"),
    ("x", "TFTTT"),
    ("3", "TTTTT"),
    ("abs(x) + max(x, y)", "TFTTT"),
    ("x^2", "FFTTT"),
    ("floor(x)", "TTFFF"),
    ("round(2*x + 0.25)", "TTFFF"),
    ("x - floor(x)", "TFFFF"),
    ("clip(round(x), -1, 1)", "TTFFF"),
    # |x|^(1/2) and |x|^(1/3) have infinite slope at 0, the nested root too
    ("sqrt(abs(x))", "FFTFF"),
    ("abs(x)^(1/3)", "FFTFF"),
    ("sqrt(sqrt(abs(x)))", "FFTFF"),
    # the root of a number that stays above 0 is smooth
    ("sqrt(x^2 + 1)", "FFTTT"),
    ("1/(1 + x^2)", "FFTTT"),
    # jumps at an isolated point, at irrational points, where a transcendental function is 0
    ("sign(x^2)", "?TFFF"),
    ("step(x^2 - 2)", "?TFFF"),
    ("sign(exp(x) - 1)", "?TFFF"),
    ("tanh(x)*sign(y)", "FFFFF"),
    ("erf(x)*step(y/3 - 1)", "FFFFF"),
    # a product of jumps may be continuous: x sign(x) = |x|, so nothing is claimed
    ("x*sign(x)", "?F???"),
    ("sign(x) - sign(x)", "TT???"),
]


@pytest.mark.parametrize(("text", "answer"), ANSWERS)
def test_the_properties_of(text, answer):
    properties, verdict = decided(graph_of(text))
    assert letters(properties) == answer
    assert verdict == "valid"


BOXED = [
    ("sqrt(x)", 0, 1, "FFTFF"),
    ("sqrt(x)", 1, 2, "FFTTT"),
    ("log(x)", 1, 2, "FFTTT"),
    ("sin(x)", -10, 10, "FFTTT"),
    ("acosh(x) + x^(1/3)", 2, 3, "FFTTT"),
    ("asin(x)", Fraction(-1, 2), Fraction(1, 2), "FFTTT"),
    # no corner of these lies in the box
    ("floor(x)", Fraction(1, 4), Fraction(1, 2), "TT???"),
    # the jump is on the boundary, and the value there is another one
    ("sign(x)", 0, 1, "TTFFF"),
    # a box of a single point
    ("sign(x)", 1, 1, "TT???"),
]


@pytest.mark.parametrize(("text", "low", "high", "answer"), BOXED)
def test_the_properties_on_a_box(text, low, high, answer):
    properties, verdict = decided(graph_of(text), Box.uniform(["x"], Fraction(low), Fraction(high)))
    assert letters(properties) == answer
    assert verdict == "valid"


def network(widths, activation, *, seed=0, argmax=False, **params) -> Graph:
    source = np.random.default_rng(seed)

    def draw(size) -> np.ndarray:
        return np.float32(source.normal(size=size))

    graph = dense_network(widths, draw, draw, activation.name, **params)
    if not argmax:
        return graph
    builder = GraphBuilder()
    nodes = builder.include(graph, lambda node: builder.input(node.name, node.shape))
    best = builder.apply(ops.ARGMAX, [nodes[-1]], axis=1, keepdims=False, last=False)
    return builder.build({"y": best})


@pytest.mark.parametrize(
    ("graph", "answer"),
    [
        (network([5, 20, 20, 3], ops.RELU), "TFTTT"),
        (network([5, 20, 20, 3], ops.SIGMOID), "FFTTT"),
        (network([5, 20, 20, 3], ops.SIGN, at_zero=Fraction(1)), "TTFFF"),
        (network([5, 20, 20, 3], ops.RELU, argmax=True), "TTFFF"),
        (network([5, 20, 20, 3], ops.STEP, at_zero=Fraction(0), argmax=True), "TTFFF"),
    ],
    ids=["relu", "sigmoid", "sign", "relu-argmax", "step-argmax"],
)
def test_the_properties_of_networks(graph, answer):
    properties, verdict = decided(graph)
    assert letters(properties) == answer
    assert verdict == "valid"


def test_gather_with_constant_indices_moves_elements():
    builder = GraphBuilder()
    x = builder.input("x", (4,))
    index = builder.constant(np.array([2, 0]))
    graph = builder.build({"y": builder.apply(ops.GATHER, [x, index], axis=0)})
    properties, verdict = decided(graph)
    assert letters(properties) == "TFTTT"
    assert verdict == "valid"


def test_softmax_and_a_jump_above_it():
    builder = GraphBuilder()
    x = builder.input("x", (3,))
    soft = builder.apply(ops.SOFTMAX, [x], axis=0)
    jump = builder.apply(ops.ARGMAX, [soft], axis=0, keepdims=False, last=False)
    assert letters(decided(builder.build({"y": soft}))[0]) == "FFTTT"
    assert letters(decided(builder.build({"y": jump}))[0])[1:] == "TFFF"


def test_two_values_of_a_large_graph_refute_what_they_can():
    # a continuous image of ℝⁿ is connected: two values exclude countably many
    graph = network([784, 300, 10], ops.RELU)
    assert letters(decided(graph)[0]) == "TFTTT"
    assert letters(refuted_properties(graph, ALL, known=Properties())) == "?????"
    signs = network([784, 300, 10], ops.SIGN, at_zero=Fraction(1))
    assert letters(decided(signs)[0]) == "TTFFF"


def test_the_largest_graphs_are_not_probed():
    graph = network([2000, 2000, 10], ops.RELU)
    assert letters(refuted_properties(graph, ALL, known=Properties(continuous=True))) == "?????"


SQUARES = "(" * 40 + "x" + ")^2" * 40


@pytest.mark.parametrize(
    "text",
    ["floor(exp(x*10^30))", f"sign({SQUARES})", f"floor({SQUARES}/3)", f"tanh({SQUARES})"],
)
def test_numbers_beyond_the_memory_are_left_undecided(text):
    # exp(10^30) has 10^29 digits, and 40 squarings 10^12: as rationals they fill the memory
    refuted = refuted_properties(graph_of(text), ALL, known=Properties())
    assert refuted.piecewise_linear in (None, False)


def random_expression(source: np.random.Generator, depth: int) -> str:
    if depth == 0:
        return str(source.choice(["x", "y", "1", "1/2", "3"]))
    a, b = (random_expression(source, depth - 1) for _ in range(2))
    forms = [
        *(f"({a}) + ({b})", f"({a}) - ({b})", f"({a})*({b})", f"max({a}, {b})"),
        *(f"abs({a})", f"sign({a})", f"step({a})", f"relu({a})", f"tanh({a})", f"exp({a})"),
        *(f"sqrt(abs({a}))", f"atan({a})", f"clip({a}, -1, 2)", f"erf({a})", f"sigmoid({a})"),
    ]
    return str(source.choice(forms))


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_both_derived_and_refuted(seed):
    source = np.random.default_rng(seed)
    graph = graph_of("0*x + 0*y + " + random_expression(source, 3))
    proof = ProofSteps(graph, ALL, no_prover)
    derivation = derive(graph, proof)
    if not derivation.of_outputs(graph):
        return
    derived = positive_properties(graph, proof=proof, domains=derivation.domains)
    refuted = refuted_properties(graph, ALL, known=Properties(), seed=seed)
    for name in NAMES:
        assert not (getattr(derived, name) is True and getattr(refuted, name) is False), name


NAMED = (
    *("exp", "log", "sqrt", "erf", "sin", "cos", "tan", "asin", "acos", "atan"),
    *("sinh", "cosh", "tanh", "asinh", "atanh"),
)
GERMS = [
    *((f"{name}(x)", getattr(math, name)) for name in ("exp", "log", "sqrt", "erf")),
    *(
        (f"{name}(x)", getattr(math, name))
        for name in ("sin", "cos", "tan", "asin", "acos", "atan")
    ),
    *((f"{name}(x)", getattr(math, name)) for name in ("sinh", "cosh", "tanh", "asinh", "atanh")),
    ("acosh(x + 1)", lambda x: math.acosh(x + 1)),
    ("sigmoid(x)", lambda x: 1 / (1 + math.exp(-x))),
    ("softplus(x)", lambda x: math.log1p(math.exp(x))),
    ("x^3/(1 + x)", lambda x: x**3 / (1 + x)),
    ("x^(2/3)", lambda x: x ** (2 / 3)),
]


@pytest.mark.parametrize(("text", "function"), GERMS)
def test_germs_have_taylor_coefficients(text, function):
    graph = graph_of(text)
    runner = GermRunner(graph, [node for _, node in graph.outputs])
    at, h = 1 / 2, 1e-4
    ray = Ray({"x": (Fraction(at),)}, {"x": (Fraction(1),)})
    (germ,) = runner.run(ray, order=2).values()
    (series,) = germ.elements()
    found = [float(series[i * runner.ramification]) for i in range(3)]
    ends = [function(at - h), function(at), function(at + h)]
    slope, curvature = (
        (ends[2] - ends[0]) / (2 * h),
        (ends[2] - 2 * ends[1] + ends[0]) / (2 * h * h),
    )
    assert found == pytest.approx([ends[1], slope, curvature], abs=1e-5)
    between = [i for i in range(1, len(series.coefficients)) if i % runner.ramification]
    assert all(series[i] == 0 for i in between)


def test_a_root_of_a_vanishing_germ_is_a_series_in_the_root():
    # sqrt(ε + ε²) = δ (1 + δ²)^(1/2) = δ + δ³/2 - ..., with ε = δ²
    graph = graph_of("sqrt(x + x^2)")
    runner = GermRunner(graph, [node for _, node in graph.outputs])
    ray = Ray({"x": (Fraction(0),)}, {"x": (Fraction(1),)})
    (germ,) = runner.run(ray, order=2).values()
    (series,) = germ.elements()
    assert runner.ramification == 2
    assert [float(series[i]) for i in range(5)] == pytest.approx([0, 1, 0, 0.5, 0])


def test_an_output_without_elements_has_an_answer():
    builder = GraphBuilder()
    x = builder.input("x", (2,))
    empty = builder.apply(ops.SLICE, [x], starts=(0,), steps=(1,), sizes=(0,))
    graph = builder.build({"y": builder.apply(ops.SIN, [empty])})
    assert refuted_properties(graph, ALL, known=Properties()) == Properties()


def test_what_is_bounded_by_the_exponent_0_has_a_proof_that_the_kernel_accepts():
    builder = GraphBuilder()
    positive = builder.apply(ops.SOFTPLUS, [builder.input("x", ())])
    one = builder.apply(ops.POW, [positive], exponent=Fraction(0))
    graph = builder.build({"y": builder.apply(ops.ASIN, [one])})
    assert confirm(check(graph, Box.everything())).verdict is Verdict.TAME


def test_a_clip_to_one_number_has_a_proof_that_the_kernel_accepts():
    graph = parse_expression("clip(x, 1, 1)^2").graph
    assert confirm(check(graph, Box.everything())).verdict is Verdict.TAME
