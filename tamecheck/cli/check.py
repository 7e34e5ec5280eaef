"""``tamecheck check``: in which o-minimal structure is a model definable."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from tamecheck.cli.answer import claim, confirm, message, print_json, write_document
from tamecheck.cli.options import Subparsers, add_box, add_certificate, add_common, add_model
from tamecheck.cli.source import domain_of, model_of, name_of, names_program
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.tame.verdict import Check

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Find the smallest o-minimal structure in which the model's outputs are definable on the domain,
what follows from that, or a witness that there is none.  For a mixed-integer program: of the
feasible set and the optimal value as functions of the right-hand side.

exit codes: 0 tame or locally tame, 1 not tame, 3 unknown"""
_EXIT_CODES = {"tame": 0, "locally-tame": 0, "not-tame": 1, "unknown": 3}


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "check", help="is the model tame? with a proof", description=_DESCRIPTION
    )
    add_model(parser, programs=True)
    add_box(parser)
    add_certificate(parser)
    parser.add_argument(
        "--derivation", action="store_true", help="show every line of the derivation"
    )
    add_common(parser, answers=True)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Check the model, write the certificate, print the answer."""
    if args.output is not None:
        claim(args, args.output, "certificate")
    if names_program(args):
        return _run_program(args)
    model = model_of(args)
    for note in model.loaded.notes:
        message(args, note)
    found = model.check(domain_of(args, model), timeout=args.timeout, seed=args.seed)
    trusted = () if found.certificate is None else confirm(found.certificate)
    rests_on = None if found.certificate is None else ", ".join(trusted) or "certificate"
    certificate = _write(args, found)
    if args.json:
        from tamecheck.show import check_json

        document = check_json(found, certificate=certificate, derivation=args.derivation)
        document["rests_on"] = rests_on
        document["model"].update(source=name_of(args), format=model.loaded.format)
        print_json(document)
    elif args.quiet:
        from tamecheck.show import check_line

        print(check_line(found))
    else:
        from tamecheck.show import print_check

        print_check(
            found,
            file=sys.stdout,
            title=name_of(args),
            certificate=certificate,
            derivation=args.derivation,
        )
    if trusted:
        message(args, f"The verdict rests on {rests_on}, so the exit code is 3.")
        return 3
    return _EXIT_CODES[found.verdict.value]


def _run_program(args: Namespace) -> int:
    """Check a program, whose right-hand side is the variable."""
    from tamecheck.programs import check, read_file
    from tamecheck.show.program import (
        print_program_check,
        program_check_json,
        program_check_line,
    )

    if args.box is not None or args.spec is not None:
        raise InputError(
            "A program has no inputs that --box or --spec could bound.",
            where=args.model,
            hint="The bounds of its variables stand in the file.",
        )
    source = read_file(args.model)
    for note in source.notes:
        message(args, note)
    found = check(source.program)
    if args.output is not None:
        message(args, f"{args.output} is not written: no certificate of a program's verdict yet.")
    if args.json:
        document = program_check_json(found)
        document["model"].update(source=args.model, format=source.format)
        document["rests_on"] = "definition"
        print_json(document)
    elif args.quiet:
        print(program_check_line(found))
    else:
        print_program_check(found, file=sys.stdout, title=args.model)
    return _EXIT_CODES[found.verdict.value]


def _write(args: Namespace, found: Check) -> str | None:
    if args.output is None:
        return None
    if found.certificate is None:
        message(args, f"{args.output} is not written: an unknown verdict has no certificate.")
        return None
    write_document(args.output, found.certificate)
    return args.output
