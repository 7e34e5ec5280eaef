"""Exponential forms: finite sums of terms c m exp(z), a ring in which sines are exponentials.

The coefficient c is a Gaussian rational, m a product of powers of symbols, and z is a form again.
Products are those of the group ring, so that addition theorems need no rule of their own.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product as couples
from typing import TypeAlias

from tamecheck.kernel.graph import ARITY, POINTWISE, Node
from tamecheck.kernel.interval import HALF, ONE, ZERO, length, point
from tamecheck.kernel.ranges import BITS, apply
from tamecheck.kernel.strict import Reject, require, spend, spend_long

Gauss: TypeAlias = tuple[Fraction, Fraction]  # the real and the imaginary part
Monomial: TypeAlias = tuple[tuple[int, Fraction], ...]  # the symbols, and the power of each
Key: TypeAlias = "tuple[Monomial, Exponent]"
Exponent: TypeAlias = "frozenset[tuple[Key, Gauss]]"  # the terms of a form
Form: TypeAlias = dict[Key, Gauss]  # no coefficient is 0
Quotient: TypeAlias = tuple[Form, Form]
TERMS = 1 << 10  # so many terms, or products of terms, are refused
UNIT: Key = ((), frozenset())
UNITY: Form = {UNIT: (ONE, ZERO)}
COMPOSED = {  # in postfix notation: x, y and parameters are pushed, operations take what they need
    "sigmoid": "1 1 x neg exp add div",
    "tanh": "1 2 x x add exp 1 add div sub",
    "sinh": "x exp x neg exp sub 2 div",
    "cosh": "x exp x neg exp add 2 div",
    "softplus": "1 x exp add log",
    "asinh": "x x x mul 1 add sqrt add log",
    "acosh": "x x x mul 1 sub sqrt add log",
    "atanh": "1 x add 1 x sub div log 2 div",
    "tan": "x sin x cos div",
    "relu": "x x abs add 2 div",
    "maximum": "x y add x y sub abs add 2 div",
    "minimum": "x y add x y sub abs sub 2 div",
    "prelu": "x relu y x neg relu mul sub",
    "leaky_relu": "x relu alpha x neg relu mul sub",
    "elu": "x relu x 0 minimum beta div exp 1 sub alpha mul add",
}


def constant(c: Fraction | int) -> Form:
    """Return the form that is a rational."""
    return {UNIT: (Fraction(c), ZERO)} if c else {}


def symbol(s: int, exponent: Fraction | int = 1) -> Form:
    """Return a power of a symbol."""
    return {(((s, Fraction(exponent)),), frozenset()): (ONE, ZERO)} if exponent else UNITY


def rational(v: Quotient) -> Fraction | None:
    """Return the rational that a quotient is, or None."""
    (n, d), (c, imaginary_part) = v, v[0].get(UNIT, (ZERO, ZERO))
    return None if d != UNITY or n.keys() - {UNIT} or imaginary_part else c


def _reduced(p: Form) -> Form:
    bits = max((max(length(a), length(b)) for a, b in p.values()), default=0)
    require(bits <= BITS and len(p) <= TERMS, "a form is too large")
    spend_long(16 * len(p), bits)
    return {key: c for key, c in p.items() if c != (0, 0)}


def plus(p: Form, q: Form, factor: Fraction | int = ONE) -> Form:
    """Return p + factor * q."""
    found = dict(p)
    for key, (a, b) in q.items():
        c, d = p.get(key, (ZERO, ZERO))
        found[key] = c + factor * a, d + factor * b
    return _reduced(found)


def times(p: Form, q: Form) -> Form:
    """Return the product."""
    if UNITY in (p, q):
        return _reduced(q if p == UNITY else p)
    require(len(p) * len(q) <= TERMS, "a product of forms is too large")
    found: Form = {}
    for ((m, z), (a, b)), ((n, w), (c, d)) in couples(p.items(), q.items()):
        powers = dict(m)
        for s, k in n:
            powers[s] = powers.get(s, ZERO) + k
        spend_long(16 * (1 + len(powers)), max(map(length, (a, b, c, d))))
        both = frozenset(plus(dict(z), dict(w)).items()) if z and w else z or w
        key = tuple(sorted((s, k) for s, k in powers.items() if k)), both
        e, f = found.get(key, (ZERO, ZERO))
        found[key] = e + a * c - b * d, f + a * d + b * c
    return _reduced(found)


def power(p: Form, exponent: int) -> Form:
    """Return a natural power."""
    require(exponent <= TERMS, "a power of a form is too large")
    found = UNITY
    for _ in range(exponent):
        found = times(found, p)
    return found


def exponential(z: Form, factor: Gauss = (ONE, ZERO)) -> Form:
    """Return exp(factor * z)."""
    return {((), frozenset(times({UNIT: factor}, z).items())): (ONE, ZERO)}


def conjugate(p: Form) -> Form:
    """Return the complex conjugate, where the symbols are real."""
    return {(m, frozenset(conjugate(dict(z)).items())): (a, -b) for (m, z), (a, b) in p.items()}


def real(p: Form) -> Form:
    """Return the real part."""
    return times({UNIT: (HALF, ZERO)}, plus(p, conjugate(p)))


def imaginary(p: Form) -> Form:
    """Return the imaginary part."""
    return times({UNIT: (ZERO, -HALF)}, plus(p, conjugate(p), -ONE))


def inverse(p: Form) -> Form:
    """Return the inverse of a single term."""
    (((m, z), (a, b)),) = p.items()
    size = a * a + b * b
    minus = frozenset((key, (-c, -d)) for key, (c, d) in z)
    return {(tuple((s, -k) for s, k in m), minus): (a / size, -b / size)}


def quotient(n: Form, d: Form) -> Quotient:
    """Return n/d, where d is not 0; a divisor of one term is carried out."""
    return (times(n, inverse(d)), UNITY) if len(d) == 1 else (n, d)


def sum_of(x: Quotient, y: Quotient, factor: Fraction | int = ONE) -> Quotient:
    """Return x + factor * y."""
    if x[1] == y[1]:
        return plus(x[0], y[0], factor), x[1]
    return plus(times(x[0], y[1]), times(y[0], x[1]), factor), times(x[1], y[1])


def product_of(x: Quotient, y: Quotient) -> Quotient:
    """Return x * y."""
    return times(x[0], y[0]), times(x[1], y[1])


class Forms:
    """Values of operations as quotients of forms, wherever they are defined."""

    def __init__(self) -> None:
        self.numbers: dict[object, int] = {}  # of what each symbol stands for

    def name(self, *meaning: object) -> int:
        """Return the number of a symbol with this meaning."""
        return self.numbers.setdefault(meaning, len(self.numbers))

    def single(self, v: Quotient) -> Form:
        """Return a quotient as one form."""
        require(v[1] == UNITY, "not a single form")
        return v[0]

    def over(self, x: Quotient, y: Quotient) -> Quotient:
        """Return x/y, wherever it is defined."""
        require(y[0] != {}, "a divisor is 0")
        return product_of(x, quotient(y[1], y[0]))

    def power(self, x: Quotient, exponent: int) -> Quotient:
        """Return an integer power."""
        above, below = (power(p, abs(exponent)) for p in x)
        return (above, below) if exponent >= 0 else self.over((UNITY, UNITY), (above, below))

    def exp(self, z: Form) -> Quotient:
        """Return the exponential."""
        return exponential(z), UNITY

    def other(self, node: Node, op: str, args: Sequence[Quotient]) -> Quotient:
        """Return the value of an operation that is not algebra."""
        raise Reject(f"no form for {op} of {len(args)}, at {node.op}")

    def wave(self, op: str, angle: Form) -> Quotient:
        """Return a sine or a cosine."""
        turn, sine = exponential(angle, (ZERO, ONE)), op == "sin"
        both = plus(turn, inverse(turn), -ONE if sine else ONE)
        return times({UNIT: (ZERO, -HALF) if sine else (HALF, ZERO)}, both), UNITY

    def combine(self, node: Node, op: str, args: Sequence[Quotient]) -> Quotient:  # noqa: C901
        """Return the value of an operation."""
        spend(64)
        known, q = [rational(v) for v in args], node.q
        exact = [point(c) for c in known if c is not None]
        if len(exact) == len(args) and op in POINTWISE:
            found = apply(node, op, exact)
            if found.low is not None and found.low == found.high:
                return constant(found.low), UNITY
        x, y, exponent = args[0], args[-1], q["exponent"] if op == "pow" else known[-1]
        match op:
            case "add" | "sub":
                return sum_of(x, y, ONE if op == "add" else -ONE)
            case "mul":
                return product_of(x, y)
            case "neg":
                return product_of((constant(-1), UNITY), x)
            case "div":
                return self.over(x, y)
            case "pow" | "power" if exponent is not None and _integer(op, exponent):
                return self.power(x, exponent.numerator)
            case "exp":
                return self.exp(self.single(x))
            case "sin" | "cos":
                return self.wave(op, self.single(x))
            case _ if op in COMPOSED or op == "clip":
                ends = " lo maximum" * ("lo" in q) + " hi minimum" * ("hi" in q)
                return self.compose(node, COMPOSED.get(op, "x" + ends), x, y)
            case _:
                return self.other(node, op, args)

    def compose(self, node: Node, words: str, x: Quotient, y: Quotient) -> Quotient:
        """Return the value of a composed operation."""
        known = {"x": x, "y": y, **{name: (constant(c), UNITY) for name, c in node.q.items()}}
        stack: list[Quotient] = []
        for word in words.split():
            if word in ARITY:
                args = stack[-ARITY[word] :]
                stack[-ARITY[word] :] = [self.combine(node, word, args)]
            else:
                stack.append(known[word] if word in known else (constant(int(word)), UNITY))
        return stack[0]


def _integer(op: str, exponent: Fraction) -> bool:
    return exponent.denominator == 1 and (op == "pow" or exponent >= 0)
