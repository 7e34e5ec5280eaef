"""Linear forms over inputs and outputs, and conditions on them in disjunctive normal form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from tamecheck.errors import UnsupportedError
from tamecheck.ir.affine import AffineForm
from tamecheck.ir.box import Bound, is_crossed
from tamecheck.ir.spec import Case, Inequality

MAX_CASES = 20_000
MAX_PARTS = 5_000_000


Clause: TypeAlias = tuple[Inequality, ...]
"""Inequalities that hold together."""

Dnf: TypeAlias = tuple[Clause, ...]
"""Clauses of which one holds."""

TRUE: Dnf = ((),)
FALSE: Dnf = ()


def compare(relation: str, left: AffineForm, right: AffineForm) -> Dnf:
    """The condition ``left relation right``, decided at once where no variable occurs.

    Input i is the variable ``i`` of a form, output j is ``-1-j``.
    """
    if relation in (">", ">="):
        left, right, relation = right, left, relation.replace(">", "<")
    if relation in ("=", "=="):
        return both([compare("<=", left, right), compare("<=", right, left)])
    if relation in ("!=", "distinct"):
        return either([compare("<", left, right), compare("<", right, left)])
    form = left - right
    strict, bound = relation == "<", -form.constant
    if not form.terms:
        return TRUE if bound > 0 or (bound == 0 and not strict) else FALSE
    inputs = tuple(sorted((v, c) for v, c in form.terms.items() if v >= 0))
    outputs = tuple(sorted((-1 - v, c) for v, c in form.terms.items() if v < 0))
    return ((Inequality(inputs, outputs, bound, strict),),)


def either(parts: Iterable[Dnf]) -> Dnf:
    """The condition that one of the parts holds."""
    clauses = tuple(clause for part in parts for clause in part)
    _check(len(clauses), 0)
    return clauses


def both(parts: Sequence[Dnf]) -> Dnf:
    """The condition that all of the parts hold."""
    # the parts without an alternative are joined first, so that they are copied once a case
    certain = [clause for part in parts if len(part) == 1 for clause in part]
    result: Dnf = (tuple(one for clause in certain for one in clause),)
    for part in parts:
        if len(part) != 1:
            _check(len(result) * len(part), sum(map(len, result)) * len(part))
            result = tuple((*left, *right) for left in result for right in part)
    return result


def opposite(condition: Dnf) -> Dnf:
    """The condition that ``condition`` does not hold."""
    return both([tuple((_negate(one),) for one in clause) for clause in condition])


def _negate(one: Inequality) -> Inequality:
    inputs, outputs = (tuple((i, -c) for i, c in terms) for terms in (one.inputs, one.outputs))
    return Inequality(inputs, outputs, -one.bound, not one.strict)


def _check(cases: int, inequalities: int) -> None:
    if cases > MAX_CASES or inequalities > MAX_PARTS:
        raise UnsupportedError(f"The property has more than {MAX_CASES} cases.")


def case_of(clause: Clause, lower: tuple[Bound, ...], upper: tuple[Bound, ...]) -> Case | None:
    """The case of a clause within given input bounds, or None where its box is empty."""
    low: dict[int, Fraction] = {}
    high: dict[int, Fraction] = {}
    for one in clause:
        if not one.outputs and len(one.inputs) == 1:
            index, coefficient = one.inputs[0]
            bound = one.bound / coefficient
            if coefficient > 0:
                high[index] = min(high.get(index, bound), bound)
            else:
                low[index] = max(low.get(index, bound), bound)
    lower, upper = _tighten(lower, low, max), _tighten(upper, high, min)
    if any(is_crossed(lower[i], upper[i]) for i in low.keys() | high.keys()):
        return None
    region = (o for o in clause if not o.outputs and (len(o.inputs) != 1 or o.strict))
    return Case(lower, upper, tuple(region), tuple(one for one in clause if one.outputs))


def _tighten(
    bounds: tuple[Bound, ...],
    found: Mapping[int, Fraction],
    best: Callable[[Fraction, Fraction], Fraction],
) -> tuple[Bound, ...]:
    if not found:
        # kept as the same object, so that cases share the bounds that they have in common
        return bounds
    merged = list(bounds)
    for index, bound in found.items():
        known = merged[index]
        merged[index] = bound if known is None else best(known, bound)
    return tuple(merged)
