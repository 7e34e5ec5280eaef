"""Cone programs as layers, through the residual map of their optimality conditions.

The layer is ``x(P, q, A, b) = argmin ½ xᵀPx + qᵀx  subject to  s = b - A x in K`` for a product K
of zero, nonnegative, second-order, semidefinite, exponential and power cones.  A pair (x, z) is
optimal exactly if

    P x + q + Aᵀ z = 0    and    z - Π(z - s) = 0,

with Π the projection onto the dual cone, which is definable and Lipschitz; so the nonsmooth
implicit function theorem applies where the residual map's Jacobian is invertible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from tamecheck.errors import InputError, SolverError
from tamecheck.ir.tensor import Array
from tamecheck.layers.cones import Cone, project, require_cone, rows_of
from tamecheck.layers.kkt import cotangent_of, times
from tamecheck.solvers.cone import ConeSolver

_WORST_CONDITION, _USUAL = 1e11, 1e3
_NEWTON, _RESIDUAL = 6, 1e-7


@dataclass(frozen=True, slots=True)
class ConicGradients:
    """Gradients of a loss in the data."""

    P: Array
    q: Array
    A: Array
    b: Array


@dataclass(frozen=True, slots=True)
class ConicPrograms:
    """A batch of programs as they are solved, or a batch of 1 in front of shared P and A.

    Where data are far from size 1 they were multiplied by ``curvature``, ``force``, ``row`` and
    ``level`` (of P, q, A and b), and x by ``length``.
    """

    P: Array
    q: Array
    A: Array
    b: Array
    cones: tuple[Cone, ...]
    curvature: Array
    force: Array
    row: Array
    level: Array
    length: Array


@dataclass(frozen=True, slots=True)
class ConicSolution:
    """Solutions with their multipliers, and how regular the residual map is there.

    ``residual`` is the largest entry of that map, ``distance`` how far ``z - s`` is from a kink of
    the projection.  With a batch all of this has it in front; without one ``x`` has shape ``(n,)``
    and the rest are numbers.  What is not ``solved`` has x = NaN.
    """

    x: Array
    multipliers: Array
    residual: Any
    distance: Any
    solved: Any
    jacobian: Array
    projected: Array
    programs: ConicPrograms

    @property
    def weakly_active(self) -> Any:
        """Whether the point is within 1e-6 of a kink, where the gradient is one of several."""
        return self.distance <= 1e-6

    @property
    def condition(self) -> Any:
        """The condition number of the residual map's Jacobian, infinite if it is singular."""
        found = _condition(self.jacobian, _inverse(self.jacobian))
        return found if np.ndim(self.x) == 2 else float(found[0])

    @property
    def verdict(self) -> tuple[str, ...]:
        """For each program what holds for the derivative, in a sentence."""
        parts: tuple[Any, ...] = (self.solved, self.condition, self.weakly_active)
        flags: Any = zip(*(np.atleast_1d(part).tolist() for part in parts), strict=True)
        return tuple(
            "no solution was found"
            if not solved
            else "the solution or its multipliers are not unique, or there is a kink: no derivative"
            if condition > _WORST_CONDITION
            else "the point is at a kink: the gradient is one element of a conservative Jacobian"
            if weak
            else "the solution is differentiable here, and the gradient is its derivative"
            for solved, condition, weak in flags
        )

    def vjp(self, cotangent: Any) -> ConicGradients:
        """Gradients of ``Σ cotangent · x`` by one solve with the transposed Jacobian.

        Raises
        ------
        InputError
            If the Jacobian of the residual map is singular to working precision.
        """
        given = np.atleast_2d(cotangent_of(cotangent, self.x.shape))
        solved = np.atleast_1d(self.solved)
        inverse = _inverse(self.jacobian)
        condition = np.where(solved, _condition(self.jacobian, inverse), 0.0)
        worst = int(condition.argmax())
        if condition[worst] > _WORST_CONDITION:
            raise InputError(
                f"The residual map's Jacobian is singular in program {worst} (condition "
                f"{condition[worst]:.1e}): the solution or its multipliers are not unique, or "
                f"there is a kink, so the implicit function theorem does not apply."
            )
        data = self.programs
        x = np.where(solved[:, None], np.atleast_2d(self.x), 0.0) / data.length
        z = np.atleast_2d(self.multipliers) * _pressure(data)
        right = np.concatenate([given * data.length, np.zeros_like(z)], axis=1)
        transposed = np.swapaxes(self.jacobian, 1, 2)
        adjoint = times(np.swapaxes(inverse, 1, 2), right)
        adjoint += times(np.swapaxes(inverse, 1, 2), right - times(transposed, adjoint))
        lost = np.where((given == 0).all(1), 0.0, np.nan)
        adjoint = np.where(solved[:, None], adjoint, lost[:, None])
        first, last = adjoint[:, : x.shape[1]], adjoint[:, x.shape[1] :]
        second = times(np.swapaxes(self.projected, 1, 2), last)
        # dF = (dP x + dq + dAᵀ z, D (db - dA x)), and d(x, z) = -J⁻¹ dF
        outer = first[:, :, None] * x[:, None, :]
        matrix = second[:, :, None] * x[:, None, :] - z[:, :, None] * first[:, None, :]
        gradients = (
            -(outer + np.swapaxes(outer, 1, 2)) / 2 * data.curvature[:, :, None],
            -first * data.force,
            matrix * data.row[:, :, None],
            -second * data.level,
        )
        whole = np.ndim(self.x) == 2
        return ConicGradients(*(g if whole else g[0] for g in gradients))


def conic_layer(  # noqa: PLR0913 (the data of a program)
    P: Any,  # noqa: N803 (the field's names)
    q: Any,
    A: Any,  # noqa: N803
    b: Any,
    cones: Sequence[Cone],
    *,
    infeasible: Literal["raise", "nan"] = "raise",
) -> ConicSolution:
    """Minimise ``½ xᵀPx + qᵀx`` subject to ``b - A x`` in a product of cones.

    Parameters
    ----------
    P, q, A, b
        Of shapes ``(n, n)``, ``(n,)``, ``(m, n)``, ``(m,)``, each with a batch in front or shared
        by it; P symmetric positive semidefinite, and None for zero.
    cones
        ``("zero" | "nonnegative" | "second-order" | "semidefinite" | "exponential", rows)`` or
        ``("power", exponent)`` in the order of the rows.  A semidefinite k x k matrix takes
        ``k (k + 1) / 2`` rows: its upper triangle, column after column, with the entries off the
        diagonal times √2.  Exponential cones are ``y exp(x / y) <= z``, three rows each, as many as
        fit; a power cone is ``x^a y^(1 - a) >= |z|``.
    infeasible
        Whether a program without a solution raises an error, or has NaN as x and is not `solved`.

    Raises
    ------
    InputError
        If shapes do not fit, numbers are not finite, or P is not positive semidefinite.
    SolverError
        If no solution is found whose residual is confirmed.

    Notes
    -----
    Clarabel's points, one a program, are improved by Newton steps on the residual map.
    """
    data, whole = _read(P, q, A, b, cones)
    count, size = data.q.shape
    x, z = np.zeros((count, size)), np.zeros_like(data.b)
    solved = np.ones(count, dtype=bool)
    # those that share P and A share what the solver needs of them
    solvers = [
        ConeSolver(data.P[k % len(data.P)], data.A[k % len(data.A)], data.cones)
        for k in range(max(len(data.P), len(data.A)))
    ]
    for k in range(count):
        try:
            x[k], z[k] = solvers[k % len(solvers)](data.q[k], data.b[k])
        except SolverError:
            if infeasible == "raise":
                raise
            solved[k] = False
    point = _improve(data, x, z)
    limit = _RESIDUAL * (1 + np.abs(np.concatenate([data.q, data.b, point.x, point.z], 1)).max(1))
    bad = solved & ~(point.residual <= limit)
    if bad.any() and infeasible == "raise":
        worst = float(point.residual[bad].max())
        raise SolverError(f"The solution's residual is {worst:.1e}, so it is not confirmed.")
    solved &= ~bad
    x = np.where(solved[:, None], point.x * data.length, np.nan)
    found = (x, point.z / _pressure(data), point.residual, point.distance, solved)
    if not whole:
        x, z, residual, distance, good = (a[0] for a in found)
        found = (x, z, float(residual), float(distance), bool(good))
    return ConicSolution(*found, point.jacobian, point.projected, data)


def _pressure(data: ConicPrograms) -> Array:
    """What multipliers were multiplied by: the optimality conditions hold for all scales."""
    return data.force / data.row


def _read(P: Any, q: Any, A: Any, b: Any, cones: Sequence[Cone]) -> tuple[ConicPrograms, bool]:  # noqa: N803
    linear, matrix, right = (np.asarray(a, dtype=float) for a in (q, A, b))
    size = linear.shape[-1] if linear.ndim else 0
    quadratic = np.zeros((size, size)) if P is None else np.asarray(P, dtype=float)
    given = (quadratic, linear, matrix, right)
    rows = matrix.shape[-2] if matrix.ndim > 1 else 0
    shapes = (size, size), (size,), (rows, size), (rows,)
    batches = {a.shape[0] for a, s in zip(given, shapes, strict=True) if a.ndim == len(s) + 1}
    if len(batches) > 1:
        raise InputError(f"The batches have different lengths: {sorted(batches)}.")
    count = batches.pop() if batches else 1
    whole = any(a.ndim > len(s) for a, s in zip(given, shapes, strict=True))
    for array, shape, name in zip(given, shapes, "PqAb", strict=True):
        if array.shape not in (shape, (count, *shape)):
            raise InputError(f"{name} has shape {array.shape}; {shape} is needed.")
    kinds = tuple((str(kind), float(number)) for kind, number in cones)
    for kind, number in kinds:
        require_cone(kind, number)
    if sum(rows_of(cone) for cone in kinds) != rows:
        raise InputError("The cones' sizes do not add up to the number of rows.")
    if not all(np.isfinite(a).all() for a in given):
        raise InputError("The data are finite numbers.")
    matrices = [a if a.ndim == 3 else a[None] for a in (quadratic, matrix)]
    vectors = [np.broadcast_to(a, (count, a.shape[-1])) for a in (linear, right)]
    _require_convex(matrices[0])
    return _scale(matrices[0], vectors[0], matrices[1], vectors[1], kinds), whole


def _scale(P: Array, q: Array, A: Array, b: Array, cones: tuple[Cone, ...]) -> ConicPrograms:  # noqa: N803
    """The programs with data of size 1, where they are far from it."""

    def size(*arrays: Array) -> Array:
        most = [np.abs(a).max(axis=tuple(range(1, a.ndim)), initial=0) for a in arrays]
        found = np.max(np.broadcast_arrays(*most), axis=0)
        return np.exp2(np.round(np.log2(np.where(found > 0, found, 1.0))))[:, None]

    row = 1 / size(A)
    length = size(b) * row
    force = 1 / np.broadcast_to(size(P * length[:, :, None], q), length.shape)
    factors = [row, length, force]
    usual = all((f <= _USUAL).all() and (f >= 1 / _USUAL).all() for f in factors)
    ones = np.ones((len(q), 1))
    if usual:
        return ConicPrograms(P, q, A, b, cones, ones, ones, ones, ones, ones)
    row, length, force = (np.broadcast_to(f, ones.shape) for f in factors)
    curvature, level = force * length, row / length
    scaled = (P * curvature[:, :, None], q * force, A * row[:, :, None], b * level)
    return ConicPrograms(*scaled, cones, curvature, force, row, level, length)


def _require_convex(quadratic: Array) -> None:
    size = float(np.abs(quadratic).max(initial=0))
    if not np.allclose(quadratic, np.swapaxes(quadratic, 1, 2), rtol=1e-5, atol=1e-12 * size):
        raise InputError("P is not symmetric.")
    least = float(np.linalg.eigvalsh(quadratic)[:, 0].min()) if size else 0.0
    if least < -1e-10 * size:
        raise InputError(f"The program is not convex: P has the eigenvalue {least:.3g}.")


@dataclass(frozen=True, slots=True)
class _Point:
    """Primal and dual points with the residual map's value and derivative."""

    x: Array
    z: Array
    map: Array
    jacobian: Array
    projected: Array
    distance: Array

    @property
    def residual(self) -> Array:
        return np.abs(self.map).max(1, initial=0)


def _at(data: ConicPrograms, x: Array, z: Array) -> _Point:
    count, size = x.shape
    slack = data.b - times(data.A, x)
    image, projected, distance = project(data.cones, z - slack)
    value = [times(data.P, x) + data.q + times(np.swapaxes(data.A, 1, 2), z), z - image]
    jacobian = np.empty((count, size + z.shape[1], size + z.shape[1]))
    jacobian[:, :size, :size], jacobian[:, :size, size:] = data.P, np.swapaxes(data.A, 1, 2)
    jacobian[:, size:, :size] = -projected @ data.A
    jacobian[:, size:, size:] = np.eye(z.shape[1]) - projected
    return _Point(x, z, np.concatenate(value, axis=1), jacobian, projected, distance)


def _improve(data: ConicPrograms, x: Array, z: Array) -> _Point:
    """Newton steps, each kept in the programs where the residual falls."""
    point = _at(data, x, z)
    for _ in range(_NEWTON):
        step = _newton_step(point)
        new = _at(data, x - step[:, : x.shape[1]], z - step[:, x.shape[1] :])
        better = new.residual < point.residual
        if not better.any():
            break
        point = new if better.all() else _where(better, new, point)
        x, z = point.x, point.z
        if (point.residual <= 1e-15 * (1 + np.abs(x).max(1))).all():
            break
    return point


def _where(better: Array, new: _Point, old: _Point) -> _Point:
    def pick(name: str) -> Array:
        first, second = getattr(new, name), getattr(old, name)
        where: Any = np.where
        return where(better.reshape(-1, *[1] * (first.ndim - 1)), first, second)

    return _Point(*(pick(field.name) for field in fields(_Point)))


def _newton_step(point: _Point) -> Array:
    try:
        return np.linalg.solve(point.jacobian, point.map[..., None])[..., 0]
    except np.linalg.LinAlgError:
        return times(np.linalg.pinv(point.jacobian, rcond=1e-13), point.map)


def _inverse(jacobian: Array) -> Array:
    try:
        return np.linalg.inv(jacobian)
    except np.linalg.LinAlgError:
        found = np.full_like(jacobian, np.inf)
        for k, matrix in enumerate(jacobian):
            if np.linalg.matrix_rank(matrix) == len(matrix):
                found[k] = np.linalg.inv(matrix)
        return found


def _condition(jacobian: Array, inverse: Array) -> Array:
    sizes = [np.abs(a).sum(axis=1).max(axis=1, initial=0) for a in (jacobian, inverse)]
    return sizes[0] * sizes[1]
