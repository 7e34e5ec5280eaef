"""Random small networks and random properties, against dense rational sampling.

The networks have small integer weights, so that their kinks, jumps and thin unsafe sets lie on the
grid of points that are tried: what holds has no unsafe point there, and a witness is unsafe by an
exact evaluation.  ``TAMECHECK_FUZZ=N`` takes N networks instead of a few.
"""

import os
import random
from fractions import Fraction
from itertools import islice, product

import numpy as np
import pytest

from tamecheck.evaluate import exact_values
from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.ops import BY_NAME
from tamecheck.verification import Holds, Unknown, Violated, verify

COUNT = int(os.environ.get("TAMECHECK_FUZZ", "60"))
KINDS = {
    "linear": None,
    "relu": {},
    "sign": {"at_zero": Fraction(0)},
    "step": {"at_zero": Fraction(1)},
    "floor": {},
    "round": {"mode": "half_even"},
    "clip": {"lo": Fraction(-1), "hi": Fraction(3, 2)},
    "abs": {},
    "maximum": {},
}


def network(rng):
    kind, inputs, outputs = rng.choice(list(KINDS)), rng.randint(1, 6), rng.randint(1, 2)
    build = GraphBuilder()
    node = build.input("x", (1, inputs))
    width = inputs
    for after in [] if kind == "linear" else [rng.randint(1, 3)]:
        node = dense(build, rng, node, width, after)
        if kind == "maximum":
            node = build.apply(BY_NAME[kind], [node, dense(build, rng, node, after, after)])
        else:
            node = build.apply(BY_NAME[kind], [node], **KINDS[kind])
        width = after
    node = dense(build, rng, node, width, outputs)
    return build.build({"y": node}), inputs, outputs


def dense(build, rng, node, before, after):
    weight = [[rng.randint(-2, 2) for _ in range(after)] for _ in range(before)]
    shift = [rng.choice((-1.0, -0.5, 0.0, 0.0, 0.5, 1.0)) for _ in range(after)]
    node = build.apply(BY_NAME["matmul"], [node, build.constant(np.array(weight, dtype="f4"))])
    return build.apply(BY_NAME["add"], [node, build.constant(np.array(shift, dtype="f4"))])


def property_text(rng, inputs, outputs):
    lines = [f"(declare-const X_{i} Real)" for i in range(inputs)]
    lines += [f"(declare-const Y_{j} Real)" for j in range(outputs)]
    for i in range(inputs):
        low = rng.choice((-1, -1, 0, "0.5"))
        high = rng.choice((low, 1, 1, 1))
        below, above = (rng.choice(("<=", "<=", "<")) for _ in "lh")
        lines.append(f"(assert (and ({below} {low} X_{i}) ({above} X_{i} {high})))")
    shape = rng.choice(("none", "one", "one", "and", "or", "thin", "mixed"))
    if shape == "none":
        return "\n".join(lines)
    relation = {"thin": ["="]}.get(shape, ["<=", ">=", "<", ">"])

    def atom():
        left = f"Y_{rng.randrange(outputs)}"
        right = rng.choice(
            [
                str(Fraction(rng.randint(-6, 6), 2).limit_denominator()),
                f"Y_{rng.randrange(outputs)}",
            ]
        )
        if "/" in right:
            right = str(float(Fraction(right)))
        if rng.random() < 0.2:
            left = f"(+ {left} (* 0.5 X_{rng.randrange(inputs)}))"
        return f"({rng.choice(relation)} {left} {right})"

    atoms = [atom() for _ in range(1 if shape == "one" else rng.randint(1, 4))]
    if shape == "mixed":
        atoms = [
            f"(and (>= X_{rng.randrange(inputs)} {rng.choice((-1, 0, '0.25'))}) {one})"
            for one in atoms
        ]
    word = "or" if shape in ("or", "mixed") else "and"
    return "\n".join([*lines, f"(assert ({word} {' '.join(atoms)}))"])


def grid(spec, rng, size):
    """Points with coordinates in eighths, and random ones, inside the hull of the property."""
    if not spec.cases:
        return
    axes = [
        [low + (high - low) * Fraction(k, 8) for k in range(9)]
        for low, high in zip(*spec.hull(), strict=True)
    ]
    few = [axis[:: (1, 1, 2, 4, 8, 8)[size - 1]] for axis in axes]
    yield from islice(product(*few), 1000)
    for _ in range(150):
        yield tuple(rng.choice(axis) for axis in axes)


def outputs_at(graph, point):
    array = np.array(point, dtype=object).reshape(1, -1)
    return exact_values(graph, {"x": array})["y"].reshape(-1).tolist()


@pytest.mark.parametrize("seed", range(COUNT))
def test_no_sampled_point_refutes_what_holds_and_a_witness_is_unsafe(seed):
    rng = random.Random(seed)
    graph, inputs, outputs = network(rng)
    text = property_text(rng, inputs, outputs)
    spec = parse_vnnlib(text)
    answer = verify(graph, spec, timeout=10, seed=seed)
    assert not isinstance(answer, Unknown), (answer, text)
    if isinstance(answer, Violated):
        point = answer.witness.inputs
        assert answer.rests_on == "replay"
        assert spec.unsafe(point, outputs_at(graph, point)), (answer, text)
    else:
        assert isinstance(answer, Holds)
        assert answer.rests_on == "recomputation"
        unsafe = [p for p in grid(spec, rng, inputs) if spec.unsafe(p, outputs_at(graph, p))]
        assert unsafe == [], (answer, text)
