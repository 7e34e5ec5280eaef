"""Ops on germs: terms by their Taylor series, and ops that move or add elements."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import comb
from typing import Any, assert_never

import numpy as np
from flint import arb, fmpq

from tamecheck.derivative.check.germs import Germ, Tail
from tamecheck.evaluate.selection import pick
from tamecheck.evaluate.walk import Site
from tamecheck.exact.reals import Number, as_number, call, divide, multiply, power
from tamecheck.ir.formula import Add, Call, Const, Div, Elementary, Floor, Mul, Pow, Term, Var
from tamecheck.ir.op import Contraction, Fold, Routing, Selection
from tamecheck.ir.tensor import Array
from tamecheck.ops.shapes import axes_of

__all__ = [
    "FloorAt",
    "NotAnalyticError",
    "UnreadError",
    "germ_array",
    "plain_value",
    "term_germ",
]

Series = list[Number]
_ZERO, _ONE = fmpq(0), fmpq(1)


class NotAnalyticError(Exception):
    """A term has no Taylor series at the point, as the square root at 0."""


class FloorAt(Exception):  # noqa: N818 (a question, not a failure)
    """The floor of a germ with an integer value depends on the sign of the rest of it."""

    def __init__(self, term: Floor, germ: Germ) -> None:
        super().__init__()
        self.term = term
        self.germ = germ


class UnreadError(Exception):
    """An op has no reading on germs at the point."""


def term_germ(  # noqa: C901 (a case for each constructor)
    term: Term, args: Sequence[Germ], signs: Mapping[Term, int]
) -> Germ:
    """The germ of a term, from those of its variables and from the signs of floors' arguments.

    Raises
    ------
    FloorAt
        If the value depends on another such sign.
    NotAnalyticError
        If there is no Taylor series.
    """
    match term:
        case Var(index):
            return args[index]
        case Const(value):
            return args[0].space.constant(as_number(value))
        case Add(left, right):
            return term_germ(left, args, signs) + term_germ(right, args, signs)
        case Mul(left, right):
            return term_germ(left, args, signs) * term_germ(right, args, signs)
        case Div(left, right):
            low = term_germ(right, args, signs)
            return term_germ(left, args, signs) * _composed(low, "inverse", _inverse)
        case Pow(base, Const(exponent)):
            return _power(term_germ(base, args, signs), as_number(exponent))
        case Pow(base, exponent):
            root, rise = (term_germ(part, args, signs) for part in (base, exponent))
            if rise.constant:
                return _power(root, rise.value)
            logarithm = _composed(root, "log", _SERIES[Elementary.LOG])
            return _composed(rise * logarithm, "exp", _SERIES[Elementary.EXP])
        case Floor(argument):
            return _floor(term, term_germ(argument, args, signs), signs)
        case Call(function, argument):
            inner = term_germ(argument, args, signs)
            return _composed(inner, function.value, _SERIES[function])
        case _:
            assert_never(term)


def plain_value(site: Site, args: Sequence[Array]) -> Array:
    """The value of an op that compares nothing, on arrays of germs.

    Raises
    ------
    UnreadError
        For another op.
    """
    match site.op.meaning:
        case Routing(route):
            space = next(g for arg in args for g in arg.reshape(-1).tolist()).space
            routed = np.asarray(route(list(args), site.params), dtype=object)
            flat = [
                v if isinstance(v, Germ) else space.constant(as_number(Fraction(v)))
                for v in routed.reshape(-1).tolist()
            ]
            return germ_array(flat, site.shape)
        case Contraction():
            product: Any = np.matmul(args[0], args[1])
            return np.asarray(product, dtype=object).reshape(site.shape)
        case Fold("add"):
            total = args[0].sum(axis=axes_of(args[0].shape, site.params))
            return np.asarray(total, dtype=object).reshape(site.shape)
        case Selection() if site.op.name in ("gather", "gather_elements"):
            return np.asarray(pick(site, args[0], _indices(args[1])), dtype=object)
        case _:
            raise UnreadError


def germ_array(germs: Sequence[Germ], shape: Sequence[int]) -> Array:
    """An array of this shape."""
    result = np.empty(len(germs), dtype=object)
    result[:] = germs
    return result.reshape(tuple(shape))


def _indices(indices: Array) -> Array:
    flat: list[int] = []
    for germ in indices.reshape(-1).tolist():
        value = germ.value
        if not germ.constant or not isinstance(value, fmpq) or value.q != 1:
            raise UnreadError
        flat.append(int(value.p))
    return np.array(flat, dtype=np.int64).reshape(indices.shape)


def _floor(term: Floor, germ: Germ, signs: Mapping[Term, int]) -> Germ:
    value = germ.value
    if germ.lost or not isinstance(value, fmpq):
        raise NotAnalyticError
    low = fmpq(value.floor())
    if value != low or germ.constant:
        return germ.space.constant(low)
    if term not in signs:
        raise FloorAt(term, germ.shift)
    return germ.space.constant(low if signs[term] >= 0 else low - 1)


def _power(base: Germ, exponent: Number) -> Germ:
    if isinstance(exponent, fmpq) and exponent.q == 1 and 0 <= exponent <= base.space.order + 9:
        if exponent > 1 and base.tails and base.loose == base.mask and not base.lost:
            # what is left has a name, by which it cancels
            degree = int(exponent.p)
            return _composed(base, ("natural", degree), partial(_natural, degree))
        result = base.space.constant(_ONE)
        for _ in range(int(exponent.p)):
            result = result * base
        return result

    def series(value: Number, order: int) -> Series:
        if order and not _away(value, positive=not _whole(exponent)):
            raise NotAnalyticError
        found = [power(value, exponent)]
        for k in range(order):
            factor = divide(multiply(found[-1], exponent - k), value)
            found.append(divide(factor, fmpq(k + 1)))
        return found

    return _composed(base, ("power", str(exponent)), series)


def _natural(degree: int, value: Number, order: int) -> Series:
    """``(value + t) ** degree``."""
    known = min(degree, order)
    found = [comb(degree, k) * power(value, fmpq(degree - k)) for k in range(known + 1)]
    return [*found, *([_ZERO] * (order - known))]


def _whole(value: Number) -> bool:
    return isinstance(value, fmpq) and value.q == 1


def _away(value: Number, *, positive: bool) -> bool:
    return bool(value > 0) or (not positive and bool(value < 0))


def _composed(inner: Germ, name: Hashable, series: Callable[[Number, int], Series]) -> Germ:
    """``f(inner)`` by the Taylor coefficients of f at the value, and a tail with a name."""
    space = inner.space
    if inner.lost:
        return inner
    if inner.constant:
        return space.constant(series(inner.value, 0)[0])
    shift = inner.shift
    coefficients = series(inner.value, space.order)
    result = space.constant(coefficients[-1])
    for a in reversed(coefficients[:-1]):
        result = result * shift + space.constant(a)
    tail: dict[Tail, Number] = {((name, inner.key), inner.mask): _ONE}
    return Germ(space, result.terms, tail, core=inner.core_by(coefficients[1]))


def _inverse(value: Number, order: int) -> Series:
    if not _away(value, positive=False):
        raise NotAnalyticError
    found = [divide(_ONE, value)]
    for _ in range(order):
        found.append(multiply(-found[-1], found[0]))
    return found


def _times(left: Series, right: Series) -> Series:
    size = min(len(left), len(right))
    found: Series = [_ZERO] * size
    for i in range(size):
        for j in range(size - i):
            if left[i] != 0 and right[j] != 0:
                found[i + j] = found[i + j] + left[i] * right[j]
    return found


def _solved(value: Number, order: int, slope: Callable[[Series], Series]) -> Series:
    """The series of y with ``y' = slope(y)``, from its first coefficient."""
    found: Series = [value]
    for k in range(order):
        found.append(divide(slope(found)[k], fmpq(k + 1)))
    return found


def _integral(value: Number, slope: Series, order: int) -> Series:
    return [value, *(divide(slope[k], fmpq(k + 1)) for k in range(order))]


def _square(value: Number, order: int, sign: int) -> Series:
    """``1 + sign (value + t)²``."""
    whole: Series = [1 + sign * value * value, sign * 2 * value, fmpq(sign)]
    return [*whole, *([_ZERO] * order)][: order + 1]


def _power_of(base: Series, exponent: fmpq, order: int) -> Series:
    """``base ** exponent`` for a positive first coefficient, by ``b y' = r b' y``."""
    if order and not base[0] > 0:
        raise NotAnalyticError
    found: Series = [power(base[0], exponent)]
    for n in range(1, order + 1):
        total: Number = _ZERO
        for k in range(1, n + 1):
            if base[k] != 0:
                total = total + (exponent * k - (n - k)) * base[k] * found[n - k]
        found.append(divide(total, n * base[0]))
    return found


def _exponential(value: Number, order: int) -> Series:
    return _solved(call(Elementary.EXP, value), order, lambda y: y)


def _pair(value: Number, order: int, first: Elementary, second: Elementary, sign: int) -> Series:
    """F with ``f'' = sign f``, from its value and its derivative."""
    ends = [call(first, value), call(second, value)]
    found: Series = ends[: order + 1]
    for k in range(2, order + 1):
        found.append(divide(sign * found[k - 2], fmpq(k * (k - 1))))
    return found


def _cosine(value: Number, order: int) -> Series:
    sine = _pair(value, order + 1, Elementary.SIN, Elementary.COS, -1)
    return [(k + 1) * sine[k + 1] for k in range(order + 1)]


def _hyperbolic_cosine(value: Number, order: int) -> Series:
    sine = _pair(value, order + 1, Elementary.SINH, Elementary.COSH, 1)
    return [(k + 1) * sine[k + 1] for k in range(order + 1)]


def _ratio(function: Elementary, sign: int) -> Callable[[Number, int], Series]:
    """The tangents: ``y' = 1 + sign y²``."""

    def series(value: Number, order: int) -> Series:
        def slope(y: Series) -> Series:
            product = [sign * a for a in _times(y, y)]
            return [1 + product[0], *product[1:]]

        return _solved(call(function, value), order, slope)

    return series


def _from_slope(
    function: Elementary, slope: Callable[[Number, int], Series]
) -> Callable[[Number, int], Series]:
    def series(value: Number, order: int) -> Series:
        first = call(function, value)
        return [first] if not order else _integral(first, slope(value, order - 1), order)

    return series


def _root(sign: int, inside: int, factor: int = 1) -> Callable[[Number, int], Series]:
    """``factor (inside + sign x²) ** (-1/2)``."""

    def slope(value: Number, order: int) -> Series:
        base = _square(value, order, sign)
        base[0] = base[0] - 1 + inside
        return [factor * a for a in _power_of(base, fmpq(-1, 2), order)]

    return slope


def _rational(sign: int) -> Callable[[Number, int], Series]:
    """``1 / (1 + sign x²)``."""

    def slope(value: Number, order: int) -> Series:
        return _power_of(_square(value, order, sign), fmpq(-1), order)

    return slope


def _bell(value: Number, order: int) -> Series:
    """``2 / √π exp(-x²)``, by ``y' = -2 x y``."""
    first = call(Elementary.EXP, -value * value) * 2 / arb.pi().sqrt()
    return _solved(
        first, order, lambda y: _times([*(-2 * a for a in (value, _ONE)), *([_ZERO] * len(y))], y)
    )


def _logarithm(value: Number, order: int) -> Series:
    if order and not _away(value, positive=True):
        raise NotAnalyticError
    first = call(Elementary.LOG, value)
    return [first] if not order else _integral(first, _inverse(value, order - 1), order)


_SERIES: Mapping[Elementary, Callable[[Number, int], Series]] = {
    Elementary.EXP: _exponential,
    Elementary.LOG: _logarithm,
    Elementary.SIN: lambda v, k: _pair(v, k, Elementary.SIN, Elementary.COS, -1),
    Elementary.COS: _cosine,
    Elementary.TAN: _ratio(Elementary.TAN, 1),
    Elementary.ASIN: _from_slope(Elementary.ASIN, _root(-1, 1)),
    Elementary.ACOS: _from_slope(Elementary.ACOS, _root(-1, 1, -1)),
    Elementary.ATAN: _from_slope(Elementary.ATAN, _rational(1)),
    Elementary.SINH: lambda v, k: _pair(v, k, Elementary.SINH, Elementary.COSH, 1),
    Elementary.COSH: _hyperbolic_cosine,
    Elementary.TANH: _ratio(Elementary.TANH, -1),
    Elementary.ASINH: _from_slope(Elementary.ASINH, _root(1, 1)),
    Elementary.ACOSH: _from_slope(Elementary.ACOSH, _root(1, -1)),
    Elementary.ATANH: _from_slope(Elementary.ATANH, _rational(-1)),
    Elementary.ERF: _from_slope(Elementary.ERF, _bell),
}
