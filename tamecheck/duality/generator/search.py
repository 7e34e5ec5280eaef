"""Row generation for the multipliers of a generator function, column generation for its E."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from fractions import Fraction

from tamecheck.duality.feasibility import feasible_multipliers
from tamecheck.duality.form import Constraint, Form, FormColumn, Vector
from tamecheck.duality.generator.dual import (
    GeneratorDual,
    generator_function,
    minimum_at,
    priced_columns,
)
from tamecheck.duality.linear import LinearOptimum, minimise
from tamecheck.duality.optimum import proved_optimum, require_dual

__all__ = ["strongest"]

_ZERO = Fraction(0)
_MOST_ROUNDS = 200


def strongest(form: Form, *, seconds: float, seed: int, residual: str) -> GeneratorDual:
    """The best generator function that the time allows: strong if all columns may be kept."""
    feasible_multipliers(form)
    deadline = time.monotonic() + seconds
    optimum = proved_optimum(form, seconds=seconds, seed=seed).value
    alpha = require_dual(form)
    kept = frozenset(j for j, column in enumerate(form.columns) if not column.integral)
    if residual == "orthant":
        kept |= {j for j, c in enumerate(form.columns) if any(a < 0 for _, a in c.entries)}
    best = (_ZERO, alpha, kept)
    first = True
    while True:
        alpha, bound, used = _multipliers(form, alpha, kept, residual, deadline)
        if bound is not None and (first or bound > best[0]):
            best, first = (bound, alpha, kept), False
        more = frozenset(used) - kept
        if bound == optimum or not more or time.monotonic() > deadline:
            break
        kept |= more
    return generator_function(form, best[1], kept=best[2], residual=residual, optimum=optimum)


def _multipliers(
    form: Form, alpha: Vector, kept: Collection[int], residual: str, deadline: float
) -> tuple[Vector, Fraction | None, list[int]]:
    """The best alpha for E with its bound, and the integer columns that should join E.

    The first multipliers are feasible for the dual of the relaxation, hence for every E.
    """
    points: list[tuple[Fraction, Vector]] = []
    best: tuple[Fraction, Vector] | None = None
    used: list[int] = []
    for _ in range(_MOST_ROUNDS):
        priced = priced_columns(form, alpha, kept, residual)
        found = minimum_at(form, priced, form.right)
        if found.point is None or not isinstance(found.value, Fraction):
            break
        if best is None or found.value > best[0]:
            best = (found.value, alpha)
        used = _used(form, kept, found.point, len(kept), residual)
        own = sum(
            (
                p.column.cost * x
                for p, x in zip(priced, found.point, strict=True)
                if p.source is not None
            ),
            _ZERO,
        )
        rest = [_ZERO] * form.size
        for p, x in zip(priced, found.point, strict=True):
            if p.source is None and x:
                for i, a in p.column.entries:
                    rest[i] += a * x
        points.append((own, tuple(rest)))
        master = _master(form, kept, points)
        if master is None or time.monotonic() > deadline:
            break
        bound, alpha = master
        if bound == best[0]:
            break
    if best is None:
        return alpha, None, _all_integral(form)
    return best[1], best[0], used or _all_integral(form)


def _all_integral(form: Form) -> list[int]:
    return [j for j, column in enumerate(form.columns) if column.integral]


def _used(
    form: Form, kept: Collection[int], point: Sequence[Fraction], first: int, residual: str
) -> list[int]:
    """The columns outside E that the point uses fractionally; else those that it uses."""
    if residual == "orthant":
        return []
    outside = [j for j in range(len(form.columns)) if j not in kept]
    values = dict(zip(outside, point[first:], strict=True))
    fractional = [j for j, x in values.items() if x.denominator > 1]
    return fractional or [j for j, x in values.items() if x]


def _master(
    form: Form, kept: Collection[int], points: Sequence[tuple[Fraction, Vector]]
) -> tuple[Fraction, Vector] | None:
    """The alpha that maximises the least of ``own + alpha·rest``; None if that is unbounded.

    ``alpha·a_j <= c_j`` for the columns outside E, and alpha has the signs of the rows.
    """
    parts = [
        (i, sign)
        for i, c in enumerate(form.constraints)
        for sign in (1, -1)
        if c.admits(Fraction(sign))
    ]
    outside = [column for j, column in enumerate(form.columns) if j not in kept]
    rows: list[tuple[list[Fraction], Fraction]] = []
    for own, rest in points:
        line = [Fraction(1), Fraction(-1), *(-sign * rest[i] for i, sign in parts)]
        rows.append((line, own))
    for column in outside:
        dense = dict(column.entries)
        line = [_ZERO, _ZERO, *(sign * dense.get(i, _ZERO) for i, sign in parts)]
        rows.append((line, column.cost))
    columns = [
        FormColumn(
            name=str(k),
            integral=False,
            cost=Fraction({0: -1, 1: 1}.get(k, 0)),
            entries=tuple((i, line[k]) for i, (line, _) in enumerate(rows) if line[k]),
        )
        for k in range(2 + len(parts))
    ]
    constraints = [Constraint(str(i), "<=", None) for i in range(len(rows))]
    outcome = minimise(columns, constraints, [side for _, side in rows])
    if not isinstance(outcome, LinearOptimum):
        return None
    alpha = [_ZERO] * form.size
    for (i, sign), x in zip(parts, outcome.point[2:], strict=True):
        alpha[i] += sign * x
    return -outcome.value, tuple(alpha)
