"""Batches of Karush-Kuhn-Tucker systems, solved through the multipliers and refined.

For a set of active rows the system in (y, z, ν) is

    Q y + Gᵀ z + Aᵀ ν = r,    G_a y = t on the active rows,    z = 0 on the others,    A y = u.

With ``P`` the inverse of Q on the null space of A it comes down to ``H_aa z_a = G_a y₀ - t`` with
``H = G P Gᵀ``, which is as large as the number of inequalities.  Residuals are accumulated in
NumPy's long double, which has 64 bits on x86, so that refinement reaches the solution of the stored
floats also where Q is badly conditioned; where it is a double, refinement helps less.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array

Triple = tuple[Array, Array, Array]
"""Something for y, for the inequalities and for the equations, each with the batch in front."""

_REFINEMENTS = 8
_CONVERGED = 1e-13
_DEPENDENT = 1e-11
_SINGULAR = 1e11
_CONSTANT = 1e-12


@dataclass(frozen=True, slots=True)
class Systems:
    """A batch of programs, with what every solve of their systems needs.

    Q, G and A have shapes ``(batch, n, n)``, ``(batch, m, n)``, ``(batch, k, n)``; ``inverse`` is
    that of Q, ``schur`` ``(A Q⁻¹ Aᵀ)⁻¹``, ``lift`` ``Q⁻¹ Aᵀ schur``, ``pg`` ``P Gᵀ`` and
    ``hessian`` ``G P Gᵀ``.  ``constant`` are the inequalities whose value the equations fix, as
    where G has a zero row.
    """

    Q: Array
    G: Array
    A: Array
    inverse: Array
    lift: Array
    schur: Array
    pg: Array
    hessian: Array
    constant: Array

    @classmethod
    def of(cls, Q: Array, G: Array, A: Array) -> Systems:  # noqa: N803 (the field's names)
        """The systems of positive definite Q, unless rows of A are linearly dependent."""
        dependent = np.flatnonzero(~_independent(A, np.ones(A.shape[:2], dtype=bool)))
        if len(dependent):
            raise InputError(
                f"The equations of program {dependent[0]} of the batch are linearly dependent.",
                hint="Remove the redundant ones.",
            )
        inverse: Array = np.linalg.inv(Q)
        qg, qa = inverse @ _transpose(G), inverse @ _transpose(A)
        schur: Array = np.linalg.inv(A @ qa)
        lift = qa @ schur
        pg = qg - lift @ (A @ qg)
        hessian = G @ pg
        hessian = (hessian + _transpose(hessian)) / 2
        alone = np.einsum("bij,bji->bi", G, qg)
        constant = np.einsum("bii->bi", hessian) <= _CONSTANT * alone
        pg = np.where(constant[:, None, :], 0.0, pg)
        hessian = np.where(constant[:, :, None] | constant[:, None, :], 0.0, hessian)
        return cls(Q, G, A, inverse, lift, schur, pg, hessian, constant)

    def select(self, programs: Array) -> Systems:
        """The systems of some programs of the batch."""
        return Systems(*(getattr(self, field.name)[programs] for field in fields(self)))

    def solve(self, active: Array, right: Triple) -> Triple:
        """``(y, z, ν)`` for right-hand sides ``(r, t, u)``, refined in extended precision.

        Entries of t off the active rows do not matter.  Where the active rows are dependent the
        result is a least-squares one and need not satisfy the system.
        """
        reduced = _pseudoinverse(_mask(self.hessian, active))
        found = self._once(active, reduced, right)
        size = 1.0
        for _ in range(_REFINEMENTS):
            change = self._once(active, reduced, self.residual(active, found, right))
            before, size = size, _relative(change, found)
            if not size < before / 2:
                break
            found = (found[0] + change[0], found[1] + change[1], found[2] + change[2])
            # errors shrink by the same factor in each step
            if size * (size / before) <= _CONVERGED:
                break
        return found

    def _once(self, active: Array, reduced: Array, right: Triple) -> Triple:
        r, t, u = right
        free = times(self.inverse, r)
        start = free + times(self.lift, u - times(self.A, free))
        z = np.where(active, times(reduced, np.where(active, times(self.G, start) - t, 0.0)), 0.0)
        nu = times(_transpose(self.lift), r - times(_transpose(self.G), z))
        return start - times(self.pg, z), z, nu - times(self.schur, u)

    def residual(self, active: Array, found: Triple, right: Triple) -> Triple:
        """What is missing in the three groups of equations, with one rounding."""
        y, z, nu = (a.astype(np.longdouble) for a in found)
        r, t, u = right
        first = r - times(self.Q, y) - times(_transpose(self.G), z)
        first = first - times(_transpose(self.A), nu)
        second = np.where(active, t - times(self.G, y), 0.0)
        third = u - times(self.A, y)
        return first.astype(float), second.astype(float), third.astype(float)

    def slack(self, h: Array, y: Array) -> Array:
        """``h - G y`` with one rounding."""
        return (h - times(self.G, y.astype(np.longdouble))).astype(float)

    def independent(self, tight: Array) -> Array:
        """For each program whether the gradients of the tight rows and of the equations are."""
        rows = np.concatenate([self.G, self.A], axis=1)
        counted = np.concatenate([tight, np.ones(self.A.shape[:2], dtype=bool)], axis=1)
        return _independent(rows, counted)


def _independent(rows: Array, counted: Array) -> Array:
    """Whether the rows that count are linearly independent, each scaled to length 1."""
    if not rows.shape[1]:
        return np.ones(len(rows), dtype=bool)
    norms = np.linalg.norm(rows, axis=2)
    rows = rows / np.where(norms > 0, norms, 1.0)[:, :, None]
    return np.linalg.eigvalsh(_mask(rows @ _transpose(rows), counted))[:, 0] > _DEPENDENT


def times(matrices: Array, vectors: Array) -> Array:
    """Matrix times vector for a batch."""
    return np.matmul(matrices, vectors[..., None])[..., 0]


def cotangent_of(given: Any, shape: tuple[int, ...]) -> Array:
    """A cotangent as floats, of the shape of what it belongs to."""
    found = np.asarray(given, dtype=float)
    if found.shape != shape:
        raise InputError(f"The cotangent has shape {found.shape}; {shape} is needed.")
    return found


def _transpose(matrices: Array) -> Array:
    return np.swapaxes(matrices, -1, -2)


def _mask(matrices: Array, rows: Array) -> Array:
    """The rows and columns that are chosen, and the identity elsewhere."""
    both = rows[:, :, None] & rows[:, None, :]
    return np.where(both, matrices, np.eye(matrices.shape[1]))


def _pseudoinverse(matrices: Array) -> Array:
    """Inverses of symmetric matrices; pseudoinverses of those that are singular in effect."""
    if not matrices.shape[1]:
        return matrices
    roots = np.sqrt(np.maximum(np.einsum("bii->bi", matrices), 1e-300))
    scales = roots[:, :, None] * roots[:, None, :]
    scaled = matrices / scales
    found = _inverse_or_infinite(scaled)
    large = ~(np.abs(found).max(axis=(1, 2)) < _SINGULAR)
    if large.any():
        found[large] = np.linalg.pinv(scaled[large], rcond=1 / _SINGULAR, hermitian=True)
    return found / scales


def _inverse_or_infinite(matrices: Array) -> Array:
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        return np.full_like(matrices, np.inf)


def _relative(change: Triple, found: Triple) -> float:
    """The largest change of any part, measured by that part's size in its program."""
    worst = 0.0
    for part, whole in zip(change, found, strict=True):
        if part.shape[1]:
            scale = np.abs(whole).max(1) + 1e-300
            worst = max(worst, float((np.abs(part).max(1) / scale).max(initial=0)))
    return worst


# --- batches of monotone linear complementarity problems, by an interior point method


_ITERATIONS = 60
_LARGEST = 1e12
_REGULAR = 1e-10
_SWITCHES = 1_000


def active_rows(hessian: Array, offset: Array) -> Array:
    """Which rows have ``z > s`` where ``s = d + H z``, ``s >= 0``, ``z >= 0``, ``sᵀ z = 0``.

    Mehrotra's predictor-corrector method in floats, for H ``(batch, m, m)``, symmetric and positive
    semidefinite, and d ``(batch, m)``: a guess ``(batch, m)``, for the caller to check.  Where a
    problem has no solution its z grows without end, and the rows are of no use.
    """
    guess = np.zeros(offset.shape, dtype=bool)
    if not offset.size:
        return guess
    todo = np.arange(len(offset))
    scale = 1 + np.abs(offset).max(1, keepdims=True)
    z = np.ones_like(offset)
    s = np.maximum(offset + times(hessian, z), scale)
    for _ in range(_ITERATIONS):
        residual = offset + times(hessian, z) - s
        gap = (z * s).mean(1, keepdims=True)
        done = (gap < 1e-11 * scale) & (np.abs(residual).max(1, keepdims=True) < 1e-10 * scale)
        done |= ~(z.max(1, keepdims=True) < _LARGEST * scale)
        guess[todo] = z > s
        left = ~done[:, 0]
        if not left.any():
            break
        if not left.all():
            todo, scale, z, s, residual, gap = (a[left] for a in (todo, scale, z, s, residual, gap))
            hessian, offset = hessian[left], offset[left]
        z, s = _next(hessian, z, s, residual, gap)
    return guess


def regularised_rows(hessian: Array, offset: Array, guess: Array) -> Array:
    """Active rows of one problem with ``H + ε I``, from a guess, where H may be singular.

    The regularised matrix is positive definite, so that changing the side of the row of least
    index with a wrong sign ends (Murty 1974); and for ε to 0 its solution tends to the one of least
    norm, so that the rows serve for H as well.  They are a guess again where that did not end.
    """
    active = guess.copy()
    regular = hessian + _REGULAR * np.diag(hessian).max(initial=0.0) * np.eye(len(offset))
    for _ in range(_SWITCHES):
        z = np.zeros_like(offset)
        z[active] = np.linalg.solve(regular[np.ix_(active, active)], -offset[active])
        wrong = np.where(active, z < 0, offset + regular @ z < 0)
        if not wrong.any():
            break
        active[wrong.argmax()] ^= True
    return active


def _next(hessian: Array, z: Array, s: Array, residual: Array, gap: Array) -> tuple[Array, Array]:
    # (H + S/Z) dz = -residual - s + σμ/z
    # with dependent rows H is singular, and S/Z may become too small to repair that
    least = 1e-14 * np.einsum("bii->bi", hessian).max(1, keepdims=True) + 1e-300
    inverse = np.linalg.inv(hessian + np.eye(z.shape[1]) * np.maximum(s / z, least)[:, None, :])
    dz = times(inverse, -residual - s)
    ds = residual + times(hessian, dz)
    step = _step(z, s, dz, ds)
    ahead = ((z + step * dz) * (s + step * ds)).mean(1, keepdims=True)
    target = (ahead / gap) ** 3 * gap
    dz = times(inverse, -residual - s + (target - dz * ds) / z)
    ds = residual + times(hessian, dz)
    step = 0.995 * _step(z, s, dz, ds)
    return np.maximum(z + step * dz, 1e-150), np.maximum(s + step * ds, 1e-150)


def _step(z: Array, s: Array, dz: Array, ds: Array) -> Array:
    """The longest step up to 1 that keeps both positive."""
    both, change = np.concatenate([z, s], 1), np.concatenate([dz, ds], 1)
    ratios = np.ones_like(both)
    np.divide(-both, change, out=ratios, where=change < -1e-150)
    return np.minimum(ratios.min(1, keepdims=True), 1.0)
