"""Penalised regressions as layers: Lasso, elastic net and support vector machines.

Each is a fixed point of a proximal step.  On the set E of active coefficients the derivative in
the penalty solves a linear system with the matrix of E, invertible where that is positive
definite; off E it is zero, if no coefficient is at the edge of becoming active.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tamecheck.errors import InputError, SolverError
from tamecheck.ir.tensor import Array

__all__ = ["Penalised", "elastic_net_layer", "lasso_layer", "support_vector_layer"]

_SWEEPS = 100_000
_EDGE = 1e-9


@dataclass(frozen=True, slots=True)
class Penalised:
    """Coefficients, and their derivative in the penalty.

    Parameters
    ----------
    coefficients
        Of shape ``(n,)``.
    derivative
        ``d coefficients / d penalty``; one element of the conservative set where ``edge`` is true.
    active
        Which coefficients are not zero (for support vectors: multipliers inside their bounds).
    edge
        Whether a coefficient is about to change its state, so that the path has a kink here.
    """

    coefficients: Array
    derivative: Array
    active: Array
    edge: bool


def lasso_layer(X: Any, y: Any, penalty: float) -> Penalised:  # noqa: N803 (the field's name)
    """``argmin ½ |X β - y|² + λ |β|₁`` and its derivative in λ."""
    return elastic_net_layer(X, y, penalty, 0.0)


def elastic_net_layer(
    X: Any,  # noqa: N803 (the field's name)
    y: Any,
    penalty: float,
    ridge: float,
) -> Penalised:
    """``argmin ½ |X β - y|² + λ |β|₁ + ½ r |β|²`` and its derivative in λ.

    Raises
    ------
    InputError
        If shapes do not fit, a penalty is negative, or the active columns are dependent, so that
        there are several solutions.
    """
    matrix, target = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    if matrix.ndim != 2 or target.shape != matrix.shape[:1]:
        raise InputError("X has shape (samples, features), and y has a number a sample.")
    if not (penalty > 0 and ridge >= 0 and np.isfinite([penalty, ridge]).all()):
        raise InputError("The penalty is positive and the ridge at least 0.")
    gram = matrix.T @ matrix + ridge * np.eye(matrix.shape[1])
    moment = matrix.T @ target
    beta = _descend(gram, moment, penalty)
    active = beta != 0
    signs = np.sign(beta[active])
    part = gram[np.ix_(active, active)]
    if part.size and np.linalg.eigvalsh(part)[0] <= 1e-12 * np.abs(gram).max():
        raise InputError("The active columns are dependent: there are several solutions.")
    beta = np.zeros_like(beta)
    beta[active] = np.linalg.solve(part, moment[active] - penalty * signs)
    derivative = np.zeros_like(beta)
    derivative[active] = -np.linalg.solve(part, signs)
    slack = penalty - np.abs(moment - gram @ beta)[~active]
    scale = 1 + np.abs(moment).max(initial=0)
    if (np.sign(beta[active]) != signs).any() or (slack < -1e-7 * scale).any():
        raise SolverError("The active set of the penalised regression was not confirmed.")
    small = np.abs(beta[active]) <= _EDGE * scale
    return Penalised(beta, derivative, active, bool((slack <= _EDGE * scale).any() or small.any()))


def _descend(gram: Array, moment: Array, penalty: float) -> Array:
    """Cyclic coordinate descent; then the signs are those of the solution."""
    beta = np.zeros(len(moment))
    diagonal = np.diag(gram)
    for _ in range(_SWEEPS):
        largest = 0.0
        for j in np.flatnonzero(diagonal > 0):
            rest = moment[j] - gram[j] @ beta + diagonal[j] * beta[j]
            new = np.sign(rest) * max(abs(rest) - penalty, 0.0) / diagonal[j]
            largest = max(largest, abs(new - beta[j]))
            beta[j] = new
        if largest <= 1e-13 * (1 + np.abs(beta).max(initial=0)):
            return beta
    raise SolverError("Coordinate descent did not converge.")


def support_vector_layer(X: Any, y: Any, penalty: float) -> Penalised:  # noqa: N803
    """``argmin ½ |w|² + C Σ max(0, 1 - y_i wᵀx_i)`` and its derivative in C, without an intercept.

    The dual box problem ``min ½ |Σ α_i y_i x_i|² - Σ α_i, 0 <= α <= C`` is solved;
    w is unique.

    Raises
    ------
    InputError
        If shapes do not fit, labels are not ±1, or the support vectors inside the box are
        dependent.
    """
    matrix, labels = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    if matrix.ndim != 2 or labels.shape != matrix.shape[:1] or not np.isin(labels, (-1, 1)).all():
        raise InputError("X has shape (samples, features), and y a label -1 or 1 a sample.")
    if not penalty > 0:
        raise InputError("The penalty is positive.")
    rows = matrix * labels[:, None]
    gram = rows @ rows.T
    alpha = _box(gram, penalty)
    margin = 1 - gram @ alpha
    edge_size = _EDGE * (1 + penalty)
    free = (alpha > edge_size) & (alpha < penalty - edge_size)
    top = alpha >= penalty - edge_size
    part = gram[np.ix_(free, free)]
    if part.size and np.linalg.eigvalsh(part)[0] <= 1e-10 * np.abs(gram).max():
        raise InputError("The support vectors inside the box are dependent.")
    rate = top.astype(float)
    rate[free] = -np.linalg.solve(part, gram[np.ix_(free, top)].sum(1)) if free.any() else 0.0
    edge = bool((np.abs(margin)[~free] <= 1e-7).any())
    return Penalised(rows.T @ alpha, rows.T @ rate, free, edge)


def _box(gram: Array, penalty: float) -> Array:
    alpha = np.zeros(len(gram))
    diagonal = np.diag(gram)
    for _ in range(_SWEEPS):
        largest = 0.0
        for i in np.flatnonzero(diagonal > 0):
            new = min(max(alpha[i] + (1 - gram[i] @ alpha) / diagonal[i], 0.0), penalty)
            largest = max(largest, abs(new - alpha[i]))
            alpha[i] = new
        if largest <= 1e-13 * (1 + penalty):
            return np.where(diagonal > 0, alpha, penalty)
    raise SolverError("Coordinate descent did not converge.")
