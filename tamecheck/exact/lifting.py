"""Square systems of integers, solved by approximations whose residuals are exact.

An approximate inverse gives some bits of the solution; what is left of the right-hand side is
computed exactly, magnified, and solved again.  Once there are enough bits the rationals are
reconstructed, and multiplied out: floats can only fail to find a solution.

Source: Wan 2006, An algorithm to solve integer linear systems exactly using numerical methods;
Cook, Steffy 2011, Solving very sparse rational systems of equations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Approximate: TypeAlias = Callable[[Floats], Floats | None]
"""The solution of the system for another right-hand side, about; None if there is none."""

_LARGEST = 1 << 44
"""Larger coefficients leave no room for digits in a machine word."""

_DIGIT, _LEAST = 40, 8
"""Bits of a digit, of which there are fewer if the system is ill-conditioned; whole bytes."""

_TOP, _SMALL = 50, 24
"""Bits that a residual may have, so that it is a float without rounding; and at the beginning."""

_FIRST, _GROWTH, _MARGIN = 80, 1.6, 16
"""Bits at which rationals are tried for the first time, and their factor from trial to trial; how
many bits shorter than a random number's their denominators have to be."""


@dataclass(frozen=True, slots=True)
class Square:
    """A square matrix of integers, none of which is 0, row by row; no row is empty."""

    rows: Sequence[Sequence[tuple[int, int]]]

    def times(self, x: Sequence[int]) -> list[int]:
        """The product with a vector."""
        return [sum([a * x[j] for j, a in row]) for row in self.rows]


def lift(
    matrix: Square, right: Sequence[int], approximate: Approximate
) -> tuple[list[int], int] | None:
    """``X`` and ``D > 0`` with ``matrix X = D right``; None if the approximations lead to none."""
    if max((abs(a) for row in matrix.rows for _, a in row), default=0) > _LARGEST:
        return None
    begun = _integer_part(matrix, right, approximate)
    if begun is None:
        return None
    whole, residual = begun
    size = _DIGIT
    while size >= _LEAST:
        found = _expand(matrix, right, whole, residual, approximate, size)
        if found is not None:
            return found
        size -= 8
    return None


def _integer_part(
    matrix: Square, right: Sequence[int], approximate: Approximate
) -> tuple[list[int], list[int]] | None:
    """Integers near the solution, and what is left of the right-hand side: machine numbers."""
    whole, residual = [0] * len(right), list(right)
    left = max((abs(r).bit_length() for r in residual), default=0)
    while left > _SMALL:
        shift = max(left - _TOP, 0)
        step = approximate(np.array([r >> shift for r in residual], float))
        if step is None or not np.isfinite(step).all():
            return None
        digits = [(int(math.ldexp(v, _DIGIT)) << shift) >> _DIGIT for v in step.tolist()]
        whole = [x + d for x, d in zip(whole, digits, strict=True)]
        residual = [r - p for r, p in zip(residual, matrix.times(digits), strict=True)]
        before, left = left, max(abs(r).bit_length() for r in residual)
        if left > before - _LEAST:
            return (whole, residual) if left <= _TOP else None
    return whole, residual


def _expand(  # noqa: PLR0913, PLR0917 (the state of a search)
    matrix: Square,
    right: Sequence[int],
    whole: Sequence[int],
    residual: Sequence[int],
    approximate: Approximate,
    size: int,
) -> tuple[list[int], int] | None:
    """The solution from digits of so many bits, None if these do not make the residual small."""
    entries: Any = np.array([a for row in matrix.rows for _, a in row], np.int64)
    places: Any = np.array([j for row in matrix.rows for j, _ in row], np.int64)
    starts: Any = np.cumsum([0, *(len(row) for row in matrix.rows[:-1])])
    left: Any = np.array(residual, np.int64)
    most = _bits_of_solution(matrix, right)
    digits: list[Any] = []
    trial = _FIRST
    while True:
        if left.any():
            step = approximate(left.astype(float))
            if step is None:
                return None
            scaled = np.rint(np.ldexp(step, size))
            if not (np.abs(scaled).max() < float(1 << 62)):
                return None
            digit: Any = scaled.astype(np.int64)
            # the product may be beyond a machine word, the difference is not
            left = (left << size) - np.add.reduceat(entries * digit[places], starts)
            if int(np.abs(left).max()) >> _TOP:
                return None
            digits.append(digit)
        bits = size * len(digits)
        if bits >= trial or not left.any():
            found = _rationals(_join(whole, digits, size), bits)
            if found is not None:
                x, denominator = found
                if matrix.times(x) == [denominator * b for b in right]:
                    return x, denominator
            if bits > most or not left.any():
                return None
            trial = min(int(bits * _GROWTH) + size, most + 1)


def _bits_of_solution(matrix: Square, right: Sequence[int]) -> int:
    """Bits that are enough for numerators and denominators, by Hadamard's inequality."""
    rows = (sum(a * a for _, a in row).bit_length() // 2 + 1 for row in matrix.rows)
    return 2 * sum(rows) + max(b.bit_length() for b in right) + 4 * _MARGIN


def _join(whole: Sequence[int], digits: Sequence[Any], size: int) -> list[int]:
    """The numbers with these integer parts and digits, as integers."""
    if not digits:
        return list(whole)
    table: Any = np.array(digits, np.int64)
    mask = (1 << size) - 1
    for k in range(len(table) - 1, 0, -1):
        table[k - 1] += table[k] >> size
        table[k] &= mask
    carry = (table[0] >> size).tolist()
    table[0] &= mask
    parts: Any = table[::-1].T.astype("<i8", order="C").view(np.uint8)
    parts = parts.reshape(len(whole), len(digits), 8)[:, :, : size // 8]
    bits = size * len(digits)
    return [
        ((first + more) << bits) + int.from_bytes(own.tobytes(), "little")
        for first, more, own in zip(whole, carry, parts, strict=True)
    ]


def _rationals(numbers: Sequence[int], bits: int) -> tuple[list[int], int] | None:
    """The rationals near ``numbers / 2^bits`` over their common denominator, if it is short."""
    if not bits:
        return list(numbers), 1
    half, one = 1 << bits // 2, 1 << bits
    most = half >> _MARGIN
    denominator, found, powers = 1, list[int](), list[int]()
    for number in numbers:
        total = number * denominator
        nearest = (total + (one >> 1)) >> bits
        rest = total - (nearest << bits)
        if abs(rest) > half:
            factor = _denominator(rest % one, one, half)
            denominator *= factor
            if denominator > most:
                return None
            nearest = (number * denominator + (one >> 1)) >> bits
        found.append(nearest)
        powers.append(denominator)
    return [x * (denominator // d) for x, d in zip(found, powers, strict=True)], denominator


def _denominator(rest: int, one: int, half: int) -> int:
    """The least q for which ``q rest / one`` is within ``half / one`` of an integer."""
    larger, smaller, before, q = one, rest, 0, 1
    while smaller > half:
        times, left = divmod(larger, smaller)
        larger, smaller, before, q = smaller, left, q, before + times * q
    return q
