"""Rational intervals, with enclosures of the elementary functions from power series."""

# fmt: off
# ruff: noqa: D102, D103, E701, E704  (small functions, each with a name that says it all)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, isqrt
from operator import add

from tamecheck.kernel.strict import Reject, require, spend

End = Fraction | int | None
ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)

@dataclass(frozen=True, slots=True)
class Interval:
    """The reals from low to high; None is an unbounded side. The arithmetic is exact."""

    low: End
    high: End

    def __post_init__(self) -> None: spend(16, longest(self))
    @property
    def finite(self) -> bool: return self.low is not None and self.high is not None
    def has(self, x: Fraction | int) -> bool: return point(x) <= self
    def __neg__(self) -> Interval:
        return Interval(*(None if end is None else -end for end in (self.high, self.low)))
    def __add__(self, other: Interval) -> Interval:
        pairs = (self.low, other.low), (self.high, other.high)
        return Interval(*(None if a is None or b is None else a + b for a, b in pairs))
    def __or__(self, other: Interval) -> Interval:  # the hull of both
        low = None if self.low is None or other.low is None else min(self.low, other.low)
        return Interval(low, None if self.high is None or other.high is None
                        else max(self.high, other.high))
    def __le__(self, other: Interval) -> bool:  # a subset
        spend(16, longest(self, other))
        low = other.low is None or (self.low is not None and self.low >= other.low)
        return low and (other.high is None or (self.high is not None and self.high <= other.high))
    def __mul__(self, other: Interval) -> Interval:
        # Each end is an infinity's sign, or 0 and a product; 0 times an unbounded side is 0.
        ends = [(0, a * b) if a is not None and b is not None else (
               (s if a is None else (a > 0) - (a < 0)) * (t if b is None else (b > 0) - (b < 0)), 0)
                for a, s in ((self.low, -1), (self.high, 1))
                for b, t in ((other.low, -1), (other.high, 1))]
        low, high = min(ends), max(ends)
        return Interval(None if low[0] else low[1], None if high[0] else high[1])
    def inverse(self) -> Interval:
        require(not self.has(ZERO), "division by an interval that contains 0")
        return Interval(*(ZERO if end is None else ONE / end for end in (self.high, self.low)))
    def maximum(self, other: Interval) -> Interval:
        lows = [end for end in (self.low, other.low) if end is not None]
        return Interval(max(lows, default=None), (self | other).high)
    def clamp(self, low: End, high: End) -> Interval:  # cut off where an end is given
        found = self if low is None else self.maximum(point(low))
        return found if high is None else -((-found).maximum(point(-high)))

def longest(*intervals: Interval) -> int:  # the bits of the longest number
    ends = [end for x in intervals for end in (x.low, x.high) if end]
    return max([max(end.numerator.bit_length(), end.denominator.bit_length()) for end in ends],
               default=0)

def point(x: Fraction | int) -> Interval: return Interval(Fraction(x), Fraction(x))

REAL, UNIT, SIGNED = Interval(None, None), Interval(ZERO, ONE), Interval(-ONE, ONE)
POSITIVE, NEGATIVE = Interval(ZERO, None), Interval(None, ZERO)  # or zero
_SCALE, _LIMIT, _TEN = 1 << 160, 8192, 10**59
_PI = 314159265358979323846264338327950288419716939937510582097494
_LN2 = 69314718055994530941723212145817656807550013436025525412068
_PIS, _LN2S = [[Fraction(n, _TEN), Fraction(n + 1, _TEN)] for n in (_PI, _LN2)]
PI, LN2 = Interval(*_PIS), Interval(*_LN2S)

def monotone(f: Callable[[Fraction], Interval], x: Interval, limits: Interval = REAL) -> Interval:
    low = limits.low if x.low is None else f(Fraction(x.low)).low
    return Interval(low, limits.high if x.high is None else f(Fraction(x.high)).high)

def _series(t: Interval, y: Interval, ratio: Callable[[int], tuple[int, int]], *,
            alternating: bool = False) -> Interval:
    # The terms t[n] = t[n-1] * y * a/b >= 0, or (-1)^n times these, are rounded down and up.
    if t.low is None or t.high is None or y.low is None or y.high is None:
        raise Reject("a series of an unbounded interval")
    low, high, y_low, y_high = (turn(end * _SCALE) for turn, end in (
        (floor, t.low), (ceil, t.high), (floor, y.low), (ceil, y.high)))
    total_low, total_high, n = low, high, 0
    while True:
        n += 1
        spend(16, high.bit_length())
        a, b = ratio(n)
        low, high = low * y_low * a // (b * _SCALE), -(-high * y_high * a // (b * _SCALE))
        term = (-high, -low) if alternating and n % 2 else (low, high)
        total_low, total_high = map(add, (total_low, total_high), term)
        # In each use the later ratios are at most 1/2 too, so the tail is at most `high`.
        if high <= 1 and 2 * y_high * a <= b * _SCALE:
            if alternating: total_low -= high
            return Interval(Fraction(total_low, _SCALE), Fraction(total_high + high, _SCALE))

def _exp(x: Fraction) -> Interval:
    if x > _LIMIT: return Interval(_exp(Fraction(_LIMIT)).low, None)
    if x < 0: return _exp(-x).inverse()
    k = floor(x / _LN2S[1])
    return _series(point(1), point(x) + LN2 * point(-k), lambda n: (1, n)) * point(1 << k)

def _log(x: Fraction) -> Interval:
    if x < 1: return -_log(1 / x)
    k = floor(x).bit_length() - 1
    z = (x - (1 << k)) / (x + (1 << k))
    series = _series(point(z), point(z * z), lambda n: (2 * n - 1, 2 * n + 1))
    return series * point(2) + LN2 * point(k)

def _sqrt(x: Fraction) -> Interval:
    scale = 1 << (96 + max(0, x.denominator.bit_length() - x.numerator.bit_length()))
    low = Fraction(isqrt(x.numerator * scale**2 // x.denominator), scale)
    return Interval(low, low if low * low == x else low + Fraction(1, scale))

def _atan(x: Fraction) -> Interval:
    if x < 0: return -_atan(-x)
    if x > 1: return PI * point(HALF) + -_atan(1 / x)
    start, y = point(x / (1 + x * x)), point(x * x / (1 + x * x))  # Euler's series
    return _series(start, y, lambda n: (2 * n, 2 * n + 1))

def _sigmoid(x: Fraction) -> Interval: return (point(1) + _exp(-x)).inverse()

def _erf(x: Fraction) -> Interval:
    if x < 0: return -_erf(-x)
    if x > 8: return Interval(1 - Fraction(1, 1 << 90), ONE)  # 1 - erf(x) <= exp(-x^2)
    series = _series(point(x), point(2 * x * x), lambda n: (1, 2 * n + 1))
    return series * point(2) * _exp(-x * x) * monotone(_sqrt, PI).inverse()

INCREASING: dict[str, tuple[Callable[[Fraction], Interval], Interval]] = {  # with the range
    "exp": (_exp, POSITIVE), "log": (_log, REAL), "sqrt": (_sqrt, REAL), "erf": (_erf, SIGNED),
    "atan": (_atan, PI * Interval(-HALF, HALF)), "sigmoid": (_sigmoid, UNIT),
    "tanh": (lambda x: _sigmoid(2 * x) * point(2) + point(-1), SIGNED),
    "softplus": (lambda x: point(max(x, ZERO)) + monotone(_log, point(1) + _exp(-abs(x))),
                 POSITIVE),
    "asin": (lambda x: monotone(_atan, point(x) * (point(1) + _sqrt(1 - x * x)).inverse())
             * point(2), REAL),
    "sinh": (lambda x: (_exp(x) + -_exp(-x)) * point(HALF), REAL),
    "cosh": (lambda x: (_exp(x) + _exp(-x)) * point(HALF), Interval(ONE, None)),  # on x >= 0
    "asinh": (lambda x: monotone(_log, point(abs(x)) + _sqrt(x * x + 1))
              * point(-1 if x < 0 else 1), REAL),
    "acosh": (lambda x: monotone(_log, point(x) + _sqrt(x * x - 1)), POSITIVE),
    "atanh": (lambda x: _log((1 + x) / (1 - x)) * point(HALF), REAL),
    "tan": (lambda x: _wave_at(x, 0) * _wave_at(x, 1).inverse(), REAL)}  # in one branch

def increasing(name: str, x: Interval) -> Interval:
    f, limits = INCREASING[name]
    return monotone(f, x, limits).clamp(limits.low, limits.high)

def _wave_at(x: Fraction, quarter: int) -> Interval:
    k = floor(2 * abs(x) / _PIS[1])
    rest = point(abs(x)) + PI * point(Fraction(-k, 2))
    if not rest <= Interval(ZERO, 2): return SIGNED
    odd = (k + quarter) % 2  # then a cosine of the rest
    start, y = point(1) if odd else rest, rest * rest
    found = _series(start, y, lambda n: (1, 2 * n * (2 * n + 1 - 2 * odd)), alternating=True)
    return -found if ((k + quarter) % 4 >= 2) != (x < 0 and quarter == 0) else found

def wave(x: Interval, quarter: int) -> Interval:  # of sin for quarter 0, of cos for 1
    if x.low is None or x.high is None or x.high - x.low > 7: return SIGNED
    shift = HALF if quarter == 0 else ZERO  # at (k + shift)*pi the value is (-1)^k
    first = min(ceil(x.low / p - shift) for p in _PIS)
    last = max(floor(x.high / p - shift) for p in _PIS)
    if last - first > 3: return SIGNED
    found = _wave_at(Fraction(x.low), quarter) | _wave_at(Fraction(x.high), quarter)
    for k in range(first, last + 1): found |= point(1 if k % 2 == 0 else -1)
    return found.clamp(SIGNED.low, SIGNED.high)

def one_branch(x: Interval) -> bool:  # bounded and strictly between two neighbouring poles of tan
    if x.low is None or x.high is None: return False
    return len({floor(end / p + HALF) for end in (x.low, x.high) for p in _PIS}) == 1
