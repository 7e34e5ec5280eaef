"""What can occur, from the command line: levels, names and groups of the inputs."""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tamecheck.cli.answer import message
from tamecheck.cli.options import Parser
from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.binarized import ThresholdNetwork
    from tamecheck.explain.domain import Domain
    from tamecheck.loaders.samples import Sample
    from tamecheck.loaders.tables.schema import Schema
    from tamecheck.model import Model

__all__ = [
    "Naming",
    "add_occurring",
    "groups_of",
    "levels_of",
    "naming_of",
    "network_from",
    "occurring",
]

_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Naming:
    """What inputs and classes are called.

    Parameters
    ----------
    names
        The name of each input, or what it says; None if they have none.
    classes
        What each class is called; None if that is not known.
    schema
        What the inputs are made of, if that is known; names alone say nothing about groups.
    inferred
        Whether the names are only those of the model's inputs, which say nothing about a table.
    """

    names: list[str] | None = None
    classes: list[str] | None = None
    schema: Schema | None = None
    inferred: bool = False

    @classmethod
    def of(cls, schema: Schema) -> Naming:
        """What a file, or the model itself, says."""
        return cls(list(schema.features), list(schema.classes) or None, schema)


def add_occurring(parser: Parser) -> None:
    """Add ``--domain --names --one-hot --thermometer``."""
    parser.add_argument(
        "--domain", metavar="LOW,HIGH",
        help="the two levels of every input: -1,1 or 0,1; default: those of the training",
    )  # fmt: skip
    parser.add_argument(
        "--names", metavar="NAMES",
        help="names of the inputs: a,b,c, or a file; default: MODEL.features.json, if train wrote "
        "one; - for none",
    )  # fmt: skip
    parser.add_argument(
        "--one-hot", metavar="GROUPS",
        help="inputs of which exactly one is high: 0-2,3-5, or colour=0-2,size=3-5",
    )  # fmt: skip
    parser.add_argument(
        "--thermometer", metavar="GROUPS",
        help="inputs that are high only if all before them are: 6-9, or age=6-9",
    )  # fmt: skip


def levels_of(text: str) -> tuple[Fraction, Fraction]:
    """The low and the high level that ``--domain`` names.

    Raises
    ------
    InputError
        If it is no pair of ascending numbers.
    """
    from tamecheck.ir.exact import parse_rational

    words = text.split(",")
    if len(words) == 2:
        low, high = (parse_rational(word.strip()) for word in words)
        if low < high:
            return low, high
    raise InputError(
        f"--domain {text!r} is no pair of levels.", hint="The low one, then the high one: -1,1."
    )


def network_from(
    args: Namespace, model: Model, naming: Naming, sample: Sample | None = None
) -> ThresholdNetwork:
    """The binarized network that the model is where its inputs can be.

    Its levels are those of ``--domain``, those of the training, those of the columns of a table
    with two values each, or those of a model that only reads signs.

    Raises
    ------
    InputError
        If none of these says what the levels are, or two disagree.
    UnsupportedError
        If the model is no binarized network there.
    """
    from tamecheck.explain.networks import Described, network_of, occurring_network

    given = None if args.domain is None else levels_of(args.domain)
    if naming.schema is not None:
        return occurring_network(Described(model, naming.schema), given)
    known = args.names != "-" or given is None
    if given is None and sample is not None and (not known or model.schema is None):
        given = sample.levels()
    return network_of(model, given)


def naming_of(args: Namespace, model: Model) -> Naming:
    """The names of ``--names``, else what is known of the model since its training.

    If there are none, inputs that are one number each have the names of the model's inputs.

    Raises
    ------
    InputError
        If the file holds no names, or names other inputs than the model has.
    """
    from tamecheck.ir.tensor import size_of

    found = Naming()
    if args.names not in (None, "-"):
        found = _given(args.names)
    elif args.names is None and (schema := model.schema) is not None:
        if args.model is not None and Path(f"{args.model}.features.json").is_file():
            message(args, f"What the inputs say is read from {args.model}.features.json.")
        found = Naming.of(schema)
    if found.names is None:
        alone = not any(model.inputs.values())
        names = list(model.inputs) if alone else None
        return Naming(names, found.classes, inferred=True)
    inputs = sum(map(size_of, model.inputs.values()))
    if len(found.names) != inputs:
        where = f"{args.model}.features.json" if args.names is None else "--names"
        raise InputError(f"{len(found.names)} names for {inputs} inputs.", where=where)
    return found


def _given(text: str) -> Naming:
    """The names of a list between commas, or of a file."""
    from tamecheck.loaders.files import read_text
    from tamecheck.loaders.json_model import parse_json
    from tamecheck.loaders.tables.schema_file import parse_schema

    if text.endswith(".json"):
        content = read_text(text)
        document = parse_json(content, where=text)
        if isinstance(document, list) and document:
            names = cast("list[Any]", document)
            if all(isinstance(name, str) for name in names):
                return Naming(names)
        return Naming.of(parse_schema(content, where=text))
    if not text.endswith(".txt") and not Path(text).is_file():
        return Naming([name.strip() for name in text.split(",")])
    return Naming([line.strip() for line in read_text(text).splitlines() if line.strip()])


def groups_of(text: str | None, option: str, *, inputs: int) -> dict[str, list[int]]:
    """Groups of inputs by name: ``0-2,3-5`` or ``colour=0-2,size=3-5``.

    A group without a name is called by its first and last input: ``x0..x2``.

    Raises
    ------
    InputError
        If it is no such text.
    """
    groups: dict[str, list[int]] = {}
    for part in [] if text is None else text.split(","):
        name, _, numbers = part.rpartition("=")
        found = _RANGE.fullmatch(numbers.strip())
        first, last = (found[1], found[2] or found[1]) if found else ("1", "0")
        if int(first) > int(last):
            what = f"{part[:40]!r} is no group of inputs."
            raise InputError(what, where=option, hint="Give 0-2,3-5.")
        if int(last) >= inputs:
            what = f"There is no input {last}; the network has {inputs}, from 0 on."
            raise InputError(what, where=option)
        group = list(range(int(first), int(last) + 1))
        groups[name.strip() or f"x{group[0]}..x{group[-1]}"] = group
    return groups


def occurring(args: Namespace, network: ThresholdNetwork, naming: Naming) -> Domain:
    """The domain that the options describe.

    Groups that are given replace what is known of their inputs.

    Raises
    ------
    InputError
        If the options do not fit the network.
    """
    from tamecheck.explain.words import Vocabulary

    said = Vocabulary() if naming.schema is None else Vocabulary.of(naming.schema)
    one_hot = groups_of(args.one_hot, "--one-hot", inputs=network.inputs)
    thermometer = groups_of(args.thermometer, "--thermometer", inputs=network.inputs)
    taken = {i for group in (*one_hot.values(), *thermometer.values()) for i in group}
    return said.without(taken).domain(
        network, naming.names, one_hot=one_hot, thermometer=thermometer
    )
