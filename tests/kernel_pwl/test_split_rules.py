"""The checker of split certificates: what each step shows, and lies that one condition refuses."""

# ruff: noqa: E501  (a case a line)

import copy
import json
import math
from fractions import Fraction

import pytest

from tamecheck import ops
from tamecheck.ir.graph import GraphBuilder
from tamecheck.kernel.strict import Reject
from tamecheck.kernel_pwl import check
from tamecheck.kernel_pwl.blocks import Bend
from tamecheck.kernel_pwl.floats import FORMATS
from tamecheck.kernel_pwl.parts import Part, range_of
from tamecheck.tame.document import tensor_document

UNIT = 1 << 34


def graph_of(build, y):
    graph = build.build([("y", y)])
    tensors = {
        n.tensor.digest: tensor_document(n.tensor) for n in graph.nodes if hasattr(n, "tensor")
    }
    return {"model": {"sha256": graph.sha256, "graph": graph.document()}, "tensors": tensors}


def absolute():
    """|x| - |y|, and its negative."""
    build = GraphBuilder()
    x = build.input("x", (2,))
    y = build.apply(ops.ABS, [x])
    return graph_of(build, build.apply(ops.MATMUL, [y, build.constant([[1, -1], [-1, 1]])]))


def jump(op):
    build, params = GraphBuilder(), {ops.SIGN: {"at_zero": Fraction(1)}}
    params[ops.ROUND] = {"mode": "half_even"}
    return graph_of(build, build.apply(op, [build.input("x", (1,))], **params.get(op, {})))


def at_most(bound, *terms, strict=False, inputs=()):
    return {
        "inputs": [list(t) for t in inputs],
        "outputs": [list(t) for t in terms],
        "bound": bound,
        "strict": strict,
    }


def region(low, high, *cases):
    return {"lower": low, "upper": high, "unsafe": [list(case) for case in cases]}


def certificate(model, regions, proofs, weights=20, values=34):
    return {
        "format": "tamecheck-split-certificate", "version": 1, **model,
        "bits": {"weights": weights, "values": values},
        "claim": {"verdict": "holds", "regions": regions}, "proofs": proofs,
    }  # fmt: skip


# the signs of x, and of y
_CLOSED = [["bound", 0], ["close", 0, 0]]
_HALF = [["split", 1, 1, 0, 0], *_CLOSED, *_CLOSED]
SIGNS = [["split", 1, 0, 0, 0], *_HALF, *_HALF]

ABS = absolute()
# |x| - |y|, which is at least -1 on [-1, 1]^2; one line below |x| shows at least -2
WIDE = region(["-1", "-1"], ["1", "1"], [at_most("-5/2", [0, "1"])])
LOOSE = region(["-1", "-1"], ["1", "1"], [at_most("-1", [0, "1"], strict=True)])
BOTH = region(
    ["-1", "-1"],
    ["1", "1"],
    [at_most("-5/2", [0, "1"]), at_most("9", [0, "1"])],
    [at_most("-9/4", [1, "1"])],
)


def verdict(document):
    report = check(json.dumps(document))
    return report.verdict, report.step, report.why


@pytest.mark.parametrize(
    ("regions", "proof"),
    [
        ([WIDE], [["close", 0, 0]]),
        ([WIDE], [["bound", 1], ["close", 0, 0]]),
        ([WIDE], [["bound", 0], ["close", 0, 0]]),
        ([WIDE], [["split", 1, 1, 0, 0], ["bound", 2], ["close", 0, 0], ["close", 0, 0]]),
        ([WIDE], [["split", 0, 0, 0, 0], ["bound", 1], ["close", 0, 0], ["close", 0, 0]]),
        ([WIDE], [["split", 1, 1, 0, 0], ["close", 0, 0], ["close", 0, 0]]),
        ([WIDE], [["combine", 0, [[0, 3]], [], []]]),
        ([WIDE], [["combine", 0, [[0, 1]], [], [[1, 0, 1 << 25]]]]),
        ([BOTH], [["only", 1], ["close", 1, 0], ["close", 0, 0]]),
        ([BOTH], [["close", 1, 0], ["close", 0, 0]]),
        ([region(["1", "-1"], ["-1", "1"], [at_most("0", [0, "1"])])], []),
        ([region(["-1", "-1"], ["1", "1"])], []),
        # a part without points
        ([WIDE], [["split", 0, 0, -2 << 34, 0], ["close", 0, 0], ["close", 0, 0]]),
        ([LOOSE], [["split", 0, 0, -2 << 34, 0], ["close", 0, 0], *SIGNS]),
        # |x| is x or -x, so that equality is reached without a loss
        ([LOOSE], SIGNS),
        # x <= 0 and |x| - |y| <= -1/2: cut, then close
        ([region(["0", "0"], ["1", "1/4"], [at_most("-1/4", [0, "1"], strict=True)])], [["close", 0, 0]]),
        ([region(["0", "0"], ["4", "2"], [at_most("-1", [0, "1"]), at_most("-1/2", [0, "-1"], inputs=([1, "1"],))])], [["cut", 0, 0], ["bound", 0], ["close", 0, 1]]),
    ],
)  # fmt: skip
def test_accepted(regions, proof):
    assert verdict(certificate(ABS, regions, [proof])) == ("valid", None, "")


@pytest.mark.parametrize(
    ("proof", "step", "why"),
    [
        ([], 0, "a part is missing"),
        ([["close", 0, 0], ["close", 0, 0]], 1, "the tree has ended before"),
        ([["split", 0, 0, 0, 0], ["close", 0, 0]], 2, "a part is missing"),
        ([["close", 1, 0]], 0, "the case is not open here"),
        ([["close", 0, 1]], 0, "the case has no such row"),
        ([["close", 0, -1]], 0, "the case has no such row"),
        ([["close", 0]], 0, "2 integers were expected"),
        ([["cut", 0, 0, 0]], 0, "a case, and a row or weights, were expected"),
        ([["cut", 0, []]], 1, "a part is missing"),
        ([["cut", 0, [[0, 1], [0, 1]]]], 0, "a row is named twice"),
        ([["cut", 0, [[0, -1]]]], 0, "a weight is not positive"),
        ([["cut", 0, [[1, 1]]]], 0, "the case has no such row"),
        ([["guess", 0]], 0, "no such step"),
        ([["bound", 3]], 0, "no such kind of bounds"),
        ([["bound", 2], ["close", 0, 1]], 1, "the case has no such row"),
        ([[]], 0, "no such step"),
        ([["only", 0], ["close", 0, 0]], 0, "the case is not open here, or the only one"),
        ([["split", 2, 0, 0, 0]], 0, "there is no such group"),
        ([["split", -1, 0, 0, 0]], 0, "there is no such group"),
        ([["split", 0, 2, 0, 0]], 0, "the group has no such element"),
        ([["split", 0, 0, 0, 2]], 0, "no such kind of split"),
        ([["combine", 0, [], [], []]], 0, "the rows may all hold"),
        ([["combine", 0, [[0, 1], [0, 1]], [], []]], 0, "a row is named twice"),
        ([["combine", 0, [[0, 0]], [], []]], 0, "a weight is not positive"),
        ([["combine", 0, [[0, -1]], [], []]], 0, "a weight is not positive"),
        ([["combine", 0, [[0, 1]], [], [[1, 0, -1]]]], 0, "a slope is not in [0, 1]"),
        ([["combine", 0, [[0, 1]], [], [[1, 0, (1 << 26) + 1]]]], 0, "a slope is not in [0, 1]"),
        ([["combine", 0, [[0, 1]], []]], 0, "a case, weights, multiples and slopes were expected"),
        ([["combine", 0, [[0, 1]], [[0, 0, -1 << 40]], []]], 0, "the rows may all hold"),
    ],
)  # fmt: skip
def test_refused(proof, step, why):
    assert verdict(certificate(ABS, [WIDE], [proof])) == ("invalid", step, why)


def test_the_cut_needs_a_single_case():
    proof = [["cut", 1, 0], ["close", 1, 0], ["close", 0, 0]]
    assert verdict(certificate(ABS, [BOTH], [proof]))[2] == "the case is not the only one open"


@pytest.mark.parametrize(
    ("least", "cuts", "accepted"),
    [
        ("13/16", [[[0, 1], [1, 1]]], True),
        ("13/16", [0, 1], False),
        ("11/16", [[[0, 1], [1, 1]]], False),
        ("3/2", [[[0, 1], [1, 3]]], True),
    ],
)
def test_a_cut_by_a_sum(least, cuts, accepted):
    # x + y <= 1 and x - y <= 1/2, so that x <= 3/4
    rows = [
        at_most("1", inputs=([0, "1"], [1, "1"])),
        at_most("1/2", inputs=([0, "1"], [1, "-1"])),
        at_most(f"-{least}", inputs=([0, "-1"],)),
    ]
    proof = [*(["cut", 0, cut] for cut in cuts), ["close", 0, 2]]
    document = certificate(ABS, [region(["0", "-1"], ["4", "1"], rows)], [proof])
    assert (verdict(document)[0] == "valid") is accepted


def test_steps_are_counted_through_all_regions():
    proofs = [[["close", 0, 0]], [["bound", 0], ["close", 0, 1]]]
    assert verdict(certificate(ABS, [WIDE, WIDE], proofs))[1] == 2


@pytest.mark.parametrize(
    ("bound", "strict", "accepted"),
    [("-1", True, True), ("-1", False, False), ("-1001/1000", False, True), ("-999/1000", True, False)],
)  # fmt: skip
def test_where_the_bound_is_reached(bound, strict, accepted):
    asked = region(["-1", "-1"], ["1", "1"], [at_most(bound, [0, "1"], strict=strict)])
    assert (verdict(certificate(ABS, [asked], [SIGNS]))[0] == "valid") is accepted


@pytest.mark.parametrize(
    ("op", "high", "bound", "kind", "end", "accepted"),
    [
        # sign with 1 at 0: below 0, or from 0 on
        (ops.SIGN, "1", "-1/2", 1, 0, False),
        (ops.SIGN, "1", "-3/2", 1, 0, True),
        (ops.FLOOR, "1", "-3/2", 0, 0, True),
        (ops.FLOOR, "1", "-1", 0, 0, False),
        # to the even number: -1/2 and 1/2 are rounded to 0, 3/2 to 2
        (ops.ROUND, "1/2", "-1001/1000", 0, 0, True),
        (ops.ROUND, "1/2", "-1", 0, 0, False),
    ],
)  # fmt: skip
def test_jumps(op, high, bound, kind, end, accepted):  # noqa: PLR0913, PLR0917
    asked = region(["-1"], [high], [at_most(bound, [0, "1"])])
    tree = [
        ["split", 0, 0, end, kind],
        ["bound", 0],
        ["close", 0, 0],
        ["bound", 0],
        ["close", 0, 0],
    ]
    assert (verdict(certificate(jump(op), [asked], [tree]))[0] == "valid") is accepted


VALUE = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "sign": lambda v: (v > 0) - (v < 0),
    "step": lambda v: int(v > 0) + 3 * (v == 0),
}


@pytest.mark.parametrize("op", VALUE)
def test_the_range_of_a_jump_is_that_of_its_values(op):
    bend = Bend(range(1, 2), [0], op, Fraction(3 if op == "step" else 0))
    ends = [Fraction(k, 4) for k in range(-5, 7)]
    for low, high in ((a, b) for a in ends for b in ends if a <= b):
        for open_ in ((), (0,), (1,), (0, 1)):
            sides = [int(v * UNIT) for v in (low, high)]
            part = Part(sides[:1], sides[1:], {(0, side): sides[side] for side in open_})
            points = [v for v in (Fraction(k, 8) for k in range(-14, 15)) if low <= v <= high]
            values = [
                VALUE[op](v)
                for v in points
                if not (0 in open_ and v == low) and not (1 in open_ and v == high)
            ]
            found = range_of(bend, part, 0, 34)
            if values:
                assert found == (min(values) * UNIT, max(values) * UNIT), (low, high, open_)


def test_other_roundings_have_no_rule():
    build = GraphBuilder()
    rounded = build.apply(ops.ROUND, [build.input("x", (1,))], mode="half_up")
    document = certificate(graph_of(build, rounded), [region(["0"], ["1"])], [[]])
    assert verdict(document)[2].endswith("a rounding mode that has no rule here")


@pytest.mark.parametrize(("bound", "accepted"), [("3/8", True), ("383/1024", False)])
def test_what_is_exact_loses_nothing(bound, accepted):
    # max(3 x/4, 0) - 3 x/8 on [-1, 1] is at most 3/8, with slopes 0 and 1 and weights in quarters
    build = GraphBuilder()
    x = build.input("x", (1,))
    bent = build.apply(ops.RELU, [build.apply(ops.MUL, [x, build.constant(Fraction(3, 4))])])
    y = build.apply(ops.SUB, [build.apply(ops.MUL, [x, build.constant(Fraction(3, 8))]), bent])
    asked = region(["-1"], ["1"], [at_most(f"-{bound}", [0, "1"], strict=True)])
    tree = [["split", 1, 0, 0, 0], *_CLOSED, *_CLOSED]
    assert (verdict(certificate(graph_of(build, y), [asked], [tree]))[0] == "valid") is accepted


def test_which_end_a_jump_has():
    # (x >= 0 and sign x <= -1) never happens, as sign 0 is 1 here: x below 0 against x >= 0
    asked = region(["-1"], ["1"], [at_most("-1", [0, "1"]), at_most("0", inputs=([0, "-1"],))])
    for kind, accepted in ((1, True), (0, False), (-1, False)):
        tree = [
            ["split", 0, 0, 0, kind],
            ["bound", 0],
            ["close", 0, 1],
            ["bound", 0],
            ["close", 0, 0],
        ]
        document = certificate(jump(ops.SIGN), [asked], [tree])
        assert verdict(document)[0] == "invalid"  # x = 0 is in both, or -x <= 0 holds at 0
        strict = copy.deepcopy(document)
        strict["claim"]["regions"][0]["unsafe"][0][1] |= {"bound": "-1/1000"}
        assert (verdict(strict)[0] == "valid") is (accepted or kind == 0) or kind == -1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 2}, "an integer in [1, 1] was expected"),
        ({"format": "other"}, "unknown format"),
        ({"bits": {"weights": 0, "values": 34}}, "an integer in [1, 256] was expected"),
        ({"bits": {"weights": 20, "values": 7}}, "an integer in [8, 256] was expected"),
        ({"tensors": {}}, "node 2: the data of a constant are not given"),
        ({"claim": {"verdict": "tame", "regions": [WIDE]}}, "unknown verdict"),
        ({"claim": {"verdict": "holds", "regions": [region(["-1"], ["1"])]}}, "a box has two ends an input"),
        ({"claim": {"verdict": "holds", "regions": [region([None, "-1"], ["1", "1"])]}}, "a rational 'p' or 'p/q' of at most 4000 digits was expected"),
        ({"model": {**ABS["model"], "sha256": "0"}}, "the hash of the graph is another"),
    ],
)  # fmt: skip
def test_documents(change, why):
    assert verdict(certificate(ABS, [WIDE], [[["close", 0, 0]]]) | change) == ("invalid", None, why)


def test_ops_without_a_rule():
    build = GraphBuilder()
    x = build.input("x", (1,))
    for op in (ops.TANH, ops.EXP):
        report = verdict(
            certificate(graph_of(build, build.apply(op, [x])), [region(["0"], ["1"])], [[]])
        )
        assert report[2].endswith(f"{op.name} has no rule here")
    square = graph_of(build, build.apply(ops.MUL, [x, x]))
    assert verdict(certificate(square, [region(["0"], ["1"])], [[]]))[2].endswith(
        "a product or a quotient of two variables"
    )


def in_floats(steps, high, case, name="float32", proof=(("bound", 0), ("close", 0, 0))):
    """The verdict on a function of one x >= 0, which some floats execute."""
    build = GraphBuilder()
    model = graph_of(build, steps(build, build.input("x", (1,))))
    found = certificate(model, [region(["0"], [high], [case])], [list(map(list, proof))], 200, 60)
    found["claim"]["arithmetic"] = name
    return verdict(found)


def scaled(factor, op=ops.MUL):
    return lambda build, x: build.apply(op, [x, build.constant([factor])])


def shifted(*offsets):
    def steps(build, x):
        for offset in offsets:
            x = build.apply(ops.ADD, [x, build.constant([offset])])
        return x

    return steps


# with 3 roundings of a product a float may be 1 + 3 * 2^-24 at most, and a little more
ABOVE = [Fraction(1 << 24, 1) + k for k in (0, 1, 3, 4)]
BEYOND = [str(-v / (1 << 24)) for v in ABOVE]


@pytest.mark.parametrize(
    ("steps", "high", "case", "why"),
    [
        (scaled(1), "1", at_most(BEYOND[0], [0, "-1"], strict=True), "the rows may all hold"),
        (scaled(1), "1", at_most(BEYOND[1], [0, "-1"]), "the rows may all hold"),
        (scaled(1), "1", at_most(BEYOND[2], [0, "-1"]), "the rows may all hold"),
        (scaled(1), "1", at_most(BEYOND[3], [0, "-1"]), ""),
        (scaled(3, ops.DIV), "3", at_most(BEYOND[3], [0, "-1"]), ""),
        # what is moved, rectified or jumps is exact
        (lambda build, x: build.apply(ops.RELU, [x]), "1", at_most("-1", [0, "-1"], strict=True), ""),
        (lambda build, x: build.apply(ops.FLOOR, [x]), "3/2", at_most("-1", [0, "-1"], strict=True), ""),
        # each addition rounds, though the offsets cancel each other
        (shifted(1 << 20, -1 << 20), "1", at_most("-65/64", [0, "-1"]), "the rows may all hold"),
        (shifted(1 << 20, -1 << 20), "1", at_most("-3", [0, "-1"]), ""),
        # floats of the format, and no others
        (scaled(Fraction(1, 10)), "1", at_most("-1", [0, "-1"]), "node 1: a constant is none of the format"),
        (scaled((1 << 24) + 1), "1", at_most("-1", [0, "-1"]), "node 1: a constant is none of the format"),
        (lambda build, x: build.apply(ops.LEAKY_RELU, [x], alpha=Fraction(1, 3)), "1", at_most("-2", [0, "-1"]), "node 1: a number is none of the format"),
        # what may overflow
        (scaled(1 << 126), "1/2", at_most(str(-1 << 127), [0, "-1"]), ""),
        (scaled(1 << 126), "1", at_most(str(-1 << 127), [0, "-1"]), "a sum may overflow"),
    ],
)  # fmt: skip
def test_what_floats_execute(steps, high, case, why):
    assert in_floats(steps, high, case)[::2] == ("invalid" if why else "valid", why)


@pytest.mark.parametrize(
    ("name", "bound", "found"),
    [
        ("float16", "-257/256", "valid"),
        ("float16", "-1025/1024", "invalid"),
        ("bfloat16", "-257/256", "invalid"),
        ("float64", BEYOND[1], "valid"),
        ("real", "-2", "invalid"),
        (1, "-2", "invalid"),
    ],
)
def test_formats_of_floats(name, bound, found):
    assert in_floats(scaled(1), "1", at_most(bound, [0, "-1"]), name)[0] == found


def test_which_numbers_a_format_has():
    single, half = FORMATS["float32"], FORMATS["float16"]
    tiny, top = Fraction(1, 1 << 149), Fraction((1 << 24) - 1) * (1 << 104)
    assert all(map(single.has, (Fraction(0), tiny, -3 * tiny, top, Fraction(1, 1 << 126) + tiny)))
    assert not any(
        map(single.has, (tiny / 2, Fraction(1, 3), top + (1 << 103), Fraction(1 << 128)))
    )
    assert half.has(Fraction(65504))
    assert not half.has(Fraction(65520))


def test_sums_that_are_too_long_for_a_format():
    with pytest.raises(Reject, match="too long"):
        FORMATS["bfloat16"].lost(1, 128, 34)
    # 127 of 2^8 - 127, and what is lost below the normal numbers
    assert FORMATS["bfloat16"].lost(129, 127, 34) == 127 + 1


def test_formulas_are_about_real_numbers():
    proof = (("formula", 0, [], [], []),)
    assert (
        in_floats(scaled(1), "1", at_most("-2", [0, "-1"]), proof=proof)[2]
        == "a formula about floats"
    )


@pytest.mark.parametrize(
    ("rows", "steps", "accepted"),
    [
        ([("1/10", True, "1")], [["close", 0, 0]], True),
        ([("1/10", False, "1")], [["close", 0, 0]], False),
        ([("1/11", False, "1")], [["close", 0, 0]], True),
        ([("3/29", True, "1")], [["close", 0, 0]], False),
        (
            [("1/7", True, "1"), ("-1/7", False, "-1")],
            [["combine", 0, [[0, 1], [1, 1]], [], []]],
            True,
        ),
        (
            [("1/7", False, "1"), ("-1/7", False, "-1")],
            [["combine", 0, [[0, 1], [1, 1]], [], []]],
            False,
        ),
        ([("-1/3", True, "-1")], [["close", 0, 0]], True),
        ([("-1/3", False, "-1")], [["close", 0, 0]], False),
    ],
)
def test_rows_over_inputs_alone_are_compared_with_the_box_exactly(rows, steps, accepted):
    """Over 1/10 <= x <= 1/3, whose ends no unit is."""
    case = [at_most(end, strict=strict, inputs=[[0, c]]) for end, strict, c in rows]
    document = certificate(jump(ops.FLOOR), [region(["1/10"], ["1/3"], case)], [steps])
    assert (check(json.dumps(document)).verdict == "valid") is accepted


@pytest.mark.parametrize(("zeros", "accepted"), [(1233, True), (1234, False)])
def test_ends_that_are_compared_exactly_have_short_denominators(zeros, accepted):
    low = f"1/1{'0' * zeros}"
    case = [at_most("0", inputs=[[0, "1"]])]
    document = certificate(jump(ops.FLOOR), [region([low], ["1"], case)], [[["close", 0, 0]]])
    assert (check(json.dumps(document)).verdict == "valid") is accepted
