"""The layers as differentiable functions of PyTorch tensors.

Every function takes tensors with any number of leading batch dimensions, which broadcast; those
without are shared by the whole batch, and their gradients are summed.  Arithmetic is in double
precision on the CPU; results and gradients have the dtype and the device of what was given.
`torch.func.vmap`, ``grad`` and ``jacrev`` work, and `torch.compile` breaks its graph at a layer.
At a kink the gradient is one element of the conservative set; where the hypotheses of the
derivative fail the backward pass raises the layer's error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from importlib import import_module
from typing import Any

import numpy as np

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.layers.batches import BatchLayer, Gradients, Pullback, Run, by_name, one_by_one
from tamecheck.layers.cones import Cone
from tamecheck.layers.conic import ConicSolution, conic_layer
from tamecheck.layers.fixed_point import equilibrium_layer
from tamecheck.layers.linear import linear_layer
from tamecheck.layers.optimal_set import OptimalSet
from tamecheck.layers.proximal import elastic_net_layer, lasso_layer, support_vector_layer
from tamecheck.layers.quadratic import Dependent, Infeasible, quadratic_layer
from tamecheck.layers.smoothed import Noise, Oracle, blackbox_layer, perturbed_layer
from tamecheck.layers.value import ValueLayer


def quadratic_function(  # noqa: PLR0913, PLR0917 (the data of a program)
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

    The order of the arguments is that of qpth, whose empty tensors for missing data are taken too.
    A program without a solution is NaN if asked, and ``y.isfinite().all(-1)`` is the mask of the
    others.  Gradients in constraints that are tight and dependent are refused, or a choice (see
    `QuadraticSolution.vjp`); those in costs are not.
    """
    layer = partial(
        quadratic_layer, infeasible=infeasible, least_norm=least_norm, smoothed=smoothed
    )
    run = by_name(layer, "y", "Q q G h A b", dependent=dependent)
    return _apply(run, (2, 1, 2, 1, 2, 1), (Q, q, G, h, A, b))


def equilibrium_function(W: Any, U: Any, b: Any, x: Any) -> Any:  # noqa: N803
    """`equilibrium_layer` on tensors: the fixed points ``(batch, n)``."""
    ranks = (2, 2, 1, 1)
    return _apply(one_by_one(_equilibrium, ranks, whole=3), ranks, (W, U, b, x))


def conic_function(  # noqa: PLR0913 (the data of a program)
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

    return _apply(by_name(layer, "x", "P q A b"), (2, 1, 2, 1), (P, q, A, b))


def lasso_function(X: Any, y: Any, penalty: Any) -> Any:  # noqa: N803
    """`lasso_layer` on tensors: the coefficients, differentiable in X, y and the penalty."""
    run = by_name(lasso_layer, "coefficients", "X y penalty")
    return _each(run, (2, 1, 0), (X, y, penalty))


def elastic_net_function(X: Any, y: Any, penalty: Any, ridge: Any) -> Any:  # noqa: N803
    """`elastic_net_layer` on tensors: the coefficients, differentiable in all four."""
    run = by_name(elastic_net_layer, "coefficients", "X y penalty ridge")
    return _each(run, (2, 1, 0, 0), (X, y, penalty, ridge))


def support_vector_function(X: Any, y: Any, penalty: Any) -> Any:  # noqa: N803
    """`support_vector_layer` on tensors: the coefficients, differentiable in X and the penalty."""
    run = by_name(support_vector_layer, "coefficients", "X y penalty")
    return _each(run, (2, 1, 0), (X, y, penalty))


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

        def pull(g: Array, _: Sequence[bool]) -> Gradients:
            found.require_lipschitz()
            x, u = _element(found.solutions), _element(found.multipliers)
            split = found.inequalities
            matrix = -np.outer(u, x)
            return g * x, g * matrix[:split], g * u[:split], g * matrix[split:], g * u[split:]

        return float(found.value), pull

    return _each(run, (1, 2, 1, 2, 1), (c, A, b, E, e))


def value_function(layer: ValueLayer, values: Any) -> Any:
    """The value of a mixed-integer program in its parameters ``(batch, parameters)``.

    The layer may be elastic.  At a kink the gradient is the mean of the vertices of the
    conservative gradient.
    """

    def run(own: Any) -> tuple[Any, Pullback]:
        found = layer(own.tolist())
        return float(found.value), lambda g, _: (g * _mean(found.gradient.vertices),)

    return _each(run, (1,), (values,))


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
    return _apply(by_name(layer, "mean"), (1,), (costs,))


def blackbox_function(oracle: Oracle, costs: Any, *, size: float = 10.0) -> Any:
    """`blackbox_layer` on costs ``(batch, n)``: solutions with *interpolated* gradients."""
    return _apply(by_name(partial(blackbox_layer, oracle, size=size), "solutions"), (1,), (costs,))


def _equilibrium(*data: Any) -> tuple[Any, Pullback]:
    """Fixed points of one network for all rows of x, with the gradients of each row."""
    found = equilibrium_layer(*data)
    return found.z, lambda g, _: found.rows_vjp(g)


def _element(optimal: OptimalSet) -> Array:
    """The mean of the vertices, or one element where they are not listed."""
    return _mean(optimal.vertices or (optimal.point,))


def _mean(points: Sequence[Sequence[Any]]) -> Array:
    return np.array([[float(v) for v in point] for point in points]).mean(0)


def _each(run: Run, ranks: Sequence[int], given: Sequence[Any]) -> Any:
    """A layer that takes one program at a time."""
    return _apply(one_by_one(run, ranks), ranks, given)


# --- PyTorch: class statements would inherit from something that type checkers do not know


def _pullback_class() -> Any:
    """The pullback of a layer as a function of PyTorch, so that vmap may go through it."""

    def forward(pull: Any, needed: Any, _: Any, cotangent: Any) -> Any:
        back, kinds = pull
        gradients = back(_array(cotangent), needed)
        return tuple(
            None if kind is None or not use or gradient is None else _tensor(gradient, *kind)
            for kind, use, gradient in zip(kinds, needed, gradients, strict=True)
        )

    def setup(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: there is no second derivative."""

    def backward(*_: Any) -> Any:
        raise UnsupportedError("The layers have first derivatives only.")

    def vmap(info: Any, dims: Any, *given: Any) -> Any:
        pull, needed, value, cotangent = given
        if dims[2] is not None:
            moved = [
                _front(t, d, info.batch_size) for t, d in zip(given[2:], dims[2:], strict=True)
            ]
            found = kind.apply(pull, needed, *moved)
        else:
            # several cotangents of the same solutions
            rows = [kind.apply(pull, needed, value, g) for g in cotangent.movedim(dims[3], 0)]
            found = tuple(
                None if parts[0] is None else torch.stack(parts)
                for parts in zip(*rows, strict=True)
            )
        return found, tuple(None if part is None else 0 for part in found)

    kind: Any = _function("Pullback", forward, setup, backward, vmap)
    return kind


def _layer_class(pullback: Any) -> Any:
    """A layer as a function of PyTorch, with its own rule for vmap."""

    def forward(layer: BatchLayer, levels: int, *tensors: Any) -> Any:
        value, pull = layer(levels, [None if t is None else _array(t) for t in tensors])
        given = [t for t in tensors if t is not None]
        dtype = reduce(torch.promote_types, (t.dtype for t in given))
        device = next((t.device for t in given if t.device.type != "cpu"), given[0].device)
        kinds = [None if t is None else (t.dtype, t.device) for t in tensors]
        return _tensor(value, dtype, device), (pull, kinds)

    def setup(ctx: Any, inputs: Any, output: Any) -> None:
        del inputs
        value, ctx.pull = output
        ctx.save_for_backward(value)

    def backward(ctx: Any, cotangent: Any, _: Any) -> Any:
        needed = tuple(ctx.needs_input_grad[2:])
        # the value tells the rule for vmap which dimensions the solutions have, too
        found = pullback.apply(ctx.pull, needed, ctx.saved_tensors[0], cotangent)
        return (None, None, *found)

    def vmap(info: Any, dims: Any, layer: BatchLayer, levels: int, *tensors: Any) -> Any:
        moved = [
            tensor if tensor is None else _front(tensor, dim, info.batch_size)
            for tensor, dim in zip(tensors, dims[2:], strict=True)
        ]
        return kind.apply(layer, levels + 1, *moved), (0, None)

    kind: Any = _function("Layer", forward, setup, backward, vmap)
    return kind


def _function(name: str, forward: Any, setup: Any, backward: Any, vmap: Any) -> Any:
    named = {"forward": forward, "setup_context": setup, "backward": backward, "vmap": vmap}
    members = {key: staticmethod(member) for key, member in named.items()}
    return type(name, (torch.autograd.Function,), members)


def _front(tensor: Any, dim: int | None, size: int) -> Any:
    """The tensor with the mapped dimension first, expanded where there is none."""
    return tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _array(tensor: Any) -> Array:
    return tensor.detach().to(device="cpu", dtype=torch.float64).numpy()


def _tensor(array: Any, dtype: Any, device: Any) -> Any:
    made = torch.from_numpy(np.array(array, dtype=float))
    return made.to(dtype=dtype, device=device)


def _evaluate(run: Run, ranks: Sequence[int], given: Sequence[Any]) -> Any:
    for tensor in given:
        if tensor is not None:
            _require_numbers(tensor)
    # qpth has empty tensors for missing data
    tensors = [None if t is None or not t.numel() else t for t in given]
    return _LAYER.apply(BatchLayer(run, tuple(ranks)), 0, *tensors)[0]


def _require_numbers(tensor: Any) -> None:
    if not torch.is_tensor(tensor) or tensor.dtype not in _DTYPES:
        kind = tensor.dtype if torch.is_tensor(tensor) else type(tensor).__name__
        raise InputError(
            f"The layers take tensors of real floating-point numbers, such as float64 or float32, "
            f"not {kind}.",
            hint="Convert it with torch.as_tensor(data, dtype=torch.float64).",
        )
    if tensor.device.type == "meta":
        raise InputError("A tensor on the device meta has no numbers, so nothing is solved.")


try:
    torch: Any = import_module("torch")
except ImportError:
    raise UnsupportedError("PyTorch is not installed.", hint="pip install torch.") from None
_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_LAYER = _layer_class(_pullback_class())
# solvers are no graph of tensors: torch.compile breaks its graph here
_apply: Callable[..., Any] = torch.compiler.disable(_evaluate)
