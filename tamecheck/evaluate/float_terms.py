"""Terms and conditions in float64, elementwise."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any, assert_never

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


def term_floats(term: Term, args: Sequence[Array]) -> Array:  # noqa: C901, PLR0912 one case a term
    """The value of a term; each operation rounds to nearest."""
    folded = formula.constant(term)
    if folded is not None:
        return np.asarray(nearest_float(folded))
    match term:
        case formula.Var(index):
            return args[index]
        case formula.Const(value):
            return np.asarray(nearest_float(value))
        case formula.Add(formula.Call(Elementary.EXP, argument), right) if (
            formula.constant(right) == -1
        ):
            return np.expm1(term_floats(argument, args))
        case formula.Add(left, right):
            other = formula.subtracted(right)
            if other is None or formula.constant(right) is not None:
                return term_floats(left, args) + term_floats(right, args)
            return term_floats(left, args) - term_floats(other, args)
        case formula.Mul(left, right):
            if formula.constant(left) == -1:
                return -term_floats(right, args)
            return term_floats(left, args) * term_floats(right, args)
        case formula.Div(numerator, denominator):
            return term_floats(numerator, args) / term_floats(denominator, args)
        case formula.Pow(base, exponent):
            if formula.constant(exponent) == Fraction(1, 2):
                return np.sqrt(term_floats(base, args))
            return np.power(term_floats(base, args), term_floats(exponent, args))
        case formula.Floor(argument):
            return np.floor(term_floats(argument, args))
        case formula.Call(Elementary.LOG, formula.Add(left, right)) if formula.constant(left) == 1:
            return np.log1p(term_floats(right, args))
        case formula.Call(function, argument):
            return _FUNCTIONS[function](term_floats(argument, args))
        case _:
            assert_never(term)


def choose_floats(masks: Sequence[Array], terms: Sequence[Term], args: Sequence[Array]) -> Array:
    """The term of the first piece that holds; the last piece has no mask."""
    value = term_floats(terms[-1], args)
    for mask, term in zip(reversed(masks), list(reversed(terms))[1:], strict=True):
        value = np.where(mask, term_floats(term, args), value)
    return value


def condition_floats(condition: Condition, args: Sequence[Array]) -> Array:
    """Where a condition holds, as a boolean array that broadcasts to the shape of ``args``."""
    return where(condition, lambda compare: _compare(compare, args))


def where(condition: Condition, held: Callable[[formula.Compare], Array]) -> Array:
    """Where a condition holds, by where its comparisons do."""
    return formula.joined(condition, held, where_all, where_any)


def where_all(parts: Iterable[Array]) -> Array:
    """Where all of some conditions hold."""
    return reduce(np.logical_and, parts, np.ones((), dtype=bool))


def where_any(parts: Iterable[Array]) -> Array:
    """Where some condition holds."""
    return reduce(np.logical_or, parts, np.zeros((), dtype=bool))


def _compare(condition: formula.Compare, args: Sequence[Array]) -> Array:
    left, relation, right = formula.sides(condition)
    a, b = term_floats(left, args), term_floats(right, args)
    if isinstance(left, formula.Add):
        # x - floor(x) may round to a tie that it is not: the rounding error breaks it
        first, second = term_floats(left.left, args), term_floats(left.right, args)
        error = np.nan_to_num(sum_error(first, second, np.asarray(a)))
        a, b = np.where(a == b, error, a), np.where(a == b, 0.0, b)
    return compared(relation, a, b)


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
