"""Puiseux series: sums of rational powers of a parameter ``t > 0``, known up to an order at 0."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

from flint import arb, fmpq

from tamecheck.derivative.kinks import derivative
from tamecheck.evaluate.exact_terms import value_at
from tamecheck.exact.reals import Number, UndecidedError, as_number, multiply, power
from tamecheck.ir.formula import (
    Add,
    Call,
    Const,
    Div,
    Elementary,
    Floor,
    Mul,
    Pow,
    Term,
    Var,
    everywhere,
)

__all__ = ["ONE", "ZERO", "Puiseux", "constant", "series_of"]

_DEGREE = 6
"""The degree of Taylor polynomials."""

_ENDS = frozenset({Elementary.ASIN, Elementary.ACOS, Elementary.ACOSH})
"""Functions that end in a root, where they have Puiseux series and no Taylor series."""


@dataclass(frozen=True, slots=True, eq=False)
class Puiseux:
    """``Σ a t^e + O(t^order)``, convergent for small t > 0.

    Parameters
    ----------
    terms
        Exponents, increasing, and coefficients.
    order
        None if nothing is left out.
    """

    terms: tuple[tuple[Fraction, Number], ...]
    order: Fraction | None = None

    @property
    def zero(self) -> bool:
        """Whether it is 0 for all t."""
        return not self.terms and self.order is None

    @property
    def lead(self) -> tuple[Fraction, Number]:
        """The first exponent and its coefficient.

        Raises
        ------
        UndecidedError
            If no term is known to differ from 0.
        """
        if not self.terms or (isinstance(a := self.terms[0][1], arb) and not (a > 0 or a < 0)):
            raise UndecidedError
        return self.terms[0]

    @property
    def sign(self) -> int:
        """The sign for small t.

        Raises
        ------
        UndecidedError
            If no term is known to differ from 0.
        """
        if self.zero:
            return 0
        return 1 if self.lead[1] > 0 else -1

    @property
    def valuation(self) -> Fraction:
        """The lowest exponent that may occur, of a series other than 0."""
        if self.terms:
            return self.terms[0][0]
        return Fraction(0) if self.order is None else self.order

    @property
    def start(self) -> Number:
        """The limit as t falls to 0.

        Raises
        ------
        UndecidedError
            If it is not known.
        """
        if (self.terms and self.terms[0][0] < 0) or (self.order is not None and self.order <= 0):
            raise UndecidedError
        return next((a for e, a in self.terms if e == 0), fmpq(0))

    def __add__(self, other: Puiseux) -> Puiseux:
        orders = [s.order for s in (self, other) if s.order is not None]
        return _collected([*self.terms, *other.terms], min(orders, default=None))

    def __sub__(self, other: Puiseux) -> Puiseux:
        return self + constant(fmpq(-1)) * other

    def __mul__(self, other: Puiseux) -> Puiseux:
        if self.zero or other.zero:
            return ZERO
        orders = [
            a.order + b.valuation for a, b in ((self, other), (other, self)) if a.order is not None
        ]
        products = [(e + f, multiply(a, b)) for e, a in self.terms for f, b in other.terms]
        return _collected(products, min(orders, default=None))

    def raised(self, exponent: Fraction) -> Puiseux:
        """``self ** exponent``, by the binomial series.

        Raises
        ------
        UndecidedError
            If the base is not known to be positive, or for an integer exponent to differ from 0.
        """
        if exponent == 0:
            return ONE
        if self.zero and exponent > 0:
            return ZERO
        low, first = self.lead
        if exponent.denominator != 1 and not first > 0:
            raise UndecidedError
        head = Puiseux(((low * exponent, power(first, as_number(exponent))),))
        # the first term is left out, not cancelled, which balls would not do
        rest = Puiseux(((-low, power(first, fmpq(-1))),)) * Puiseux(self.terms[1:], self.order)
        coefficients: list[Number] = [fmpq(1)]
        for k in range(_DEGREE):
            coefficients.append(coefficients[-1] * as_number((exponent - k) / (k + 1)))
        return head * _polynomial(coefficients, rest)

    def slope(self) -> Puiseux:
        """The derivative by t."""
        order = None if self.order is None else self.order - 1
        return Puiseux(tuple((e - 1, as_number(e) * a) for e, a in self.terms if e), order)

    def integral(self, start: Number) -> Puiseux:
        """The integral from 0, plus a number.

        Raises
        ------
        UndecidedError
            If it does not exist.
        """
        if self.terms and self.terms[0][0] <= -1:
            raise UndecidedError
        terms = [(e + 1, a / as_number(e + 1)) for e, a in self.terms]
        order = None if self.order is None else self.order + 1
        return _collected([(Fraction(0), start), *terms], order)


def constant(value: Number) -> Puiseux:
    """A number, for all t."""
    return Puiseux(() if value == 0 else ((Fraction(0), value),))


ZERO, ONE = constant(fmpq(0)), constant(fmpq(1))


def _collected(terms: list[tuple[Fraction, Number]], order: Fraction | None) -> Puiseux:
    total: dict[Fraction, Number] = {}
    for exponent, a in terms:
        if order is None or exponent < order:
            total[exponent] = total[exponent] + a if exponent in total else a
    return Puiseux(tuple((e, total[e]) for e in sorted(total) if not _zero(total[e])), order)


def _zero(value: Number) -> bool:
    return isinstance(value, fmpq) and value == 0


def _polynomial(coefficients: list[Number], rest: Puiseux) -> Puiseux:
    """``Σ a_k rest^k`` of an infinite series in something that vanishes at 0.

    Raises
    ------
    UndecidedError
        If it does not vanish.
    """
    if rest.zero:
        return constant(coefficients[0])
    if rest.valuation <= 0:
        raise UndecidedError
    total = ZERO
    for a in reversed(coefficients):
        total = total * rest + constant(a)
    left = Puiseux((), len(coefficients) * rest.valuation)
    return total + left


def series_of(term: Term, args: list[Puiseux]) -> Puiseux:
    """A term of series.

    Raises
    ------
    UndecidedError
        If the series is not known, or does not exist.
    """
    match term:
        case Var(index):
            return args[index]
        case Const(value):
            return constant(as_number(value))
        case Add(left, right):
            return series_of(left, args) + series_of(right, args)
        case Mul(left, right):
            return series_of(left, args) * series_of(right, args)
        case Div(left, right):
            return series_of(left, args) * series_of(right, args).raised(Fraction(-1))
        case Pow(base, exponent):
            rise = series_of(exponent, args)
            if len(rise.terms) > 1 or rise.order is not None or not isinstance(rise.start, fmpq):
                raise UndecidedError
            number = Fraction(int(rise.start.p), int(rise.start.q))
            return series_of(base, args).raised(number)
        case Floor(argument):
            return _floor(series_of(argument, args))
        case Call(function, argument):
            return _called(function, series_of(argument, args))


def _floor(series: Puiseux) -> Puiseux:
    start = series.start
    if not isinstance(start, fmpq):
        raise UndecidedError
    if start.q != 1:
        return constant(fmpq(floor(Fraction(int(start.p), int(start.q)))))
    sign = (series - constant(start)).sign
    if sign == 0:
        raise UndecidedError
    return constant(start if sign > 0 else start - 1)


def _called(function: Elementary, series: Puiseux) -> Puiseux:
    start = series.start
    whole = Call(function, Var(0))
    if function in _ENDS and isinstance(start, fmpq) and start in (1, -1):
        along = series_of(derivative(whole, 0), [series]) * series.slope()
        return along.integral(value_at(everywhere(whole), [start], continuous=True))
    coefficients: list[Number] = []
    term: Term = whole
    scale = fmpq(1)
    for k in range(_DEGREE + 1):
        coefficients.append(value_at(everywhere(term), [start], continuous=True) * scale)
        term, scale = derivative(term, 0), scale / (k + 1)
    return _polynomial(coefficients, series - constant(start))
