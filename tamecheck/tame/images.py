"""The records of functions of one element on a curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.evaluate.ranges import Range, point_range
from tamecheck.exact.reals import UndecidedError
from tamecheck.ir.formula import Const, Elementary, Pow
from tamecheck.ir.op import Op, Params
from tamecheck.ops import facets
from tamecheck.ops.monotone import direction
from tamecheck.tame import records
from tamecheck.tame.curves import WAVES

_POSITIVE, _SIGNED = Range(Fraction(0), None), Range(Fraction(-1), Fraction(1))
_FAR, _NEAR, _WIDE = Fraction(16), Fraction(1, 64), 8


def _direction(op: Op, params: Params, u: records.Record) -> int:
    """1 or -1 for an increasing or decreasing function, 2 or -2 if it is strictly so."""
    if facets.rounds(op, params):
        return 1
    e, function = _exponent(op, params), facets.elementary_of(op, params)
    if e is not None and e.denominator == 1:
        return 2 if e % 2 or records.is_inside(u.span, _POSITIVE) else 2 * min(u.sign or 0, 0)
    if facets.line_of(op, params) == facets.MAGNITUDE or function is Elementary.COSH:
        return 2 * (u.sign or 0)
    if function is Elementary.SIN:
        return 2 * records.is_inside(u.span, Range(Fraction(-3, 2), Fraction(3, 2)))
    return 2 * direction(op, params)


def _exponent(op: Op, params: Params) -> Fraction | None:
    """That of a power or a root, which is positive here."""
    match facets.term_of(op, params):
        case Pow(_, Const(exponent)):
            return exponent
        case _:
            return None


def _side(op: Op, params: Params) -> int:
    """Of an even function the side of its value at 0 on which the others are near it, else 0."""
    function = facets.elementary_of(op, params)
    if function is Elementary.COS:
        return -1
    even = facets.line_of(op, params) == facets.MAGNITUDE or function is Elementary.COSH
    return int(even or _exponent(op, params) is not None)


def image(op: Op, params: Params, u: records.Record) -> records.Record:
    """A function of one element, which is in its domain."""
    e, function = _exponent(op, params), facets.elementary_of(op, params)
    if function in WAVES and u.smooth and (u.infinity or _without_end(u)):
        every = frozenset((-1, 0, 1))
        return records.Record(_SIGNED, u.smooth, swings=_SIGNED, takes=_SIGNED, signs=every)
    d, step = _direction(op, params, u), facets.steps(op, params)
    root = e is not None and e.denominator > 1
    rough = u.sign != 1 if root else not facets.is_analytic(op, params)
    endless = e is not None or function in (Elementary.EXP, Elementary.LOG)
    rises = u.infinity > 0 and endless
    g = records.Record(
        records.range_of(op, params, u.span),
        0 if step else min(2 - rough, u.smooth),
        infinity=u.infinity if d == 1 else int(rises),
        mono=u.mono if d == 1 else u.mono * (rises and d == 2),
        jumps=u.jumps and abs(d) == 2,
        degree=min(u.degree, 1) if facets.is_algebraic(op, params) and not step else 0,
        rest=records.spread(u.rest, d // 2) if abs(d) == 2 and e is not None else None,
    )
    if d == 1 and u.smooth and u.infinity:
        g = replace(g, jumps=True, whole=(Fraction(1), Fraction(0)))
    if function in WAVES and u.whole and u.whole[0]:
        g = replace(g, jumps=True)
    return records.settle(_stepped(op, params, u, g) if step else _shaped(op, params, u, g, d))


def _without_end(u: records.Record) -> bool:
    return u.swings is not None and None in (u.swings.low, u.swings.high)


def _between(values: Sequence[Range]) -> Range | None:
    """The values between the least and the greatest of some that are enclosed."""
    lows = [value.low for value in values if value.low is not None]
    highs = [value.high for value in values if value.high is not None]
    if not values or len(lows) < len(values) or len(highs) < len(values):
        return None
    return Range(min(highs), max(lows)) if min(highs) <= max(lows) else None


def _stepped(op: Op, params: Params, u: records.Record, g: records.Record) -> records.Record:
    """A step function, with what it takes ever again."""
    centres = {Fraction(0)}
    if facets.rounds(op, params):
        known = [taken for taken in (u.takes, u.base, u.swings) if taken is not None]
        ends = [end for taken in known for end in (taken.low, taken.high) if end is not None]
        if u.swings is not None:
            low = Fraction(-_WIDE) if u.swings.low is None else u.swings.low
            ends += [Fraction(2 * low // 1 + i, 2) for i in (1, 2, 3, 4)]
        centres |= {end for end in ends if (2 * end).denominator == 1}
    for c in sorted(centres):
        around = [point_range(c + s * _NEAR) for s in sorted(records.signs_about(u, c))]
        taken = _between([records.range_of(op, params, value) for value in around])
        if taken is not None and not taken.single:
            return replace(g, swings=taken, jumps=True)
    return g


def _shaped(op: Op, params: Params, u: records.Record, g: records.Record, d: int) -> records.Record:
    """A continuous function, with what it takes ever again."""
    around, side = records.signs_about(u), _side(op, params)
    near = side != -1 or records.is_inside(u.span, Range(Fraction(-3), Fraction(3)))
    if side and not d and len(around) > 1 and near:
        sides = frozenset(side * abs(a) for a in around)
        g = replace(g, signs=sides, base=records.range_of(op, params, records.NOUGHT))
    if d and u.signs:
        mapped = frozenset(a * d // 2 for a in u.signs)
        g = replace(g, signs=mapped, base=records.range_of(op, params, u.base))
    if d and u.swings is not None:
        (a, s), (b, r) = ((u.swings.low, -1), (u.swings.high, 1))[:: 1 if d > 0 else -1]
        low = _inward(op, params, a, s, upper=False)
        g = replace(g, swings=records.swing(low, _inward(op, params, b, r, upper=True)))
    if u.takes is None or u.takes.low is None or u.takes.high is None or not u.smooth:
        return g
    step = (u.takes.high - u.takes.low) / 4
    grid = [records.range_of(op, params, point_range(u.takes.low + i * step)) for i in range(5)]
    taken = _between(grid)
    if taken is not None:
        g = replace(g, takes=taken, swings=g.swings or records.swing(taken.low, taken.high))
    return g


def _inward(
    op: Op, params: Params, end: Fraction | None, s: int, *, upper: bool
) -> Fraction | None:
    """A number that the values near an end of a swing pass; None where they have no bound."""
    if end is None:
        hull = records.range_of(op, params, _POSITIVE if s > 0 else -_POSITIVE)
        if (hull.high if upper else hull.low) is None:
            return None
    x = 4 * s * _FAR if end is None else end
    function = facets.elementary_of(op, params)
    if (function, x) == (Elementary.LOG, 0) or (function, abs(x)) == (Elementary.ATANH, 1):
        return None
    found = records.range_of(op, params, point_range(x))
    value = found.low if upper else found.high
    if value is None:
        raise UndecidedError
    return value
