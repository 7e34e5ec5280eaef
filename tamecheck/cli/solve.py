"""``tamecheck solve``: the optimum of a mixed-integer program, checked exactly."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from tamecheck.cli.answer import (
    Sections,
    claim,
    confirm,
    print_answer,
    working,
    write_certificate,
)
from tamecheck.cli.options import CERTIFICATE, PROGRAM, Verb, flag
from tamecheck.cli.source import program_of
from tamecheck.errors import visible

__all__ = ["VERB"]

_DESCRIPTION = """\
Find the optimum of a mixed-integer program.  A search tree of our own proves that none is better,
that there is no point, or that there is no bound; CBC and HiGHS find good points for it.  Every
point that is printed satisfies all rows exactly, the kernel checks the certificate of a definite
answer before it is printed, and 'bound' is what was proved.

exit codes: 0 optimal or unbounded, 1 infeasible, all proved; 3 otherwise"""


def _run(args: Namespace) -> int:
    """Solve the program, write the certificate, print the answer."""
    from tamecheck.programs import Feasible, Unknown, solve

    claim(args, args.output, "certificate")
    source = program_of(args, args.program)
    with working(args, "solving") as show:
        solved = solve(
            source.program,
            certify=args.certify,
            seconds=args.timeout,
            seed=args.seed,
            progress=None if show is None else lambda n, left: show(f"{n} nodes, {left} open"),
        )
    if not isinstance(solved.answer, Feasible | Unknown):
        confirm(solved.answer.certificate)
    document = solved.to_json(source.program)
    document["certificate"] = write_certificate(
        args, solved.answer.certificate, "there is no proof."
    )
    brief = " ".join(filter(None, (document["status"], document["objective"])))
    print_answer(args, document, _sections(document), brief)
    if document["rests_on"] is None:
        return 3
    return 1 if document["status"] == "infeasible" else 0


_REASONS = {
    "certificate": "proved: a certificate shows it",
    "two-solvers": "not proved: CBC and HiGHS call {} {}",
    "one-solver": "not proved: one solver calls {} {}",
    None: "not proved",
}


def _sections(document: dict[str, Any]) -> Sections:
    facts = ("objective", "bound", "reason", "certificate")
    word = ("the point", "optimal") if document["x"] else ("the program", "infeasible")
    rows = [("answer", _REASONS[document["checked"]["optimal"]].format(*word))]
    rows += [(key, visible(document[key])) for key in facts if document[key] is not None]
    point, count = _moved(document["x"]), len(document["x"] or ())
    zeros = [(f"{count - len(point)} others", "0")] if len(point) < count else []
    return {
        document["status"].upper(): rows,
        "Point (exactly feasible)": [*point, *zeros],
        "Ray": _moved(document["ray"]),
        "Notes": [(visible(note),) for note in document["notes"]],
    }


def _moved(values: Mapping[str, str] | None) -> list[tuple[str, ...]]:
    """The names and numbers that are not 0."""
    return [(visible(name), value) for name, value in (values or {}).items() if value != "0"]


VERB = Verb(
    "solve",
    "the optimum of a mixed-integer program",
    _DESCRIPTION,
    (
        PROGRAM,
        flag("--certify", "search for a proof as long as it takes, not for a minute"),
        CERTIFICATE,
    ),
    _run,
    answers=True,
)
