"""The section on decision rules, with what is proved about them."""

from __future__ import annotations

from tamecheck.explain.domain import Domain, domain_of
from tamecheck.explain.rules import get_rules
from tamecheck.show.report.markup import element, joined, note, table
from tamecheck.show.report.rows import binarized
from tamecheck.show.report.section import NotMadeError, Part
from tamecheck.show.report.subject import Subject

__all__ = ["domain_in_words", "rules_part"]

_MOST_RULES = 200


def domain_in_words(subject: Subject) -> Domain:
    """What can occur, in the words of the features that the inputs were made of."""
    network, said = binarized(subject), subject.vocabulary
    if said is None:
        return domain_of(network, names=subject.names)
    return domain_of(
        network,
        names=subject.names,
        one_hot=said.one_hot,
        thermometer=said.thermometer,
        words=said.words,
    )


def rules_part(subject: Subject, limit: float) -> Part:
    """The network as rules."""
    network = binarized(subject)
    if subject.rule == "argmin":
        raise NotMadeError("Rules are made for decisions by the largest output.")
    domain = domain_in_words(subject)
    data = None if subject.sample is None else subject.sample.points
    classes = [subject.class_name(number) for number in range(network.classes)]
    found = get_rules(
        network, domain, classes=classes, data=data, timeout=0.8 * limit, seed=subject.seed
    )
    shown = found.rules[:_MOST_RULES]
    rows = [(rule.if_, rule.label, f"{float(rule.coverage):.4%}") for rule in shown]
    if found.default is not None:
        rows.append(("otherwise, probably", found.classes[found.default], ""))
    parts = [
        note(found.summary),
        element("p", "Rules of different classes do not overlap, so their order does not matter."),
        table("Decision rules", ("if", "then", "share of all inputs"), rows),
    ]
    missing = ""
    if len(found.rules) > len(shown):
        missing = f"{len(found.rules) - len(shown)} more rules are left out; 'tamecheck rules' "
        missing += "prints all."
    return Part(joined(*parts), missing)
