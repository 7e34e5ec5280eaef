"""Tables of labelled rows: CSV, ARFF and KEEL files, pandas frames and NumPy arrays."""

from __future__ import annotations

import csv
import difflib
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.load.files import read_text
from tamecheck.load.tables_arff import arff_rows, is_arff

__all__ = ["MAX_CELLS", "Column", "Table", "read_table"]

MAX_CELLS = 2**26
"""A table with more cells is refused."""

_MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Column:
    """A feature.

    Parameters
    ----------
    name
        As in the file, or its number.
    categories
        The values of a categorical feature, sorted (in the order of the file, if the file lists
        them); None for a numeric one.
    """

    name: str
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of features with a label each.

    Parameters
    ----------
    columns
        The features.
    rows
        One row a line, ``(rows, columns)``: float64 if all features are numeric, else objects
        (floats and strings).
    target
        The label's name.
    labels
        One a row: integers if all are, else strings (or floats, if the label is numeric).
    dropped
        The number of rows that were left out because a value was missing.
    """

    columns: tuple[Column, ...]
    rows: Array
    target: str
    labels: Array
    dropped: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names."""
        return tuple(column.name for column in self.columns)


def read_table(
    source: Any,
    *,
    target: str | int = -1,
    header: bool = True,
    missing: Literal["error", "drop"] = "error",
) -> Table:
    """Read a table.

    Parameters
    ----------
    source
        A path (``.csv``, ``.tsv``, ``.data``, ``.arff``, KEEL ``.dat``, each also ``.gz``), a
        pandas frame, or a two-dimensional array.
    target
        The label: a column's name, or its number from the left, or from the right if negative.
    header
        Whether the first line of a CSV file names the columns.
    missing
        What to do about rows with a missing value (empty, ``?``, ``NA``): refuse them or drop them.

    Raises
    ------
    InputError
        If the table cannot be read, rows have different lengths, names occur twice, there is no
        such target, or values are missing, or infinite in a column of numbers.
    """
    if isinstance(source, str | os.PathLike):
        raw = _from_file(cast("str | os.PathLike[str]", source), header=header)
    elif hasattr(source, "columns") and hasattr(source, "to_numpy"):
        raw = _from_frame(source)
    else:
        raw = _from_array(source)
    return _table(raw, target, missing)


@dataclass(frozen=True, slots=True)
class _Raw:
    """Cells as they are, with the place of each row for errors."""

    where: str
    names: tuple[str, ...]
    listed: tuple[tuple[str, ...] | None, ...]
    rows: Sequence[Sequence[Any]]
    lines: Sequence[int]


def _from_file(path: str | os.PathLike[str], *, header: bool) -> _Raw:
    where, text = str(path), read_text(path)
    if is_arff(text):
        arff = arff_rows(text, where)
        return _Raw(where, arff.names, arff.categories, list(arff.rows), arff.lines)
    first = text[:4096].split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    rows: list[Sequence[Any]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if row and any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"This is no CSV ({error}).", where=f"{where}:{reader.line_num}") from None
    if not rows:
        raise InputError("The table is empty.", where=where)
    names = tuple(rows[0]) if header else tuple(map(str, range(len(rows[0]))))
    if header:
        rows, lines = rows[1:], lines[1:]
    return _Raw(where, names, (None,) * len(names), rows, lines)


def _from_frame(frame: Any) -> _Raw:
    names = tuple(str(name) for name in frame.columns)
    rows = [tuple(row) for row in frame.itertuples(index=False, name=None)]
    return _Raw("table", names, (None,) * len(names), rows, range(1, len(rows) + 1))


def _from_array(source: Any) -> _Raw:
    array = np.asarray(source)
    if array.ndim != 2:
        raise InputError(f"A table has two dimensions, not {array.ndim}.")
    names = tuple(map(str, range(array.shape[1])))
    rows = cast("list[Sequence[Any]]", array.tolist())
    return _Raw("table", names, (None,) * len(names), rows, range(1, len(rows) + 1))


def _table(raw: _Raw, target: str | int, missing: str) -> Table:
    _check_shape(raw)
    place = _place(raw, target)
    kept = [k for k, row in enumerate(raw.rows) if not any(map(_is_missing, row))]
    complete = [raw.rows[k] for k in kept]
    dropped = len(raw.rows) - len(complete)
    if dropped and missing != "drop":
        _refuse_missing(raw)
    if not complete:
        raise InputError("Every row has a missing value.", where=raw.where)
    columns: list[Column] = []
    values: list[list[Any]] = []
    for number, name in enumerate(raw.names):
        if number == place:
            continue
        cells = [row[number] for row in complete]
        listed = raw.listed[number]
        numbers = None if listed else _numbers(cells, raw, number, kept)
        if numbers is None:
            texts = [str(cell) for cell in cells]
            known = listed or tuple(sorted(set(texts)))
            columns.append(Column(name, known))
            values.append(texts)
        else:
            columns.append(Column(name))
            values.append(numbers)
    numeric = all(column.categories is None for column in columns)
    rows = np.empty((len(complete), len(columns)), dtype=np.float64 if numeric else object)
    for number, cells in enumerate(values):
        rows[:, number] = cells
    cells = [row[place] for row in complete]
    labels = _labels(cells, _numbers(cells, raw, place, kept))
    return Table(tuple(columns), rows, raw.names[place], labels, dropped)


def _check_shape(raw: _Raw) -> None:
    width = len(raw.names)
    if len(set(raw.names)) < width:
        twice = sorted({name for name in raw.names if raw.names.count(name) > 1})
        raise InputError(
            f"The column name {twice[0]!r} occurs twice.",
            where=raw.where,
            hint="Is the first line no header? Say header=False (--no-header).",
        )
    if width < 2:
        raise InputError(
            "The table has one column; a label and a feature are two.", where=raw.where
        )
    if not raw.rows:
        raise InputError("The table has no rows.", where=raw.where)
    if width * len(raw.rows) > MAX_CELLS:
        raise InputError(f"The table has more than {MAX_CELLS} cells.", where=raw.where)
    for row, line in zip(raw.rows, raw.lines, strict=True):
        if len(row) != width:
            raise InputError(
                f"The row has {len(row)} values, not {width}.", where=f"{raw.where}:{line}"
            )


def _place(raw: _Raw, target: str | int) -> int:
    """The column of the label; a name goes before a number."""
    width = len(raw.names)
    if isinstance(target, str) and target in raw.names:
        return raw.names.index(target)
    try:
        number = int(target)
    except ValueError:
        near = difflib.get_close_matches(str(target), raw.names, n=1)
        shown = ", ".join(raw.names[:_SHOWN]) + (", …" if width > _SHOWN else "")
        guess = f"Did you mean {near[0]!r}?" if near else f"There are: {shown}."
        raise InputError(f"There is no column {target!r}.", where=raw.where, hint=guess) from None
    if not -width <= number < width:
        raise InputError(f"There is no column {number}: there are {width}.", where=raw.where)
    return number % width


def _is_missing(cell: Any) -> bool:
    if isinstance(cell, str):
        return cell.lower() in _MISSING
    return cell is None or cell != cell  # noqa: PLR0124  # true for NaN, NaT and NA alone


def _refuse_missing(raw: _Raw) -> None:
    count = 0
    first = ""
    for row, line in zip(raw.rows, raw.lines, strict=True):
        for name, cell in zip(raw.names, row, strict=True):
            if _is_missing(cell):
                count += 1
                first = first or f"row {line}, column {name!r}"
    raise InputError(
        f"{count} values are missing, the first in {first}.",
        where=raw.where,
        hint="Fill them in, or leave out those rows with missing='drop' (--drop-missing).",
    )


def _numbers(
    cells: Sequence[Any], raw: _Raw, column: int, kept: Sequence[int]
) -> list[float] | None:
    """A column's cells as floats, or None if one is no number.

    Raises
    ------
    InputError
        If all are numbers, but some are infinite; ``kept`` tells their rows.
    """
    found: list[float] = []
    for cell in cells:
        try:
            found.append(float(cell))
        except (TypeError, ValueError):
            return None
        except OverflowError:
            # an integer beyond all floats
            found.append(math.inf)
    if raw.listed[column]:
        return found if all(map(math.isfinite, found)) else None
    infinite = [row for row, number in zip(kept, found, strict=True) if math.isinf(number)]
    if infinite:
        first = str(raw.rows[infinite[0]][column])
        shown = first if len(first) <= 20 else f"{first[:19]}…"
        count = "1 value is" if len(infinite) == 1 else f"{len(infinite)} values are"
        raise InputError(
            f"{count} infinite, the first in row {raw.lines[infinite[0]]}, "
            f"column {raw.names[column]!r}: {shown}.",
            where=raw.where,
            hint="Give finite numbers, or leave such cells empty and drop their rows "
            "(missing='drop', --drop-missing).",
        )
    return found


def _labels(cells: list[Any], numbers: list[float] | None) -> Array:
    if numbers is None:
        return np.array([str(cell) for cell in cells])
    exact = np.array(numbers)
    if (exact == np.rint(exact)).all() and np.abs(exact).max() < 2**53:
        return exact.astype(np.int64)
    return exact
