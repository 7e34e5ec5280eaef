"""The argument parser, and the options of verbs as declarations; standard library only."""

from __future__ import annotations

import argparse
import math
import re
import textwrap
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from tamecheck.errors import InputError


class _Help(argparse.HelpFormatter):
    """Help whose paragraphs are wrapped to the terminal; rows of a list of words stay rows."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        blocks: list[tuple[str, str]] = []
        for line in text.splitlines():
            row = re.match(r"( *\S.*?  +)(?=\S)", line) if "   " in line.strip() else None
            if not line.strip() or not blocks or row is not None:
                hanging = " " * (0 if row is None else row.end())
                blocks.append((hanging, line))
            elif not blocks[-1][1]:
                blocks.append(("", line))
            else:
                hanging, before = blocks[-1]
                blocks[-1] = (hanging, f"{before} {line.strip()}")
        return "\n".join(
            textwrap.fill(said, width, initial_indent=indent, subsequent_indent=indent + hanging)
            for hanging, said in blocks
        )


class Parser(argparse.ArgumentParser):
    """A parser whose errors are exceptions, so that all failures are reported in one place."""

    def __init__(self, **options: object) -> None:
        # abbreviations would make every new option a breaking change
        super().__init__(
            allow_abbrev=False,
            formatter_class=_Help,
            **options,  # pyright: ignore[reportArgumentType]
        )

    def error(self, message: str) -> NoReturn:
        """Raise the error instead of printing a usage text."""
        raise InputError(
            f"{message[:1].upper()}{message[1:]}.",
            where=self.prog.removeprefix("tamecheck").strip(),
            hint=f"See '{self.prog} --help'.",
        )

    def read_options(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The values of options by the names of a namespace; the options without their dashes."""
        options = {name: self._option_string_actions.get(f"--{name}") for name in given}
        takes = {name: one for name, one in options.items() if one is not None and one.nargs != 0}
        if unknown := [name for name in given if name not in takes]:
            raise InputError(f"There is no option --{unknown[0]} with a value.")
        found, _ = self.parse_known_args([f"--{name}={given[name]}" for name in given])
        return {one.dest: getattr(found, one.dest) for one in takes.values()}

    def option_names(self) -> list[str]:
        """The options' names, ``--box`` and so on."""
        return [name for name in self._option_string_actions if name.startswith("--")]


# argparse has no public name for what add_subparsers returns
Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


@dataclass(frozen=True, slots=True)
class Option:
    """An option or a positional argument: its flags, and what argparse is told of it."""

    flags: tuple[str, ...]
    settings: Mapping[str, Any]
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Options under a heading of the help; without a title, of which at most one is given."""

    title: str | None
    options: tuple[Options, ...]


Options: TypeAlias = "Option | Group | tuple[Options, ...]"


def option(flags: str, metavar: str | None = None, text: str | None = None, **more: Any) -> Option:
    """An argument with a value; ``-o --output`` has two flags."""
    return Option(tuple(flags.split()), {"metavar": metavar, "help": text, **more})


def flag(flags: str, text: str, **more: Any) -> Option:
    """An option without a value."""
    return Option(tuple(flags.split()), {"action": "store_true", "help": text, **more})


def output(flags: str, metavar: str, text: str, **more: Any) -> Option:
    """An option that names a file to write; the first one of a verb brings ``--force``."""
    return Option(tuple(flags.split()), {"metavar": metavar, "help": text, **more}, writes=True)


@dataclass(frozen=True, slots=True)
class Place:
    """An argument that names a file, and may name many: by a folder, a pattern or a list.

    Parameters
    ----------
    name
        The argument, as a namespace has it.
    suffixes
        Of the files of a folder that are meant.
    listed
        Whether a ``.csv`` file is a list; else it is a file of numbers.
    """

    name: str
    suffixes: tuple[str, ...]
    listed: bool = True


_FORCE = flag("--force", "replace a file that tamecheck did not write")


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of the command line.

    Parameters
    ----------
    name, help, description
        What it is called, and what the help says of it on one line and on many.
    options
        Its arguments besides the common ones.
    run
        Answers, prints, and gives the exit code.
    answers
        Whether it keeps the time itself and then still answers.
    last_words
        What is left to do when a call does not return in time.
    many
        The arguments that may name many files; the last one is the last positional argument.
    serves
        Whether limits of time and memory are those of each question that it is asked.
    """

    name: str
    help: str
    description: str
    options: tuple[Options, ...]
    run: Callable[[Namespace], int]
    answers: bool = False
    last_words: Callable[[Namespace], None] | None = None
    many: tuple[Place, ...] = ()
    serves: bool = False

    def add_to(self, subparsers: Subparsers) -> None:
        """Add the verb to the command line."""
        parser = subparsers.add_parser(self.name, help=self.help, description=self.description)
        _add(parser, parser, (*self.options, _MANY if self.many else (), _COMMON))
        told = ("run", "answers", "last_words", "many", "serves")
        passed = {field: getattr(self, field) for field in told}
        parser.set_defaults(verb=self.name, more=(), heard=None, **passed)


def _add(parser: Parser, holder: Any, options: Options) -> None:
    match options:
        case Option(flags, settings, writes):
            holder.add_argument(*flags, **settings)
            if writes and "--force" not in parser.option_names():
                _add(parser, holder, _FORCE)
        case Group(None, parts):
            _add(parser, holder.add_mutually_exclusive_group(), parts)
        case Group(title, parts):
            _add(parser, holder.add_argument_group(title), parts)
        case _:
            for part in options:
                _add(parser, holder, part)


NO_INPUTS = ("output", "file", "plot", "vnncomp", "results", "sarif", "pair", "verb")
"""Where the names of files that are written stand, and the verb; others may be files to read."""

_TAKES_EXPRESSION = ("--expr", "--box", "--at", "--target", "--domain", "--rows")


def attach_values(arguments: Sequence[str]) -> list[str]:
    """The arguments with ``--box -1:1`` as ``--box=-1:1``, since a value may start with ``-``."""
    attached: list[str] = []
    values = iter(arguments)
    for argument in values:
        value = next(values, None) if argument in _TAKES_EXPRESSION else None
        attached.append(argument if value is None else f"{argument}={value}")
    return attached


_FOREVER = 1e9
"""Seconds; clocks and signals take no more."""


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ArgumentTypeError(f"{text!r} is no positive number of seconds")
    return min(seconds, _FOREVER)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([KMGT]?)i?B?", text, re.ASCII | re.IGNORECASE)
    unit = 0 if found is None else " KMGT".index(found[2].upper() or " ")
    size = 0 if found is None else int(float(found[1]) * 1024**unit)
    if size < 1:
        raise ArgumentTypeError(f"{text!r} is no size of memory such as 500M or 2G")
    return size


def natural(what: str = "natural number", *, digits: int = 4000) -> Callable[[str], int]:
    """For argparse: a natural number of at most so many digits."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > digits:
            raise ArgumentTypeError(f"{text!r} is no {what}")
        return int(text)

    return read


_MANY = Group(
    "many at once: folders, quoted patterns, lists (.csv), or several files",
    (
        option("--workers", "N", "processes (default: one a core)", type=int),
        option("--shard", "I/N", "only part I of N, from 1 on; 'tamecheck merge' joins them"),
        output("--results", "FILE",
            "write the answers here, one JSON object a line; a run that was ended goes on"),
        flag("--times", "keep the seconds in the answers, which are then never the same twice"),
    ),
)  # fmt: skip
_COMMON = Group(
    "common options",
    (
        flag("--json", "print one JSON object and nothing else"),
        flag("--json-lines", "the same, and of many answers one object a line"),
        option("--timeout", "SECONDS", "give up after so long (exit code 3)", type=_seconds),
        option("--memory", "SIZE", "give up beyond so much memory: 500M, 2G (exit code 3; Linux)",
            type=_bytes),
        option("--seed", "N", "seed of random searches (default 0)", type=natural(), default=0),
        flag("-q --quiet", "print the answer on one line, no messages"),
    ),
)  # fmt: skip
_EXPR = option("--expr", "TEXT", "an expression instead of a file: 'max(x,0) - sign(y)'")
_DIM = option("--dim", "NAME=SIZE", "the size of an open dimension of an ONNX model; once for each",
    action="append", default=[])  # fmt: skip
MODEL = (option("model", "MODEL", ".onnx or .json file, also .gz", nargs="?"), (_EXPR, _DIM))
MODEL_OR_PROGRAM = (
    option("model", "MODEL", ".onnx or .json file, or a program: .mps, .lp or .json, also .gz",
        nargs="?"),
    (_EXPR, _DIM),
)  # fmt: skip
PROGRAM = option("program", "PROGRAM", ".mps, .lp or .json file, also .gz")
BOX = Group(
    None,
    (
        option("--box", "BOX", "the domain: 'x=-1:1,y=0:inf', or -1:1 for all inputs"),
        option("--spec", "FILE", "the domain: the input region of a .vnnlib file"),
    ),
)
CERTIFICATE = output("-o --output", "CERT", "write the certificate here (.json or .json.gz)")
ARITHMETIC = option(
    "--arithmetic",
    "TYPE",
    "real, float32, float16, bfloat16 or float64: show that every execution in it has the "
    "property, in any order of sums; by default what a VNN-LIB 2.0 query declares",
)

SARIF = output("--sarif", "FILE", "write a SARIF log of what fails here, for code hosts")
SLICE = option(
    "--slice",
    "INPUTS|FILE",
    "free inputs, 'x[0],x[3]', the others fixed at --at or at the middle of the box; or a .json "
    "file with origin, directions and bounds of the coordinates",
)
AT = option("--at", "POINT", "the point through which --slice goes: 'x=0,y=1/3'")
