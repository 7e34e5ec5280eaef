"""``tamecheck maximise`` and its mirror image ``minimise``: extreme values of an output."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from tamecheck.cli.answer import message, print_answer
from tamecheck.cli.options import BOX, MODEL, Verb, option
from tamecheck.cli.source import domain_of, model_of, name_of, number_of

if TYPE_CHECKING:
    pass


_DESCRIPTION = """\
Find the {adjective} value of one output element on a bounded box.  A piecewise linear network
becomes an exact mixed-integer program; walks over its linear pieces find a first point, solvers
go on from it, and a search tree proves the bound; the kernel checks its certificate.  The value
is that of the network at x in rational arithmetic.  Other networks get a rigorous bound from
boxes that are halved.

exit codes: 0 optimal, 3 otherwise"""


def _run(args: Namespace, verb: str) -> int:
    """Ask, print the answer, and give its exit code."""
    from tamecheck.show.answers import optimum_lines
    from tamecheck.verification import maximise, minimise

    model = model_of(args)
    output = number_of(args.output, f"{args.output!r} is no number of an output.", where="--output")
    shown = not args.quiet and sys.stderr.isatty()
    found = (maximise if verb == "maximise" else minimise)(
        model,
        output=output,
        box=domain_of(args, model),
        method=args.method,
        timeout=args.timeout,
        seed=args.seed,
        progress=(lambda line: message(args, line)) if shown else None,
    )
    document = found.to_json()
    document["output"] = output
    document["model"] = {"sha256": model.graph.sha256, "source": name_of(args)}
    brief = " ".join(filter(None, (document["status"], document["value"])))
    print_answer(args, document, optimum_lines(name_of(args), found), brief)
    return 0 if found.status == "optimal" else 3


def _verb(name: str, adjective: str) -> Verb:
    return Verb(
        name,
        f"the {adjective} value of an output on a box",
        _DESCRIPTION.format(adjective=adjective),
        (
            MODEL,
            BOX,
            option("--output", "K", "the output element's number (default 0)", default="0"),
            option(
                "--method",
                None,
                "'walk': Relax-and-Walk alone, with a linear bound",
                default="auto",
                choices=("auto", "walk"),
            ),
        ),
        lambda args: _run(args, name),
        answers=True,
    )


VERBS = (_verb("maximise", "largest"), _verb("minimise", "smallest"))
