"""``tamecheck count``: how many inputs of a binarized network each class has, exactly."""

from __future__ import annotations

from argparse import Namespace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import message, print_json
from tamecheck.cli.occurring import add_occurring, naming_of, network_from, occurring
from tamecheck.cli.options import Subparsers, add_common, add_model
from tamecheck.cli.source import model_of
from tamecheck.errors import InputError, visible

if TYPE_CHECKING:
    from tamecheck.binarized import ThresholdNetwork
    from tamecheck.explain.counts import CountBounds
    from tamecheck.ir.tensor import Array
    from tamecheck.model import Model

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Count how many inputs of a binarized network each class has: of all that can occur, of those that
meet conditions (--if), or of those that differ from one input in few places (--hamming).  Every
input is decided in integers; of several largest outputs the first decides.  A model with one
output has two classes: 1 where it is positive, else 0.

exit codes: 0 counted, 2 too large a ball or bad options, 3 out of time (60 seconds, unless
--timeout says otherwise) with bounds on the counts, 4 this is no binarized network"""
_SECONDS, _PARTS = 60.0, 2**21


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "count", help="how many inputs each class has, exactly", description=_DESCRIPTION
    )
    add_model(parser)
    add_occurring(parser)
    parser.add_argument(
        "--if", dest="conditions", metavar="CONDITIONS",
        help="count these inputs only: 'x3=1,x5=-1', 'colour=red'",
    )  # fmt: skip
    parser.add_argument("--input", metavar="FILE", help="the centre of the ball of --hamming")
    parser.add_argument(
        "--hamming", metavar="K", help="count the inputs that differ in at most K places"
    )
    add_common(parser, answers=True)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Count and print the counts."""
    from tamecheck.explain.check import Recomputation, confirm
    from tamecheck.explain.counts import count_ball, count_within
    from tamecheck.explain.words import read_conditions

    radius = _radius(args)
    model = model_of(args)
    for note in model.loaded.notes:
        message(args, note)
    naming = naming_of(args, model)
    network = network_from(args, model, naming)
    domain = occurring(args, network, naming)
    allowed = None
    if args.conditions is not None:
        allowed = read_conditions(args.conditions, network, domain, naming.names)
        if not all(allowed):
            message(args, "The conditions of --if exclude each other: no input meets them all.")
    decision, again = None, Recomputation(network, domain, most=_PARTS)
    if radius is None:
        found = count_within(network, domain, allowed, seconds=args.timeout or _SECONDS)
        if not found.exact:
            return _bounds(args, found, naming.classes)
        counts, rests_on = list(found.lower), found.rests_on
        counted = again.counts(allowed)
    else:
        centre = _centre(args.input, model, network)
        domain.codes(centre)
        decision = int(network.decide(centre[None, :])[0])
        counts, rests_on = count_ball(network, domain, centre, radius, allowed), "enumeration"
        counted = again.counts_in_ball(centre, radius, allowed)
    rests_on = confirm(None if counted is None else counted == counts, "this count", rests_on)
    _answer(args, counts, decision, naming.classes, rests_on)
    if rests_on == "search":
        message(args, "The counts rest on a search alone: too long to be made a second time.")
        return 3
    return 0


def _radius(args: Namespace) -> int | None:
    if (args.hamming is None) != (args.input is None):
        raise InputError("--hamming K and --input FILE go together.")
    if args.hamming is None:
        return None
    if not args.hamming.isascii() or not args.hamming.isdigit():
        raise InputError(f"--hamming {args.hamming!r} is no natural number.")
    return int(args.hamming)


def _centre(path: str, model: Model, network: ThresholdNetwork) -> Array:
    import numpy as np

    from tamecheck.ir.exact import rational
    from tamecheck.loaders.arrays import read_point

    point = read_point(path, model.inputs)
    flat = [rational(v) for name in model.inputs for v in point[name].reshape(-1).tolist()]
    row = np.empty((1, len(flat)), dtype=object)
    row[0, :] = flat
    return network.states(row)[0]


def _bounds(args: Namespace, found: CountBounds, classes: list[str] | None) -> int:
    """Print what is known of counts that took too long."""
    total = sum(found.lower) + found.open
    labels = _labels(classes, len(found.lower))
    if args.json:
        document: dict[str, Any] = {
            "total": total,
            "counts": None,
            "lower": list(found.lower),
            "upper": list(found.upper),
            "why": "timeout",
        }
        if classes is not None:
            document["classes"] = classes
        print_json(document)
    elif args.quiet:
        print(*(f"{a}..{b}" for a, b in zip(found.lower, found.upper, strict=True)))
    else:
        print(f"{total} inputs; unknown: out of time, with proved bounds")
        for label, low, high in zip(labels, found.lower, found.upper, strict=True):
            # outwards, so that what is said stays true
            least, most = 10_000 * low // total, -(-10_000 * high // total)
            share = f"{least / 100:.2f}% to {most / 100:.2f}%"
            print(visible(f"  class {label}: {low} to {high}   {share}"))
    return 3


def _labels(classes: list[str] | None, count: int) -> list[str]:
    if classes is not None and len(classes) != count:
        raise InputError(f"{len(classes)} classes are named; the network has {count}.")
    return list(map(str, range(count))) if classes is None else classes


def _answer(
    args: Namespace,
    counts: list[int],
    decision: int | None,
    classes: list[str] | None,
    rests_on: str,
) -> None:
    from tamecheck.explain.rules_result import shares
    from tamecheck.ir.exact import rational_text

    total = sum(counts)
    labels = _labels(classes, len(counts))
    if args.json:
        document: dict[str, Any] = {"total": total, "counts": counts, "rests_on": rests_on}
        if classes is not None:
            document["classes"] = classes
        if decision is not None:
            document["decision"] = decision
            robust = Fraction(counts[decision], total) if total else None
            document["robust"] = None if robust is None else rational_text(robust)
        print_json(document)
        return
    if args.quiet:
        print(*counts)
        return
    print(f"{total} inputs")
    for number, (found, part) in enumerate(zip(counts, shares(counts), strict=True)):
        label = visible(labels[number])
        share = f"  {part:>7}" if total else ""
        mark = "  (the decision at the centre)" if number == decision else ""
        print(f"  class {label}: {found}{share}{mark}")
