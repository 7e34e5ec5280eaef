"""Inputs that a query declares as integers, against all their values."""

import itertools
import math
import operator
from fractions import Fraction

import numpy as np
import pytest

import tamecheck as tc
from tamecheck import ops
from tamecheck.ir.box import Box, Side
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.verification.pairs import PairQuestion


def whole(kind, condition, shape="[1]"):
    return parse_vnnlib(
        f"(vnnlib-version <2.0>)(declare-network f (declare-input X {kind} {shape})"
        f"(declare-output Y Real [1]))(assert {condition})"
    )


@pytest.mark.parametrize(
    ("kind", "condition", "status"),
    [
        ("int32", "(and (>= X[0] 0.25) (<= X[0] 0.75))", "holds"),
        ("int32", "(and (> X[0] 0) (< X[0] 2) (<= Y[0] 0.5))", "holds"),
        ("int32", "(and (> X[0] 0) (< X[0] 2) (>= Y[0] 1))", "violated"),
        ("uint8", "(<= X[0] -1)", "holds"),
        ("uint8", "(> Y[0] 255)", "holds"),
        ("uint8", "(>= Y[0] 255)", "violated"),
        ("int8", "(<= X[0] -128.5)", "holds"),
        ("int64", "(>= Y[0] 9223372036854775807)", "violated"),
        ("int64", "(> Y[0] 9223372036854775807)", "holds"),
        # too many for a look at each
        ("int16", "(and (== Y[0] 1000.5) (<= 0 X[0]) (<= X[0] 1500))", "holds"),
        ("int16", "(== Y[0] 1001)", "violated"),
    ],
)
def test_an_integer_input_is_one_of_its_type(kind, condition, status):
    answer = tc.verify(tc.expression("relu(x)"), whole(kind, condition), timeout=60)
    assert answer.status == status
    if status == "violated":
        assert answer.witness.inputs[0].denominator == 1


def test_many_integers_and_no_time_end_in_an_answer():
    condition = "".join(f"(<= 0 X[{k}]) (<= X[{k}] 3)" for k in range(600))
    builder = GraphBuilder()
    x = builder.input("x", (600,))
    y = builder.apply(ops.SUM, [x], axes=(0,), keepdims=True)
    spec = whole("uint8", f"(and {condition} (== (* 2 Y[0]) 1801))", "[600]")
    answer = tc.verify(builder.build({"y": y}), spec, timeout=0.3)
    assert answer.status == "unknown"
    assert answer.out_of_time


def test_inputs_of_version_1_are_no_integers():
    with pytest.raises(tc.UnsupportedError, match="X_0 has type int8"):
        parse_vnnlib("(declare-const X_0 int8)")
    with pytest.raises(tc.UnsupportedError, match="type int99"):
        whole("int99", "true")


def integer_network(rng, size):
    """A layer of relu, sign or floor over quarters, as a model and as a function of rationals."""
    kind = rng.choice(["relu", "sign", "floor", "ceil"])
    quarters = [rng.integers(-8, 9, shape) for shape in [(size, 2), 2, (2, 1), 1]]
    w, b, v, c = ([Fraction(int(k), 4) for k in one.flat] for one in quarters)
    builder = GraphBuilder()
    constants = [
        builder.constant(np.array(one, dtype=object).reshape(shape))
        for one, shape in ((w, (size, 2)), (b, (1, 2)), (v, (2, 1)), (c, (1, 1)))
    ]
    x = builder.input("x", (1, size))
    h = builder.apply(ops.ADD, [builder.apply(ops.MATMUL, [x, constants[0]]), constants[1]])
    h = builder.apply(
        ops.BY_NAME[kind], [h], **({"at_zero": Fraction(0)} if kind == "sign" else {})
    )
    y = builder.apply(ops.ADD, [builder.apply(ops.MATMUL, [h, constants[2]]), constants[3]])
    step = {
        "relu": lambda t: max(t, Fraction(0)),
        "sign": lambda t: Fraction((t > 0) - (t < 0)),
        "floor": lambda t: Fraction(t // 1),
        "ceil": lambda t: Fraction(math.ceil(t)),
    }[kind]

    def value(point):
        rows = [sum(a * w[2 * i + j] for i, a in enumerate(point)) + b[j] for j in (0, 1)]
        return sum(step(t) * v[j] for j, t in enumerate(rows)) + c[0]

    graph = builder.build({"y": y})
    return tc.Model(Loaded(graph, "json", "")), value


@pytest.mark.parametrize("seed", range(9))
def test_two_networks_of_integers_against_all_their_inputs(seed):
    rng = np.random.default_rng(seed)
    size, kind = int(rng.integers(1, 3)), str(rng.choice(["int8", "uint8"]))
    (f, first), (g, second) = (integer_network(rng, size) for _ in range(2))
    low = int(rng.integers(-3, 2))
    high = low + int(rng.integers(0, 4))
    bound = Fraction(int(rng.integers(-4, 9)), 4)
    same = str(rng.choice(["==", "<="]))
    sign = str(rng.choice([">", ">=", "==", "!="]))
    text = (
        "(vnnlib-version <2.0>)"
        f"(declare-network f (declare-input A {kind} [1,{size}])(declare-output B Real [1,1]))"
        f"(declare-network g (declare-input C {kind} [1,{size}])(declare-output D Real [1,1]))"
        f"(assert ({sign} (- B[0,0] D[0,0]) {float(bound)}))"
    )
    for i in range(size):
        text += f"(assert ({same} A[0,{i}] C[0,{i}]))"
        text += f"(assert (and (< {low - 0.5} A[0,{i}]) (<= A[0,{i}] {high})))"
        text += f"(assert (and (<= {low} C[0,{i}]) (< C[0,{i}] {high + 1})))"
    relations = {">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
                 "<=": operator.le}  # fmt: skip
    values = range(max(low, 0) if kind == "uint8" else low, high + 1)
    points = list(itertools.product(values, repeat=size))

    def unsafe(a, c):
        related = all(map(relations[same], a, c))
        return related and relations[sign](first(a) - second(c), bound)

    answer = tc.verify({"f": f, "g": g}, parse_vnnlib(text), timeout=30)
    found = any(unsafe(a, c) for a in points for c in points)
    assert answer.status == ("violated" if found else "holds")
    if found:
        x = answer.witness.inputs
        assert all(value in values for value in x)
        assert unsafe(x[:size], x[size:])


@pytest.mark.parametrize("seed", range(12))
def test_pairs_of_integers_against_all_of_them(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 3))
    model, value = integer_network(rng, size)
    low = [int(rng.integers(-3, 2)) for _ in range(size)]
    high = [end + int(rng.integers(0, 4)) for end in low]
    # ends beside integers
    sides = (
        tuple(Fraction(4 * end + by, 4) for end in ends) for ends, by in ((low, -1), (high, 1))
    )
    sign = str(rng.choice(["+", "-", "="]))
    question = PairQuestion.of_model(model, Box({"x": Side(*sides)}), {0: sign}, of="score")
    question.integral = frozenset(range(size))
    points = list(itertools.product(*map(range, low, [end + 1 for end in high])))

    def unsafe(a, b):
        related = {"+": a[0] <= b[0], "-": a[0] >= b[0], "=": True}[sign]
        return related and a[1:] == b[1:] and value(b) < value(a)

    answer = question.verify(timeout=30)
    found = any(unsafe(a, b) for a in points for b in points)
    assert answer.verdict == ("violated" if found else "holds")
    if found:
        assert unsafe(answer.witness.inputs, answer.witness.other_inputs) or (
            sign == "=" and unsafe(answer.witness.other_inputs, answer.witness.inputs)
        )


@pytest.mark.parametrize("kind", ["int", "int8", "real"])
def test_rows_without_variables_are_kept(kind):
    row, ends = Inequality((), ((0, Fraction(1)),), Fraction(9)), (Fraction(0), Fraction(1))
    for bound, status in ((-1, "holds"), (0, "violated")):
        case = Case(ends[:1], ends[1:], (Inequality((), (), Fraction(bound)),), (row,))
        tensors = TensorName("X", (1,), element_type=kind), TensorName("Y", (1,))
        spec = Specification(tensors[:1], tensors[1:], (case,))
        assert tc.verify(tc.expression("relu(x)"), spec, timeout=20).status == status


@pytest.mark.parametrize("size", [None, 0])
def test_without_inputs_there_is_one_point(size):
    builder = GraphBuilder()
    if size is None:
        x, inputs = builder.constant(np.array([[Fraction(1)]], dtype=object)), ()
    else:
        x = builder.apply(ops.SUM, [builder.input("x", (1, 0))], axes=(1,), keepdims=True)
        inputs = (TensorName("X", (1, 0)),)
    graph = builder.build({"y": builder.apply(ops.RELU, [x])})
    for sign, status in ((1, "holds"), (-1, "violated")):
        row = Inequality((), ((0, Fraction(sign)),), Fraction(-(sign > 0)))
        spec = Specification(inputs, (TensorName("Y", (1,)),), (Case((), (), (), (row,)),))
        assert tc.verify(graph, spec, timeout=20, certify=True).status == status
