"""Networks that sign or round: what holds has a certificate, at jumps and for empty regions too."""

import itertools
import random
from fractions import Fraction

import numpy as np
import pytest

from tamecheck.budget import Budget
from tamecheck.evaluate import exact_values
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName
from tamecheck.loaders.text.vnnlib import parse_vnnlib
from tamecheck.ops import BY_NAME
from tamecheck.verification import Holds, Unknown, verify
from tamecheck.verification.integers import branch
from tamecheck.verification.rectify import rectify
from tamecheck.verification.split_proofs import SplitProofs

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
TOWARDS_ZERO = "round", {"mode": "toward_zero"}
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


def test_splits_are_not_asked_about_a_case_without_rows():
    """Of which every point is unsafe, be it that none is of a declared type."""
    graph = network(([[1, -1]], [0, 0]), ([[1, 0], [0, 1]], [0, 0]), op=[SIGN])
    point = "(>= X_0 0.25) (<= X_0 0.75)"
    outputs = "(declare-const Y_0 Real)(declare-const Y_1 Real)"
    for more, found in (("", False), ("(>= Y_0 2)", True)):
        spec = parse_vnnlib(
            f"(declare-const X_0 Real){outputs}"
            f"(assert (or (and {point} (<= Y_1 -2)) (and {point} {more})))"
        )
        assert (SplitProofs.of(graph, spec) is not None) == found


def test_roundings_of_huge_numbers_are_no_integers_of_64_bits():
    graph = network(([[1, -1]], [0, 0]), ([[1, 0], [0, 1]], [0, 0]), op=[FLOOR])
    for least, status in (("-1e301", "holds"), ("-1e299", "violated")):
        spec = parse_vnnlib(
            region((-(10**300), "<=", 10**300, "<=")) + f"(assert (<= Y_0 {least}))"
        )
        assert verify(graph, spec, timeout=20).status == status


def test_what_holds_of_one_part_between_integers_has_no_certificate_of_that_part():
    graph = network(([[1], [1]], [0]), ([[1]], [0]), op=[FLOOR])
    one = Fraction(1)
    row = Inequality(((0, one), (1, one)), (), Fraction(1024))
    high = Inequality((), ((0, -one),), Fraction(-2000))
    case = Case((Fraction(0),) * 2, (Fraction(2048), Fraction(0)), (row,), (high,))
    tensors = TensorName("X", (1, 2), element_type="int16"), TensorName("Y", (1, 1))
    spec = Specification(tensors[:1], tensors[1:], (case,))
    # the half from 1025 is counted, and no input of it is in the region
    asked = [Unknown("", 0.0), Holds("", "", 0.0, certificate={})]
    found = branch(lambda *_: asked.pop(0), graph, spec, Budget(), None)
    assert isinstance(found, Holds)
    assert found.certificate is None
    assert not asked


def random_question(seed):
    """One or two layers of jumps, and a bound at, or next to, what is attained at points of a grid.

    All numbers are sums of powers of two.
    """
    rng, build = random.Random(seed), GraphBuilder()
    inputs, unit = rng.randint(1, 6), Fraction(1, rng.choice([1, 2, 4]))
    node, before = build.input("x", (1, inputs)), inputs

    def numbers(rows, columns):
        return build.constant(
            [[rng.randint(-6, 6) * unit for _ in range(columns)] for _ in range(rows)]
        )

    for _ in range(rng.randint(1, 2)):
        width = rng.randint(1, 4 if inputs > 3 else 6)
        node = build.apply(BY_NAME["matmul"], [node, numbers(before, width)])
        node = build.apply(BY_NAME["add"], [node, numbers(1, width)])
        jumps = [("sign", {"at_zero": Fraction(rng.randint(-1, 1))}), FLOOR, ("ceil", {}), ROUND]
        name, params = rng.choice([*jumps, ("step", {"at_zero": Fraction(rng.randint(0, 1))})])
        node, before = build.apply(BY_NAME[name], [node], **params), width
    graph = build.build({"y": build.apply(BY_NAME["matmul"], [node, numbers(before, 2)])})
    lower = [rng.randint(-4, 2) * unit for _ in range(inputs)]
    widths = [rng.randint(0, 6) * unit for _ in range(inputs)]
    values = []
    for _ in range(60):
        parts = [Fraction(rng.randint(0, 8), 8) for _ in range(inputs)]
        x = [a + w * t for a, w, t in zip(lower, widths, parts, strict=True)]
        values.append(exact_values(graph, graph.split(x))["y"][0, 0])
    ends = [(float(a), "<=", float(a + w), "<=") for a, w in zip(lower, widths, strict=True)]
    bound = max(values) + rng.choice([0, 0, unit, 1])
    order = f"(assert (<= X_0 X_{inputs - 1}))" if rng.random() < 0.3 else ""
    return graph, f"{region(*ends)}{order}(assert ({rng.choice(['>', '>='])} Y_0 {float(bound)}))"


def random_choice(seed):
    """Elements that a comparison chooses, among what is compared and numbers; or equalities."""
    rng, build = random.Random(seed), GraphBuilder()

    def numbers(*shape):
        return build.constant(np.array([rng.randint(-4, 4) / 4 for _ in range(3)]).reshape(shape))

    def linear(node):
        weight = [[rng.randint(-3, 3) / 2 for _ in range(3)] for _ in range(3)]
        node = build.apply(BY_NAME["matmul"], [node, build.constant(weight)])
        return build.apply(BY_NAME["add"], [node, numbers(1, 3)])

    x = build.input("x", (1, 3))
    compared = [linear(x), rng.choice([numbers(1, 3), linear(x)])]
    rng.shuffle(compared)
    test = build.apply(BY_NAME[rng.choice(["less", "less_equal"])], compared)
    branches = [rng.choice([*compared, numbers(1, 3)]) for _ in range(2)]
    if rng.random() < 0.3:
        node = linear(build.apply(BY_NAME["equal"], compared))
    else:
        node = linear(build.apply(BY_NAME["select"], [test, *branches]))
    name, params = rng.choice([("floor", {}), ("relu", {}), ("neg", {}), TOWARDS_ZERO])
    return build.build({"y": build.apply(BY_NAME[name], [node], **params)})


@pytest.mark.parametrize("seed", range(12))
def test_choices_by_comparisons_are_decided_and_certified(seed):
    graph, rng = random_choice(seed), random.Random(seed)
    read = rectify(graph)
    values = []
    for point in itertools.product([-1, -0.5, 0, 0.25, 1], repeat=3):
        inputs = graph.split(list(map(Fraction, point)))
        found = exact_values(graph, inputs)["y"]
        values.append(found[0, 0])
        # of two variables that are compared neither is chosen beside a number
        assert read is None or (exact_values(read.graph, inputs)["y"] == found).all()
    bound = max(values) + rng.choice([0, 0.125])
    ends = region(*[(-1, "<=", 1, "<=")] * 3) + " (declare-const Y_2 Real)"
    answer = verify(
        graph, parse_vnnlib(f"{ends}(assert (> Y_0 {float(bound)}))"), timeout=60, certify=True
    )
    assert not isinstance(answer, Unknown)
    if read is not None and isinstance(answer, Holds):
        assert answer.rests_on == "certificate", answer.note


@pytest.mark.parametrize("op", ["floor", "ceil", "round"])
def test_what_rounds_an_integer_is_the_identity(op):
    """Whose value is bound to its argument: ``op(s) - s`` is 0 for a sum s of signs."""
    build = GraphBuilder()
    whole, x = build.constant([[1, -2], [3, 1]]), build.input("x", (1, 2))
    signs = build.apply(BY_NAME["sign"], [x], at_zero=Fraction(0))
    total = build.apply(BY_NAME["matmul"], [signs, whole])
    same = build.apply(BY_NAME[op], [total], **({"mode": "half_even"} if op == "round" else {}))
    graph = build.build({"y": build.apply(BY_NAME["sub"], [same, total])})
    ends = region(*[(-1, "<=", 1, "<=")] * 2)
    spec = parse_vnnlib(f"{ends}(assert (or (> Y_0 0) (< Y_1 0)))")
    answer = verify(graph, spec, timeout=60, certify=True)
    assert answer.rests_on == "certificate", answer
    # halves of signs are none
    half = build.apply(BY_NAME["mul"], [total, build.constant(0.5)])
    rounded = build.apply(BY_NAME[op], [half], **({"mode": "half_even"} if op == "round" else {}))
    other = build.build({"y": build.apply(BY_NAME["sub"], [rounded, half])})
    row = "(< Y_0 0)" if op == "floor" else "(> Y_0 0)"
    assert verify(other, parse_vnnlib(f"{ends}(assert {row})"), timeout=60).status == "violated"


@pytest.mark.parametrize("seed", range(9))
def test_random_questions_about_jumps_are_decided_and_certified(seed):
    graph, text = random_question(seed)
    answer = verify(graph, parse_vnnlib(text), timeout=60, seed=seed, certify=True)
    assert not isinstance(answer, Unknown)
    assert not isinstance(answer, Holds) or answer.rests_on == "certificate", answer.note
