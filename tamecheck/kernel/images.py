"""The germs of functions of one germ, and of the larger of two."""

# ruff: noqa: D103  (small functions, each with a name that says it all; exponents)
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from itertools import repeat

from tamecheck.kernel.curves import Laurent
from tamecheck.kernel.germs import (
    CONSTANT,
    FAR,
    Germ,
    inverse,
    negative,
    number,
    plus,
    settle,
    signs,
    spread,
    swing,
    times,
)
from tamecheck.kernel.graph import Node
from tamecheck.kernel.interval import (
    HALF,
    INCREASING,
    ONE,
    PI,
    POSITIVE,
    SIGNED,
    ZERO,
    End,
    Interval,
    longest,
    point,
)
from tamecheck.kernel.laurent import LONG, added, leading
from tamecheck.kernel.ranges import apply, natural
from tamecheck.kernel.strict import spend

JUMPS, WAVES = ("floor", "ceil", "round", "sign", "step"), ("sin", "cos")
BENT, EVEN = ("abs", "relu", "leaky_relu", "elu", "clip"), ("abs", "cosh", "cos", "pow")
SHORT = Fraction(1, 128)  # half of the width of what a limit leaves open


def bare(op: str, exponent: Fraction = ONE) -> Node:
    return Node(op, (), (), "", {"exponent": exponent} if op == "pow" else {})


def _decided(node: Node, op: str, u: Germ) -> Germ | None:
    """Return the value of an operation that has pieces, where one holds eventually."""
    s, q = u.sgn, node.q
    if op in JUMPS:
        centre = u.lim.low if u.lim is not None and u.lim.low == u.lim.high else None
        side = s if op in ("sign", "step") else None
        if centre is not None and (2 * centre).denominator == 1:
            side = plus(u, number(point(-centre))).sgn
        rng = u.rng if side is None else point((centre or ZERO) + side * SHORT)
        found = apply(node, op, [rng])
        return number(found) if found.low is not None and found.low == found.high else None
    if op == "clip":
        low = u if "lo" not in q else maximum(u, number(point(q["lo"])))
        return low if "hi" not in q else minimum(low, number(point(q["hi"])))
    if op == "relu":
        return maximum(u, number(point(0)))
    if op in BENT and (s == 1 or u.rng <= POSITIVE):
        return u
    if s != -1 or op not in BENT:
        return None
    if op == "elu":
        inner = image(bare("exp"), "exp", times(u, number(point(1 / q["beta"]))))
        return times(plus(inner, number(point(-1))), number(point(q["alpha"])))
    return times(u, number(point(-ONE if op == "abs" else q["alpha"])))


def _direction(node: Node, op: str, u: Germ) -> int:
    """Return 1 or -1 for an increasing or decreasing function, 2 or -2 if it is strictly so."""
    s, e = u.sgn, node.q.get("exponent", ONE)
    if op in ("floor", "ceil", "round"):
        return 1
    if op in ("leaky_relu", "elu"):
        return 2 if node.q["alpha"] > 0 else 0
    if op == "acos":
        return -2
    if op == "pow":
        odd = e.denominator == 1 and e.numerator % 2
        return 2 if odd or u.rng <= POSITIVE or e.denominator > 1 else -2 if s == -1 else 0
    if op in ("cosh", "abs"):
        return 2 * (s or 0)
    if op in WAVES:
        return 2 if op == "sin" and u.rng <= Interval(Fraction(-3, 2), Fraction(3, 2)) else 0
    return 2 if op in INCREASING else 0


def _lead(op: str, u: Germ, e: Fraction) -> tuple[Interval, Fraction, Laurent] | None:
    """Return the leading term of the exponential, the logarithm or a power of a germ."""
    if op == "softplus" and u.inf > 0:
        return u.lead
    if op in ("exp", "sinh", "cosh", "sigmoid", "softplus"):
        half = op in ("sinh", "cosh")
        grows = u.inf > 0 and op != "sigmoid"
        if u.ratio is None or u.ratio[1] != {0: ONE} or not (grows or (u.inf < 0 and not half)):
            return None
        c = apply(bare("exp"), "exp", [point(u.ratio[0].get(0, ZERO))])
        grown = {j: a for j, a in u.ratio[0].items() if j > 0}
        return (
            (c * point(HALF if half else ONE), ZERO, grown)
            if longest(c) <= LONG and c.low
            else None
        )
    if u.lead is None:
        return None
    c, r, q = u.lead
    if op == "log" and q:
        j, a = leading(q)
        return point(a), Fraction(j), {}
    if op in ("pow", "sqrt") and (u.sgn == 1 or e.denominator == 1):
        found = apply(bare("pow", e), "pow", [c])
        return (found, r * e, added({}, q, e)) if longest(found) <= LONG else None
    return None


def _open_end(op: str, x: Fraction) -> bool:
    """Return whether the operation is unbounded near a point outside of its domain."""
    return (op == "log" and x == 0) or (op == "atanh" and abs(x) == 1)


def _inward(node: Node, op: str, end: End, s: int, *, upper: bool) -> End:
    """Return a number up to which the values near an end of an oscillation come; None: all."""
    if end is None:
        hull = apply(node, op, [Interval(ZERO, None) if s > 0 else Interval(None, ZERO)])
        if (hull.high if upper else hull.low) is None:
            return None
    x = 4 * s * FAR if end is None else Fraction(end)
    if _open_end(op, x):
        return None
    found = apply(node, op, [point(x)])
    return found.low if upper else found.high


def _range(node: Node, op: str, u: Germ) -> Interval:
    if op == "log" and u.sgn == 1 and u.rng.low == 0:
        top = u.rng.high
        return Interval(None, None if top is None else apply(node, op, [point(top)]).high)
    return apply(node, op, [u.rng])


def _limit(node: Node, op: str, u: Germ, e: Fraction) -> tuple[int, Interval | None]:
    """Return the infinity to which an operation tends, or an interval with its limit."""
    if u.lim is not None and op not in JUMPS:
        if op == "log" and u.lim.has(ZERO):
            return (-1 if u.lim == point(0) else 0), None
        return 0, apply(node, op, [u.lim])
    if not u.inf or op in WAVES:
        return 0, None
    if op == "atan":
        return 0, PI * point(Fraction(u.inf, 2))
    if op in ("abs", "cosh") or (op == "pow" and e.denominator == 1 and e.numerator % 2 == 0):
        return 1, None
    if op in INCREASING:
        limits = INCREASING[op][1]
        end = limits.high if u.inf > 0 else limits.low
        return (u.inf, None) if end is None else (0, point(end))
    return u.inf, None


def _image_sign(op: str, u: Germ, d: int, e: Fraction) -> int | None:
    if op in ("exp", "sigmoid", "softplus", "cosh"):
        return 1
    if op == "pow" and natural(point(e)) and e.numerator % 2 == 0:
        return None if u.sgn is None else abs(u.sgn)
    odd = ("sin", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "erf", "sqrt", "pow")
    return u.sgn if op in odd and d else None


def image(node: Node, op: str, u: Germ) -> Germ:
    """Return the germ of an operation of one argument, where it is defined."""
    spend(64)
    e = node.q.get("exponent", HALF if op == "sqrt" else ONE) if op in ("pow", "sqrt") else ONE
    if op == "neg":
        return negative(u)
    if op == "pow" and e < 0:
        return inverse(image(bare("pow", -e), "pow", u))
    if op == "pow" and e == 0:
        return number(point(1))
    if op == "pow" and natural(point(e)) and u.ratio and e <= 16:
        return reduce(times, repeat(u, e.numerator), number(point(1)))
    if u.alg == CONSTANT:
        return number(apply(node, op, [u.rng]))
    found = _decided(node, op, u)
    if found is not None:
        return found
    if op in WAVES and u.smooth and (u.inf or (u.osc and not u.osc.finite)):
        whole = frozenset((-1, 0, 1))
        return Germ(SIGNED, None, u.smooth, osc=SIGNED, att=SIGNED, signs=whole)
    d = _direction(node, op, u)
    inf, lim = _limit(node, op, u, e)
    level = 0 if op in JUMPS else 1 if op in BENT or op in ("asin", "acos", "acosh") else 2
    level = 1 if op in ("sqrt", "pow") and not natural(point(e)) and u.sgn != 1 else level
    g = Germ(
        _range(node, op, u),
        _image_sign(op, u, d, e),
        min(level, u.smooth),
        lead=_lead(op, u, e),
        inf=inf,
        lim=lim,
        mono=u.mono * (d > 0) - u.mono * (d < 0),
        jump=u.jump and abs(d) == 2,
        alg=min(u.alg, 1) if op in ("sqrt", "pow", *BENT) and op != "elu" else 0,
        rest=spread(u.rest, d // 2) if abs(d) == 2 and op in ("sqrt", "pow") else None,
    )
    if op in ("floor", "ceil", "round") and u.smooth and u.inf:
        g = replace(g, jump=True, whole=(ONE, ZERO))
    if op in WAVES and u.whole and u.whole[0]:
        g = replace(g, jump=True)
    g = _stepped(node, op, u, g) if op in JUMPS else _shaped(node, op, u, g, d)
    return settle(g)


def _stepped(node: Node, op: str, u: Germ, g: Germ) -> Germ:
    """Return the germ of a step function with what it takes ever again."""
    centres = {ZERO}
    if op not in ("sign", "step"):
        ends = [x for i in (u.att, u.lim, u.base, u.osc) if i is not None for x in (i.low, i.high)]
        centres |= {Fraction(x) for x in ends if x is not None and (2 * x).denominator == 1}
        if u.osc is not None:
            a = Fraction(-8 if u.osc.low is None else u.osc.low)
            centres |= {Fraction(2 * a // 1 + i, 2) for i in (1, 2, 3, 4)}
    for c in sorted(centres):
        values = [apply(node, op, [point(c + s * SHORT)]) for s in sorted(signs(u, c))]
        lows = [v.low for v in values if v.low is not None]
        highs = [v.high for v in values if v.high is not None]
        if values and min(highs) < max(lows):
            return replace(g, osc=Interval(min(highs), max(lows)), jump=True)
    return g


def _shaped(node: Node, op: str, u: Germ, g: Germ, d: int) -> Germ:
    """Return the germ of a continuous function with what the argument takes ever again."""
    around = signs(u)
    even = op in EVEN and not d and (op != "cos" or u.rng <= Interval(-3, 3))
    if even and len(around) > 1:
        sides = {(-1 if op == "cos" else 1) * abs(a) for a in around}
        g = replace(g, signs=frozenset(sides), base=apply(node, op, [point(0)]))
    if d and u.signs:
        g = replace(g, signs=frozenset(a * d // 2 for a in u.signs), base=apply(node, op, [u.base]))
    if d and u.osc is not None:
        low, high = (u.osc.low, -1), (u.osc.high, 1)
        if d < 0:
            low, high = high, low
        a = _inward(node, op, *low, upper=False)
        g = replace(g, osc=swing(a, _inward(node, op, *high, upper=True)))
    if u.att is None or u.att.low is None or u.att.high is None or not u.smooth:
        return g
    width = u.att.high - u.att.low
    grid = [apply(node, op, [point(u.att.low + width * Fraction(i, 4))]) for i in range(5)]
    lows = [v.low for v in grid if v.low is not None]
    highs = [v.high for v in grid if v.high is not None]
    if len(lows) == len(highs) == 5 and min(highs) <= max(lows):
        taken = Interval(min(highs), max(lows))
        g = replace(g, att=taken, osc=g.osc or swing(taken.low, taken.high))
    return g


def maximum(x: Germ, y: Germ) -> Germ:
    """Return the germ of the larger one."""
    apart = plus(x, negative(y)).sgn
    if apart is not None:
        return x if apart >= 0 else y
    g = Germ(
        x.rng.maximum(y.rng),
        None,
        min(x.smooth, y.smooth, 1),
        inf=1 if 1 in (x.inf, y.inf) else min(x.inf, y.inf) if x.inf == y.inf else 0,
        lim=x.lim.maximum(y.lim) if x.lim and y.lim else None,
        mono=x.mono if x.mono == y.mono else 0,
        alg=min(x.alg, y.alg),
    )
    for k, m in ((x, y), (y, x)):
        near = m.lim or m.rng
        if k.osc and near.high is not None:
            low = near.high if k.osc.low is None else max(k.osc.low, near.high)
            g = replace(g, osc=g.osc or swing(low, k.osc.high))
        c = m.rng.low
        if m.alg == CONSTANT and c is not None and c == m.rng.high:
            around = signs(k, Fraction(c))
            if len(around) > 1:
                g = replace(g, signs=frozenset(max(a, 0) for a in around), base=point(c))
            elif k.base.low is not None and k.base.low > c:
                g = replace(g, signs=k.signs, base=k.base)
            g = replace(g, att=k.att.maximum(m.rng) if k.att else None, mono=k.mono)
    return settle(g)


def minimum(x: Germ, y: Germ) -> Germ:
    return negative(maximum(negative(x), negative(y)))
