"""Constants: tensors stored in a file or beside it, and operators that make them or tell shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import MAX_ELEMENTS
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.files import MAX_BYTES, name_place
from tamecheck.loaders.folding import exact_array, narrow
from tamecheck.loaders.kinds import BOOL, FLOAT, INT64, Kind, kind_of
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs

if TYPE_CHECKING:
    from onnx import SparseTensorProto, TensorProto


_EXTERNAL = 1
_DTYPES: Mapping[str, str] = {
    "FLOAT": "<f4",
    "DOUBLE": "<f8",
    **{
        word: np.dtype(word.lower()).newbyteorder("<").str
        for word in (
            *("FLOAT16", "BOOL", "INT8", "INT16", "INT32", "INT64"),
            *("UINT8", "UINT16", "UINT32", "UINT64"),
        )
    },
}
_FIELDS: Mapping[str, str] = {
    "FLOAT": "float_data",
    "DOUBLE": "double_data",
    "INT64": "int64_data",
    "UINT32": "uint64_data",
    "UINT64": "uint64_data",
}
"""Where elements stand that are not raw bytes; the other types use ``int32_data``."""

_BITS: Mapping[str, int] = {
    **dict.fromkeys(("INT4", "UINT4", "FLOAT4E2M1"), 4),
    **dict.fromkeys(("INT2", "UINT2"), 2),
    "BFLOAT16": 16,
}
"""Bits an element of types that NumPy does not have, where these are not 8."""


def read_tensor(proto: TensorProto, folder: Path | None) -> tuple[Kind, Array]:
    """The constant that a tensor denotes; data outside of the file stand in ``folder``."""
    with name_place(lambda: f"tensor {proto.name!r}"):
        kind = kind_of(proto.data_type)
        return kind, _array(proto, kind, folder)


def read_sparse(proto: SparseTensorProto, folder: Path | None) -> tuple[Kind, Array]:
    """The constant that a sparse tensor denotes: 0 where it stores nothing."""
    kind, values = read_tensor(proto.values, folder)
    with name_place(lambda: f"tensor {proto.values.name!r}"):
        _, indices = read_tensor(proto.indices, folder)
        shape = tuple(int(n) for n in proto.dims)
        size = math.prod(shape)
        if min(shape, default=1) < 0 or len(shape) > 32 or size > MAX_ELEMENTS:
            raise InputError(f"The shape {shape} is out of range.")
        if indices.dtype.kind not in "iu" or indices.ndim not in (1, 2) or values.ndim != 1:
            raise InputError("The indices of a sparse tensor are malformed.")
        places = indices.astype(np.int64)
        if places.ndim == 2:
            limits = np.array(shape, dtype=np.int64)
            if places.shape[1] != limits.size or not bool(
                ((places >= 0) & (places < limits)).all()
            ):
                raise InputError(f"An index is outside of the shape {shape}.")
            places = np.ravel_multi_index(tuple(places.T), shape)
        inside = bool(((places >= 0) & (places < size)).all())
        if places.size != values.size or not inside or np.unique(places).size < places.size:
            raise InputError(f"The indices do not fit {values.size} values of shape {shape}.")
        dense = np.zeros(size, dtype=values.dtype)
        dense[places] = values
        return kind, dense.reshape(shape)


def _array(proto: TensorProto, kind: Kind, folder: Path | None) -> Array:
    shape = tuple(int(n) for n in proto.dims)
    size = math.prod(shape)
    if any(n < 0 for n in shape) or len(shape) > 32 or size > MAX_ELEMENTS:
        raise InputError(f"The shape {shape} is out of range.")
    if proto.HasField("segment"):
        raise UnsupportedError("a tensor in segments is not read.")
    if proto.data_location == _EXTERNAL:
        raw = _external({entry.key: entry.value for entry in proto.external_data}, folder)
    elif proto.HasField("raw_data"):
        raw = proto.raw_data
    else:
        return _from_fields(proto, kind, shape, size)
    dtype = _DTYPES.get(kind.name)
    bits = _BITS.get(kind.name, 8) if dtype is None else np.dtype(dtype).itemsize * 8
    expected = -(-size * bits // 8)
    if len(raw) != expected:
        raise InputError(
            f"{size} elements of type {kind.name} take {expected} bytes, but {len(raw)} are stored."
        )
    if dtype is None:
        return _unpack(proto.data_type, shape, raw)
    if kind.name == "BOOL":
        # any non-zero byte is true
        return np.frombuffer(raw, dtype="<u1").reshape(shape) != 0
    return _widen(np.frombuffer(raw, dtype=dtype).reshape(shape))


def _from_fields(proto: TensorProto, kind: Kind, shape: Shape, size: int) -> Array:
    values: Any = getattr(proto, _FIELDS.get(kind.name, "int32_data"))
    bits = _BITS.get(kind.name, 8)
    count = len(values)
    if count != (-(-size * bits // 8) if bits < 8 else size):
        raise InputError(f"The shape {shape} needs {size} elements, but {count} are stored.")
    dtype = _DTYPES.get(kind.name)
    if dtype is None:
        words = np.array(values, dtype=np.int64).astype("<u2" if bits == 16 else "<u1")
        return _unpack(proto.data_type, shape, words.tobytes())
    if kind.name == "FLOAT16":
        words = np.array(values, dtype=np.int64).astype("<u2")
        return _widen(words.view("<f2").reshape(shape))
    if kind.name == "BOOL":
        return (np.array(values, dtype=np.int64) != 0).reshape(shape)
    return np.array(values, dtype=dtype).reshape(shape)


def _external(entries: Mapping[str, str], folder: Path | None) -> bytes:
    location = entries.get("location", "")
    path = _inside(location, folder)
    try:
        offset, length = int(entries.get("offset", "0")), int(entries.get("length", "-1"))
        stored = path.stat().st_size
        if length < 0:
            length = stored - offset
        if offset >= 0 and 0 <= length <= min(stored - offset, MAX_BYTES):
            with path.open("rb") as stream:
                stream.seek(offset)
                return stream.read(length)
    except (ValueError, OSError) as error:
        raise InputError(f"The external data {location!r} cannot be read ({error}).") from None
    raise InputError(
        f"The external data {location!r} has {stored} bytes, not {length} from byte {offset} on."
    )


def _inside(location: str, folder: Path | None) -> Path:
    """The file of external data, once it is known to stand in the model's folder."""
    hint = "External data must be a file in the model's own folder."
    if folder is None:
        raise InputError("The model has external data, but is no file.", hint=hint)
    given, windows = PurePosixPath(location), PureWindowsPath(location)
    rooted = given.is_absolute() or windows.drive or windows.root
    if not location or "\0" in location or rooted or ".." in (*given.parts, *windows.parts):
        raise InputError(f"The external data {location!r} is outside the folder.", hint=hint)
    try:
        own = folder.resolve(strict=True)
        path = (own / location).resolve(strict=True)
        regular = path.is_file()
    except (OSError, RuntimeError, ValueError):
        raise InputError(f"There is no external data {location!r}.", hint=hint) from None
    if not path.is_relative_to(own):
        raise InputError(f"The external data {location!r} is outside the folder.", hint=hint)
    if not regular:
        raise InputError(f"The external data {location!r} is no file.", hint=hint)
    return path


def _widen(array: Array) -> Array:
    """Half precision as single precision, which holds it exactly."""
    half = array.dtype.itemsize == 2 and array.dtype.kind == "f"
    return array.astype(np.float32) if half else array


def _unpack(code: int, shape: Shape, raw: bytes) -> Array:
    """The elements of a type that NumPy does not have."""
    from onnx import TensorProto, numpy_helper

    plain = TensorProto(data_type=code, dims=shape, raw_data=raw)
    array: Array = np.asarray(numpy_helper.to_array(plain))
    return array.astype(np.int64 if kind_of(code).integral else np.float32)


MAX_RANGE = 2**20


def _constant(ctx: Context) -> Outputs:
    attributes = ctx.attributes
    tensor = attributes.tensor("value")
    if tensor is not None:
        return ctx.decode(tensor)
    sparse = attributes.sparse("sparse_value")
    if sparse is not None:
        return ctx.decode(sparse)
    if attributes.has("value_float"):
        return ctx.constant(np.float32(attributes.real("value_float")), FLOAT)
    if attributes.has("value_floats"):
        listed = attributes.reals("value_floats") or ()
        return ctx.constant(np.array([float(f) for f in listed], np.float32), FLOAT)
    if attributes.has("value_int"):
        return ctx.constant(np.int64(attributes.integer("value_int")), INT64)
    if attributes.has("value_ints"):
        return ctx.constant(np.array(attributes.integers("value_ints"), np.int64), INT64)
    given = ", ".join(attributes.found) or "nothing"
    raise UnsupportedError(f"a constant given as {given} is not read.")


def _constant_of_shape(ctx: Context) -> Outputs:
    shape = ctx.input(0).integers("the shape")
    if min(shape, default=0) < 0 or len(shape) > 32:
        raise InputError(f"The shape {list(shape)} is out of range.")
    tensor = ctx.attributes.tensor("value")
    value = ctx.constant(np.float32(0), FLOAT) if tensor is None else ctx.decode(tensor)
    if math.prod(value.shape) != 1:
        raise InputError("The value of ConstantOfShape must be one element.")
    return value.reshape(()).broadcast(shape)


def _shape(ctx: Context) -> Outputs:
    value = ctx.input(0)
    start = ctx.attributes.integer("start", 0)
    end = ctx.attributes.integer("end", value.rank)
    start, end = (min(max(n + value.rank if n < 0 else n, 0), value.rank) for n in (start, end))
    return ctx.constant(np.array(value.shape[start:end], dtype=np.int64), INT64)


def _range(ctx: Context) -> Outputs:
    bounds: list[Fraction] = []
    for index, name in enumerate(("start", "limit", "delta")):
        array = exact_array(ctx.input(index).known(f"'{name}'"))
        if array is None or array.size != 1:
            raise InputError(f"'{name}' must be one finite number.")
        bounds.append(Fraction(array.reshape(-1)[0]))
    start, limit, delta = bounds
    if delta == 0:
        raise InputError("A range has step 0.")
    count = max(math.ceil((limit - start) / delta), 0)
    if count > MAX_RANGE:
        raise InputError(f"A range of {count} numbers is too long.")
    numbers, kind = [start + i * delta for i in range(count)], ctx.input(0).kind
    if kind.integral:
        return ctx.constant(np.array([int(n) for n in numbers], np.int64), kind)
    return ctx.constant(narrow(np.array(numbers, dtype=object)), kind)


def _dropout(ctx: Context) -> Outputs:
    value = ctx.input(0)
    ctx.attributes.ignore("seed", "ratio")
    training = ctx.optional(2)
    if training is not None and bool(training.known("'training_mode'").reshape(-1).any()):
        ratio = ctx.optional(1)
        if ratio is None or float(ratio.known("'ratio'").reshape(-1)[0]) != 0:
            raise UnsupportedError("dropout in training mode is random.")
    return value, ctx.constant(np.int64(1), BOOL).broadcast(value.shape)


def _one_hot(ctx: Context) -> Outputs:
    indices, values = ctx.input(0), ctx.input(2)
    (depth,) = ctx.input(1).integers("'depth'")
    axis = ctx.axis(-1, indices.rank + 1)
    if not 0 < depth <= MAX_RANGE or values.shape != (2,):
        raise InputError(f"A depth of {depth} with values of shape {values.shape} is no one-hot.")
    places = [depth if i == axis else 1 for i in range(indices.rank + 1)]
    spread = indices.reshape((*indices.shape[:axis], 1, *indices.shape[axis:]))
    wrapped = spread + spread.apply(ops.LESS, 0) * depth
    hot = wrapped.apply(ops.EQUAL, np.arange(depth).reshape(places))
    off, on = values.part(0, 0), values.part(0, 1)
    return hot.select(on, off, values.kind)


def _eye_like(ctx: Context) -> Outputs:
    value = ctx.input(0)
    if value.rank != 2 or math.prod(value.shape) > MAX_RANGE:
        raise InputError(f"EyeLike takes a matrix, not shape {value.shape}.")
    offset = ctx.attributes.integer("k", 0)
    if abs(offset) > MAX_RANGE:
        raise InputError(f"There is no diagonal {offset}.")
    kind = kind_of(ctx.attributes.integer("dtype")) if ctx.attributes.has("dtype") else value.kind
    rows, columns = value.shape
    return ctx.constant(np.eye(rows, columns, offset, dtype=np.int64), kind)


CONSTANTS: Mapping[str, Lowering] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Dropout": _dropout,
    "EyeLike": _eye_like,
    "OneHot": _one_hot,
    "Range": _range,
    "Shape": _shape,
    "Size": lambda ctx: ctx.constant(np.int64(math.prod(ctx.input(0).shape)), INT64),
}
