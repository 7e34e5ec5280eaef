"""Terms and conditions in float64, elementwise."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from operator import itemgetter
from typing import Any, TypeAlias, assert_never

import numpy as np

from tamecheck.evaluate.intervals import sum_error
from tamecheck.ir import formula
from tamecheck.ir.formula import Condition, Elementary, Relation, Term
from tamecheck.ir.tensor import Array


def nearest_float(value: Fraction) -> float:
    """The float64 nearest to a rational; infinite beyond the largest."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def nearest_floats(array: Array) -> Array:
    """The float64 nearest to each number of an array; infinite beyond the largest."""
    try:
        return array.astype(np.float64, copy=False)
    except OverflowError:
        flat = [nearest_float(Fraction(value)) for value in array.reshape(-1).tolist()]
        return np.array(flat).reshape(array.shape)


def _erf(x: Array) -> Array:
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), dtype=np.float64)


_FUNCTIONS: Mapping[Elementary, Callable[[Array], Array]] = {
    Elementary.EXP: np.exp,
    Elementary.LOG: np.log,
    Elementary.SIN: np.sin,
    Elementary.COS: np.cos,
    Elementary.TAN: np.tan,
    Elementary.ASIN: np.arcsin,
    Elementary.ACOS: np.arccos,
    Elementary.ATAN: np.arctan,
    Elementary.SINH: np.sinh,
    Elementary.COSH: np.cosh,
    Elementary.TANH: np.tanh,
    Elementary.ASINH: np.arcsinh,
    Elementary.ACOSH: np.arccosh,
    Elementary.ATANH: np.arctanh,
    Elementary.ERF: _erf,
}


def _negate(x: Array) -> Array:
    return -x


def _divide(x: Array, y: Array) -> Array:
    return x / y


Floats: TypeAlias = Callable[[Sequence[Array]], Array]
"""A term or a condition as a function of the values of its variables."""


@formula.remembered
def float_function(term: Term) -> Floats:  # noqa: C901, PLR0912 one case a term
    """A term in float64, elementwise; each operation rounds to nearest."""
    folded = formula.constant(term)
    if folded is not None:
        return _constant(folded)
    match term:
        case formula.Var(index):
            return itemgetter(index)
        case formula.Const(value):
            return _constant(value)
        case formula.Add(formula.Call(Elementary.EXP, argument), right) if (
            formula.constant(right) == -1
        ):
            return _composed(np.expm1, argument)
        case formula.Add(left, right):
            other = formula.subtracted(right)
            if other is None or formula.constant(right) is not None:
                return _composed(operator.add, left, right)
            return _composed(operator.sub, left, other)
        case formula.Mul(left, right):
            if formula.constant(left) == -1:
                return _composed(_negate, right)
            return _composed(operator.mul, left, right)
        case formula.Div(numerator, denominator):
            return _composed(_divide, numerator, denominator)
        case formula.Pow(base, exponent):
            if formula.constant(exponent) == Fraction(1, 2):
                return _composed(np.sqrt, base)
            return _composed(np.power, base, exponent)
        case formula.Floor(argument):
            return _composed(np.floor, argument)
        case formula.Call(Elementary.LOG, formula.Add(left, right)) if formula.constant(left) == 1:
            return _composed(np.log1p, right)
        case formula.Call(function, argument):
            return _composed(_FUNCTIONS[function], argument)
        case _:
            assert_never(term)


def _constant(value: Fraction) -> Floats:
    number = nearest_float(value)
    return lambda _args: np.asarray(number)


def _composed(function: Callable[..., Array], *terms: Term) -> Floats:
    match tuple(map(float_function, terms)):
        case (one,):
            return lambda args: function(one(args))
        case (one, other):
            return lambda args: function(one(args), other(args))
        case _:
            raise TypeError(terms)


def term_floats(term: Term, args: Sequence[Array]) -> Array:
    """The value of a term; each operation rounds to nearest."""
    return float_function(term)(args)


def choose_floats(masks: Sequence[Array], terms: Sequence[Term], args: Sequence[Array]) -> Array:
    """The term of the first piece that holds; the last piece has no mask."""
    value = term_floats(terms[-1], args)
    for mask, term in zip(reversed(masks), list(reversed(terms))[1:], strict=True):
        value = np.where(mask, term_floats(term, args), value)
    return value


@formula.remembered
def mask_function(condition: Condition) -> Floats:
    """Where a condition holds, as a boolean array that broadcasts to the shape of the arguments."""

    def every(parts: list[Floats]) -> Floats:
        return lambda args: where_all(part(args) for part in parts)

    def some(parts: list[Floats]) -> Floats:
        return lambda args: where_any(part(args) for part in parts)

    return formula.joined(condition, _comparison, every, some)


def condition_floats(condition: Condition, args: Sequence[Array]) -> Array:
    """Where a condition holds, as a boolean array that broadcasts to the shape of ``args``."""
    return mask_function(condition)(args)


def where(condition: Condition, held: Callable[[formula.Compare], Array]) -> Array:
    """Where a condition holds, by where its comparisons do."""
    return formula.joined(condition, held, where_all, where_any)


def where_all(parts: Iterable[Array]) -> Array:
    """Where all of some conditions hold."""
    return reduce(np.logical_and, parts, np.ones((), dtype=bool))


def where_any(parts: Iterable[Array]) -> Array:
    """Where some condition holds."""
    return reduce(np.logical_or, parts, np.zeros((), dtype=bool))


def _comparison(condition: formula.Compare) -> Floats:
    left, relation, right = formula.sides(condition)
    one, other = float_function(left), float_function(right)
    if not isinstance(left, formula.Add):
        return lambda args: compared(relation, one(args), other(args))
    first, second = float_function(left.left), float_function(left.right)

    def held(args: Sequence[Array]) -> Array:
        a, b = one(args), other(args)
        # x - floor(x) may round to a tie that it is not: the rounding error breaks it
        error = np.nan_to_num(sum_error(first(args), second(args), np.asarray(a)))
        a, b = np.where(a == b, error, a), np.where(a == b, 0.0, b)
        return compared(relation, a, b)

    return held


def compared(relation: Relation, a: Any, b: Any) -> Array:
    """``a relation b``, elementwise."""
    return np.asarray(_COMPARISONS[relation](a, b))


_COMPARISONS: Mapping[Relation, Callable[[Any, Any], Any]] = {
    Relation.LT: operator.lt,
    Relation.LE: operator.le,
    Relation.EQ: operator.eq,
    Relation.NE: operator.ne,
    Relation.GE: operator.ge,
    Relation.GT: operator.gt,
}
