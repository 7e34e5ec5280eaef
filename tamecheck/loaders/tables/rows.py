"""Cells of tables as they stand in CSV, ARFF and KEEL files, frames and arrays, and where."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tamecheck.errors import InputError, first_few
from tamecheck.ir.tensor import Array
from tamecheck.loaders.files import decode, read_text
from tamecheck.loaders.tables.forms import form_of, number_text
from tamecheck.loaders.tables.schema import AS_IT_SAYS, Column, Reading

MAX_CELLS = 2**26
"""A table with more cells is refused."""

_DELIMITERS = ",;\t|"
_SHOWN = 5
_TRIED = 20
"""So many rows decide what the delimiter is."""

_MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a row of a table stands.

    ``row`` is its number from 0, rows that are left out counted; ``line`` the line of the file on
    which it begins, from 1, or None for what is no file; ``index`` its label in a frame's index.
    """

    row: int
    line: int | None = None
    index: str | None = None

    def __str__(self) -> str:
        if self.line is not None:
            return f"row {self.row} (line {self.line})"
        return f"row {self.row}" + ("" if self.index is None else f" (index {self.index})")

    def to_json(self) -> dict[str, Any]:
        """The place as JSON."""
        named = {} if self.index is None else {"index": self.index}
        return {"row": self.row, "line": self.line, **named}


@dataclass(frozen=True, slots=True)
class Rows:
    """Cells row by row, as they are: texts of a file, whatever a frame holds.

    ``where`` is the file, or ``table``; ``listed`` has the values of a column, if the file lists
    them; ``header`` says whether the names are the table's own, else they are numbers; ``sep`` is
    what is between cells of a CSV file; ``target`` is the label's name, if the file says it.
    """

    where: str
    names: tuple[str, ...]
    listed: tuple[tuple[str, ...] | None, ...]
    cells: Sequence[Sequence[Any]]
    origins: Sequence[Origin]
    header: bool = True
    sep: str = ""
    target: str | None = None

    def column(self, number: int) -> list[Any]:
        """The cells of a column that are not missing."""
        return [cell for cell in (row[number] for row in self.cells) if not is_missing(cell)]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that was left out because a column has no value there."""

    origin: Origin
    column: str

    @property
    def why(self) -> str:
        """The reason in words."""
        return f"column {self.column!r} has no value"

    def __str__(self) -> str:
        return f"{self.origin}: {self.why}"

    def to_json(self) -> dict[str, Any]:
        """The row as JSON."""
        return {**self.origin.to_json(), "why": self.why}


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of features, with a label each.

    ``rows`` are ``(rows, columns)``: float64 if all features are numeric, else objects (floats and
    strings).  ``target`` is the label's name, ``place`` its place among the file's columns; empty
    and None if there is no label.  ``labels`` are integers if all are, else strings (or floats, if
    the label is numeric); None for a missing label of a table that a model was not trained on, and
    for all without a label.  ``left_out`` are the rows that were left out because a value was
    missing.  ``cells`` are those of the features as they stand in the file, row by row;
    ``reading`` is how they were read, ``notes`` what somebody should know of it.
    """

    columns: tuple[Column, ...]
    rows: Array
    target: str
    labels: Array
    origins: tuple[Origin, ...]
    left_out: tuple[LeftOut, ...] = ()
    place: int | None = None
    cells: tuple[tuple[Any, ...], ...] = ()
    reading: Reading = AS_IT_SAYS
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names."""
        return tuple(column.name for column in self.columns)

    @property
    def dropped(self) -> int:
        """The number of rows that were left out because a value was missing."""
        return len(self.left_out)

    def positions(self, rows: Sequence[int | tuple[int, int]]) -> list[int]:
        """Where rows of the file are among the rows; -1 is the last of the file.

        Rows that were left out are passed over in a range from one row to another with others,
        and refused alone.
        """
        place = {origin.row: k for k, origin in enumerate(self.origins)}
        left_out = {left.origin.row: left for left in self.left_out}
        total = len(place) + len(left_out)
        found: list[int] = []
        for given in rows:
            ends = (given, given) if isinstance(given, int) else given
            for end in ends:
                if not -total <= end < total:
                    raise InputError(
                        f"There is no row {end}. The table has {total} rows, 0 to {total - 1}.",
                        where="--rows",
                    )
            low, high = (end % total for end in ends)
            if low > high:
                raise InputError(f"Row {low} is after row {high}.", where="--rows")
            kept = [place[row] for row in range(low, high + 1) if row in place]
            if not kept:
                what = str(left_out[low].origin)
                raise InputError(f"R{what[1:]} was left out: {left_out[low].why}.", where="--rows")
            found += kept
        return found


def rows_of(source: Any, *, header: bool | None = None, sep: str | None = None) -> Rows:
    """The cells of a path, the bytes of a file, a pandas frame, or a two-dimensional array.

    A first line of a CSV file has the names, unless ``header`` is False; if it looks like a row,
    it is refused unless ``header`` is True.
    """
    if isinstance(source, bytes):
        found = _from_text(
            decode(source, "standard input"), "standard input", header=header, sep=sep
        )
    elif isinstance(source, str | os.PathLike):
        path = cast("str | os.PathLike[str]", source)
        found = _from_text(read_text(path), str(path), header=header, sep=sep)
    elif hasattr(source, "columns") and hasattr(source, "to_numpy"):
        found = _from_frame(source)
    else:
        found = _from_array(source)
    _check_shape(found)
    return found


def is_missing(cell: Any) -> bool:
    """Whether a cell says that a value is missing: empty, ``?``, ``NA``, NaN, None."""
    if isinstance(cell, str):
        return cell.lower() in _MISSING
    return cell is None or cell != cell  # noqa: PLR0124  # true for NaN, NaT and NA alone


def _from_text(text: str, where: str, *, header: bool | None, sep: str | None) -> Rows:
    if sep is None and _is_arff(text):
        return _arff_rows(text, where)
    sep = _delimiter(text) if sep is None else sep
    if len(sep) != 1 or sep in '"\r\n':
        raise InputError(f"{sep!r} is no single character between cells.", where="--sep")
    rows, lines = _csv(text, sep, where)
    if not rows:
        raise InputError("The table is empty.", where=where)
    named = header is not False
    names = tuple(rows[0]) if named else tuple(map(str, range(len(rows[0]))))
    if named:
        rows, lines = rows[1:], lines[1:]
    origins = [Origin(number, line) for number, line in enumerate(lines)]
    found = Rows(where, names, (None,) * len(names), rows, origins, named, sep)
    if header is None and _looks_like_row(found):
        raise InputError(
            f"The first line looks like a row: {first_few(names, _SHOWN)}.",
            where=where,
            hint="Say header=False (--no-header) if it is one, header=True (--header) if it has "
            "the names.",
        )
    return found


def _looks_like_row(raw: Rows) -> bool:
    """Whether the names could be cells: numbers over numbers, and words that occur below them."""
    width, numbers = len(raw.names), 0
    counted = [tuple(map(str, range(first, first + width))) for first in (0, 1)]
    if raw.names in counted or not raw.cells or any(len(row) != width for row in raw.cells):
        return False
    for number, name in enumerate(raw.names):
        cells = raw.column(number)
        if not cells or is_missing(name):
            continue
        form = form_of(cells)
        if form is not None:
            numbers += 1
            if number_text(name, form) is None:
                return False
        elif name not in cells and len(set(cells)) < len(cells):
            return False
    return numbers > 0 or all(name in raw.column(k) for k, name in enumerate(raw.names))


def _csv(
    text: str, delimiter: str, where: str, most: int | None = None
) -> tuple[list[list[str]], list[int]]:
    """The rows, and the line on which each begins; blank lines are no rows."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    rows: list[list[str]] = []
    lines: list[int] = []
    line = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if len(cells) > 1 or any(cells):
                rows.append(cells)
                lines.append(line)
            line = reader.line_num + 1
            if most is not None and len(rows) >= most:
                break
    except csv.Error as error:
        raise InputError(f"This is no CSV ({error}).", where=f"{where}:{reader.line_num}") from None
    return rows, lines


def _delimiter(text: str) -> str:
    """The delimiter that cuts the first rows into most columns, equally many in each."""

    def columns(delimiter: str) -> int:
        try:
            rows, _ = _csv(text, delimiter, "", _TRIED)
        except InputError:
            return 0
        widths = {len(row) for row in rows}
        return widths.pop() if len(widths) == 1 else 0

    best = max(_DELIMITERS, key=columns)
    if columns(best) > 1:
        return best
    # none fits: the error about a row is best where the first row has most columns
    first = text[:4096].split("\n", 1)[0]
    return max(_DELIMITERS, key=first.count)


def _from_frame(frame: Any) -> Rows:
    names = tuple(str(name) for name in frame.columns)
    cells = [tuple(row) for row in frame.itertuples(index=False, name=None)]
    origins = [Origin(n, None, str(label)) for n, label in enumerate(frame.index)]
    return Rows("table", names, (None,) * len(names), cells, origins)


def _from_array(source: Any) -> Rows:
    array = np.asarray(source)
    if array.ndim != 2:
        raise InputError(f"A table has two dimensions, not {array.ndim}.")
    names = tuple(map(str, range(array.shape[1])))
    cells = cast("list[Sequence[Any]]", array.tolist())
    origins = list(map(Origin, range(len(cells))))
    return Rows("table", names, (None,) * len(names), cells, origins, header=False)


def _check_shape(raw: Rows) -> None:
    width = len(raw.names)
    if len(set(raw.names)) < width:
        twice = sorted({name for name in raw.names if raw.names.count(name) > 1})
        raise InputError(
            f"The column name {twice[0]!r} occurs twice.",
            where=raw.where,
            hint="Is the first line no header? Say header=False (--no-header).",
        )
    if not raw.cells:
        raise InputError("The table has no rows.", where=raw.where)
    if width * len(raw.cells) > MAX_CELLS:
        raise InputError(f"The table has more than {MAX_CELLS} cells.", where=raw.where)
    for row, origin in zip(raw.cells, raw.origins, strict=True):
        if len(row) != width:
            place = raw.where if origin.line is None else f"{raw.where}:{origin.line}"
            raise InputError(
                f"The row has {len(row)} values, not {width} (row {origin.row}).", where=place
            )


_ATTRIBUTE = re.compile(
    r"""@attribute\s+(?P<name>'[^']*'|"[^"]*"|[^\s{]+)\s*(?P<kind>\{.*\}|\S.*)$""", re.IGNORECASE
)
_NUMERIC = re.compile(r"(real|numeric|integer)\b", re.IGNORECASE)


def _is_arff(text: str) -> bool:
    """Whether the first line that is no comment is a declaration of ARFF."""
    for line in text.split("\n", 1000)[:1000]:
        if line.strip() and not line.lstrip().startswith("%"):
            return line.lstrip().lower().startswith(("@relation", "@attribute"))
    return False


def _arff_rows(text: str, where: str) -> Rows:
    """Read a dense ARFF or KEEL file."""
    names: list[str] = []
    target: str | None = None
    categories: list[tuple[str, ...] | None] = []
    rows: list[tuple[str, ...]] = []
    origins: list[Origin] = []
    in_data = False
    for number, raw in enumerate(text.split("\n"), start=1):
        line, place = raw.strip(), f"{where}:{number}"
        if not line or line.startswith("%"):
            continue
        if in_data:
            if line.startswith("{"):
                raise InputError("Sparse ARFF is not read.", where=place)
            origins.append(Origin(len(rows), number))
            rows.append(_cells(line, place))
        elif line.lower().startswith("@attribute"):
            name, values = _attribute(line, place)
            names.append(name)
            categories.append(values)
        elif line.lower().startswith("@data"):
            in_data = True
        elif line.lower().startswith(("@output ", "@outputs ")):
            target = line.split(maxsplit=1)[1].strip()
        elif not line.startswith("@"):
            raise InputError("A declaration starts with @.", where=place)
    if not in_data:
        raise InputError("There is no @data.", where=where)
    target = target if target in names else None
    return Rows(where, tuple(names), tuple(categories), rows, origins, target=target)


def _attribute(line: str, place: str) -> tuple[str, tuple[str, ...] | None]:
    found = _ATTRIBUTE.match(line)
    if found is None:
        raise InputError("This is no attribute.", where=place, hint="As in: @attribute age numeric")
    kind = found["kind"].strip()
    given = found["name"]
    name = given[1:-1] if given[0] in "'\"" else given
    if not kind.startswith("{"):
        # KEEL adds bounds: real [0, 1]
        if not _NUMERIC.match(kind) and not kind.lower().startswith(("string", "date")):
            raise InputError(f"{kind!r} is no type of ARFF.", where=place)
        return name, None
    return name, _cells(kind[1:-1], place)


def _cells(line: str, place: str) -> tuple[str, ...]:
    """The values between commas; one in quotes may hold commas, and quotes after a backslash."""
    found: list[str] = []
    at = 0
    while True:
        while line[at : at + 1].isspace():
            at += 1
        quote = line[at : at + 1]
        value = ""
        if quote and quote in "'\"":
            at += 1
            while at < len(line) and line[at] != quote:
                at += line[at] == "\\"
                value += line[at : at + 1]
                at += 1
            end = line.find(",", at)
            rest = line[at + 1 : end if end >= 0 else None]
            if at >= len(line) or rest.strip():
                raise InputError("This row cannot be read.", where=place)
        else:
            end = line.find(",", at)
            value = line[at : end if end >= 0 else None]
        found.append(value.strip())
        if end < 0:
            return tuple(found)
        at = end + 1
