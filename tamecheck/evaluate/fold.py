"""Constant folding: the exact value of an op on constants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamecheck.evaluate.exact import op_exact
from tamecheck.evaluate.exact_arrays import fractions, from_values, has_balls, native
from tamecheck.evaluate.reals import UndecidedError
from tamecheck.ir.op import Op, Params
from tamecheck.ir.tensor import Array, Tensor

__all__ = ["fold_constant"]


def fold_constant(
    op: Op, tensors: Sequence[Tensor], params: Params, *, where: str = ""
) -> Tensor | None:
    """The exact value of ``op`` on constant tensors, or None when some element is irrational.

    The result is stored as int64 when the arguments are and it fits, else as float32 or float64
    when these hold it exactly and no argument is narrower, else as fractions.

    Raises
    ------
    DomainError
        If an element is outside the op's domain; ``where`` names the node.
    """
    checked = op.checked(params)
    shape = op.shape([tensor.shape for tensor in tensors], checked)
    try:
        exact = op_exact(op, [from_values(t.array) for t in tensors], checked, shape, where)
    except UndecidedError:
        return None
    if has_balls(exact):
        return None
    return Tensor(_narrowed(exact, {tensor.encoding for tensor in tensors}))


def _narrowed(exact: Array, encodings: set[str]) -> Array:
    """The same numbers in the narrowest of the arguments' element types that holds them."""
    values = exact if native(exact) else fractions(exact)
    if encodings <= {"i64"}:
        kinds: tuple[type[np.generic], ...] = (np.int64,)
    elif "f32" in encodings:
        kinds = (np.float32, np.float64)
    else:
        kinds = (np.float64,)
    for kind in kinds:
        narrow = _exactly(values, kind)
        if narrow is not None:
            return np.asarray(narrow, order="C")
    return fractions(exact)


def _exactly(values: Array, kind: type[np.generic]) -> Array | None:
    with np.errstate(over="ignore"):
        try:
            narrow = values.astype(kind)
        except OverflowError:
            return None
    back = narrow if native(values) else fractions(from_values(narrow)) if _finite(narrow) else None
    return narrow + kind(0) if back is not None and bool((back == values).all()) else None


def _finite(array: Array) -> bool:
    return array.dtype.kind == "i" or bool(np.isfinite(array).all())
