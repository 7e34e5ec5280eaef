"""A gradient phase for Gomory layers: floating point moves the rows, rationals conclude."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tamecheck.dual.gomory import Extended, Layers

__all__ = ["ascend", "violation_slope"]

_DENOMINATOR = 720
_RATE = 0.05


def ascend(run: Layers, steps: int, noise: random.Random, optimum: Fraction | None) -> str:
    """Add cuts whose (w, v) climb their violation at the relaxation's point; how many were kept.

    Each step starts at random multipliers, follows the derivative of the violation for a while,
    rounds to rationals, and keeps the cut if the exact bound improves.
    """
    kept = 0
    for _ in range(steps):
        if run.bound == optimum:
            break
        size = len(run.rows)
        w = [noise.uniform(-1, 1) for _ in range(size)]
        v = noise.uniform(0.2, 0.8)
        for _ in range(60):
            slope, slope_v = violation_slope(run.rows, _integral(run), run.point, w, v)
            w = [a + _RATE * g for a, g in zip(w, slope, strict=True)]
            v = min(0.95, max(0.05, v + _RATE * slope_v))
        exact = [Fraction(a).limit_denominator(_DENOMINATOR) for a in w]
        inner = sum((a * r.bound for a, r in zip(exact, run.rows, strict=True)), Fraction(0)) % 1
        before = run.bound
        for parameter in {inner, Fraction(v).limit_denominator(_DENOMINATOR)}:
            if not 0 < parameter < 1:
                continue
            row = run.cut(exact, parameter)
            pairs = zip(row.coefficients, run.point, strict=True)
            if sum((a * x for a, x in pairs), Fraction(0)) < row.bound:
                run.rows.append(row)
                run.solve()
                break
        kept += run.bound > before
    return f"{kept} of {steps} ascents raised the bound"


def _integral(run: Layers) -> list[bool]:
    return [column.integral for column in run.form.columns]


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
