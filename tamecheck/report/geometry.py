"""Sections with figures: gradient field, cells, Clarke Jacobian, decision regions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from tamecheck.derivative import JacobianSet, jacobian
from tamecheck.ir.exact import rational_text
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
from tamecheck.report.markup import Markup, element, figure, fold, joined, paragraph, table
from tamecheck.report.page import NotMadeError, Part
from tamecheck.report.subject import Subject, frame_box, projected
from tamecheck.report.tameness import decision_rule

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
