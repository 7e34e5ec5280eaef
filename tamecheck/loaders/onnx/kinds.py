"""What an ONNX name stands for: a tensor of some element type, constant or computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import TypeAlias

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.tensor import Array, Shape

__all__ = ["BOOL", "FLOAT", "INT64", "Family", "Kind", "Operand", "Value", "kind_of"]


class Family(Enum):
    """What the elements of a tensor are."""

    REAL = "real"
    COARSE = "coarse"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Kind:
    """An element type; ``low`` and ``high`` are the range of an integer type.

    A ``COARSE`` type is a float of at most 8 bits: its values are reals, but rounding to it is
    not read as the identity.
    """

    name: str
    family: Family
    low: int = 0
    high: int = 0

    @property
    def integral(self) -> bool:
        """Whether the elements are integers or booleans."""
        return self.family in (Family.INTEGER, Family.BOOLEAN)


def _integer(name: str, bits: int, *, signed: bool) -> Kind:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return Kind(name, Family.INTEGER, low, high)


FLOAT = Kind("FLOAT", Family.REAL)
INT64 = _integer("INT64", 64, signed=True)
BOOL = Kind("BOOL", Family.BOOLEAN, 0, 1)

_KINDS: Mapping[int, Kind] = MappingProxyType(
    {
        1: FLOAT,
        2: _integer("UINT8", 8, signed=False),
        3: _integer("INT8", 8, signed=True),
        4: _integer("UINT16", 16, signed=False),
        5: _integer("INT16", 16, signed=True),
        6: _integer("INT32", 32, signed=True),
        7: INT64,
        8: Kind("STRING", Family.OTHER),
        9: BOOL,
        10: Kind("FLOAT16", Family.REAL),
        11: Kind("DOUBLE", Family.REAL),
        12: _integer("UINT32", 32, signed=False),
        13: _integer("UINT64", 64, signed=False),
        14: Kind("COMPLEX64", Family.OTHER),
        15: Kind("COMPLEX128", Family.OTHER),
        16: Kind("BFLOAT16", Family.REAL),
        17: Kind("FLOAT8E4M3FN", Family.COARSE),
        18: Kind("FLOAT8E4M3FNUZ", Family.COARSE),
        19: Kind("FLOAT8E5M2", Family.COARSE),
        20: Kind("FLOAT8E5M2FNUZ", Family.COARSE),
        21: _integer("UINT4", 4, signed=False),
        22: _integer("INT4", 4, signed=True),
        23: Kind("FLOAT4E2M1", Family.COARSE),
        24: Kind("FLOAT8E8M0", Family.COARSE),
        25: _integer("UINT2", 2, signed=False),
        26: _integer("INT2", 2, signed=True),
    }
)


def kind_of(code: int) -> Kind:
    """The element type of a ``TensorProto.DataType`` code."""
    kind = _KINDS.get(code)
    if kind is None:
        raise InputError(f"{code} is no element type of ONNX.")
    if kind.family is Family.OTHER:
        raise UnsupportedError(f"tensors of type {kind.name} are not read.")
    return kind


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor of the source model.

    Parameters
    ----------
    kind
        Its element type.
    shape
        Its shape.
    name
        Its name in the source, or an empty one.
    array
        Its elements, if it is a constant: of a NumPy number type, or an object array of exact
        integers and fractions.  Only here may an infinity occur, for bounds that do not bind.
    node
        Its node, if it is no constant.
    """

    kind: Kind
    shape: Shape
    name: str = ""
    array: Array | None = None
    node: int = -1

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)


Operand: TypeAlias = Value | Fraction | int
"""A tensor, or a number that is broadcast."""
