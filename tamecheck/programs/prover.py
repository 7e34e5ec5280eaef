"""From floating-point multipliers to exact proofs, from floating-point points to exact ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import TypeAlias

from tamecheck.budget import Budget
from tamecheck.exact.linear import Box, LinearOutcome, LinearProgram, simple
from tamecheck.ir.answer import Infeasible, Optimal
from tamecheck.ir.box import Bound
from tamecheck.ir.program import Column, Kind, Program
from tamecheck.programs.scaled import Multipliers, Scaled, domain, hull, minimised_costs
from tamecheck.solvers.relaxation import Relaxation, nearest

_DENOMINATORS = (2**8, 2**20, 2**40)


def rounded_rays(scaled: Scaled, ray: Sequence[float]) -> Iterator[Multipliers]:
    """Multipliers near a dual ray in floats."""
    largest = max((abs(value) for value in ray), default=0.0)
    if 0 < largest < float("inf"):
        for denominator in _DENOMINATORS:
            yield scaled.round([value / largest for value in ray], denominator)


def exact_rays(
    scaled: Scaled, linear: LinearProgram, relaxation: Relaxation, box: Box
) -> Iterator[Multipliers]:
    """The multipliers that the solver's dual ray is near, and their opposites."""
    leaving = relaxation.leaving()
    if leaving is None:
        return
    found = linear.row_of(leaving, relaxation.basis(), relaxation.guide(box))
    if found is not None:
        for sign in (1, -1):
            own = Multipliers.of({i: sign * y for i, y in found.items()})
            yield scaled.support(own.numerators, own.denominator)


class Prover:
    """Turns floating-point multipliers into exact proofs.

    The relaxation's last basis belongs to the answer that is to be proved.
    """

    def __init__(self, program: Program, relaxation: Relaxation) -> None:
        self._program = program
        self._relaxation = relaxation
        self._costs = minimised_costs(program)
        self.linear = LinearProgram.of(program)
        self.scaled = Scaled(program)

    def bound(
        self, values: Sequence[float], box: Box, enough: Callable[[Fraction], bool]
    ) -> tuple[Multipliers, Fraction] | None:
        """Multipliers whose bound is enough, and that bound; None if there seem to be none."""
        for multipliers in self._candidates(values):
            value = self.scaled.bound(multipliers, box)
            if value is not None and enough(value):
                return multipliers, value
        return None

    def contradiction(self, ray: Sequence[float], box: Box) -> Multipliers | None:
        """Multipliers, cheap to find, that prove that no point satisfies the rows in the box."""
        return next((y for y in self._rays(ray, box) if self.excludes(y, box)), None)

    def infeasible(self, ray: Sequence[float], box: Box) -> Multipliers | None:
        """The same, by pivots in rationals where nothing cheap is found."""
        found = self.contradiction(ray, box)
        if found is not None:
            return found
        exact = self.minimum(box)
        if not isinstance(exact, Infeasible):
            return None
        return self.exclude(exact.certificate.multipliers, box)

    def minimum(self, box: Box, budget: Budget | None = None) -> LinearOutcome:
        """The relaxation in rationals, from the basis that the solver found."""
        basis = self._relaxation.basis()
        known = len(basis.columns) == len(self._program.columns)
        start = basis if known else None
        guide = self._relaxation.guide(box)
        return self.linear.minimum(self._costs, box, start, budget=budget, guide=guide)

    def exclude(self, values: Sequence[Fraction], box: Box) -> Multipliers | None:
        """The multipliers of an exact contradiction, if they are one: they always are."""
        multipliers = Multipliers.of(dict(enumerate(values)))
        return multipliers if self.excludes(multipliers, box) else None

    def excludes(self, multipliers: Multipliers, box: Box) -> bool:
        """Whether multipliers prove that there is no point."""
        value = self.scaled.bound(multipliers, box, costs=False)
        return value is not None and value > 0

    def _candidates(self, values: Sequence[float]) -> Iterator[Multipliers]:
        for denominator in _DENOMINATORS:
            yield self.scaled.round(values, denominator)
        exact = self.linear.multipliers(self._costs, self._relaxation.basis())
        if exact is not None:
            found = Multipliers.of(exact)
            yield self.scaled.support(found.numerators, found.denominator)

    def _rays(self, ray: Sequence[float], box: Box) -> Iterator[Multipliers]:
        yield from rounded_rays(self.scaled, ray)
        yield from exact_rays(self.scaled, self.linear, self._relaxation, box)


_TOLERANCE, _TIE = 1e-5, 1e-9
_KNOWN = 100
_Point: TypeAlias = tuple[Fraction, ...]


class Completion:
    """Fixes what is discrete, and solves the remaining linear program exactly.

    One instance serves many points; the rows may be given as they are used elsewhere.
    """

    def __init__(self, program: Program, linear: LinearProgram | None = None) -> None:
        self._program = program
        self._continuous = any(not column.kind.integral for column in program.columns)
        self._known: dict[tuple[int, ...], _Point | None] = {}
        """What the last discrete parts led to: near the optimum they come again and again."""
        self._relaxation: Relaxation | None = None
        self._linear = linear or LinearProgram.of(program)

    def restart(self) -> None:
        """Forget what was found: what comes depends on the program and the points only."""
        self._known.clear()
        if self._relaxation is not None:
            self._relaxation.restart()

    def point(
        self, x: Sequence[float], budget: Budget, below: Fraction | None = None
    ) -> _Point | None:
        """A feasible point with the discrete part of ``x``, best for that part; None if none.

        Its minimised objective, without the constant, is ``below`` a value.  Nothing about ``x`` is
        believed: every row, bound and kind is checked exactly.
        """
        columns = self._program.columns
        key = tuple(map(_part, columns, x))
        if key not in self._known:
            if len(self._known) > _KNOWN:
                self._known.clear()
            ends = [_fix(c, v) for c, v in zip(columns, x, strict=True)]
            point = self._best(ends, budget, below)
            if budget.is_spent:
                return point
            self._known[key] = point
        point = self._known[key]
        if point is None or below is None:
            return point
        terms = zip(minimised_costs(self._program), point, strict=True)
        return point if sum((c * v for c, v in terms if c), Fraction(0)) < below else None

    def _best(
        self, fixed: Sequence[tuple[Bound, Bound]], budget: Budget, below: Fraction | None
    ) -> _Point | None:
        """The best feasible point within these bounds, None if it seems to be no better."""
        if not self._continuous:
            point = tuple(low for low, _ in fixed if low is not None)
        else:
            relaxation = self._relaxation = self._relaxation or Relaxation(self._program)
            for j, (low, high) in enumerate(fixed):
                relaxation.set_bounds(j, low, high)
            relaxed = relaxation.solve()
            if not isinstance(relaxed, Optimal):
                return None
            if below is not None:
                limit = nearest(below)
                if relaxed.objective > limit - _TIE * max(1.0, abs(limit)):
                    return None
            box = Box([simple(low) for low, _ in fixed], [simple(high) for _, high in fixed])
            costs, basis = minimised_costs(self._program), relaxation.basis()
            found = self._linear.minimum(costs, box, basis, budget=budget)
            if not isinstance(found, Optimal) or (below is not None and found.objective >= below):
                return None
            point = found.point
        if len(point) != len(fixed) or self._program.violations(point):
            return None
        return point


def is_settled(column: Column, value: float) -> bool:
    """Whether a floating-point value is, up to rounding, one that the column's kind admits."""
    if column.kind.integral and abs(value - round(value)) > _TOLERANCE:
        return False
    if not column.kind.semi or abs(value) <= _TOLERANCE:
        return True
    return is_inside(column, value, _TOLERANCE)


def is_inside(column: Column, value: float, tolerance: float) -> bool:
    """Whether a floating-point value is between a column's bounds, up to rounding."""
    low, high = domain(column)
    return (low is None or value >= nearest(low) - tolerance) and (
        high is None or value <= nearest(high) + tolerance
    )


def _part(column: Column, value: float) -> int:
    """The discrete part of a value as `_fix` keeps it."""
    if column.kind.integral:
        return round(value)
    return int(column.kind.semi and abs(value) > _TOLERANCE)


def _fix(column: Column, value: float) -> tuple[Bound, Bound]:
    """The bounds that remain when the discrete part of a value is kept."""
    if column.kind.integral:
        return Fraction(round(value)), Fraction(round(value))
    if column.kind is Kind.SEMICONTINUOUS:
        if abs(value) <= _TOLERANCE:
            return Fraction(0), Fraction(0)
        return domain(column)
    return hull(column)
