"""Constant tensors in JSON: base64 words or exact fractions, checked against their digests."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.tensor import Shape, Tensor, size_of

__all__ = [
    "exact_number",
    "read_tensor",
    "shape_of",
    "tensor_document",
    "tensor_of_values",
    "tensors_of",
]

_WORDS = {"f32": np.dtype("<f4"), "f64": np.dtype("<f8"), "i64": np.dtype("<i8")}


def tensor_document(tensor: Tensor) -> dict[str, Any]:
    """The JSON form of a tensor."""
    data: Any = tensor.texts() if tensor.encoding == "q" else base64.b64encode(tensor.raw())
    return {
        "shape": list(tensor.shape),
        "encoding": tensor.encoding,
        "data": data if isinstance(data, list) else data.decode("ascii"),
    }


def read_tensor(document: Any, digest: str) -> Tensor:
    """The tensor of its JSON form."""
    if not isinstance(document, dict) or set(cast("dict[str, Any]", document)) != {
        "shape",
        "encoding",
        "data",
    }:
        raise InputError("A tensor needs exactly the keys shape, encoding and data.")
    entries = cast("dict[str, Any]", document)
    shape, encoding, data = shape_of(entries["shape"]), entries["encoding"], entries["data"]
    if encoding == "q":
        tensor = Tensor(_fractions(data, shape))
    elif isinstance(encoding, str) and encoding in _WORDS:
        tensor = Tensor.of(_words(data, shape, _WORDS[encoding]))
    else:
        raise InputError(f"Unknown encoding {str(encoding)[:40]!r}; f32, f64, i64 and q are known.")
    if tensor.digest != digest:
        raise InputError(
            f"The data have digest {tensor.digest}, not {digest[:64]}.",
            hint="The file is damaged, or a number is not in its canonical form.",
        )
    return tensor


def shape_of(value: Any) -> Shape:
    """The shape that a JSON list of natural numbers states."""
    entries: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [None]
    if len(entries) > 32 or not all(type(n) is int and 0 <= n < 2**40 for n in entries):
        raise InputError(f"{str(entries)[:60]} is no shape.", hint="Write a list such as [1,5].")
    return tuple(entries)


def exact_number(value: Any) -> Fraction:
    """The number of a JSON integer, an exact decimal, or a text such as ``"1/3"``."""
    if isinstance(value, Fraction):
        return value
    if type(value) is int:
        return Fraction(value)
    if isinstance(value, str):
        return parse_rational(value)
    raise InputError(f"{str(value)[:40]!r} is not a number.", hint='Write 3, -0.5 or "1/3".')


def tensor_of_values(values: Any) -> Tensor:
    """The tensor of nested lists of exact numbers, as people write them by hand."""
    shape: list[int] = []
    level: list[Any] = [values]
    while any(isinstance(item, list) for item in level):
        lengths = {len(cast("list[Any]", x)) if isinstance(x, list) else -1 for x in level}
        if len(lengths) != 1 or len(shape) >= 32:
            raise InputError("The rows of a constant's value differ in length.")
        shape.append(lengths.pop())
        rows: list[list[Any]] = level
        level = [item for row in rows for item in row]
    numbers = list(map(exact_number, level))
    if all(n.denominator == 1 and abs(n) < 2**63 for n in numbers):
        return Tensor.of(np.array([int(n) for n in numbers], dtype=np.int64).reshape(shape))
    return Tensor(_filled(numbers, tuple(shape)))


def _words(data: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
    if not isinstance(data, str):
        raise InputError("The data of a tensor must be base64 text.")
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("The data of a tensor are not valid base64.") from None
    if len(raw) != size_of(shape) * dtype.itemsize:
        raise InputError(f"{len(raw)} bytes do not fill a tensor of shape {list(shape)}.")
    return np.frombuffer(raw, dtype=dtype).reshape(shape)


def _fractions(data: Any, shape: Shape) -> Any:
    texts: list[Any] = cast("list[Any]", data) if isinstance(data, list) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise InputError("The data of a tensor of encoding q must be a list of texts.")
    if len(texts) != size_of(shape):
        raise InputError(f"{len(texts)} numbers do not fill a tensor of shape {list(shape)}.")
    return _filled([parse_rational(text) for text in texts], shape)


def _filled(numbers: list[Fraction], shape: Shape) -> Any:
    filled = np.empty(len(numbers), dtype=object)
    filled[:] = numbers
    return filled.reshape(shape)


def tensors_of(documents: Any, where: str) -> Mapping[str, Tensor]:
    """All tensors of a file, by digest."""
    if not isinstance(documents, dict):
        raise InputError("'tensors' must be an object.", where=where)
    found: dict[str, Tensor] = {}
    for digest, document in cast("dict[str, Any]", documents).items():
        try:
            found[digest] = read_tensor(document, digest)
        except InputError as error:
            place = f"{where}, tensor {digest[:12]}"
            raise InputError(error.what, where=place, hint=error.hint) from None
    return found
