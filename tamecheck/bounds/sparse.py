"""Products with matrices of which few entries are not 0, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tamecheck.ir.tensor import Array

_RATIO, _ENTRIES = 16, 4096


def is_sparse(weight: Array) -> bool:
    """Whether few entries of a large matrix are not 0: one of 16."""
    large = weight.ndim == 2 and weight.size >= _ENTRIES
    return large and int(np.count_nonzero(weight)) * _RATIO <= weight.size


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """A matrix of which few entries are not 0: for each column, in order, where they are."""

    rows: Array
    values: Array
    columns: Array
    """The columns that have any."""
    starts: Array
    """Where these begin among the entries."""
    height: int
    width: int
    longest: int

    @staticmethod
    def of(weight: Array) -> Sparse:
        """The entries of a matrix."""
        columns, rows = np.nonzero(weight.T)
        found, starts, counts = np.unique(columns, return_index=True, return_counts=True)
        longest = int(counts.max(initial=0))
        height, width = weight.shape
        return Sparse(rows, weight[rows, columns], found, starts, height, width, longest)

    def times(self, x: Array, *, absolute: bool = False) -> Array:
        """Rows times the matrix, or times its magnitudes."""
        values = np.abs(self.values) if absolute else self.values
        if not len(values):
            return np.zeros((len(x), self.width))
        if self.longest * len(self.columns) == len(values):
            # all sums have the same number of terms
            terms = (
                x[:, self.rows[k :: self.longest]] * values[k :: self.longest]
                for k in range(self.longest)
            )
            total = sum(terms, start=np.zeros(1))
        else:
            total = np.add.reduceat(x[:, self.rows] * values, self.starts, axis=-1)
        if len(self.columns) == self.width:
            return total
        wide = np.zeros((len(x), self.width))
        wide[:, self.columns] = total
        return wide
