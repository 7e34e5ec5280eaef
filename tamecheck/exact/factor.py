"""Square systems of rows and columns of a sparse matrix, solved in rationals.

Most bases of linear programs are nearly triangular: rows and columns with one entry are taken away
until none is left, and what remains, the kernel, is solved by Dixon's lifting.

Source: Cook, Steffy 2011, Solving very sparse rational systems of equations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from flint import fmpq, fmpq_mat

Sparse: TypeAlias = dict[int, fmpq]
Entries: TypeAlias = Sequence[tuple[int, fmpq]]

_LARGEST_KERNEL = 2_000
"""Larger kernels are not solved: the time grows with the cube of the size."""

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

    def __init__(self, matrix: Matrix, rows: Iterable[int], columns: Iterable[int]) -> None:
        self._matrix = matrix
        self.rows, self.columns = set(rows), set(columns)
        if len(self.rows) != len(self.columns):
            raise SingularError
        self._first: list[tuple[int, int, fmpq]] = []
        self._last: list[tuple[int, int, fmpq]] = []
        kernel_rows, kernel_columns = self._peel()
        self._kernel = _Kernel(matrix, kernel_rows, kernel_columns) if kernel_rows else None

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

    def solve(self, right: Mapping[int, fmpq]) -> Sparse:
        """The values of the columns for which the rows have these values, 0 where none is given."""
        rest, found = dict(right), dict[int, fmpq]()
        matrix, rows = self._matrix.columns, self.rows
        for i, j, a in self._first:
            _settle(rest, found, (i, j, a), matrix[j], rows)
        if self._kernel is not None:
            for j, x in self._kernel.solve(rest).items():
                found[j] = x
                _subtract(rest, x, matrix[j], rows)
        for i, j, a in reversed(self._last):
            _settle(rest, found, (i, j, a), matrix[j], rows)
        return found

    def solve_transposed(self, right: Mapping[int, fmpq]) -> Sparse:
        """The multipliers of the rows with which the columns have these values."""
        rest, found = dict(right), dict[int, fmpq]()
        matrix, columns = self._matrix.rows, self.columns
        for i, j, a in self._last:
            _settle(rest, found, (j, i, a), matrix[i], columns)
        if self._kernel is not None:
            for i, y in self._kernel.solve_transposed(rest).items():
                found[i] = y
                _subtract(rest, y, matrix[i], columns)
        for i, j, a in reversed(self._first):
            _settle(rest, found, (j, i, a), matrix[i], columns)
        return found


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
    """A dense square matrix, and its transpose once it is asked for."""

    def __init__(self, matrix: Matrix, rows: Sequence[int], columns: Sequence[int]) -> None:
        size = len(rows)
        if size > _LARGEST_KERNEL:
            raise TooLargeError
        self._rows, self._columns = rows, columns
        place = {j: c for c, j in enumerate(columns)}
        self._square: Any = fmpq_mat(size, size)
        for r, i in enumerate(rows):
            for j, a in matrix.rows[i]:
                if j in place:
                    self._square[r, place[j]] = a
        self._transposed: Any = None
        self._inverse: Any = None
        if size <= _SMALL:
            try:
                self._inverse = self._square.inv()
            except ZeroDivisionError:
                raise SingularError from None

    def solve(self, right: Mapping[int, fmpq]) -> Sparse:
        """The values of the columns."""
        return self._solved(self._square, self._inverse, self._rows, self._columns, right)

    def solve_transposed(self, right: Mapping[int, fmpq]) -> Sparse:
        """The multipliers of the rows."""
        if self._transposed is None:
            self._transposed = self._square.transpose()
        inverse = None if self._inverse is None else self._inverse.transpose()
        return self._solved(self._transposed, inverse, self._columns, self._rows, right)

    @staticmethod
    def _solved(
        square: Any,
        inverse: Any,
        equations: Sequence[int],
        unknowns: Sequence[int],
        right: Mapping[int, fmpq],
    ) -> Sparse:
        zero = fmpq(0)
        side = [right.get(i, zero) for i in equations]
        if not any(side):
            return {}
        column: Any = fmpq_mat(len(side), 1, side)
        if inverse is not None:
            found = inverse * column
        else:
            try:
                found = square.solve(column, algorithm="dixon")
            except ZeroDivisionError:
                raise SingularError from None
        return {j: x for j, x in zip(unknowns, found.entries(), strict=True) if x}
