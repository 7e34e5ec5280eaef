"""Arrays of exact numbers: native floats and integers as they are, else objects.

A float64, float32 or int64 array stands for the rationals that it denotes, so that large weight
tensors stay small; an object array holds ``fmpq`` and ``arb`` elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq

from tamecheck.errors import InputError
from tamecheck.evaluate.reals import as_fraction, as_number
from tamecheck.ir.tensor import Array

__all__ = ["alike", "fractions", "from_values", "has_balls", "native", "objects"]

_EXACT_INTEGERS = 2**53


def native(array: Array) -> bool:
    """Whether the elements are machine numbers."""
    return array.dtype != object


def from_values(array: Array) -> Array:
    """The exact array of an input or constant: floats, integers, booleans or fractions.

    Raises
    ------
    InputError
        If an element is not a real number.
    """
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        return array.astype(np.float64, copy=False)
    if array.dtype.kind in "bi" or (array.dtype.kind == "u" and array.dtype.itemsize < 8):
        return array.astype(np.int64)
    return _mapped(array, _number)


def _number(value: Any) -> fmpq:
    if isinstance(value, fmpq):
        return value
    if not isinstance(value, (int, float, Fraction, np.integer, np.floating)):
        raise InputError(f"{value!r} is not a rational number.", hint="Give fractions or floats.")
    try:
        return as_number(value if isinstance(value, Fraction) else Fraction(value))
    except (ValueError, OverflowError):
        raise InputError(f"{value!r} is not a real number.") from None


def objects(array: Array) -> Array:
    """The same elements as ``fmpq`` and ``arb``."""
    if array.dtype == object:
        return array
    return _mapped(array, lambda value: as_number(value))


def fractions(array: Array) -> Array:
    """The same elements as fractions, and balls where there is no rational."""
    return _mapped(objects(array), lambda v: v if isinstance(v, arb) else as_fraction(v))


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


def _mapped(array: Array, function: Any) -> Array:
    result = np.empty(array.shape, dtype=object)
    flat = result.reshape(-1)
    flat[:] = [function(value) for value in array.reshape(-1).tolist()]
    return result
