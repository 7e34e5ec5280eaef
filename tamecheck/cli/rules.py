"""``tamecheck rules``: the decisions of a network as if-then rules."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import message, print_json
from tamecheck.cli.occurring import (
    add_occurring,
    classes_of,
    input_names,
    levels_of,
    names_of,
    occurring,
)
from tamecheck.cli.options import Subparsers, add_box, add_common, add_model
from tamecheck.cli.source import domain_of, model_of
from tamecheck.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from tamecheck.binarized import BinarizedNetwork
    from tamecheck.ir.tensor import Array
    from tamecheck.model import Model

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Write a binarized network as if-then rules over its inputs: exact over the whole domain where it
has at most 2^22 points, else the sufficient reasons of the decisions at some points, with a proved
bound on the share of the domain that they decide.  --neurons shows every neuron as a rule
"at least m of n".  With --box, a piecewise linear classifier is read instead: its rules are linear
inequalities, one rule a region.

exit codes: 0 rules found, 2 bad options, 4 the model has no such rules"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "rules", help="the decisions as if-then rules", description=_DESCRIPTION
    )
    add_model(parser)
    add_occurring(parser)
    add_box(parser)
    parser.add_argument(
        "--data", metavar="FILE",
        help="a .csv of inputs, one a row: where the rules are measured, and start if need be",
    )  # fmt: skip
    parser.add_argument(
        "--limit", type=int, default=20_000, metavar="N", help="the most rules (default 20000)"
    )
    parser.add_argument(
        "--neurons", action="store_true", help="print the network neuron by neuron too"
    )
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    add_common(parser, overtime=30)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Find the rules and print them."""
    if args.limit < 1:
        raise InputError(f"--limit {args.limit} is no positive number.")
    model = model_of(args)
    for note in model.loaded.notes:
        message(args, note)
    if args.box is None and args.spec is None:
        _logic(args, model)
    else:
        _cells(args, model)
    return 0


def _logic(args: Namespace, model: Model) -> None:
    from tamecheck.explain.explainer import network_of
    from tamecheck.explain.neurons import network_logic
    from tamecheck.explain.rules import get_rules

    try:
        network = network_of(model, levels_of(args.domain))
    except UnsupportedError as error:
        raise UnsupportedError(
            error.what, nodes=error.nodes, hint="For a network of ReLUs give --box."
        ) from None
    domain = occurring(args, network, input_names(args, model))
    classes = classes_of(args.names)
    found = get_rules(
        network,
        domain,
        classes=classes,
        data=None if args.data is None else _rows(args.data, network),
        most=args.limit,
        timeout=args.timeout,
        seed=args.seed,
    )
    logic = network_logic(network, domain, classes)
    if args.json:
        document = found.document()
        document["neurons"] = logic.document()
        print_json(document)
    elif args.quiet:
        print(found.summary)
    else:
        print(found.to_markdown() if args.markdown else found.text)
        if args.neurons:
            print(logic)


def _cells(args: Namespace, model: Model) -> None:
    """Rules of a piecewise linear classifier on a box."""
    from tamecheck.explain.cell_rules import rules_of_cells

    for name in ("domain", "one_hot", "thermometer", "data"):
        if getattr(args, name) is not None:
            option = name.replace("_", "-")
            raise InputError(f"--{option} is for binarized networks, --box for others.")
    found = rules_of_cells(
        model,
        domain_of(args, model),
        names=names_of(args.names),
        classes=classes_of(args.names),
        limit=args.limit,
    )
    if args.json:
        print_json(found.document())
    else:
        print(found.summary if args.quiet else found.text)


def _rows(path: str, network: BinarizedNetwork) -> Array:
    """The rows of a CSV file of inputs; a first row without numbers is a header."""
    import numpy as np

    from tamecheck.ir.exact import parse_rational
    from tamecheck.load.files import read_text

    lines = [row for row in csv.reader(io.StringIO(read_text(path))) if row]
    found: list[list[Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = [parse_rational(cell.strip()) for cell in line]
        except InputError:
            if number == 1:
                continue
            raise InputError(f"Row {number} has a cell that is no number.", where=path) from None
        if len(row) != network.inputs:
            raise InputError(
                f"Row {number} has {len(row)} cells; the network has {network.inputs} inputs.",
                where=path,
            )
        found.append(row)
    if not found:
        raise InputError("There are no rows.", where=path)
    return np.array(found, dtype=object)
