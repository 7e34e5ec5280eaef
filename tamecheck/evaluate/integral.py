"""Which nodes are known to take integer values only, read off the terms of their ops."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tamecheck.ir.formula import Add, Const, Floor, Mul, Pow, Term, Var
from tamecheck.ir.op import Contraction, Fold, Op, Params, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Tensor

__all__ = ["op_is_integral", "tensor_is_integral"]


def tensor_is_integral(tensor: Tensor) -> bool:
    """Whether every element of a constant is an integer."""
    if tensor.array.dtype.kind == "i":
        return True
    if tensor.array.dtype.kind == "f":
        return bool((np.floor(tensor.array) == tensor.array).all())
    return all(value.denominator == 1 for value in tensor.fractions())


def op_is_integral(op: Op, params: Params, args: Sequence[bool]) -> bool:
    """Whether an op gives integers only, when the marked arguments are integers."""
    match op.meaning:
        case Pointwise(pieces=pieces):
            return all(_is_integral(piece.term, args) for piece in pieces(params))
        case Routing():
            inserted = [v for v in params.values() if isinstance(v, Fraction)]
            return all(args) and all(value.denominator == 1 for value in inserted)
        case Contraction() | Fold():
            return all(args)
        case Selection():
            return op.name not in ("gather", "gather_elements") or args[0]
        case _:
            return False


def _is_integral(term: Term, args: Sequence[bool]) -> bool:
    match term:
        case Var(index):
            return args[index]
        case Const(value):
            return value.denominator == 1
        case Floor():
            return True
        case Add(left, right) | Mul(left, right):
            return _is_integral(left, args) and _is_integral(right, args)
        case Pow(base, Const(exponent)):
            whole = exponent.denominator == 1 and exponent >= 0
            return whole and _is_integral(base, args)
        case _:
            return False
