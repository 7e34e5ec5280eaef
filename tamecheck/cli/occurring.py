"""What can occur, from the command line: levels, names and groups of the inputs."""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from tamecheck.cli.answer import message
from tamecheck.cli.options import Parser
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tamecheck.binarized import BinarizedNetwork
    from tamecheck.explain.domain import Domain
    from tamecheck.load.samples import Sidecar
    from tamecheck.model import Model

__all__ = ["Naming", "add_occurring", "groups_of", "levels_of", "naming_of", "occurring"]

_RANGE = re.compile(r"^(\d+)(?:-(\d+))?$")


@dataclass(frozen=True, slots=True)
class Naming:
    """What inputs and classes are called.

    Parameters
    ----------
    names
        The name or the statement of each input; None if they have none.
    negations
        What each input says when it is low; empty if that is not known.
    classes
        What each class is called; None if that is not known.
    values
        The values of numeric features that have no others.
    inferred
        Whether the names are only those of the model's inputs, which say nothing about a table.
    """

    names: list[str] | None = None
    negations: tuple[str, ...] = ()
    classes: list[str] | None = None
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    inferred: bool = False

    @property
    def sidecar(self) -> Sidecar | None:
        """The same for rows of tables; None without names that were given."""
        from tamecheck.load.samples import Sidecar

        if self.names is None or self.inferred:
            return None
        return Sidecar(tuple(self.names), tuple(self.classes or ()), self.negations, self.values)

    @classmethod
    def of(cls, said: Sidecar) -> Naming:
        """What a file says."""
        return cls(list(said.features), said.negations, list(said.classes) or None, said.values)


def add_occurring(parser: Parser) -> None:
    """Add ``--domain --names --one-hot --thermometer``."""
    parser.add_argument(
        "--domain", metavar="LOW,HIGH", help="the two levels of every input (default -1,1)"
    )
    parser.add_argument(
        "--names", metavar="NAMES",
        help="names or statements of the inputs: a,b,c, or a file; default: MODEL.features.json, "
        "if train wrote one; - for none",
    )  # fmt: skip
    parser.add_argument(
        "--one-hot", metavar="GROUPS",
        help="inputs of which exactly one is high: 0-2,3-5, or colour=0-2,size=3-5",
    )  # fmt: skip
    parser.add_argument(
        "--thermometer", metavar="GROUPS",
        help="inputs that are high only if all before them are: 6-9, or age=6-9",
    )  # fmt: skip


def levels_of(text: str | None) -> tuple[Fraction, Fraction]:
    """The low and the high level that ``--domain`` names.

    Raises
    ------
    InputError
        If it is no pair of ascending numbers.
    """
    from tamecheck.ir.exact import parse_rational

    words = ("-1,1" if text is None else text).split(",")
    if len(words) == 2:
        low, high = (parse_rational(word.strip()) for word in words)
        if low < high:
            return low, high
    raise InputError(
        f"--domain {text!r} is no pair of levels.", hint="The low one, then the high one: -1,1."
    )


def naming_of(args: Namespace, model: Model) -> Naming:
    """The names of ``--names``, else of the file that ``train`` wrote beside the model.

    If there are none, inputs that are one number each have the names of the model's inputs.

    Raises
    ------
    InputError
        If the file holds no list of texts, or names other inputs than the model has.
    """
    from tamecheck.ir.tensor import size_of
    from tamecheck.load.samples import read_sidecar

    found = Naming()
    if args.names not in (None, "-"):
        found = _given(args.names)
    elif args.names is None and args.model is not None:
        beside = read_sidecar(args.model)
        if beside is not None:
            message(args, f"What the inputs say is read from {args.model}.features.json.")
            found = Naming.of(beside)
    if found.names is None:
        alone = not any(model.inputs.values())
        names = list(model.inputs) if alone else None
        return Naming(names, classes=found.classes, inferred=True)
    inputs = sum(map(size_of, model.inputs.values()))
    if len(found.names) != inputs:
        where = f"{args.model}.features.json" if args.names is None else "--names"
        raise InputError(f"{len(found.names)} names for {inputs} inputs.", where=where)
    return found


def _given(text: str) -> Naming:
    """The names of a list between commas, or of a file."""
    from pathlib import Path

    from tamecheck.load.samples import read_statements

    if text.endswith(".json"):
        return Naming.of(read_statements(text))
    if not text.endswith(".txt") and not Path(text).is_file():
        return Naming([name.strip() for name in text.split(",")])
    from tamecheck.load.files import read_text

    return Naming([line.strip() for line in read_text(text).splitlines() if line.strip()])


def groups_of(text: str | None, names: Sequence[str] | None, option: str) -> dict[str, list[int]]:
    """Groups of inputs by name: ``0-2,3-5`` or ``colour=0-2,size=3-5``.

    A group without a name takes the common start of its inputs' names.

    Raises
    ------
    InputError
        If it is no such text.
    """
    groups: dict[str, list[int]] = {}
    for part in [] if text is None else text.split(","):
        name, _, numbers = part.rpartition("=")
        found = _RANGE.match(numbers.strip())
        first, last = (found[1], found[2] or found[1]) if found else ("1", "0")
        if int(first) > int(last):
            raise InputError(f"{part!r} is no group of inputs.", where=option, hint="Give 0-2,3-5.")
        group = list(range(int(first), int(last) + 1))
        groups[name.strip() or _common(group, names)] = group
    return groups


def _common(group: Sequence[int], names: Sequence[str] | None) -> str:
    if names is not None and group[-1] < len(names):
        starts = {re.split(r"\s*[=≥<:]|>=", names[i])[0] for i in group}
        if len(starts) == 1:
            return starts.pop()
    return f"x{group[0]}..x{group[-1]}"


def occurring(args: Namespace, network: BinarizedNetwork, naming: Naming) -> Domain:
    """The domain that the options describe.

    Statements such as ``age ≥ 37`` in the names say by themselves which inputs belong together;
    groups that are given replace what they say about their inputs.

    Raises
    ------
    InputError
        If the options do not fit the network.
    """
    from tamecheck.explain.words import Vocabulary, read_literals

    names = naming.names
    said = Vocabulary() if names is None else read_literals(names, naming.negations, naming.values)
    one_hot = groups_of(args.one_hot, names, "--one-hot")
    thermometer = groups_of(args.thermometer, names, "--thermometer")
    taken = {i for group in (*one_hot.values(), *thermometer.values()) for i in group}
    return said.without(taken).domain(network, names, one_hot=one_hot, thermometer=thermometer)
