"""Ops that choose by comparing: argmax, argmin, argsort, and indexing by computed indices.

Where elements are tied, ``torch.sort`` and ``jax.numpy.sort`` keep their order, and so does
``jax.numpy.median``; ``torch.median`` shares the derivative evenly among them, and the order of
``torch.topk`` is not specified (observed with PyTorch 2.13 and JAX 0.10).
"""

from __future__ import annotations

from collections.abc import Sequence

from tamecheck.errors import InputError
from tamecheck.ir.op import Op, Param, Params, Regularity, Selection
from tamecheck.ir.tensor import Shape
from tamecheck.ops.shapes import axis_of, same, without_axis

JUMPS = Regularity(continuous=False, lipschitz=False)
_CHOICE = (Param("axis", int), Param("keepdims", bool), Param("last", bool))


def _gather_shape(shapes: Sequence[Shape], params: Params) -> Shape:
    axis = axis_of(shapes[0], params)
    return (*shapes[0][:axis], *shapes[1], *shapes[0][axis + 1 :])


def _gather_elements_shape(shapes: Sequence[Shape], params: Params) -> Shape:
    data, indices = shapes
    axis = axis_of(data, params)
    if len(data) != len(indices) or any(
        n > m for i, (n, m) in enumerate(zip(indices, data, strict=True)) if i != axis
    ):
        raise InputError(f"Indices of shape {indices} do not fit data of shape {data}.")
    return indices


ARGMAX = Op(
    name="argmax",
    summary="the index of the largest element along an axis; of tied ones the first, or the last",
    params=_CHOICE,
    shape=without_axis,
    meaning=Selection(largest=True),
    regularity=JUMPS,
)

ARGMIN = Op(
    name="argmin",
    summary="the index of the smallest element along an axis; of tied ones the first, or the last",
    params=_CHOICE,
    shape=without_axis,
    meaning=Selection(largest=False),
    regularity=JUMPS,
)

ARGSORT = Op(
    name="argsort",
    summary="the indices that sort along an axis; tied elements keep their order",
    params=(Param("axis", int), Param("descending", bool)),
    shape=same,
    meaning=Selection(),
    regularity=JUMPS,
)

GATHER = Op(
    name="gather",
    summary="slices of x along an axis, at the indices y",
    arity=2,
    params=(Param("axis", int),),
    shape=_gather_shape,
    meaning=Selection(),
    regularity=JUMPS,
    source="with constant indices it only moves elements, and is continuous",
)

GATHER_ELEMENTS = Op(
    name="gather_elements",
    summary="x with the coordinate along an axis replaced by the element of y at that place",
    arity=2,
    params=(Param("axis", int),),
    shape=_gather_elements_shape,
    meaning=Selection(),
    regularity=JUMPS,
    ties={"sort": "first", "median": "even"},
    source="with constant indices it only moves elements, and is continuous",
)
