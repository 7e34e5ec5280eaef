"""A table with its columns as they were in a model's training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.loaders.tables.rows import Rows, Table, is_missing
from tamecheck.loaders.tables.schema import Column, Schema, short
from tamecheck.loaders.tables.values import (
    SHOWN,
    Missing,
    is_no_number,
    joined_columns,
    kept_rows,
    number_of,
    numbers_of,
    place_of,
    refuse_cells,
    text_of,
)

__all__ = ["typed_table"]


def typed_table(raw: Rows, schema: Schema, target: str | int | None, missing: Missing) -> Table:
    """The table with its columns as they were in training."""
    place = _labelled(raw, schema, target)
    places = _places(raw, schema, place)
    known = {at: set(c.categories or ()) for at, c in zip(places, schema.columns, strict=True)}

    def absent(column: int, cell: Any) -> bool:
        return is_missing(cell) and text_of(cell) not in known[column]

    kept, left_out = kept_rows(raw, places, absent, missing)
    values: list[Sequence[Any]] = []
    for at, column in zip(places, schema.columns, strict=True):
        if column.categories is None:
            refuse_cells(raw, at, kept, is_no_number, "is no number, as the column was in training")
            numbers = numbers_of(raw, at, kept)
            allowed = set(column.values) or _levels(schema, column)
            if allowed:
                known_values = ", ".join(short(v) for v in sorted(allowed))
                what = f"is none of the values of the training; the model knows only {known_values}"
                refuse_cells(raw, at, kept, lambda cell, a=allowed: float(cell) not in a, what)
            values.append(numbers)
        else:
            shown = ", ".join(repr(c) for c in column.categories[:SHOWN])
            more = ", …" if len(column.categories) > SHOWN else ""
            what = f"is a category that was not there in training; there were {shown}{more}"
            refuse_cells(raw, at, kept, lambda cell, a=known[at]: text_of(cell) not in a, what)
            values.append([text_of(raw.cells[k][at]) for k in kept])
    labels = np.full(len(kept), None, dtype=object)
    if place is not None:
        numbers = schema.target is not None and schema.target.numbers
        labels[:] = [_class(raw.cells[k][place], schema.classes, numbers=numbers) for k in kept]
    return Table(
        schema.columns,
        joined_columns(
            values, len(kept), numeric=all(c.categories is None for c in schema.columns)
        ),
        "" if place is None else raw.names[place],
        labels,
        tuple(raw.origins[k] for k in kept),
        left_out,
        place,
        tuple(tuple(raw.cells[k][at] for at in places) for k in kept),
    )


def _levels(schema: Schema, column: Column) -> set[float]:
    """The two numbers that a column takes which is itself an input."""
    bits = (b for b in schema.bits if schema.columns[b.column] is column and b.levels is not None)
    return {level for bit in bits for level in bit.levels or ()}


def _labelled(raw: Rows, schema: Schema, target: str | int | None) -> int | None:
    """The column of the label: as it is asked for, else that of the training if it is there."""
    if target is None:
        known = schema.target
        return None if known is None or known.name not in raw.names else raw.names.index(known.name)
    place = place_of(raw, target)
    if raw.names[place] in {column.name for column in schema.columns}:
        raise InputError(
            f"The column {raw.names[place]!r} is one that the model decides by, not a label.",
            where=raw.where,
            hint="Say which column is the label: --target COL; without it, that of the training.",
        )
    return place


def _places(raw: Rows, schema: Schema, place: int | None) -> list[int]:
    """Where each column of the training is."""
    wanted = [column.name for column in schema.columns]
    absent = [name for name in wanted if name not in raw.names]
    if absent:
        hint = "Give the table with the columns that the model was trained on."
        if not raw.header:
            hint += " Without a header, columns are numbers."
        raise InputError(f"{_columns(absent)} missing.", where=raw.where, hint=hint)
    extra = [n for k, n in enumerate(raw.names) if k != place and n not in wanted]
    if extra:
        raise InputError(
            f"{_columns(extra)} none that the model was trained on.",
            where=raw.where,
            hint="Leave it out, or say with --target that it is the label.",
        )
    return [raw.names.index(name) for name in wanted]


def _columns(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:SHOWN])
    more = ", …" if len(names) > SHOWN else ""
    return f"The column {shown} is" if len(names) == 1 else f"The columns {shown}{more} are"


def _class(cell: Any, classes: Sequence[str], *, numbers: bool) -> str | None:
    """The class that a label names, or its text if it is none; None if it is missing."""
    text = text_of(cell)
    if text in classes:
        return text
    if is_missing(cell):
        return None
    number = number_of(cell) if numbers else None
    return next((c for c in classes if number is not None and number_of(c) == number), text)
