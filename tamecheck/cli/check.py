"""``tamecheck check``: in which o-minimal structure is a model or a program definable."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from tamecheck.cli.answer import (
    EXIT_CODES,
    claim,
    confirm,
    message,
    print_answer,
    write_certificate,
)
from tamecheck.cli.options import BOX, CERTIFICATE, MODEL_OR_PROGRAM, Verb, flag
from tamecheck.cli.source import domain_of, model_of, name_of, names_program, program_of
from tamecheck.errors import InputError

__all__ = ["VERB"]

_DESCRIPTION = """\
Find the smallest o-minimal structure in which the model's outputs are definable on the domain,
what follows from that, or a witness that there is none.  For a mixed-integer program: of the
feasible set and the optimal value as functions of the right-hand side.

exit codes: 0 tame or locally tame, 1 not tame, 3 unknown"""


def _run(args: Namespace) -> int:
    """Check the model, write the certificate, print the answer."""
    from tamecheck.show import check_json, check_line, print_check

    claim(args, args.output, "certificate")
    if names_program(args):
        return _run_program(args)
    model = model_of(args)
    found = model.check(domain_of(args, model), timeout=args.timeout, seed=args.seed)
    trusted = confirm(found.certificate)
    rests_on = None if found.certificate is None else ", ".join(trusted) or "certificate"
    path = write_certificate(args, found.certificate, "an unknown verdict has no certificate.")
    document = check_json(found, certificate=path, derivation=args.derivation)
    document["rests_on"] = rests_on
    document["model"].update(source=name_of(args), format=model.loaded.format)

    def text() -> None:
        options: Any = {"title": name_of(args), "certificate": path, "derivation": args.derivation}
        print_check(found, file=sys.stdout, **options)

    print_answer(args, document, text, check_line(found))
    if trusted:
        message(args, f"The verdict rests on {rests_on}, so the exit code is 3.")
        return 3
    return EXIT_CODES[found.verdict.value]


def _run_program(args: Namespace) -> int:
    """Check a program, whose right-hand side is the variable."""
    from tamecheck.programs import check
    from tamecheck.show.text import print_program_check, program_check_line
    from tamecheck.show.wording import program_check_json

    if args.box is not None or args.spec is not None:
        raise InputError(
            "A program has no inputs that --box or --spec could bound.",
            where=args.model,
            hint="The bounds of its variables stand in the file.",
        )
    source = program_of(args, args.model)
    found = check(source.program)
    write_certificate(args, None, "no certificate of a program's verdict yet.")
    document = program_check_json(found)
    document["model"].update(source=args.model, format=source.format)
    document["rests_on"] = "definition"

    def text() -> None:
        print_program_check(found, file=sys.stdout, title=args.model)

    print_answer(args, document, text, program_check_line(found))
    return EXIT_CODES[found.verdict.value]


VERB = Verb(
    "check",
    "is the model tame? with a proof",
    _DESCRIPTION,
    (
        MODEL_OR_PROGRAM,
        BOX,
        CERTIFICATE,
        flag("--derivation", "show every line of the derivation"),
    ),
    _run,
    answers=True,
)
