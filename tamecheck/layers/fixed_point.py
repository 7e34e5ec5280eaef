"""Fixed points as layers: monotone equilibrium networks ``z = max(W z + U x + b, 0)``.

Winston and Kolter (2020): if ``I - W`` has a symmetric part ``>= m I`` with ``m > 0``, then for
every x there is exactly one fixed point.  The same hypothesis makes ``I - D W`` invertible for
every diagonal D with entries in [0, 1], which is every element of a conservative Jacobian: from
``v = D y``, ``y = W v`` follows ``v_i y_i >= v_i²``, so ``vᵀ (I - W) v <= 0``, so ``v = 0``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.derivative.implicit.conditions import definite_margin, rational
from tamecheck.errors import InputError, SolverError
from tamecheck.ir.tensor import Array
from tamecheck.layers.kkt import cotangent_of

_ITERATIONS = 20_000


@dataclass(frozen=True, slots=True)
class Monotone:
    """Whether ``I - W`` is strongly monotone: ``margin`` is a proved m, or 0 if not proved."""

    holds: bool | None
    margin: Fraction
    why: str


def is_monotone(W: Any) -> Monotone:  # noqa: N803 (the field's name)
    """Whether the symmetric part of ``I - W`` is positive definite, decided for these floats.

    The proof is that of `tamecheck.derivative.implicit.conditions.definite_margin`; a direction
    without growth, checked in rationals, refutes.
    """
    matrix = np.asarray(W, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise InputError("W is a square matrix of finite numbers.")
    size = len(matrix)
    operator = rational(np.eye(size)) - rational(matrix)
    margin = definite_margin(operator)
    if margin is not None:
        why = f"the symmetric part of I - W is at least {float(margin):.4g} I, proved by balls"
        return Monotone(holds=True, margin=margin, why=why)
    direction = rational(np.linalg.eigh(np.eye(size) - (matrix + matrix.T) / 2)[1][:, :1])
    if (direction.transpose() * operator * direction)[0, 0] <= 0:
        why = "a direction v with vᵀ (I - W) v <= 0 exists"
        return Monotone(holds=False, margin=Fraction(0), why=why)
    return Monotone(None, Fraction(0), "I - W is too near a singular symmetric part for floats")


@dataclass(frozen=True, slots=True)
class EquilibriumGradients:
    """Gradients of a loss in the data."""

    W: Array
    U: Array
    b: Array
    x: Array


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """Fixed points of a batch, with the hypothesis that makes them differentiable."""

    z: Array
    monotone: Monotone
    residual: float
    active: Array
    kink: Array
    data: tuple[Array, Array, Array, Array]

    def vjp(self, cotangent: Any) -> EquilibriumGradients:
        """Gradients of ``Σ cotangent · z``: one solve with ``(I - D W)ᵀ`` a row."""
        _, u, _, x = self.data
        adjoint = self._adjoint(cotangent)
        return EquilibriumGradients(
            W=adjoint.T @ self.z, U=adjoint.T @ x, b=adjoint.sum(0), x=adjoint @ u
        )

    def rows_vjp(self, cotangent: Any) -> tuple[Array, Array, Array, Array]:
        """The same gradients in W, U, b and x of each row, which `vjp` sums."""
        _, u, _, x = self.data
        adjoint = self._adjoint(cotangent)
        left = adjoint[:, :, None]
        return left * self.z[:, None, :], left * x[:, None, :], adjoint, adjoint @ u

    def _adjoint(self, cotangent: Any) -> Array:
        w = self.data[0]
        given = cotangent_of(cotangent, self.z.shape)
        matrices = np.swapaxes(np.eye(len(w)) - self.active[:, :, None] * w, -1, -2)
        return np.linalg.solve(matrices, given[..., None])[..., 0] * self.active


def equilibrium_layer(
    W: Any,  # noqa: N803 (the field's names)
    U: Any,  # noqa: N803
    b: Any,
    x: Any,
    *,
    tolerance: float = 1e-12,
) -> Equilibrium:
    """The fixed points ``z = max(W z + U x + b, 0)`` for a batch of x.

    Parameters
    ----------
    W, U, b
        Of shapes ``(n, n)``, ``(n, d)`` and ``(n,)``.
    x
        ``(batch, d)``.
    tolerance
        The largest residual.

    Raises
    ------
    InputError
        If ``I - W`` is not proved strongly monotone, so that fixed points may be missing, several
        or not differentiable.
    SolverError
        If the iteration does not reach the tolerance.

    Notes
    -----
    Peaceman-Rachford splitting (Winston and Kolter 2020), which converges for every step size, and
    Newton steps on the active set, which are exact once that is right.
    """
    w, u, shift = (np.asarray(a, dtype=float) for a in (W, U, b))
    inputs = np.atleast_2d(np.asarray(x, dtype=float))
    monotone = is_monotone(w)
    if not monotone.holds:
        raise InputError(
            f"The fixed point is not shown to be unique: {monotone.why}.",
            hint="Use W = (1-m) I - AᵀA + B - Bᵀ with m > 0.",
        )
    size = len(w)
    if shift.shape != (size,) or u.shape != (size, inputs.shape[1]) or inputs.ndim != 2:
        raise InputError(
            f"W, U, b and x have shapes {w.shape}, {u.shape}, {shift.shape} and {inputs.shape}; "
            f"(n, n), (n, d), (n,) and (batch, d) are needed."
        )
    if not all(np.isfinite(a).all() for a in (u, shift, inputs)):
        raise InputError("U, b and x have entries that are not finite.")
    drive = inputs @ u.T + shift
    z, residual = _converge(w, drive, tolerance)
    before = z @ w.T + drive
    near = 1e-9 * (1 + float(np.abs(drive).max(initial=0)))
    kink = np.asarray((np.abs(before) <= near).any(1))
    return Equilibrium(z, monotone, residual, before > 0, kink, (w, u, shift, inputs))


def _converge(w: Array, drive: Array, tolerance: float) -> tuple[Array, float]:
    """The fixed points and the largest residual."""
    operator = np.eye(len(w)) - w
    step = 1 / np.linalg.norm(operator, 2)
    resolvent: Array = np.linalg.inv(np.eye(len(w)) + step * operator)
    scale = 1 + float(np.abs(drive).max(initial=0))
    z = reflected = np.maximum(drive, 0)
    residual = np.inf
    for iteration in range(_ITERATIONS):
        if iteration % 10 == 0:
            better = _newton(w, drive, z)
            residual = float(np.abs(better - np.maximum(better @ w.T + drive, 0)).max(initial=0))
            if residual <= tolerance * scale:
                return better, residual
        forward = 2 * z - reflected
        reflected = 2 * (forward + step * drive) @ resolvent.T - forward
        z = np.maximum(reflected, 0)
    raise SolverError(f"The fixed point was reached only to {residual:.1e}.")


def _newton(w: Array, drive: Array, z: Array) -> Array:
    """The fixed point with the present active set, for the rows where that is consistent."""
    active = z @ w.T + drive > 0
    matrices = np.eye(len(w)) - active[:, :, None] * w
    candidate = np.linalg.solve(matrices, (active * drive)[..., None])[..., 0]
    worse = np.abs(candidate - np.maximum(candidate @ w.T + drive, 0)).max(1)
    before = np.abs(z - np.maximum(z @ w.T + drive, 0)).max(1)
    return np.where((worse < before)[:, None], np.maximum(candidate, 0), z)
