"""Square systems of rows and columns of a sparse matrix, solved in rationals.

Most bases of linear programs are nearly triangular: rows and columns with one entry are taken away
until none is left, and what remains, the kernel, is solved over one common denominator: by the
floats of a solver's factor where there is one (`lifting`), else by Dixon's lifting.

Source: Cook, Steffy 2011, Solving very sparse rational systems of equations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Any, Protocol, TypeAlias

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat

from tamecheck.exact.lifting import Floats, Square, lift
from tamecheck.exact.reals import ONE

Sparse: TypeAlias = dict[int, fmpq]
Entries: TypeAlias = Sequence[tuple[int, fmpq]]


_LARGEST_KERNEL = 2_000
"""Larger kernels are not solved densely: the time grows with the cube of the size."""

_SMALL = 12
"""The inverse of a small kernel is computed once."""


class Matrix:
    """The coefficients of a linear program, none of them 0, by rows and by columns."""

    def __init__(self, rows: Sequence[Entries], width: int) -> None:
        self.rows = rows
        self.columns: list[list[tuple[int, fmpq]]] = [[] for _ in range(width)]
        for i, row in enumerate(rows):
            for j, a in row:
                self.columns[j].append((i, a))

    def extended(self, rows: Sequence[Entries]) -> Matrix:
        """The matrix with more rows below its own."""
        larger = copy(self)
        larger.rows, larger.columns = [*self.rows, *rows], list(self.columns)
        for i, row in enumerate(rows, len(self.rows)):
            for j, a in row:
                larger.columns[j] = [*larger.columns[j], (i, a)]
        return larger


class Approximation(Protocol):
    """A solver's factor of the matrix of some rows and columns; None where it fails."""

    def solve(self, right: Floats) -> Floats | None:
        """The values of all columns, 0 of others, for which the rows have about these values."""
        ...

    def solve_transposed(self, right: Floats) -> Floats | None:
        """The multipliers of all rows, 0 of others, with which the columns have these values."""
        ...


class SingularError(ArithmeticError):
    """The system has no unique solution."""


class TooLargeError(ArithmeticError):
    """The kernel is too large to be solved."""


class Factor:
    """The square matrix of some rows and columns, permuted to a triangle around a kernel.

    Raises
    ------
    SingularError
        If the matrix is singular; of a large kernel that shows only when it is solved.
    """

    def __init__(
        self,
        matrix: Matrix,
        rows: Iterable[int],
        columns: Iterable[int],
        approximation: Approximation | None = None,
    ) -> None:
        self._matrix = matrix
        self.rows, self.columns = set(rows), set(columns)
        if len(self.rows) != len(self.columns):
            raise SingularError
        self._first: list[tuple[int, int, fmpq]] = []
        self._last: list[tuple[int, int, fmpq]] = []
        kernel_rows, kernel_columns = self._peel()
        self._kernel = (
            _Kernel(matrix, kernel_rows, kernel_columns, approximation) if kernel_rows else None
        )

    def _peel(self) -> tuple[list[int], list[int]]:
        """Take away rows and columns with one entry; the rows and columns that remain."""
        matrix, columns = self._matrix, self.columns
        of_rows = {i: {j for j, _ in matrix.rows[i] if j in columns} for i in self.rows}
        of_columns: dict[int, set[int]] = {j: set() for j in columns}
        for i, own in of_rows.items():
            for j in own:
                of_columns[j].add(i)
        if not all(of_rows.values()) or not all(of_columns.values()):
            raise SingularError
        single_rows = [i for i, own in of_rows.items() if len(own) == 1]
        single_columns = [j for j, own in of_columns.items() if len(own) == 1]
        while single_rows or single_columns:
            if single_rows:
                i = single_rows.pop()
                if len(of_rows.get(i, ())) != 1:
                    continue
                (j,) = of_rows[i]
                order = self._first
            else:
                j = single_columns.pop()
                if len(of_columns.get(j, ())) != 1:
                    continue
                (i,) = of_columns[j]
                order = self._last
            order.append((i, j, next(a for k, a in matrix.rows[i] if k == j)))
            _take(of_rows.pop(i), j, i, of_columns, single_columns)
            _take(of_columns.pop(j), i, j, of_rows, single_rows)
        return sorted(of_rows), sorted(of_columns)

    def solve(self, right: Mapping[int, fmpq]) -> tuple[Sparse, fmpq]:
        """The values of the columns for which the rows have these values, 0 where none is given.

        They are to be divided by the number beside them: sums of multiples of them are found sooner
        before that.
        """
        own = self._matrix.columns, self._matrix.rows
        kernel = None if self._kernel is None else self._kernel.solve
        return self._solve(right, kernel, self._first, self._last, own[0], self.rows)

    def solve_transposed(self, right: Mapping[int, fmpq]) -> tuple[Sparse, fmpq]:
        """The multipliers of the rows with which the columns have these values: see `solve`."""
        first = [(j, i, a) for i, j, a in self._last]
        last = [(j, i, a) for i, j, a in self._first]
        kernel = None if self._kernel is None else self._kernel.solve_transposed
        return self._solve(right, kernel, first, last, self._matrix.rows, self.columns)

    @staticmethod
    def _solve(  # noqa: PLR0913, PLR0917 (a matrix or its transpose)
        right: Mapping[int, fmpq],
        kernel: Callable[[Mapping[int, fmpq]], tuple[Sparse, fmpq]] | None,
        first: Sequence[tuple[int, int, fmpq]],
        last: Sequence[tuple[int, int, fmpq]],
        entries: Sequence[Entries],
        own: set[int],
    ) -> tuple[Sparse, fmpq]:
        rest, found, unit = dict(right), dict[int, fmpq](), ONE
        for i, j, a in first:
            _settle(rest, found, (i, j, a), entries[j], own)
        if kernel is not None:
            solved, unit = kernel(rest)
            if unit != 1:
                rest = {i: unit * v for i, v in rest.items()}
                found = {j: unit * x for j, x in found.items()}
            found |= solved
            left = {i for i, _, _ in last}
            for j, x in solved.items() if left else ():
                _subtract(rest, x, entries[j], left)
        for i, j, a in reversed(last):
            _settle(rest, found, (i, j, a), entries[j], own)
        return found, unit


def _take(
    gone: set[int], but: int, of: int, others: dict[int, set[int]], single: list[int]
) -> None:
    """Take a row out of its columns, or a column out of its rows; an empty one is singular."""
    for k in gone:
        if k == but:
            continue
        own = others[k]
        own.discard(of)
        if not own:
            raise SingularError
        if len(own) == 1:
            single.append(k)


def _settle(
    rest: Sparse, found: Sparse, at: tuple[int, int, fmpq], entries: Entries, own: set[int]
) -> None:
    """Find one unknown by an equation in which the others are known."""
    i, j, a = at
    value = rest.pop(i, None)
    if value:
        found[j] = x = value / a
        _subtract(rest, x, entries, own)


def _subtract(rest: Sparse, x: fmpq, entries: Entries, own: set[int]) -> None:
    for k, c in entries:
        if k in own:
            before = rest.get(k)
            rest[k] = -c * x if before is None else before - c * x


class _Kernel:
    """A square matrix without rows and columns of one entry."""

    def __init__(
        self,
        matrix: Matrix,
        rows: Sequence[int],
        columns: Sequence[int],
        approximation: Approximation | None,
    ) -> None:
        self._matrix, self._rows, self._columns = matrix, rows, columns
        self._approximation = approximation
        self._squares: dict[bool, Any] = {}
        self._inverse: Any = None
        if len(rows) <= _SMALL:
            try:
                self._inverse = self._square(transposed=False).inv()
            except ZeroDivisionError:
                raise SingularError from None

    def _square(self, *, transposed: bool) -> Any:
        """The dense matrix, or its transpose."""
        if transposed not in self._squares:
            size = len(self._rows)
            if size > _LARGEST_KERNEL:
                raise TooLargeError
            square: Any = fmpq_mat(size, size)
            if transposed:
                square = self._square(transposed=False).transpose()
            else:
                place = {j: c for c, j in enumerate(self._columns)}
                for r, i in enumerate(self._rows):
                    for j, a in self._matrix.rows[i]:
                        if j in place:
                            square[r, place[j]] = a
            self._squares[transposed] = square
        return self._squares[transposed]

    def solve(self, right: Mapping[int, fmpq]) -> tuple[Sparse, fmpq]:
        """The values of the columns, over a common denominator."""
        return self._solved(right, self._rows, self._columns, transposed=False)

    def solve_transposed(self, right: Mapping[int, fmpq]) -> tuple[Sparse, fmpq]:
        """The multipliers of the rows, over a common denominator."""
        return self._solved(right, self._columns, self._rows, transposed=True)

    def _solved(
        self,
        right: Mapping[int, fmpq],
        equations: Sequence[int],
        unknowns: Sequence[int],
        *,
        transposed: bool,
    ) -> tuple[Sparse, fmpq]:
        zero = fmpq(0)
        side = [right.get(i, zero) for i in equations]
        if not any(side):
            return {}, ONE
        column: Any = fmpq_mat(len(side), 1, side)
        if self._inverse is not None:
            own = self._inverse.transpose() if transposed else self._inverse
            return {j: x for j, x in zip(unknowns, (own * column).entries(), strict=True) if x}, ONE
        found = self._lift(column, equations, unknowns, transposed=transposed)
        if found is None:
            try:
                exact = self._square(transposed=transposed).solve(column, algorithm="dixon")
            except ZeroDivisionError:
                raise SingularError from None
            found = exact.numer_denom()
        numerators, unit = found
        values = zip(unknowns, numerators.entries(), strict=True)
        return {j: fmpq(x) for j, x in values if x}, fmpq(unit)

    def _lift(
        self, column: Any, equations: Sequence[int], unknowns: Sequence[int], *, transposed: bool
    ) -> tuple[Any, Any] | None:
        """The solution by the solver's factor, None where that is not good enough."""
        by = self._approximation
        if by is None:
            return None
        lines = self._matrix.columns if transposed else self._matrix.rows
        height = len(self._matrix.columns if transposed else self._matrix.rows)
        place = {j: c for c, j in enumerate(unknowns)}
        own = [[(place[j], a) for j, a in lines[i] if j in place] for i in equations]
        units = [math.lcm(*(int(a.q) for _, a in row)) for row in own]
        rows = [
            [(j, int((a * unit).p)) for j, a in row] for row, unit in zip(own, units, strict=True)
        ]
        numerators, unit = column.numer_denom()
        right = [int(b) * unit for b, unit in zip(numerators.entries(), units, strict=True)]
        try:
            scales = np.array([1 / unit for unit in units])
        except OverflowError:
            return None
        at, into = np.array(equations), np.array(unknowns)
        oracle = by.solve_transposed if transposed else by.solve

        def approximate(residual: Floats) -> Floats | None:
            whole = np.zeros(height)
            whole[at] = residual * scales
            found = oracle(whole)
            return None if found is None else found[into]

        found = lift(Square(rows), right, approximate)
        if found is None:
            return None
        values, denominator = found
        return fmpz_mat(len(values), 1, values), denominator * unit
