"""Affine forms of many elements at once: exactly, and in float64 with rigorous error bounds.

A batch of forms is an array of shape ``(cells, d + 1, *shape)``: for every cell and element the
``d`` coefficients of the inputs and then the constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq

from tamecheck.errors import InputError
from tamecheck.evaluate.float_terms import nearest_float, nearest_floats
from tamecheck.exact.arrays import (
    exact_matmul,
    fractions,
    from_values,
    objects,
    pad_rank,
    take_flat,
)
from tamecheck.exact.reals import as_number
from tamecheck.ir.tensor import Array, Shape, positions, size_of

EPSILON = 2.0**-52
_INFLATE = 1 + 2.0**-48
_TINY = 1e-290
_EXACT_INTEGERS = 2.0**53
_WILD = 1e100


class NonlinearError(Exception):
    """Two factors depend on the inputs, so their product is no affine form."""


@dataclass(frozen=True, eq=False)
class Known:
    """A constant tensor: exact elements, and their float64 neighbours with error bounds."""

    array: Array

    @cached_property
    def exact(self) -> Array:
        """The elements as ``fmpq``."""
        return objects(from_values(self.array))

    @cached_property
    def value(self) -> Array:
        """The nearest float64 values."""
        found = nearest_floats(self.array)
        if np.isinf(found).any():
            raise InputError("A constant lies beyond float64.", hint="Scale the inputs.")
        return found

    @cached_property
    def error(self) -> Array | None:
        """Bounds on ``|exact - value|``; None when the values are exact."""
        if self.array.dtype.kind == "f":
            return None
        if not self.array.size or (
            self.array.dtype != object and float(np.abs(self.value).max()) < _EXACT_INTEGERS
        ):
            return None
        return np.abs(self.value) * EPSILON

    @cached_property
    def integral(self) -> bool:
        """Whether every element is an integer that a float64 holds exactly."""
        return self.error is None and bool((np.rint(self.value) == self.value).all())

    @cached_property
    def tame_range(self) -> bool:
        """Whether products with the elements neither overflow nor underflow."""
        size = np.abs(self.value[self.value != 0])
        return not size.size or bool(size.min() > 1 / _WILD and size.max() < _WILD)


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """A batch of forms: exact ones, or floats that differ from these by at most ``error``."""

    value: Array
    error: Array | None = None

    def __post_init__(self) -> None:
        if (self.error is None) is not (self.value.dtype == object):
            raise TypeError("forms of floats have errors, and exact ones have none")

    @classmethod
    def of_rows(cls, size: int, rows: Sequence[Sequence[Fraction]]) -> Forms:
        """Exact forms of ``size`` coordinates, given by their coefficients and then constants."""
        value: Array = np.empty((1, size + 1, len(rows)), dtype=object)
        for index, row in enumerate(rows):
            value[0, :, index] = list(map(as_number, row))
        return cls(value)

    @classmethod
    def near(cls, exact: Forms) -> Forms:
        """The float neighbours of exact forms; an `InputError` if there is none."""
        value = nearest_floats(fractions(exact.value))
        if np.isinf(value).any():
            raise InputError("The box has a bound beyond float64.", hint="Give a smaller box.")
        off = (objects(value) != exact.value).astype(bool)
        return cls(value, np.where(off, np.abs(value) * EPSILON + 1e-300, 0.0))

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The coefficients, and what is known of their errors."""
        return (self.value,) if self.error is None else (self.value, self.error)

    def _each(self, change: Callable[[Array], Array]) -> Forms:
        return Forms(*map(change, self.arrays))

    @property
    def shape(self) -> Shape:
        """The shape of the tensor of forms."""
        return tuple(int(n) for n in self.value.shape[2:])

    def rows(self, index: Array) -> Forms:
        """The forms of some cells."""
        return self._each(lambda array: array[index])

    def spread(self, count: int) -> Forms:
        """The same forms for every one of ``count`` cells."""
        if self.value.shape[0] == count:
            return self
        return self._each(lambda array: np.broadcast_to(array, (count, *array.shape[1:])))

    def padded(self, rank: int) -> Forms:
        """The same forms with axes of extent 1 in front, up to a rank."""
        return self._each(lambda array: pad_rank(array, rank))

    def take(self, index: Array) -> Forms:
        """Elements at flat positions, in the shape of ``index``."""
        return self._each(lambda array: take_flat(array, index))

    def flat(self, shape: Shape) -> Forms:
        """The forms broadcast to a shape, in one row."""
        return self.take(np.broadcast_to(positions(self.shape), shape).reshape(-1))

    def constant(self, value: Fraction) -> Forms:
        """The constant form, with as many axes as these forms: those of a batch come first."""
        number: Array = np.empty((), dtype=object)
        number[()] = value
        near = nearest_float(value)
        exact = math.isfinite(near) and Fraction(near) == value
        tensor = Known(np.asarray(near) if exact else number)
        return self.known(tensor).padded(len(self.shape))

    def integers(self, values: Array) -> Forms:
        """Constant forms, an integer for each cell and element."""
        found = self.known(Known(values.astype(np.int64).reshape(-1)))
        size = self.value.shape[1], *values.shape
        return Forms(*[np.moveaxis(array.reshape(size), 0, 1) for array in found.arrays])

    def choose(self, masks: Sequence[Array], parts: Sequence[Forms], shape: Shape) -> Forms:
        """The part whose mask, of shape ``(cells, *shape)``, holds; the last mask wins."""
        cells = max(mask.shape[0] for mask in masks)
        size = (cells, self.value.shape[1], *shape)
        found = [np.zeros(size, dtype=array.dtype) for array in self.arrays]
        for mask, part in zip(masks, parts, strict=True):
            held, wide = mask[:, None], part.padded(len(shape)).arrays
            found = [np.where(held, new, old) for new, old in zip(wide, found, strict=True)]
        return Forms(*found)

    def join(self, others: Sequence[Forms]) -> Forms:
        """All elements of several tensors in one flat row."""
        parts = [self, *others]
        cells = max(part.value.shape[0] for part in parts)
        flat = [
            [array.reshape((cells, array.shape[1], -1)) for array in part.spread(cells).arrays]
            for part in parts
        ]
        return Forms(*[np.concatenate(arrays, axis=2) for arrays in zip(*flat, strict=True)])

    def pick(self, index: Array, shape: Shape) -> Forms:
        """Elements at flat positions that differ from cell to cell."""

        def pick(array: Array) -> Array:
            lead = array.shape[:2]
            found = np.take_along_axis(array.reshape((*lead, -1)), index[:, None, :], axis=2)
            return found.reshape((*lead, *shape))

        return Forms(*[pick(array) for array in self.spread(len(index)).arrays])

    def known(self, tensor: Known) -> Forms:
        """The constant forms of a tensor, of as many coordinates as these."""
        size = 1, self.value.shape[1], *tensor.array.shape
        if self.error is None:
            exact = np.full(size, fmpq(0), dtype=object)
            exact[:, -1] = tensor.exact
            return Forms(exact)
        value, error = np.zeros(size), np.zeros(size)
        value[:, -1] = tensor.value
        if tensor.error is not None:
            error[:, -1] = tensor.error
        return Forms(value, error)

    def plus(self, other: Forms) -> Forms:
        """The sum, broadcast."""
        a, b = self.value, other.value
        total = a + b
        errors = self._errors(other)
        if errors is None:
            return Forms(total)
        # the rounding error of the sum, exactly (Knuth)
        back = total - a
        rounding = np.abs((a - (total - back)) + (b - back))
        return Forms(total, _raise(errors[0] + errors[1] + rounding))

    def times(self, other: Forms) -> Forms:
        """The product, broadcast; raises `NonlinearError` unless one factor is constant."""
        mine = self._constant_mask()
        if not (mine | other._constant_mask()).all():
            raise NonlinearError
        held = mine[:, None]
        a = np.where(held, other.value, self.value)
        b = np.where(held, self.value[:, -1:], other.value[:, -1:])
        value, errors = a * b, self._errors(other)
        if errors is None:
            return Forms(value)
        own, others = errors
        ea = np.where(held, others, own)
        eb = np.where(held, own[:, -1:], others[:, -1:])
        size = np.abs(value)
        error = np.abs(b) * ea + np.abs(a) * eb + ea * eb
        if not (_integral(a) and _integral(b) and float(size.max(initial=0)) < 2.0**52):
            lost = (a != 0) & (b != 0) & (size == 0)
            wild = (size != 0) & ((size < 1 / _WILD) | (size > _WILD)) | lost
            error = np.where(wild, np.inf, error + size * EPSILON)
        return Forms(value, _raise(error))

    def over(self, other: Forms) -> Forms:
        """The quotient by constants; raises `NonlinearError` where these may be 0."""
        if not other._constant_mask().all():
            raise NonlinearError
        b, errors = other.value[:, -1:], self._errors(other)
        if errors is None:
            return Forms(self.value / b)
        eb = errors[1][:, -1:]
        if bool((np.abs(b) <= eb).any()):
            raise NonlinearError
        value = self.value / b
        error = (errors[0] + np.abs(value) * eb) / (np.abs(b) - eb) + np.abs(value) * EPSILON
        return Forms(value, _raise(error))

    def scale(self, factor: Fraction) -> Forms:
        """A rational multiple."""
        if self.error is None:
            return Forms(self.value * as_number(factor))
        if factor in (1, -1):
            return Forms(self.value * float(factor), self.error)
        return self.times(self.constant(factor))

    def matmul(self, tensor: Known, *, left: bool) -> Forms:
        """The matrix product with a constant on the right, or on the left."""
        if self.error is None:
            return Forms(_exact_product(self.value[0], tensor.exact, left=left)[None])
        value = _product(self.value, tensor.value, left=left)
        weights = np.abs(tensor.value)
        size = _product(np.abs(self.value), weights, left=left)
        error = _product(self.error, weights, left=left)
        if tensor.error is not None:
            error = error + _product(np.abs(self.value) + self.error, tensor.error, left=left)
        if not (tensor.integral and self._exact_sums(size)):
            count = tensor.value.shape[-1] if left else self.value.shape[-1]
            error = error + (count + 8) * EPSILON * (size + error)
        if not tensor.tame_range:
            error = np.where(size > 0, np.inf, error)
        return Forms(value, _raise(error))

    def total(self, axes: tuple[int, ...], *, keepdims: bool) -> Forms:
        """The sum over axes."""

        def along(array: Array) -> Any:
            return array.sum(axis=tuple(axis + 2 for axis in axes), keepdims=keepdims)

        value = along(self.value)
        if self.error is None:
            return Forms(np.asarray(value) + fmpq(0))
        size, error = along(np.abs(self.value)), along(self.error)
        if not self._exact_sums(size):
            count = size_of(tuple(self.shape[axis] for axis in axes))
            error = error + (count + 8) * EPSILON * (size + error)
        return Forms(value, _raise(error))

    def _errors(self, other: Forms) -> tuple[Array, Array] | None:
        """The bounds on the errors of both; None if both are exact."""
        if self.error is not None and other.error is not None:
            return self.error, other.error
        if self.error is not other.error:
            raise TypeError("exact forms and floats do not mix")
        return None

    def _exact_sums(self, size: Array) -> bool:
        return _integral(self.value) and float(size.max(initial=0)) < 2.0**52

    def _constant_mask(self) -> Array:
        moving = self.value[:, :-1] != fmpq(0) if self.error is None else self.value[:, :-1] != 0
        if self.error is not None:
            moving = moving | (self.error[:, :-1] != 0)
        return ~moving.astype(bool).any(axis=1)


def _exact_product(forms: Array, weights: Array, *, left: bool) -> Array:
    """``numpy.matmul`` of one cell's exact forms with a tensor, whose first axis is theirs."""
    if left and forms.ndim == 2:
        weights = np.swapaxes(weights, -1, -2) if weights.ndim > 1 else weights
        left = False
    a, b = (weights, forms) if left else (forms, weights)
    shape = np.matmul(np.zeros(a.shape), np.zeros(b.shape)).shape
    return exact_matmul(a, b, tuple(int(n) for n in shape))


def _integral(value: Array) -> bool:
    return bool((np.rint(value) == value).all())


def _raise(error: Array) -> Array:
    return np.where(error > 0, error * _INFLATE + _TINY, 0.0)


def _product(array: Array, tensor: Array, *, left: bool) -> Array:
    """``numpy.matmul`` over the trailing axes of a batch of forms."""
    if array.ndim == 3 and left:
        return np.matmul(array, np.swapaxes(tensor, -1, -2) if tensor.ndim > 1 else tensor)
    if left:
        return np.matmul(tensor, array)
    if tensor.ndim == 2:
        out = array.reshape(-1, array.shape[-1]) @ tensor
        return out.reshape((*array.shape[:-1], tensor.shape[-1]))
    return np.matmul(array, tensor)
