"""Projections onto the duals of cones, with an element of their Clarke Jacobians."""

from __future__ import annotations

from math import isqrt

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array

__all__ = ["KINDS", "kink_distance", "projection", "require_cone"]

KINDS = ("zero", "nonnegative", "second-order", "semidefinite")


def require_cone(kind: str, rows: int) -> None:
    """Raise unless there is a cone of this kind with so many rows.

    Raises
    ------
    InputError
        If the kind is none of `KINDS`, or the rows are not those of a cone.
    """
    if kind not in KINDS or rows < 1:
        raise InputError(f"A cone is one of {', '.join(KINDS)}, with a positive number of rows.")
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


def kink_distance(kind: str, point: Array) -> float:
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
