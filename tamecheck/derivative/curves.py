"""Curves to a point on which functions that vanish there are positive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import fmpq

from tamecheck.derivative.check.jets import Jet
from tamecheck.derivative.check.proofs import Curve
from tamecheck.derivative.cone import inner_direction
from tamecheck.exact.feasibility import Vector, null_basis

__all__ = ["curve_inside", "dot"]

_ZERO, _ONE = fmpq(0), fmpq(1)
_TRIES = 24


def curve_inside(
    jets: Sequence[Jet], rows: Sequence[Vector], circuits: Sequence[Vector]
) -> Curve | None:
    """A curve on which all functions are positive, by one coefficient after the other."""
    size, order = jets[0].space.size, jets[0].space.order
    if order == 1:
        return None
    tight = [k for k in range(len(rows)) if any(c[k] != 0 for c in circuits)]
    loose = [k for k in range(len(rows)) if k not in tight]
    basis = null_basis([rows[k] for k in tight if any(rows[k])], size)
    inside = inner_direction(
        size, [rows[k] for k in loose], [rows[k] for k in tight if any(rows[k])]
    )
    if inside is None:
        return None
    rng = np.random.default_rng(0)
    starts: list[Vector] = [inside, *basis, *(tuple(-a for a in b) for b in basis)]
    for _ in range(_TRIES if len(basis) > 1 else 4):
        shares = [fmpq(int(v)) for v in rng.integers(-3, 4, len(basis) + 1)]
        total = [a * abs(shares[0]) for a in inside]
        for share, vector in zip(shares[1:], basis, strict=True):
            total = [a + share * b for a, b in zip(total, vector, strict=True)]
        starts.append(tuple(total))
    zero = (_ZERO,) * size
    for start in dict.fromkeys(starts):
        if any(dot(rows[k], start) < 0 for k in loose) or not any(start):
            continue
        found = _lifted(jets, rows, [start])
        if found is None and order > 3:
            # a parameter t² leaves room for odd powers between
            found = _lifted(jets, rows, [zero, start])
        if found is not None:
            return found
    return None


def _lifted(jets: Sequence[Jet], rows: Sequence[Vector], start: Sequence[Vector]) -> Curve | None:
    """A curve with these first coefficients."""
    size, order = jets[0].space.size, jets[0].space.order
    unit = (*((_ZERO,) * size), _ONE)
    coefficients = list(start)
    while True:
        curve = Curve(tuple(coefficients))
        series = [curve.series(k) for k in range(size)]
        level = len(coefficients) + 1
        wanted: list[Vector] = []
        done = True
        for jet, row in zip(jets, rows, strict=True):
            values = [a for a in jet.along(series) if isinstance(a, fmpq)]
            first = next((k for k, a in enumerate(values) if a != 0), len(values))
            done = done and first < len(values) and values[first] > 0
            if first < level:
                if values[first] < 0:
                    return None
            elif level < len(values):
                wanted.append((*row, values[level]))
        if done:
            return curve
        if level > order:
            return None
        step = inner_direction(size + 1, [unit, *wanted], ()) or _widest(unit, wanted)
        if step is None:
            return None
        coefficients.append(tuple(a / step[-1] for a in step[:-1]))


def _widest(unit: Vector, rows: Sequence[Vector]) -> Vector | None:
    """A vector with ``unit > 0`` and no row negative, on which as many as may be are positive."""
    size = len(unit)
    total = inner_direction(size, [unit], (), rows)
    if total is None:
        return None
    for k, row in enumerate(rows):
        if dot(row, total) > 0:
            continue
        others = [other for j, other in enumerate(rows) if j != k]
        found = inner_direction(size, [unit, row], (), others)
        if found is not None:
            total = tuple(a + b for a, b in zip(total, found, strict=True))
    return total


def dot(left: Sequence[fmpq], right: Sequence[fmpq]) -> fmpq:
    """The sum of products."""
    return sum((a * b for a, b in zip(left, right, strict=True)), _ZERO)
