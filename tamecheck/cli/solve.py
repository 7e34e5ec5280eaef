"""``tamecheck solve``: the optimum of a mixed-integer program, checked exactly."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import claim, confirm, message, print_json, write_document
from tamecheck.cli.options import Subparsers, add_certificate, add_common
from tamecheck.cli.progress import working
from tamecheck.errors import visible

if TYPE_CHECKING:
    from tamecheck.ir.program import Program
    from tamecheck.programs import Solved

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Find the optimum of a mixed-integer program.  A search tree of our own proves that none is better,
that there is no point, or that there is no bound; CBC and HiGHS find good points for it.  Every
point that is printed satisfies all rows exactly, the kernel checks the certificate of a definite
answer before it is printed, and 'bound' is what was proved.

exit codes: 0 optimal or unbounded, 1 infeasible, all proved; 3 otherwise"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "solve", help="the optimum of a mixed-integer program", description=_DESCRIPTION
    )
    parser.add_argument("program", metavar="PROGRAM", help=".mps, .lp or .json file, also .gz")
    parser.add_argument(
        "--certify",
        action="store_true",
        help="search for a proof as long as it takes, not for a minute",
    )
    add_certificate(parser)
    add_common(parser, answers=True)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Solve the program, write the certificate, print the answer."""
    from tamecheck.programs import Feasible, Unknown, read_file, solve

    if args.output is not None:
        claim(args, args.output, "certificate")
    source = read_file(args.program)
    for note in source.notes:
        message(args, note)
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
    document = _document(source.program, solved)
    document["certificate"] = _write(args, solved)
    if args.json:
        print_json(document)
    elif args.quiet:
        print(" ".join(filter(None, (document["status"], document["objective"]))))
    else:
        _print(document)
    return _exit_code(document)


def _document(program: Program, solved: Solved) -> dict[str, Any]:
    """The answer as the JSON contract words it."""
    from tamecheck.programs import Evidence, Feasible, Infeasible, Optimal, Unbounded, Unknown

    answer = solved.answer
    point, objective, bound = None, None, None
    match answer:
        case Optimal():
            status, point, evidence = "optimal", answer.point, Evidence.CERTIFICATE
            # the tree proves that no point is better
            objective = bound = str(answer.objective)
        case Feasible():
            status, point, evidence = "feasible", answer.point, answer.claimed
            objective = str(answer.objective)
            bound = None if answer.bound is None else str(answer.bound)
        case Infeasible():
            status, evidence = "infeasible", Evidence.CERTIFICATE
        case Unbounded():
            status, point, evidence = "unbounded", answer.point, Evidence.CERTIFICATE
        case Unknown():
            status, evidence = "unknown", answer.claimed
            bound = None if answer.bound is None else str(answer.bound)
    why = answer.why if isinstance(answer, Unknown) else None
    names = [column.name for column in program.columns]
    return {
        "status": status,
        "objective": objective,
        "bound": bound,
        "x": None if point is None else dict(zip(names, map(str, point), strict=True)),
        "ray": dict(zip(names, map(str, answer.ray), strict=True))
        if isinstance(answer, Unbounded)
        else None,
        "checked": {
            "feasible": point is not None,
            "optimal": None if evidence is None else evidence.value,
        },
        "rests_on": "certificate" if status not in {"feasible", "unknown"} else None,
        "why": why,
        "reason": "interrupted" if solved.interrupted else why,
        "notes": list(solved.notes),
        "nodes": solved.nodes,
        "seconds": round(solved.seconds, 3),
        "program": {"sha256": program.sha256},
    }


def _write(args: Namespace, solved: Solved) -> str | None:
    if args.output is None:
        return None
    if solved.answer.certificate is None:
        message(args, f"{args.output} is not written: there is no proof.")
        return None
    write_document(args.output, solved.answer.certificate)
    return args.output


def _exit_code(document: dict[str, Any]) -> int:
    if document["rests_on"] is None:
        return 3
    return 1 if document["status"] == "infeasible" else 0


_REASONS = {
    "certificate": "proved: a certificate shows it",
    "two-solvers": "not proved: CBC and HiGHS call {} {}",
    "one-solver": "not proved: one solver calls {} {}",
    None: "not proved",
}


def _print(document: dict[str, Any]) -> None:
    from tamecheck.show.tables import print_sections

    facts = ("objective", "bound", "reason", "certificate")
    word = ("the point", "optimal") if document["x"] else ("the program", "infeasible")
    rows: list[tuple[str, ...]] = [
        ("answer", _REASONS[document["checked"]["optimal"]].format(*word))
    ]
    rows += [(key, document[key]) for key in facts if document[key] is not None]
    point = _moved(document["x"])
    count = len(document["x"] or ())
    zeros = [(f"{count - len(point)} others", "0")] if len(point) < count else []
    print_sections(
        sys.stdout,
        {
            document["status"].upper(): [tuple(map(visible, row)) for row in rows],
            "Point (exactly feasible)": [*point, *zeros],
            "Ray": _moved(document["ray"]),
            "Notes": [(visible(note),) for note in document["notes"]],
        },
    )


def _moved(values: Mapping[str, str] | None) -> list[tuple[str, ...]]:
    """The names and numbers that are not 0."""
    return [(visible(name), value) for name, value in (values or {}).items() if value != "0"]
