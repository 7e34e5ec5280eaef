"""Linear relaxations of a program in floating point, by HiGHS; its answers are only guesses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tamecheck.exact.factor import Approximation
from tamecheck.exact.lifting import Floats
from tamecheck.exact.linear import Basis, Box, Guide, Number, Vertex
from tamecheck.ir.answer import Answer, Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.exact import map_once
from tamecheck.ir.program import Program
from tamecheck.solvers.dense import linear_program
from tamecheck.solvers.libraries import highs
from tamecheck.solvers.libraries import highspy as highspy_module
from tamecheck.solvers.scaling import Scaling, power, scaling, shift

_Array: TypeAlias = npt.NDArray[Any]
_Ends: TypeAlias = tuple[_Array, _Array]
_LARGEST = 1e300
_LARGE, _DEEPEST, _STEEPEST = 200, 400, 20
"""Of so many variables a basis is refined; the largest exponents of two that magnify."""
_NOISE = 1e-12


Relaxed: TypeAlias = Optimal[float, tuple[float, ...]]
LinearAnswer: TypeAlias = Answer[float, tuple[float, ...]]
"""Its certificate are the multipliers of the rows, up to rounding; none if HiGHS gives none."""


class Relaxation:
    """The linear relaxation of a program, to be minimised, with bounds that may be changed.

    The solver is asked about the scaled program; answers are about the program itself.  Kinds are
    ignored; of a maximised objective the negative is minimised.  ``presolve`` is for a relaxation
    that is solved once; with a small ``tolerance`` a column has no room beside where it is fixed.
    """

    def __init__(
        self, program: Program, *, presolve: bool = False, tolerance: float | None = None
    ) -> None:
        highspy = highspy_module()
        self._scaling = scaling(program)
        self._plain = not any(
            (*self._scaling.columns, *self._scaling.rows, self._scaling.objective)
        )
        self._program = program
        self._presolve, self._tolerance = presolve, tolerance
        self.iterations = 0
        """Of the simplex method, since the last start."""
        columns = np.array(self._scaling.columns, int)
        self._lower = _ends([c.lower for c in program.columns], -1, -columns).tolist()
        self._upper = _ends([c.upper for c in program.columns], 1, -columns).tolist()
        self._statuses: Any = highspy.HighsModelStatus
        known: Any = highspy.HighsBasisStatus
        names = {known.kBasic: "basic", known.kLower: "lower", known.kUpper: "upper"}
        self._names = {own.value: names.get(own, "zero") for own in known.__members__.values()}
        self._model = _model(program, self._scaling, self._lower, self._upper)
        self._solver: Any = self._start()
        self._factored = self._solver

    def _start(self) -> Any:
        """A solver that knows the model, with the bounds that it has in the beginning."""
        solver: Any = highs()
        if not self._presolve:
            solver.setOptionValue("presolve", "off")
        for kind in () if self._tolerance is None else ("primal", "dual"):
            solver.setOptionValue(f"{kind}_feasibility_tolerance", self._tolerance)
        status = solver.passModel(self._model)
        self._accepted = status != highspy_module().HighsStatus.kError
        return solver

    def restart(self, basis: bytes | None = None) -> None:
        """Forget what was solved: what comes depends on the bounds and this basis only.

        The costs are those of the program.
        """
        self._solver = self._factored = self._start()
        self.iterations = 0
        low, high = np.array(self._lower), np.array(self._upper)
        moved = (low != self._model.col_lower_) | (high != self._model.col_upper_)
        for j in np.flatnonzero(moved).tolist():
            self._solver.changeColBounds(j, self._lower[j], self._upper[j])
        if basis is not None:
            highspy: Any = highspy_module()
            found, kind, count = highspy.HighsBasis(), highspy.HighsBasisStatus, len(self._lower)
            found.col_status = [kind(status) for status in basis[:count]]
            found.row_status = [kind(status) for status in basis[count:]]
            found.valid = True
            self._solver.setBasis(found)

    def mark(self) -> Any:
        """The basis of the last solution as the solver has it, for `packed`."""
        return self._solver.getBasis()

    def set_bounds(self, j: int, lower: Number | None, upper: Number | None) -> None:
        """Change the bounds of a column."""
        low, high = self._ends(j, lower, upper)
        if (low, high) != (self._lower[j], self._upper[j]):
            self._lower[j], self._upper[j] = low, high
            self._solver.changeColBounds(j, low, high)

    def set_costs(self, costs: Sequence[float]) -> None:
        """Change the objective."""
        largest = max((abs(cost) for cost in costs), default=0.0)
        objective = -math.frexp(largest)[1] if 0 < largest < math.inf else 0
        self._scaling = replace(self._scaling, objective=objective)
        self._plain = False
        for j, (cost, c) in enumerate(zip(costs, self._scaling.columns, strict=True)):
            self._solver.changeColCost(j, shift(cost, c + objective))

    def solve(self, *, seconds: float = math.inf) -> LinearAnswer:
        """Solve the relaxation, from the last basis if there is one."""
        if not self._accepted:
            return Unknown("HiGHS does not accept the coefficients")
        # HiGHS counts the time of all runs together
        limit = min(seconds, 1e9) + self._solver.getRunTime()
        self._solver.setOptionValue("time_limit", limit)
        self._solver.run()
        self._factored = self._solver
        status, info = self._solver.getModelStatus(), self._solver.getInfo()
        self.iterations += max(info.simplex_iteration_count, 0)
        if self._presolve and status != self._statuses.kOptimal:
            # what presolve finds comes without a basis
            self._presolve = False
            self._solver.setOptionValue("presolve", "off")
            return self.solve(seconds=seconds)
        if status == self._statuses.kOptimal:
            solution = self._solver.getSolution()
            objective = info.objective_function_value
            by = self._scaling
            if self._plain:
                return Optimal(tuple(solution.col_value), objective, tuple(solution.row_dual))
            return Optimal(
                tuple(map(shift, solution.col_value, by.columns)),
                shift(objective, -by.objective),
                tuple(
                    shift(y, r - by.objective)
                    for y, r in zip(solution.row_dual, by.rows, strict=True)
                ),
            )
        if status == self._statuses.kInfeasible:
            return Infeasible(self._ray())
        if status in {self._statuses.kUnbounded, self._statuses.kUnboundedOrInfeasible}:
            return Unbounded((), (), ())
        return Unknown(f"HiGHS: {self._solver.modelStatusToString(status)}")

    def probe(self, j: int, lower: Number | None, upper: Number | None, iterations: int) -> float:
        """The objective after a few iterations with other bounds of one column, then restored."""
        before = self._lower[j], self._upper[j]
        basis = self._solver.getBasis()
        self._solver.setOptionValue("simplex_iteration_limit", iterations)
        self._solver.changeColBounds(j, *self._ends(j, lower, upper))
        self._solver.run()
        infeasible = self._solver.getModelStatus() == self._statuses.kInfeasible
        info = self._solver.getInfo()
        value = info.objective_function_value
        self.iterations += max(info.simplex_iteration_count, 0)
        self._solver.setOptionValue("simplex_iteration_limit", 2**31 - 1)
        self._solver.changeColBounds(j, *before)
        self._solver.setBasis(basis)
        return math.inf if infeasible else shift(value, -self._scaling.objective)

    def basis(self) -> Basis:
        """The basis of the last solution."""
        return self._basis_of(self._solver)

    def _basis_of(self, solver: Any) -> Basis:
        basis = solver.getBasis()
        # these are objects of C++, which are slow to hash
        return Basis(
            tuple([self._names[status.value] for status in basis.col_status]),
            tuple([self._names[status.value] for status in basis.row_status]),
        )

    def tableau(self, columns: Sequence[int]) -> Iterator[dict[int, float]]:
        """For each column that is basic, multipliers of rows that leave it and nonbasic ones."""
        places = {int(k): r for r, k in enumerate(self._solver.getBasicVariables()[1])}
        by = self._scaling
        for j in columns:
            if j not in places:
                continue
            _, row = self._solver.getBasisInverseRow(places[j])
            values = np.array(row, float)
            largest = float(np.abs(values).max(initial=0.0))
            chosen = np.flatnonzero(np.abs(values) > _NOISE * largest)
            yield {int(i): shift(float(values[i]), by.rows[i] + by.columns[j]) for i in chosen}

    def refine(self, vertex: Vertex, box: Box) -> Basis | None:
        """The basis that is optimal around the exact point of the last one, seen through a lens.

        Where there seems to be no point, it is that of a contradiction: see `leaving`.

        Bounds are moved by the point and magnified, and so are the costs, until what tolerances
        hide is as large as 1 (Gleixner, Steffy, Wolter 2016).
        """
        status = self._solver.getModelStatus()
        unbounded = status == self._statuses.kUnbounded and vertex.violation
        if len(vertex.values) < _LARGE or not (unbounded or status == self._statuses.kOptimal):
            return None
        by, columns, rows = self._scaling, self._scaling.columns, self._program.rows
        model = self._solver.getLp()
        most = _magnification(vertex.violation, _DEEPEST)
        zooms = np.array([most - c for c in columns], int)
        seen = list(zip(box.lower, box.upper, vertex.values, strict=False))
        model.col_lower_ = _ends([_beyond(low, x) for low, _, x in seen], -1, zooms)
        model.col_upper_ = _ends([_beyond(high, x) for _, high, x in seen], 1, zooms)
        zooms = np.array([most + r for r in by.rows], int)
        pairs = list(zip(rows, vertex.values[len(columns) :], strict=True))
        model.row_lower_ = _ends([_beyond(r.lower, x) for r, x in pairs], -1, zooms)
        model.row_upper_ = _ends([_beyond(r.upper, x) for r, x in pairs], 1, zooms)
        deficit = _magnification(vertex.deficit * power(by.objective), _STEEPEST)
        # where there is no optimum, a feasible point is asked for
        model.col_cost_ = np.array(model.col_cost_, float) * (0.0 if unbounded else 2.0**deficit)
        solver = highs()
        solver.setOptionValue("presolve", "off")
        solver.passModel(model)
        solver.setBasis(self._solver.getBasis())
        solver.run()
        if solver.getModelStatus() not in {self._statuses.kOptimal, self._statuses.kInfeasible}:
            return None
        self._solver.setBasis(solver.getBasis())
        self._factored = solver
        return self._basis_of(solver)

    def guide(self, box: Box) -> Guide:
        """What helps to solve the relaxation exactly within a box, from the last basis on."""
        return _Guide(self, box)

    def approximation(self) -> Approximation:
        """The factor of the last basis."""
        return _Factored(self._factored, self._scaling)

    def impossible_rows(self) -> list[int]:
        """The rows that seem to have no value within the columns' bounds."""
        matrix = self._model.a_matrix_
        starts, at = np.array(matrix.start_), np.array(matrix.index_)
        values: _Array = np.array(matrix.value_, float)
        low, high = np.array(self._lower), np.array(self._upper)
        rows, rising = np.flatnonzero(np.diff(starts)), values > 0
        most, least = np.zeros(len(starts) - 1), np.zeros(len(starts) - 1)
        with np.errstate(over="ignore", invalid="ignore"):
            for found, up, down in ((most, high, low), (least, low, high)) if len(rows) else ():
                parts = values * np.where(rising, up[at], down[at])
                found[rows] = np.add.reduceat(parts, starts[rows])
        ends = np.array(self._model.row_lower_), np.array(self._model.row_upper_)
        return np.flatnonzero((most < ends[0]) | (least > ends[1])).tolist()

    def leaving(self) -> int | None:
        """The basic variable that the dual ray's form has: a column, or a row after them.

        The ray is a row of the basis' inverse, up to its sign: no other basic variable is in it.
        """
        solver = self._factored
        infeasible = solver.getModelStatus() == self._statuses.kInfeasible
        _, exists, values = solver.getDualRay() if infeasible else (None, False, ())
        if not exists:
            return None
        basis, matrix = self._basis_of(solver), self._model.a_matrix_
        y = np.array(values, float)
        terms = np.array(matrix.value_, float) * np.repeat(y, np.diff(matrix.start_))
        form = np.bincount(matrix.index_, terms, len(basis.columns))
        distance = np.abs(np.abs(np.concatenate([form, y])) - 1.0)
        basic = np.array([s == "basic" for s in (*basis.columns, *basis.rows)])
        return int(np.argmin(np.where(basic, distance, math.inf)))

    def _ray(self) -> tuple[float, ...]:
        _, exists, values = self._solver.getDualRay()
        return tuple(map(shift, values, self._scaling.rows)) if exists else ()

    def _ends(self, j: int, lower: Number | None, upper: Number | None) -> tuple[float, float]:
        """The bounds of a column in the scaled program."""
        if not self._scaling.columns[j]:
            return _end(lower, -1), _end(upper, 1)
        unit = power(-self._scaling.columns[j])
        low, high = (None if end is None else end * unit for end in (lower, upper))
        return _end(low, -1), _end(high, 1)


def packed(basis: Any) -> bytes:
    """A basis as `Relaxation.restart` takes it in another process."""
    return bytes(map(int, (*basis.col_status, *basis.row_status)))


@dataclass(frozen=True, slots=True)
class _Guide:
    relaxation: Relaxation
    box: Box

    def refine(self, vertex: Vertex) -> Basis | None:
        """A better basis than that of a vertex: see `Relaxation.refine`."""
        return self.relaxation.refine(vertex, self.box)

    def leaving(self) -> int | None:
        """The variable whose row may be a contradiction: see `Relaxation.leaving`."""
        return self.relaxation.leaving()

    def approximation(self) -> Approximation:
        """The factor of the last basis."""
        return self.relaxation.approximation()


class _Factored:
    """The factor that HiGHS has of a basis, for the program itself.

    It is asked only when it is needed: without a row HiGHS has none, and may end the process.
    """

    def __init__(self, solver: Any, by: Scaling) -> None:
        self._solver, self._by = solver, by

    @cached_property
    def _exponents(self) -> _Ends:
        return np.array(self._by.columns, int), np.array(self._by.rows, int)

    @cached_property
    def _basic(self) -> _Ends | None:
        """The places of columns in the basis, and which these are."""
        status, found = self._solver.getBasicVariables()
        if status != highspy_module().HighsStatus.kOk:
            return None
        basic = np.array(found, int)
        places: _Array = np.flatnonzero(basic >= 0)
        return places, basic[places]

    def solve(self, right: Floats) -> Floats | None:
        """The values of the columns."""
        columns, rows = self._exponents
        if self._basic is None:
            return None
        places, basic = self._basic
        _, found = self._solver.getBasisSolve(np.ldexp(right, rows))
        values = np.zeros(len(columns))
        values[basic] = np.array(found, float)[places]
        return np.ldexp(values, columns)

    def solve_transposed(self, right: Floats) -> Floats | None:
        """The multipliers of the rows."""
        columns, rows = self._exponents
        if self._basic is None:
            return None
        places, basic = self._basic
        own = np.zeros(len(rows))
        own[places] = np.ldexp(right, columns)[basic]
        _, found = self._solver.getBasisTransposeSolve(own)
        return np.ldexp(np.array(found, float), rows)


def _end(bound: Number | None, sign: int) -> float:
    """The float nearest to a bound, or the infinity of that sign."""
    return sign * math.inf if bound is None else nearest(bound)


def _ends(bounds: Sequence[Number | None], sign: int, exponents: _Array) -> Floats:
    """The floats nearest to bounds times powers of two, or infinities of that sign."""
    known = np.array([bound is not None for bound in bounds], bool)
    found = np.full(len(known), sign * math.inf)
    found[known] = _floats([bound for bound in bounds if bound is not None], exponents[known])
    return found


def _floats(numbers: Sequence[Number], exponents: _Array) -> Floats:
    """The floats nearest to numbers times powers of two."""
    return _shifted(map_once(_quotient, numbers), numbers, exponents)


def _shifted(quotients: Sequence[float], numbers: Sequence[Number], exponents: _Array) -> Floats:
    """The same, of numbers whose nearest floats are known."""
    plain = np.array(quotients, float)
    with np.errstate(over="ignore"):
        found = np.ldexp(plain, exponents)
    size = np.abs(plain)
    # of numbers near the ends of the range of floats the power is taken first
    for k in np.flatnonzero((size >= _LARGEST) | (size < 1 / _LARGEST)).tolist():
        if numbers[k]:
            found[k] = nearest(numbers[k] * power(int(exponents[k])))
    return np.clip(found, -_LARGEST, _LARGEST)


def _beyond(end: Number | None, at: Fraction) -> Number | None:
    """A bound as the distance from a value."""
    return end if end is None or not at else end - at if end else -at


def _magnification(value: Fraction, most: int) -> int:
    """The exponent of two that brings a small number to about 1."""
    if not value:
        return 0
    return min(max(value.denominator.bit_length() - value.numerator.bit_length(), 0), most)


def nearest(value: Number, exponent: int = 0) -> float:
    """The float nearest to ``value 2^exponent``; one beyond the floats is the solvers' largest.

    Nothing that is computed from it is believed.
    """
    return max(-_LARGEST, min(_LARGEST, _quotient(value, exponent)))


def _quotient(value: Number, exponent: int = 0) -> float:
    top, low = value.as_integer_ratio()
    try:
        return (top << exponent) / low if exponent >= 0 else top / (low << -exponent)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _model(program: Program, by: Scaling, lower: Sequence[float], upper: Sequence[float]) -> Any:
    columns, rows = np.array(by.columns, int), np.array(by.rows, int)
    lengths = [len(row.terms) for row in program.rows]
    places = np.array([j for row in program.rows for j, _ in row.terms], np.int32)
    entries = [a for row in program.rows for _, a in row.terms]
    units = np.repeat(rows, lengths) + columns[places]
    costs = [c.cost for c in program.columns]
    return linear_program(
        program.sense.sign * _floats(costs, columns + by.objective),
        (np.array(lower, float), np.array(upper, float)),
        (
            _ends([row.lower for row in program.rows], -1, rows),
            _ends([row.upper for row in program.rows], 1, rows),
        ),
        np.cumsum([0, *lengths]),
        places,
        _shifted(program.map_coefficients(_quotient), entries, units),
    )
