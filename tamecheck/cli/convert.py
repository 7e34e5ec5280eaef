"""``tamecheck convert``: a model as exact JSON."""

from __future__ import annotations

from argparse import Namespace

from tamecheck.cli.answer import message, print_json
from tamecheck.cli.options import Subparsers, add_common, add_model
from tamecheck.cli.source import model_of
from tamecheck.errors import InputError

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Write the model in tamecheck's own JSON format, which certificates refer to by its hash; see
docs/json-schema.md."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "convert", help="write a model as exact JSON", description=_DESCRIPTION
    )
    add_model(parser)
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="a .json or .json.gz file"
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Write the file and say where."""
    if not args.output.lower().endswith((".json", ".json.gz")):
        raise InputError("Models are written as JSON.", where=args.output, hint="Name it .json.")
    model = model_of(args)
    for note in model.loaded.notes:
        message(args, note)
    model.save(args.output)
    if args.json:
        print_json({"file": args.output, "model": {"sha256": model.graph.sha256}})
    elif args.quiet:
        print(args.output)
    else:
        print(f"{args.output}: {len(model.graph.nodes)} nodes, sha256 {model.graph.sha256}")
    return 0
