"""A singular matrix in the convex hull of rational matrices, by exact certificates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
from flint import fmpq, fmpq_mat, fmpq_poly

from tamecheck.derivative.farkas import Multipliers, nonnegative_solution
from tamecheck.evaluate.reals import as_fraction, as_number
from tamecheck.ir.tensor import Array

__all__ = ["Singular", "kernel_witness", "searched_witness", "segment_root"]

_DENOMINATORS = (1, 2, 6, 60, 1000, 10**6)


@dataclass(frozen=True, slots=True)
class Singular:
    """A singular element of a convex hull.

    Parameters
    ----------
    weights
        Its weights on the vertices; None for an element that is not rational.
    matrix
        The element, with rational entries or None.
    algebraic
        Where no rational element was found: the two vertices whose segment contains it, the
        coefficients of ``det((1-t) A + t B)`` from the constant one on, and an interval that
        contains a root ``t``.
    """

    weights: tuple[Fraction, ...] | None
    matrix: tuple[tuple[Fraction, ...], ...] | None
    algebraic: tuple[int, int, tuple[Fraction, ...], tuple[Fraction, Fraction]] | None = None

    def __str__(self) -> str:
        if self.matrix is not None:
            return "[" + "; ".join(" ".join(str(a) for a in row) for row in self.matrix) + "]"
        if self.algebraic is None:
            return "none"
        first, second, coefficients, (low, high) = self.algebraic
        terms = " + ".join(f"{c}*t^{k}" for k, c in enumerate(coefficients) if c)
        return (
            f"(1-t) U{first} + t U{second} where {terms} = 0, t in [{float(low):.6g}, "
            f"{float(high):.6g}]"
        )


def combination(vertices: Sequence[fmpq_mat], weights: Sequence[fmpq]) -> Singular:
    """The element with these weights.

    Raises
    ------
    ArithmeticError
        If it is not singular or the weights are not those of a convex combination.
    """
    size = vertices[0].nrows()
    total = fmpq_mat(size, size)
    for vertex, weight in zip(vertices, weights, strict=True):
        total += vertex * weight
    if total.det() != 0 or any(w < 0 for w in weights) or sum(weights, fmpq(0)) != 1:
        raise ArithmeticError("the combination is not a singular element")
    return Singular(
        tuple(as_fraction(w) for w in weights),
        tuple(tuple(as_fraction(total[i, j]) for j in range(size)) for i in range(size)),
    )


def segment_root(vertices: Sequence[fmpq_mat], pairs: Iterable[tuple[int, int]]) -> Singular | None:
    """A singular element on a segment between two vertices, rational if some segment has one.

    The determinant along a segment is a polynomial of degree at most the size, from its values at
    as many points; its real roots in [0, 1] are counted exactly by Sturm's theorem.
    """
    algebraic: Singular | None = None
    size = vertices[0].nrows()
    for i, j in pairs:
        polynomial = _along(vertices[i], vertices[j], size)
        for root in _rational_roots(polynomial):
            if 0 <= root <= 1:
                weights = [fmpq(0)] * len(vertices)
                weights[i] += 1 - root
                weights[j] += root
                return combination(vertices, weights)
        if algebraic is None:
            bracket = isolated_root(polynomial)
            if bracket is not None:
                coefficients = tuple(as_fraction(c) for c in polynomial.coeffs())
                algebraic = Singular(None, None, (i, j, coefficients, bracket))
    return algebraic


def _along(left: fmpq_mat, right: fmpq_mat, size: int) -> fmpq_poly:
    """``det((1-t) L + t R)`` by Newton's divided differences at 0, 1, ..., size."""
    step = right - left
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
    chain = _sturm(polynomial)
    low, high = fmpq(0), fmpq(1)
    if polynomial(low) == 0 or polynomial(high) == 0:
        end = Fraction(0) if polynomial(low) == 0 else Fraction(1)
        return end, end
    if _changes(chain, low) == _changes(chain, high):
        return None
    for _ in range(40):
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
    vertices: Sequence[fmpq_mat], vector: Sequence[Fraction], *, left: bool = False
) -> Singular | None:
    """A convex combination that maps a given vector to zero, by an exact linear program."""
    if not any(vector):
        return None
    size = len(vector)
    column = fmpq_mat(size, 1, [as_number(v) for v in vector])
    images = [(v.transpose() if left else v) * column for v in vertices]
    columns = [(*(image[i, 0] for i in range(size)), fmpq(1)) for image in images]
    found = nonnegative_solution(columns, (*[fmpq(0)] * size, fmpq(1)))
    return combination(vertices, found.values) if isinstance(found, Multipliers) else None


def searched_witness(vertices: Sequence[fmpq_mat], *, seed: int, starts: int) -> Singular | None:
    """A singular element near local minima of the least singular value, or None.

    Floats guess a null vector; rational vectors near it are then tried exactly.
    """
    arrays = np.array([floats(v) for v in vertices])
    rng = np.random.default_rng(seed)
    seen: set[tuple[Fraction, ...]] = set()
    for start in range(starts):
        weights = (
            np.full(len(arrays), 1 / len(arrays))
            if start == 0
            else rng.dirichlet(np.ones(len(arrays)))
        )
        smallest, u, v = _descend(arrays, weights)
        if smallest > 1e-3 * float(np.abs(arrays).max()):
            continue
        for vector, left in ((v, False), (u, True)):
            for rational in _near(vector):
                key = (Fraction(int(left)), *rational)
                if key in seen:
                    continue
                seen.add(key)
                found = kernel_witness(vertices, rational, left=left)
                if found is not None:
                    return found
    return None


def _descend(arrays: Array, weights: Array) -> tuple[float, Array, Array]:
    """Frank-Wolfe with away steps in effect: exact line search on the least singular value."""
    best = np.inf
    u = v = np.zeros(arrays.shape[1])
    for _ in range(60):
        left, values, right = np.linalg.svd(np.tensordot(weights, arrays, 1))
        if values[-1] >= best - 1e-12:
            break
        best, u, v = float(values[-1]), left[:, -1], right[-1]
        slopes = np.einsum("i,kij,j->k", u, arrays, v)
        target = int(np.argmin(slopes))
        steps = np.linspace(0, 1, 33)[1:] ** 2
        trial = [(1 - s) * weights + s * np.eye(len(weights))[target] for s in steps]
        sizes = [np.linalg.svd(np.tensordot(w, arrays, 1), compute_uv=False)[-1] for w in trial]
        weights = trial[int(np.argmin(sizes))]
    return best, u, v


def _near(vector: Array) -> Iterable[tuple[Fraction, ...]]:
    scaled = vector / vector[int(np.argmax(np.abs(vector)))]
    for bound in _DENOMINATORS:
        yield tuple(Fraction(float(x)).limit_denominator(bound) for x in scaled)


def floats(matrix: fmpq_mat) -> Array:
    """The nearest float matrix."""
    rows, columns = matrix.nrows(), matrix.ncols()
    return np.array(
        [[float(as_fraction(matrix[i, j])) for j in range(columns)] for i in range(rows)]
    )


def all_pairs(count: int, most: int) -> Iterable[tuple[int, int]]:
    """Pairs of vertices, at most so many."""
    for number, pair in enumerate(combinations(range(count), 2)):
        if number >= most:
            return
        yield pair
