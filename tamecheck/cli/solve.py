"""``tamecheck solve``: the optimum of a mixed-integer program, checked exactly."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import claim, message, print_json, write_document
from tamecheck.cli.options import Subparsers, add_certificate, add_common
from tamecheck.cli.progress import working
from tamecheck.visible import visible

if TYPE_CHECKING:
    from tamecheck.ir.program import Program
    from tamecheck.programs import Solved

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Find the optimum of a mixed-integer program.  CBC and HiGHS search; every point that is printed
satisfies all rows exactly.  That none is better is proved by a certificate, which --certify
searches for and 'tamecheck recheck' confirms; else it rests on two solvers, or on one: the
answer says so.

exit codes: 0 optimal or unbounded, 1 infeasible (both proved, or two solvers agree), 3 otherwise"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "solve", help="the optimum of a mixed-integer program", description=_DESCRIPTION
    )
    parser.add_argument("program", metavar="PROGRAM", help=".mps, .lp or .json file, also .gz")
    parser.add_argument("--certify", action="store_true", help="search until there is a proof")
    add_certificate(parser)
    add_common(parser, answers=True)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Solve the program, write the certificate, print the answer."""
    from tamecheck.programs import read_file, solve

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
    from tamecheck.programs import Feasible, Infeasible, Optimal, Unbounded, Unknown

    answer = solved.answer
    point, objective, bound, evidence = None, None, None, None
    match answer:
        case Optimal():
            status, point, evidence = "optimal", answer.point, answer.evidence.value
            objective = bound = str(answer.objective)
        case Feasible():
            status, point, objective = "feasible", answer.point, str(answer.objective)
            bound = None if answer.bound is None else str(answer.bound)
        case Infeasible():
            status, evidence = "infeasible", answer.evidence.value
        case Unbounded():
            status, point, evidence = "unbounded", answer.point, "certificate"
        case Unknown():
            status = "unknown"
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
        "checked": {"feasible": point is not None, "optimal": evidence},
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
        message(args, f"{args.output} is not written: there is no proof. Use --certify.")
        return None
    write_document(args.output, solved.answer.certificate)
    return args.output


def _exit_code(document: dict[str, Any]) -> int:
    if document["checked"]["optimal"] not in {"certificate", "two-solvers"}:
        return 3
    return 1 if document["status"] == "infeasible" else 0


_REASONS = {
    "certificate": "proved: a certificate shows it",
    "two-solvers": "not proved: CBC and HiGHS agree",
    "one-solver": "not proved: one solver says so",
    None: "not proved",
}


def _print(document: dict[str, Any]) -> None:
    from tamecheck.show.tables import print_sections

    facts = ("objective", "bound", "reason", "certificate")
    rows: list[tuple[str, ...]] = [("answer", _REASONS[document["checked"]["optimal"]])]
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
