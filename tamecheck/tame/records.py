"""What oscillates or jumps on a curve, by what is known of each element as t grows.

A property holds *eventually* if it does for all large ``t``, and *ever again* if it does for
arbitrarily large ones.  An element without waves has a sign and a limit by its germ in a Hardy
field (`tamecheck.tame.hardy`); of the others each op keeps what its arguments show.  The kernel
computes the same in its own words, so nothing is said here that it would not say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

from tamecheck import ops
from tamecheck.evaluate.ranges import REAL, Range, point_range, pointwise_range
from tamecheck.exact.reals import UndecidedError
from tamecheck.ir.formula import Relation
from tamecheck.ir.op import Op, Params
from tamecheck.tame.hardy import Germ

CONSTANT = 2
"""The degree of what is eventually a real constant; 1 stands for semialgebraic."""

NOUGHT = point_range(0)
_ABOVE = Range(Fraction(0), None, low_open=True)
HALF_LINES = {0: NOUGHT, 1: _ABOVE, -1: -_ABOVE}
"""Where the numbers of each sign are."""

_FAR, _NEAR, _WIDE = Fraction(16), Fraction(1, 64), 8


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one element of a graph on a curve."""

    span: Range = REAL
    """Where it eventually is."""
    smooth: int = 0
    """2 if it is eventually analytic, 1 if continuous."""
    germ: Germ | None = None
    infinity: int = 0
    """1 or -1 where it tends to an infinity of this sign."""
    mono: int = 0
    """The same, where it never turns back."""
    limit: Range | None = None
    """Where its limit is, if it has one."""
    swings: Range | None = None
    """Ends between its lower and its upper limit."""
    takes: Range | None = None
    """Values each of which it takes ever again."""
    signs: frozenset[int] = frozenset()
    """The signs that it minus one number in ``base`` has ever again."""
    base: Range = NOUGHT
    jumps: bool = False
    """Whether it is discontinuous ever again."""
    degree: int = 0
    """1 if it is eventually semialgebraic, `CONSTANT` if it does not move."""
    whole: tuple[Fraction, Fraction] | None = None
    """``(c, d)`` where it is ``c n + d`` for a rounding n without bound."""
    rest: Record | None = None
    """What it is up to a semialgebraic function."""
    needs: tuple[Condition, ...] = ()
    """Where it is defined, as far as that is not eventually everywhere."""

    @property
    def sign(self) -> int | None:
        """Its eventual sign, if it has one."""
        return side_of(self.span)

    @property
    def exact(self) -> Fraction | None:
        """The rational that it is."""
        return self.span.low if self.degree == CONSTANT and self.span.single else None

    @property
    def escapes(self) -> str:
        """How it differs from all functions in o-minimal structures, in words; else empty."""
        if self.jumps:
            return "jumps infinitely often"
        if self.swings is not None:
            return "oscillates for ever"
        if self.base == NOUGHT and self.signs >= {-1, 1}:
            return "changes its sign infinitely often"
        if self.signs >= {-1, 1}:
            return "crosses a value infinitely often"
        return "takes a value infinitely often, and leaves it" if len(self.signs) > 1 else ""

    @property
    def away(self) -> bool:
        """Whether it stays away from 0."""
        return not has(Range(self.span.low, self.span.high), Fraction(0))


class Condition(NamedTuple):
    """A comparison of a record with 0, or with < and <= of its size with 1."""

    kind: Relation
    record: Record


def has(x: Range, value: Fraction) -> bool:
    """Whether a number is in a range."""
    return is_inside(point_range(value), x)


def is_inside(x: Range, y: Range) -> bool:
    """Whether one range is in another."""
    return (x & y) == x


def side_of(x: Range) -> int | None:
    """The sign of all numbers of a range."""
    return next((s for s, half in HALF_LINES.items() if is_inside(x, half)), None)


def range_of(op: Op, params: Params, *args: Range) -> Range:
    """The range of an op."""
    found = pointwise_range(op, params, args)
    if found is None:
        raise UndecidedError
    return found


def swing(low: Fraction | None, high: Fraction | None) -> Range | None:
    """Bounds of a lower and an upper limit, if they are apart."""
    return Range(low, high) if low is None or high is None or low < high else None


def constant(value: Range) -> Record:
    """A real constant."""
    finite = value.low is not None and value.high is not None
    return settle(Record(value, 2, limit=value if finite else None, degree=CONSTANT))


def settle(g: Record) -> Record:
    """The record with what follows from the rest of it."""
    span, swings, takes = g.span, g.swings, g.takes
    if g.infinity:
        span = Range(_FAR, None) if g.infinity > 0 else Range(None, -_FAR)
    if g.limit is not None:
        span &= Range(g.limit.low, g.limit.high) + Range(-_NEAR, _NEAR)
    if takes is None and swings is not None and g.smooth:
        a = max(Fraction(-_WIDE), -_WIDE if swings.low is None else swings.low)
        b = min(Fraction(_WIDE), _WIDE if swings.high is None else swings.high)
        inset = (b - a) * _NEAR
        takes = Range(a + inset, b - inset) if a < b else None
    if swings is None and takes is not None:
        swings = swing(takes.low, takes.high)
    return replace(g, span=span, swings=swings, takes=takes)


def signs_about(g: Record, c: Fraction = Fraction(0)) -> frozenset[int]:
    """Signs that the element minus a number has ever again."""
    found = set(g.signs) if g.base == point_range(c) else set[int]()
    for taken in (g.swings, g.takes):
        if taken is not None:
            found |= {-1} if taken.low is None or taken.low < c else set()
            found |= {1} if taken.high is None or taken.high > c else set()
    found |= {0} if g.takes is not None and has(g.takes, c) else set()
    beside = side_of(g.span + point_range(-c))
    return frozenset(found if beside is None else found | {beside})


def spread(g: Record | None, sign: int) -> Record | None:
    """The signs of a remainder, mapped by a monotone semialgebraic function."""
    kept = frozenset((-1, 1)) if g is not None and g.swings else g.signs if g is not None else ()
    return Record(signs=frozenset(sign * a for a in kept)) if len(kept) > 1 else None


def plus(x: Record, y: Record) -> Record:
    """The sum of two elements."""
    if 0 in (x.sign, y.sign):
        return y if x.sign == 0 else x
    together = x.mono if x.mono == y.mono else 0
    g = Record(
        x.span + y.span,
        min(x.smooth, y.smooth),
        mono=together,
        limit=x.limit + y.limit if x.limit and y.limit else None,
        jumps=bool(together) and (x.jumps or y.jumps),
        degree=min(x.degree, y.degree),
    )
    g = _with_addend(_with_addend(g, x, y), y, x)
    if x.degree or y.degree or x.rest or y.rest:
        off = [constant(NOUGHT) if k.degree else k.rest or k for k in (x, y)]
        g = replace(g, rest=plus(off[0], off[1]))
    return settle(g)


def _with_addend(g: Record, k: Record, m: Record) -> Record:
    near = m.limit or m.span
    if k.infinity and (near.low if k.infinity > 0 else near.high) is not None:
        g = replace(g, infinity=k.infinity)
    if k.swings and near.low is not None and near.high is not None and g.swings is None:
        low = None if k.swings.low is None else k.swings.low + near.high
        high = None if k.swings.high is None else k.swings.high + near.low
        g = replace(g, swings=swing(low, high))
    g = replace(g, jumps=g.jumps or (k.jumps and m.smooth > 0))
    if m.degree == CONSTANT:
        g = replace(g, signs=k.signs, base=k.base + m.span, mono=k.mono)
    if m.exact is not None:
        whole = None if k.whole is None else (k.whole[0], k.whole[1] + m.exact)
        g = replace(g, takes=k.takes + m.span if k.takes else None, whole=whole)
    return g


def times(x: Record, y: Record) -> Record:
    """The product of two elements."""
    if 0 in (x.sign, y.sign):
        return constant(NOUGHT)
    both, steep = (x.sign or 0) * (y.sign or 0), bool(x.mono and y.mono)
    g = Record(
        x.span * y.span,
        min(x.smooth, y.smooth),
        mono=both * steep,
        limit=x.limit * y.limit if x.limit and y.limit else None,
        jumps=steep and (x.jumps or y.jumps),
        degree=min(x.degree, y.degree),
    )
    for k, m in ((x, y), (y, x)):
        if k.infinity and m.away:
            g = replace(g, infinity=k.infinity * (m.sign or 0))
        if k.limit == NOUGHT and m.span.low is not None and m.span.high is not None:
            g = replace(g, limit=NOUGHT)
        if m.sign:
            g = _with_factor(g, k, m, m.sign)
    return settle(g)


def _with_factor(g: Record, k: Record, m: Record, sign: int) -> Record:
    g = replace(g, swings=g.swings or _scaled(k, m, sign))
    around, c = signs_about(k), m.exact
    if len(around) > len(g.signs):
        g = replace(g, signs=frozenset(sign * a for a in around), base=NOUGHT)
    if m.degree == CONSTANT:
        g = replace(g, mono=k.mono * sign)
        if len(around) < 2:
            g = replace(g, signs=frozenset(sign * a for a in k.signs), base=k.base * m.span)
    if c is not None:
        whole = None if k.whole is None else (c * k.whole[0], c * k.whole[1])
        g = replace(g, takes=k.takes * m.span if k.takes else None, whole=whole)
    rest = times(k.rest, m) if m.degree and k.rest else g.rest
    g = replace(g, jumps=g.jumps or (k.jumps and m.smooth > 0), rest=rest)
    known = rest is not None or g.escapes or not m.degree
    return g if known else replace(g, rest=spread(k, sign))


def _scaled(k: Record, m: Record, sign: int) -> Range | None:
    """How far a product swings, for a factor that has a limit, or is away from 0."""
    taken, found = k.swings, None
    if taken is None or not m.away:
        return None
    if taken.low is not None and taken.high is not None and m.limit:
        low, high = (m.limit * point_range(taken.low), m.limit * point_range(taken.high))[::sign]
        found = None if low.high is None or high.low is None else swing(low.high, high.low)
    if found is None and {-1, 1} <= signs_about(Record(swings=taken)):
        end = None if m.infinity else m.span.low if sign > 0 else m.span.high
        low, high = (None if e is None or end is None else e * end for e in (taken.low, taken.high))
        found = swing(low, high) if sign > 0 else swing(high, low)
    return found


def inverse(u: Record) -> Record:
    """The inverse of an element that has a sign."""
    if u.sign == -1:
        minus = constant(point_range(-1))
        return times(minus, inverse(times(minus, u)))
    inner = u.limit if u.limit is not None and not u.limit.has_zero else None
    g = Record(
        u.span.inverse(),
        u.smooth,
        limit=NOUGHT if u.infinity else inner.inverse() if inner else None,
        jumps=u.jumps,
        degree=u.degree,
        rest=spread(u.rest, -1),
    )
    if u.swings is not None:
        a, b = u.swings.low, u.swings.high
        bottom = Fraction(0) if b is None else 1 / b
        g = replace(g, swings=swing(bottom, None if a is None or a <= 0 else 1 / a))
    if u.signs and u.base.low is not None and u.base.low > 0:
        g = replace(g, signs=frozenset(-a for a in u.signs), base=u.base.inverse())
    if u.takes is not None and u.takes.low is not None and u.takes.low > 0:
        g = replace(g, takes=u.takes.inverse())
    return settle(g)


def larger(x: Record, y: Record) -> Record:
    """The larger of two elements, neither of which is known to be it eventually."""
    g = Record(
        range_of(ops.MAXIMUM, {}, x.span, y.span),
        min(x.smooth, y.smooth, 1),
        infinity=int(1 in (x.infinity, y.infinity)),
        degree=min(x.degree, y.degree),
    )
    for k, m in ((x, y), (y, x)):
        top, c = (m.limit or m.span).high, m.exact
        if k.swings and top is not None:
            low = top if k.swings.low is None else max(k.swings.low, top)
            g = replace(g, swings=g.swings or swing(low, k.swings.high))
        if c is not None:
            g = replace(g, signs=frozenset(max(a, 0) for a in signs_about(k, c)), base=m.span)
            if k.base.low is not None and k.base.low > c:
                g = replace(g, signs=k.signs, base=k.base)
            takes = range_of(ops.MAXIMUM, {}, k.takes, m.span) if k.takes else None
            g = replace(g, takes=takes)
    return settle(g)
