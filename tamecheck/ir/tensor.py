"""Constant tensors with exact values, a canonical byte form and a digest."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tamecheck.errors import InputError
from tamecheck.ir.exact import rational, rational_text

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

_ENCODINGS = {np.dtype(np.float32): "f32", np.dtype(np.float64): "f64", np.dtype(np.int64): "i64"}


def size_of(shape: Shape) -> int:
    """The number of elements of a shape."""
    return math.prod(shape)


def positions(shape: Shape, start: int = 0) -> Array:
    """The number of each element in one row in C order, as an array of the shape."""
    return np.arange(start, start + size_of(shape)).reshape(shape)


def element_names(shapes: Mapping[str, Shape], *, single: bool = True) -> tuple[str, ...]:
    """A name for every element, ``x[3]``, or ``x`` of a number.

    The only element of a tensor with axes is called ``x`` too if ``single``, else ``x[0]``.
    """
    return tuple(
        name if shape == () or (single and size_of(shape) == 1) else f"{name}[{k}]"
        for name, shape in shapes.items()
        for k in range(size_of(shape))
    )


@dataclass(frozen=True, eq=False)
class Tensor:
    """A constant tensor of rationals.

    ``array`` is float32, float64 or int64, each element standing for the rational that it
    denotes, or an object array of `fractions.Fraction`.  Equality is equality of digests.
    """

    array: Array = field(repr=False)

    @staticmethod
    def of(values: Any) -> Tensor:
        """The tensor of an array or nested list; a float is the rational that it denotes.

        Other integer, boolean and half-precision arrays widen without rounding.  Negative zero
        becomes zero.

        Raises
        ------
        InputError
            On NaN, infinity, or values that are not real numbers.
        """
        array = np.asarray(values)
        if array.dtype == object:
            return Tensor(_rationals(array))
        if array.dtype.kind == "u" and array.size and int(array.max()) >= 2**63:
            return Tensor(_rationals(array.astype(object)))
        if array.dtype.kind in "biu":
            # not ascontiguousarray, which turns a scalar into a vector
            return Tensor(np.asarray(array, dtype=np.int64, order="C"))
        if array.dtype.kind != "f" or array.dtype.itemsize > 8:
            raise InputError(
                f"A constant has type {array.dtype}.", hint="Use integers, floats or doubles."
            )
        wide = array.astype(np.float32 if array.dtype.itemsize == 4 else np.float64, copy=False)
        if not np.isfinite(wide).all():
            raise InputError("A constant holds NaN or infinity.", hint="Weights must be finite.")
        if wide.size and (np.signbit(wide) & (wide == 0)).any():
            wide = wide + wide.dtype.type(0)
        return Tensor(np.asarray(wide, order="C"))

    @property
    def shape(self) -> Shape:
        """The shape."""
        return tuple(int(n) for n in self.array.shape)

    @property
    def encoding(self) -> str:
        """The name of the element type: ``f32``, ``f64``, ``i64`` or ``q``."""
        return _ENCODINGS.get(self.array.dtype, "q")

    def raw(self) -> bytes:
        """The elements in C order: little-endian words, or lines of ``p/q``."""
        if self.encoding == "q":
            return "\n".join(self.texts()).encode()
        little = self.array.dtype.newbyteorder("<")
        return np.ascontiguousarray(self.array, dtype=little).tobytes()

    def texts(self) -> list[str]:
        """Each element as exact text, in C order."""
        return [rational_text(rational(value)) for value in self.array.reshape(-1).tolist()]

    def fractions(self) -> list[Fraction]:
        """Each element as an exact rational, in C order."""
        return [rational(value) for value in self.array.reshape(-1).tolist()]

    def extremes(self) -> tuple[Fraction, Fraction]:
        """The least and the largest element, as exact rationals."""
        if self.encoding == "q":
            values = self.fractions()
            return min(values), max(values)
        return rational(self.array.min().item()), rational(self.array.max().item())

    @cached_property
    def digest(self) -> str:
        """SHA-256 over encoding, shape and elements."""
        head = f"{self.encoding}:{','.join(map(str, self.shape))}:"
        digest = hashlib.sha256(head.encode())
        if self.encoding == "q":
            digest.update(self.raw())
        else:
            little = self.array.dtype.newbyteorder("<")
            flat = np.ascontiguousarray(self.array, dtype=little).reshape(-1)
            digest.update(flat.data)
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tensor) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def _rationals(array: Array) -> Array:
    exact = np.empty(array.shape, dtype=object)
    exact.reshape(-1)[:] = _fractions(array.reshape(-1).tolist())
    return exact


def _fractions(values: Iterable[Any]) -> list[Fraction]:
    return [rational(value) for value in values]
