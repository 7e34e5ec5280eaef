"""Ops along axes: matrix products, folds, choices by comparing, normalised exponentials.

Where elements are tied, ``torch.amax``, ``torch.max`` over all elements, norms and
``jax.numpy.max`` share the derivative evenly; ``torch.max`` along a dimension (``max`` here) and
pooling give all of it to the first; likewise for minima.  ``torch.sort`` and ``jax.numpy.sort``
keep the order of tied elements, and so does ``jax.numpy.median``; ``torch.median`` shares the
derivative evenly among them, and the order of ``torch.topk`` is not specified (observed with
PyTorch 2.13 and JAX 0.10).

The softmax family is kept whole because the defining expressions overflow in floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.op import Contraction, Expansion, Fold, Op, Param, Params, Selection, Ties
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.arithmetic import ADD, MUL
from tamecheck.ops.piecewise import JUMPS, MAXIMUM, MINIMUM
from tamecheck.ops.shapes import axes_of, axis_of, reduced, same, without_axis

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

SUM = Op(
    name="sum", summary="the sum over axes", params=_AXES, shape=reduced, meaning=Fold(ADD, np.add)
)

PROD = Op(
    name="prod",
    summary="the product over axes",
    params=_AXES,
    shape=reduced,
    meaning=Fold(MUL, np.multiply),
)

REDUCE_MAX = Op(
    name="reduce_max",
    summary="the largest element over axes",
    params=_AXES,
    shape=_nonempty,
    meaning=Fold(MAXIMUM, np.maximum),
    ties={"amax": "even", "max": "first", "max_pool": "first"},
)

REDUCE_MIN = Op(
    name="reduce_min",
    summary="the smallest element over axes",
    params=_AXES,
    shape=_nonempty,
    meaning=Fold(MINIMUM, np.minimum),
    ties={"amin": "even", "min": "first"},
)


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


def _index_of(name: str, which: str, *, largest: bool) -> Op:
    return Op(
        name=name,
        summary=f"the index of the {which} element along an axis; "
        "of tied ones the first, or the last",
        params=_CHOICE,
        shape=without_axis,
        meaning=Selection(largest=largest),
        regularity=JUMPS,
    )


ARGMAX = _index_of("argmax", "largest", largest=True)
ARGMIN = _index_of("argmin", "smallest", largest=False)

ARGSORT = Op(
    name="argsort",
    summary="the indices that sort along an axis; tied elements keep their order",
    params=(Param("axis", int), Param("descending", bool)),
    shape=same,
    meaning=Selection(),
    regularity=JUMPS,
)


def _gathering(
    name: str, summary: str, shape: Callable[[Sequence[Shape], Params], Shape], **ties: Ties
) -> Op:
    return Op(
        name=name,
        summary=summary,
        arity=2,
        params=(Param("axis", int),),
        shape=shape,
        meaning=Selection(),
        regularity=JUMPS,
        ties=ties,
        source="with constant indices it only moves elements, and is continuous",
    )


GATHER = _gathering("gather", "slices of x along an axis, at the indices y", _gather_shape)
GATHER_ELEMENTS = _gathering(
    "gather_elements",
    "x with the coordinate along an axis replaced by the element of y at that place",
    _gather_elements_shape,
    sort="first",
    median="even",
)


def _along_axis(shapes: Sequence[Shape], params: Params) -> Shape:
    axis_of(shapes[0], params)
    return shapes[0]


def _some(shapes: Sequence[Shape], params: Params) -> Shape:
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
    params=_AXES,
    shape=_some,
    meaning=Expansion(_logsumexp, _logsumexp_floats),
)
