"""Terms and conditions over intervals: enclosures, and three-valued answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias, TypeVar, assert_never

import numpy as np

from tamecheck.evaluate import intervals as iv
from tamecheck.evaluate.enclosure import Enclosure, core, float_down, float_up
from tamecheck.evaluate.float_terms import where_all, where_any
from tamecheck.evaluate.intervals import Interval, elementary, root
from tamecheck.ir import formula
from tamecheck.ir.formula import Condition, Elementary, Relation, Term
from tamecheck.ir.tensor import Array

V = TypeVar("V")

Floors = Mapping[Term, Interval]
"""What is known of the floors of some terms besides their interval value."""


def decide(condition: Condition, intervals: Sequence[Enclosure]) -> bool | None:
    """Whether a condition holds for all elements and points that the enclosures allow.

    True when it always holds, False when it never does, None when it may do either.  The
    enclosures stand for the op's arguments and broadcast together.
    """
    with np.errstate(all="ignore"):
        args = [Interval(core(e.lower), core(e.upper)) for e in intervals]
        always, never = truth(condition, args, {})
    if bool(np.all(always)):
        return True
    return False if bool(np.all(never)) else None


Truth = tuple[Array, Array]
"""Where a condition always holds, and where it never does."""


def truth(condition: Condition, args: Sequence[Interval], floors: Floors) -> Truth:
    """Where a condition holds at all points of the intervals, and where at none."""

    def compared(compare: formula.Compare) -> Truth:
        left, relation, right = formula.sides(compare)
        return _relation(
            relation, term_interval(left, args, floors), term_interval(right, args, floors)
        )

    def every(parts: Sequence[Truth]) -> Truth:
        return where_all(always for always, _ in parts), where_any(never for _, never in parts)

    def some(parts: Sequence[Truth]) -> Truth:
        return where_any(always for always, _ in parts), where_all(never for _, never in parts)

    return formula.joined(condition, compared, every, some)


def _relation(relation: Relation, a: Interval, b: Interval) -> Truth:
    below, above = a.upper < b.lower, a.lower > b.upper
    at_most, at_least = a.upper <= b.lower, a.lower >= b.upper
    match relation:
        case Relation.LT:
            return below, at_least
        case Relation.LE:
            return at_most, above
        case Relation.EQ:
            return at_most & at_least, below | above
        case Relation.NE:
            return below | above, at_most & at_least
        case Relation.GE:
            return at_least, below
        case Relation.GT:
            return above, at_most
        case _:
            assert_never(relation)


def narrowed(
    condition: Condition,
    args: Sequence[V],
    cut: Callable[[V, Relation, Term, Sequence[V]], V],
) -> list[V]:
    """What is known of the arguments, cut by those conjuncts that compare one with a term."""
    found = list(args)
    match condition:
        case formula.Compare():
            left, relation, right = formula.sides(condition)
            if isinstance(left, formula.Var):
                found[left.index] = cut(found[left.index], relation, right, args)
            if isinstance(right, formula.Var):
                found[right.index] = cut(found[right.index], relation.mirror, left, args)
        case formula.And(parts):
            for part in parts:
                found = narrowed(part, found, cut)
        case formula.Or():
            pass
    return found


def refine(condition: Condition, args: Sequence[Interval], floors: Floors) -> list[Interval]:
    """The arguments' intervals cut down by a condition.

    The result may be empty (lower above upper) where the condition never holds.
    """

    def cut(x: Interval, relation: Relation, bound: Term, others: Sequence[Interval]) -> Interval:
        return _cut(x, relation, term_interval(bound, others, floors))

    return narrowed(condition, args, cut)


def _cut(x: Interval, relation: Relation, bound: Interval) -> Interval:
    lower, upper = x
    if relation in (Relation.LT, Relation.LE, Relation.EQ):
        upper = np.minimum(upper, bound.upper)
    if relation in (Relation.GT, Relation.GE, Relation.EQ):
        lower = np.maximum(lower, bound.lower)
    return Interval(lower, upper)


def term_interval(term: Term, args: Sequence[Interval], floors: Floors) -> Interval:
    """An interval that contains the term's value at every point of the arguments' intervals."""
    return _function(term)(args, floors)


_Function: TypeAlias = Callable[[Sequence[Interval], Floors], Interval]


@formula.remembered
def _function(term: Term) -> _Function:  # noqa: C901, PLR0912 one case a term
    folded = formula.constant(term)
    if folded is not None:
        return _constant(folded)
    whole = _recognised(term)
    if whole is not None:
        return whole
    match term:
        case formula.Var(index):
            return lambda args, _floors: args[index]
        case formula.Const(value):
            return _constant(value)
        case formula.Add(left, right):
            other = formula.subtracted(right)
            if other is not None:
                return _composed(iv.subtract, left, other)
            return _composed(iv.add, left, right)
        case formula.Mul(left, right):
            if formula.constant(left) == -1:
                y = _function(right)
                return lambda args, floors: iv.negate(y(args, floors))
            return _composed(iv.multiply, left, right)
        case formula.Div(numerator, denominator):
            return _composed(iv.divide, numerator, denominator)
        case formula.Pow(base, exponent):
            return _power(base, exponent)
        case formula.Floor(argument):
            return _floor(term, _function(argument))
        case formula.Call(function, argument):
            inner = _function(argument)
            return lambda args, floors: elementary(function, inner(args, floors))
        case _:
            assert_never(term)


def _constant(value: Fraction) -> _Function:
    low, high = float_down(value), float_up(value)

    def of_bounds(_args: Sequence[Interval], _floors: Floors) -> Interval:
        # the upper end of zero is -0
        same = low == high and low != 0
        return iv.point(low) if same else Interval(np.asarray(low), np.asarray(high))

    return of_bounds


def _composed(
    operation: Callable[[Interval, Interval], Interval], left: Term, right: Term
) -> _Function:
    one, other = _function(left), _function(right)
    return lambda args, floors: operation(one(args, floors), other(args, floors))


def _floor(term: Term, argument: _Function) -> _Function:
    def value(args: Sequence[Interval], floors: Floors) -> Interval:
        found = iv.floor(argument(args, floors))
        if not floors or term not in floors:
            return found
        known = floors[term]
        return Interval(np.maximum(found.lower, known.lower), np.minimum(found.upper, known.upper))

    return value


def _recognised(term: Term) -> _Function | None:
    """Two forms in which a term occurs twice although the whole is increasing in it.

    ``t / (1 + t)`` for ``t > -1``, and ``t + log(1 + exp(-t))``, which is ``log(1 + exp(t))``.
    """
    match term:
        case formula.Div(t, formula.Add(formula.Const(one), same)) if one == 1 and t == same:
            inner = _function(t)
            return lambda args, floors: _share(inner(args, floors))
        case formula.Add(
            t, formula.Call(Elementary.LOG, formula.Add(one, formula.Call(Elementary.EXP, back)))
        ) if formula.constant(one) == 1 and formula.subtracted(back) == t:
            inner = _function(t)

            def softplus(args: Sequence[Interval], floors: Floors) -> Interval:
                ends = [_softplus(Interval(end, end)) for end in inner(args, floors)]
                return Interval(ends[0].lower, ends[1].upper)

            return softplus
        case _:
            return None


def _share(x: Interval) -> Interval:
    inner = [Interval(end, end) for end in x]
    low, high = (iv.divide(end, iv.add(iv.point(1.0), end)) for end in inner)
    known = x.lower > -1
    upper = np.where(np.isinf(x.upper), 1.0, high.upper)
    return Interval(np.where(known, low.lower, -np.inf), np.where(known, upper, np.inf))


def _softplus(x: Interval) -> Interval:
    decay = elementary(Elementary.EXP, iv.negate(x))
    direct = iv.add(x, elementary(Elementary.LOG, iv.add(iv.point(1.0), decay)))
    small = elementary(Elementary.LOG, iv.add(iv.point(1.0), elementary(Elementary.EXP, x)))
    negative = x.lower < 0
    return Interval(
        np.where(negative, small.lower, direct.lower), np.where(negative, small.upper, direct.upper)
    )


def _power(base: Term, exponent: Term) -> _Function:
    fixed = formula.constant(exponent)
    if fixed is not None:
        inner = _function(base)
        return lambda args, floors: _fixed_power(inner(args, floors), fixed)
    return _composed(_open_power, base, exponent)


def _open_power(x: Interval, y: Interval) -> Interval:
    positive = elementary(Elementary.EXP, iv.multiply(y, elementary(Elementary.LOG, x)))
    known = x.lower > 0
    lower = np.where(known, positive.lower, -np.inf)
    upper = np.where(known, positive.upper, np.inf)
    whole = (y.lower == y.upper) & (y.lower == np.floor(y.lower)) & np.isfinite(y.lower)
    exponents: list[float] = np.unique(y.lower[whole]).tolist() if np.any(whole) else []
    for value in exponents:
        found = iv.integer_power(x, int(value))
        here = whole & (y.lower == value)
        lower, upper = np.where(here, found.lower, lower), np.where(here, found.upper, upper)
    return Interval(lower, upper)


def _fixed_power(x: Interval, exponent: Fraction) -> Interval:
    if exponent.denominator == 1:
        return iv.integer_power(x, exponent.numerator)
    return root(x, exponent)
