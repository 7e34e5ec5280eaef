"""``tamecheck count``: how many inputs a network decides for each class."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import message, print_answer
from tamecheck.cli.inputs import CONSTRAINT, DOMAIN, INTEGERS, naming_of, network_and_domain
from tamecheck.cli.options import MODEL, Verb, option
from tamecheck.cli.source import model_of, number_of, row_of_input
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.cli.inputs import Naming
    from tamecheck.explain.counts import CountBounds
    from tamecheck.model import Model


_ABOUT_COUNT = """\
Count how many inputs of a binarized network each class has: of all that can occur, of those that
meet conditions (--if), or of those that differ from one input in few places (--hamming).  Every
input is decided in integers; of several largest outputs the first decides.  A model with one
output has two classes: 1 where it is positive, else 0.

With --box, of any classifier that 'tamecheck verify' decides: the points, where features take
integers or a few values, else the volume; exact for sums of trees and few points, else bounds.

exit codes: 0 counted, 2 too large a ball or bad options, 3 out of time (60 seconds, unless
--timeout says otherwise) with bounds on the counts, 4 this is no binarized network"""
_LONG, _PARTS = 60.0, 2**21
_VISITS_A_SECOND = 2**25


def _count(args: Namespace) -> int:
    """Count and print the counts."""
    from tamecheck.explain.check import Recomputation, confirm
    from tamecheck.explain.counts import count_ball, count_within
    from tamecheck.explain.words import Language

    if (args.hamming is None) != (args.input is None):
        raise InputError("--hamming K and --input FILE go together.")
    radius = None
    if args.hamming is not None:
        radius = number_of(args.hamming, f"--hamming {args.hamming!r} is no natural number.")
    model = model_of(args)
    naming = naming_of(args, model)
    if args.box is not None or args.integers is not None:
        return _count_classifier(args, model, naming)
    network, domain = network_and_domain(args, model, naming)
    allowed = None
    if args.conditions is not None:
        allowed = Language(network, domain, naming.names).conditions(args.conditions)
        if not all(allowed):
            message(args, "The conditions of --if exclude each other: no input meets them all.")
    visits = int(min(args.timeout or _LONG, _LONG) / 2 * _VISITS_A_SECOND)
    decision, again = None, Recomputation(network, domain, most=_PARTS, visits=visits)
    if radius is None:
        found = count_within(network, domain, allowed, seconds=args.timeout or _LONG)
        if not found.exact:
            return _print_bounds(args, found, naming.classes)
        counts, rests_on = list(found.lower), found.rests_on
        counted = again.counts(allowed)
    else:
        centre = network.states(row_of_input(args.input, model))[0]
        domain.codes(centre)
        decision = int(network.decide(centre[None, :])[0])
        counts, rests_on = count_ball(network, domain, centre, radius, allowed), "enumeration"
        counted = again.counts_in_ball(centre, radius, allowed)
    rests_on = confirm(None if counted is None else counted == counts, "this count", rests_on)
    _print_counts(args, counts, decision, naming.classes, rests_on)
    if rests_on == "search":
        message(args, "The counts rest on a search alone: too long to be made a second time.")
        return 3
    return 0


def _count_classifier(args: Namespace, model: Model, naming: Naming) -> int:
    """How much of a domain each class of any classifier has; print it."""
    from tamecheck.cli.explain import classifier_explainer
    from tamecheck.explain.shares import shares_of
    from tamecheck.show.protected import shares_lines

    for name in ("conditions", "hamming", "constraint"):
        if getattr(args, name, None) not in (None, []):
            option = "--if" if name == "conditions" else f"--{name}"
            raise InputError(f"{option} is about inputs of two levels, not about --box.")
    explainer = classifier_explainer(args, model, naming, None)
    found = shares_of(explainer, 0.9 * (args.timeout or _LONG))
    document = found.to_json()
    names = explainer.classes or [f"class {k}" for k in range(explainer.decision.classes)]
    if explainer.classes:
        document["classes"] = list(explainer.classes)
    lines = list(shares_lines(found, names))
    print_answer(args, document, lines)
    if not found.exact or found.rests_on == "search":
        why = "out of time, with proved bounds" if not found.exact else "it rests on a search alone"
        message(args, f"unknown: {why}")
        return 3
    return 0


def _labels(classes: list[str] | None, count: int) -> list[str]:
    if classes is not None and len(classes) != count:
        raise InputError(f"{len(classes)} classes are named; the network has {count}.")
    return list(map(str, range(count))) if classes is None else classes


def _print_bounds(args: Namespace, found: CountBounds, classes: list[str] | None) -> int:
    """Print what is known of counts that took too long."""
    from tamecheck.show.protected import bounds_lines

    bounds = list(zip(found.lower, found.upper, strict=True))
    total = sum(found.lower) + found.open
    lower, upper = list(found.lower), list(found.upper)
    document: dict[str, Any] = {"total": total, "counts": None, "lower": lower, "upper": upper}
    document["why"] = "timeout"
    if classes is not None:
        document["classes"] = classes
    lines = bounds_lines(total, bounds, _labels(classes, len(bounds)))
    print_answer(args, document, lines, " ".join(f"{low}..{high}" for low, high in bounds))
    return 3


def _print_counts(
    args: Namespace,
    counts: Sequence[int],
    decision: int | None,
    classes: list[str] | None,
    rests_on: str,
) -> None:
    from tamecheck.ir.exact import rational_text
    from tamecheck.show.protected import count_lines

    total = sum(counts)
    document: dict[str, Any] = {"total": total, "counts": list(counts), "rests_on": rests_on}
    if classes is not None:
        document["classes"] = classes
    if decision is not None:
        robust = rational_text(Fraction(counts[decision], total)) if total else None
        document |= {"decision": decision, "robust": robust}
    lines = count_lines(counts, decision, _labels(classes, len(counts)))
    print_answer(args, document, lines, " ".join(map(str, counts)))


COUNT = Verb(
    "count",
    "how many inputs each class has, exactly",
    _ABOUT_COUNT,
    (
        MODEL,
        DOMAIN,
        CONSTRAINT,
        option("--box", "BOX", "of any classifier: what its inputs can be, 'age=18:90', or -1:1"),
        INTEGERS,
        option("--if", "CONDITIONS", "count these inputs only: 'x3=1,x5=-1', 'colour=red'",
            dest="conditions"),
        option("--input", "FILE", "the centre of the ball of --hamming"),
        option("--hamming", "K", "count the inputs that differ in at most K places"),
    ),
    _count,
    answers=True,
)  # fmt: skip
