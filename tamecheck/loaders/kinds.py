"""Element types of ONNX tensors: reals, integers with their range, and booleans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from tamecheck.errors import InputError, UnsupportedError


class Family(Enum):
    """What the elements of a tensor are.

    A coarse type is a float of at most 8 bits: its values are reals, but rounding to it is not read
    as the identity.
    """

    REAL = "real"
    COARSE = "coarse"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Kind:
    """An element type; ``low`` and ``high`` are the range of an integer type."""

    name: str
    family: Family
    low: int = 0
    high: int = 0

    @property
    def word(self) -> str:
        """The type as NumPy and VNN-LIB 2.0 have it."""
        return {"FLOAT": "float32", "DOUBLE": "float64"}.get(self.name, self.name.lower())

    @property
    def integral(self) -> bool:
        """Whether the elements are integers or booleans."""
        return self.family in (Family.INTEGER, Family.BOOLEAN)


def _integer(name: str) -> Kind:
    bits = int(name.lstrip("UINT"))
    low, high = (0, 2**bits - 1) if name[0] == "U" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return Kind(name, Family.INTEGER, low, high)


FLOAT = Kind("FLOAT", Family.REAL)
INT64 = _integer("INT64")
BOOL = Kind("BOOL", Family.BOOLEAN, 0, 1)

_NAMES = (
    *("FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING", "BOOL", "FLOAT16"),
    *("DOUBLE", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128", "BFLOAT16", "FLOAT8E4M3FN"),
    *("FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "UINT4", "INT4", "FLOAT4E2M1"),
    *("FLOAT8E8M0", "UINT2", "INT2"),
)
"""The element types of ONNX, whose codes count from 1."""


def _kind(name: str) -> Kind:
    if name == "BOOL":
        return BOOL
    if "INT" in name:
        return _integer(name)
    if name in ("STRING", "COMPLEX64", "COMPLEX128"):
        return Kind(name, Family.OTHER)
    coarse = name.startswith(("FLOAT8", "FLOAT4"))
    return Kind(name, Family.COARSE if coarse else Family.REAL)


_KINDS: Mapping[int, Kind] = {code: _kind(name) for code, name in enumerate(_NAMES, start=1)}


def kind_of(code: int) -> Kind:
    """The element type of a ``TensorProto.DataType`` code."""
    kind = _KINDS.get(code)
    if kind is None:
        raise InputError(f"{code} is no element type of ONNX.")
    if kind.family is Family.OTHER:
        raise UnsupportedError(f"tensors of type {kind.name} are not read.")
    return kind


def code_of(kind: Kind) -> int:
    """The ``TensorProto.DataType`` code of an element type."""
    return _NAMES.index(kind.name) + 1
