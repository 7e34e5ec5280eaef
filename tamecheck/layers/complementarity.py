"""Batches of monotone linear complementarity problems, by an interior point method."""

from __future__ import annotations

import numpy as np

from tamecheck.ir.tensor import Array
from tamecheck.layers.kkt import times

__all__ = ["active_rows", "regularised_rows"]

_ITERATIONS = 60
_LARGEST = 1e12
_REGULAR = 1e-10
_SWITCHES = 1_000


def active_rows(hessian: Array, offset: Array) -> Array:
    """Which rows have ``z > s`` where ``s = d + H z``, ``s >= 0``, ``z >= 0``, ``sᵀ z = 0``.

    Mehrotra's predictor-corrector method in floats: a guess, for the caller to check.  Where a
    problem has no solution its z grows without end, and the rows are of no use.

    Parameters
    ----------
    hessian, offset
        H of shape ``(batch, m, m)``, symmetric and positive semidefinite, and d of shape
        ``(batch, m)``.

    Returns
    -------
    Array
        Booleans of shape ``(batch, m)``.
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
        z, s = _stepped(hessian, z, s, residual, gap)
    return guess


def regularised_rows(hessian: Array, offset: Array, guess: Array) -> Array:
    """Active rows of one problem with ``H + ε I``, from a guess, where H may be singular.

    The regularised matrix is positive definite, so that changing the side of the row of least
    index with a wrong sign ends (Murty 1974); and for ε to 0 its solution tends to the one of least
    norm, so that the rows serve for H as well.  They are a guess again where that did not end.

    Parameters
    ----------
    hessian, offset, guess
        Of shapes ``(m, m)``, ``(m,)``, ``(m,)``.
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


def _stepped(
    hessian: Array, z: Array, s: Array, residual: Array, gap: Array
) -> tuple[Array, Array]:
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
