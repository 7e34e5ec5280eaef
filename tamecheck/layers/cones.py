"""Projections onto the duals of cones, with an element of their Clarke Jacobians, for batches.

With the projection onto a cone K itself, that onto its dual is ``v + Π_K(-v)`` (Moreau).  On the
smooth part of the boundary of an exponential or power cone a point is the sum of a multiple of a
point of the boundary and of a normal there; the projection is found as a root of one equation, and
its derivative by the implicit function theorem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt
from typing import TypeAlias

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array

Cone: TypeAlias = tuple[str, float]
"""A kind and its number of rows, or the exponent of a power cone."""
Projected: TypeAlias = tuple[Array, Array, Array]
"""Images ``(k, rows)``, derivatives ``(k, rows, rows)``, distances ``(k,)`` from a kink."""

_KINDS = ("zero", "nonnegative", "second-order", "semidefinite", "exponential", "power")
_ROOTS = 80
_LARGEST = 650.0


def require_cone(kind: str, size: float) -> None:
    """Raise unless there is a cone of this kind with so many rows, or with this exponent."""
    good = 0 < size < 1 if kind == "power" else size >= 1 and size == int(size)
    if kind not in _KINDS or not good:
        raise InputError(
            f"A cone is one of {', '.join(_KINDS)}, with a positive number of rows; of a power "
            f'cone, which has 3 rows, give the exponent between 0 and 1: ("power", 0.25).'
        )
    if kind == "semidefinite" and _order(int(size)) * (_order(int(size)) + 1) // 2 != size:
        raise InputError(f"{size} rows are no triangle of a matrix.", hint="Use 1, 3, 6, 10, ..")
    if kind == "exponential" and size % 3:
        raise InputError(f"Exponential cones have 3 rows each, so not {size} in all.")


def rows_of(cone: Cone) -> int:
    """The number of rows of a cone."""
    return 3 if cone[0] == "power" else int(cone[1])


def project(cones: Sequence[Cone], points: Array) -> Projected:
    """The projections of points ``(batch, rows)`` onto the dual of a product of cones."""
    batch, count = points.shape
    image, distance = np.empty_like(points), np.full(batch, np.inf)
    derivative = np.zeros((batch, count, count))
    for cone, rows in _groups(cones):
        blocks = points[:, rows].reshape(-1, rows.shape[1])
        found = _onto_dual(cone)(blocks)
        image[:, rows] = found[0].reshape(batch, *rows.shape)
        square = found[1].reshape(batch, *rows.shape, rows.shape[1])
        derivative[:, rows[:, :, None], rows[:, None, :]] = square
        distance = np.minimum(distance, found[2].reshape(batch, -1).min(1))
    return image, derivative, distance


def _groups(cones: Sequence[Cone]) -> list[tuple[Cone, Array]]:
    """Cones with the rows ``(number, size)`` of all that are alike."""
    found: dict[Cone, list[Array]] = {}
    start = 0
    for cone in cones:
        rows = np.arange(start, start + rows_of(cone))
        start += len(rows)
        kind = cone[0]
        size = {"zero": 1, "nonnegative": 1, "exponential": 3}.get(kind, len(rows))
        found.setdefault((kind, cone[1] if kind == "power" else size), []).append(
            rows.reshape(-1, size)
        )
    return [(cone, np.concatenate(blocks)) for cone, blocks in found.items()]


def _onto_dual(cone: Cone) -> Callable[[Array], Projected]:
    match cone[0]:
        case "zero":
            return lambda v: (v, np.ones((len(v), 1, 1)), np.full(len(v), np.inf))
        case "nonnegative":
            return lambda v: (np.maximum(v, 0), (v > 0).astype(float)[..., None], np.abs(v)[:, 0])
        case "second-order":
            return _second_order
        case "semidefinite":
            return _semidefinite
        case "exponential":
            return lambda v: _moreau(v, _exponential(-v))
        case _:
            return lambda v: _moreau(v, _power(-v, cone[1]))


def _moreau(points: Array, found: Projected) -> Projected:
    image, derivative, distance = found
    return points + image, np.eye(points.shape[1]) - derivative, distance


def _second_order(points: Array) -> Projected:
    t, v = points[:, 0], points[:, 1:]
    norm = np.linalg.norm(v, axis=1)
    inside, polar = norm <= t, norm <= -t
    unit = v / np.where(norm > 0, norm, 1.0)[:, None]
    ratio = (t / np.where(norm > 0, norm, 1.0))[:, None, None]
    size = points.shape[1]
    half = np.concatenate([np.ones((len(t), 1)), unit], axis=1)
    image = ((t + norm) / 2)[:, None] * half
    derivative = np.empty((len(t), size, size))
    derivative[:, 0, 0], derivative[:, 0, 1:], derivative[:, 1:, 0] = 0.5, unit / 2, unit / 2
    outer = unit[:, :, None] * unit[:, None, :]
    derivative[:, 1:, 1:] = ((1 + ratio) * np.eye(size - 1) - ratio * outer) / 2
    image[inside], derivative[inside] = points[inside], np.eye(size)
    image[polar], derivative[polar] = 0.0, 0.0
    return image, derivative, np.minimum(np.abs(norm - t), np.abs(norm + t))


def _semidefinite(points: Array) -> Projected:
    """``U max(λ, 0) Uᵀ`` and ``H -> U (Ω * UᵀHU) Uᵀ``, the divided differences of max(λ, 0)."""
    rows, columns, scale = _upper(_order(points.shape[1]))
    values, vectors = np.linalg.eigh(_matrices(points))
    positive = np.maximum(values, 0)
    image = ((vectors * positive[:, None, :]) @ np.swapaxes(vectors, 1, 2))[
        :, rows, columns
    ] * scale
    # where both signs are the same the divided difference is 1 or 0
    low = np.minimum(values[:, :, None], values[:, None, :])
    high = np.maximum(values[:, :, None], values[:, None, :])
    mixed = (low <= 0) & (high > 0)
    spread = np.where(mixed, high - low, 1.0)
    weights = np.where(mixed, high / spread, (low > 0).astype(float))
    units = _matrices(np.eye(points.shape[1]))
    turned = np.swapaxes(vectors, 1, 2)
    columns_of = [
        (vectors @ (weights * (turned @ unit @ vectors)) @ turned)[:, rows, columns] * scale
        for unit in units
    ]
    return image, np.stack(columns_of, axis=2), np.abs(values).min(1)


def _order(rows: int) -> int:
    return (isqrt(8 * rows + 1) - 1) // 2


def _upper(order: int) -> tuple[Array, Array, Array]:
    """Rows and columns of the upper triangle, column after column, and the scale of each entry."""
    pairs = np.array([(i, j) for j in range(order) for i in range(j + 1)])
    rows, columns = pairs.T
    return rows, columns, np.where(rows == columns, 1.0, np.sqrt(2.0))


def _matrices(points: Array) -> Array:
    order = _order(points.shape[1])
    rows, columns, scale = _upper(order)
    matrices = np.zeros((len(points), order, order))
    matrices[:, rows, columns] = matrices[:, columns, rows] = points / scale
    return matrices


# --- {(x, y, z): y exp(x / y) <= z, y > 0} and its closure


def _exponential(points: Array) -> Projected:
    x, y, z = points.T
    with np.errstate(all="ignore"):
        inside = (y > 0) & (z > 0) & (x <= y * np.log(z / y)) | (y == 0) & (x <= 0) & (z >= 0)
        # -(x, y, z) is in the dual cone
        polar = (x > 0) & (z < 0) & (np.log(x) + y / x <= 1 + np.log(-z))
        polar |= (x == 0) & (y <= 0) & (z <= 0)
        # points of the boundary with x / y beyond the range of exp are those at y = 0, or at z = 0
        steep = (x > 0) & (y < 0) & (1 - y / x > _LARGEST)
        flat = (x < 0) & (y > 0) & (x / y < -_LARGEST) & ~inside
        face = ~inside & ~polar & ((x <= 0) & (y <= 0) | steep | flat)
        root = ~(inside | polar | face)
        image, derivative = np.where(inside[:, None], points, 0.0), np.zeros((len(x), 3, 3))
        derivative[inside] = np.eye(3)
        kept = np.stack([np.minimum(x, 0), np.maximum(y, 0), np.maximum(z, 0)], axis=1)
        image[face] = kept[face]
        for k, column in enumerate((x < 0, y > 0, z > 0)):
            derivative[face, k, k] = column[face]
        distance = np.where(face, np.abs(points).min(1), _margin(x, y, z))
    if root.any():
        image[root], derivative[root], distance[root] = _on_curve(points[root])
    return image, derivative, distance


def _margin(x: Array, y: Array, z: Array) -> Array:
    """How far from the boundary a point is, by the gradient there; of the cone or of its polar."""
    slope = np.exp(np.minimum(x / y, 300))
    cone = (z - y * slope) / np.sqrt(1 + slope**2 * (1 + (1 - x / y) ** 2))
    ratio = np.exp(np.minimum(y / x - 1, 300))
    polar = (-z - x * ratio) / np.sqrt(1 + ratio**2 * (1 + (1 - y / x) ** 2))
    return np.where((y > 0) & (z > 0), cone, np.where(x > 0, polar, np.minimum(-y, -z)))


def _on_curve(points: Array) -> Projected:
    """Points that are ``σ (ρ, 1, e^ρ) + μ (1, 1 - ρ, -e^-ρ)`` with positive σ and μ (Friberg)."""
    x, y, z = points.T
    with np.errstate(all="ignore"):
        low = np.maximum(np.where(x > 0, 1 - y / x, -np.inf), np.where(y < 0, x / y, -np.inf))
        high = np.minimum(np.where(x < 0, 1 - y / x, np.inf), np.where(y > 0, x / y, np.inf))

        def value(rho: Array) -> tuple[Array, Array]:
            span = rho**2 - rho + 1
            sigma, mu = ((rho - 1) * x + y) / span, (x - rho * y) / span
            up, down = np.exp(rho), np.exp(-rho)
            change = up * (sigma + (x - (2 * rho - 1) * sigma) / span)
            change += down * (mu + (y + (2 * rho - 1) * mu) / span)
            return up * sigma - down * mu - z, change

        low, high = _bracket(value, low, high)
        rho = _root(value, low, high)
        span = rho**2 - rho + 1
        sigma: Array = ((rho - 1) * x + y) / span
        mu: Array = (x - rho * y) / span
        up, down = np.exp(rho), np.exp(-rho)
        # the equation for z tells the factor that is lost in a large exponential
        sigma[rho > 1] = ((z + down * mu) * down)[rho > 1]
        mu[rho < -1] = ((up * sigma - z) * up)[rho < -1]
        one = np.ones_like(rho)
        point = sigma[:, None] * np.stack([rho, one, up], axis=1)
        rest = mu[:, None] * np.stack([one, 1 - rho, -down], axis=1)
        return _at_surface(point, rest, lambda w: mu / sigma * (w[:, 0] - rho * w[:, 1]) ** 2)


def _at_surface(point: Array, rest: Array, bend: Callable[[Array], Array]) -> Projected:
    """A projection onto the smooth surface of a cone in space, and the normal that it takes away.

    Along the ray through the point the derivative is 1, along the normal 0, and along the unit
    vector w between 1 / (1 + bend(w)), where ``bend`` is the curvature times the normal's length.
    """
    ray, normal = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (point, rest))
    across = np.cross(normal, ray)
    share = 1 / (1 + bend(across))
    derivative = ray[:, :, None] * ray[:, None, :]
    derivative += share[:, None, None] * across[:, :, None] * across[:, None, :]
    distance = np.minimum(*(np.linalg.norm(part, axis=1) for part in (point, rest)))
    return point, derivative, distance


def _bracket(
    value: Callable[[Array], tuple[Array, Array]], low: Array, high: Array
) -> tuple[Array, Array]:
    """Finite ends between which an increasing function changes its sign."""
    step = np.ones_like(low)
    left = np.where(np.isfinite(low), low, high - step)
    right = np.where(np.isfinite(high), high, low + step)
    for _ in range(12):
        down = ~np.isfinite(low) & (value(left)[0] > 0)
        up = ~np.isfinite(high) & (value(right)[0] < 0)
        if not (down.any() or up.any()):
            break
        step *= 2
        left, right = np.where(down, left - step, left), np.where(up, right + step, right)
    return left, right


def _root(value: Callable[[Array], tuple[Array, Array]], low: Array, high: Array) -> Array:
    """The zero of an increasing function, by Newton steps that stay in a shrinking bracket."""
    at = (low + high) / 2
    done = np.zeros(at.shape, dtype=bool)
    for k in range(_ROOTS):
        height, slope = value(at)
        low, high = np.where(height <= 0, at, low), np.where(height >= 0, at, high)
        step = at - height / slope
        # far from the zero of an exponential Newton's steps have length 1
        newton = (step > low) & (step < high) & (k % 3 < 2)
        new = np.where(newton, step, (low + high) / 2)
        done |= np.abs(step - at) <= 1e-15 * (1 + np.abs(at))
        done |= high - low <= 1e-15 * (1 + np.abs(at))
        if done.all():
            break
        at = np.where(done, at, new)
    return at


# --- {(x, y, z): x^a y^(1-a) >= |z|, x >= 0, y >= 0}


def _power(points: Array, exponent: float) -> Projected:
    x, y, z = points.T
    a, b, far = exponent, 1 - exponent, np.abs(z)
    plus = np.maximum(points[:, :2], 0)
    inside = (x >= 0) & (y >= 0) & (plus[:, 0] ** a * plus[:, 1] ** b >= far)
    minus = np.maximum(-points[:, :2], 0)
    polar = (x <= 0) & (y <= 0) & ((minus[:, 0] / a) ** a * (minus[:, 1] / b) ** b >= far)
    flat = ~inside & ~polar & (far == 0)
    root = ~(inside | polar | flat)
    image, derivative = np.where(inside[:, None], points, 0.0), np.zeros((len(x), 3, 3))
    derivative[inside] = np.eye(3)
    image[flat, :2] = plus[flat]
    derivative[flat, 0, 0], derivative[flat, 1, 1] = x[flat] > 0, y[flat] > 0
    # what is left of a small z decides between the exponents
    derivative[flat, 2, 2] = np.where(x[flat] > 0, b, a) < 0.5
    edge = np.minimum(plus[:, 0], plus[:, 1])
    level = np.abs(np.where(inside, plus[:, 0] ** a * plus[:, 1] ** b, 0.0) - far)
    distance = np.where(flat, 0.0, np.where(inside, np.minimum(edge, level), 0.0))
    lost = np.minimum(minus[:, 0], minus[:, 1])
    below = np.abs((minus[:, 0] / a) ** a * (minus[:, 1] / b) ** b - far)
    distance = np.where(polar, np.minimum(lost, below), distance)
    if root.any():
        image[root], derivative[root], distance[root] = _on_surface(points[root], exponent)
    return image, derivative, distance


def _on_surface(points: Array, exponent: float) -> Projected:
    """Points that are one with ``x^a y^(1-a) = |z|`` and a multiple of a normal (Hien)."""
    x, y, z = points.T
    a, b, far = exponent, 1 - exponent, np.abs(z)

    def parts(t: Array) -> tuple[Array, Array, Array, Array]:
        """The radius r and what is left of |z|, by the logarithm of their ratio, with x and y."""
        r, left = far / (1 + np.exp(-t)), far / (1 + np.exp(t))
        return r, left, _half_sum(x, 4 * a * r * left), _half_sum(y, 4 * b * r * left)

    low: Array = np.full_like(far, -_LARGEST)
    high: Array = np.full_like(far, _LARGEST)
    with np.errstate(all="ignore"):
        for _ in range(_ROOTS):
            r, force, px, py = parts((low + high) / 2)
            above = a * np.log(px) + b * np.log(py) >= np.log(r)
            low, high = (
                np.where(above, (low + high) / 2, low),
                np.where(above, high, (low + high) / 2),
            )
        r, force, px, py = parts((low + high) / 2)
        normal = np.stack([-a * r / px, -b * r / py, np.sign(z)], axis=1)
        point = np.stack([px, py, np.sign(z) * r], axis=1)
        share = a * b * r * force
        return _at_surface(
            point, force[:, None] * normal, lambda w: share * (w[:, 0] / px - w[:, 1] / py) ** 2
        )


def _half_sum(x: Array, gap: Array) -> Array:
    """``(x + √(x² + gap)) / 2``, also where x is negative and most of it goes."""
    root = np.sqrt(x**2 + gap)
    return np.where(x > 0, x + root, gap / (root - x)) / 2
