"""Laurent polynomials in t, for large t."""

# ruff: noqa: D103  (small functions, each with a name that says it all)
from fractions import Fraction
from functools import reduce

from tamecheck.kernel.curves import Laurent
from tamecheck.kernel.interval import ONE, ZERO, length
from tamecheck.kernel.strict import require, spend_long

TERMS, LONG = 64, 1 << 11  # a quotient with more terms, or longer numbers, is forgotten


def sign(x: Fraction | int) -> int:
    return (x > 0) - (x < 0)


def leading(p: Laurent) -> tuple[int, Fraction]:
    return max(p.items())


def added(p: Laurent, q: Laurent, factor: Fraction = ONE) -> Laurent:
    spend_long(16 * (len(p) + len(q)), max(map(length, [ONE, *p.values(), *q.values()])))
    found = {j: p.get(j, ZERO) + factor * q.get(j, ZERO) for j in {**p, **q}}
    return {j: c for j, c in found.items() if c}


def multiplied(p: Laurent, q: Laurent) -> Laurent:
    require(len(p) * len(q) <= TERMS**2, "a polynomial with too many terms")
    return reduce(added, [{i + j: a * b for j, b in q.items()} for i, a in p.items()], Laurent())


def fits(*polynomials: Laurent) -> bool:
    return all(len(p) <= TERMS and all(length(c) <= LONG for c in p.values()) for p in polynomials)
