"""Exact matrix products: scaled to integers for rationals, balls otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq, fmpq_mat, fmpz, fmpz_mat

from tamecheck.exact.arrays import has_balls, objects
from tamecheck.exact.reals import settled
from tamecheck.ir.tensor import Array, Shape, size_of

__all__ = ["exact_matmul"]

_WORD = 62


def exact_matmul(left: Array, right: Array, shape: Shape) -> Array:
    """``numpy.matmul`` on exact arrays, as an object array of the given shape."""
    a = left.reshape(1, -1) if left.ndim == 1 else left
    b = right.reshape(-1, 1) if right.ndim == 1 else right
    if b.ndim == 2:
        return _product(a.reshape(-1, a.shape[-1]), b).reshape(shape)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    many_a = np.broadcast_to(a, (*batch, *a.shape[-2:])).reshape(-1, *a.shape[-2:])
    many_b = np.broadcast_to(b, (*batch, *b.shape[-2:])).reshape(-1, *b.shape[-2:])
    result = np.empty((size_of(tuple(batch)), a.shape[-2], b.shape[-1]), dtype=object)
    for index in range(result.shape[0]):
        result[index] = _product(many_a[index], many_b[index])
    return result.reshape(shape)


def _product(left: Array, right: Array) -> Array:
    rows, inner, columns = left.shape[0], left.shape[1], right.shape[1]
    if inner == 0 or rows * columns == 0:
        return _filled([fmpq(0)] * (rows * columns), rows, columns)
    if has_balls(left) or has_balls(right):
        balls = _ball_matrix(left) * _ball_matrix(right)
        return _filled([settled(ball) for ball in _entries(balls)], rows, columns)
    (a, scale_a), (b, scale_b) = _integers(left), _integers(right)
    scale = scale_a * scale_b
    return _filled([scale * entry for entry in (a * b).entries()], rows, columns)


def _entries(matrix: arb_mat) -> list[arb]:
    return [matrix[i, j] for i in range(matrix.nrows()) for j in range(matrix.ncols())]


def _filled(entries: list[Any], rows: int, columns: int) -> Array:
    result = np.empty(rows * columns, dtype=object)
    result[:] = entries
    return result.reshape(rows, columns)


def _ball_matrix(array: Array) -> arb_mat:
    balls = [arb(value) for value in objects(array).reshape(-1).tolist()]
    return arb_mat(array.shape[0], array.shape[1], balls)


def _integers(array: Array) -> tuple[fmpz_mat, fmpq]:
    """An integer matrix and a scale whose product is the array."""
    rows, columns = array.shape
    if array.dtype == object:
        matrix, denominator = fmpq_mat(rows, columns, array.reshape(-1).tolist()).numer_denom()
        return matrix, fmpq(1, denominator)
    if array.dtype.kind != "f":
        return fmpz_mat(rows, columns, array.reshape(-1).tolist()), fmpq(1)
    entries, exponent = _dyadic(array.astype(np.float64, copy=False).reshape(-1))
    power = fmpz(2) ** abs(exponent)
    return fmpz_mat(rows, columns, entries), fmpq(power) if exponent >= 0 else fmpq(1, power)


def _dyadic(values: Array) -> tuple[list[int], int]:
    """Integers ``n`` and an exponent ``e`` with ``values = n 2**e``."""
    mantissas, exponents = np.frexp(values)
    whole = np.ldexp(mantissas, 53).astype(np.int64)
    nonzero = whole != 0
    if not nonzero.any():
        return [0] * values.size, 0
    trailing = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    lowest = np.where(nonzero, exponents - 53 + trailing, 0)
    exponent = int(lowest[nonzero].min())
    if int(exponents[nonzero].max()) - exponent <= _WORD:
        # two steps, because the scale alone may exceed the range of a float
        half = -exponent // 2
        return np.ldexp(np.ldexp(values, half), -exponent - half).astype(
            np.int64
        ).tolist(), exponent
    shifts = np.where(nonzero, exponents - 53 - exponent, 0).tolist()
    whole_list = whole.tolist()
    shifted = [n << s if s >= 0 else n >> -s for n, s in zip(whole_list, shifts, strict=True)]
    return shifted, exponent
