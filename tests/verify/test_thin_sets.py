"""Strict bounds, orders of inputs, equations and properties that touch, against z3 on the network.

``TAMECHECK_FUZZ=N`` takes N networks instead of a few.
"""

import os
import random
from decimal import Decimal
from fractions import Fraction
from operator import ge, gt, le, lt

import numpy as np
import pytest
import z3

from tamecheck.evaluate import exact_values
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.ops import BY_NAME
from tamecheck.verification import Violated, verify

COUNT = int(os.environ.get("TAMECHECK_FUZZ", "40"))
ONE, ZERO, HALF = z3.RealVal(1), z3.RealVal(0), z3.RealVal("1/2")


def rounded(x):
    up = z3.ToInt(x + HALF)
    tie = z3.And(z3.ToReal(up) == x + HALF, up % 2 != 0)
    return z3.ToReal(z3.If(tie, up - 1, up))


KINDS = [
    ("relu", {}, lambda x: z3.If(x >= 0, x, ZERO)),
    ("sign", {"at_zero": Fraction(0)}, lambda x: z3.If(x > 0, ONE, z3.If(x < 0, -ONE, ZERO))),
    ("sign", {"at_zero": Fraction(1)}, lambda x: z3.If(x >= 0, ONE, -ONE)),
    ("step", {"at_zero": Fraction(1)}, lambda x: z3.If(x >= 0, ONE, ZERO)),
    ("step", {"at_zero": Fraction(0)}, lambda x: z3.If(x > 0, ONE, ZERO)),
    ("floor", {}, lambda x: z3.ToReal(z3.ToInt(x))),
    ("ceil", {}, lambda x: -z3.ToReal(z3.ToInt(-x))),
    ("round", {"mode": "half_even"}, rounded),
    (None, {}, None),
]
RELATIONS = [("<=", le), (">=", ge), ("<", lt), (">", gt)]


def dense(rng, build, node, terms, after):
    weight = np.array([[rng.randint(-2, 2) for _ in range(after)] for _ in terms], dtype="f4")
    shift = np.array([rng.choice((-1.0, -0.5, 0.0, 0.5)) for _ in range(after)], dtype="f4")
    node = build.apply(BY_NAME["matmul"], [node, build.constant(weight)])
    node = build.apply(BY_NAME["add"], [node, build.constant(shift)])
    sums = [
        sum((z3.RealVal(int(w)) * x for w, x in zip(column, terms, strict=True)), number(b))
        for column, b in zip(weight.T.tolist(), shift.tolist(), strict=True)
    ]
    return node, sums


def number(value):
    return z3.RealVal(str(Fraction(value)))


def text_of(value):
    return format(Decimal(float(value)), "f")


def network(rng):
    op, params, meaning = rng.choice(KINDS)
    size, outputs = rng.randint(1, 6), rng.randint(1, 2)
    build = GraphBuilder()
    node, terms = build.input("x", (1, size)), [z3.Real(f"x{i}") for i in range(size)]
    inputs = terms
    if op is not None:
        node, terms = dense(rng, build, node, terms, rng.randint(1, 3))
        node, terms = build.apply(BY_NAME[op], [node], **params), list(map(meaning, terms))
    node, terms = dense(rng, build, node, terms, outputs)
    return build.build({"y": node}), inputs, terms


def question(rng, graph, inputs, outputs):
    """A property in VNN-LIB and for z3."""
    lines = [f"(declare-const X_{i} Real)" for i in range(len(inputs))]
    lines += [f"(declare-const Y_{j} Real)" for j in range(len(outputs))]
    conditions = []

    def demand(left, relation, right):
        word, holds = relation
        lines.append(f"(assert ({word} {left[0]} {right[0]}))")
        conditions.append(holds(left[1], right[1]))

    def constant(value):
        return text_of(value), number(value)

    ends = [(rng.choice((-1, 0, Fraction(1, 2))), rng.choice((1, 1, 3))) for _ in inputs]
    for i, (low, high) in enumerate(ends):
        own = f"X_{i}", inputs[i]
        demand(own, rng.choice(RELATIONS[1::2]), constant(low))
        if rng.random() < 0.95:
            demand(own, rng.choice(RELATIONS[::2]), constant(low if rng.random() < 0.1 else high))
    for _ in range(rng.choice((0, 0, 1, 2)) if len(inputs) > 1 else 0):
        i, j = rng.sample(range(len(inputs)), 2)
        demand((f"X_{i}", inputs[i]), rng.choice(RELATIONS), (f"X_{j}", inputs[j]))
    # values that are taken at a corner or in the middle are only touched, as often as not
    at = [rng.choice((low, high, Fraction(low + high) / 2)) for low, high in ends]
    array = np.array([list(map(Fraction, at))], dtype=object)
    values = exact_values(graph, {"x": array})["y"].reshape(-1).tolist()
    for _ in range(rng.randint(1, 2)):
        j = rng.randrange(len(outputs))
        right = constant(rng.choice((values[j], Fraction(rng.randint(-6, 6), 2))))
        if rng.random() < 0.3:
            demand((f"Y_{j}", outputs[j]), RELATIONS[0], right)
            demand((f"Y_{j}", outputs[j]), RELATIONS[1], right)
        else:
            demand((f"Y_{j}", outputs[j]), rng.choice(RELATIONS), right)
    return "\n".join(lines), conditions


@pytest.mark.parametrize("seed", range(COUNT))
def test_answers_are_those_of_z3(seed):
    rng = random.Random(seed)
    graph, inputs, outputs = network(rng)
    text, conditions = question(rng, graph, inputs, outputs)
    spec = parse_vnnlib(text)
    answer = verify(graph, spec, timeout=20, seed=seed)
    solver = z3.Solver()
    solver.add(*conditions)
    assert {"holds": "unsat", "violated": "sat"}[answer.status] == str(solver.check()), text
    if isinstance(answer, Violated):
        array = np.array([answer.witness.inputs], dtype=object)
        values = exact_values(graph, {"x": array})["y"].reshape(-1).tolist()
        assert spec.unsafe(answer.witness.inputs, values)


def test_hundreds_of_regions_share_what_is_known():
    rng = random.Random(3)
    declared = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)"
    build = GraphBuilder()
    node = build.input("x", (1, 2))
    made = np.random.default_rng(0)
    for before, after in ((2, 12), (12, 8), (8, 1)):
        weight = build.constant(made.normal(size=(before, after)).astype(np.float32))
        node = build.apply(BY_NAME["matmul"], [node, weight])
        node = build.apply(BY_NAME["relu"], [node]) if after > 1 else node
    graph = build.build({"y": node})
    points = [(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(300)]
    values = [float(exact_values(graph, {"x": np.array([p])})["y"].reshape(-1)[0]) for p in points]

    def regions(gap):
        cases = " ".join(
            f"(and (>= X_0 {x - 0.05:.6f}) (<= X_0 {x + 0.05:.6f}) (>= X_1 {y - 0.05:.6f})"
            f" (<= X_1 {y + 0.05:.6f}) (>= Y_0 {value + gap:.6f}))"
            for (x, y), value in zip(points, values, strict=True)
        )
        return parse_vnnlib(f"{declared}(assert (or {cases}))")

    assert verify(graph, regions(40), timeout=20).status == "holds"
    found = verify(graph, regions(-1e-3), timeout=20)
    assert found.status == "violated"


# regions without points, though their boxes have some
EMPTY = (
    "(> X_0 0.5) (< X_0 0.5) (>= Y_0 0)",
    "(>= X_0 0) (<= X_0 0) (< X_0 0.000) (>= Y_0 0)",
    "(>= X_0 0) (<= X_0 1) (<= Y_0 -1) (>= Y_0 -1) (< Y_0 -1)",
    "(>= X_0 0) (<= X_0 1) (> (+ X_0 X_0 Y_0) 1) (< (+ Y_0 (* 2 X_0)) 1)",
)


def test_rows_that_contradict_each_other_before_a_sigmoid():
    build = GraphBuilder()
    graph = build.build({"y": build.apply(BY_NAME["sigmoid"], [build.input("x", (1, 2))])})
    inputs = "".join(f"(declare-const X_{i} Real)(assert (<= 0 X_{i} 1))" for i in (0, 1))
    outputs = "(declare-const Y_0 Real)(declare-const Y_1 Real)"
    for bound, status in (("0.625", "holds"), ("0.6", "violated")):
        rows = f"(and (< Y_1 0.625) (> Y_1 Y_0) (> Y_1 {bound}))"
        answer = verify(graph, parse_vnnlib(f"{inputs}{outputs}(assert {rows})"), timeout=20)
        assert answer.status == status, answer


@pytest.mark.parametrize(
    ("rows", "rests_on"),
    [
        # two rows about outputs exclude each other, wherever the inputs are
        ("(>= X_0 0) (> Y_0 -1) (<= Y_0 -2)", "recomputation"),
        # an interval that is unbounded on one side
        ("(>= X_0 0) (< Y_0 -0.1)", "outward rounding"),
        *((rows, "certificate") for rows in EMPTY),
    ],
)
def test_rows_that_contradict_each_other(rows, rests_on):
    build = GraphBuilder()
    node = build.input("x", (1, 1))
    for op in ("matmul", "floor", "matmul"):
        weights = [build.constant(np.array([[0.1]], dtype="f4"))] if op == "matmul" else []
        node = build.apply(BY_NAME[op], [node, *weights])
    text = f"(declare-const X_0 Real) (declare-const Y_0 Real) (assert (and {rows}))"
    answer = verify(build.build({"y": node}), parse_vnnlib(text), timeout=20, certify=True)
    assert (answer.status, answer.rests_on) == ("holds", rests_on)
