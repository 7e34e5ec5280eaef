"""Tables of labelled rows, typed by themselves or by what a model was trained on."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.tables.rows import LeftOut, Rows, Table, is_missing, rows_of
from tamecheck.loaders.tables.schema import Column, Schema, short

__all__ = ["read_table"]


Missing: TypeAlias = Literal["error", "drop", "level"]

SHOWN = 5
"""So many names or values are listed in an error."""

_LONG = 40
_FILL = "Fill them in, or leave out those rows with missing='drop' (--drop-missing)."


def kept_rows(
    raw: Rows,
    columns: Iterable[int],
    absent: Callable[[int, Any], bool],
    missing: Missing,
) -> tuple[list[int], tuple[LeftOut, ...]]:
    """The rows without missing values, and those with some."""
    checked = list(columns)
    kept: list[int] = []
    left: list[LeftOut] = []
    count = 0
    for k, row in enumerate(raw.cells):
        gaps = [column for column in checked if absent(column, row[column])]
        count += len(gaps)
        if gaps:
            left.append(LeftOut(raw.origins[k], raw.names[gaps[0]]))
        else:
            kept.append(k)
    if left and missing != "drop":
        values = "1 value is" if count == 1 else f"{count} values are"
        raise InputError(
            f"{values} missing, the first in {left[0].origin}, column {left[0].column!r}.",
            where=raw.where,
            hint=_FILL,
        )
    if not kept:
        raise InputError("Every row has a missing value.", where=raw.where)
    return kept, tuple(left)


def refuse_cells(
    raw: Rows, column: int, kept: Sequence[int], wrong: Callable[[Any], bool], what: str
) -> None:
    """Refuse cells for which something is wrong, naming the first."""
    found = [k for k in kept if wrong(raw.cells[k][column])]
    if not found:
        return
    origin, cell = raw.origins[found[0]], text_of(raw.cells[found[0]][column])
    others = f" So are {len(found) - 1} more." if len(found) > 1 else ""
    raise InputError(
        f"{origin}, column {raw.names[column]!r}: {_brief(cell)!r} {what}.{others}",
        where=raw.where,
    )


def _brief(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def place_of(raw: Rows, target: str | int) -> int:
    """The column of the label; a name goes before a number."""
    width = len(raw.names)
    if isinstance(target, str) and target in raw.names:
        return raw.names.index(target)
    try:
        number = int(target)
    except ValueError:
        near = difflib.get_close_matches(str(target), raw.names, n=1)
        shown = ", ".join(raw.names[:SHOWN]) + (", …" if width > SHOWN else "")
        guess = f"Did you mean {near[0]!r}?" if near else f"There are: {shown}."
        raise InputError(f"There is no column {target!r}.", where=raw.where, hint=guess) from None
    if not -width <= number < width:
        raise InputError(f"There is no column {number}: there are {width}.", where=raw.where)
    return number % width


def text_of(cell: Any) -> str:
    """A cell as a word: what a frame calls True is the word True."""
    return str(cell)


def number_of(cell: Any) -> float | None:
    """A cell as a float, infinite where it is beyond all floats; None if it is no number."""
    if isinstance(cell, str) and "_" in cell:
        return None
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None
    except OverflowError:
        return math.inf


def is_no_number(cell: Any) -> bool:
    """Whether a cell is no number."""
    return number_of(cell) is None


def is_numeric(raw: Rows, column: int) -> bool:
    """Whether all cells that are not missing are numbers; truth values are words.

    What a frame calls True is what its CSV file calls True.
    """
    cells = [cell for cell in (row[column] for row in raw.cells) if not is_missing(cell)]
    return not any(isinstance(cell, bool | np.bool_) or is_no_number(cell) for cell in cells)


def numbers_of(raw: Rows, column: int, kept: Sequence[int]) -> list[float]:
    """A column of numbers."""
    found = [number_of(raw.cells[k][column]) or 0.0 for k in kept]
    infinite = [row for row, number in zip(kept, found, strict=True) if math.isinf(number)]
    if infinite:
        first = _brief(text_of(raw.cells[infinite[0]][column]))
        count = "1 value is" if len(infinite) == 1 else f"{len(infinite)} values are"
        raise InputError(
            f"{count} infinite, the first in {raw.origins[infinite[0]]}, "
            f"column {raw.names[column]!r}: {first}.",
            where=raw.where,
            hint="Give finite numbers, or leave such cells empty and drop their rows "
            "(missing='drop', --drop-missing).",
        )
    return found


def joined_columns(values: Sequence[Sequence[Any]], count: int, *, numeric: bool) -> Array:
    """Columns side by side, ``(count, columns)``: float64 if all are numeric, else objects."""
    rows = np.empty((count, len(values)), dtype=np.float64 if numeric else object)
    for number, cells in enumerate(values):
        rows[:, number] = cells
    return rows


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
