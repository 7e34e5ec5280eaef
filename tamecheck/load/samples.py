"""The rows of a table as inputs of a model."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from tamecheck.errors import InputError
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.tensor import Array
from tamecheck.load.files import read_text, suffix_of
from tamecheck.load.json_model import parse_json
from tamecheck.load.tables import Table

__all__ = [
    "Sample",
    "Sidecar",
    "inputs_alone",
    "read_sidecar",
    "read_statements",
    "sample_of",
]

_UNIT = re.compile(r"^(?P<name>.*\S)\s*[\[(](?P<unit>[^\[\]()]+)[\])]$")
_INTERVAL = re.compile(r"^\[(?P<low>[^,\s]+), (?P<high>[^)\s]+)\)$")

_Truth: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What ``tamecheck train`` writes beside a model: what its inputs say, and its classes.

    Parameters
    ----------
    features
        What each input says when it is high: ``"age ≥ 37 years"``.
    classes
        What each class is called.
    negations
        What each input says when it is low; empty if that is not known.
    values
        The values, in order, of numeric features that have no others.
    """

    features: tuple[str, ...]
    classes: tuple[str, ...]
    negations: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows of a table.

    Parameters
    ----------
    points
        ``(rows, inputs)``, what the model is given.
    labels
        The number of each row's class, -1 where the label is none of the model's classes.
    names
        What each input is called.
    classes
        What each class is called; empty if the labels say nothing of the model's classes.
    shown
        For each row the cells of the table by column name, as text.
    how
        How the rows became inputs, in a sentence.
    """

    points: Array
    labels: Array
    names: tuple[str, ...]
    classes: tuple[str, ...]
    shown: tuple[Mapping[str, str], ...]
    how: str


def read_sidecar(model: str) -> Sidecar | None:
    """What stands in ``MODEL.features.json``, or None if there is no such file.

    Raises
    ------
    InputError
        If it is not what ``tamecheck train`` writes.
    """
    path = Path(f"{model}.features.json")
    return read_statements(str(path)) if path.is_file() else None


def read_statements(path: str) -> Sidecar:
    """What stands in a ``.features.json`` file; or the list of names that a JSON file is.

    Raises
    ------
    InputError
        If it is neither.
    """
    document: Any = parse_json(read_text(path), where=path)
    if document and _are_texts(document):
        return Sidecar(tuple(document), ())
    said = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    lists = [said.get("features"), said.get("classes"), said.get("negations", [])]
    values = _texts_by_name(said.get("values", {}))
    if values is None or not all(map(_are_texts, lists)):
        raise InputError(
            "It holds no lists of texts 'features' and 'classes', or no such 'values'.",
            where=path,
            hint="tamecheck train writes it; delete it if it belongs to another model.",
        )
    features, classes, negations = (tuple(found or ()) for found in lists)
    return Sidecar(features, classes, negations, values)


def inputs_alone(path: str, inputs: int) -> Array | None:
    """The rows of a CSV file whose cells are a model's inputs, without a label; exact.

    A first row without numbers is a header.  None if the first row of numbers has other cells than
    the model has inputs, or the file is no CSV.

    Raises
    ------
    InputError
        If the file cannot be read, or a row after such a row does not fit.
    """
    if suffix_of(path) != ".csv":
        return None
    lines = [row for row in csv.reader(io.StringIO(read_text(path))) if row]
    found: list[list[Fraction]] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = [parse_rational(cell.strip()) for cell in line]
        except InputError:
            if number == 1:
                continue
            if not found:
                return None
            raise InputError(f"Row {number} has a cell that is no number.", where=path) from None
        if len(row) != inputs:
            if not found:
                return None
            raise InputError(
                f"Row {number} has {len(row)} cells; the model has {inputs} inputs.", where=path
            )
        found.append(row)
    return np.array(found, dtype=object) if found else None


def _are_texts(found: Any) -> bool:
    return isinstance(found, list) and all(
        isinstance(text, str) for text in cast("list[Any]", found)
    )


def _texts_by_name(found: Any) -> dict[str, tuple[str, ...]] | None:
    if not isinstance(found, dict):
        return None
    named = cast("dict[str, list[str]]", found)
    return {k: tuple(v) for k, v in named.items()} if all(map(_are_texts, named.values())) else None


def sample_of(
    table: Table, inputs: int, outputs: int, sidecar: Sidecar | None, *, where: str
) -> Sample:
    """The rows as inputs: as numbers where the columns fit, else through what the inputs say.

    Parameters
    ----------
    table
        The table.
    inputs, outputs
        The number of the model's input and output elements.
    sidecar
        What the inputs say, if that is known.
    where
        The table's name, for errors.

    Raises
    ------
    InputError
        If the rows cannot be read as inputs.
    """
    columns = len(table.columns)
    says = sidecar.features if sidecar is not None else ()
    numeric = table.rows.dtype != object
    if len(says) == inputs and not (numeric and columns == inputs and says == table.names):
        _check_values(table, sidecar.values if sidecar is not None else {}, where)
        points, how = _through(table, says, where), "Each row is turned into what the inputs say."
        names = says
    elif numeric and columns == inputs:
        points, how = table.rows, "The columns are the inputs, in order."
        names = table.names
    else:
        what = f"{columns} features" if numeric else f"{columns} features, not all of them numbers"
        raise InputError(
            f"The table has {what}; the model takes {inputs} numbers.",
            where=where,
            hint="A model of 'tamecheck train' knows what its inputs say from the file "
            "MODEL.features.json beside it.",
        )
    labels, classes = _classes(table, max(outputs, 2), sidecar)
    shown = tuple(
        {name: _cell(cell) for name, cell in zip(table.names, row, strict=True)}
        for row in table.rows.tolist()
    )
    return Sample(points, labels, names, classes, shown, how)


def _cell(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _classes(table: Table, count: int, sidecar: Sidecar | None) -> tuple[Array, tuple[str, ...]]:
    """The number of each label's class: by the model's own names, or by order."""
    given = [str(label) for label in table.labels.tolist()]
    present = sorted(set(table.labels.tolist()))
    if sidecar is not None and len(sidecar.classes) == count:
        classes = sidecar.classes
    elif table.labels.dtype.kind == "i" and set(present) <= set(range(count)):
        classes = tuple(str(number) for number in range(count))
    elif len(present) == count:
        classes = tuple(map(str, present))
    else:
        return np.full(len(given), -1), ()
    number = {name: index for index, name in enumerate(classes)}
    return np.array([number.get(label, -1) for label in given]), classes


def _check_values(table: Table, values: Mapping[str, Sequence[str]], where: str) -> None:
    """Make sure that features which have known values only have no others here."""
    for number, column in enumerate(table.columns):
        named = _UNIT.match(column.name)
        feature, unit = (named["name"], f" {named['unit']}") if named else (column.name, "")
        known = {text.removesuffix(unit) for text in values.get(feature, ())}
        for row, cell in enumerate(table.rows[:, number].tolist()):
            if known and _cell(cell) not in known:
                raise InputError(
                    f"{column.name!r} of row {row} is {_cell(cell)}; the model knows only "
                    f"{', '.join(sorted(known))}.",
                    where=where,
                    hint=f"To go by thresholds, take {feature!r} out of 'values' in the file "
                    "MODEL.features.json.",
                )


def _through(table: Table, says: Sequence[str], where: str) -> Array:
    """The signs of the statements on each row: 1 where one holds, -1 where it fails."""
    points = np.empty((len(table.rows), len(says)))
    for number, text in enumerate(says):
        truth = _truth(table, text)
        if truth is None:
            raise InputError(
                f"Input {number} says {text!r}, which is about no column of the table.",
                where=where,
                hint="Give the table with the columns that the model was trained on.",
            )
        points[:, number] = np.where(truth, 1.0, -1.0)
    return points


def _truth(table: Table, text: str) -> _Truth | None:
    """Whether a statement holds on each row; the longest column name that fits is meant."""
    order = sorted(range(len(table.columns)), key=lambda k: -len(table.columns[k].name))
    for column in order:
        given = table.columns[column].name
        named = _UNIT.match(given)
        feature, unit = (named["name"], named["unit"]) if named else (given, "")
        rest = text.removeprefix(f"{feature} ")
        if rest == text:
            continue
        kind, _, value = rest.partition(" ")
        found = _said(table.rows[:, column], kind, value.removesuffix(f" {unit}" if unit else ""))
        if found is not None:
            return found
    return None


def _said(cells: npt.NDArray[Any], kind: str, value: str) -> _Truth | None:
    """Whether ``cell kind value`` holds for each cell; None if that makes no sense."""
    if kind == "=":
        return np.array([str(cell) == value for cell in cells.tolist()], dtype=np.bool_)
    numbers = _numbers(cells)
    interval = _INTERVAL.match(value)
    try:
        match kind:
            case "≥" if numbers is not None:
                return numbers >= float(value)
            case "<" if numbers is not None:
                return numbers < float(value)
            case "in" if numbers is not None and interval is not None:
                inside = numbers >= float(interval["low"])
                return inside & (numbers < float(interval["high"]))
            case _:
                return None
    except ValueError:
        return None


def _numbers(cells: npt.NDArray[Any]) -> npt.NDArray[np.float64] | None:
    try:
        return cells.astype(np.float64)
    except ValueError:
        return None
