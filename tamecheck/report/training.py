"""The record of a training: the table, its split, options and seed, and what was compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from tamecheck.report.commands import again
from tamecheck.report.markup import bullets, code, element, facts, joined, paragraph, table
from tamecheck.report.page import NotMadeError, Part
from tamecheck.report.subject import Subject

_SHOWN = 40
_READING = {
    "sep": "What separates cells",
    "decimal": "Decimal mark",
    "missing": "Missing values",
    "ignore": "Columns that are left out",
}


def training_part(subject: Subject, _limit: float) -> Part:
    """What the model was trained on, how, and from which candidates it was chosen."""
    training = None if subject.schema is None else subject.schema.training
    if subject.schema is None or training is None:
        raise NotMadeError(
            "Nothing is recorded of its training: 'tamecheck train' writes that beside its models."
        )
    record: Mapping[str, Any] = training.record
    same = training.sha256 == subject.table_sha256
    given = (
        ""
        if not subject.table_sha256
        else (" (the table of this report)" if same else " (not the table of this report)")
    )
    rows = [
        ("Table", training.table or "its name is not recorded"),
        ("SHA-256 of the table", joined(code(training.sha256), given)),
        ("Rows", f"{training.rows:,}"),
        ("held out", _numbers(training.held_out)),
    ]
    if training.left_out:
        rows.append(("left out, values missing", _numbers(training.left_out)))
    target = subject.schema.target
    if target is not None:
        rows.append(("Label", target.name or f"column {target.index}"))
    said = [key for key in ("method", "hidden", "seed") if key in record]
    rows += [(key.capitalize(), _plain(record[key])) for key in said]
    read = [(name, getattr(training.reading, name)) for name in _READING]
    rows += [(_READING[name], _plain(value)) for name, value in read if value not in (None, ())]
    options: Mapping[str, Any] = record.get("options") or {}
    rows += [(f"--{name}", _plain(value)) for name, value in options.items()]
    if "train_accuracy" in record:
        rows.append(("Accuracy on the rows of the training", f"{record['train_accuracy']:.1%}"))
    parts = [facts(rows)]
    selection: Mapping[str, Any] = record.get("selection") or {}
    candidates: Sequence[Mapping[str, Any]] = selection.get("candidates") or ()
    if candidates:
        head = tuple(dict.fromkeys(key for one in candidates for key in one))
        body = [[_plain(one.get(key, "")) for key in head] for one in candidates]
        caption = f"Candidates, by {selection.get('folds', 'several')} folds"
        parts += [table(caption, [key.capitalize() for key in head], body)]
        chosen = selection.get("chosen")
        if selection.get("rule"):
            parts.append(paragraph(f"Chosen: {_plain(chosen)}, by: {selection['rule']}."))
    why = cast("Sequence[str]", record.get("remarks") or record.get("why") or ())
    if why:
        parts += [element("h3", "Notes of the training"), bullets(map(str, why))]
    columns = [
        (
            column.said,
            column.unit or "-",
            ", ".join(column.categories[:_SHOWN]) if column.categories is not None else "numbers",
        )
        for column in subject.schema.columns
    ]
    parts.append(table("Columns that are read", ("column", "unit", "values"), columns))
    parts.append(again("tamecheck info --json " + subject.commands.model))
    return Part(joined(*parts))


def _numbers(rows: Sequence[int]) -> str:
    """How many rows, and which."""
    if not rows:
        return "none"
    more = ", ..." if len(rows) > _SHOWN else ""
    return f"{len(rows)}: {', '.join(map(str, rows[:_SHOWN]))}{more}"


def _plain(value: Any) -> str:
    """A value of the record as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, cast("Sequence[Any]", value))) or "none"
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value).items()
        return ", ".join(f"{name} {_plain(one)}" for name, one in pairs)
    return "none" if value is None else str(value)
