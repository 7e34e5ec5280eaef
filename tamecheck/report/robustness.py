"""The section on robustness: how far an input can change before the decision does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.budget import Budget
from tamecheck.errors import DomainError, TimeLimitError
from tamecheck.explain.domain import Domain
from tamecheck.explain.explainer import Explainer
from tamecheck.ir.exact import rational, rational_text
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName
from tamecheck.ir.tensor import Array, size_of
from tamecheck.loaders.samples import exact_points
from tamecheck.loaders.tables.rows import Origin
from tamecheck.report import page
from tamecheck.report.mathematics import decision_rule
from tamecheck.report.subject import Subject
from tamecheck.verification import HammingBall, Holds, Violated, verify

_STEPS = 10
_POINTS = 3
_SAID = 3
_IMPOSSIBLE = ", which is no input that can occur"


def robustness_part(subject: Subject, limit: float) -> page.Part:
    """How far each of a few inputs can be changed before the decision changes."""
    if subject.network is not None and subject.sample is not None:
        return _flips(subject, subject.network, Budget.of(limit))
    if subject.network is not None:
        raise page.NotMadeError(
            "Distances of a binarized network belong to rows: give --data TABLE."
        )
    return _boxes(subject, Budget.of(limit))


def _flips(subject: Subject, network: ThresholdNetwork, budget: Budget) -> page.Part:
    """The least number of changed inputs, row by row."""
    sample = subject.sample
    if sample is None or subject.rule == "argmin":
        raise page.NotMadeError("Distances are computed for decisions by the largest output.")
    rows: list[tuple[str, ...]] = []
    changes: list[page.Markup] = []
    downloads: list[page.Download] = []
    missing: list[str] = []
    domain = subject.possible()
    for place, position in enumerate(subject.examples):
        left = budget.seconds / (len(subject.examples) - place)
        origin = sample.origins[position]
        states = network.states(exact_points(sample)[position : position + 1])[0]
        ball = HammingBall(subject.decider.graph, network, states)
        found = ball.distance(timeout=max(0.2, 0.5 * left))
        never = found.witness is None and found.lower > len(network.free)
        if never:
            said = "no input at all is decided otherwise"
        elif found.exact:
            said = f"{found.upper}"
        else:
            upper = "" if found.upper is None else f", at most {found.upper}"
            said = f"at least {found.lower}{upper}"
            missing.append(f"{origin}: {found.why or 'not settled'}")
        certificate = None
        if found.exact or never:
            certificate = ball.certify_distance(found, timeout=max(0.2, 0.2 * left))
        rests = found.checked.replace("-", " ")
        if certificate is not None:
            name = f"row-{origin.row}.distance.certificate.json"
            says = f"Row {origin.row}: the least number of changed inputs is {said}."
            downloads.append(page.Download.of(name, says, certificate))
            rests = "certificate"
        far, near, why = _nearest(subject, domain, states, max(0.2, 0.25 * left))
        missing += [f"{origin}: {why}"] if why else []
        rows.append((str(origin), subject.class_name(found.decision), said, rests, far))
        if near is not None:
            changes.append(_change(subject, origin, states, near))
        elif found.witness is not None:
            remark = "" if domain.holds(np.array(found.witness)) else _IMPOSSIBLE
            changes.append(_change(subject, origin, states, found.witness, remark))
    if not rows:
        raise page.NotMadeError("No row was chosen.")
    words = (
        "The least number of inputs that must change to their other level so that the decision "
        "changes: first to any combination of levels, possible or not, which is what the "
        "certificates are about, then to one that can occur in the table."
    )
    head = ("row", "decision", "in any combination", "rests on", "that can occur")
    body = page.joined(page.paragraph(words), page.table("Distances", head, rows), *changes)
    return page.Part(body, "; ".join(missing), tuple(downloads))


def _nearest(
    subject: Subject, domain: Domain, states: Array, seconds: float
) -> tuple[str, list[int] | None, str]:
    """The nearest possible input that is decided otherwise: how far, its states, what is missing.

    By exact search over the codes of the features.
    """
    network = subject.binarized()
    explainer = Explainer.over(network, domain, seed=subject.seed)
    try:
        found = explainer.counterfactual(network.point(states), metric="inputs", timeout=seconds)
    except TimeLimitError:
        return "not found in time", None, "the nearest possible input was not found in time"
    if found is None:
        return "none is decided otherwise", None, ""
    point = np.array([[Fraction(value) for value in found.witness]], dtype=object)
    return str(found.distance), network.states(point)[0].tolist(), ""


def _change(
    subject: Subject, origin: Origin, before: Array, after: Sequence[int], remark: str = ""
) -> page.Markup:
    """A change of a row that changes its decision."""
    network = subject.binarized()
    pairs = zip(subject.names, network.point(before), network.point(after), strict=True)
    changed = [(n, rational_text(old), rational_text(new)) for n, old, new in pairs if old != new]
    decision = int(network.decide(np.array([after], dtype=np.int8))[0])
    many = "1 change decides" if len(changed) == 1 else f"{len(changed)} changes decide"
    title = f"Row {origin.row}: {many} for {subject.class_name(decision)}{remark}"
    return page.fold(title, page.table("Changed inputs", ("input", "from", "to"), changed))


def _boxes(subject: Subject, budget: Budget) -> page.Part:
    """L∞ radii by bisection: shown safe below, a witness above."""
    points = _centres(subject)
    rows: list[tuple[str, ...]] = []
    for place, (name, point) in enumerate(points):
        left = budget.seconds / (len(points) - place)
        found = _radius(subject, point, Budget.of(0.95 * left))
        upper = "none found" if found.upper is None else _decimal(found.upper, ROUND_CEILING)
        if found.witness is not None:
            upper += _outside(subject, found.witness)
        rows.append(
            (name, subject.class_name(found.decision), _decimal(found.lower, ROUND_FLOOR), upper)
        )
    words = (
        f"The decision ({decision_rule(subject)}) is proved to stay for every input whose elements "
        "all differ by at most the proved radius from the point's; at the distance in the last "
        "column an input was found, and evaluated exactly, that is decided otherwise. "
        f"Radii by bisection of at most {_STEPS} steps, in the units of the inputs. The balls are "
        "of all real inputs; where the input that was found is none that the domain or the table "
        "has, that is said."
    )
    head = ("point", "decision", "proved radius", "otherwise at")
    return page.Part(page.joined(page.paragraph(words), page.table("L∞ balls", head, rows)))


def _centres(subject: Subject) -> list[tuple[str, tuple[Fraction, ...]]]:
    if subject.sample is not None and subject.examples:
        return [
            (
                str(subject.sample.origins[k]),
                tuple(map(rational, subject.sample.points[k].tolist())),
            )
            for k in subject.examples
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


@dataclass(slots=True)
class _Radius:
    """What is known of a radius."""

    decision: int
    lower: Fraction = Fraction(0)
    upper: Fraction | None = None
    witness: tuple[Fraction, ...] | None = None


def _radius(subject: Subject, point: tuple[Fraction, ...], budget: Budget) -> _Radius:
    values = np.array([[float(value) for value in point]])
    try:
        found = _Radius(int(subject.decided(values)[0]))
    except DomainError as error:
        raise page.NotMadeError(f"The model has no value at a point: {error.message}") from None
    widths = [high - low for low, high in subject.frame if low < high]
    radius = min(widths, default=Fraction(1)) / 16
    for _ in range(_STEPS):
        left = budget.seconds
        if left < 0.05:
            break
        spec = _specification(subject, point, radius, found.decision)
        answer = verify(subject.decider.graph, spec, timeout=left / 2, seed=subject.seed)
        if isinstance(answer, Violated):
            found.witness = tuple(answer.witness.inputs)
            found.upper = max(abs(a - b) for a, b in zip(found.witness, point, strict=True))
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


def _outside(subject: Subject, witness: Sequence[Fraction]) -> str:
    """In which inputs a witness is none that the domain, or the table, has; nothing if in none."""
    bounds = subject.check.box.elements(subject.model.inputs)
    boxes = zip(bounds, witness, subject.names, strict=True)
    wrong = [
        f"{name} is outside of the domain"
        for (low, high), value, name in boxes
        if (low is not None and value < low) or (high is not None and value > high)
    ]
    if subject.sample is not None:
        for column, value, name in zip(
            subject.sample.points.T, witness, subject.names, strict=True
        ):
            whole = bool((column == np.rint(column)).all())
            if value < rational(column.min()) or value > rational(column.max()):
                wrong.append(f"{name} is outside of the table's range")
            elif whole and value.denominator != 1:
                wrong.append(f"{name} is no whole number, as all of the table's are")
    if not wrong:
        return ""
    more = f" and {len(wrong) - _SAID} more" if len(wrong) > _SAID else ""
    return f" (an impossible input: {'; '.join(wrong[:_SAID])}{more})"


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
        raise page.NotMadeError("The point does not fit the inputs.")
    return Specification(inputs, outputs, tuple(cases), "report")
