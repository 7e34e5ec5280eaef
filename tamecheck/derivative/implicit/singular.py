"""A singular matrix in the convex hull of rational matrices, by exact certificates."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
from flint import fmpq, fmpq_mat, fmpq_poly

from tamecheck.exact.feasibility import Multipliers, nonnegative_solution
from tamecheck.exact.reals import as_fraction, as_number
from tamecheck.ir.tensor import Array

__all__ = [
    "Algebraic",
    "Singular",
    "brief",
    "combination",
    "determinant_along",
    "edge_root",
    "element",
    "floats",
    "isolated_root",
    "kernel_witness",
    "segment_root",
    "unit_weights",
]

_MOST_EDGES = 1024
_HALVINGS = 40
_LONGEST_TEXT = 300


@dataclass(frozen=True, slots=True)
class Algebraic:
    """An element ``(1-t) A + t B`` of a hull, t a root of a polynomial with rational coefficients.

    Parameters
    ----------
    start, end
        The weights of A and of B on the vertices.
    polynomial
        The coefficients of ``det((1-t) A + t B)`` from the constant one on.
    interval
        A part of [0, 1] that contains a root; shown by Sturm's theorem.
    """

    start: tuple[Fraction, ...]
    end: tuple[Fraction, ...]
    polynomial: tuple[Fraction, ...]
    interval: tuple[Fraction, Fraction]

    def __str__(self) -> str:
        low, high = self.interval
        terms = " + ".join(f"{_short(c)}*t^{k}" for k, c in enumerate(self.polynomial) if c)
        return (
            f"(1-t) ({_sum(self.start)}) + t ({_sum(self.end)}) where {terms} = 0, "
            f"t in [{float(low):.9g}, {float(high):.9g}]"
        )


@dataclass(frozen=True, slots=True)
class Singular:
    """A singular element of a convex hull: a rational one, else an algebraic one.

    Parameters
    ----------
    weights
        Its weights on the vertices; None for an element that is not rational.
    matrix
        The element, with rational entries or None.
    algebraic
        Where no rational element was found.
    """

    weights: tuple[Fraction, ...] | None
    matrix: tuple[tuple[Fraction, ...], ...] | None
    algebraic: Algebraic | None = None

    def __str__(self) -> str:
        if self.matrix is not None:
            return "[" + "; ".join(" ".join(_short(a) for a in row) for row in self.matrix) + "]"
        return str(self.algebraic)


def brief(singular: Singular) -> str:
    """The element if it fits in a sentence."""
    text = str(singular)
    return text if len(text) <= _LONGEST_TEXT else "an element"


def _short(value: Fraction) -> str:
    text = str(value)
    return text if len(text) <= 16 else f"{float(value):.9g}"


def _sum(weights: Sequence[Fraction]) -> str:
    parts = [(k, w) for k, w in enumerate(weights) if w]
    return " + ".join(f"U{k}" if w == 1 else f"{_short(w)} U{k}" for k, w in parts)


def unit_weights(count: int, number: int) -> list[fmpq]:
    """All weight on one vertex."""
    return [fmpq(int(k == number)) for k in range(count)]


def element(vertices: Sequence[fmpq_mat], weights: Sequence[fmpq]) -> fmpq_mat:
    """``Σ weight vertex``."""
    total = fmpq_mat(vertices[0].nrows(), vertices[0].ncols())
    for vertex, weight in zip(vertices, weights, strict=True):
        if weight != 0:
            total += vertex * weight
    return total


def combination(vertices: Sequence[fmpq_mat], weights: Sequence[fmpq]) -> Singular:
    """The element with these weights.

    Raises
    ------
    ArithmeticError
        If it is not singular or the weights are not those of a convex combination.
    """
    total = element(vertices, weights)
    if total.det() != 0 or any(w < 0 for w in weights) or sum(weights, fmpq(0)) != 1:
        raise ArithmeticError("the combination is not a singular element")
    size = total.nrows()
    return Singular(
        tuple(as_fraction(w) for w in weights),
        tuple(tuple(as_fraction(total[i, j]) for j in range(size)) for i in range(size)),
    )


def segment_root(
    vertices: Sequence[fmpq_mat], start: Sequence[fmpq], end: Sequence[fmpq]
) -> Singular | None:
    """A singular element on the segment between two elements, rational if there is such a one.

    The determinant along a segment is a polynomial of degree at most the size, from its values at
    as many points; its real roots in [0, 1] are counted exactly by Sturm's theorem.
    """
    polynomial = determinant_along(element(vertices, start), element(vertices, end))
    for root in _rational_roots(polynomial):
        if 0 <= root <= 1:
            weights = [(1 - root) * a + root * b for a, b in zip(start, end, strict=True)]
            return combination(vertices, weights)
    bracket = isolated_root(polynomial)
    if bracket is None:
        return None
    algebraic = Algebraic(
        tuple(as_fraction(w) for w in start),
        tuple(as_fraction(w) for w in end),
        tuple(as_fraction(c) for c in polynomial.coeffs()),
        bracket,
    )
    return Singular(None, None, algebraic)


def edge_root(vertices: Sequence[fmpq_mat], deadline: float, *, crossing: bool) -> Singular | None:
    """A singular element on a segment between two vertices, rational if one of them has it.

    Parameters
    ----------
    vertices
        Invertible matrices.
    deadline
        The time by `time.monotonic` after which no more segments are looked at.
    crossing
        Look only at segments along which the determinant changes its sign, or only at the others;
        at most 1024 of them.
    """
    positive = [vertex.det() > 0 for vertex in vertices]
    count, algebraic, seen = len(vertices), None, 0
    for i, j in combinations(range(count), 2):
        if (positive[i] != positive[j]) is not crossing:
            continue
        found = segment_root(vertices, unit_weights(count, i), unit_weights(count, j))
        if found is not None and found.matrix is not None:
            return found
        algebraic = algebraic or found
        seen += 1
        if seen == _MOST_EDGES or time.monotonic() > deadline:
            break
    return algebraic


def determinant_along(left: fmpq_mat, right: fmpq_mat) -> fmpq_poly:
    """``det((1-t) L + t R)`` by Newton's divided differences at 0, 1, ..., size."""
    size, step = left.nrows(), right - left
    differences = [(left + step * fmpq(k)).det() for k in range(size + 1)]
    for order in range(1, size + 1):
        for k in range(size, order - 1, -1):
            differences[k] = (differences[k] - differences[k - 1]) / order
    result = fmpq_poly([differences[size]])
    for k in range(size - 1, -1, -1):
        result = result * fmpq_poly([-k, 1]) + differences[k]
    return result


def _rational_roots(polynomial: fmpq_poly) -> list[fmpq]:
    if polynomial.degree() < 1:
        return [fmpq(0)] if polynomial.degree() < 0 else []
    _, factors = polynomial.numer().factor()
    return [fmpq(-f[0], f[1]) for f, _ in factors if f.degree() == 1]


def isolated_root(polynomial: fmpq_poly) -> tuple[Fraction, Fraction] | None:
    """An interval inside [0, 1] that contains a root, or None if [0, 1] contains none."""
    if polynomial.degree() < 1:
        return None
    low, high = fmpq(0), fmpq(1)
    for end in (low, high):
        if polynomial(end) == 0:
            return as_fraction(end), as_fraction(end)
    chain = _sturm(polynomial)
    if _changes(chain, low) == _changes(chain, high):
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if polynomial(middle) == 0:
            return as_fraction(middle), as_fraction(middle)
        if _changes(chain, low) > _changes(chain, middle):
            high = middle
        else:
            low = middle
    return as_fraction(low), as_fraction(high)


def _sturm(polynomial: fmpq_poly) -> list[fmpq_poly]:
    chain = [polynomial, polynomial.derivative()]
    while chain[-1].degree() > 0:
        rest = -(chain[-2] % chain[-1])
        if rest.degree() < 0:
            break
        chain.append(rest)
    return chain


def _changes(chain: Sequence[fmpq_poly], at: fmpq) -> int:
    signs = [value > 0 for value in (p(at) for p in chain) if value != 0]
    return sum(a != b for a, b in pairwise(signs))


def kernel_witness(
    vertices: Sequence[fmpq_mat], vectors: Iterable[Sequence[Fraction]]
) -> Singular | None:
    """A convex combination that maps given vectors, not all zero, to zero: a linear program."""
    null = [fmpq_mat(len(v), 1, [as_number(a) for a in v]) for v in vectors]
    columns = [
        (*(a for vector in null for a in (vertex * vector).entries()), fmpq(1))
        for vertex in vertices
    ]
    zeros = [fmpq(0)] * (len(columns[0]) - 1)
    found = nonnegative_solution(columns, (*zeros, fmpq(1)))
    return combination(vertices, found.values) if isinstance(found, Multipliers) else None


def floats(matrix: fmpq_mat) -> Array:
    """The nearest float matrix."""
    entries = [float(as_fraction(a)) for a in matrix.entries()]
    return np.array(entries).reshape((matrix.nrows(), matrix.ncols()))
