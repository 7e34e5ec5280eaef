"""What PyTorch's automatic differentiation of a module is, as far as its graph does not tell.

The functions that PyTorch records for the backward pass name the conventions at kinks; and its
gradients are compared with difference quotients, to which those of a module that cuts gradients
off, or has functions with gradients of their own, do not fit.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tamecheck.ir.graph import Apply, Gradient, Graph
from tamecheck.loaders.torch.graph import leaves

_POINTS = tuple((side, scale) for scale in (0.01, 0.1, 1.0, 4.0, 16.0) for side in (1, 0, -1))
"""Gradients are compared at these multiples of the example, moved by noise of these sizes."""

_STEP = 1e-6
_TOLERANCE = 1e-4
_FUNCTIONS: Mapping[str, Mapping[str, str]] = {
    "clip": {
        "ClampBackward1": "clamp",
        "ClampMinBackward0": "clamp",
        "ClampMaxBackward0": "clamp",
        "HardtanhBackward0": "hardtanh",
    },
    "reduce_max": {
        "AmaxBackward0": "amax",
        "MaxBackward1": "amax",
        "LinalgVectorNormBackward0": "amax",
        "MaxBackward0": "max",
    },
    "reduce_min": {
        "AminBackward0": "amin",
        "MinBackward1": "amin",
        "LinalgVectorNormBackward0": "amin",
        "MinBackward0": "min",
    },
}
"""For ops that several functions are, the functions by the names of their backward passes."""

_KNOWN = {
    name
    for names in (
        "Abs Add Addmm Addmv AdaptiveAvgPool2D AdaptiveMaxPool2D AdaptiveMaxPool3D Alias Asin",
        "Atan AvgPool2D AvgPool3D Baddbmm Bmm Cat Celu Clone ConstantPadNd Convolution Copy",
        "Cos Cosh Cumsum Div Dot Elu Erf Exp Expand Expm1 Flip Floor Gather Gelu Hardsigmoid",
        "Hardswish Index IndexSelect LeakyRelu Log Log1P LogSigmoid LogSoftmax Logsumexp",
        "MaskedFill Maximum MaxPool2DWithIndices MaxPool3DWithIndices Mean Minimum Mish Mm",
        "Mul Mv NativeBatchNorm NativeGroupNorm NativeLayerNorm Neg Norm Permute Pow Prelu",
        "PreluKernel Prod Reciprocal Relu Repeat ReshapeAlias Roll Round Rsqrt Rsub Select",
        "Sigmoid Sign Silu Sin Sinh Slice Softmax Softplus Softshrink Sort Split",
        "SplitWithSizes Sqrt Squeeze Stack Std Sub Sum T Tan Tanh Threshold ToCopy Topk",
        "Transpose Unbind UnsafeSplit UnsafeView Unsqueeze Var View Where AccumulateGrad",
    )
    for name in names.split()
} | {name.partition("Backward")[0] for names in _FUNCTIONS.values() for name in names}
"""Functions whose conventions at kinks are those of the graph."""


def with_gradient(torch: Any, module: Any, tensors: Sequence[Any], graph: Graph) -> Graph:
    """The graph of a module in evaluation mode with what is known of PyTorch's gradients.

    ``tensors`` are an example of its arguments; the module stays as it is.
    """
    try:
        with torch.enable_grad():
            seen = _observe(torch, copy.deepcopy(module).double(), tensors)
    except Exception:  # noqa: BLE001 (foreign code, which may raise anything)
        lost = "PyTorch's gradients of the module could not be computed in float64"
        return replace(graph, gradient=Gradient(lost))
    if seen.own or seen.off:
        lost = "PyTorch's gradient of the module is not the derivative of its value"
        own = f" ({', '.join(sorted(seen.own))})" if seen.own else ", as where one is cut off"
        return replace(graph, gradient=Gradient(lost + own))
    if not seen.compared:
        lost = "PyTorch's gradient of the module could not be compared with difference quotients"
        return replace(graph, gradient=Gradient(lost))
    names = seen.names
    functions = {op: _function(by_name, names) for op, by_name in _FUNCTIONS.items()}
    nodes = tuple(
        replace(node, function=functions[node.op.name])
        if isinstance(node, Apply) and not node.function and node.op.name in functions
        else node
        for node in graph.nodes
    )
    unknown = tuple(sorted(name for name in names if name.partition("Backward")[0] not in _KNOWN))
    return replace(graph, nodes=nodes, gradient=Gradient(unknown=unknown))


def _function(by_name: Mapping[str, str], names: set[str]) -> str:
    """The one function that was used, or none if there are several."""
    found = {function for name, function in by_name.items() if name in names}
    return found.pop() if len(found) == 1 else ""


@dataclass(slots=True)
class _Seen:
    """Names of backward functions, those that are not PyTorch's own, and gradients compared."""

    names: set[str] = field(default_factory=set[str])
    own: set[str] = field(default_factory=set[str])
    compared: int = 0
    off: int = 0


def _observe(torch: Any, module: Any, tensors: Sequence[Any]) -> _Seen:
    source = torch.Generator().manual_seed(0)
    seen = _Seen()

    def noise(like: Any, scale: float) -> Any:
        return scale * torch.randn(like.shape, generator=source, dtype=torch.float64)

    def move(at: Sequence[Any], by: Sequence[Any]) -> list[Any]:
        return [a if b is None else a + b for a, b in zip(at, by, strict=True)]

    floats = [tensor.is_floating_point() for tensor in tensors]
    example = [t.double() if f else t for t, f in zip(tensors, floats, strict=True)]
    weights: list[Any] = []

    def total(at: Sequence[Any]) -> Any:
        found = [y for y in leaves(module(*at)) if torch.is_tensor(y) and y.is_floating_point()]
        if not weights:
            weights.extend(noise(y, 1.0) for y in found)
        return sum((w * y).sum() for w, y in zip(weights, found, strict=True))

    for side, scale in ((1, 0.0), *_POINTS):
        noises = [noise(t, scale) if f else None for t, f in zip(example, floats, strict=True)]
        at = move([side * t if f else t for t, f in zip(example, floats, strict=True)], noises)
        inputs = [t.detach().clone().requires_grad_(f) for t, f in zip(at, floats, strict=True)]
        value = total(inputs)
        moving = [t for t, f in zip(inputs, floats, strict=True) if f]
        slopes: list[Any] = [None] * len(moving)
        if isinstance(value, torch.Tensor) and value.requires_grad:
            for function in _functions(value.grad_fn):
                custom = isinstance(function, torch.autograd.function.BackwardCFunction)
                (seen.own if custom else seen.names).add(type(function).__name__)
            slopes = torch.autograd.grad(value, moving, allow_unused=True)
        if not scale:
            # the example may be at a kink
            continue
        step = [noise(t, 1.0) if f else None for t, f in zip(example, floats, strict=True)]
        with torch.no_grad():
            quotients = [
                float(
                    total(move(at, [None if d is None else d * h for d in step]))
                    - total(move(at, [None if d is None else d * -h for d in step]))
                )
                / (2 * h)
                for h in (_STEP, 2 * _STEP)
            ]
        directions = [d for d in step if d is not None]
        parts = [
            float((s * d).sum()) for s, d in zip(slopes, directions, strict=True) if s is not None
        ]
        size = _TOLERANCE * (1 + sum(map(abs, (*parts, *quotients))))
        # quotients across a jump or kink differ, and are no derivatives; comparing NaN is False
        if abs(quotients[0] - quotients[1]) <= size:
            seen.compared += 1
            seen.off += not abs(sum(parts) - quotients[0]) <= size
    return seen


def _functions(root: Any) -> Iterator[Any]:
    """The functions of a backward pass, each once."""
    seen: set[Any] = set()
    waiting = [root]
    while waiting:
        function = waiting.pop()
        if function is not None and function not in seen:
            seen.add(function)
            yield function
            waiting += [before for before, _ in function.next_functions]
