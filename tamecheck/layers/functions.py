"""The layers as differentiable functions of arrays of a framework, which says how to apply one.

Every function takes arrays with any number of leading batch dimensions, which broadcast; those
without are shared by the whole batch, and their gradients are summed.  vmap puts dimensions of its
own in front of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, Protocol, TypeAlias, Unpack

import numpy as np

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.layers.cones import Cone
from tamecheck.layers.conic import ConicSolution, conic_layer
from tamecheck.layers.fixed_point import (
    elastic_net_layer,
    equilibrium_layer,
    lasso_layer,
    support_vector_layer,
)
from tamecheck.layers.linear import linear_layer
from tamecheck.layers.optimal_set import OptimalSet
from tamecheck.layers.quadratic import Dependent, Infeasible, quadratic_layer
from tamecheck.layers.smoothed import Oracle, Sampling, blackbox_layer, perturbed_layer
from tamecheck.layers.value import ValueLayer

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


class Apply(Protocol):
    """How a framework applies a run over batches to its arrays (see `batches`).

    The value of one program has the last dimension of the argument at ``size_of``, or is a number.
    """

    def __call__(
        self, run: Run, ranks: Sequence[int], given: Sequence[Any], size_of: int | None
    ) -> Any:
        """The value, differentiable in what is given."""
        ...


@dataclass(frozen=True, slots=True)
class LayerFunctions:
    """The layers of one framework."""

    apply: Apply

    def quadratic_function(  # noqa: PLR0913, PLR0917 (the data of a program)
        self,
        Q: Any,  # noqa: N803 (the field's names)
        q: Any,
        G: Any = None,  # noqa: N803
        h: Any = None,
        A: Any = None,  # noqa: N803
        b: Any = None,
        *,
        infeasible: Infeasible = "raise",
        dependent: Dependent = "refuse",
        least_norm: bool = False,
        smoothed: float | None = None,
    ) -> Any:
        """`quadratic_layer` on tensors: the minimisers ``(batch, n)``, or ``(n,)`` without a batch.

        The order of the arguments is that of qpth, whose empty tensors for missing data are taken
        too.  A program without a solution is NaN if asked, which is the mask of the others.
        Gradients in constraints that are tight and dependent are refused, or a choice (see
        `QuadraticSolution.vjp`); those in costs are not.
        """
        layer = partial(
            quadratic_layer, infeasible=infeasible, least_norm=least_norm, smoothed=smoothed
        )
        run = by_name(layer, "y", "Q q G h A b", dependent=dependent)
        return self.apply(run, (2, 1, 2, 1, 2, 1), (Q, q, G, h, A, b), 1)

    def equilibrium_function(self, W: Any, U: Any, b: Any, x: Any) -> Any:  # noqa: N803
        """`equilibrium_layer` on tensors: the fixed points ``(batch, n)``."""
        ranks = (2, 2, 1, 1)
        return self.apply(one_by_one(_equilibrium, ranks, whole=3), ranks, (W, U, b, x), 2)

    def conic_function(  # noqa: PLR0913 (the data of a program)
        self,
        P: Any,  # noqa: N803 (the field's names)
        q: Any,
        A: Any,  # noqa: N803
        b: Any,
        cones: Sequence[Cone],
        *,
        infeasible: Infeasible = "raise",
    ) -> Any:
        """`conic_layer` on tensors: the minimisers ``(batch, n)``; P may be None."""

        def layer(P: Any, q: Array, *rest: Any) -> ConicSolution:  # noqa: N803
            return conic_layer(P, np.atleast_2d(q), *rest, cones=cones, infeasible=infeasible)

        return self.apply(by_name(layer, "x", "P q A b"), (2, 1, 2, 1), (P, q, A, b), 1)

    def lasso_function(self, X: Any, y: Any, penalty: Any) -> Any:  # noqa: N803
        """`lasso_layer` on tensors: the coefficients, differentiable in X, y and the penalty."""
        run = by_name(lasso_layer, "coefficients", "X y penalty")
        return self._each(run, (2, 1, 0), (X, y, penalty), 0)

    def elastic_net_function(self, X: Any, y: Any, penalty: Any, ridge: Any) -> Any:  # noqa: N803
        """`elastic_net_layer` on tensors: the coefficients, differentiable in all four."""
        run = by_name(elastic_net_layer, "coefficients", "X y penalty ridge")
        return self._each(run, (2, 1, 0, 0), (X, y, penalty, ridge), 0)

    def support_vector_function(self, X: Any, y: Any, penalty: Any) -> Any:  # noqa: N803
        """`support_vector_layer` on tensors: coefficients, differentiable in X and the penalty."""
        run = by_name(support_vector_layer, "coefficients", "X y penalty")
        return self._each(run, (2, 1, 0), (X, y, penalty), 0)

    def linear_value_function(
        self,
        c: Any,
        A: Any = None,  # noqa: N803 (the field's names)
        b: Any = None,
        E: Any = None,  # noqa: N803
        e: Any = None,
    ) -> Any:
        """The value of `linear_layer`, differentiable in all data.

        At a kink the gradient is the mean of the vertices of the Clarke set, which is in it.  The
        solution itself has derivative 0 or none, so it is no differentiable function.
        """

        def run(*data: Any) -> tuple[Any, Pullback]:
            found = linear_layer(*data)

            def pull(g: Array, _: Sequence[bool]) -> Gradients:
                found.require_lipschitz()
                x, u = _element(found.solutions), _element(found.multipliers)
                split = found.inequalities
                matrix = -np.outer(u, x)
                return g * x, g * matrix[:split], g * u[:split], g * matrix[split:], g * u[split:]

            return float(found.value), pull

        return self._each(run, (1, 2, 1, 2, 1), (c, A, b, E, e), None)

    def value_function(self, layer: ValueLayer, values: Any) -> Any:
        """The value of a mixed-integer program in its parameters ``(batch, parameters)``.

        The layer may be elastic.  At a kink the gradient is the mean of the vertices of the
        conservative gradient.
        """

        def run(own: Any) -> tuple[Any, Pullback]:
            found = layer(own.tolist())
            return float(found.value), lambda g, _: (g * _mean(found.gradient.vertices),)

        return self._each(run, (1,), (values,), None)

    def perturbed_function(self, oracle: Oracle, costs: Any, **options: Unpack[Sampling]) -> Any:
        """`perturbed_layer` on costs ``(batch, n)``: an *approximation* of the solution map.

        Forward and backward are estimates from the same samples.
        """
        layer = partial(perturbed_layer, oracle, **options)
        return self.apply(by_name(layer, "mean"), (1,), (costs,), 0)

    def blackbox_function(self, oracle: Oracle, costs: Any, *, size: float = 10.0) -> Any:
        """`blackbox_layer` on costs ``(batch, n)``: solutions with *interpolated* gradients."""
        return self.apply(
            by_name(partial(blackbox_layer, oracle, size=size), "solutions"), (1,), (costs,), 0
        )

    def _each(
        self, run: Run, ranks: Sequence[int], given: Sequence[Any], size_of: int | None
    ) -> Any:
        """A layer that takes one program at a time."""
        return self.apply(one_by_one(run, ranks), ranks, given, size_of)


def _equilibrium(*data: Any) -> tuple[Any, Pullback]:
    """Fixed points of one network for all rows of x, with the gradients of each row."""
    found = equilibrium_layer(*data)
    return found.z, lambda g, _: found.rows_vjp(g)


def _element(optimal: OptimalSet) -> Array:
    """The mean of the vertices, or one element where they are not listed."""
    return _mean(optimal.vertices or (optimal.point,))


def _mean(points: Sequence[Sequence[Any]]) -> Array:
    return np.array([[float(v) for v in point] for point in points]).mean(0)


def torch_module(name: str) -> Any:
    """`TameSign`; for other names there is the error that Python expects."""
    if name != "TameSign":
        raise AttributeError(f"module 'tamecheck.layers' has no attribute {name!r}")
    try:
        from tamecheck.layers.tame_sign import TameSign
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UnsupportedError("PyTorch is not installed.", hint="pip install torch.") from None
    return TameSign
