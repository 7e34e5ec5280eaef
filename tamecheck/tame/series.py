"""Truncated series in an infinitesimal δ > 0, and the graphs of scalar ops on them.

A series stands for the germ of a function of δ as δ decreases to 0.  Coefficients are rationals,
or balls where no rational is known; a series that was never truncated is exact, so only then may
all of its coefficients being zero mean that it is zero.  A series of order 0 is a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, arb_series, fmpq

from tamecheck.exact import reals
from tamecheck.ir.arithmetic import Arithmetic
from tamecheck.ir.formula import Compare, Elementary, Piece, truth

_MAX_POWER = 64
_MAX_EXPONENT = 4096
_MAX_FLOOR = 2.0**64
_MAX_BITS = 1 << 15


def shorten(value: reals.Number) -> reals.Number:
    """The number, as a ball if it is a rational with very many digits."""
    long = isinstance(value, fmpq) and value.height_bits() > _MAX_BITS
    return arb(value) if long else value


def sign_of(value: reals.Number) -> int:
    """The sign of a number.

    Raises `UndecidedError` if a ball contains zero, and is not exactly zero.
    """
    if value > 0:
        return 1
    if value < 0:
        return -1
    if isinstance(value, fmpq) or value.is_zero():
        return 0
    raise reals.UndecidedError


@dataclass(frozen=True, slots=True)
class Series:
    """``sum(c[i] δ^i) + O(δ^(order + 1))``; without the remainder where ``exact``.

    ``coefficients`` may be shorter than ``order + 1``: the missing ones are zero.
    """

    coefficients: tuple[reals.Number, ...]
    order: int
    exact: bool = True

    @staticmethod
    def constant(value: reals.Number, order: int) -> Series:
        """A series without δ."""
        return Series((value,), order)

    def __getitem__(self, index: int) -> reals.Number:
        return self.coefficients[index] if index < len(self.coefficients) else reals.ZERO

    def __add__(self, other: Series) -> Series:
        size = max(len(self.coefficients), len(other.coefficients))
        order = min(self.order, other.order)
        sums = tuple(self[i] + other[i] for i in range(min(size, order + 1)))
        return Series(sums, order, self.exact and other.exact and size <= order + 1)

    def __mul__(self, other: Series) -> Series:
        size = len(self.coefficients) + len(other.coefficients) - 1
        order = min(self.order, other.order)
        kept = min(size, order + 1)
        terms = list[reals.Number]([reals.ZERO] * kept)
        for i, a in enumerate(self.coefficients):
            for j, b in enumerate(other.coefficients[: kept - i]):
                terms[i + j] = shorten(terms[i + j] + a * b)
        exact = self.exact and other.exact and size == kept
        return Series(tuple(terms), order, exact)

    def __truediv__(self, other: Series) -> Series:
        if sign_of(other[0]) == 0:
            raise reals.UndecidedError
        if other.exact and not any(_may_differ(c) for c in other.coefficients[1:]):
            return Series(tuple(c / other[0] for c in self.coefficients), self.order, self.exact)
        quotient: list[reals.Number] = []
        order = min(self.order, other.order)
        for i in range(order + 1):
            rest: reals.Number = self[i]
            for j, known in enumerate(quotient):
                rest = rest - known * other[i - j]
            quotient.append(rest / other[0])
        return Series(tuple(quotient), order, exact=False)

    def scaled(self, factor: reals.Number) -> Series:
        """The series times a number."""
        return Series(tuple(c * factor for c in self.coefficients), self.order, self.exact)

    def leading(self) -> int | None:
        """The index of the first coefficient that is not zero; None for the zero series.

        Raises `UndecidedError` if a coefficient before it may be zero, or the series is zero up to
        its order only.
        """
        for index, coefficient in enumerate(self.coefficients):
            if sign_of(coefficient):
                return index
        if not self.exact:
            raise reals.UndecidedError
        return None

    def sign(self) -> int:
        """The sign for all small δ > 0."""
        leading = self.leading()
        return 0 if leading is None else sign_of(self[leading])

    def floor(self) -> Series:
        """The floor for all small δ > 0."""
        base = self[0]
        if isinstance(base, arb):
            # the floor of a ball beyond the floats could be an integer that exceeds the memory
            whole = base.floor().unique_fmpz() if abs(float(base)) < _MAX_FLOOR else None
            if whole is None:
                raise reals.UndecidedError
            if not base.is_integer():
                return Series.constant(fmpq(whole), self.order)
            base = fmpq(whole)
        whole = fmpq(base.floor())
        if whole == base and (self + Series.constant(-whole, self.order)).sign() < 0:
            whole = whole - 1
        return Series.constant(whole, self.order)

    def power(self, exponent: Fraction) -> Series:
        """A rational power, as `tamecheck.ir.formula.Pow` defines it."""
        if exponent.denominator == 1:
            return self._natural(int(exponent))
        leading = self.leading()
        if leading is None and exponent > 0:
            return self
        if leading is None or sign_of(self[leading]) < 0:
            raise reals.UndecidedError
        shift = leading * exponent
        if shift.denominator != 1 or shift < 0:
            raise reals.UndecidedError
        unit = Series(self.coefficients[leading:], self.order, self.exact).root(exponent)
        # dividing by δ^leading moves the remainder of the argument down as well
        order = self.order if self.exact else self.order - leading + int(shift)
        moved = ((reals.ZERO,) * int(shift) + unit.coefficients)[: order + 1]
        return Series(moved, min(order, self.order), exact=unit.exact and self.exact)

    def _natural(self, exponent: int) -> Series:
        if abs(exponent) > _MAX_POWER:
            raise reals.UndecidedError
        result = Series.constant(reals.ONE, self.order)
        for _ in range(abs(exponent)):
            result = result * self
        return result if exponent >= 0 else Series.constant(reals.ONE, self.order) / result

    def root(self, exponent: Fraction) -> Series:
        """A power of a series whose constant coefficient is positive."""
        if len(self.coefficients) == 1 and self.exact:
            return Series.constant(_number_root(self[0], exponent), self.order)
        if exponent == Fraction(1, 2):
            return _through(self, lambda s: s.sqrt())
        ratio = arb(reals.as_number(exponent))
        return _through(self, lambda s: (s.log() * ratio).exp())

    def apply(self, function: Elementary) -> Series:
        """An elementary function of the series."""
        return _through(self, _SERIES[function])


_SERIES: dict[Elementary, Callable[[arb_series], arb_series]] = {
    Elementary.EXP: lambda s: s.exp(),
    Elementary.LOG: lambda s: s.log(),
    Elementary.SIN: lambda s: s.sin(),
    Elementary.COS: lambda s: s.cos(),
    Elementary.TAN: lambda s: s.tan(),
    Elementary.ASIN: lambda s: s.asin(),
    Elementary.ACOS: lambda s: s.acos(),
    Elementary.ATAN: lambda s: s.atan(),
    Elementary.SINH: lambda s: (s.exp() - (-s).exp()) / 2,
    Elementary.COSH: lambda s: (s.exp() + (-s).exp()) / 2,
    Elementary.TANH: lambda s: 1 - 2 / ((s + s).exp() + 1),
    Elementary.ASINH: lambda s: (s + (s * s + 1).sqrt()).log(),
    Elementary.ACOSH: lambda s: (s + (s * s - 1).sqrt()).log(),
    Elementary.ATANH: lambda s: ((1 + s) / (1 - s)).log() / 2,
    Elementary.ERF: lambda s: s.erf(),
}


def _through(argument: Series, function: Callable[[arb_series], arb_series]) -> Series:
    size = argument.order + 1
    given = arb_series([arb(argument[i]) for i in range(size)], prec=size)
    try:
        with reals.working_precision(terms=size):
            found = function(given)
    except (ValueError, ZeroDivisionError):
        raise reals.UndecidedError from None
    if found.prec < size:
        raise reals.UndecidedError
    values = [_settled(found[i]) for i in range(size)]
    constant = argument.exact and not any(map(_may_differ, argument.coefficients[1:]))
    return Series(tuple(values[:1] if constant else values), argument.order, exact=constant)


def _settled(ball: arb) -> reals.Number:
    if not ball.is_finite():
        raise reals.UndecidedError
    # an exact ball with a long exponent stays one: as a rational it could exceed the memory
    short = ball.is_exact() and abs(ball.man_exp()[1]) < _MAX_EXPONENT
    return ball.fmpq() if short else ball


def _number_root(value: reals.Number, exponent: Fraction) -> reals.Number:
    if max(abs(exponent.numerator), exponent.denominator) >= _MAX_EXPONENT:
        raise reals.UndecidedError
    found = arb(value).root(exponent.denominator) ** exponent.numerator
    return _settled(found)


def _may_differ(value: reals.Number) -> bool:
    return not (value == 0 if isinstance(value, fmpq) else value.is_zero())


def rational_at(pieces: Sequence[Piece], args: Sequence[Fraction | None]) -> Fraction | None:
    """The value of a scalar op at rationals, if all are known and it is one."""
    known = [Series.constant(reals.as_number(value), 0) for value in args if value is not None]
    found = pieces_at(pieces, known)[0] if len(known) == len(args) else None
    return reals.as_fraction(found) if isinstance(found, fmpq) else None


def pieces_at(pieces: Sequence[Piece], args: Sequence[Series]) -> Series:
    """The value of a scalar op, given by its pieces.

    For numbers, a condition that balls leave open gives the hull of the values that are possible.
    Raises `UndecidedError` if no piece is known to hold, for series of positive order.
    """
    order = args[0].order if args else 0
    arithmetic, decide = _arithmetic(args), _decide(args)
    possible: list[Series] = []
    for piece in pieces:
        held = truth(piece.condition, decide)
        if held is False:
            continue
        possible.append(arithmetic.value(piece.term, args))
        if held is True:
            return possible[-1]
    if order > 0 or not possible:
        raise reals.UndecidedError
    hull = arb(possible[0][0])
    for other in possible[1:]:
        hull = hull.union(arb(other[0]))
    return Series.constant(hull, 0)


def _decide(args: Sequence[Series]) -> Callable[[Compare], bool | None]:
    arithmetic = _arithmetic(args)

    def decide(condition: Compare) -> bool | None:
        try:
            return arithmetic.value(condition.term, args).sign() in condition.relation.signs
        except reals.UndecidedError:
            return None

    return decide


def _rational(series: Series) -> Fraction:
    value = series[0]
    if not (series.exact and isinstance(value, fmpq)) or series.coefficients[1:]:
        raise reals.UndecidedError
    return reals.as_fraction(value)


def _arithmetic(args: Sequence[Series]) -> Arithmetic[Series]:
    order = args[0].order if args else 0
    return Arithmetic(
        constant=lambda value: Series.constant(reals.as_number(value), order),
        power=lambda base, e: base.power(e if isinstance(e, Fraction) else _rational(e)),
        floor=Series.floor,
        call=lambda function, argument: argument.apply(function),
        scale=lambda series, factor: series.scaled(reals.as_number(factor)),
    )
