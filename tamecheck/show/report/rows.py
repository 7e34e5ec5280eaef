"""Sections on the table: how the model does on it, and how far its decisions reach."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

import numpy as np

from tamecheck.binarized import BinarizedNetwork
from tamecheck.errors import DomainError
from tamecheck.ir.exact import rational, rational_text
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName
from tamecheck.ir.tensor import Array, size_of
from tamecheck.show.report.markup import Markup, element, fold, joined, table
from tamecheck.show.report.section import Download, NotMadeError, Part
from tamecheck.show.report.subject import Subject
from tamecheck.show.report.tameness import decision_rule
from tamecheck.verify import HammingBall, Holds, Violated, verify

__all__ = ["binarized", "data_part", "robustness_part"]

_BLOCK = 500
_STEPS = 10
_POINTS = 3


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


def binarized(subject: Subject) -> BinarizedNetwork:
    """The model in integers; a section without one is not made."""
    if subject.network is None:
        raise NotMadeError(
            "It needs a binarized network on inputs with two levels. "
            f"{subject.network_why[:1].upper()}{subject.network_why[1:].rstrip('.')}."
        )
    return subject.network


def robustness_part(subject: Subject, limit: float) -> Part:
    """How far each of a few inputs can be changed before the decision changes."""
    if subject.network is not None and subject.sample is not None:
        return _flips(subject, subject.network, time.monotonic() + limit)
    if subject.network is not None:
        raise NotMadeError("Distances of a binarized network belong to rows: give --data TABLE.")
    return _boxes(subject, time.monotonic() + limit)


def _flips(subject: Subject, network: BinarizedNetwork, deadline: float) -> Part:
    """The least number of changed inputs, row by row."""
    sample = subject.sample
    if sample is None or subject.rule == "argmin":
        raise NotMadeError("Distances are computed for decisions by the largest output.")
    rows: list[tuple[str, ...]] = []
    changes: list[Markup] = []
    downloads: list[Download] = []
    missing: list[str] = []
    for place, row in enumerate(subject.examples):
        left = (deadline - time.monotonic()) / (len(subject.examples) - place)
        states = network.states(sample.points[row : row + 1])[0]
        ball = HammingBall(subject.decider.graph, network, states)
        found = ball.distance(timeout=max(0.2, 0.7 * left))
        never = found.witness is None and found.lower > len(network.free)
        if never:
            said = "no input at all is decided otherwise"
        elif found.exact:
            said = f"{found.upper}"
        else:
            upper = "" if found.upper is None else f", at most {found.upper}"
            said = f"at least {found.lower}{upper}"
            missing.append(f"row {row}: {found.why or 'not settled'}")
        certificate = None
        if found.exact or never:
            certificate = ball.certify_distance(found, timeout=max(0.2, 0.25 * left))
        rests = found.checked.replace("-", " ")
        if certificate is not None:
            name = f"row-{row}.distance.certificate.json"
            says = f"Row {row}: the least number of changed inputs is {said}."
            data = json.dumps(certificate, allow_nan=False, separators=(",", ":")).encode()
            downloads.append(Download(name, says, data))
            rests = "certificate"
        rows.append((f"row {row}", subject.class_name(found.decision), said, rests))
        if found.witness is not None:
            changed = _changed(subject, network, states, found.witness)
            after = int(network.decide(np.array([found.witness], dtype=np.int8))[0])
            many = "1 change decides" if len(changed) == 1 else f"{len(changed)} changes decide"
            title = f"Row {row}: {many} for {subject.class_name(after)}"
            head = ("input", "from", "to")
            changes.append(fold(title, table("Changed inputs", head, changed)))
    if not rows:
        raise NotMadeError("No row was chosen.")
    words = (
        "The least number of inputs that must change to their other level so that the decision "
        "changes; any combination of levels counts as an input."
    )
    head = ("row", "decision", "changes needed", "rests on")
    body = joined(element("p", words), table("Distances", head, rows), *changes)
    return Part(body, "; ".join(missing), tuple(downloads))


def _changed(
    subject: Subject, network: BinarizedNetwork, before: np.ndarray, after: Sequence[int]
) -> list[tuple[str, str, str]]:
    old, new = network.point(before), network.point(after)
    return [
        (subject.names[k], rational_text(old[k]), rational_text(new[k]))
        for k in range(len(old))
        if old[k] != new[k]
    ]


def _boxes(subject: Subject, deadline: float) -> Part:
    """L∞ radii by bisection: shown safe below, a witness above."""
    points = _centres(subject)
    rows: list[tuple[str, ...]] = []
    for place, (name, point) in enumerate(points):
        left = (deadline - time.monotonic()) / (len(points) - place)
        found = _radius(subject, point, time.monotonic() + 0.95 * left)
        upper = "none found" if found.upper is None else _decimal(found.upper, ROUND_CEILING)
        rows.append(
            (name, subject.class_name(found.decision), _decimal(found.lower, ROUND_FLOOR), upper)
        )
    words = (
        f"The decision ({decision_rule(subject)}) is proved to stay for every input whose elements "
        "all differ by at most the proved radius from the point's; at the distance in the last "
        "column an input was found, and evaluated exactly, that is decided otherwise. "
        f"Radii by bisection of at most {_STEPS} steps, in the units of the inputs; inputs outside "
        "the domain count too."
    )
    head = ("point", "decision", "proved radius", "otherwise at")
    return Part(joined(element("p", words), table("L∞ balls", head, rows)))


def _centres(subject: Subject) -> list[tuple[str, tuple[Fraction, ...]]]:
    if subject.sample is not None and subject.examples:
        return [
            (f"row {row}", tuple(map(rational, subject.sample.points[row].tolist())))
            for row in subject.examples
        ]
    rng = np.random.default_rng(subject.seed)
    found = [(subject.centre_why, subject.centre)]
    for number in range(1, _POINTS):
        steps = rng.integers(0, 17, size=len(subject.frame)).tolist()
        point = tuple(
            low + (high - low) * Fraction(step, 16)
            for step, (low, high) in zip(steps, subject.frame, strict=True)
        )
        found.append((f"random point {number}", point))
    return found


class _Radius:
    """What is known of a radius."""

    __slots__ = ("decision", "lower", "upper")

    def __init__(self, decision: int) -> None:
        self.decision = decision
        self.lower = Fraction(0)
        self.upper: Fraction | None = None


def _radius(subject: Subject, point: tuple[Fraction, ...], deadline: float) -> _Radius:
    values = np.array([[float(value) for value in point]])
    try:
        found = _Radius(int(subject.decided(values)[0]))
    except DomainError as error:
        raise NotMadeError(f"The model has no value at a point: {error.message}") from None
    widths = [high - low for low, high in subject.frame if low < high]
    radius = min(widths, default=Fraction(1)) / 16
    for _ in range(_STEPS):
        left = deadline - time.monotonic()
        if left < 0.05:
            break
        spec = _specification(subject, point, radius, found.decision)
        answer = verify(subject.decider.graph, spec, timeout=left / 2, seed=subject.seed)
        if isinstance(answer, Violated):
            pairs = zip(answer.witness.inputs, point, strict=True)
            found.upper = max(abs(a - b) for a, b in pairs)
        elif isinstance(answer, Holds):
            found.lower = radius
        else:
            break
        if found.upper is None:
            radius *= 2
        elif found.upper <= found.lower or math.isclose(found.lower, found.upper, rel_tol=0.02):
            break
        else:
            radius = _short((found.lower + found.upper) / 2)
    return found


def _decimal(value: Fraction, rounding: str) -> str:
    """Six digits of a radius, rounded to the side on which what is said stays true."""
    context = Context(prec=6, rounding=rounding)
    return f"{context.divide(Decimal(value.numerator), Decimal(value.denominator)):g}"


def _short(value: Fraction) -> Fraction:
    """A number near by with few bits."""
    return rational(float(f"{float(value):.3g}")) if value else value


def _specification(
    subject: Subject, point: Sequence[Fraction], radius: Fraction, decision: int
) -> Specification:
    """Unsafe: some rival scores at least as high as the decision, in the box about the point."""
    lower = tuple(value - radius for value in point)
    upper = tuple(value + radius for value in point)
    one = Fraction(1)
    cases: list[Case] = []
    if subject.rule == "sign":
        # unsafe for "positive" is y <= 0, for "not positive" -y < 0
        sign, strict = (one, False) if decision == 1 else (-one, True)
        row = Inequality((), ((0, sign),), Fraction(0), strict=strict)
        cases.append(Case(lower, upper, (), (row,)))
    else:
        way = one if subject.rule == "argmax" else -one
        for rival in range(subject.outputs):
            if rival != decision:
                terms = sorted([(decision, way), (rival, -way)])
                # the first of equal scores wins
                row = Inequality((), tuple(terms), Fraction(0), strict=rival > decision)
                cases.append(Case(lower, upper, (), (row,)))
    inputs = tuple(TensorName(n, s, n) for n, s in subject.model.inputs.items())
    outputs = tuple(TensorName(n, s, n) for n, s in subject.decider.outputs.items())
    if sum(size_of(shape) for shape in subject.model.inputs.values()) != len(point):
        raise NotMadeError("The point does not fit the inputs.")
    return Specification(inputs, outputs, tuple(cases), "report")
