"""Quadratic programs whose Q is singular: unique solutions, sets of solutions, or none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.errors import InputError, SolverError, package
from tamecheck.ir.program import Column, Program, Row
from tamecheck.ir.tensor import Array
from tamecheck.layers import quadratic_solve
from tamecheck.layers.kkt import Systems, Triple, times, transpose
from tamecheck.layers.quadratic_data import Programs
from tamecheck.programs import Infeasible, Optimal, solve
from tamecheck.solvers.cone import cone_solution

_SHIFT = 1e-5
_RANK = 1e-11
_MOST_SLACK = 1e8


def minimise_singular(
    data: Programs, *, least_norm: bool
) -> tuple[quadratic_solve.Core, Array, Array]:
    """Solutions for positive semidefinite Q, and whether each is unique, here and nearby.

    The active rows are guessed for Q with a small multiple of the identity; where that is not
    confirmed Clarabel guesses.
    """
    norms = np.linalg.norm(data.G, axis=2)
    norms = np.broadcast_to(np.where(norms > 0, norms, 1.0), data.h.shape)
    used = ~data.endless & (np.abs(data.G).max(2, initial=0) > 0)
    curvature = np.abs(data.Q).max(axis=(1, 2), initial=0)
    levels = np.where(used, np.abs(data.h) / norms, 0.0)
    reach = _size(levels, np.abs(data.b))
    slope = np.abs(data.q).max(1, initial=0)[:, None] / reach
    shift = np.where(curvature[:, None] > 0, curvature[:, None], np.where(slope > 0, slope, 1.0))
    shift = _SHIFT * (shift[:1] if (shift == shift[0]).all() else shift)
    systems = Systems.of(data.Q, data.G, data.A, shift[:, :, None])
    guess = quadratic_solve.Guess.of(data, systems).point(data, systems, ~systems.constant)
    core, bad = _from_guess(data, systems, norms, guess)
    todo = np.flatnonzero(bad)
    if len(todo):
        own = data.select(todo)
        part, still = _from_guess(own, systems.select(todo), norms[todo], _solver_guess(own))
        core = quadratic_solve.put_solutions(core, todo, part)
        bad[todo] = still
    core = quadratic_solve.settle(data, core, core.reduced[1] | (core.z > 0), bad)
    strong = core.z * core.pressure > quadratic_solve.WEAKLY_ACTIVE
    regular = _has_full_rank(data, strong)
    unique = regular | bad
    for k in np.flatnonzero(~unique):
        unique[k] = _is_unique(data.select(np.array([k])), strong[k], core.tight[k])
    several = np.flatnonzero(~unique)
    if least_norm and len(several):
        core = quadratic_solve.put_solutions(
            core, several, _least_norm(data.select(several), core.select(several))
        )
    return core, unique, regular


def _from_guess(
    data: Programs, systems: Systems, norms: Array, guess: Triple
) -> tuple[quadratic_solve.Core, Array]:
    """Solutions with the active rows of a guess, and which of them are not confirmed."""
    y, z, nu = guess
    slack = systems.slack(data.h, y)
    used = ~data.endless & (np.abs(data.G).max(2, initial=0) > 0) & (slack < _MOST_SLACK)
    reach = _size(y, np.where(used, np.abs(data.h) / norms, 0.0))
    curvature = np.abs(data.Q).max(axis=(1, 2), initial=0)[:, None]
    force = _size(data.q, curvature * np.abs(y).max(1, initial=0, keepdims=True))
    pressure, gap = norms / force, 1 / (norms * reach)
    active = (z * pressure > slack * gap) & ~systems.constant
    z = np.where(active, np.maximum(z, 0.0), 0.0)
    core = quadratic_solve.core_of(data, systems, systems.reduce(active), pressure, gap, (y, z, nu))
    return core, quadratic_solve.is_bad(data, core, active, reach[:, 0])


def _solver_guess(data: Programs) -> Triple:
    """Clarabel's solutions, 0 where it has none."""
    y, z, nu = (np.zeros_like(a) for a in (data.q, data.h, data.b))
    for k in range(len(data)):
        try:
            y[k], z[k], nu[k] = _guess(data.select(np.array([k])))
        except SolverError:
            continue
    return y, z, nu


def _size(first: Array, second: Array) -> Array:
    """The largest entry of both for each program, or 1."""
    most = np.maximum(np.abs(first).max(1, initial=0), np.abs(second).max(1, initial=0))
    return np.where(most > 0, most, 1.0)[:, None]


def _guess(one: Programs) -> tuple[Array, Array, Array]:
    """y, z and ν of one program by Clarabel, with data of size 1."""
    upper, lower = one.A[0], one.G[0]
    matrix, right = np.concatenate([upper, lower]), np.concatenate([one.b[0], one.h[0]])
    norms = np.linalg.norm(matrix, axis=1)
    norms = np.where(norms > 0, norms, 1.0)
    levels = np.abs(right / norms)
    levels[len(upper) :][one.endless[0] | (np.abs(lower).max(1, initial=0) == 0)] = 0.0
    length = float(np.median(levels[levels > 0])) if (levels > 0).any() else 1.0
    right[len(upper) :][one.endless[0]] = length
    quadratic, linear = one.Q[0] * length**2, one.q[0] * length
    force = (
        max(float(np.abs(quadratic).max(initial=0)), float(np.abs(linear).max(initial=0))) or 1.0
    )
    cones = [("zero", len(upper)), ("nonnegative", len(lower))]
    if not len(matrix):
        pinv: Any = np.linalg.pinv
        inverse = pinv(one.Q[0], hermitian=True)
        return -inverse @ one.q[0], one.h[0], one.b[0]
    x, multipliers = cone_solution(
        quadratic / force,
        linear / force,
        matrix / norms[:, None],
        right / norms / length,
        [(kind, number) for kind, number in cones if number],
    )
    multipliers = multipliers * force / length / norms
    return x * length, multipliers[len(upper) :], multipliers[: len(upper)]


def _has_full_rank(data: Programs, rows: Array) -> Array:
    """Whether no direction has Q d = 0 and A d = 0 and G d = 0 in these rows."""
    parts = [_unit(data.Q), _unit(data.A), np.where(rows[:, :, None], _unit(data.G), 0.0)]
    gram = sum((transpose(part) @ part for part in parts), np.zeros(()))
    return np.linalg.eigvalsh(gram)[:, 0] > _RANK


def _unit(matrices: Array) -> Array:
    """The rows with length 1."""
    norms = np.linalg.norm(matrices, axis=2, keepdims=True)
    return matrices / np.where(norms > 0, norms, 1.0)


def _is_unique(one: Programs, strong: Array, tight: Array) -> bool:
    """Whether no d ≠ 0 has ``Q d = 0, A d = 0``, ``G d = 0`` in strong, ``<= 0`` in tight rows."""
    if not _has_full_rank(one, tight[None])[0]:
        return False
    linprog: Any = package("scipy.optimize", "layers").linprog
    weak = _unit(one.G)[0][tight & ~strong]
    equal = np.concatenate([_unit(one.Q)[0], _unit(one.A)[0], _unit(one.G)[0][strong]])
    # the sum of what weak rows leave is bounded, and 0 only for d = 0
    found = linprog(
        weak.sum(0),
        A_ub=np.concatenate([weak, -weak]),
        b_ub=np.concatenate([np.zeros(len(weak)), np.ones(len(weak))]),
        A_eq=equal,
        b_eq=np.zeros(len(equal)),
        bounds=(None, None),
    )
    return bool(found.status == 0 and -found.fun < 1e-7)


def _least_norm(data: Programs, core: quadratic_solve.Core) -> quadratic_solve.Core:
    """The solutions of least norm: those have the same Q y and qᵀy."""
    batch = len(data)
    rows = [np.broadcast_to(a, (batch, *a.shape[1:])) for a in (data.A, data.Q, data.q[:, None, :])]
    equal = np.concatenate(rows, axis=1)
    levels = [data.b, times(data.Q, core.y), (data.q * core.y).sum(1, keepdims=True)]
    eye = np.eye(data.q.shape[1])[None]
    nearest = quadratic_solve.minimise(
        Programs(
            eye,
            np.zeros_like(data.q),
            data.G,
            data.h,
            equal,
            np.concatenate(levels, 1),
            data.endless,
        )
    )
    y = np.where(np.isnan(nearest.y), core.y, nearest.y)
    slack = np.maximum(core.systems.slack(data.h, y), 0.0)
    return replace(core, y=y, slack=np.where(data.endless, np.inf, slack))


_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a program has no solution here; it is ``proved`` that it has none at all, or not."""

    reason: str
    proved: bool

    def raise_for(self, index: int) -> None:
        """Raise the error for a program of the batch."""
        text = f"Program {index} of the batch {self.reason}."
        if self.proved:
            raise InputError(text)
        raise SolverError(
            text,
            hint="Its data are very badly scaled, or its constraints nearly contradict each other.",
        )


def failure(one: Programs) -> Failure:
    """Why one program has no solution: exactly where it is infeasible or unbounded."""
    answer = _answer(one.G[0], one.h[0], one.A[0], one.b[0])
    if isinstance(answer, Infeasible):
        return Failure("is infeasible, which is proved exactly", proved=True)
    # a direction of equal values along which qᵀy falls
    equal = np.concatenate([one.Q[0], one.A[0], one.q])
    levels = np.concatenate([np.zeros(len(equal) - 1), [-1.0]])
    ray = _answer(one.G[0], one.endless[0].astype(float), equal, levels)
    if isinstance(answer, Optimal) and isinstance(ray, Optimal):
        return Failure("is unbounded, which is proved exactly", proved=True)
    return Failure("has no solution that could be confirmed", proved=False)


def _answer(G: Array, h: Array, A: Array, b: Array) -> Any:  # noqa: N803 (the field's names)
    """What an exact linear program says of ``G y <= h`` and ``A y = b``."""
    columns = tuple(Column(f"y{j}", None) for j in range(G.shape[1]))
    rows = [_row(f"G{i}", a, None, h[i]) for i, a in enumerate(G)]
    rows += [_row(f"A{i}", a, b[i], b[i]) for i, a in enumerate(A)]
    return solve(Program(columns, tuple(rows)), certify=True, seconds=_PATIENCE).answer


def _row(name: str, entries: Array, lower: float | None, upper: float) -> Row:
    terms = tuple((j, Fraction(a)) for j, a in enumerate(entries.tolist()) if a)
    low = None if lower is None else Fraction(float(lower))
    return Row(name, terms, low, Fraction(float(upper)))
