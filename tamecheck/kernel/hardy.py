"""Germs along a curve, as t grows: those of a Hardy field, and waves over it.

A form stands for a function of t that is analytic for large t.  Its symbols are t, log t, the
logarithm of that, ..., constants, and germs with a finite limit.  Each solves an equation of first
order over those before, so that they are in a common Hardy field with the germs of any other.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce

from tamecheck.kernel.curves import Laurent
from tamecheck.kernel.forms import (
    UNIT,
    UNITY,
    Exponent,
    Form,
    Forms,
    Gauss,
    Monomial,
    Quotient,
    constant,
    exponential,
    imaginary,
    inverse,
    plus,
    power,
    product_of,
    quotient,
    real,
    sum_of,
    symbol,
    times,
)
from tamecheck.kernel.graph import BINARY, Node
from tamecheck.kernel.interval import HALF, ONE, PI, SIGNED, ZERO, Interval, increasing, point, wave
from tamecheck.kernel.ranges import apply
from tamecheck.kernel.strict import Reject, require, spend

LOGS = 5  # the first symbols are t, log t, log log t, ...
LIMITS = {"atan": PI * point(HALF), "erf": point(1)}  # of odd functions, far out
SLOPES = {"atan": point(1), "asin": point(1), "erf": point(2) * increasing("sqrt", PI).inverse()}
MARGIN = Fraction(1, 1 << 40)
Growth = tuple[Monomial, Exponent]  # powers of the first symbols, and exp of a real form


class Germs(Forms):
    """Germs along a curve: of each symbol its limit, and whether it is a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = [point(0)] * LOGS
        self.fixed = [False] * LOGS
        self.logarithms: dict[int, Form] = {}  # what a symbol is the logarithm of
        self.growths: dict[tuple[Exponent, bool], tuple[Growth, Interval]] = {}  # that were found
        for i in range(LOGS):
            self.name("log", i)

    def function(self, op: str, of: Form, limit: Interval) -> Form:
        """Return the symbol of a function of a germ, whose limit is in the interval."""
        number = self.name(op, frozenset(of.items()))
        if number == len(self.limits):
            self.limits.append(limit)
            self.fixed.append(self.constant(of))
        if op == "log":
            self.logarithms[number] = of
        return symbol(number)

    def vanishing(self, op: str, of: Form, slope: Interval) -> Form:
        """Return a function of a germ that vanishes, as that germ times the slope near 0."""
        return times(of, self.function(f"{op}, 1", of, slope)) if of else of

    def constant(self, p: Form) -> bool:
        """Return whether a form is made of constants."""
        return all(all(self.fixed[s] for s, _ in m) and self.constant(dict(z)) for m, z in p)

    def compare(self, one: Growth, other: Growth) -> tuple[int, Interval]:
        """Return which of two grows faster, as a sign; where it is 0, the limit of the ratio."""
        rest, powers = plus(dict(one[1]), dict(other[1]), -ONE), dict(one[0])
        for s, k in other[0]:
            powers[s] = powers.get(s, ZERO) - k
        differing = {s: k for s, k in powers.items() if k}
        side, limit = self.limit((rest, UNITY))
        if side == 0 and not differing:
            return 0, increasing("exp", limit)
        if side == 0:
            return 1 if differing[min(differing)] > 0 else -1, limit
        for s, k in differing.items():
            require(s + 1 < LOGS, "a logarithm of too many logarithms")
            rest = plus(rest, symbol(s + 1), k)
        side, limit = self.limit((rest, UNITY))
        require(side != 0, "two growths are not compared")
        return side, limit

    def part(self, z: Exponent, c: Gauss, *, steady: bool) -> Interval:
        """Enclose the real part of c exp(i p) far out, p the imaginary part of z."""
        phase = imaginary(dict(z))
        if not phase:
            return point(c[0])
        side, limit = self.limit((phase, UNITY))
        require(side == 0 or not steady, "a wave has no limit")
        cosine, sine = (SIGNED, SIGNED) if side else (wave(limit, 1), wave(limit, 0))
        return point(c[0]) * cosine - point(c[1]) * sine

    def growth(self, p: Form, *, steady: bool) -> tuple[Growth, Interval]:
        """Return the growth of the fastest terms, and what their sum over it comes close to."""
        key = frozenset(p.items()), steady
        if key not in self.growths:
            self.growths[key] = self._growth(p, steady=steady)
        return self.growths[key]

    def _growth(self, p: Form, *, steady: bool) -> tuple[Growth, Interval]:
        best: Growth | None = None
        total = point(0)
        for (m, z), c in p.items():
            spend(64 + len(z))
            here = tuple((s, k) for s, k in m if s < LOGS), frozenset(real(dict(z)).items())
            size = self.part(z, c, steady=steady)
            for s, k in (pair for pair in m if pair[0] >= LOGS):
                factor = self.limits[s] if k > 0 else self.limits[s].inverse()
                size *= reduce(Interval.__mul__, [factor] * abs(k.numerator))
            side, ratio = self.compare(here, best) if best else (1, point(1))
            if side > 0:
                best, total = here, size
            elif side == 0:
                total += size * ratio
        nearer = self.expanded(p) if total.has(ZERO) and len(p) > 1 else p
        if nearer != p:
            return self.growth(nearer, steady=steady)
        return best or ((), frozenset()), total

    def expanded(self, p: Form) -> Form:
        """Return the form with exp(z) by its Taylor polynomial and remainder, for each z near 0."""
        found = Form()
        for (m, z), c in p.items():
            x, y = real(dict(z)), imaginary(dict(z))
            term: Form = {(m, frozenset()): c}
            if x and self.limit((x, UNITY)) == (0, point(0)):
                rest = times(times(x, x), self.function("exp, 2", x, point(HALF)))
                term = times(term, plus(plus(UNITY, x), rest))
            else:
                term = times(term, exponential(x))
            if y and self.limit((y, UNITY)) == (0, point(0)):
                square = times(y, y)
                cosine = plus(UNITY, times(square, self.function("cos, 2", y, point(HALF))), -ONE)
                cube = times(times(square, y), self.function("sin, 3", y, point(Fraction(1, 6))))
                term = times(term, plus(cosine, times({UNIT: (ZERO, ONE)}, plus(y, cube, -ONE))))
            else:
                term = times(term, exponential(y, (ZERO, ONE)))
            found = plus(found, term)
        return found

    def limit(self, v: Quotient) -> tuple[int, Interval]:
        """Return 1 or -1 for an infinite limit; or 0, and where the limit is."""
        if not v[0]:
            return 0, point(0)
        (top, x), (bottom, y) = (self.growth(p, steady=True) for p in v)
        side, ratio = self.compare(top, bottom)
        found = x * y.inverse()
        if side <= 0:
            return 0, point(0) if side else found * ratio
        require(not found.has(ZERO), "a limit may be infinite or not")
        return _sign(found), found

    def sign(self, v: Quotient) -> int:
        """Return the sign far out."""
        parts = [self.growth(p, steady=False)[1] for p in v]
        require(not (v[0] and any(x.has(ZERO) for x in parts)), "a sign is not known")
        return _sign(parts[0]) * _sign(parts[1])

    def shows(self, p: Form) -> bool:
        """Return whether the fastest terms of a form show that it is not 0."""
        try:
            return any(not self.growth(f(p), steady=True)[1].has(ZERO) for f in (real, imaginary))
        except Reject:
            return False

    def nonzero(self, p: Form) -> bool:
        """Return whether a form without waves is shown not to be 0, as a function of t."""
        if not p or all(_in_t(m) and all(_in_t(n) and not w for (n, w), _ in z) for m, z in p):
            return bool(p)
        return self.shows(p) or self.independent(p)

    def independent(self, p: Form) -> bool:
        """Return whether a coefficient of t^k exp(z) is not 0, in a form of t and constants."""
        groups: dict[tuple[Monomial, Exponent], Form] = {}
        for (m, z), c in p.items():
            moving = frozenset(term for term in z if not self.constant(dict([term])))
            rest = tuple((s, k) for s, k in m if s)
            exponents: Form = {(tuple(pair for pair in n if pair[0]), w): d for (n, w), d in moving}
            if not self.constant({(rest, frozenset(exponents.items())): c}):
                return False
            groups.setdefault((m[: len(m) - len(rest)], moving), {})[rest, z - moving] = c
        return any(
            self.shows(q) and all(w == z or self.apart(dict(w), dict(z)) for _, w in groups)
            for (_, z), q in groups.items()
        )

    def apart(self, z: Form, w: Form) -> bool:
        """Return whether the real parts of two forms get ever further apart."""
        return self.limit((real(plus(z, w, -ONE)), UNITY))[0] != 0

    def split(self, p: Form, waves: list[Form]) -> dict[int, Form]:
        """Return the coefficient of each wave, none of which has a wave; list the waves."""
        found: dict[int, Form] = {}
        for (m, z), c in p.items():
            phase = imaginary(dict(z))
            gaps = ((i, (plus(phase, w, -ONE), UNITY)) for i, w in enumerate(waves))
            i = next((i for i, gap in gaps if self.limit(gap)[0] == 0), len(waves))
            waves.extend([phase] * (i == len(waves)))
            rest = plus(dict(z), times({UNIT: (ZERO, -ONE)}, waves[i]))
            found[i] = plus(found.get(i, {}), {(m, frozenset(rest.items())): c})
        return found

    # operations

    def single(self, v: Quotient) -> Form:
        """Return a quotient without waves as a form."""
        (m, z), limit = self.growth(v[1], steady=True)
        for (_, w), c in v[0].items():
            self.part(w, c, steady=True)
        unit = inverse({(m, z): (ONE, ZERO)})
        rest = times(v[1], unit)
        factor = UNITY if rest == UNITY else self.function("inverse", rest, limit.inverse())
        return times(times(v[0], unit), factor)

    def over(self, x: Quotient, y: Quotient) -> Quotient:
        """Return x/y, defined but at isolated points: y is analytic, and not 0."""
        require(any(map(self.nonzero, self.split(y[0], [{}]).values())), "a divisor may be 0")
        return super().over(x, y)

    def exp(self, z: Form) -> Quotient:
        """Return the exponential, where exp(c log t) is a power of t."""
        above, below, rest = UNITY, UNITY, Form()
        for (m, w), (c, d) in z.items():
            s = m[0][0] if len(m) == 1 and m[0][1] == 1 and not w and not d else 0
            if 0 < s < LOGS:
                above = times(above, symbol(s - 1, c))
            elif s in self.logarithms and c.denominator == 1:
                factor = power(self.logarithms[s], abs(c.numerator))
                above = times(above, factor if c > 0 else UNITY)
                below = times(below, factor if c < 0 else UNITY)
            else:
                rest[m, w] = c, d
        return quotient(times(above, exponential(rest)), below)

    def log(self, v: Quotient) -> Form:
        """Return the logarithm, as that of the growth and that of what has a finite limit."""
        require(self.sign(v) > 0, "a logarithm may leave its domain")
        found = Form()
        for p, factor in ((v[0], ONE), (v[1], -ONE)):
            (m, z), limit = self.growth(p, steady=True)
            rest = times(p, inverse({(m, z): (Fraction(_sign(limit)), ZERO)}))
            terms = [dict(z)]
            for s, k in m:
                require(s + 1 < LOGS, "a logarithm of too many logarithms")
                terms.append(times(symbol(s + 1), constant(k)))
            if limit.magnitude() == point(1):
                terms.append(self.vanishing("log", plus(rest, UNITY, -ONE), point(1)))
            elif rest != UNITY:
                terms.append(self.function("log", rest, increasing("log", limit.magnitude())))
            found = reduce(lambda total, term: plus(total, term, factor), terms, found)
        return found

    def near(self, node: Node, op: str, v: Quotient) -> Form:
        """Return a function of a germ that has a limit, by the range of the function around it."""
        side, limit = self.limit(v)
        if op in ("floor", "ceil", "round"):
            require(side == 0, "a rounding of what has no limit")
            around = apply(node, op, [limit + Interval(-MARGIN, MARGIN)])
            if around.low != around.high:  # at a jump: it comes from one side
                end = limit.low or ZERO
                require(limit == point(end) and (2 * end).denominator == 1, "near a jump")
                beside = self.sign(sum_of(v, (constant(end), UNITY), -ONE))
                around = apply(node, op, [point(end + beside * MARGIN)])
            return constant(around.low or 0)
        inner = op not in ("asin", "acos") or limit <= Interval(MARGIN - 1, 1 - MARGIN)
        require(inner or (side == 0 and all(map(self.constant, v))), f"{op} may leave its domain")
        if limit == point(0) and op in SLOPES:
            return self.vanishing(op, self.single(v), SLOPES[op])
        found = LIMITS[op] * point(side) if side else apply(node, op, [limit])
        return self.function(op, self.single(v), found)

    def other(self, node: Node, op: str, args: Sequence[Quotient]) -> Quotient:
        """Return the value of an operation that is decided by a sign, or by a limit."""
        x, y = args[0], args[-1]
        if op in ("pow", "sqrt"):
            return self.exp(
                times(constant(node.q["exponent"] if op == "pow" else HALF), self.log(x))
            )
        if op == "power":
            return self.exp(times(self.single(y), self.log(x)))
        if op == "log":
            return self.log(x), UNITY
        if op in ("floor", "ceil", "round", "atan", "erf", "asin", "acos"):
            return self.near(node, op, x), UNITY
        side = self.sign(sum_of(x, y, -ONE) if op in BINARY else x)
        match op:
            case "abs":
                return product_of((constant(side), UNITY), x)
            case "sign" | "step":
                value = [node.q["at_zero"], ONE, -ONE if op == "sign" else ZERO][side]
            case "equal" | "less" | "less_equal":
                value = int(side in {"equal": [0], "less": [-1], "less_equal": [-1, 0]}[op])
            case _:
                raise Reject(f"{op} is not followed along a curve")
        return constant(value), UNITY


def _sign(x: Interval) -> int:
    return int(x.low is not None and x.low > 0) - int(x.high is not None and x.high < 0)


def _in_t(m: Monomial) -> bool:
    return all(s == 0 for s, _ in m)


def form_of(element: Laurent) -> Form:
    """Return a Laurent polynomial in t as a form."""
    return reduce(plus, (times(symbol(0, k), constant(c)) for k, c in element.items()), Form())
