"""Linear programs in rationals, from any basis: every outcome with its proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol, TypeAlias

from flint import fmpq

from tamecheck.budget import Budget
from tamecheck.exact.factor import (
    Approximation,
    Factor,
    Matrix,
    SingularError,
    Sparse,
    TooLargeError,
)
from tamecheck.exact.reals import ZERO, as_fraction, as_number
from tamecheck.exact.revised import Contradiction, End, Ray, Simplex, State
from tamecheck.ir.answer import Answer, Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.box import Bound
from tamecheck.ir.exact import map_once
from tamecheck.ir.program import Program

_ROUNDS = 6
"""So often a better basis is asked for."""

Number: TypeAlias = int | Fraction
"""Exact numbers; integers are kept as such because they are faster."""


@dataclass(frozen=True, slots=True)
class Box:
    """Bounds of the columns, None where there are none."""

    lower: list[Number | None]
    upper: list[Number | None]


@dataclass(frozen=True, slots=True)
class Basis:
    """Where each column and each row stands: ``basic``, ``lower``, ``upper`` or ``zero``."""

    columns: tuple[str, ...]
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LinearProof:
    """Multipliers of the rows, and of an optimum its basis.

    They prove an optimal point optimal.  If there is no point, their form of the rows minus the
    same form of the columns is positive within all bounds.
    """

    multipliers: tuple[Fraction, ...]
    basis: Basis | None = None


LinearOutcome: TypeAlias = Answer[Fraction, LinearProof]


def simple(bound: Bound) -> Number | None:
    """The same number, as an integer if it is one."""
    if bound is None or bound.denominator != 1:
        return bound
    return bound.numerator


def linear_box(program: Program) -> Box:
    """The columns' bounds as they are, without regard to kinds."""
    lower = map_once(simple, [column.lower for column in program.columns])
    return Box(lower, map_once(simple, [column.upper for column in program.columns]))


def minimum(
    program: Program,
    costs: Sequence[Fraction],
    box: Box,
    basis: Basis | None = None,
    *,
    budget: Budget | None = None,
) -> LinearOutcome:
    """The minimum of ``Σ costs x`` over a program's rows and a box, with its proof.

    Of the program, kinds, costs, bounds of columns and sense do not count; no interval of a column
    or a row is crossed.  The method begins at a solver's basis, which need not be feasible or
    optimal; without one, or if it is singular, where all rows are basic.
    """
    return LinearProgram.of(program).minimum(costs, box, basis, budget=budget)


@dataclass(frozen=True, slots=True)
class Vertex:
    """The exact point of a basis, of the columns and then of the rows.

    ``violation`` is the largest distance of the point from its bounds, ``deficit`` the largest
    reduced cost of the wrong sign: both are 0 of an optimum.
    """

    values: Sequence[Fraction]
    violation: Fraction
    deficit: Fraction


class Guide(Protocol):
    """A solver that has solved the program in floats; nothing that it says is believed."""

    def refine(self, vertex: Vertex) -> Basis | None:
        """A better basis than that of a vertex, None if none is known."""
        ...

    def leaving(self) -> int | None:
        """A basic variable of the last basis whose row may be a contradiction."""
        ...

    def approximation(self) -> Approximation:
        """The factor of the last basis."""
        ...


@dataclass(frozen=True, slots=True)
class LinearProgram:
    """The rows of a program and their bounds, over which forms are minimised within boxes."""

    matrix: Matrix
    row_ends: tuple[Sequence[fmpq | None], Sequence[fmpq | None]]

    @classmethod
    def of(cls, program: Program) -> LinearProgram:
        """The rows of a program."""
        numbers = iter(program.map_coefficients(as_number))
        rows = [[(j, next(numbers)) for j, _ in row.terms] for row in program.rows]
        lower = map_once(_end, [row.lower for row in program.rows])
        upper = map_once(_end, [row.upper for row in program.rows])
        return cls(Matrix(rows, len(program.columns)), (lower, upper))

    def minimum(
        self,
        costs: Sequence[Fraction],
        box: Box,
        basis: Basis | None = None,
        *,
        budget: Budget | None = None,
        guide: Guide | None = None,
    ) -> LinearOutcome:
        """The minimum: see `minimum`.

        Where the basis, the ``guide``'s own, is not optimal, it may know a better one, before there
        are pivots.
        """
        ends = (
            [*map_once(_end, box.lower), *self.row_ends[0]],
            [*map_once(_end, box.upper), *self.row_ends[1]],
        )
        priced = map_once(as_number, costs)

        def begin(start: Basis | None) -> Simplex:
            at = None if start is None else (*start.columns, *start.rows)
            by = None if start is None or guide is None else guide.approximation()
            return Simplex(self.matrix, ends, priced, at, by)

        try:
            run = begin(basis)
            for _ in range(0 if guide is None or basis is None else _ROUNDS):
                run.polish()
                better = _refined(run, guide)
                if better is None:
                    break
                stays = better == basis
                run, basis = (run if stays else begin(better)), better
                k = None if guide is None else guide.leaving()
                refuted = None if k is None else run.refute(k)
                if refuted is not None:
                    return self._outcome(run, refuted)
                if stays:
                    break
            return self._outcome(run, run.optimise(budget or Budget()))
        except TooLargeError:
            return Unknown("too large for rationals")

    def _outcome(self, run: Simplex, end: End) -> LinearOutcome:
        width = len(self.matrix.columns)

        def rows_of(weights: Sparse) -> LinearProof:
            numbers = range(width, width + len(self.matrix.rows))
            return LinearProof(tuple(as_fraction(weights.get(k, ZERO)) for k in numbers))

        point = tuple(map(as_fraction, run.values[:width]))
        match end:
            case State.STOPPED:
                return Unknown("out of time")
            case Contradiction(weights):
                return Infeasible(rows_of(weights))
            case Ray(steps):
                ray = tuple(as_fraction(steps.get(j, ZERO)) for j in range(width))
                return Unbounded(point, ray, LinearProof(()))
            case State.OPTIMAL:
                pairs = zip(run.costs, run.values, strict=True)
                value = as_fraction(sum((c * x for c, x in pairs if c), ZERO))
                basis = Basis(tuple(run.at[:width]), tuple(run.at[width:]))
                return Optimal(point, value, replace(rows_of(run.prices(width)), basis=basis))

    def multipliers(self, costs: Sequence[Fraction], basis: Basis) -> Mapping[int, Fraction] | None:
        """Row multipliers that make the reduced costs of basic columns 0; None if singular."""
        right = {
            j: as_number(costs[j])
            for j, status in enumerate(basis.columns)
            if status == "basic" and costs[j]
        }
        return self._multipliers(right, basis)

    def row_of(
        self, k: int, basis: Basis, guide: Guide | None = None
    ) -> Mapping[int, Fraction] | None:
        """Row multipliers whose form has the basic variable k, and no other basic one.

        Variables are numbered: the columns, then the rows.  None if the basis is singular.
        """
        width = len(self.matrix.columns)
        if k < width:
            return self._multipliers({k: fmpq(1)}, basis, guide)
        row = self.matrix.rows[k - width]
        right = {j: -a for j, a in row if basis.columns[j] == "basic"}
        found = self._multipliers(right, basis, guide)
        return None if found is None else {**found, k - width: Fraction(1)}

    def _multipliers(
        self, right: Sparse, basis: Basis, guide: Guide | None = None
    ) -> Mapping[int, Fraction] | None:
        """Multipliers of nonbasic rows that give the basic columns these values."""
        rows = [i for i, status in enumerate(basis.rows) if status != "basic"]
        columns = [j for j, status in enumerate(basis.columns) if status == "basic"]
        by = None if guide is None else guide.approximation()
        try:
            found, unit = Factor(self.matrix, rows, columns, by).solve_transposed(right)
        except (SingularError, TooLargeError):
            return None
        return {i: as_fraction(y / unit) for i, y in found.items()}


def _refined(run: Simplex, guide: Guide | None) -> Basis | None:
    """A better basis, None if this one is optimal or none is known."""
    violation, deficit = run.violation, run.deficit
    if guide is None or not (violation or deficit):
        return None
    values = tuple(map(as_fraction, run.values))
    return guide.refine(Vertex(values, as_fraction(violation), as_fraction(deficit)))


def _end(bound: Number | None) -> fmpq | None:
    return None if bound is None else as_number(bound)
