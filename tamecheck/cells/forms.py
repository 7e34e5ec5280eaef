"""Affine forms of many elements at once: exactly, and in float64 with rigorous error bounds.

A batch of forms is an array of shape ``(cells, d + 1, *shape)``: for every cell and element the
``d`` coefficients of the inputs and then the constant.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Self

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


def _axes(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of a tensor as axes of its batch of forms."""
    return tuple(axis + 2 for axis in axes)


@dataclass(frozen=True, slots=True, eq=False)
class Forms(ABC):
    """What float and exact forms have in common: the arrays are moved alike."""

    value: Array

    @property
    @abstractmethod
    def arrays(self) -> tuple[Array, ...]:
        """The coefficients, and what is known of their errors."""

    @classmethod
    @abstractmethod
    def of(cls, arrays: Sequence[Array]) -> Self:
        """The forms with these arrays."""

    @abstractmethod
    def known(self, tensor: Known) -> Self:
        """The constant forms of a tensor, of as many coordinates as these."""

    @abstractmethod
    def plus(self, other: Any) -> Self:
        """The sum, broadcast."""

    @abstractmethod
    def times(self, other: Any) -> Self:
        """The product, broadcast; raises `NonlinearError` unless one factor is constant."""

    @abstractmethod
    def over(self, other: Any) -> Self:
        """The quotient by constants; raises `NonlinearError` where these may be 0."""

    @abstractmethod
    def scale(self, factor: Fraction) -> Self:
        """A rational multiple."""

    @abstractmethod
    def matmul(self, tensor: Known, *, left: bool) -> Self:
        """The matrix product with a constant on the right, or on the left."""

    @abstractmethod
    def total(self, axes: tuple[int, ...], *, keepdims: bool) -> Self:
        """The sum over axes."""

    def _each(self, change: Callable[[Array], Array]) -> Self:
        return self.of([change(array) for array in self.arrays])

    @property
    def shape(self) -> Shape:
        """The shape of the tensor of forms."""
        return tuple(int(n) for n in self.value.shape[2:])

    def rows(self, index: Array) -> Self:
        """The forms of some cells."""
        return self._each(lambda array: array[index])

    def spread(self, count: int) -> Self:
        """The same forms for every one of ``count`` cells."""
        if self.value.shape[0] == count:
            return self
        return self._each(lambda array: np.broadcast_to(array, (count, *array.shape[1:])))

    def padded(self, rank: int) -> Self:
        """The same forms with axes of extent 1 in front, up to a rank."""
        return self._each(lambda array: pad_rank(array, rank))

    def take(self, index: Array) -> Self:
        """Elements at flat positions, in the shape of ``index``."""
        return self._each(lambda array: take_flat(array, index))

    def flat(self, shape: Shape) -> Self:
        """The forms broadcast to a shape, in one row."""
        return self.take(np.broadcast_to(positions(self.shape), shape).reshape(-1))

    def constant(self, value: Fraction) -> Self:
        """The constant form, with as many axes as these forms: those of a batch come first."""
        number: Array = np.empty((), dtype=object)
        number[()] = value
        near = nearest_float(value)
        exact = math.isfinite(near) and Fraction(near) == value
        tensor = Known(np.asarray(near) if exact else number)
        return self.known(tensor).padded(len(self.shape))

    def integers(self, values: Array) -> Self:
        """Constant forms, an integer for each cell and element."""
        found = self.known(Known(values.astype(np.int64).reshape(-1)))
        size = self.value.shape[1], *values.shape
        return self.of([np.moveaxis(array.reshape(size), 0, 1) for array in found.arrays])

    def choose(self, masks: Sequence[Array], parts: Sequence[Self], shape: Shape) -> Self:
        """The part whose mask, of shape ``(cells, *shape)``, holds; the last mask wins."""
        cells = max(mask.shape[0] for mask in masks)
        size = (cells, self.value.shape[1], *shape)
        found = [np.zeros(size, dtype=array.dtype) for array in self.arrays]
        for mask, part in zip(masks, parts, strict=True):
            held, wide = mask[:, None], part.padded(len(shape)).arrays
            found = [np.where(held, new, old) for new, old in zip(wide, found, strict=True)]
        return self.of(found)

    def join(self, others: Sequence[Self]) -> Self:
        """All elements of several tensors in one flat row."""
        parts = [self, *others]
        cells = max(part.value.shape[0] for part in parts)
        flat = [
            [array.reshape((cells, array.shape[1], -1)) for array in part.spread(cells).arrays]
            for part in parts
        ]
        return self.of([np.concatenate(arrays, axis=2) for arrays in zip(*flat, strict=True)])

    def pick(self, index: Array, shape: Shape) -> Self:
        """Elements at flat positions that differ from cell to cell."""

        def pick(array: Array) -> Array:
            lead = array.shape[:2]
            found = np.take_along_axis(array.reshape((*lead, -1)), index[:, None, :], axis=2)
            return found.reshape((*lead, *shape))

        return self.of([pick(array) for array in self.spread(len(index)).arrays])


@dataclass(frozen=True, slots=True, eq=False)
class ExactForms(Forms):
    """Forms with ``fmpq`` coefficients."""

    @property
    def arrays(self) -> tuple[Array, ...]:
        """See `Forms`."""
        return (self.value,)

    @classmethod
    def of(cls, arrays: Sequence[Array]) -> Self:
        """See `Forms`."""
        return cls(np.asarray(arrays[0]))

    @classmethod
    def of_rows(cls, size: int, rows: Sequence[Sequence[Fraction]]) -> Self:
        """Forms of ``size`` coordinates, each given by its coefficients and then the constant."""
        value: Array = np.empty((1, size + 1, len(rows)), dtype=object)
        for index, row in enumerate(rows):
            value[0, :, index] = list(map(as_number, row))
        return cls(value)

    def known(self, tensor: Known) -> Self:
        """See `Forms`."""
        value = np.full((1, self.value.shape[1], *tensor.array.shape), fmpq(0), dtype=object)
        value[:, -1] = tensor.exact
        return self.of([value])

    def plus(self, other: Self) -> Self:
        """See `Forms`."""
        return self.of([self.value + other.value])

    def times(self, other: Self) -> Self:
        """See `Forms`."""
        mine = self._constant_mask()
        if not (mine | other._constant_mask()).all():
            raise NonlinearError
        a = np.where(mine[:, None], other.value, self.value)
        return self.of([a * np.where(mine[:, None], self.value[:, -1:], other.value[:, -1:])])

    def over(self, other: Self) -> Self:
        """See `Forms`."""
        if not other._constant_mask().all():
            raise NonlinearError
        return self.of([self.value / other.value[:, -1:]])

    def scale(self, factor: Fraction) -> Self:
        """See `Forms`."""
        return self.of([self.value * as_number(factor)])

    def matmul(self, tensor: Known, *, left: bool) -> Self:
        """See `Forms`."""
        forms, weights = self.value[0], tensor.exact
        if left and forms.ndim == 2:
            weights = np.swapaxes(weights, -1, -2) if weights.ndim > 1 else weights
            left = False
        a, b = (weights, forms) if left else (forms, weights)
        shape = np.matmul(np.zeros(a.shape), np.zeros(b.shape)).shape
        return self.of([exact_matmul(a, b, tuple(int(n) for n in shape))[None]])

    def total(self, axes: tuple[int, ...], *, keepdims: bool) -> Self:
        """See `Forms`."""
        total: Any = self.value.sum(axis=_axes(axes), keepdims=keepdims)
        return self.of([np.asarray(total) + fmpq(0)])

    def _constant_mask(self) -> Array:
        return (self.value[:, :-1] == fmpq(0)).astype(bool).all(axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class FloatForms(Forms):
    """Forms whose exact coefficients differ from ``value`` by at most ``error``."""

    error: Array

    @property
    def arrays(self) -> tuple[Array, ...]:
        """See `Forms`."""
        return self.value, self.error

    @classmethod
    def of(cls, arrays: Sequence[Array]) -> Self:
        """See `Forms`."""
        return cls(*arrays)

    @classmethod
    def near(cls, exact: ExactForms) -> Self:
        """The float neighbours of exact forms; an `InputError` if there is none."""
        value = nearest_floats(fractions(exact.value))
        if np.isinf(value).any():
            raise InputError("The box has a bound beyond float64.", hint="Give a smaller box.")
        off = (objects(value) != exact.value).astype(bool)
        return cls(value, np.where(off, np.abs(value) * EPSILON + 1e-300, 0.0))

    def known(self, tensor: Known) -> Self:
        """See `Forms`."""
        value = np.zeros((1, self.value.shape[1], *tensor.value.shape))
        error = np.zeros_like(value)
        value[:, -1] = tensor.value
        if tensor.error is not None:
            error[:, -1] = tensor.error
        return self.of([value, error])

    def plus(self, other: Self) -> Self:
        """See `Forms`."""
        a, b = self.value, other.value
        total = a + b
        # the rounding error of the sum, exactly (Knuth)
        back = total - a
        rounding = np.abs((a - (total - back)) + (b - back))
        return self.of([total, _raise(self.error + other.error + rounding)])

    def times(self, other: Self) -> Self:
        """See `Forms`."""
        mine = self._constant_mask()
        if not (mine | other._constant_mask()).all():
            raise NonlinearError
        held = mine[:, None]
        a, ea = np.where(held, other.value, self.value), np.where(held, other.error, self.error)
        b = np.where(held, self.value[:, -1:], other.value[:, -1:])
        eb = np.where(held, self.error[:, -1:], other.error[:, -1:])
        value = a * b
        size = np.abs(value)
        error = np.abs(b) * ea + np.abs(a) * eb + ea * eb
        if not (_integral(a) and _integral(b) and float(size.max(initial=0)) < 2.0**52):
            lost = (a != 0) & (b != 0) & (size == 0)
            wild = (size != 0) & ((size < 1 / _WILD) | (size > _WILD)) | lost
            error = np.where(wild, np.inf, error + size * EPSILON)
        return self.of([value, _raise(error)])

    def over(self, other: Self) -> Self:
        """See `Forms`."""
        b, eb = other.value[:, -1:], other.error[:, -1:]
        if not other._constant_mask().all() or bool((np.abs(b) <= eb).any()):
            raise NonlinearError
        value = self.value / b
        error = (self.error + np.abs(value) * eb) / (np.abs(b) - eb) + np.abs(value) * EPSILON
        return self.of([value, _raise(error)])

    def scale(self, factor: Fraction) -> Self:
        """See `Forms`."""
        if factor in (1, -1):
            return self.of([self.value * float(factor), self.error])
        return self.times(self.constant(factor))

    def matmul(self, tensor: Known, *, left: bool) -> Self:
        """See `Forms`."""
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
        return self.of([value, _raise(error)])

    def total(self, axes: tuple[int, ...], *, keepdims: bool) -> Self:
        """See `Forms`."""
        value, size, error = (
            array.sum(axis=_axes(axes), keepdims=keepdims)
            for array in (self.value, np.abs(self.value), self.error)
        )
        if not self._exact_sums(size):
            count = size_of(tuple(self.shape[axis] for axis in axes))
            error = error + (count + 8) * EPSILON * (size + error)
        return self.of([value, _raise(error)])

    def _exact_sums(self, size: Array) -> bool:
        return _integral(self.value) and float(size.max(initial=0)) < 2.0**52

    def _constant_mask(self) -> Array:
        moving = (self.value[:, :-1] != 0) | (self.error[:, :-1] != 0)
        return ~moving.any(axis=1)


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
