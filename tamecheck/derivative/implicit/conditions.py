"""Conditions that suffice for every matrix of a family to be invertible, checked by balls.

Floats search for a factor or a scaling; the inequality that concludes is one of balls, or exact.

* *Positive definite symmetric part*: ``xᵀ U x > 0`` for all x other than 0.  The condition is
  convex, so it holds on a hull if it holds at the vertices.
* *Strict diagonal dominance with a scaling*: ``|I - U| v < v`` for some v > 0 makes U an H-matrix
  with positive diagonal, which is invertible; convex as well.  It is a contraction in the norm
  ``max |x_i| / v_i``.
* *P-matrix*: all matrices ``(I - D) + D N``, D diagonal with entries in [0, 1], are invertible
  exactly if all principal minors of N are positive (Gale and Nikaido 1965).  Positive definite
  symmetric part of ``S N``, S a positive diagonal, or an H-matrix with positive diagonal, or an
  M-matrix among them, suffice (Berman and Plemmons 1979, chapter 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce

import numpy as np
from flint import arb, arb_mat, fmpq, fmpq_mat

from tamecheck.derivative.implicit.singular import floats
from tamecheck.exact.reals import as_fraction, as_number, working_precision
from tamecheck.ir.tensor import Array

_BITS = 160
_LARGEST_EXACT = 24
_SHARES = (0.999, 0.5)
"""Of the least eigenvalue in floats, the part that is tried as a margin."""


def rational(matrix: Array) -> fmpq_mat:
    """The rationals that floats denote."""
    rows, columns = matrix.shape
    return fmpq_mat(rows, columns, [as_number(float(a)) for a in matrix.reshape(-1)])


def identity(size: int) -> fmpq_mat:
    """The identity matrix."""
    return fmpq_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])


def definite_margin(matrix: fmpq_mat | arb_mat) -> Fraction | None:
    """A number m > 0 with ``½ (A + Aᵀ) - m I`` positive definite, or None where none is shown.

    A float Cholesky factor L of the symmetric part S less ``λ I`` is checked by balls: with
    ``S = L Lᵀ + λ I + R`` and ``|R|_∞ < λ``, S is at least ``(λ - |R|_∞) I``.
    """
    with working_precision(_BITS):
        part = arb_mat(matrix)
        part = (part + part.transpose()) * arb(fmpq(1, 2))
        middle = floats(part)
        if not np.isfinite(middle).all():
            return None
        least = float(np.linalg.eigvalsh(middle)[0])
        if not least > 0:
            return None
        margins = (_margin(part, middle, share * least) for share in _SHARES)
        return next((margin for margin in margins if margin is not None), None)


def _margin(part: arb_mat, middle: Array, shift: float) -> Fraction | None:
    """``shift - |S - shift I - L Lᵀ|_∞`` if that is positive, L a float Cholesky factor."""
    size = len(middle)
    try:
        factor = np.linalg.cholesky(middle - shift * np.eye(size))
    except np.linalg.LinAlgError:
        return None
    lower = arb_mat(rational(factor))
    rest = part - lower * lower.transpose() - arb_mat(identity(size)) * arb(shift)
    rows = [sum((abs(a) for a in row), arb(0)) for row in rest.tolist()]
    margin = (arb(shift) - reduce(arb.max, rows)).lower()
    return as_fraction(margin.fmpq()) if margin.is_finite() and margin > 0 else None


def _inverse_of_mean(vertices: Sequence[fmpq_mat | arb_mat]) -> Array | None:
    mean: Array = np.mean([floats(v) for v in vertices], axis=0)
    try:
        found = np.linalg.inv(mean)
    except np.linalg.LinAlgError:
        return None
    # fewer digits make the exact products short
    short: Array = np.asarray(np.asarray(found, dtype=np.float32), dtype=float)
    return short if np.isfinite(short).all() else None


def definite_hull(vertices: Sequence[fmpq_mat | arb_mat]) -> bool:
    """Whether all C U have a positive definite symmetric part, C the inverse of the vertices' mean.

    Then a singular U would give ``xᵀ C U x = 0``.
    """
    scale = _inverse_of_mean(vertices)
    if scale is None:
        return False
    rough = [scale @ floats(v) for v in vertices]
    if any(np.linalg.eigvalsh(part + part.T)[0] <= 0 for part in rough):
        return False
    factor = rational(scale)
    return all(definite_margin(_product(factor, vertex)) is not None for vertex in vertices)


def _product(left: fmpq_mat, right: fmpq_mat | arb_mat) -> fmpq_mat | arb_mat:
    if isinstance(right, fmpq_mat):
        return left * right
    with working_precision(_BITS):
        return arb_mat(left) * right


def dominant_hull(vertices: Sequence[fmpq_mat | arb_mat]) -> bool:
    """Whether ``|I - C U| v < v`` for all U of the hull, some v > 0, C the mean's inverse."""
    scale = _inverse_of_mean(vertices)
    if scale is None:
        return False
    factor, size = rational(scale), vertices[0].nrows()
    with working_precision(_BITS):
        eye = arb_mat(identity(size))
        gaps = [eye - arb_mat(_product(factor, vertex)) for vertex in vertices]
        gaps = [arb_mat(size, size, [arb(a.abs_upper()) for a in g.entries()]) for g in gaps]
        worst = np.max([floats(gap) for gap in gaps], axis=0)
        return any(all(_below(gap, v) for gap in gaps) for v in (np.ones(size), _perron(worst)))


def _below(matrix: arb_mat, vector: Array) -> bool:
    """Whether ``A v < v`` for a nonnegative A, by balls."""
    column = arb_mat(rational(vector[:, None]))
    pairs = zip((matrix * column).entries(), column.entries(), strict=True)
    return all(bool(image < entry) for image, entry in pairs)


def _perron(matrix: Array) -> Array:
    """A positive vector near the eigenvector of the largest eigenvalue: the power method."""
    vector = np.ones(len(matrix))
    for _ in range(200):
        # the shift makes the method converge for periodic matrices, the last term keeps v positive
        following = matrix @ vector + vector + 1e-3 * vector.max()
        largest = float(following.max())
        if not np.isfinite(largest) or largest <= 0:
            return np.ones(len(matrix))
        vector = following / largest
    return np.maximum(vector, 1e-9).astype(np.float32).astype(float)


def p_matrix_condition(matrix: fmpq_mat | arb_mat) -> str:
    """A sufficient condition for a P-matrix that holds for N, in words; empty if none does."""
    with working_precision(_BITS):
        balls = arb_mat(matrix)
        rough = floats(balls)
        diagonal = np.diag(rough)
        if not np.isfinite(rough).all() or not (diagonal > 0).all():
            return ""
        size = len(rough)
        if not all(bool(balls[i, i] > 0) for i in range(size)):
            return ""
        off = np.abs(rough) - np.diag(np.abs(diagonal))
        ratio = off / diagonal[:, None]
        right = _perron(ratio)
        for vector in (np.ones(size), right):
            if _dominant_diagonal(balls, vector):
                return _dominance(balls, vector)
        left = _perron(ratio.T)
        for weights in (np.ones(size), left / right, left / (diagonal * right)):
            scale = np.maximum(weights, 1e-9).astype(np.float32).astype(float)
            scaled = arb_mat(rational(np.diag(scale))) * balls
            margin = definite_margin(scaled)
            if margin is not None:
                named = "N" if np.ptp(scale) == 0 else "S N, S a positive diagonal,"
                return f"{named} has a symmetric part of at least {float(margin):.3g} I"
    return ""


def _dominant_diagonal(balls: arb_mat, vector: Array) -> bool:
    column = [arb(float(a)) for a in vector]
    for i, row in enumerate(balls.tolist()):
        others = [arb(a.abs_upper()) * v for a, v in zip(row, column, strict=True)]
        if not bool(row[i] * column[i] > sum(others[:i] + others[i + 1 :], arb(0))):
            return False
    return True


def _dominance(balls: arb_mat, vector: Array) -> str:
    size = len(vector)
    scaled = "" if np.ptp(vector) == 0 else " after a scaling of its columns"
    signs = all(bool(balls[i, j] <= 0) for i in range(size) for j in range(size) if i != j)
    kind = "an M-matrix" if signs else "an H-matrix with positive diagonal"
    return f"N is {kind}: strictly diagonally dominant{scaled}"


def p_matrix_of(base: fmpq_mat, left: fmpq_mat, right: fmpq_mat) -> fmpq_mat | arb_mat:
    """``N = I + C U⁻¹ B``: ``U + B D C`` is invertible exactly where ``(I - D) + D N`` is.

    By ``det(U + B D C) = det U · det(I + D C U⁻¹ B)``; U invertible.  Balls for large matrices,
    whose exact solutions have very many digits.  Raises `ZeroDivisionError` if balls do not show
    that U is invertible.
    """
    eye = identity(left.ncols())
    if base.nrows() <= _LARGEST_EXACT:
        return eye + right * base.solve(left)
    with working_precision(_BITS):
        return arb_mat(eye) + arb_mat(right) * arb_mat(base).solve(arb_mat(left))
