"""Solutions of batches of quadratic programs, with the systems that differentiate them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.layers import kkt
from tamecheck.layers.quadratic_data import Programs

WEAKLY_ACTIVE = 1e-6
"""A constraint whose multiplier and slack are both at most this is flagged, in relative terms."""

_SWITCHES = 30
_SIGN = 1e-12
_RESIDUAL = 1e-9
_MOST_SLACK = 1e8


@dataclass(frozen=True, slots=True)
class Core:
    """Solutions of programs, with what differentiates them.

    ``z * pressure`` and ``slack * gap`` are multipliers and slacks in relative terms.  The rows of
    ``reduced`` are equations for derivatives: those that were solved as equations, or a basis of
    the tight ones where their gradients and those of the equations are not ``independent``.
    """

    systems: kkt.Systems
    reduced: kkt.Reduced
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

    def adjoint(self, cotangent: Array, reduced: kkt.Reduced | None = None) -> kkt.Triple:
        """The solution of the KKT system with a cotangent at y as right-hand side."""
        zero = np.zeros_like(self.z), np.zeros_like(self.nu)
        return self.systems.solve(reduced or self.reduced, (cotangent, *zero))

    def smoothed_adjoint(self, cotangent: Array, size: float) -> kkt.Triple:
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
        free = kkt.times(systems.inverse, cotangent)
        start = free - kkt.times(systems.lift, kkt.times(systems.A, free))
        inverse = np.linalg.pinv(matrix, rcond=1e-14, hermitian=True) * scales
        wz = np.where(systems.constant, 0.0, kkt.times(inverse, kkt.times(systems.G, start)))
        pressed = cotangent - kkt.times(kkt.transpose(systems.G), wz)
        wn = kkt.times(kkt.transpose(systems.lift), pressed)
        return start - kkt.times(systems.pg, wz), wz, wn


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
    systems = kkt.Systems.of(data.Q, data.G, data.A)
    guess = Guess.of(data, systems)
    active = (guess.z > guess.s) & ~systems.constant
    begin = guess.point(data, systems, active)
    core = core_of(data, systems, systems.reduce(active), guess.pressure, guess.gap, begin)
    origin = np.abs(kkt.times(systems.inverse, data.q)).max(1, initial=0)
    bad = is_bad(data, core, active, origin)
    todo = np.flatnonzero(bad)
    if len(todo):
        own, part, rows = data.select(todo), core.select(todo), active[todo]
        part = _repair(own, part, guess.select(todo), rows, origin[todo])
        bad[todo] = is_bad(own, part, rows, origin[todo])
        core, active[todo] = put_solutions(core, todo, part), rows
    return settle(data, core, active, bad)


def is_bad(data: Programs, core: Core, active: Array, origin: Array) -> Array:
    """Whether a solution has a wrong sign, or is not confirmed."""
    wrong = _wrong(data, core, active, origin).any(1)
    return np.asarray(wrong | ~_is_confirmed(data, core, active, origin))


def _repair(data: Programs, core: Core, guess: Guess, active: Array, origin: Array) -> Core:
    """The solutions with other active rows, which are changed in place until signs are right."""
    for attempt in range(_SWITCHES + 2):
        wrong = _wrong(data, core, active, origin)
        todo = np.flatnonzero(wrong.any(1))
        if attempt < _SWITCHES:
            for k in todo:
                active[k, wrong[k].argmax()] ^= True
        else:
            # with dependent rows changing sides may not end, or those that are not quite dependent
            # ask for too much
            todo = np.flatnonzero(is_bad(data, core, active, origin))
            for k in todo:
                hessian = guess.hessian[k % len(guess.hessian)]
                active[k] = kkt.regularised_rows(hessian, guess.offset[k], active[k])
        if len(todo):
            core = _again(data, core, active, todo)
        elif attempt >= _SWITCHES:
            break
    return core


@dataclass(frozen=True, slots=True)
class Guess:
    """Multipliers ``z`` and slacks ``s``, nearly, where y or a violation has size 1 in Q's norm.

    They belong to the linear complementarity problem with ``hessian`` and ``offset`` at the
    minimisers without inequalities, from ``start``.
    """

    z: Array
    s: Array
    start: Array
    pressure: Array
    gap: Array
    hessian: Array
    offset: Array

    @classmethod
    def of(cls, data: Programs, systems: kkt.Systems) -> Guess:
        """By an interior point method."""
        free = -kkt.times(systems.inverse, data.q)
        start = free + kkt.times(systems.lift, data.b - kkt.times(systems.A, free))
        # a row whose value is fixed is never active: it holds, or will be found to be violated
        offset = np.where(systems.constant, 1.0, data.h - kkt.times(systems.G, start))
        unit = np.broadcast_to(systems.unit, offset.shape)
        far = np.maximum(-offset * unit, 0.0).max(1, initial=0)
        length = _length(start, kkt.times(systems.Q, start))
        size = np.maximum(far, length)[:, None]
        size = np.where(size > 0, size, 1.0)
        pressure, gap = 1 / (unit * size), unit / size
        hessian = systems.hessian * systems.unit[:, :, None] * systems.unit[:, None, :]
        offset = np.minimum(np.where(systems.constant, 1.0, offset * gap), _MOST_SLACK)
        z, s = kkt.complementary(hessian, offset)
        return cls(z, s, start, pressure, gap, hessian, offset)

    def select(self, programs: Array) -> Guess:
        """The guesses for some programs."""
        arrays = (getattr(self, field.name) for field in fields(self))
        return Guess(*(a if len(a) == 1 else a[programs] for a in arrays))

    def point(self, data: Programs, systems: kkt.Systems, active: Array) -> kkt.Triple:
        """y, z and ν with the multipliers of the active rows."""
        z = np.where(active, self.z / self.pressure, 0.0)
        nu = kkt.times(kkt.transpose(systems.lift), -data.q - kkt.times(kkt.transpose(data.G), z))
        return self.start - kkt.times(systems.pg, z), z, nu - kkt.times(systems.schur, data.b)


def _length(start: Array, image: Array) -> Array:
    """The square root of the product of both, also of very large numbers."""
    sizes = [np.abs(a).max(1, initial=0, keepdims=True) for a in (start, image)]
    first, second = (np.where(size > 0, size, 1.0) for size in sizes)
    product = np.maximum((start / first * (image / second)).sum(1), 0.0)
    return np.sqrt(product) * (np.sqrt(first) * np.sqrt(second))[:, 0]


def core_of(  # noqa: PLR0913, PLR0917 (what a solution consists of)
    data: Programs,
    systems: kkt.Systems,
    reduced: kkt.Reduced,
    pressure: Array,
    gap: Array,
    start: kkt.Triple | None = None,
) -> Core:
    """The solutions with the rows of ``reduced`` as equations."""
    y, z, nu = systems.solve(reduced, (-data.q, data.h, data.b), start)
    slack, independent = systems.slack(data.h, y), np.ones(len(y), dtype=bool)
    return Core(systems, reduced, y, z, nu, slack, pressure, gap, independent)


def _again(data: Programs, core: Core, active: Array, todo: Array) -> Core:
    """The solutions with other active rows in some programs."""
    part, own = core.select(todo), data.select(todo)
    reduced = part.systems.reduce(active[todo])
    part = core_of(own, part.systems, reduced, part.pressure, part.gap)
    return put_solutions(core, todo, part)


def put_solutions(core: Core, todo: Array, part: Core) -> Core:
    """The core with other solutions of some programs."""

    def put(whole: Array, new: Array) -> Array:
        changed = np.array(whole)
        changed[todo] = new
        return changed

    names = ("y", "z", "nu", "slack")
    arrays = {name: put(getattr(core, name), getattr(part, name)) for name in names}
    inverse, rows = (put(a, b) for a, b in zip(core.reduced, part.reduced, strict=True))
    return replace(core, reduced=(inverse, rows), **arrays)


def settle(data: Programs, core: Core, active: Array, bad: Array) -> Core:
    """Signs of multipliers and slacks, NaN where nothing is confirmed, and rows for derivatives."""
    slack = np.where(active, 0.0, np.maximum(core.slack, 0.0))
    slack = np.where(data.endless, np.inf, slack)
    y = np.where(bad[:, None], np.nan, core.y)
    core = replace(core, y=y, z=np.maximum(core.z, 0.0), slack=slack)
    tight, rows = core.tight, core.reduced[1]
    # the rows that were solved have a basis of those that were active
    other = np.flatnonzero((tight & ~core.systems.constant != active).any(1))
    part = core.select(other)
    inverse, basis = part.systems.reduce(part.tight)
    whole = rows.copy()
    whole[other] = basis
    independent = core.systems.independent(tight, whole) | bad
    weak = ~independent[other]
    if weak.any():
        changed = replace(part.select(weak), reduced=(inverse[weak], basis[weak]))
        core = put_solutions(core, other[weak], changed)
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
    force = size(data.q) + quadratic * at
    sizes = (
        np.where(force > 0, force, 1.0) + above * size(core.z) + equal * size(core.nu),
        size(np.where(active, data.h, 0.0)) + above * at,
        size(data.b) + equal * at,
    )
    rest = core.systems.residual(active, (core.y, core.z, core.nu), right)
    # a number that is not finite is not confirmed either
    good = [size(part) <= _RESIDUAL * s for part, s in zip(rest, sizes, strict=True)]
    return np.asarray(good[0] & good[1] & good[2])
