"""Solutions of batches of quadratic programs, with the systems that differentiate them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.errors import InputError, SolverError, package
from tamecheck.ir.program import Column, Program, Row
from tamecheck.ir.tensor import Array
from tamecheck.layers.kkt import (
    Reduced,
    Systems,
    Triple,
    complementary,
    regularised_rows,
    times,
)
from tamecheck.layers.quadratic_data import Programs
from tamecheck.programs import Infeasible, Optimal, solve
from tamecheck.solvers.cone import cone_solution

WEAKLY_ACTIVE = 1e-6
"""A constraint whose multiplier and slack are both at most this is flagged, in relative terms."""

_SWITCHES = 30
_SIGN = 1e-12
_RESIDUAL = 1e-9
_MOST_SLACK = 1e8
_PATIENCE = 20.0
_SHIFT = 1e-7
_RANK = 1e-11


@dataclass(frozen=True, slots=True)
class Core:
    """Solutions of programs, with what differentiates them.

    ``z * pressure`` and ``slack * gap`` are multipliers and slacks in relative terms.  The rows of
    ``reduced`` are equations for derivatives: those that were solved as equations, or a basis of
    the tight ones where their gradients and those of the equations are not ``independent``.
    """

    systems: Systems
    reduced: Reduced
    y: Array
    z: Array
    nu: Array
    slack: Array
    pressure: Array
    gap: Array
    independent: Array

    def select(self, programs: Array) -> Core:
        """Some programs of the batch."""
        inverse, rows = self.reduced
        arrays = {f.name: getattr(self, f.name)[programs] for f in fields(self)[2:]}
        return replace(
            self,
            systems=self.systems.select(programs),
            reduced=(inverse[programs], rows[programs]),
            **arrays,
        )

    @property
    def larger(self) -> Array:
        """The larger one of multiplier and slack, in relative terms; ∞ for constant rows."""
        larger = np.maximum(self.z * self.pressure, self.slack * self.gap)
        return np.where(self.systems.constant, np.inf, larger)

    @property
    def tight(self) -> Array:
        """The rows whose slack is 0, or nearly."""
        return self.slack * self.gap <= WEAKLY_ACTIVE

    def adjoint(self, cotangent: Array, reduced: Reduced | None = None) -> Triple:
        """The solution of the KKT system with a cotangent at y as right-hand side."""
        zero = np.zeros_like(self.z), np.zeros_like(self.nu)
        return self.systems.solve(reduced or self.reduced, (cotangent, *zero))

    def smoothed_adjoint(self, cotangent: Array, size: float) -> Triple:
        """The same where ``multiplier · slack = size²``: rows are equations more or less."""
        systems = self.systems
        slack = np.minimum(self.slack * self.gap, _MOST_SLACK)
        change = self.z * self.pressure - slack
        root = np.sqrt(change**2 + 4 * size**2)
        # of two numbers with this difference and the product size²
        soft = np.where(change > 0, 2 * size**2 / (root + np.abs(change)), (root - change) / 2)
        ratio = soft**2 / size**2 * self.pressure / self.gap
        # rows as long as they are in the norm of Q, with what softens them
        unit = systems.unit / np.sqrt(1 + ratio * systems.unit**2)
        scales = unit[:, :, None] * unit[:, None, :]
        matrix = systems.hessian * scales + np.eye(ratio.shape[1]) * (ratio * unit**2)[:, None]
        free = times(systems.inverse, cotangent)
        start = free - times(systems.lift, times(systems.A, free))
        inverse = np.linalg.pinv(matrix, rcond=1e-14, hermitian=True) * scales
        wz = np.where(systems.constant, 0.0, times(inverse, times(systems.G, start)))
        pressed = cotangent - times(np.swapaxes(systems.G, -1, -2), wz)
        wn = times(np.swapaxes(systems.lift, -1, -2), pressed)
        return start - times(systems.pg, wz), wz, wn


def is_definite(Q: Array) -> bool:  # noqa: N803 (the field's name)
    """Whether all Q are positive definite to working precision.

    Raises
    ------
    InputError
        If one has a negative eigenvalue.
    """
    try:
        lower = np.einsum("bii->bi", np.linalg.cholesky(Q))
    except np.linalg.LinAlgError:
        lower = np.zeros(Q.shape[:2])
    if not Q.shape[1] or (lower.min(1) > 1e-7 * lower.max(1)).all():
        return True
    least, largest = np.linalg.eigvalsh(Q)[:, [0, -1]].T
    index = int((least / np.maximum(np.abs(largest), 1e-300)).argmin())
    if least[index] < -1e-12 * max(abs(largest[index]), abs(least[index])):
        raise InputError(
            f"Program {index} of the batch is not convex: Q has the eigenvalue {least[index]:.3g}, "
            f"so it is not positive semidefinite."
        )
    return bool((least > 1e-14 * largest).all())


def minimise(data: Programs) -> Core:
    """Solutions for positive definite Q; NaN where none is confirmed."""
    systems = Systems.of(data.Q, data.G, data.A)
    free = -times(systems.inverse, data.q)
    start = free + times(systems.lift, data.b - times(systems.A, free))
    # a row whose value is fixed is never active: it holds, or it will be found that it does not
    offset = np.where(systems.constant, 1.0, data.h - times(systems.G, start))
    unit = np.broadcast_to(systems.unit, offset.shape)
    far = np.maximum(-offset * unit, 0.0).max(1, initial=0)
    length = np.sqrt(np.maximum((start * times(systems.Q, start)).sum(1), 0.0))
    size = np.maximum(far, length)[:, None]
    size = np.where(size > 0, size, 1.0)
    pressure, gap = 1 / (unit * size), unit / size
    scaled = systems.hessian * systems.unit[:, :, None] * systems.unit[:, None, :]
    offset = np.minimum(np.where(systems.constant, 1.0, offset * gap), _MOST_SLACK)
    z, s = complementary(scaled, offset)
    active = (z > s) & ~systems.constant
    z = np.where(active, z / pressure, 0.0)
    nu = times(np.swapaxes(systems.lift, -1, -2), -data.q - times(_transposed(data.G), z))
    begin = (start - times(systems.pg, z), z, nu - times(systems.schur, data.b))
    core = _core(data, systems, systems.reduce(active), pressure, gap, begin)
    origin = np.abs(times(systems.inverse, data.q)).max(1, initial=0)
    wrong = _wrong(data, core, active, origin)
    todo = np.flatnonzero(wrong.any(1))
    for attempt in range(_SWITCHES + 1):
        if not len(todo):
            break
        if attempt < _SWITCHES:
            active[todo, wrong[todo].argmax(1)] ^= True
        else:
            # with dependent rows changing sides may not end
            _regularise(active, todo, scaled, offset)
        core = _again(data, core, active, todo)
        wrong = _wrong(data, core, active, origin)
        todo = np.flatnonzero(wrong.any(1))
    bad = wrong.any(1) | ~_is_confirmed(data, core, active, origin)
    todo = np.flatnonzero(bad)
    if len(todo):
        # rows that are not quite dependent may ask for too much
        _regularise(active, todo, scaled, offset)
        core = _again(data, core, active, todo)
        bad = _wrong(data, core, active, origin).any(1) | ~_is_confirmed(data, core, active, origin)
    return _settle(data, core, active, bad)


def _core(  # noqa: PLR0913, PLR0917 (what a solution consists of)
    data: Programs,
    systems: Systems,
    reduced: Reduced,
    pressure: Array,
    gap: Array,
    start: Triple | None = None,
) -> Core:
    y, z, nu = systems.solve(reduced, (-data.q, data.h, data.b), start)
    slack, independent = systems.slack(data.h, y), np.ones(len(y), dtype=bool)
    return Core(systems, reduced, y, z, nu, slack, pressure, gap, independent)


def _again(data: Programs, core: Core, active: Array, todo: Array) -> Core:
    """The solutions with other active rows in some programs."""
    part, own = core.select(todo), data.select(todo)
    reduced = part.systems.reduce(active[todo])
    part = _core(own, part.systems, reduced, part.pressure, part.gap)
    return _put(core, todo, part)


def _put(core: Core, todo: Array, part: Core) -> Core:
    """The core with other solutions of some programs."""

    def put(whole: Array, new: Array) -> Array:
        changed = np.array(whole)
        changed[todo] = new
        return changed

    names = ("y", "z", "nu", "slack")
    arrays = {name: put(getattr(core, name), getattr(part, name)) for name in names}
    inverse, rows = (put(a, b) for a, b in zip(core.reduced, part.reduced, strict=True))
    return replace(core, reduced=(inverse, rows), **arrays)


def _regularise(active: Array, todo: Array, scaled: Array, offset: Array) -> None:
    for k in todo:
        active[k] = regularised_rows(scaled[0 if len(scaled) == 1 else k], offset[k], active[k])


def _settle(data: Programs, core: Core, active: Array, bad: Array) -> Core:
    """Signs of multipliers and slacks, NaN where nothing is confirmed, and rows for derivatives."""
    slack = np.where(active, 0.0, np.maximum(core.slack, 0.0))
    slack = np.where(data.endless, np.inf, slack)
    y = np.where(bad[:, None], np.nan, core.y)
    core = replace(core, y=y, z=np.maximum(core.z, 0.0), slack=slack)
    independent = core.systems.independent(core.tight, core.reduced[1]) | bad
    dependent = np.flatnonzero(~independent)
    if len(dependent):
        part = core.select(dependent)
        core = _put(core, dependent, replace(part, reduced=part.systems.reduce(part.tight)))
    return replace(core, independent=independent)


def _wrong(data: Programs, core: Core, active: Array, origin: Array) -> Array:
    """Active rows with a negative multiplier, and others that are violated."""
    if not core.z.shape[1]:
        return np.zeros(core.z.shape, dtype=bool)
    pressed = core.z * core.pressure
    most = 1 + np.abs(pressed).max(1, keepdims=True)
    # y may be 0, and is then as precise as the minimiser without constraints
    at = np.abs(core.y).max(1, initial=0) + origin
    reach = at[:, None] * np.abs(data.G).max(2) + np.abs(data.h)
    width = 1 + reach * core.gap
    wrong: Array = active & (pressed < -_SIGN * most)
    wrong |= ~active & (core.slack * core.gap < -_SIGN * width)
    fixed = np.broadcast_to(core.systems.constant, wrong.shape)
    wrong[fixed] = (core.slack < -_RESIDUAL * reach)[fixed]
    return wrong


def _is_confirmed(data: Programs, core: Core, active: Array, origin: Array) -> Array:
    """Whether the equations hold, each group measured by the numbers in it."""

    def size(array: Array) -> Array:
        return np.abs(array).max(axis=tuple(range(1, array.ndim)), initial=0)

    at = size(core.y) + origin
    quadratic, above, equal = size(data.Q), size(data.G), size(data.A)
    right = (-data.q, data.h, data.b)
    sizes = (
        size(data.q) + quadratic * at + above * size(core.z) + equal * size(core.nu),
        size(np.where(active, data.h, 0.0)) + above * at,
        size(data.b) + equal * at,
    )
    rest = core.systems.residual(active, (core.y, core.z, core.nu), right)
    # a number that is not finite is not confirmed either
    good = [size(part) <= _RESIDUAL * s for part, s in zip(rest, sizes, strict=True)]
    return np.asarray(good[0] & good[1] & good[2])


def _transposed(matrices: Array) -> Array:
    return np.swapaxes(matrices, -1, -2)


# --- singular Q: Clarabel guesses, a program at a time


def minimise_singular(data: Programs, *, least_norm: bool) -> tuple[Core, Array, Array]:
    """Solutions for positive semidefinite Q, and whether each is unique, here and nearby."""
    count, rows = data.h.shape
    norms = np.linalg.norm(data.G, axis=2)
    norms = np.broadcast_to(np.where(norms > 0, norms, 1.0), (count, rows))
    curvature = np.abs(data.Q).max(axis=(1, 2), initial=0)
    shift = np.where(curvature > 0, _SHIFT * curvature, 1.0)[:, None, None]
    systems = Systems.of(data.Q, data.G, data.A, shift)
    y, z, nu = (np.zeros_like(a) for a in (data.q, data.h, data.b))
    bad = np.zeros(count, dtype=bool)
    for k in range(count):
        try:
            y[k], z[k], nu[k] = _guess(data.select(np.array([k])))
        except SolverError:
            bad[k] = True
    slack = systems.slack(data.h, y)
    used = ~data.endless & (np.abs(data.G).max(2) > 0) & (slack < _MOST_SLACK)
    reach = _size(y, np.where(used, np.abs(data.h) / norms, 0.0))
    force = _size(data.q, (curvature * np.abs(y).max(1, initial=0))[:, None])
    origin = reach[:, 0]
    pressure, gap = norms / force, 1 / (norms * reach)
    active = (z * pressure > slack * gap) & ~systems.constant
    z = np.where(active, z, 0.0)
    reduced = systems.reduce(active)
    core = _core(data, systems, reduced, pressure, gap, (y, z, nu))
    bad |= _wrong(data, core, active, origin).any(1) | ~_is_confirmed(data, core, active, origin)
    core = _settle(data, core, active, bad)
    strong = core.z * pressure > WEAKLY_ACTIVE
    regular = _has_full_rank(data, strong)
    unique = regular | bad
    for k in np.flatnonzero(~unique):
        unique[k] = _is_unique(data.select(np.array([k])), strong[k], core.tight[k])
    several = np.flatnonzero(~unique)
    if least_norm and len(several):
        core = _put(core, several, _least_norm(data.select(several), core.select(several)))
    return core, unique, regular


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
    gram = sum((_transposed(part) @ part for part in parts), np.zeros(()))
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


def _least_norm(data: Programs, core: Core) -> Core:
    """The solutions of least norm: those have the same Q y and qᵀy."""
    batch = len(data)
    rows = [np.broadcast_to(a, (batch, *a.shape[1:])) for a in (data.A, data.Q, data.q[:, None, :])]
    equal = np.concatenate(rows, axis=1)
    levels = [data.b, times(data.Q, core.y), (data.q * core.y).sum(1, keepdims=True)]
    eye = np.eye(data.q.shape[1])[None]
    nearest = minimise(
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


# --- why there is no solution


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
