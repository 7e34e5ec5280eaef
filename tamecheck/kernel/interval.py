"""Rational intervals, with enclosures of the elementary functions from power series."""

# ruff: noqa: D102  (small functions, each with a name that says it all)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, isqrt

from tamecheck.kernel.strict import Reject, require, spend_long

End = Fraction | int | None
Bound = tuple[End, int, bool]
ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Interval:
    """The reals from low to high; None is an unbounded side. The arithmetic is exact.

    An end that is open is left out.
    """

    low: End
    high: End
    low_open: bool = False
    high_open: bool = False

    def __post_init__(self) -> None:
        spend_long(16, longest(self))

    @property
    def finite(self) -> bool:
        return self.low is not None and self.high is not None

    @property
    def empty(self) -> bool:
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    @property
    def closure(self) -> Interval:
        return Interval(self.low, self.high)

    def has(self, x: Fraction | int) -> bool:
        return point(x) <= self

    def __le__(self, other: Interval) -> bool:  # a subset
        spend_long(16, longest(self, other))
        return _reaches(_ends(other), _ends(self), 0) and _reaches(_ends(other), _ends(self), 1)

    def __or__(self, other: Interval) -> Interval:  # the hull of both
        return _join(self, other, (False, False))

    def __and__(self, other: Interval) -> Interval:  # what is in both
        return _join(self, other, (True, True))

    def __neg__(self) -> Interval:
        low = None if self.high is None else -self.high
        high = None if self.low is None else -self.low
        return Interval(low, high, self.high_open, self.low_open)

    def __add__(self, other: Interval) -> Interval:
        low = None if self.low is None or other.low is None else self.low + other.low
        high = None if self.high is None or other.high is None else self.high + other.high
        opens = self.low_open or other.low_open, self.high_open or other.high_open
        return Interval(low, high, *opens)

    def __sub__(self, other: Interval) -> Interval:
        return self + -other

    def __mul__(self, other: Interval) -> Interval:
        """Return the products; an end that is not 0 is one of two ends, 0 needs a factor 0."""
        left, right = _ends(self), _ends(other)
        away = not (_has_zero(*left) or _has_zero(*right))
        ends = [(*_times(a, b), a[2] or b[2]) for a in left for b in right]
        low, high = (end[:2] for end in (min(ends), max(ends)))
        opens = [
            away if end == (0, 0) else all(e[2] for e in ends if e[:2] == end)
            for end in (low, high)
        ]
        return Interval(None if low[0] else low[1], None if high[0] else high[1], *opens)

    def inverse(self) -> Interval:
        require(not self.has(ZERO), "division by an interval that contains 0")
        low = ZERO if self.high is None else ONE / self.high if self.high else None
        high = ZERO if self.low is None else ONE / self.low if self.low else None
        return Interval(
            low, high, self.high_open or self.high is None, self.low_open or self.low is None
        )

    def maximum(self, other: Interval) -> Interval:
        return _join(self, other, (True, False))

    def minimum(self, other: Interval) -> Interval:
        return -((-self).maximum(-other))

    def clamp(self, low: End, high: End) -> Interval:
        """Return the range of what is cut off at the ends that are given."""
        found = self if low is None else self.maximum(point(low))
        return found if high is None else found.minimum(point(high))

    def magnitude(self) -> Interval:
        return self.maximum(-self).clamp(ZERO, None)


def _has_zero(low: Bound, high: Bound) -> bool:
    return low[1] <= -int(low[2]) and high[1] >= int(high[2])


def _reaches(x: list[Bound], y: list[Bound], side: int) -> bool:
    """Return whether the first interval reaches as far as the second at an end."""
    (a, _, a_open), (b, _, b_open) = x[side], y[side]
    if a is None or b is None:
        return a is None
    return (a > b if side else a < b) or (a == b and a_open <= b_open)


def _join(x: Interval, y: Interval, inner: tuple[bool, bool]) -> Interval:
    """Return the interval with the outer, or the inner, of both lower and both upper ends."""
    ends, other = _ends(x), _ends(y)
    (low, _, low_open), (high, _, high_open) = [
        (ends if _reaches(ends, other, side) != inner[side] else other)[side] for side in (0, 1)
    ]
    return Interval(low, high, low_open, high_open)


def point(x: Fraction | int) -> Interval:
    """Return the interval that is only x."""
    return Interval(Fraction(x), Fraction(x))


def length(x: Fraction | int) -> int:
    """Return the bits of the numerator or of the denominator, whichever is longer."""
    return max(x.numerator.bit_length(), x.denominator.bit_length())


def longest(*intervals: Interval) -> int:
    """Return the bits of the longest number, where an infinity and 0 have none."""
    return max((length(end) for x in intervals for end in (x.low, x.high) if end), default=0)


def _ends(x: Interval) -> list[Bound]:
    """Return both ends, with their signs, which infinite ones have too, and what is open."""
    low_sign = (x.low is not None and x.low > 0) - (x.low is None or x.low < 0)
    high_sign = (x.high is None or x.high > 0) - (x.high is not None and x.high < 0)
    return [(x.low, low_sign, x.low_open), (x.high, high_sign, x.high_open)]


def _times(a: Bound, b: Bound) -> tuple[int, Fraction | int]:
    """Return the sign of an infinite product and 0, or 0 and a number; 0 times infinity is 0."""
    if a[0] is None or b[0] is None:
        return a[1] * b[1], 0
    return 0, a[0] * b[0]


REAL, UNIT, SIGNED = Interval(None, None), Interval(ZERO, ONE), Interval(-ONE, ONE)
POSITIVE, NEGATIVE = Interval(ZERO, None), Interval(None, ZERO)  # or zero
ABOVE_ZERO, BELOW_ONE = Interval(ZERO, None, low_open=True), Interval(None, ONE, high_open=True)
BETWEEN, INSIDE = ABOVE_ZERO & BELOW_ONE, BELOW_ONE & -BELOW_ONE
_SCALE = 1 << 160  # the sums of series are multiples of 1 / _SCALE
_LARGEST_EXPONENT = 8192  # of an exponential that has an upper bound
_PI = 314159265358979323846264338327950288419716939937510582097494
_LN2 = 69314718055994530941723212145817656807550013436025525412068
_PI_LOW, _PI_HIGH, _LN2_LOW, _LN2_HIGH = (
    Fraction(n, 10**59) for n in (_PI, _PI + 1, _LN2, _LN2 + 1)
)
PI, LN2 = Interval(_PI_LOW, _PI_HIGH), Interval(_LN2_LOW, _LN2_HIGH)


def monotone(
    f: Callable[[Fraction], Interval], x: Interval, limits: Interval = REAL, domain: Interval = REAL
) -> Interval:
    """Return the range of a strictly increasing function, with limits at open ends of its domain.

    An end that is rounded is closed.
    """
    opens = x.low_open and domain.low_open, x.high_open and domain.high_open
    first = None if opens[0] and x.low == domain.low else x.low
    last = None if opens[1] and x.high == domain.high else x.high
    below = None if first is None else f(Fraction(first))
    above = None if last is None else f(Fraction(last))
    low, low_open, high, high_open = limits.low, limits.low_open, limits.high, limits.high_open
    if below is not None:
        low, low_open = below.low, x.low_open and below.low == below.high
    if above is not None:
        high, high_open = above.high, x.high_open and above.low == above.high
    return Interval(low, high, low_open, high_open)


def _series(
    t: Interval, y: Interval, ratio: Callable[[int], tuple[int, int]], *, alternating: bool
) -> Interval:
    """Enclose the sum of the terms t[n] = t[n-1] * y * a/b >= 0, or of (-1)^n times these.

    The terms are rounded down and up.  In each use the later ratios are at most 1/2 too when the
    sum ends, so that all terms that are left out add up to at most the last one.
    """
    if t.low is None or t.high is None or y.low is None or y.high is None:
        raise Reject("a series of an unbounded interval")
    low, high = floor(t.low * _SCALE), ceil(t.high * _SCALE)
    y_low, y_high = floor(y.low * _SCALE), ceil(y.high * _SCALE)
    total_low, total_high = low, high
    n = 0
    while True:
        n += 1
        spend_long(16, high.bit_length())
        a, b = ratio(n)
        low, high = low * y_low * a // (b * _SCALE), -(-high * y_high * a // (b * _SCALE))
        if alternating and n % 2:
            total_low, total_high = total_low - high, total_high - low
        else:
            total_low, total_high = total_low + low, total_high + high
        if high <= 1 and 2 * y_high * a <= b * _SCALE:
            below = total_low - high if alternating else total_low
            return Interval(Fraction(below, _SCALE), Fraction(total_high + high, _SCALE))


def _exp(x: Fraction) -> Interval:
    if x > _LARGEST_EXPONENT:
        return Interval(_exp(Fraction(_LARGEST_EXPONENT)).low, None)
    if x < 0:
        return _exp(-x).inverse()
    k = floor(x / _LN2_HIGH)
    rest = point(x) - LN2 * point(k)
    return _series(point(1), rest, lambda n: (1, n), alternating=False) * point(1 << k)


def _log(x: Fraction) -> Interval:
    if x < 1:
        return -_log(1 / x)
    k = floor(x).bit_length() - 1
    z = (x - (1 << k)) / (x + (1 << k))  # so that log x = k log 2 + 2 atanh z
    area = _series(point(z), point(z * z), lambda n: (2 * n - 1, 2 * n + 1), alternating=False)
    return area * point(2) + LN2 * point(k)


def _sqrt(x: Fraction) -> Interval:
    shorter = x.denominator.bit_length() - x.numerator.bit_length()
    scale = 1 << (96 + max(0, shorter))
    low = Fraction(isqrt(x.numerator * scale**2 // x.denominator), scale)
    return Interval(low, low if low * low == x else low + Fraction(1, scale))


def _atan(x: Fraction) -> Interval:
    if x < 0:
        return -_atan(-x)
    if x > 1:
        return PI * point(HALF) - _atan(1 / x)
    start, y = (point(end / (1 + x * x)) for end in (x, x * x))  # Euler's series
    return _series(start, y, lambda n: (2 * n, 2 * n + 1), alternating=False)


def _sine(x: Fraction, quarters: int) -> Interval:
    """Enclose the sine of x plus so many quarters of a turn."""
    k = floor(2 * x / _PI_HIGH)
    rest = point(x) - PI * point(Fraction(k, 2))
    if not rest <= Interval(ZERO, _PI_HIGH):  # so far out that pi is not known well enough
        return SIGNED
    turn = k + quarters
    start, last = (point(1), -1) if turn % 2 else (rest, 1)  # a cosine, or a sine
    found = _series(start, rest * rest, lambda n: (1, 2 * n * (2 * n + last)), alternating=True)
    return -found if turn % 4 >= 2 else found


def _sigmoid(x: Fraction) -> Interval:
    return (point(1) + _exp(-x)).inverse()


def _softplus(x: Fraction) -> Interval:
    return point(max(x, ZERO)) + monotone(_log, point(1) + _exp(-abs(x)))


def _asin(x: Fraction) -> Interval:
    return monotone(_atan, point(x) * (point(1) + _sqrt(1 - x * x)).inverse()) * point(2)


def _asinh(x: Fraction) -> Interval:
    if x < 0:
        return -_asinh(-x)
    return monotone(_log, point(x) + _sqrt(x * x + 1))


def _erf(x: Fraction) -> Interval:
    if x < 0:
        return -_erf(-x)
    if x > 8:
        return Interval(1 - Fraction(1, 1 << 90), ONE)  # 1 - erf(x) <= exp(-x^2)
    series = _series(point(x), point(2 * x * x), lambda n: (1, 2 * n + 1), alternating=False)
    return series * point(2) * _exp(-x * x) * monotone(_sqrt, PI).inverse()


INCREASING: dict[str, tuple[Callable[[Fraction], Interval], Interval, Interval]] = {
    # with the range, and the domain
    "exp": (_exp, ABOVE_ZERO, REAL),
    "log": (_log, REAL, ABOVE_ZERO),
    "sqrt": (_sqrt, POSITIVE, POSITIVE),
    "sigmoid": (_sigmoid, BETWEEN, REAL),
    "tanh": (lambda x: _sigmoid(2 * x) * point(2) - point(1), INSIDE, REAL),
    "softplus": (_softplus, ABOVE_ZERO, REAL),
    "erf": (_erf, INSIDE, REAL),
    "atan": (_atan, PI * Interval(-HALF, HALF), REAL),
    "asin": (_asin, PI * Interval(-HALF, HALF), SIGNED),
    "tan": (lambda x: _sine(x, 0) * _sine(x, 1).inverse(), REAL, REAL),  # in one branch
    "sinh": (lambda x: (_exp(x) - _exp(-x)) * point(HALF), REAL, REAL),
    "cosh": (lambda x: (_exp(x) + _exp(-x)) * point(HALF), Interval(ONE, None), POSITIVE),
    "asinh": (_asinh, REAL, REAL),
    "acosh": (lambda x: monotone(_log, point(x) + _sqrt(x * x - 1)), POSITIVE, Interval(ONE, None)),
    "atanh": (lambda x: _log((1 + x) / (1 - x)) * point(HALF), REAL, INSIDE),
}


def increasing(name: str, x: Interval) -> Interval:
    """Return the range of an increasing function, on the part of its domain in the interval."""
    f, limits, domain = INCREASING[name]
    return monotone(f, x & domain, limits, domain) & limits


def wave(x: Interval, quarters: int) -> Interval:
    """Return the range of the sine of x plus so many quarters of a turn."""
    if x.low is None or x.high is None:
        return SIGNED
    shift = Fraction(1 - quarters, 2)  # it is (-1)^k at (k + shift) pi, and monotone between
    first = min(ceil(x.low / p - shift) for p in (_PI_LOW, _PI_HIGH))
    last = max(floor(x.high / p - shift) for p in (_PI_LOW, _PI_HIGH))
    if last > first:
        return SIGNED
    found = _sine(Fraction(x.low), quarters) | _sine(Fraction(x.high), quarters)
    if last == first:
        found |= point(-1 if first % 2 else 1)
    return found & SIGNED


def one_branch(x: Interval) -> bool:
    """Return whether x is bounded and strictly between two neighbouring poles of the tangent."""
    if x.low is None or x.high is None:
        return False
    ends = [end / p for end in (x.low, x.high) for p in (_PI_LOW, _PI_HIGH)]
    return len({floor(end + HALF) for end in ends}) == 1
