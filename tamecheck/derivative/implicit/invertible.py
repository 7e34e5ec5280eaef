"""Is every matrix in the convex hull of given ones invertible?  A proof, a singular one, or open.

Each proof is exact, and each is a theorem about the whole hull:

* The determinant is linear in each row, so on the product of the rows' hulls it has its extremes
  where every row is a vertex; the same for columns.  The products contain the hull.
* If the hull is ``{A + Σ t_j D_j : 0 <= t_j <= 1}`` with every ``D_j`` of rank one, the determinant
  is affine in each ``t_j``, so its extremes are at the vertices.
* If ``C U`` has a positive definite symmetric part for every vertex ``U``, then so has ``C U`` for
  every element, and a singular U would give ``xᵀ C U x = 0``.
* The hull is halved along its longest edge until one of these holds on every part.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq, fmpq_mat

from tamecheck.derivative.hull import Matrix, extreme
from tamecheck.derivative.implicit.singular import (
    Singular,
    all_pairs,
    combination,
    floats,
    searched_witness,
    segment_root,
)
from tamecheck.evaluate.reals import as_fraction, as_number

__all__ = ["Invertibility", "decide_invertible", "positive_definite"]

_MOST_PRODUCTS = 4096
_MOST_PAIRS = 4096
_MOST_REDUCED = 64
_DEFAULT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Invertibility:
    """Whether every element is invertible (None: open), why, and a singular element."""

    holds: bool | None
    why: str
    singular: Singular | None = None


def decide_invertible(
    matrices: Sequence[Matrix], *, timeout: float | None = None, seed: int = 0
) -> Invertibility:
    """Whether every element of the convex hull of square matrices is invertible.

    Parameters
    ----------
    matrices
        The vertices: rows of exact numbers, or of balls.
    timeout
        Seconds; when they are over the answer is open.
    seed
        Seed of the search for a singular element.
    """
    rational: list[fmpq_mat] = []
    for matrix in matrices:
        entries = [a for row in matrix for a in row if isinstance(a, fmpq)]
        if len(entries) < len(matrix) ** 2:
            return _of_balls(matrices)
        rational.append(fmpq_mat(len(matrix), len(matrix), entries))
    deadline = time.monotonic() + (_DEFAULT_SECONDS if timeout is None else timeout)
    kept = extreme(matrices) if len(matrices) <= _MOST_REDUCED else range(len(matrices))
    found = _decide([rational[k] for k in kept], deadline, seed)
    return found if found.singular is None else _renumbered(found, kept, len(matrices))


def _renumbered(found: Invertibility, kept: Sequence[int], count: int) -> Invertibility:
    """The same answer with weights on all matrices that were given."""
    singular = found.singular
    if singular is None:
        return found
    weights = singular.weights
    if weights is not None:
        spread = [Fraction(0)] * count
        for k, weight in zip(kept, weights, strict=True):
            spread[k] = weight
        weights = tuple(spread)
    algebraic = singular.algebraic
    if algebraic is not None and max(algebraic[:2]) < len(kept):
        algebraic = (kept[algebraic[0]], kept[algebraic[1]], *algebraic[2:])
    return replace(found, singular=replace(singular, weights=weights, algebraic=algebraic))


def _decide(vertices: Sequence[fmpq_mat], deadline: float, seed: int) -> Invertibility:
    determinants = [vertex.det() for vertex in vertices]
    count = len(vertices)
    for number, value in enumerate(determinants):
        if value == 0:
            weights = [fmpq(int(k == number)) for k in range(count)]
            return _singular(combination(vertices, weights))
    if count == 1:
        return Invertibility(holds=True, why=f"the only element has determinant {determinants[0]}")
    opposite = [k for k in range(count) if (determinants[k] > 0) != (determinants[0] > 0)]
    if opposite:
        crossing = [
            (i, j)
            for i in range(count)
            for j in opposite
            if (determinants[i] > 0) != (determinants[j] > 0)
        ]
        found = segment_root(vertices, crossing[:_MOST_PAIRS])
        if found is not None:
            return _singular(found)
    proof = _proof(vertices)
    if proof:
        return Invertibility(holds=True, why=proof)
    found = segment_root(vertices, all_pairs(count, _MOST_PAIRS))
    if found is not None:
        return _singular(found)
    found = searched_witness(vertices, seed=seed, starts=12)
    if found is not None:
        return _singular(found)
    return _subdivided(vertices, deadline)


def _singular(found: Singular) -> Invertibility:
    return Invertibility(
        holds=False, why=f"{found} is singular and in the convex hull", singular=found
    )


def _proof(vertices: Sequence[fmpq_mat]) -> str:
    if rank_one_box(vertices):
        return (
            f"the hull is a box of rank-one changes, on which the determinant is affine in every "
            f"coordinate, and it has one sign at all {len(vertices)} vertices"
        )
    for kind, rows in (("rows", vertices), ("columns", [v.transpose() for v in vertices])):
        count = _product_sign(rows)
        if count:
            return (
                f"the determinant is linear in each of the {kind} and has one sign at the {count} "
                f"vertices of the product of their hulls"
            )
    if _definite(vertices):
        return (
            "multiplied by the inverse of the mean, every vertex has a positive definite symmetric "
            "part, so every element has"
        )
    return ""


def _product_sign(vertices: Sequence[fmpq_mat]) -> int:
    """The number of products of rows, if all their determinants have one sign; else 0."""
    size = vertices[0].nrows()
    choices = [
        list(dict.fromkeys(tuple(v[i, j] for j in range(size)) for v in vertices))
        for i in range(size)
    ]
    count = 1
    for rows in choices:
        count *= len(rows)
        if count > _MOST_PRODUCTS:
            return 0
    signs = {_sign(fmpq_mat(size, size, sum(rows, ())).det()) for rows in product(*choices)}
    return count if signs in ({1}, {-1}) else 0


def _sign(value: fmpq) -> int:
    return int(value > 0) - int(value < 0)


def rank_one_box(vertices: Sequence[fmpq_mat]) -> bool:
    """Whether the vertices are exactly the corners of a box of rank-one changes of the first.

    The determinants at the vertices are taken to have one sign.
    """
    count = len(vertices)
    dimension = count.bit_length() - 1
    if count != 1 << dimension:
        return False
    size = vertices[0].nrows()
    flat = [tuple(v.entries()) for v in vertices]
    all_points = set(flat)
    base = flat[0]
    changes = [
        tuple(a - b for a, b in zip(point, base, strict=True))
        for point, matrix in zip(flat[1:], vertices[1:], strict=True)
        if (matrix - vertices[0]).rank() == 1
    ]
    sums = {
        tuple(a + b for a, b in zip(first, second, strict=True))
        for number, first in enumerate(changes)
        for second in changes[number + 1 :]
    }
    edges = [change for change in changes if change not in sums]
    if len(edges) != dimension:
        return False
    corners = {base}
    for edge in edges:
        corners |= {tuple(a + b for a, b in zip(c, edge, strict=True)) for c in corners}
    return size > 0 and corners == all_points


def _definite(vertices: Sequence[fmpq_mat]) -> bool:
    """Whether ``C U + (C U)ᵀ`` is positive definite at all vertices, C the mean's inverse."""
    size = vertices[0].nrows()
    mean = sum(vertices[1:], vertices[0]) * fmpq(1, len(vertices))
    if mean.det() == 0:
        return False
    rough = np.linalg.inv(floats(mean))
    entries = [as_number(float(np.float32(x))) for x in rough.reshape(-1)]
    scale = fmpq_mat(size, size, entries)
    parts = [scale * vertex for vertex in vertices]
    symmetric = [part + part.transpose() for part in parts]
    if any(np.linalg.eigvalsh(floats(part))[0] <= 0 for part in symmetric):
        return False
    return all(positive_definite(part) for part in symmetric)


def positive_definite(matrix: fmpq_mat) -> bool:
    """Whether a symmetric rational matrix is positive definite: exact pivots of elimination."""
    size = matrix.nrows()
    rows = [[matrix[i, j] for j in range(size)] for i in range(size)]
    for k in range(size):
        pivot = rows[k][k]
        if pivot <= 0:
            return False
        for i in range(k + 1, size):
            factor = rows[i][k] / pivot
            if factor != 0:
                for j in range(k + 1, size):
                    rows[i][j] -= factor * rows[k][j]
    return True


def _subdivided(vertices: Sequence[fmpq_mat], deadline: float) -> Invertibility:
    """Halve the hull until every part has a proof, or a singular vertex or segment appears."""
    count = len(vertices)
    unit = [tuple(fmpq(int(i == k)) for i in range(count)) for k in range(count)]
    parts: list[tuple[tuple[fmpq_mat, ...], tuple[Any, ...]]] = [(tuple(vertices), tuple(unit))]
    positive = vertices[0].det() > 0
    done = 0
    while parts:
        if time.monotonic() > deadline:
            return Invertibility(
                holds=None,
                why=f"neither a proof nor a singular element was found in time "
                f"({done} parts of the hull proved, {len(parts)} open)",
            )
        corners, weights = parts.pop()
        if _definite(corners):
            done += 1
            continue
        i, j = _longest(corners)
        middle = (corners[i] + corners[j]) * fmpq(1, 2)
        weight = tuple((a + b) / 2 for a, b in zip(weights[i], weights[j], strict=True))
        determinant = middle.det()
        if determinant == 0:
            return _singular(combination(vertices, weight))
        if (determinant > 0) != positive:
            found = segment_root([*vertices, middle], [(k, count) for k in range(count)])
            if found is not None and found.weights is not None:
                last = as_number(found.weights[-1])
                shares = [
                    as_number(w) + last * v for w, v in zip(found.weights[:-1], weight, strict=True)
                ]
                return _singular(combination(vertices, shares))
            return Invertibility(
                holds=False,
                why="the determinant changes its sign inside the hull, so an element there is "
                "singular; it is algebraic, and no rational one was found",
            )
        parts.extend(
            (
                tuple(middle if n == k else c for n, c in enumerate(corners)),
                tuple(weight if n == k else w for n, w in enumerate(weights)),
            )
            for k in (i, j)
        )
    return Invertibility(
        holds=True,
        why=f"the hull was halved into {done} parts with a positive definite symmetric part each",
    )


def _longest(corners: Sequence[fmpq_mat]) -> tuple[int, int]:
    arrays = np.array([floats(corner).reshape(-1) for corner in corners])
    squares = (arrays**2).sum(1)
    distances = np.triu(squares[:, None] + squares[None] - 2 * arrays @ arrays.T + 1, 1)
    i, j = np.unravel_index(int(np.argmax(distances)), distances.shape)
    return int(i), int(j)


def _of_balls(matrices: Sequence[Matrix]) -> Invertibility:
    """For entries that are balls: rows or columns chosen independently, determinants as balls."""
    size = len(matrices[0])
    transposed = [tuple(zip(*matrix, strict=True)) for matrix in matrices]
    for kind, family in (("rows", matrices), ("columns", transposed)):
        choices = [_distinct([matrix[i] for matrix in family]) for i in range(size)]
        count = int(np.prod([len(rows) for rows in choices]))
        if count > _MOST_PRODUCTS:
            continue
        determinants = [
            arb_mat([[arb(a) for a in row] for row in rows]).det() for rows in product(*choices)
        ]
        if all(d > 0 for d in determinants) or all(d < 0 for d in determinants):
            return Invertibility(
                holds=True,
                why=f"the determinant is linear in each of the {kind}, and its enclosures at the "
                f"{count} vertices of the product of their hulls have one sign",
            )
    return Invertibility(
        holds=None, why="the enclosures of the determinant contain 0 or are too many"
    )


def _distinct(rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    found: list[Sequence[Any]] = []
    for row in rows:
        if not any(all(_identical(a, b) for a, b in zip(row, o, strict=True)) for o in found):
            found.append(row)
    return found


def _identical(left: Any, right: Any) -> bool:
    if isinstance(left, fmpq) and isinstance(right, fmpq):
        return bool(left == right)
    # balls of one number computed twice are kept apart unless they are the same ball
    return isinstance(left, arb) and isinstance(right, arb) and str(left) == str(right)


def fractions_of(matrix: fmpq_mat) -> tuple[tuple[Fraction, ...], ...]:
    """The rows as fractions."""
    return tuple(
        tuple(as_fraction(matrix[i, j]) for j in range(matrix.ncols()))
        for i in range(matrix.nrows())
    )
