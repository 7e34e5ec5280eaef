"""A search in floats for elements of a hull with the other sign of the determinant, or with none.

Whatever is found is checked exactly; nothing is concluded from finding nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from flint import fmpq, fmpq_mat

from tamecheck.derivative.implicit.singular import (
    Singular,
    combination,
    element,
    floats,
    kernel_witness,
    segment_root,
    unit_weights,
)
from tamecheck.exact.reals import as_number
from tamecheck.ir.tensor import Array

__all__ = ["convex_weights", "crossing_element", "searched_element"]

_STEPS = 80
_NEARLY_ZERO = 1e-6
_DENOMINATORS = (1, 2, 6, 12, 60, 1000, 10**6)


def searched_element(
    vertices: Sequence[fmpq_mat], deadline: float, *, seed: int, starts: int = 24
) -> Singular | None:
    """A singular element by descent of the determinant from several starts, or None.

    The vertices' determinants have one sign.  Where a descent ends below zero, a singular element
    is on the segment back to a vertex; where it ends at zero, rational null vectors and weights
    near the end are tried.
    """
    arrays = np.array([floats(vertex) for vertex in vertices])
    arrays /= max(float(np.abs(arrays).max()), 1e-300)
    sign = 1.0 if vertices[0].det() > 0 else -1.0
    ends: list[tuple[float, Array]] = []
    for weights in _starts(len(vertices), seed, starts):
        if time.monotonic() > deadline:
            break
        value, found = _descent(arrays, sign, weights)
        if value < 0:
            singular = crossing_element(vertices, convex_weights(found))
            if singular is not None:
                return singular
        ends.append((value, found))
    size = np.abs(np.linalg.det(arrays)).max()
    for value, weights in sorted(ends, key=lambda end: end[0])[:4]:
        if value <= _NEARLY_ZERO * size:
            singular = _near_zero(vertices, arrays, weights)
            if singular is not None:
                return singular
    return None


def convex_weights(weights: Array) -> list[fmpq]:
    """Rational weights of sum 1 near floats."""
    exact = [as_number(Fraction(round(float(w) * 2**30), 2**30)) for w in np.maximum(weights, 0)]
    total = sum(exact, fmpq(0))
    return [w / total for w in exact] if total > 0 else unit_weights(len(exact), 0)


def crossing_element(vertices: Sequence[fmpq_mat], weights: Sequence[fmpq]) -> Singular | None:
    """A singular element, if the element with these weights is or has the other sign."""
    value, first = element(vertices, weights).det(), vertices[0].det()
    if value == 0:
        return combination(vertices, weights)
    if (value > 0) == (first > 0):
        return None
    return segment_root(vertices, unit_weights(len(vertices), 0), weights)


def _starts(count: int, seed: int, starts: int) -> Iterator[Array]:
    yield np.full(count, 1 / count)
    rng = np.random.default_rng(seed)
    for _ in range(starts - 1):
        yield rng.dirichlet(np.full(count, min(1.0, 4 / count)))


def _descent(arrays: Array, sign: float, weights: Array) -> tuple[float, Array]:
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
    current = np.tensordot(weights, arrays, 1)
    left, values, right = np.linalg.svd(current)
    rank = max(int((values > 1e-3 * values[0]).sum()), 0)
    for transposed, null in ((False, right[rank:]), (True, left.T[rank:])):
        if not 0 < len(null) < len(values):
            continue
        family = [v.transpose() for v in vertices] if transposed else list(vertices)
        for vectors in _rational_bases(null):
            found = kernel_witness(family, vectors)
            if found is not None and found.weights is not None:
                return combination(vertices, [as_number(w) for w in found.weights])
    return None


def _rational_bases(null: Array) -> Iterable[list[list[Fraction]]]:
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
