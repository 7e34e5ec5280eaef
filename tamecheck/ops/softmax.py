"""Normalised exponentials, kept whole because their defining expressions overflow in floats."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tamecheck.errors import InputError
from tamecheck.ir.op import Expansion, Op, Param, Params
from tamecheck.ir.tensor import Shape
from tamecheck.ops.shapes import axes_of, axis_of, reduced

__all__ = ["LOGSUMEXP", "LOG_SOFTMAX", "SOFTMAX"]

IntList = tuple[int, ...]


def _along_axis(shapes: Sequence[Shape], params: Params) -> Shape:
    axis_of(shapes[0], params)
    return shapes[0]


def _nonempty(shapes: Sequence[Shape], params: Params) -> Shape:
    if any(shapes[0][axis] == 0 for axis in axes_of(shapes[0], params)):
        raise InputError(f"logsumexp over no element of shape {shapes[0]}.")
    return reduced(shapes, params)


def _softmax(apply: Callable[..., int], x: int, shape: Shape, params: Params) -> int:
    exps = apply("exp", [x])
    total = apply("sum", [exps], axes=(axis_of(shape, params),), keepdims=True)
    return apply("div", [exps, total])


def _log_softmax(apply: Callable[..., int], x: int, shape: Shape, params: Params) -> int:
    total = apply("sum", [apply("exp", [x])], axes=(axis_of(shape, params),), keepdims=True)
    return apply("sub", [x, apply("log", [total])])


def _logsumexp(apply: Callable[..., int], x: int, shape: Shape, params: Params) -> int:
    axes, keepdims = axes_of(shape, params), params["keepdims"]
    return apply("log", [apply("sum", [apply("exp", [x])], axes=axes, keepdims=keepdims)])


SOFTMAX = Op(
    name="softmax",
    summary="exp(x) divided by its sum along an axis",
    params=(Param("axis", int),),
    shape=_along_axis,
    meaning=Expansion(_softmax),
)

LOG_SOFTMAX = Op(
    name="log_softmax",
    summary="x minus the logarithm of the sum of exp(x) along an axis",
    params=(Param("axis", int),),
    shape=_along_axis,
    meaning=Expansion(_log_softmax),
)

LOGSUMEXP = Op(
    name="logsumexp",
    summary="the logarithm of the sum of exp(x) over axes",
    params=(Param("axes", IntList), Param("keepdims", bool)),
    shape=_nonempty,
    meaning=Expansion(_logsumexp),
)
