"""Sections on the model, its tameness, and its geometry: cells, regions, gradients, Jacobians."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

from flint import arb

from tamecheck.derivative import JacobianSet, jacobian
from tamecheck.ir.exact import rational_text
from tamecheck.ir.graph import Apply
from tamecheck.ir.structure import Structure
from tamecheck.model import Model
from tamecheck.plots import (
    Plane,
    Points,
    draw_cells,
    draw_curve,
    draw_decision,
    draw_field,
    draw_jacobian,
    plane_of,
)
from tamecheck.report.page import (
    Download,
    Markup,
    NotMadeError,
    Part,
    bullets,
    code,
    element,
    facts,
    figure,
    fold,
    joined,
    note,
    paragraph,
    table,
)
from tamecheck.report.subject import Subject, frame_box, projected
from tamecheck.show import wording
from tamecheck.show.proof import Arms, Entry, Repeat, See, Step, arrange, collapse, entry_count
from tamecheck.show.proof import obstacles as found_obstacles
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
        f" on {wording.domain_text(check.box, check.graph.inputs)}. ",
        wording.headline(check),
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
        ("Domain", wording.domain_text(subject.check.box, graph.inputs)),
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
        names = wording.structure_names(check.before_softmax)
        parts.append(paragraph(f"The scores before the final softmax are definable in: {names}."))
    needed = wording.ingredients(check)
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
    rows = ((name, marks.get(word, word)) for name, word in wording.property_rows(check.properties))
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
                why = wording.reason(line)
                names = wording.structure_names(line.structures) or "no structure found"
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


_CELLS = 1500
_MOST_ENTRIES = 400
_MOST_VERTICES = 24


def _plane(subject: Subject, model: Model) -> tuple[Plane, str]:
    """A model on the coordinates of the figures, and how they were chosen, in words."""
    wide = [k for k, (low, high) in enumerate(subject.frame) if low < high]
    if not wide:
        raise NotMadeError("The domain is a single point, so there is nothing to draw.")
    moving = _moving(subject, wide)
    names = [subject.names[k] for k in moving]
    plane = plane_of(model.graph, frame_box(subject, moving), names=names)
    said = f"Drawn {subject.frame_why}."
    if len(wide) > 2:
        said = (
            f"A slice: {names[0]} and {names[1]} vary {subject.frame_why}; the other "
            f"{len(subject.frame) - 2} input elements are fixed at {subject.centre_why}."
        )
    return plane, said


def _moving(subject: Subject, wide: Sequence[int]) -> list[int]:
    """The first two elements that vary; of statements, the first ones about two features."""
    if len(wide) < 2 or subject.vocabulary is None:
        return list(wide[:2])
    said = subject.vocabulary
    groups = [*said.one_hot.values(), *said.thermometer.values()]
    own = next((set(group) for group in groups if wide[0] in group), set[int]())
    other = next((k for k in wide[1:] if k not in own), wide[1])
    return [wide[0], other]


def gradient_part(subject: Subject, limit: float) -> Part:
    """The gradient field of each of the first outputs, or the curve with its derivative."""
    plane, said = _plane(subject, subject.model)
    drawn: list[Markup] = []
    started = time.monotonic()
    for output in range(min(2, len(plane.outputs))):
        if output and time.monotonic() - started > limit / 3:
            # another figure takes as long again
            break
        one = plane.only(output)
        if plane.size == 1:
            picture, what = draw_curve(one, limit=_CELLS), "The function and its derivative"
        else:
            picture, what = draw_field(one, limit=_CELLS), "Gradient field on top of the values"
        drawn.append(figure(picture, f"gradient-{output}", f"{what}: {plane.outputs[output]}."))
    more = len(plane.outputs) - len(drawn)
    said += f" The other {more} outputs are not drawn." if more else ""
    return Part(joined(paragraph(said), element("div", *drawn, class_="figures")))


def cells_part(subject: Subject, _limit: float) -> Part:
    """The pieces on which the function is one affine map."""
    plane, said = _plane(subject, subject.model)
    if plane.size == 1:
        raise NotMadeError(
            "The model has one input: its pieces are the intervals in the figure of the gradient."
        )
    picture = draw_cells(plane, limit=_CELLS)
    words = "Cells that touch have one colour exactly if the function is the same map on both."
    return Part(joined(paragraph(said, f" {words}"), figure(picture, "cells", "Cells.")))


def decisions_part(subject: Subject, _limit: float) -> Part:
    """Where each class is decided for, with the rows of the table."""
    plane, said = _plane(subject, subject.decider)
    if plane.size == 1:
        raise NotMadeError("Regions are drawn for two coordinates; the model has one input.")
    data = None
    sample = subject.sample
    if sample is not None:
        labels: tuple[str, ...] = ()
        if sample.classes:
            labels = tuple(
                subject.class_name(k) if k >= 0 else "other" for k in sample.labels.tolist()
            )
        data = Points(projected(subject, plane.chart), labels)
        wide = sum(low < high for low, high in subject.frame)
        said += " The points are the rows of the table" + (
            ", moved onto the slice: the region under a point need not be the model's decision."
            if wide > 2
            else "."
        )
    classes = subject.class_names
    picture = draw_decision(plane, rule=subject.rule, classes=classes, data=data, limit=_CELLS)
    how = f"The decision is {decision_rule(subject)}."
    shown = figure(picture, "decisions", "Decision regions.")
    return Part(joined(paragraph(how, f" {said}"), shown))


def _summary(found: JacobianSet) -> str:
    """What the set is, in a sentence."""
    count = len(found.raw)
    if found.singleton:
        return "The function has a strict derivative here: the set is this one matrix."
    if found.at_least:
        return f"The set has at least {count} matrices; it is open {'; '.join(found.open)}."
    if found.round is not None:
        return f"The set is {found.describe()}."
    if found.listed:
        return f"The set is the convex hull of {count} matrices: a kink."
    return (
        f"The set is a base plus shares, between 0 and 1, of {len(found.generators)} matrices: "
        "many kinks meet here, and the vertices are not listed."
    )


def jacobian_part(subject: Subject, _limit: float) -> Part:
    """The Clarke Jacobian at the centre, vertex by vertex."""
    found = jacobian(subject.model.graph, list(subject.centre), "clarke")
    where = f"At {subject.centre_why}."
    point = fold(
        "The point",
        table(
            "Coordinates",
            ("input", "value"),
            (
                (name, rational_text(value))
                for name, value in zip(subject.names, subject.centre, strict=True)
            ),
        ),
    )
    if not found.defined:
        limits = ""
        if found.limits:
            limits = f" The values near the point: {len(found.limits)} different limits."
        none = "It is not known if there is a" if found.at_least else "There is no"
        why = f"{none} Clarke Jacobian here: {found.why or found.open[0]}.{limits}"
        return Part(joined(paragraph(where), paragraph(why), point))
    many, count = _summary(found), len(found.raw)
    sure = {
        True: "Automatic differentiation (with PyTorch's conventions at kinks) gives an element "
        "of the set.",
        False: "Automatic differentiation (with PyTorch's conventions at kinks) gives a matrix "
        "that is NOT in the set.",
        None: "Whether automatic differentiation gives an element of the set is not settled.",
    }[found.autodiff_in_set]
    kind = "Every entry is exact." if found.rational else "Entries are rigorous enclosures."
    parts = [paragraph(where, f" {many} {sure} {kind}"), point]
    rows, columns = found.shape
    if not found.singleton and found.round is None:
        parts.append(
            figure(draw_jacobian(found, names=subject.names), "jacobian", "The set of Jacobians.")
        )
    if rows * columns > _MOST_ENTRIES:
        parts.append(paragraph(f"The matrices have {rows} × {columns} entries and are not listed."))
        return Part(joined(*parts))
    if not found.listed:
        return Part(joined(*parts))
    for number, matrix in enumerate(found.vertices[:_MOST_VERTICES], start=1):
        listed = (
            (subject.names[k], *(_entry(matrix[row][k]) for row in range(rows)))
            for k in range(columns)
        )
        head = ("input", *(f"output {row}" for row in range(rows)))
        caption = "The derivative" if count == 1 else f"Vertex {number} of {count}"
        shown = table(caption, head, listed)
        parts.append(shown if count == 1 and columns <= 12 else fold(caption, shown))
    if count > _MOST_VERTICES:
        parts.append(paragraph(f"{count - _MOST_VERTICES} more vertices are not listed."))
    return Part(joined(*parts))


def _entry(value: Fraction | arb) -> str:
    if isinstance(value, Fraction):
        text = rational_text(value)
        return text if len(text) <= 14 else f"{float(value):.9g}…"
    return value.str(10)
