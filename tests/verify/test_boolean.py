"""Properties that force inputs to two values: brute force over the values, and false proofs."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

import tamecheck as tc
from tamecheck import ops
from tamecheck.budget import Budget
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName
from tamecheck.verification.boolean import (
    clauses_of,
    rectified,
    search_clauses,
)
from tamecheck.verification.propagation import is_refutation


def formula_network(clauses, size, low, high):
    """Outputs: what the clauses miss, and Σ over inputs of the distance from both ends.

    Literal i+1 is true at the upper end of input i; a clause is a rectifier that is 0 where one of
    its literals is true.
    """
    width = high - low
    weights, biases, outer = [], [], [[], []]
    for clause in clauses:
        row, bias = [Fraction(0)] * size, Fraction(1)
        for literal in clause:
            i = abs(literal) - 1
            # (x - low)/width for a positive literal, 1 - that for a negative one
            sign = 1 if literal > 0 else -1
            row[i] -= sign / width
            bias -= (0 if literal > 0 else 1) - sign * low / width
        weights.append(row)
        biases.append(bias)
        outer[0].append(1)
        outer[1].append(0)
    for i in range(size):
        for slope, offset, factor in ((1, -low, 1), (2, -(low + high), -1)):
            weights.append([Fraction(slope * (j == i)) for j in range(size)])
            biases.append(Fraction(offset))
            outer[0].append(0)
            outer[1].append(factor)
    builder = GraphBuilder()
    x = builder.input("x", (1, size))
    inner = builder.apply(ops.MATMUL, [x, builder.constant(np.array(weights, dtype=object).T)])
    hidden = builder.apply(ops.ADD, [inner, builder.constant(np.array([biases], dtype=object))])
    hidden = builder.apply(ops.RELU, [hidden])
    y = builder.apply(ops.MATMUL, [hidden, builder.constant(np.array(outer, dtype=object).T)])
    return builder.build({"y": y})


def property_of(size, low, high, most=(0, 0)):
    outputs = tuple(
        Inequality((), ((k, Fraction(1)),), Fraction(bound)) for k, bound in enumerate(most)
    )
    case = Case((Fraction(low),) * size, (Fraction(high),) * size, (), outputs)
    tensors = (TensorName("x", (1, size)),), (TensorName("y", (1, 2)),)
    return Specification(*tensors, (case,))


def is_satisfiable(clauses, size):
    return any(
        all(any((v[abs(literal) - 1] == 1) == (literal > 0) for literal in c) for c in clauses)
        for v in product((0, 1), repeat=size)
    )


@pytest.mark.parametrize("seed", range(16))
def test_random_formulas_against_brute_force(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 7))
    count = int(rng.integers(size, 6 * size))
    clauses = [
        [
            int(v) + 1 if rng.random() < 0.5 else -int(v) - 1
            for v in rng.choice(size, k, replace=False)
        ]
        for k in rng.integers(1, min(4, size + 1), count)
    ]
    low, high = [(0, 1), (-1, 1), (Fraction(1, 3), Fraction(5, 2))][seed % 3]
    graph = formula_network(clauses, size, Fraction(low), Fraction(high))
    spec = property_of(size, low, high)
    network = rectified(graph)
    assert network is not None
    found = clauses_of(network, spec.cases[0])
    assert found is not None
    point = search_clauses(found, Budget.of(20))
    if is_satisfiable(clauses, size):
        assert spec.unsafe(point, tc.evaluate.exact_values(graph, {"x": np.array([point])})["y"][0])
    else:
        assert point is False
    answer = tc.verify(graph, spec, timeout=20)
    assert answer.status == ("violated" if is_satisfiable(clauses, size) else "holds")


@pytest.mark.parametrize("seed", range(12))
def test_what_follows_holds_at_every_point_of_the_case(seed):
    """Random small networks: no sampled point of a case breaks its domains or clauses."""
    rng = np.random.default_rng(500 + seed)
    size, width = 3, 5
    weights = rng.integers(-2, 3, (size, width)) * (rng.random((size, width)) < 0.5)
    bias = rng.integers(-2, 3, (1, width))
    outer = rng.integers(-1, 3, (width, 1))
    builder = GraphBuilder()
    x = builder.input("x", (1, size))
    z = builder.apply(ops.MATMUL, [x, builder.constant(weights.astype(float))])
    z = builder.apply(ops.ADD, [z, builder.constant(bias.astype(float))])
    hidden = builder.apply(ops.RELU, [z])
    y = builder.apply(ops.MATMUL, [hidden, builder.constant(outer.astype(float))])
    graph = builder.build({"y": y})
    axis = np.arange(-4, 5) / 4
    points = np.array(list(product(axis, repeat=size)))
    values = np.maximum(points @ weights + bias, 0) @ outer
    bound = Fraction(float(np.sort(values[:, 0])[int(rng.integers(0, 60))]))
    case = Case(
        (Fraction(-1),) * size,
        (Fraction(1),) * size,
        (),
        (Inequality((), ((0, Fraction(1)),), bound),),
    )
    network = rectified(graph)
    found = None if network is None else clauses_of(network, case)
    inside = points[values[:, 0] <= float(bound)]
    assert len(inside)
    if found is None:
        return
    for point in inside:
        for value, domain in zip(point, found.domains, strict=True):
            assert any(low <= Fraction(value) <= high for low, high in domain)
        true = {
            k if Fraction(point[i]) == pair[1] else -k
            for k, (i, pair) in enumerate(zip(found.variables, found.values, strict=True), 1)
        }
        assert all(true & set(clause) for clause in found.clauses)


def test_an_inequality_that_no_point_satisfies_is_the_empty_clause():
    graph = formula_network([[1]], 1, Fraction(0), Fraction(1))
    found = clauses_of(rectified(graph), property_of(1, 0, 1, (-1, 0)).cases[0])
    assert found.clauses == ((),)


def test_networks_without_rectifiers_of_one_input_are_left_alone():
    assert rectified(tc.expression("relu(x + y) - relu(x - y)").graph) is None
    assert rectified(tc.expression("sign(x)").graph) is None
    assert rectified(tc.expression("exp(x)").graph) is None


PIGEONS = [
    [1, 2],
    [3, 4],
    [5, 6],
    *([-a, -b] for a, b in ((1, 3), (1, 5), (3, 5), (2, 4), (2, 6), (4, 6))),
]
"""Three pigeons in two holes."""


def test_a_proof_is_checked_clause_by_clause():
    budget = Budget.of(10)
    assert is_refutation(PIGEONS, [(-1,), ()], budget)
    assert not is_refutation(PIGEONS[:-1], [(-1,), ()], budget)
    # nothing learned, and unit propagation alone has nothing to begin with
    assert not is_refutation(PIGEONS, [], budget)
    # a clause that does not follow
    assert not is_refutation(PIGEONS[1:], [(1,), ()], budget)
    assert not is_refutation([[1, 2]], [(3,), (-3,), ()], budget)
    assert is_refutation([[1], [-1]], [], budget)
    assert is_refutation([[]], [], budget)


@pytest.mark.parametrize("seed", range(12))
def test_no_proof_refutes_a_formula_that_has_a_model(seed):
    rng = np.random.default_rng(900 + seed)
    size = 6
    model = rng.choice([-1, 1], size)
    clauses = []
    while len(clauses) < 24:
        clause = [int(v + 1) * int(rng.choice([-1, 1])) for v in rng.choice(size, 3, replace=False)]
        if any(literal * model[abs(literal) - 1] > 0 for literal in clause):
            clauses.append(clause)
    proof = [
        tuple(int(v + 1) * int(rng.choice([-1, 1])) for v in rng.choice(size, k, replace=False))
        for k in rng.integers(1, 4, 40)
    ]
    assert not is_refutation(clauses, proof, Budget.of(10))
