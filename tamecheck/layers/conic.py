"""Cone programs as layers, through the residual map of their optimality conditions.

The layer is ``x(P, q, A, b) = argmin ½ xᵀPx + qᵀx  subject to  s = b - A x in K`` for a product K
of zero, nonnegative, second-order and semidefinite cones.  A pair (x, z) is optimal exactly if

    P x + q + Aᵀ z = 0    and    z - Π(z - s) = 0,

with Π the projection onto the dual cone, which is semialgebraic and Lipschitz; so the nonsmooth
implicit function theorem applies where the residual map's Jacobian is invertible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any, TypeAlias

import numpy as np

from tamecheck.errors import InputError, SolverError
from tamecheck.ir.tensor import Array
from tamecheck.layers.kkt import cotangent_of
from tamecheck.solvers.cone import cone_solution

Data: TypeAlias = tuple[Array, ...]
Blocks: TypeAlias = tuple[tuple[str, int], ...]

_WORST_CONDITION = 1e11


@dataclass(frozen=True, slots=True)
class ConicGradients:
    """Gradients of a loss in the data."""

    P: Array
    q: Array
    A: Array
    b: Array


@dataclass(frozen=True, slots=True)
class ConicSolution:
    """A solution with its multipliers, and how regular the residual map is there.

    ``residual`` is the largest entry of that map, ``condition`` the condition number of its
    Jacobian (infinite if singular), ``distance`` how far ``z - s`` is from a kink of the
    projection.
    """

    x: Array
    multipliers: Array
    residual: float
    condition: float
    distance: float
    data: Data
    cones: Blocks

    @property
    def weakly_active(self) -> bool:
        """Whether the point is within 1e-6 of a kink, where the gradient is one of several."""
        return self.distance <= 1e-6

    def vjp(self, cotangent: Any) -> ConicGradients:
        """Gradients of ``cotangent · x`` by one solve with the transposed Jacobian.

        Raises
        ------
        InputError
            If the Jacobian of the residual map is singular to working precision.
        """
        if self.condition > _WORST_CONDITION:
            raise InputError(
                f"The residual map's Jacobian is singular here (condition {self.condition:.1e}): "
                f"the solution or its multipliers are not unique, or there is a kink, so the "
                f"implicit function theorem does not apply."
            )
        given = cotangent_of(cotangent, self.x.shape)
        jacobian, projected = _jacobian(self.data, self.cones, self.x, self.multipliers)
        right = np.concatenate([given, np.zeros(len(self.multipliers))])
        first, last = np.split(np.linalg.solve(jacobian.T, right), [len(self.x)])
        second = projected.T @ last
        # dF = (dP x + dq + dAᵀ z, D (db - dA x)), and d(x, z) = -J⁻¹ dF
        outer = np.outer(first, self.x)
        matrix = -(np.outer(self.multipliers, first) - np.outer(second, self.x))
        return ConicGradients(P=-(outer + outer.T) / 2, q=-first, A=matrix, b=-second)


def conic_layer(
    P: Any,  # noqa: N803 (the field's names)
    q: Any,
    A: Any,  # noqa: N803
    b: Any,
    cones: Sequence[tuple[str, int]],
) -> ConicSolution:
    """Minimise ``½ xᵀPx + qᵀx`` subject to ``b - A x`` in a product of cones.

    Parameters
    ----------
    P, q, A, b
        Of shapes ``(n, n)``, ``(n,)``, ``(m, n)``, ``(m,)``; P symmetric positive semidefinite,
        and None for zero.
    cones
        ``("zero" | "nonnegative" | "second-order" | "semidefinite", rows)`` in the order of the
        rows.  A semidefinite k x k matrix takes ``k (k + 1) / 2`` rows: its upper triangle, column
        after column, with the entries off the diagonal times √2.

    Raises
    ------
    InputError
        If shapes do not fit, numbers are not finite, or P is not positive semidefinite.
    SolverError
        If no solution is found whose residual is confirmed.

    Notes
    -----
    Clarabel's point is improved by Newton steps on the residual map.
    """
    linear, matrix, right = (np.asarray(a, dtype=float) for a in (q, A, b))
    size = linear.size
    quadratic = np.zeros((size, size)) if P is None else np.asarray(P, dtype=float)
    blocks = tuple((str(kind), int(count)) for kind, count in cones)
    if matrix.shape != (right.size, size) or quadratic.shape != (size, size):
        raise InputError(f"A has shape {matrix.shape}; {(right.size, size)} is needed.")
    for kind, count in blocks:
        _require_cone(kind, count)
    if sum(count for _, count in blocks) != right.size:
        raise InputError("The cones' sizes do not add up to the number of rows.")
    data = (quadratic, linear, matrix, right)
    if not all(np.isfinite(a).all() for a in data):
        raise InputError("The data are finite numbers.")
    _require_convex(quadratic)
    x, z, residual = _improve(data, blocks, *cone_solution(*data, blocks))
    scale = 1 + max(float(np.abs(a).max(initial=0)) for a in (linear, right, x, z))
    if residual > 1e-7 * scale:
        raise SolverError(f"The solution's residual is {residual:.1e}, so it is not confirmed.")
    jacobian, _ = _jacobian(data, blocks, x, z)
    singular = np.linalg.svd(jacobian, compute_uv=False)
    condition = float(singular[0] / singular[-1]) if singular[-1] > 0 else np.inf
    point = z - right + matrix @ x
    distances = (_kink_distance(kind, point[rows]) for kind, rows in _slices(blocks))
    distance = min(distances, default=np.inf)
    return ConicSolution(x, z, residual, condition, distance, data, blocks)


def _require_convex(quadratic: Array) -> None:
    size = float(np.abs(quadratic).max(initial=0))
    if not np.allclose(quadratic, quadratic.T, rtol=1e-9, atol=1e-12 * size):
        raise InputError("P is not symmetric.")
    least = float(np.linalg.eigvalsh(quadratic)[0])
    if least < -1e-10 * size:
        raise InputError(f"The program is not convex: P has the eigenvalue {least:.3g}.")


def _improve(data: Data, blocks: Blocks, x: Array, z: Array) -> tuple[Array, Array, float]:
    residual = _residual(data, blocks, x, z)
    for _ in range(5):
        jacobian, _ = _jacobian(data, blocks, x, z)
        step = np.linalg.lstsq(jacobian, residual, rcond=1e-13)[0]
        new_x, new_z = x - step[: len(x)], z - step[len(x) :]
        new = _residual(data, blocks, new_x, new_z)
        if not np.abs(new).max() < np.abs(residual).max():
            break
        x, z, residual = new_x, new_z, new
    return x, z, float(np.abs(residual).max())


def _residual(data: Data, blocks: Blocks, x: Array, z: Array) -> Array:
    quadratic, linear, matrix, right = data
    point = z - (right - matrix @ x)
    image = [projection(kind, point[rows])[0] for kind, rows in _slices(blocks)]
    return np.concatenate([quadratic @ x + linear + matrix.T @ z, z - np.concatenate(image)])


def _jacobian(data: Data, blocks: Blocks, x: Array, z: Array) -> tuple[Array, Array]:
    """The residual map's Jacobian in (x, z), and that of the projection."""
    quadratic, _, matrix, right = data
    point = z - (right - matrix @ x)
    projected = np.zeros((len(z), len(z)))
    for kind, rows in _slices(blocks):
        projected[rows, rows] = projection(kind, point[rows])[1]
    low = np.hstack([-projected @ matrix, np.eye(len(z)) - projected])
    return np.vstack([np.hstack([quadratic, matrix.T]), low]), projected


def _slices(blocks: Blocks) -> Iterable[tuple[str, slice]]:
    start = 0
    for kind, count in blocks:
        yield kind, slice(start, start + count)
        start += count


# --- projections onto the duals of cones, with an element of their Clarke Jacobians


_KINDS = ("zero", "nonnegative", "second-order", "semidefinite")


def _require_cone(kind: str, rows: int) -> None:
    """Raise unless there is a cone of this kind with so many rows."""
    if kind not in _KINDS or rows < 1:
        raise InputError(f"A cone is one of {', '.join(_KINDS)}, with a positive number of rows.")
    if kind == "semidefinite" and _order(rows) * (_order(rows) + 1) // 2 != rows:
        raise InputError(f"{rows} rows are no triangle of a matrix.", hint="Use 1, 3, 6, 10, ..")


def projection(kind: str, point: Array) -> tuple[Array, Array]:
    """The projection of a point onto the dual cone, and an element of its Clarke Jacobian."""
    match kind:
        case "zero":
            return point, np.eye(len(point))
        case "nonnegative":
            return np.maximum(point, 0), np.diag((point > 0).astype(float))
        case "second-order":
            return _second_order(point)
        case _:
            return _semidefinite(point)


def _kink_distance(kind: str, point: Array) -> float:
    """How far the point is from those where the projection has a kink."""
    match kind:
        case "zero":
            return float("inf")
        case "nonnegative":
            return float(np.abs(point).min())
        case "second-order":
            norm = float(np.linalg.norm(point[1:]))
            return min(abs(norm - point[0]), abs(norm + point[0]))
        case _:
            return float(np.abs(np.linalg.eigvalsh(_matrix(point))).min())


def _second_order(point: Array) -> tuple[Array, Array]:
    eye = np.eye(len(point))
    t, v = point[0], point[1:]
    norm = float(np.linalg.norm(v))
    if norm <= t:
        return point, eye
    if norm <= -t:
        return np.zeros_like(point), np.zeros_like(eye)
    unit = v / norm
    image = (t + norm) / 2 * np.concatenate([[1.0], unit])
    derivative = np.empty_like(eye)
    derivative[0, 0], derivative[0, 1:], derivative[1:, 0] = 0.5, unit / 2, unit / 2
    ratio = t / norm
    derivative[1:, 1:] = ((1 + ratio) * np.eye(len(v)) - ratio * np.outer(unit, unit)) / 2
    return image, derivative


def _semidefinite(point: Array) -> tuple[Array, Array]:
    """``U max(λ, 0) Uᵀ`` and ``H -> U (Ω * UᵀHU) Uᵀ``, the divided differences of max(λ, 0)."""
    values, vectors = np.linalg.eigh(_matrix(point))
    positive = np.maximum(values, 0)
    image = _triangle((vectors * positive) @ vectors.T)
    # where both signs are the same the divided difference is 1 or 0
    low, high = np.minimum.outer(values, values), np.maximum.outer(values, values)
    mixed = (low <= 0) & (high > 0)
    spread = np.where(mixed, high - low, 1.0)
    weights = np.where(mixed, high / spread, (low > 0).astype(float))
    columns = [
        _triangle(vectors @ (weights * (vectors.T @ _matrix(unit) @ vectors)) @ vectors.T)
        for unit in np.eye(len(point))
    ]
    return image, np.stack(columns, axis=1)


def _order(rows: int) -> int:
    return (isqrt(8 * rows + 1) - 1) // 2


def _upper(order: int) -> tuple[Array, Array, Array]:
    """Rows and columns of the upper triangle, column after column, and the scale of each entry."""
    pairs = np.array([(i, j) for j in range(order) for i in range(j + 1)])
    rows, columns = pairs.T
    return rows, columns, np.where(rows == columns, 1.0, np.sqrt(2.0))


def _matrix(point: Array) -> Array:
    order = _order(len(point))
    rows, columns, scale = _upper(order)
    matrix = np.zeros((order, order))
    matrix[rows, columns] = matrix[columns, rows] = point / scale
    return matrix


def _triangle(matrix: Array) -> Array:
    rows, columns, scale = _upper(len(matrix))
    return matrix[rows, columns] * scale
