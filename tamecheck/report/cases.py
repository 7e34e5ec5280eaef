"""Single rows on the first page: typical ones, and those nearest to the boundary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tamecheck.budget import Budget
from tamecheck.errors import TamecheckError, TimeLimitError
from tamecheck.explain.answers import Abductive, Counterfactual
from tamecheck.explain.explainer import Explainer
from tamecheck.explain.models import ModelExplainer
from tamecheck.explain.networks import Described, model_explainer
from tamecheck.ir.tensor import Array
from tamecheck.loaders.samples import Sample, exact_points
from tamecheck.loaders.text.box import box_of_rows
from tamecheck.report import page
from tamecheck.report.subject import Subject, score_rows

_SHOWN, _LOOKED_AT = 3, 12
"""Of the rows with the smallest lead: shown, and those whose nearest change is looked for."""

_MOST_ROWS, _MOST_OPEN = 5000, 8


@dataclass(frozen=True, slots=True)
class _Case:
    """A row with what explains it; None where that was not found in time."""

    position: int
    reason: Abductive | None
    change: Counterfactual | None
    settled: bool
    """Whether the change, or that there is none, is known."""


def cases_part(subject: Subject, limit: float) -> page.Part:
    """Three typical rows and the three nearest to the boundary, each with its reason."""
    sample = subject.sample
    if sample is None:
        raise page.NotMadeError("Cases are rows of a table: give --data TABLE.")
    if subject.rule == "argmin":
        raise page.NotMadeError("Explanations are made for decisions by the largest output.")
    budget = Budget.of(0.85 * limit)
    explainer = explainer_of(subject)
    points = exact_points(sample)
    few = min(len(points), _MOST_ROWS)
    classes, leads = leading(subject, sample.points[:few])
    typical = _typical(sample.points[:few], classes)
    near = [int(k) for k in np.argsort(leads, kind="stable")[:_LOOKED_AT] if np.isfinite(leads[k])]
    changes: dict[int, _Case] = {}
    for done, row in enumerate(near):
        left = budget.seconds / (len(near) - done + 2 * len(typical) + _SHOWN)
        changes[row] = _changed(explainer, row, points[row], left)
    order = sorted(near, key=lambda row: (_distance(changes[row]), leads[row], row))
    nearest = order[:_SHOWN]
    missing: list[str] = []
    blocks: list[page.Markup] = []
    for title, words, rows in (
        ("Typical", _TYPICAL, typical),
        ("Nearest to the boundary", _NEAREST.format(len(near)), nearest),
    ):
        cards: list[page.Markup] = []
        for row in rows:
            left = budget.seconds / (2 * _SHOWN)
            case = changes.get(row) or _changed(explainer, row, points[row], left)
            case = _reasoned(explainer, case, points[row], left)
            cards.append(_card(subject, sample, explainer, case))
            if case.reason is None or not case.reason.minimal or not case.settled:
                missing.append(str(sample.origins[row]))
        blocks += [
            page.element("h3", title),
            page.paragraph(words, class_="soft"),
            page.element("div", *cards, class_="cards"),
        ]
    rows = ",".join(str(sample.origins[row].row) for row in [*typical, *nearest])
    lines = [
        subject.commands.line("explain", "--rows", rows, *kind, box=subject.network is None)
        for kind in ((), ("--kind", "counterfactual"))
    ]
    why = f"not settled in time: {'; '.join(dict.fromkeys(missing))}" if missing else ""
    return page.Part(page.joined(*blocks, page.again(*lines)), why)


_TYPICAL = (
    "Of the rows that are decided alike, the one nearest to their middle, column by column; first "
    "those of the most frequent decisions."
)
_NEAREST = (
    "Of the {} rows whose decision has the smallest lead, those where the fewest features have to "
    "change."
)


def explainer_of(subject: Subject) -> Explainer | ModelExplainer:
    """What explains the rows of a table: over what is possible, or over the box or the table."""
    if subject.network is not None:
        return Explainer.over(
            subject.binarized(),
            subject.possible(),
            classes=subject.class_names,
            shape=subject.shape,
            seed=subject.seed,
        )
    sample, inputs = subject.sample, subject.model.inputs
    bounds = subject.check.box.elements(inputs)
    box = subject.check.box
    if sample is not None and any(None in pair for pair in bounds):
        box = box_of_rows(exact_points(sample), inputs)
    try:
        return model_explainer(
            Described(subject.model),
            box=box,
            names=subject.names,
            classes=subject.class_names,
            seed=subject.seed,
        )
    except TamecheckError as error:
        raise page.NotMadeError(
            f"It needs a classifier that can be explained. {error.message}"
        ) from None


def leading(subject: Subject, points: Array) -> tuple[Array, Array]:
    """The class of each row, and how far its score is ahead of the next one.

    The lead is in units of the largest; it only says where to look.
    """
    if subject.network is not None:
        scores = subject.network.scores(subject.network.states(points)).astype(np.float64)
    else:
        scores = score_rows(subject.decider, points)
        if scores.shape[1] == 1:
            scores = np.column_stack([np.zeros(len(scores)), scores[:, 0]])
    classes = np.argmax(scores, axis=1)
    ordered = np.sort(scores, axis=1)
    return classes, ordered[:, -1] - ordered[:, -2]


def _typical(points: Array, classes: Array) -> list[int]:
    """Rows near the middle of those that are decided alike, from the most frequent class on."""
    numbers, counts = np.unique(classes, return_counts=True)
    spread = np.ptp(points, axis=0)
    scale = np.where(spread > 0, spread, 1).astype(np.float64)
    ranked: list[list[int]] = []
    for number in numbers[np.argsort(-counts, kind="stable")].tolist():
        places = np.flatnonzero(classes == number)
        own = points[places].astype(np.float64) / scale
        away = np.abs(own - np.median(own, axis=0)).sum(axis=1)
        ranked.append(places[np.argsort(away, kind="stable")].tolist())
    found: list[int] = []
    for turn in range(_SHOWN):
        found += [rows[turn] for rows in ranked if turn < len(rows)]
    return found[:_SHOWN]


def _changed(explainer: Any, row: int, point: Array, seconds: float) -> _Case:
    try:
        change = explainer.counterfactual(point, timeout=max(0.1, seconds))
    except TimeLimitError:
        return _Case(row, None, None, settled=False)
    return _Case(row, None, change, settled=True)


def _reasoned(explainer: Any, case: _Case, point: Array, seconds: float) -> _Case:
    try:
        reason = explainer.abductive(point, timeout=max(0.1, seconds))
    except TimeLimitError:
        reason = None
    return _Case(case.position, reason, case.change, case.settled)


def _distance(case: _Case) -> float:
    if case.change is None:
        # what cannot change is farther than what is not known
        return np.inf if case.settled else 1e9
    return float(case.change.distance)


def _card(subject: Subject, sample: Sample, explainer: Any, case: _Case) -> page.Markup:
    """A row: its decision and label, why, and what would have to change."""
    origin = sample.origins[case.position]
    label = sample.label(case.position)
    decision = subject.class_name(explainer.decide(exact_points(sample)[case.position]))
    line = "" if origin.line is None else f" (line {origin.line})"
    told = "no label" if label is None else f"labelled {label}"
    rows: list[tuple[str, str]] = []
    if case.reason is not None:
        rows.append(("because", _listed(case.reason.literals, "whatever its values are")))
    if case.change is not None:
        pairs = zip(case.change.before, case.change.literals, strict=True)
        other = subject.class_name(case.change.other)
        rows.append((f"{other} with", _listed([f"{a} → {b}" for a, b in pairs], "")))
    elif case.settled:
        rows.append(("otherwise", "no possible change"))
    head = page.element(
        "h4", f"Row {origin.row}{line}: ", page.element("strong", decision), f", {told}"
    )
    cells = sample.shown[case.position].items()
    whole = page.fold("The row", page.table(f"Row {origin.row}", ("column", "value"), cells))
    return page.element("div", head, page.facts(rows), whole, class_="card")


def _listed(texts: Sequence[str], nothing: str) -> page.Markup:
    if not texts:
        return page.joined(nothing)
    first = page.bullets(texts[:_MOST_OPEN])
    rest = texts[_MOST_OPEN:]
    return page.joined(first, page.fold(f"{len(rest)} more", page.bullets(rest))) if rest else first
