"""Properties of pairs over a box: witnesses are exact, and what holds is not contradicted."""

from fractions import Fraction

import numpy as np
import pytest

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.box import Box
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.tensor import Tensor
from tamecheck.verification.pair_answers import said_of
from tamecheck.verification.pairs import verify_pairs
from tamecheck.verification.witness import exact_outputs

BOX = Box.uniform(["x"], Fraction(-1), Fraction(1))
GRID = [Fraction(k, 3) for k in range(-3, 4)]


def rectifiers(rng, inputs, hidden, outputs):
    builder = GraphBuilder()
    x = builder.input("x", (1, inputs))

    def affine(node, shape):
        weight = builder.constant(Tensor.of(rng.integers(-2, 3, size=shape)))
        offset = builder.constant(Tensor.of(rng.integers(-2, 3, size=(1, shape[1]))))
        return builder.apply(ops.ADD, [builder.apply(ops.MATMUL, [node, weight]), offset])

    found = builder.apply(ops.RELU, [affine(x, (inputs, hidden))])
    return builder.build([("y", affine(found, (hidden, outputs)))])


@pytest.mark.parametrize("block", range(4))
def test_answers_are_not_contradicted(block):
    seen = set()
    for seed in range(10 * block, 10 * block + 10):
        rng = np.random.default_rng(seed)
        count, outputs = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        graph = rectifiers(rng, count, int(rng.integers(1, 4)), outputs)
        chosen = rng.choice(count, size=rng.integers(1, count + 1), replace=False).tolist()
        signs = {k: "=" if seed % 2 else "+-"[rng.integers(2)] for k in chosen}
        found = verify_pairs(graph, BOX, signs, timeout=20)
        seen.add(found.verdict)

        def say(point, graph=graph, of=found.of):
            return said_of(exact_outputs(graph, point), of)

        def breaks(first, other, signs=signs, say=say):
            return say(other) != say(first) if "=" in signs.values() else say(other) < say(first)

        if found.verdict == "violated":
            first, other = found.witness.inputs, found.witness.other_inputs
            assert breaks(first, other)
            assert len(found.witness.changed) == 1
            for k, (a, b) in enumerate(zip(first, other, strict=True)):
                assert -1 <= min(a, b) <= max(a, b) <= 1
                assert {"+": a <= b, "-": a >= b, "=": True}.get(signs.get(k), a == b)
            continue
        for _ in range(40):
            first = [GRID[k] for k in rng.integers(7, size=count)]
            other = list(first)
            for k, sign in signs.items():
                ends = {"+": (first[k], 1), "-": (-1, first[k]), "=": (-1, 1)}[sign]
                allowed = [v for v in GRID if ends[0] <= v <= ends[1]]
                other[k] = allowed[rng.integers(len(allowed))]
            assert not breaks(first, other), seed
    assert seen == {"holds", "violated"}


def test_groups_take_their_alternatives_together():
    builder = GraphBuilder()
    x = builder.input("x", (3,))
    weight = builder.constant(Tensor.of(np.array([1, 1, 0])))
    graph = builder.build([("y", builder.apply(ops.MATMUL, [x, weight]))])
    one, none = (Fraction(1), Fraction(1)), (Fraction(0), Fraction(0))
    kinds = [{0: one, 1: none}, {0: none, 1: one}]
    unit = Box.uniform(["x"], Fraction(0), Fraction(1))
    # of the two elements one is 1: their sum does not tell which
    held = verify_pairs(graph, unit, {0: "=", 1: "="}, of="score", parts=[kinds])
    assert held.verdict == "holds"
    assert verify_pairs(graph, unit, {0: "=", 1: "="}, of="score").verdict == "violated"


@pytest.mark.parametrize(
    ("signs", "of"), [({}, None), ({0: "=", 1: "+"}, None), ({9: "+"}, None), ({0: "+"}, "score")]
)
def test_questions_that_are_none_are_refused(signs, of):
    graph = rectifiers(np.random.default_rng(0), 2, 2, 2)
    with pytest.raises(InputError):
        verify_pairs(graph, BOX, signs, of=of)
