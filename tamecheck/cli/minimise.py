"""``tamecheck minimise``: the smallest value of an output on a box."""

from __future__ import annotations

from argparse import Namespace

from tamecheck.cli.maximise import add_verb, report
from tamecheck.cli.options import Subparsers

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    add_verb(subparsers, "minimise", "smallest").set_defaults(run=run)


def run(args: Namespace) -> int:
    """Minimise and print the answer."""
    from tamecheck.verification.extrema import minimise

    return report(args, minimise)
