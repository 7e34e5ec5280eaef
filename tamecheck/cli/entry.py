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
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from tamecheck import __version__
from tamecheck.cli import (
    cells,
    check,
    count,
    diff,
    doctor,
    explain,
    info,
    items,
    mcp,
    plot,
    program,
    report,
    rules,
    supports,
    train,
    verify,
)
from tamecheck.cli.answer import describe, error_document, print_json
from tamecheck.cli.deadline import MEMORY, deadline, run_below
from tamecheck.cli.items import names_many
from tamecheck.cli.options import Parser, attach_values
from tamecheck.errors import InputError, TimeLimitError, visible

_VERBS = (
    *(check.CHECK, check.RECHECK, info.EVAL, info.INFO, info.CONVERT, cells.VERB, diff.VERB),
    *(plot.VERB, program.SOLVE, verify.VERB, *verify.EXTREMES, train.VERB, explain.VERB),
    *(rules.RULES, count.COUNT, program.DUAL, report.VERB, doctor.DOCTOR, doctor.DEMO),
    *(items.MERGE, verify.REFEREE, supports.SUPPORTS, supports.COMPLETION, mcp.VERB),
)
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
        code, line = describe(error)
        if not {"--json", "--json-lines"}.isdisjoint(arguments):
            print_json(error_document(error))
        _say(line)
    return code


def many(verb: str, *places: Any, executor: Any = None, **options: Any) -> Iterator[dict[str, Any]]:
    """The answers of a verb about many items, in order; see docs/many.md.

    Parameters
    ----------
    verb
        ``check``, ``verify``, ``explain`` or ``solve``.
    places
        The positional arguments: files, folders, patterns, lists.
    executor
        An executor of `concurrent.futures`, a Dask ``Client``, a ``joblib.Parallel``, or the module
        ``ray``; None for processes of our own, as many as ``workers``.
    options
        Options of the command line by name; True for one without a value.
    """
    given: list[str] = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            given.append(flag)
        elif value is not None and value is not False:
            given.append(f"{flag}={value}")
    args = _parse([verb, *given, *map(str, places)])
    if not args.many:
        raise InputError(
            f"{verb!r} is about one item.", hint="Of many: check, verify, explain, solve."
        )
    from tamecheck.cli.many import lines_of

    return lines_of(args, executor)


def _run(arguments: list[str]) -> int:
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] (closed by the shell)
        raise OSError(errno.EBADF, "stdout is closed")
    args = _parse(arguments)
    if args.many and names_many(args):
        from tamecheck.cli.many import run_many

        return run_many(args)
    if args.serves:
        return args.run(args)
    if MEMORY in os.environ:
        from tamecheck.solvers.processes import end_with_parent

        end_with_parent()
    elif args.memory is not None:
        return run_below(args.memory, arguments)
    with deadline(args.timeout, answers=args.answers, last_words=lambda: _late(args)):
        return args.run(args)


def _late(args: Namespace) -> None:
    """What is said when a call does not return to the interpreter, without its locks."""
    if args.last_words is not None:
        args.last_words(args)
    late = TimeLimitError(f"Out of time after {args.timeout:g} s.")
    if args.json:
        os.write(1, f"{json.dumps(error_document(late))}\n".encode())
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
    args.json |= args.json_lines
    if args.many:
        args.more = tuple(word for word in unknown if not word.startswith("-"))
        unknown = [word for word in unknown if word.startswith("-")]
    if unknown:
        name, options = unknown[0].split("=")[0], verbs[first].option_names()
        guess = _guess(name, options, "Did you mean {}?", f"See 'tamecheck {first} --help'.")
        raise InputError(f"What is {unknown[0]!r}?", where=first, hint=guess)
    args.parser, args.options = parser, verbs[first]
    return args


def _guess(word: str, known: Iterable[str], near: str, otherwise: str) -> str:
    found = difflib.get_close_matches(word, known, n=1)
    return near.format(found[0]) if found else otherwise


@cache
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


def _say(line: str) -> None:
    print(f"tamecheck: {visible(line)}", file=sys.stderr)
