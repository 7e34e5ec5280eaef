"""Input points from ``.json``, ``.csv``, ``.npy`` and ``.npz`` files, exactly where they are text.

A decimal literal in a text file is the number that it says (``0.1`` is 1/10); an element of a
NumPy file is the rational that the float denotes.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias, cast

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.load.files import read_bytes, read_text, suffix_of

__all__ = ["Points", "read_points"]

Point: TypeAlias = tuple[Array, ...]
"""One array an input, in the order of the inputs."""

Number: TypeAlias = "Callable[[str], float | Fraction]"


@dataclass(frozen=True, slots=True)
class Points:
    """One point, or a batch of points that the file gives as a table."""

    points: tuple[Point, ...]
    batch: bool


def read_points(path: str, inputs: Mapping[str, Shape], *, exact: bool) -> Points:
    """The points of a file for a model's inputs.

    JSON: an object ``{name: nested lists}``, a list for a model with one input, or a list of
    objects for a batch; a string ``"p/q"`` is an exact rational.  CSV: one point a row, its
    columns the elements of the inputs in order, or named by a header row.  NumPy: an array of the
    input's shape, or with one more leading axis for a batch.

    Parameters
    ----------
    exact
        Whether to keep numbers as exact rationals.

    Raises
    ------
    InputError
        If the file cannot be read, or does not fit the inputs.
    """
    number: Number = parse_rational if exact else _float
    match suffix_of(path):
        case ".json":
            found = _read_json(path, inputs, number)
        case ".csv":
            found = _read_csv(path, inputs, number)
        case ".npy" | ".npz":
            found = _read_numpy(path, inputs)
        case suffix:
            raise InputError(
                f"A file with suffix {suffix!r} holds no points.",
                where=path,
                hint="Points are .json, .csv, .npy or .npz files.",
            )
    try:
        return _fitted(found, inputs)
    except InputError as error:
        raise InputError(error.what, where=path, hint=error.hint) from None


def _float(text: str) -> float:
    return float(parse_rational(text)) if "/" in text else float(text)


_Raw: TypeAlias = "Mapping[str, Array] | Sequence[Mapping[str, Array]]"


def _fitted(raw: _Raw, inputs: Mapping[str, Shape]) -> Points:
    """The arrays in the inputs' shapes; a common extra leading axis is a batch."""
    if not isinstance(raw, Mapping):
        points = [_fitted(one, inputs) for one in raw]
        if any(len(one.points) != 1 for one in points):
            raise InputError("A list of points must hold single points.")
        return Points(tuple(one.points[0] for one in points), batch=True)
    for name in raw:
        if name not in inputs:
            raise InputError(f"{name!r} is no input.", hint=f"Inputs: {', '.join(inputs)}.")
    missing = [name for name in inputs if name not in raw]
    if missing:
        raise InputError(f"Input {missing[0]!r} has no value.")
    arrays = [_shaped(raw[name], name, shape) for name, shape in inputs.items()]
    counts = {
        len(array) if array.ndim > len(shape) else None
        for array, shape in zip(arrays, inputs.values(), strict=True)
    }
    if len(counts) > 1:
        raise InputError("The inputs have different numbers of points.")
    count = counts.pop() if counts else None
    if count is None:
        return Points((tuple(arrays),), batch=False)
    return Points(tuple(tuple(a[i] for a in arrays) for i in range(count)), batch=True)


def _shaped(array: Array, name: str, shape: Shape) -> Array:
    """The array in the input's shape, or with one more leading axis for a batch."""
    if array.size == size_of(shape):
        return array.reshape(shape)
    if array.ndim and array.size == len(array) * size_of(shape):
        return array.reshape((len(array), *shape))
    raise InputError(f"Input {name!r} has shape {shape}, not {array.shape}.")


# --- JSON --------------------------------------------------------------------------------------


def _read_json(path: str, inputs: Mapping[str, Shape], number: Number) -> _Raw:
    def refuse(word: str) -> float:
        raise InputError(f"{word} is not a real number.", where=path)

    try:
        document: Any = json.loads(
            read_text(path), parse_float=number, parse_int=number, parse_constant=refuse
        )
    except json.JSONDecodeError as error:
        raise InputError(
            f"This is not JSON ({error.msg}).", where=f"{path}, line {error.lineno}"
        ) from None
    except RecursionError:
        raise InputError("The lists are nested too deeply.", where=path) from None
    match document:
        case {}:
            return _json_point(document, path, number)
        case [{}, *_]:
            return [_json_point(one, path, number) for one in document]
        case _:
            pass
    if len(inputs) != 1:
        raise InputError(
            "The model has several inputs.",
            where=path,
            hint=f"Write an object with keys {', '.join(inputs)}.",
        )
    return {next(iter(inputs)): _nested(document, path, number)}


def _json_point(document: Any, path: str, number: Number) -> dict[str, Array]:
    if not isinstance(document, dict):
        raise InputError("A list of points must hold objects only.", where=path)
    values = cast("dict[str, Any]", document)
    return {name: _nested(value, f"{path}, {name}", number) for name, value in values.items()}


def _nested(value: Any, where: str, number: Number) -> Array:
    """The array of nested lists of numbers, booleans and ``"p/q"`` strings."""
    leaves: list[float | Fraction] = []
    shape: list[int] = []

    def visit(part: Any, depth: int) -> None:
        if not isinstance(part, list):
            if len(shape) > depth or depth > 32:
                raise InputError("The lists have different depths.", where=where)
            leaves.append(_leaf(part, where, number))
            return
        entries = cast("list[Any]", part)
        first = len(shape) == depth
        if first and leaves:
            raise InputError("The lists have different depths.", where=where)
        if first:
            shape.append(len(entries))
        if len(entries) != shape[depth]:
            raise InputError("The lists have different lengths.", where=where)
        for entry in entries:
            visit(entry, depth + 1)

    visit(value, 0)
    kind = object if number is parse_rational else np.float64
    flat = np.empty(len(leaves), dtype=kind)
    flat[:] = leaves
    return flat.reshape(shape)


def _leaf(value: Any, where: str, number: Number) -> float | Fraction:
    if isinstance(value, bool):
        return number("1" if value else "0")
    if isinstance(value, str):
        return number(value) if number is parse_rational else float(parse_rational(value))
    if isinstance(value, float | Fraction):
        return value
    raise InputError(f"{value!r} is not a number.", where=where)


# --- CSV ---------------------------------------------------------------------------------------


def _read_csv(path: str, inputs: Mapping[str, Shape], number: Number) -> _Raw:
    rows = [row for row in csv.reader(io.StringIO(read_text(path))) if any(c.strip() for c in row)]
    header = rows.pop(0) if rows and not _numeric(rows[0]) else None
    if not rows:
        raise InputError("The table has no rows.", where=path)
    width = sum(size_of(shape) for shape in inputs.values())
    order = _columns(header, inputs, width)
    kind = object if number is parse_rational else np.float64
    table = np.empty((len(rows), width), dtype=kind)
    for line, row in enumerate(rows):
        if len(row) != len(order):
            raise InputError(
                f"Row {line + 1} has {len(row)} numbers; the model takes {len(order)}.", where=path
            )
        try:
            table[line] = [number(row[column].strip()) for column in order]
        except ValueError:
            raise InputError(f"Row {line + 1} holds what is no number.", where=path) from None
        except InputError as error:
            raise InputError(error.what, where=f"{path}, row {line + 1}") from None
    return [_split(row, inputs) for row in table]


def _numeric(row: Sequence[str]) -> bool:
    try:
        for cell in row:
            parse_rational(cell)
    except InputError:
        return False
    return True


def _columns(header: Sequence[str] | None, inputs: Mapping[str, Shape], width: int) -> list[int]:
    """Where each element stands; a header that names all scalar inputs gives their order."""
    names = [name.strip() for name in header or ()]
    if sorted(names) == sorted(inputs) and all(size_of(s) == 1 for s in inputs.values()):
        return [names.index(name) for name in inputs]
    return list(range(width))


def _split(row: Array, inputs: Mapping[str, Shape]) -> dict[str, Array]:
    parts: dict[str, Array] = {}
    start = 0
    for name, shape in inputs.items():
        parts[name] = row[start : start + size_of(shape)].reshape(shape)
        start += size_of(shape)
    return parts


# --- NumPy -------------------------------------------------------------------------------------


def _read_numpy(path: str, inputs: Mapping[str, Shape]) -> _Raw:
    try:
        # pickled objects could run code
        loaded: Any = np.load(io.BytesIO(read_bytes(path)), allow_pickle=False)
        named = not isinstance(loaded, np.ndarray)
        found: dict[str, Array] = dict(loaded) if named else {next(iter(inputs), ""): loaded}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"This is no NumPy file ({error}).", where=path) from None
    if not named and len(inputs) != 1:
        raise InputError(
            f"The model has {len(inputs)} inputs.",
            where=path,
            hint=f"Use an .npz file with arrays {', '.join(inputs)}.",
        )
    for name, array in found.items():
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise InputError(f"Array {name!r} holds what is no real number.", where=path)
    return found
