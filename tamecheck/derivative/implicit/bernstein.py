"""The sign of the determinant on a simplex of matrices, by its Bernstein coefficients.

``det(Σ λ_i U_i)`` is homogeneous in the barycentric coordinates λ.  Its Bernstein coefficient at
α is the coefficient of ``λ^α`` times ``α! / n!``, a positive factor, and the polynomial is a mean
of the Bernstein coefficients; so coefficients of one sign, none of them zero, prove that sign.
Halving the simplex makes the coefficients converge to the values, so a determinant without zeros
is proved after finitely many parts (Leroy 2012).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import comb

import numpy as np
from flint import Ordering, fmpq, fmpq_mat, fmpq_mpoly, fmpq_mpoly_ctx

from tamecheck.derivative.implicit.conditions import definite_hull
from tamecheck.derivative.implicit.descent import crossing_element
from tamecheck.derivative.implicit.multiaffine import Halved
from tamecheck.derivative.implicit.singular import floats, unit_weights

__all__ = ["coefficient_count", "determinant_form", "one_sign", "subdivided"]

MOST_COEFFICIENTS = 3000


def coefficient_count(vertices: Sequence[fmpq_mat]) -> int:
    """The number of Bernstein coefficients of the determinant."""
    size = vertices[0].nrows()
    return comb(len(vertices) + size - 1, size)


def determinant_form(vertices: Sequence[fmpq_mat]) -> fmpq_mpoly:
    """``det(Σ λ_i U_i)`` as a polynomial in λ: Laplace's expansion, each minor once."""
    size = vertices[0].nrows()
    ring = fmpq_mpoly_ctx.get(("w", len(vertices)), Ordering.lex)
    variables = ring.gens()
    minors: dict[int, fmpq_mpoly] = {0: ring.constant(1)}
    for row in range(size):
        entries = [
            sum(
                (x * vertex[row, column] for x, vertex in zip(variables, vertices, strict=True)),
                ring.constant(0),
            )
            for column in range(size)
        ]
        following: dict[int, fmpq_mpoly] = {}
        for columns, minor in minors.items():
            for column in range(size):
                if columns >> column & 1:
                    continue
                later = (columns >> column).bit_count()
                term = entries[column] * minor if later % 2 == 0 else -(entries[column] * minor)
                key = columns | 1 << column
                following[key] = following[key] + term if key in following else term
        minors = following
    return minors[(1 << size) - 1]


def one_sign(vertices: Sequence[fmpq_mat]) -> bool:
    """Whether all Bernstein coefficients of the determinant on the simplex have one strict sign."""
    coefficients = determinant_form(vertices).coeffs()
    if len(coefficients) < coefficient_count(vertices):
        return False
    return all(c > 0 for c in coefficients) or all(c < 0 for c in coefficients)


def subdivided(vertices: Sequence[fmpq_mat], deadline: float, *, most: int = 4000) -> Halved:
    """Halve the simplex until every part has a proof or a singular element appears.

    Parameters
    ----------
    vertices
        Matrices whose determinants have one sign.
    deadline, most
        The time by `time.monotonic`, and the number of parts, after which the search stops.
    """
    count = len(vertices)
    expand = coefficient_count(vertices) <= MOST_COEFFICIENTS
    unit = tuple(tuple(unit_weights(count, k)) for k in range(count))
    parts: list[tuple[tuple[fmpq_mat, ...], tuple[tuple[fmpq, ...], ...]]] = [
        (tuple(vertices), unit)
    ]
    done = 0
    while parts:
        if time.monotonic() > deadline or done + len(parts) > most:
            return Halved(done, len(parts))
        corners, weights = parts.pop()
        if definite_hull(corners) or (expand and one_sign(corners)):
            done += 1
            continue
        i, j = _longest(corners)
        middle = (corners[i] + corners[j]) * fmpq(1, 2)
        weight = tuple((a + b) / 2 for a, b in zip(weights[i], weights[j], strict=True))
        singular = crossing_element(vertices, weight)
        if singular is not None:
            return Halved(done, len(parts), singular)
        parts.extend(
            (
                tuple(middle if n == k else c for n, c in enumerate(corners)),
                tuple(weight if n == k else w for n, w in enumerate(weights)),
            )
            for k in (i, j)
        )
    return Halved(done, 0)


def _longest(corners: Sequence[fmpq_mat]) -> tuple[int, int]:
    arrays = np.array([floats(corner).reshape(-1) for corner in corners])
    squares = (arrays**2).sum(1)
    distances = np.triu(squares[:, None] + squares[None] - 2 * arrays @ arrays.T + 1, 1)
    i, j = np.unravel_index(int(np.argmax(distances)), distances.shape)
    return int(i), int(j)
