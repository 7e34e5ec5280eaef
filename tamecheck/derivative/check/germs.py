"""Functions near a point: polynomials of bounded degree in the shift, and what is left of them.

A germ is ``Σ terms x^α + Σ tails r + rest``.  A tail r is a function of order above that of the
space with a name, so that it cancels against itself.  What is left without a name is in the ideal
of the monomials of such an order in some variables.  A germ without either is a polynomial.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from flint import fmpq, fmpq_mat

from tamecheck.exact.reals import ZERO, Number, UndecidedError

Tail: TypeAlias = tuple[Hashable, int]
"""A name, and the variables in whose monomials of higher order the function lies."""

_BITS = 4
_DEGREE = (1 << _BITS) - 1


@dataclass(frozen=True, slots=True)
class Space:
    """Germs in so many variables, known up to this order.

    Where ``inputs`` are fewer, the other variables are roots of sums of squares, in the order in
    which they are met.
    """

    size: int
    order: int
    inputs: int = -1
    roots: list[tuple[Germ, fmpq_mat]] = field(
        default_factory=list["tuple[Germ, fmpq_mat]"], compare=False
    )
    """Under each root: the germ, and its quadratic form in the inputs."""

    @property
    def own(self) -> int:
        """The number of variables that are no roots."""
        return self.size if self.inputs < 0 else self.inputs

    def constant(self, value: Number) -> Germ:
        """A constant."""
        return Germ(self, {0: value} if value != 0 else {})

    def variable(self, number: int, value: Number) -> Germ:
        """A coordinate whose value at the point is given."""
        terms: dict[int, Number] = {code_of(((number, 1),)): fmpq(1)}
        if value != 0:
            terms[0] = value
        return Germ(self, terms)


def code_of(powers: Sequence[tuple[int, int]]) -> int:
    """A monomial, from its variables' numbers and exponents; codes add where monomials multiply."""
    return sum((exponent << (_BITS * (variable + 1))) + exponent for variable, exponent in powers)


def degree_of(code: int) -> int:
    """The degree of a monomial."""
    return code & _DEGREE


@lru_cache(maxsize=65536)
def exponents_of(code: int) -> tuple[tuple[int, int], ...]:
    """The variables of a monomial with their exponents."""
    found: list[tuple[int, int]] = []
    rest, variable = code >> _BITS, 0
    while rest:
        if rest & _DEGREE:
            found.append((variable, rest & _DEGREE))
        rest >>= _BITS
        variable += 1
    return tuple(found)


@lru_cache(maxsize=65536)
def mask_of(code: int) -> int:
    """The variables of a monomial as bits."""
    return sum(1 << variable for variable, _ in exponents_of(code))


def union(masks: Iterable[int]) -> int:
    """The bits that are set in some mask."""
    total = 0
    for mask in masks:
        total |= mask
    return total


def variables_of(mask: int) -> tuple[int, ...]:
    """The numbers of the bits that are set."""
    return tuple(k for k in range(mask.bit_length()) if mask >> k & 1)


@dataclass(frozen=True, slots=True, eq=False)
class Germ:
    """A function near the point."""

    space: Space
    terms: Mapping[int, Number]
    """The coefficients other than 0, by the codes of monomials."""
    tails: Mapping[Tail, Number] = field(default_factory=dict[Tail, Number])
    """The coefficients of named functions of higher order; a name is a key and its variables."""
    rest: int = 0
    """The variables, as bits, in whose monomials of higher order the rest is in the ideal."""
    reach: int = 0
    """The variables on which the rest may depend."""
    lost: bool = False
    """Whether nothing is known of it at all."""
    core: Germ | None = None
    """A simpler function that has the sign, near the point, of this one less its value there."""
    squares: bool = False
    """Whether it is known to be a sum of squares of Lipschitz functions."""

    @property
    def decisive(self) -> Germ:
        """The simplest function that is known to have the same sign near the point."""
        return self if self.core is None or self.value != 0 else self.core

    def core_by(self, slope: Number) -> Germ | None:
        """The core of a function that changes with this one's shift, at a slope other than 0."""
        if slope > 0:
            return self.core or self.shift
        return -(self.core or self.shift) if slope < 0 else None

    @property
    def value(self) -> Number:
        """The value at the point."""
        return self.terms.get(0, ZERO)

    @property
    def sign(self) -> int:
        """The sign of the value at the point.

        Raises `UndecidedError` if it is a ball about 0, or nothing is known.
        """
        value = self.value
        if self.lost or not (value == 0 or value > 0 or value < 0):
            raise UndecidedError
        return int(value > 0) - int(value < 0)

    @property
    def zero(self) -> bool:
        """Whether it certainly vanishes near the point."""
        return not self.terms and self.polynomial

    @property
    def polynomial(self) -> bool:
        """Whether nothing of higher order is left."""
        return not (self.tails or self.rest or self.lost)

    @property
    def rational(self) -> bool:
        """Whether all coefficients are known, and none is a ball."""
        numbers = (*self.terms.values(), *self.tails.values())
        return not self.lost and all(isinstance(a, fmpq) for a in numbers)

    @property
    def constant(self) -> bool:
        """Whether it certainly does not depend on the point."""
        return self.polynomial and all(code == 0 for code in self.terms)

    @property
    def loose(self) -> int:
        """The variables, as bits, in whose monomials of higher order all that is not terms lies."""
        return union((self.rest, *(variables for _, variables in self.tails)))

    @property
    def mask(self) -> int:
        """The variables on which it may depend, as bits."""
        return union((self.loose, self.reach, *map(mask_of, self.terms)))

    def vanishes(self, mask: int) -> bool:
        """Whether it is certainly 0 where some variables are, given as bits."""
        if self.rest or self.lost:
            return False
        return all(mask_of(code) & mask for code in self.terms) and all(
            _constant_where(tail[0], mask) for tail in self.tails
        )

    @property
    def gradient(self) -> tuple[Number, ...]:
        """The derivative at the point."""
        size = self.space.size
        return tuple(self.terms.get(code_of(((k, 1),)), ZERO) for k in range(size))

    @property
    def shift(self) -> Germ:
        """What it differs by from its value at the point."""
        terms = {code: a for code, a in self.terms.items() if code}
        return Germ(self.space, terms, self.tails, self.rest, self.reach, self.lost, self.core)

    @property
    def key(self) -> Hashable:
        """Equal for equal germs; one of its own for a germ that is not known as a whole."""
        if self.rest or not self.rational:
            return id(self), self
        return frozenset(self.terms.items()), frozenset(self.tails.items())

    def scaled(self, factor: Number) -> Germ:
        """A multiple."""
        if factor == 0:
            return Germ(self.space, {})
        terms = {code: a * factor for code, a in self.terms.items()}
        tails = {name: a * factor for name, a in self.tails.items()}
        core = None if self.core is None else self.core_by(factor)
        squares = self.squares and bool(factor > 0)
        return Germ(self.space, terms, tails, self.rest, self.reach, self.lost, core, squares)

    def __neg__(self) -> Germ:
        return self.scaled(fmpq(-1))

    def __add__(self, other: Germ) -> Germ:
        terms, tails = _sum(self.terms, other.terms), _sum(self.tails, other.tails)
        rest, reach = self.rest | other.rest, self.reach | other.reach
        core = self.core if other.constant else other.core if self.constant else None
        squares = self.squares and other.squares
        lost = self.lost or other.lost
        return Germ(self.space, terms, tails, rest, reach, lost, core, squares)

    def __sub__(self, other: Germ) -> Germ:
        return self + (-other)

    def __mul__(self, other: Germ) -> Germ:
        if other.constant:
            return self.scaled(other.value)
        if self.constant:
            return other.scaled(self.value)
        if self.lost or other.lost:
            return Germ(self.space, {}, lost=True)
        order = self.space.order
        # a bounded factor leaves a function in its ideal
        rest = self.loose | other.loose
        terms: dict[int, Number] = {}
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                if degree_of(left) + degree_of(right) > order:
                    rest |= mask_of(left) | mask_of(right)
                else:
                    terms[left + right] = terms.get(left + right, ZERO) + a * b
        kept = {code: a for code, a in terms.items() if a != 0}
        # near the point, a factor that is not 0 there keeps its sign
        core = None
        if other.value == 0:
            core = other.core_by(self.value)
        elif self.value == 0:
            core = self.core_by(other.value)
        reach = self.mask | other.mask if rest else 0
        squares = self is other or (self.squares and other.squares)
        return Germ(self.space, kept, {}, rest, reach, core=core, squares=squares)

    def along(self, series: Sequence[Sequence[Number]]) -> tuple[Number, ...]:
        """The coefficients of ``t^0, …`` along a curve, up to the order of the space.

        The series have the coefficients of each variable, the first of them 0.
        """
        order = self.space.order
        total: list[Number] = [ZERO] * (order + 1)
        known: dict[int, list[Number]] = {0: [fmpq(1), *([ZERO] * order)]}
        for code, a in self.terms.items():
            for power, b in enumerate(_monomial(code, series, known)):
                if b != 0:
                    total[power] = total[power] + a * b
        return tuple(total)


K = TypeVar("K")


def _sum(left: Mapping[K, Number], right: Mapping[K, Number]) -> dict[K, Number]:
    """The sums of coefficients that are not 0."""
    total = dict(left)
    for key, a in right.items():
        total[key] = total.get(key, ZERO) + a
        if total[key] == 0:
            del total[key]
    return total


def _constant_where(name: Any, mask: int) -> bool:
    """Whether the argument of a named function is constant where some variables are 0.

    What is left of the function by its Taylor series is 0 there.
    """
    parts: tuple[Any, Any] = name[1]
    if isinstance(parts[1], Germ):
        return False
    terms: list[tuple[int, Number]] = list(parts[0])
    tails: list[tuple[Tail, Number]] = list(parts[1])
    return all(code == 0 or bool(mask_of(code) & mask) for code, _ in terms) and all(
        _constant_where(tail[0], mask) for tail, _ in tails
    )


def _monomial(
    code: int, series: Sequence[Sequence[Number]], known: dict[int, list[Number]]
) -> list[Number]:
    if code not in known:
        variable = exponents_of(code)[0][0]
        low = _monomial(code - code_of(((variable, 1),)), series, known)
        found: list[Number] = [ZERO] * len(low)
        for i, a in enumerate(low):
            if a != 0:
                for j, b in enumerate(series[variable][: len(low) - i]):
                    if b != 0:
                        found[i + j] = found[i + j] + a * b
        known[code] = found
    return known[code]
