"""Constant folding: the exact value of an op on constants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamecheck.evaluate.exact import op_exact
from tamecheck.evaluate.walk import Site
from tamecheck.exact.arrays import fractions, from_values, has_balls, native
from tamecheck.exact.reals import UndecidedError
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
        exact = op_exact(Site(op, checked, shape, where), [from_values(t.array) for t in tensors])
    except UndecidedError:
        return None
    if has_balls(exact):
        return None
    return Tensor(_narrowed(exact, {tensor.encoding for tensor in tensors}))


def _narrowed(exact: Array, encodings: set[str]) -> Array:
    """The same numbers in the narrowest of the arguments' element types that holds them."""
    values = exact if native(exact) else fractions(exact)
    if encodings <= {"i64"}:
        narrow = _as_integers(values)
        return fractions(exact) if narrow is None else narrow
    for kind in (np.float32, np.float64) if "f32" in encodings else (np.float64,):
        narrow = _as_floats(values, kind)
        if narrow is not None:
            return np.asarray(narrow, order="C")
    return fractions(exact)


def _as_integers(values: Array) -> Array | None:
    if values.dtype.kind == "i":
        return np.asarray(values, order="C")
    listed = values.reshape(-1).tolist()
    if any(value != int(value) or not -(2**63) <= value < 2**63 for value in listed):
        return None
    return np.array([int(value) for value in listed], dtype=np.int64).reshape(values.shape)


def _as_floats(values: Array, kind: type[np.float32 | np.float64]) -> Array | None:
    with np.errstate(over="ignore"):
        try:
            narrow = values.astype(kind)
        except OverflowError:
            return None
    if not np.isfinite(narrow).all():
        return None
    back = narrow if values.dtype.kind == "f" else fractions(from_values(narrow))
    same = values if values.dtype.kind in "fO" else fractions(values)
    return np.abs(narrow) * np.sign(narrow) if bool((back == same).all()) else None
