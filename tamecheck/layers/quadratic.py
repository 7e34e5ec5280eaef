"""Quadratic programs as layers: batches solved through the dual, and differentiated implicitly.

The layer is ``y(Q, q, G, h, A, b) = argmin ½ yᵀQy + qᵀy  subject to  G y <= h, A y = b`` with Q
positive definite.  With ``P`` the inverse of Q on the null space of A and ``y₀`` the minimiser
under the equations alone, ``y = y₀ - P Gᵀ z`` where the multipliers solve the complementarity
problem ``s = d + H z, s >= 0, z >= 0, sᵀz = 0`` with ``H = G P Gᵀ`` and ``d = h - G y₀``.

Hypotheses of the derivative (nonsmooth implicit function theorem of Bolte, Le, Pauwels and
Silveti-Falls 2021, for this residual map): Q is positive definite and the gradients of the tight
constraints are linearly independent (LICQ).  Then the KKT matrix of every choice of weakly active
constraints is invertible, and each choice gives an element of a conservative Jacobian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from tamecheck.errors import InputError, SolverError
from tamecheck.ir.program import Column, Program, Row
from tamecheck.ir.tensor import Array
from tamecheck.layers.kkt import Systems, Triple, active_rows, cotangent_of, regularised_rows, times
from tamecheck.programs import Infeasible, solve

WEAKLY_ACTIVE = 1e-6
"""A constraint whose multiplier and slack are both at most this is flagged."""

_MOST_WEAK = 10
_ASYMMETRY = 1e-5  # of products in single precision
_SWITCHES = 30
_SIGN = 1e-12
_RESIDUAL = 1e-9
_PATIENCE = 20.0
_SMOOTH = "the solution is differentiable here, and the gradient is its derivative"
_KINK = "an inequality is weakly active: the gradient is one element of a conservative Jacobian"
_DEPENDENT = "the gradients of the tight constraints are linearly dependent (LICQ fails)"


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

    ``y`` has shape ``(batch, n)``, the ``multipliers`` of the inequalities and ``slack = h - G y``
    have ``(batch, m)``.  The ``active`` inequalities, those with a positive multiplier, were solved
    as equations.  ``complementarity`` is for each program the least ``max(multiplier, slack)``: 0
    at a kink of the solution map.  It is ``independent`` if the gradients of its tight constraints,
    weakly active ones and equations included, are linearly independent (LICQ); where they are not,
    the multipliers are not unique and the theorem behind `vjp` does not apply.
    """

    y: Array
    multipliers: Array
    equation_multipliers: Array
    slack: Array
    active: Array
    complementarity: Array
    independent: Array
    systems: Systems

    @property
    def weakly_active(self) -> Array:
        """For each program, whether some inequality is (nearly) weakly active.

        There the solution map has a kink, or one within the flagged distance, and the gradient is
        one element of a conservative Jacobian.
        """
        return self.complementarity <= WEAKLY_ACTIVE

    @property
    def verdict(self) -> tuple[str, ...]:
        """For each program what holds for the derivative, in a sentence."""
        return tuple(
            _DEPENDENT if not independent else _KINK if weak else _SMOOTH
            for independent, weak in zip(self.independent, self.weakly_active, strict=True)
        )

    def select(self, programs: Any) -> QuadraticSolution:
        """The programs of the batch that a mask or a list of positions names."""
        rows = np.asarray(programs)
        if rows.dtype != bool:
            rows = rows.astype(int)
        arrays: dict[str, Any] = {f.name: getattr(self, f.name)[rows] for f in fields(self)[:-1]}
        return QuadraticSolution(**arrays, systems=self.systems.select(rows))

    def vjp(self, cotangent: Any) -> QuadraticGradients:
        """Gradients of ``Σ cotangent · y``, by one symmetric solve a program.

        Parameters
        ----------
        cotangent
            Of the shape of ``y``.

        Raises
        ------
        InputError
            If the gradients of the tight constraints of some program are dependent.
        """
        dependent = np.flatnonzero(~self.independent)
        if len(dependent):
            raise InputError(
                f"There is no gradient to trust in program(s) {_list(dependent)} of the batch: "
                f"{_DEPENDENT}.",
                hint="Remove redundant rows, or go on with found.select(found.independent).",
            )
        return _backward(self, cotangent_of(cotangent, self.y.shape), self.active)

    def jacobian_vertices(self, index: int = 0) -> tuple[Array, ...]:
        """``dy/dq`` of one program for each choice of its weakly active inequalities.

        These are elements of the conservative Jacobian that the implicit function theorem gives.

        Raises
        ------
        InputError
            If more than ten inequalities are weakly active, or gradients are dependent.
        """
        one = self.select([index])
        if not one.independent[0]:
            raise InputError(f"There is no Jacobian: {_DEPENDENT}.")
        weak = np.flatnonzero(np.maximum(one.multipliers[0], one.slack[0]) <= WEAKLY_ACTIVE)
        if len(weak) > _MOST_WEAK:
            raise InputError(
                f"{len(weak)} inequalities are weakly active; at most {_MOST_WEAK} are listed."
            )
        found: list[Array] = []
        for choice in product((False, True), repeat=len(weak)):
            active = one.active.copy()
            active[0, weak] = choice
            rows = np.array([_backward(one, u[None], active).q[0] for u in np.eye(one.y.size)])
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
        If shapes do not fit, Q is not positive definite, the equations are dependent, or some
        program is infeasible, which is proved in rationals.
    SolverError
        If some program has no solution that can be confirmed.

    Notes
    -----
    Time is ``O(batch (n³ + m³ iterations))``.  The interior point method only guesses the active
    set; the solution is that of the active constraints as equations, whose signs are checked, and
    rows with a wrong sign change sides (Murty's least-index rule, which does not cycle).
    """
    data = _batch(Q, q, G, h, A, b)
    _require_convex(data[0])
    return _minimise(data)


def _minimise(data: tuple[Array, ...]) -> QuadraticSolution:
    Q, q, G, h, A, b = data  # noqa: N806
    systems = Systems.of(Q, G, A)
    free = -times(systems.inverse, q)
    start = free + times(systems.lift, b - times(A, free))
    # a row whose value is fixed is never active: it holds, or the signs will say that it does not
    offset = np.where(systems.constant, 1.0, h - times(G, start))
    active = active_rows(systems.hessian, offset)
    right = (-q, h, b)
    y, z, nu = systems.solve(active, right)
    slack = systems.slack(h, y)
    wrong = _wrong(active, z, slack) & ~systems.constant
    todo = np.flatnonzero(wrong.any(1))
    for attempt in range(_SWITCHES + 1):
        if not len(todo):
            break
        if attempt < _SWITCHES:
            active[todo, wrong[todo].argmax(1)] ^= True
        else:
            # with dependent rows changing sides may not end
            for k in todo:
                active[k] = regularised_rows(systems.hessian[k], offset[k], active[k])
        part = systems.select(todo)
        y[todo], z[todo], nu[todo] = part.solve(active[todo], (-q[todo], h[todo], b[todo]))
        slack[todo] = part.slack(h[todo], y[todo])
        wrong[todo] = _wrong(active[todo], z[todo], slack[todo]) & ~part.constant
        todo = todo[wrong[todo].any(1)]
    wrong |= systems.constant & (slack < -_RESIDUAL * (1 + np.abs(h)))
    bad = wrong.any(1) | ~_is_confirmed(systems, active, (y, z, nu), right)
    if bad.any():
        _refuse(data, int(bad.argmax()))
    z, slack = np.maximum(z, 0.0), np.where(active, 0.0, np.maximum(slack, 0.0))
    larger = np.maximum(z, slack)
    complementarity = larger.min(1) if larger.shape[1] else np.full(len(y), np.inf)
    independent = systems.independent(slack <= WEAKLY_ACTIVE)
    return QuadraticSolution(y, z, nu, slack, active, complementarity, independent, systems)


def _wrong(active: Array, z: Array, slack: Array) -> Array:
    """Active rows with a negative multiplier, and others that are violated."""
    if not z.shape[1]:
        return np.zeros_like(active)
    size = 1 + np.abs(z).max(1, keepdims=True)
    width = 1 + np.abs(slack).max(1, keepdims=True)
    return (active & (z < -_SIGN * size)) | (~active & (slack < -_SIGN * width))


def _is_confirmed(systems: Systems, active: Array, found: Triple, right: Triple) -> Array:
    """Whether the equations hold, each group measured by the numbers in it."""
    (y, z, nu), (r, t, u) = found, right

    def size(array: Array) -> Array:
        return np.abs(array).max(axis=tuple(range(1, array.ndim)), initial=0)

    # y may be 0, and is then as precise as the minimiser without constraints
    at = size(y) + size(times(systems.inverse, r))
    quadratic, above, equal = size(systems.Q), size(systems.G), size(systems.A)
    sizes = (
        size(r) + quadratic * at + above * size(z) + equal * size(nu),
        size(t) + above * at,
        size(u) + equal * at,
    )
    rest = systems.residual(active, found, right)
    # a number that is not finite is not confirmed either
    good = [size(part) <= _RESIDUAL * s for part, s in zip(rest, sizes, strict=True)]
    return np.logical_and.reduce(good)


def _refuse(data: tuple[Array, ...], index: int) -> None:
    """Say why a program has no solution: exactly where it is infeasible."""
    _, q, G, h, A, b = data  # noqa: N806
    columns = tuple(Column(f"y{j}", None) for j in range(q.shape[1]))
    rows = [_row(f"G{i}", a, None, h[index, i]) for i, a in enumerate(G[index])]
    rows += [_row(f"A{i}", a, b[index, i], b[index, i]) for i, a in enumerate(A[index])]
    answer = solve(Program(columns, tuple(rows)), certify=True, seconds=_PATIENCE).answer
    if isinstance(answer, Infeasible):
        raise InputError(f"Program {index} of the batch is infeasible, which is proved exactly.")
    raise SolverError(
        f"Program {index} of the batch has no solution that could be confirmed.",
        hint="Its data are very badly scaled, or its constraints nearly contradict each other.",
    )


def _row(name: str, entries: Array, lower: float | None, upper: float) -> Row:
    terms = tuple((j, Fraction(a)) for j, a in enumerate(entries.tolist()) if a)
    low = None if lower is None else Fraction(float(lower))
    return Row(name, terms, low, Fraction(float(upper)))


def _require_convex(Q: Array) -> None:  # noqa: N803 (the field's name)
    try:
        np.linalg.cholesky(Q)
    except np.linalg.LinAlgError:
        least, largest = np.linalg.eigvalsh(Q)[:, [0, -1]].T
        index = int((least / np.maximum(np.abs(largest), 1e-300)).argmin())
        if least[index] < -1e-12 * abs(largest[index]):
            raise InputError(
                f"Program {index} of the batch is not convex: Q has the eigenvalue "
                f"{least[index]:.3g}, so it is not positive definite."
            ) from None
        raise InputError(
            f"Q of program {index} of the batch is singular and not positive definite: its least "
            f"eigenvalue is 0 to working precision, so there may be several solutions.",
            hint="Add a multiple of the identity, or use conic_layer, which judges uniqueness.",
        ) from None


def _list(indices: Sequence[int] | Array) -> str:
    shown = ", ".join(str(k) for k in indices[:8])
    return f"{shown} and {len(indices) - 8} more" if len(indices) > 8 else shown


def _batch(*given: Any) -> tuple[Array, ...]:
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
    full[0] = _symmetric(full[0])
    return tuple(np.broadcast_to(a, (batch, *s)) for a, s in zip(full, inner, strict=True))


def _symmetric(Q: Array) -> Array:  # noqa: N803 (the field's name)
    """Q itself where it is symmetric, and its symmetric part where that is so up to rounding."""
    transposed = np.swapaxes(Q, -1, -2)
    skew = np.abs(Q - transposed).max(initial=0)
    if skew > _ASYMMETRY * np.abs(Q).max(initial=0):
        raise InputError("Q is not symmetric.")
    return (Q + transposed) / 2 if skew else Q


def _backward(found: QuadraticSolution, cotangent: Array, active: Array) -> QuadraticGradients:
    y, z, nu = found.y, found.multipliers, found.equation_multipliers
    zero = (cotangent, np.zeros_like(z), np.zeros_like(nu))
    wy, wz, wn = found.systems.solve(active, zero)

    def outer(left: Array, right: Array) -> Array:
        return left[:, :, None] * right[:, None, :]

    second = -(outer(wy, y) + np.swapaxes(outer(wy, y), -1, -2)) / 2
    above, equal = -(outer(z, wy) + outer(wz, y)), -(outer(nu, wy) + outer(wn, y))
    return QuadraticGradients(Q=second, q=-wy, G=above, h=wz, A=equal, b=wn)
