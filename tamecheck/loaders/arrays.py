"""One input point of a model, from a ``.npy``, ``.csv`` or ``.json`` file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.tensor import Array, Shape, Tensor, size_of
from tamecheck.loaders.files import name_place, read_bytes, read_text, suffix_of
from tamecheck.loaders.json_model import exact_vector, parse_json, tensor_of_values

_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    r"\{\s*'descr':\s*'(?P<dtype>[<>|=]?[fiub][0-9]{1,2}|\?)',"
    r"\s*'fortran_order':\s*(?P<order>True|False),"
    r"\s*'shape':\s*\((?P<shape>(?:\s*[0-9]{1,18}L?,)*(?:\s*[0-9]{1,18}L?)?)\s*\),?\s*\}\s*",
    re.ASCII,
)
_MAX_AXES = 32


def read_point(path: str | os.PathLike[str], inputs: Mapping[str, Shape]) -> dict[str, Array]:
    """The value of each input that a file gives, in the input's shape.

    A ``.npy`` file holds all elements of all inputs in C order; so does a ``.csv`` file, unless its
    first line names scalar inputs.  A ``.json`` file holds an object by input name, or one list.
    Decimals in text are exact, and give arrays of `fractions.Fraction`; so are floats in ``.npy``.
    """
    with name_place(lambda: str(path)):
        found = _read(path)
        if isinstance(found, dict):
            return _by_name(found, inputs)
        if isinstance(found, np.ndarray):
            return _spread(found, inputs)
        header, numbers = found
        if not header and not numbers:
            raise InputError("The file is empty.")
        if set(header) == set(inputs) and len(header) == len(numbers):
            named = dict(zip(header, numbers, strict=True))
            numbers = [named[name] for name in inputs]
        return _spread(exact_vector(numbers), inputs)


def read_rows(path: str | os.PathLike[str], size: int) -> list[Array]:
    """The points of a file: one or more rows of ``size`` numbers, exact as in `read_point`."""
    with name_place(lambda: str(path)):
        found = _read(path)
        if isinstance(found, dict):
            found = tensor_of_values(found).array
        values = found if isinstance(found, np.ndarray) else exact_vector(found[1])
    if size == 0 or values.size == 0 or values.size % size:
        what = f"The file holds {values.size} numbers, which are no rows of {size}."
        raise InputError(what, where=str(path))
    return list(values.reshape(-1, size))


def _read(
    path: str | os.PathLike[str],
) -> Array | dict[str, Any] | tuple[list[str], list[Fraction]]:
    """An array, an object of values, or the header and the numbers of a ``.csv`` file."""
    suffix = suffix_of(path)
    if suffix == ".npy":
        return _npy(read_bytes(path))
    if suffix == ".json":
        document = parse_json(read_text(path), where=str(path))
        if isinstance(document, dict):
            return cast("dict[str, Any]", document)
        return tensor_of_values(document).array
    if suffix != ".csv":
        raise InputError(f"An input file has suffix .npy, .csv or .json, not {suffix!r}.")
    lines = [line.strip() for line in read_text(path).splitlines()]
    rows = [re.split(r"\s*[,;\t]\s*|\s+", line) for line in lines if line]
    named = rows and not any(re.match(r"[-+]?\.?[0-9]", word) for word in rows[0])
    header = rows.pop(0) if named else []
    return header, [parse_rational(word) for row in rows for word in row]


def _spread(values: Array, inputs: Mapping[str, Shape]) -> dict[str, Array]:
    total = sum(size_of(shape) for shape in inputs.values())
    if values.size != total:
        needed = ", ".join(f"{name} {list(shape)}" for name, shape in inputs.items())
        raise InputError(
            f"The file holds {values.size} numbers, the model takes {total} ({needed}).",
            hint="Give one input point.",
        )
    flat, point, start = values.reshape(-1), dict[str, Array](), 0
    for name, shape in inputs.items():
        point[name] = flat[start : start + size_of(shape)].reshape(shape)
        start += size_of(shape)
    return point


def _npy(data: bytes) -> Array:
    """The array of a ``.npy`` file of version 1 to 3, whose header NumPy writes in one way."""
    version = data[6:7]
    width = 2 if version == b"\1" else 4
    start = 8 + width + int.from_bytes(data[8 : 8 + width], "little")
    if data[:6] != _MAGIC or version not in (b"\1", b"\2", b"\3") or start > len(data):
        raise InputError("This is no .npy file: it does not begin as one.")
    header = _HEADER.fullmatch(data[8 + width : start].decode("latin-1"))
    if header is None:
        raise InputError("The header of the .npy file names no array of numbers.")
    try:
        dtype = np.dtype(header["dtype"])
    except TypeError:
        raise InputError(f"There are no numbers of type {header['dtype']!r}.") from None
    shape = tuple(map(int, re.findall("[0-9]+", header["shape"])))
    raw = data[start:]
    # the header may promise anything; only what is there is read
    if len(raw) != size_of(shape) * dtype.itemsize or len(shape) > _MAX_AXES:
        raise InputError(f"An array of type {dtype} and shape {shape} is not what the file holds.")
    order = "F" if header["order"] == "True" else "C"
    array: Array = np.frombuffer(raw, dtype=dtype).reshape(shape, order=order)
    return Tensor.of(array.astype(dtype.newbyteorder("="))).array


def _by_name(entries: Mapping[str, Any], inputs: Mapping[str, Shape]) -> dict[str, Array]:
    for name in entries.keys() - inputs.keys():
        raise InputError(f"{name[:40]!r} is no input.", hint=f"Inputs: {', '.join(inputs)}.")
    for name in inputs:
        if name not in entries:
            raise InputError(f"There is no value for input {name!r}.")
    point: dict[str, Array] = {}
    for name, shape in inputs.items():
        point |= _spread(tensor_of_values(entries[name]).array, {name: shape})
    return point
