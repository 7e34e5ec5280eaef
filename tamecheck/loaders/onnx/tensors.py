"""Tensors stored in an ONNX file, or beside it inside the same folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import MAX_ELEMENTS
from tamecheck.ir.tensor import Array
from tamecheck.loaders.files import MAX_BYTES
from tamecheck.loaders.onnx.kinds import Kind, Value, kind_of

if TYPE_CHECKING:
    from onnx import TensorProto

__all__ = ["TensorReader"]

_EXTERNAL = 1
_DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "FLOAT": "<f4",
        "DOUBLE": "<f8",
        "FLOAT16": "<f2",
        "INT8": "<i1",
        "INT16": "<i2",
        "INT32": "<i4",
        "INT64": "<i8",
        "UINT8": "<u1",
        "UINT16": "<u2",
        "UINT32": "<u4",
        "UINT64": "<u8",
        "BOOL": "|b1",
    }
)
_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "FLOAT": "float_data",
        "DOUBLE": "double_data",
        "INT64": "int64_data",
        "UINT32": "uint64_data",
        "UINT64": "uint64_data",
    }
)
"""Where elements stand that are not raw bytes; the other types use ``int32_data``."""

_PACKED_BITS: Mapping[str, int] = MappingProxyType(
    {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}
)
_WIDE_BITS: Mapping[str, int] = MappingProxyType({"BFLOAT16": 16})


class TensorReader:
    """Reads the tensors of one model.

    Parameters
    ----------
    folder
        Where data outside the file may stand; None if the model is no file.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, proto: TensorProto) -> Value:
        """The constant that a tensor denotes."""
        name = proto.name
        try:
            kind = kind_of(proto.data_type)
            array = self._array(proto, kind)
        except InputError as error:
            where = f"tensor {name!r}" if not error.where else error.where
            raise InputError(error.what, where=where, hint=error.hint) from None
        return Value(kind, tuple(int(n) for n in array.shape), name, array)

    def _array(self, proto: TensorProto, kind: Kind) -> Array:
        shape = tuple(int(n) for n in proto.dims)
        size = math.prod(shape)
        if any(n < 0 for n in shape) or len(shape) > 32 or size > MAX_ELEMENTS:
            raise InputError(f"The shape {shape} is out of range.")
        if proto.HasField("segment"):
            raise UnsupportedError("a tensor in segments is not read.")
        if proto.data_location == _EXTERNAL:
            raw = self._external({entry.key: entry.value for entry in proto.external_data})
        elif proto.HasField("raw_data"):
            raw = proto.raw_data
        else:
            return self._listed(proto, kind, shape, size)
        _check_length(kind, size, len(raw))
        dtype = _DTYPES.get(kind.name)
        if dtype is None:
            return _unpacked(proto.data_type, shape, raw)
        if kind.name == "BOOL":
            # any non-zero byte is true
            return np.frombuffer(raw, dtype="<u1").reshape(shape) != 0
        return _widened(np.frombuffer(raw, dtype=dtype).reshape(shape))

    def _listed(self, proto: TensorProto, kind: Kind, shape: tuple[int, ...], size: int) -> Array:
        values: Any = getattr(proto, _FIELDS.get(kind.name, "int32_data"))
        count = len(values)
        packed = _PACKED_BITS.get(kind.name)
        if count != (-(-size * packed // 8) if packed else size):
            raise InputError(f"The shape {shape} needs {size} elements, but {count} are stored.")
        dtype = _DTYPES.get(kind.name)
        if dtype is None:
            width = 2 if kind.name in _WIDE_BITS else 1
            words = np.array(values, dtype=np.int64).astype(f"<u{width}")
            return _unpacked(proto.data_type, shape, words.tobytes())
        if kind.name == "FLOAT16":
            words = np.array(values, dtype=np.int64).astype("<u2")
            return _widened(words.view("<f2").reshape(shape))
        if kind.name == "BOOL":
            return (np.array(values, dtype=np.int64) != 0).reshape(shape)
        return np.array(values, dtype=dtype).reshape(shape)

    def _external(self, entries: Mapping[str, str]) -> bytes:
        location = entries.get("location", "")
        path = self._inside(location)
        try:
            offset, length = int(entries.get("offset", "0")), int(entries.get("length", "-1"))
            stored = path.stat().st_size
        except (ValueError, OSError) as error:
            raise InputError(f"The external data {location!r} cannot be read ({error}).") from None
        if length < 0:
            length = stored - offset
        if offset < 0 or length < 0 or offset + length > stored or length > MAX_BYTES:
            raise InputError(
                f"The external data {location!r} has {stored} bytes, "
                f"not {length} from byte {offset} on."
            )
        try:
            with path.open("rb") as stream:
                stream.seek(offset)
                return stream.read(length)
        except OSError as error:
            raise InputError(f"The external data {location!r} cannot be read ({error}).") from None

    def _inside(self, location: str) -> Path:
        """The file of external data, once it is known to stand in the model's folder."""
        hint = "External data must be a file in the model's own folder."
        if self._folder is None:
            raise InputError("The model has external data, but is no file.", hint=hint)
        given, windows = PurePosixPath(location), PureWindowsPath(location)
        if (
            not location
            or "\0" in location
            or given.is_absolute()
            or windows.drive
            or windows.root
            or ".." in given.parts
            or ".." in windows.parts
        ):
            raise InputError(f"The external data {location!r} is outside the folder.", hint=hint)
        try:
            folder = self._folder.resolve(strict=True)
            path = (folder / location).resolve(strict=True)
            regular = path.is_file()
        except (OSError, RuntimeError, ValueError):
            raise InputError(f"There is no external data {location!r}.", hint=hint) from None
        if not path.is_relative_to(folder):
            raise InputError(f"The external data {location!r} is outside the folder.", hint=hint)
        if not regular:
            raise InputError(f"The external data {location!r} is no file.", hint=hint)
        return path


def _bits(kind: Kind) -> int:
    dtype = _DTYPES.get(kind.name)
    if dtype is not None:
        return np.dtype(dtype).itemsize * 8
    return _PACKED_BITS.get(kind.name) or _WIDE_BITS.get(kind.name, 8)


def _check_length(kind: Kind, size: int, length: int) -> None:
    expected = -(-size * _bits(kind) // 8)
    if length != expected:
        raise InputError(
            f"{size} elements of type {kind.name} take {expected} bytes, but {length} are stored."
        )


def _widened(array: Array) -> Array:
    """Half precision as single precision, which holds it exactly."""
    return (
        array.astype(np.float32)
        if array.dtype.itemsize == 2 and array.dtype.kind == "f"
        else (array)
    )


def _unpacked(code: int, shape: tuple[int, ...], raw: bytes) -> Array:
    """The elements of a type that NumPy does not have."""
    from onnx import TensorProto, numpy_helper

    plain = TensorProto(data_type=code, dims=shape, raw_data=raw)
    array: Array = np.asarray(numpy_helper.to_array(plain))
    integral = kind_of(code).integral
    return array.astype(np.int64 if integral else np.float32)
