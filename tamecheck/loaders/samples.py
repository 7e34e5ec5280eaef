"""Inputs of a model from files: one point, or the rows of a table."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.exact import parse_rational, rational
from tamecheck.ir.tensor import Array, Shape, Tensor, size_of
from tamecheck.loaders.files import name_place, read_bytes, read_text, suffix_of
from tamecheck.loaders.json_model import exact_vector, parse_json, tensor_of_values
from tamecheck.loaders.tables.forms import number_text, short
from tamecheck.loaders.tables.rows import Origin, Table, rows_of
from tamecheck.loaders.tables.schema import Schema

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


_USUAL = ((Fraction(-1), Fraction(1)), (Fraction(0), Fraction(1)))


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows of a table: ``points`` are what the model is given, ``(rows, inputs)``.

    ``labels`` are the numbers of the rows' classes, -1 where the label is none of the model's;
    ``classes`` is empty if the labels say nothing of these.  ``shown`` has for each row the cells
    of the table by column name, as text; ``how`` says how the rows became inputs.
    """

    points: Array
    labels: Array
    names: tuple[str, ...]
    classes: tuple[str, ...]
    shown: tuple[Mapping[str, str], ...]
    how: str
    table: Table

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Where each row stands in the file."""
        return self.table.origins

    def label(self, position: int) -> str | None:
        """The label of a row as the model's classes are called; None if it has none."""
        label = self.table.labels[position]
        return None if label is None else str(label)

    def about(self, position: int) -> dict[str, Any]:
        """Which row it is: its number, its line and its label, as JSON."""
        return {**self.origins[position].to_json(), "label": self.label(position)}

    def levels(self) -> list[tuple[Fraction, Fraction]] | None:
        """The two levels of each column: -1 and 1, or 0 and 1; None if other numbers occur.

        Two other numbers that a column happens to take do not say that it takes no third.
        """
        values = [{rational(v) for v in np.unique(column).tolist()} for column in self.points.T]
        for pair in _USUAL:
            if all(found <= set(pair) for found in values):
                return [pair] * len(values)
        mixed = [pair for found in values for pair in _USUAL if found == set(pair)]
        return mixed if len(mixed) == len(values) else None


def sample_of(
    table: Table, inputs: int, outputs: int, schema: Schema | None, *, where: str
) -> Sample:
    """The rows as inputs: as numbers where the columns fit, else through what the inputs say.

    ``inputs`` and ``outputs`` are the numbers of the model's input and output elements; the table
    was read with the schema, if there is one.
    """
    columns = len(table.columns)
    if schema is not None:
        points, names = schema.encode(table.rows), schema.features
        raw = all(bit.levels is not None for bit in schema.bits)
        said = "The columns are the inputs, by name."
        how = said if raw else "Each row is turned into what the inputs say."
    elif table.rows.dtype != object and columns == inputs:
        points, how = table.rows, "The columns are the inputs, in order."
        names = table.names
    else:
        numeric = table.rows.dtype != object
        what = f"{columns} features" if numeric else f"{columns} features, not all of them numbers"
        raise InputError(
            f"The table has {what}; the model takes {inputs} numbers.",
            where=where,
            hint="A model of 'tamecheck train' knows what its inputs say from the file "
            "MODEL.features.json beside it.",
        )
    labels, classes = _classes(table, max(outputs, 2), schema)
    if schema is None and any(name != str(k) for k, name in enumerate(classes)):
        order = ", ".join(f"{k} is {name}" for k, name in enumerate(classes))
        how += f" The labels are taken for the model's classes in order: {order}."
    words = ([short(c) if isinstance(c, float) else str(c) for c in row] for row in table.cells)
    shown = tuple(dict(zip(table.names, row, strict=True)) for row in words)
    return Sample(points, labels, names, classes, shown, how, table)


def unlabelled(
    source: Any, inputs: int, *, header: bool | None = None, sep: str | None = None
) -> Any:
    """The cells of a table that has a column for each input, and so no label; None of others.

    A first line of numbers is a row, and names nothing.
    """
    raw = rows_of(source, header=False, sep=sep)
    if len(raw.names) != inputs:
        return None
    if header or (header is None and not all(map(_is_number, raw.cells[0]))):
        raw = rows_of(source, header=True, sep=sep)
    return raw


def exact_points(sample: Sample) -> Array:
    """The points with decimals of a file as the numbers that they say, ``(rows, inputs)``."""
    if sample.table.rows is not sample.points:
        return sample.points
    found = np.empty(sample.points.shape, dtype=object)
    table, decimal = sample.table, sample.table.reading.decimal or "."
    for number, row in enumerate(table.cells):
        texts: list[Any] = [
            number_text(cell, column.form, decimal) if isinstance(cell, str) else cell
            for cell, column in zip(row, table.columns, strict=True)
        ]
        found[number] = [rational(c) for c in texts]
    return found


def _is_number(text: str) -> bool:
    try:
        parse_rational(text)
    except InputError:
        return False
    return True


def _classes(table: Table, count: int, schema: Schema | None) -> tuple[Array, tuple[str, ...]]:
    """The number of each label's class: by the model's own names, or by order."""
    given = [None if label is None else str(label) for label in table.labels.tolist()]
    if schema is not None and len(schema.classes) == count:
        return _class_numbers(given, schema.classes), schema.classes
    found = {label for label in table.labels.tolist() if label is not None}
    present = sorted(found, key=lambda label: (isinstance(label, str), label))
    if present and all(type(label) is int and 0 <= label < count for label in present):
        classes = tuple(str(number) for number in range(count))
    elif len(present) == count:
        classes = tuple(map(str, present))
    else:
        return np.full(len(given), -1), ()
    return _class_numbers(given, classes), classes


def _class_numbers(labels: Sequence[str | None], classes: Sequence[str]) -> Array:
    number = {name: index for index, name in enumerate(classes)}
    return np.array([-1 if label is None else number.get(label, -1) for label in labels])
