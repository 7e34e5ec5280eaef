"""``tamecheck maximise`` and its mirror image ``minimise``: extreme values of an output."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import confirm, message, print_json
from tamecheck.cli.options import Subparsers, add_box, add_common, add_model
from tamecheck.cli.source import domain_of, model_of, name_of
from tamecheck.errors import InputError, visible

if TYPE_CHECKING:
    from tamecheck.verification.answer import Optimum

__all__ = ["add_parser", "add_verb", "report", "run"]

_DESCRIPTION = """\
Find the {adjective} value of one output element on a bounded box.  A piecewise linear network
becomes an exact mixed-integer program; walks over its linear pieces find a first point, solvers
go on from it, and a search tree proves the bound; the kernel checks its certificate.  The value
is that of the network at x in rational arithmetic.  Other networks get a rigorous bound from
boxes that are halved.

exit codes: 0 optimal, 3 otherwise"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    add_verb(subparsers, "maximise", "largest").set_defaults(run=run)


def add_verb(subparsers: Subparsers, verb: str, adjective: str) -> Any:
    """Add a verb for one of the two directions; its parser."""
    parser = subparsers.add_parser(
        verb,
        help=f"the {adjective} value of an output on a box",
        description=_DESCRIPTION.format(adjective=adjective),
    )
    add_model(parser)
    add_box(parser)
    parser.add_argument(
        "--output", default="0", metavar="K", help="the output element's number (default 0)"
    )
    parser.add_argument(
        "--method",
        default="auto",
        choices=("auto", "walk"),
        help="'walk': Relax-and-Walk alone, with a linear bound",
    )
    add_common(parser, answers=True)
    return parser


def run(args: Namespace) -> int:
    """Maximise and print the answer."""
    from tamecheck.verification.extrema import maximise

    return report(args, maximise)


def report(args: Namespace, optimise: Any) -> int:
    """Ask, print the answer, and give its exit code."""
    model = model_of(args)
    for note in model.loaded.notes:
        message(args, note)
    if not args.output.isascii() or not args.output.isdigit():
        raise InputError(f"{args.output!r} is no number of an output.", where="--output")
    found: Optimum = optimise(
        model,
        output=int(args.output),
        box=domain_of(args, model),
        method=args.method,
        timeout=args.timeout,
        seed=args.seed,
        progress=None if args.quiet or not sys.stderr.isatty() else _progress,
    )
    if found.certificate is not None:
        confirm(found.certificate)
    document = found.document()
    document["output"] = int(args.output)
    document["model"] = {"sha256": model.graph.sha256, "source": name_of(args)}
    if args.json:
        print_json(document)
    elif args.quiet:
        print(" ".join(filter(None, (document["status"], document["value"]))))
    else:
        _print(args, found)
    return 0 if found.status == "optimal" else 3


def _progress(line: str) -> None:
    print(f"tamecheck: {line}", file=sys.stderr)


_REASONS = {
    "certificate": "proved by a certificate about its program",
    "linear bounds": "proved by rigorous linear bounds",
    None: "",
}


def _print(args: Namespace, found: Optimum) -> None:
    from tamecheck.ir.exact import decimal_text, rational_text

    print(f"{visible(name_of(args))}: {found.status}")
    for name, value in (("value", found.value), ("bound", found.bound)):
        if value is not None:
            text = rational_text(value)
            exact = f"  = {text}" if len(text) < 40 else "  (exact in --json)"
            why = f"  {_REASONS[found.checked]}" if name == "bound" else ""
            print(f"  {name} {decimal_text(value, 9)}{exact}{why}")
    if found.x is not None:
        shown = [decimal_text(value) for value in found.x[:8]]
        more = ", …" if len(found.x) > 8 else ""
        print(f"  at x = {', '.join(shown)}{more}")
    for note in found.notes:
        print(f"  {visible(note)}")
