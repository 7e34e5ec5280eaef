"""Cells of a column as numbers or words, and the errors that name where one is not."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.tables.rows import LeftOut, Rows, is_missing

__all__ = [
    "SHOWN",
    "Missing",
    "is_no_number",
    "is_numeric",
    "joined_columns",
    "kept_rows",
    "number_of",
    "numbers_of",
    "place_of",
    "refuse_cells",
    "text_of",
]

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
