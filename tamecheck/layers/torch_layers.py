"""The layers as differentiable functions of PyTorch tensors.

Every function takes tensors with any number of leading batch dimensions, which broadcast; those
without are shared by the whole batch, and their gradients are summed.  Arithmetic is in double
precision on the CPU; results and gradients have the dtype and the device of what was given.
`torch.func.vmap`, ``grad`` and ``jacrev`` work, and `torch.compile` breaks its graph at a layer.
At a kink the gradient is one element of the conservative set; where the hypotheses of the
derivative fail the backward pass raises the layer's error.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from tamecheck.errors import InputError, UnsupportedError, package
from tamecheck.ir.tensor import Array
from tamecheck.layers.functions import BatchLayer, LayerFunctions, Run

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


def _evaluate(run: Run, ranks: Sequence[int], given: Sequence[Any], size_of: int | None) -> Any:
    del size_of
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


torch: Any = package("torch", "torch")
_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_LAYER = _layer_class(_pullback_class())
# solvers are no graph of tensors: torch.compile breaks its graph here
_FUNCTIONS = LayerFunctions(torch.compiler.disable(_evaluate))
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
