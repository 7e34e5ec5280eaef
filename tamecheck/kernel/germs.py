"""Germs at infinity: what is true of an element of a graph on a curve, eventually or ever again.

Eventually is for all large t, and ever again for arbitrarily large ones.  A germ is that of a
function that is eventually defined; each operation on germs keeps what its arguments prove.
"""

# ruff: noqa: D103  (small functions, each with a name that says it all)
from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from tamecheck.kernel.curves import Laurent
from tamecheck.kernel.interval import ONE, REAL, ZERO, End, Interval, longest, point
from tamecheck.kernel.laurent import LONG, added, fits, leading, multiplied, sign
from tamecheck.kernel.strict import require, spend

Lead = tuple[Interval, Fraction, Laurent]  # (c, r, q): it is c t^r exp(q) (1 + o(1)), c is not 0
FAR, NEAR, WIDE = Fraction(16), Fraction(1, 64), Fraction(8)
NOUGHT = point(0)
CONSTANT = 2  # in the field `alg`


@dataclass(frozen=True, slots=True)
class Germ:
    """What is known of an element."""

    rng: Interval = REAL  # it is eventually in there
    sgn: int | None = None  # its eventual sign
    smooth: int = 0  # 2: it is eventually analytic; 1: continuous
    ratio: tuple[Laurent, Laurent] | None = None  # it is eventually equal to this quotient
    lead: Lead | None = None
    inf: int = 0  # 1 or -1: it tends to that infinity
    lim: Interval | None = None  # it has a limit, which is in there
    osc: Interval | None = None  # its lower limit is <= low < high <= its upper limit
    att: Interval | None = None  # it takes each of these values ever again
    signs: frozenset[int] = frozenset()  # what signs it minus one number of `base` has ever again
    base: Interval = NOUGHT
    mono: int = 0  # 1: it eventually never decreases; -1: never increases
    jump: bool = False  # it is discontinuous ever again
    alg: int = 0  # 1: it is eventually semialgebraic; 2: even constant
    whole: tuple[Fraction, Fraction] | None = None  # (c, d): c n + d, with n -> +-inf a rounding
    rest: Germ | None = None  # it is the sum of this one and a semialgebraic one


def rational(num: Laurent, den: Laurent) -> Germ:
    """Return the germ of a quotient of polynomials."""
    if len(den) == 1:
        ((shift, c),) = den.items()
        num, den = {j - shift: a / c for j, a in num.items()}, {0: ONE}
    if den == {0: ONE} and set(num) <= {0}:
        return number(point(num.get(0, ZERO)))
    if not num:
        return number(NOUGHT)
    (i, a), (j, b) = leading(num), leading(den)
    left = multiplied({k - 1: k * c for k, c in num.items() if k}, den)
    slope = added(left, multiplied(num, {k - 1: k * c for k, c in den.items() if k}), -ONE)
    lead = point(a / b), Fraction(i - j), Laurent()
    mono = sign(leading(slope)[1]) if slope else 0
    return settle(Germ(smooth=2, ratio=(num, den), lead=lead, mono=mono, alg=1))


def number(value: Interval) -> Germ:
    """Return the germ of a real constant."""
    exact = value.low is not None and value.low == value.high
    found = Germ(value, 0 if exact and value.low == 0 else None, smooth=2, alg=2)
    if exact:
        found = replace(found, ratio=({0: Fraction(value.low or 0)} if value.low else {}, {0: ONE}))
    if not value.has(ZERO):
        found = replace(found, lead=(value, ZERO, Laurent()))
    return settle(replace(found, lim=value if value.finite else None))


def settle(g: Germ) -> Germ:
    """Return the germ with what follows from the rest of what is known of it."""
    sgn, lim, inf = g.sgn, g.lim, g.inf
    low, high = g.rng.low, g.rng.high
    if g.lead is not None:
        c, r, q = g.lead
        sgn = 1 if c.low is not None and c.low > 0 else -1
        growth = sign(leading(q)[1] if q else r)
        inf = sgn if growth > 0 else inf
        lim = lim if growth > 0 else NOUGHT if growth < 0 else c if c.finite else lim
    if inf:
        low, high, sgn = (FAR, None, 1) if inf > 0 else (None, -FAR, -1)
    if lim is not None and lim.low is not None and lim.high is not None:
        low = lim.low - NEAR if low is None else max(low, lim.low - NEAR)
        high = lim.high + NEAR if high is None else min(high, lim.high + NEAR)
    if sgn is None:
        above, below = low is not None and low > 0, high is not None and high < 0
        sgn = 1 if above else -1 if below else 0 if low == high == 0 else None
    if sgn is not None:
        low = max(ZERO, low or ZERO) if sgn >= 0 else low
        high = min(ZERO, high or ZERO) if sgn <= 0 else high
    lead = g.lead
    if lim is not None and lim.finite:
        lim = lim.clamp(low, high)  # a limit is in the closure
        if lead is None and not lim.has(ZERO) and longest(lim) <= LONG:
            lead = lim, ZERO, Laurent()
    return replace(_taken(g), rng=Interval(low, high), sgn=sgn, lead=lead, lim=lim, inf=inf)


def _taken(g: Germ) -> Germ:
    """Return the germ with what it takes ever again, by the intermediate value theorem."""
    osc, att = g.osc, g.att
    if att is None and osc is not None and g.smooth:
        a, b = _inset(osc)
        att = Interval(a, b) if a < b else None
    if osc is None and att is not None and att.low != att.high:
        osc = att
    return replace(g, osc=osc, att=att)


def _inset(osc: Interval) -> tuple[Fraction, Fraction]:
    """Return numbers strictly inside an interval, near its ends if these are near 0."""
    a = max(-WIDE, -WIDE if osc.low is None else osc.low)
    b = min(WIDE, WIDE if osc.high is None else osc.high)
    return a + (b - a) * NEAR, b - (b - a) * NEAR


def swing(low: End, high: End) -> Interval | None:
    """Return these bounds of a lower and an upper limit, if they are apart."""
    return Interval(low, high) if low is None or high is None or low < high else None


def signs(g: Germ, c: Fraction = ZERO) -> frozenset[int]:
    """Return signs that the germ minus c has ever again."""
    found = set(g.signs) if g.base == point(c) else set[int]()
    for taken in (g.osc, g.att):
        if taken is not None:
            found |= {-1} if taken.low is None or taken.low < c else set()
            found |= {1} if taken.high is None or taken.high > c else set()
    found |= {0} if g.att is not None and g.att.has(c) else set()
    found |= {1} if g.rng.low is not None and g.rng.low > c else set()
    found |= {-1} if g.rng.high is not None and g.rng.high < c else set()
    return frozenset(found | ({g.sgn} if c == 0 and g.sgn is not None else set()))


def wild(g: Germ | None) -> bool:
    """Return whether no function in an o-minimal structure has such a germ."""
    return g is not None and (g.jump or g.osc is not None or len(g.signs) > 1)


def spread(g: Germ | None, s: int) -> Germ | None:
    """Return only the signs of a remainder, mapped by a monotone semialgebraic function."""
    kept = frozenset((-1, 1)) if g is not None and g.osc else g.signs if g is not None else ()
    return Germ(signs=frozenset(s * a for a in kept)) if len(kept) > 1 else None


def negative(x: Germ) -> Germ:
    return times(number(point(-1)), x)


def _off(g: Germ) -> Germ:
    return number(NOUGHT) if g.alg else g.rest or g


def _dominant(x: Germ, y: Germ) -> Lead | None:
    """Return the leading term of a sum."""
    if x.lead is None or y.lead is None:
        k, m = (x, y) if x.lead else (y, x)
        return k.lead if k.inf and m.rng.finite else None
    (a, r, p), (b, s, q) = x.lead, y.lead
    apart = added(p, q, -ONE)
    growth = sign(leading(apart)[1] if apart else r - s)
    c = a + b if not growth else a if growth > 0 else b
    return None if c.has(ZERO) or longest(c) > LONG else (c, *((r, p) if growth >= 0 else (s, q)))


def _end(a: End, b: End) -> End:
    return None if a is None or b is None else a + b


def _shifted(g: Germ, k: Germ, m: Germ) -> Germ:
    """Return a sum of k and m, with what follows from k's limit or oscillation."""
    near = m.lim or m.rng
    if k.inf and (m.rng.low if k.inf > 0 else m.rng.high) is not None:
        g = replace(g, inf=k.inf)
    if k.osc and near.finite and g.osc is None:
        g = replace(g, osc=swing(_end(k.osc.low, near.high), _end(k.osc.high, near.low)))
    g = replace(g, jump=g.jump or (k.jump and m.smooth > 0))
    if m.alg < CONSTANT:
        return g
    g = replace(g, signs=k.signs, base=k.base + m.rng, mono=k.mono)
    c = m.rng.low
    if c is None or c != m.rng.high:
        return g
    whole = None if k.whole is None else (k.whole[0], k.whole[1] + c)
    return replace(g, att=k.att + m.rng if k.att else None, whole=whole)


def plus(x: Germ, y: Germ) -> Germ:
    """Return the germ of a sum."""
    spend(64)
    if x.sgn == 0 or y.sgn == 0:
        return y if x.sgn == 0 else x
    if x.ratio and y.ratio:
        (a, b), (c, d) = x.ratio, y.ratio
        num = added(a, c) if b == d else added(multiplied(a, d), multiplied(c, b))
        den = b if b == d else multiplied(b, d)
        if fits(num, den):
            return rational(num, den)
    if x.alg == y.alg == CONSTANT:
        return number(x.rng + y.rng)
    g = Germ(
        x.rng + y.rng,
        x.sgn if x.sgn == y.sgn else None,
        min(x.smooth, y.smooth),
        lead=_dominant(x, y),
        lim=x.lim + y.lim if x.lim and y.lim else None,
        mono=x.mono if x.mono == y.mono else 0,
        jump=bool(x.mono and x.mono == y.mono and (x.jump or y.jump)),
        alg=min(x.alg, y.alg),
    )
    g = _shifted(_shifted(g, x, y), y, x)
    if x.alg or y.alg or x.rest or y.rest:
        g = replace(g, rest=plus(_off(x), _off(y)))
    return settle(g)


def times(x: Germ, y: Germ) -> Germ:
    """Return the germ of a product."""
    spend(64)
    if x.sgn == 0 or y.sgn == 0:
        return number(NOUGHT)
    if x.ratio and y.ratio:
        num, den = multiplied(x.ratio[0], y.ratio[0]), multiplied(x.ratio[1], y.ratio[1])
        if fits(num, den):
            return rational(num, den)
    if x.alg == y.alg == CONSTANT:
        return number(x.rng * y.rng)
    lead, (u, v) = None, (x.lead, y.lead)
    if u is not None and v is not None and longest(u[0] * v[0]) <= LONG:
        lead = u[0] * v[0], u[1] + v[1], added(u[2], v[2])
    steep = [(k.sgn or 0) * k.mono for k in (x, y)]
    together = steep[0] if steep[0] == steep[1] else 0  # 1: both grow away from 0
    g = Germ(
        x.rng * y.rng,
        None if x.sgn is None or y.sgn is None else x.sgn * y.sgn,
        min(x.smooth, y.smooth),
        lead=lead,
        lim=x.lim * y.lim if x.lim and y.lim else None,
        mono=together * (x.sgn or 0) * (y.sgn or 0),
        jump=bool(together and (x.jump or y.jump)),
        alg=min(x.alg, y.alg),
    )
    for k, m in ((x, y), (y, x)):
        if k.inf and not _touches(m):
            g = replace(g, inf=k.inf * (m.sgn or 0))
        if k.lim == NOUGHT and m.rng.finite:
            g = replace(g, lim=NOUGHT)
        if m.sgn:
            g = _scaled(g, k, m, m.sgn)
    return settle(g)


def _touches(m: Germ) -> bool:
    """Return whether a germ may come near 0."""
    return m.rng.has(ZERO) or m.sgn is None


def _scaled(g: Germ, k: Germ, m: Germ, s: int) -> Germ:
    """Return a product of k with m, of the sign s, with what follows for its oscillation."""
    if k.osc and k.osc.low is not None and k.osc.high is not None and m.lim and not _touches(m):
        low, high = (m.lim * point(k.osc.low), m.lim * point(k.osc.high))[::s]
        g = replace(g, osc=g.osc or swing(low.high, high.low))
    across = (
        k.osc and (k.osc.low is None or k.osc.low < 0) and (k.osc.high is None or k.osc.high > 0)
    )
    if k.osc and across and not _touches(m):
        end = (m.rng.low if s > 0 else m.rng.high) if not m.inf else None
        low, high = (k.osc.low, k.osc.high)[::s]
        low, high = (None if e is None or end is None else e * end for e in (low, high))
        g = replace(g, osc=g.osc or swing(low, high))
    around = signs(k)
    if len(around) > len(g.signs):
        g = replace(g, signs=frozenset(s * a for a in around), base=NOUGHT)
    if k.jump and m.smooth:
        g = replace(g, jump=True)
    c = m.rng.low
    if m.alg == CONSTANT and c is not None and c == m.rng.high:
        whole = None if k.whole is None else (c * k.whole[0], c * k.whole[1])
        g = replace(g, att=k.att * m.rng if k.att else None, whole=whole)
        if len(g.signs) < 2:
            g = replace(g, signs=frozenset(s * a for a in k.signs), base=k.base * m.rng)
    if m.alg == CONSTANT:
        g = replace(g, mono=k.mono * s)
    return replace(g, rest=times(k.rest, m)) if m.alg and k.rest else g


def inverse(u: Germ) -> Germ:
    """Return the germ of 1 / u, where u is eventually not 0."""
    spend(64)
    require(bool(u.sgn), "a divisor that may be 0 ever again")
    if u.ratio:
        return rational(u.ratio[1], u.ratio[0])
    if u.alg == CONSTANT and not u.rng.has(ZERO):
        return number(u.rng.inverse())
    if u.sgn == -1:
        return negative(inverse(negative(u)))
    low, high = u.rng.low or ZERO, u.rng.high
    lead = None
    if u.lead is not None and longest(u.lead[0]) <= LONG:
        c, r, q = u.lead
        lead = c.inverse(), -r, added({}, q, -ONE)
    g = Germ(
        Interval(ZERO if high is None else ONE / high, ONE / low if low else None),
        1,
        u.smooth,
        lead=lead,
        inf=1 if u.lim == NOUGHT else 0,
        lim=NOUGHT if u.inf else None,
        mono=-u.mono,
        jump=u.jump,
        alg=u.alg,
        rest=spread(u.rest, -1),
    )
    if u.lim is not None and not u.lim.has(ZERO):
        g = replace(g, lim=u.lim.inverse())
    if u.osc is not None:
        a, b = u.osc.low, u.osc.high
        top = None if a is None or a <= 0 else 1 / Fraction(a)
        g = replace(g, osc=swing(ZERO if b is None else 1 / Fraction(b), top))
    if u.signs and u.base.low is not None and u.base.low > 0:
        g = replace(g, signs=frozenset(-a for a in u.signs), base=u.base.inverse())
    if u.att is not None and u.att.low is not None and u.att.low > 0:
        g = replace(g, att=u.att.inverse())
    return settle(g)
