"""The rows of a table as inputs of a model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.load.tables import Table

__all__ = ["Sample", "Sidecar", "read_sidecar", "sample_of"]

_UNIT = re.compile(r"^(?P<name>.*\S)\s*[\[(](?P<unit>[^\[\]()]+)[\])]$")
_INTERVAL = re.compile(r"^\[(?P<low>[^,\s]+), (?P<high>[^)\s]+)\)$")
_MOST_BYTES = 2**24

_Truth: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What ``tamecheck train`` writes beside a model: what its inputs say, and its classes."""

    features: tuple[str, ...]
    classes: tuple[str, ...]


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
    if not path.is_file():
        return None
    if path.stat().st_size > _MOST_BYTES:
        raise InputError("The file is too large.", where=str(path))
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError):
        raise InputError("This is not JSON.", where=str(path)) from None
    lists = [
        cast("dict[str, Any]", document).get(key) if isinstance(document, dict) else None
        for key in ("features", "classes")
    ]
    if not all(_are_texts(found) for found in lists):
        raise InputError(
            "It holds no lists of texts 'features' and 'classes'.",
            where=str(path),
            hint="tamecheck train writes it; delete it if it belongs to another model.",
        )
    return Sidecar(tuple(lists[0] or ()), tuple(lists[1] or ()))


def _are_texts(found: Any) -> bool:
    return isinstance(found, list) and all(
        isinstance(text, str) for text in cast("list[Any]", found)
    )


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
