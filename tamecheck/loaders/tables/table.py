"""Tables of labelled rows, typed by themselves or by what a model was trained on."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tamecheck.errors import InputError, first_few
from tamecheck.ir.tensor import Array
from tamecheck.loaders.tables.forms import (
    Decimal,
    form_of,
    has_time,
    is_ambiguous_day,
    is_days,
    is_exact,
    may_be_decimal_comma,
    number_of,
    number_text,
    said,
    unit_of,
)
from tamecheck.loaders.tables.rows import LeftOut, Rows, Table, is_missing, rows_of
from tamecheck.loaders.tables.schema import Column, Missing, Reading, Schema

SHOWN = 5
"""So many values are listed in an error; of names all, up to `_LISTED`."""

_LISTED = 60
_LONG = 40
_MANY = 30
"""More categories than this, or than half of the rows, are warned of."""


def read_table(  # noqa: PLR0913  # each by its name
    source: Any,
    *,
    target: str | int | None = -1,
    header: bool | None = None,
    sep: str | None = None,
    decimal: Decimal | None = None,
    missing: Missing | None = None,
    ignore: Sequence[str] = (),
    schema: Schema | None = None,
) -> Table:
    """Read a table.

    Parameters
    ----------
    source
        A path (``.csv``, ``.tsv``, ``.data``, ``.arff``, KEEL ``.dat``, each also ``.gz``), the
        bytes of such a file, a pandas frame, a two-dimensional array, or what `rows_of` made of
        one.
    target
        The label: a column's name, or its number from the left, or from the right if negative.
        None for no label, or, with a schema, for the label of the training if it is there.
    header
        Whether the first line of a CSV file names the columns; if None, it does, and is refused if
        it looks like a row.
    sep
        The character between the cells of a CSV file; found out if None.
    decimal
        The decimal mark of texts; if None the point, and columns that seem to have commas are
        refused.
    missing
        What to do about missing values (empty, ``?``, ``NA``): refuse them (also if None), drop
        their rows, or take them as categories of columns of texts, those of numbers refused
        (``"level"``) or their rows dropped (``"level,drop"``).
    ignore
        Columns that are left out.
    schema
        What a model was trained on: columns are read as they were then, and options that are None
        are those of the training.

    Raises
    ------
    InputError
        If the table cannot be read, rows have different lengths, names occur twice, there is no
        such target, or values are missing, or infinite in a column of numbers, or integers that no
        float is; with a schema, if columns are missing or unknown, or cells are none of the
        training's.
    """
    reading = Reading(header, sep, decimal, missing, tuple(ignore))
    if schema is not None and schema.training is not None:
        reading = reading.over(schema.training.reading)
    if isinstance(source, Rows):
        raw = source
    else:
        raw = rows_of(source, header=reading.header, sep=reading.sep)
    for name in ignore:
        place_of(raw, name, "--ignore")
    if schema is not None:
        return replace(_type_by_schema(raw, schema, target, reading), reading=reading)
    left = len(raw.names) - len(set(reading.ignore))
    if left < 2 and target is not None:
        what = "The table has one column; a label and a feature are two."
        raise InputError(what, where=raw.where)
    place = None if target is None else place_of(raw, target)
    found = _type_by_cells(raw, place, reading)
    return replace(found, reading=reading, notes=_notes(raw, found))


def _type_by_cells(raw: Rows, place: int | None, reading: Reading) -> Table:
    """The table with columns of numbers where all cells are numbers of a form, else of texts."""
    ignored = {raw.names.index(name) for name in reading.ignore}
    if place in ignored:
        raise InputError(f"The label {raw.names[place or 0]!r} is ignored.", where="--ignore")
    places = [number for number in range(len(raw.names)) if number not in {place, *ignored}]
    decimal: Decimal = reading.decimal or "."
    forms = {
        k: None if raw.listed[k] is not None else form_of(raw.column(k), decimal) for k in places
    }
    if reading.decimal is None and raw.sep:
        _ask_decimal(raw, forms)

    def absent(column: int, cell: Any) -> bool:
        level = reading.missing in {"level", "level,drop"}
        if column != place and level and forms[column] is None:
            return False
        listed = raw.listed[column]
        return is_missing(cell) and (listed is None or str(cell) not in listed)

    checked = places if place is None else sorted((*places, place))
    kept, left_out = _kept_rows(raw, checked, absent, reading.missing)
    columns: list[Column] = []
    values: list[Sequence[Any]] = []
    for number in places:
        form = forms[number]
        if form is not None:
            columns.append(Column(raw.names[number], index=number, form=form))
            values.append(_numbers(raw, number, kept, form, decimal))
        else:
            texts = [str(raw.cells[k][number]) for k in kept]
            listed = raw.listed[number] or tuple(sorted(set(texts)))
            columns.append(Column(raw.names[number], listed, number))
            values.append(texts)
    labels = None if place is None else _labels(raw, place, kept)
    return _join(raw, kept, left_out, tuple(columns), places, values, place, labels)


def _ask_decimal(raw: Rows, forms: dict[int, str | None]) -> None:
    """Refuse columns with commas that may be decimal marks, or may group thousands."""
    asked = [
        raw.names[k]
        for k, form in forms.items()
        if raw.listed[k] is None
        and (form is None or raw.sep == ";")
        and may_be_decimal_comma(raw.column(k))
    ]
    if asked:
        cells = raw.column(raw.names.index(asked[0]))
        shown = next(str(cell) for cell in cells if "," in str(cell))
        raise InputError(
            f"{_columns(asked)} perhaps of numbers with a decimal comma: {_brief(shown)}.",
            where=raw.where,
            hint="Say decimal=',' (--decimal ,) if so, else decimal='.' (--decimal .).",
        )


def _notes(raw: Rows, table: Table) -> tuple[str, ...]:
    """What somebody should know of how columns were read."""
    found: list[str] = []
    for number, column in enumerate(table.columns):
        count, rows = len(column.categories or ()), len(table.origins)
        cells = raw.column(column.index)
        if column.categories is not None and is_ambiguous_day(cells):
            found.append(
                f"Column {column.name!r} may be days, but nobody can tell day and month apart: it "
                "is read as categories. Write days as 2024-03-31."
            )
        if count > _MANY or (2 * count > rows and count > SHOWN):
            found.append(
                f"Column {column.name!r} has {count} categories in {rows} rows, an input each. "
                f"If it tells rows apart rather than kinds, leave it out: --ignore {column.name!r}."
            )
        if is_days(column.form) and has_time(cells):
            found.append(f"Column {column.name!r}: of its times only the day is read.")
        if column.categories is None and len(set(table.rows[:, number].tolist())) == 1 < rows:
            found.append(f"Column {column.name!r} has one value in all rows, and says nothing.")
    classes = len(set(table.labels.tolist()))
    if table.target and classes > _MANY:
        found.append(f"The label {table.target!r} has {classes} values. Is it a class?")
    return tuple(found)


def _labels(raw: Rows, place: int, kept: Sequence[int]) -> Array:
    """Integers if all are, else floats if the label is numeric, else strings."""
    cells = [raw.cells[k][place] for k in kept]
    texts = list(map(number_text, cells))
    found = [None if text is None else float(text) for text in texts]
    finite = all(n is not None and math.isfinite(n) for n in found)
    if not finite and (raw.listed[place] is not None or None in found):
        return np.array(list(map(str, cells)))
    if not all(text is not None and is_exact(text) for text in texts):
        # as numbers some would be the same
        return np.array(list(map(str, cells)))
    if not finite:
        _numbers(raw, place, kept)
    exact = np.array(found, dtype=np.float64)
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


def _type_by_schema(raw: Rows, schema: Schema, target: str | int | None, reading: Reading) -> Table:
    """The table with its columns as they were in training."""
    place = _label_place(raw, schema, target)
    places = _places(raw, schema, place, reading.ignore)
    decimal: Decimal = reading.decimal or "."
    known = {at: set(c.categories or ()) for at, c in zip(places, schema.columns, strict=True)}

    def absent(column: int, cell: Any) -> bool:
        return is_missing(cell) and str(cell) not in known[column]

    kept, left_out = _kept_rows(raw, places, absent, reading.missing)
    values = [
        _numbers_of(raw, at, kept, schema, column, decimal)
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


def _numbers_of(  # noqa: PLR0913, PLR0917  # a column and how it is read
    raw: Rows, at: int, kept: Sequence[int], schema: Schema, column: Column, decimal: Decimal
) -> Sequence[Any]:
    """A column of numbers, as far as the model knows them."""
    form = column.form
    kind = "day" if is_days(form) else f"number with {form}" if form else "number"
    what = f"is no {kind}, as the column was in training"
    _refuse_cells(raw, at, kept, lambda cell: number_of(cell, form, decimal) is None, what)
    numbers = _numbers(raw, at, kept, form, decimal)
    # a column that is itself an input takes two numbers
    own = (b.levels or () for b in schema.bits if schema.columns[b.column] is column)
    allowed = set(column.values) or {level for levels in own for level in levels}
    if allowed:
        shown = ", ".join(said(v, form, unit_of(form)) for v in sorted(allowed))
        what = f"is none of the values of the training; the model knows only {shown}"
        _refuse_cells(
            raw, at, kept, lambda cell: number_of(cell, form, decimal) not in allowed, what
        )
    return numbers


def _categories_of(
    raw: Rows, at: int, kept: Sequence[int], categories: tuple[str, ...]
) -> Sequence[Any]:
    """A column of texts that were there in training."""
    shown, known = first_few([*map(repr, categories)], SHOWN), set(categories)
    what = f"is a category that was not there in training; there were {shown}"
    _refuse_cells(raw, at, kept, lambda cell: str(cell) not in known, what)
    return [str(raw.cells[k][at]) for k in kept]


def _label_place(raw: Rows, schema: Schema, target: str | int | None) -> int | None:
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


def _places(raw: Rows, schema: Schema, place: int | None, ignore: Sequence[str] = ()) -> list[int]:
    """Where each column of the training is."""
    wanted = [column.name for column in schema.columns]
    absent = [name for name in wanted if name not in raw.names]
    if absent:
        hint = "Give the table with the columns that the model was trained on."
        if not raw.header:
            hint += " Without a header, columns are numbers."
        raise InputError(f"{_columns(absent)} missing.", where=raw.where, hint=hint)
    extra = [n for k, n in enumerate(raw.names) if k != place and n not in {*wanted, *ignore}]
    if extra:
        raise InputError(
            f"{_columns(extra)} none that the model was trained on.",
            where=raw.where,
            hint="Leave it out (--ignore), or say with --target that it is the label.",
        )
    return [raw.names.index(name) for name in wanted]


def _columns(names: Sequence[str]) -> str:
    shown = first_few([*map(repr, names)], SHOWN)
    return f"The column {shown} is" if len(names) == 1 else f"The columns {shown} are"


def _class(cell: Any, classes: Sequence[str], *, numbers: bool) -> str | None:
    """The class that a label names, or its text if it is none; None if it is missing."""
    text = str(cell)
    if text in classes:
        return text
    if is_missing(cell):
        return None
    number = number_of(cell) if numbers else None
    return next((c for c in classes if number is not None and number_of(c) == number), text)


def _kept_rows(
    raw: Rows, columns: Iterable[int], absent: Callable[[int, Any], bool], missing: Missing | None
) -> tuple[list[int], tuple[LeftOut, ...]]:
    """The rows without missing values, and those with some, if these are to be left out."""
    checked = list(columns)
    gaps = [[column for column in checked if absent(column, row[column])] for row in raw.cells]
    left = [LeftOut(raw.origins[k], raw.names[gap[0]]) for k, gap in enumerate(gaps) if gap]
    if left and missing not in {"drop", "level,drop"}:
        count = sum(map(len, gaps))
        values = "1 value is" if count == 1 else f"{count} values are"
        raise InputError(
            f"{values} missing, the first in {left[0].origin}, column {left[0].column!r}.",
            where=raw.where,
            hint="Fill them in, or leave out those rows with missing='drop' (--drop-missing)"
            + (
                "; numbers and labels have no level for them: missing='level,drop' leaves out rows "
                "without one (--missing level,drop)."
                if missing == "level"
                else "; of texts, missing='level' (--missing level) makes a category of them."
            ),
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


def place_of(raw: Rows, target: str | int, where: str = "") -> int:
    """The column of the label, or another one; a name goes before a number."""
    width = len(raw.names)
    if isinstance(target, str) and target in raw.names:
        return raw.names.index(target)
    try:
        number = int(target)
    except ValueError:
        near = difflib.get_close_matches(str(target), raw.names, n=1)
        guess = f"Did you mean {near[0]!r}? {listing(raw)}" if near else listing(raw)
        raise InputError(
            f"There is no column {target!r}.", where=where or raw.where, hint=guess
        ) from None
    if not -width <= number < width:
        raise InputError(f"There is no column {number}: there are {width}.", where=raw.where)
    return number % width


def listing(raw: Rows) -> str:
    """The names of the columns, in a sentence."""
    return f"There are: {first_few(raw.names, _LISTED)}."


def _numbers(
    raw: Rows, column: int, kept: Sequence[int], form: str = "", decimal: Decimal = "."
) -> list[float]:
    """A column of finite numbers; an integer that no float is would be another one."""
    texts = [number_text(raw.cells[k][column], form, decimal) or "0" for k in kept]
    found = list(map(float, texts))
    inexact = [k for k, text in zip(kept, texts, strict=True) if not is_exact(text)]
    if inexact and not any(map(math.isinf, found)):
        raise InputError(
            f"{raw.origins[inexact[0]]}, column {raw.names[column]!r}: no float is the integer "
            f"{_brief(raw.cells[inexact[0]][column])}.",
            where=raw.where,
            hint="A number that long is a name: leave the column out (--ignore), or put a letter "
            "before it.",
        )
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
