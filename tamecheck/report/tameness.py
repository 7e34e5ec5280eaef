"""Sections on the model and its tameness: verdict, properties, derivation, what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tamecheck.ir.graph import Apply
from tamecheck.ir.structure import Structure
from tamecheck.report.markup import (
    Markup,
    bullets,
    code,
    element,
    facts,
    fold,
    joined,
    note,
    paragraph,
    table,
)
from tamecheck.report.page import Download, NotMadeError, Part
from tamecheck.report.subject import Subject
from tamecheck.show.proof import Arms, Entry, Repeat, See, Step, arrange, collapse, entry_count
from tamecheck.show.proof import obstacles as found_obstacles
from tamecheck.show.wording import (
    domain_text,
    headline,
    ingredients,
    property_rows,
    reason,
    structure_names,
)
from tamecheck.tame.verdict import Check, Verdict

_TONES = {
    Verdict.TAME: "good",
    Verdict.LOCALLY_TAME: "good",
    Verdict.NOT_TAME: "bad",
    Verdict.UNKNOWN: "open",
}
_MARKS = {Verdict.TAME: "✓", Verdict.LOCALLY_TAME: "✓", Verdict.NOT_TAME: "✗", Verdict.UNKNOWN: "?"}
_MOST_LINES = 3000
_MOST_INPUTS = 400


def verdict_markup(check: Check) -> Markup:
    """The verdict in a line."""
    verdict = check.verdict.value.replace("-", " ")
    structure = check.structure.public_name if check.structure else ""
    return paragraph(
        element("strong", f"{_MARKS[check.verdict]} {verdict}", class_=_TONES[check.verdict]),
        f" {structure}".rstrip() if structure else "",
        f" on {domain_text(check.box, check.graph.inputs)}. ",
        headline(check),
        class_="verdict",
    )


def model_part(subject: Subject, _limit: float) -> Part:
    """Inputs, outputs, parameters, operators and the hash."""
    graph, loaded = subject.model.graph, subject.model.loaded
    primitives = Counter(node.op.name for node in graph.nodes if isinstance(node, Apply))
    rows = [
        ("Source", subject.title),
        ("Format", loaded.format),
        ("Inputs", _shapes(subject.model.inputs)),
        ("Outputs", _shapes(subject.model.outputs)),
        ("Parameters", f"{graph.parameters:,}"),
        ("Domain", domain_text(subject.check.box, graph.inputs)),
        ("SHA-256 of the graph", code(graph.sha256)),
    ]
    parts = [facts(rows)]
    if loaded.source_ops:
        ops = ((code(name), str(count)) for name, count in loaded.source_ops.items())
        parts.append(table("Operators in the file", ("operator", "nodes"), ops))
    if primitives:
        ops = ((code(name), str(count)) for name, count in sorted(primitives.items()))
        parts.append(table("Primitive ops, each with an exact meaning", ("op", "nodes"), ops))
    names = list(enumerate(subject.names))
    if len(names) > 1:
        listed = ((str(k), name) for k, name in names[:_MOST_INPUTS])
        parts.append(
            fold(
                f"The {len(names)} input elements by name",
                table("Input elements", ("number", "name"), listed),
                *([f"{len(names) - _MOST_INPUTS} more."] if len(names) > _MOST_INPUTS else []),
            )
        )
    if subject.classes:
        said = ", ".join(subject.class_name(k) for k in range(len(subject.classes)))
        parts.append(facts([("Classes", said), ("Decision", decision_rule(subject))]))
    if loaded.notes:
        parts += [element("h3", "Notes on reading the file"), bullets(loaded.notes)]
    return Part(joined(*parts))


def decision_rule(subject: Subject) -> str:
    """How outputs decide, in words."""
    match subject.rule:
        case "argmax":
            return "the class of the largest output, the first of equal ones"
        case "argmin":
            return "the class of the smallest output, the first of equal ones"
        case "sign":
            return f"{subject.class_name(1)} where the output is positive, else " + (
                subject.class_name(0)
            )


def _shapes(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} [{', '.join(map(str, shape))}]" for name, shape in shapes.items())


def tameness_part(subject: Subject, _limit: float) -> Part:
    """The verdict, what is open, and the regularity of the function."""
    check = subject.check
    parts = [verdict_markup(check)]
    if check.structures:
        rows = ((s.symbol, s.public_name, _minimal(s)) for s in check.structures)
        parts.append(table("Smallest structures", ("structure", "name", "kind"), rows))
    if check.before_softmax:
        names = structure_names(check.before_softmax)
        parts.append(paragraph(f"The scores before the final softmax are definable in: {names}."))
    needed = ingredients(check)
    if needed:
        parts.append(table("What needs which structure", ("op", "structure"), needed))
    if check.witness is not None:
        parts.append(note(element("strong", "Witness. "), check.witness.summary))
    parts.extend(map(paragraph, check.weaker))
    if check.open:
        gaps = ((gap.node, gap.why, gap.settles) for gap in check.open)
        head = ("node", "why", "what would settle it")
        parts.append(table("Open nodes: the derivation stops here", head, gaps))
    else:
        parts.append(paragraph("No node is open.", class_="soft"))
    marks = {"yes": "✓ yes", "no": "✗ no"}
    rows = ((name, marks.get(word, word)) for name, word in property_rows(check.properties))
    parts.append(table("Properties of the function on the domain", ("property", "answer"), rows))
    if check.trusted:
        parts.append(note("Taken from a solver without proof: ", "; ".join(check.trusted)))
    return Part(joined(*parts), downloads=_certificate(check))


def _minimal(structure: Structure) -> str:
    return "o-minimal" if structure.o_minimal else "locally o-minimal"


def _certificate(check: Check) -> tuple[Download, ...]:
    if check.certificate is None:
        return ()
    says = f"The verdict on tameness: {check.verdict.value.replace('-', ' ')}."
    return (Download.of("tameness.certificate.json", says, check.certificate),)


def derivation_part(subject: Subject, _limit: float) -> Part:
    """The derivation, to unfold from each output down to the inputs."""
    check = subject.check
    outputs = [(name, collapse(entries)) for name, entries in arrange(check)]
    if not any(entries for _, entries in outputs):
        raise NotMadeError("There is no derivation: no node was reached.")
    total = sum(entry_count(entries) for _, entries in outputs)
    if total > _MOST_LINES:
        raise NotMadeError(
            f"The derivation has {total:,} lines, too many for a page; "
            "'tamecheck check --derivation' prints them."
        )
    stops = found_obstacles(check)
    words = "Each line says in which structures a node is definable and why, from the output down."
    trees = (
        fold(
            f"Output {name}: {entry_count(entries)} lines",
            _tree(entries, stops),
            opened=total <= 40,
        )
        for name, entries in outputs
    )
    return Part(joined(paragraph(words), *trees))


def _tree(entries: Sequence[Entry], stops: frozenset[int]) -> Markup:
    items: list[Markup] = []
    for entry in entries:
        match entry:
            case Step(line):
                why = reason(line)
                names = structure_names(line.structures) or "no structure found"
                items.append(
                    joined(
                        element("strong", "✗ stops here: ", class_="bad")
                        if line.node in stops
                        else "",
                        code(line.name),
                        element("span", f" {line.op}", class_="op"),
                        f" — {names}",
                        f" ({why})" if why else "",
                    )
                )
            case See(line):
                items.append(joined("as above: ", code(line.name)))
            case Arms(arms):
                branches = (
                    fold(f"Branch {number} of {len(arms)}", _tree(arm, stops), opened=len(arm) < 4)
                    for number, arm in enumerate(arms, start=1)
                )
                items.append(joined(*branches))
            case Repeat(times, inner):
                items.append(fold(f"{times} times these {len(inner)} lines", _tree(inner, stops)))
    return bullets(items, class_="tree")


def consequences_part(subject: Subject, _limit: float) -> Part:
    """The theorems that apply, each with the hypotheses that were checked."""
    found = subject.check.consequences
    if not found:
        raise NotMadeError(
            "No theorem applies: their hypotheses need a positive verdict with proved properties."
        )
    parts = [
        element(
            "p", "Each statement unfolds to its source and its hypotheses, as they were checked."
        )
    ]
    parts += [
        fold(one.theorem, paragraph(f"Source: {one.source}", class_="soft"), _ticks(one.hypotheses))
        for one in found
    ]
    return Part(joined(*parts))


def _ticks(hypotheses: Iterable[str]) -> Markup:
    tick = element("span", "✓ ", class_="good", aria_label="checked: ")
    return bullets((joined(tick, text) for text in hypotheses), class_="ticks")
