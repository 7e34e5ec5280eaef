"""The section on single rows: what suffices for a decision, and the nearest change of it."""

from __future__ import annotations

import time

from tamecheck.explain.explainer import Explainer
from tamecheck.explain.search import OutOfTimeError
from tamecheck.ir.tensor import Array
from tamecheck.show.report.markup import Markup, bullets, element, fold, joined, table
from tamecheck.show.report.rows import binarized
from tamecheck.show.report.rules import possible
from tamecheck.show.report.section import NotMadeError, Part
from tamecheck.show.report.subject import Subject

__all__ = ["explanations_part"]

_WORDS = (
    "A sufficient reason is a set of features, of which none can be left out, such that every "
    "possible input that agrees with the row on them is decided alike. The nearest change alters "
    "the fewest features that change the decision. Combinations of statements about one feature "
    "that cannot occur do not count as inputs."
)


def explanations_part(subject: Subject, limit: float) -> Part:
    """A sufficient reason and the nearest change for each of the chosen rows."""
    network = binarized(subject)
    sample = subject.sample
    if subject.rule == "argmin":
        raise NotMadeError("Explanations are made for decisions by the largest output.")
    if sample is None or not subject.examples:
        raise NotMadeError("Explanations belong to rows of a table: give --data TABLE.")
    explainer = Explainer.over(network, possible(subject), seed=subject.seed)
    deadline = time.monotonic() + 0.9 * limit
    parts: list[Markup] = [element("p", _WORDS)]
    missing: list[str] = []
    for place, row in enumerate(subject.examples):
        left = (deadline - time.monotonic()) / (len(subject.examples) - place)
        found, why = _row(subject, explainer, row, sample.points[row], max(0.2, left))
        parts.append(found)
        missing += [f"row {row}: {why}"] if why else []
    return Part(joined(*parts), "; ".join(missing))


def _row(
    subject: Subject, explainer: Explainer, row: int, point: Array, seconds: float
) -> tuple[Markup, str]:
    """What explains a row, and what is missing."""
    sample = subject.sample
    decision = subject.class_name(explainer.decide(point))
    parts = [element("h3", f"Row {row} is decided for {decision}")]
    if sample is not None and sample.classes:
        label = int(sample.labels[row])
        name = subject.class_name(label) if label >= 0 else "another class"
        parts.append(element("p", f"Its label is {name}.", class_="soft"))
    if sample is not None:
        cells = sample.shown[row].items()
        parts.append(fold("The row", table(f"Row {row}", ("column", "value"), cells)))
    reason = explainer.abductive(point, timeout=seconds / 2)
    total = len(explainer.domain.features)
    parts += [
        element(
            "p",
            element("strong", "Sufficient reason"),
            f" ({reason.size} of {total} features; {_rests(reason.rests_on)}):",
        ),
        bullets(reason.literals) if reason.size else element("p", "Every input is decided so."),
    ]
    missing = "" if reason.minimal else "whether its reason can be shorter was not settled in time"
    try:
        change = explainer.counterfactual(point, timeout=seconds / 2)
    except OutOfTimeError:
        return joined(*parts), missing or "its nearest change was not found in time"
    if change is None:
        parts.append(element("p", "No change at all leads to another decision."))
        return joined(*parts), missing
    moves = (
        f"{before} → {after}" for before, after in zip(change.before, change.literals, strict=True)
    )
    title = f" decides for {subject.class_name(change.other)} ({_rests(change.rests_on)}):"
    parts += [element("p", element("strong", "Nearest change"), title), bullets(moves)]
    return joined(*parts), missing


def _rests(on: str) -> str:
    return "exact search in integers" if on == "search" else f"on the word of {on}"
