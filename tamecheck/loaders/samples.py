"""The rows of a table as inputs of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.exact import parse_rational, rational
from tamecheck.ir.tensor import Array
from tamecheck.loaders.tables.forms import number_text, short
from tamecheck.loaders.tables.rows import Origin, Table, rows_of
from tamecheck.loaders.tables.schema import Schema

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
        found[number] = [parse_rational(c) if isinstance(c, str) else rational(c) for c in texts]
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
