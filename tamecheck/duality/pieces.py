"""Affine functions of a right-hand side, and minima and maxima of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.duality.form import Vector

__all__ = ["Affine", "affine", "affine_text", "evaluate_minimum"]


@dataclass(frozen=True, slots=True)
class Affine:
    """``(intercept + sum of slope_i * d_i) / denominator``, all of them integers."""

    intercept: int
    slopes: tuple[tuple[int, int], ...]
    denominator: int

    def at(self, d: Sequence[int], scale: int) -> Fraction:
        """The value at ``d / scale``, given as integers."""
        total = self.intercept * scale + sum(n * d[i] for i, n in self.slopes)
        return Fraction(total, self.denominator * scale)

    def slope(self, size: int) -> Vector:
        """The gradient as a dense vector."""
        dense = [Fraction(0)] * size
        for i, n in self.slopes:
            dense[i] = Fraction(n, self.denominator)
        return tuple(dense)

    def along(self, g: Sequence[Fraction]) -> Fraction:
        """The derivative in the direction ``g``."""
        total = sum((n * g[i] for i, n in self.slopes), Fraction(0))
        return total / self.denominator


def affine(intercept: Fraction, slopes: Mapping[int, Fraction]) -> Affine:
    """The affine function with these coefficients."""
    kept = {i: a for i, a in sorted(slopes.items()) if a}
    q = math.lcm(intercept.denominator, *(a.denominator for a in kept.values()))
    return Affine(
        (intercept * q).numerator, tuple((i, (a * q).numerator) for i, a in kept.items()), q
    )


def evaluate_minimum(pieces: Iterable[Affine], d: Sequence[Fraction]) -> tuple[Fraction, int]:
    """The smallest value of the pieces at ``d``, and how many pieces have it."""
    scale = math.lcm(*(x.denominator for x in d)) if d else 1
    whole = [(x * scale).numerator for x in d]
    values = [piece.at(whole, scale) for piece in pieces]
    least = min(values)
    return least, values.count(least)


def affine_text(piece: Affine, names: Sequence[str], shift: Sequence[Fraction]) -> str:
    """The function as text in the program's right-hand sides, which are ``d + shift``."""
    slopes = [(names[i], Fraction(n, piece.denominator), shift[i]) for i, n in piece.slopes]
    intercept = Fraction(piece.intercept, piece.denominator)
    intercept -= sum((a * s for _, a, s in slopes), Fraction(0))
    parts = [f"{_coefficient(a)}{name}" for name, a, _ in slopes]
    if intercept or not parts:
        parts.append(str(intercept))
    return " + ".join(parts).replace("+ -", "- ")


def _coefficient(a: Fraction) -> str:
    if a in (1, -1):
        return "-" if a < 0 else ""
    return f"{a}*"
