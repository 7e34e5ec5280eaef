"""The argument parser and the options that verbs share; standard library only."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any, NoReturn, TypeAlias

from tamecheck.errors import InputError

__all__ = [
    "OUTPUTS",
    "Parser",
    "Subparsers",
    "add_box",
    "add_certificate",
    "add_common",
    "add_model",
    "add_output",
    "attach_values",
]


class Parser(argparse.ArgumentParser):
    """A parser whose errors are exceptions, so that all failures are reported in one place."""

    def __init__(self, **options: object) -> None:
        # abbreviations would make every new option a breaking change
        super().__init__(
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,  # pyright: ignore[reportArgumentType]
        )

    def error(self, message: str) -> NoReturn:
        """Raise the error instead of printing a usage text."""
        raise InputError(
            f"{message[:1].upper()}{message[1:]}.",
            where=self.prog.removeprefix("tamecheck").strip(),
            hint=f"See '{self.prog} --help'.",
        )

    def option_names(self) -> list[str]:
        """The options' names, ``--box`` and so on."""
        return [name for name in self._option_string_actions if name.startswith("--")]


# argparse has no public name for what add_subparsers returns
Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

OUTPUTS = ("output", "file", "plot", "vnncomp")
"""Where the names of files that are written stand; the others are of files that are read."""

_TAKES_EXPRESSION = ("--expr", "--box", "--at", "--target", "--domain")


def attach_values(arguments: Sequence[str]) -> list[str]:
    """The arguments with ``--box -1:1`` as ``--box=-1:1``, since a value may start with ``-``."""
    attached: list[str] = []
    values = iter(arguments)
    for argument in values:
        value = next(values, None) if argument in _TAKES_EXPRESSION else None
        attached.append(argument if value is None else f"{argument}={value}")
    return attached


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number of seconds")
    return seconds


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no natural number")
    return int(text)


def add_common(parser: Parser, *, answers: bool = False) -> None:
    """Add ``--json --timeout --seed -q``, which every verb takes.

    Parameters
    ----------
    parser
        The verb's parser.
    answers
        Whether the verb keeps the time itself and then still answers.
    """
    parser.set_defaults(answers=answers, last_words=None)
    group = parser.add_argument_group("common options")
    group.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    group.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="give up after so long (exit code 3)"
    )
    group.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="seed of random searches (default 0)"
    )
    group.add_argument(
        "-q", "--quiet", action="store_true", help="print the answer on one line, no messages"
    )


def add_output(parser: Parser, *flags: str, **options: Any) -> None:
    """Add an option that names a file to write, and ``--force``, unless it is there."""
    parser.add_argument(*flags, **options)
    if "--force" not in parser.option_names():
        parser.add_argument(
            "--force", action="store_true", help="replace a file that tamecheck did not write"
        )


def add_certificate(parser: Parser) -> None:
    """Add ``-o CERT``, where a certificate goes."""
    what = "write the certificate here (.json or .json.gz)"
    add_output(parser, "-o", "--output", metavar="CERT", help=what)


def add_model(parser: Parser, *, nargs: str = "?", programs: bool = False) -> None:
    """Add the positional ``MODEL`` and its alternative ``--expr``.

    Parameters
    ----------
    parser
        The verb's parser.
    nargs
        As in `argparse`.
    programs
        Whether the verb also takes a program.
    """
    files = ".onnx or .json file" + (", or a program: .mps, .lp or .json" if programs else "")
    parser.add_argument("model", nargs=nargs, metavar="MODEL", help=f"{files}, also .gz")
    parser.add_argument(
        "--expr", metavar="TEXT", help="an expression instead of a file: 'max(x,0) - sign(y)'"
    )


def add_box(parser: Parser) -> None:
    """Add ``--box`` and its alternative ``--spec``."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--box", metavar="BOX", help="the domain: 'x=-1:1,y=0:inf', or -1:1 for all inputs"
    )
    group.add_argument(
        "--spec", metavar="FILE", help="the domain: the input region of a .vnnlib file"
    )
