"""Tables of labelled rows, typed by themselves or by what a model was trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.tables.rows import Rows, Table, is_missing, rows_of
from tamecheck.loaders.tables.schema import Column, Schema
from tamecheck.loaders.tables.typed import typed_table
from tamecheck.loaders.tables.values import (
    Missing,
    is_numeric,
    joined_columns,
    kept_rows,
    number_of,
    numbers_of,
    place_of,
    text_of,
)

__all__ = ["read_table"]


def read_table(
    source: Any,
    *,
    target: str | int | None = -1,
    header: bool = True,
    missing: Missing = "error",
    schema: Schema | None = None,
) -> Table:
    """Read a table.

    Parameters
    ----------
    source
        A path (``.csv``, ``.tsv``, ``.data``, ``.arff``, KEEL ``.dat``, each also ``.gz``), a
        pandas frame, a two-dimensional array, or what `rows_of` made of one.
    target
        The label: a column's name, or its number from the left, or from the right if negative.
        None for no label, or, with a schema, for the label of the training if it is there.
    header
        Whether the first line of a CSV file names the columns.
    missing
        What to do about missing values (empty, ``?``, ``NA``): refuse them, drop their rows, or
        take them as categories of columns of texts.
    schema
        What a model was trained on: columns are read as they were then.

    Raises
    ------
    InputError
        If the table cannot be read, rows have different lengths, names occur twice, there is no
        such target, or values are missing, or infinite in a column of numbers; with a schema, if
        columns are missing or unknown, or cells are none of the training's.
    """
    raw = source if isinstance(source, Rows) else rows_of(source, header=header)
    if schema is not None:
        return typed_table(raw, schema, target, missing)
    if len(raw.names) < 2 and target is not None:
        raise InputError(
            "The table has one column; a label and a feature are two.", where=raw.where
        )
    return _untyped(raw, None if target is None else place_of(raw, target), missing)


def _untyped(raw: Rows, place: int | None, missing: Missing) -> Table:
    """The table with columns of numbers where all cells are numbers, else of texts."""
    numeric = [raw.listed[k] is None and is_numeric(raw, k) for k in range(len(raw.names))]

    def absent(column: int, cell: Any) -> bool:
        if column != place and missing == "level" and not numeric[column]:
            return False
        listed = raw.listed[column]
        return is_missing(cell) and (listed is None or str(cell) not in listed)

    kept, left_out = kept_rows(raw, range(len(raw.names)), absent, missing)
    columns: list[Column] = []
    values: list[Sequence[Any]] = []
    for number, name in enumerate(raw.names):
        if number == place:
            continue
        if numeric[number]:
            columns.append(Column(name, index=number))
            values.append(numbers_of(raw, number, kept))
        else:
            texts = [text_of(raw.cells[k][number]) for k in kept]
            listed = raw.listed[number] or tuple(sorted(set(texts)))
            columns.append(Column(name, listed, number))
            values.append(texts)
    labels = np.full(len(kept), None, dtype=object)
    if place is not None:
        numbers = numbers_of(raw, place, kept) if _is_label_numeric(raw, place, kept) else None
        labels = _labels([raw.cells[k][place] for k in kept], numbers)
    return Table(
        tuple(columns),
        joined_columns(values, len(kept), numeric=all(c.categories is None for c in columns)),
        "" if place is None else raw.names[place],
        labels,
        tuple(raw.origins[k] for k in kept),
        left_out,
        place,
        tuple(tuple(raw.cells[k][c.index] for c in columns) for k in kept),
    )


def _is_label_numeric(raw: Rows, column: int, kept: Sequence[int]) -> bool:
    found = [number_of(raw.cells[k][column]) for k in kept]
    finite = all(n is not None and math.isfinite(n) for n in found)
    return finite or (raw.listed[column] is None and None not in found)


def _labels(cells: list[Any], numbers: list[float] | None) -> Array:
    if numbers is None:
        return np.array([text_of(cell) for cell in cells])
    exact = np.array(numbers)
    if (exact == np.rint(exact)).all() and np.abs(exact).max() < 2**53:
        return exact.astype(np.int64)
    return exact
