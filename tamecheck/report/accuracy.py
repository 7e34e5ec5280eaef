"""The section on the table: how right the model is on rows of the training, and on others."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np

from tamecheck.ir.tensor import Array
from tamecheck.loaders.samples import Sample
from tamecheck.report.markup import Markup, bullets, element, fold, joined, table
from tamecheck.report.section import NotMadeError, Part
from tamecheck.report.subject import Subject

__all__ = ["data_part"]

_BLOCK = 500


def data_part(subject: Subject, limit: float) -> Part:
    """How many rows are decided as they are labelled."""
    sample = subject.sample
    if sample is None:
        raise NotMadeError("No table was given: --data TABLE --target COL.")
    parts = [element("p", sample.how)]
    if not sample.classes:
        raise NotMadeError(
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
        element(
            "p",
            element("strong", f"{right} of {total} rows"),
            f" ({right / total:.1%}) are decided as labelled.",
        )
    )
    parts += _apart(subject, sample, decided == labels)
    if sample.table.left_out:
        shown = [str(row) for row in sample.table.left_out]
        parts.append(fold(f"{len(shown)} rows are left out", bullets(shown)))
    names = [subject.class_name(k) for k in range(max(subject.outputs, 2))]
    rows: list[tuple[str, ...]] = []
    for number, name in [*enumerate(names), (-1, "another label")]:
        mask = labels == number
        if number >= 0 or mask.any():
            counts = [str(int((decided[mask] == k).sum())) for k in range(len(names))]
            rows.append((name, *counts))
    parts.append(table("Rows by label (down) and decision (across)", ("label", *names), rows))
    missing = ""
    if len(sample.points) > total:
        missing = f"Only the first {total} of {len(sample.points)} rows were run in time."
    return Part(joined(*parts), missing)


def _apart(subject: Subject, sample: Sample, right: Array) -> list[Markup]:
    """How right the model is on rows that it was trained on, and on others, beside one answer."""
    training = None if subject.schema is None else subject.schema.training
    if training is None:
        return [element("p", "Whether the model was trained on these rows is not known.")]
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
    return [element("p", words), table("Rows that were trained on, and others", head, body)]


def _share(count: int, total: int) -> str:
    return f"{count} ({count / total:.1%})"
