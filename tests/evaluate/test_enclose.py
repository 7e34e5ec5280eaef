"""Enclosures by hand: tight where they should be, missing where a domain is not shown."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.evaluate import Enclosure, decide, enclose, range_of
from tamecheck.ir.box import Box, Side
from tamecheck.ir.formula import And, Or, Var, floor
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ops import BY_NAME

F = Fraction
INF = math.inf
X, Y = Var(0), Var(1)


def side(*intervals):
    lower, upper = zip(*intervals, strict=True)
    return Side(
        tuple(None if v is None else F(v) for v in lower),
        tuple(None if v is None else F(v) for v in upper),
    )


def over(name, *args, **params):
    builder = GraphBuilder()
    nodes = [builder.input(f"x{i}", (len(arg),)) for i, arg in enumerate(args)]
    graph = builder.build({"y": builder.apply(BY_NAME[name], nodes, **params)})
    found = enclose(graph, Box({f"x{i}": side(*arg) for i, arg in enumerate(args)}))
    enclosure = found.get(len(nodes))
    if enclosure is None:
        return None
    return list(
        zip(enclosure.lower.reshape(-1).tolist(), enclosure.upper.reshape(-1).tolist(), strict=True)
    )


@pytest.mark.parametrize(
    ("name", "args", "params", "expected"),
    [
        ("relu", [[(-1, 2), (None, None), (-3, -1)]], {}, [(0, 2), (0, INF), (0, 0)]),
        ("abs", [[(-1, 2), (-3, -1)]], {}, [(0, 2), (1, 3)]),
        ("add", [[(1, 2), (None, 0)], [(3, 4), (1, 1)]], {}, [(4, 6), (-INF, 1)]),
        ("mul", [[(-1, 2), (0, 0)], [(-3, 4), (None, None)]], {}, [(-6, 8), (0, 0)]),
        ("div", [[(-1, 2)], [(2, 4)]], {}, [(-0.5, 1)]),
        ("sign", [[(-1, 0), (0, 1), (0, 0), (-2, -1)]], {"at_zero": F(0)},
         [(-1, 0), (0, 1), (0, 0), (-1, -1)]),
        ("step", [[(0, 1)]], {"at_zero": F(1, 2)}, [(0.5, 1)]),
        ("floor", [[(F(1, 2), F(5, 2)), (None, 0)]], {}, [(0, 2), (-INF, 0)]),
        ("round", [[(F(-2, 5), F(2, 5)), (F(3, 5), F(9, 10)), (None, F(5, 2))]],
         {"mode": "half_even"}, [(0, 0), (1, 1), (-INF, 2)]),
        ("round", [[(F(-5, 2), F(5, 2))]], {"mode": "half_away"}, [(-3, 3)]),
        ("clip", [[(None, None), (2, 3)]], {"lo": F(-1), "hi": F(1)}, [(-1, 1), (1, 1)]),
        ("maximum", [[(-1, 2)], [(0, 1)]], {}, [(0, 2)]),
        ("less", [[(0, 1), (0, 1), (1, 2)], [(2, 3), (1, 3), (0, 1)]], {},
         [(1, 1), (0, 1), (0, 0)]),
        ("select", [[(1, 2), (0, 0), (0, 1)], [(5, 6)] * 3, [(7, 8)] * 3], {},
         [(5, 6), (7, 8), (5, 8)]),
        ("pow", [[(-1, 2), (1, 2)]], {"exponent": F(2)}, [(0, 4), (1, 4)]),
        ("pow", [[(-1, 2)]], {"exponent": F(3)}, [(-1, 8)]),
        ("leaky_relu", [[(-4, 2)]], {"alpha": F(1, 4)}, [(-1, 2)]),
        ("softmax", [[(0, 1), (None, None)]], {"axis": 0}, [(0, 1), (0, 1)]),
        ("argmax", [[(0, 1), (5, 6)]], {"axis": 0, "keepdims": True, "last": False}, [(0, 1)]),
        ("sum", [[(0, 1), (5, 6)]], {"axes": (0,), "keepdims": True}, [(5, 7)]),
        ("prod", [[(-1, 2), (5, 6)]], {"axes": (0,), "keepdims": True}, [(-6, 12)]),
        ("reduce_max", [[(0, 9), (5, 6)]], {"axes": (0,), "keepdims": True}, [(5, 9)]),
    ],
)  # fmt: skip
def test_bounds_by_hand(name, args, params, expected):
    assert over(name, *args, **params) == expected


@pytest.mark.parametrize(
    ("name", "interval", "low", "high"),
    [
        ("exp", (0, 1), 1.0, math.e),
        ("sigmoid", (-2, 3), 1 / (1 + math.exp(2)), 1 / (1 + math.exp(-3))),
        ("softplus", (-2, 3), math.log1p(math.exp(-2)), 3 + math.log1p(math.exp(-3))),
        ("sin", (1, 2), math.sin(1), 1.0),
        ("sin", (4, 5), -1.0, math.sin(4)),
        ("cos", (-1, 2), math.cos(2), 1.0),
        ("tan", (-1, 1), -math.tan(1), math.tan(1)),
        ("log", (F(1, 2), 2), math.log(0.5), math.log(2)),
        ("acos", (-1, 1), 0.0, math.pi),
        ("cosh", (-1, 2), 1.0, math.cosh(2)),
        ("erf", (-1, 2), math.erf(-1), math.erf(2)),
        ("sqrt", (0, 2), 0.0, math.sqrt(2)),
    ],
)
def test_transcendental_bounds_are_tight_but_not_too_tight(name, interval, low, high):
    ((found_low, found_high),) = over(name, [interval])
    assert found_low == pytest.approx(low, rel=1e-14, abs=1e-14)
    assert found_high == pytest.approx(high, rel=1e-14, abs=1e-14)
    assert found_low <= low
    assert found_high >= high


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("log", [[(0, 1)]]),
        ("sqrt", [[(-1, 1)]]),
        ("div", [[(1, 1)], [(-1, 1)]]),
        ("tan", [[(1, 2)]]),
        ("asin", [[(0, 2)]]),
        ("atanh", [[(0, 1)]]),
        ("acosh", [[(0, 2)]]),
        ("power", [[(-1, 1)], [(0, 1)]]),
        ("gather", [[(0, 1), (0, 1)], [(0, 1)]]),
    ],
)
def test_a_domain_that_is_not_shown_gives_no_enclosure(name, args):
    assert over(name, *args, **({"axis": 0} if name == "gather" else {})) is None


def test_descendants_of_an_unknown_node_are_missing():
    builder = GraphBuilder()
    x = builder.input("x", ())
    log = builder.apply(ops.LOG, [x])
    other = builder.apply(ops.EXP, [x])
    graph = builder.build({"a": builder.apply(ops.ADD, [log, other]), "b": other})
    found = enclose(graph, Box.everything())
    assert {graph.name_of(i) for i in set(range(len(graph.nodes))) - set(found)} == {
        "log#1",
        "add#3",
    }


def test_computed_indices_must_be_integers_in_range():
    builder = GraphBuilder()
    data = builder.input("x", (3,))
    index = builder.apply(ops.ARGMAX, [data], axis=0, keepdims=True, last=False)
    graph = builder.build({"y": builder.apply(ops.GATHER, [data, index], axis=0)})
    found = enclose(graph, Box({"x": side((0, 1), (2, 3), (-1, 0))}))
    assert found[2].hull() == (-1, 3)


def test_decide_is_three_valued():
    def interval(low, high):
        return Enclosure(np.asarray(float(low)), np.asarray(float(high)))

    assert decide(X > 0, [interval(1, 2)]) is True
    assert decide(X > 0, [interval(0, 2)]) is None
    assert decide(X > 0, [interval(-1, 0)]) is False
    assert decide(X >= 0, [interval(0, 2)]) is True
    assert decide(X.differs(0), [interval(-2, -1)]) is True
    assert decide(X.differs(0), [interval(-2, 1)]) is None
    assert decide(X.equals(Y), [interval(1, 1), interval(1, 1)]) is True
    assert decide(And((X > 0, Y > 0)), [interval(1, 2), interval(-2, -1)]) is False
    assert decide(Or((X > 0, Y > 0)), [interval(1, 2), interval(-2, 1)]) is True
    assert decide(floor(X).equals(X), [interval(3, 3)]) is True
    every = Enclosure(np.array([1.0, -1.0]), np.array([2.0, 1.0]))
    assert decide(X > 0, [every]) is None


def test_integer_networks_are_bounded_exactly():
    builder = GraphBuilder()
    x = builder.input("x", (1, 300))
    weights = np.where(np.arange(600).reshape(300, 2) % 3, 1, -1)
    graph = builder.build({"y": builder.apply(ops.MATMUL, [x, builder.constant(weights)])})
    found = enclose(graph, Box.uniform(["x"], F(-1), F(1)))[2]
    assert found.lower.tolist() == [[-300, -300]]
    assert found.upper.tolist() == [[300, 300]]


def test_matrix_products_of_two_boxes_take_the_corners():
    builder = GraphBuilder()
    x, y = builder.input("x", (1, 2)), builder.input("y", (2, 1))
    graph = builder.build({"z": builder.apply(ops.MATMUL, [x, y])})
    box = Box({"x": side((-1, 2), (0, None)), "y": side((-3, 1), (0, 2))})
    assert enclose(graph, box)[2].hull() == (-6, INF)
    free = Box({"x": side((-1, 2), (0, 1)), "y": side((-3, 1), (0, 2))})
    assert enclose(graph, free)[2].hull() == (-6, 5)


def test_unbounded_inputs_and_zero_weights():
    builder = GraphBuilder()
    x = builder.input("x", (1, 2))
    weights = builder.constant(np.array([[0.0, 1.0], [2.0, 0.0]]))
    graph = builder.build({"y": builder.apply(ops.MATMUL, [x, weights])})
    found = enclose(graph, Box({"x": side((None, 3), (-1, 1))}))[2]
    assert found.lower.tolist() == [[-2, -INF]]
    assert found.upper[0, 0] == 2
    assert 3 <= found.upper[0, 1] < 3 + 1e-12


def test_large_nodes_share_one_interval():
    builder = GraphBuilder()
    x = builder.input("x", (5,))
    graph = builder.build({"y": builder.apply(ops.EXP, [x])})
    box = Box({"x": side((0, 1), (1, 2), (2, 3), (3, 4), (4, 5))})
    assert not enclose(graph, box)[1].uniform
    shared = enclose(graph, box, hull_above=4)[1]
    assert shared.uniform
    assert shared.shape == (5,)
    assert shared.hull()[0] <= 1 < math.exp(5) <= shared.hull()[1]


def test_constants_that_no_float_holds_are_rounded_outward():
    builder = GraphBuilder()
    third = np.array([F(1, 3), F(2, 3)], dtype=object)
    graph = builder.build({"a": builder.constant(third), "b": builder.constant(2**62 + 1)})
    found = enclose(graph, Box.everything())
    for node, values in ((0, [F(1, 3), F(2, 3)]), (1, [F(2**62 + 1)])):
        lows, highs = found[node].lower.reshape(-1), found[node].upper.reshape(-1)
        for low, high, value in zip(lows.tolist(), highs.tolist(), values, strict=True):
            assert F(low) < value < F(high)


def test_a_padding_value_that_no_float_holds_is_rounded_outward():
    ((low, high), _) = over("pad", [(0, 0)], before=(1,), after=(0,), value=F(1, 3))
    assert F(low) < F(1, 3) < F(high)


def test_the_box_must_fit():
    builder = GraphBuilder()
    graph = builder.build({"y": builder.input("x", (2,))})
    with pytest.raises(InputError, match="'z'"):
        enclose(graph, Box.uniform(["z"], F(0), F(1)))
    with pytest.raises(InputError, match="3 intervals"):
        enclose(graph, Box({"x": side((0, 1), (0, 1), (0, 1))}))


def test_ranges_of_ops():
    assert range_of(ops.TANH, {}) == (-1, 1)
    assert range_of(ops.SIGMOID, {}) == (0, 1)
    assert range_of(ops.CLIP, {"lo": F(0), "hi": F(6)}) == (0, 6)
    assert range_of(ops.CLIP, {"lo": None, "hi": F(6)}) == (-INF, 6)
    assert range_of(ops.EXP, {}) == (0, INF)
    assert range_of(ops.SOFTMAX, {"axis": 0}) == (0, 1)
    assert range_of(ops.ADD, {}) == (-INF, INF)
    assert range_of(ops.ASIN, {})[1] == pytest.approx(math.pi / 2)
    assert range_of(ops.MATMUL, {}) == (-INF, INF)


def test_a_wide_network_is_enclosed_without_a_loop_over_its_weights():
    rng = np.random.default_rng(5)
    builder = GraphBuilder()
    node = builder.input("x", (1, 784))
    for rows, columns in ((784, 500), (500, 10)):
        weights = rng.standard_normal((rows, columns)).astype(np.float32)
        node = builder.apply(ops.MATMUL, [node, builder.constant(weights)])
        node = builder.apply(ops.RELU, [node])
    graph = builder.build({"y": node})
    box = Box.uniform(["x"], F(-1), F(1))
    fine = enclose(graph, box, hull_above=10**9)[node]
    rough = enclose(graph, box)[node]
    assert fine.finite
    assert rough.finite
    assert rough.hull()[1] >= fine.hull()[1]
