"""The table of all primitive ops: `ALL`, and `BY_NAME` to read them from files.

An op is pickled by its name, since its definition is made of functions.
"""

from __future__ import annotations

import copyreg
from typing import Any

from tamecheck.ir.op import Op
from tamecheck.ops.arithmetic import ADD, DIV, MUL, NEG, POW, POWER, SQRT, SUB
from tamecheck.ops.axes import (
    ARGMAX,
    ARGMIN,
    ARGSORT,
    GATHER,
    GATHER_ELEMENTS,
    LOG_SOFTMAX,
    LOGSUMEXP,
    MATMUL,
    PROD,
    REDUCE_MAX,
    REDUCE_MIN,
    SOFTMAX,
    SUM,
)
from tamecheck.ops.exponential import (
    ACOS,
    ACOSH,
    ASIN,
    ASINH,
    ATAN,
    ATANH,
    COS,
    COSH,
    ERF,
    EXP,
    LOG,
    SIGMOID,
    SIN,
    SINH,
    SOFTPLUS,
    TAN,
    TANH,
)
from tamecheck.ops.jumps import CEIL, EQUAL, FLOOR, LESS, LESS_EQUAL, ROUND, SELECT, SIGN, STEP
from tamecheck.ops.rectifiers import ABS, CLIP, ELU, LEAKY_RELU, MAXIMUM, MINIMUM, PRELU, RELU
from tamecheck.ops.routing import BROADCAST, CONCAT, PAD, RESHAPE, SLICE, TRANSPOSE

ALL: tuple[Op, ...] = (
    *(ADD, SUB, MUL, DIV, NEG),
    *(ABS, RELU, LEAKY_RELU, PRELU, ELU, CLIP, MAXIMUM, MINIMUM),
    *(SIGN, STEP, EQUAL, LESS, LESS_EQUAL, SELECT),
    *(FLOOR, CEIL, ROUND),
    *(POW, POWER, SQRT),
    *(EXP, LOG, SIGMOID, SOFTPLUS, SINH, COSH, TANH, ASINH, ACOSH, ATANH, ERF),
    *(SIN, COS, TAN, ASIN, ACOS, ATAN),
    *(RESHAPE, TRANSPOSE, SLICE, CONCAT, PAD, BROADCAST, GATHER, GATHER_ELEMENTS),
    *(MATMUL, SUM, PROD, REDUCE_MAX, REDUCE_MIN),
    *(ARGMAX, ARGMIN, ARGSORT),
    *(SOFTMAX, LOG_SOFTMAX, LOGSUMEXP),
)

BY_NAME: dict[str, Op] = {op.name: op for op in ALL}


def named(name: str) -> Op:
    """The op of this name."""
    return BY_NAME[name]


def reduced(op: Op) -> Any:
    """What `pickle` and `copy` make of an op; one that is not ours is taken as it is."""
    return (named, (op.name,)) if BY_NAME.get(op.name) is op else object.__reduce_ex__(op, 2)


copyreg.pickle(Op, reduced)
