"""The layers as differentiable functions of JAX arrays, by ``pure_callback`` and ``custom_vjp``.

They are those of `tamecheck.layers.torch_layers`, and work under ``jit``, ``vmap``, ``grad`` and
``jacrev``.  Arithmetic is in double precision on the CPU, also where JAX has single precision,
which results and gradients then have.  The backward pass solves once more.  An error of a layer
reaches the user as JAX tells errors of callbacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tamecheck.errors import InputError, package
from tamecheck.ir.tensor import Array
from tamecheck.layers.functions import BatchLayer, LayerFunctions, Run

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Call:
    """A layer at arrays of these shapes, of which those at ``places`` are given.

    Which of them are ``needed`` is known when a forward pass is traced.
    """

    layer: BatchLayer
    places: tuple[int, ...]
    shapes: tuple[Shape, ...]
    output: Shape
    dtype: Any
    needed: list[bool] = field(default_factory=list[bool])

    def forward(self, *values: Any) -> Array:
        """The value, where vmap may have put dimensions in front."""
        return np.asarray(self._solve(values, self._mapped(values))[0], dtype=self.dtype)

    def backward(self, *values: Any) -> tuple[Array, ...]:
        """The gradients for the last value, the cotangent."""
        *data, cotangent = values
        front = cotangent.shape[: cotangent.ndim - len(self.output)]
        outer = np.broadcast_shapes(self._mapped(data), front)
        _, pull = self._solve(data, outer)
        whole = np.broadcast_to(np.asarray(cotangent, dtype=float), outer + self.output)
        gradients = pull(whole, self._spread(self.needed, missing=False))
        found = (gradients[k] for k in self.places)
        pairs = zip(found, data, self.shapes, self.needed, strict=True)
        return tuple(
            np.asarray(g if need and g is not None else np.zeros(outer + shape), dtype=v.dtype)
            for g, v, shape, need in pairs
        )

    def _mapped(self, values: Sequence[Any]) -> Shape:
        """The dimensions that vmap put in front."""
        pairs = zip(values, self.shapes, strict=True)
        return np.broadcast_shapes(*(v.shape[: v.ndim - len(shape)] for v, shape in pairs))

    def _solve(self, values: Sequence[Any], outer: Shape) -> tuple[Array, Any]:
        # what vmap does not map has length 1 there; steps of 0 keep it shared
        arrays = [
            np.broadcast_to(np.asarray(v, dtype=float), outer + shape)
            for v, shape in zip(values, self.shapes, strict=True)
        ]
        return self.layer(len(outer), self._spread(arrays, missing=None))

    def _spread(self, values: Sequence[Any], missing: Any) -> list[Any]:
        """The values at their places among all arguments of the layer."""
        full = [missing] * len(self.layer.ranks)
        for k, value in zip(self.places, values, strict=True):
            full[k] = value
        return full


def _apply(run: Run, ranks: Sequence[int], given: Sequence[Any], size_of: int | None) -> Any:
    places = tuple(k for k, a in enumerate(given) if a is not None)
    arrays = [jax.numpy.asarray(given[k]) for k in places]
    dtype = jax.numpy.result_type(*arrays)
    if not jax.numpy.issubdtype(dtype, jax.numpy.floating):
        raise InputError(f"The layers take arrays of real floating-point numbers, not {dtype}.")
    pairs = [(a, ranks[k]) for a, k in zip(arrays, places, strict=True)]
    if any(array.ndim < rank for array, rank in pairs):
        shapes = [array.shape for array in arrays]
        raise InputError(f"The arrays have shapes {shapes}; some need more dimensions.")
    try:
        lead = np.broadcast_shapes(*(a.shape[: a.ndim - rank] for a, rank in pairs))
    except ValueError:
        raise InputError("The batches have different lengths.") from None
    core = () if size_of is None else jax.numpy.shape(given[size_of])[-1:]
    shapes = tuple(array.shape for array in arrays)
    call = _Call(BatchLayer(run, tuple(ranks)), places, shapes, lead + core, dtype)

    def value(*values: Any) -> Any:
        shape = jax.ShapeDtypeStruct(call.output, dtype)
        return jax.pure_callback(call.forward, shape, *values, vmap_method="expand_dims")

    def forward(*primals: Any) -> Any:
        call.needed[:] = [bool(primal.perturbed) for primal in primals]
        values = [primal.value for primal in primals]
        return value(*values), values

    def backward(values: Any, cotangent: Any) -> Any:
        shapes = tuple(jax.ShapeDtypeStruct(v.shape, v.dtype) for v in values)
        if isinstance(cotangent, jax.custom_derivatives.SymbolicZero):
            return tuple(jax.numpy.zeros(v.shape, v.dtype) for v in values)
        data = (*values, cotangent)
        return jax.pure_callback(call.backward, shapes, *data, vmap_method="expand_dims")

    function = jax.custom_vjp(value)
    function.defvjp(forward, backward, symbolic_zeros=True)
    return function(*arrays)


jax: Any = package("jax", "jax")
package("jax.custom_derivatives", "jax")
_FUNCTIONS = LayerFunctions(_apply)
quadratic_function = _FUNCTIONS.quadratic_function
equilibrium_function = _FUNCTIONS.equilibrium_function
conic_function = _FUNCTIONS.conic_function
lasso_function = _FUNCTIONS.lasso_function
elastic_net_function = _FUNCTIONS.elastic_net_function
support_vector_function = _FUNCTIONS.support_vector_function
linear_value_function = _FUNCTIONS.linear_value_function
value_function = _FUNCTIONS.value_function
perturbed_function = _FUNCTIONS.perturbed_function
blackbox_function = _FUNCTIONS.blackbox_function
