"""The layers as differentiable functions of PyTorch tensors, in double precision on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.layers.conic import conic_layer
from tamecheck.layers.fixed_point import equilibrium_layer
from tamecheck.layers.linear import linear_layer
from tamecheck.layers.proximal import elastic_net_layer
from tamecheck.layers.quadratic import quadratic_layer

__all__ = [
    "conic_function",
    "equilibrium_function",
    "lasso_function",
    "linear_value_function",
    "quadratic_function",
]


def quadratic_function(Q: Any, q: Any, G: Any, h: Any, A: Any = None, b: Any = None) -> Any:  # noqa: N803, PLR0913, PLR0917
    """`quadratic_layer` on tensors: the minimisers ``(batch, n)``."""
    return _apply(_through(quadratic_layer, "y"), (Q, q, G, h, A, b))


def conic_function(P: Any, q: Any, A: Any, b: Any, cones: Sequence[tuple[str, int]]) -> Any:  # noqa: N803
    """`conic_layer` on tensors: the minimiser ``(n,)``."""
    return _apply(_through(partial(conic_layer, cones=cones), "x"), (P, q, A, b))


def equilibrium_function(W: Any, U: Any, b: Any, x: Any) -> Any:  # noqa: N803
    """`equilibrium_layer` on tensors: the fixed points ``(batch, n)``."""
    return _apply(_through(equilibrium_layer, "z"), (W, U, b, x))


def lasso_function(X: Any, y: Any, penalty: Any, ridge: float = 0.0) -> Any:  # noqa: N803
    """`elastic_net_layer` as a function of the penalty tensor only."""

    def run(value: Any) -> tuple[Any, Any]:
        found = elastic_net_layer(_array(X), _array(y), float(value), ridge)

        def pull(g: Any) -> tuple[Any, ...]:
            return (np.asarray(found.derivative @ g),)

        return found.coefficients, pull

    return _apply(run, (penalty,))


def linear_value_function(c: Any, A: Any, b: Any, E: Any, e: Any) -> Any:  # noqa: N803
    """The value of `linear_layer` as a function of c, b and e.

    At a kink the gradient is the mean of the vertices of the Clarke set, which is in it.  The
    solution itself has derivative 0 or none, so it is no differentiable function.
    """

    def run(cost: Any, right: Any, level: Any) -> tuple[Any, Any]:
        found = linear_layer(cost, _array(A), right, _array(E), level)

        def pull(g: Any) -> tuple[Any, ...]:
            costs = _mean(found.cost_gradients)
            sides = _mean(found.right_side_gradients)
            split = found.inequalities
            return (
                g * costs,
                None if right is None else g * sides[:split],
                None if level is None else g * sides[split:],
            )

        return np.asarray(float(found.value)), pull

    return _apply(run, (c, b, e))


def _mean(points: Sequence[Sequence[Any]]) -> Any:
    return np.array([[float(v) for v in point] for point in points]).mean(0)


def _array(value: Any) -> Any:
    return value.detach().numpy() if hasattr(value, "detach") else value


def _through(layer: Callable[..., Any], name: str) -> Callable[..., tuple[Any, Any]]:
    def run(*data: Any) -> tuple[Any, Any]:
        found = layer(*data)

        def pull(cotangent: Any) -> tuple[Any, ...]:
            gradients = found.vjp(cotangent)
            return tuple(getattr(gradients, field.name) for field in fields(gradients))

        return getattr(found, name), pull

    return run


def _apply(run: Any, given: Sequence[Any]) -> Any:
    """``run(*arrays)`` gives the value and a function from cotangent to gradients."""
    try:
        torch: Any = import_module("torch")
    except ImportError:
        raise UnsupportedError("PyTorch is not installed.", hint="pip install torch.") from None
    for tensor in given:
        if tensor is not None and (not torch.is_tensor(tensor) or tensor.dtype != torch.float64):
            raise InputError("The layers take tensors of dtype torch.float64.")

    def forward(ctx: Any, *tensors: Any) -> Any:
        arrays = [None if t is None else t.detach().cpu().numpy() for t in tensors]
        value, ctx.pull = run(*arrays)
        ctx.shapes = [None if t is None else t.shape for t in tensors]
        return torch.from_numpy(np.array(value, dtype=float))

    def backward(ctx: Any, *outer: Any) -> Any:
        gradients = ctx.pull(outer[0].detach().cpu().numpy())
        return tuple(
            None if shape is None or gradient is None else _fitted(torch, gradient, shape)
            for gradient, shape in zip(gradients, ctx.shapes, strict=True)
        )

    # a class statement would need PyTorch when this module is read
    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    layer: Any = type("Layer", (torch.autograd.Function,), members)
    return layer.apply(*given)


def _fitted(torch: Any, gradient: Any, shape: Any) -> Any:
    """The gradient, summed over a batch that the argument does not have."""
    array = np.asarray(gradient, dtype=float)
    while array.ndim > len(shape):
        array = array.sum(0)
    return torch.from_numpy(np.ascontiguousarray(array)).reshape(shape)
