"""Quadratic programs as layers: batches solved through the dual, and differentiated implicitly.

The layer is ``y(Q, q, G, h, A, b) = argmin ½ yᵀQy + qᵀy  subject to  G y <= h, A y = b`` with Q
positive definite.  With ``P`` the inverse of Q on the null space of A and ``y₀`` the minimiser
under the equations alone, ``y = y₀ - P Gᵀ z`` where the multipliers solve the complementarity
problem ``s = d + H z, s >= 0, z >= 0, sᵀz = 0`` with ``H = G P Gᵀ`` and ``d = h - G y₀``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from tamecheck.errors import InputError, SolverError
from tamecheck.ir.tensor import Array
from tamecheck.layers.complementarity import solve_complementarity

__all__ = ["QuadraticGradients", "QuadraticSolution", "quadratic_layer"]

WEAKLY_ACTIVE = 1e-6
"""A constraint whose multiplier and slack are both at most this is flagged."""


@dataclass(frozen=True, slots=True)
class QuadraticGradients:
    """Gradients of a loss with respect to the data, each of the data's shape."""

    Q: Array
    q: Array
    G: Array
    h: Array
    A: Array
    b: Array


@dataclass(frozen=True, slots=True)
class QuadraticSolution:
    """Solutions of a batch of quadratic programs.

    Parameters
    ----------
    y
        The minimisers, of shape ``(batch, n)``.
    multipliers
        Of the inequalities, ``(batch, m)``.
    equation_multipliers
        Of the equations, ``(batch, k)``.
    slack
        ``h - G y``.
    active
        The inequalities with a positive multiplier.
    complementarity
        For each program the least ``max(multiplier, slack)``: 0 at a kink of the solution map.
    independent
        For each program whether the gradients of its active constraints are independent.
    """

    y: Array
    multipliers: Array
    equation_multipliers: Array
    slack: Array
    active: Array
    complementarity: Array
    independent: Array
    data: tuple[Array, ...]
    inverses: tuple[Array, ...]

    @property
    def weakly_active(self) -> Array:
        """For each program, whether some inequality is (nearly) weakly active.

        There the solution map has a kink, or one within the flagged distance, and the gradient is
        one element of a conservative Jacobian.
        """
        return self.complementarity <= WEAKLY_ACTIVE

    def vjp(self, cotangent: Any) -> QuadraticGradients:
        """Gradients of ``Σ cotangent · y``, by one symmetric solve a program.

        Parameters
        ----------
        cotangent
            Of the shape of ``y``.
        """
        return _backward(self, np.asarray(cotangent, dtype=float), self.active)

    def jacobian_vertices(self, index: int = 0) -> tuple[Array, ...]:
        """``dy/dq`` of one program for each choice of its weakly active inequalities.

        Where the active constraints have independent gradients for every choice, these are
        elements of the conservative Jacobian that the implicit function theorem gives.

        Raises
        ------
        InputError
            If more than ten inequalities are weakly active, or gradients are dependent.
        """
        weak = np.flatnonzero(
            np.maximum(self.multipliers[index], self.slack[index]) <= WEAKLY_ACTIVE
        )
        if len(weak) > 10:
            raise InputError(f"{len(weak)} inequalities are weakly active; at most 10 are listed.")
        one = _single(self, index)
        size = one.y.shape[1]
        found: list[Array] = []
        for choice in product((False, True), repeat=len(weak)):
            active = one.active.copy()
            active[0, weak] = choice
            if not _independent(one, active)[0]:
                raise InputError("The gradients of the active constraints are dependent.")
            rows = np.array([_backward(one, unit[None], active).q[0] for unit in np.eye(size)])
            if not any(np.allclose(rows, other, atol=1e-9) for other in found):
                found.append(rows)
        return tuple(found)


def quadratic_layer(  # noqa: PLR0913, PLR0917 (the data of a program)
    Q: Any,  # noqa: N803 (the field's names)
    q: Any,
    G: Any = None,  # noqa: N803
    h: Any = None,
    A: Any = None,  # noqa: N803
    b: Any = None,
) -> QuadraticSolution:
    """Minimise ``½ yᵀQy + qᵀy`` subject to ``G y <= h`` and ``A y = b`` for a batch.

    Parameters
    ----------
    Q, q
        ``(batch, n, n)`` or ``(n, n)``, symmetric positive definite; ``(batch, n)`` or ``(n,)``.
    G, h
        ``(batch, m, n)`` and ``(batch, m)``, or without the batch; None for no inequalities.
    A, b
        ``(batch, k, n)`` and ``(batch, k)``, or without the batch; None for no equations.

    Raises
    ------
    InputError
        If shapes do not fit, Q is not positive definite, or the equations are dependent.
    SolverError
        If some program has no solution that can be confirmed, as where it is infeasible.

    Notes
    -----
    Time is ``O(batch (n³ + m³ iterations))``.  The interior point method only finds the active
    set; the solution is that of the active constraints as equations, and is checked.
    """
    return _minimised(_batched(Q, q, G, h, A, b))


def _minimised(data: tuple[Array, ...]) -> QuadraticSolution:
    Q, q, G, h, A, b = data  # noqa: N806
    try:
        np.linalg.cholesky(Q)
    except np.linalg.LinAlgError:
        raise InputError("Q is not positive definite in some program.") from None
    rows = G.shape[1]
    right = np.concatenate([q[..., None], np.swapaxes(G, -1, -2), np.swapaxes(A, -1, -2)], axis=2)
    solved: Array = np.linalg.solve(Q, right)
    unconstrained, qg, qa = -solved[..., 0], solved[..., 1 : rows + 1], solved[..., rows + 1 :]
    schur = A @ qa
    try:
        inverse: Array = np.linalg.inv(schur)
    except np.linalg.LinAlgError:
        raise InputError("The equations are linearly dependent in some program.") from None
    lift = qa @ inverse
    y0 = unconstrained + _times(lift, b - _times(A, unconstrained))
    pg = qg - lift @ (A @ qg)
    hessian = G @ pg
    hessian = (hessian + np.swapaxes(hessian, -1, -2)) / 2
    offset = h - _times(G, y0)
    z, active, complementarity = solve_complementarity(hessian, offset)
    y = y0 - _times(pg, z)
    nu = -_times(inverse, _times(A, _times(qg, z) - unconstrained) + b)
    slack = np.where(active, 0.0, h - _times(G, y))
    _confirm(data, y, z)
    found = QuadraticSolution(
        y, z, nu, slack, active, complementarity, np.ones(len(y), bool), data,
        (pg, hessian, lift),
    )  # fmt: skip
    return QuadraticSolution(
        y, z, nu, slack, active, complementarity, _independent(found, active), data,
        found.inverses,
    )  # fmt: skip


def _times(matrices: Array, vectors: Array) -> Array:
    return np.matmul(matrices, vectors[..., None])[..., 0]


def _batched(*given: Any) -> tuple[Array, ...]:
    arrays = [None if a is None else np.asarray(a, dtype=float) for a in given]
    q = arrays[1]
    if q is None or q.ndim not in (1, 2):
        raise InputError("q has the shape (batch, n) or (n,).")
    size = q.shape[-1]
    for matrix, vector, name in ((2, 3, "G"), (4, 5, "A")):
        if (arrays[matrix] is None) != (arrays[vector] is None):
            raise InputError(f"Give both {name} and its right-hand side, or neither.")
        if arrays[matrix] is None:
            arrays[matrix], arrays[vector] = np.zeros((0, size)), np.zeros(0)
    ranks = (2, 1, 2, 1, 2, 1)
    full = [a for a in arrays if a is not None]
    batches = {a.shape[0] for a, rank in zip(full, ranks, strict=True) if a.ndim == rank + 1}
    if len(batches) > 1:
        raise InputError(f"The batches have different lengths: {sorted(batches)}.")
    batch = batches.pop() if batches else 1
    inner = ((size, size), (size,), (full[2].shape[-2], size), (full[2].shape[-2],))
    inner += ((full[4].shape[-2], size), (full[4].shape[-2],))
    for array, shape, name in zip(full, inner, "QqGhAb", strict=True):
        if array.shape not in (shape, (batch, *shape)):
            raise InputError(f"{name} has shape {array.shape}; {(batch, *shape)} is needed.")
        if not np.isfinite(array).all():
            raise InputError(f"{name} has entries that are not finite.")
    if not np.allclose(full[0], np.swapaxes(full[0], -1, -2), rtol=1e-9, atol=1e-12):
        raise InputError("Q is not symmetric.")
    return tuple(np.broadcast_to(a, (batch, *s)) for a, s in zip(full, inner, strict=True))


def _confirm(data: tuple[Array, ...], y: Array, z: Array) -> None:
    _, _, G, h, _, _ = data  # noqa: N806
    scale = 1 + np.abs(y).max(1) + np.abs(h).max(1, initial=0)
    outside = (_times(G, y) - h).max(1, initial=0) > 1e-7 * scale
    negative = z.min(1, initial=0) < -1e-7 * (1 + np.abs(z).max(1, initial=0))
    bad = np.flatnonzero(outside | negative | ~np.isfinite(y).all(1))
    if len(bad):
        raise SolverError(
            f"Program {bad[0]} of the batch has no solution that could be confirmed.",
            hint="It is infeasible, or very badly scaled.",
        )


def _independent(found: QuadraticSolution, active: Array) -> Array:
    hessian = found.inverses[1]
    if not hessian.shape[1]:
        return np.ones(len(hessian), bool)
    scale = np.sqrt(np.maximum(np.einsum("bii->bi", hessian), 1e-300))
    scaled = hessian / scale[:, :, None] / scale[:, None, :]
    return np.linalg.eigvalsh(_masked(scaled, active))[:, 0] > 1e-10


def _masked(hessian: Array, active: Array) -> Array:
    """The rows and columns of active constraints, and the identity elsewhere."""
    both = active[:, :, None] & active[:, None, :]
    return np.where(both, hessian, np.eye(hessian.shape[1]))


def _backward(found: QuadraticSolution, cotangent: Array, active: Array) -> QuadraticGradients:
    if cotangent.shape != found.y.shape:
        raise InputError(
            f"The cotangent has shape {cotangent.shape}, the solution {found.y.shape}."
        )
    Q, _, G, _, A, _ = found.data  # noqa: N806
    pg, hessian, lift = found.inverses
    right = np.where(active, _times(np.swapaxes(pg, -1, -2), cotangent), 0.0)
    wz = _solve(_masked(hessian, active), right)
    wz = np.where(active, wz, 0.0)
    rest = cotangent - _times(np.swapaxes(G, -1, -2), wz)
    wn = _times(np.swapaxes(lift, -1, -2), rest)
    wy = np.linalg.solve(Q, (rest - _times(np.swapaxes(A, -1, -2), wn))[..., None])[..., 0]
    y, z, nu = found.y, found.multipliers, found.equation_multipliers
    outer = wy[:, :, None] * y[:, None, :]
    return QuadraticGradients(
        Q=-(outer + np.swapaxes(outer, -1, -2)) / 2,
        q=-wy,
        G=-(z[:, :, None] * wy[:, None, :] + wz[:, :, None] * y[:, None, :]),
        h=wz,
        A=-(nu[:, :, None] * wy[:, None, :] + wn[:, :, None] * y[:, None, :]),
        b=wn,
    )


def _solve(matrices: Array, right: Array) -> Array:
    try:
        return np.linalg.solve(matrices, right[..., None])[..., 0]
    except np.linalg.LinAlgError:
        # dependent active constraints: `independent` says so, and the least solution is as good
        return _times(np.linalg.pinv(matrices, hermitian=True), right)


def _single(found: QuadraticSolution, index: int) -> QuadraticSolution:
    def one(array: Array) -> Array:
        return array[index : index + 1]

    return QuadraticSolution(
        one(found.y),
        one(found.multipliers),
        one(found.equation_multipliers),
        one(found.slack),
        one(found.active),
        one(found.complementarity),
        one(found.independent),
        tuple(one(a) for a in found.data),
        tuple(one(a) for a in found.inverses),
    )
