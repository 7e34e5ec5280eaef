"""Linear programs in rationals, from any basis: every outcome with its proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from flint import fmpq, fmpq_mat

from tamecheck.budget import Budget
from tamecheck.exact.reals import as_fraction, as_number
from tamecheck.exact.simplex import Dictionary, State
from tamecheck.ir.answer import Answer, Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.box import Bound
from tamecheck.ir.program import Program

_MOST_ENTRIES = 400_000
"""Dictionaries with more entries are not built: a pivot touches each."""

_LARGEST_BASIS = 1_200
"""Larger bases are not solved exactly: the time grows with the cube of the size."""

_ZERO, _ONE = fmpq(0), fmpq(1)

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
    lower = [simple(column.lower) for column in program.columns]
    return Box(lower, [simple(column.upper) for column in program.columns])


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
    optimal; without one, or if it is singular, where all rows are basic.  A pivot takes
    ``rows * columns`` rational operations.
    """
    if basis is not None:
        known = _optimal_at(program, costs, box, basis)
        if known is not None:
            return known
    if (len(program.rows) + 2) * (len(program.columns) + 1) > _MOST_ENTRIES:
        return Unknown("too large for rationals")
    table = _dictionary(program, costs, box, basis)
    width, height = len(program.columns), len(program.rows)

    def of_rows(weights: Mapping[int, fmpq]) -> tuple[Fraction, ...]:
        return tuple(as_fraction(weights.get(k, _ZERO)) for k in range(width, width + height))

    match table.optimise(budget or Budget()):
        case State.STOPPED:
            return Unknown("out of time")
        case State.INFEASIBLE:
            # a row that no values within the bounds satisfy, in terms of the program's rows
            r, sign = table.stuck
            weights = {k: -sign * table.table[r, c] for c, k in enumerate(table.nonbasic)}
            return Infeasible(LinearProof(of_rows({**weights, table.basic[r]: sign * _ONE})))
        case State.UNBOUNDED:
            c, sign = table.stuck
            ray = {k: sign * table.table[r, c] for r, k in enumerate(table.basic)}
            ray[table.nonbasic[c]] = sign * _ONE
            point = tuple(map(as_fraction, table.point(width)))
            steps = tuple(as_fraction(ray.get(k, _ZERO)) for k in range(width))
            return Unbounded(point, steps, LinearProof(()))
        case State.OPTIMAL:
            rates = {k: table.table[table.true_costs, c] for c, k in enumerate(table.nonbasic)}
            terms = (rates[k] * table.value_at(c) for c, k in enumerate(table.nonbasic))
            statuses = ["basic"] * (width + height)
            for k, at in zip(table.nonbasic, table.at, strict=True):
                statuses[k] = at
            own = Basis(tuple(statuses[:width]), tuple(statuses[width:]))
            point = tuple(map(as_fraction, table.point(width)))
            value = as_fraction(sum(terms, _ZERO))
            return Optimal(point, value, LinearProof(of_rows(rates), own))


def _dictionary(
    program: Program, costs: Sequence[Fraction], box: Box, basis: Basis | None
) -> Dictionary:
    """The dictionary of a basis; of the rows, if there is none or if it is singular."""
    width, height = len(program.columns), len(program.rows)
    ends = (
        [_end(x) for x in (*box.lower, *(row.lower for row in program.rows))],
        [_end(x) for x in (*box.upper, *(row.upper for row in program.rows))],
    )
    matrix: Any = fmpq_mat(height, width)
    for i, row in enumerate(program.rows):
        for j, a in row.terms:
            matrix[i, j] = as_number(a)
    cost: Any = fmpq_mat(1, width, [as_number(c) for c in costs])
    if basis is None or (table := _table_of(basis, matrix, cost)) is None:
        numbers = range(width, width + height)
        return Dictionary(_stack(matrix, cost), numbers, range(width), ends)
    rows, columns, others, kept = _split(basis)
    nonbasic = [*(width + i for i in rows), *others]
    at = [(*basis.columns, *basis.rows)[k] for k in nonbasic]
    return Dictionary(table, [*columns, *(width + i for i in kept)], nonbasic, ends, at)


def _table_of(basis: Basis, matrix: Any, cost: Any) -> Any:
    """The dictionary's table of a basis, None if there is none."""
    rows, columns, others, kept = _split(basis)
    size, width = len(rows), len(basis.columns)
    if size != len(columns):
        return None
    right: Any = fmpq_mat(size, width)
    for r, i in enumerate(rows):
        right[r, r] = _ONE
        for c, j in enumerate(others):
            right[r, size + c] = -matrix[i, j]
    try:
        of_columns: Any = _part(matrix, rows, columns).solve(right) if size else right
    except ZeroDivisionError:
        return None
    below = _stack(_part(matrix, kept, range(width)), cost)
    rest: Any = _part(below, range(below.nrows()), columns) * of_columns
    for i in range(rest.nrows()):
        for c, j in enumerate(others):
            rest[i, size + c] += below[i, j]
    return fmpq_mat(size + rest.nrows(), width, [*of_columns.entries(), *rest.entries()])


def _split(basis: Basis) -> tuple[list[int], list[int], list[int], list[int]]:
    """The rows that hold with equality, the columns that they determine, and the others of both."""
    rows = [i for i, status in enumerate(basis.rows) if status != "basic"]
    columns = [j for j, status in enumerate(basis.columns) if status == "basic"]
    others = [j for j, status in enumerate(basis.columns) if status != "basic"]
    return rows, columns, others, [i for i, s in enumerate(basis.rows) if s == "basic"]


def _stack(matrix: Any, cost: Any) -> Any:
    """A matrix above two copies of the costs."""
    entries = [*matrix.entries(), *cost.entries(), *cost.entries()]
    return fmpq_mat(matrix.nrows() + 2, cost.ncols(), entries)


def _part(matrix: Any, rows: Sequence[int], columns: Sequence[int]) -> Any:
    return fmpq_mat(len(rows), len(columns), [matrix[i, j] for i in rows for j in columns])


def _end(bound: Number | None) -> fmpq | None:
    return None if bound is None else as_number(bound)


# -- the vertex and the multipliers of a basis ---------------------------------------------------


def exact_multipliers(
    program: Program, basis: Basis, costs: Sequence[Fraction]
) -> Mapping[int, Fraction] | None:
    """Row multipliers that make the reduced costs of the basic columns 0; None if singular."""
    rows, columns, _, _ = _split(basis)
    square = _square(program, rows, columns)
    found = None if square is None else _solve(square.transpose(), [costs[j] for j in columns])
    return None if found is None else dict(zip(rows, found, strict=True))


def _optimal_at(
    program: Program, costs: Sequence[Fraction], box: Box, basis: Basis
) -> Optimal[Fraction, LinearProof] | None:
    """The optimum of a basis that is optimal, None of another.

    At its point the nonbasic columns and rows are at their bounds.
    """
    found = exact_multipliers(program, basis, costs)
    if found is None:
        return None
    rows, columns, _, _ = _split(basis)
    ends = zip(basis.columns, box.lower, box.upper, strict=True)
    point = [
        Fraction(0) if status == "basic" else _at(status, low, high) for status, low, high in ends
    ]
    fixed = [program.rows[i] for i in rows]
    right = [
        _at(basis.rows[i], row.lower, row.upper) - row.value(point)
        for i, row in zip(rows, fixed, strict=True)
    ]
    for j, x in zip(columns, _solve(_square(program, rows, columns), right) or (), strict=True):
        point[j] = x
    reduced = list(costs)
    for i, y in found.items():
        for j, a in program.rows[i].terms:
            reduced[j] -= y * a
    multipliers = tuple(found.get(i, Fraction(0)) for i in range(len(program.rows)))
    limited = [
        *zip(box.lower, box.upper, point, reduced, strict=True),
        *(
            (row.lower, row.upper, row.value(point), y)
            for row, y in zip(program.rows, multipliers, strict=True)
        ),
    ]
    if not all(_complementary(*own) for own in limited):
        return None
    value = sum((c * x for c, x in zip(costs, point, strict=True)), Fraction(0))
    return Optimal(tuple(point), value, LinearProof(multipliers, basis))


def _complementary(
    low: Number | None, high: Number | None, value: Fraction, rate: Fraction
) -> bool:
    """Whether a value is within its bounds, and at the one that its rate presses against."""
    if (low is not None and value < low) or (high is not None and value > high):
        return False
    return rate == 0 or value == (low if rate > 0 else high)


def _at(status: str, lower: Number | None, upper: Number | None) -> Fraction:
    """The bound at which something nonbasic stands: the other one, or 0, if it has no such."""
    first, second = (upper, lower) if status == "upper" else (lower, upper)
    if first is not None:
        return Fraction(first)
    return Fraction(second or 0)


def _square(program: Program, rows: Sequence[int], columns: Sequence[int]) -> Any:
    """The coefficients of the columns in the rows; None if they are not square, or too many."""
    if len(rows) != len(columns) or len(rows) > _LARGEST_BASIS:
        return None
    place = {j: k for k, j in enumerate(columns)}
    square: Any = fmpq_mat(len(rows), len(rows))
    for r, i in enumerate(rows):
        for j, a in program.rows[i].terms:
            if j in place:
                square[r, place[j]] = as_number(a)
    return square


def _solve(square: Any, right: Sequence[Fraction]) -> list[Fraction] | None:
    """The solution of a square system; None if it is singular."""
    size = len(right)
    if not size:
        return []
    side: Any = fmpq_mat(size, 1, [as_number(b) for b in right])
    try:
        solution = square.solve(side, algorithm="dixon" if size > 30 else "fflu")
    except ZeroDivisionError:
        return None
    return [as_fraction(x) for x in solution.entries()]
