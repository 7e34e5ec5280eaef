"""Planes above rectifiers of sums: what they show, at the edges, and what is refused."""

import random
from fractions import Fraction

import pytest

from tamecheck import ops
from tamecheck.ir.graph import GraphBuilder
from tamecheck.kernel_pwl.parts import SLOPE, plane
from tests.kernel_pwl.test_split_rules import (
    ABS,
    at_most,
    certificate,
    graph_of,
    region,
    verdict,
)


def beside(weights=((1, -1), (1, -1)), part=1):
    """The difference part x - max(x + y, 0), by a matrix that gives x + y twice, once negated."""
    build = GraphBuilder()
    x = build.input("x", (2,))
    bent = build.apply(ops.RELU, [build.apply(ops.MATMUL, [x, build.constant(weights)])])
    own = build.apply(ops.MATMUL, [x, build.constant([[part], [0]])])
    first = build.apply(ops.MATMUL, [bent, build.constant([[1], [0]])])
    return graph_of(build, build.apply(ops.SUB, [own, first]))


BESIDE, ONE = beside(), 1 << 26
THIRDS = [[Fraction(1, 3)] * 2] * 2


def over(*slopes, group=1, element=0):
    """Close the only case, with a plane above one rectifier."""
    return [["combine", 0, [[0, 1]], [], [[group, element, *slopes]]]]


@pytest.mark.parametrize(
    ("model", "bound", "strict", "slopes", "why"),
    [
        # max(x + y, 0) <= x + 1 on [-1, 1]^2, and it is reached; the chord is x/2 + y/2 + 1
        (BESIDE, "-1", True, (0, 0, ONE, 0), ""),
        (BESIDE, "-1", False, (0, 0, ONE, 0), "the rows may all hold"),
        (BESIDE, "-1", True, (0, 0, ONE - 1, 0), "the rows may all hold"),
        (BESIDE, "-1", True, (0, 0, ONE, 1), "the rows may all hold"),
        (BESIDE, "-1", True, (0, 1, ONE, 0), "the rows may all hold"),
        (BESIDE, "-1", True, (1, 0, ONE, 0), "the rows may all hold"),
        (BESIDE, "-1", True, (0, 0, 0, ONE), "the rows may all hold"),
        (BESIDE, "-2", True, (0, 0, ONE // 2, ONE // 2), ""),
        (BESIDE, "-3/2", True, (0, 0, ONE // 2, ONE // 2), "the rows may all hold"),
        # 0, above by what is largest
        (BESIDE, "-3", True, (0, 0, 0, 0), ""),
        # weights of 1/3 are rounded down: a unit of 2^-20 for each of two variables
        (beside(THIRDS, Fraction(1, 3)), "-1/3", True, (0, 0, ONE, 0), "the rows may all hold"),
        (beside(THIRDS, Fraction(1, 3)), "-333337/1000000", True, (0, 0, ONE, 0), ""),
        (BESIDE, "-1", True, (ONE, 0, ONE, 0), "the rows may all hold"),
        (BESIDE, "-2", True, (ONE // 2, ONE // 2, ONE // 2, ONE // 2), ""),
        (BESIDE, "-1", True, (0, 0, ONE), "one slope, or two and one a term, were expected"),
        (BESIDE, "-1", True, (0, 0, ONE, 0, 0), "one slope, or two and one a term, were expected"),
        (BESIDE, "-1", True, (), "3 integers were expected"),
        (BESIDE, "-1", True, (0, 0, ONE + 1, 0), "a slope is not in [0, 1]"),
        (BESIDE, "-1", True, (0, -1, ONE, 0), "a slope is not in [0, 1]"),
        (ABS, "-3", True, (0, 0, ONE), "the argument is no sum"),
    ],
)  # fmt: skip
def test_a_plane_above(model, bound, strict, slopes, why):
    asked = region(["-1", "-1"], ["1", "1"], [at_most(bound, [0, "1"], strict=strict)])
    step = None if not why else 0
    expected = ("invalid" if why else "valid", step, why)
    assert verdict(certificate(model, [asked], [over(*slopes)])) == expected


def test_a_plane_above_that_is_not_needed():
    # where a line below is needed, the default one: max(x + y, 0) >= x + y, or 0
    asked = region(["-1", "-1"], ["1", "1"], [at_most("-1", [0, "-1"], strict=True)])
    document = certificate(BESIDE, [asked], [over(0, 0, ONE, 0)])
    assert verdict(document)[0] == "valid"
    document["claim"]["regions"][0]["unsafe"][0][0]["bound"] = "-999/1000"
    assert verdict(document)[0] == "invalid"


@pytest.mark.parametrize(
    ("proof", "accepted"),
    [
        ([["bound", 1], *over(ONE // 2, ONE // 2, ONE // 2, ONE // 2, group=2)], True),
        ([["bound", 1], *over(0, 0, ONE // 2, ONE // 2, group=2)], False),
        ([["bound", 1], *over(ONE // 2, 0, ONE // 2, ONE // 2, group=2)], False),
        ([["bound", 1], *over(0, ONE // 2, ONE // 2, ONE // 2, group=2)], True),
        (over(ONE // 2, ONE // 2, ONE // 2, ONE // 2, group=2), False),
    ],
)
def test_a_plane_above_where_the_sum_has_bounds(proof, accepted):
    # u + v <= 1 for u = max(x, 0) and v = max(-x, 0), so that max(u + v - 1/2, 0) <= (u + v)/2
    build = GraphBuilder()
    x = build.input("x", (1,))
    bent = build.apply(ops.RELU, [build.apply(ops.MATMUL, [x, build.constant([[1, -1]])])])
    total = build.apply(ops.MATMUL, [bent, build.constant([1, 1])])
    top = build.apply(ops.RELU, [build.apply(ops.SUB, [total, build.constant(Fraction(1, 2))])])
    half = build.apply(ops.MUL, [total, build.constant(Fraction(1, 2))])
    asked = region(["-1"], ["1"], [at_most("0", [0, "1"], strict=True)])
    model = graph_of(build, build.apply(ops.SUB, [half, top]))
    assert (verdict(certificate(model, [asked], [proof]))[0] == "valid") is accepted


def test_a_plane_is_above_at_all_points():
    rng, kept = random.Random(1), 0
    for _ in range(300):
        n, shift = rng.randint(0, 3), rng.choice([0, 3])
        row = [rng.randint(-9, 9) for _ in range(n)]
        box = [(a, a + rng.randint(0, 20)) for a in (rng.randint(-20, 10) for _ in range(n))]
        low, most = rng.randint(-40, -1), rng.randint(-30, 30)
        chosen = [rng.choice([0, ONE, rng.randint(0, ONE)]) for _ in range(n + 2)]
        ends = (low, rng.randint(1, 40))
        p, q = plane(row, box, ends, chosen, (most, shift))
        for _ in range(20):
            y = [rng.choice([a, b, rng.randint(a, b)]) for a, b in box]
            c = most - rng.choice([0, 0, rng.randint(0, 9)])
            z = Fraction(sum(w * v for w, v in zip(row, y, strict=True)), 1 << shift) + c
            if ends[0] <= z <= ends[1]:
                kept += 1
                linear = Fraction(sum(a * v for a, v in zip(p, y, strict=True)), ONE << shift)
                assert max(z, 0) <= linear + q
    assert kept > 1000
    assert SLOPE == 26


@pytest.mark.parametrize(
    ("bound", "why"), [("-1", "the rows may all hold"), ("-100001/100000", "")]
)
def test_a_plane_above_what_floats_execute(bound, why):
    asked = region(["-1", "-1"], ["1", "1"], [at_most(bound, [0, "1"], strict=True)])
    document = certificate(BESIDE, [asked], [over(0, 0, ONE, 0)], 200, 60)
    document["claim"]["arithmetic"] = "float32"
    assert verdict(document)[2] == why
