"""Fixed points as layers: monotone equilibrium networks, and penalised regressions.

An equilibrium is ``z = max(W z + U x + b, 0)``.  Winston and Kolter (2020): if ``I - W`` has a
symmetric part ``>= m I`` with ``m > 0``, then for every x there is exactly one fixed point.  The
same hypothesis makes ``I - D W`` invertible for every diagonal D with entries in [0, 1], which is
every element of a conservative Jacobian: from ``v = D y``, ``y = W v`` follows ``v_i y_i >= v_i²``,
so ``vᵀ (I - W) v <= 0``, so ``v = 0``.

Lasso, elastic net and support vector machines are fixed points of a proximal step.  On the set E of
active coefficients the solution solves a linear system with the matrix of E, and so does its
derivative, by the implicit function theorem: the matrix has to be positive definite.  Off E the
solution is constant, if no coefficient is at the edge of changing its state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.derivative.implicit.conditions import definite_margin, rational
from tamecheck.errors import InputError, SolverError
from tamecheck.ir.tensor import Array
from tamecheck.layers.kkt import cotangent_of

_ITERATIONS, _SWEEPS, _LOOK = 20_000, 100_000, 20
_EDGE = 1e-9
_SEVERAL = "The columns with the largest correlation are dependent: there are several solutions."


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


@dataclass(frozen=True, slots=True)
class PenalisedGradients:
    """Gradients of a loss in the data; of labels there is none."""

    X: Array
    y: Array | None
    penalty: float
    ridge: float | None


@dataclass(frozen=True, slots=True)
class Penalised:
    """Coefficients, and their derivatives.

    ``derivative`` is that in the penalty; one element of the conservative set at an ``edge``, where
    a coefficient is about to change its state, so that the path has a kink.  The ``active``
    coefficients are not zero (for support vectors: multipliers inside their bounds).  ``pull`` goes
    from a cotangent of the coefficients to the gradients in the data.
    """

    coefficients: Array
    derivative: Array
    active: Array
    edge: bool
    pull: Callable[[Array], PenalisedGradients]

    def vjp(self, cotangent: Any) -> PenalisedGradients:
        """Gradients of ``cotangent · coefficients`` by one solve with the active matrix."""
        return self.pull(cotangent_of(cotangent, self.coefficients.shape))


def lasso_layer(X: Any, y: Any, penalty: float) -> Penalised:  # noqa: N803 (the field's name)
    """``argmin ½ |X β - y|² + λ |β|₁`` and its derivatives in X, y and λ."""
    return elastic_net_layer(X, y, penalty, 0.0)


def elastic_net_layer(
    X: Any,  # noqa: N803 (the field's name)
    y: Any,
    penalty: float,
    ridge: float,
) -> Penalised:
    """``argmin ½ |X β - y|² + λ |β|₁ + ½ r |β|²`` and its derivatives in X, y, λ and r.

    Parameters
    ----------
    X, y
        Of shapes ``(samples, features)`` and ``(samples,)``.
    penalty, ridge
        λ > 0 and r >= 0.

    Raises
    ------
    InputError
        If shapes do not fit, numbers are not finite, a penalty is out of its range, or the columns
        whose correlation with the residual is the largest (the equicorrelation set, Tibshirani
        2013) are dependent, so that there are several solutions.
    SolverError
        If the active set is not confirmed.
    """
    matrix, target = _regression(X, y)
    _require_penalties(penalty, ridge)
    gram = matrix.T @ matrix + ridge * np.eye(matrix.shape[1])
    moment = matrix.T @ target
    beta = _descend(gram, moment, penalty)
    active = beta != 0
    signs = np.sign(beta[active])
    part = gram[np.ix_(active, active)]
    derivative = np.zeros_like(beta)
    derivative[active] = -np.linalg.solve(part, signs)
    near = _EDGE * (1 + float(np.abs(moment).max(initial=0)))
    touching = active | (penalty - np.abs(moment - gram @ beta) <= near)
    if _dependent(gram, touching):
        raise InputError(_SEVERAL)
    edge = bool((touching & ~active).any() or (np.abs(beta[active]) <= near).any())

    def pull(cotangent: Array) -> PenalisedGradients:
        weight = np.zeros_like(beta)
        weight[active] = np.linalg.solve(part, cotangent[active])
        image = matrix @ weight
        rest = target - matrix @ beta
        return PenalisedGradients(
            X=np.outer(rest, weight) - np.outer(image, beta),
            y=image,
            penalty=float(-signs @ weight[active]),
            ridge=float(-beta @ weight),
        )

    return Penalised(beta, derivative, active, edge, pull)


def _regression(X: Any, y: Any) -> tuple[Array, Array]:  # noqa: N803 (the field's name)
    matrix, target = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    if matrix.ndim != 2 or target.shape != matrix.shape[:1]:
        raise InputError("X has shape (samples, features), and y has a number a sample.")
    if not (np.isfinite(matrix).all() and np.isfinite(target).all()):
        raise InputError("X and y have entries that are not finite.")
    return matrix, target


def _require_penalties(penalty: float, ridge: float) -> None:
    if not (penalty > 0 and ridge >= 0 and np.isfinite([penalty, ridge]).all()):
        raise InputError("The penalty is positive and the ridge at least 0, both finite.")


def _sweep(
    gram: Array,
    scale: float | None,
    update: Callable[[Array, int], float],
    confirm: Callable[[Array], Array | None],
) -> tuple[Array | None, Array]:
    """Cyclic coordinate descent until what it leads to is confirmed; that, and where it ended.

    It ends where changes are rounding, measured by ``scale`` or else by the numbers themselves.
    """
    found, point = None, np.zeros(len(gram))
    for sweep in range(1, _SWEEPS + 1):
        largest = 0.0
        for j in np.flatnonzero(np.diag(gram) > 0):
            new = update(point, int(j))
            largest = max(largest, abs(new - point[j]))
            point[j] = new
        size = np.abs(point).max(initial=0) if scale is None else scale
        still = largest <= 1e-13 * (1 + size)
        if still or sweep % _LOOK == 0:
            found = confirm(point)
        if still or found is not None:
            break
    return found, point


def _descend(gram: Array, moment: Array, penalty: float) -> Array:
    """The solution, from the signs that coordinate descent finds."""

    def update(beta: Array, j: int) -> float:
        rest = moment[j] - gram[j] @ beta + gram[j, j] * beta[j]
        return np.sign(rest) * max(abs(rest) - penalty, 0.0) / gram[j, j]

    found, beta = _sweep(
        gram, None, update, lambda beta: _with_signs(gram, moment, penalty, np.sign(beta))
    )
    if found is not None:
        return found
    if _dependent(gram, beta != 0):
        raise InputError(_SEVERAL)
    raise SolverError("The active set of the penalised regression was not confirmed.")


def _with_signs(gram: Array, moment: Array, penalty: float, signs: Array) -> Array | None:
    """The solution if it has these signs, by the optimality conditions; else None."""
    active = signs != 0
    if _dependent(gram, active):
        return None
    beta = np.zeros_like(moment)
    beta[active] = np.linalg.solve(
        gram[np.ix_(active, active)], moment[active] - penalty * signs[active]
    )
    forces = np.abs(moment - gram @ beta)[~active]
    tolerance = 1e-9 * (1 + np.abs(moment).max(initial=0))
    right = (np.sign(beta) == signs).all() and (forces <= penalty + tolerance).all()
    return beta if right else None


def _dependent(gram: Array, rows: Array) -> bool:
    part = gram[np.ix_(rows, rows)]
    return bool(part.size and np.linalg.eigvalsh(part)[0] <= 1e-12 * np.abs(gram).max())


def support_vector_layer(X: Any, y: Any, penalty: float) -> Penalised:  # noqa: N803
    """``argmin ½ |w|² + C Σ max(0, 1 - y_i wᵀx_i)`` and its derivatives in X and C.

    There is no intercept.  The dual ``min ½ |Σ α_i y_i x_i|² - Σ α_i, 0 <= α <= C`` is solved;
    w is unique.

    Parameters
    ----------
    X, y
        Of shapes ``(samples, features)`` and ``(samples,)``, the labels being ±1.
    penalty
        C > 0.

    Raises
    ------
    InputError
        If shapes do not fit, labels are not ±1, or the support vectors on the margin are
        dependent, so that the multipliers are not unique.
    SolverError
        If the sets of support vectors are not confirmed.
    """
    matrix, labels = _regression(X, y)
    if not np.isin(labels, (-1, 1)).all():
        raise InputError("The labels y are -1 or 1.")
    _require_penalties(penalty, 0.0)
    rows = matrix * labels[:, None]
    gram = rows @ rows.T
    alpha, free, top = _box(gram, penalty)
    pressed = rows[top].sum(0)
    part, inside = gram[np.ix_(free, free)], rows[free]
    w = rows.T @ alpha
    rate = pressed - inside.T @ _solve(part, inside @ pressed)
    margins = np.abs(1 - rows @ w)[~free]
    ends = np.minimum(alpha, penalty - alpha)[free]
    edge = bool((margins <= 1e-7).any() or (ends <= _EDGE * (1 + penalty)).any())

    def pull(cotangent: Array) -> PenalisedGradients:
        # adjoint of  w - R_fᵀ α_f = C R_tᵀ 1,  R_f w = 1
        q = _solve(part, inside @ cotangent)
        p = cotangent - inside.T @ q
        slopes = np.zeros_like(rows)
        slopes[free] = np.outer(alpha[free], p) - np.outer(q, w)
        slopes[top] = penalty * p
        return PenalisedGradients(
            X=slopes * labels[:, None], y=None, penalty=float(p @ pressed), ridge=None
        )

    return Penalised(w, rate, free, edge, pull)


def _solve(matrix: Array, right: Array) -> Array:
    return np.linalg.solve(matrix, right)


def _box(gram: Array, penalty: float) -> tuple[Array, Array, Array]:
    """Multipliers, those inside their bounds, and those at the upper one."""
    near = _EDGE * (1 + penalty)

    def sets(alpha: Array) -> tuple[Array, Array]:
        # a sample at the origin loses 1 whatever w is
        top = (alpha >= penalty - near) | (np.diag(gram) <= 0)
        return (alpha > near) & ~top, top

    def update(alpha: Array, i: int) -> float:
        return min(max(alpha[i] + (1 - gram[i] @ alpha) / gram[i, i], 0.0), penalty)

    found, alpha = _sweep(
        gram, penalty, update, lambda alpha: _with_sets(gram, penalty, *sets(alpha))
    )
    free, top = sets(alpha)
    if found is not None:
        return found, free, top
    if _dependent(gram, free):
        raise InputError("The support vectors on the margin are dependent.")
    raise SolverError("The sets of support vectors were not confirmed.")


def _with_sets(gram: Array, penalty: float, free: Array, top: Array) -> Array | None:
    """The multipliers if they have these sets, by the optimality conditions; else None."""
    if _dependent(gram, free):
        return None
    alpha = np.where(top, penalty, 0.0)
    right = 1 - gram[np.ix_(free, top)].sum(1) * penalty
    alpha[free] = np.linalg.solve(gram[np.ix_(free, free)], right)
    margin = 1 - gram @ alpha
    good = (margin[top] >= -1e-9).all() and (margin[~free & ~top] <= 1e-9).all()
    inside = (alpha[free] >= 0).all() and (alpha[free] <= penalty).all()
    return alpha if good and inside else None
