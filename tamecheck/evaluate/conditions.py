"""Terms and conditions over intervals: enclosures, and three-valued answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar, assert_never

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


def term_interval(term: Term, args: Sequence[Interval], floors: Floors) -> Interval:  # noqa: C901, PLR0912 one case a term
    """An interval that contains the term's value at every point of the arguments' intervals."""
    folded = formula.constant(term)
    if folded is not None:
        return Interval(np.asarray(float_down(folded)), np.asarray(float_up(folded)))
    whole = _recognised(term, args, floors)
    if whole is not None:
        return whole
    match term:
        case formula.Var(index):
            return args[index]
        case formula.Const(value):
            return Interval(np.asarray(float_down(value)), np.asarray(float_up(value)))
        case formula.Add(left, right):
            other = formula.subtracted(right)
            x = term_interval(left, args, floors)
            if other is not None:
                return iv.subtract(x, term_interval(other, args, floors))
            return iv.add(x, term_interval(right, args, floors))
        case formula.Mul(left, right):
            y = term_interval(right, args, floors)
            if formula.constant(left) == -1:
                return iv.negate(y)
            return iv.multiply(term_interval(left, args, floors), y)
        case formula.Div(numerator, denominator):
            return iv.divide(
                term_interval(numerator, args, floors), term_interval(denominator, args, floors)
            )
        case formula.Pow(base, exponent):
            return _power(base, exponent, args, floors)
        case formula.Floor(argument):
            found = iv.floor(term_interval(argument, args, floors))
            if term not in floors:
                return found
            known = floors[term]
            return Interval(
                np.maximum(found.lower, known.lower), np.minimum(found.upper, known.upper)
            )
        case formula.Call(function, argument):
            return elementary(function, term_interval(argument, args, floors))
        case _:
            assert_never(term)


def _recognised(term: Term, args: Sequence[Interval], floors: Floors) -> Interval | None:
    """Two forms in which a term occurs twice although the whole is increasing in it.

    ``t / (1 + t)`` for ``t > -1``, and ``t + log(1 + exp(-t))``, which is ``log(1 + exp(t))``.
    """
    match term:
        case formula.Div(t, formula.Add(formula.Const(one), same)) if one == 1 and t == same:
            x = term_interval(t, args, floors)
            inner = [Interval(end, end) for end in x]
            low, high = (iv.divide(end, iv.add(iv.point(1.0), end)) for end in inner)
            known = x.lower > -1
            upper = np.where(np.isinf(x.upper), 1.0, high.upper)
            return Interval(np.where(known, low.lower, -np.inf), np.where(known, upper, np.inf))
        case formula.Add(
            t, formula.Call(Elementary.LOG, formula.Add(one, formula.Call(Elementary.EXP, back)))
        ) if formula.constant(one) == 1 and formula.subtracted(back) == t:
            x = term_interval(t, args, floors)
            ends = [_softplus(Interval(end, end)) for end in x]
            return Interval(ends[0].lower, ends[1].upper)
        case _:
            return None


def _softplus(x: Interval) -> Interval:
    decay = elementary(Elementary.EXP, iv.negate(x))
    direct = iv.add(x, elementary(Elementary.LOG, iv.add(iv.point(1.0), decay)))
    small = elementary(Elementary.LOG, iv.add(iv.point(1.0), elementary(Elementary.EXP, x)))
    negative = x.lower < 0
    return Interval(
        np.where(negative, small.lower, direct.lower), np.where(negative, small.upper, direct.upper)
    )


def _power(base: Term, exponent: Term, args: Sequence[Interval], floors: Floors) -> Interval:
    x = term_interval(base, args, floors)
    fixed = formula.constant(exponent)
    if fixed is not None:
        return _fixed_power(x, fixed)
    y = term_interval(exponent, args, floors)
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
