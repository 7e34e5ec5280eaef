"""The file beside a model that says what its inputs are made of, and the same in ONNX metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from tamecheck.errors import InputError
from tamecheck.loaders.files import read_text
from tamecheck.loaders.json_model import parse_json
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.tables.schema import (
    Bit,
    Column,
    Group,
    GroupKind,
    Reading,
    Schema,
    Target,
    Training,
)

METADATA_KEY = "tamecheck.features"
"""The key under which an ONNX file carries the same document as the file beside a model."""

_FORMAT, _VERSION = "tamecheck-features", 2
_NUMBERS = (int, Fraction)
_HINT = "Train the model again ('tamecheck train' writes this), or go without it: --names -."


def schema_document(schema: Schema) -> dict[str, Any]:
    """The JSON form; ``features`` and ``negations`` are words for people, and never read."""
    training = schema.training
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "model": schema.model or None,
        "features": list(schema.features),
        "negations": [bit.text(holds=False) for bit in schema.bits],
        "classes": list(schema.classes),
        "target": None if schema.target is None else asdict(schema.target),
        "columns": [_column(column) for column in schema.columns],
        "inputs": [_bit(bit) for bit in schema.bits],
        "groups": [{"kind": g.kind, "inputs": list(g.outputs)} for g in schema.groups],
        "levels": list(schema.levels),
        "training": training and _training(training),
    }


def _column(column: Column) -> dict[str, Any]:
    said: dict[str, Any] = {
        "feature": None if column.feature in ("", column.name) else column.feature,
        "unit": column.unit or None,
        "categories": None if column.categories is None else list(column.categories),
        "values": list(column.values) or None,
        "form": column.form or None,
    }
    given = {key: value for key, value in said.items() if value is not None}
    return {"name": column.name, "index": column.index, **given}


def _training(training: Training) -> dict[str, Any]:
    """What is known of the training; what is not known is left out."""
    said = {**asdict(training), "record": dict(training.record)}
    reading = said.pop("reading").items()
    optional = {key: said.pop(key) for key in ("table", "left_out", "record")}
    optional["reading"] = {key: value for key, value in reading if value not in (None, ())}
    return {**said, **{key: value for key, value in optional.items() if value}}


def _bit(bit: Bit) -> dict[str, Any]:
    said = {name: getattr(bit, name) for name in ("lower", "upper", "category", "other")}
    said["levels"] = None if bit.levels is None else list(bit.levels)
    given = {key: value for key, value in said.items() if value is not None}
    return {"column": bit.column, "kind": bit.kind, **given}


def schema_of(loaded: Loaded) -> Schema | None:
    """What is known of a model's inputs: from the file beside it, else from what it carries."""
    if loaded.format in ("json", "onnx"):
        path = Path(f"{loaded.where}.features.json")
        if path.is_file():
            found = read_schema(str(path))
            return _of_model(found, loaded, str(path))
    if loaded.metadata:
        found = parse_schema(loaded.metadata, where=f"{loaded.where}, metadata {METADATA_KEY!r}")
        return _of_model(found, loaded, loaded.where)
    return loaded.schema


def _of_model(found: Schema, loaded: Loaded, where: str) -> Schema:
    graph = loaded.graph
    inputs = sum(math.prod(shape) for shape in graph.inputs.values())
    if len(found.bits) != inputs:
        raise InputError(f"{len(found.bits)} names for {inputs} inputs.", where=where)
    if found.model and found.model != graph.sha256:
        what = "What the inputs say belongs to another model."
        raise InputError(what, where=where, hint=_HINT)
    return found


def read_schema(path: str) -> Schema:
    """What stands in a ``.features.json`` file."""
    return parse_schema(read_text(path), where=path)


def parse_schema(text: str, *, where: str) -> Schema:
    """The schema of a JSON text."""
    document: Any = parse_json(text, where=where)
    if not isinstance(document, dict):
        raise InputError("This is no file of features.", where=where, hint=_HINT)
    if "features" in document and "version" not in document:
        what = "It has only sentences, as earlier versions wrote, and sentences are not read."
        raise InputError(what, where=where, hint=_HINT)
    found = _Reader(where).schema(cast("dict[str, Any]", document))
    _check(found, where)
    return found


def _floats(value: Any) -> Any:
    """JSON that was read exactly, with the floats whose digits it has."""
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, dict):
        return {key: _floats(entry) for key, entry in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_floats(entry) for entry in cast("list[Any]", value)]
    return value


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads a document key by key; what is missing or of another type is refused by name."""

    where: str

    def schema(self, raw: Mapping[str, Any]) -> Schema:
        if raw.get("format") != _FORMAT or raw.get("version") != _VERSION:
            raise self._error("format", f"{_FORMAT!r} of version {_VERSION}")
        columns = tuple(map(self._column, self._list(raw, "columns", dict)))
        bits = tuple(self._bit(entry, columns) for entry in self._list(raw, "inputs", dict))
        groups = tuple(self._group(entry, bits) for entry in self._list(raw, "groups", dict))
        low, high = self._pair(raw, "levels") or (-1, 1)
        return Schema(
            columns,
            bits,
            groups,
            tuple(self._list(raw, "classes", str)),
            self._target(raw, "target"),
            (int(low), int(high)),
            self._text(raw, "model", "") if raw.get("model") is not None else "",
            self._training(raw, "training"),
        )

    def _column(self, raw: Mapping[str, Any]) -> Column:
        listed = self._list(raw, "categories", str) if "categories" in raw else None
        values = self._list(raw, "values", float) if "values" in raw else []
        return Column(
            self._text(raw, "name"),
            None if listed is None else tuple(listed),
            self._natural(raw, "index"),
            self._text(raw, "feature", ""),
            self._text(raw, "unit", ""),
            tuple(self._float(value, "values") for value in values),
            self._text(raw, "form", ""),
        )

    def _bit(self, raw: Mapping[str, Any], columns: Sequence[Column]) -> Bit:
        column = self._natural(raw, "column")
        if column >= len(columns):
            raise self._error("column", "the number of a column")
        made = Bit(
            column,
            columns[column].said,
            columns[column].unit,
            self._number(raw, "lower"),
            self._number(raw, "upper"),
            self._text(raw, "category", "") if "category" in raw else None,
            self._text(raw, "other", "") if "other" in raw else None,
            self._pair(raw, "levels"),
            columns[column].form,
        )
        if raw.get("kind") != made.kind or (
            made.lower is made.upper is made.category is made.levels
        ):
            raise self._error("kind", "the kind of what the input says")
        return made

    def _group(self, raw: Mapping[str, Any], bits: Sequence[Bit]) -> Group:
        kind = self._text(raw, "kind")
        inputs: list[int] = self._list(raw, "inputs", int)
        if kind not in ("free", "thermometer", "one-hot") or not inputs:
            raise self._error("groups", "free, thermometer or one-hot inputs")
        if not all(0 <= i < len(bits) for i in inputs):
            raise self._error("groups", "numbers of inputs")
        return Group(kind, bits[inputs[0]].feature, tuple(inputs))

    def _target(self, raw: Mapping[str, Any], name: str) -> Target | None:
        entry = self._object(raw, name)
        if entry is None:
            return None
        numbers = entry.get("numbers", False) is True
        return Target(self._text(entry, "name"), self._natural(entry, "index"), numbers)

    def _training(self, raw: Mapping[str, Any], name: str) -> Training | None:
        entry = self._object(raw, name)
        if entry is None:
            return None
        held, left = (
            self._list(entry, key, int) if key in entry else [] for key in ("held_out", "left_out")
        )
        return Training(
            self._text(entry, "sha256"),
            self._natural(entry, "rows"),
            tuple(held),
            self._text(entry, "table", ""),
            tuple(left),
            self._reading(entry, "reading"),
            cast("dict[str, Any]", _floats(self._object(entry, "record") or {})),
        )

    def _reading(self, raw: Mapping[str, Any], name: str) -> Reading:
        entry = self._object(raw, name) or {}
        said = {key: entry.get(key) for key in ("header", "sep", "decimal", "missing")}
        if not (
            said["header"] in (None, True, False)
            and (said["sep"] is None or isinstance(said["sep"], str))
            and said["decimal"] in (None, ".", ",")
            and said["missing"] in (None, "error", "drop", "level", "level,drop")
        ):
            raise self._error(name, "how a table is read")
        ignored = self._list(entry, "ignore", str) if "ignore" in entry else []
        return Reading(**said, ignore=tuple(ignored))

    def _object(self, raw: Mapping[str, Any], name: str) -> dict[str, Any] | None:
        value: Any = raw.get(name)
        if value is not None and not isinstance(value, dict):
            raise self._error(name, "an object")
        return cast("dict[str, Any] | None", value)

    def _list(self, raw: Mapping[str, Any], name: str, kind: type) -> list[Any]:
        value: Any = raw.get(name)
        allowed: tuple[type, ...] = _NUMBERS if kind is float else (kind,)
        if not isinstance(value, list) or not all(
            type(entry) in allowed for entry in cast("list[Any]", value)
        ):
            raise self._error(name, "a list")
        return cast("list[Any]", value)

    def _text(self, raw: Mapping[str, Any], name: str, default: str | None = None) -> str:
        value = raw.get(name, default)
        if not isinstance(value, str):
            raise self._error(name, "a text")
        return value

    def _natural(self, raw: Mapping[str, Any], name: str) -> int:
        value = raw.get(name)
        if type(value) is not int or value < 0:
            raise self._error(name, "a natural number")
        return value

    def _number(self, raw: Mapping[str, Any], name: str) -> float | None:
        value = raw.get(name)
        return None if value is None else self._float(value, name)

    def _float(self, value: Any, name: str) -> float:
        """A number of the file, which is read exactly, as the float whose digits it has."""
        try:
            if type(value) in _NUMBERS:
                return float(value)
        except OverflowError:
            pass
        raise self._error(name, "a number")

    def _pair(self, raw: Mapping[str, Any], name: str) -> tuple[float, float] | None:
        if raw.get(name) is None:
            return None
        pair = [self._float(value, name) for value in self._list(raw, name, float)]
        if len(pair) != 2 or not pair[0] < pair[1]:
            raise self._error(name, "two ascending numbers")
        return pair[0], pair[1]

    def _error(self, name: str, what: str) -> InputError:
        return InputError(f"{name!r} is not {what}.", where=self.where, hint=_HINT)


def _check(found: Schema, where: str) -> None:
    """Make sure that the groups are what they say: otherwise impossible inputs would count."""
    for what, names in (
        ("name", {column.name for column in found.columns}),
        ("feature", {column.said for column in found.columns}),
    ):
        if len(names) < len(found.columns):
            raise InputError(f"Two columns have the same {what}.", where=where, hint=_HINT)
    listed = [i for group in found.groups for i in group.outputs]
    owners = {found.bits[group.outputs[0]].column for group in found.groups}
    if sorted(listed) != list(range(len(found.bits))) or len(owners) < len(found.groups):
        raise InputError("'groups' are no partition by columns.", where=where, hint=_HINT)
    for group in found.groups:
        bits = [found.bits[i] for i in group.outputs]
        if not _belong(group.kind, bits, found.columns[bits[0].column]):
            what = f"The inputs about {group.feature!r} are not {group.kind}."
            raise InputError(what, where=where, hint=_HINT)


def _belong(kind: GroupKind, bits: Sequence[Bit], column: Column) -> bool:
    """Whether the inputs of a group are about one column, in the way that its kind says."""
    kinds = {bit.kind for bit in bits}
    numeric = kinds <= {"threshold", "interval", "number"}
    if len({bit.column for bit in bits}) != 1 or numeric != (column.categories is None):
        return False
    named = set(column.categories or ())
    match kind:
        case "free":
            return len(bits) == 1 and {bits[0].category, bits[0].other} - {None} <= named
        case "thermometer":
            cuts = [bit.lower for bit in bits if bit.lower is not None]
            return kinds == {"threshold"} and all(a < b for a, b in pairwise(cuts))
        case "one-hot":
            if kinds == {"category"}:
                return {bit.category for bit in bits} == named and len(bits) == len(named)
            ends = [None, *(bit.upper for bit in bits)]
            return numeric and ends[-1] is None and [bit.lower for bit in bits] == ends[:-1]
