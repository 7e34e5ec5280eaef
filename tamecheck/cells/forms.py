"""Affine forms of many elements at once: in float64 with rigorous error bounds, and exactly.

A batch of forms is an array of shape ``(cells, d + 1, *shape)``: for every cell and element the
``d`` coefficients of the inputs and then the constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol, Self

import numpy as np

from tamecheck.errors import InputError
from tamecheck.evaluate.float_terms import nearest_floats
from tamecheck.exact.arrays import from_values, objects, pad_rank, take_flat
from tamecheck.ir.tensor import Array, Shape, size_of

__all__ = [
    "EPSILON",
    "FloatForms",
    "Forms",
    "Known",
    "NonlinearError",
    "axes_after_two",
]

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


class Forms(Protocol):
    """What float and exact forms have in common."""

    @property
    def shape(self) -> Shape:
        """The shape of the tensor of forms."""
        ...

    def padded(self, rank: int) -> Self:
        """The same forms with axes of extent 1 in front, up to a rank."""
        ...

    def take(self, index: Array) -> Self:
        """Elements at flat positions, in the shape of ``index``."""
        ...

    def plus(self, other: Self) -> Self:
        """The sum, broadcast."""
        ...

    def times(self, other: Self) -> Self:
        """The product where one factor is constant, broadcast."""
        ...

    def over(self, other: Self) -> Self:
        """The quotient by constants."""
        ...

    def scaled(self, factor: Fraction) -> Self:
        """A rational multiple."""
        ...

    def constant(self, value: Fraction) -> Self:
        """The constant form, with as many axes as these forms: those of a batch come first."""
        ...

    def known(self, tensor: Known) -> Self:
        """The constant forms of a tensor."""
        ...

    def matmul(self, tensor: Known, *, left: bool) -> Self:
        """The matrix product with a constant on the right, or on the left."""
        ...

    def total(self, axes: tuple[int, ...], *, keepdims: bool) -> Self:
        """The sum over axes."""
        ...

    def choose(self, masks: Sequence[Array], parts: Sequence[Self], shape: Shape) -> Self:
        """The part whose mask, of shape ``(cells, *shape)``, holds; the last mask wins."""
        ...

    def joined(self, others: Sequence[Self]) -> Self:
        """All elements of several tensors in one flat row."""
        ...

    def picked(self, index: Array, shape: Shape) -> Self:
        """Elements at flat positions that differ from cell to cell."""
        ...

    def integers(self, values: Array) -> Self:
        """Constant forms, an integer for each cell and element."""
        ...


def axes_after_two(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of a tensor as axes of its batch of forms."""
    return tuple(axis + 2 for axis in axes)


def _sum_error(a: Array, b: Array, total: Array) -> Array:
    """The rounding error of ``a + b``, exactly (Knuth)."""
    back = total - a
    return np.abs((a - (total - back)) + (b - back))


def _raised(error: Array) -> Array:
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


@dataclass(frozen=True, slots=True, eq=False)
class FloatForms:
    """Forms whose exact coefficients differ from ``value`` by at most ``error``."""

    value: Array
    error: Array

    @property
    def shape(self) -> Shape:
        """The shape of the tensor of forms."""
        return tuple(int(n) for n in self.value.shape[2:])

    def rows(self, index: Array) -> FloatForms:
        """The forms of some cells."""
        return FloatForms(self.value[index], self.error[index])

    def spread(self, count: int) -> FloatForms:
        """The same forms for every one of ``count`` cells."""
        if self.value.shape[0] == count:
            return self
        tail = self.value.shape[1:]
        return FloatForms(
            np.broadcast_to(self.value, (count, *tail)), np.broadcast_to(self.error, (count, *tail))
        )

    def padded(self, rank: int) -> FloatForms:
        """See `Forms.padded`."""
        return FloatForms(pad_rank(self.value, rank), pad_rank(self.error, rank))

    def take(self, index: Array) -> FloatForms:
        """See `Forms.take`."""
        return FloatForms(take_flat(self.value, index), take_flat(self.error, index))

    def plus(self, other: FloatForms) -> FloatForms:
        """See `Forms.plus`."""
        total = self.value + other.value
        rounding = _sum_error(self.value, other.value, total)
        return FloatForms(total, _raised(self.error + other.error + rounding))

    def times(self, other: FloatForms) -> FloatForms:
        """See `Forms.times`.

        Raises
        ------
        NonlinearError
            If both factors of some element depend on the inputs.
        """
        mine, yours = self._constant_mask(), other._constant_mask()
        if not (mine | yours).all():
            raise NonlinearError
        a = np.where(mine[:, None], other.value, self.value)
        ea = np.where(mine[:, None], other.error, self.error)
        b = np.where(mine[:, None], self.value[:, -1:], other.value[:, -1:])
        eb = np.where(mine[:, None], self.error[:, -1:], other.error[:, -1:])
        return _multiplied(a, ea, b, eb)

    def over(self, other: FloatForms) -> FloatForms:
        """See `Forms.over`.

        Raises
        ------
        NonlinearError
            If a divisor depends on the inputs, or is not known to differ from 0.
        """
        b, eb = other.value[:, -1:], other.error[:, -1:]
        if not other._constant_mask().all() or bool((np.abs(b) <= eb).any()):
            raise NonlinearError
        value = self.value / b
        error = (self.error + np.abs(value) * eb) / (np.abs(b) - eb) + np.abs(value) * EPSILON
        return FloatForms(value, _raised(error))

    def scaled(self, factor: Fraction) -> FloatForms:
        """See `Forms.scaled`."""
        if factor in (1, -1):
            return FloatForms(self.value * float(factor), self.error)
        return self.times(self.constant(factor))

    def constant(self, value: Fraction) -> FloatForms:
        """See `Forms.constant`."""
        number = np.empty((), dtype=object)
        number[()] = value
        near = float(value)
        tensor = Known(np.asarray(near) if Fraction(near) == value else number)
        return self.known(tensor).padded(len(self.shape))

    def known(self, tensor: Known) -> FloatForms:
        """See `Forms.known`."""
        value = np.zeros((1, self.value.shape[1], *tensor.value.shape))
        error = np.zeros_like(value)
        value[:, -1] = tensor.value
        if tensor.error is not None:
            error[:, -1] = tensor.error
        return FloatForms(value, error)

    def matmul(self, tensor: Known, *, left: bool) -> FloatForms:
        """See `Forms.matmul`."""
        value = _product(self.value, tensor.value, left=left)
        weights = np.abs(tensor.value)
        size = _product(np.abs(self.value), weights, left=left)
        error = _product(self.error, weights, left=left)
        if tensor.error is not None:
            error = error + _product(np.abs(self.value) + self.error, tensor.error, left=left)
        exact = tensor.integral and _integral(self.value) and float(size.max(initial=0)) < 2.0**52
        if not exact:
            count = tensor.value.shape[-1] if left else self.value.shape[-1]
            error = error + (count + 8) * EPSILON * (size + error)
        if not tensor.tame_range:
            error = np.where(size > 0, np.inf, error)
        return FloatForms(value, _raised(error))

    def total(self, axes: tuple[int, ...], *, keepdims: bool) -> FloatForms:
        """See `Forms.total`."""
        shifted = axes_after_two(axes)
        value = self.value.sum(axis=shifted, keepdims=keepdims)
        size = np.abs(self.value).sum(axis=shifted, keepdims=keepdims)
        error = self.error.sum(axis=shifted, keepdims=keepdims)
        if not (_integral(self.value) and float(size.max(initial=0)) < 2.0**52):
            count = size_of(tuple(self.shape[axis] for axis in axes))
            error = error + (count + 8) * EPSILON * (size + error)
        return FloatForms(value, _raised(error))

    def choose(
        self, masks: Sequence[Array], parts: Sequence[FloatForms], shape: Shape
    ) -> FloatForms:
        """See `Forms.choose`."""
        cells = max(mask.shape[0] for mask in masks)
        value = np.zeros((cells, self.value.shape[1], *shape))
        error = np.zeros_like(value)
        rank = len(shape)
        for mask, part in zip(masks, parts, strict=True):
            wide, held = part.padded(rank), mask[:, None]
            value = np.where(held, wide.value, value)
            error = np.where(held, wide.error, error)
        return FloatForms(value, error)

    def joined(self, others: Sequence[FloatForms]) -> FloatForms:
        """See `Forms.joined`."""
        parts = [self, *others]
        cells = max(part.value.shape[0] for part in parts)
        wide = [part.spread(cells) for part in parts]
        flat = [(w.value.reshape((cells, w.value.shape[1], -1)), w.error) for w in wide]
        return FloatForms(
            np.concatenate([v for v, _ in flat], axis=2),
            np.concatenate([e.reshape(v.shape) for v, e in flat], axis=2),
        )

    def picked(self, index: Array, shape: Shape) -> FloatForms:
        """See `Forms.picked`."""
        where = index[:, None, :]
        wide = self.spread(len(index))
        flat = (*wide.value.shape[:2], -1)
        tail = (*wide.value.shape[:2], *shape)
        value = np.take_along_axis(wide.value.reshape(flat), where, axis=2)
        error = np.take_along_axis(wide.error.reshape(flat), where, axis=2)
        return FloatForms(value.reshape(tail), error.reshape(tail))

    def integers(self, values: Array) -> FloatForms:
        """See `Forms.integers`."""
        value = np.zeros((values.shape[0], self.value.shape[1], *values.shape[1:]))
        value[:, -1] = values
        return FloatForms(value, np.zeros_like(value))

    def _constant_mask(self) -> Array:
        moving = (self.value[:, :-1] != 0) | (self.error[:, :-1] != 0)
        return ~moving.any(axis=1)


def _integral(value: Array) -> bool:
    return bool((np.rint(value) == value).all())


def _multiplied(a: Array, ea: Array, b: Array, eb: Array) -> FloatForms:
    value = a * b
    size = np.abs(value)
    exact = _integral(a) and _integral(b) and float(size.max(initial=0)) < 2.0**52
    error = np.abs(b) * ea + np.abs(a) * eb + ea * eb
    if not exact:
        error = error + size * EPSILON
        wild = (size != 0) & ((size < 1 / _WILD) | (size > _WILD)) | (
            (a != 0) & (b != 0) & (size == 0)
        )
        error = np.where(wild, np.inf, error)
    return FloatForms(value, _raised(error))
