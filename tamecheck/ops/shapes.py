"""Shape rules that several ops share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.op import Params
from tamecheck.ir.tensor import Shape


def broadcast(shapes: Sequence[Shape], _params: Params) -> Shape:
    """The common NumPy broadcast shape."""
    try:
        return tuple(int(n) for n in np.broadcast_shapes(*shapes))
    except ValueError:
        raise InputError(f"Shapes {', '.join(map(str, shapes))} do not broadcast.") from None


def same(shapes: Sequence[Shape], _params: Params) -> Shape:
    """The shape of the one argument."""
    return shapes[0]


def integers(params: Params, name: str) -> tuple[int, ...]:
    """A parameter that is a list of integers."""
    value = params[name]
    if not isinstance(value, tuple):
        raise InputError(f"parameter {name!r} must be a list of integers, not {value!r}.")
    return value


def axis_of(shape: Shape, params: Params) -> int:
    """The non-negative axis that the parameter ``axis`` names."""
    axis = params["axis"]
    if not isinstance(axis, int) or not 0 <= axis < len(shape):
        raise InputError(f"axis {axis!r} is outside a tensor of shape {shape}.")
    return axis


def axes_of(shape: Shape, params: Params) -> tuple[int, ...]:
    """The distinct non-negative axes that the parameter ``axes`` names."""
    axes = integers(params, "axes")
    if any(not 0 <= axis < len(shape) for axis in axes) or len(set(axes)) != len(axes):
        raise InputError(f"axes {axes} do not fit a tensor of shape {shape}.")
    return axes


def reduced(shapes: Sequence[Shape], params: Params) -> Shape:
    """The shape after a fold over ``axes``; ``keepdims`` leaves extent 1."""
    axes = axes_of(shapes[0], params)
    kept = [1 if i in axes else n for i, n in enumerate(shapes[0])]
    return tuple(n for i, n in enumerate(kept) if params["keepdims"] or i not in axes)


def without_axis(shapes: Sequence[Shape], params: Params) -> Shape:
    """The shape after a choice along ``axis``; ``keepdims`` leaves extent 1."""
    axis = axis_of(shapes[0], params)
    if shapes[0][axis] == 0:
        raise InputError(f"nothing to choose from along axis {axis} of shape {shapes[0]}.")
    middle = (1,) if params["keepdims"] else ()
    return (*shapes[0][:axis], *middle, *shapes[0][axis + 1 :])
