"""Singular matrices in the convex hull of rational ones: exact certificates, and searches for them.

Floats search; whatever they find is checked exactly, and nothing follows from finding nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
from flint import arb_mat, fmpq, fmpq_mat, fmpq_poly

from tamecheck.budget import Budget
from tamecheck.exact.feasibility import Multipliers, nonnegative_solution
from tamecheck.exact.hull import fractions_of
from tamecheck.exact.reals import as_fraction, as_number
from tamecheck.ir.tensor import Array

_MOST_EDGES = 1024
_HALVINGS = 40
_LONGEST_TEXT = 300
_STARTS, _STEPS = 24, 80
_NEARLY_ZERO = 1e-6
_DENOMINATORS = (1, 2, 6, 12, 60, 1000, 10**6)


@dataclass(frozen=True, slots=True)
class Algebraic:
    """``(1-t) A + t B`` in a hull, t a root of a polynomial with rational coefficients."""

    start: tuple[Fraction, ...]
    end: tuple[Fraction, ...]
    """The weights of A and of B on the vertices."""
    polynomial: tuple[Fraction, ...]
    """The coefficients of ``det((1-t) A + t B)`` from the constant one on."""
    interval: tuple[Fraction, Fraction]
    """A part of [0, 1] that contains a root; shown by Sturm's theorem."""

    def __str__(self) -> str:
        low, high = self.interval
        terms = " + ".join(f"{_short(c)}*t^{k}" for k, c in enumerate(self.polynomial) if c)
        return (
            f"(1-t) ({_sum(self.start)}) + t ({_sum(self.end)}) where {terms} = 0, "
            f"t in [{float(low):.9g}, {float(high):.9g}]"
        )


@dataclass(frozen=True, slots=True)
class Singular:
    """A singular element of a convex hull: a rational one, else an algebraic one."""

    weights: tuple[Fraction, ...] | None
    """Its weights on the vertices; None for an element that is not rational."""
    matrix: tuple[tuple[Fraction, ...], ...] | None
    """The element, with rational entries or None."""
    algebraic: Algebraic | None = None
    """Where no rational element was found."""

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


def convex_weights(weights: Array) -> list[fmpq]:
    """Rational weights of sum 1 near floats."""
    exact = [as_number(Fraction(round(float(w) * 2**30), 2**30)) for w in np.maximum(weights, 0)]
    total = sum(exact, fmpq(0))
    return [w / total for w in exact] if total > 0 else unit_weights(len(exact), 0)


def floats(matrix: fmpq_mat | arb_mat) -> Array:
    """The nearest float matrix, of balls that of their centres."""
    entries = [float(as_fraction(a) if isinstance(a, fmpq) else a.mid()) for a in matrix.entries()]
    return np.array(entries, dtype=float).reshape((matrix.nrows(), matrix.ncols()))


def element(vertices: Sequence[fmpq_mat], weights: Sequence[fmpq]) -> fmpq_mat:
    """``Σ weight vertex``."""
    total = fmpq_mat(vertices[0].nrows(), vertices[0].ncols())
    for vertex, weight in zip(vertices, weights, strict=True):
        if weight != 0:
            total += vertex * weight
    return total


def combination(vertices: Sequence[fmpq_mat], weights: Sequence[fmpq]) -> Singular:
    """The element with these weights.

    Raises `ArithmeticError` if it is not singular or the weights are not those of a convex
    combination.
    """
    total = element(vertices, weights)
    if total.det() != 0 or any(w < 0 for w in weights) or sum(weights, fmpq(0)) != 1:
        raise ArithmeticError("the combination is not a singular element")
    return Singular(tuple(as_fraction(w) for w in weights), fractions_of(total.tolist()))


def crossing_element(vertices: Sequence[fmpq_mat], weights: Sequence[fmpq]) -> Singular | None:
    """A singular element, if the element with these weights is or has the other sign."""
    value, first = element(vertices, weights).det(), vertices[0].det()
    if value == 0:
        return combination(vertices, weights)
    if (value > 0) == (first > 0):
        return None
    return segment_root(vertices, unit_weights(len(vertices), 0), weights)


def segment_root(
    vertices: Sequence[fmpq_mat], start: Sequence[fmpq], end: Sequence[fmpq]
) -> Singular | None:
    """A singular element on the segment between two elements, rational if there is such a one.

    The determinant along a segment is a polynomial of degree at most the size, from its values at
    as many points; its real roots in [0, 1] are counted exactly by Sturm's theorem.
    """
    polynomial = _determinant_along(element(vertices, start), element(vertices, end))
    for root in _rational_roots(polynomial):
        if 0 <= root <= 1:
            weights = [(1 - root) * a + root * b for a, b in zip(start, end, strict=True)]
            return combination(vertices, weights)
    bracket = _isolate_root(polynomial)
    if bracket is None:
        return None
    rows = fractions_of((tuple(start), tuple(end), tuple(polynomial.coeffs())))
    return Singular(None, None, Algebraic(rows[0], rows[1], rows[2], bracket))


def edge_root(vertices: Sequence[fmpq_mat], budget: Budget, *, crossing: bool) -> Singular | None:
    """A singular element on a segment between invertible vertices, rational if one of them has it.

    ``crossing`` says to look only at segments along which the determinant changes its sign, or only
    at the others; at most 1024 of them.
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
        if seen == _MOST_EDGES or budget.is_spent:
            break
    return algebraic


def _determinant_along(left: fmpq_mat, right: fmpq_mat) -> fmpq_poly:
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


def _isolate_root(polynomial: fmpq_poly) -> tuple[Fraction, Fraction] | None:
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


def search_element(vertices: Sequence[fmpq_mat], budget: Budget, *, seed: int) -> Singular | None:
    """A singular element by descent of the determinant from several starts, or None.

    The vertices' determinants have one sign.  Where a descent ends below zero, a singular element
    is on the segment back to a vertex; where it ends at zero, rational null vectors and weights
    near the end are tried.
    """
    arrays = np.array([floats(vertex) for vertex in vertices])
    arrays /= max(float(np.abs(arrays).max()), 1e-300)
    sign = 1.0 if vertices[0].det() > 0 else -1.0
    ends: list[tuple[float, Array]] = []
    count, rng = len(vertices), np.random.default_rng(seed)
    start = np.full(count, 1 / count)
    for _ in range(_STARTS):
        if budget.is_spent:
            break
        value, found = _descend(arrays, sign, start)
        start = rng.dirichlet(np.full(count, min(1.0, 4 / count)))
        if value < 0:
            singular = crossing_element(vertices, convex_weights(found))
            if singular is not None:
                return singular
        ends.append((value, found))
    size = np.abs(np.linalg.det(arrays)).max()
    near = [w for v, w in sorted(ends, key=lambda end: end[0])[:4] if v <= _NEARLY_ZERO * size]
    return next((s for s in (_near_zero(vertices, arrays, w) for w in near) if s is not None), None)


def _descend(arrays: Array, sign: float, weights: Array) -> tuple[float, Array]:
    """Frank and Wolfe's method, with steps that move weight between two vertices as well."""
    steps = np.concatenate([np.geomspace(1e-6, 0.1, 12), np.linspace(0.15, 1, 18)])
    current = np.tensordot(weights, arrays, 1)
    value = sign * float(np.linalg.det(current))
    for _ in range(_STEPS):
        slopes = sign * np.einsum("ij,kij->k", _cofactors(current), arrays)
        target = int(np.argmin(slopes))
        active = np.flatnonzero(weights > 1e-12)
        worst = int(active[int(np.argmax(slopes[active]))])
        towards = np.zeros_like(weights)
        towards[target] = 1
        swap = np.zeros_like(weights)
        swap[target] += weights[worst]
        swap[worst] -= weights[worst]
        best, move = value, None
        for direction in (towards - weights, swap):
            change = np.tensordot(direction, arrays, 1)
            values = sign * np.linalg.det(current + steps[:, None, None] * change)
            k = int(np.argmin(values))
            if values[k] < best:
                best, move = float(values[k]), steps[k] * direction
        if move is None:
            break
        weights = np.maximum(weights + move, 0)
        weights /= weights.sum()
        current = np.tensordot(weights, arrays, 1)
        value = sign * float(np.linalg.det(current))
        if value < 0:
            break
    return value, weights


def _cofactors(matrix: Array) -> Array:
    """The gradient of the determinant."""
    left, values, right = np.linalg.svd(matrix)
    others = np.array([np.prod(np.delete(values, k)) for k in range(len(values))])
    sign = np.linalg.det(left) * np.linalg.det(right)
    return sign * (left * others) @ right


def _near_zero(vertices: Sequence[fmpq_mat], arrays: Array, weights: Array) -> Singular | None:
    for bound in _DENOMINATORS:
        near = [as_number(Fraction(float(w)).limit_denominator(bound)) for w in weights]
        if sum(near, fmpq(0)) == 1 and element(vertices, near).det() == 0:
            return combination(vertices, near)
    left, values, right = np.linalg.svd(np.tensordot(weights, arrays, 1))
    rank = int((values > 1e-3 * values[0]).sum())
    for transposed, null in ((False, right[rank:]), (True, left.T[rank:])):
        if not 0 < len(null) < len(values):
            continue
        family = [v.transpose() for v in vertices] if transposed else list(vertices)
        for vectors in _rational_bases(null):
            found = _kernel_weights(family, vectors)
            if found is not None:
                return combination(vertices, found)
    return None


def _rational_bases(null: Array) -> Iterator[list[list[Fraction]]]:
    """Rational vectors that span nearly the same space, in reduced form; distinct ones only."""
    basis = np.array(null)
    for row in range(len(basis)):
        pivot = int(np.argmax(np.abs(basis[row])))
        if abs(basis[row, pivot]) < 1e-9:
            return
        basis[row] /= basis[row, pivot]
        for other in range(len(basis)):
            if other != row:
                basis[other] -= basis[other, pivot] * basis[row]
    seen: list[list[list[Fraction]]] = []
    for bound in _DENOMINATORS:
        vectors = [[Fraction(float(x)).limit_denominator(bound) for x in row] for row in basis]
        if vectors not in seen:
            seen.append(vectors)
            yield vectors


def _kernel_weights(
    vertices: Sequence[fmpq_mat], vectors: Sequence[Sequence[Fraction]]
) -> tuple[fmpq, ...] | None:
    """Convex weights that map given vectors, not all zero, to zero: a linear program."""
    null = [fmpq_mat(len(v), 1, [as_number(a) for a in v]) for v in vectors]
    columns = [
        (*(a for vector in null for a in (vertex * vector).entries()), fmpq(1))
        for vertex in vertices
    ]
    zeros = [fmpq(0)] * (len(columns[0]) - 1)
    found = nonnegative_solution(columns, (*zeros, fmpq(1)))
    return found.values if isinstance(found, Multipliers) else None
