"""Rows of a property that contradict each other, whatever the network computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.ir.box import Bound
from tamecheck.ir.spec import Case, Inequality
from tamecheck.solvers.dense import deepest
from tamecheck.verification.plain import impossible
from tamecheck.verification.problem import Problem, Region, without

_ROWS, _TOUCH, _RATIO, _FEW = 64, 1e-7, 1000, 16

Multipliers = Mapping[int, Fraction]
"""Positive multipliers of rows, first those of the region, then those of the outputs."""


def contradiction(case: Case) -> Multipliers | None:
    """Multipliers of rows whose sum no point of the box satisfies, if there are any.

    The sum is about inputs alone.  Floats find the multipliers, as a linear program; the sum is
    taken in rational arithmetic.
    """
    rows = (*case.region, *case.outputs)
    alone = next((k for k in range(len(rows)) if _excludes(case, rows, {k: Fraction(1)})), None)
    if alone is not None:
        return {alone: Fraction(1)}
    used = sorted({("x", i) for row in rows for i, _ in row.inputs}) + sorted(
        {("y", j) for row in rows for j, _ in row.outputs}
    )
    if not 0 < len(rows) <= _ROWS or not used:
        return None
    place = {name: k for k, name in enumerate(used)}
    matrix = np.zeros((len(rows), len(used)))
    for k, row in enumerate(rows):
        for side, terms in (("x", row.inputs), ("y", row.outputs)):
            for index, coefficient in terms:
                matrix[k, place[side, index]] = nearest_float(coefficient)
    bounds = np.array([nearest_float(row.bound) for row in rows])
    ends = [(case.lower[i], case.upper[i]) if side == "x" else (None, None) for side, i in used]
    low, high = (
        np.array([infinite if v is None else nearest_float(v) for v in side])
        for side, infinite in zip(zip(*ends, strict=True), (-np.inf, np.inf), strict=True)
    )
    if not (np.isfinite(matrix).all() and np.isfinite(bounds).all() and (low <= high).all()):
        return None
    found = deepest((low, high), -matrix, -bounds, np.zeros((0, len(used))))
    if found is None or (bounds - matrix @ found[0]).min() > _TOUCH:
        return None
    factors = found[1] / max(found[1].max(initial=0.0), 1e-300)
    ratios = [Fraction(v).limit_denominator(_RATIO) for v in factors.tolist()]
    multipliers = {k: v for k, v in enumerate(ratios) if v > 0}
    return multipliers if _excludes(case, rows, multipliers) else None


def not_contradicted(problem: Problem, regions: Sequence[Region]) -> tuple[Region, ...]:
    """The regions without cases that rows alone exclude, where there are few.

    Before a last op whose values are enclosed, the rows as they are stated may say more.
    """
    stated = problem.stated.cases
    if len(stated) <= _FEW and all(contradiction(case) is not None for case in stated):
        return ()
    open_ = [region.cases for region in regions]
    numbers: list[int] = np.flatnonzero(np.any(open_, axis=0)).tolist() if open_ else []
    few = numbers if len(numbers) <= _FEW else []
    return without(regions, [k for k in few if contradiction(problem.spec.cases[k]) is not None])


def bounded_or_open(problem: Problem, regions: Sequence[Region]) -> tuple[Region, ...]:
    """The regions without cases on unbounded boxes that rows alone, or intervals, exclude."""
    wide = [region.cases for region in regions if not region.finite]
    numbers: list[int] = np.flatnonzero(np.any(wide, axis=0)).tolist() if wide else []
    cases = ((number, problem.spec.cases[number]) for number in numbers)
    shown = [
        number
        for number, case in cases
        if contradiction(case) is not None
        or impossible(problem.scores, case, case.lower, case.upper)
    ]
    return without(regions, shown)


def _excludes(case: Case, rows: Sequence[Inequality], multipliers: Multipliers) -> bool:
    """Whether the sum of rows is above its bound on the whole box, or at it if one is strict."""
    inputs, outputs = dict[int, Fraction](), dict[int, Fraction]()
    bound, strict = Fraction(0), False
    for k, factor in multipliers.items():
        for sums, terms in ((inputs, rows[k].inputs), (outputs, rows[k].outputs)):
            for index, coefficient in terms:
                sums[index] = sums.get(index, Fraction(0)) + factor * coefficient
        bound, strict = bound + factor * rows[k].bound, strict or rows[k].strict
    if any(outputs.values()):
        return False
    least = Fraction(0)
    for index, coefficient in inputs.items():
        end: Bound = (case.lower if coefficient > 0 else case.upper)[index]
        if coefficient and end is None:
            return False
        least += coefficient * (end or 0)
    return least > bound or (strict and least == bound)
