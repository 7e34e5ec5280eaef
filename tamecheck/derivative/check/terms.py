"""Ops on germs: terms by their Taylor series, and ops that move or add elements."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import comb
from typing import Any, assert_never

import numpy as np
from flint import fmpq, fmpq_mat

from tamecheck import ops
from tamecheck.derivative.check import germs
from tamecheck.evaluate.selection import pick
from tamecheck.evaluate.walk import Site
from tamecheck.exact.arrays import from_list
from tamecheck.exact.reals import ONE, ZERO, Number, as_number, call, divide, multiply, power
from tamecheck.ir import formula
from tamecheck.ir.op import Contraction, Fold, Routing, Selection
from tamecheck.ir.tensor import Array
from tamecheck.ops.facets import chooses_indices
from tamecheck.ops.shapes import axes_of

Series = list[Number]


class NotAnalyticError(Exception):
    """A term has no Taylor series at the point, as the square root at 0."""


class FloorAt(Exception):  # noqa: N818 (a question, not a failure)
    """The floor of a germ with an integer value depends on the sign of the rest of it."""

    def __init__(self, term: formula.Floor, germ: germs.Germ) -> None:
        super().__init__()
        self.term = term
        self.germ = germ


class UnreadError(Exception):
    """An op has no reading on germs at the point."""


def term_germ(  # noqa: C901 (a case for each constructor)
    term: formula.Term, args: Sequence[germs.Germ], signs: Mapping[formula.Term, int]
) -> germs.Germ:
    """The germ of a term, from those of its variables and from the signs of floors' arguments.

    Raises `FloorAt` if the value depends on another such sign. Raises `NotAnalyticError` if there
    is no Taylor series.
    """
    match term:
        case formula.Var(index):
            return args[index]
        case formula.Const(value):
            return args[0].space.constant(as_number(value))
        case formula.Add(left, right):
            return term_germ(left, args, signs) + term_germ(right, args, signs)
        case formula.Mul(left, right):
            return term_germ(left, args, signs) * term_germ(right, args, signs)
        case formula.Div(left, right):
            low = term_germ(right, args, signs)
            if low.value == 0 and not low.lost:
                return _quotient(term, args)
            return term_germ(left, args, signs) * _composed(low, "inverse", _inverse)
        case formula.Pow(base, formula.Const(exponent)):
            return _power(term_germ(base, args, signs), as_number(exponent))
        case formula.Pow(base, exponent):
            root, rise = (term_germ(part, args, signs) for part in (base, exponent))
            if rise.constant:
                return _power(root, rise.value)
            logarithm = _composed(root, "log", partial(_elementary, formula.Elementary.LOG))
            return _composed(rise * logarithm, "exp", partial(_elementary, formula.Elementary.EXP))
        case formula.Floor(argument):
            return _floor(term, term_germ(argument, args, signs), signs)
        case formula.Call(function, argument):
            inner = term_germ(argument, args, signs)
            return _composed(inner, function.value, partial(_elementary, function))
        case _:
            assert_never(term)


def plain_value(site: Site, args: Sequence[Array]) -> Array:
    """The value of an op that compares nothing, on arrays of germs.

    Raises `UnreadError` for another op.
    """
    match site.op.meaning:
        case Routing(route):
            space = next(g for arg in args for g in arg.reshape(-1).tolist()).space
            routed = np.asarray(route(list(args), site.params), dtype=object)
            flat = [
                v if isinstance(v, germs.Germ) else space.constant(as_number(Fraction(v)))
                for v in routed.reshape(-1).tolist()
            ]
            return from_list(site.shape, flat)
        case Contraction():
            product: Any = np.matmul(args[0], args[1])
            return np.asarray(product, dtype=object).reshape(site.shape)
        case Fold(ops.ADD):
            total = args[0].sum(axis=axes_of(args[0].shape, site.params))
            return np.asarray(total, dtype=object).reshape(site.shape)
        case Selection() if not chooses_indices(site.op):
            return np.asarray(pick(site, args[0], _indices(args[1])), dtype=object)
        case _:
            raise UnreadError


def _indices(indices: Array) -> Array:
    flat: list[int] = []
    for germ in indices.reshape(-1).tolist():
        value = germ.value
        if not germ.constant or not isinstance(value, fmpq) or value.q != 1:
            raise UnreadError
        flat.append(int(value.p))
    return np.array(flat, dtype=np.int64).reshape(indices.shape)


def _floor(term: formula.Floor, germ: germs.Germ, signs: Mapping[formula.Term, int]) -> germs.Germ:
    value = germ.value
    if germ.lost or not isinstance(value, fmpq):
        raise NotAnalyticError
    low = fmpq(value.floor())
    if value != low or germ.constant:
        return germ.space.constant(low)
    if term not in signs:
        raise FloorAt(term, germ.shift)
    return germ.space.constant(low if signs[term] >= 0 else low - 1)


def _power(base: germs.Germ, exponent: Number) -> germs.Germ:
    found = _plain_power(base, exponent)
    even = isinstance(exponent, fmpq) and exponent.q == 1 and exponent.p % 2 == 0 and exponent > 0
    return replace(found, squares=True) if even and not found.lost else found


def _root(base: germs.Germ) -> germs.Germ | None:
    """A root of a germ that vanishes with its gradient, as a variable; None where it is none.

    Its square is a sum of squares, or positive definite in the variables on which it depends: its
    gradients near the point are bounded then, and have limits in an ellipsoid.
    """
    space = base.space
    if base.lost or not base.rational or any(base.gradient) or space.order < 2:
        return None
    for number, (under, _) in enumerate(space.roots):
        code = germs.code_of(((space.own + number, 2),))
        if code in base.terms:
            square = germs.Germ(space, {code: base.terms[code]})
            base = replace(base - square + under.scaled(base.terms[code]), squares=base.squares)
    names = germs.variables_of(base.mask)
    if base.mask >> space.own or not _semidefinite(square := _quadratic(base)):
        return None
    if int(square.rank()) < len(names) and not base.squares:
        return None
    number = next((k for k, (g, _) in enumerate(space.roots) if g.key == base.key), None)
    if number is None:
        number = len(space.roots)
        if space.own + number >= space.size:
            return None
        space.roots.append((base, square))
    return germs.Germ(space, {germs.code_of(((space.own + number, 1),)): ONE})


def _quadratic(germ: germs.Germ) -> fmpq_mat:
    """The part of degree 2, as a symmetric matrix."""
    size = germ.space.own
    form = [[ZERO] * size for _ in range(size)]
    for code, a in germ.terms.items():
        if germs.degree_of(code) == 2 and isinstance(a, fmpq):
            (i, first), *rest = germs.exponents_of(code)
            j = i if first == 2 else rest[0][0]
            form[i][j] += a / 2
            form[j][i] += a / 2
    return fmpq_mat(form)


def _semidefinite(form: fmpq_mat) -> bool:
    """Whether no eigenvalue is negative, by the signs of the characteristic polynomial."""
    coefficients = form.charpoly().coeffs()
    size = len(coefficients) - 1
    return all((-1) ** (size - k) * a >= 0 for k, a in enumerate(coefficients))


def _plain_power(base: germs.Germ, exponent: Number) -> germs.Germ:
    if isinstance(exponent, fmpq) and exponent.q == 2 and exponent > 0 and base.space.inputs >= 0:
        root = _root(base) if base.value == 0 and not base.constant else None
        if root is not None:
            return _plain_power(root, fmpq(exponent.p))
    if isinstance(exponent, fmpq) and exponent.q == 1 and 0 <= exponent <= base.space.order + 9:
        if exponent > 1 and base.tails and base.loose == base.mask and not base.lost:
            # what is left has a name, by which it cancels
            degree = int(exponent.p)
            return _composed(base, ("natural", degree), partial(_natural, degree))
        result = base.space.constant(ONE)
        for _ in range(int(exponent.p)):
            result = result * base
        return result

    def series(value: Number, order: int) -> Series:
        whole = isinstance(exponent, fmpq) and exponent.q == 1
        if order and not (value > 0 or (whole and value < 0)):
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
    return [*found, *([ZERO] * (order - known))]


def _composed(
    inner: germs.Germ, name: Hashable, series: Callable[[Number, int], Series]
) -> germs.Germ:
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
    tail: dict[germs.Tail, Number] = {((name, inner.key), inner.mask): ONE}
    return germs.Germ(space, result.terms, tail, core=inner.core_by(coefficients[1]))


_MOST_ZEROS = 4


def _quotient(term: formula.Div, args: Sequence[germs.Germ]) -> germs.Germ:
    """A quotient of functions of one argument at a zero of the divisor, if it has a limit there."""
    used = {t.index for t in formula.subterms(term) if isinstance(t, formula.Var)}
    if len(used) != 1:
        raise NotAnalyticError
    inner = args[used.pop()]

    def series(value: Number, order: int) -> Series:
        space = germs.Space(1, order + _MOST_ZEROS)
        shift = [space.variable(0, value)] * (max(len(args), 1))
        rows = [
            [
                part.terms.get(germs.code_of(((0, k),)) if k else 0, ZERO)
                for k in range(space.order + 1)
            ]
            for part in (term_germ(side, shift, {}) for side in (term.numerator, term.denominator))
        ]
        top, low = rows
        zeros = next((k for k, a in enumerate(low) if a != 0), len(low))
        if zeros > _MOST_ZEROS or any(a != 0 for a in top[:zeros]):
            raise NotAnalyticError
        top, low = top[zeros:], low[zeros:]
        if not (low[0] > 0 or low[0] < 0):
            raise NotAnalyticError
        found: Series = []
        for k in range(order + 1):
            rest = top[k] - sum((found[j] * low[k - j] for j in range(k)), ZERO)
            found.append(divide(rest, low[0]))
        return found

    return _composed(inner, ("quotient", term), series)


def _inverse(value: Number, order: int) -> Series:
    if not (value > 0 or value < 0):
        raise NotAnalyticError
    found = [divide(ONE, value)]
    for _ in range(order):
        found.append(multiply(-found[-1], found[0]))
    return found


_X, _Y = formula.Var(0), formula.Var(1)
_HALF = Fraction(1, 2)

_EQUATIONS: Mapping[formula.Elementary, formula.Term] = {
    formula.Elementary.EXP: _Y,
    formula.Elementary.LOG: 1 / _X,
    formula.Elementary.TAN: 1 + _Y * _Y,
    formula.Elementary.ASIN: formula.power(1 - _X * _X, -_HALF),
    formula.Elementary.ACOS: -formula.power(1 - _X * _X, -_HALF),
    formula.Elementary.ATAN: 1 / (1 + _X * _X),
    formula.Elementary.TANH: 1 - _Y * _Y,
    formula.Elementary.ASINH: formula.power(1 + _X * _X, -_HALF),
    formula.Elementary.ACOSH: formula.power(_X * _X - 1, -_HALF),
    formula.Elementary.ATANH: 1 / (1 - _X * _X),
    # 2 / √π exp(-x²), with π = 4 atan 1
    formula.Elementary.ERF: formula.call(formula.Elementary.EXP, -(_X * _X))
    / formula.power(formula.call(formula.Elementary.ATAN, formula.Const(Fraction(1))), _HALF),
}
"""g with ``y' = g(x, y)``."""

_WAVES: Mapping[formula.Elementary, tuple[formula.Elementary, int, int]] = {
    formula.Elementary.SIN: (formula.Elementary.COS, 1, -1),
    formula.Elementary.COS: (formula.Elementary.SIN, -1, -1),
    formula.Elementary.SINH: (formula.Elementary.COSH, 1, 1),
    formula.Elementary.COSH: (formula.Elementary.SINH, 1, 1),
}
"""z, s and r with ``y' = s z`` and ``y'' = r y``."""


def _elementary(function: formula.Elementary, value: Number, order: int) -> Series:
    """The Taylor coefficients of a function, by its differential equation."""
    if order and function is formula.Elementary.LOG and not value > 0:
        raise NotAnalyticError
    found: Series = [call(function, value)]
    if not order:
        return found
    if function in _WAVES:
        other, slope, bend = _WAVES[function]
        found.append(slope * call(other, value))
        for k in range(2, order + 1):
            found.append(divide(bend * found[k - 2], fmpq(k * (k - 1))))
        return found
    equation = _EQUATIONS[function]
    space = germs.Space(1, order)
    x = space.variable(0, value)
    for k in range(order):
        # each step makes one coefficient more of y and of its slope known
        y = germs.Germ(space, {germs.code_of(((0, n),)): a for n, a in enumerate(found) if a != 0})
        slopes = term_germ(equation, (x, y), {}).terms
        if _Y not in formula.subterms(equation):
            codes = (germs.code_of(((0, n),)) for n in range(order))
            rates = (divide(slopes.get(c, ZERO), fmpq(n + 1)) for n, c in enumerate(codes))
            return [*found, *rates]
        found.append(divide(slopes.get(germs.code_of(((0, k),)), ZERO), fmpq(k + 1)))
    return found
