"""The value function itself, as a dual function: the largest of all, strong everywhere.

Blair, Jeroslow 1977; Güzelsoy, Ralphs 2007; Ralphs, Hassanzadeh 2014.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from tamecheck.budget import Budget
from tamecheck.duality.answer import Definability, DualFunction, Gradient, definability, to_sympy
from tamecheck.duality.check import Value
from tamecheck.duality.form import Form, InfeasibleProgramError, RightHandSide, Vector, normalise
from tamecheck.duality.leaves import affine_text
from tamecheck.duality.optimum import (
    form_at,
    require_dual,
    require_integer_solution,
    search_limit,
)
from tamecheck.duality.proof import decide, value_at
from tamecheck.duality.value.division import MOST_ROWS, value_region
from tamecheck.duality.value.line import Ray, line_profile, one_row, row_profile
from tamecheck.duality.value.profile import Profile, ValueComplex, value_complex, value_on
from tamecheck.duality.value.region import ValueRegion, local_slope
from tamecheck.errors import DomainError, InputError, SolverError, UnsupportedError
from tamecheck.ir.answer import Infeasible, Optimal

if TYPE_CHECKING:
    from tamecheck.ir.program import Program


_NEAR = Fraction(1, 64)
"""How far the box reaches on which cells are computed for a gradient."""

_SECONDS_A_COLUMN = 5.0
"""For the value at a column, which is at most its cost anyway."""

_SMOOTH = 0.3
"""The part of the time in which it may be shown that there is only one."""

_FEW = 200
"""Nodes of a tree that shows it, before the cells of a few rows are computed."""


class ValueDual(DualFunction):
    """``z(d)``, infinite where the program is infeasible.

    The multipliers are feasible for the dual of the relaxation, so that z is nowhere minus
    infinity; the seconds are the limit of each evaluation.
    """

    method = "value"
    why_monotone = "relaxing a right-hand side keeps every feasible point"
    why_subadditive = "sums of feasible points are feasible for the sum"

    def __init__(
        self, form: Form, optimum: Fraction | None, multipliers: Vector, seconds: float | None
    ) -> None:
        super().__init__(form, optimum)
        self._multipliers = multipliers
        self._seconds = search_limit(seconds)
        self.complex: ValueComplex | ValueRegion | None = None

    def evaluate(self, d: Vector) -> Value:
        """The optimal value at a right-hand side, proved."""
        return self._value(d, self._seconds)

    def _value(self, d: Vector, seconds: float) -> Value:
        if d == self.form.right and self._optimum is not None:
            return self._optimum
        if not any(d):
            # the point 0, and the multipliers
            return Fraction(0)
        row = one_row(self.form, d)
        if row is not None:
            try:
                return row_profile(row, self._multipliers[0], d[0], d[0]).values[0]
            except InputError:
                # too many sums of columns: the search needs no lattice
                pass
        value = value_at(self.form, d, Budget.of(seconds))
        if value is None:
            raise SolverError(
                f"The optimum was not proved in the {seconds:g} seconds of an evaluation.",
                hint="Give more seconds, or take a dual function: tree, chvatal, gomory.",
            )
        return value

    def at_column(self, j: int) -> Value:
        """As for all functions: 1, or t, of the column is a point at ``a_j``, or ``t g_j``."""
        seconds = min(self._seconds, _SECONDS_A_COLUMN)
        value = self._value if self.form.columns[j].integral else self._slope
        try:
            return value(self.form.vector(j), seconds)
        except SolverError:
            return self.form.columns[j].cost

    def directional(self, g: Vector) -> Value:
        """The slope at 0 of the value function along a direction."""
        return self._slope(g, self._seconds)

    def _slope(self, g: Vector, seconds: float) -> Value:
        ray = Ray((Fraction(0),) * self.form.size, g, Fraction(0), Fraction(1))
        profile = self._profile(ray, seconds)
        line = profile.lines[0]
        if line is None or line[1] > 0:
            return math.inf
        return line[0]

    def slopes(self, d: Vector) -> tuple[Vector, ...]:
        """The slopes around ``d`` in all right-hand sides, those of bounds included."""
        return self._slopes(range(self.form.size), d)

    def gradient(self, b: RightHandSide | None = None) -> Gradient:
        """A conservative gradient with respect to the rows of the program.

        Upper bounds of columns stay what they are.  With up to three rows it is the slopes of the
        cells that meet there; with more it is offered where the function is smooth.
        """
        users, sign = self.form.users, self.form.sign
        slopes = self._slopes(users, self.form.at(b))
        names = tuple(self.form.names[i] for i in users)
        return Gradient(names, tuple(tuple(sign * a for a in slope) for slope in slopes))

    def _slopes(self, rows: Sequence[int], d: Vector) -> tuple[Vector, ...]:
        """The slopes of the pieces that meet at ``d``, in these rows."""
        if len(rows) == 1:
            return tuple((slope,) for slope in self._slopes_beside(rows[0], d))
        if not rows:
            return ((),)
        form, budget = form_at(self.form, d), Budget.of(self._seconds)
        found = decide(form.program, budget)
        if isinstance(found, Infeasible):
            raise DomainError("The program is infeasible at this right-hand side.")
        point = form.columns_at(found.point) if isinstance(found, Optimal) else None
        # trees of integers without bounds may never close, where cells are soon there
        nodes = _FEW if len(rows) <= MOST_ROWS else None
        limits = replace(budget.share(_SMOOTH), nodes=nodes)
        slope = None if point is None else local_slope(form, point, rows, limits)
        if slope is not None:
            return (slope,)
        if len(rows) > MOST_ROWS:
            raise UnsupportedError(
                f"It was not proved that the value function is affine near this right-hand side;"
                f" kinks are resolved for at most {MOST_ROWS} rows, and these are {len(rows)}.",
                hint="Move it a little, or use along(row, ...) or the tree dual.",
            )
        names, shift = self.form.names, self.form.shift
        place = [d[i] + shift[i] for i in rows]
        near = [(names[i], t - _NEAR, t + _NEAR) for i, t in zip(rows, place, strict=True)]
        sign = form.sign
        try:
            around = value_region(form, near, d, budget.share(1 - _SMOOTH)).gradient(place)
        except SolverError:
            slope = None if point is None else local_slope(form, point, rows, budget)
            if slope is None:
                raise
            return (slope,)
        return tuple(tuple(sign * a for a in slope) for slope in around)

    def _slopes_beside(self, i: int, d: Vector) -> tuple[Fraction, ...]:
        """The slopes to the left and to the right of ``d`` in the right-hand side ``i``."""
        name, place = self.form.names[i], d[i] + self.form.shift[i]
        width = Fraction(1)
        profile = self._profile(self._ray(i, d, d[i] - width, d[i] + width))
        value = profile.at(d[i])
        if not isinstance(value, Fraction):
            raise DomainError(f"The program is infeasible at {name} = {place}.")
        found: dict[Fraction, None] = {}
        for line in profile.beside(d[i]):
            limit = value_on(line, d[i])
            if line is None or limit != value:
                sides = "the program is infeasible" if line is None else f"the limit is {limit}"
                raise DomainError(
                    f"The value function jumps at {name} = {place}: its value is {value}, and on"
                    f" one side {sides}."
                )
            found[line[0]] = None
        return tuple(found)

    def along(
        self,
        row: str,
        low: Fraction | int,
        high: Fraction | int,
        b: RightHandSide | None = None,
    ) -> ValueComplex:
        """The pieces of the value function in one right-hand side, the others fixed.

        Parameters
        ----------
        row
            The name of the right-hand side.
        low, high
            The interval.
        b
            The other right-hand sides; the program's own by default.
        """
        if row not in self.form.names:
            raise InputError(f"There is no right-hand side {row!r}.")
        if low >= high:
            raise InputError(f"The interval from {low} to {high} has no interior.", where=row)
        i = self.form.names.index(row)
        shift = self.form.shift[i]
        ray = self._ray(i, self.form.at(b), Fraction(low) - shift, Fraction(high) - shift)
        return value_complex(self.form, row, self._profile(ray), shift)

    def on_line(
        self, b: RightHandSide, direction: Sequence[Fraction | int], low: Fraction, high: Fraction
    ) -> ValueComplex:
        """The pieces along ``b + t * direction``: a number for each right-hand side of the form."""
        if len(direction) != self.form.size:
            raise InputError(f"A direction has {self.form.size} numbers, not {len(direction)}.")
        if low >= high:
            raise InputError(f"The interval from {low} to {high} has no interior.")
        ray = Ray(self.form.at(b), tuple(map(Fraction, direction)), Fraction(low), Fraction(high))
        return value_complex(self.form, "t", self._profile(ray), Fraction(0))

    def on_box(
        self,
        rows: Sequence[tuple[str, Fraction | int, Fraction | int]],
        b: RightHandSide | None = None,
    ) -> ValueRegion:
        """The cells of the value function in one to three right-hand sides, the others fixed.

        Parameters
        ----------
        rows
            Names and intervals of the right-hand sides that vary.
        b
            The other right-hand sides; the program's own by default.
        """
        own = [(name, Fraction(low), Fraction(high)) for name, low, high in rows]
        return value_region(self.form, own, self.form.at(b), Budget.of(self._seconds))

    def _ray(self, i: int, d: Vector, low: Fraction, high: Fraction) -> Ray:
        """The right-hand sides that are ``d`` but for the number ``i``, which is ``t``."""
        start = tuple(Fraction(0) if k == i else value for k, value in enumerate(d))
        direction = tuple(Fraction(int(k == i)) for k in range(len(d)))
        return Ray(start, direction, low, high)

    def _profile(self, ray: Ray, seconds: float | None = None) -> Profile:
        along_row = ray.direction and ray.direction[0] and not any(ray.direction[1:])
        row = one_row(self.form, ray.start) if along_row else None
        if row is not None:
            first, factor = ray.start[0], ray.direction[0]
            ends = sorted(first + factor * t for t in (ray.low, ray.high))
            profile = row_profile(row, self._multipliers[0], *ends)
            return profile.substitute(first, factor)
        return line_profile(self.form, ray, seconds=seconds or self._seconds)

    @property
    def formula(self) -> str:
        """The program as a formula, and the pieces where they are known."""
        if self.complex is None:
            best = "min" if self.form.sign > 0 else "max"
            return f"{best}{{c·x : Ax (=, >=, <=) b, x in its domain}}"
        if isinstance(self.complex, ValueRegion):
            return self.complex.formula
        name = self.complex.name
        return "; ".join(
            f"{affine_text([(name, p.slope)], p.intercept)} on"
            f" {'[' if p.lower_closed else '('}{p.lower}, {p.upper}{']' if p.upper_closed else ')'}"
            for p in self.complex.pieces
        )

    @property
    def formula_scale(self) -> tuple[int, Fraction]:
        """The formula is in the program's own objective."""
        return 1, Fraction(0)

    def to_sympy(self) -> Any:
        """A piecewise expression in the right-hand side of the interval that was asked for."""
        sympy: Any = import_module("sympy")
        if self.complex is None:
            raise InputError(
                "Without an interval the value function has no finite formula.",
                hint="Give box=(row, low, high).",
            )
        if isinstance(self.complex, ValueRegion):
            return self.complex.to_sympy()
        t = sympy.Symbol(self.complex.name, real=True)
        cases: list[Any] = []
        for p in self.complex.pieces:
            low = t >= to_sympy(p.lower) if p.lower_closed else t > to_sympy(p.lower)
            high = t <= to_sympy(p.upper) if p.upper_closed else t < to_sympy(p.upper)
            line = to_sympy(p.slope) * t + to_sympy(p.intercept)
            cases.append((line, sympy.And(low, high)))
        return sympy.Piecewise(*cases, (sympy.oo * self.form.sign, True))

    def definability(self, domain: str = "everywhere") -> Definability:
        """By the bounds of the integer columns, and on a box always semilinear."""
        from tamecheck.programs.tameness import check

        verdict = check(self.form.program)
        on_box = domain == "box" and verdict.open
        return definability(
            domain,
            *(("finitely many pieces on a box",) if on_box else verdict.reasons),
            tame=domain == "box" or not verdict.open,
            continuous=verdict.properties.continuous,
            lipschitz=verdict.properties.locally_lipschitz,
        )

    def to_json(self) -> dict[str, Any]:
        """As for every dual function, with the pieces if an interval was asked for."""
        own = {} if self.complex is None else {"complex": self.complex.to_json()}
        return {**super().to_json(), **own}


_Interval: TypeAlias = tuple[str, Fraction, Fraction]


def _intervals(box: _Interval | Sequence[_Interval]) -> list[_Interval]:
    """The rows and intervals of a box, which may be a single one."""
    if isinstance(box[0], str):
        return [cast("_Interval", box)]
    return [cast("_Interval", own) for own in box]


def value_dual(
    program: Program,
    *,
    box: _Interval | Sequence[_Interval] | None = None,
    seconds: float | None = None,
    seed: int = 0,
) -> ValueDual:
    """The value function of a program.

    Its pieces are computed where ``box`` says: a row and an interval of its right-hand side, or
    up to three of these.
    """
    form = normalise(program)
    multipliers = require_dual(form)
    if box is None:
        require_integer_solution(form)
    limit = search_limit(seconds)
    value = value_at(form, form.right, Budget.of(limit), seed=seed)
    if value is None and box is None:
        raise SolverError(
            f"The optimum was not proved in {limit:g} seconds.",
            hint="Give more seconds, or take a dual function: tree, chvatal, gomory.",
        )
    if value == math.inf and box is None:
        raise InfeasibleProgramError(
            "The program is infeasible: z(b) is infinite.", hint="Give a box of right-hand sides."
        )
    result = ValueDual(form, value if isinstance(value, Fraction) else None, multipliers, seconds)
    if box is not None:
        rows = _intervals(box)
        result.complex = result.along(*rows[0]) if len(rows) == 1 else result.on_box(rows)
    return result


def value_along(  # noqa: PLR0913 (options, by keyword only)
    program: Program,
    row: str,
    low: Fraction,
    high: Fraction,
    b: RightHandSide | None = None,
    *,
    seconds: float | None = None,
) -> ValueComplex:
    """The pieces of the value function in one right-hand side; the program may be infeasible.

    The others are those of ``b``, the program's own by default.
    """
    form = normalise(program)
    return ValueDual(form, None, require_dual(form), seconds).along(row, low, high, b)
