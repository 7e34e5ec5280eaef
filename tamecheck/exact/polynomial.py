"""Polynomials with rational coefficients, and exact sums of squares for quadratic ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

Monomial = tuple[tuple[int, int], ...]
"""Pairs (variable, positive exponent), by increasing variable; the empty one is 1."""


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A polynomial: its monomials with their non-zero coefficients."""

    terms: Mapping[Monomial, Fraction]

    @staticmethod
    def constant(value: Fraction) -> Polynomial:
        """The constant polynomial."""
        return Polynomial({(): value} if value else {})

    @staticmethod
    def variable(index: int) -> Polynomial:
        """The polynomial of one variable."""
        return Polynomial({((index, 1),): Fraction(1)})

    @property
    def degree(self) -> int:
        """The total degree; 0 for constants."""
        return max((sum(e for _, e in monomial) for monomial in self.terms), default=0)

    @property
    def variables(self) -> tuple[int, ...]:
        """The variables that occur, in order."""
        return tuple(sorted({v for monomial in self.terms for v, _ in monomial}))

    def __add__(self, other: Polynomial) -> Polynomial:
        terms = dict(self.terms)
        for monomial, coefficient in other.terms.items():
            terms[monomial] = terms.get(monomial, Fraction(0)) + coefficient
        return Polynomial({m: c for m, c in terms.items() if c})

    def __mul__(self, other: Polynomial) -> Polynomial:
        terms: dict[Monomial, Fraction] = {}
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                monomial = monomial_product(left, right)
                terms[monomial] = terms.get(monomial, Fraction(0)) + a * b
        return Polynomial({m: c for m, c in terms.items() if c})

    def scaled(self, factor: Fraction) -> Polynomial:
        """The polynomial times a number."""
        return Polynomial({m: c * factor for m, c in self.terms.items() if factor})

    def power(self, exponent: int) -> Polynomial:
        """A natural power."""
        result = Polynomial.constant(Fraction(1))
        for _ in range(exponent):
            result = result * self
        return result


@dataclass(frozen=True, slots=True)
class Square:
    """``weight * root ** 2`` with a non-negative weight."""

    weight: Fraction
    root: Polynomial


def quadratic_squares(polynomial: Polynomial) -> tuple[Square, ...] | None:
    """A polynomial of degree at most 2 as a sum of squares, or None if it is negative somewhere.

    The Gram matrix over ``1, x_1, .., x_n`` is unique, so the polynomial is non-negative if and
    only if symmetric elimination (LDLᵀ in rationals) meets no negative pivot, and no zero pivot
    with a non-zero row.
    """
    if polynomial.degree > 2:
        return None
    variables = polynomial.variables
    basis: list[Monomial] = [((v, 1),) for v in variables] + [()]
    gram = [[_gram_entry(polynomial, a, b) for b in basis] for a in basis]
    squares: list[Square] = []
    for i in range(len(basis)):
        pivot = gram[i][i]
        if pivot < 0 or (pivot == 0 and any(gram[i][i:])):
            return None
        if pivot == 0:
            continue
        row = {basis[j]: gram[i][j] / pivot for j in range(i, len(basis)) if gram[i][j]}
        squares.append(Square(pivot, Polynomial(row)))
        for j in range(i + 1, len(basis)):
            factor = gram[i][j] / pivot
            for k in range(j, len(basis)):
                gram[j][k] -= factor * gram[i][k]
    return tuple(squares)


def _gram_entry(polynomial: Polynomial, left: Monomial, right: Monomial) -> Fraction:
    coefficient = polynomial.terms.get(monomial_product(left, right), Fraction(0))
    return coefficient if left == right else coefficient / 2


def monomial_product(left: Monomial, right: Monomial) -> Monomial:
    """The monomial of the sums of the exponents."""
    exponents = dict(left)
    for variable, exponent in right:
        exponents[variable] = exponents.get(variable, 0) + exponent
    return tuple(sorted(exponents.items()))
