"""The section on single rows: what suffices for a decision, and the nearest change of it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tamecheck.errors import TimeLimitError
from tamecheck.explain.answers import Abductive, Counterfactual
from tamecheck.explain.explainer import Explainer
from tamecheck.ir.tensor import Array
from tamecheck.loaders.samples import Sample, exact_points
from tamecheck.plots import draw_explanation, draw_relevancy
from tamecheck.report.figures import figure
from tamecheck.report.markup import Markup, bullets, element, fold, joined, table
from tamecheck.report.rows import binarized
from tamecheck.report.rules import possible
from tamecheck.report.section import NotMadeError, Part
from tamecheck.report.subject import Subject

__all__ = ["explanations_part"]

_MOST_OPEN = 16
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
    explainer = Explainer.over(
        network,
        possible(subject),
        classes=[subject.class_name(number) for number in range(network.classes)],
        shape=subject.shape,
        seed=subject.seed,
    )
    deadline = time.monotonic() + 0.9 * limit
    parts: list[Markup] = [element("p", _WORDS)]
    missing: list[str] = []
    for place, row in enumerate(subject.examples):
        left = (deadline - time.monotonic()) / (len(subject.examples) - place)
        found, why = _row(subject, explainer, sample, row, max(0.2, left))
        parts.append(found)
        missing += [f"{sample.origins[row]}: {why}"] if why else []
    return Part(joined(*parts), "; ".join(missing))


def _row(
    subject: Subject, explainer: Explainer, sample: Sample, position: int, seconds: float
) -> tuple[Markup, str]:
    """What explains a row, and what is missing."""
    origin, point = sample.origins[position], exact_points(sample)[position]
    row = origin.row
    decision = subject.class_name(explainer.decide(point))
    label = sample.label(position)
    place = "" if origin.line is None else f"It begins on line {origin.line} of the file. "
    said = "It has no label." if label is None else f"Its label is {label}."
    cells = sample.shown[position].items()
    parts = [
        element("h3", f"Row {row} is decided for {decision}"),
        element("p", f"{place}{said}", class_="soft"),
        fold("The row", table(f"Row {row}", ("column", "value"), cells)),
    ]
    reason = explainer.abductive(point, timeout=seconds / 3)
    total = len(explainer.domain.features)
    parts += [
        element(
            "p",
            element("strong", "Sufficient reason"),
            f" ({reason.size} of {total} features; {_rests(reason.rests_on)}):",
        ),
        _literals(reason.literals),
        *_drawn(reason, f"reason-{row}", f"Row {row}: the pixels of the sufficient reason."),
    ]
    missing = "" if reason.minimal else "whether its reason can be shorter was not settled in time"
    try:
        change = explainer.counterfactual(point, timeout=seconds / 3)
    except TimeLimitError:
        return joined(*parts), missing or "its nearest change was not found in time"
    if change is None:
        parts.append(element("p", "No change at all leads to another decision."))
        return joined(*parts), missing
    moves = (
        f"{before} → {after}" for before, after in zip(change.before, change.literals, strict=True)
    )
    title = f" decides for {subject.class_name(change.other)} ({_rests(change.rests_on)}):"
    parts += [element("p", element("strong", "Nearest change"), title), _literals(list(moves))]
    parts += _drawn(change, f"change-{row}", f"Row {row}: the pixels of the nearest change.")
    if not explainer.shape:
        parts += _weighed(explainer, row, point, seconds / 3)
    return joined(*parts), missing


def _literals(texts: Sequence[str]) -> Markup:
    """Statements about features; many are folded away."""
    if not texts:
        return element("p", "Every input is decided so.")
    items = bullets(texts)
    return items if len(texts) <= _MOST_OPEN else fold(f"{len(texts)} statements", items)


def _drawn(found: Abductive | Counterfactual, key: str, caption: str) -> list[Markup]:
    """The pixels of an explanation of an image."""
    if not found.shape:
        return []
    return [element("div", figure(draw_explanation(found), key, caption), class_="figures")]


def _weighed(explainer: Explainer, row: int, point: Array, seconds: float) -> list[Markup]:
    """How often each feature is in a reason, if all reasons are found in time."""
    found = explainer.relevancy(point, timeout=seconds)
    if not found.complete or found.reasons < 2:
        return []
    caption = f"Row {row}: in how many of all its reasons each feature is."
    drawn = figure(draw_relevancy(found), f"relevancy-{row}", caption)
    return [element("div", drawn, class_="figures")]


def _rests(on: str) -> str:
    words = {"recomputation": "shown twice, in integers", "search": "exact search in integers"}
    return words.get(on, f"on the word of {on}")
