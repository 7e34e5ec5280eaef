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

Missing: TypeAlias = Literal["error", "drop", "level"]

SHOWN = 5
"""So many names or values are listed in an error."""

_LONG = 40


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
        return _type_by_schema(raw, schema, target, missing)
    if len(raw.names) < 2 and target is not None:
        what = "The table has one column; a label and a feature are two."
        raise InputError(what, where=raw.where)
    return _type_by_cells(raw, None if target is None else _place_of(raw, target), missing)


def _type_by_cells(raw: Rows, place: int | None, missing: Missing) -> Table:
    """The table with columns of numbers where all cells are numbers, else of texts."""
    numeric = [raw.listed[k] is None and _is_numeric(raw, k) for k in range(len(raw.names))]

    def absent(column: int, cell: Any) -> bool:
        if column != place and missing == "level" and not numeric[column]:
            return False
        listed = raw.listed[column]
        return is_missing(cell) and (listed is None or str(cell) not in listed)

    kept, left_out = _kept_rows(raw, range(len(raw.names)), absent, missing)
    places = [number for number in range(len(raw.names)) if number != place]
    columns: list[Column] = []
    values: list[Sequence[Any]] = []
    for number in places:
        if numeric[number]:
            columns.append(Column(raw.names[number], index=number))
            values.append(_numbers(raw, number, kept))
        else:
            texts = [str(raw.cells[k][number]) for k in kept]
            listed = raw.listed[number] or tuple(sorted(set(texts)))
            columns.append(Column(raw.names[number], listed, number))
            values.append(texts)
    labels = None if place is None else _labels(raw, place, kept)
    return _join(raw, kept, left_out, tuple(columns), places, values, place, labels)


def _labels(raw: Rows, place: int, kept: Sequence[int]) -> Array:
    """Integers if all are, else floats if the label is numeric, else strings."""
    cells = [raw.cells[k][place] for k in kept]
    found = [_number_of(cell) for cell in cells]
    finite = all(n is not None and math.isfinite(n) for n in found)
    if not finite and (raw.listed[place] is not None or None in found):
        return np.array(list(map(str, cells)))
    exact = np.array(_numbers(raw, place, kept))
    whole = bool((exact == np.rint(exact)).all()) and np.abs(exact).max() < 2**53
    return exact.astype(np.int64) if whole else exact


def _join(  # noqa: PLR0913, PLR0917 - the parts of a table
    raw: Rows,
    kept: Sequence[int],
    left_out: tuple[LeftOut, ...],
    columns: tuple[Column, ...],
    places: Sequence[int],
    values: Sequence[Sequence[Any]],
    place: int | None,
    labels: Array | None,
) -> Table:
    """Columns side by side: float64 if all are numeric, else objects."""
    numeric = all(column.categories is None for column in columns)
    joined = np.empty((len(kept), len(values)), dtype=np.float64 if numeric else object)
    for number, cells in enumerate(values):
        joined[:, number] = cells
    return Table(
        columns,
        joined,
        "" if place is None else raw.names[place],
        np.full(len(kept), None, dtype=object) if labels is None else labels,
        tuple(raw.origins[k] for k in kept),
        left_out,
        place,
        tuple(tuple(raw.cells[k][at] for at in places) for k in kept),
    )


def _type_by_schema(raw: Rows, schema: Schema, target: str | int | None, missing: Missing) -> Table:
    """The table with its columns as they were in training."""
    place = _label_place(raw, schema, target)
    places = _places(raw, schema, place)
    known = {at: set(c.categories or ()) for at, c in zip(places, schema.columns, strict=True)}

    def absent(column: int, cell: Any) -> bool:
        return is_missing(cell) and str(cell) not in known[column]

    kept, left_out = _kept_rows(raw, places, absent, missing)
    values = [
        _numbers_of(raw, at, kept, schema, column)
        if column.categories is None
        else _categories_of(raw, at, kept, column.categories)
        for at, column in zip(places, schema.columns, strict=True)
    ]
    labels = None
    if place is not None:
        numbers = schema.target is not None and schema.target.numbers
        labels = np.full(len(kept), None, dtype=object)
        labels[:] = [_class(raw.cells[k][place], schema.classes, numbers=numbers) for k in kept]
    return _join(raw, kept, left_out, schema.columns, places, values, place, labels)


def _numbers_of(
    raw: Rows, at: int, kept: Sequence[int], schema: Schema, column: Column
) -> Sequence[Any]:
    """A column of numbers, as far as the model knows them."""
    what = "is no number, as the column was in training"
    _refuse_cells(raw, at, kept, lambda cell: _number_of(cell) is None, what)
    numbers = _numbers(raw, at, kept)
    # a column that is itself an input takes two numbers
    own = (b.levels or () for b in schema.bits if schema.columns[b.column] is column)
    allowed = set(column.values) or {level for levels in own for level in levels}
    if allowed:
        shown = ", ".join(short(v) for v in sorted(allowed))
        what = f"is none of the values of the training; the model knows only {shown}"
        _refuse_cells(raw, at, kept, lambda cell: float(cell) not in allowed, what)
    return numbers


def _categories_of(
    raw: Rows, at: int, kept: Sequence[int], categories: tuple[str, ...]
) -> Sequence[Any]:
    """A column of texts that were there in training."""
    shown, known = ", ".join(repr(c) for c in categories[:SHOWN]), set(categories)
    more = ", …" if len(categories) > SHOWN else ""
    what = f"is a category that was not there in training; there were {shown}{more}"
    _refuse_cells(raw, at, kept, lambda cell: str(cell) not in known, what)
    return [str(raw.cells[k][at]) for k in kept]


def _label_place(raw: Rows, schema: Schema, target: str | int | None) -> int | None:
    """The column of the label: as it is asked for, else that of the training if it is there."""
    if target is None:
        known = schema.target
        return None if known is None or known.name not in raw.names else raw.names.index(known.name)
    place = _place_of(raw, target)
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
    text = str(cell)
    if text in classes:
        return text
    if is_missing(cell):
        return None
    number = _number_of(cell) if numbers else None
    return next((c for c in classes if number is not None and _number_of(c) == number), text)


def _kept_rows(
    raw: Rows, columns: Iterable[int], absent: Callable[[int, Any], bool], missing: Missing
) -> tuple[list[int], tuple[LeftOut, ...]]:
    """The rows without missing values, and those with some, if these are to be left out."""
    checked = list(columns)
    gaps = [[column for column in checked if absent(column, row[column])] for row in raw.cells]
    left = [LeftOut(raw.origins[k], raw.names[gap[0]]) for k, gap in enumerate(gaps) if gap]
    if left and missing != "drop":
        count = sum(map(len, gaps))
        values = "1 value is" if count == 1 else f"{count} values are"
        raise InputError(
            f"{values} missing, the first in {left[0].origin}, column {left[0].column!r}.",
            where=raw.where,
            hint="Fill them in, or leave out those rows with missing='drop' (--drop-missing).",
        )
    if len(left) == len(gaps):
        raise InputError("Every row has a missing value.", where=raw.where)
    return [k for k, gap in enumerate(gaps) if not gap], tuple(left)


def _refuse_cells(
    raw: Rows, column: int, kept: Sequence[int], wrong: Callable[[Any], bool], what: str
) -> None:
    """Refuse cells for which something is wrong, naming the first."""
    found = [k for k in kept if wrong(raw.cells[k][column])]
    if found:
        origin, cell = raw.origins[found[0]], _brief(raw.cells[found[0]][column])
        others = f" So are {len(found) - 1} more." if len(found) > 1 else ""
        what = f"{origin}, column {raw.names[column]!r}: {cell!r} {what}.{others}"
        raise InputError(what, where=raw.where)


def _brief(cell: Any) -> str:
    text = str(cell)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _place_of(raw: Rows, target: str | int) -> int:
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


def _number_of(cell: Any) -> float | None:
    """A cell as a float, infinite where it is beyond all floats; None if it is no number."""
    if isinstance(cell, str) and "_" in cell:
        return None
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None
    except OverflowError:
        return math.inf


def _is_numeric(raw: Rows, column: int) -> bool:
    """Whether all cells that are not missing are numbers; truth values are words.

    What a frame calls True is what its CSV file calls True.
    """
    cells = [cell for cell in (row[column] for row in raw.cells) if not is_missing(cell)]
    return not any(isinstance(cell, bool | np.bool_) or _number_of(cell) is None for cell in cells)


def _numbers(raw: Rows, column: int, kept: Sequence[int]) -> list[float]:
    """A column of finite numbers."""
    found = [_number_of(raw.cells[k][column]) or 0.0 for k in kept]
    infinite = [row for row, number in zip(kept, found, strict=True) if math.isinf(number)]
    if infinite:
        first = _brief(raw.cells[infinite[0]][column])
        count = "1 value is" if len(infinite) == 1 else f"{len(infinite)} values are"
        raise InputError(
            f"{count} infinite, the first in {raw.origins[infinite[0]]}, "
            f"column {raw.names[column]!r}: {first}.",
            where=raw.where,
            hint="Give finite numbers, or leave such cells empty and drop their rows "
            "(missing='drop', --drop-missing).",
        )
    return found
