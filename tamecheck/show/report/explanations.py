"""The section on single rows: what suffices for a decision, and what would change it."""

from __future__ import annotations

import time

from tamecheck.explain.abductive import changeable, contrastive_within, sufficient
from tamecheck.explain.domain import Domain
from tamecheck.explain.search import Codes, OutOfTimeError, Search
from tamecheck.show.report.markup import Markup, bullets, element, fold, joined, table
from tamecheck.show.report.rows import binarized
from tamecheck.show.report.rules import domain_in_words
from tamecheck.show.report.section import NotMadeError, Part
from tamecheck.show.report.subject import Subject

__all__ = ["explanations_part"]


def explanations_part(subject: Subject, limit: float) -> Part:
    """A sufficient reason and a change for each of the chosen rows."""
    network = binarized(subject)
    sample = subject.sample
    if subject.rule == "argmin":
        raise NotMadeError("Explanations are made for decisions by the largest output.")
    if sample is None or not subject.examples:
        raise NotMadeError("Explanations belong to rows of a table: give --data TABLE.")
    domain = domain_in_words(subject)
    deadline = time.monotonic() + 0.9 * limit
    search = Search(network, domain, deadline=deadline, seed=subject.seed)
    parts: list[Markup] = []
    missing: list[str] = []
    for row in subject.examples:
        codes = domain.codes(network.states(sample.points[row : row + 1])[0])
        try:
            parts.append(_row(subject, search, row, codes))
        except OutOfTimeError:
            missing.append(f"row {row}: out of time")
    words = (
        "A sufficient reason is a smallest set of features by inclusion: every possible input that "
        "agrees with the row on them is decided alike, and no feature can be left out. The changes "
        "are a smallest set by inclusion whose features can change the decision. "
        "Impossible combinations of statements about one feature are left out of account."
    )
    rests = "Shown by exact search in integers."
    if search.trusted:
        rests += f" In part on the word of a solver: {', '.join(sorted(search.trusted))}."
    return Part(joined(element("p", words), element("p", rests), *parts), "; ".join(missing))


def _row(subject: Subject, search: Search, row: int, codes: Codes) -> Markup:
    domain, sample = search.domain, subject.sample
    decision = subject.class_name(search.decide(codes))
    parts: list[Markup] = [element("h3", f"Row {row} is decided for {decision}")]
    if sample is not None and sample.classes:
        label = int(sample.labels[row])
        name = subject.class_name(label) if label >= 0 else "another class"
        parts.append(element("p", f"Its label is {name}.", class_="soft"))
    reason = sufficient(search, codes)
    said = bullets(_value(domain, k, codes) for k in reason.features)
    if not reason.features:
        said = element("p", "Nothing: every possible input is decided so.")
    total = len(changeable(search, codes))
    parts.append(element("p", f"Sufficient ({len(reason.features)} of {total} features):"))
    parts.append(said)
    if reason.doubtful:
        names = ", ".join(domain.features[k].name for k in reason.doubtful)
        parts.append(
            element("p", f"Whether these are needed too was not settled in time: {names}.")
        )
    if reason.features:
        parts += _change(subject, search, codes)
    if sample is not None:
        cells = sample.shown[row].items()
        parts.append(fold("The row", table(f"Row {row}", ("column", "value"), cells)))
    return joined(*parts)


def _change(subject: Subject, search: Search, codes: Codes) -> list[Markup]:
    """Features that can change the decision, and values with which they do."""
    domain = search.domain
    changed = contrastive_within(search, codes, changeable(search, codes))
    other = search.change(codes, changed)
    if other is None:
        raise OutOfTimeError
    after = subject.class_name(search.decide(other))
    moves = (
        joined(_value(domain, k, codes), " → ", _value(domain, k, other))
        for k in changed
        if other[k] != codes[k]
    )
    return [element("p", f"These changes decide for {after}:"), bullets(moves)]


def _value(domain: Domain, feature: int, codes: Codes) -> str:
    return domain.features[feature].values[codes[feature]]
