"""From ``sys.argv`` to an exit code: every failure is one line on stderr, never a traceback.

Exit codes: 0 proved or done, 1 refuted, 2 usage or bad input, 3 unknown or out of time,
4 unsupported, 5 certificate rejected; 130 after Ctrl-C and 141 when the reader of our output
went away, as shells report them.  An error of tamecheck itself is reported as such, with exit
code 2.  The environment variable ``TAMECHECK_DEBUG=1`` shows the traceback of any failure.
"""

from __future__ import annotations

import difflib
import errno
import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence

from tamecheck import __version__
from tamecheck.cli import (
    cells,
    check,
    completion,
    count,
    diff,
    doctor,
    explain,
    info,
    optimise,
    plot,
    program,
    referee,
    report,
    rules,
    supports,
    train,
    verify,
)
from tamecheck.cli.deadline import deadline
from tamecheck.cli.options import Parser, attach_values
from tamecheck.errors import InputError, TamecheckError, TimeLimitError, UnsupportedError, visible

_VERBS = (
    *(check.CHECK, check.RECHECK, info.EVAL, info.INFO, info.CONVERT, cells.VERB, diff.VERB),
    *(plot.VERB, program.SOLVE, verify.VERB, *optimise.VERBS, train.VERB, explain.VERB),
    *(rules.RULES, count.COUNT, program.DUAL, report.VERB, doctor.DOCTOR, doctor.DEMO),
    *(referee.VERB, supports.VERB, completion.VERB),
)
_ISSUES = "Please report it, with the command line; TAMECHECK_DEBUG=1 shows the traceback."
_EPILOG = """\
exit codes: 0 proved or done, 1 refuted, 2 usage or bad input, 3 unknown or out of time,
4 unsupported (all offending nodes are listed), 5 certificate rejected

'tamecheck VERB --help' explains a verb.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv
        The arguments without the program's name; those of the process if None.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except BrokenPipeError:
        # Python flushes stdout once more at exit; let that write go nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        # the last line of defence: one line, no traceback
        if os.environ.get("TAMECHECK_DEBUG") == "1":
            raise
        code, line = _describe(error)
        if "--json" in arguments:
            print(_error_json(error))
        _say(line)
    return code


def _run(arguments: list[str]) -> int:
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] (closed by the shell)
        raise OSError(errno.EBADF, "stdout is closed")
    args = _parse(arguments)
    with deadline(args.timeout, answers=args.answers, last_words=lambda: _late(args)):
        return args.run(args)


def _late(args: Namespace) -> None:
    """What is said when a call does not return to the interpreter, without its locks."""
    if args.last_words is not None:
        args.last_words(args)
    late = TimeLimitError(f"Out of time after {args.timeout:g} s.")
    if args.json:
        os.write(1, f"{_error_json(late)}\n".encode())
    os.write(2, f"tamecheck: {late}\n".encode())


def _parse(arguments: list[str]) -> Namespace:
    parser, verbs = _parser()
    if not arguments:
        raise InputError(
            "No verb is given.", hint=f"Verbs: {', '.join(verbs)}. See 'tamecheck --help'."
        )
    first = arguments[0]
    if not first.startswith("-") and first not in verbs:
        guess = _guess(first, verbs, "Did you mean {!r}?", f"Verbs: {', '.join(verbs)}.")
        raise InputError(f"There is no verb {first!r}.", hint=guess)
    args, unknown = parser.parse_known_args(attach_values(arguments))
    if unknown:
        name, options = unknown[0].split("=")[0], verbs[first].option_names()
        guess = _guess(name, options, "Did you mean {}?", f"See 'tamecheck {first} --help'.")
        raise InputError(f"What is {unknown[0]!r}?", where=first, hint=guess)
    args.parser = parser
    return args


def _guess(word: str, known: Iterable[str], near: str, otherwise: str) -> str:
    found = difflib.get_close_matches(word, known, n=1)
    return near.format(found[0]) if found else otherwise


def _parser() -> tuple[Parser, dict[str, Parser]]:
    parser = Parser(
        prog="tamecheck",
        description="Proves in which o-minimal structure a neural network is definable, "
        "with a certificate that a small independent kernel checks.",
        epilog=_EPILOG,
    )
    parser.add_argument("-V", "--version", action="version", version=__version__)
    parser.add_argument(
        "--name", action="version", version="tamecheck", help="show the name and exit"
    )
    subparsers = parser.add_subparsers(metavar="VERB", required=True, parser_class=Parser)
    for verb in _VERBS:
        verb.add_to(subparsers)
    verbs: dict[str, Parser] = dict(subparsers.choices)
    return parser, verbs


def _error_json(error: Exception) -> str:
    code, line = _describe(error)
    nodes = error.nodes if isinstance(error, UnsupportedError) else ()
    unsupported = [{"node": name, "why": why} for name, why in nodes]
    return json.dumps({"error": line, "exit_code": code, "unsupported": unsupported})


def _describe(error: Exception) -> tuple[int, str]:
    match error:
        case TamecheckError():
            return error.exit_code, error.message
        case MemoryError():
            return 2, "The model does not fit in memory."
        case RecursionError():
            return 2, "The input is nested too deeply."
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return 2, f"{where}{error.strerror or error}"
        case _:
            what = " ".join(f"{type(error).__name__}: {error}".split())
            return 2, f"Internal error ({what}). {_ISSUES}"


def _say(line: str) -> None:
    print(f"tamecheck: {visible(line)}", file=sys.stderr)
