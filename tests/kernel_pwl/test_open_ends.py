"""The checker of split certificates: ends that are not attained, and lines beside what rounds."""

import math
import random
from fractions import Fraction

import pytest

from tamecheck import ops
from tamecheck.ir.graph import GraphBuilder
from tamecheck.kernel.graph import read_graph
from tamecheck.kernel_pwl.blocks import AWAY, down, up
from tamecheck.kernel_pwl.bounds import Bounds
from tamecheck.kernel_pwl.network import Network
from tests.kernel_pwl.test_split_rules import at_most, certificate, graph_of, jump, region, verdict

SLOPE = 1 << 26


def test_a_split_leaves_nothing_of_an_end_that_is_not_attained():
    # sign x <= 0, for x >= 0 where sign 0 is 1
    asked = region(["0"], ["1"], [at_most("0", [0, "1"])])
    for kind, accepted in ((1, True), (0, False), (-1, True)):
        tree = [["split", 0, 0, 0, kind], ["close", 0, 0], ["bound", 0], ["close", 0, 0]]
        document = certificate(jump(ops.SIGN), [asked], [tree])
        assert (verdict(document)[0] == "valid") is (accepted or kind == 0), kind


@pytest.mark.parametrize(
    ("op", "ends", "row", "kind"),
    [
        # the side that has the end has its value: 0 both times, which the property calls unsafe
        (ops.CEIL, ("0", "1"), at_most("1/2", [0, "1"]), 1),
        (ops.FLOOR, ("-1", "0"), at_most("1/2", [0, "-1"]), -1),
    ],
)
def test_an_end_belongs_to_the_side_that_has_it(op, ends, row, kind):
    asked = region([ends[0]], [ends[1]], [row])
    tree = [["split", 0, 0, 0, kind], *[["bound", 0], ["close", 0, 0]] * 2]
    assert verdict(certificate(jump(op), [asked], [tree]))[2] == "the rows may all hold"


@pytest.mark.parametrize(
    ("at_zero", "kind", "cut", "accepted"),
    [(-1, -1, True, True), (-1, -1, False, False), (0, -1, True, False), (0, 1, True, False)],
)
def test_bounds_leave_nothing_of_a_value_that_is_not_attained(at_zero, kind, cut, accepted):
    # sign(-x) >= 0 and x >= 0: only at 0, if sign 0 is 0
    build = GraphBuilder()
    y = build.apply(ops.NEG, [build.input("x", (1,))])
    y = build.apply(ops.SIGN, [y], at_zero=Fraction(at_zero))
    rows = at_most("0", [0, "-1"]), at_most("0", inputs=([0, "-1"],))
    tree = [["split", 1, 0, 0, kind], ["close", 0, 0], *([["cut", 0, 1]] if cut else [])]
    tree += [["bound", 0], ["close", 0, 0]]
    document = certificate(graph_of(build, y), [region(["-1"], ["1"], rows)], [tree])
    assert (verdict(document)[0] == "valid") is accepted


ONE = 1 << 28


@pytest.mark.parametrize(
    ("kinds", "below", "above", "accepted"),
    [
        ((-1, 1), ([[1, 1]], [[0, 0, ONE]]), ([], [[0, 0, -ONE], [1, 0, -ONE]]), True),
        ((-1, -1), ([[1, 1]], [[0, 0, ONE]]), ([], [[0, 0, -ONE], [1, 0, -ONE]]), False),
        ((0, 1), ([[1, 1]], [[0, 0, ONE]]), ([], [[0, 0, -ONE], [1, 0, -ONE]]), False),
        ((-1, 1), ([[1, 1]], []), ([], [[0, 0, -ONE], [1, 0, -ONE]]), False),
        ((-1, 1), ([[1, 1]], [[0, 0, 0]]), ([], [[0, 0, -ONE], [1, 0, -ONE]]), False),
        ((-1, 1), ([[1, 1]], [[0, 0, ONE]]), ([], [[0, 0, ONE], [1, 0, ONE]]), False),
        ((-1, 1), ([[1, 1]], [[0, 0, ONE]]), ([], [[0, 0, -2 * ONE], [1, 0, -ONE]]), False),
        ((-1, 1), ([[1, 1]], [[0, 0, ONE]]), ([], [[0, 0, -ONE]]), False),
        ((-1, 1), ([[1, 1]], [[0, 0, ONE]]), ([], []), False),
    ],
)
def test_an_end_of_a_multiple_that_is_not_attained_makes_the_sum_strict(
    kinds, below, above, accepted
):
    # sign(-x) >= 0 and x >= 0: where -x > 0, first below 0, then where there is no point
    build = GraphBuilder()
    y = build.apply(ops.NEG, [build.input("x", (1,))])
    y = build.apply(ops.SIGN, [y], at_zero=Fraction(-1))
    rows = at_most("0", [0, "-1"]), at_most("0", inputs=([0, "-1"],))
    closed = [["combine", 0, *one, []] for one in (below, above)]
    tree = [["split", 1, 0, 0, kinds[0]], ["close", 0, 0], ["split", 0, 0, 0, kinds[1]], *closed]
    document = certificate(graph_of(build, y), [region(["-1"], ["1"], rows)], [tree])
    assert (verdict(document)[0] == "valid") is accepted


@pytest.mark.parametrize(("bound", "accepted"), [("-1/4", True), ("0", False)])
def test_a_rectifier_of_0_alone_is_0_whatever_its_argument_is_a_sum_of(bound, accepted):
    # max(z, 0) with z = -max(x, 0), which is 0 where it is at least 0
    build = GraphBuilder()
    z = build.apply(ops.NEG, [build.apply(ops.RELU, [build.input("x", (1,))])])
    asked = region(["-1"], ["1"], [at_most(bound, [0, "1"])])
    tree = [["split", 2, 0, 0, 0], ["bound", 0], ["close", 0, 0], ["bound", 0], ["close", 0, 0]]
    document = certificate(graph_of(build, build.apply(ops.RELU, [z])), [asked], [tree])
    assert (verdict(document)[0] == "valid") is accepted


def rounded(op):
    """What a sum of two inputs is above its rounding, and minus that."""
    build, params = GraphBuilder(), {ops.ROUND: {"mode": "half_even"}}
    z = build.apply(ops.MATMUL, [build.input("x", (2,)), build.constant([[1], [1]])])
    y = build.apply(ops.SUB, [z, build.apply(op, [z], **params.get(op, {}))])
    both = build.apply(ops.MATMUL, [y, build.constant([[1, -1]])])
    return graph_of(build, both)


@pytest.mark.parametrize(
    ("share", "over", "accepted"),
    [(SLOPE, "1/1000", True), (SLOPE, "0", False), (SLOPE // 2, "1/1000", False), (0, "1", False)],
)
@pytest.mark.parametrize("op", AWAY)
def test_what_rounds_is_near_its_argument(op, share, over, accepted):
    # z - round(z) over a box where intervals and ranges lose the argument
    least, most = (Fraction(-v, 2) for v in reversed(AWAY[op]))
    for row, bound in ((0, least), (1, -most)):
        asked = at_most(str(bound - Fraction(over)), [row, "1"])
        tree = [["combine", 0, [[0, 1]], [], [[1, 0, share]]]]
        box = region(["-4", "-4"], ["4", "4"], [asked])
        document = certificate(rounded(ops.BY_NAME[op]), [box], [tree])
        assert (verdict(document)[0] == "valid") is accepted, row


def test_slopes_say_nothing_of_signs_and_are_one_for_what_rounds():
    asked = region(["-1"], ["1"], [at_most("-1", [0, "1"], strict=True)])
    tree = [["combine", 0, [[0, 1]], [], [[1, 0, SLOPE]]]]
    assert verdict(certificate(jump(ops.SIGN), [asked], [tree]))[0] == "valid"
    for slopes in ([SLOPE + 1], [-1], [1, 1]):
        tree = [["combine", 0, [[0, 1]], [], [[1, 0, *slopes]]]]
        assert verdict(certificate(jump(ops.FLOOR), [asked], [tree]))[0] == "invalid"


@pytest.mark.parametrize("op", [ops.FLOOR, ops.CEIL, ops.ROUND])
def test_functionals_along_arguments_are_below_all_values(op):
    rng, bits = random.Random(op.name), 12
    raw = rounded(op)
    graph = read_graph(raw["model"]["graph"], raw["tensors"])
    network = Network(graph, 20)
    value = {ops.FLOOR: math.floor, ops.CEIL: math.ceil, ops.ROUND: round}[op]
    assert op.name in AWAY
    for _ in range(60):
        low = [Fraction(rng.randint(-9, 9), 7) for _ in "xy"]
        high = [v + Fraction(rng.randint(0, 30), 9) for v in low]
        bounds = Bounds(network, [down(v, bits) for v in low], [up(v, bits) for v in high], bits)
        row = {v: rng.randint(-3, 3) << 28 for v in network.outputs}
        z = network.bends[0].args[0]
        chosen = {z: [rng.choice([0, SLOPE, rng.randint(0, SLOPE)])]}
        least = bounds.functional(bounds.root, row, 0, {}, chosen)[2]
        for _ in range(20):
            at = sum(
                a + (b - a) * Fraction(rng.randint(0, 6), 6) for a, b in zip(low, high, strict=True)
            )
            y = [at - value(at), value(at) - at]
            total = sum(c * v for c, v in zip(row.values(), y, strict=True))
            assert least <= total * 2**bits
