"""Bounds: small cases by hand, and against what is counted."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from corpus import dense_network

from tamecheck import ops
from tamecheck.ir.box import Box, Side
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.tame.complexity import (
    arrangement_regions,
    bounds,
    count_text,
    khovanskii_bound,
    milnor_bound,
    sample_bound,
    serra_bound,
    vc_bound,
    warren_bound,
)
from tamecheck.tame.layers import layers_of, weight_layers
from tamecheck.tame.verdict import Consequence, Verdict

ALL = Box.everything()


def graph_of(text: str) -> Graph:
    return parse_expression(text).graph


def found(graph: Graph, box: Box = ALL) -> dict[str, Consequence]:
    return {c.theorem.split(":")[0]: c for c in bounds(graph, box, Verdict.TAME)}


# -- formulas -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "dimension", "regions"),
    # m points cut a line into m + 1 parts; 3 lines the plane into 7; 4 planes the space into 15
    [(5, 1, 6), (3, 2, 7), (4, 2, 11), (4, 3, 15), (3, 5, 8), (0, 2, 1)],
)
def test_arrangements_of_hyperplanes(lines, dimension, regions):
    assert arrangement_regions(lines, dimension) == regions


def serra_by_enumeration(inputs: int, widths: list[int]) -> int:
    """The formula of Serra et al. as it is printed, term by term."""
    total = 0
    for js in product(*(range(n + 1) for n in widths)):
        if all(
            j <= min([inputs, *(n - i for n, i in zip(widths[:k], js[:k], strict=True)), widths[k]])
            for k, j in enumerate(js)
        ):
            total += math.prod(math.comb(n, j) for n, j in zip(widths, js, strict=True))
    return total


@pytest.mark.parametrize(
    ("inputs", "widths"), [(1, [3]), (2, [3]), (2, [3, 2]), (3, [4, 2, 5]), (1, [2, 2, 2])]
)
def test_serra_bound_is_the_printed_sum(inputs, widths):
    assert serra_bound(inputs, widths) == serra_by_enumeration(inputs, widths)


def test_serra_bound_by_hand():
    # one layer: an arrangement of 3 lines
    assert serra_bound(2, [3]) == 7
    # j = (0,0), (0,1), (1,0), (1,1): 1 + 2 + 2 + 4
    assert serra_bound(1, [2, 2]) == 9


def test_serra_bound_is_at_most_the_layered_one():
    for inputs, widths in ((2, [4, 4]), (3, [5, 2, 6]), (1, [7, 7])):
        layered = math.prod(arrangement_regions(n, inputs) for n in widths)
        assert serra_bound(inputs, widths) <= layered


def test_warren_milnor_khovanskii_by_hand():
    # (4 e · 2 · 3 / 1)^1 = 65.2..: three quadratics cut the line into at most 7 parts
    assert warren_bound(3, 2, 1) == 65
    # (4 e · 2 · 4 / 2)^2 = (16 e)^2 = 1891.6..
    assert warren_bound(4, 2, 2) == math.floor((16 * math.e) ** 2)
    # a polynomial of degree d has at most d roots
    assert milnor_bound(5, 1) == 5
    assert milnor_bound(2, 2) == 6
    # exp(x) = c: 1 · 2^1 · 2^0
    assert khovanskii_bound(1, 1) == 2
    # 2 · 3^2 · 2^1
    assert khovanskii_bound(2, 2) == 36


def test_counts_as_text():
    assert count_text(42) == "42"
    assert count_text(12345) == "12,345"
    assert count_text(2**100) == "2^100"
    assert count_text(2**100 + 1) == "2^101"


# -- networks -----------------------------------------------------------------------------------


def network(widths, activation, seed, **params) -> tuple[Graph, list[np.ndarray], list[np.ndarray]]:
    source, drawn = np.random.default_rng(seed), []

    def draw(size) -> np.ndarray:
        drawn.append(source.normal(size=size))
        return drawn[-1]

    return dense_network(widths, draw, draw, activation.name, **params), drawn[::2], drawn[1::2]


def activation_patterns(weights, biases, points) -> int:
    """How many activation patterns occur at the points."""
    seen, value = [], points
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        before = value @ weight + bias
        seen.append(before > 0)
        value = np.maximum(before, 0)
    return len({row.tobytes() for row in np.packbits(np.concatenate(seen, axis=1), axis=1)})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("widths", [[1, 3, 3, 1], [1, 4, 1], [2, 3, 1], [2, 4, 3, 1], [3, 4, 2, 1]])
def test_no_network_has_more_regions_than_the_bound(widths, seed):
    _, weights, biases = network(widths, ops.RELU, seed)
    points = np.random.default_rng(seed).uniform(-30, 30, size=(20_000, widths[0]))
    points = np.concatenate([points, points / 10])
    counted = activation_patterns(weights, biases, points)
    assert counted <= serra_bound(widths[0], widths[1:-1])


def test_the_bound_is_attained_by_one_generic_layer():
    _, weights, biases = network([1, 6, 1], ops.RELU, 0)
    points = np.linspace(-100, 100, 200_001)[:, None]
    assert activation_patterns(weights, biases, points) == serra_bound(1, [6]) == 7


def test_a_chain_of_relu_layers_is_recognised():
    graph, _, _ = network([3, 5, 4, 1], ops.RELU, 0)
    found_here = found(graph)["Linear regions"]
    assert "Serra" in found_here.source
    assert f"at most {serra_bound(3, [5, 4])} " in found_here.theorem


def test_fixed_inputs_do_not_count():
    graph, _, _ = network([3, 5, 4, 1], ops.RELU, 0)
    zero = Fraction(0)
    box = Box({"x": Side((zero, zero, zero), (zero, Fraction(1), Fraction(1)))})
    assert f"at most {serra_bound(2, [5, 4])} " in found(graph, box)["Linear regions"].theorem


def test_a_skip_connection_takes_the_layered_bound():
    # relu(x + relu(x)) is no chain: two levels of one bend each, 2 · 2 regions
    consequence = found(graph_of("relu(x + relu(x))"))["Linear regions"]
    assert "layer by layer" in consequence.source
    assert "at most 4 " in consequence.theorem


def test_pieces_of_mixed_rectifiers():
    # |x|, |y| and the diagonal of the maximum: level 1 has 2 bends, level 2 has 1
    graph = graph_of("max(abs(x), abs(y))")
    layers = layers_of(graph)
    assert layers is not None
    assert layers.widths == (2, 1)
    # 4 quadrants, each cut by a line: 8 regions, and there are 8: |x| = |y| and the axes
    assert "at most 8 " in found(graph)["Linear regions"].theorem


def test_later_signs_of_constants_cut_nothing():
    graph, _, _ = network([2, 3, 5, 5, 1], ops.SIGN, 0, at_zero=Fraction(1))
    layers = layers_of(graph)
    assert layers is not None
    assert layers.widths == (3,)
    assert "at most 7 " in found(graph)["Linear regions"].theorem


def test_transcendental_graphs_have_no_layers():
    assert layers_of(graph_of("exp(x) + relu(x)")) is None
    assert "Linear regions" not in found(graph_of("relu(tanh(x))"))


def test_quadratic_bends_are_no_hyperplanes():
    assert "Linear regions" not in found(graph_of("relu(x^2 - 1)"))


# -- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_values_of_a_sign_network(seed):
    graph, weights, biases = network([2, 3, 1], ops.SIGN, seed, at_zero=Fraction(1))
    assert "at most 7 values" in found(graph)["Values"].theorem
    points = np.random.default_rng(seed).uniform(-200, 200, size=(50_000, 2))
    hidden = np.where(points @ weights[0] + biases[0] >= 0, 1.0, -1.0)
    assert len(np.unique(np.round(hidden @ weights[1], 9))) <= 7


def test_three_valued_signs_count_twice():
    # on the line 3 signs with sign(0) = 0: at most 3^3 = 27 patterns, and 2 · 3 + 1 = 7 by cuts
    graph, _, _ = network([1, 3, 1], ops.SIGN, 0, at_zero=Fraction(0))
    assert "at most 7 values" in found(graph)["Values"].theorem


def test_values_after_a_choice():
    builder = GraphBuilder()
    x = builder.input("x", (1, 4))
    pick = builder.apply(ops.ARGMAX, [x], axis=1, keepdims=False, last=False)
    consequence = found(builder.build({"y": pick}))["Values"]
    assert "at most 4 values" in consequence.theorem
    assert consequence.source == "counting"


def test_an_open_path_has_no_value_bound():
    assert "Values" not in found(graph_of("x + sign(x)"))


# -- polynomials --------------------------------------------------------------------------------


def test_level_sets_of_a_polynomial():
    # x² + y² + z²: d = 2, n = 3: 2 · 3² = 18
    consequence = found(graph_of("x^2 + y^2 + z^2"))["Level sets"]
    assert "at most 18 connected" in consequence.theorem


def test_level_sets_need_all_of_space():
    box = Box.uniform(["x"], Fraction(0), Fraction(1))
    assert "Level sets" not in found(graph_of("x^3"), box)


def test_pieces_by_warren():
    graph = graph_of("relu(x^2 - 1) + relu(2 - x^2)")
    consequence = found(graph)["Pieces"]
    # two quadratics on the line: (4 e · 2 · 2)^1 = 43.4..; there are 5
    assert f"at most {math.floor(16 * math.e)} connected" in consequence.theorem


def test_solutions_by_khovanskii():
    consequence = found(graph_of("exp(2*x)*x - exp(x)"))["Solutions"]
    # degree 2 in x, exp(2x), exp(x): 2 · 3² · 2
    assert "at most 36 solutions" in consequence.theorem


def test_equal_exponents_are_one_symbol():
    assert "1 exponentials" in found(graph_of("exp(x)*x + exp(x)"))["Solutions"].hypotheses[0]


def test_no_bound_without_inputs_or_tameness():
    assert bounds(graph_of("3"), ALL, Verdict.TAME) == ()
    assert bounds(graph_of("x^2"), ALL, Verdict.LOCALLY_TAME) == ()


# -- learning -----------------------------------------------------------------------------------


def stacked(sizes: list[int], activation=ops.RELU, **params) -> Graph:
    builder = GraphBuilder()
    value = builder.input("x", (1, sizes[0]))
    for layer, (n, m) in enumerate(pairwise(sizes)):
        value = builder.apply(ops.MATMUL, [value, builder.constant(np.full((n, m), layer + 1.0))])
        value = builder.apply(ops.ADD, [value, builder.constant(np.full(m, layer + 0.5))])
        if layer < len(sizes) - 2:
            value = builder.apply(activation, [value], **params)
    return builder.build({"y": value})


def test_layers_in_the_weights():
    # a weight times a weight of the layer below, at most two comparisons a clip
    layers, weights = weight_layers(stacked([2, 5, 3, 1]))
    assert weights == 15 + 18 + 4
    assert (layers.widths, layers.degrees, layers.output_degree) == ((5, 3), (1, 2), 3)
    assert weight_layers(stacked([2, 5, 1], ops.STEP, at_zero=Fraction(1)))[0].output_degree == 1
    assert weight_layers(stacked([2, 5, 1], ops.TANH)) is None
    assert weight_layers(graph_of("max(x, y)"))[0].widths == ()


def test_indices_are_no_weights_and_roots_of_constants_are():
    builder = GraphBuilder()
    x = builder.input("x", (3,))
    taken = builder.apply(ops.GATHER, [x, builder.constant(np.array([2, 0]))], axis=0)
    root = builder.apply(ops.SQRT, [builder.constant(np.array([2.0, 3.0]))])
    layers, weights = weight_layers(builder.build({"y": builder.apply(ops.MUL, [taken, root])}))
    # the two numbers under the root, and the two roots
    assert (weights, layers.output_degree) == (4, 1)


@pytest.mark.parametrize("inputs", [1, 2, 5, 20])
def test_half_spaces_have_one_dimension_more_than_the_space(inputs):
    # {x : w x > c} shatters n + 1 points of ℝⁿ, and a bound cannot say less
    assert inputs + 1 <= vc_bound([1], [1], inputs + 1) <= 12 * (inputs + 1)


@pytest.mark.parametrize(
    ("widths", "degrees", "parameters"), [((3, 1), (1, 2), 13), ((1,), (2,), 4)]
)
def test_vc_bound_is_the_largest_number_that_the_patterns_allow(widths, degrees, parameters):
    def patterns(points: int) -> float:
        total = 0.0
        for k, d in zip(widths, degrees, strict=True):
            few = points * k * math.log2(3)
            warren = parameters * math.log2(8 * math.e * points * k * d / parameters)
            total += min(few, warren) if points * k >= parameters else few
        return total

    found = vc_bound(widths, degrees, parameters)
    assert patterns(found) >= found
    assert patterns(found + 1) < found + 1


def test_examples_by_hand():
    # 6400 (2 · 3 ln 120 + ln 40) = 207448.5
    assert sample_bound(3, Fraction(1, 10), Fraction(1, 10)) == 207449


def test_the_number_of_examples_names_every_weight():
    said = found(stacked([2, 3, 1]))["Sample complexity"]
    assert said.hypotheses[0] == "13 weights"
    assert f"d ≤ {vc_bound((3, 1), (1, 2), 14)} " in said.theorem
    assert "Sample complexity" not in found(graph_of("max(x, y)"))
    assert "Sample complexity" not in found(stacked([2, 3, 1], ops.TANH))
