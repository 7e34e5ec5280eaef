"""Counts, areas and maps of cells against searches that share no code with them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from corpus import dense_network
from scipy.optimize import linprog

from tamecheck.cells import cells
from tamecheck.evaluate import exact_values
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph, GraphBuilder
from tamecheck.loaders.text.expression import parse_expression
from tamecheck.ops import BY_NAME

BOX = Box.uniform(["x"], Fraction(-1), Fraction(1))


def network(sizes, seed=0, act="relu", dtype=np.float32):
    rng, drawn = np.random.default_rng(seed), []

    def weights(shape):
        drawn.append([(rng.normal(size=shape) / np.sqrt(shape[0])).astype(dtype)])
        return drawn[-1][0]

    def biases(m):
        drawn[-1].append((rng.normal(size=(m,)) * 0.3).astype(dtype))
        return drawn[-1][1]

    graph = dense_network(sizes, weights, biases, act)
    return graph, [(w.astype(float), b.astype(float)) for w, b in drawn]


def depth_first_count(weights, dimension):
    """Regions of a ReLU network on [-1, 1]^d by linear programs."""

    def feasible(rows, offsets):
        # the largest t with row · x + offset >= t
        a = np.hstack([-np.array(rows), np.ones((len(rows), 1))])
        bounds = [(-1, 1)] * dimension + [(None, 1)]
        found = linprog([0] * dimension + [-1], A_ub=a, b_ub=offsets, bounds=bounds)
        return found.status == 0 and -found.fun > 1e-9

    def walk(layer, unit, state, rows, offsets):
        matrix, shift = state
        if layer == len(weights) - 1:
            return 1
        w, b = weights[layer]
        if unit == w.shape[1]:
            signs = np.array(rows_signs[-w.shape[1] :])
            mask = signs > 0
            nxt = ((matrix @ w) * mask, (shift @ w + b) * mask)
            return walk(layer + 1, 0, nxt, rows, offsets)
        row, offset = (matrix @ w)[:, unit], (shift @ w + b)[unit]
        total = 0
        for sign in (1, -1):
            more, less = [*rows, sign * row], [*offsets, sign * offset]
            if feasible(more, less):
                rows_signs.append(sign)
                total += walk(layer, unit + 1, state, more, less)
                rows_signs.pop()
        return total

    rows_signs: list[int] = []
    return walk(0, 0, (np.eye(dimension), np.zeros(dimension)), [], [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "seed"),
    [
        ([2, 6, 5, 1], 0),
        ([2, 5, 5, 4, 2], 1),
        ([3, 5, 4, 1], 2),
        ([4, 4, 3, 1], 3),
        ([1, 9, 5, 1], 4),
    ],
)
def test_count_is_that_of_a_search_by_linear_programs(sizes, seed):
    graph, weights = network(sizes, seed)
    found = cells(graph, BOX)
    assert found.complete
    assert found.count == depth_first_count(weights, sizes[0])
    assert found.volume == 2 ** sizes[0]


@pytest.mark.parametrize(
    ("sizes", "act", "dtype"),
    [
        ([2, 16, 16, 1], "relu", np.float32),
        ([2, 10, 10, 2], "abs", np.float64),
        ([1, 12, 12, 1], "relu", np.float64),
        ([2, 8, 6, 1], "sign", np.float32),
        ([3, 5, 4, 1], "sign", np.float32),
        # a constant in a piece, with as many neurons as a form has coefficients, and with others
        ([2, 3, 3, 1], "clip", np.float32),
        ([1, 2, 5, 1], "clip", np.float64),
    ],
)
def test_volumes_sum_to_the_box_and_maps_are_the_function(sizes, act, dtype):
    graph, _ = network(sizes, 7, act, dtype)
    found = cells(graph, BOX)
    assert found.volume == 2 ** sizes[0]
    assert len({cell.pattern for cell in found}) == found.count
    for cell in (*found.cells[:60], *found.lower_dimensional[:60]):
        point = cell.interior_point
        assert cell.contains(point)
        assert cell.map(point) == values(graph, point)
        for vertex in cell.vertices:
            assert all(
                sum(a * x for a, x in zip(h.normal, vertex, strict=True)) + h.offset >= 0
                for h in cell.halfspaces
            )


def values(graph: Graph, point):
    array = np.empty((1, len(point)), dtype=object)
    array[0, :] = point
    return tuple(exact_values(graph, {"x": array})["y"].reshape(-1).tolist())


def degenerate(sizes, seed, act):
    """Whole weights from -1 to 1, and in each layer three neurons with one hyperplane."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder()
    value = builder.input("x", (1, sizes[0]))
    for layer, (n, m) in enumerate(pairwise(sizes)):
        w = rng.integers(-1, 2, size=(n + 1, m)).astype(np.float32)
        if m > 2:
            w[:, 1], w[:, 2] = w[:, 0], -2 * w[:, 0]
        value = builder.apply(BY_NAME["matmul"], [value, builder.constant(w[:-1])])
        value = builder.apply(BY_NAME["add"], [value, builder.constant(w[-1])])
        if layer < len(sizes) - 2:
            value = builder.apply(BY_NAME[act], [value])
    return builder.build({"y": value})


@pytest.mark.parametrize("act", ["relu", "abs"])
@pytest.mark.parametrize(
    "sizes", [[1, 6, 6, 1], [2, 8, 8, 1], [3, 6, 6, 1], [4, 6, 5, 1], [5, 5, 4, 2]]
)
def test_hyperplanes_that_repeat_and_meet_in_corners(sizes, act):
    # cells with different patterns are disjoint, so their volumes prove that they are all there
    for seed in range(2):
        graph = degenerate(sizes, seed, act)
        found = cells(graph, BOX)
        assert found.volume == 2 ** sizes[0]
        assert all(cell.volume > 0 for cell in found)
        assert len({cell.pattern for cell in found}) == found.count
        for cell in found.cells[:10]:
            point = cell.interior_point
            assert cell.contains(point)
            assert cell.map(point) == values(graph, point)


@pytest.mark.parametrize("scale", [Fraction(1, 10**9), Fraction(10**9)])
def test_small_and_large_boxes_far_from_zero(scale):
    graph = parse_expression("abs(x - y) + max(x + y - 2, z - 1) + abs(x - 1)").graph
    found = cells(graph, Box.uniform(["x", "y", "z"], 1 - scale, 1 + scale))
    unit = cells(graph, Box.uniform(["x", "y", "z"], Fraction(0), Fraction(2)))
    assert found.count == unit.count == 8
    assert found.volume == (2 * scale) ** 3
    assert found.adjacency == unit.adjacency


def test_every_point_of_a_sign_network_is_in_one_cell():
    graph, _ = network([2, 5, 4, 1], 3, "sign")
    found = cells(graph, BOX)
    points = [cell.interior_point for cell in found.cells]
    points += [v for cell in found.cells for v in cell.vertices]
    points += [cell.interior_point for cell in found.lower_dimensional]
    for point in points:
        if any(abs(x) == 1 for x in point):
            continue
        holding = [c for c in (*found.cells, *found.lower_dimensional) if c.contains(point)]
        assert len(holding) == 1
        assert holding[0].map(point) == values(graph, point)


@pytest.mark.parametrize(
    ("text", "low", "high", "expected"),
    [
        ("abs(x) + abs(y)", -1, 1, (4, 0, 4)),
        ("max(x,0) - max(-x,0)", -1, 1, (2, 0, 1)),
        ("max(x,y,0)", -1, 1, (4, 0, 3)),
        ("sign(x)", -1, 1, (2, 1, 2)),
        ("sign(x)", 0, 1, (1, 1, 1)),
        ("sign(abs(x))", -1, 1, (2, 1, 1)),
        ("sign(x+y) + sign(x-y) + sign(x)", -1, 1, (6, 7, 6)),
        ("round(2*x) + sign(y)", -1, 1, (10, 17, 10)),
        ("floor(3*x)", -1, 1, (6, 7, 6)),
        ("clip(x, -1/2, 1/2)", -1, 1, (3, 0, 3)),
        ("x + 1", -1, 1, (1, 0, 1)),
    ],
)
def test_small_functions_by_hand(text, low, high, expected):
    graph = parse_expression(text).graph
    box = Box.uniform(list(graph.inputs), Fraction(low), Fraction(high))
    found = cells(graph, box)
    counts = (found.count, len(found.lower_dimensional), len(found.merged()))
    assert counts == expected
    assert found.volume == (high - low) ** len(graph.inputs)


def test_cells_through_one_point_are_told_apart_exactly():
    # the lines x = k y / 7 all meet at the origin, and are no floats
    terms = " + ".join(f"abs(7*x - {k}*y)" for k in range(-6, 7))
    graph = parse_expression(terms).graph
    found = cells(graph, Box.uniform(["x", "y"], Fraction(-1), Fraction(1)))
    assert found.count == 26
    assert found.volume == 4
    assert len(found.adjacency) == 26


def test_nearly_equal_lines_are_not_confused():
    tiny = "1e-30"
    graph = parse_expression(f"max(x,0) + max(x - {tiny}, 0) + max(x - {tiny}, y)").graph
    found = cells(graph, Box.uniform(["x", "y"], Fraction(-1), Fraction(1)))
    assert found.volume == 4
    widths = sorted(min(c.volume for c in found.cells) for _ in range(1))
    assert 0 < widths[0] < Fraction(1, 10**29)


def test_the_limit_gives_a_partial_answer():
    graph, _ = network([2, 16, 16, 1])
    found = cells(graph, BOX, limit=20)
    assert (found.count, found.complete) == (20, False)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["floor(10000*x)*floor(10000*y)", "floor(1000*x)+floor(1000*y)"])
def test_the_limit_goes_to_cells_of_full_dimension_first(text):
    graph = parse_expression(text).graph
    found = cells(graph, Box.uniform(["x", "y"], Fraction(0), Fraction(1)), limit=60)
    assert (found.count, len(found.lower_dimensional), found.complete) == (60, 0, False)
    assert all(cell.map(cell.interior_point) == (at(graph, cell.interior_point),) for cell in found)


def at(graph, point):
    arrays = {}
    for name, x in zip(graph.inputs, point, strict=True):
        arrays[name] = np.array(x, dtype=object)
    return exact_values(graph, arrays)[next(iter(dict(graph.outputs)))].item()


def test_what_the_full_cells_leave_of_the_limit_is_for_the_others():
    graph = parse_expression("floor(3*x)").graph
    box = Box.uniform(["x"], Fraction(-1), Fraction(1))
    for limit, counts in ((4, (4, 0)), (6, (6, 0)), (8, (6, 2)), (13, (6, 7))):
        found = cells(graph, box, limit=limit)
        assert (found.count, len(found.lower_dimensional)) == counts
        assert found.complete == (limit == 13)


def test_the_pieces_of_a_rounding_are_made_as_they_are_asked_for():
    graph = parse_expression("floor(900000*x)").graph
    box = Box.uniform(["x"], Fraction(0), Fraction(1))
    assert cells(graph, box, limit=5).count == 5


def test_the_timeout_gives_a_partial_answer():
    graph = parse_expression("floor(10000*x)*floor(10000*y)").graph
    box = Box.uniform(["x", "y"], Fraction(0), Fraction(1))
    assert not cells(graph, box, timeout=0.2).complete
    assert cells(parse_expression("abs(x)").graph, BOX, timeout=60).complete


@pytest.mark.slow
def test_patterns_cover_a_grid():
    graph, weights = network([2, 7, 6, 1], 5)
    found = cells(graph, BOX)
    patterns = {cell.pattern for cell in found}
    for point in product(np.linspace(-0.99, 0.98, 40), repeat=2):
        value, signs = np.array(point), []
        for w, b in weights[:-1]:
            value = value @ w + b
            signs.append(tuple(int(v) for v in np.sign(value)))
            value = np.maximum(value, 0)
        assert tuple(signs) in patterns
