"""Arrays of exact numbers: native floats and integers as they are, else objects.

A float64, float32 or int64 array stands for the rationals that it denotes, so that large weight
tensors stay small; an object array holds ``fmpq`` and ``arb`` elements.  Matrix products are
scaled to integers for rationals, and computed in balls otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq, fmpq_mat, fmpz_mat

from tamecheck.errors import InputError
from tamecheck.exact.reals import as_fraction, as_number, settle
from tamecheck.ir.tensor import Array, Shape, size_of

_EXACT_INTEGERS = 2**53
_MANY = 100


def native(array: Array) -> bool:
    """Whether the elements are machine numbers."""
    return array.dtype != object


def from_values(array: Array) -> Array:
    """The exact array of an input or constant: floats, integers, booleans or fractions.

    Anything else is an InputError.
    """
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        return array.astype(np.float64, copy=False)
    if array.dtype.kind in "bi" or (array.dtype.kind == "u" and array.dtype.itemsize < 8):
        return array.astype(np.int64)
    return _map(array, _number)


def _number(value: Any) -> fmpq:
    if isinstance(value, (fmpq, int, float, Fraction)):
        try:
            return value if isinstance(value, fmpq) else as_number(value)
        except (ValueError, OverflowError):
            raise InputError(f"{value!r} is not a real number.") from None
    if isinstance(value, (np.integer, np.floating)):
        return _number(value.item())  # pyright: ignore[reportUnknownMemberType] untyped in NumPy
    raise InputError(f"{value!r} is not a rational number.", hint="Give fractions or floats.")


def objects(array: Array) -> Array:
    """The same elements as ``fmpq`` and ``arb``."""
    if not native(array):
        return array
    if array.size < _MANY:
        return _map(array, as_number)
    # a window repeats its elements, and quantised weights are few numbers
    distinct, places = np.unique(array, return_inverse=True)
    return _map(distinct, as_number)[places].reshape(array.shape)


def renumber(array: Array) -> Array:
    """The same elements, with the fractions among them as ``fmpq``."""
    return _map(array, lambda v: as_number(v) if isinstance(v, Fraction) else v)


def fractions(array: Array) -> Array:
    """The same elements as fractions, and balls where there is no rational."""
    return _map(objects(array), lambda v: as_fraction(v) if isinstance(v, fmpq) else v)


def has_balls(array: Array) -> bool:
    """Whether some element is a ball."""
    return array.dtype == object and any(type(v) is arb for v in array.reshape(-1).tolist())


def alike(arrays: Sequence[Array]) -> list[Array]:
    """The same numbers in arrays of one element type, without rounding."""
    if len({array.dtype for array in arrays}) == 1:
        return list(arrays)
    small = all(
        native(array)
        and (
            array.dtype.kind == "f" or not array.size or int(np.abs(array).max()) <= _EXACT_INTEGERS
        )
        for array in arrays
    )
    if small:
        return [array.astype(np.float64, copy=False) for array in arrays]
    return [objects(array) for array in arrays]


def from_list(shape: Shape, values: Sequence[Any]) -> Array:
    """The object array of a shape with these elements, whatever they are, in C order."""
    # np.array would take elements that are sequences apart
    return np.fromiter(values, dtype=object, count=len(values)).reshape(shape)


def _map(array: Array, function: Callable[[Any], Any]) -> Array:
    return from_list(array.shape, [function(value) for value in array.reshape(-1).tolist()])


def pad_rank(array: Array, rank: int) -> Array:
    """A batch of tensors, in two leading axes, with axes of extent 1 before the tensors' own."""
    missing = rank - (array.ndim - 2)
    if missing <= 0:
        return array
    return array.reshape((*array.shape[:2], *(1,) * missing, *array.shape[2:]))


def take_flat(array: Array, index: Array) -> Array:
    """The elements at flat positions of a batch of tensors, in two leading axes."""
    flat = array.reshape((*array.shape[:2], -1))
    return flat[:, :, index.reshape(-1)].reshape((*array.shape[:2], *index.shape))


_WORD = 62
_SPARSE = 8
"""A product with one row takes the nonzero elements alone where at most one in so many is."""


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
        return _fill([fmpq(0)] * (rows * columns), rows, columns)
    if has_balls(left) or has_balls(right):
        balls = _ball_matrix(left) * _ball_matrix(right)
        return _fill([settle(ball) for ball in _entries(balls)], rows, columns)
    if rows == 1 and _has_few_entries(right):
        return _sparse_product(left, right)
    if columns == 1 and _has_few_entries(left):
        return _sparse_product(right.T, left.T).T
    (a, scale_a), (b, scale_b) = _integers(left), _integers(right)
    scale = scale_a * scale_b
    return _fill([scale * entry for entry in (a * b).entries()], rows, columns)


def _has_few_entries(matrix: Array) -> bool:
    return matrix.dtype.kind == "f" and _SPARSE * int(np.count_nonzero(matrix)) <= matrix.size


def _sparse_product(row: Array, right: Array) -> Array:
    """The product of one row and a matrix of floats of which few are not 0."""
    at, to = right.nonzero()
    (values, scale), (weights, exponent) = _integers(row), _dyadic(right[at, to].astype(np.float64))
    factors, sums = [int(value) for value in values.entries()], [0] * right.shape[1]
    for i, j, weight in zip(at.tolist(), to.tolist(), weights, strict=True):
        sums[j] += factors[i] * weight
    scale *= fmpq(2) ** exponent
    return _fill([scale * total for total in sums], 1, right.shape[1])


def _entries(matrix: arb_mat) -> list[arb]:
    return [matrix[i, j] for i in range(matrix.nrows()) for j in range(matrix.ncols())]


def _fill(entries: list[Any], rows: int, columns: int) -> Array:
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
    return fmpz_mat(rows, columns, entries), fmpq(2) ** exponent


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
