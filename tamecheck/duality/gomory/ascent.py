"""A gradient phase for Gomory layers: floating point moves the rows, rationals conclude."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from tamecheck.duality.gomory.dual import Extended, Layers

__all__ = ["ascend", "violation_slope"]

_DENOMINATORS = (12, 60, 720)
_CLIMB = 20
_RATE = 0.2


def ascend(run: Layers, steps: int, noise: random.Random, optimum: Fraction | None) -> str:
    """Add cuts whose (w, v) climb their violation at the relaxation's point; how many helped.

    Each step starts near a small integer combination of rows of the inverse basis, follows the
    derivative of the violation, and rounds the best row that it met to rationals; the cut is
    kept if the exact bound improves.
    """
    helped = 0
    for _ in range(steps):
        starts = run.basis_rows()
        if run.bound == optimum or not starts:
            break
        found = _climbed(run, _start(starts, noise))
        for denominator in _DENOMINATORS:
            exact = [Fraction(a).limit_denominator(denominator) for a in found]
            at_b = (a * r.bound for a, r in zip(exact, run.rows, strict=True))
            v = sum(at_b, Fraction(0)) % 1
            if v and run.add_if_better(run.cut(exact, v)):
                helped += 1
                break
    return f"{helped} of {steps} ascents raised the bound"


def _start(rows: Sequence[Sequence[Fraction]], noise: random.Random) -> list[float]:
    weights = [noise.randint(-2, 2) for _ in rows]
    if not any(weights):
        weights[noise.randrange(len(rows))] = 1
    return [
        float(sum((n * a for n, a in zip(weights, column, strict=True)), Fraction(0)))
        for column in zip(*rows, strict=True)
    ]


def _climbed(run: Layers, w: list[float]) -> list[float]:
    """The best row on the way; the parameter v follows the row as ``frac(w·b)``."""
    integral = [column.integral for column in run.form.columns]
    bounds = [float(row.bound) for row in run.rows]
    best, most = w, -math.inf
    for step in range(_CLIMB):
        inner = sum(a * b for a, b in zip(w, bounds, strict=True))
        v = min(0.95, max(0.05, inner - math.floor(inner)))
        value = _violation(run, integral, w, v)
        if value > most:
            best, most = w, value
        slope, _ = violation_slope(run.rows, integral, run.point, w, v)
        size = math.sqrt(sum(g * g for g in slope)) or 1.0
        w = [a + _RATE / (1 + step) * g / size for a, g in zip(w, slope, strict=True)]
    return best


def _violation(run: Layers, integral: Sequence[bool], w: Sequence[float], v: float) -> float:
    """How far the point is beyond the cut, in floats."""
    total = 0.0
    targets = [(-float(x), j) for j, x in enumerate(run.point) if x]
    for weight, j in [(1.0, -1), *targets]:
        values = [float(r.bound if j < 0 else r.coefficients[j]) for r in run.rows]
        inner = sum(a * r for a, r in zip(w, values, strict=True))
        if j < 0 or integral[j]:
            part = inner - math.floor(inner)
            own = min(part / v, (1 - part) / (1 - v))
        else:
            own = max(inner / v, -inner / (1 - v))
        for a, r, row in zip(w, values, run.rows, strict=True):
            if not row.equation:
                own += max(-a / v, a / (1 - v)) * r
        total += weight * own
    return total


def violation_slope(
    rows: Sequence[Extended],
    integral: Sequence[bool],
    point: Sequence[Fraction],
    w: Sequence[float],
    v: float,
) -> tuple[list[float], float]:
    """The derivative of ``F(b) - sum of F(a_j) x_j`` in w and v, for one layer; in floats."""
    total = [0.0] * len(w)
    total_v = 0.0
    targets = [(-float(x), j) for j, x in enumerate(point) if x]
    for weight, j in [(1.0, -1), *targets]:
        values = [float(r.bound if j < 0 else r.coefficients[j]) for r in rows]
        inner = sum(a * r for a, r in zip(w, values, strict=True))
        if j >= 0 and not integral[j]:
            rising, part = inner >= 0, inner
        else:
            part = inner - math.floor(inner)
            rising = part < v
        slope = 1 / v if rising else -1 / (1 - v)
        if rising:
            slope_v = -part / v**2
        elif j >= 0 and not integral[j]:
            slope_v = -part / (1 - v) ** 2
        else:
            slope_v = (1 - part) / (1 - v) ** 2
        for k, (a, r) in enumerate(zip(w, values, strict=True)):
            total[k] += weight * slope * r
            if rows[k].equation:
                continue
            # abs_v(-a) r
            total[k] += weight * r * (1 / (1 - v) if a > 0 else -1 / v)
            slope_v += (a * r / (1 - v) ** 2) if a > 0 else (a * r / v**2)
        total_v += weight * slope_v
    return total, total_v
