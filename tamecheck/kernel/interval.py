"""Rational intervals, with enclosures of the elementary functions from power series.

Every series has terms t[n] = t[n-1] * y * a/b with y >= 0, summed in fixed point twice: once with
each term rounded down and once with each rounded up.
"""
# fmt: off
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, isqrt

from tamecheck.kernel.strict import Reject, require

ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)

@dataclass(frozen=True, slots=True)
class Interval:
    """The reals from low to high; None is an unbounded side. The arithmetic is exact."""

    low: Fraction | None
    high: Fraction | None

    @property
    def finite(self) -> bool:
        """Both sides are bounded."""
        return self.low is not None and self.high is not None

    def __neg__(self) -> Interval:
        high = None if self.low is None else -self.low
        return Interval(None if self.high is None else -self.high, high)

    def __add__(self, other: Interval) -> Interval:
        low = None if self.low is None or other.low is None else self.low + other.low
        high = None if self.high is None or other.high is None else self.high + other.high
        return Interval(low, high)

    def __mul__(self, other: Interval) -> Interval:
        ends: list[tuple[int, Fraction]] = []  # an infinity's sign, or 0 and a product
        for a, a_sign in ((self.low, -1), (self.high, 1)):
            for b, b_sign in ((other.low, -1), (other.high, 1)):
                if a is not None and b is not None:
                    ends.append((0, a * b))
                else:  # reals are finite: a zero end times an unbounded side is zero
                    left = a_sign if a is None else (a > 0) - (a < 0)
                    ends.append((left * (b_sign if b is None else (b > 0) - (b < 0)), ZERO))
        low, high = min(ends), max(ends)
        return Interval(None if low[0] else low[1], None if high[0] else high[1])

    def __or__(self, other: Interval) -> Interval:  # the hull of both
        low = None if self.low is None or other.low is None else min(self.low, other.low)
        high = None if self.high is None or other.high is None else max(self.high, other.high)
        return Interval(low, high)

    def inverse(self) -> Interval:
        """The range of 1/x."""
        require(not self.has(ZERO), "division by an interval that contains 0")
        low = ZERO if self.high is None else 1 / self.high
        return Interval(low, ZERO if self.low is None else 1 / self.low)

    def maximum(self, other: Interval) -> Interval:
        """The range of max(x, y)."""
        lows = [end for end in (self.low, other.low) if end is not None]
        return Interval(max(lows, default=None), (self | other).high)

    def clamp(self, low: Fraction | None, high: Fraction | None) -> Interval:
        """The range of x cut off at low and at high, where these are given."""
        found = self if low is None else self.maximum(point(low))
        return found if high is None else -((-found).maximum(point(-high)))

    def above(self, bound: Fraction | int, *, strict: bool = False) -> bool:
        """Every element is at least (if strict: more than) the bound."""
        return self.low is not None and (self.low > bound or (self.low == bound and not strict))

    def below(self, bound: Fraction | int, *, strict: bool = False) -> bool:
        """Every element is at most (if strict: less than) the bound."""
        return (-self).above(-bound, strict=strict)

    def has(self, x: Fraction) -> bool:
        """The number x is an element."""
        return not (self.above(x, strict=True) or self.below(x, strict=True))

    def within(self, other: Interval) -> bool:
        """This is a subset of the other."""
        return (other.low is None or self.above(other.low)) and (
            other.high is None or self.below(other.high))

REAL, UNIT, SIGNED = Interval(None, None), Interval(ZERO, ONE), Interval(-ONE, ONE)

def point(x: Fraction | int) -> Interval:
    """Return [x, x]."""
    return Interval(Fraction(x), Fraction(x))

def monotone(f: Callable[[Fraction], Interval], x: Interval, limits: Interval = REAL) -> Interval:
    """Return the range of an increasing function, whose limits at -+infinity are given."""
    low = limits.low if x.low is None else f(x.low).low
    return Interval(low, limits.high if x.high is None else f(x.high).high)

_SCALE, _LIMIT, _TEN = 1 << 160, 8192, 10**59
_PI = 314159265358979323846264338327950288419716939937510582097494
_LN2 = 69314718055994530941723212145817656807550013436025525412068
_PIS, _LN2S = [[Fraction(n, _TEN), Fraction(n + 1, _TEN)] for n in (_PI, _LN2)]
PI, LN2 = Interval(*_PIS), Interval(*_LN2S)

def outward(x: Interval) -> Interval:
    """Return a dyadic interval of about 96 significant bits that contains x."""
    def shorten(q: Fraction) -> Interval:
        scale = Fraction(2) ** (96 + q.denominator.bit_length() - q.numerator.bit_length())
        return Interval(floor(q * scale) / scale, ceil(q * scale) / scale)
    return monotone(shorten, x)

def _series(first: Interval, y: Interval, ratio: Callable[[int], tuple[int, int]],
            sign: int = 1) -> Interval:
    if first.low is None or first.high is None or y.low is None or y.high is None:
        raise Reject("a series of an unbounded interval")
    low, high = floor(first.low * _SCALE), ceil(first.high * _SCALE)
    y_low, y_high = floor(y.low * _SCALE), ceil(y.high * _SCALE)
    total_low, total_high, n = low, high, 0
    while True:
        n += 1
        a, b = ratio(n)
        low, high = low * y_low * a // (b * _SCALE), -(-high * y_high * a // (b * _SCALE))
        total_low += low if sign > 0 or n % 2 == 0 else -high
        total_high += high if sign > 0 or n % 2 == 0 else -low
        # In each use the later ratios are at most 1/2 too, so the tail is at most `high`.
        if high <= 1 and 2 * y_high * a <= b * _SCALE:
            total_low -= high if sign < 0 else 0
            return Interval(Fraction(total_low, _SCALE), Fraction(total_high + high, _SCALE))

def _exp(x: Fraction) -> Interval:
    if x > _LIMIT:
        return Interval(_exp(Fraction(_LIMIT)).low, None)
    if x < 0:
        return _exp(-x).inverse()
    k = floor(x / _LN2S[1])
    return _series(point(1), point(x) + LN2 * point(-k), lambda n: (1, n)) * point(1 << k)

def _log(x: Fraction) -> Interval:
    if x < 1:
        return -_log(1 / x)
    k = floor(x).bit_length() - 1
    z = (x - (1 << k)) / (x + (1 << k))
    series = _series(point(z), point(z * z), lambda n: (2 * n - 1, 2 * n + 1))
    return series * point(2) + LN2 * point(k)

def _sqrt(x: Fraction) -> Interval:
    scale = 1 << (96 + max(0, x.denominator.bit_length() - x.numerator.bit_length()))
    low = Fraction(isqrt(x.numerator * scale**2 // x.denominator), scale)
    return Interval(low, low if low * low == x else low + Fraction(1, scale))

def _atan(x: Fraction) -> Interval:
    if x < 0:
        return -_atan(-x)
    if x > 1:
        return PI * point(HALF) + -_atan(1 / x)
    start, y = point(x / (1 + x * x)), point(x * x / (1 + x * x))  # Euler's series
    return _series(start, y, lambda n: (2 * n, 2 * n + 1))

def _sigmoid(x: Fraction) -> Interval:
    return (point(1) + _exp(-x)).inverse()

def _erf(x: Fraction) -> Interval:
    if x < 0:
        return -_erf(-x)
    if x > 8:  # there 1 - erf(x) <= exp(-x^2) < 2^-90
        return Interval(1 - Fraction(1, 1 << 90), ONE)
    series = _series(point(x), point(2 * x * x), lambda n: (1, 2 * n + 1))
    return series * point(2) * _exp(-x * x) * monotone(_sqrt, PI).inverse()

INCREASING: dict[str, tuple[Callable[[Fraction], Interval], Interval]] = {  # with the range
    "exp": (_exp, Interval(ZERO, None)), "log": (_log, REAL), "sqrt": (_sqrt, REAL),
    "erf": (_erf, SIGNED), "atan": (_atan, PI * Interval(-HALF, HALF)), "sigmoid": (_sigmoid, UNIT),
    "tanh": (lambda x: _sigmoid(2 * x) * point(2) + point(-1), SIGNED),
    "softplus": (lambda x: point(max(x, ZERO)) + monotone(_log, point(1) + _exp(-abs(x))),
                 Interval(ZERO, None)),
    "asin": (lambda x: monotone(_atan, point(x) * (point(1) + _sqrt(1 - x * x)).inverse())
             * point(2), REAL),
    "sinh": (lambda x: (_exp(x) + -_exp(-x)) * point(HALF), REAL),
    "cosh": (lambda x: (_exp(x) + _exp(-x)) * point(HALF), Interval(ONE, None)),  # on x >= 0
    "asinh": (lambda x: monotone(_log, point(abs(x)) + _sqrt(x * x + 1))
              * point(-1 if x < 0 else 1), REAL),
    "acosh": (lambda x: monotone(_log, point(x) + _sqrt(x * x - 1)), Interval(ZERO, None)),
    "atanh": (lambda x: _log((1 + x) / (1 - x)) * point(HALF), REAL),
    "tan": (lambda x: _wave_at(x, 0) * _wave_at(x, 1).inverse(), REAL),  # in one branch
}

def increasing(name: str, x: Interval) -> Interval:
    """Return the range of an increasing function on an interval in its domain."""
    f, limits = INCREASING[name]
    return outward(monotone(f, x, limits)).clamp(limits.low, limits.high)

def _wave_at(x: Fraction, quarter: int) -> Interval:
    k = floor(2 * abs(x) / _PIS[1])
    rest = point(abs(x)) + PI * point(Fraction(-k, 2))
    if not rest.within(Interval(ZERO, Fraction(2))):
        return SIGNED
    if (k + quarter) % 2:
        found = _series(point(1), rest * rest, lambda n: (1, (2 * n - 1) * 2 * n), -1)
    else:
        found = _series(rest, rest * rest, lambda n: (1, 2 * n * (2 * n + 1)), -1)
    return -found if ((k + quarter) % 4 >= 2) != (x < 0 and quarter == 0) else found

def wave(x: Interval, quarter: int) -> Interval:
    """Return the range of sin(x + quarter*pi/2): sin for 0, cos for 1."""
    if x.low is None or x.high is None or x.high - x.low > 7:
        return SIGNED
    shift = HALF if quarter == 0 else ZERO  # at (k + shift)*pi the value is (-1)^k
    first = min(ceil(x.low / p - shift) for p in _PIS)
    last = max(floor(x.high / p - shift) for p in _PIS)
    if last - first > 3:
        return SIGNED
    found = outward(_wave_at(x.low, quarter) | _wave_at(x.high, quarter))
    for k in range(first, last + 1):
        found |= point(1 if k % 2 == 0 else -1)
    return found.clamp(-ONE, ONE)

def one_branch(x: Interval) -> bool:
    """Say whether x is bounded and strictly between two neighbouring poles of tan."""
    if x.low is None or x.high is None:
        return False
    return len({floor(end / p + HALF) for end in (x.low, x.high) for p in _PIS}) == 1
