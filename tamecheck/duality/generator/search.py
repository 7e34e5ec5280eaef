"""The strongest generator function, and its slope where it is proved to be affine nearby.

Rows are generated for the multipliers, columns for the kept ones.

Slopes: from below, the tree dual of the defining program touches F at d; if all of its pieces that
are active there have one slope u, it is affine near d.  From above, F is at most the convex
function of the linear program with the best integer part; if that takes the values of the affine
function at the corners of a small cross-polytope around d, it is at most that inside.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from fractions import Fraction

from tamecheck.duality.form import Constraint, Form, FormColumn, Vector
from tamecheck.duality.generator.dual import (
    GeneratorDual,
    generator_function,
    minimum_at,
    priced_columns,
)
from tamecheck.duality.optimum import feasible_multipliers, minimise, proved_optimum, require_dual
from tamecheck.errors import UnsupportedError
from tamecheck.ir.answer import Optimal

__all__ = ["slope", "strongest"]

_ZERO = Fraction(0)
_MOST_ROUNDS = 200


def strongest(form: Form, *, seconds: float, seed: int, residual: str) -> GeneratorDual:
    """The best generator function that the time allows: strong if all columns may be kept."""
    feasible_multipliers(form)
    deadline = time.monotonic() + seconds
    optimum = proved_optimum(form, seconds=seconds, seed=seed)
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
    if not isinstance(outcome, Optimal):
        return None
    alpha = [_ZERO] * form.size
    for (i, sign), x in zip(parts, outcome.point[2:], strict=True):
        alpha[i] += sign * x
    return -outcome.objective, tuple(alpha)


_SECONDS = 10.0
_STEPS = (Fraction(1, 8), Fraction(1, 512), Fraction(1, 2**20))


def slope(dual: GeneratorDual, d: Vector) -> Vector:
    """The gradient at ``d``.

    Raises
    ------
    UnsupportedError
        If it is not proved that F is affine near ``d``.
    """
    from tamecheck.duality.generator.dual import defining_program, minimum_at
    from tamecheck.duality.tree import tree_dual

    below = tree_dual(defining_program(dual.form, dual.priced, d), seconds=_SECONDS)
    slopes = below.slopes(d)
    found = minimum_at(dual.form, dual.priced, d)
    if below.strong and len(slopes) == 1 and found.point is not None:
        (u,) = slopes
        rest = list(d)
        spent = Fraction(0)
        for own, x in zip(dual.priced, found.point, strict=True):
            if own.column.integral and x:
                spent += own.column.cost * x
                for i, a in own.column.entries:
                    rest[i] -= a * x
        top = dual.evaluate(d)
        if isinstance(top, Fraction) and any(
            _is_affine(dual, rest, top - spent, u, step) for step in _STEPS
        ):
            return u
    raise UnsupportedError(
        "It was not proved that the generator function is affine near this right-hand side.",
        hint="It may have a kink or a jump there: move it a little.",
    )


def _is_affine(
    dual: GeneratorDual, rest: Sequence[Fraction], value: Fraction, u: Vector, step: Fraction
) -> bool:
    columns = [own.column for own in dual.priced if not own.column.integral]
    for i, own in enumerate(u):
        for sign in (1, -1):
            moved = list(rest)
            moved[i] += sign * step
            outcome = minimise(columns, dual.form.constraints, moved)
            if not isinstance(outcome, Optimal):
                return False
            if outcome.objective != value + sign * step * own:
                return False
    return True
