"""Every enclosure of the kernel contains the true range, as ball arithmetic sees it."""

from fractions import Fraction

import pytest
from flint import arb, ctx, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from tamecheck.kernel import interval as iv
from tamecheck.kernel.graph import MODES, Node
from tamecheck.kernel.interval import Interval
from tamecheck.kernel.ranges import apply
from tamecheck.kernel.strict import Reject

ctx.prec = 400
RATIONALS = st.builds(Fraction, st.integers(-(10**6), 10**6), st.integers(1, 10**6)) | st.builds(
    lambda n, e: Fraction(n) * Fraction(2) ** e, st.integers(-99, 99), st.integers(-80, 12)
)
UNARY = {
    "exp": arb.exp, "log": arb.log, "sqrt": arb.sqrt, "sin": arb.sin, "cos": arb.cos,
    "tan": arb.tan, "asin": arb.asin, "acos": arb.acos, "atan": arb.atan, "sinh": arb.sinh,
    "cosh": arb.cosh, "asinh": arb.asinh, "acosh": arb.acosh, "atanh": arb.atanh,
    "tanh": arb.tanh, "erf": arb.erf, "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "softplus": lambda x: (1 + x.exp()).log(), "neg": lambda x: -x, "abs": abs,
    "relu": lambda x: x if x > 0 else arb(0),
}  # fmt: skip


def ball(x):
    return arb(fmpq(x.numerator, x.denominator))


def contains(found, value):
    """Say whether no bound is certainly wrong for this value."""
    low = found.low is None or not ball(found.low) > value
    return low and (found.high is None or not ball(found.high) < value)


def node(op, mode="", **q):
    return Node(op, (0,), (), "", {k: Fraction(v) for k, v in q.items()}, {}, mode)


def between(low, high, share):
    return low + (high - low) * share


@pytest.mark.parametrize("op", sorted(UNARY))
@settings(max_examples=20, deadline=None)
@given(a=RATIONALS, width=RATIONALS, shares=st.lists(st.fractions(0, 1), max_size=4))
def test_unary_functions(op, a, width, shares):
    box = Interval(a, a + abs(width))
    try:
        found = apply(node(op), op, [box])
    except Reject:
        return
    for share in [Fraction(0), Fraction(1), *shares]:
        x = between(box.low, box.high, share)
        assert contains(found, UNARY[op](ball(x)))


@pytest.mark.parametrize("op", sorted(set(UNARY) - {"abs", "neg", "relu"}))
@settings(max_examples=30, deadline=None)
@given(a=RATIONALS)
def test_unary_functions_are_sharp(op, a):
    if abs(a) > 60:
        a /= 10**5
    try:
        found = apply(node(op), op, [Interval(a, a)])
    except Reject:
        return
    value = UNARY[op](ball(a))
    assert contains(found, value)
    assert found.high - found.low <= Fraction(1, 2**64) * max(1, abs(found.high))


def test_the_constants():
    assert contains(iv.PI, arb.pi())
    assert contains(iv.LN2, arb(2).log())
    assert iv.PI.high - iv.PI.low == Fraction(1, 10**59) == iv.LN2.high - iv.LN2.low


EVERYWHERE = (
    *("exp", "sigmoid", "tanh", "softplus", "atan", "erf", "sinh", "cosh", "asinh", "sin", "cos"),
)
"""Elementary functions that have a value everywhere."""


@pytest.mark.parametrize("op", [*EVERYWHERE, "neg", "abs", "relu"])
@given(a=RATIONALS, b=RATIONALS)
def test_unbounded_sides(op, a, b):
    for box, x in ((Interval(a, None), a + abs(b)), (Interval(None, a), a - abs(b)), (iv.REAL, b)):
        assert contains(apply(node(op), op, [box]), UNARY[op](ball(x)))


@pytest.mark.parametrize("x", [10**4, -(10**4), 10**30, -(10**30), 10**300, Fraction(1, 10**300)])
@pytest.mark.parametrize("op", [*EVERYWHERE, "log", "sqrt", "tan"])
def test_extreme_arguments(op, x):
    x = Fraction(x)
    try:
        found = apply(node(op), op, [Interval(x, x)])
    except Reject:
        return
    assert contains(found, UNARY[op](ball(x)))


ROUNDINGS = {
    "half_even": round,
    "half_up": lambda x: (x + Fraction(1, 2)).__floor__(),
    "half_down": lambda x: (x - Fraction(1, 2)).__ceil__(),
    "half_away": lambda x: (-1 if x < 0 else 1) * (abs(x) + Fraction(1, 2)).__floor__(),
    "half_toward_zero": lambda x: (-1 if x < 0 else 1) * (abs(x) - Fraction(1, 2)).__ceil__(),
    "toward_zero": int,
    "away_from_zero": lambda x: (-1 if x < 0 else 1) * abs(x).__ceil__(),
}


@pytest.mark.parametrize("mode", MODES)
@given(x=st.builds(Fraction, st.integers(-40, 40), st.sampled_from([1, 2, 3, 4])))
def test_rounding_modes(mode, x):
    assert apply(node("round", mode), "round", [Interval(x, x)]) == iv.point(ROUNDINGS[mode](x))


BINARY = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y, "maximum": max, "minimum": min,
    "prelu": lambda x, y: x if x > 0 else x * y, "equal": lambda x, y: Fraction(x == y),
    "less": lambda x, y: Fraction(x < y), "less_equal": lambda x, y: Fraction(x <= y),
}  # fmt: skip
SMALL = st.builds(Fraction, st.integers(-6, 6), st.integers(1, 3))
SIDE = st.none() | SMALL


def boxes(low, high):
    both = low is not None and high is not None
    return Interval(min(low, high), max(low, high)) if both else Interval(low, high)


def inside(box, share, far):
    if box.low is None:
        return (box.high or Fraction(0)) - far if box.high is not None else far
    return box.low + far if box.high is None else between(box.low, box.high, share)


@pytest.mark.parametrize("op", sorted(BINARY))
@settings(max_examples=30)
@given(
    SIDE,
    SIDE,
    SIDE,
    SIDE,
    st.lists(
        st.tuples(*[st.sampled_from([Fraction(0), Fraction(1), Fraction(1, 3)])] * 2, SMALL, SMALL),
        max_size=6,
    ),
)
def test_binary_operations(op, a, b, c, d, points):  # noqa: PLR0913, PLR0917
    x_box, y_box = boxes(a, b), boxes(c, d)
    try:
        found = apply(node(op), op, [x_box, y_box])
    except Reject:
        return
    for s, t, u, v in points:
        x, y = inside(x_box, s, abs(u)), inside(y_box, t, abs(v))
        assert iv.point(BINARY[op](x, y)) <= found


@pytest.mark.parametrize("op", ["sign", "step", "leaky_relu", "elu", "clip", "pow", "select"])
@settings(max_examples=30, deadline=None)
@given(
    SIDE,
    SIDE,
    SMALL,
    st.lists(
        st.tuples(st.sampled_from([Fraction(0), Fraction(1), Fraction(1, 3)]), SMALL), max_size=6
    ),
)
def test_operations_with_parameters(op, a, b, p, points):
    box = boxes(a, b)
    q = {
        "sign": {"at_zero": p},
        "step": {"at_zero": p},
        "leaky_relu": {"alpha": p},
        "pow": {"exponent": p},
        "elu": {"alpha": p, "beta": Fraction(2, 3)},
        "clip": {"lo": p, "hi": p + 1},
        "select": {},
    }[op]
    args = [box, iv.point(p), iv.point(p + 2)] if op == "select" else [box]
    try:
        found = apply(node(op, **q), op, args)
    except Reject:
        return
    for share, far in points:
        x = inside(box, share, abs(far))
        value = {
            "sign": lambda x: p if x == 0 else Fraction(1 if x > 0 else -1),
            "step": lambda x: p if x == 0 else Fraction(x > 0),
            "leaky_relu": lambda x: x if x > 0 else p * x,
            "clip": lambda x: min(max(x, p), p + 1),
            "select": lambda x: p + 2 if x == 0 else p,
            "elu": lambda x: ball(x) if x >= 0 else ball(p) * ((ball(x) * 3 / 2).exp() - 1),
            "pow": lambda x: (
                x**p.numerator if p.denominator == 1 else ball(x) ** ball(p) if x else arb(0)
            ),
        }[op](x)
        assert contains(found, ball(value) if isinstance(value, Fraction | int) else value)
