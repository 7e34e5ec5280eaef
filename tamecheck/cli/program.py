"""``tamecheck solve`` and ``dual``: the optimum of a program, and bounds on it as functions."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import claim, print_answer, working, write_certificate, write_document
from tamecheck.cli.options import CERTIFICATE, PROGRAM, Place, Verb, flag, option, output
from tamecheck.cli.source import program_of
from tamecheck.errors import DomainError, InputError, SolverError, UnsupportedError

if TYPE_CHECKING:
    from fractions import Fraction

    from tamecheck.duality import DualFunction
    from tamecheck.ir.program import Program
    from tamecheck.loaders.outputs import Journal
    from tamecheck.programs.tree import Status
    from tamecheck.programs.vipr import Version


_ABOUT_SOLVE = """\
Find the optimum of a mixed-integer program.  A search tree of our own proves that none is better,
that there is no point, or that there is no bound; CBC and HiGHS find good points for it.  Every
point that is printed satisfies all rows exactly, the kernel checks the certificate of a definite
answer before it is printed, and 'bound' is what was proved.  With -o an unfinished search leaves a
certificate of its bound there, with which --resume goes on; so it does with CERT.journal, to which
a search adds what it finds, and which is left if it is killed.  --workers N processes share the
tree of one program; the answer does not depend on their number.

exit codes: 0 optimal or unbounded, 1 infeasible, all proved; 3 otherwise"""


def _solve(args: Namespace) -> int:
    """Solve the program, write the certificate, print the answer."""
    from tamecheck.budget import Budget
    from tamecheck.programs import solve
    from tamecheck.show.answers import solved_sections
    from tamecheck.solvers.executors import count_cores

    budget = Budget.of(args.timeout)
    if args.workers is not None and args.workers < 1:
        raise InputError(f"--workers {args.workers} is no positive number.")
    if args.proof is not None and args.output is None:
        raise InputError("--proof needs a file to write.", hint="Give -o FILE.vipr.")
    claim(args, args.output, "certificate")
    source = program_of(args, args.program)
    resume = None if args.resume is None else _resumed(args.resume)
    journal = _journal(args, source.program, resume)
    with working(args, "solving") as show:
        solved = solve(
            source.program,
            certify=args.certify,
            seconds=budget.timeout,
            seed=args.seed,
            workers=args.workers or count_cores(),
            cutoff=args.proof is None,
            progress=None if show is None else lambda status: show(_status(source.program, status)),
            resume=resume,
            journal=None if journal is None else journal.append,
        )
    document = solved.to_json(source.program)
    written = _write_proof(args, source.program, solved.answer.certificate)
    if journal is not None and written is not None:
        journal.finish()
    elif journal is not None and journal.file is not None:
        note = f"What was found stands in {journal.path}, with which --resume goes on."
        document["notes"] = [*document["notes"], note]
    document["certificate"] = written if args.proof is None else None
    document["proof"] = None if args.proof is None else written
    brief = " ".join(filter(None, (document["status"], document["objective"])))
    sections = solved_sections(document)
    # in the text they stand on stderr
    document["notes"] = [*source.notes, *document["notes"]]
    print_answer(args, document, sections, brief)
    if document["rests_on"] is None:
        return 3
    return 1 if document["status"] == "infeasible" else 0


def _status(program: Program, status: Status) -> str:
    """How far the search is: the best value, what relaxations say of the rest, and the gap."""
    sign, constant = program.sense.sign, float(program.constant)
    parts = [f"{status.explored} nodes, {status.open} open"]
    if status.value is not None:
        parts.append(f"best {sign * status.value + constant:.9g}")
    if status.bound is not None:
        parts.append(f"bound about {sign * status.bound + constant:.9g}")
        if status.value is not None:
            size = max(abs(status.value), abs(status.bound))
            gap = max(status.value - status.bound, 0.0) / size if size else 0.0
            parts.append(f"gap {gap:.2%}")
    return ", ".join(parts)


def _resumed(path: str) -> Mapping[str, Any]:
    """A certificate of a tree, after the kernel has accepted it; or what a journal says."""
    from tamecheck.certificates import recheck
    from tamecheck.kernel_mip import FORMAT
    from tamecheck.loaders.files import read_bytes
    from tamecheck.loaders.outputs import read_journal
    from tamecheck.programs.certificate import JOURNAL, unfinished

    found = read_journal(path, JOURNAL)
    if found is not None:
        question, records = found
        try:
            return unfinished(question["program"], records)
        except (InputError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"This is no journal of a search ({error}).", where=path) from None
    report = recheck(Path(path))
    document: Any = json.loads(read_bytes(path)) if report.verdict == "valid" else {}
    if document.get("format") != FORMAT:
        why = report.why or "it is about no program"
        raise InputError(f"The certificate is not accepted: {why}.", where=f"--resume {path}")
    return document


@dataclass(slots=True)
class _Journal:
    """What a search finds, in case it is killed: a file from the first record to the last."""

    path: str
    program: Program
    resumed: Mapping[str, Any] | None
    stack: ExitStack = field(default_factory=ExitStack)
    file: Journal | None = None

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record, first those of the search that is gone on with."""
        from tamecheck.loaders.outputs import journal, write_journal
        from tamecheck.programs.certificate import JOURNAL, records_of

        if self.file is None:
            question = {"program": self.program.sha256}
            known = () if self.resumed is None else tuple(records_of(self.resumed))
            write_journal(self.path, JOURNAL, question, known)
            kept = journal(self.path, "journal", JOURNAL, question)
            self.file = self.stack.enter_context(kept)
        self.file.append(record)

    def finish(self) -> None:
        """Remove the file: what it says stands in a certificate."""
        from tamecheck.loaders.outputs import remove

        self.stack.close()
        if self.file is not None:
            remove(self.path)


def _journal(
    args: Namespace, program: Program, resume: Mapping[str, Any] | None
) -> _Journal | None:
    """Beside the file of ``-o``, what is found while the search runs, in case it is killed."""
    from tamecheck.loaders.outputs import check_output, is_stream, target_of

    if args.output is None or args.proof is not None or is_stream(target_of(args.output)):
        return None
    path = f"{args.output}.journal"
    check_output(path, "journal", force=args.force)
    return _Journal(path, program, resume)


def _write_proof(
    args: Namespace, program: Program, certificate: Mapping[str, Any] | None
) -> str | None:
    """Write the certificate where ``-o`` says, in the format that ``--proof`` names."""
    if args.proof is None or certificate is None:
        return write_certificate(args, certificate, "there is no proof.")
    from tamecheck.loaders.outputs import write_text
    from tamecheck.programs.vipr import vipr_text

    write_text(args.output, vipr_text(program, certificate, _PROOFS[args.proof]))
    return args.output


_PROOFS: Mapping[str, Version] = {"vipr": "1.0", "vipr-1.1": "1.1"}

SOLVE = Verb(
    "solve",
    "the optimum of a mixed-integer program",
    _ABOUT_SOLVE,
    (
        PROGRAM,
        flag("--certify", "search for a proof as long as it takes, not for a minute"),
        option(
            "--proof", None, "write a VIPR file, for checkers of others", choices=tuple(_PROOFS)
        ),
        option("--resume", "CERT", "go on with the tree of a certificate of an earlier run"),
        CERTIFICATE,
    ),
    _solve,
    answers=True,
    many=(Place("program", (".mps", ".lp", ".json")),),
)


# --- dual ----------------------------------------------------------------------------------------

_SEARCH = 0.5
_METHODS = ("chvatal", "gomory", "tree", "generator", "value", "network")
_ABOUT_DUAL = """\
Build a function F of a program's right-hand side that bounds its optimal value everywhere, and
check it exactly: F(a) <= c at every column, F(0) = 0, and F(b) = z(b) if it is strong.

methods:
  tree        branch and bound: minima of affine functions; strong whenever the search ends
  value       the optimal value itself; with --box its pieces in up to three rows
  chvatal     nested non-negative combinations and rounding up, on the integer part
  gomory      Gomory mixed-integer functions, Lipschitz on a box
  generator   generator subadditive functions; with --cone over the mixed-integer points of a cone
  network     a neural network, fitted to values or given, lowered until it is proved to be below
              the optimal value on a box

exit codes: 0 done, 1 the program is infeasible or a check fails, 3 the optimum was not proved"""


def _dual(args: Namespace) -> int:
    """Build the dual function and print what it says."""
    from tamecheck.duality import dual
    from tamecheck.show.answers import dual_sections

    if args.box is not None and args.method not in {"value", "network"}:
        raise InputError("A box belongs to the method 'value' or 'network'.", where="--box")
    claim(args, args.output, "dual function")
    side = None if args.at is None else right_hand_sides(args.at)
    options: dict[str, Any] = {} if args.box is None else {"box": row_intervals(args.box)}
    if args.cone is not None:
        if args.method != "generator":
            raise InputError("A cone belongs to the method 'generator'.", where="--cone")
        options["cone"] = [name.strip() for name in args.cone.split(",") if name.strip()]
    if args.network is not None:
        from tamecheck.model import load

        if args.method != "network":
            raise InputError("A network belongs to the method 'network'.", where="--network")
        options["network"] = load(args.network).graph
    claim(args, args.pair, "certificate")
    program = program_of(args, args.program).program
    # the rest of the time is for the checks, the slope and the definability of what was found
    seconds = None if args.timeout is None else _SEARCH * args.timeout
    function = dual(program, args.method, seconds=seconds, seed=args.seed, **options)
    document = _document(function, side)
    document["pair"] = _write_pair(args, function)
    document["program"] = {"sha256": program.sha256}
    if args.output is not None:
        write_document(args.output, {"format": "tamecheck-dual", **document})
    strong = "strong" if document["strong"] else "not strong"
    print_answer(args, document, dual_sections(document), f"{document['dual_value']} {strong}")
    if document["checks"]["columns"] is False:
        return 1
    return 3 if document["rests_on"] is None else 0


def _write_pair(args: Namespace, function: DualFunction) -> str | None:
    """Write the certificate that program and dual function are tame together, if it is wanted."""
    if args.pair is None:
        return None
    from tamecheck.duality.pair import pair_check

    found = pair_check(function)
    if found.certificate is None:
        raise UnsupportedError("The program and its dual function were not shown to be tame.")
    write_document(args.pair, found.certificate)
    return args.pair


def _document(function: DualFunction, side: dict[str, Fraction] | None) -> dict[str, Any]:
    """The answer as the JSON contract words it."""
    from tamecheck.duality.answer import value_text

    slope, why = None, None
    try:
        slope = function.gradient(side).to_json()
    except (DomainError, SolverError, UnsupportedError) as error:
        why = error.message
    answer = function.to_json()
    checked = answer["checks"]["columns"] is True and answer["optimum"] is not None
    return {
        **answer,
        # the defining inequalities, by code that only evaluates the function
        "rests_on": "recomputation" if checked else None,
        "at": value_text(function(side)),
        "slope": slope,
        "slope_why": why,
    }


def right_hand_sides(text: str) -> dict[str, Fraction]:
    """Right-hand sides by name, of ``r1=3,r2=1/2``."""
    found: dict[str, Fraction] = {}
    for part in text.split(","):
        name, sign, number = part.rpartition("=")
        if not sign or not name.strip():
            raise InputError(f"{part!r} is no right-hand side.", where="--at", hint="Write r1=3.")
        if name.strip() in found:
            raise InputError(f"{name.strip()!r} has two right-hand sides.", where="--at")
        found[name.strip()] = _rational(number, f"--at, {part!r}")
    return found


def _rational(text: str, where: str) -> Fraction:
    from tamecheck.ir.exact import parse_rational

    try:
        return parse_rational(text)
    except InputError as error:
        raise InputError(error.what, where=where, hint=error.hint) from None


def row_interval(text: str) -> tuple[str, Fraction, Fraction]:
    """A row and an interval, of ``r1=-3:4``."""
    name, sign, ends = text.rpartition("=")
    low, colon, high = ends.partition(":")
    if not (sign and name.strip() and colon):
        raise InputError(f"{text!r} is no row with an interval.", where="--box", hint="r1=-3:4")
    where = f"--box, {text!r}"
    return name.strip(), _rational(low, where), _rational(high, where)


def row_intervals(text: str) -> list[tuple[str, Fraction, Fraction]]:
    """Rows and intervals, of ``r1=-3:4,r2=0:1``."""
    return [row_interval(part) for part in text.split(",")]


DUAL = Verb(
    "dual",
    "bounds as functions of the right-hand side",
    _ABOUT_DUAL,
    (
        PROGRAM,
        option("--method", None, "the family (default: tree)", choices=_METHODS, default="tree"),
        option("--at", "RHS", "right-hand sides 'r1=3,r2=1/2'; the others stay as they are"),
        option("--box", "BOX", "value, network: rows and intervals, 'r1=-3:4,r2=0:5'"),
        option("--cone", "ROWS", "generator: rows that put the variables into a cone, 'r3,r4'"),
        option("--network", "MODEL", "network: one of the rows of the box, near the value"),
        output("--pair", "CERT", "prove that program and F are tame together, for recheck"),
        output("-o --output", "FILE", "write the answer here as JSON"),
    ),
    _dual,
    answers=True,
)
