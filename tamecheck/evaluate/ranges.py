"""Exact ranges with open ends: one interval for all elements of a node.

The range of a sigmoid is (0, 1), and on its natural domain a square root is at least 0.  Ends are
rationals, and an end that is a limit is open; one that had to be rounded is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

import numpy as np

from tamecheck.evaluate.conditions import narrowed, refine
from tamecheck.evaluate.enclose import pointwise_enclosure
from tamecheck.evaluate.enclosure import Enclosure, float_down, float_up
from tamecheck.evaluate.intervals import Interval, elementary, root
from tamecheck.ir import formula
from tamecheck.ir.arithmetic import Arithmetic
from tamecheck.ir.exact import ONE
from tamecheck.ir.formula import Condition, Elementary, Relation, Term
from tamecheck.ir.op import Op, Params, Pointwise

End = Fraction | None
_BITS = 256


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from ``low`` to ``high``; None is an unbounded side, an open end is left out."""

    low: End = None
    high: End = None
    low_open: bool = False
    high_open: bool = False

    @property
    def empty(self) -> bool:
        """Whether no number is inside."""
        if self.low is None or self.high is None:
            return False
        closed = not (self.low_open or self.high_open)
        return self.low > self.high or (self.low == self.high and not closed)

    @property
    def closure(self) -> Range:
        """With its ends."""
        return Range(self.low, self.high)

    @property
    def single(self) -> bool:
        """Whether it is one number."""
        return self.low is not None and self.low == self.high

    @property
    def has_zero(self) -> bool:
        """Whether 0 is inside."""
        return 0 in self.signs

    @property
    def signs(self) -> frozenset[int]:
        """The signs of the numbers inside: of -1, 0 and 1."""
        below, above = self.low is None or self.low < 0, self.high is None or self.high > 0
        reached = below or (self.low == 0 and not self.low_open)
        zero = reached and (above or (self.high == 0 and not self.high_open))
        return frozenset(sign for sign, held in ((-1, below), (0, zero), (1, above)) if held)

    def __neg__(self) -> Range:
        """The negatives."""
        low = None if self.high is None else -self.high
        high = None if self.low is None else -self.low
        return Range(low, high, self.high_open, self.low_open)

    def __and__(self, other: Range) -> Range:
        """What is in both."""
        low, low_open = _inner(self, other)
        high, high_open = _inner(-self, -other)
        return Range(low, None if high is None else -high, low_open, high_open)

    def __or__(self, other: Range) -> Range:
        """The smallest range that holds both."""
        low, low_open = _outer(self, other)
        high, high_open = _outer(-self, -other)
        return Range(low, None if high is None else -high, low_open, high_open)

    def __add__(self, other: Range) -> Range:
        """The sums."""
        low = None if self.low is None or other.low is None else self.low + other.low
        high = None if self.high is None or other.high is None else self.high + other.high
        opens = self.low_open or other.low_open, self.high_open or other.high_open
        return _tidy(Range(low, high, *opens))

    def __mul__(self, other: Range) -> Range:
        """The products: an end that is not 0 is a product of ends, 0 needs a factor 0."""
        corners = [_product(a, b) for a in _ends(self) for b in _ends(other)]
        away = not (self.has_zero or other.has_zero)

        def side(best: Callable[..., tuple[int, Fraction]]) -> tuple[End, bool]:
            sign, value = best(corner[0] for corner in corners)
            if sign:
                return None, False
            opens = [is_open for (s, v), is_open in corners if (s, v) == (sign, value)]
            return value, away if value == 0 else all(opens)

        (low, low_open), (high, high_open) = side(min), side(max)
        return _tidy(Range(low, high, low_open, high_open))

    def inverse(self) -> Range:
        """The reciprocals of the numbers that are not 0."""
        opens = self.low_open or self.low == 0, self.high_open or self.high == 0
        x = Range(self.low, self.high, *opens)
        if x.has_zero or x.empty:
            return REAL
        low = Fraction(0) if x.high is None else ONE / x.high if x.high else None
        high = Fraction(0) if x.low is None else ONE / x.low if x.low else None
        return _tidy(Range(low, high, x.high_open or x.high is None, x.low_open or x.low is None))

    def power(self, exponent: int) -> Range:
        """The powers with a natural exponent."""
        if exponent == 0:
            return point_range(1)
        x = self
        if exponent % 2 == 0:
            flipped = -self if self.high is not None and self.high <= 0 else self
            far = self | -self
            x = far & _NOT_NEGATIVE if self.has_zero else flipped
        ends = [None if end is None else end**exponent for end in (x.low, x.high)]
        return _tidy(Range(ends[0], ends[1], x.low_open, x.high_open))


def _inner(x: Range, y: Range) -> tuple[End, bool]:
    """The larger of two lower ends."""
    if x.low is None or y.low is None:
        return (y.low, y.low_open) if x.low is None else (x.low, x.low_open)
    if x.low == y.low:
        return x.low, x.low_open or y.low_open
    return (x.low, x.low_open) if x.low > y.low else (y.low, y.low_open)


def _outer(x: Range, y: Range) -> tuple[End, bool]:
    """The smaller of two lower ends."""
    if x.low is None or y.low is None:
        return None, False
    if x.low == y.low:
        return x.low, x.low_open and y.low_open
    return (x.low, x.low_open) if x.low < y.low else (y.low, y.low_open)


def _ends(x: Range) -> list[tuple[End, int, bool]]:
    """Both ends, with the sign of an infinite one."""
    return [(x.low, -1, x.low_open), (x.high, 1, x.high_open)]


def _product(
    a: tuple[End, int, bool], b: tuple[End, int, bool]
) -> tuple[tuple[int, Fraction], bool]:
    """The sign of an infinite product and 0, or 0 and the product; and whether it is open."""
    signs = [sign if end is None else (end > 0) - (end < 0) for end, sign, _ in (a, b)]
    if a[0] is None or b[0] is None:
        return (signs[0] * signs[1], Fraction(0)), a[2] or b[2]
    return (0, a[0] * b[0]), a[2] or b[2]


def _tidy(x: Range) -> Range:
    """The range with long numbers rounded outward to floats, whose ends are closed."""
    low, high = x.low, x.high
    if low is not None and max(low.numerator.bit_length(), low.denominator.bit_length()) > _BITS:
        x = Range(_finite(float_down(low)), high, high_open=x.high_open)
    if high is not None and max(high.numerator.bit_length(), high.denominator.bit_length()) > _BITS:
        x = Range(x.low, _finite(float_up(high)), x.low_open)
    return x


def _finite(value: float) -> End:
    return Fraction(value) if np.isfinite(value) else None


def point_range(value: Fraction | int) -> Range:
    """The range of one number."""
    return Range(Fraction(value), Fraction(value))


REAL = Range()
_NOT_NEGATIVE = Range(Fraction(0))


def hull(ranges: Sequence[Range]) -> Range:
    """The smallest range that holds all of these."""
    return reduce(Range.__or__, ranges)


def pointwise_range(
    op: Op, params: Params, args: Sequence[Range], domain: Condition | None = None
) -> Range | None:
    """The range of a pointwise op where it is defined; None if it is nowhere defined.

    The op's own domain may be replaced by a smaller one.
    """
    meaning = op.meaning
    if not isinstance(meaning, Pointwise):
        return REAL
    domain = meaning.domain(params) if domain is None else domain
    inside = _cut(domain, args)
    if any(x.empty for x in inside) or _fails(domain, args):
        return None
    pieces = meaning.pieces(params)
    found: list[Range] = []
    for piece in pieces:
        cut = _cut(piece.condition, inside)
        if not any(x.empty for x in cut) and not _fails(piece.condition, inside):
            found.append(_term(piece.term, cut))
    exact = hull(found) if found else REAL
    both = exact & _numeric(meaning, params, inside)
    return exact if both.empty else both


def _numeric(meaning: Pointwise, params: Params, args: Sequence[Range]) -> Range:
    """The range by floats that are rounded outward, of closed intervals."""
    boxes = [Interval(*map(np.asarray, _floats(x))) for x in args]
    with np.errstate(all="ignore"):
        boxes = refine(meaning.domain(params), boxes, {})
        enclosures = [Enclosure(np.asarray(x.lower), np.asarray(x.upper)) for x in boxes]
        found = pointwise_enclosure(Pointwise(meaning.pieces), enclosures, params, ())
    return REAL if found is None else _of_floats(*found.hull())


def _floats(x: Range) -> tuple[float, float]:
    low = -np.inf if x.low is None else float_down(x.low)
    return low, np.inf if x.high is None else float_up(x.high)


def _of_floats(low: float, high: float) -> Range:
    return Range(_finite(low), _finite(high))


def _cut(condition: Condition, args: Sequence[Range]) -> list[Range]:
    """The arguments cut down by the conjuncts that compare one with a term."""
    return narrowed(
        condition,
        args,
        lambda x, relation, bound, others: x & _side(relation, _term(bound, others)),
    )


def _side(relation: Relation, bound: Range) -> Range:
    """The numbers that are in this relation with some number of a range."""
    match relation:
        case Relation.GE | Relation.GT:
            return Range(bound.low, None, bound.low_open or relation is Relation.GT)
        case Relation.LE | Relation.LT:
            return -_side(Relation.GT if relation is Relation.LT else Relation.GE, -bound)
        case Relation.EQ:
            return bound
        case Relation.NE:
            return REAL


def holds(condition: Condition, args: Sequence[Range]) -> bool:
    """Whether a condition holds for all numbers of the ranges."""
    return formula.truth(condition, lambda compare: _decide(compare, args)) is True


def _decide(condition: formula.Compare, args: Sequence[Range]) -> bool | None:
    """Whether a comparison holds for all numbers of the ranges, or for none."""
    left, relation, right = formula.sides(condition)
    signs = (_term(left, args) + -_term(right, args)).signs
    if signs <= relation.signs:
        return True
    return None if signs & relation.signs else False


def _fails(condition: Condition, args: Sequence[Range]) -> bool:
    """Whether a condition holds for no numbers of the ranges."""
    return formula.truth(condition, lambda compare: _decide(compare, args)) is False


def _term(term: Term, args: Sequence[Range]) -> Range:
    return _RANGES.value(term, args)


def _power(x: Range, exponent: Fraction | Range) -> Range:
    if isinstance(exponent, Range):
        return REAL
    if exponent.denominator != 1:
        return _root(x & _NOT_NEGATIVE, exponent)
    power = x.power(abs(exponent.numerator))
    return power if exponent >= 0 else power.inverse()


def _floor(x: Range) -> Range:
    low = None if x.low is None else Fraction(x.low.__floor__())
    if x.high is None:
        return Range(low)
    return Range(low, Fraction(x.high.__ceil__() - 1 if x.high_open else x.high.__floor__()))


def _root(x: Range, exponent: Fraction) -> Range:
    with np.errstate(all="ignore"):
        found = root(Interval(*map(np.asarray, _floats(x))), exponent)
    near = _of_floats(float(found.lower), float(found.upper))
    if exponent > 0:
        positive = x.low is not None and (x.low > 0 or x.low_open)
        return near & Range(Fraction(0), None, low_open=positive)
    return near & Range(Fraction(0), None, low_open=True)


_LIMITS: Mapping[Elementary, Range] = {
    Elementary.EXP: Range(Fraction(0), None, low_open=True),
    Elementary.TANH: Range(-ONE, ONE, low_open=True, high_open=True),
    Elementary.ERF: Range(-ONE, ONE, low_open=True, high_open=True),
    Elementary.COSH: Range(ONE),
    Elementary.SIN: Range(-ONE, ONE),
    Elementary.COS: Range(-ONE, ONE),
}
_INCREASING = frozenset(
    {
        *(Elementary.EXP, Elementary.LOG, Elementary.SINH, Elementary.TANH, Elementary.ASINH),
        *(Elementary.ATAN, Elementary.ASIN, Elementary.ATANH, Elementary.ERF, Elementary.ACOSH),
    }
)
_EXACT = {Elementary.EXP: (0, 1), Elementary.LOG: (1, 0), Elementary.ACOSH: (1, 0)}


def _call(function: Elementary, x: Range) -> Range:
    with np.errstate(all="ignore"):
        found = elementary(function, Interval(*map(np.asarray, _floats(x))))
    near = _of_floats(float(found.lower), float(found.upper)) & _LIMITS.get(function, REAL)
    if function not in _INCREASING:
        return near
    at, value = _EXACT.get(function, (0, 0))
    above = Range(Fraction(value), None, low_open=x.low_open)  # the function is increasing
    below = Range(None, Fraction(value), high_open=x.high_open)
    near = near & above if x.low is not None and x.low >= at else near
    return near & below if x.high is not None and x.high <= at else near


_RANGES: Arithmetic[Range] = Arithmetic(
    constant=point_range,
    floor=_floor,
    call=_call,
    divide=lambda left, right: left * right.inverse(),
    power=_power,
)


def log_count(count: int) -> Range:
    """The logarithm of a number of elements."""
    return _call(Elementary.LOG, point_range(count))
