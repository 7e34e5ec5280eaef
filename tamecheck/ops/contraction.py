"""Matrix products, and folds of a commutative op over axes.

Where elements are tied, ``torch.amax``, ``torch.max`` over all elements, norms and
``jax.numpy.max`` share the derivative evenly; ``torch.max`` along a dimension (``max`` here) and
pooling give all of it to the first; likewise for minima (observed with PyTorch 2.13).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.op import Contraction, Fold, Op, Param, Params
from tamecheck.ir.tensor import Shape, size_of
from tamecheck.ops.shapes import axes_of, reduced

IntList = tuple[int, ...]
_AXES = (Param("axes", IntList), Param("keepdims", bool))


def _matmul_shape(shapes: Sequence[Shape], _params: Params) -> Shape:
    left, right = shapes
    if not left or not right or left[-1] != right[-2:][0]:
        raise InputError(f"Shapes {left} and {right} do not fit a matrix product.")
    try:
        batch = np.broadcast_shapes(left[:-2], right[:-2])
    except ValueError:
        raise InputError(f"Shapes {left} and {right} do not fit a matrix product.") from None
    rows = left[-2:-1]
    columns = right[-1:] if len(right) > 1 else ()
    return (*(int(n) for n in batch), *rows, *columns)


def _nonempty(shapes: Sequence[Shape], params: Params) -> Shape:
    if size_of(tuple(shapes[0][axis] for axis in axes_of(shapes[0], params))) == 0:
        raise InputError(f"No largest or smallest element along axes of shape {shapes[0]}.")
    return reduced(shapes, params)


MATMUL = Op(
    name="matmul",
    summary="the matrix product, batched and broadcast as in NumPy",
    arity=2,
    shape=_matmul_shape,
    meaning=Contraction(),
)

SUM = Op(name="sum", summary="the sum over axes", params=_AXES, shape=reduced, meaning=Fold("add"))

PROD = Op(
    name="prod", summary="the product over axes", params=_AXES, shape=reduced, meaning=Fold("mul")
)

REDUCE_MAX = Op(
    name="reduce_max",
    summary="the largest element over axes",
    params=_AXES,
    shape=_nonempty,
    meaning=Fold("maximum"),
    ties={"amax": "even", "max": "first", "max_pool": "first"},
)

REDUCE_MIN = Op(
    name="reduce_min",
    summary="the smallest element over axes",
    params=_AXES,
    shape=_nonempty,
    meaning=Fold("minimum"),
    ties={"amin": "even", "min": "first"},
)
