"""Affine forms with rational coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import fmpq

from tamecheck.cells.forms import Known, NonlinearError, axes_after_two
from tamecheck.exact.arrays import exact_matmul, pad_rank, take_flat
from tamecheck.exact.reals import as_number
from tamecheck.ir.tensor import Array, Shape

__all__ = ["ExactForms"]


@dataclass(frozen=True, slots=True, eq=False)
class ExactForms:
    """Forms with ``fmpq`` coefficients."""

    value: Array

    @property
    def shape(self) -> Shape:
        """The shape of the tensor of forms."""
        return tuple(int(n) for n in self.value.shape[2:])

    def padded(self, rank: int) -> ExactForms:
        """See `Forms.padded`."""
        return ExactForms(pad_rank(self.value, rank))

    def take(self, index: Array) -> ExactForms:
        """See `Forms.take`."""
        return ExactForms(take_flat(self.value, index))

    def plus(self, other: ExactForms) -> ExactForms:
        """See `Forms.plus`."""
        return ExactForms(np.asarray(self.value + other.value))

    def times(self, other: ExactForms) -> ExactForms:
        """See `Forms.times`."""
        mine, yours = self._constant_mask(), other._constant_mask()
        if not (mine | yours).all():
            raise NonlinearError
        a = np.where(mine[:, None], other.value, self.value)
        b = np.where(mine[:, None], self.value[:, -1:], other.value[:, -1:])
        return ExactForms(np.asarray(a * b))

    def over(self, other: ExactForms) -> ExactForms:
        """See `Forms.over`."""
        return ExactForms(np.asarray(self.value / other.value[:, -1:]))

    def scaled(self, factor: Fraction) -> ExactForms:
        """See `Forms.scaled`."""
        return ExactForms(np.asarray(self.value * as_number(factor)))

    def constant(self, value: Fraction) -> ExactForms:
        """See `Forms.constant`."""
        number = np.empty((), dtype=object)
        number[()] = value
        return self.known(Known(number)).padded(len(self.shape))

    def known(self, tensor: Known) -> ExactForms:
        """See `Forms.known`."""
        value = np.full((1, self.value.shape[1], *tensor.array.shape), fmpq(0), dtype=object)
        value[:, -1] = tensor.exact
        return ExactForms(value)

    def matmul(self, tensor: Known, *, left: bool) -> ExactForms:
        """See `Forms.matmul`."""
        forms, weights = self.value[0], tensor.exact
        if left and forms.ndim == 2:
            weights = np.swapaxes(weights, -1, -2) if weights.ndim > 1 else weights
            left = False
        a, b = (weights, forms) if left else (forms, weights)
        shape = np.matmul(np.zeros(a.shape), np.zeros(b.shape)).shape
        return ExactForms(exact_matmul(a, b, tuple(int(n) for n in shape))[None])

    def total(self, axes: tuple[int, ...], *, keepdims: bool) -> ExactForms:
        """See `Forms.total`."""
        total: Array = self.value.sum(axis=axes_after_two(axes), keepdims=keepdims)
        return ExactForms(np.asarray(total) + fmpq(0))

    def choose(
        self, masks: Sequence[Array], parts: Sequence[ExactForms], shape: Shape
    ) -> ExactForms:
        """See `Forms.choose`."""
        value = np.full((1, self.value.shape[1], *shape), fmpq(0), dtype=object)
        for mask, part in zip(masks, parts, strict=True):
            value = np.where(mask[:, None], part.padded(len(shape)).value, value)
        return ExactForms(value)

    def joined(self, others: Sequence[ExactForms]) -> ExactForms:
        """See `Forms.joined`."""
        flat = [part.value.reshape((1, part.value.shape[1], -1)) for part in (self, *others)]
        return ExactForms(np.concatenate(flat, axis=2))

    def picked(self, index: Array, shape: Shape) -> ExactForms:
        """See `Forms.picked`."""
        return self.take(index[0].reshape(shape))

    def integers(self, values: Array) -> ExactForms:
        """See `Forms.integers`."""
        value = np.full((1, self.value.shape[1], *values.shape[1:]), fmpq(0), dtype=object)
        numbers = np.empty(values[0].size, dtype=object)
        numbers[:] = [fmpq(int(v)) for v in values[0].reshape(-1).tolist()]
        # the dots keep a scalar from going in as an array
        value[0, -1, ...] = numbers.reshape(values.shape[1:])
        return ExactForms(value)

    def _constant_mask(self) -> Array:
        return (self.value[:, :-1] == fmpq(0)).astype(bool).all(axis=1)
