"""Values on the vertices of a cube: all sums of a base and a subset of steps, by doubling."""

from __future__ import annotations

from functools import cache

import numpy as np

from tamecheck.learn.network import Floats

__all__ = ["flips", "patterns", "products", "sums"]


@cache
def flips(count: int) -> Floats:
    """All 0/1 vectors of a length, shape ``(2**count, count)``; bit j of a row's number is j's."""
    numbers = np.arange(2**count, dtype=np.int64)[:, None]
    table: Floats = np.where(numbers >> np.arange(count, dtype=np.int64) & 1, 1.0, 0.0)
    table.flags.writeable = False
    return table


@cache
def patterns(count: int) -> Floats:
    """All vectors of signs of a length: 1 where `flips` is 1, else -1."""
    table = 2 * flips(count) - 1
    table.flags.writeable = False
    return table


def sums(start: Floats, steps: Floats) -> Floats:
    """``start + flips @ steps`` for each row.

    Parameters
    ----------
    start
        Of shape ``(rows, n)``.
    steps
        Of shape ``(rows, count, n)``.

    Returns
    -------
    array
        Of shape ``(rows, 2**count, n)``; two operations an element.
    """
    rows, count, size = steps.shape
    found = np.empty((rows, 2**count, size))
    found[:, 0] = start
    for j in range(count):
        np.add(found[:, : 2**j], steps[:, j, None, :], out=found[:, 2**j : 2 ** (j + 1)])
    return found


def products(start: Floats, factors: Floats) -> Floats:
    """The same with products: ``start`` times the factors of the flips that are 1."""
    rows, count, size = factors.shape
    found = np.empty((rows, 2**count, size))
    found[:, 0] = start
    for j in range(count):
        np.multiply(found[:, : 2**j], factors[:, j, None, :], out=found[:, 2**j : 2 ** (j + 1)])
    return found
