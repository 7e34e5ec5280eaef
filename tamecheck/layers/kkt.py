"""Batches of Karush-Kuhn-Tucker systems, solved through the multipliers and refined.

A batch of 1 in front of data means that all programs share them; what follows from them is computed
once.

For a set of active rows the system in (y, z, ν) is

    Q y + Gᵀ z + Aᵀ ν = r,    G_a y = t on the active rows,    z = 0 on the others,    A y = u.

With ``P`` the inverse of Q on the null space of A it comes down to ``H_aa z_a = G_a y₀ - t`` with
``H = G P Gᵀ``, which is as large as the number of inequalities.  Residuals are accumulated in
NumPy's long double, which has 64 bits on x86, so that refinement reaches the solution of the stored
floats also where Q is badly conditioned; where it is a double, refinement helps less.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array

Triple = tuple[Array, Array, Array]
"""Something for y, for the inequalities and for the equations, each with the batch in front."""
Reduced = tuple[Array, Array]
"""The inverse of a symmetric matrix on some of its rows, 0 elsewhere, and which rows these are."""

_REFINEMENTS = 8
_CONVERGED = 1e-13
_DEPENDENT = 1e-11
_SINGULAR = 1e11
_CONSTANT = 1e-12


@dataclass(frozen=True, slots=True)
class Systems:
    """A batch of programs, with what every solve of their systems needs.

    Q, G and A have shapes ``(batch, n, n)``, ``(batch, m, n)``, ``(batch, k, n)``; ``inverse`` is
    that of Q, or of Q and a multiple of the identity where Q is singular: refinement then leads to
    the solution with Q.  ``equations`` are linearly independent rows of A, ``schur`` is
    ``(A Q⁻¹ Aᵀ)⁻¹`` for these, ``lift`` ``Q⁻¹ Aᵀ schur``, ``pg`` ``P Gᵀ`` and ``hessian``
    ``G P Gᵀ``.  ``constant`` are the inequalities whose value the equations fix, as where G has a
    zero row; ``unit`` is ``1 / √hessian_ii``, which measures a row in the norm of Q, and there 1.
    """

    Q: Array
    G: Array
    A: Array
    inverse: Array
    equations: Array
    schur: Array
    lift: Array
    pg: Array
    hessian: Array
    constant: Array
    unit: Array
    shifted: bool = False

    @classmethod
    def of(cls, Q: Array, G: Array, A: Array, shift: Any = 0.0) -> Systems:  # noqa: N803
        """The systems of Q, where ``Q + shift I`` is positive definite."""
        moved: Array = Q + shift * np.eye(Q.shape[-1])
        inverse: Array = np.linalg.inv(moved)
        qg, qa = inverse @ transpose(G), inverse @ transpose(A)
        image = A @ qa
        schur, equations = _inverse_on_basis(image, np.ones(image.shape[:2], dtype=bool))
        lift = qa @ schur
        pg = qg - lift @ (A @ qg)
        hessian = G @ pg
        hessian = (hessian + transpose(hessian)) / 2
        diagonal = np.einsum("bii->bi", hessian)
        shifted = bool(np.any(shift))
        if shifted:
            # the norm of Q and a little more tells too little
            constant = _is_combination(G, A)
        else:
            alone = np.matmul(G[:, :, None, :], transpose(qg)[..., None])[..., 0, 0]
            constant = diagonal <= _CONSTANT * alone
        pg = np.where(constant[:, None, :], 0.0, pg)
        hessian = np.where(constant[:, :, None] | constant[:, None, :], 0.0, hessian)
        unit = 1 / np.sqrt(np.where(constant, 1.0, np.maximum(diagonal, 1e-300)))
        return cls(Q, G, A, inverse, equations, schur, lift, pg, hessian, constant, unit, shifted)

    def select(self, programs: Array) -> Systems:
        """The systems of some programs of the batch."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)[:-1]}
        picked = {key: a if len(a) == 1 else a[programs] for key, a in arrays.items()}
        return replace(self, **picked)

    def reduce(self, active: Array) -> Reduced:
        """The inverse of the Hessian on linearly independent ones of the active rows."""
        rank = self.Q.shape[1] - self.equations.sum(1)
        return _inverse_on_basis(self.hessian, active & ~self.constant, rank)

    def solve(self, reduced: Reduced, right: Triple, start: Triple | None = None) -> Triple:
        """``(y, z, ν)`` for right-hand sides ``(r, t, u)``, refined in extended precision.

        The active rows are those of ``reduced``; entries of t off them do not matter.  Multipliers
        of other rows are 0, or as they are at the start, if there is one.
        """
        found = self._once(reduced, right) if start is None else start
        size = 1.0
        if self.shifted or start is not None:
            # a start may be far away, and so is what a shifted Q leads to first
            found = _sum(found, self._once(reduced, self.residual(reduced[1], found, right)))
            size = np.inf
        sizes = found
        for _ in range(_REFINEMENTS):
            change = self._once(reduced, self.residual(reduced[1], found, right))
            before, size = size, _relative(change, sizes)
            if not size < before / 2:
                break
            found = _sum(found, change)
            # errors shrink by the same factor in each step
            if size * min(size / before, 1.0) <= _CONVERGED:
                break
        return found

    def _once(self, reduced: Reduced, right: Triple) -> Triple:
        r, t, u = right
        free = times(self.inverse, r)
        start = free + times(self.lift, u - times(self.A, free))
        inverse, rows = reduced
        z = times(inverse, np.where(rows, times(self.G, start) - t, 0.0))
        nu = times(transpose(self.lift), r - times(transpose(self.G), z))
        return start - times(self.pg, z), z, nu - times(self.schur, u)

    def residual(self, active: Array, found: Triple, right: Triple) -> Triple:
        """What is missing in the three groups of equations, with one rounding."""
        y, z, nu = (a.astype(np.longdouble) for a in found)
        r, t, u = right
        first = r - times(self.Q, y) - times(transpose(self.G), z)
        first = first - times(transpose(self.A), nu)
        second = np.where(active, t - times(self.G, y), 0.0)
        third = u - times(self.A, y)
        return first.astype(float), second.astype(float), third.astype(float)

    def slack(self, h: Array, y: Array) -> Array:
        """``h - G y`` with one rounding."""
        return (h - times(self.G, y.astype(np.longdouble))).astype(float)

    def independent(self, tight: Array, rows: Array) -> Array:
        """For each program whether the gradients of the tight rows and of the equations are.

        The ``rows`` are a basis of those that are tight.
        """
        good: Array = np.asarray(self.equations.all(1) & ~(tight & self.constant).any(1))
        return good & (tight == rows).all(1)


def times(matrices: Array, vectors: Array) -> Array:
    """Matrix times vector for a batch."""
    if len(matrices) == 1:
        return vectors @ matrices[0].T
    return np.matmul(matrices, vectors[..., None])[..., 0]


def cotangent_of(given: Any, shape: tuple[int, ...]) -> Array:
    """A cotangent as floats, of the shape of what it belongs to."""
    found = np.asarray(given, dtype=float)
    if found.shape != shape:
        raise InputError(f"The cotangent has shape {found.shape}; {shape} is needed.")
    return found


def transpose(matrices: Array) -> Array:
    """The transposed matrices of a batch."""
    return np.swapaxes(matrices, -1, -2)


def _mask(matrices: Array, rows: Array) -> Array:
    """The rows and columns that are chosen, and the identity elsewhere."""
    both = rows[:, :, None] & rows[:, None, :]
    return np.where(both, matrices, np.eye(matrices.shape[1]))


def _is_combination(G: Array, A: Array) -> Array:  # noqa: N803 (the field's names)
    """Which rows of G are linear combinations of rows of A."""
    image = A @ transpose(G)
    inverse, _ = _inverse_on_basis(A @ transpose(A), np.ones(A.shape[:2], dtype=bool))
    left = np.linalg.norm(G - transpose(image) @ inverse @ A, axis=2)
    return left <= 1e-9 * np.linalg.norm(G, axis=2)


def _inverse_on_basis(matrices: Array, rows: Array, rank: Any = np.inf) -> Reduced:
    """Inverses of symmetric semidefinite matrices on independent ones of the rows; 0 elsewhere.

    More rows than the rank are dependent.
    """
    if not matrices.shape[1]:
        return np.zeros((len(rows), 0, 0)), rows
    roots = np.sqrt(np.maximum(np.einsum("bii->bi", matrices), 1e-300))
    scales = roots[:, :, None] * roots[:, None, :]
    scaled = matrices / scales
    many = rows.sum(1) > rank
    found = _inverse_or_infinite(_mask(scaled, rows & ~many[:, None]))
    large = np.flatnonzero(many | ~(np.abs(found).max(axis=(1, 2)) < _SINGULAR))
    if len(large):
        part = scaled if len(scaled) == 1 else scaled[large]
        rows = rows.copy()
        rows[large] = _basis(part, rows[large])
        found[large] = np.linalg.inv(_mask(part, rows[large]))
    return np.where(rows[:, :, None] & rows[:, None, :], found / scales, 0.0), rows


def _basis(matrices: Array, rows: Array) -> Array:
    """Rows at which a Cholesky factorisation with pivots has pivots that are not 0 in effect."""
    rest = np.where(rows, np.einsum("bii->bi", matrices), 0.0)
    matrices = np.broadcast_to(matrices, (len(rows), *matrices.shape[1:]))
    each, chosen = np.arange(len(rows)), np.zeros_like(rows)
    factor = np.zeros((len(rows), 0, rows.shape[1]))
    while True:
        k = rest.argmax(1)
        pivot = rest[each, k]
        good = pivot > _DEPENDENT
        if not good.any():
            return chosen
        chosen[each[good], k[good]] = True
        column = matrices[each, k] - np.matmul(factor[each, :, k][:, None, :], factor)[:, 0]
        column *= np.where(good, 1 / np.sqrt(np.where(good, pivot, 1.0)), 0.0)[:, None]
        factor = np.concatenate([factor, column[:, None, :]], axis=1)
        rest = np.where(chosen, 0.0, rest - column**2)


def _inverse_or_infinite(matrices: Array) -> Array:
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        return np.full_like(matrices, np.inf)


def _sum(first: Triple, second: Triple) -> Triple:
    return first[0] + second[0], first[1] + second[1], first[2] + second[2]


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
_GAP = 1e-11
_LARGEST = 1e12
_REGULAR = 1e-10
_SWITCHES = 1_000


def complementary(hessian: Array, offset: Array) -> tuple[Array, Array]:
    """Z and s with ``s = d + H z``, ``s >= 0``, ``z >= 0``, ``sᵀ z = 0``, nearly.

    Mehrotra's predictor-corrector method in floats, for H ``(batch, m, m)``, or shared, symmetric
    and positive semidefinite with a diagonal of ones, and d ``(batch, m)`` with negative entries of
    size 1: a guess, for the caller to check.  It tends to the analytic centre of the solutions, so
    that one of z and s is positive in each row where that can be.  Where a problem has no solution
    its z grows without end, and the guess is of no use.
    """
    found = np.zeros_like(offset), np.ones_like(offset)
    todo = np.flatnonzero((offset < 0).any(1))
    hessian, offset = (hessian if len(hessian) == 1 else hessian[todo]), offset[todo]
    z = np.ones_like(offset)
    s = np.maximum(offset + times(hessian, z), 1.0)
    for _ in range(_ITERATIONS):
        if not len(todo):
            break
        residual = offset + times(hessian, z) - s
        gap = (z * s).mean(1, keepdims=True)
        done = (gap < _GAP) & (np.abs(residual).max(1, keepdims=True) < _GAP)
        done |= ~(z.max(1, keepdims=True) < _LARGEST)
        found[0][todo], found[1][todo] = z, s
        left = ~done[:, 0]
        if not left.all():
            todo, z, s, residual, gap = (a[left] for a in (todo, z, s, residual, gap))
            hessian, offset = (hessian if len(hessian) == 1 else hessian[left]), offset[left]
        if len(todo):
            z, s = _next(hessian, z, s, residual, gap)
    return found


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
    matrix = hessian + np.eye(z.shape[1]) * np.maximum(s / z, 1e-14)[:, None, :]
    inverse = np.linalg.inv(matrix)
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
