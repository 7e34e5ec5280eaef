"""Exact values by hand, the balls where no rational exists, and signs that nothing decides."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from corpus import dense_network
from flint import arb, ctx, fmpq

from tamecheck import ops
from tamecheck.errors import DomainError, InputError, TamecheckError
from tamecheck.evaluate import exact_values, float_values
from tamecheck.exact.arrays import exact_matmul
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ops import BY_NAME

F = Fraction


def exact(name, *args, **params):
    builder = GraphBuilder()
    arrays = {f"x{i}": np.array(arg, dtype=object) for i, arg in enumerate(args)}
    nodes = [builder.input(key, array.shape) for key, array in arrays.items()]
    graph = builder.build({"y": builder.apply(BY_NAME[name], nodes, "here", **params)})
    return exact_values(graph, arrays)["y"].tolist()


def composed(*steps):
    """The value of a chain of unary ops at 2."""
    builder = GraphBuilder()
    node = builder.input("x", ())
    for step in steps:
        node = step(builder, node)
    return exact_values(builder.build({"y": node}), {"x": np.array(2)})["y"].item()


def apply(name, label="", **params):
    return lambda builder, node: builder.apply(BY_NAME[name], [node], label, **params)


def square(builder, node):
    return builder.apply(ops.MUL, [node, node])


def plus(value):
    return lambda b, node: b.apply(ops.ADD, [node, b.constant(np.int64(value))])


def test_rationals_stay_rational():
    assert exact("add", [F(1, 3)], [F(1, 6)]) == [F(1, 2)]
    assert exact("div", [F(1)], [F(3)]) == [F(1, 3)]
    assert exact("pow", [F(2, 3), F(-2)], exponent=F(-3)) == [F(27, 8), F(-1, 8)]
    assert exact("round", [F(1, 2), F(3, 2), F(-5, 2)], mode="half_even") == [0, 2, -2]
    assert exact("prod", [[F(1, 2), F(2, 3)], [F(3), F(5)]], axes=(1,), keepdims=False) == [
        F(1, 3),
        F(15),
    ]
    assert exact("pad", [F(1)], before=(1,), after=(0,), value=F(1, 3)) == [F(1, 3), F(1)]


def test_roots_and_special_points_are_rational():
    assert exact("sqrt", [F(4, 9), F(0)]) == [F(2, 3), F(0)]
    assert exact("pow", [F(8, 27), F(0)], exponent=F(2, 3)) == [F(4, 9), F(0)]
    assert exact("power", [F(9, 4), F(0), F(-2)], [F(1, 2), F(0), F(3)]) == [F(3, 2), 1, -8]
    for name, value in {
        "exp": 1, "sin": 0, "cos": 1, "tanh": 0, "erf": 0, "atan": 0, "sigmoid": F(1, 2),
        "sinh": 0, "cosh": 1, "asinh": 0, "atanh": 0, "asin": 0, "tan": 0,
    }.items():  # fmt: skip
        assert exact(name, [F(0)]) == [value], name
    assert exact("log", [F(1)]) == [0]
    assert exact("acosh", [F(1)]) == [0]
    assert exact("acos", [F(1)]) == [0]
    assert exact("softmax", [F(0), F(0)], axis=0) == [F(1, 2), F(1, 2)]


def test_irrational_values_are_tight_balls():
    (ball,) = exact("exp", [F(1)])
    with ctx.workprec(200):
        assert isinstance(ball, arb)
        assert ball.overlaps(arb(1).exp())
        assert float(ball.rad()) < 2.0**-100
    (root,) = exact("sqrt", [F(2)])
    assert root > F(1414213, 1000000).numerator / 1000000
    assert float(root.mid()) == pytest.approx(2**0.5, rel=1e-15)


def test_a_cancellation_gets_more_bits():
    # exp(-2000) is 2.8e-869: 1 + it - 1 needs about 2900 bits
    ball = composed(plus(-2002), apply("exp"), plus(1), plus(-1), apply("sign", at_zero=F(0)))
    assert ball == 1


def test_an_undecidable_sign_is_reported_with_its_node():
    steps = (apply("sqrt"), square, plus(-2))
    with pytest.raises(TamecheckError, match=r"jump here: .*zero to 4096 bits"):
        composed(*steps, apply("sign", "jump here", at_zero=F(0)))
    with pytest.raises(TamecheckError, match="zero to 4096 bits"):
        composed(*steps, apply("floor"))


def test_continuous_ops_need_no_sign():
    steps = (apply("sqrt"), square, plus(-2))
    for name in ("relu", "abs"):
        ball = composed(*steps, apply(name))
        assert ball.contains(0)
        assert float(ball.rad()) < 2.0**-100
    # on both sides of 1 the nearest integer to it is 1
    assert composed(*steps, plus(1), apply("round", mode="half_even")) == 1


@pytest.mark.parametrize(
    ("name", "args", "params"),
    [
        ("log", [[F(1), F(0)]], {}),
        ("sqrt", [[F(-1), F(1)]], {}),
        ("div", [[F(1), F(1)], [F(1), F(0)]], {}),
        ("acos", [[F(1), F(2)]], {}),
        ("pow", [[F(0)]], {"exponent": F(-1)}),
        ("power", [[F(-1)], [F(1, 2)]], {}),
        ("gather", [[F(1)], [F(2)]], {"axis": 0}),
        ("gather", [[F(1)], [F(1, 2)]], {"axis": 0}),
    ],
)
def test_points_outside_a_domain_name_the_node(name, args, params):
    with pytest.raises(DomainError, match=r"^here: "):
        exact(name, *args, **params)
    builder = GraphBuilder()
    arrays = {f"x{i}": np.array(arg, dtype=np.float64) for i, arg in enumerate(args)}
    nodes = [builder.input(key, array.shape) for key, array in arrays.items()]
    graph = builder.build({"y": builder.apply(BY_NAME[name], nodes, "here", **params)})
    with pytest.raises(DomainError, match=r"^here: "):
        float_values(graph, arrays)


def test_the_message_says_where_and_at_what():
    with pytest.raises(DomainError, match=r"element \[1\], argument 0"):
        exact("log", [F(1), F(0)])


def test_choices_compare_exactly():
    near = F(1, 10**40)
    assert exact("argmax", [F(0), near, near], axis=0, keepdims=False, last=False) == 1
    assert exact("argmax", [F(0), near, near], axis=0, keepdims=False, last=True) == 2
    assert exact("argsort", [near, F(0), near], axis=0, descending=True) == [0, 2, 1]
    assert exact("gather", [F(5), F(7)], [F(-1), F(0)], axis=0) == [7, 5]


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        ({}, "No value is given for input 'x'"),
        ({"x": np.zeros(2), "z": np.zeros(2)}, "no input 'z'"),
        ({"x": np.zeros(3)}, r"shape \(2,\)"),
        ({"x": np.array([np.nan, 1])}, "NaN"),
        ({"x": np.array(["a", "b"])}, "type"),
        ({"x": np.array(["a", 1], dtype=object)}, "not a rational"),
    ],
)
def test_inputs_that_do_not_fit(inputs, match):
    builder = GraphBuilder()
    graph = builder.build({"y": builder.input("x", (2,))})
    with pytest.raises(InputError, match=match):
        exact_values(graph, inputs)


def test_huge_and_tiny_floats_are_exact():
    builder = GraphBuilder()
    x = builder.input("x", (1, 2))
    weights = builder.constant(np.array([[5e-324], [1e308]]))
    graph = builder.build({"y": builder.apply(ops.MATMUL, [x, weights])})
    found = exact_values(graph, {"x": np.array([[1e308, 5e-324]])})["y"].item()
    assert found == 2 * F(1e308) * F(5e-324)


def test_large_integers_do_not_round():
    builder = GraphBuilder()
    big = builder.constant(np.array([2**62 + 1]))
    half = builder.constant(np.array([0.5]))
    graph = builder.build({"y": builder.apply(ops.CONCAT, [big, half], axis=0)})
    assert exact_values(graph, {})["y"].tolist() == [F(2**62 + 1), F(1, 2)]


def test_balls_in_a_matrix_product():
    builder = GraphBuilder()
    x = builder.apply(ops.EXP, [builder.input("x", (1, 2))])
    weights = builder.constant(np.array([[2], [-2]]))
    graph = builder.build({"y": builder.apply(ops.MATMUL, [x, weights])})
    (ball,) = exact_values(graph, {"x": np.array([[1, 1]])})["y"].reshape(-1)
    assert ball.contains(0)


def network(rng, sizes):
    return dense_network(
        sizes,
        lambda shape: (rng.standard_normal(shape) / shape[0] ** 0.5).astype(np.float32),
        lambda m: rng.standard_normal(m).astype(np.float32),
    )


def test_a_dense_network_exactly_and_in_floats():
    rng = np.random.default_rng(3)
    graph = network(rng, (784, 256, 256, 10))
    point = {"x": rng.standard_normal((1, 784)).astype(np.float32)}
    floats = float_values(graph, point)["y"]
    found = exact_values(graph, point)["y"]
    assert all(isinstance(value, Fraction) for value in found.reshape(-1))
    assert np.abs(floats - found.astype(np.float64)).max() < 1e-12


def test_an_exact_layer_equals_plain_fractions():
    rng = np.random.default_rng(4)
    graph = network(rng, (5, 4, 2))
    x = rng.standard_normal((1, 5))
    values = [F(v) for v in x[0].tolist()]
    tensors = [n.tensor.fractions() for n in graph.nodes if hasattr(n, "tensor")]
    hidden = [
        max(F(0), sum((values[i] * tensors[0][i * 4 + j] for i in range(5)), tensors[1][j]))
        for j in range(4)
    ]
    expected = [
        sum((hidden[i] * tensors[2][i * 2 + j] for i in range(4)), tensors[3][j]) for j in range(2)
    ]
    assert exact_values(graph, {"x": x})["y"].reshape(-1).tolist() == expected


def test_a_deep_graph_needs_no_recursion():
    builder = GraphBuilder()
    node = builder.input("x", ())
    one = builder.constant(np.int64(1))
    for _ in range(5000):
        node = builder.apply(ops.ADD, [node, one])
    graph = builder.build({"y": node})
    assert exact_values(graph, {"x": np.array(F(1, 3), dtype=object)})["y"].item() == F(15001, 3)
    assert float_values(graph, {"x": np.array(0.5)})["y"] == 5000.5


@pytest.mark.parametrize(("sign", "floor"), [(1, 0), (-1, -1)])
def test_the_floor_of_a_number_too_small_to_write_down(sign, floor):
    builder = GraphBuilder()
    x = builder.input("x", ())
    tiny = builder.apply(ops.EXP, [x])
    signed = tiny if sign > 0 else builder.apply(ops.NEG, [tiny])
    graph = builder.build({"y": builder.apply(ops.FLOOR, [signed])})
    assert exact_values(graph, {"x": np.array(-1e30)})["y"].item() == floor


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).choice([0.1, -0.0, 2.5, -3e300], (20, 30)),
        np.random.default_rng(1).integers(-5, 5, (20, 30)),
    ],
)
@pytest.mark.parametrize("name", ["reduce_max", "reduce_min", "sum"])
def test_folds_of_machine_numbers_are_those_of_fractions(values, name):
    builder = GraphBuilder()
    node = builder.input("x", values.shape)
    graph = builder.build({"y": builder.apply(BY_NAME[name], [node], axes=(1,), keepdims=False)})
    fold = {"reduce_max": max, "reduce_min": min, "sum": sum}[name]
    expected = [fold(F(v) for v in row) for row in values.tolist()]
    assert exact_values(graph, {"x": values})["y"].tolist() == expected


def test_a_number_too_large_to_write_down_stays_a_ball():
    assert isinstance(exact("exp", 10**30), arb)
    with pytest.raises(TamecheckError, match="hinges"):
        composed_at(10**30)


def composed_at(point):
    builder = GraphBuilder()
    grown = builder.apply(ops.EXP, [builder.input("x", ())], "grown")
    graph = builder.build({"y": builder.apply(ops.FLOOR, [grown])})
    return exact_values(graph, {"x": np.array(point, dtype=object)})


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("few", [0, 1, 5])
def test_products_with_sparse_matrices_are_those_of_their_entries(kind, few):
    random = np.random.default_rng(few)
    matrix = np.zeros((6, 8), kind)
    at = random.choice(matrix.size, few, replace=False)
    matrix.reshape(-1)[at] = random.normal(size=few) * 2.0 ** random.integers(-60, 60, few)
    row, column = (
        np.array([fmpq(k, 7) for k in random.integers(-9, 9, n).tolist()]) for n in (6, 8)
    )
    exactly = [fmpq(*x.as_integer_ratio()) for x in matrix.reshape(-1).tolist()]
    entries = np.array(exactly, object).reshape(6, 8)
    assert exact_matmul(row, matrix, (8,)).tolist() == (row @ entries).tolist()
    assert exact_matmul(matrix, column, (6,)).tolist() == (entries @ column).tolist()
