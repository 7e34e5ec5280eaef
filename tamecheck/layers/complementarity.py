"""Batches of monotone linear complementarity problems: interior point, then the active set."""

from __future__ import annotations

import numpy as np

from tamecheck.errors import SolverError
from tamecheck.ir.tensor import Array

__all__ = ["solve_complementarity"]

_ITERATIONS = 60
_SWITCHES = 50


def solve_complementarity(hessian: Array, offset: Array) -> tuple[Array, Array, Array]:
    """``s = d + H z``, ``s >= 0``, ``z >= 0``, ``sᵀ z = 0`` for symmetric ``H >= 0``, batched.

    Parameters
    ----------
    hessian, offset
        H of shape ``(batch, m, m)`` and d of shape ``(batch, m)``.

    Returns
    -------
    tuple of arrays
        z; the active set ``z > s``; and for each problem the least ``max(z, s)``.

    Raises
    ------
    SolverError
        If some problem is not solved, as where it has no solution.

    Notes
    -----
    Mehrotra's predictor-corrector method; then the active rows are solved as equations, and rows
    whose sign is wrong change sides, until none is.
    """
    batch, size = offset.shape
    if not size:
        empty: Array = np.zeros((batch, 0), dtype=bool)
        none: Array = np.array([np.inf] * batch)
        return offset, empty, none
    z, s = _interior(hessian, offset)
    active = z > s
    z, s, active = _polished(hessian, offset, z, active)
    larger: Array = np.where(z > s, z, s)
    return z, active, larger.min(axis=1)


def _interior(hessian: Array, offset: Array) -> tuple[Array, Array]:
    size = offset.shape[1]
    scale = 1 + np.abs(offset).max(1, keepdims=True)
    z = np.ones_like(offset)
    s = np.maximum(offset + _times(hessian, z), scale)
    eye = np.eye(size)
    for _ in range(_ITERATIONS):
        residual = offset + _times(hessian, z) - s
        gap = (z * s).sum(1, keepdims=True) / size
        if (gap < 1e-11 * scale).all() and (np.abs(residual) < 1e-10 * scale).all():
            break
        # (H + S/Z) dz = -residual - s + σμ/z
        matrices = hessian + eye * (s / z)[:, None, :]
        inverse = np.linalg.inv(matrices)
        dz = _times(inverse, -residual - s)
        ds = residual + _times(hessian, dz)
        step = _step(z, s, dz, ds)
        ahead = ((z + step * dz) * (s + step * ds)).sum(1, keepdims=True) / size
        target = (ahead / gap) ** 3 * gap
        dz = _times(inverse, -residual - s + (target - dz * ds) / z)
        ds = residual + _times(hessian, dz)
        step = 0.995 * _step(z, s, dz, ds)
        z = np.maximum(z + step * dz, 1e-150)
        s = np.maximum(s + step * ds, 1e-150)
        if not np.isfinite(z).all() or (z > 1e12 * scale).any():
            # the multipliers of an infeasible problem grow without end; the caller finds out
            break
    return z, s


def _times(matrices: Array, vectors: Array) -> Array:
    return np.matmul(matrices, vectors[..., None])[..., 0]


def _step(z: Array, s: Array, dz: Array, ds: Array) -> Array:
    """The longest step up to 1 that keeps both positive."""
    both, change = np.concatenate([z, s], 1), np.concatenate([dz, ds], 1)
    ratios = np.ones_like(both)
    np.divide(-both, change, out=ratios, where=change < -1e-150)
    return np.minimum(ratios.min(1, keepdims=True), 1.0)


def _polished(
    hessian: Array, offset: Array, rough: Array, active: Array
) -> tuple[Array, Array, Array]:
    size = offset.shape[1]
    eye = np.eye(size)
    scale = 1 + np.abs(offset).max(1, keepdims=True)
    found = np.zeros_like(offset)
    slack = np.zeros_like(offset)
    final = active.copy()
    todo = np.arange(len(offset))
    for _ in range(_SWITCHES):
        mask = final[todo]
        part, right = hessian[todo], offset[todo]
        both = mask[:, :, None] & mask[:, None, :]
        matrices = np.where(both, part, eye)
        z = _solved(matrices, np.where(mask, -right, 0.0))
        s = np.where(mask, 0.0, right + _times(part, z))
        found[todo], slack[todo] = z, s
        wrong = mask & (z < -1e-12 * (1 + np.abs(z).max(1, keepdims=True)))
        wrong |= ~mask & (s < -1e-12 * scale[todo])
        bad = wrong.any(1)
        if not bad.any():
            return np.maximum(found, 0.0), np.maximum(slack, 0.0), final
        # change sides one at a time: the row of least index, which does not cycle (Murty)
        first = wrong.argmax(1)
        rows = np.flatnonzero(bad)
        final[todo[rows], first[rows]] ^= True
        todo = todo[rows]
    residual = offset[todo] + _times(hessian[todo], rough[todo])
    raise SolverError(
        f"Program {todo[0]} of the batch has no solution that could be confirmed "
        f"(least slack {residual[0].min():.2g}).",
        hint="It is infeasible, or its constraints are dependent at the solution.",
    )


def _solved(matrices: Array, right: Array) -> Array:
    try:
        found = np.linalg.solve(matrices, right[..., None])[..., 0]
        if np.isfinite(found).all() and np.allclose(_times(matrices, found), right, atol=1e-8):
            return found
    except np.linalg.LinAlgError:
        pass
    return _times(np.linalg.pinv(matrices, rcond=1e-12, hermitian=True), right)
