"""Mixed-integer rounding of combinations of rows in floating point: the core of most cuts.

A cut is found with its reason: a disjunction of integers, on both sides of which multipliers of
rows prove it.  All numbers here are guesses; `tamecheck.programs.exact_cuts` makes them exact.

Source: Marchand, Wolsey 2001, Aggregation and mixed integer rounding to solve MIPs (complemented
MIR, which has covers of knapsacks and flow covers among its cuts).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tamecheck.ir.program import Program
from tamecheck.solvers.relaxation import nearest

Vector: TypeAlias = npt.NDArray[np.float64]
Weights: TypeAlias = Mapping[int, float]
Indices: TypeAlias = npt.NDArray[np.intp]
_Rest: TypeAlias = tuple[float, float]

_DELTAS, _FLIPS = 8, 20
_CHEAPER = 4
"""So much cheaper is a look at a combination of rows, with others, than its rounding."""
_EFFICACY, _VIOLATED = 1e-3, 1e-6
_ZERO, _NEAR, _CLOSE, _BETWEEN = 1e-11, 1e-9, 1e-5, 1e-6
"""What is no coefficient, what is taken for an integer; how far from one a right side must be, and
a value from its bounds."""
_LARGEST = 1e6
"""Ratios of coefficients beyond this are no good cuts."""
_FINER = np.array([1.0, 2.0, 4.0, 8.0])
"""What the best divisor is divided by."""


@dataclass(frozen=True, slots=True)
class Guess:
    """``form x <= ...``, which holds where ``split x <= at`` and where it is larger.

    ``rows`` and ``times`` are, for each side, the multipliers of the rows and of the side's bound
    that prove it.
    """

    form: Vector
    split: Vector
    at: int
    rows: tuple[Weights, Weights]
    times: tuple[float, float]
    efficacy: float

    def outward(self, rows: Mapping[int, int], columns: Mapping[int, int], width: int) -> Guess:
        """The same of a program with more rows and columns, in which these have other numbers."""
        places = list(columns.values())
        form, split = np.zeros(width), np.zeros(width)
        form[places], split[places] = self.form, self.split
        first, second = ({rows[i]: y for i, y in own.items()} for own in self.rows)
        return replace(self, form=form, split=split, rows=(first, second))


class Rounder:
    """The rows and bounds of a program in floats, combinations of which are rounded."""

    def __init__(self, program: Program) -> None:
        self.width = len(program.columns)
        self.integral = np.array(
            [c.kind.integral and not c.kind.semi for c in program.columns], bool
        )
        self.semi = np.array([c.kind.semi for c in program.columns], bool)
        self.lower = _floats([c.lower for c in program.columns], -math.inf)
        self.upper = _floats([c.upper for c in program.columns], math.inf)
        self.low = _floats([row.lower for row in program.rows], -math.inf)
        self.high = _floats([row.upper for row in program.rows], math.inf)
        self.indices = [np.array([j for j, _ in row.terms], int) for row in program.rows]
        self.values = [np.array([nearest(a) for _, a in row.terms], float) for row in program.rows]
        self.whole = np.array(
            [
                all(self.integral[j] and a.denominator == 1 for j, a in row.terms)
                for row in program.rows
            ],
            bool,
        )
        self.tried = 0
        """How many combinations of rows were rounded, of which looks at many are a part."""
        for j in np.flatnonzero(self.semi):
            self.lower[j], self.upper[j] = min(self.lower[j], 0.0), max(self.upper[j], 0.0)

    def activities(self, x: Vector) -> Vector:
        """The values of the rows at a point."""
        pairs = zip(self.indices, self.values, strict=True)
        return np.array([float(a @ x[j]) for j, a in pairs], float)

    def form_of(self, weights: Weights) -> Vector:
        """A combination of rows."""
        form = np.zeros(self.width)
        for i, y in weights.items():
            form[self.indices[i]] += y * self.values[i]
        return form

    def violated(self, tries: Sequence[tuple[Weights, Vector]], x: Vector, at: Vector) -> Vector:
        """Of combinations of rows, given with their forms, how far the point is beyond their cuts.

        It is what `round_row` begins with, for all of them at once; 0 where there is no cut.
        """
        found = np.zeros(len(tries))
        if not tries:
            return found
        self.tried += len(tries) // _CHEAPER
        forms = np.array([form for _, form in tries])
        sizes = np.abs(forms)
        of, j = np.nonzero(sizes > _ZERO * sizes.max(axis=1, initial=0.0)[:, None])
        i = np.array([i for weights, _ in tries for i in weights], int)
        y = np.array([y for weights, _ in tries for y in weights.values()], float)
        a = np.concatenate([forms[of, j], -y])
        of = np.concatenate([of, np.repeat(np.arange(len(tries)), [len(w) for w, _ in tries])])
        lower, upper = np.append(self.lower[j], self.low[i]), np.append(self.upper[j], self.high[i])
        value = np.append(x[j], at[i])
        up = upper - value < value - lower
        end = np.where(up, upper, lower)
        bounded = np.isfinite(end)
        endless = np.bincount(of[~bounded], minlength=len(tries)) > 0
        end[~bounded] = 0.0
        b = -np.bincount(of, a * end, len(tries))
        a, room = np.where(up, -a, a), upper - lower
        value = np.maximum(np.where(up, upper - value, value - lower), 0.0)
        integral = np.append(self.integral[j], self.whole[i])
        integral &= np.floor(end) == end
        between = integral & (value > _BETWEEN) & (value < room - _BETWEEN)
        left = np.flatnonzero((np.bincount(of[between], minlength=len(tries)) > 0) & ~endless)
        if not len(left):
            return found
        place = np.full(len(tries), -1)
        place[left] = np.arange(len(left))
        of = place[of]
        kept, rest = (np.flatnonzero(own & (of >= 0)) for own in (integral, ~integral))
        kept = kept[np.argsort(of[kept], kind="stable")]
        counts = np.bincount(of[kept], minlength=len(left))
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        sizes = np.where(between[kept], np.abs(a[kept]).round(9), 0.0)
        padded = np.zeros((3, len(left), int(counts.max())))
        padded[:, of[kept], np.arange(len(kept)) - starts] = a[kept], value[kept], sizes
        for sign in (1.0, -1.0):
            parts = np.minimum(sign * a[rest], 0.0)
            norms = (parts * (value[rest] > _NEAR)) ** 2
            linear, square = (
                np.bincount(of[rest], own, len(left)).astype(float)
                for own in (parts * value[rest], norms)
            )
            far = _farthest(
                sign * padded[0], sign * b[left], padded[1], (linear, square), padded[2]
            )
            found[left] = np.maximum(found[left], far)
        return found

    def round_row(
        self, weights: Weights, x: Vector, at: Vector, delta: float | None = None
    ) -> Guess | None:
        """The best cut by rounding a combination of rows, or its negative.

        They are divided by ``delta``, or by the best divisor.
        """
        self.tried += 1
        base = _Base.of(self, weights, x, at)
        found = [] if base is None else base.best(self, x, delta)
        return max(found, key=lambda g: g.efficacy, default=None)


@dataclass(slots=True)
class _Base:
    """``Σ a x' = b`` in variables that are not negative: columns, then slacks of rows.

    ``up`` says that a variable is the distance from an upper bound.
    """

    columns: npt.NDArray[np.int64]
    rows: list[int]
    a: Vector
    b: float
    value: Vector
    room: Vector
    integral: npt.NDArray[np.bool_]
    up: npt.NDArray[np.bool_]
    end: Vector

    @classmethod
    def of(cls, own: Rounder, weights: Weights, x: Vector, at: Vector) -> _Base | None:
        """The equation ``rows x - slacks = 0`` with every variable at its nearest bound."""
        form = own.form_of(weights)
        largest = float(np.abs(form).max(initial=0.0))
        columns = np.flatnonzero(np.abs(form) > _ZERO * largest)
        rows = list(weights)
        lower = np.concatenate([own.lower[columns], own.low[rows]])
        upper = np.concatenate([own.upper[columns], own.high[rows]])
        value = np.concatenate([x[columns], at[rows]])
        integral = np.concatenate([own.integral[columns], own.whole[rows]])
        a = np.concatenate([form[columns], -np.array([weights[i] for i in rows], float)])
        up = upper - value < value - lower
        end = np.where(up, upper, lower)
        if not np.isfinite(end).all():
            return None
        # the slack of a whole row is integral if its bound is
        integral &= np.floor(end) == end
        return cls(
            columns,
            rows,
            np.where(up, -a, a),
            -float(a @ end),
            np.maximum(np.where(up, upper - value, value - lower), 0.0),
            upper - lower,
            integral,
            up,
            end,
        )

    def negative(self) -> _Base:
        """The same equation times -1."""
        return _Base(
            self.columns,
            self.rows,
            -self.a,
            -self.b,
            self.value.copy(),
            self.room,
            self.integral,
            self.up.copy(),
            self.end.copy(),
        )

    def best(self, own: Rounder, x: Vector, given: float | None = None) -> list[Guess]:
        """The best cut of the equation, and of its negative, over divisors and flips.

        The equation is used up.
        """
        fractional = self.integral & (self.value > _BETWEEN) & (self.value < self.room - _BETWEEN)
        whole = np.flatnonzero(self.integral)
        sides = self, self.negative()
        rests = sides[0].continuous(), sides[1].continuous()
        if given is None:
            sizes = np.unique(np.abs(self.a[fractional]).round(9))
            sizes = sizes[sizes > 1e-6][::-1][:_DELTAS]
            if not len(sizes):
                return []
            found = self._divided(whole, rests, (sizes, sizes))
            first, second = (float(sizes[int(np.argmax(own))]) for own in found)
            chosen = first / _FINER, second / _FINER
        else:
            chosen = np.array([given]), np.array([given])
        found = self._divided(whole, rests, chosen)
        guesses = list[Guess]()
        for side, rest, deltas, violations in zip(sides, rests, chosen, found, strict=True):
            k = int(np.argmax(violations))
            if violations[k] <= 0:
                continue
            delta = float(deltas[k])
            if side.flip(whole, fractional, rest, delta, float(violations[k])) > _VIOLATED:
                guess = side.guess(own, x, delta)
                guesses += [] if guess is None else [guess]
        return guesses

    def _divided(
        self, whole: Indices, rests: tuple[_Rest, _Rest], deltas: tuple[Vector, Vector]
    ) -> tuple[Vector, Vector]:
        """How far the point is beyond the cuts of the equation, and of its negative, by divisors.

        ``whole`` are the integral variables.
        """
        count = len(deltas[0])
        signs = np.repeat([1.0, -1.0], [count, len(deltas[1])])
        found = _violations(
            signs[:, None] * self.a[whole],
            signs * self.b,
            self.value[whole],
            np.concatenate(deltas),
            (np.where(signs > 0, first, second) for first, second in zip(*rests, strict=True)),
        )
        return found[:count], found[count:]

    def flip(
        self,
        whole: Indices,
        fractional: npt.NDArray[np.bool_],
        rest: _Rest,
        delta: float,
        violation: float,
    ) -> float:
        """Measure integers from their other bounds where the point is then farther beyond."""
        # the other bound of a row need not be integral
        columns = np.flatnonzero(
            fractional[: len(self.columns)] & np.isfinite(self.room[: len(self.columns)])
        )
        order = np.argsort(np.abs(self.value - self.room / 2)[columns])[:_FLIPS]
        flips = columns[order]
        while len(flips):
            at, k = np.searchsorted(whole, flips), np.arange(len(flips))
            a = np.tile(self.a[whole], (len(flips), 1))
            value = np.tile(self.value[whole], (len(flips), 1))
            a[k, at] *= -1.0
            value[k, at] = self.room[flips] - self.value[flips]
            b = self.b - self.a[flips] * self.room[flips]
            violations = _violations(a, b, value, np.full(len(flips), delta), rest)
            k = int(np.argmax(violations))
            if violations[k] <= violation + 1e-9:
                break
            violation = float(violations[k])
            self._flip(int(flips[k]))
            flips = np.delete(flips, k)
        return violation

    def _flip(self, k: int) -> None:
        """Measure a variable from its other bound."""
        self.b -= self.a[k] * self.room[k]
        self.a[k] = -self.a[k]
        self.value[k] = self.room[k] - self.value[k]
        self.end[k] += self.room[k] if not self.up[k] else -self.room[k]
        self.up[k] = not self.up[k]

    def continuous(self) -> _Rest:
        """The value and the square of the norm of what a cut has of continuous variables."""
        parts, values = np.minimum(self.a[~self.integral], 0.0), self.value[~self.integral]
        return float(parts @ values), float((parts[values > _NEAR] ** 2).sum())

    def _rounded(self, delta: float) -> tuple[Vector, float, Vector] | None:
        """Coefficients of the cut, the fraction of its right side, and the integers behind it."""
        b = self.b / delta
        f0 = b - math.floor(b)
        if not _CLOSE < f0 < 1 - _CLOSE:
            return None
        a = self.a / delta
        floor = np.floor(a + _NEAR)
        f = np.maximum(a - floor, 0.0)
        whole = np.where(self.integral, np.where(f > f0, floor + 1, floor), 0.0)
        part = np.maximum(f - f0, 0.0) / (1 - f0)
        return np.where(self.integral, floor + part, np.minimum(a, 0.0) / (1 - f0)), f0, whole

    def guess(self, own: Rounder, x: Vector, delta: float) -> Guess | None:
        rounded = self._rounded(delta)
        if rounded is None:
            return None
        cut, f0, whole = rounded
        count = len(self.columns)
        sign = np.where(self.up, -1.0, 1.0)

        def in_columns(own_form: Vector) -> Vector:
            form = np.zeros(own.width)
            form[self.columns] = (own_form * sign)[:count]
            for i, y in zip(self.rows, (own_form * sign)[count:], strict=True):
                if y:
                    form[own.indices[i]] += y * own.values[i]
            return form

        form, split = in_columns(cut), np.round(in_columns(whole))
        at = math.floor(self.b / delta) + float((whole * sign) @ self.end)
        norm = float(np.linalg.norm(form))
        form[np.abs(form) <= 1e-9 * norm] = 0.0
        sizes = np.abs(form[form != 0])
        if not len(sizes) or sizes.max() > _LARGEST * sizes.min() or abs(at) > 1e12:
            return None
        side = math.floor(self.b / delta) + float((cut * sign) @ self.end)
        efficacy = (float(form @ x) - side) / norm
        if efficacy < _EFFICACY:
            return None
        steep = f0 / (1 - f0)
        rests = (whole - cut, self.a / delta / (1 - f0) - steep * whole - cut)
        rows = tuple(
            {i: y for i, y in zip(self.rows, (rest * sign)[count:], strict=True) if abs(y) > 1e-12}
            for rest in rests
        )
        return Guess(form, split, round(at), (rows[0], rows[1]), (1.0, steep), efficacy)


def _violations(
    a: Vector, b: Vector, value: Vector, deltas: Vector, continuous: Iterable[float | Vector]
) -> Vector:
    """How far a point is beyond the cut of each row ``a x = b`` of integers, by its divisor.

    ``continuous`` is what is added for other variables: see `_Base.continuous`.
    """
    right = b / deltas
    floor = np.floor(right)
    f0 = right - floor
    a = a / deltas[:, None]
    low = np.floor(a + _NEAR)
    rest = np.maximum(1 - f0, _NEAR)
    cut = low + np.maximum(a - low - f0[:, None], 0.0) / rest[:, None]
    steep = 1 / (deltas * rest)
    linear, square = continuous
    beyond = (cut * value).sum(axis=1) + steep * linear - floor
    norm = np.sqrt((cut * cut * (value > _NEAR)).sum(axis=1) + steep * steep * square)
    kept = (f0 > _CLOSE) & (f0 < 1 - _CLOSE) & (norm > 0)
    return np.where(kept, beyond / np.where(norm > 0, norm, 1.0), 0.0)


def _farthest(
    a: Vector, b: Any, value: Vector, continuous: tuple[Vector, Vector], sizes: Vector
) -> Vector:
    """How far a point is beyond the best cuts of equations, divided by sizes of coefficients."""
    deltas = -np.sort(-sizes, axis=1)
    deltas[:, 1:][deltas[:, 1:] == deltas[:, :-1]] = 0.0
    deltas = -np.sort(-deltas, axis=1)[:, :_DELTAS]

    def beyond(delta: Vector) -> Vector:
        far = _violations(a, b, value, np.maximum(delta, _BETWEEN), continuous)
        return np.where(delta > _BETWEEN, far, 0.0)

    far = np.array([beyond(delta) for delta in deltas.T])
    best = deltas[np.arange(len(deltas)), np.argmax(far, axis=0)]
    return np.array([beyond(best / finer) for finer in _FINER]).max(axis=0)


def _floats(ends: Sequence[Any], missing: float) -> Vector:
    return np.array([missing if end is None else nearest(end) for end in ends], float)
