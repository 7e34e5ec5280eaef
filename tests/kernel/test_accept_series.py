"""Enclosures of the elementary functions contain the value, and are as narrow as is documented."""

from fractions import Fraction

import pytest
from flint import arb, ctx, fmpq

from tamecheck.kernel import ranges
from tamecheck.kernel.graph import Node
from tamecheck.kernel.interval import (
    LN2,
    NEGATIVE,
    PI,
    POSITIVE,
    REAL,
    SIGNED,
    UNIT,
    Interval,
    _series,
    longest,
    one_branch,
    point,
)
from tamecheck.kernel.strict import Reject, allowance

# ruff: noqa: E501  (tables)
SERIES = (
    "exp",
    "log",
    "sin",
    "cos",
    "tan",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "sigmoid",
    "softplus",
    "atanh",
)
ROOTS = ("sqrt", "erf", "asin", "acos", "asinh", "acosh")
VALUES = {
    "exp": arb.exp, "log": arb.log, "sqrt": arb.sqrt, "sin": arb.sin, "cos": arb.cos, "tan": arb.tan,
    "asin": arb.asin, "acos": arb.acos, "atan": arb.atan, "sinh": arb.sinh, "cosh": arb.cosh,
    "asinh": arb.asinh, "acosh": arb.acosh, "atanh": arb.atanh, "tanh": arb.tanh, "erf": arb.erf,
    "sigmoid": lambda x: 1 / (1 + (-x).exp()), "softplus": lambda x: (1 + x.exp()).log(),
}  # fmt: skip
RATIONALS = [
    Fraction(v) for v in (
        "1/1000", "1/9", "1/3", "1/2", "5/8", "2/3", "3/4", "7/8", "99/100", "1", "101/100", "9/8", "5/4",
        "3/2", "11/7", "2", "7/3", "5/2", "3", "22/7", "4", "9/2", "5", "6", "13/2", "7", "15/2", "8", "33/4", "10",
        "16", "33", "64", "100", "1000", "4096", "1/1000000000000000000000", "1/1099511627776",
    )
]  # fmt: skip
POINTS = [Fraction(0), *RATIONALS, *(-v for v in RATIONALS)]
FAR = [Fraction(v) for v in (8191, 8192, 8193, 10**4, 10**30, 10**300)]
OUTSIDE = {
    "log": lambda x: x <= 0, "sqrt": lambda x: x < 0, "acosh": lambda x: x < 1, "asin": lambda x: abs(x) > 1,
    "acos": lambda x: abs(x) > 1, "atanh": lambda x: abs(x) >= 1,
}  # fmt: skip


def ball(x):
    return arb(fmpq(x.numerator, x.denominator))


def node(op):
    return Node(op, (0,), ())


def apply(node, op, boxes):
    """The range of an operation, in a bounded number of steps."""
    with allowance(1 << 20):
        return ranges.apply(node, op, boxes)


def contains(found, value):
    """Whether no bound is certainly wrong for this value."""
    low = found.low is None or not ball(found.low) > value
    return low and (found.high is None or not ball(found.high) < value)


def narrow(op, found, value):
    """Whether an enclosure of a value is as narrow as it should be."""
    size = max(1, abs(float(value.mid()))) if abs(value) < 10**300 else None
    width = found.high - found.low
    return size is None or width * 2 ** (148 if op in SERIES else 88) <= Fraction(size) * (
        60 if op == "tan" else 2
    )


def test_a_value_is_enclosed_narrowly():
    ctx.prec = 900
    for op, function in VALUES.items():
        inside = [x for x in POINTS if not (op in OUTSIDE and OUTSIDE[op](x))]
        assert len(inside) > 4
        for x in inside:
            found, value = apply(node(op), op, [point(x)]), function(ball(x))
            assert contains(found, value), (op, x)
            assert abs(x) > 100 or narrow(op, found, value), (op, x)


def test_no_value_is_enclosed_where_there_is_none():
    for op, outside in OUTSIDE.items():
        for x in filter(outside, POINTS):
            with pytest.raises(Reject):
                apply(node(op), op, [point(x)])


def test_far_values_are_enclosed():
    ctx.prec = 900
    for op in set(VALUES) - {"tan"}:
        outside = OUTSIDE.get(op, lambda _: False)
        for x in [v for far in FAR for v in (far, -far) if not outside(v)]:
            assert contains(apply(node(op), op, [point(x)]), VALUES[op](ball(x))), (op, x)


def test_what_is_far_has_the_bounds_that_are_documented():
    beyond = point(8193)
    assert apply(node("exp"), "exp", [beyond]).high is None
    assert apply(node("exp"), "exp", [point(8192)]).high is not None
    for op in ("sinh", "cosh"):
        assert apply(node(op), op, [beyond]).high is None
        assert apply(node(op), op, [point(8192)]).high is not None
    for op in ("sin", "cos"):
        assert apply(node(op), op, [point(10**300)]) == SIGNED
    assert apply(node("erf"), "erf", [point(8)]).low > 1 - Fraction(1, 2**94)
    ends = apply(node("erf"), "erf", [point(Fraction(81, 10))])
    assert ends == Interval(1 - Fraction(1, 2**90), Fraction(1), high_open=True)
    assert apply(node("erf"), "erf", [point(-9)]) == -ends


def test_roots_of_squares_are_exact():
    for x in map(Fraction, ("1/4", "1/2", "3/4", "5/4", "3", "33/4", "10", "1000")):
        assert apply(node("sqrt"), "sqrt", [point(x * x)]) == point(x)
    assert apply(node("sqrt"), "sqrt", [point(0)]) == point(0)
    found = apply(node("sqrt"), "sqrt", [point(2)])
    assert found.high - found.low == Fraction(1, 2**96)


def test_the_constants():
    ctx.prec = 900
    assert contains(PI, arb.pi())
    assert contains(LN2, arb(2).log())
    assert PI.high - PI.low == Fraction(1, 10**59) == LN2.high - LN2.low


INCREASING = [op for op in VALUES if op not in {"sin", "cos", "tan", "cosh", "acos"}]


def test_an_increasing_function_is_enclosed_at_its_ends():
    for op in INCREASING:
        inside = sorted(
            x for x in POINTS if abs(x) <= 10 and not (op in OUTSIDE and OUTSIDE[op](x))
        )
        ends = [apply(node(op), op, [point(x)]) for x in inside]
        for i in range(0, len(inside) - 1, 3):
            box = Interval(inside[i], inside[-1])
            assert apply(node(op), op, [box]).closure == Interval(ends[i].low, ends[-1].high)


def test_a_cosh_is_enclosed_from_its_least_value():
    def cosh(low, high):
        return apply(node("cosh"), "cosh", [Interval(Fraction(low), Fraction(high))])

    assert cosh(-1, 2) == Interval(Fraction(1), cosh(2, 2).high)
    assert cosh(-2, 1) == Interval(Fraction(1), cosh(2, 2).high)
    assert cosh(-2, -1) == Interval(cosh(1, 1).low, cosh(2, 2).high) == cosh(1, 2)


def test_an_acos_decreases():
    found = apply(node("acos"), "acos", [Interval(Fraction(-1, 2), Fraction(1, 3))])
    ends = [apply(node("acos"), "acos", [point(Fraction(v))]) for v in ("-1/2", "1/3")]
    assert found == Interval(ends[1].low, ends[0].high)


@pytest.mark.parametrize("op", ["sin", "cos"])
def test_a_wave_is_one_where_it_turns_and_only_there(op):
    ctx.prec = 300
    shift = arb(1) / 2 if op == "sin" else arb(0)
    ends = [
        Fraction(v)
        for v in (
            "-13",
            "-8",
            "-11/2",
            "-5",
            "-3",
            "-3/2",
            "-1",
            "0",
            "1",
            "8/5",
            "3",
            "19/6",
            "5",
            "6",
            "13/2",
            "8",
        )
    ]
    for low in ends:
        for high in ends:
            if not low < high:
                continue
            found = apply(node(op), op, [Interval(low, high)])
            if high - low > 7:
                assert found == SIGNED
                continue
            values = [VALUES[op](ball(low)), VALUES[op](ball(high))]
            for k in range(-6, 6):
                turn = (k + shift) * arb.pi()
                if turn > ball(low) and turn < ball(high):
                    values.append(arb((-1) ** (k % 2)))
            assert all(contains(found, v) for v in values), (low, high)
            top = max(float(v.mid()) for v in values)
            bottom = min(float(v.mid()) for v in values)
            assert abs(float(found.high) - top) < 1e-12, (low, high)
            assert abs(float(found.low) - bottom) < 1e-12, (low, high)


def test_a_wave_on_unbounded_or_wide_boxes_is_unknown():
    for box in (
        REAL,
        Interval(None, Fraction(0)),
        Interval(Fraction(0), None),
        Interval(Fraction(0), Fraction(71, 10)),
    ):
        assert apply(node("sin"), "sin", [box]) == SIGNED == apply(node("cos"), "cos", [box])
    exact = apply(node("sin"), "sin", [Interval(Fraction(0), Fraction(7))])
    assert exact == SIGNED
    half = apply(node("sin"), "sin", [Interval(Fraction(1, 2), Fraction(3, 2))])
    assert half.low > 0


def test_one_branch_of_the_tangent():
    branch = [
        (-1, 1),
        (Fraction(-157, 100), Fraction(157, 100)),
        (2, 4),
        (Fraction(-47, 10), Fraction(-16, 10)),
    ]
    assert all(one_branch(Interval(Fraction(a), Fraction(b))) for a, b in branch)
    over = [(1, 2), (-2, 0), (0, 4), (-5, -4), (Fraction(157, 100), Fraction(158, 100))]
    assert not any(one_branch(Interval(Fraction(a), Fraction(b))) for a, b in over)
    assert not one_branch(Interval(None, Fraction(0)))
    assert not one_branch(Interval(Fraction(0), None))
    ctx.prec = 300
    found = apply(node("tan"), "tan", [Interval(Fraction(2), Fraction(4))])
    assert contains(found, ball(Fraction(2)).tan())
    assert contains(found, ball(Fraction(4)).tan())
    assert found.low < -2
    assert found.high < 2


def test_the_length_of_numbers():
    assert longest() == longest(REAL) == longest(point(0)) == 0
    assert longest(Interval(Fraction(-8), Fraction(1, 16))) == 5
    assert longest(point(1), Interval(None, Fraction(7, 2))) == 3
    assert longest(Interval(Fraction(1, 16), None)) == 5


def test_powers_that_are_not_natural_are_enclosed():
    ctx.prec = 300

    def power(low, high, *exponents):
        box = Interval(Fraction(low), Fraction(high))
        ends = Interval(*map(Fraction, exponents))
        return apply(node("power"), "power", [box, ends])

    for low, high, least, most, bottom, top in (
        ("1", "4", "1/2", "1/2", "1", "2"), ("1", "4", "1/2", "3/2", "1", "8"), ("2", "2", "2", "3", "4", "8"),
        ("4", "4", "-1/2", "1/2", "1/2", "2"), ("1/4", "1", "1/2", "1/2", "1/2", "1"),
    ):  # fmt: skip
        found = power(low, high, least, most)
        assert found.low <= Fraction(bottom) <= found.low + Fraction(1, 10**30), (low, high, found)
        assert found.high - Fraction(1, 10**30) <= Fraction(top) <= found.high, (low, high, found)
    root = Node("pow", (0,), (), "", {"exponent": Fraction(1, 2)})
    found = apply(root, "pow", [Interval(Fraction(0), Fraction(4))])
    assert found.low == 0
    assert found.high - Fraction(1, 10**30) <= 2 <= found.high
    assert apply(root, "pow", [point(0)]) == point(0)
    with pytest.raises(Reject):
        power("0", "1", "1/2", "1/2")


def test_a_series_has_bounded_terms():
    for t, y in ((NEGATIVE, UNIT), (POSITIVE, UNIT), (UNIT, NEGATIVE), (UNIT, POSITIVE)):
        with pytest.raises(Reject, match="unbounded"):
            _series(t, y, lambda n: (1, n), alternating=False)


UNIT_OF_SUMS = 2**160


def summed(first, y, ratio, *, alternating=False):
    """The enclosure of a sum, in units; of a first term in units."""
    with allowance(1 << 12):
        term = Interval(*(Fraction(v, UNIT_OF_SUMS) for v in first))
        found = _series(term, y, ratio, alternating=alternating)
    return [end * UNIT_OF_SUMS for end in (found.low, found.high)]


def test_a_series_ends_when_terms_are_at_most_one_unit_and_halve_from_there():
    # 1, 1, 1, 1 and then at most a half each: rounded, 0 to 1; what is left out is as much
    assert summed((1, 1), point(1), lambda n: (1, 1 if n < 4 else 2)) == [4, 6]
    # 4, 2, 1: the tail is at most 1
    assert summed((4, 4), point(1), lambda _: (1, 2)) == [7, 8]
    # 5, 3 (rounded up from 5/2), 2, 1 and 5, 2, 1, 0
    assert summed((5, 5), point(1), lambda _: (1, 2)) == [8, 12]
    # the same of numbers that are not units: 9/2 is between 4 and 5
    assert summed((Fraction(9, 2), Fraction(9, 2)), point(1), lambda _: (1, 2)) == [7, 12]
    # not before the ratio is 1/2: 1, then three times 0 to 1, and the tail
    assert summed((1, 1), point(1), lambda n: (2, 3) if n < 3 else (1, 2)) == [1, 5]
    # y is rounded too, to units
    third = Interval(Fraction(1, 3), Fraction(1, 3))
    assert summed((9, 9), third, lambda _: (1, 1)) == [9 + 2, 9 + 4 + 2 + 1 + 1]


def test_an_alternating_series_adds_and_subtracts_what_is_rounded():
    assert summed((8, 8), point(1), lambda _: (1, 2), alternating=True) == [8 - 4 + 2 - 1 - 1, 6]
    # 5 - 3 + 1 - 1 and 5 - 2 + 2 - 0, and a tail of 1 on both sides
    assert summed((5, 5), point(1), lambda _: (1, 2), alternating=True) == [2 - 1, 5 + 1]
    assert summed((1, 1), point(1), lambda _: (1, 2), alternating=True) == [1 - 1 - 1, 2]


def test_sums_of_series_are_multiples_of_the_unit():
    found = apply(node("exp"), "exp", [point(Fraction(1, 3))])
    for end in (found.low, found.high):
        assert (end * UNIT_OF_SUMS).denominator == 1
        assert (end * UNIT_OF_SUMS / 2).denominator == 2
    assert apply(node("log"), "log", [point(1)]) == point(0)
    assert apply(node("atan"), "atan", [point(0)]) == point(0)
    assert apply(node("sin"), "sin", [point(0)]) == point(0)
    assert apply(node("cos"), "cos", [point(0)]) == point(1)


def test_an_elu_is_enclosed_narrowly_where_it_bends():
    ctx.prec = 300
    elu = Node("elu", (0,), (), "", {"alpha": Fraction(3), "beta": Fraction(1, 2)})
    for x in (Fraction(-2), Fraction(-1, 7), Fraction(-30)):
        found, value = apply(elu, "elu", [point(x)]), 3 * (ball(2 * x).exp() - 1)
        assert contains(found, value)
        assert found.high - found.low < Fraction(1, 10**40)
    below = Interval(Fraction(-3), Fraction(2), low_open=True)
    assert apply(elu, "elu", [Interval(None, Fraction(2))]) == below
