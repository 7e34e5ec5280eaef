"""Sections on a table: rows and decisions, single rows, and the record of the training."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from tamecheck.budget import Budget
from tamecheck.errors import TimeLimitError
from tamecheck.explain.answers import Abductive, Counterfactual
from tamecheck.explain.explainer import Explainer
from tamecheck.explain.models import ModelExplainer
from tamecheck.ir.tensor import Array
from tamecheck.loaders.samples import Sample, exact_points
from tamecheck.plots import draw_explanation, draw_relevancy
from tamecheck.report import page
from tamecheck.report.cases import explainer_of
from tamecheck.report.subject import Subject

_BLOCK = 500


def data_part(subject: Subject, limit: float) -> page.Part:
    """How many rows are decided as they are labelled."""
    sample = subject.sample
    if sample is None:
        raise page.NotMadeError("No table was given: --data TABLE --target COL.")
    parts = [page.paragraph(sample.how)]
    if not sample.classes:
        raise page.NotMadeError(
            f"The labels of the table are not {max(subject.outputs, 2)} classes, so decisions "
            "cannot be compared with them."
        )
    started = time.monotonic()
    blocks: list[Array] = []
    for start in range(0, len(sample.points), _BLOCK):
        if time.monotonic() - started > limit / 2:
            break
        blocks.append(subject.decided(sample.points[start : start + _BLOCK]))
    decided = np.concatenate(blocks)
    labels = sample.labels[: len(decided)]
    right = int((decided == labels).sum())
    total = len(labels)
    parts.append(
        page.paragraph(
            page.element("strong", f"{right} of {total} rows"),
            f" ({right / total:.1%}) are decided as labelled.",
        )
    )
    parts += _apart(subject, sample, decided == labels)
    if sample.table.left_out:
        shown = [str(row) for row in sample.table.left_out]
        parts.append(page.fold(f"{len(shown)} rows are left out", page.bullets(shown)))
    names = subject.class_names
    rows: list[tuple[str, ...]] = []
    for number, name in [*enumerate(names), (-1, "another label")]:
        mask = labels == number
        if number >= 0 or mask.any():
            counts = [str(int((decided[mask] == k).sum())) for k in range(len(names))]
            rows.append((name, *counts))
    parts.append(page.table("Rows by label (down) and decision (across)", ("label", *names), rows))
    missing = ""
    if len(sample.points) > total:
        missing = f"Only the first {total} of {len(sample.points)} rows were run in time."
    return page.Part(page.joined(*parts), missing)


def _apart(subject: Subject, sample: Sample, right: Array) -> list[page.Markup]:
    """How right the model is on rows that it was trained on, and on others, beside one answer."""
    training = None if subject.schema is None else subject.schema.training
    if training is None:
        return [page.paragraph("Whether the model was trained on these rows is not known.")]
    labels = [sample.label(k) for k in range(len(right))]
    if training.sha256 != subject.table_sha256:
        words = "This is not the file that the model was trained on."
        parts = (("rows of this file", list(range(len(right)))),)
        known = labels
    else:
        held = set(training.held_out)
        rows = [origin.row for origin in sample.origins[: len(right)]]
        parts = (
            ("held out of the training", [k for k, row in enumerate(rows) if row in held]),
            ("trained on", [k for k, row in enumerate(rows) if row not in held]),
        )
        words = "Only the rows that were held out of the training say how it does on new ones."
        if not held:
            words = "The model was trained on all of these rows: this says nothing about new ones."
        known = [label for label, row in zip(labels, rows, strict=True) if row not in held]
    majority = Counter(label for label in known if label is not None).most_common(1)
    most = majority[0][0] if majority else ""
    body = [
        (
            name,
            str(len(places)),
            _share(sum(bool(right[k]) for k in places), len(places)),
            _share(sum(labels[k] == most for k in places), len(places)),
        )
        for name, places in parts
        if places
    ]
    head = ("rows", "how many", "decided as labelled", f"right by always saying {most}")
    return [page.paragraph(words), page.table("Rows that were trained on, and others", head, body)]


def _share(count: int, total: int) -> str:
    return f"{count} ({count / total:.1%})"


# --- single rows ---------------------------------------------------------------------------------

_MOST_OPEN = 16
_WORDS = (
    "A sufficient reason is a set of features, of which none can be left out, such that every "
    "possible input that agrees with the row on them is decided alike. The nearest change alters "
    "the fewest features that change the decision. Combinations of statements about one feature "
    "that cannot occur do not count as inputs."
)


def explanations_part(subject: Subject, limit: float) -> page.Part:
    """A sufficient reason and the nearest change for each of the chosen rows."""
    sample = subject.sample
    if subject.rule == "argmin":
        raise page.NotMadeError("Explanations are made for decisions by the largest output.")
    if sample is None or not subject.examples:
        raise page.NotMadeError("Explanations belong to rows of a table: give --data TABLE.")
    explainer = explainer_of(subject)
    budget = Budget.of(0.9 * limit)
    parts: list[page.Markup] = [page.paragraph(_WORDS)]
    missing: list[str] = []
    for place, row in enumerate(subject.examples):
        left = budget.seconds / (len(subject.examples) - place)
        found, why = _row(subject, explainer, sample, row, max(0.2, left))
        parts.append(found)
        missing += [f"{sample.origins[row]}: {why}"] if why else []
    return page.Part(page.joined(*parts), "; ".join(missing))


def _row(
    subject: Subject,
    explainer: Explainer | ModelExplainer,
    sample: Sample,
    position: int,
    seconds: float,
) -> tuple[page.Markup, str]:
    """What explains a row, and what is missing."""
    origin, point = sample.origins[position], exact_points(sample)[position]
    row = origin.row
    decision = subject.class_name(explainer.decide(point))
    label = sample.label(position)
    place = "" if origin.line is None else f"It begins on line {origin.line} of the file. "
    said = "It has no label." if label is None else f"Its label is {label}."
    cells = sample.shown[position].items()
    parts = [
        page.element("h3", f"Row {row} is decided for {decision}"),
        page.paragraph(f"{place}{said}", class_="soft"),
        page.fold("The row", page.table(f"Row {row}", ("column", "value"), cells)),
    ]
    reason = explainer.abductive(point, timeout=seconds / 3)
    total = len(explainer.domain.features)
    parts += [
        page.paragraph(
            page.element("strong", "Sufficient reason"),
            f" ({reason.size} of {total} features; {_rests(reason.rests_on)}):",
        ),
        _literals(reason.literals),
        *_drawn(reason, f"reason-{row}", f"Row {row}: the pixels of the sufficient reason."),
    ]
    missing = "" if reason.minimal else "whether its reason can be shorter was not settled in time"
    try:
        change = explainer.counterfactual(point, timeout=seconds / 3)
    except TimeLimitError:
        return page.joined(*parts), missing or "its nearest change was not found in time"
    if change is None:
        parts.append(page.paragraph("No change at all leads to another decision."))
        return page.joined(*parts), missing
    moves = (
        f"{before} → {after}" for before, after in zip(change.before, change.literals, strict=True)
    )
    title = f" decides for {subject.class_name(change.other)} ({_rests(change.rests_on)}):"
    parts += [
        page.paragraph(page.element("strong", "Nearest change"), title),
        _literals(list(moves)),
    ]
    parts += _drawn(change, f"change-{row}", f"Row {row}: the pixels of the nearest change.")
    if not explainer.shape:
        parts += _weighed(explainer, row, point, seconds / 3)
    return page.joined(*parts), missing


def _literals(texts: Sequence[str]) -> page.Markup:
    """Statements about features; many are folded away."""
    if not texts:
        return page.paragraph("Every input is decided so.")
    items = page.bullets(texts)
    return items if len(texts) <= _MOST_OPEN else page.fold(f"{len(texts)} statements", items)


def _drawn(found: Abductive | Counterfactual, key: str, caption: str) -> list[page.Markup]:
    """The pixels of an explanation of an image."""
    if not found.shape:
        return []
    return [
        page.element("div", page.figure(draw_explanation(found), key, caption), class_="figures")
    ]


def _weighed(
    explainer: Explainer | ModelExplainer, row: int, point: Array, seconds: float
) -> list[page.Markup]:
    """How often each feature is in a reason, if all reasons are found in time."""
    found = explainer.relevancy(point, timeout=seconds)
    if not found.complete or found.reasons < 2:
        return []
    caption = f"Row {row}: in how many of all its reasons each feature is."
    drawn = page.figure(draw_relevancy(found), f"relevancy-{row}", caption)
    return [page.element("div", drawn, class_="figures")]


def _rests(on: str) -> str:
    words = {"recomputation": "shown twice, in integers", "search": "exact search in integers"}
    words["outward rounding"] = "proved by bounds that are rounded outward"
    return words.get(on, f"on the word of {on}")


_SHOWN = 40
_READING = {
    "sep": "What separates cells",
    "decimal": "Decimal mark",
    "missing": "Missing values",
    "ignore": "Columns that are left out",
}


def training_part(subject: Subject, _limit: float) -> page.Part:
    """What the model was trained on, how, and from which candidates it was chosen."""
    training = None if subject.schema is None else subject.schema.training
    if subject.schema is None or training is None:
        raise page.NotMadeError(
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
        ("SHA-256 of the table", page.joined(page.code(training.sha256), given)),
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
    parts = [page.facts(rows)]
    selection: Mapping[str, Any] = record.get("selection") or {}
    candidates: Sequence[Mapping[str, Any]] = selection.get("candidates") or ()
    if candidates:
        head = tuple(dict.fromkeys(key for one in candidates for key in one))
        body = [[_plain(one.get(key, "")) for key in head] for one in candidates]
        caption = f"Candidates, by {selection.get('folds', 'several')} folds"
        parts += [page.table(caption, [key.capitalize() for key in head], body)]
        chosen = selection.get("chosen")
        if selection.get("rule"):
            parts.append(page.paragraph(f"Chosen: {_plain(chosen)}, by: {selection['rule']}."))
    why = cast("Sequence[str]", record.get("remarks") or record.get("why") or ())
    if why:
        parts += [page.element("h3", "Notes of the training"), page.bullets(map(str, why))]
    columns = [
        (
            column.said,
            column.unit or "-",
            ", ".join(column.categories[:_SHOWN]) if column.categories is not None else "numbers",
        )
        for column in subject.schema.columns
    ]
    parts.append(page.table("Columns that are read", ("column", "unit", "values"), columns))
    parts.append(page.again("tamecheck info --json " + subject.commands.model))
    return page.Part(page.joined(*parts))


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
