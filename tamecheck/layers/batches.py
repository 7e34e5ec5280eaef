"""Layers of one batch dimension as functions of arrays with any leading dimensions.

PyTorch and JAX hand over arrays that may have a batch, several, or none, in front of which vmap
puts dimensions of its own.  What is shared stays shared, and its gradient is summed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array

Gradients: TypeAlias = Sequence[Any]
Pullback: TypeAlias = Callable[[Array, Sequence[bool]], Gradients]
"""From a cotangent and which gradients are needed to the gradients."""
Run: TypeAlias = Callable[..., tuple[Any, Pullback]]
"""From arrays, each with one leading dimension or shared, to values of a batch and their pullback.

Gradients have the leading dimension too, also those of shared arrays.
"""


def by_name(
    layer: Callable[..., Any], output: str, names: str | None = None, **options: Any
) -> Run:
    """A layer of arrays by the name of its output, with gradients by the names of its data.

    The options are those of its ``vjp``.
    """

    def run(*data: Any) -> tuple[Any, Pullback]:
        found = layer(*data)

        def pull(g: Array, needed: Sequence[bool]) -> Gradients:
            gradients = found.vjp(g, **options)
            if names is None:
                return (gradients,)
            chosen = zip(names.split(), needed, strict=True)
            return tuple(getattr(gradients, name) if use else None for name, use in chosen)

        return getattr(found, output), pull

    return run


def one_by_one(run: Run, ranks: Sequence[int], whole: int | None = None) -> Run:
    """The function over a batch: arrays with one dimension more than their rank are split.

    The argument at ``whole``, if any, goes with its batch to ``run``, which takes it at once where
    nothing else is split.
    """

    def over_batch(*data: Any) -> tuple[Any, Pullback]:
        own = [a is not None and a.ndim > rank for a, rank in zip(data, ranks, strict=True)]
        if whole is not None and not any(s for k, s in enumerate(own) if k != whole):
            return run(*data)
        count = next((len(a) for a, split in zip(data, own, strict=True) if split), 1)
        done = [
            run(*(_scalar(a[k] if split else a) for a, split in zip(data, own, strict=True)))
            for k in range(count)
        ]

        def pull(cotangent: Array, needed: Sequence[bool]) -> Gradients:
            rows = [one(g, needed) for (_, one), g in zip(done, cotangent, strict=True)]
            return tuple(
                None if parts[0] is None else np.stack([np.asarray(p, dtype=float) for p in parts])
                for parts in zip(*rows, strict=True)
            )

        if whole is None:
            return np.stack([value for value, _ in done]), pull
        return np.concatenate([value for value, _ in done]), lambda g, needed: tuple(
            None if part is None else part[:, 0] for part in pull(g[:, None], needed)
        )

    return over_batch


def _scalar(array: Any) -> Any:
    return float(array) if array is not None and np.ndim(array) == 0 else array


@dataclass(frozen=True, slots=True)
class BatchLayer:
    """A run over flat batches, and how many dimensions each of its arrays has without a batch."""

    run: Run
    ranks: tuple[int, ...]

    def __call__(self, levels: int, arrays: Sequence[Any]) -> tuple[Array, Pullback]:
        """The value with all leading dimensions, of which ``levels`` belong to vmap.

        The pullback gives gradients of the arrays' shapes: summed over what was broadcast, except
        over the dimensions of vmap.
        """
        pairs = tuple(zip(arrays, self.ranks, strict=True))
        for array, rank in pairs:
            if array is not None and array.ndim < rank + levels:
                raise InputError(f"A tensor has {array.ndim} dimensions; {rank} are needed.")
        own = [None if a is None else a.shape[levels : a.ndim - r] for a, r in pairs]
        try:
            inner = np.broadcast_shapes(*(lead for lead in own if lead is not None))
        except ValueError:
            raise InputError(
                f"The batches have different lengths: {[list(o) for o in own if o]}."
            ) from None
        outer = next(a.shape[:levels] for a in arrays if a is not None)
        lead = outer + inner
        if 0 in lead:
            raise InputError("The batch is empty.")
        flat: list[Any] = [a if a is None else _flat(a, r, levels, lead) for a, r in pairs]
        if all(a is None or a.ndim == r for a, r in zip(flat, self.ranks, strict=True)):
            # all is shared, and solved as often as is asked
            k = next(k for k, a in enumerate(flat) if a is not None)
            flat[k] = np.broadcast_to(flat[k], (prod(lead), *flat[k].shape))
        value, pull = self.run(*flat)
        shape: tuple[int, ...] = lead + value.shape[1:]

        def back(cotangent: Array, needed: Sequence[bool]) -> Gradients:
            gradients = pull(cotangent.reshape(value.shape), needed)
            return tuple(
                None
                if g is None or axes is None
                else _sum_to(g, lead, levels, axes).reshape(a.shape)
                for g, axes, a in zip(gradients, own, arrays, strict=True)
            )

        return np.reshape(value, shape), back


def _flat(array: Array, rank: int, levels: int, lead: tuple[int, ...]) -> Array:
    """The array with one leading dimension, or with none if the whole batch shares it."""
    core = array.shape[array.ndim - rank :]
    count = array.ndim - rank
    # vmap expands what it does not map, with steps of 0
    if all(
        n == 1 or step == 0 for n, step in zip(array.shape, array.strides[:count], strict=False)
    ):
        return array[(0,) * count]
    own = array.shape[levels:count]
    middle = (1,) * (len(lead) - levels - len(own))
    spread = np.broadcast_to(
        array.reshape(*array.shape[:levels], *middle, *own, *core), lead + core
    )
    return spread.reshape(-1, *core)


def _sum_to(gradient: Any, lead: tuple[int, ...], levels: int, own: tuple[int, ...]) -> Array:
    """The gradient summed over the leading dimensions that its array does not have, or has once."""
    full = np.reshape(gradient, lead + np.shape(gradient)[1:])
    first = len(lead) - len(own)
    once = (first + k for k, length in enumerate(own) if length == 1)
    return full.sum(axis=(*range(levels, first), *once))
