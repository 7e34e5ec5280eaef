"""Rows as they are given from Python: arrays in the model's levels, or rows of a table by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import InputError
from tamecheck.explain.domain import Domain
from tamecheck.ir.arguments import rationals
from tamecheck.ir.exact import rational
from tamecheck.ir.tensor import Array
from tamecheck.loaders.samples import Sample, exact_points
from tamecheck.loaders.tables.rows import Origin, Rows, rows_of
from tamecheck.loaders.tables.schema import Schema
from tamecheck.loaders.tables.table import read_table


@dataclass(frozen=True, slots=True)
class RowReader:
    """Turns rows into a model's inputs.

    ``schema`` is what the inputs are made of, and ``names`` are theirs, if that is known.  Rows
    without names are rows of the table too if they are ``encoded``, as for a pipeline.
    """

    schema: Schema | None = None
    names: tuple[str, ...] | None = None
    encoded: bool = False

    def point(self, x: Any) -> Array:
        """The inputs of one row, ``(1, inputs)``.

        Raises `InputError` if columns are missing or unknown, or a cell is none of the training's;
        naming the row, the column and the value.
        """
        rows = _named(x)
        if rows is None:
            if not self.encoded:
                return rationals(x, what="input").reshape(1, -1)
            rows = self._in_order([x])
        if len(rows.cells) != 1:
            raise InputError(f"{len(rows.cells)} rows are given; this is about one.")
        return self._read(rows)

    def points(self, rows: Any) -> Array:
        """The inputs of many rows, of a frame or an array, ``(rows, inputs)``; errors as above."""
        if _is_frame(rows):
            return self._read(rows_of(rows))
        return self._read(self._in_order(rows)) if self.encoded else np.asarray(rows)

    def _read(self, rows: Rows) -> Array:
        if self.schema is not None and (self.names is None or self.encoded):
            return self.schema.encode(read_table(rows, target=None, schema=self.schema).rows)
        if self.names is None:
            return np.array(rows.cells)
        if set(rows.names) != set(self.names):
            given, known = ", ".join(rows.names), ", ".join(self.names)
            raise InputError(f"The rows have the names {given}; the inputs are {known}.")
        order = [rows.names.index(name) for name in self.names]
        return np.array([[row[k] for k in order] for row in rows.cells])

    def _in_order(self, rows: Sequence[Any]) -> Rows:
        """Rows without names as rows of the columns of the training, in their order."""
        columns = () if self.schema is None else self.schema.columns
        cells = [tuple(row.tolist() if hasattr(row, "tolist") else row) for row in rows]
        if any(len(row) != len(columns) for row in cells):
            wrong = next(k for k, row in enumerate(cells) if len(row) != len(columns))
            raise InputError(
                f"Row {wrong} has {len(cells[wrong])} values; there are {len(columns)} columns."
            )
        names = tuple(column.name for column in columns)
        return Rows(
            "rows", names, (None,) * len(names), cells, list(map(Origin, range(len(cells))))
        )


def origins_of(rows: Any) -> Sequence[Origin]:
    """Where rows stand: their position, and in a frame the label of its index."""
    return rows_of(rows).origins if _is_frame(rows) else list(map(Origin, range(len(rows))))


def states_of(sample: Sample, network: ThresholdNetwork, domain: Domain, where: str) -> Array:
    """The states of the rows of a table, ``(rows, inputs)``.

    Raises `InputError` if a row is not in the domain, naming the row, the column and the value.
    """
    points = exact_points(sample)
    levels = zip(network.low, network.high, strict=True)
    for number, (column, (low, high)) in enumerate(zip(points.T, levels, strict=True)):
        wrong = {v for v in set(column.tolist()) if rational(v) not in (low, high)}
        if wrong:
            row = next(k for k, value in enumerate(column.tolist()) if value in wrong)
            raise InputError(
                f"{sample.origins[row]}, column {sample.names[number]!r}: "
                f"{sample.table.cells[row][number]} is neither {low} nor {high}.",
                where=where,
                hint="Give the two levels of the inputs as --domain, or other rows.",
            )
    states = network.states(points)
    try:
        domain.check_rows(states, sample.origins)
    except InputError as error:
        raise InputError(error.what, where=where, hint=error.hint) from None
    return states


def _is_frame(x: Any) -> bool:
    return hasattr(x, "columns") and hasattr(x, "to_numpy")


def _named(x: Any) -> Rows | None:
    """The cells of what has names: a frame, a line of one, or a mapping."""
    if _is_frame(x):
        return rows_of(x)
    if isinstance(x, Mapping):
        cells = cast("Mapping[Any, Any]", x)
        names, values, index = tuple(map(str, cells)), tuple(cells.values()), None
    elif hasattr(x, "index") and hasattr(x, "to_numpy"):
        names, values = tuple(map(str, x.index)), tuple(x.tolist())
        index = None if x.name is None else str(x.name)
    else:
        return None
    return Rows("row", names, (None,) * len(names), [values], [Origin(0, None, index)])
