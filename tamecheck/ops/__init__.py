"""The primitive ops, all of them: `ALL`, and `BY_NAME` to read them from files."""

from tamecheck.ops.arithmetic import ADD, DIV, MUL, NEG, SUB
from tamecheck.ops.contraction import MATMUL, PROD, REDUCE_MAX, REDUCE_MIN, SUM
from tamecheck.ops.exponential import (
    ACOSH,
    ASINH,
    ATANH,
    COSH,
    ERF,
    EXP,
    LOG,
    SIGMOID,
    SINH,
    SOFTPLUS,
    TANH,
)
from tamecheck.ops.jumps import EQUAL, LESS, LESS_EQUAL, SELECT, SIGN, STEP
from tamecheck.ops.powers import POW, POWER, SQRT
from tamecheck.ops.rectifiers import ABS, CLIP, ELU, LEAKY_RELU, MAXIMUM, MINIMUM, PRELU, RELU
from tamecheck.ops.rounding import CEIL, FLOOR, ROUND
from tamecheck.ops.routing import BROADCAST, CONCAT, PAD, RESHAPE, SLICE, TRANSPOSE
from tamecheck.ops.selection import ARGMAX, ARGMIN, ARGSORT, GATHER, GATHER_ELEMENTS
from tamecheck.ops.softmax import LOG_SOFTMAX, LOGSUMEXP, SOFTMAX
from tamecheck.ops.table import ALL, BY_NAME
from tamecheck.ops.trigonometric import ACOS, ASIN, ATAN, COS, SIN, TAN

__all__ = [
    "ABS",
    "ACOS",
    "ACOSH",
    "ADD",
    "ALL",
    "ARGMAX",
    "ARGMIN",
    "ARGSORT",
    "ASIN",
    "ASINH",
    "ATAN",
    "ATANH",
    "BROADCAST",
    "BY_NAME",
    "CEIL",
    "CLIP",
    "CONCAT",
    "COS",
    "COSH",
    "DIV",
    "ELU",
    "EQUAL",
    "ERF",
    "EXP",
    "FLOOR",
    "GATHER",
    "GATHER_ELEMENTS",
    "LEAKY_RELU",
    "LESS",
    "LESS_EQUAL",
    "LOG",
    "LOGSUMEXP",
    "LOG_SOFTMAX",
    "MATMUL",
    "MAXIMUM",
    "MINIMUM",
    "MUL",
    "NEG",
    "PAD",
    "POW",
    "POWER",
    "PRELU",
    "PROD",
    "REDUCE_MAX",
    "REDUCE_MIN",
    "RELU",
    "RESHAPE",
    "ROUND",
    "SELECT",
    "SIGMOID",
    "SIGN",
    "SIN",
    "SINH",
    "SLICE",
    "SOFTMAX",
    "SOFTPLUS",
    "SQRT",
    "STEP",
    "SUB",
    "SUM",
    "TAN",
    "TANH",
    "TRANSPOSE",
]
