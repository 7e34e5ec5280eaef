"""Networks that sign or round: what holds has a certificate, at jumps and for empty regions too."""

from fractions import Fraction

import numpy as np
import pytest

from tamecheck.ir.graph import GraphBuilder
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.ops import BY_NAME
from tamecheck.verification import Holds, verify

THIRD, TENTH = 1 / 3, 0.1
INPUTS = "(declare-const X_{0} Real) (assert (and ({2} {1} X_{0}) ({4} X_{0} {3})))"


def network(*layers, op):
    """Alternating sums and jumps, in float32; the last layer is a sum."""
    build = GraphBuilder()
    node = build.input("x", (1, len(layers[0][0])))
    for k, (weight, bias) in enumerate(layers):
        for name, values in (("matmul", weight), ("add", bias)):
            node = build.apply(BY_NAME[name], [node, build.constant(np.array(values, dtype="f4"))])
        if k + 1 < len(layers):
            name, params = op[k]
            node = build.apply(BY_NAME[name], [node], **params)
    return build.build({"y": node})


def region(*ends):
    lines = [INPUTS.format(i, *one) for i, one in enumerate(ends)]
    return "\n".join([*lines, "(declare-const Y_0 Real) (declare-const Y_1 Real)"])


FLOOR, SIGN, ROUND = (
    ("floor", {}),
    ("sign", {"at_zero": Fraction(0)}),
    ("round", {"mode": "half_even"}),
)
CASES = {
    "a point on a jump": (
        network(([[-1, 1, 0]], [0.5, -1, 0]), ([[1, 2], [2, -1], [1, -2]], [-1, 0]), op=[FLOOR]),
        region((0.5, "<=", 0.5, "<=")),
        "(assert (or (< Y_1 1) (< Y_0 Y_0) (< Y_1 -2) (> Y_1 2.5)))",
    ),
    "a value that only the point between has": (
        network(([[-1], [-1], [2]], [TENTH]), ([[1.25, -1]], [-1, TENTH]), op=[SIGN]),
        region((-1, "<=", 1, "<"), (0.5, "<=", 1, "<"), (-1, "<", 1, "<")),
        "(assert (= Y_1 0))",
    ),
    "a region that is empty by strictness": (
        network(([[1], [2]], [0]), ([[1, -1]], [0, 0]), op=[ROUND]),
        region((0, "<=", 0, "<"), (-1, "<", 1, "<")),
        "(assert (and (= Y_0 Y_1) (= Y_1 Y_0)))",
    ),
    "an end that is left out and a row that is strict": (
        network(([[-1]], [0]), ([[1, 1]], [0, 0]), op=[SIGN]),
        region((0, "<=", 1, "<=")),
        "(assert (and (>= Y_0 -0.5) (> X_0 0)))",
    ),
    "two ends that are left out": (
        network(([[-1, 1]], [0, 0]), ([[1, 0], [0, 1]], [0, 0]), op=[SIGN]),
        region((-1, "<=", 1, "<=")),
        "(assert (and (>= Y_0 1) (>= Y_1 1)))",
    ),
    "two layers, one split where the other is known": (
        network(
            (
                [
                    [-THIRD, TENTH],
                    [-THIRD, 2],
                    [-1, 0.3],
                    [0.8381869792938232, THIRD],
                    [1.25, -THIRD],
                ],
                [-1, 0.5],
            ),
            (
                [[-0.7, -1, -1.1587884426116943, TENTH], [TENTH, 2, -THIRD, -THIRD]],
                [0, 0, 0, -0.5],
            ),
            ([[-0.7, 0], [-0.33786916732788086, 0], [0.3, 0], [0.3, 0]], [0, 0]),
            op=[FLOOR, ROUND],
        ),
        region(
            (0, "<", 1, "<="),
            (-1, "<=", 1, "<="),
            (0, "<=", 1, "<="),
            (-1, "<=", 1, "<="),
            (0, "<=", 1, "<="),
        ),
        "(assert (and (>= X_1 0) (> Y_0 1)))",
    ),
}


SLOW = {"two layers, one split where the other is known"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in CASES]
)
def test_what_holds_of_jumps_has_a_certificate(name):
    graph, inputs, unsafe = CASES[name]
    answer = verify(graph, parse_vnnlib(f"{inputs}\n{unsafe}"), timeout=60, certify=True)
    assert isinstance(answer, Holds), answer
    assert answer.rests_on == "certificate", answer.note
