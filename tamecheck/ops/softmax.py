"""Normalised exponentials, kept whole because their defining expressions overflow in floats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.op import Expansion, Op, Param, Params
from tamecheck.ir.tensor import Array, Shape
from tamecheck.ops.shapes import axes_of, axis_of, reduced

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


def _shifted(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """The maximum, the differences from it, and the sum of their exponentials: no overflow."""
    top = x.max(axis=axes, keepdims=True)
    shifted = x - top
    return top, shifted, np.exp(shifted).sum(axis=axes, keepdims=True)


def _softmax_floats(x: Array, params: Params) -> Array:
    if x.size == 0:
        return x
    _, shifted, total = _shifted(x, (axis_of(x.shape, params),))
    return np.exp(shifted) / total


def _log_softmax_floats(x: Array, params: Params) -> Array:
    if x.size == 0:
        return x
    _, shifted, total = _shifted(x, (axis_of(x.shape, params),))
    return shifted - np.log(total)


def _logsumexp_floats(x: Array, params: Params) -> Array:
    if x.size == 0:
        return np.zeros(0)
    top, _, total = _shifted(x, axes_of(x.shape, params))
    return top + np.log(total)


SOFTMAX = Op(
    name="softmax",
    summary="exp(x) divided by its sum along an axis",
    params=(Param("axis", int),),
    shape=_along_axis,
    meaning=Expansion(
        _softmax, _softmax_floats, values=(0.0, 1.0), keeps_order=True, total=Fraction(1)
    ),
)

LOG_SOFTMAX = Op(
    name="log_softmax",
    summary="x minus the logarithm of the sum of exp(x) along an axis",
    params=(Param("axis", int),),
    shape=_along_axis,
    meaning=Expansion(_log_softmax, _log_softmax_floats, keeps_order=True),
)

LOGSUMEXP = Op(
    name="logsumexp",
    summary="the logarithm of the sum of exp(x) over axes",
    params=(Param("axes", IntList), Param("keepdims", bool)),
    shape=_nonempty,
    meaning=Expansion(_logsumexp, _logsumexp_floats),
)
