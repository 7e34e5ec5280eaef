"""The section on decision rules, with what is proved about them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import TamecheckError, UnsupportedError
from tamecheck.explain.cell_rules import rules_of_cells
from tamecheck.explain.counts import count_within
from tamecheck.explain.domain import Domain
from tamecheck.explain.inequalities import wording
from tamecheck.explain.neurons import NetworkLogic, network_logic
from tamecheck.explain.rules import MAX_TABLE, get_rules
from tamecheck.explain.rules_result import Rule, about, percent, shares
from tamecheck.explain.sketches import sketch
from tamecheck.explain.words import conjunction
from tamecheck.report import page
from tamecheck.report.subject import Subject, frame_box

_MOST_RULES = 200
_OPEN_RULES = 12
_MOST_AXES = 4
_MOST_CELLS = 1000


def rules_part(subject: Subject, limit: float) -> page.Part:
    """The network as rules."""
    if subject.rule == "argmin":
        raise page.NotMadeError("Rules are made for decisions by the largest output.")
    if subject.network is None:
        return _of_cells(subject)
    network, domain = subject.network, subject.possible()
    data = None if subject.sample is None else subject.sample.points
    classes = subject.class_names
    neurons = _neurons(network_logic(network, domain, classes))
    if domain.size > MAX_TABLE:
        few = _few(subject, network, domain, limit / 2)
        missing = f"There are {domain.size} possible inputs, so no exact rules were looked for."
        return page.Part(page.joined(*few, neurons), missing)
    found = get_rules(
        network, domain, classes=classes, data=data, timeout=limit / 2, seed=subject.seed
    )
    outline = found.outline(timeout=limit / 8)
    parts = [page.note(found.summary)]
    if outline is not None:
        parts += [page.element("h3", "In short"), page.element("pre", outline.text)]
    elif len(found.rules) > _OPEN_RULES:
        parts += _few(subject, network, domain, limit / 8)
    parts.append(
        page.paragraph("Rules of different classes do not overlap, so their order does not matter.")
    )
    left_out = 0
    for number, name in enumerate(found.classes):
        own = [rule for rule in found.rules if rule.then == number]
        parts += _of_class(name, own[:_MOST_RULES])
        left_out += len(own[_MOST_RULES:])
    if found.default is not None:
        guess = f"Otherwise the decision is probably {found.classes[found.default]}."
        parts.append(page.paragraph(guess))
    parts.append(neurons)
    missing = f"{left_out} more rules; 'tamecheck rules' prints all." if left_out else ""
    return page.Part(page.joined(*parts), missing)


def _few(
    subject: Subject, network: ThresholdNetwork, domain: Domain, seconds: float
) -> list[page.Markup]:
    """A few rules that are mostly right, with what is proved about them."""
    states = None if subject.sample is None else network.states(subject.sample.points)
    classes = subject.class_names
    found = sketch(network, domain, classes, states=states, seconds=seconds, seed=subject.seed)
    rows = (
        (
            conjunction(rule.conditions),
            classes[rule.then],
            about(rule.coverage),
            f"{'' if rule.exact else 'at least '}{percent(rule.right)}",
        )
        for rule in found.rules
    )
    head = ("if", "then", "of all inputs", "right for")
    return [
        page.element("h3", "In short, though not always right"),
        page.table("A few rules that tell all inputs apart", head, rows),
        page.paragraph(found.summary),
    ]


def _of_class(name: str, rules: Sequence[Rule]) -> list[page.Markup]:
    """The rules of a class, the widest first."""
    items = [
        page.joined(
            rule.if_,
            page.element("span", f" ({about(rule.coverage)} of all inputs)", class_="soft"),
        )
        for rule in rules
    ]
    return _listed(name, items)


def _listed(name: str, items: Sequence[str]) -> list[page.Markup]:
    """The conditions of a class; many are folded away."""
    heading = page.element("h3", f"{name} if")
    if not items:
        return [heading, page.paragraph("No rule was found.", class_="soft")]
    first = page.bullets(items[:_OPEN_RULES])
    if len(items) <= _OPEN_RULES:
        return [heading, first]
    rest = items[_OPEN_RULES:]
    return [heading, first, page.fold(f"{len(rest)} more rules for {name}", page.bullets(rest))]


def _neurons(logic: NetworkLogic) -> page.Markup:
    """Every neuron as a rule, from the inputs to the decision."""
    parts = [page.paragraph("The same network neuron by neuron; equal to it on every input.")]
    for number, layer in enumerate(logic.layers, start=1):
        used = [neuron for neuron in layer if neuron.used]
        rows = ((neuron.name, neuron.rule.text) for neuron in used[:_MOST_RULES])
        caption = f"Layer {number}: {len(used)} of {len(layer)} neurons matter"
        parts.append(page.table(caption, ("neuron", "holds if"), rows))
    if logic.decision is not None:
        last = f"{logic.classes[1]} if {logic.decision.text}; else {logic.classes[0]}."
        parts.append(page.paragraph(last))
    else:
        parts.append(
            page.bullets(f"score of {score.label}: {score.text}" for score in logic.scores)
        )
        parts.append(page.paragraph("The largest score decides, the first of several."))
    return page.fold("Every neuron as a rule", *parts)


def count_part(subject: Subject, limit: float) -> page.Part:
    """How many of all possible inputs each class has."""
    network, domain = subject.binarized(), subject.possible()
    if subject.rule == "argmin":
        raise page.NotMadeError("Counts are made for decisions by the largest output.")
    found = count_within(network, domain, seconds=limit / 2)
    if not any(found.lower):
        raise page.NotMadeError(
            f"There are {domain.size:,} possible inputs, and none could be counted in time; "
            "'tamecheck count' counts under conditions and in balls."
        )
    rows: list[tuple[str, str, str]] = []
    exact = shares(found.lower)
    for number, (low, high) in enumerate(zip(found.lower, found.upper, strict=True)):
        share = exact[number] if found.exact else percent(Fraction(low, domain.size))
        many = f"{low:,}" if found.exact else f"{low:,} to {high:,}"
        rows.append(
            (subject.class_name(number), many, share if found.exact else f"at least {share}")
        )
    words = f"Each of the {domain.size:,} possible inputs was decided, in integers."
    if not found.exact:
        words = f"Proved bounds for the {domain.size:,} possible inputs, in integers."
    missing = "" if found.exact else f"{found.open:,} inputs were not counted in time"
    shown = page.table("All possible inputs", ("class", "inputs", "share"), rows)
    return page.Part(page.joined(page.paragraph(words), shown), missing)


def _of_cells(subject: Subject) -> page.Part:
    """The rules of a piecewise linear model with few inputs: linear inequalities."""
    wide = [k for k, (low, high) in enumerate(subject.frame) if low < high]
    if len(wide) > _MOST_AXES:
        raise page.NotMadeError(
            f"Rules come from a binarized network, or from the cells of at most {_MOST_AXES} "
            f"inputs here ('tamecheck rules --box' takes more); {len(wide)} vary. "
            f"As a binarized network: {subject.network_why}"
        )
    try:
        found = rules_of_cells(
            subject.model,
            frame_box(subject, wide),
            names=subject.names,
            classes=subject.class_names,
            limit=_MOST_CELLS,
        )
    except TamecheckError as error:
        nodes = error.nodes if isinstance(error, UnsupportedError) else ()
        why = f"{nodes[0][0]}: {nodes[0][1]}" if nodes else error.message
        raise page.NotMadeError(
            "Rules come from a binarized network, or from the cells of a continuous piecewise "
            f"linear model. This is neither: {why.rstrip('.')}."
        ) from None
    parts = [page.note(found.summary), page.paragraph(f"The rules hold {subject.frame_why}.")]
    said = wording([rule.inequalities for rule in found.rules], subject.names)
    if said.definitions:
        parts.append(
            page.fold(f"{len(said.definitions)} sums in the rules", page.bullets(said.definitions))
        )
    left_out = 0
    for number, name in enumerate(found.classes):
        pairs = zip(said.conditions, found.rules, strict=True)
        items = [text for text, rule in pairs if rule.then == number]
        parts += _listed(name, items[:_MOST_RULES])
        left_out += len(items[_MOST_RULES:])
    missing = f"{left_out} more rules; 'tamecheck rules --box' prints all." if left_out else ""
    return page.Part(page.joined(*parts), missing)
