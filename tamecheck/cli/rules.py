"""``tamecheck rules``: the decisions of a network as if-then rules."""

from __future__ import annotations

import math
import time
from argparse import Namespace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import message, print_json
from tamecheck.cli.occurring import (
    Naming,
    add_occurring,
    naming_of,
    network_from,
    occurring,
)
from tamecheck.cli.options import Subparsers, add_box, add_common, add_model
from tamecheck.cli.source import domain_of, model_of
from tamecheck.cli.table import add_table, sample_from
from tamecheck.errors import InputError, UnsupportedError, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from tamecheck.binarized import ThresholdNetwork
    from tamecheck.explain.rules_result import DecisionRules
    from tamecheck.explain.sketches import Sketch
    from tamecheck.ir.box import Box
    from tamecheck.ir.tensor import Array
    from tamecheck.loaders.samples import Sample
    from tamecheck.model import Model

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Write a binarized network as if-then rules over its inputs: exact over the whole domain where it
has at most 2^22 points, else the sufficient reasons of the decisions at some points, with a proved
bound on the share of the domain that they decide.  --neurons shows every neuron as a rule
"at least m of n".  With --box, a piecewise linear classifier is read instead: its rules are linear
inequalities, one rule a region.

exit codes: 0 rules found, 2 bad options, 3 no list or tree in the time and size, or rules that
rest on a search alone, 4 the model has no such rules"""
_SECONDS, _FEW, _FIRST = 20.0, 20, 3
_FORMS = ("brief", "rules", "cnf", "list", "tree", "sketch")


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "rules", help="the decisions as if-then rules", description=_DESCRIPTION
    )
    add_model(parser)
    add_occurring(parser)
    add_box(parser)
    parser.add_argument(
        "--limit", type=int, default=20_000, metavar="N", help="the most rules (default 20000)"
    )
    parser.add_argument(
        "--form", choices=_FORMS, default="brief",
        help="brief: in few words if possible, and the first rules; rules: all of them, a "
        "disjunctive normal form; cnf: clauses; list: the first rule that holds decides; tree; "
        "sketch: a few rules, not always right, with the proved share of points where they are",
    )  # fmt: skip
    parser.add_argument(
        "--leaves", type=int, default=8, metavar="N", help="the most rules of a sketch (default 8)"
    )
    parser.add_argument(
        "--neurons", action="store_true", help="print the network neuron by neuron too"
    )
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    add_table(parser, what="where the rules are measured, and start if need be")
    add_common(parser, answers=True)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Find the rules and print them."""
    if args.limit < 1:
        raise InputError(f"--limit {args.limit} is no positive number.")
    model = model_of(args)
    for note in model.loaded.notes:
        message(args, note)
    naming = naming_of(args, model)
    if args.box is not None or args.spec is not None:
        _cells(args, model, domain_of(args, model), naming)
        return 0
    sample = sample_from(args, model, naming.schema)
    real = sample is not None and args.domain is None and sample.levels() is None
    if sample is not None and real:
        _cells_about(args, model, naming, sample)
        return 0
    try:
        network = network_from(args, model, naming, sample)
    except UnsupportedError as error:
        if sample is not None:
            _cells_about(args, model, naming, sample)
            return 0
        raise UnsupportedError(
            "This is no binarized network:" if error.nodes else error.what,
            nodes=error.nodes,
            hint="For a network of ReLUs give --box, or --data for the range of a table.",
        ) from None
    return _logic(args, naming, network, sample)


def _logic(
    args: Namespace, naming: Naming, network: ThresholdNetwork, sample: Sample | None
) -> int:
    """Rules of a binarized network."""
    from tamecheck.explain.neurons import network_logic
    from tamecheck.explain.row_reader import states_of
    from tamecheck.explain.rules import get_rules
    from tamecheck.explain.sketches import sketch
    from tamecheck.loaders.samples import exact_points

    begun = time.monotonic()
    domain = occurring(args, network, naming)
    states = None if sample is None else states_of(sample, network, domain, args.data)
    few = partial(
        sketch,
        network,
        domain,
        naming.classes,
        leaves=args.leaves,
        states=states,
        seconds=(args.timeout or _SECONDS) / 2,
        seed=args.seed,
    )
    if args.form == "sketch":
        _print_sketch(args, few())
        return 0
    found = get_rules(
        network,
        domain,
        classes=naming.classes,
        data=None if sample is None else exact_points(sample),
        most=args.limit,
        # the rest of the time is for measuring the rules and writing them
        timeout=None if args.timeout is None else 0.7 * args.timeout,
        seed=args.seed,
    )
    logic = network_logic(network, domain, naming.classes)
    left = math.inf if args.timeout is None else begun + args.timeout - time.monotonic()
    outline = found.outline(timeout=max(min(5.0, left), 0.0))
    form = _form(args, found)
    if args.json:
        document = found.document()
        document["outline"] = None if outline is None else outline.text
        document["form"] = form
        document["neurons"] = logic.document()
        if sample is not None and states is not None:
            document["table"] = _about_rows(found, sample, states)
        document["covers"] = _covers(found, states)
        print_json(document)
    elif args.quiet:
        print(found.summary)
    elif args.markdown:
        print(found.to_markdown())
    elif form is not None:
        print(f"There is no {args.form} of this size." if form["text"] is None else form["text"])
        print(found.summary)
    else:
        _print_rules(args, found, few if outline is None else None)
    if args.neurons and not args.json and not args.quiet:
        print(logic)
    if found.rests_on == "search":
        message(args, "The rules rest on a search alone: too long to be shown a second time.")
        return 3
    return 3 if form is not None and form["text"] is None else 0


def _covers(found: DecisionRules, states: Array | None) -> dict[str, Any]:
    """The share of the domain, and of the rows of the table, that is in some rule."""
    import numpy as np

    from tamecheck.explain.rules_result import holding
    from tamecheck.ir.exact import rational_text

    covers: dict[str, Any] = {"domain": rational_text(found.covered), "table": None}
    if states is not None:
        held = np.zeros(len(states), dtype=np.bool_)
        for rule in found.rules:
            held |= holding(rule, found.domain, states)
        covers["table"] = rational_text(Fraction(int(held.sum()), len(states)))
    return covers


def _about_rows(found: DecisionRules, sample: Sample, states: Array) -> dict[str, Any]:
    """Which rows of the table the rules are measured on, and on which each rule holds."""
    import numpy as np

    from tamecheck.explain.rules_result import holding

    held: list[dict[str, Any]] = []
    for rule in found.rules:
        rows = np.flatnonzero(holding(rule, found.domain, states)).tolist()
        first = [sample.about(k) for k in rows[:_FIRST]]
        held.append({"count": len(rows), "first": first})
    return {
        "rows": len(sample.origins),
        "left_out": [row.document() for row in sample.table.left_out],
        "held": held,
    }


def _print_sketch(args: Namespace, found: Sketch) -> None:
    if args.json:
        print_json(found.document())
    else:
        print(found.summary if args.quiet else found.text)


def _print_rules(args: Namespace, found: DecisionRules, few: Callable[[], Sketch] | None) -> None:
    """Print all rules, or the first ones after what says the same, or nearly so, in few words."""
    if args.form != "brief":
        print(found.text)
        return
    if few is not None and len(found) > _FEW:
        print(f"In short, though not always right:\n{few().text}\n")
    print(found.brief())


def _form(args: Namespace, found: DecisionRules) -> dict[str, Any] | None:
    """The clauses, the list or the tree that is asked for: its size and its text."""
    made: tuple[int, str] | None = None
    match args.form:
        case "cnf":
            made = _clauses(found)
        case "list":
            listed = found.decision_list(timeout=args.timeout)
            made = None if listed is None else (len(listed), listed.text)
        case "tree":
            tree = found.tree(timeout=args.timeout)
            made = None if tree is None else (tree.leaves, tree.text)
        case _:
            return None
    size, text = (None, None) if made is None else made
    return {"kind": args.form, "size": size, "text": text}


def _clauses(found: DecisionRules) -> tuple[int, str] | None:
    """The clauses of each class, of two classes those of the last; None if rules are not exact."""
    if found.faithful != "exact":
        return None
    decisions = range(len(found.classes)) if len(found.classes) != 2 else (1,)
    lines: list[str] = []
    count = 0
    for decision in decisions:
        clauses = found.clauses(decision)
        count += len(clauses)
        lines += [f"{found.classes[decision]} if all of", *(f"  {clause}" for clause in clauses)]
    return count, visible("\n".join(lines))


def _cells_about(args: Namespace, model: Model, naming: Naming, sample: Sample) -> None:
    """Rules of a piecewise linear classifier over the range of a table's columns."""
    from tamecheck.loaders.text.box import box_of_rows

    names = naming.names if not naming.inferred else None
    known = Naming(names or list(sample.names), naming.classes or list(sample.classes))
    _cells(args, model, box_of_rows(sample.points, model.inputs), known)


def _cells(args: Namespace, model: Model, box: Box, naming: Naming) -> None:
    """Rules of a piecewise linear classifier on a box."""
    from tamecheck.explain.cell_rules import rules_of_cells

    for name in ("domain", "one_hot", "thermometer"):
        if getattr(args, name) is not None:
            option = name.replace("_", "-")
            raise InputError(f"--{option} is for binarized networks, --box for others.")
    found = rules_of_cells(
        model,
        box,
        names=naming.names,
        classes=naming.classes or None,
        limit=args.limit,
    )
    if args.json:
        print_json(found.document())
    else:
        print(found.summary if args.quiet else found.text)
