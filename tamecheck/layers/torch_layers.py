"""The layers as differentiable functions of PyTorch tensors, in double precision on the CPU.

Every function takes tensors with or without a leading batch dimension; those without it are shared
by the whole batch, and their gradients are summed.  At a kink the gradient is one element of the
conservative set; where the hypotheses of the derivative fail the backward pass raises the layer's
error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.layers.conic import conic_layer
from tamecheck.layers.fixed_point import equilibrium_layer
from tamecheck.layers.linear import linear_layer
from tamecheck.layers.optimal_set import OptimalSet
from tamecheck.layers.proximal import elastic_net_layer, lasso_layer, support_vector_layer
from tamecheck.layers.quadratic import quadratic_layer
from tamecheck.layers.smoothed import Noise, Oracle, blackbox_layer, perturbed_layer
from tamecheck.layers.value import ValueLayer

Gradients: TypeAlias = Sequence[Any]
Pullback: TypeAlias = Callable[[Array], Gradients]
Run: TypeAlias = Callable[..., tuple[Any, Pullback]]
"""From arrays to a value and the function from its cotangent to gradients of the arrays."""


def quadratic_function(  # noqa: PLR0913, PLR0917 (the data of a program)
    Q: Any,  # noqa: N803 (the field's names)
    q: Any,
    G: Any = None,  # noqa: N803
    h: Any = None,
    A: Any = None,  # noqa: N803
    b: Any = None,
) -> Any:
    """`quadratic_layer` on tensors: the minimisers ``(batch, n)``."""
    return _apply(_run(quadratic_layer, "y"), (Q, q, G, h, A, b))


def equilibrium_function(W: Any, U: Any, b: Any, x: Any) -> Any:  # noqa: N803
    """`equilibrium_layer` on tensors: the fixed points ``(batch, n)``."""
    return _apply(_run(equilibrium_layer, "z"), (W, U, b, x))


def conic_function(P: Any, q: Any, A: Any, b: Any, cones: Sequence[tuple[str, int]]) -> Any:  # noqa: N803
    """`conic_layer` on tensors: the minimisers; P may be None."""
    run = _run(lambda *data: conic_layer(*data, cones=cones), "x")
    return _apply(_loop(run, (2, 1, 2, 1)), (P, q, A, b))


def lasso_function(X: Any, y: Any, penalty: Any) -> Any:  # noqa: N803
    """`lasso_layer` on tensors: the coefficients, differentiable in X, y and the penalty."""
    return _apply(_loop(_run(lasso_layer, "coefficients"), (2, 1, 0)), (X, y, penalty))


def elastic_net_function(X: Any, y: Any, penalty: Any, ridge: Any) -> Any:  # noqa: N803
    """`elastic_net_layer` on tensors: the coefficients, differentiable in all four."""
    run = _run(elastic_net_layer, "coefficients")
    return _apply(_loop(run, (2, 1, 0, 0)), (X, y, penalty, ridge))


def support_vector_function(X: Any, y: Any, penalty: Any) -> Any:  # noqa: N803
    """`support_vector_layer` on tensors: the coefficients, differentiable in X and the penalty."""
    return _apply(_loop(_run(support_vector_layer, "coefficients"), (2, 1, 0)), (X, y, penalty))


def linear_value_function(
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

        def pull(g: Array) -> Gradients:
            found.require_lipschitz()
            x, u = _element(found.solutions), _element(found.multipliers)
            split = found.inequalities
            matrix = -np.outer(u, x)
            return g * x, g * matrix[:split], g * u[:split], g * matrix[split:], g * u[split:]

        return float(found.value), pull

    return _apply(_loop(run, (1, 2, 1, 2, 1)), (c, A, b, E, e))


def value_function(layer: ValueLayer, values: Any) -> Any:
    """The value of a mixed-integer program in its parameters ``(batch, parameters)``.

    The layer may be elastic.  At a kink the gradient is the mean of the vertices of the
    conservative gradient.
    """

    def run(own: Any) -> tuple[Any, Pullback]:
        found = layer(own.tolist())
        return float(found.value), lambda g: (g * _mean(found.gradient.vertices),)

    return _apply(_loop(run, (1,)), (values,))


def perturbed_function(  # noqa: PLR0913 (options, by keyword only)
    oracle: Oracle,
    costs: Any,
    *,
    size: float = 1.0,
    samples: int = 16,
    noise: Noise = "gaussian",
    seed: int = 0,
) -> Any:
    """`perturbed_layer` on costs ``(batch, n)``: an *approximation* of the solution map.

    Forward and backward are estimates from the same samples.
    """
    layer = partial(perturbed_layer, oracle, size=size, samples=samples, noise=noise, seed=seed)
    return _apply(_run(layer, "mean"), (costs,))


def blackbox_function(oracle: Oracle, costs: Any, *, size: float = 10.0) -> Any:
    """`blackbox_layer` on costs ``(batch, n)``: solutions with *interpolated* gradients."""
    return _apply(_run(partial(blackbox_layer, oracle, size=size), "solutions"), (costs,))


def _run(layer: Callable[..., Any], output: str) -> Run:
    """A layer of arrays, by the name of its output; what ``vjp`` gives are the first arguments'."""

    def run(*data: Any) -> tuple[Any, Pullback]:
        found = layer(*data)

        def pull(g: Array) -> Gradients:
            gradients = found.vjp(g)
            if not is_dataclass(gradients):
                return (gradients,)
            names = (field.name for field in fields(gradients))
            return tuple(getattr(gradients, name) for name in names)[: len(data)]

        return getattr(found, output), pull

    return run


def _element(optimal: OptimalSet) -> Array:
    """The mean of the vertices, or one element where they are not listed."""
    return _mean(optimal.vertices or (optimal.point,))


def _mean(points: Sequence[Sequence[Any]]) -> Array:
    return np.array([[float(v) for v in point] for point in points]).mean(0)


def _loop(run: Run, ranks: Sequence[int]) -> Run:
    """The function over a batch: arrays with one dimension more than their rank are split."""

    def over_batch(*data: Any) -> tuple[Any, Pullback]:
        split = [
            array is not None and array.ndim == rank + 1
            for array, rank in zip(data, ranks, strict=True)
        ]
        lengths = {len(a) for a, own in zip(data, split, strict=True) if own}
        if not lengths:
            return run(*(_scalar(array) for array in data))
        if len(lengths) > 1:
            raise InputError(f"The batches have different lengths: {sorted(lengths)}.")
        done = [
            run(*(_scalar(a[k] if own else a) for a, own in zip(data, split, strict=True)))
            for k in range(lengths.pop())
        ]

        def pull(cotangent: Array) -> Gradients:
            rows = [one(g) for (_, one), g in zip(done, cotangent, strict=True)]
            return tuple(
                None if parts[0] is None else np.stack(parts) if own else np.sum(parts, axis=0)
                for parts, own in zip(zip(*rows, strict=True), split, strict=True)
            )

        return np.stack([value for value, _ in done]), pull

    return over_batch


def _scalar(array: Any) -> Any:
    return float(array) if array is not None and np.ndim(array) == 0 else array


def _apply(run: Run, given: Sequence[Any]) -> Any:
    try:
        torch: Any = import_module("torch")
    except ImportError:
        raise UnsupportedError("PyTorch is not installed.", hint="pip install torch.") from None
    for tensor in given:
        if tensor is None:
            continue
        if not torch.is_tensor(tensor) or tensor.dtype != torch.float64:
            raise InputError("The layers take tensors of dtype torch.float64.")
        if tensor.device.type != "cpu":
            raise InputError(f"The layers take tensors on the CPU, not on {tensor.device}.")

    def forward(ctx: Any, *tensors: Any) -> Any:
        arrays = [None if t is None else t.detach().numpy() for t in tensors]
        value, ctx.pull = run(*arrays)
        ctx.shapes = [None if t is None else t.shape for t in tensors]
        return torch.from_numpy(np.array(value, dtype=float))

    def backward(ctx: Any, *outer: Any) -> Any:
        gradients = ctx.pull(outer[0].detach().numpy())
        return tuple(
            None if shape is None or gradient is None else _fit_shape(torch, gradient, shape)
            for gradient, shape in zip(gradients, ctx.shapes, strict=True)
        )

    once: Any = torch.autograd.function.once_differentiable
    # a class statement would need PyTorch when this module is read
    members = {"forward": staticmethod(forward), "backward": staticmethod(once(backward))}
    layer: Any = type("Layer", (torch.autograd.Function,), members)
    return layer.apply(*given)


def _fit_shape(torch: Any, gradient: Any, shape: Any) -> Any:
    """The gradient, summed over a batch that the argument does not have."""
    array = np.asarray(gradient, dtype=float)
    while array.ndim > len(shape):
        array = array.sum(0)
    return torch.from_numpy(np.ascontiguousarray(array)).reshape(shape)
