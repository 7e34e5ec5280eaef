"""Arrays of exact numbers: native floats and integers as they are, else objects.

A float64, float32 or int64 array stands for the rationals that it denotes, so that large weight
tensors stay small; an object array holds ``fmpq`` and ``arb`` elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq

from tamecheck.errors import InputError
from tamecheck.exact.reals import as_fraction, as_number
from tamecheck.ir.tensor import Array, Shape

__all__ = [
    "alike",
    "fractions",
    "from_list",
    "from_values",
    "has_balls",
    "native",
    "objects",
    "pad_rank",
    "renumbered",
    "take_flat",
]

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
    return array if array.dtype == object else _mapped(array, as_number)


def renumbered(array: Array) -> Array:
    """The same elements, with the fractions among them as ``fmpq``."""
    return _mapped(array, lambda v: as_number(v) if isinstance(v, Fraction) else v)


def fractions(array: Array) -> Array:
    """The same elements as fractions, and balls where there is no rational."""
    return _mapped(objects(array), lambda v: as_fraction(v) if isinstance(v, fmpq) else v)


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


def _mapped(array: Array, function: Callable[[Any], Any]) -> Array:
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
