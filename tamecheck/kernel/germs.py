"""Germs of functions of t: what holds eventually (for all large t), and what ever again.

What has no waves has a form, and with it a sign and a limit.  For what has some, each operation
keeps what its arguments prove.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from tamecheck.kernel.forms import Quotient
from tamecheck.kernel.graph import Node
from tamecheck.kernel.interval import (
    INCREASING,
    ONE,
    POSITIVE,
    REAL,
    SIGNED,
    ZERO,
    End,
    Interval,
    point,
)
from tamecheck.kernel.ranges import apply, natural
from tamecheck.kernel.strict import require, spend

FAR, NEAR, WIDE, NOUGHT, HALFWAY = Fraction(16), Fraction(1, 64), 8, point(0), Fraction(3, 2)
ABOVE = Interval(ZERO, None, low_open=True)
SIDES = {0: NOUGHT, 1: ABOVE, -1: -ABOVE}
ROUNDS = ("floor", "ceil", "round")
JUMPS, WAVES, EVEN = (*ROUNDS, "sign", "step"), ("sin", "cos"), ("abs", "cosh", "cos", "pow")
BENT = ("abs", "leaky_relu", "elu", "asin", "acos", "acosh")  # not analytic, or only inside
CONSTANT = 2  # in the field `alg`


@dataclass(frozen=True, slots=True)
class Germ:
    """What is known of an element on a curve."""

    rng: Interval = REAL  # it is eventually in there
    smooth: int = 0  # 2: it is eventually analytic; 1: continuous
    form: Quotient | None = None
    inf: int = 0  # 1 or -1: it tends to that infinity
    mono: int = 0  # 1: and never decreases; -1: and never increases
    lim: Interval | None = None  # it has a limit, which is in there
    osc: Interval | None = None  # its lower limit is <= low < high <= its upper limit
    att: Interval | None = None  # it takes each of these values ever again
    signs: frozenset[int] = frozenset()  # what signs it minus one number of `base` has ever again
    base: Interval = NOUGHT
    jump: bool = False  # it is discontinuous ever again
    alg: int = 0  # 1: it is eventually semialgebraic; 2: even constant
    whole: tuple[Fraction, Fraction] | None = None  # (c, d): c n + d, with n -> +-inf a rounding
    rest: Germ | None = None  # it is the sum of this one and a semialgebraic one
    needs: tuple[tuple[str, Germ], ...] = ()  # the comparisons that say where it is defined

    @property
    def sgn(self) -> int | None:
        """Its eventual sign."""
        return side(self.rng)


def side(x: Interval) -> int | None:
    """Return the sign of all numbers in an interval, if they have one."""
    return next((s for s, half in SIDES.items() if x <= half), None)


def settle(g: Germ) -> Germ:
    """Return the germ with what follows from the rest of what is known of it."""
    rng, osc, att = g.rng, g.osc, g.att
    if g.inf:
        rng = Interval(FAR, None) if g.inf > 0 else Interval(None, -FAR)
    if g.lim is not None:
        rng &= g.lim.closure + Interval(-NEAR, NEAR)
    if att is None and osc is not None and g.smooth:  # the intermediate value theorem
        a = Fraction(max(-WIDE, -WIDE if osc.low is None else osc.low))
        b = Fraction(min(WIDE, WIDE if osc.high is None else osc.high))
        att = Interval(a + (b - a) * NEAR, b - (b - a) * NEAR) if a < b else None
    if osc is None and att is not None:
        osc = swing(att.low, att.high)
    return replace(g, rng=rng, osc=osc, att=att)


def number(value: Interval) -> Germ:
    """Return the germ of a real constant."""
    return settle(Germ(value, smooth=2, lim=value if value.finite else None, alg=CONSTANT))


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
    beside = 0 if g.att is not None and g.att.has(c) else side(g.rng - point(c))
    return frozenset(found if beside is None else found | {beside})


def wild(g: Germ | None) -> bool:
    """Return whether no function in an o-minimal structure has such a germ."""
    return g is not None and (g.jump or g.osc is not None or len(g.signs) > 1)


def exact(g: Germ) -> Fraction | None:
    """Return the rational that a constant germ is."""
    c = g.rng.low
    return Fraction(c) if g.alg == CONSTANT and c is not None and c == g.rng.high else None


def _spread(g: Germ | None, s: int) -> Germ | None:
    """Return only the signs of a remainder, mapped by a monotone semialgebraic function."""
    kept = frozenset((-1, 1)) if g is not None and g.osc else g.signs if g is not None else ()
    return Germ(signs=frozenset(s * a for a in kept)) if len(kept) > 1 else None


def _away(m: Germ) -> bool:  # from 0
    return not m.rng.closure.has(ZERO)


def plus(x: Germ, y: Germ) -> Germ:
    """Return the germ of a sum."""
    if x.sgn == 0 or y.sgn == 0:
        return y if x.sgn == 0 else x
    together = x.mono if x.mono == y.mono else 0
    g = Germ(
        x.rng + y.rng,
        smooth=min(x.smooth, y.smooth),
        mono=together,
        lim=x.lim + y.lim if x.lim and y.lim else None,
        jump=bool(together) and (x.jump or y.jump),
        alg=min(x.alg, y.alg),
    )
    for k, m in ((x, y), (y, x)):
        near, c = m.lim or m.rng, exact(m)
        if k.inf and (m.rng.low if k.inf > 0 else m.rng.high) is not None:
            g = replace(g, inf=k.inf)
        if k.osc and near.low is not None and near.high is not None and g.osc is None:
            low = None if k.osc.low is None else k.osc.low + near.high
            high = None if k.osc.high is None else k.osc.high + near.low
            g = replace(g, osc=swing(low, high))
        g = replace(g, jump=g.jump or (k.jump and m.smooth > 0))
        if m.alg == CONSTANT:
            g = replace(g, signs=k.signs, base=k.base + m.rng, mono=k.mono)
        if c is not None:
            whole = None if k.whole is None else (k.whole[0], k.whole[1] + c)
            g = replace(g, att=k.att + m.rng if k.att else None, whole=whole)
    off = [number(NOUGHT) if k.alg else k.rest or k for k in (x, y)]
    deeper = x.alg or y.alg or x.rest or y.rest
    return settle(replace(g, rest=plus(off[0], off[1]) if deeper else None))


def times(x: Germ, y: Germ) -> Germ:
    """Return the germ of a product."""
    if x.sgn == 0 or y.sgn == 0:
        return number(NOUGHT)
    both = (x.sgn or 0) * (y.sgn or 0)
    steep = bool(x.mono and y.mono)  # both grow away from 0
    g = Germ(
        x.rng * y.rng,
        min(x.smooth, y.smooth),
        mono=both * steep,
        lim=x.lim * y.lim if x.lim and y.lim else None,
        jump=steep and (x.jump or y.jump),
        alg=min(x.alg, y.alg),
    )
    for k, m in ((x, y), (y, x)):
        if k.inf and _away(m):
            g = replace(g, inf=k.inf * (m.sgn or 0))
        if k.lim == NOUGHT and m.rng.finite:
            g = replace(g, lim=NOUGHT)
        if m.sgn:
            g = _scaled(g, k, m, m.sgn)
    return settle(g)


def _scaled(g: Germ, k: Germ, m: Germ, s: int) -> Germ:
    """Return a product of k with m, of the sign s, with what k takes ever again."""
    if k.osc and k.osc.low is not None and k.osc.high is not None and m.lim and _away(m):
        low, high = (m.lim * point(k.osc.low), m.lim * point(k.osc.high))[::s]
        g = replace(g, osc=g.osc or swing(low.high, high.low))
    if k.osc and {-1, 1} <= signs(Germ(osc=k.osc)) and _away(m) and g.osc is None:
        end = None if m.inf else m.rng.low if s > 0 else m.rng.high
        ends = (None if e is None or end is None else e * end for e in (k.osc.low, k.osc.high))
        g = replace(g, osc=swing(*tuple(ends)[::s]))
    around, c = signs(k), exact(m)
    if len(around) > len(g.signs):
        g = replace(g, signs=frozenset(s * a for a in around), base=NOUGHT)
    if m.alg == CONSTANT:
        g = replace(g, mono=k.mono * s)
        if len(around) < 2:
            g = replace(g, signs=frozenset(s * a for a in k.signs), base=k.base * m.rng)
    if c is not None:
        whole = None if k.whole is None else (c * k.whole[0], c * k.whole[1])
        g = replace(g, att=k.att * m.rng if k.att else None, whole=whole)
    rest = times(k.rest, m) if m.alg and k.rest else g.rest
    g = replace(g, jump=g.jump or (k.jump and m.smooth > 0), rest=rest)
    return replace(g, rest=_spread(k, s)) if m.alg and rest is None and not wild(g) else g


def inverse(u: Germ) -> Germ:
    """Return the germ of 1 / u, where u is eventually not 0."""
    if u.sgn == -1:
        minus = number(point(-1))
        return times(minus, inverse(times(minus, u)))
    inner = u.lim is not None and not u.lim.has(ZERO)
    g = Germ(
        u.rng.inverse(),
        u.smooth,
        lim=NOUGHT if u.inf else u.lim.inverse() if u.lim and inner else None,
        jump=u.jump,
        alg=u.alg,
        rest=_spread(u.rest, -1),
    )
    if u.osc is not None:
        a, b = u.osc.low, u.osc.high
        top = None if a is None or a <= 0 else ONE / a
        g = replace(g, osc=swing(ZERO if b is None else ONE / b, top))
    if u.signs and u.base.low is not None and u.base.low > 0:
        g = replace(g, signs=frozenset(-a for a in u.signs), base=u.base.inverse())
    if u.att is not None and u.att.low is not None and u.att.low > 0:
        g = replace(g, att=u.att.inverse())
    return settle(g)


def larger(x: Germ, y: Germ) -> Germ:
    """Return the germ of the larger of two that change places ever again, or may."""
    inf = 1 if 1 in (x.inf, y.inf) else 0
    alg, smooth = min(x.alg, y.alg), min(x.smooth, y.smooth, 1)
    g = Germ(x.rng.maximum(y.rng), smooth=smooth, inf=inf, alg=alg)
    for k, m in ((x, y), (y, x)):
        top, c = (m.lim or m.rng).high, exact(m)
        if k.osc and top is not None:
            low = top if k.osc.low is None else max(k.osc.low, top)
            g = replace(g, osc=g.osc or swing(low, k.osc.high))
        if c is not None:
            around = frozenset(max(a, 0) for a in signs(k, c))
            g = replace(g, signs=around, base=point(c))
            if k.base.low is not None and k.base.low > c:
                g = replace(g, signs=k.signs, base=k.base)
            g = replace(g, att=k.att.maximum(m.rng) if k.att else None)
    return settle(g)


def _direction(op: str, u: Germ, e: Fraction, alpha: Fraction) -> int:
    """Return 1 or -1 for an increasing or decreasing function, 2 or -2 if it is strictly so."""
    match op:
        case "floor" | "ceil" | "round":
            return 1
        case "leaky_relu" | "elu":
            return 2 * (alpha > 0)
        case "pow":
            odd = e.denominator > 1 or e.numerator % 2 == 1
            return 2 if odd or u.rng <= POSITIVE else 2 * min(u.sgn or 0, 0)
        case "cosh" | "abs":
            return 2 * (u.sgn or 0)
        case "sin" | "cos":
            return 2 * (op == "sin" and u.rng <= Interval(-HALFWAY, HALFWAY))
        case _:
            return -2 if op == "acos" else 2 * (op in INCREASING)


def _inward(node: Node, op: str, end: End, s: int, *, upper: bool) -> End:
    """Return a number up to which the values near an end of an oscillation come; None: all."""
    if end is None:
        hull = apply(node, op, [POSITIVE if s > 0 else -POSITIVE])
        if (hull.high if upper else hull.low) is None:
            return None
    x = 4 * s * FAR if end is None else Fraction(end)
    if (op == "log" and x == 0) or (op == "atanh" and abs(x) == 1):
        return None
    found = apply(node, op, [point(x)])
    require(found.finite, "a value that is not known")
    return found.low if upper else found.high


def image(node: Node, op: str, u: Germ) -> Germ:
    """Return the germ of a function of one germ, defined there and without a sign to decide it."""
    spend(64)
    e = node.q.get("exponent", ONE) if op == "pow" else ONE
    if op in WAVES and u.smooth and (u.inf or (u.osc and not u.osc.finite)):
        every = frozenset((-1, 0, 1))
        return Germ(SIGNED, smooth=u.smooth, osc=SIGNED, att=SIGNED, signs=every)
    d = _direction(op, u, e, node.q.get("alpha", ZERO))
    fraction = op == "sqrt" or (op == "pow" and not natural(point(e)))
    rough = op in BENT or (fraction and u.sgn != 1)
    grows = u.inf if op in ROUNDS else int(u.inf > 0 and op in ("sqrt", "log", "pow", "exp"))
    g = Germ(
        apply(node, op, [u.rng]),
        0 if op in JUMPS else min(2 - rough, u.smooth),
        inf=grows,
        mono=u.mono if op in ROUNDS else u.mono * (grows and d == 2),
        jump=u.jump and abs(d) == 2,
        alg=min(u.alg, 1) if fraction or op in ("pow", "abs", "leaky_relu") else 0,
        rest=_spread(u.rest, d // 2) if abs(d) == 2 and (fraction or op == "pow") else None,
    )
    if op in ROUNDS and u.smooth and u.inf:
        g = replace(g, jump=True, whole=(ONE, ZERO))
    if op in WAVES and u.whole and u.whole[0]:
        g = replace(g, jump=True)
    return settle(_stepped(node, op, u, g) if op in JUMPS else _shaped(node, op, u, g, d))


def _stepped(node: Node, op: str, u: Germ, g: Germ) -> Germ:
    """Return the germ of a step function with what it takes ever again."""
    centres = {ZERO}
    if op in ROUNDS:
        known = [i for i in (u.att, u.base, u.osc) if i is not None]
        ends = [Fraction(x) for i in known for x in (i.low, i.high) if x is not None]
        if u.osc is not None:
            a = -WIDE if u.osc.low is None else u.osc.low
            ends += [Fraction(2 * a // 1 + i, 2) for i in (1, 2, 3, 4)]
        centres |= {x for x in ends if (2 * x).denominator == 1}
    for c in sorted(centres):
        values = [apply(node, op, [point(c + s * NEAR)]) for s in sorted(signs(u, c))]
        lows = [v.low for v in values if v.low is not None]
        highs = [v.high for v in values if v.high is not None]
        if values and min(highs) < max(lows):
            return replace(g, osc=Interval(min(highs), max(lows)), jump=True)
    return g


def _shaped(node: Node, op: str, u: Germ, g: Germ, d: int) -> Germ:
    """Return the germ of a continuous function with what it takes ever again."""
    around = signs(u)
    if op in EVEN and not d and len(around) > 1 and (op != "cos" or u.rng <= Interval(-3, 3)):
        sides = {(-1 if op == "cos" else 1) * abs(a) for a in around}
        g = replace(g, signs=frozenset(sides), base=apply(node, op, [NOUGHT]))
    if d and u.signs:
        mapped = frozenset(a * d // 2 for a in u.signs)
        g = replace(g, signs=mapped, base=apply(node, op, [u.base]))
    if d and u.osc is not None:
        (a, s), (b, r) = ((u.osc.low, -1), (u.osc.high, 1))[:: 1 if d > 0 else -1]
        low = _inward(node, op, a, s, upper=False)
        g = replace(g, osc=swing(low, _inward(node, op, b, r, upper=True)))
    if u.att is None or u.att.low is None or u.att.high is None or not u.smooth:
        return g
    steps = [u.att.low + (u.att.high - u.att.low) * Fraction(i, 4) for i in range(5)]
    grid = [apply(node, op, [point(x)]) for x in steps]
    lows = [v.low for v in grid if v.low is not None]
    highs = [v.high for v in grid if v.high is not None]
    if len(lows) == len(highs) == len(grid) and min(highs) <= max(lows):
        taken = Interval(min(highs), max(lows))
        g = replace(g, att=taken, osc=g.osc or swing(taken.low, taken.high))
    return g
