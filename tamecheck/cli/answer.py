"""Writing answers: one printer, one JSON writer, one table of exit codes; files, certificates."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tamecheck.budget import Budget
from tamecheck.cli.deadline import MEMORY
from tamecheck.cli.options import NO_INPUTS
from tamecheck.errors import (
    CertificateError,
    MemoryLimitError,
    TamecheckError,
    UnsupportedError,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tamecheck.loaders.outputs import Kind
    from tamecheck.show.answers import Sections


EXIT_CODES: Mapping[str, int] = {
    **dict.fromkeys(("tame", "locally-tame", "holds", "proved", "valid"), 0),
    **dict.fromkeys(("not-tame", "violated", "refuted"), 1),
    **dict.fromkeys(("unknown", "incomplete"), 3),
    "invalid": 5,
}
"""The exit code of each verdict."""

MEANINGS: Mapping[int, str] = {
    0: "proved, or done",
    1: "refuted: not tame, violated, infeasible",
    2: "usage, or input that cannot be read; an error of tamecheck itself, which says so",
    3: "unknown, out of time or of memory, or steps that are taken on trust",
    4: "unsupported: all offending nodes are listed",
    5: "the certificate is rejected",
    130: "interrupted",
    141: "the reader of the output went away",
}
"""What the exit codes mean."""

_ISSUES = "Please report it, with the command line; TAMECHECK_DEBUG=1 shows the traceback."


def print_answer(
    args: Namespace,
    document: Mapping[str, Any],
    text: Sections | Iterable[str] | Callable[[], None],
    brief: str | None = None,
) -> None:
    """Print an answer: one JSON object, or text, or one line of it if asked to be quiet.

    The text is sections, or lines, or what prints it; without ``brief`` its first line is the one.
    """
    if getattr(args, "sarif", None) is not None and args.heard is None:
        write_sarif(args, [document])
    if args.heard is not None:
        args.heard(document, text if brief is None else brief)
    elif args.json:
        print_json(document)
    elif args.quiet and brief is not None:
        print(visible(brief))
    elif callable(text):
        text()
    elif isinstance(text, Mapping):
        from tamecheck.show.console import print_sections

        print_sections(sys.stdout, cast("Sections", text))
    else:
        for line in islice(text, 1 if args.quiet else None):
            print(visible(line))


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    print(json.dumps(document, allow_nan=False))


def message(args: Namespace, line: str) -> None:
    """Say something on stderr, unless asked to be quiet."""
    if not args.quiet:
        print(f"tamecheck: {visible(line)}", file=sys.stderr)


@contextmanager
def working(args: Namespace, text: str) -> Generator[Callable[[str], None] | None]:
    """Show a text until the body is done; yields what changes it, None where nobody looks."""
    if args.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status(text) as status:
        yield status.update


def claim(args: Namespace, path: str | Path | None, kind: Kind) -> None:
    """Refuse a place for an output that another argument names, or that holds somebody's work."""
    from tamecheck.loaders.outputs import check_output

    if path is not None:
        given = [value for option, value in vars(args).items() if option not in NO_INPUTS]
        read = [value for value in given if isinstance(value, str)]
        beside = (f"{name}.features.json" for name in read)
        check_output(path, kind, inputs=[*read, *beside], force=args.force)


def write_sarif(args: Namespace, answers: Sequence[Mapping[str, Any]]) -> None:
    """Write answers as a SARIF log; those of many say what they are about, one is about the files.

    The models come first, since code hosts show one place.
    """
    from tamecheck.show.sarif import sarif_log

    given = {place.name: getattr(args, place.name) for place in args.many}
    known = {name: value for name, value in given.items() if value is not None}
    pairs = [({**known, **answer.get("arguments", {})}, answer) for answer in answers]
    order = ("model", "spec", "input")
    write_document(
        args.sarif, sarif_log([({k: f[k] for k in order if k in f}, answer) for f, answer in pairs])
    )


def write_certificate(
    args: Namespace, certificate: Mapping[str, Any] | None, why: str
) -> str | None:
    """Write the certificate where ``-o`` says; its path, or None with a message why there is none.

    Without ``-o``, None.
    """
    if args.output is None:
        return None
    if certificate is None:
        message(args, f"{args.output} is not written: {why}")
        return None
    write_document(args.output, certificate)
    return args.output


def write_document(path: str | Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document; gzipped, with the same bytes each time, if the name ends in .gz."""
    from tamecheck.loaders.outputs import write_bytes

    write_bytes(path, json.dumps(document, allow_nan=False, separators=(",", ":")).encode())


def error_document(error: Exception) -> dict[str, Any]:
    """What a JSON answer says of a failure."""
    code, line = describe(error)
    nodes = error.nodes if isinstance(error, UnsupportedError) else ()
    unsupported = [{"node": name, "why": why} for name, why in nodes]
    return {"error": line, "exit_code": code, "unsupported": unsupported}


def describe(error: Exception) -> tuple[int, str]:
    """The exit code of a failure, and the line that says what it was."""
    match error:
        case TamecheckError():
            return error.exit_code, error.message
        case MemoryError():
            limit = os.environ.get(MEMORY)
            if limit is None:
                return 2, "The model does not fit in memory."
            return describe(MemoryLimitError(int(limit)))
        case RecursionError():
            return 2, "The input is nested too deeply."
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return 2, f"{where}{error.strerror or error}"
        case _:
            what = " ".join(f"{type(error).__name__}: {error}".split())
            return 2, f"Internal error ({what}). {_ISSUES}"


def certifying(args: Namespace) -> bool:
    """Whether a certificate is asked for."""
    return args.certify or args.output is not None


def left(args: Namespace, budget: Budget) -> float | None:
    """The seconds that are left; None if there is no limit."""
    return None if args.timeout is None else budget.seconds


def steps_of(args: Namespace, budget: Budget) -> int | None:
    """How many steps the kernel may take in the time that is left; None if there is no limit."""
    from tamecheck.verification.confirm import steps_in

    return None if args.timeout is None else steps_in(budget)


def enter(
    args: Namespace, document: dict[str, Any], certificate: Mapping[str, Any] | None, note: str
) -> None:
    """Write the certificate of an answer where ``-o`` says; tell why there is none, or no check."""
    if note:
        message(args, note)
    if certificate is not None:
        _keep(args, document, certificate)


def _keep(args: Namespace, document: dict[str, Any], certificate: Mapping[str, Any]) -> None:
    if args.output is not None:
        write_document(args.output, certificate)
        document["certificate"] = args.output


def certify(
    args: Namespace,
    document: dict[str, Any],
    certificate: dict[str, Any] | None,
    steps: int | None = None,
) -> None:
    """Enter the certificate into the answer, if there is one that the kernel accepts.

    One that the kernel has no time for, in so many steps, is written all the same.
    """
    from tamecheck.certificates import recheck

    if certificate is None:
        message(args, "No certificate was found in time.")
        return
    report = recheck(json.dumps(certificate), steps=steps)
    if report.verdict == "incomplete":
        if steps is None or args.output is None:
            message(args, f"No certificate that the kernel checks: {report.why}.")
            return
        message(args, "The kernel has no time for the certificate; 'tamecheck recheck' has.")
        _keep(args, document, certificate)
        return
    if report.verdict != "valid":
        raise CertificateError(f"The kernel rejects the certificate: {report.why}.")
    reason = "No input of the ball is decided otherwise, by a proof that the kernel checks."
    if document["verdict"] == "unknown":
        document |= {"verdict": "holds", "reason": reason}
    document |= {"checked": "certificate", "rests_on": "certificate"}
    _keep(args, document, certificate)
